"""One contract, every store: the embedded one and real SPARQL servers give the same answers to the same tests.

A difference that stays is said in `kg_service.store.remote.Dialect` and has its test here. What no real server does on
request, such as an answer that breaks off, is done by `Peer`, a hostile one of a few lines.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolutions,
    RdfFormat,
    Store,
    Triple,
    parse,
    parse_query_results,
)

from kg_service.errors import (
    Busy,
    KgError,
    Malformed,
    NotAcceptable,
    QueryStopped,
    Refused,
    StoreError,
    StoreUnwritable,
    TooLarge,
    TooSlow,
)
from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS
from kg_service.store import Delta, GraphStore, Query, Reads
from kg_service.store.embedded import EmbeddedStore, delta_between
from kg_service.store.readers import WHOLE, Limits, Readers
from kg_service.store.remote import (
    REVISION,
    STAND_IN,
    STANDARD,
    VIRTUOSO,
    Conflict,
    Credentials,
    Endpoint,
    RemoteReads,
    RemoteStore,
)
from tests.store import engines
from tests.store.peer import RESULTS, Peer, reply

#: Rows that end in another thread than their own, or connections that nobody closes.
pytestmark = pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
XSD = "http://www.w3.org/2001/XMLSchema#"
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l FILTER(?a != ?d) }"
ENDLESS_ROWS = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"


class World:
    """An empty dataset in one of the stores: who writes it, and who reads it."""

    def __init__(self, name: str, folder: Path, endpoint: Endpoint | None) -> None:
        self.name, self._folder, self.endpoint = name, folder, endpoint
        self.store: GraphStore = RemoteStore(endpoint) if endpoint else EmbeddedStore(folder)

    def reads(
        self, *, size: int = 2, max_bytes: int = 10**8, queue_seconds: float = 10, quick_seconds: float = 0.1
    ) -> Reads:
        if self.endpoint:
            return RemoteReads(self.endpoint, size=size, max_bytes=max_bytes, queue_seconds=queue_seconds)
        limits = Limits(
            readers=size,
            memory=1 << 30,
            max_bytes=max_bytes,
            queue_seconds=queue_seconds,
            quick_seconds=quick_seconds,
        )
        return Readers(self._folder, limits)

    def run(self, work: Callable[[Reads], Awaitable[None]], **options: Any) -> None:
        async def inside() -> None:
            reads = self.reads(**options)
            await reads.start()
            try:
                await work(reads)
            finally:
                await reads.close()

        asyncio.run(asyncio.wait_for(inside(), 120))

    def ask(self, text: str, **more: Any) -> bytes:
        """The whole answer to one query."""
        found = b""

        async def work(reads: Reads) -> None:
            nonlocal found
            found = await (await reads.answer(Query(text, **more))).content()

        self.run(work)
        return found

    def column(self, text: str, **more: Any) -> list[str]:
        """The first column of a table, sorted."""
        return sorted(row[0] for row in list(csv.reader(io.StringIO(self.ask(text, table="csv", **more).decode())))[1:])


def _world(name: str, tmp_path: Path, servers: Callable[[str], Endpoint]) -> Iterator[World]:
    endpoint = None if name == "embedded" else servers(name)
    if endpoint:
        engines.empty(endpoint)
    made = World(name, tmp_path / "store", endpoint)
    yield made
    made.store.close()


@pytest.fixture(params=["embedded", *engines.SERVERS])
def world(request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], Endpoint]) -> Iterator[World]:
    yield from _world(request.param, tmp_path, servers)


@pytest.fixture(params=["embedded", *engines.SERVERS])
def runaway(request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], Endpoint]) -> Iterator[World]:
    """A store whose engine may take gigabytes: Oxigraph puts all rows into memory to sort them, and keeps what it had.

    Its server ends with the test, and ends each query after a second.
    """
    if request.param != "oxigraph":
        yield from _world(request.param, tmp_path, servers)
        return
    with engines.oxigraph(tmp_path, seconds=1) as endpoint:
        yield from _world("oxigraph", tmp_path, lambda _: endpoint)


@pytest.fixture(params=[*engines.SERVERS])
def remote(request: pytest.FixtureRequest, tmp_path: Path, servers: Callable[[str], Endpoint]) -> Iterator[World]:
    """The stores in which several may write."""
    yield from _world(request.param, tmp_path, servers)


def quad(subject: str, value: int | str, graph: str = "g") -> Quad:
    return Quad(NamedNode(f"urn:{subject}"), NamedNode("urn:p"), Literal(value), NamedNode(f"urn:{graph}"))


def adding(*quads: Quad) -> Delta:
    return Delta(added=frozenset(quads))


def removing(*quads: Quad) -> Delta:
    return Delta(removed=frozenset(quads))


def numbers(low: int, high: int, graph: str = "g") -> Delta:
    return adding(*(quad(f"s{i}", i, graph) for i in range(low, high)))


def values(store: GraphStore) -> list[str]:
    """The objects in the default graph, sorted; a triple that is there twice shows twice."""
    return sorted(q.object.value for q in store.triples() if isinstance(q.object, Literal))


# --- Writing -----------------------------------------------------------------------------------------------------


def test_a_change_is_a_new_generation(world: World) -> None:
    assert world.store.generation == 0
    assert world.store.apply(adding(quad("a", 1))) == 1
    assert world.store.apply(adding(quad("a", 2))) == 2
    assert world.store.generation == 2
    assert values(world.store) == ["1", "2"]


def test_a_change_that_changes_nothing_is_no_generation(world: World) -> None:
    world.store.apply(adding(quad("a", 1)))
    assert world.store.apply(adding(quad("a", 1))) == 1
    assert world.store.apply(removing(quad("a", 9))) == 1
    assert not world.store.effective(delta_between([quad("b", 1)], [quad("a", 1)]))


def test_what_is_effective_says_what_becomes_of_the_default_graph(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h"), quad("a", 2, "g")))
    change = world.store.effective(
        Delta(
            added=frozenset({quad("a", 1, "g"), quad("a", 3, "g")}),
            removed=frozenset({quad("a", 1, "h"), quad("a", 2, "g"), quad("a", 9, "g")}),
        )
    )
    merged = Quad(NamedNode("urn:a"), NamedNode("urn:p"), Literal(3), DefaultGraph())
    assert change.added == {quad("a", 3, "g"), merged}
    merged = Quad(NamedNode("urn:a"), NamedNode("urn:p"), Literal(2), DefaultGraph())
    assert change.removed == {quad("a", 1, "h"), quad("a", 2, "g"), merged}


def test_applying_what_is_effective_is_the_same_as_applying_the_change(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 2, "g")))
    change = Delta(added=frozenset({quad("a", 3, "h")}), removed=frozenset({quad("a", 1, "g")}))
    assert world.store.apply(world.store.effective(change)) == 2
    assert set(world.store.quads()) == {quad("a", 2, "g"), quad("a", 3, "h")}
    assert values(world.store) == ["2", "3"]


def test_the_default_graph_holds_each_triple_of_every_graph_once(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h"), quad("a", 2, "h")))
    assert values(world.store) == ["1", "2"]
    assert world.column("SELECT ?o { ?s ?p ?o }") == ["1", "2"]
    assert world.column("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }") == ["2"]


def test_a_triple_leaves_the_default_graph_with_the_last_graph_that_holds_it(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h")))
    world.store.apply(removing(quad("a", 1, "g")))
    assert values(world.store) == ["1"]
    world.store.apply(removing(quad("a", 1, "h")))
    assert values(world.store) == []


def test_removing_from_two_graphs_at_once_removes_the_triple(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h")))
    world.store.apply(removing(quad("a", 1, "g"), quad("a", 1, "h")))
    assert values(world.store) == []
    assert not list(world.store.quads())


def test_moving_a_triple_between_graphs_keeps_it_in_the_default_graph(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g")))
    world.store.apply(delta_between([quad("a", 1, "g")], [quad("a", 1, "h")]))
    assert values(world.store) == ["1"]
    assert list(world.store.quads()) == [quad("a", 1, "h")]


def default(subject: str, value: int) -> Quad:
    return Quad(NamedNode(f"urn:{subject}"), NamedNode("urn:p"), Literal(value))


def test_what_leaves_the_default_graph_leaves_every_named_graph(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h"), quad("a", 2, "h"), default("a", 3)))
    assert values(world.store) == ["1", "2", "3"]
    world.store.apply(removing(default("a", 1), default("a", 3)))
    assert values(world.store) == ["2"]
    assert list(world.store.quads()) == [quad("a", 2, "h")]


def test_any_changes_leave_every_store_the_same(remote: World, tmp_path: Path) -> None:
    chance = random.Random(7)
    with EmbeddedStore(tmp_path / "reference") as reference:
        for _ in range(40):
            some = [
                quad("a", chance.randrange(6), chance.choice("ghk"))
                if chance.random() < 0.8
                else default("a", chance.randrange(6))
                for _ in range(8)
            ]
            change = Delta(added=frozenset(some[:5]), removed=frozenset(some[5:]))
            assert remote.store.effective(change).added == reference.effective(change).added
            assert remote.store.effective(change).removed == reference.effective(change).removed
            assert remote.store.apply(change) == reference.apply(change)
            assert set(remote.store.quads()) == set(reference.quads())
            assert values(remote.store) == values(reference)


def test_replacing_a_literal_by_its_canonical_form_changes_nothing(world: World) -> None:
    seven, canonical = (
        Quad(
            NamedNode("urn:a"),
            NamedNode("urn:p"),
            Literal(text, datatype=NamedNode(XSD + "integer")),
            NamedNode("urn:g"),
        )
        for text in ("007", "7")
    )
    world.store.apply(adding(seven))
    world.store.apply(delta_between([seven], [canonical]))
    assert list(world.store.quads()) == [canonical]
    assert values(world.store) == ["7"]


def test_a_literal_that_others_wrote_otherwise_can_be_removed(servers: Callable[[str], Endpoint]) -> None:
    """Fuseki keeps "007" as it is; so what we read there must be what we can remove there."""
    endpoint = servers("fuseki")
    engines.empty(endpoint)
    store = RemoteStore(endpoint)
    triple = f'<urn:a> <urn:p> "007"^^<{XSD}integer>'
    text = f"INSERT DATA {{ GRAPH <urn:g> {{ {triple} }} {triple} }}"
    httpx.post(str(endpoint.update), data={"update": text}, trust_env=False).raise_for_status()
    store.apply(removing(*store.quads()))
    assert not list(store.quads())
    assert not list(store.triples())


def test_what_is_both_added_and_removed_is_there_afterwards(world: World) -> None:
    world.store.apply(Delta(added=frozenset({quad("a", 1)}), removed=frozenset({quad("a", 1)})))
    assert values(world.store) == ["1"]


def test_quads_are_those_of_one_graph_or_of_all_named_ones(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 2, "h")))
    assert list(world.store.quads(NamedNode("urn:g"))) == [quad("a", 1, "g")]
    assert list(world.store.quads(NamedNode("urn:none"))) == []
    assert set(world.store.quads()) == {quad("a", 1, "g"), quad("a", 2, "h")}


def test_named_graphs_are_in_order_and_without_the_stores_own(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "h"), quad("a", 2, "g"), quad("a", 2, "é")))
    assert [g.value for g in world.store.named_graphs()] == ["urn:g", "urn:h", "urn:é"]
    assert REVISION not in {q.graph_name for q in world.store.quads()}
    assert not list(world.store.quads(REVISION))
    assert len(list(world.store.triples())) == 2


def test_a_graph_that_holds_nothing_any_more_is_not_named(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h")))
    world.store.apply(removing(quad("a", 1, "g")))
    assert [g.value for g in world.store.named_graphs()] == ["urn:h"]


LITERALS = {
    "empty": Literal(""),
    "quotes": Literal("\"double\" and 'single' and \\ backslash"),
    "white-space": Literal(" lines\n\r\n and\ttabs "),
    "control": Literal("bell \u0007 and delete \u007f"),
    "accents": Literal("économie sociale – 社會經濟 – الاقتصاد"),
    "astral": Literal("🌍 \U0001f91d"),
    "braces": Literal("} GRAPH <urn:x> { # ${a} '''"),
    "language": Literal("économie", language="fr"),
    "region": Literal("economia solidária", language="pt-BR"),
    "long": Literal("a long quotation, " * 3_000),
    "long-language": Literal("une longue citation, " * 3_000, language="fr"),
    "integer": Literal("007", datatype=NamedNode(XSD + "integer")),
    "decimal": Literal("4.50", datatype=NamedNode(XSD + "decimal")),
    "double": Literal("1.5e3", datatype=NamedNode(XSD + "double")),
    "boolean": Literal(True),
    "date": Literal("2014-11-19", datatype=NamedNode(XSD + "date")),
    "year": Literal("2014", datatype=NamedNode(XSD + "gYear")),
    "month": Literal("2014-11", datatype=NamedNode(XSD + "gYearMonth")),
    "moment": Literal("2014-11-19T09:30:00Z", datatype=NamedNode(XSD + "dateTime")),
    "zone": Literal("2014-11-19T09:30:00+09:00", datatype=NamedNode(XSD + "dateTime")),
    "address": Literal("https://example.org/", datatype=NamedNode(XSD + "anyURI")),
    "own-type": Literal("x", datatype=NamedNode("urn:type")),
}


def kept(quads: Sequence[Quad]) -> set[Quad]:
    """Quads as the embedded store keeps them."""
    store = Store()
    store.extend(quads)
    return set(store)


@pytest.mark.parametrize("name", LITERALS)
def test_literals_come_back_as_they_went_and_can_be_removed(world: World, name: str) -> None:
    sent = Quad(NamedNode("urn:é/ü"), NamedNode("urn:p"), LITERALS[name], NamedNode("urn:g"))
    world.store.apply(adding(sent, quad("other", 1)))
    assert kept(list(world.store.quads())) == kept([sent, quad("other", 1)])
    assert len(list(world.store.triples())) == 2
    assert not world.store.effective(adding(sent)), "it must be found again"
    world.store.apply(removing(sent))
    assert list(world.store.quads()) == [quad("other", 1)]
    assert len(list(world.store.triples())) == 1


def test_a_large_change_is_made_whole(world: World) -> None:
    """More than one request can hold: remote stores stage it."""
    before = [quad(f"s{i}", f"old {i}", "gh"[i % 2]) for i in range(2_700)]
    after = [quad(f"s{i}", f"new {i}", "hk"[i % 2]) for i in range(2_700)]
    world.store.apply(adding(*before))
    assert world.store.apply(delta_between(before, after)) == 2
    assert set(world.store.quads()) == set(after)
    assert values(world.store) == sorted(f"new {i}" for i in range(2_700))
    assert [g.value for g in world.store.named_graphs()] == ["urn:h", "urn:k"]


def test_two_writers_at_once_lose_no_change(remote: World) -> None:
    assert remote.endpoint
    made, failed = [], []

    def write(name: str) -> None:
        assert remote.endpoint
        store = RemoteStore(remote.endpoint)
        for n in range(8):
            try:
                made.append(store.apply(adding(quad(name, n))))
            except Conflict as error:  # several tries in a row were forestalled
                failed.append(error)

    writers = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(made) == list(range(1, len(made) + 1)), "each change has a generation of its own"
    assert len(made) + len(failed) == 24
    assert remote.store.generation == len(made) == len(values(remote.store))


def test_a_judged_change_is_refused_when_someone_else_was_first(remote: World) -> None:
    assert remote.endpoint
    remote.store.apply(adding(quad("a", 1)))
    judged = remote.store.effective(adding(quad("a", 2)))
    RemoteStore(remote.endpoint).apply(adding(quad("a", 3)))
    with pytest.raises(Conflict, match="revision 1") as caught:
        remote.store.apply(judged)
    assert caught.value.status == 409
    assert values(remote.store) == ["1", "3"]
    assert remote.store.apply(remote.store.effective(adding(quad("a", 2)))) == 3


def test_a_large_change_that_is_forestalled_leaves_nothing(remote: World) -> None:
    assert remote.endpoint
    staging = replace(remote.endpoint, dialect=replace(remote.endpoint.dialect, quads_per_request=0))
    store = RemoteStore(staging)
    store.apply(adding(quad("a", 1)))
    judged = store.effective(adding(quad("a", 2)))

    class Forestalled(RemoteStore):
        def _stage(self, part: NamedNode, quads: Any) -> None:
            super()._stage(part, quads)
            if self.generation == 1:
                store.apply(adding(quad("a", 3)))

    with pytest.raises(Conflict):
        Forestalled(staging).apply(judged)
    assert values(store) == ["1", "3"]
    assert not remote.column(
        f"SELECT ?g {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), '{REVISION.value}/stage')) }}"
    )


def test_the_stage_of_a_writer_that_died_is_swept(remote: World) -> None:
    assert remote.endpoint
    staging = replace(remote.endpoint, dialect=replace(remote.endpoint.dialect, quads_per_request=0))

    class Dying(RemoteStore):
        def _made(self, *_: Any) -> int:
            raise StoreError("power cut")

        def _drop(self, graphs: Any) -> None:
            pass

    with pytest.raises(StoreError, match="power cut"):
        Dying(staging).apply(adding(quad("a", 1)))
    store = RemoteStore(staging)
    assert store.generation == 0
    assert values(store) == []
    assert store.named_graphs() == []
    assert store.apply(adding(quad("a", 2))) == 1
    assert store.apply(adding(quad("a", 3))) == 2
    held = "SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }"
    assert not [g for g in _graphs(staging, held) if "/stage/" in g]


def _graphs(endpoint: Endpoint, text: str) -> list[str]:
    found = httpx.post(
        endpoint.query, data={"query": text}, headers={"Accept": "application/sparql-results+json"}, trust_env=False
    )
    return [row["g"]["value"] for row in found.json()["results"]["bindings"]]


def test_old_writers_are_forgotten(remote: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg_service.store.remote.revision.REMEMBERED", 2)
    for n in range(5):
        remote.store.apply(adding(quad("a", n)))
    text = f"SELECT ?g {{ GRAPH {REVISION} {{ ?g <http://purl.org/dc/terms/identifier> ?writer }} }}"
    assert remote.endpoint
    assert sorted(_graphs(remote.endpoint, text)) == [f"{REVISION.value}/{n}" for n in (4, 5)]


def test_what_has_no_name_is_refused_before_anything_is_sent(remote: World) -> None:
    nameless = Quad(BlankNode("b"), NamedNode("urn:p"), Literal(1), NamedNode("urn:g"))
    with pytest.raises(Malformed, match="blank node"):
        remote.store.apply(adding(nameless))
    quoted = Triple(NamedNode("urn:a"), NamedNode("urn:b"), Literal(1))
    with pytest.raises(Malformed, match="triple term"):
        remote.store.apply(adding(Quad(NamedNode("urn:a"), NamedNode("urn:p"), quoted, NamedNode("urn:g"))))
    assert remote.store.generation == 0


def test_a_store_without_update_url_is_for_reading(remote: World) -> None:
    assert remote.endpoint
    with pytest.raises(StoreUnwritable, match="no update URL"):
        RemoteStore(replace(remote.endpoint, update=None))


# --- Reading -----------------------------------------------------------------------------------------------------


@pytest.fixture
def people(world: World) -> World:
    """Two triples about `urn:s1`, one about `urn:s2`, with a text that needs escapes in every format."""
    text = Quad(
        NamedNode("urn:s1"), NamedNode("urn:name"), Literal('a "b", <c>\n& é', language="fr"), NamedNode("urn:g")
    )
    world.store.apply(adding(quad("s1", 1), quad("s2", 2, "h"), text))
    return world


@pytest.mark.parametrize("how", TABLE_FORMATS, ids=lambda f: f.name)
def test_a_table_in_every_format(people: World, how: Any) -> None:
    text = "SELECT ?o ?none { <urn:s1> ?p ?o OPTIONAL { ?o <urn:x> ?none } } ORDER BY ?p"
    answer = people.ask(text, table=how.name)
    if how.name == "csv":
        assert answer == b'o,none\r\n"a ""b"", <c>\n& \xc3\xa9",\r\n1,\r\n'
        return
    found = parse_query_results(answer, how.results)
    assert isinstance(found, QuerySolutions)
    assert [v.value for v in found.variables] == ["o", "none"]
    assert [(row["o"], row["none"]) for row in found] == [
        (Literal('a "b", <c>\n& é', language="fr"), None),
        (Literal(1), None),
    ]


@pytest.mark.parametrize("how", TABLE_FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize(("text", "expected"), [("ASK { <urn:s1> ?p 1 }", True), ("ASK { <urn:s1> ?p 2 }", False)])
def test_yes_and_no_in_every_format(people: World, how: Any, text: str, expected: bool) -> None:
    answer = people.ask(text, boolean=how.name)
    if how.name in ("csv", "tsv"):
        assert answer == (b"true" if expected else b"false")
    else:
        found = parse_query_results(answer, how.results)
        assert isinstance(found, QueryBoolean)
        assert bool(found) is expected


@pytest.mark.parametrize("how", GRAPH_FORMATS, ids=lambda f: f.name)
@pytest.mark.parametrize(
    "text", ["CONSTRUCT { <urn:s1> ?p ?o } WHERE { <urn:s1> ?p ?o . ?any ?q ?r }", "DESCRIBE <urn:s1>"]
)
def test_a_graph_in_every_format(people: World, how: Any, text: str) -> None:
    found = list(parse(people.ask(text, graph=how.name), how.rdf))
    expected = {Literal(1), Literal('a "b", <c>\n& é', language="fr")}
    assert {q.object for q in found if q.subject == NamedNode("urn:s1")} == expected
    assert len(found) == 2, "a graph is a set"


def test_an_answer_names_its_generation_and_format(people: World) -> None:
    async def work(reads: Reads) -> None:
        answer = await reads.answer(Query("ASK {}", boolean="xml"))
        assert (answer.generation, answer.format) == (1, "xml")
        assert answer.whole
        assert reads.generation == 1

    people.run(work)


def test_a_query_sees_what_was_written_before_it(world: World) -> None:
    async def work(reads: Reads) -> None:
        for n in range(1, 6):
            assert await asyncio.to_thread(world.store.apply, adding(quad("a", n))) == n
            answer = await reads.answer(Query("SELECT ?o { ?s ?p ?o }", table="csv"))
            assert (answer.generation, (await answer.content()).count(b"\n")) == (n, n + 1)

    world.run(work)


@pytest.mark.parametrize(
    "text",
    [
        "# addresses: delete, insert, load, clear\nSELECT ?o { <urn:s2> ?p ?o }",
        "SELECT ?o { <urn:s2> ?p ?o } # addresses",
        "BASE <urn:x>\nPREFIX delete: <urn:>#add\nPREFIX ask:<urn:>SELECT ?o {delete:s2 ?p ?o FILTER(?o != 'ASK {}')}",
        "select?o{<urn:s2>?p?o}",
        "SELECT ?o { <urn:s2> ?p ?o FILTER(?o != <urn:from> && ?o != 'FROM <urn:x>') }",
    ],
)
def test_words_in_comments_names_and_strings_are_not_taken_for_the_query_form(people: World, text: str) -> None:
    assert people.column(text) == ["2"]


def test_datasets_are_those_of_the_protocol(world: World) -> None:
    for graph, low, high in (("g", 0, 10), ("h", 0, 10), ("k", 10, 15)):
        world.store.apply(numbers(low, high, graph))
    triples, named = "SELECT ?s { ?s ?p ?o }", "SELECT ?s { GRAPH ?g { ?s ?p ?o } }"

    def count(text: str, *, default: str = "", among: str = "") -> int:
        graphs = {
            "default_graphs": tuple(f"urn:{c}" for c in default),
            "named_graphs": tuple(f"urn:{c}" for c in among),
        }
        return len(world.column(text, **graphs))

    assert count(triples) == 15
    assert count(triples, default="g") == 10
    assert count(triples, among="g") == 0
    assert count(named, among="k") == 5
    assert count(named, among="gk") == 15
    assert count(named, default="g") == 0
    assert count(named, default="g", among="k") == 5
    assert count("SELECT ?s FROM <urn:g> { ?s ?p ?o }", default="k") == 5, "the request wins over the text"
    assert count("SELECT ?s FROM NAMED <urn:g> { GRAPH ?g { ?s ?p ?o } }", among="k") == 5


def test_more_than_one_default_graph_is_their_merge_or_refused(world: World) -> None:
    """Oxigraph's server and Virtuoso would count a triple once for each graph: no answer is better than a wrong one."""
    for graph, low, high in (("g", 0, 10), ("h", 0, 10), ("k", 10, 15)):
        world.store.apply(numbers(low, high, graph))
    count = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"
    if world.endpoint is None or world.endpoint.dialect.merges:
        assert world.column(count, default_graphs=("urn:g", "urn:h")) == ["10"]
        assert world.column(count, default_graphs=("urn:g", "urn:k")) == ["15"]
        return
    for text, graphs in ((count, ("urn:g", "urn:h")), (count.replace("{", "FROM <urn:g> FROM <urn:h> {", 1), ())):
        with pytest.raises(Refused, match="name one default graph"):
            world.ask(text, default_graphs=graphs)


