"""The files in deploy/ name what there is: commands, settings, paths, one proxy."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import typer.main

from kg_service.cli import app
from kg_service.settings import Settings
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
UNITS = sorted(path for path in FILES if path.suffix in (".service", ".timer"))
SERVICE = (DEPLOY / "systemd" / "sse-kg.service").read_text("utf-8")
CONTAINER = (DEPLOY / "Containerfile").read_text("utf-8")
ENVIRONMENT = dict(re.findall(r"^(\w+)=(.*)$", (DEPLOY / "systemd" / "kg.env").read_text("utf-8"), re.MULTILINE))


def test_commands_and_their_options_exist() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    started = re.findall(r"^ExecStart=/opt/sse-kg/bin/kg (.+)$", "\n".join(p.read_text("utf-8") for p in UNITS), re.M)
    started += [" ".join(ast.literal_eval(each)[1:]) for each in re.findall(r'^CMD (\["kg".*\])$', CONTAINER, re.M)]
    assert sorted(line.split()[0] for line in started) == ["backup", "refresh", "serve", "serve"]
    for line in started:
        name, *words = line.split()
        known = {option for parameter in commands[name].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_settings_that_are_named_exist(path: Path) -> None:
    named = set(re.findall(r"\bKG_([A-Z_]+)\b", path.read_text("utf-8")))
    assert named <= {name.upper() for name in Settings.model_fields}


def test_the_settings_fit_together_and_the_proxies_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [each for each in os.environ if each.startswith("KG_")]:
        monkeypatch.delenv(name)
    found = Settings(_env_file=DEPLOY / "systemd" / "kg.env")
    assert found.trusted_hops == 1
    assert found.token is None
    for proxy in ("nginx.conf", "Caddyfile"):
        text = (DEPLOY / proxy).read_text("utf-8")
        assert f"127.0.0.1:{found.port}" in text
        # What the client wrote is not handed on: the header holds the proxy's own word alone.
        (said,) = re.findall(r"X-Forwarded-For (\S+?);?$", text, re.MULTILINE)
        assert said in ("$remote_addr", "{remote_host}")
        assert "/metrics" in text
    largest = re.search(r"client_max_body_size (\d+)m", (DEPLOY / "nginx.conf").read_text("utf-8"))
    assert largest
    assert int(largest[1]) * 2**20 >= found.max_body_bytes


def test_units_share_a_user_and_a_store_and_are_shut_in() -> None:
    for path in (each for each in UNITS if each.suffix == ".service"):
        unit = dict(re.findall(r"^(\w+)=(.*)$", path.read_text("utf-8"), re.MULTILINE))
        assert unit["User"] == "sse-kg"
        assert unit["EnvironmentFile"] == "/etc/sse-kg/kg.env"
        assert ENVIRONMENT["KG_STORE"] == f"/var/lib/{unit['StateDirectory'].split()[0]}/store"
        assert (unit["NoNewPrivileges"], unit["ProtectSystem"], unit["CapabilityBoundingSet"]) == ("yes", "strict", "")
        assert "AF_UNIX" in unit["RestrictAddressFamilies"]  # readers are spoken to over such sockets
        assert "MemoryMax" in unit
    assert "OOMPolicy=continue" in SERVICE
    for timer in (each for each in UNITS if each.suffix == ".timer"):
        assert timer.with_suffix(".service") in UNITS


def test_a_token_comes_out_of_a_file_and_never_by_the_environment() -> None:
    token = (DEPLOY / "systemd" / "token.conf").read_text("utf-8")
    (name,) = re.findall(r"^LoadCredential=([\w-]+):/etc/sse-kg/token$", token, re.MULTILINE)
    assert f"\nEnvironment=KG_TOKEN_FILE=%d/{name}\n" in token
    assert "KG_TOKEN_FILE=/run/secrets/kg-token" in CONTAINER
    assert not [path for path in FILES if re.search(r"KG_TOKEN=", path.read_text("utf-8"))]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    for path in UNITS:
        (tmp_path / path.name).write_text(
            path.read_text("utf-8").replace("/opt/sse-kg/bin/kg", shutil.which("true") or "")
        )
    units = sorted(tmp_path.iterdir())
    (tmp_path / "sse-kg.service.d").mkdir()
    shutil.copy(DEPLOY / "systemd" / "token.conf", tmp_path / "sse-kg.service.d")
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    told = [line for line in done.stderr.splitlines() if str(tmp_path) in line or "sse-kg" in line]
    assert (done.returncode, told) == (0, []), done.stderr


def test_the_container_has_a_user_a_volume_and_what_it_copies() -> None:
    for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINER, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (ROOT / name).exists(), name
    bases = re.findall(r"^FROM (\S+)", CONTAINER, re.MULTILINE)
    assert {base.rpartition("/")[2] for base in bases} == {"python:3.11-slim"}
    (volume,) = re.findall(r"^VOLUME (\S+)$", CONTAINER, re.MULTILINE)
    assert f"KG_STORE={volume}/" in CONTAINER
    last = CONTAINER.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*$", last, re.MULTILINE)


def test_the_container_looks_after_its_own_health(client: httpx.Client) -> None:
    (found,) = re.findall(r"HEALTHCHECK .*? CMD (\[.+\])$", CONTAINER, re.MULTILINE)
    program, *rest = ast.literal_eval(found)
    assert program == "python"

    def code(port: str) -> int:
        return subprocess.run([sys.executable, *rest], env={"KG_PORT": port}, capture_output=True).returncode

    assert code(str(client.base_url.port)) == 0
    assert code("1") != 0
