"""What docs/operations.md promises is tested, and what can be set stands there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