def test_all_graphs_are_asked_with_graph(world: World) -> None:
    world.store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h")))
    found = world.column("SELECT ?g { GRAPH ?g { ?s <urn:p> ?o } }")
    assert found == ["urn:g", "urn:h"]
    assert set(world.column("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }")) == {"urn:g", "urn:h"}, "and not our own"


def test_relative_iris_resolve_against_the_base(people: World) -> None:
    asked = "ASK { FILTER(STR(<a>) = 'http://%s/a') }"
    for text in (asked % "x.test/y", "BASE <http://z.test/> " + asked % "z.test"):
        assert json.loads(people.ask(text, base="http://x.test/y/"))["boolean"]


def test_a_malformed_query_is_said_to_be(people: World) -> None:
    with pytest.raises(Malformed) as caught:
        people.ask("SELECT ?s\nWHERE { ?s ?p ")
    if people.name != "virtuoso":  # it says the line only, and not always the right one
        assert caught.value.more["line"] == 2
    assert len(caught.value.detail) > 10
    for text in ("", "DELETE WHERE { ?s ?p ?o }", "nonsense", "# SELECT\n"):
        with pytest.raises(Malformed):
            people.ask(text)
    assert people.column("SELECT ?o { <urn:s2> ?p ?o }") == ["2"]


