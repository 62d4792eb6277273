"""The wheel: built twice of the same sources it is the same, byte for byte, and it tells what it is made of."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.spdx import is_expression
from cyclonedx.validation.json import JsonStrictValidator

from deploy import sbom
from tests.conftest import ROOT
from tests.store.engines import IS_CI
from tests.test_supply import PINNED, REQUIREMENTS, is_forbidden

FRONTEND = ROOT / "frontend"
#: What a clone does not have.
_MADE = shutil.ignore_patterns(
    ".*",
    "node_modules",
    "islands",
    "store",
    "remote",
    "dist",
    "build",
    "__pycache__",
    "tests",
    "benchmarks",
    "*.egg-info",
)


@pytest.fixture(scope="module")
def bill() -> dict[str, object]:
    found: dict[str, object] = json.loads(sbom.bill(ROOT))
    return found


def components(bill: dict[str, object], kind: str) -> list[dict[str, object]]:
    found = bill["components"]
    assert isinstance(found, list)
    return [each for each in found if each["purl"].startswith(f"pkg:{kind}/")]


def test_the_bill_of_materials_is_as_its_standard_has_it() -> None:
    text = sbom.bill(ROOT)
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(text) is None
    assert sbom.bill(ROOT) == text
    assert str(ROOT) not in text
    for licence in re.findall(r'"expression": "(.+?)"', text):
        assert is_expression(licence), licence


def test_the_bill_of_materials_has_what_is_pinned_with_its_checksums(bill: dict[str, object]) -> None:
    found: dict[str, list[str]] = {}
    for each in components(bill, "pypi"):
        found.setdefault(str(each["name"]), []).append(str(each["version"]))
    assert found == PINNED
    told = json.dumps(components(bill, "pypi"))
    assert set(re.findall(r"sha256:(\w{64})", REQUIREMENTS)) == set(re.findall(r'"(\w{64})"', told))
    assert all(each["licenses"] for each in components(bill, "pypi"))


def test_the_bill_of_materials_has_what_the_islands_are_made_of(bill: dict[str, object]) -> None:
    lock = json.loads((FRONTEND / "package-lock.json").read_text("utf-8"))["packages"]
    found = {str(each["name"]): each for each in components(bill, "npm")}
    for name, each in found.items():
        about = lock[f"node_modules/{name}"]
        assert (each["version"], each["licenses"]) == (about["version"], [{"expression": about["license"]}])
        assert not is_forbidden(about["license"])
    within = {name for name, each in found.items() if each["scope"] == "required"}
    asked = set(json.loads((FRONTEND / "package.json").read_text("utf-8"))["dependencies"])
    assert asked <= set(found)
    # What the sources of the islands name is in them, and nothing that only builds them is.
    sources = [path.read_text("utf-8") for path in (FRONTEND / "src").rglob("*.ts*") if ".test." not in path.name]
    run = re.sub(r"^import type .*?;$", "", "\n".join(sources), flags=re.MULTILINE | re.DOTALL)
    imported = re.findall(r"""(?:from|import)\s*\(?\s*["']((?:@[\w-]+/)?[\w-]+)[\w./-]*["']""", run)
    assert {"preact", "codemirror-lang-sparql", "world-atlas"} <= set(imported) <= within
    assert not within & {"rolldown", *sbom.BUILDERS}


def clone(folder: Path, *, at: int, closed: bool) -> Path:
    """The sources in that folder, as of another time, and with other rights."""
    for name in ("frontend", "kg_service", "ontology", "shapes", "queries", "data", "deploy", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=_MADE)
    for path in ROOT.iterdir():
        if path.is_file() and not path.name.startswith("."):
            shutil.copy(path, folder)
    for path in folder.rglob("*"):
        if closed:
            path.chmod(path.stat().st_mode & 0o700)
        os.utime(path, (at, at))
    return folder


def built(folder: Path, into: Path) -> Path:
    """The wheel of the sources in that folder."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(into)]
    environment = {name: value for name, value in os.environ.items() if name not in ("KG_UI", "SOURCE_DATE_EPOCH")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    if (why := folder / "kg_service/web/static/islands/absent").exists() and not IS_CI:
        pytest.skip(f"the islands cannot be built here: {why.read_text()}")
    assert not why.exists(), why.read_text()
    (wheel,) = into.glob("*.whl")
    return wheel


def test_two_clones_at_two_times_give_the_same_wheel(tmp_path: Path) -> None:
    first = built(clone(tmp_path / "one", at=1_700_000_000, closed=False), tmp_path / "first")
    second = built(clone(tmp_path / "another" / "place", at=1_800_000_001, closed=True), tmp_path / "second")
    assert first.name == second.name
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as other:
        assert one.namelist() == other.namelist()
        differing = [name for name in one.namelist() if one.read(name) != other.read(name)]
        assert not differing
        assert not [name for name in one.namelist() if str(tmp_path).encode() in one.read(name)]
        (told,) = [name for name in one.namelist() if name.endswith(f".dist-info/sboms/{sbom.NAME}")]
        assert one.read(told).decode() == sbom.bill(ROOT)
        assert "kg_service/web/static/islands/manifest.json" in one.namelist()
    assert hashlib.sha256(first.read_bytes()).digest() == hashlib.sha256(second.read_bytes()).digest()
