"""Changing an engine's graph: judged as a whole validation would, never over another's change, all of it logged."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from random import Random

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import ValidationError
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, Triple, parse

from kg_service.changes import Present, Proposal
from kg_service.changes.remote import RemoteGate, commit
from kg_service.errors import KeyReused, StoreError, TooLarge, TooSlow, Violations
from kg_service.rdf import TURTLE, parse_bytes
from kg_service.settings import Settings
from kg_service.shacl import Shapes, load_shapes
from kg_service.store import Delta
from kg_service.store.remote import REVISION, Conflict, Endpoint, RemoteStore
from tests.conftest import ROOT, VILLAGE, remote_settings
from tests.serving import running
from tests.shacl.test_against_pyshacl import data_graphs, shapes_graphs
from tests.shacl.test_gate import SETTINGS, everything, quads, random_change
from tests.shacl.test_neighbourhood import judged_whole
from tests.store import engines
from tests.store.peer import Peer, forward

TOKEN = {"authorization": "Bearer open sesame"}
UPDATE = TOKEN | {"content-type": "application/sparql-update"}
#: A thing has at most one value, and none above 99.
ONE_VALUE = b"""
@prefix sh: <http://www.w3.org/ns/shacl#> .
<urn:shape> sh:targetSubjectsOf <urn:p> ; sh:property [ sh:path <urn:p> ; sh:maxInclusive 99 ; sh:maxCount 1 ] .
"""
ANYTHING = load_shapes([])
LOG = NamedNode(REVISION.value + "/log")


def one_value() -> Shapes:
    return load_shapes(list(parse_bytes(ONE_VALUE, TURTLE)))


def value(subject: str, number: int) -> Quad:
    return Quad(NamedNode(f"urn:{subject}"), NamedNode("urn:p"), Literal(number), NamedNode("urn:g"))


@pytest.fixture
def endpoint(servers: Callable[[str], Endpoint]) -> Endpoint:
    found = servers("oxigraph")
    engines.empty(found)
    return found


@pytest.fixture
def service(endpoint: Endpoint, tmp_path: Path) -> Iterator[httpx.Client]:
    settings = remote_settings(endpoint, tmp_path, token="open sesame", query_seconds=10)
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def update(client: httpx.Client, text: str, **headers: str) -> httpx.Response:
    return client.post("/update", content=text, headers=UPDATE | headers)


# The verdict


def test_a_random_change_has_the_results_of_whole_validation(endpoint: Endpoint, tmp_path: Path) -> None:
    store = RemoteStore(endpoint)

    @examples(SETTINGS, max_examples=8)
    @given(data_graphs(), shapes_graphs(), st.integers(0, 2**32))
    def each(graph: list[Triple], drawn: list[Triple], seed: int) -> None:
        data, shapes = quads(graph), load_shapes(drawn)
        store.apply(Delta(added=frozenset(data), removed=frozenset(store.triples())))
        gate, chance = RemoteGate(shapes, most=10_000), Random(seed)
        for _ in range(3):
            change = store.effective(random_change(chance, data))
            expected = judged_whole(data, change, shapes)
            assert everything(gate.judged(store, change, "en")) == everything(expected)

    each()


def test_a_change_that_needs_too_much_of_the_graph_is_refused_with_a_sentence(
    endpoint: Endpoint, tmp_path: Path
) -> None:
    store = RemoteStore(endpoint)
    store.apply(Delta(added=frozenset(value("a", number) for number in range(50))))
    with pytest.raises(TooLarge, match="more than 20 triples"):
        commit(store, adding(value("a", 1000)), RemoteGate(one_value(), most=20), tmp_path)
    assert store.generation == 1


def adding(*added: Quad) -> Proposal:
    return Proposal(lambda _: Delta(added=frozenset(added)))


def test_a_refused_change_leaves_nothing_but_its_report(endpoint: Endpoint, tmp_path: Path) -> None:
    store, gate = RemoteStore(endpoint), RemoteGate(one_value(), most=1000)
    assert commit(store, adding(value("a", 1)), gate, tmp_path).change == 1
    with pytest.raises(Violations):
        commit(store, adding(value("a", 2)), gate, tmp_path)
    with pytest.raises(Violations):
        commit(store, Proposal(lambda _: Delta(added=frozenset({value("b", 100)})), quarantine=True), gate, tmp_path)
    assert list(store.quads()) == [value("a", 1)]
    assert store.generation == 1
    log = store.now(tmp_path).log
    assert [refused.added for refused in log.refusals(limit=9)] == [1, 1]
    assert [kept.number for kept in log.quarantined(limit=9)] == [1]
    assert [entry.number for entry in log.entries(limit=9)] == [1]


# Two at once


def test_a_change_that_others_forestall_is_made_and_judged_anew(endpoint: Endpoint, tmp_path: Path) -> None:
    """What was right when it was judged would be wrong now: the other one's value is there already."""
    store, gate = RemoteStore(endpoint), RemoteGate(one_value(), most=1000)
    made = []

    def make(present: Present) -> Delta:
        made.append(present.generation)
        if len(made) == 1:
            RemoteStore(endpoint).apply(Delta(added=frozenset({value("a", 1)})))
        return Delta(added=frozenset({value("a", 2)}))

    with pytest.raises(Violations):
        commit(store, Proposal(make), gate, tmp_path)
    assert made == [0, 1]
    assert list(store.quads()) == [value("a", 1)]


