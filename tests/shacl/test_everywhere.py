"""What holds everywhere is told from the values alone, and leaving it out of the questions changes no answer."""

from __future__ import annotations

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from kg_service.rdf import RDF_TYPE, parse_file
from kg_service.shacl import Shapes, results_of
from kg_service.shacl.everywhere import NOTHING_KNOWN, are_passed, everywhere, predicates_of, value_tests
from kg_service.shacl.marks import class_tree
from tests.conftest import ROOT, VILLAGE
from tests.shacl.conftest import ShapesOf

EX = "http://example.org/"
SHAPES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix : <http://example.org/> .
:S a sh:NodeShape ; sh:targetClass :C ;
  sh:property [ sh:path :age ; sh:minInclusive 0 ] , [ sh:path [ sh:inversePath :knows ] ; sh:class :C ] ,
    [ sh:path [ sh:alternativePath ( :name :nick ) ] ; sh:minLength 2 ] .
"""


def ex(name: str) -> NamedNode:
    return NamedNode(EX + name)


def store_of(*triples: tuple[NamedNode, NamedNode, NamedNode | Literal]) -> Store:
    store = Store()
    store.extend(Quad(*triple) for triple in triples)
    return store


@pytest.mark.parametrize(
    ("triple", "failed"),
    [
        ((ex("a"), ex("age"), Literal(-1)), {"age"}),
        ((ex("a"), ex("age"), Literal("old")), {"age"}),
        ((ex("z"), ex("knows"), ex("a")), {"knows"}),
        ((ex("a"), ex("nick"), Literal("x")), {"nick"}),
        ((ex("a"), ex("nick"), Literal("xy")), set()),
    ],
)
def test_a_test_is_passed_everywhere_unless_one_value_fails_it(
    shapes_of: ShapesOf, triple: tuple[NamedNode, NamedNode, NamedNode | Literal], failed: set[str]
) -> None:
    store = store_of(
        (ex("a"), RDF_TYPE, ex("C")),
        (ex("a"), ex("age"), Literal(3)),
        (ex("a"), ex("knows"), ex("b")),
        (ex("a"), ex("name"), Literal("Ana")),
        triple,
    )
    tree, predicates = class_tree(store), predicates_of(store)
    found = {
        str(step): are_passed(store, step, tests, predicates, tree)
        for step, tests in value_tests(shapes_of(SHAPES).plans).items()
    }
    assert len(found) == 4
    for step, passed in found.items():
        assert passed == [not any(f"{name}>" in step for name in failed)], step


def test_one_bad_value_among_things_that_no_shape_is_about_hides_no_result(shapes_of: ShapesOf) -> None:
    shapes = shapes_of(SHAPES)
    store = store_of(
        (ex("a"), RDF_TYPE, ex("C")), (ex("a"), ex("age"), Literal(-1)), (ex("elsewhere"), ex("age"), Literal(-2))
    )
    (result,) = results_of(store, shapes.plans, shapes, "en")
    assert result.focus == ex("a")


@pytest.mark.parametrize("removed", ["prefLabel", "type", "startDate", "party"])
def test_knowing_what_holds_everywhere_changes_no_result(removed: str, shapes: Shapes) -> None:
    store = Store()
    for path in (VILLAGE, *sorted((ROOT / "ontology").glob("*.ttl"))):
        store.extend(Quad(q.subject, q.predicate, q.object, DefaultGraph()) for q in parse_file(path))
    for quad in [q for q in store if q.predicate.value.endswith(removed)][::2]:
        store.remove(quad)
        store.add(Quad(quad.subject, quad.predicate, Literal(" ")))
    known = everywhere(store, shapes.plans, class_tree(store))
    assert known.passed
    with_it, without = (
        {(r.identity, r.messages) for r in results_of(store, shapes.plans, shapes, "en", known=each)}
        for each in (known, NOTHING_KNOWN)
    )
    assert with_it == without
    assert without
