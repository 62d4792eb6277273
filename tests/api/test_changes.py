from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import rdflib
from pydantic import SecretStr

from kg_service.settings import Settings
from kg_service.store.embedded import EmbeddedStore
from tests.serving import running

TOKEN = {"authorization": "Bearer open sesame"}
TRIG = TOKEN | {"content-type": "application/trig"}
UPDATE = TOKEN | {"content-type": "application/sparql-update"}
#: What the project's shapes refuse: an event that ends before it begins.
WRONG = """
@prefix schema: <https://schema.org/> . @prefix sse: <https://w3id.org/sse-kg/ontology#> .
<https://w3id.org/sse-kg/id/event/fair> a sse:Event ; <http://www.w3.org/2004/02/skos/core#prefLabel> "Fair"@en ;
  schema:startDate "2022-02-02"^^<http://www.w3.org/2001/XMLSchema#date> ;
  schema:endDate "2021-01-01"^^<http://www.w3.org/2001/XMLSchema#date> .
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store", token=SecretStr("open sesame"), query_seconds=10)


@pytest.fixture
def service(settings: Settings) -> Iterator[httpx.Client]:
    """A client of a running service over an empty store that may be written."""
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def propose(
    client: httpx.Client, content: str, *, headers: dict[str, str] | None = None, **where: str
) -> httpx.Response:
    return client.post("/api/changes", content=content, headers=TRIG | (headers or {}), params=where)


def objects(client: httpx.Client, graph: str | None = None) -> list[str]:
    pattern = f"GRAPH <{graph}> {{ ?s ?p ?o }}" if graph else "?s ?p ?o"
    answer = client.get("/sparql", params={"query": f"SELECT ?o {{ {pattern} }} ORDER BY ?o", "format": "csv"})
    return answer.text.split()[1:]


def test_a_change_says_who_when_why_and_what(service: httpx.Client) -> None:
    made = propose(service, "<urn:g> { <urn:a> <urn:p> 1, 2 }", author="Ana", note="to begin with")
    assert made.status_code == 201, made.text
    assert made.json() | {"report": 0} == {
        "change": 1, "generation": 1, "added": 2, "removed": 0, "dry_run": False,
        "warnings": {"Violation": 0, "Warning": 0, "Info": 0}, "report": 0,
    }  # fmt: skip
    assert made.headers["location"] == "/api/changes/1"
    told = service.get("/api/changes/1").json()
    assert (told["author"], told["note"], told["generation"]) == ("Ana", "to begin with", 1)
    assert told["time"].endswith("Z")
    assert len(told["statements"]["added"]) == 2
    assert told["statements"]["added"][0].startswith("<urn:a> <urn:p> ")
    described = rdflib.Graph().parse(data=service.get("/api/changes/1", headers={"accept": "text/turtle"}).text)
    change = rdflib.URIRef("https://w3id.org/sse-kg/id/change/1")
    assert (change, rdflib.RDF.type, rdflib.PROV.Activity) in described
    assert [str(note) for note in described.objects(change, rdflib.RDFS.comment)] == ["to begin with"]


def test_triples_without_a_graph_go_where_the_request_says(service: httpx.Client) -> None:
    propose(service, "<urn:a> <urn:p> 1 .")
    propose(service, "<urn:a> <urn:p> 2 .", graph="urn:mine")
    assert objects(service, "https://w3id.org/sse-kg/graph/contributions") == ["1"]
    assert objects(service, "urn:mine") == ["2"]


def test_json_can_add_and_remove_at_once(service: httpx.Client) -> None:
    propose(service, "<urn:g> { <urn:a> <urn:p> 1 }")
    change = {"added": "<urn:a> <urn:p> 2 <urn:g> .", "removed": "<urn:a> <urn:p> 1 <urn:g> .", "format": "n-quads"}
    change = {name: text.replace(" 1 ", ' "1"^^<http://www.w3.org/2001/XMLSchema#integer> ').replace(
        " 2 ", ' "2"^^<http://www.w3.org/2001/XMLSchema#integer> ') for name, text in change.items()}  # fmt: skip
    done = service.post("/api/changes", json=change, headers=TOKEN)
    assert done.status_code == 201, done.text
    assert (done.json()["added"], done.json()["removed"]) == (1, 1)
    assert objects(service) == ["2"]
    assert (
        service.post("/api/changes", content="[1", headers=TOKEN | {"content-type": "application/json"}).status_code
        == 400
    )


def test_a_dry_run_judges_and_writes_nothing(service: httpx.Client) -> None:
    tried = propose(service, "<urn:g> { <urn:a> <urn:p> 1 }", dry_run="true")
    assert tried.status_code == 200
    assert (tried.json()["change"], tried.json()["added"]) == (None, 1)
    assert propose(service, WRONG, dry_run="true").status_code == 422
    assert objects(service) == []
    assert service.get("/api/changes").json()["data"] == []
    assert service.get("/api/changes/refused", headers=TOKEN).json()["data"] == []


@pytest.mark.parametrize("door", ["changes", "update", "store"])
def test_what_breaks_the_shapes_is_refused_at_every_door_and_remembered(service: httpx.Client, door: str) -> None:
    if door == "changes":
        refused = propose(service, WRONG, author="Ana")
    elif door == "store":
        refused = service.put(
            "/store?graph=urn:g&author=Ana", content=WRONG, headers=TOKEN | {"content-type": "text/turtle"}
        )
    else:
        prefixes, _, rest = WRONG.strip().partition("\n")
        lines = prefixes.replace("@prefix", "\nPREFIX").replace("> .", ">")
        refused = service.post("/update?author=Ana", content=f"{lines} INSERT DATA {{ {rest} }}", headers=UPDATE)
    assert refused.status_code == 422, refused.text
    assert [r["severity"] for r in refused.json()["report"]["results"]].count("Violation") == 1
    assert objects(service) == []
    assert service.get("/api/changes").json()["data"] == []
    (kept,) = service.get("/api/changes/refused", headers=TOKEN).json()["data"]
    assert kept["author"] == "Ana"
    assert kept["report"]["counts"]["Violation"] == 1
    assert service.get("/api/changes/refused").status_code == 401


def test_a_reverted_change_leaves_the_graph_as_it_was(service: httpx.Client) -> None:
    service.put("/store?default", content="<urn:a> <urn:p> 1 .", headers=TOKEN | {"content-type": "text/turtle"})
    propose(service, "<urn:g> { <urn:a> <urn:p> 1, 2 }")
    propose(service, "<urn:h> { <urn:a> <urn:p> 2, 3 }")
    undone = service.post("/api/changes/2/revert", headers=TOKEN, params={"note": "a mistake"})
    assert undone.status_code == 201
    assert objects(service, "urn:g") == []
    assert objects(service) == ["1", "2", "3"], "what is there for its own sake, or in another graph, stays"
    told = service.get("/api/changes/4").json()
    assert (told["reverts"], told["note"]) == (2, "a mistake")
    assert service.post("/api/changes/4/revert", headers=TOKEN).json()["change"] == 5
    assert objects(service, "urn:g") == ["1", "2"]
    assert service.post("/api/changes/99/revert", headers=TOKEN).status_code == 404


def test_a_revert_that_would_break_the_shapes_is_refused(service: httpx.Client) -> None:
    good = WRONG.replace("2021-01-01", "2023-01-01")
    propose(service, good)
    propose(service, "<https://w3id.org/sse-kg/id/event/fair> <https://schema.org/description> 'x'@en .")
    date = '"{}"^^<http://www.w3.org/2001/XMLSchema#date> .'
    start = f"<https://w3id.org/sse-kg/id/event/fair> <https://schema.org/startDate> {date}"
    change = {"removed": start.format("2022-02-02"), "added": start.format("2020-01-01"), "format": "turtle"}
    moved = service.post("/api/changes", json=change, headers=TOKEN)
    assert moved.status_code == 201, moved.text
    end = start.replace("startDate", "endDate")
    change = {"removed": end.format("2023-01-01"), "added": end.format("2021-01-01"), "format": "turtle"}
    assert service.post("/api/changes", json=change, headers=TOKEN).status_code == 201
    assert service.post(f"/api/changes/{moved.json()['change']}/revert", headers=TOKEN).status_code == 422


def test_the_same_request_with_the_same_key_is_made_once(service: httpx.Client) -> None:
    key = {"idempotency-key": "k1"}
    first = propose(service, "<urn:g> { [] <urn:p> 1 }", headers=key)
    again = propose(service, "<urn:g> { [] <urn:p> 1 }", headers=key)
    assert first.json()["change"] == again.json()["change"] == 1
    assert objects(service) == ["1"]
    other = propose(service, "<urn:g> { [] <urn:p> 2 }", headers=key)
    assert other.status_code == 422
    assert "k1" in other.json()["detail"]


def test_the_same_request_sent_many_times_at_once_is_made_once(service: httpx.Client) -> None:
    answers: list[httpx.Response] = []
    sending = [
        threading.Thread(
            target=lambda: answers.append(
                propose(service, "<urn:g> { [] <urn:p> 1 }", headers={"idempotency-key": "k"})
            )
        )
        for _ in range(8)
    ]
    for each in sending:
        each.start()
    for each in sending:
        each.join()
    assert {answer.json()["change"] for answer in answers} == {1}
    assert objects(service) == ["1"]


def test_a_change_made_for_an_older_generation_is_refused_when_it_says_so(service: httpx.Client) -> None:
    propose(service, "<urn:g> { <urn:a> <urn:p> 1 }")
    update = "INSERT DATA { <urn:a> <urn:p> 3 }"

    def proposing(tag: str) -> httpx.Response:
        return propose(service, "<urn:g> { <urn:a> <urn:p> 2 }", headers={"if-match": tag})

    def updating(tag: str) -> httpx.Response:
        return service.post("/update", content=update, headers=UPDATE | {"if-match": tag})

    for door in (proposing, updating):
        generation = service.get("/sparql", params={"query": "ASK {}"}).headers["kg-generation"]
        assert door('"7"').status_code == 412
        assert door(f'"{generation}"').is_success


def test_the_history_of_a_thing_and_the_pages_of_the_log(service: httpx.Client) -> None:
    for number in range(5):
        propose(service, f"<urn:g> {{ <urn:{'a' if number % 2 else 'b'}> <urn:p> {number} }}", author=f"A{number}")
    numbers = [change["number"] for change in service.get("/api/changes", params={"entity": "urn:a"}).json()["data"]]
    assert numbers == [4, 2]
    assert [c["number"] for c in service.get("/api/changes", params={"author": "A1"}).json()["data"]] == [2]
    page = service.get("/api/changes", params={"limit": 2}).json()
    seen = [change["number"] for change in page["data"]]
    while page["next"]:
        page = service.get(page["next"]).json()
        seen += [change["number"] for change in page["data"]]
    assert seen == [5, 4, 3, 2, 1]


def test_the_difference_between_generations_is_one_change(service: httpx.Client) -> None:
    propose(service, "<urn:g> { <urn:a> <urn:p> 1 }")
    propose(service, "<urn:g> { <urn:a> <urn:p> 2 }")
    service.post("/update", content="DELETE DATA { GRAPH <urn:g> { <urn:a> <urn:p> 2, 1 } }", headers=UPDATE)
    back = service.get("/api/changes/diff", params={"from": 3, "to": 1}).json()
    assert (back["statements"]["removed"], len(back["statements"]["added"])) == ([], 1)
    none = service.get("/api/changes/diff", params={"from": 0}).json()
    assert none["statements"] == {"added": [], "removed": []}
    assert service.get("/api/changes/diff", params={"from": 9}).status_code == 404


def test_a_difference_can_be_carried_to_another_store_as_rdf_patch(service: httpx.Client) -> None:
    propose(service, "<urn:g> { <urn:a> <urn:p> 1 }")
    change = service.get("/api/changes/1", headers={"accept": "application/rdf-patch"})
    assert change.headers["content-type"].startswith("application/rdf-patch")
    service.post("/update", content="CLEAR ALL", headers=UPDATE)
    sent = service.post("/api/changes", content=change.text, headers=TOKEN | {"content-type": "application/rdf-patch"})
    assert sent.status_code == 201, sent.text
    assert objects(service, "urn:g") == ["1"]
    back = service.get("/api/changes/diff?from=1&to=3", headers={"accept": "application/rdf-patch"}).text
    assert not [line for line in back.splitlines() if line.startswith(("A", "D"))]


def test_quarantine_keeps_what_does_not_conform_apart_from_the_data(service: httpx.Client) -> None:
    kept = propose(service, WRONG, quarantine="true", author="partner")
    assert kept.status_code == 422
    number = kept.json()["quarantine"]
    assert objects(service) == []
    assert service.get(f"/api/quarantine/{number}").status_code == 401
    shown = service.get(f"/api/quarantine/{number}", headers=TOKEN).json()
    assert (shown["author"], len(shown["statements"]["added"])) == ("partner", 4)
    assert service.post(f"/api/quarantine/{number}/submit", headers=TOKEN).status_code == 422
    assert service.delete(f"/api/quarantine/{number}", headers=TOKEN).status_code == 204
    assert service.delete(f"/api/quarantine/{number}", headers=TOKEN).status_code == 404
    assert service.get("/api/quarantine", headers=TOKEN).json()["data"] == []


def test_changes_of_many_clients_share_generations_and_keep_verdicts_of_their_own(service: httpx.Client) -> None:
    answers: dict[int, httpx.Response] = {}

    def send(number: int) -> None:
        content = WRONG if number % 5 == 0 else f"<urn:g> {{ <urn:a> <urn:p> {number} }}"
        answers[number] = propose(service, content, author=str(number))

    sending = [threading.Thread(target=send, args=(number,)) for number in range(30)]
    for each in sending:
        each.start()
    for each in sending:
        each.join()
    assert {n for n, answer in answers.items() if answer.status_code == 422} == {n for n in range(30) if n % 5 == 0}
    accepted = [answer.json() for answer in answers.values() if answer.status_code == 201]
    assert len({each["change"] for each in accepted}) == 24
    assert len({each["generation"] for each in accepted}) < 24, "none shared a generation"
    assert sorted(map(int, objects(service))) == [n for n in range(30) if n % 5]


def test_updates_that_depend_on_what_is_there_are_evaluated_one_after_the_other(service: httpx.Client) -> None:
    propose(service, "<urn:g> { <urn:counter> <urn:is> 0 }")
    text = """DELETE { GRAPH <urn:g> { ?s ?p ?n } } INSERT { GRAPH <urn:g> { ?s ?p ?m } }
        WHERE { GRAPH <urn:g> { ?s ?p ?n } BIND(?n + 1 AS ?m) }"""
    sending = [
        threading.Thread(target=lambda: service.post("/update", content=text, headers=UPDATE)) for _ in range(12)
    ]
    for each in sending:
        each.start()
    for each in sending:
        each.join()
    assert objects(service) == ["12"]


def test_another_process_may_write_while_the_service_is_idle(service: httpx.Client, settings: Settings) -> None:
    from kg_service.cli.common import patiently

    propose(service, "<urn:g> { <urn:a> <urn:p> 1 }")
    with patiently(lambda: EmbeddedStore(settings.store), 10) as store:
        assert store.generation == 1
    assert propose(service, "<urn:g> { <urn:a> <urn:p> 2 }").status_code == 201
