"""Judging processes without a service around them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psutil
import pytest

from kg_service.errors import TooSlow
from kg_service.shacl import judges


def test_a_process_that_does_not_start_in_time_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judges, "_START_SECONDS", 0.01)

    async def work() -> None:
        several = judges.Judges(tmp_path, list, size=1, memory=2**28, seconds=30, queue_seconds=5)
        before = set(psutil.Process().children())
        with pytest.raises(TooSlow):
            await several.report(judges.Judgement("turtle", "urn:x"), b"")
        assert set(psutil.Process().children()) <= before
        assert not list(tmp_path.glob("scratch-*"))
        await several.close()

    asyncio.run(work())