def test_a_format_that_is_not_accepted_is_said_to_be(people: World) -> None:
    with pytest.raises(NotAcceptable, match="text/turtle"):
        people.ask("CONSTRUCT WHERE { ?s ?p ?o }", graph=None)
    with pytest.raises(NotAcceptable, match="text/csv"):
        people.ask("SELECT * { ?s ?p ?o }", table=None)
    assert people.ask("ASK {}", graph=None, table=None)


def test_a_runaway_query_is_stopped_and_the_next_is_answered(runaway: World) -> None:
    runaway.store.apply(numbers(0, 300))

    async def work(reads: Reads) -> None:
        for text in (ENDLESS, ENDLESS_ROWS + " ORDER BY ?a", ENDLESS):
            started = time.monotonic()
            with pytest.raises(QueryStopped):
                await reads.answer(Query(text, seconds=0.7))
            assert time.monotonic() - started < 4
        answer = await reads.answer(Query("SELECT ?s { ?s ?p 7 }", table="csv", seconds=20))
        assert await answer.content() == b"s\r\nurn:s7\r\n"

    runaway.run(work)


def test_a_long_answer_that_is_stopped_is_never_taken_for_whole(world: World) -> None:
    world.store.apply(numbers(0, 300))

    async def work(reads: Reads) -> None:
        with pytest.raises(QueryStopped):
            await (await reads.answer(Query(ENDLESS_ROWS, seconds=1.5))).content()
        assert await (await reads.answer(Query("ASK {}", seconds=20))).content()

    world.run(work)


