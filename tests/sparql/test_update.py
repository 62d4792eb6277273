"""Updates become changes: the engine's own update of a copy is the oracle."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    RdfFormat,
    Store,
    parse,
)

from kg_service.errors import KgError, Malformed, Refused
from kg_service.sparql.update import to_delta
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore

E = "http://e/"
SHARED = Path(os.environ.get("KG_SHARED") or Path(__file__).parents[2].parent / "shared")
SUITE = SHARED / "suites" / "sparql11"


def iri(name: str) -> NamedNode:
    return NamedNode(E + name)


def quad(subject: str, predicate: str, value: object, graph: str | None = None) -> Quad:
    term = Literal(value) if isinstance(value, int) else iri(str(value))
    return Quad(iri(subject), iri(predicate), term, iri(graph) if graph else DefaultGraph())


def store_of(quads: Iterable[Quad] | str) -> Store:
    """A store with these quads, or with what INSERT DATA makes of a text."""
    store = Store()
    if isinstance(quads, str):
        store.update(f"INSERT DATA {{ {quads} }}", base_iri=E)
    else:
        store.extend(quads)
    return store


class Scratch:
    """Copies of a store; counts how many were asked for and not given back."""

    def __init__(self, store: Store) -> None:
        self.store, self.asked, self.open = store, 0, 0

    @contextmanager
    def __call__(self) -> Iterator[Store]:
        self.asked, self.open = self.asked + 1, self.open + 1
        try:
            yield store_of(self.store)
        finally:
            self.open -= 1


def delta_of(store: Store | str, text: str, *, union: bool = False, **more: Any) -> Delta:
    """The change; the store must not be touched by it, and every scratch copy must have been given back."""
    store = store_of(store) if isinstance(store, str) else store
    before, scratch = set(store), Scratch(store)
    try:
        return to_delta(store, text, base=E, union=union, scratch=scratch, **more)
    finally:
        assert set(store) == before
        assert scratch.open == 0


def after(store: Store, delta: Delta) -> set[Quad]:
    assert not delta.added & delta.removed
    return (set(store) - delta.removed) | delta.added


def same(one: Iterable[Quad], other: Iterable[Quad]) -> bool:
    """Whether two datasets are equal but for the names of blank nodes."""
    datasets = Dataset(one), Dataset(other)
    for dataset in datasets:
        dataset.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
    return set(datasets[0]) == set(datasets[1])


def assert_as_the_engine(data: str, text: str) -> None:
    store = store_of(data)
    oracle = store_of(store)
    oracle.update(text, base_iri=E)
    found = after(store, delta_of(store, text))
    assert same(found, oracle), f"{sorted(map(str, found))}\n{sorted(map(str, oracle))}"


DATA = """<a> <p> 1, 2 ; <q> <b> . <b> <p> 2 . _:x <p> <a> .
          GRAPH <g> { <a> <p> 1, 3 } GRAPH <h> { <a> <p> 3 . <c> <q> <d> }"""


# --- one operation


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { <x> <p> 1, 'a' ; a <C> . GRAPH <g> { <x> <p> _:b . _:b <q> [ <r> (1 2 _:b) ] } }",
        "DELETE DATA { <a> <p> 1 . <a> <p> 99 . GRAPH <g> { <a> <p> 3 } }",
        "DELETE WHERE { <a> ?p ?o }",
        "DELETE WHERE { GRAPH ?g { ?s <p> 3 } }",
        "DELETE WHERE # { ; }\n { GRAPH <g> { ?s ?p ?o } ?s <q> <b> }",
        "DELETE { ?s ?p ?o } WHERE { ?s ?p ?o FILTER(isLiteral(?o)) }",
        "DELETE { ?s <p> ?o } INSERT { ?s <p2> ?o . GRAPH <old> { ?s <p> ?o } } WHERE { ?s <p> ?o }",
        "INSERT { GRAPH ?g { ?s <seen> true } } WHERE { GRAPH ?g { ?s ?p ?o } }",
        "INSERT { ?o <inverse> ?s } WHERE { ?s ?p ?o }",
        "INSERT { ?s ?o ?s } WHERE { ?s ?p ?o }",
        "INSERT { GRAPH ?o { ?s ?p ?o } } WHERE { ?s ?p ?o }",
        "INSERT { ?s <p> ?missing . ?s <is> true } WHERE { ?s ?p ?o }",
        "DELETE { ?s <p> ?missing . ?s ?p ?o } WHERE { ?s ?p ?o OPTIONAL { ?s <r> ?missing } }",
        "INSERT { <x> <p> [ <of> ?s ; <l> (?o [] ?o) ] . GRAPH <g> { _:n <of> ?s } <x> <p> _:n } WHERE { ?s <p> ?o }",
        "INSERT { ?s a ?o . ?s <made> 'by } ; INSERT {' } WHERE { ?s <q> ?o # } ; DROP ALL\n }",
        "INSERT { <x> <n> ?n } WHERE { SELECT (COUNT(*) AS ?n) { ?s ?p ?o } }",
        "INSERT { [] <p> 1 } WHERE { ?s ?p ?o }",
        "INSERT { <x> <p> 1 } WHERE { FILTER(false) }",
        "INSERT { $s <copy> $o } WHERE { ?s ?p ?o }",
        "INSERT { <x> <p> ?l } WHERE { BIND('04.50'^^<http://www.w3.org/2001/XMLSchema#decimal> AS ?l) }",
        "DELETE { ?s ?p 01 } WHERE { ?s ?p ?o }",
        "insert{?s a ?o}where{?s<q>?o}",
        "DeLeTe { ?s ?p ?o } iNsErT { ?s ?p 7 } wHeRe { ?s ?p ?o }",
        "INSERT {} WHERE {}",
        "DELETE {} INSERT {} WHERE { ?s ?p ?o }",
        "INSERT { <x> <p> <<( ?s ?p <<( ?s ?p ?o )>> )>> } WHERE { ?s ?p ?o }",
        "INSERT { << ?s ?p ?o >> <certainty> 1 } WHERE { ?s ?p ?o }",
        "INSERT { ?s ?p ?o {| <source> ?g |} } WHERE { GRAPH ?g { ?s ?p ?o } }",
        "WITH <g> DELETE { ?s ?p ?o } INSERT { ?s ?p 5 . GRAPH <h> { ?s ?p 6 } } WHERE { ?s ?p ?o }",
        "WITH <g> DELETE { ?s ?p ?o } WHERE { GRAPH <h> { ?s ?p ?o } }",
        "WITH <g> DELETE { ?s ?p ?o } USING <h> WHERE { ?s ?p ?o }",
        "WITH <none> INSERT { ?s ?p 5 } WHERE { ?s ?p ?o }",
        "DELETE { GRAPH <h> { ?s ?p ?o } } USING <g> WHERE { ?s ?p ?o }",
        "INSERT { ?s <x> ?o } USING <g> USING <h> WHERE { ?s ?p ?o }",
        "INSERT { ?s <x> ?o } USING <g> WHERE { GRAPH ?any { ?s ?p ?o } }",
        "INSERT { ?s <x> ?o } USING # NAMED\n NAMED <g> WHERE { GRAPH ?any { ?s ?p ?o } }",
        "INSERT { ?s <x> ?o } USING NAMED <g> WHERE { ?s ?p ?o }",
        "INSERT { ?s <x> ?t } USING <g> USING NAMED <h> WHERE { ?s ?p ?o . GRAPH ?any { ?s ?p ?t } }",
        "PREFIX e: <http://e/> PREFIX : <http://e/> WITH e:g DELETE { ?s e:p ?o } INSERT { GRAPH :h { ?s :p ?o } } "
        "USING NAMED :g WHERE { GRAPH e:g { ?s ?p ?o } }",
        "BASE <http://e/> INSERT DATA { <x> <y> <z> }",
        "CLEAR GRAPH <g>",
        "CLEAR SILENT GRAPH <none>",
        "CLEAR DEFAULT",
        "CLEAR NAMED",
        "CLEAR ALL",
        "DROP GRAPH <g> # }",
        "drop default",
        "DROP NAMED",
        "DROP ALL",
        "CREATE GRAPH <new>",
        "CREATE SILENT GRAPH <g>",
        "PREFIX e: <http://e/> COPY e:g TO GRAPH e:h",
        "COPY GRAPH <g> TO <new>",
        "COPY DEFAULT TO <g>",
        "COPY <g> TO DEFAULT",
        "COPY <g> TO <g>",
        "COPY DEFAULT TO DEFAULT",
        "MOVE <g> TO <h>",
        "MOVE DEFAULT TO <g>",
        "MOVE <g> TO DEFAULT",
        "MOVE SILENT GRAPH <g> TO GRAPH <g>",
        "ADD <g> TO <h>",
        "ADD DEFAULT TO <h>",
        "ADD <g> TO DEFAULT",
        "INSERT DATA {}",
        "# nothing",
    ],
)
def test_one_operation_changes_what_the_engine_changes(text: str) -> None:
    assert_as_the_engine(DATA, text)


def test_a_where_clause_is_evaluated_once_for_all_templates() -> None:
    text = """DELETE { ?s <p> ?o }
              INSERT { ?s <key> ?u . GRAPH <log> { _:n <key> ?u ; <r> ?r . } ?s <log> _:n ; <r> ?r }
              WHERE { ?s <p> ?o BIND(UUID() AS ?u) BIND(RAND() AS ?r) }"""
    delta = delta_of(DATA, text)
    of_graph = {
        graph: {(q.predicate.value, str(q.object)) for q in delta.added if q.graph_name == graph}
        for graph in (DefaultGraph(), iri("log"))
    }
    logged = {pair for pair in of_graph[iri("log")] if pair[0] in (E + "key", E + "r")}
    assert len(logged) == 8
    assert logged < of_graph[DefaultGraph()]
    nodes = {q.object for q in delta.added if q.predicate == iri("log")}
    assert nodes == {q.subject for q in delta.added if q.graph_name == iri("log")}
    assert all(isinstance(node, BlankNode) for node in nodes)
    assert len(nodes) == 4


def test_several_using_graphs_are_their_merge() -> None:
    text = "INSERT { <x> <n> ?n } USING <g> USING <h> WHERE { SELECT (COUNT(*) AS ?n) { ?s ?p ?o } }"
    assert delta_of(DATA, text).added == {quad("x", "n", 3)}
    text = "INSERT { [] <of> ?o } USING <g> USING <h> WHERE { <a> <p> ?o }"
    assert len(delta_of(DATA, text).added) == 2


def test_the_protocols_graphs_apply_to_every_operation() -> None:
    text = "INSERT { <x> <sees> ?o } WHERE { ?s <p> ?o } ; DELETE WHERE { <a> <p> ?o } ; DELETE DATA { <a> <q> <b> }"
    delta = delta_of(DATA, text, using=(E + "g",))
    assert delta.added == {quad("x", "sees", 1), quad("x", "sees", 3)}
    assert delta.removed == {quad("a", "p", 1), quad("a", "q", "b")}
    text = "INSERT { <x> <sees> ?o } WHERE { ?s <p> ?o } ; INSERT { <x> <in> ?g } WHERE { GRAPH ?g { ?s ?p ?o } }"
    delta = delta_of(DATA, text, using_named=(E + "h",))
    assert delta.added == {quad("x", "in", "h")}


# --- a request about one graph


@pytest.mark.parametrize("union", [False, True])
@pytest.mark.parametrize(
    ("text", "added", "removed"),
    [
        ("INSERT DATA { <a> <p> 9 }", [("a", "p", 9)], []),
        ("INSERT DATA { GRAPH <g> { <a> <p> 9 } <a> <p> 1 }", [("a", "p", 9)], []),
        ("DELETE DATA { <a> <p> 1 . <a> <p> 2 }", [], [("a", "p", 1)]),
        ("DELETE WHERE { ?s <p> ?o }", [], [("a", "p", 1), ("a", "p", 3)]),
        ("DELETE { ?s <p> 3 } INSERT { ?s <n> 3 } WHERE { ?s <p> 3 }", [("a", "n", 3)], [("a", "p", 3)]),
        ("INSERT { ?s <q> ?o } WHERE { GRAPH <h> { ?s <q> ?o } }", [("c", "q", "d")], []),
        ("INSERT { ?s <q> ?o } USING <h> WHERE { ?s <q> ?o }", [("c", "q", "d")], []),
        ("WITH <g> DELETE { ?s <p> 3 } WHERE { ?s <p> 3 }", [], [("a", "p", 3)]),
        ("CLEAR DEFAULT", [], [("a", "p", 1), ("a", "p", 3)]),
        ("DROP GRAPH <g> ; INSERT DATA { <x> <p> 1 }", [("x", "p", 1)], [("a", "p", 1), ("a", "p", 3)]),
        ("INSERT DATA { <x> <p> 1 } ; INSERT { ?s <p> 2 } WHERE { ?s <p> 1 } ; DELETE DATA { <x> <p> 1 }",
         [("a", "p", 2), ("x", "p", 2)], []),
        ("ADD <h> TO DEFAULT", [("c", "q", "d")], []),
        ("LOAD SILENT <http://127.0.0.1:9/>", [], []),
    ],
)  # fmt: skip
def test_a_request_about_a_graph_takes_it_for_the_default_graph(
    text: str, added: list[tuple[str, str, object]], removed: list[tuple[str, str, object]], union: bool
) -> None:
    store = store_of(DATA)
    if union:
        store.extend([Quad(q.subject, q.predicate, q.object, DefaultGraph()) for q in store])
    delta = delta_of(store, text, union=union, only=iri("g"))
    assert delta.added == {quad(*triple, graph="g") for triple in added}
    assert delta.removed == {quad(*triple, graph="g") for triple in removed}


@pytest.mark.parametrize("only", [iri("g"), DefaultGraph()])
@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { <a> <p> 9 } ;\n  INSERT DATA { GRAPH <h> { <a> <p> 9 } }",
        "CLEAR SILENT GRAPH <none> ;\n  DELETE WHERE { GRAPH ?g { <c> ?p ?o } }",
        "INSERT DATA {} ;\n  WITH <h> DELETE { ?s ?p ?o } WHERE { ?s ?p ?o }",
        "INSERT DATA {} ;\n  CLEAR ALL",
        "INSERT DATA {} ;\n  DROP NAMED",
        "INSERT DATA {} ;\n  COPY DEFAULT TO <new>",
        "INSERT DATA {} ;\n  MOVE <h> TO DEFAULT",
    ],
)
def test_a_request_about_a_graph_may_change_no_other(text: str, only: NamedNode | DefaultGraph) -> None:
    with pytest.raises(Refused, match="alone") as caught:
        delta_of(DATA, text, only=only)
    assert caught.value.more == {"line": 2, "column": 3}


@pytest.mark.parametrize("clause", ["WITH <g> DELETE {}", "DELETE {} USING <g>", "DELETE {} USING NAMED <g>"])
def test_the_protocols_graphs_and_clauses_of_the_text_exclude_each_other(clause: str) -> None:
    text = f"INSERT DATA {{ <x> <y> <z> }} ;\n {clause} WHERE {{}}"
    for parameter in ("using", "using_named"):
        more: dict[str, Any] = {parameter: (E + "g",)}
        with pytest.raises(Malformed, match="using-graph-uri") as caught:
            delta_of(DATA, text, **more)
        assert caught.value.more["line"] == 2
    assert len(delta_of(DATA, text)) == 1


# --- several operations


@pytest.mark.parametrize(
    "text",
    [
        "INSERT DATA { <x> <p> 1 } ; DELETE DATA { <x> <p> 1 }",
        "DELETE DATA { <a> <p> 1 } ; INSERT DATA { <a> <p> 1 } ;",
        "DELETE WHERE { ?s ?p ?o } ; INSERT { <n> <is> ?n } WHERE { SELECT (COUNT(*) AS ?n) { ?s ?p ?o } }",
        "INSERT { ?s <p2> ?o } WHERE { ?s <p> ?o } ; INSERT { ?s <p3> ?o } WHERE { ?s <p2> ?o } ; "
        "DELETE WHERE { ?s <p2> ?o }",
        "INSERT DATA { GRAPH <n> { <x> <p> _:b } } ; COPY <n> TO <m> ; DROP GRAPH <n> ; ADD <m> TO DEFAULT",
        "CLEAR ALL ; INSERT DATA { <x> <p> 1 } ; INSERT { GRAPH <all> { ?s ?p ?o } } WHERE { ?s ?p ?o }",
        "MOVE <g> TO <h> ; MOVE <h> TO <g>",
        "INSERT DATA { <x> <p> '; DROP ALL ; {' } # ; {\n ; DELETE { ?s ?p ?o } WHERE { ?s ?p ?o . FILTER(?o = '}') }",
        "DELETE WHERE { GRAPH <g> { ?s ?p ?o } } ; INSERT { <n> <graph> ?g } WHERE { GRAPH ?g { ?s ?p ?o } }",
    ],
)
def test_operations_see_those_before_them(text: str) -> None:
    assert_as_the_engine(DATA, text)


def test_what_comes_and_goes_again_is_no_change() -> None:
    assert delta_of(DATA, "INSERT DATA { <x> <p> 1 } ; DELETE DATA { <x> <p> 1 }") == Delta()
    assert delta_of(DATA, "DELETE DATA { <a> <p> 1 } ; INSERT DATA { <a> <p> 01 }") == Delta()
    assert delta_of(DATA, "CLEAR ALL ; INSERT DATA { <a> <p> 1 }").added == frozenset()
    assert delta_of(DATA, "INSERT DATA { <a> <p> 1 } ; DELETE DATA { <a> <p> 77 }") == Delta()


def test_declarations_come_between_operations_and_add_up() -> None:
    text = """PREFIX p: <http://one/> INSERT DATA { p:s p:p p:o } ;
              BASE <http://two/> PREFIX q: <r#> INSERT DATA { p:s q:p <o> } ; # ; PREFIX p: <http://no/>
              PREFIX p: <http://three/> INSERT DATA { p:s q:p <o> } ; BASE <x/>"""
    written = {" ".join(str(term) for term in q.triple) for q in delta_of("", text).added}
    assert written == {
        "<http://one/s> <http://one/p> <http://one/o>",
        "<http://one/s> <http://two/r#p> <http://two/o>",
        "<http://three/s> <http://two/r#p> <http://two/o>",
    }
    assert delta_of("", "PREFIX e: <http://e/>") == Delta()


