from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import rdflib

from kg_service.settings import Settings
from kg_service.store.remote import Endpoint
from tests.conftest import remote_settings
from tests.serving import running
from tests.store import engines

TOKEN = {"authorization": "Bearer open sesame"}
TURTLE = TOKEN | {"content-type": "text/turtle"}
RDF_XML = TOKEN | {"content-type": "application/rdf+xml"}
JSON_LD = TOKEN | {"content-type": "application/ld+json"}
GRAPH = {"graph": "urn:g"}
ONE, TWO = "<urn:a> <urn:p> 1 .", "<urn:a> <urn:p> 2 ."


@pytest.fixture(scope="module", params=["embedded", *engines.SERVERS])
def service(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: Callable[[str], Endpoint]
) -> Iterator[httpx.Client]:
    """A client of a running service over a graph that may be written, here or on an engine."""
    more, folder = {"token": "open sesame", "query_seconds": 10}, tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        settings = Settings.model_validate({"store": folder / "store", **more})
    else:
        endpoint = servers(request.param)
        engines.empty(endpoint)
        settings = remote_settings(endpoint, folder, **more)
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def writable(service: httpx.Client) -> httpx.Client:
    """The same with an empty graph."""
    if count(service):
        assert update(service, "DROP ALL").status_code == 200
    return service


def values(client: httpx.Client, **where: str) -> list[int]:
    answer = client.get("/store", params=where, headers={"accept": "application/n-triples"})
    assert answer.status_code == 200, answer.text
    return sorted(int(str(o)) for o in rdflib.Graph().parse(data=answer.text, format="nt").objects())


def update(client: httpx.Client, text: str) -> httpx.Response:
    return client.post("/update", content=text, headers=TOKEN | {"content-type": "application/sparql-update"})