def test_a_change_that_is_always_forestalled_is_a_conflict_in_the_end(endpoint: Endpoint, tmp_path: Path) -> None:
    store, gate = RemoteStore(endpoint), RemoteGate(ANYTHING, most=1000)

    def make(present: Present) -> Delta:
        RemoteStore(endpoint).apply(Delta(added=frozenset({value("other", present.generation)})))
        return Delta(added=frozenset({value("mine", 1)}))

    with pytest.raises(Conflict):
        commit(store, Proposal(make), gate, tmp_path, tries=3)
    assert value("mine", 1) not in set(store.quads())


def test_that_a_change_changes_nothing_counts_of_one_revision_alone(endpoint: Endpoint, tmp_path: Path) -> None:
    """Another made the same change while this one was made: what this one's condition was checked on has passed."""
    store, gate = RemoteStore(endpoint), RemoteGate(ANYTHING, most=1_000)
    store.apply(Delta(added=frozenset({value("a", 1)})))
    seen: list[int] = []

    def make(moment: Present) -> Delta:
        seen.append(moment.generation)
        if len(seen) == 1:
            store.apply(Delta(frozenset({value("a", 2)}), frozenset({value("a", 1)})))
        return Delta(added=frozenset({value("a", 2)}))

    done = commit(store, Proposal(make), gate, tmp_path)
    assert (seen, done.generation) == ([1, 2], 2)