def test_a_large_answer_comes_in_parts_and_whole(world: World) -> None:
    world.store.apply(numbers(0, 200))

    async def work(reads: Reads) -> None:
        answer = await reads.answer(Query("SELECT ?a ?b ?d { ?a ?p ?o . ?b ?q ?r . ?d ?e 7 }", seconds=30))
        assert answer.whole is None
        content = await answer.content()
        assert len(content) > WHOLE
        found = parse_query_results(content, QueryResultsFormat.JSON)
        assert isinstance(found, QuerySolutions)
        assert sum(1 for _ in found) == 40_000

    world.run(work)


def test_an_answer_over_the_limit_of_bytes_is_refused(world: World) -> None:
    world.store.apply(numbers(0, 300))

    async def work(reads: Reads) -> None:
        with pytest.raises(TooLarge, match="larger than 5000 bytes"):
            await (await reads.answer(Query("SELECT * { ?s ?p ?o }"))).content()
        with pytest.raises(TooLarge, match="larger than 5000 bytes"):
            await (await reads.answer(Query("CONSTRUCT WHERE { ?s ?p ?o }"))).content()
        assert await (await reads.answer(Query("SELECT * { ?s ?p 7 }"))).content()

    world.run(work, max_bytes=5000)


def test_eight_at_once(world: World) -> None:
    world.store.apply(numbers(0, 100))

    async def work(reads: Reads) -> None:
        async def count(n: int) -> int:
            answer = await reads.answer(Query(f"SELECT ?s {{ ?s ?p ?o FILTER(?o < {n}) }}", table="csv"))
            return (await answer.content()).count(b"\n") - 1

        assert await asyncio.gather(*(count(n) for n in range(40))) == list(range(40))

    world.run(work, size=8, queue_seconds=60)