def test_a_graph_that_an_operation_emptied_is_gone_for_the_next() -> None:
    text = (
        "DELETE WHERE { GRAPH <g> { ?s ?p ?o } } ; INSERT { <n> <graph> ?g } WHERE { GRAPH ?g {} } ; CREATE GRAPH <g>"
    )
    assert delta_of(DATA, text).added == {quad("n", "graph", "h")}


def test_a_scratch_copy_is_made_once_and_only_if_needed() -> None:
    for text, expected in (
        ("DELETE WHERE { ?s ?p ?o }", 0),
        ("DELETE DATA { <no> <p> 1 } ; CLEAR GRAPH <none> ; CLEAR ALL", 0),
        ("INSERT DATA { <x> <p> 1 } ; INSERT DATA { <x> <p> 2 } ; INSERT DATA { <x> <p> 3 }", 1),
    ):
        store = store_of(DATA)
        scratch = Scratch(store)
        to_delta(store, text, base=E, union=False, scratch=scratch)
        assert scratch.asked == expected


def test_an_error_in_a_later_operation_is_an_error_of_all() -> None:
    for text in ("DROP ALL ; CREATE GRAPH <a> ; INSERT DATA { GRAPH <b> { <x> <p> 1 } } ; CREATE GRAPH <b>",):
        with pytest.raises(Refused, match="exists already"):
            delta_of(DATA, text)