def test_two_services_lose_no_change_and_the_graph_conforms(endpoint: Endpoint, tmp_path: Path) -> None:
    """Both count the same numbers up: each success is one more, whoever makes it."""
    engine = RemoteStore(endpoint)
    engine.apply(Delta(added=frozenset({value("a", 0), value("b", 0)})))
    made = {"a": 0, "b": 0}
    failed: list[str] = []

    def count(url: str, seed: int) -> None:
        chance = Random(seed)
        with httpx.Client(base_url=url, timeout=60) as client:
            for _ in range(6):
                thing = chance.choice("ab")
                answer = update(
                    client,
                    f"DELETE {{ GRAPH <urn:g> {{ <urn:{thing}> <urn:p> ?n }} }} "
                    f"INSERT {{ GRAPH <urn:g> {{ <urn:{thing}> <urn:p> ?more }} }} "
                    f"WHERE {{ GRAPH <urn:g> {{ <urn:{thing}> <urn:p> ?n }} BIND(?n + 1 AS ?more) }}",
                )
                if answer.status_code == 200:
                    made[thing] += 1
                else:
                    failed.append(answer.text)

    settings = remote_settings(endpoint, tmp_path, token="open sesame", query_seconds=20)
    with running(settings) as one, running(settings) as other:
        workers = [threading.Thread(target=count, args=(url, seed)) for seed, url in enumerate((one, other))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        log = httpx.get(f"{one}/api/changes", params={"limit": 100}).json()["data"]
    assert not failed
    assert set(engine.quads()) == {value(thing, number) for thing, number in made.items()}
    assert len(log) == sum(made.values())
    assert len({entry["generation"] for entry in log}) == len(log)


# The log


def test_a_change_is_told_as_on_the_embedded_store(service: httpx.Client) -> None:
    assert update(service, "INSERT DATA { GRAPH <urn:g> { <urn:a> <urn:p> 1 } }").json()["change"] == 1
    put = service.put(
        "/store",
        params={"graph": "urn:g", "author": "Ann", "note": "mended"},
        content="<urn:a> <urn:p> 2 .",
        headers=TOKEN | {"content-type": "text/turtle"},
    )
    assert put.status_code == 204
    last, first = service.get("/api/changes").json()["data"]
    assert (first["number"], first["added"], first["removed"]) == (1, 1, 0)
    assert (last["number"], last["author"], last["note"], last["added"], last["removed"]) == (2, "Ann", "mended", 1, 1)
    assert [c["number"] for c in service.get("/api/changes", params={"entity": "urn:a"}).json()["data"]] == [2, 1]
    assert [c["number"] for c in service.get("/api/changes", params={"author": "Ann"}).json()["data"]] == [2]
    shown = service.get("/api/changes/2").json()
    assert [line.split()[2][:2] for line in shown["statements"]["added"]] == ['"2']
    assert service.get("/api/changes/3").status_code == 404
    assert b"prov" in service.get("/api/changes/2", headers={"accept": "text/turtle"}).content
    assert service.post("/api/changes/2/revert", headers=TOKEN).status_code == 201
    difference = service.get("/api/changes/diff", params={"from": 1}).json()
    assert difference["statements"] == {"added": [], "removed": []}


def test_a_request_with_a_key_is_made_once(service: httpx.Client) -> None:
    text = "INSERT DATA { <urn:a> <urn:p> 1 }"
    assert update(service, text, **{"idempotency-key": "one"}).json()["change"] == 1
    assert update(service, text, **{"idempotency-key": "one"}).json()["change"] == 1
    other = update(service, text.replace("1", "2"), **{"idempotency-key": "one"})
    assert other.json()["type"].endswith(KeyReused.kind())
    assert len(service.get("/api/changes").json()["data"]) == 1


def test_a_proposed_change_is_judged_and_a_dry_run_writes_nothing(service: httpx.Client) -> None:
    turtle = TOKEN | {"content-type": "text/turtle"}
    wrong = (
        "<https://w3id.org/sse-kg/id/event/fair> a <https://w3id.org/sse-kg/ontology#Event> ; "
        '<https://schema.org/startDate> "2022-02-02"^^<http://www.w3.org/2001/XMLSchema#date> ; '
        '<https://schema.org/endDate> "2021-01-01"^^<http://www.w3.org/2001/XMLSchema#date> .'
    )
    for query in ("", "?dry_run=true"):
        refused = service.post(f"/api/changes{query}", content=wrong, headers=turtle)
        assert refused.status_code == 422
        assert refused.json()["report"]["counts"]["Violation"] > 0
    fine = service.post("/api/changes?dry_run=true", content='<urn:x> <urn:p> "fine" .', headers=turtle)
    assert (fine.status_code, fine.json()["change"]) == (200, None)
    assert service.get("/api/changes").json()["data"] == []


def test_the_log_is_a_graph_that_nobody_sees(service: httpx.Client, endpoint: Endpoint) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:a> <urn:p> 1 } }")
    asked = service.get("/sparql", params={"query": "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }"})
    assert [row["g"]["value"] for row in asked.json()["results"]["bindings"]] == ["urn:g"]
    update(service, "DELETE WHERE { GRAPH ?g { ?s ?p ?o } }")
    assert len(service.get("/api/changes").json()["data"]) == 2
    refused = update(
        service, "INSERT DATA { GRAPH <https://w3id.org/sse-kg/graph/revision/log> { <urn:a> <urn:p> 1 } }"
    )
    assert (refused.status_code, "the store's own" in refused.text) == (400, True)
    assert not RemoteStore(endpoint).effective(Delta(removed=frozenset(logged(endpoint)))).removed