def test_a_full_house_says_busy_and_serves_again(world: World) -> None:
    world.store.apply(numbers(0, 300))

    async def work(reads: Reads) -> None:
        heavy = [asyncio.create_task(reads.answer(Query(ENDLESS, seconds=2))) for _ in range(2)]
        await asyncio.sleep(0.3)
        with pytest.raises(Busy, match=r"within 0\.3 s"):
            await reads.answer(Query("ASK {}"))
        await asyncio.gather(*heavy, return_exceptions=True)
        assert await (await reads.answer(Query("ASK {}", seconds=20))).content()

    world.run(work, queue_seconds=0.3, quick_seconds=30)  # so that embedded readers are taken by them too


def test_a_client_that_leaves_frees_its_place(world: World) -> None:
    world.store.apply(numbers(0, 300))

    async def work(reads: Reads) -> None:
        leaving = [asyncio.create_task(reads.answer(Query(ENDLESS, seconds=2))) for _ in range(2)]
        await asyncio.sleep(0.2)
        for task in leaving:
            task.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        answer = await reads.answer(Query("SELECT ?a ?d ?f { ?a ?b ?c . ?d ?e ?f }", seconds=60))
        assert answer.parts
        await anext(answer.parts)
        await answer.parts.aclose()  # type: ignore[attr-defined]
        assert await (await reads.answer(Query("ASK {}", seconds=60))).content()

    world.run(work, queue_seconds=3)