# --- graphs that are not there


def test_a_store_without_empty_graphs_has_no_error_for_clearing_an_unknown_one() -> None:
    for verb in ("CLEAR", "DROP", "CLEAR SILENT", "DROP SILENT"):
        assert delta_of(DATA, f"{verb} GRAPH <none>") == Delta()
    for text in ("CREATE GRAPH <new>", "CREATE GRAPH <new> ; CREATE GRAPH <new>", "CREATE SILENT GRAPH <g>"):
        assert delta_of(DATA, text) == Delta()


def test_an_unknown_source_empties_nothing() -> None:
    for verb in ("COPY", "MOVE", "ADD"):
        with pytest.raises(Refused, match=f"{verb}: there is no graph <http://e/gg>") as caught:
            delta_of(DATA, f"DROP GRAPH <h> ;\n  {verb} <gg> TO <g>")
        assert caught.value.more == {"line": 2, "column": 3}
        assert delta_of(DATA, f"{verb} SILENT <gg> TO <g>") == Delta()
    with pytest.raises(Refused, match="exists already"):
        delta_of(DATA, "CREATE GRAPH <g>")
    assert delta_of("GRAPH <g> { <a> <p> 1 }", "COPY DEFAULT TO <g>").removed == {quad("a", "p", 1, "g")}


