"""The W3C SHACL test suite: every verdict, and the exact multiset of results."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad, RdfFormat, Store, parse

from kg_service.shacl import Report, ShapesError, load_shapes, validate
from kg_service.shacl.graph import Graph, Term, sh
from kg_service.shacl.paths import Path as PropertyPath
from kg_service.shacl.paths import read_path, sparql

SHARED = Path(os.environ.get("KG_SHARED") or Path(__file__).parents[2].parent / "shared")
SUITE = SHARED / "suites" / "shacl"
BASE = "https://suite.test/"
MANIFEST = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
TEST = "http://www.w3.org/ns/shacl-test#"

#: Tests whose results differ on the store in the spelling of literals, which it keeps in canonical form. With the
#: spelling of the data restored (`Report.as_written`) they differ no more.
CANONICAL_LITERALS = {
    "core/node/maxExclusive-001": 'the value "4.0"^^xsd:decimal is kept and reported as 4',
    "core/node/minExclusive-001": 'the value "4.0"^^xsd:decimal is kept and reported as 4',
    "core/property/datatype-ill-formed": 'the value "300"^^xsd:byte is kept and reported as 300, an xsd:integer',
}


@dataclass(frozen=True)
class Case:
    name: str
    data: Path
    shapes: Path
    expected: Graph
    report: Term  # sht:Failure, or the node of the expected report


def _quads(path: Path) -> list[Quad]:
    base = BASE + path.relative_to(SUITE).as_posix()
    return list(parse(path.read_bytes(), RdfFormat.TURTLE, base_iri=base))


def _path_of(term: Term) -> Path:
    assert isinstance(term, NamedNode)
    return SUITE / term.value.removeprefix(BASE)


def _cases(manifest: Path) -> Iterator[Case]:
    graph = Graph(_quads(manifest))
    (here,) = graph.instances(NamedNode(MANIFEST + "Manifest"))
    for included in graph.objects(here, NamedNode(MANIFEST + "include")):
        yield from _cases(_path_of(included))
    for head in graph.objects(here, NamedNode(MANIFEST + "entries")):
        for entry in graph.members(head) or []:
            (action,) = graph.objects(entry, NamedNode(MANIFEST + "action"))
            (data,) = graph.objects(action, NamedNode(TEST + "dataGraph"))
            (shapes,) = graph.objects(action, NamedNode(TEST + "shapesGraph"))
            (report,) = graph.objects(entry, NamedNode(MANIFEST + "result"))
            name = manifest.relative_to(SUITE).with_suffix("").as_posix()
            yield Case(name, _path_of(data), _path_of(shapes), graph, report)


CASES = list(_cases(SUITE / "manifest.ttl")) if SUITE.is_dir() else []
needs_suite = pytest.mark.skipif(not CASES, reason=f"the W3C suite is not at {SUITE}; set KG_SHARED")


def _validate(case: Case) -> Report:
    store = Store()
    store.extend(_data(case))
    return validate(store, load_shapes(_shapes(case)))


@functools.cache
def _shapes(case: Case) -> tuple[Quad, ...]:
    return tuple(_quads(case.shapes))


@functools.cache
def _data(case: Case) -> tuple[Quad, ...]:
    """The very quads of the shapes where these are the data: blank nodes are the same in both."""
    return _shapes(case) if case.data == case.shapes else tuple(_quads(case.data))


def _path_text(path: PropertyPath | None) -> str | None:
    return None if path is None else sparql(path)


def _found(report: Report) -> Counter[tuple[object, ...]]:
    return Counter(
        (r.focus, _path_text(r.path), r.value, r.component, r.severity, r.shape, r.constraint) for r in report.results
    )


def _expected(graph: Graph, report: Term) -> Counter[tuple[object, ...]]:
    expected: Counter[tuple[object, ...]] = Counter()
    for result in graph.objects(report, sh("result")):

        def only(name: str, result: Term = result) -> Term | None:
            return next(iter(graph.objects(result, sh(name))), None)

        path = only("resultPath")
        expected[
            only("focusNode"),
            None if path is None else sparql(read_path(graph, path)),
            only("value"),
            only("sourceConstraintComponent"),
            only("resultSeverity"),
            only("sourceShape"),
            only("sourceConstraint"),
        ] += 1
    return expected


def _as_stored(results: Counter[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    """The same results, with literals as they come back from a store."""

    def stored(term: object) -> object:
        if not isinstance(term, Literal):
            return term
        store = Store()
        store.add(Quad(NamedNode("urn:s"), NamedNode("urn:p"), term))
        return next(iter(store)).object

    return Counter({tuple(map(stored, result)): number for result, number in results.items()})


@needs_suite
def test_the_suite_is_whole() -> None:
    assert Counter(case.name.split("/")[0] for case in CASES) == {"core": 98, "sparql": 22}


@needs_suite
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_results_are_those_of_the_suite(case: Case) -> None:
    if case.report == NamedNode(TEST + "Failure"):
        with pytest.raises(ShapesError):
            _validate(case)
        return
    report = _validate(case)
    (verdict,) = case.expected.objects(case.report, sh("conforms"))
    assert isinstance(verdict, Literal)
    assert report.conforms is (verdict.value == "true")
    found, expected = _found(report), _expected(case.expected, case.report)
    assert _found(report.as_written(_data(case))) == expected
    if case.name in CANONICAL_LITERALS:
        assert found != expected, "listed as different, but it is not"
        expected = _as_stored(expected)
    assert found == expected


@needs_suite
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_messages_are_those_of_the_suite(case: Case) -> None:
    graph = case.expected
    wanted = {
        message
        for result in graph.objects(case.report, sh("result"))
        for message in graph.objects(result, sh("resultMessage"))
    }
    if wanted:
        given = {message for result in _validate(case).results for message in result.messages}
        assert wanted <= given