def test_draining_ends_what_does_not_end_itself(world: World) -> None:
    world.store.apply(numbers(0, 300))

    async def work(reads: Reads) -> None:
        stuck = asyncio.create_task(reads.answer(Query(ENDLESS, seconds=3)))
        await asyncio.sleep(0.2)
        await reads.drain(0.2)
        with pytest.raises(QueryStopped):
            await stuck

    world.run(work)


# --- Engines that fail -------------------------------------------------------------------------------------------


def test_wrong_credentials_are_said_to_be(servers: Callable[[str], Endpoint]) -> None:
    locked = Endpoint(servers("fuseki").query.replace("/ds/", "/locked/"))
    with pytest.raises(StoreError, match="does not let us in"):
        World_of(locked).ask("ASK {}")
    wrong = replace(engines.FUSEKI_USER, secret="wrong")
    with pytest.raises(StoreError, match="check its user") as caught:
        World_of(replace(locked, credentials=wrong)).ask("ASK {}")
    assert "wrong" not in str(caught.value)
    assert "wrong" not in repr(wrong)
    assert World_of(replace(locked, credentials=engines.FUSEKI_USER)).ask("ASK {}")


def test_wrong_digest_credentials_are_said_to_be(servers: Callable[[str], Endpoint]) -> None:
    with pytest.raises(StoreError, match="does not let us in"):
        RemoteStore(replace(servers("virtuoso"), credentials=Credentials("digest", "wrong", "dba")))


