from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pyoxigraph import RdfFormat, Store

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
    """A client of the service over the village in an Oxigraph server."""
    with oxigraph(tmp_path_factory.mktemp("oxigraph")) as endpoint:
        quads = [quad for path in bulk.files_in([resources.folder("ontology"), VILLAGE]) for quad in bulk.read(path)]
        RemoteStore(endpoint).apply(Delta(added=frozenset(quads)))
        settings = Settings(query_url=endpoint.query, dialect="oxigraph", store=Path("/nowhere"))
        with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
            yield client


def test_a_remote_graph_is_served_as_the_embedded_one_is(remote: httpx.Client, client: httpx.Client) -> None:
    for path in ("/api/events", "/api/organisations", "/api/recommendations"):
        assert remote.get(path).json()["data"] == client.get(path).json()["data"]
    assert remote.get("/health/ready").json()["triples"] == client.get("/health/ready").json()["triples"]
    for accept in ("text/csv", "text/turtle"):
        text = "DESCRIBE" if "turtle" in accept else "SELECT * WHERE { VALUES ?s {"
        iri = "<https://w3id.org/sse-kg/id/event/fair-2021>"
        query = f"{text} {iri}" if text == "DESCRIBE" else f"{text} {iri} }} ?s ?p ?o }} ORDER BY ?p ?o"
        answers = [
            each.get("/sparql", params={"query": query}, headers={"accept": accept}) for each in (remote, client)
        ]
        assert answers[0].headers["content-type"] == answers[1].headers["content-type"]
        if text == "DESCRIBE":
            graphs = [Store() for _ in answers]
            for graph, answer in zip(graphs, answers, strict=True):
                graph.load(answer.content, RdfFormat.TURTLE)
            assert set(graphs[0]) == set(graphs[1])
        else:
            assert answers[0].content == answers[1].content


def test_writing_to_a_remote_graph_is_refused(remote: httpx.Client) -> None:
    assert (
        remote.post("/update", content="CLEAR ALL", headers={"content-type": "application/sparql-update"}).status_code
        == 403
    )