def test_a_blank_node_names_no_graph() -> None:
    text = "INSERT { GRAPH ?b { <x> <p> 1 } <x> <p> 2 } WHERE { BIND(BNODE() AS ?b) }"
    assert delta_of("", text).added == {quad("x", "p", 2)}


# --- what is not accepted


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("INSERT DATA { <a> <b> }", 1, 23),
        ("INSERT DATA {\n <a> <b> 1 .\n <a> 'é' }", 3, 6),
        ("PREFIX e: <http://e/>\nINSERT DATA { e:a\n e:b }", 3, 6),
        ("INSERT DATA {} ;\nINSERT DATA { <a> <b> }", 2, 23),
        ("INSERT DATA {} ;\n\nPREFIX e: <http://e/>\n INSERT DATA { e:a\n  e:b }", 5, 7),
        ("INSERT DATA {} ; PREFIX f: <x>\n;\nDROP ALL", 3, None),
        ("INSERT DATA {} ;\nPREFIX f <x> DROP ALL", 2, 9),
        ("INSERT DATA {} ; ; DROP ALL", 1, None),
        (";", 1, 1),
        ("INSERT DATA { <a> <b> 1 }}", 1, 26),
        ("INSERT DATA { GRAPH ?g { <a> <b> 1 } }", 1, None),
        ("DELETE { _:b <p> 1 } WHERE {}", 1, None),
        ("DELETE WHERE { _:b <p> 1 }", 1, None),
        ("INSERT { ?s ?p ?o }", 1, None),
        ("INSERT { ?s ?p ?x } WHERE { BIND(1 AS ?x) BIND(2 AS ?x) }", 1, None),
        ("INSERT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 1", 1, None),
        ("SELECT * WHERE { ?s ?p ?o }", 1, None),
        ("INSERT DATA { <a> un:known 1 }", 1, None),
        ("INSERT DATA { <a> <b> 'x }", 1, None),
    ],
)
def test_a_syntax_error_is_told_with_its_place_in_the_request(text: str, line: int, column: int | None) -> None:
    with pytest.raises(Malformed) as caught:
        delta_of(DATA, text)
    assert caught.value.more["line"] == line
    if column is not None:
        # the engine names the end of what it could read, at most one token on
        assert column <= caught.value.more["column"] <= column + 2


