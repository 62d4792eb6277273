"""The README's examples are run as a newcomer would, and print what it says they print."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.serving import ready

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"^```console\n\$ (.+?)\n((?:.*\n)*?)```$", README, re.MULTILINE)
PYTHON = re.findall(r"^```python\n((?:.*\n)*?)```\n\n```text\n((?:.*\n)*?)```$", README, re.MULTILINE)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, dict[str, str]]]:
    """The service on the project's own data, started by `./kg serve` as the README says."""
    folder = tmp_path_factory.mktemp("readme")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    shim = folder / "bin" / "kg"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m kg_service "$@"\n')
    shim.chmod(0o755)
    environment = os.environ | {"KG_STORE": str(folder / "store"), "KG_TOKEN": "secret", "COLUMNS": "120"}
    environment["PATH"] = f"{shim.parent}:{Path(sys.executable).parent}:{environment['PATH']}"
    process = subprocess.Popen([shim, "serve", "--port", str(port)], env=environment, stderr=subprocess.DEVNULL)
    try:
        ready(f"http://127.0.0.1:{port}")
        yield port, environment
    finally:
        process.terminate()
        process.wait(timeout=30)


def run(command: str, service: tuple[int, dict[str, str]]) -> str:
    port, environment = service
    command = command.replace("127.0.0.1:8000", f"127.0.0.1:{port}").replace("./kg", "kg")
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    return done.stdout.replace(f":{port}", ":8000")


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.replace("\r\n", "\n").strip("\n").split("\n")]


def test_there_are_examples() -> None:
    assert len(CONSOLE) >= 5
    assert PYTHON


@pytest.mark.parametrize(("command", "printed"), CONSOLE, ids=[command[:50] for command, _ in CONSOLE])
def test_a_command_prints_what_the_readme_says(command: str, printed: str, service: tuple[int, dict[str, str]]) -> None:
    assert lines(run(command, service)) == lines(printed)


@pytest.mark.parametrize(("program", "printed"), PYTHON)
def test_a_program_prints_what_the_readme_says(
    program: str, printed: str, service: tuple[int, dict[str, str]], tmp_path: Path
) -> None:
    port, _ = service
    (tmp_path / "example.py").write_text(program.replace("127.0.0.1:8000", f"127.0.0.1:{port}"), encoding="utf-8")
    assert lines(run(f"python {tmp_path / 'example.py'}", service)) == lines(printed)
