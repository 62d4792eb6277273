"""Networks of a graph that another engine holds are those of the embedded store."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.remote import RemoteStore
from tests.conftest import VILLAGE
from tests.serving import running
from tests.store.engines import oxigraph


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with oxigraph(tmp_path_factory.mktemp("oxigraph")) as endpoint:
        quads = [quad for path in bulk.files_in([resources.folder("ontology"), VILLAGE]) for quad in bulk.read(path)]
        RemoteStore(endpoint).apply(Delta(added=frozenset(quads)))
        own = tmp_path_factory.mktemp("own")
        given = {"query_url": endpoint.query, "dialect": "oxigraph", "store": own / "none", "engine_folder": own}
        with running(Settings.model_validate(given)) as url, httpx.Client(base_url=url, timeout=60) as client:
            yield client


@pytest.mark.parametrize(
    "path",
    [
        "alliances/degree",
        "actor-event/pagerank?from=2021",
        "alliances/brokerage?level=local",
        "actor-event/windows",
        "alliances/candidates",
        "organiser-event/degree?kinds=organiser",
    ],
)
def test_measures_are_the_same(remote: httpx.Client, client: httpx.Client, path: str) -> None:
    slowly = f"{path}{'&' if '?' in path else '?'}wait=60"
    here, there = (each.get(f"/api/networks/{slowly}", timeout=90) for each in (client, remote))
    assert there.status_code == 200, there.text
    assert there.json()["data"] == here.json()["data"]
    assert there.json()["values"] == here.json()["values"]


def test_networks_and_coverage_are_the_same(remote: httpx.Client, client: httpx.Client) -> None:
    here, there = (each.get("/api/networks/alliances?wait=60", timeout=90).json() for each in (client, remote))
    assert there["edges"] == here["edges"]
    assert remote.get("/api/networks/alliances?level=lokal").status_code == 422
    refused = remote.get("/api/networks/alliances?generation=1")
    assert (refused.status_code, "another engine" in refused.text) == (422, True)
    assert remote.get("/api/sdgs/coverage").json()["data"] == client.get("/api/sdgs/coverage").json()["data"]
    assert remote.get("/api/guidelines").json()["data"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/network?projection=actor-event&size=betweenness&from=2019",
        "/network?projection=actor-event&from=2019&to=2021&against_from=2022&against_to=2023",
        "/map?kind=actor",
        "/query?query=SELECT%20*%20%7B%20%3Fs%20a%20%3Fclass%20%7D%20ORDER%20BY%20%3Fs%20%3Fclass",
    ],
)
def test_pages_show_the_same(remote: httpx.Client, client: httpx.Client, path: str) -> None:
    shown = []
    for each in (client, remote):
        while (answer := each.get(path, headers={"accept": "text/html"})).status_code == 202:
            pass
        assert answer.status_code == 200, answer.text
        body = re.sub(r"<(header|head)\b.*?</\1>|generation \d+", "", answer.text, flags=re.DOTALL)
        shown.append(body.replace(str(each.base_url).rstrip("/"), ""))
    assert shown[0] == shown[1]