def logged(endpoint: Endpoint) -> list[Quad]:
    text = f"CONSTRUCT {{ ?s ?p ?o }} {{ GRAPH {LOG} {{ ?s ?p ?o }} }}"
    answer = httpx.post(endpoint.query, data={"query": text}, headers={"accept": "application/n-triples"})
    found = [Quad(q.subject, q.predicate, q.object, LOG) for q in parse(answer.content, RdfFormat.N_TRIPLES)]
    assert found
    return found


# Updates


def test_a_later_operation_matches_on_a_copy_that_is_bounded(endpoint: Endpoint, tmp_path: Path) -> None:
    RemoteStore(endpoint).apply(Delta(added=frozenset(value("a", number) for number in range(30))))
    settings = remote_settings(endpoint, tmp_path, token="open sesame", copy_triples=20)
    ground = "INSERT DATA { GRAPH <urn:g> { <urn:b> <urn:p> 1 } }"
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert update(client, f"{ground} ; DELETE DATA {{ GRAPH <urn:g> {{ <urn:b> <urn:p> 1 }} }}").status_code == 200
        refused = update(client, f"{ground} ; DELETE WHERE {{ ?s <urn:p> 1 }}")
        assert (refused.status_code, "KG_COPY_TRIPLES" in refused.json()["detail"]) == (413, True)
        assert update(client, f"DELETE WHERE {{ <urn:a> ?p 7 }} ; {ground}").status_code == 200, "no copy is needed"


def test_what_a_stranger_sends_cannot_end_the_service(service: httpx.Client) -> None:
    bomb = "BIND('x' AS ?x0) " + " ".join(f"BIND(CONCAT(?x{i}, ?x{i}) AS ?x{i + 1})" for i in range(12))
    assert update(service, f"INSERT {{ <urn:a> <urn:p> ?x12 }} WHERE {{ {bomb} }}").status_code in (200, 400, 413, 422)
    assert update(service, "INSERT DATA { " + "<urn:a> <urn:p> [ " * 5000).status_code == 400
    assert service.get("/health/ready").status_code == 200


def test_a_where_that_takes_too_long_is_stopped(service: httpx.Client) -> None:
    update(service, "INSERT DATA { " + " ".join(f"<urn:s{i}> <urn:p> {i} ." for i in range(80)) + " }")
    endless = "INSERT { ?a <urn:q> 1 } WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l . ?m ?n ?o FILTER(?c > ?f) }"
    stopped = update(service, endless)
    assert stopped.status_code == 504
    assert stopped.json()["type"].endswith(TooSlow.kind())
    assert service.get("/health/ready").status_code == 200


def test_a_blank_node_of_others_is_not_taken_for_another(service: httpx.Client, endpoint: Endpoint) -> None:
    httpx.post(str(endpoint.update), data={"update": "INSERT DATA { _:b <urn:p> 1 }"}).raise_for_status()
    refused = update(service, "DELETE { ?s <urn:p> 1 } WHERE { ?s <urn:p> 1 }")
    assert (refused.status_code, "blank node" in refused.json()["detail"]) == (400, True)


# An engine that goes away