def count(client: httpx.Client, pattern: str = "?s ?p ?o") -> int:
    answer = client.get("/sparql", params={"query": f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}"})
    (row,) = answer.json()["results"]["bindings"]
    return int(row["n"]["value"])


def test_a_graph_is_made_replaced_extended_and_deleted(writable: httpx.Client) -> None:
    assert writable.get("/store", params=GRAPH).status_code == 404
    assert writable.put("/store", params=GRAPH, content=ONE, headers=TURTLE).status_code == 201
    assert values(writable, **GRAPH) == [1]
    assert writable.put("/store", params=GRAPH, content=TWO, headers=TURTLE).status_code == 204
    assert values(writable, **GRAPH) == [2]
    assert writable.post("/store", params=GRAPH, content=ONE, headers=TURTLE).status_code == 204
    assert values(writable, **GRAPH) == [1, 2]
    assert count(writable) == 2
    assert writable.head("/store", params=GRAPH).status_code == 200
    assert writable.delete("/store", params=GRAPH, headers=TOKEN).status_code == 204
    assert writable.delete("/store", params=GRAPH, headers=TOKEN).status_code == 404
    assert count(writable) == 0


def test_the_default_graph_shows_all_and_is_replaced_for_its_own_part(writable: httpx.Client) -> None:
    writable.put("/store", params=GRAPH, content=ONE, headers=TURTLE)
    assert writable.put("/store?default", content=TWO, headers=TURTLE).status_code == 204
    assert values(writable, default="") == [1, 2]
    assert writable.delete("/store?default", headers=TOKEN).status_code == 204
    assert values(writable, default="") == [1]


def test_posting_to_the_store_makes_a_graph_and_says_where(writable: httpx.Client) -> None:
    made = writable.post("/store", content="<> <urn:p> 1 .", headers=TURTLE)
    assert made.status_code == 201
    graph = rdflib.Graph().parse(data=writable.get(made.headers["location"]).text, format="turtle")
    (subject,) = graph.subjects()
    assert made.headers["location"] == str(subject)
    assert writable.get("/store", params={"graph": str(subject)}).status_code == 200


def test_a_graph_can_be_named_by_its_own_address(writable: httpx.Client) -> None:
    assert writable.put("/store/person/1.ttl", content=ONE, headers=TURTLE).status_code == 201
    assert writable.get("/store/person/1.ttl").status_code == 200
    assert values(writable, graph=str(writable.base_url.join("/store/person/1.ttl"))) == [1]
    assert writable.delete("/store/person/1.ttl", headers=TOKEN).status_code == 204
    assert writable.head("/store/person/1.ttl").status_code == 404
    update = TOKEN | {"Content-Type": "application/sparql-update"}
    for method, head, body in (("PATCH", update, "DELETE WHERE { ?s ?p ?o }"), ("PUT", TURTLE, ONE), ("GET", {}, "")):
        assert writable.request(method, "/store/a%3Cb", content=body, headers=head).status_code == 400, method


def test_a_form_with_files_is_the_graph_of_all_of_them(writable: httpx.Client) -> None:
    files = {name: (name, text, "text/turtle") for name, text in (("one.ttl", ONE), ("two.ttl", TWO))}
    assert writable.post("/store", params=GRAPH, files=files, headers=TOKEN).status_code == 201
    assert values(writable, **GRAPH) == [1, 2]
    bad = writable.post("/store", params=GRAPH, content="x", headers=TOKEN | {"content-type": "multipart/form-data"})
    assert bad.status_code == 400


def test_a_malformed_body_leaves_the_graph_as_it_was(writable: httpx.Client) -> None:
    writable.put("/store", params=GRAPH, content=ONE, headers=TURTLE)
    answer = writable.put("/store", params=GRAPH, content="<urn:a> <urn:p> 3 .\n<urn:a> .", headers=TURTLE)
    assert (answer.status_code, answer.json()["line"]) == (400, 2)
    assert values(writable, **GRAPH) == [1]


def test_data_that_break_the_shapes_are_refused_with_the_report(writable: httpx.Client) -> None:
    broken = "<https://w3id.org/sse-kg/id/event/x> a <https://w3id.org/sse-kg/ontology#Event> ."
    for answer in (
        writable.put("/store", params=GRAPH, content=broken, headers=TURTLE),
        update(writable, f"INSERT DATA {{ {broken} }}"),
    ):
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert any(result["severity"] == "Violation" for result in answer.json()["report"]["results"])
    assert writable.get("/store", params=GRAPH).status_code == 404


def test_preconditions_guard_against_lost_changes(writable: httpx.Client) -> None:
    def put(text: str, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return writable.put("/store", params=GRAPH, content=text, headers=TURTLE | named).status_code

    assert put(ONE, if_match="*") == 412
    assert put(ONE, if_none_match="*") == 201
    assert put(TWO, if_none_match="*") == 412
    etag = writable.get("/store", params=GRAPH).headers["etag"]
    assert writable.get("/store", params=GRAPH, headers={"if-none-match": etag}).status_code == 304
    writable.put("/store", params={"graph": "urn:other"}, content=TWO, headers=TURTLE)  # no change of this graph
    assert put(TWO, if_match=etag) == 204
    assert put(ONE, if_match=etag) == 412
    assert values(writable, **GRAPH) == [2]


@pytest.mark.parametrize(
    ("query", "headers", "body", "status", "words"),
    [
        ("?graph=g", TURTLE, ONE, 400, "absolute IRI"),
        ("?graph=urn:g&default", TURTLE, ONE, 400, "name one graph"),
        ("?graph=urn:g&graph=urn:h", TURTLE, ONE, 400, "name one graph"),
        ("", TURTLE, ONE, 400, "name a graph"),
        ("?graph=urn:g", TOKEN | {"content-type": "text/html"}, ONE, 415, '"text/html"'),
        ("?graph=urn:g", {"content-type": "text/turtle"}, ONE, 401, "Authorization"),
        ("?graph=urn:g", TURTLE | {"authorization": "Bearer wrong"}, ONE, 401, "Authorization"),
        ("?graph=urn:g", RDF_XML, "<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", 400, "DOCTYPE"),
        ("?graph=urn:g", JSON_LD, "[" * 5000 + "]" * 5000, 400, "nested deeper"),
        ("?graph=urn:g", JSON_LD, '{"@context": "http://127.0.0.1:9/c", "@id": "urn:a", "urn:p": 1}', 400, ""),
    ],
)
def test_what_is_wrong_with_a_request_is_said(
    writable: httpx.Client, query: str, headers: dict[str, str], body: str, status: int, words: str
) -> None:
    answer = writable.put(f"/store{query}", content=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["detail"]


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "PATCH"])
@pytest.mark.parametrize("named", ["urn:g%A2", "urn:g%EF%BF%BF", "urn:%ED%A0%80", "urn:a%00b"])
def test_a_graph_is_named_by_an_iri_whatever_is_done_to_it(writable: httpx.Client, method: str, named: str) -> None:
    answer = writable.request(method, f"/store?graph={named}", headers=TURTLE)
    assert answer.status_code == 400
    assert "graph must be an absolute IRI" in answer.json()["detail"]


def test_without_a_token_setting_writing_is_off(client: httpx.Client) -> None:
    answer = client.put("/store", params=GRAPH, content=ONE, headers=TURTLE)
    assert (answer.status_code, "KG_TOKEN" in answer.json()["detail"]) == (403, True)
    assert update(client, "CLEAR ALL").status_code == 403


def test_a_token_may_have_any_letters(tmp_path: Path) -> None:
    with running(Settings.model_validate({"store": tmp_path / "store", "token": "llave-ñ"})) as url:
        for token, status in (("llave-ñ", 201), ("llave-n", 401)):
            headers = {b"authorization": f"Bearer {token}".encode(), b"content-type": b"text/turtle"}
            answer = httpx.put(f"{url}/store?graph=urn:g", content=ONE, headers=headers, timeout=60)
            assert answer.status_code == status


def test_an_update_is_one_change_whose_operations_see_each_other(writable: httpx.Client) -> None:
    before = int(writable.get("/health/ready").json().get("generation", 0))
    answer = update(
        writable,
        "INSERT DATA { GRAPH <urn:g> { <urn:a> <urn:p> 1 , 2 } } ; "
        "DELETE { GRAPH ?g { ?s ?p 1 } } INSERT { GRAPH <urn:h> { ?s ?p 3 } } WHERE { GRAPH ?g { ?s ?p 1 } }",
    )
    assert (answer.status_code, answer.json()["generation"]) == (200, before + 1)
    assert values(writable, graph="urn:g") == [2]
    assert values(writable, graph="urn:h") == [3]
    assert count(writable) == 2
    assert update(writable, "DELETE WHERE { ?s ?p ?o }").json()["generation"] == before + 2
    assert count(writable) == count(writable, "GRAPH ?g { ?s ?p ?o }") == 0


def test_an_update_that_fails_changes_nothing(writable: httpx.Client) -> None:
    first = "INSERT DATA { GRAPH <urn:g> { <urn:a> <urn:p> 1 } }"
    for second, status in (
        ("INSERT DATA { <urn:a> <urn:p> }", 400),
        ("LOAD <http://127.0.0.1:9/x>", 400),
        ("INSERT { ?s <urn:q> ?o } WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }", 400),
    ):
        assert update(writable, f"{first} ; {second}").status_code == status
    assert writable.get("/store", params=GRAPH).status_code == 404


def test_blank_nodes_are_stored_as_iris(writable: httpx.Client) -> None:
    update(writable, "INSERT DATA { _:x <urn:p> 1 ; <urn:q> _:x }")
    assert count(writable, "?s <urn:p> 1 ; <urn:q> ?s FILTER(ISIRI(?s))") == 1


def test_writes_at_the_same_time_are_all_there(writable: httpx.Client) -> None:
    def work(number: int) -> None:
        statuses.append(update(writable, f"INSERT DATA {{ GRAPH <urn:g> {{ <urn:a> <urn:p> {number} }} }}").status_code)

    statuses: list[int] = []
    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 8
    assert values(writable, **GRAPH) == list(range(8))
