"""What docs/operations.md promises is tested, and what can be set stands there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kg_service.access import OPERATE, Access
from kg_service.errors import Unauthorised
from kg_service.settings import Settings
from tests.conftest import ROOT

TEXT = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)
    assert len(named) > 20
    for path, name in named:
        assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE), f"{path}::{name}"


def test_every_setting_stands_there_as_it_is_described() -> None:
    rows = dict(re.findall(r"^\| `KG_([A-Z_]+)` \| .*? \| (.*) \|$", TEXT, re.MULTILINE))
    assert rows == {name.upper(): field.description for name, field in Settings.model_fields.items()}


def test_the_settings_in_force_are_printed_without_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("KG_PORT=8123\nKG_STORE_PASSWORD=hidden-in-file\nKG_STORE_USER=me\n")
    monkeypatch.setenv("KG_TOKEN", "hidden-in-environment")
    monkeypatch.setenv("KG_QUERY_URL", "http://me:hidden-in-url@127.0.0.1:9/query")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    command = [sys.executable, "-m", "kg_service", "settings", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert "hidden" not in done.stdout + done.stderr
    found = {each["setting"]: (each["value"], each["from"]) for each in json.loads(done.stdout)}
    assert found["KG_PORT"] == ("8123", ".env")
    assert found["KG_TOKEN"] == ("(secret)", "environment")
    assert found["KG_QUEUE"] == ("1024", "default")
    assert set(found) == {f"KG_{name.upper()}" for name in Settings.model_fields}


def test_secrets_are_read_from_files_and_a_wrong_file_is_one_sentence(tmp_path: Path) -> None:
    file, folder = tmp_path / "token", {"KG_STORE": str(tmp_path / "store"), "PYTHONPATH": str(ROOT)}

    def told(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "kg_service", *command], capture_output=True, text=True, cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if not name.startswith("KG_")} | folder | more,
        )  # fmt: skip

    file.write_text("a secret\n")
    found = json.loads(told("settings", "--json", KG_TOKEN_FILE=str(file)).stdout)
    assert {"setting": "KG_TOKEN", "value": "(secret)", "from": "KG_TOKEN_FILE"} in found
    both = told("settings", KG_TOKEN_FILE=str(file), KG_TOKEN="hidden")
    assert (both.returncode, "hidden" in both.stderr, "both set" in both.stderr) == (2, False, True)
    for wrong in ("", "\n", "one\ntwo\n", "\udcff"):
        file.write_text(wrong, errors="surrogateescape")
        refused = told("settings", KG_TOKEN_FILE=str(file))
        assert (refused.returncode, refused.stderr.count("\n")) == (2, 1), refused.stderr
        assert "its only line" in refused.stderr
    absent = told("settings", KG_TOKEN_FILE=str(tmp_path / "absent"))
    assert (absent.returncode, "cannot be read" in absent.stderr) == (2, True)


def test_the_token_of_a_file_counts_and_an_open_file_is_told_of(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("schlüssel\n", encoding="utf-8")
    file.chmod(0o644)
    settings = Settings(store=tmp_path / "store", token_file=file)
    assert settings.open_secrets == [file]
    file.chmod(0o640)
    assert settings.open_secrets == []
    assert Access(settings).holder("schlüssel", "here").may(OPERATE)
    with pytest.raises(Unauthorised):
        Access(settings).holder("schlüssel\n", "here")