@pytest.mark.parametrize("arrives", [True, False])
def test_an_engine_that_goes_away_in_a_write_leaves_it_whole_or_not_at_all(
    endpoint: Endpoint, tmp_path: Path, arrives: bool
) -> None:
    """The line is cut once, before or after the engine gets the change: either way the answer is true."""
    is_cut = False

    def cut(to: BaseHTTPRequestHandler, body: bytes) -> None:
        nonlocal is_cut
        loses = not is_cut and b'"lost"' in body and b"DELETE" in body
        if not loses or arrives:
            forward(to, body, endpoint, silently=loses)
        if loses:
            is_cut = True
            to.close_connection = True

    lost = Quad(NamedNode("urn:a"), NamedNode("urn:p"), Literal("lost"), NamedNode("urn:g"))
    with Peer(cut, is_polite=False) as peer:
        store, gate = RemoteStore(Endpoint(peer.url, peer.url, dialect=endpoint.dialect)), RemoteGate(ANYTHING, most=99)
        try:
            done = commit(store, adding(lost), gate, tmp_path).change
        except StoreError:
            done = None
    assert is_cut
    there = RemoteStore(endpoint)
    assert (done == 1) == (lost in set(there.quads())) == (len(there.now(tmp_path).log.entries(limit=9)) == 1)
    assert arrives == (done == 1) or done == 1, "a change that did not arrive is made again"


def test_a_service_whose_engine_is_away_says_so_and_writes_when_it_is_back() -> None:
    nowhere = f"http://127.0.0.1:{engines.free_port()}"
    settings = Settings.model_validate(
        {"store": "sparql", "query_url": f"{nowhere}/query", "update_url": f"{nowhere}/update", "token": "open sesame"}
    )
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        away = update(client, "INSERT DATA { <urn:a> <urn:p> 1 }")
        assert (away.status_code, "cannot be reached" in away.json()["detail"]) == (503, True)


# Settings


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"store": "sparql"}, "KG_QUERY_URL and KG_UPDATE_URL"),
        ({"store": "sparql", "query_url": "http://h/q"}, "KG_QUERY_URL and KG_UPDATE_URL"),
        ({"query_url": "http://h/q", "update_url": "http://h/u"}, "are for KG_STORE=sparql"),
        ({"graph_store_url": "http://h/g"}, "are for KG_STORE=sparql"),
        ({"store_password": "hush"}, "which is not set"),
        ({"query_url": "http://h/q", "store_user": "ann"}, "without KG_STORE_PASSWORD"),
        ({"query_url": "http://h/q", "store_password": "hush"}, "without KG_STORE_USER"),
        ({"query_url": "http://h/q", "store_auth": "bearer"}, "takes the token"),
    ],
)
def test_settings_that_do_not_fit_are_refused_in_one_sentence(given: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate(given)


def kg(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kg_service", *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_the_sentence_on_settings_holds_no_secret() -> None:
    done = kg({"KG_QUERY_URL": "http://h/q", "KG_STORE_PASSWORD": "hush"}, "query", "ASK {}")
    assert (done.returncode, "without KG_STORE_USER" in done.stderr) == (2, True)
    assert "hush" not in done.stdout + done.stderr


def test_the_command_line_works_on_an_engine(endpoint: Endpoint, tmp_path: Path) -> None:
    engine = {
        "KG_STORE": "sparql",
        "KG_QUERY_URL": endpoint.query,
        "KG_UPDATE_URL": str(endpoint.update),
        "KG_DIALECT": "oxigraph",
        "KG_ENGINE_FOLDER": str(tmp_path),
    }
    wrong = tmp_path / "wrong.ttl"
    wrong.write_text("<urn:e> a <https://w3id.org/sse-kg/ontology#Event> .")
    assert kg(engine, "load", str(ROOT / "ontology"), str(VILLAGE)).returncode == 0
    assert kg(engine, "load", str(wrong)).returncode == 1
    assert kg(engine, "validate", str(wrong)).returncode == 1
    exported = list(parse(kg(engine, "export", "--format", "n-quads").stdout, RdfFormat.N_QUADS))
    assert NamedNode("https://w3id.org/sse-kg/graph/village") in {q.graph_name for q in exported}
    counted = kg(engine, "query", "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }", "--format", "csv").stdout
    assert int(counted.split()[1]) == len({q.triple for q in exported})