class World_of(World):  # noqa: N801  (reads as a phrase)
    """A dataset that is only read."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint


def test_an_unreachable_engine_is_one_sentence() -> None:
    nowhere = f"http://127.0.0.1:{engines.free_port()}/query"

    async def work(reads: Reads) -> None:
        assert reads.generation == 0
        with pytest.raises(StoreError, match="cannot be reached") as caught:
            await reads.answer(Query("ASK {}"))
        assert nowhere in caught.value.detail
        assert caught.value.status == 503

    World_of(Endpoint(nowhere)).run(work)
    with pytest.raises(StoreError, match="cannot be reached"):
        RemoteStore(Endpoint(nowhere, nowhere))


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "/query", "http://user:word@host/query", "http://a/b#c", "file:///etc/passwd"]
)
def test_what_is_no_url_of_an_endpoint_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Malformed) as caught:
        Endpoint(url)
    assert "word@" not in str(caught.value)


ROWS = b'{"head":{"vars":["x"]},"results":{"bindings":[' + b'{"x":{"type":"literal","value":"a"}},' * 50
WHOLE_ROWS = ROWS[:-1] + b"]}}"
LINES = b"<urn:a> <urn:p> <urn:b> .\n" * 3


def chunked(to: BaseHTTPRequestHandler, body: bytes, *, ends: bool, kind: str = RESULTS) -> None:
    to.send_response(200)
    to.send_header("Content-Type", kind)
    to.send_header("Transfer-Encoding", "chunked")
    to.end_headers()
    to.wfile.write(b"%x\r\n%s\r\n" % (len(body), body) + (b"0\r\n\r\n" if ends else b""))
    to.close_connection = True


N_T = "application/n-triples"
SELECT, CONSTRUCT = "SELECT ?x { ?x ?y ?z }", "CONSTRUCT WHERE { ?x ?y ?z }"
MISBEHAVIOUR: dict[str, tuple[str, type[KgError], Callable[[BaseHTTPRequestHandler, bytes], None]]] = {
    "half the JSON, of the claimed length": (SELECT, StoreError, lambda to, _: reply(to, ROWS)),
    "half the JSON, shorter than claimed": (SELECT, StoreError, lambda to, _: reply(to, ROWS, length=9999)),
    "half the JSON, without a length": (SELECT, StoreError, lambda to, _: reply(to, ROWS, length=None)),
    "rows without the closing brackets": (SELECT, StoreError, lambda to, _: reply(to, ROWS[:-1] + b"]")),
    "whole JSON, shorter than claimed": (SELECT, StoreError, lambda to, _: reply(to, WHOLE_ROWS, length=9999)),
    "whole JSON and more": (SELECT, StoreError, lambda to, _: reply(to, WHOLE_ROWS + b"{}")),
    "chunks that break off": (SELECT, StoreError, lambda to, _: chunked(to, ROWS, ends=False)),
    "chunks that break off after whole JSON": (SELECT, StoreError, lambda to, _: chunked(to, WHOLE_ROWS, ends=False)),
    "chunks that end in half the JSON": (SELECT, StoreError, lambda to, _: chunked(to, ROWS, ends=True)),
    "nothing": (SELECT, StoreError, lambda to, _: reply(to, b"")),
    "a boolean for rows": (SELECT, StoreError, lambda to, _: reply(to, b'{"head":{},"boolean":true}')),
    "a web page": (SELECT, StoreError, lambda to, _: reply(to, b"<html>", kind="text/html")),
    "compressed": (SELECT, StoreError, lambda to, _: reply(to, WHOLE_ROWS, Content_Encoding="gzip")),
    "lines, fewer than claimed": (CONSTRUCT, StoreError, lambda to, _: reply(to, LINES, kind=N_T, length=999)),
    "lines without a length": (CONSTRUCT, StoreError, lambda to, _: reply(to, LINES, kind=N_T, length=None)),
    "lines in chunks that break off": (CONSTRUCT, StoreError, lambda to, _: chunked(to, LINES, ends=False, kind=N_T)),
    "half a line": (CONSTRUCT, StoreError, lambda to, _: reply(to, LINES + b"<urn:a> <urn:", kind=N_T)),
    "an anytime answer": (SELECT, TooSlow, lambda to, _: reply(to, WHOLE_ROWS, X_SQL_State="S1TAT")),
    "a limit of rows": (SELECT, TooLarge, lambda to, _: reply(to, WHOLE_ROWS, X_SPARQL_MaxRows="50")),
    "401": (SELECT, StoreError, lambda to, _: reply(to, b"", status=401)),
    "403": (SELECT, StoreError, lambda to, _: reply(to, b"", status=403)),
    "404": (SELECT, StoreError, lambda to, _: reply(to, b"", status=404)),
    "400": (SELECT, Malformed, lambda to, _: reply(to, b"unknown function", status=400, kind="text/plain")),
    "408": (SELECT, TooSlow, lambda to, _: reply(to, b"", status=408)),
    "429": (SELECT, Busy, lambda to, _: reply(to, b"", status=429)),
    "500": (SELECT, StoreError, lambda to, _: reply(to, b"out of order", status=500, kind="text/plain")),
    "503": (SELECT, Busy, lambda to, _: reply(to, b"", status=503)),
    "503 at the deadline": (SELECT, TooSlow, lambda to, _: reply(to, b"Query timed out", status=503)),
    "504": (SELECT, TooSlow, lambda to, _: reply(to, b"", status=504)),
}


@pytest.mark.parametrize("name", MISBEHAVIOUR)
def test_an_engine_that_misbehaves_is_an_error_and_never_a_short_answer(name: str) -> None:
    text, expected, misbehave = MISBEHAVIOUR[name]
    with Peer(misbehave) as peer, pytest.raises(expected) as caught:
        World_of(Endpoint(peer.url)).ask(text, seconds=5)
    assert type(caught.value) is expected
    assert len(caught.value.detail) > 20 or name == "400"


def test_whole_answers_of_the_same_peer_are_taken() -> None:
    for good in (
        lambda to, _: reply(to, WHOLE_ROWS),
        lambda to, _: reply(to, WHOLE_ROWS, length=None),
        lambda to, _: chunked(to, WHOLE_ROWS, ends=True),
    ):
        with Peer(good) as peer:
            assert World_of(Endpoint(peer.url)).column(SELECT) == ["a"] * 50
    with Peer(lambda to, _: chunked(to, LINES, ends=True, kind=N_T)) as peer:
        answer = World_of(Endpoint(peer.url)).ask(CONSTRUCT, graph="n-triples")
        assert len(list(parse(answer, RdfFormat.N_TRIPLES))) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Peer(lambda to, _: reply(to, WHOLE_ROWS)) as other:
        with (
            Peer(lambda to, _: reply(to, b"", status=status, Location=other.url)) as peer,
            pytest.raises(StoreError, match="redirects to"),
        ):
            World_of(Endpoint(peer.url, credentials=Credentials("bearer", "secret"))).ask(SELECT)
        assert other.authorizations == []
        assert other.gets == 0


def drip(to: BaseHTTPRequestHandler, _: bytes) -> None:
    to.send_response(200)
    to.send_header("Content-Type", RESULTS)
    to.send_header("Content-Length", str(len(WHOLE_ROWS)))
    to.end_headers()
    for byte in WHOLE_ROWS:
        to.wfile.write(bytes([byte]))
        time.sleep(0.1)


def silent(_: BaseHTTPRequestHandler, __: bytes) -> None:
    time.sleep(6)


@pytest.mark.parametrize("misbehave", [drip, silent])
def test_an_engine_that_dawdles_is_left_at_the_deadline(misbehave: Any) -> None:
    with Peer(misbehave) as peer:
        started = time.monotonic()
        with pytest.raises(QueryStopped, match=r"longer than 0\.8 s"):
            World_of(Endpoint(peer.url)).ask(SELECT, seconds=0.8)
        assert time.monotonic() - started < 3


def test_an_endless_answer_ends_at_the_limit_of_bytes() -> None:
    def endless(to: BaseHTTPRequestHandler, _: bytes) -> None:
        to.send_response(200)
        to.send_header("Content-Type", RESULTS)
        to.end_headers()
        to.wfile.write(b'{"head":')
        while True:
            to.wfile.write(b" " * 60_000)

    async def work(reads: Reads) -> None:
        with pytest.raises(TooLarge):
            await reads.answer(Query(SELECT, seconds=20))

    with Peer(endless) as peer:
        World_of(Endpoint(peer.url)).run(work, max_bytes=100_000)


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        (None, None),
        (Credentials("bearer", "token"), "Bearer token"),
        (Credentials("basic", "pässword", "ann"), "Basic YW5uOnDDpHNzd29yZA=="),
    ],
)
def test_credentials_go_with_every_request(credentials: Credentials | None, header: str | None) -> None:
    with Peer(lambda to, _: reply(to, WHOLE_ROWS)) as peer:
        World_of(Endpoint(peer.url, credentials=credentials)).ask(SELECT)
        assert set(peer.authorizations) == {header}
    with pytest.raises(Malformed, match="known: basic, digest, bearer"):
        Credentials("kerberos", "x")


def test_the_parameters_of_the_url_stay() -> None:
    asked: list[bytes] = []

    def remember(to: BaseHTTPRequestHandler, body: bytes) -> None:
        asked.append(body)
        reply(to, WHOLE_ROWS)

    with Peer(remember) as peer:
        World_of(Endpoint(peer.url + "?tenant=a%20b")).ask(SELECT)
    assert b"tenant=a+b" in asked[0]


@pytest.mark.parametrize("arrives", [True, False])
def test_a_change_whose_answer_is_lost_is_found_out(servers: Callable[[str], Endpoint], arrives: bool) -> None:
    """The line breaks after, or before, the engine gets the update: the writer must know which it was."""
    real = servers("oxigraph")
    engines.empty(real)
    is_broken = False

    def forward(to: BaseHTTPRequestHandler, body: bytes) -> None:
        nonlocal is_broken
        loses = not is_broken and b'"lost"' in body
        if not loses or arrives:
            kind = {"Content-Type": to.headers["Content-Type"], "Accept": to.headers["Accept"]}
            url = real.query if "form" in kind["Content-Type"] else real.update
            answer = httpx.post(str(url), content=body, headers=kind, trust_env=False)
        if loses:
            is_broken = True
            to.close_connection = True
            return
        reply(to, answer.content, status=answer.status_code, kind=answer.headers.get("content-type", ""))

    with Peer(forward, is_polite=False) as peer:
        store = RemoteStore(Endpoint(peer.url, peer.url))
        store.apply(adding(quad("a", "kept")))
        if arrives:
            assert store.apply(adding(quad("a", "lost"))) == 2
            assert values(store) == ["kept", "lost"]
        else:
            with pytest.raises(StoreError, match="cannot be reached"):
                store.apply(adding(quad("a", "lost")))
            assert values(store) == ["kept"]
            assert store.generation == 2, "the revision moved on, so that the lost request can do nothing any more"
            assert store.apply(adding(quad("a", "lost"))) == 3
        assert is_broken


def test_an_engine_without_isolation_is_found_out() -> None:
    both = b'{"head":{"vars":["writer"]},"results":{"bindings":[%s]}}'

    def answer(to: BaseHTTPRequestHandler, body: bytes) -> None:
        if b"%3Fwriter" in body:
            rows = b",".join(b'{"writer":{"type":"literal","value":"%s"}}' % w for w in (b"someone else", *writers))
            reply(to, both % rows)
        elif b"query=" in body:
            number = b'{"n":{"type":"literal","value":"3"}}' if b"%3Fn" in body else b""
            reply(to, b'{"head":{"vars":["n"]},"results":{"bindings":[%s]}}' % number)
        else:
            writers.append(body.partition(b'identifier> "')[2].partition(b'"')[0])
            reply(to, b"", status=204)

    writers: list[bytes] = []
    with Peer(answer, is_polite=False) as peer:
        store = RemoteStore(Endpoint(peer.url, peer.url, dialect=STANDARD))
        writers.clear()
        with pytest.raises(StoreError, match="must be isolated"):
            store.apply(adding(quad("a", 1)))


def test_the_stand_in_for_the_default_graph_is_not_seen(servers: Callable[[str], Endpoint]) -> None:
    """Any engine can be used with the stand-in; its own default graph stays empty then."""
    endpoint = replace(servers("fuseki"), dialect=replace(VIRTUOSO, prologue="", timeout_units=None))
    engines.empty(replace(endpoint, dialect=STANDARD))
    store = RemoteStore(endpoint)
    store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h")))
    assert values(store) == ["1"]
    assert [g.value for g in store.named_graphs()] == ["urn:g", "urn:h"]
    assert STAND_IN not in {q.graph_name for q in store.quads()}
    reader = World_of(endpoint)
    assert reader.column("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }") == ["1"]
    assert reader.column("SELECT ?g { GRAPH ?g { ?s ?p ?o } }") == ["urn:g", "urn:h"]
    assert World_of(replace(endpoint, dialect=STANDARD)).column("SELECT ?s { ?s ?p ?o }") == []
