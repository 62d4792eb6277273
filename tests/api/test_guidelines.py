"""`/api/guidelines`: a territory against the eight blocks, by the graph's evidence and its own answers."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kg_service.settings import Settings
from tests.serving import running

BLOCK = "https://w3id.org/sse-kg/id/block/access-to-markets"
TOKEN = {"Authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, project: Settings) -> Iterator[httpx.Client]:
    """A server of its own over a copy of the project's data, for these tests write."""
    root = Path(shutil.copytree(project.store, tmp_path_factory.mktemp("guidelines") / "store"))
    settings = Settings.model_validate({"store": root, "token": "secret"})
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as opened:
        yield opened


def assessment(server: httpx.Client, territory: str) -> dict[str, Any]:
    answer = server.get("/api/guidelines/assessment", params={"territory": territory})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def answers(server: httpx.Client, *entries: object, territory: object = "seoul", **more: Any) -> httpx.Response:
    body = {"territory": territory, "answers": list(entries), **more.pop("body", {})}
    return server.post("/api/guidelines/assessment", json=body, headers=more.pop("headers", TOKEN), params=more)


def test_there_are_eight_blocks_and_a_scale(server: httpx.Client) -> None:
    told = server.get("/api/guidelines").json()
    assert len(told["data"]) == 8
    assert told["data"][5]["iri"] == BLOCK
    assert [step["value"] for step in told["scale"]] == [0, 1, 2, 3, 4]


def test_the_graph_is_the_evidence_and_what_it_lacks_is_a_gap(server: httpx.Client) -> None:
    told = assessment(server, "latin-america")
    known = [block for block in told["data"] if block["evidence_count"]]
    assert known
    for block in known:
        assert {thing["iri"] for thing in block["evidence"]}
        assert 0 < block["evidence_score"] <= 1
    assert set(told["gaps"]) == {block["iri"] for block in told["data"] if block["score"] < 0.5}
    assert len(told["unanswered"]) == 8


def test_an_answer_is_kept_as_a_claim_and_counts(server: httpx.Client) -> None:
    entry = {
        "block": "access-to-markets",
        "value": 3,
        "words": "Las compras públicas puntúan “lo social”.",
        "lang": "es",
    }
    first = answers(server, entry, body={"year": 2026})
    assert first.status_code == 201, first.text
    block = next(block for block in assessment(server, "seoul")["data"] if block["iri"] == BLOCK)
    assert block["own_answer"] == {"value": 3, "meaning": "in force", "words": entry["words"], "year": "2026"}
    assert block["score"] == 0.75
    query = """PREFIX sse: <https://w3id.org/sse-kg/ontology#>
      PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>
      PREFIX statistic: <https://w3id.org/sse-kg/id/statistic/>
      SELECT ?certainty ?method { ?claim rdf:subject statistic:self-assessment-seoul-access-to-markets ;
        sse:certainty ?certainty ; sse:method ?method }"""
    (row,) = server.get("/sparql", params={"query": query}).json()["results"]["bindings"]
    assert row["certainty"]["value"].endswith("/inferred")
    again = answers(server, entry | {"value": 1, "words": "Nur ein Versuch.", "lang": "en"}, body={"year": 2027})
    assert again.status_code == 201, again.text
    block = next(block for block in assessment(server, "seoul")["data"] if block["iri"] == BLOCK)
    assert block["own_answer"]["value"] == 1, "a new answer replaces the old one"
    assert len(server.get("/sparql", params={"query": query}).json()["results"]["bindings"]) == 1


def test_a_dry_run_keeps_nothing(server: httpx.Client) -> None:
    done = answers(server, {"block": "strategic-planning", "value": 4, "words": "Yes."}, dry_run="true")
    assert done.status_code == 200, done.text
    block = next(b for b in assessment(server, "seoul")["data"] if b["iri"].endswith("/strategic-planning"))
    assert block["own_answer"] is None


@pytest.mark.parametrize(
    ("entry", "word"),
    [
        ({"block": "parking", "value": 1, "words": "x"}, "access-to-markets"),
        ({"block": "access-to-markets", "value": 5, "words": "x"}, "0 to 4"),
        ({"block": "access-to-markets", "value": True, "words": "x"}, "0 to 4"),
        ({"block": "access-to-markets", "value": 2.5, "words": "x"}, "0 to 4"),
        ({"block": "access-to-markets", "value": 2, "words": " "}, "4000"),
        ({"block": "access-to-markets", "value": 2}, "4000"),
        ({"block": "access-to-markets", "value": 2, "words": "x", "lang": "tlh"}, "pt"),
    ],
)
def test_an_answer_that_is_none_is_refused_with_what_would_be_right(
    server: httpx.Client, entry: dict[str, Any], word: str
) -> None:
    refused = answers(server, entry)
    assert refused.status_code == 422, refused.text
    assert word in refused.json()["detail"]


def test_who_has_no_token_or_sends_no_answers_changes_nothing(server: httpx.Client) -> None:
    entry = {"block": "access-to-markets", "value": 2, "words": "x"}
    assert answers(server, entry, headers={}).status_code == 401
    assert answers(server).status_code == 400
    assert answers(server, "x").status_code == 400
    assert answers(server, entry, entry).status_code == 422
    assert answers(server, entry, territory="atlantis").status_code == 422
    assert answers(server, entry, territory=None).status_code == 422
    assert answers(server, entry, body={"year": "soon"}).status_code == 422
    assert server.post("/api/guidelines/assessment", content=b"[" * 9000, headers=TOKEN).status_code == 400


@pytest.mark.parametrize("territory", ["atlantis", "x> ?y ?z", "http://x/{", "", "organisation:gsef"])
def test_a_territory_that_nobody_knows_is_named(server: httpx.Client, territory: str) -> None:
    assert server.get("/api/guidelines/assessment", params={"territory": territory}).status_code == 422


def test_a_graph_without_guidelines_has_no_blocks(client: httpx.Client) -> None:
    assert client.get("/api/guidelines").json()["data"] == []
    assert client.get("/api/guidelines/assessment", params={"territory": "valley"}).json()["data"] == []
