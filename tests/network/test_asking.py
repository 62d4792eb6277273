"""What a process is told of a network: what is called how of all that is in it, and of nothing else where that is
little."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import httpx
import pytest

from kg_service.network import asking
from kg_service.network.rowfiles import RowFiles
from kg_service.rdf import ENTITY
from kg_service.settings import Settings
from kg_service.store import Query
from tests.serving import ready, running

#: Networks and measures that name nodes, what ties them, and the groups that they are in.
ASKED = (
    "alliances?format=drawing",
    "alliances",
    "alliances/mixing",
    f"alliances/paths?origin={ENTITY}organisation/gsef&destination={ENTITY}organisation/unrisd",
    "alliances/comparison?to=2019&against_from=2020",
    "alliances/candidates?limit=40",
    "actor-event?format=drawing&lang=es",
    "actor-theme?format=csv-nodes",
)


def told(settings: Settings, store: Path) -> list[str]:
    """What a service over a copy of a store, which keeps no positions yet, answers to them, whatever its address."""
    found = []
    shutil.copytree(settings.store, store, ignore=shutil.ignore_patterns("layouts"))
    with running(Settings(store=store)) as url, httpx.Client(base_url=url, timeout=90) as client:
        ready(url)
        for each in ASKED:
            answer = client.get(f"/api/networks/{each}{'&' if '?' in each else '?'}wait=60")
            assert answer.status_code == 200, (each, answer.text)
            found.append(answer.text.replace(url, ""))
    return found


def test_names_of_what_is_in_a_network_are_all_that_it_needs(
    project: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: dict[str, int] = {}
    file = RowFiles.file

    async def watched(self: RowFiles, query: Query, generation: int | None = None) -> tuple[Path, int]:
        path, number = await file(self, query, generation)
        if "?label" in query.text:
            with path.open(encoding="utf-8", newline="") as rows:
                read[query.text] = len({row[0] for row in csv.reader(rows)})
        return path, number

    monkeypatch.setattr(RowFiles, "file", watched)
    few = told(project, tmp_path / "few")
    some = dict(read)
    read.clear()
    monkeypatch.setattr(asking, "_MOST_NAMED", 0)
    assert few == told(project, tmp_path / "every")
    (every,) = read.values()
    assert 5 * min(some.values()) < every
