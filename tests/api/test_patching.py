"""PATCH of a graph: by SPARQL Update about it alone, and by RDF Patch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import SecretStr

from kg_service.settings import Settings
from tests.serving import running

TOKEN = {"authorization": "Bearer open sesame"}
UPDATE, PATCH = "application/sparql-update", "application/rdf-patch"
GRAPH = {"graph": "urn:g"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings(store=tmp_path_factory.mktemp("patching") / "store", token=SecretStr("open sesame"))
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def writable(service: httpx.Client) -> httpx.Client:
    """A running service whose graphs urn:g and urn:h hold one triple each, and the default graph one of its own."""
    named = "GRAPH <urn:g> { <urn:a> <urn:p> 1 } GRAPH <urn:h> { <urn:b> <urn:p> 2 }"
    text = f"INSERT DATA {{ <urn:d> <urn:p> 0 {named} }}"
    service.post("/update", data={"update": f"DROP ALL ; {text}"}, headers=TOKEN).raise_for_status()
    return service


def patch(client: httpx.Client, text: str, kind: str, where: dict[str, str] = GRAPH, **more: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in more.items()}
    return client.patch("/store", params=where, content=text, headers=TOKEN | {"content-type": kind} | named)


def held(client: httpx.Client, **where: str) -> set[str]:
    answer = client.get("/store", params=where, headers={"accept": "application/n-triples"})
    number = '"^^<http://www.w3.org/2001/XMLSchema#integer>'
    return {line.replace(number, "").replace(' "', " ") for line in answer.text.splitlines()}


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (UPDATE, "DELETE { ?s <urn:p> ?o } INSERT { ?s <urn:q> ?o . <rel> <urn:p> 3 } WHERE { ?s <urn:p> ?o }"),
        (
            UPDATE,
            "DELETE DATA { GRAPH <urn:g> { <urn:a> <urn:p> 1 } } ; INSERT DATA { <urn:a> <urn:q> 1 . <rel> <urn:p> 3 }",
        ),
        (
            PATCH,
            """TX .
            D <urn:a> <urn:p> "1"^^<http://www.w3.org/2001/XMLSchema#integer> .
            A <urn:a> <urn:q> "1"^^<http://www.w3.org/2001/XMLSchema#integer> <urn:g> .
            A <urn:rel> <urn:p> "3"^^<http://www.w3.org/2001/XMLSchema#integer> .
            TC .""",
        ),
    ],
)
def test_a_patch_changes_its_graph_alone(writable: httpx.Client, kind: str, text: str) -> None:
    answer = patch(writable, text.replace("<rel>", "<urn:rel>"), f"{kind}; charset=utf-8")
    assert (answer.status_code, answer.content) == (204, b"")
    assert int(answer.headers["kg-generation"]) > 1
    assert held(writable, **GRAPH) == {"<urn:a> <urn:q> 1 .", "<urn:rel> <urn:p> 3 ."}
    assert held(writable, graph="urn:h") == {"<urn:b> <urn:p> 2 ."}


def test_the_default_graph_can_be_patched(writable: httpx.Client) -> None:
    assert patch(writable, "INSERT DATA { <urn:d> <urn:p> 5 }", UPDATE, {"default": ""}).status_code == 204
    assert "<urn:d> <urn:p> 5 ." in held(writable, default="")
    assert patch(writable, "A <urn:d> <urn:p> <urn:o> .", PATCH, {"default": ""}).status_code == 204
    assert "<urn:d> <urn:p> <urn:o> ." in held(writable, default="")
    assert held(writable, **GRAPH) == {"<urn:a> <urn:p> 1 ."}


@pytest.mark.parametrize(
    ("kind", "adding", "deleting"),
    [
        (UPDATE, "INSERT DATA { <urn:n> <urn:p> 1 }", "DELETE WHERE { ?s ?p ?o }"),
        (PATCH, "A <urn:n> <urn:p> <urn:o> .", "D <urn:n> <urn:p> <urn:o> ."),
    ],
)
def test_a_graph_that_is_not_there_is_made_of_what_is_added(
    writable: httpx.Client, kind: str, adding: str, deleting: str
) -> None:
    new = {"graph": f"urn:new:{kind}"}
    assert patch(writable, deleting, kind, new).status_code == 404
    assert patch(writable, adding, kind, new, if_match="*").status_code == 412
    assert patch(writable, adding, kind, new).status_code == 201
    assert patch(writable, adding, kind, new).status_code == 204
    assert patch(writable, adding, kind, new, if_none_match="*").status_code == 412
    assert patch(writable, deleting, kind, new).status_code == 204
    assert writable.get("/store", params=new).status_code == 404


def test_a_patch_can_be_tied_to_the_state_it_is_for(writable: httpx.Client) -> None:
    etag = writable.get("/store", params=GRAPH).headers["etag"]
    assert patch(writable, "INSERT DATA { <urn:a> <urn:p> 7 }", UPDATE, if_match=etag).status_code == 204
    assert patch(writable, "INSERT DATA { <urn:a> <urn:p> 8 }", UPDATE, if_match=etag).status_code == 412
    assert patch(writable, "A <urn:a> <urn:p> <urn:o> .", PATCH, if_match=etag).status_code == 412


@pytest.mark.parametrize(
    ("kind", "text", "status", "words"),
    [
        (UPDATE, "INSERT DATA { GRAPH <urn:h> { <urn:a> <urn:p> 9 } }", 400, "about the graph <urn:g> alone"),
        (UPDATE, "INSERT { GRAPH ?g { ?s ?p 9 } } WHERE { GRAPH ?g { ?s ?p ?o } }", 400, "alone"),
        (UPDATE, "CLEAR ALL", 400, "alone"),
        (UPDATE, "DROP GRAPH <urn:h>", 400, "alone"),
        (UPDATE, "LOAD <http://127.0.0.1:9/>", 400, "LOAD is not allowed"),
        (UPDATE, "INSERT { ?s ?p ?o } WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", 400, "SERVICE"),
        (UPDATE, "INSERT DATA { <urn:a> }", 400, ""),
        (PATCH, "A <urn:a> <urn:p> <urn:o> <urn:h> .", 400, "about <urn:g> alone"),
        (PATCH, "TX .\nA <urn:a> <urn:p> <urn:o> .", 400, "was the patch cut"),
        (PATCH, "TX .\nTA .", 400, "line 2"),
        ("text/turtle", "<urn:a> <urn:p> 9 .", 415, "application/rdf-patch"),
        ("", "", 415, "application/sparql-update"),
    ],
)
def test_what_is_not_about_the_graph_changes_nothing(
    writable: httpx.Client, kind: str, text: str, status: int, words: str
) -> None:
    before = held(writable, default=""), writable.get("/health/ready").json()["generation"]
    answer = patch(writable, text, kind)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]
    assert (status == 415) == ("accept-patch" in answer.headers)
    assert (held(writable, default=""), writable.get("/health/ready").json()["generation"]) == before


def test_a_patch_is_judged_by_the_shapes(writable: httpx.Client) -> None:
    event = "<https://w3id.org/sse-kg/id/event/fair> a <https://w3id.org/sse-kg/ontology#Event>"
    assert patch(writable, f"INSERT DATA {{ {event} }}", UPDATE).status_code == 422
    rdf_type = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#type>"
    answer = patch(writable, f"A {event.replace(' a ', f' {rdf_type} ')} .", PATCH)
    assert (answer.status_code, answer.json()["report"]["conforms"]) == (422, False)


def test_patching_needs_the_token(writable: httpx.Client) -> None:
    for more in ({}, {"authorization": "Bearer wrong"}):
        answer = writable.patch("/store", params=GRAPH, content="", headers=more | {"content-type": UPDATE})
        assert answer.status_code == 401


def test_the_store_says_what_it_takes(writable: httpx.Client) -> None:
    answer = writable.options("/store")
    assert answer.status_code == 204
    assert answer.headers["accept-patch"] == "application/sparql-update, application/rdf-patch, text/rdf-patch"
    for allowed in (answer, writable.request("TRACE", "/store", params=GRAPH)):
        assert "PATCH" in allowed.headers["allow"].split(", ")


def test_patches_at_the_same_time_are_all_there(writable: httpx.Client) -> None:
    text = "DELETE { <urn:a> <urn:n> ?n } INSERT { <urn:a> <urn:n> ?m } WHERE { <urn:a> <urn:n> ?n BIND(?n + 1 AS ?m) }"
    patch(writable, "INSERT DATA { <urn:a> <urn:n> 0 }", UPDATE)
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(lambda _: patch(writable, text, UPDATE).status_code, range(8))) == {204}
    assert "<urn:a> <urn:n> 8 ." in held(writable, **GRAPH)