@pytest.fixture
def listening() -> Iterator[tuple[str, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/", server


@pytest.mark.parametrize(
    "text",
    [
        "LOAD <{}>",
        "LOAD <{}> INTO GRAPH <g>",
        "LOAD SILENT <{0}> ; LOAD <{0}>",
        "INSERT DATA {{ <x> <p> 1 }} ; load <{}>",
        "PREFIX e: <http://e/> INSERT DATA {{}} ; PREFIX f: <{}> LOAD f:",
        # hidden from a lexer that takes an escape for the end of an IRI
        "INSERT DATA {{ <a\\u0041'> <b> <c> }} ; LOAD <{}> ; INSERT DATA {{ <x> <y> 'z' }}",
        "INSERT DATA {{ <a'\\u0041> <b> <c> }} ; LOAD <{}> ; INSERT DATA {{ <x> <y> 'z' }}",
        "PREFIX e: <a'\\u0041> LOAD <{}> ; PREFIX f: <b'> INSERT DATA {{}}",
        "PREFIX e: <a'\\u0041> LOAD <{}> ; INSERT DATA {{ <x> <y> 'z' }} ; #'",
        "CLEAR GRAPH <a'\\u0041> ; LOAD <{}> ; CLEAR GRAPH <b'>",
        "INSERT {{ <x> <p> 1 }} WHERE {{ FILTER(1<'x>') }} ; LOAD <{}> ; INSERT {{}} WHERE {{ FILTER(1<'x>') }}",
        "INSERT {{}} WHERE {{ FILTER(1<?x#>'''\n) }} ; LOAD <{}> #'''\n",
        "INSERT {{}} WHERE {{ FILTER(1<'x>{{') }} ; LOAD <{}> ; INSERT {{}} WHERE {{ FILTER(1<'x>}}') }}",
    ],
)
def test_nothing_is_ever_loaded(text: str, listening: tuple[str, socket.socket]) -> None:
    url, server = listening
    with pytest.raises((Refused, Malformed)):
        delta_of(DATA, text.format(url))
    with pytest.raises(BlockingIOError):
        server.accept()


@pytest.mark.parametrize(
    "text",
    ["LOAD SILENT <{}>", "load silent <{}> into graph <g>", "PREFIX e: <{}> LOAD SILENT e:x INTO GRAPH e:g"],
)
def test_load_silent_succeeds_and_changes_nothing(text: str, listening: tuple[str, socket.socket]) -> None:
    url, server = listening
    assert len(delta_of(DATA, text.format(url))) == 0
    both = delta_of(DATA, f"{text.format(url)} ; INSERT DATA {{ <x> <p> 1 }} ; {text.format(url)}")
    assert both == Delta(added=frozenset([quad("x", "p", 1)]))
    with pytest.raises(BlockingIOError):
        server.accept()


def test_load_is_refused_before_anything_is_evaluated() -> None:
    with pytest.raises(Refused, match="LOAD") as caught:
        delta_of(DATA, "CREATE GRAPH <g> ;\n LOAD <http://127.0.0.1:9/>")
    assert caught.value.more == {"line": 2, "column": 2}


@pytest.mark.parametrize(
    "text",
    [
        "INSERT { <x> <p> 1 } WHERE { FILTER(1<'x>{') }",
        "INSERT { <x> <p> 1 } WHERE { FILTER(1<'x>}') }",
        "INSERT { <x> <p> 1 } WHERE { FILTER(1<'x>}') } ; DROP ALL ; INSERT {} WHERE { FILTER('{'>'x') }",
        "INSERT { <a\\u0041'> <p> '?o' . ?s <p> 'b' } WHERE { ?s <p> ?o }",
        "INSERT { <a\\u0041'> <p> '?o' } WHERE { ?s <p> ?o }",
        "INSERT { <a?o\\u0041> <p> 1 } WHERE { ?s <p> ?o }",
        "INSERT { <x> ?e\u0301 1 } WHERE { ?s ?e\u0301 ?o }",
        "INSERT { ?s <p> 1 } WHERE { ?s <p> ?o FILTER(?o<?p&&(2>?o)) }",
        "PREFIX a\u00b7b: <http://e/> CLEAR GRAPH a\u00b7b:g\u00b7h",
        "ADD DEFAULTTO <https://w3id.org/e/h>",
        "MOVE SILENT DEFAULTTO DEFAULT ; COPY GRAPH <a>TO<b>",
    ],
)
def test_what_lexer_and_engine_could_read_differently_is_right_or_an_error(text: str) -> None:
    try:
        assert_as_the_engine(DATA, text)
    except Malformed:
        return
    except RuntimeError as error:
        assert "does not exist" in str(error)  # noqa: PT017  (CLEAR of an unknown graph)


# --- size


def test_twenty_thousand_triples_are_read_quickly() -> None:
    lines = "\n".join(f"<s{n}> <p> 'v {n} ; }}' ; <q> {n} ." for n in range(10_000))
    store = store_of("")
    began = time.perf_counter()
    delta = delta_of(store, f"INSERT DATA {{ GRAPH <g> {{ {lines} }} }}")
    assert len(delta.added) == 20_000
    store.extend(delta.added)
    delta = delta_of(store, "DELETE { GRAPH <g> { ?s ?p ?o } } INSERT { ?s ?p ?o } WHERE { GRAPH <g> { ?s ?p ?o } }")
    assert len(delta) == 40_000
    assert time.perf_counter() - began < 10


def test_many_operations_and_long_chains_need_no_deep_stack() -> None:
    assert len(delta_of("", ";".join(f"INSERT DATA {{ <s{n}> <p> 1 }}" for n in range(2_000)))) == 2_000
    depth = 60
    term = "<<( <a> <p> " * depth + "?o" + " )>>" * depth
    assert_as_the_engine(DATA, f"INSERT {{ <x> <p> {term} }} WHERE {{ <a> <p> ?o }}")


# --- the union default graph


UNION = "<only> <p> 1 . <a> <p> 1, 2 . <b> <p> 2 . GRAPH <g> { <a> <p> 1, 2 } GRAPH <h> { <a> <p> 1 . <b> <p> 2 }"


def named(quads: Iterable[Quad]) -> set[Quad]:
    return {q for q in quads if isinstance(q.graph_name, NamedNode)}


def lowered(quads: Iterable[Quad]) -> set[Quad]:
    return {Quad(q.subject, q.predicate, q.object) for q in quads}


def after_union(store: Store, delta: Delta) -> set[Quad]:
    """What the contract of `GraphStore` makes of a change, written down naively."""
    before, graphs = set(store), (named(store) - delta.removed) | named(delta.added)
    default = (before - named(before)) - delta.removed
    default -= lowered(named(delta.removed)) - lowered(graphs)
    return graphs | lowered(graphs) | default | (delta.added - named(delta.added))


def assert_union(text: str, *, removed: str = "", added: str = "", data: str = UNION) -> None:
    """The state after the change is the one before it, without and with these quads."""
    store = store_of(data)
    found = after_union(store, delta_of(store, text, union=True))
    assert found == (set(store) - set(store_of(removed))) | set(store_of(added))
    assert lowered(named(found)) <= found


@pytest.mark.parametrize(
    ("text", "removed", "added"),
    [
        ("DELETE DATA { <a> <p> 1 }", "<a> <p> 1 . GRAPH <g> { <a> <p> 1 } GRAPH <h> { <a> <p> 1 }", ""),
        ("DELETE WHERE { <a> <p> 2 }", "<a> <p> 2 . GRAPH <g> { <a> <p> 2 }", ""),
        ("DELETE DATA { GRAPH <g> { <a> <p> 1 } }", "GRAPH <g> { <a> <p> 1 }", ""),
        ("DELETE DATA { GRAPH <g> { <a> <p> 2 } }", "<a> <p> 2 . GRAPH <g> { <a> <p> 2 }", ""),
        ("DELETE DATA { <only> <p> 1 }", "<only> <p> 1", ""),
        ("INSERT DATA { <n> <p> 1 }", "", "<n> <p> 1"),
        ("INSERT DATA { GRAPH <g> { <n> <p> 1 } }", "", "<n> <p> 1 . GRAPH <g> { <n> <p> 1 }"),
        ("INSERT DATA { GRAPH <g> { <only> <p> 1 } }", "", "GRAPH <g> { <only> <p> 1 }"),
        ("CLEAR DEFAULT", "<only> <p> 1", ""),
        ("DROP DEFAULT", "<only> <p> 1", ""),
        ("CLEAR ALL", UNION, ""),
        ("DROP ALL", UNION, ""),
        ("CLEAR NAMED", UNION, "<only> <p> 1"),
        ("CLEAR GRAPH <g>", "<a> <p> 2 . GRAPH <g> { <a> <p> 1, 2 }", ""),
        ("DROP GRAPH <g> ; DROP GRAPH <h>", UNION, "<only> <p> 1"),
        ("COPY DEFAULT TO <g>", "", "GRAPH <g> { <only> <p> 1 . <a> <p> 1, 2 . <b> <p> 2 }"),
        ("MOVE DEFAULT TO <g>", "", "GRAPH <g> { <only> <p> 1 . <a> <p> 1, 2 . <b> <p> 2 }"),
        ("COPY <g> TO DEFAULT", "<only> <p> 1", ""),
        ("ADD <g> TO DEFAULT", "", ""),
        ("MOVE <g> TO DEFAULT", "<only> <p> 1 . GRAPH <g> { <a> <p> 1, 2 }", ""),
        ("MOVE <h> TO <g>", "<a> <p> 2 . GRAPH <h> { <a> <p> 1 . <b> <p> 2 } GRAPH <g> { <a> <p> 2 }",
         "GRAPH <g> { <b> <p> 2 }"),
        # replacing a triple by itself leaves it where it is
        ("DELETE { ?s ?p ?o } INSERT { ?s ?p ?o } WHERE { ?s ?p ?o }", "", ""),
        # from the default graph into one: it leaves the others
        (
            "DELETE { ?s ?p ?o } INSERT { GRAPH <g> { ?s ?p ?o } } WHERE { ?s ?p ?o }",
            "GRAPH <h> { <a> <p> 1 . <b> <p> 2 }",
            "GRAPH <g> { <only> <p> 1 . <b> <p> 2 }",
        ),
        # from a graph into the default graph: there it stays
        (
            "DELETE { GRAPH <g> { ?s ?p ?o } } INSERT { ?s ?p ?o } WHERE { GRAPH <g> { ?s ?p ?o } }",
            "GRAPH <g> { <a> <p> 1, 2 }",
            "",
        ),
        ("WITH <h> DELETE { ?s ?p 2 } INSERT { ?s ?p 3 } WHERE { ?s ?p 2 }",
         "<b> <p> 2 . GRAPH <h> { <b> <p> 2 }", "<b> <p> 3 . GRAPH <h> { <b> <p> 3 }"),
        ("INSERT DATA { GRAPH <n> { <n> <p> 1 } } ; DELETE DATA { <n> <p> 1 }", "", ""),
        ("INSERT DATA { GRAPH <n> { <n> <p> 1 } } ; DELETE DATA { GRAPH <n> { <n> <p> 1 } }", "", ""),
        ("DELETE DATA { <b> <p> 2 } ; INSERT DATA { <b> <p> 2 }", "GRAPH <h> { <b> <p> 2 }", ""),
        ("DELETE DATA { GRAPH <h> { <b> <p> 2 } } ; INSERT DATA { GRAPH <n> { <b> <p> 2 } }",
         "GRAPH <h> { <b> <p> 2 }", "GRAPH <n> { <b> <p> 2 }"),
        ("DELETE DATA { GRAPH <g> { <a> <p> 2 } } ; INSERT { <n> <has> ?o } WHERE { <a> <p> ?o }",
         "<a> <p> 2 . GRAPH <g> { <a> <p> 2 }", "<n> <has> 1"),
        ("INSERT DATA { GRAPH <n> { <n> <p> 1 } } ; INSERT { <seen> <p> ?s } WHERE { ?s <p> 1 FILTER(?s = <n>) }",
         "", "<n> <p> 1 . <seen> <p> <n> . GRAPH <n> { <n> <p> 1 }"),
        ("CLEAR NAMED ; CLEAR DEFAULT ; INSERT { <n> <is> ?n } WHERE { SELECT (COUNT(*) AS ?n) { ?s ?p ?o } }",
         UNION, "<n> <is> 0"),
    ],
)  # fmt: skip
def test_the_default_graph_holds_what_the_named_graphs_hold(text: str, removed: str, added: str) -> None:
    assert_union(text, removed=removed, added=added)


def test_a_triple_of_its_own_goes_when_the_graph_that_took_it_loses_it() -> None:
    # As if the two had been sent one after the other: the store keeps no note of what was there for its own sake.
    text = "INSERT DATA { GRAPH <n> { <only> <p> 1 } } ; DELETE DATA { GRAPH <n> { <only> <p> 1 } }"
    assert_union(text, removed="<only> <p> 1")


def test_the_change_names_named_graphs_only_where_the_rest_follows() -> None:
    removal = delta_of(UNION, "DELETE DATA { GRAPH <g> { <a> <p> 2 } }", union=True)
    assert removal == Delta(removed=frozenset([quad("a", "p", 2, "g")]))
    insertion = delta_of(UNION, "INSERT DATA { GRAPH <g> { <n> <p> 1 } }", union=True)
    assert insertion == Delta(added=frozenset([quad("n", "p", 1, "g")]))
    moved = delta_of(
        UNION, "DELETE DATA { GRAPH <h> { <b> <p> 2 } } ; INSERT DATA { GRAPH <g> { <b> <p> 2 } }", union=True
    )
    assert moved == Delta(frozenset([quad("b", "p", 2, "g")]), frozenset([quad("b", "p", 2, "h")]))
    kept = delta_of(UNION, "MOVE <h> TO DEFAULT", union=True)
    assert kept.added == {quad("b", "p", 2)}


@pytest.mark.parametrize(
    "text",
    [
        "DELETE DATA { <a> <p> 1 }",
        "DELETE WHERE { GRAPH <g> { ?s ?p ?o } }",
        "DELETE { ?s ?p ?o } INSERT { GRAPH <g> { ?s ?p ?o } } WHERE { ?s ?p ?o }",
        "INSERT DATA { GRAPH <g> { <n> <p> 1 } <m> <p> 1 } ; COPY DEFAULT TO <all> ; DROP GRAPH <h>",
        "MOVE <g> TO DEFAULT",
        "CLEAR NAMED",
        "CLEAR ALL",
    ],
)
def test_the_embedded_store_makes_of_the_change_what_it_means(text: str, tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "store") as embedded:
        embedded.apply(Delta(added=frozenset(store_of(UNION))))
        store = store_of([*embedded.quads(), *embedded.triples()])
        delta = delta_of(store, text, union=True)
        embedded.apply(delta)
        assert {*embedded.quads(), *embedded.triples()} == after_union(store, delta)


# --- generated updates


SUBJECTS = ["<a>", "<b>", "<c>"]
OBJECTS = [*SUBJECTS, "1", "2", "'x;}'", "'y'@en"]
GRAPHS = ["<g>", "<h>", "<i>"]
VARIABLES = ["?x", "?y", "$z"]

subjects, objects, graphs = st.sampled_from(SUBJECTS), st.sampled_from(OBJECTS), st.sampled_from(GRAPHS)
predicates = st.sampled_from(["<p>", "<q>", "a"])
variables = st.sampled_from(VARIABLES)


@st.composite
def triples(draw: st.DrawFn, *, variable: bool = True, blank: bool = False, most: int = 3) -> str:
    """Some triples, written in one of the ways of Turtle."""
    subject = st.one_of(subjects, variables) if variable else subjects
    predicate = st.one_of(predicates, st.just("?y")) if variable else predicates
    value = st.one_of(objects, variables) if variable else objects
    if blank:
        value = st.one_of(value, st.sampled_from(["_:n", "[]", "[ <q> ?x ]" if variable else "[ <q> 1 ]", "(1 _:n)"]))
    written = []
    for _ in range(draw(st.integers(1, most))):
        first = f"{draw(subject)} {draw(predicate)} {draw(value)}"
        more = draw(st.sampled_from(["", ", ", " ; "]))
        if more == ", ":
            first += f", {draw(value)}"
        elif more:
            first += f" ; {draw(predicate)} {draw(value)}"
        written.append(first)
    return " . ".join(written)


@st.composite
def quads(draw: st.DrawFn, *, variable: bool = True, blank: bool = False) -> str:
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        inner = draw(triples(variable=variable, blank=blank, most=2))
        graph = st.one_of(graphs, st.just("?y")) if variable else graphs
        parts.append(inner if draw(st.booleans()) else f"GRAPH {draw(graph)} {{ {inner} }}")
    # a full stop after triples, none after a graph
    return " ".join(part if part.endswith("}") else part + " ." for part in parts)


@st.composite
def patterns(draw: st.DrawFn) -> str:
    pattern = draw(triples(most=2))
    if draw(st.booleans()):
        pattern = f"GRAPH {draw(st.one_of(graphs, st.just('?y')))} {{ {pattern} }}"
    more = st.sampled_from(
        [
            "",
            " FILTER(isLiteral(?x) || ?y != <a>)",
            " OPTIONAL { ?x <p> $z }",
            " FILTER NOT EXISTS { ?x <q> 1 }",
            " BIND(CONCAT('{;', STR(?x)) AS ?w)",
            " { ?x ?y $z } UNION { GRAPH <g> { ?x <p> ?y } }",
            " # } ;\n",
        ]
    )
    return "{ " + pattern + draw(more) + " }"


@st.composite
def operations(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["data", "data", "where", "modify", "modify", "modify", "manage"]))
    if kind == "data":
        verb = draw(st.sampled_from(["INSERT", "DELETE"]))
        return f"{verb} DATA {{ {draw(quads(variable=False, blank=verb == 'INSERT'))} }}"
    if kind == "where":
        return f"DELETE WHERE {{ {draw(quads())} }}"
    if kind == "manage":
        one, other = (draw(st.one_of(graphs, st.just("DEFAULT"))) for _ in range(2))
        whole = st.sampled_from(["DEFAULT", "NAMED", "ALL", "GRAPH <g>", "GRAPH <h>"])
        return draw(
            st.sampled_from(
                [
                    f"COPY {one} TO {other}",
                    f"MOVE {one} TO {other}",
                    f"ADD {one} TO {other}",
                    f"CLEAR SILENT {draw(whole)}",
                ]
            )
        )
    using = draw(
        st.sampled_from(["", "", "USING <g>", "USING NAMED <g>", "USING <h> USING NAMED <g>", "USING <g> USING <h>"])
    )
    # The engine counts a triple once for each of several default graphs: with new blank nodes that would show.
    insert = draw(quads(blank=using.count("USING <") < 2))
    delete = draw(quads())
    templates = draw(st.sampled_from(["D", "I", "DI"]))
    text = draw(st.sampled_from(["", "", "WITH <g> ", "WITH <i> "]))
    text += f"DELETE {{ {delete} }} " if "D" in templates else ""
    text += f"INSERT {{ {insert} }} " if "I" in templates else ""
    return f"{text}{using} WHERE {draw(patterns())}"


DATASETS = st.lists(quads(variable=False, blank=True), max_size=4)
GENERATED = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def request_of(found: list[str]) -> str:
    """The operations as one request; a label of a blank node must not stand in two of them."""
    return " ;\n".join(text.replace("_:n", f"_:n{number}") for number, text in enumerate(found))


@GENERATED
@given(DATASETS, st.lists(operations(), min_size=1, max_size=4))
def test_generated_updates_change_what_the_engine_changes(data: list[str], found: list[str]) -> None:
    store = Store()
    for each in data:
        store.update(f"INSERT DATA {{ {each} }}", base_iri=E)
    text = request_of(found)
    try:
        delta = delta_of(store, text)
    except Refused:  # a source graph that is not there
        assume(False)
    oracle = store_of(store)
    oracle.update(text, base_iri=E)
    assert len([q for q in oracle if "_:" in str(q)]) > 60 or same(after(store, delta), oracle)
    assert delta.removed <= set(store)
    assert not delta.added & set(store)


def united(store: Store) -> Store:
    return store_of({*store, *lowered(store)})


@GENERATED
@given(DATASETS, st.lists(operations(), min_size=1, max_size=4))
def test_generated_updates_of_a_union_keep_it_one(data: list[str], found: list[str]) -> None:
    store = Store()
    for each in data:
        store.update(f"INSERT DATA {{ {each} }}", base_iri=E)
    store = united(store)
    try:
        delta = delta_of(store, request_of(found), union=True)
        singly = set(store)
        for number, _ in enumerate(found):
            before = store_of(singly)
            singly = after_union(before, delta_of(before, request_of(found[number : number + 1]), union=True))
            assert lowered(named(singly)) <= singly
    except Refused:
        assume(False)
    whole = after_union(store, delta)
    assert lowered(named(whole)) <= whole
    assert len([q for q in whole if "_:" in str(q)]) > 60 or same(whole, singly)


@GENERATED
@given(DATASETS, st.lists(st.tuples(triples(), triples(), triples()), min_size=1, max_size=3))
def test_a_union_looks_like_one_graph_to_those_who_know_no_other(data: list[str], found: list[tuple[str, ...]]) -> None:
    store = Store()
    for each in data:
        store.update(f"INSERT DATA {{ {each} }}", base_iri=E)
    store = united(store)
    text = " ;\n".join(
        f"DELETE {{ {delete} }} INSERT {{ {insert} }} WHERE {{ {where} }}" for delete, insert, where in found
    )
    oracle = store_of(q for q in store if isinstance(q.graph_name, DefaultGraph))
    oracle.update(text, base_iri=E)
    found_after = after_union(store, delta_of(store, text, union=True))
    assert found_after - named(found_after) == set(oracle)


# --- the W3C suite


MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
UT = "http://www.w3.org/2009/sparql/tests/test-update#"
TEST_TYPES = ("UpdateEvaluationTest", "PositiveUpdateSyntaxTest11", "NegativeUpdateSyntaxTest11")


@dataclass(frozen=True)
class Case:
    name: str
    kind: str
    request: Path
    action: Any
    result: Any
    manifest: Store


def _one(store: Store, subject: Any, predicate: str) -> Any:
    return next((q.object for q in store.quads_for_pattern(subject, NamedNode(predicate), None, None)), None)


def _cases() -> Iterator[Case]:
    for path in sorted(SUITE.glob("*/manifest.ttl")):
        manifest = store_of(q for q in parse(path.read_bytes(), RdfFormat.TURTLE, base_iri=path.as_uri()))
        for kind in TEST_TYPES:
            typed = manifest.quads_for_pattern(None, None, NamedNode(MF + kind), None)
            for test in sorted({str(q.subject)[1:-1] for q in typed}):
                action = _one(manifest, NamedNode(test), MF + "action")
                request = action if isinstance(action, NamedNode) else _one(manifest, action, UT + "request")
                name = f"{path.parent.name}/{test.rpartition('#')[2]}"
                result = _one(manifest, NamedNode(test), MF + "result")
                yield Case(name, kind, Path(request.value.removeprefix("file://")), action, result, manifest)


CASES = list(_cases()) if SUITE.is_dir() else []


def _dataset_of(case: Case, node: Any) -> Store:
    loaded = Store()
    for q in case.manifest.quads_for_pattern(node, NamedNode(UT + "data"), None, None):
        loaded.extend(_triples(q.object, DefaultGraph()))
    for q in case.manifest.quads_for_pattern(node, NamedNode(UT + "graphData"), None, None):
        name = _one(case.manifest, q.object, "http://www.w3.org/2000/01/rdf-schema#label")
        loaded.extend(_triples(_one(case.manifest, q.object, UT + "graph"), NamedNode(name.value)))
    return loaded


def _triples(source: Any, graph: NamedNode | DefaultGraph) -> Iterator[Quad]:
    path = Path(source.value.removeprefix("file://"))
    for q in parse(path.read_bytes(), RdfFormat.TURTLE, base_iri=E, rename_blank_nodes=True):
        yield Quad(q.subject, q.predicate, q.object, graph)


def test_the_suite_is_found(shared: Path) -> None:
    assert len([case for case in CASES if case.kind == "UpdateEvaluationTest"]) == 94


def _of(kind: str) -> pytest.MarkDecorator:
    cases = [case for case in CASES if case.kind == kind]
    return pytest.mark.parametrize("case", cases, ids=[case.name for case in cases])


@_of("UpdateEvaluationTest")
def test_the_suites_updates_end_as_the_suite_and_the_engine_say(case: Case) -> None:
    store, text = _dataset_of(case, case.action), case.request.read_text(encoding="utf-8")
    found = after(store, delta_of(store, text))
    assert same(found, _dataset_of(case, case.result))
    if "LOAD" in text:  # which the engine would follow
        return
    oracle = store_of(store)
    oracle.update(text, base_iri=E)
    assert same(found, oracle)


@_of("PositiveUpdateSyntaxTest11")
def test_the_suites_right_updates_are_read(case: Case) -> None:
    text = case.request.read_text(encoding="utf-8")
    try:
        delta_of("", text)
    except Refused:  # LOAD, or a source graph that is not there
        assert any(verb in text for verb in ("LOAD", "COPY", "MOVE", "ADD"))


@_of("NegativeUpdateSyntaxTest11")
def test_the_suites_wrong_updates_are_malformed(case: Case) -> None:
    with pytest.raises(KgError) as caught:
        delta_of("", case.request.read_text(encoding="utf-8"))
    assert isinstance(caught.value, Malformed)
