"""Validation grows with the data, not with their square: the engine's planner has traps, see `queries` and `inline`."""

from __future__ import annotations

import time

import pytest
from pyoxigraph import Literal, NamedNode, Quad, Store

from kg_service.shacl import Shapes, validate
from kg_service.shacl.graph import SUBCLASS, TYPE
from tests.shacl.conftest import ShapesOf

TARGET = ":S sh:targetClass :C ; "
#: Each found a trap at some time: a join inside EXISTS, a variable that counts as perhaps unbound, a wrong first table.
SHAPES = {
    "a sequence that must be there": "sh:path ( :p :q ) ; sh:minCount 1",
    "a sequence of three, counted": "sh:path ( :p :q [ sh:inversePath :q ] ) ; sh:maxCount 2 ; sh:minCount 2",
    "a class with subclasses, mostly missed": "sh:property [ sh:path :p ; sh:class :D ]",
    "property shapes below property shapes": (
        "sh:property [ sh:path :p ; sh:property [ sh:path :q ; sh:property [ sh:path :r ; sh:minCount 1 ] ] ]"
    ),
    "shapes that need queries of their own": (
        "sh:property [ sh:path :p ; sh:not [ sh:property [ sh:path :q ; sh:minCount 2 ] ] ]"
    ),
    "comparing over a sequence": "sh:path ( :p :q ) ; sh:equals :r ; sh:disjoint :label ; sh:lessThan :label",
    "a nullable path": "sh:path ( [ sh:zeroOrMorePath :p ] [ sh:zeroOrOnePath :q ] ) ; sh:class :D ; sh:minCount 2",
    "qualified values": (
        "sh:path :p ; sh:qualifiedMinCount 1 ; sh:qualifiedValueShape [ sh:path ( :q :r ) ; sh:minCount 1 ]"
    ),
    "qualified values, zero steps away": (
        "sh:path [ sh:zeroOrOnePath :p ] ; sh:qualifiedMinCount 1 ; sh:qualifiedValueShape [ sh:equals :q ]"
    ),
    "a value compared with itself": "sh:path :p ; sh:not [ sh:equals :q ] ; sh:node [ sh:disjoint :q ]",
    "an ASK validator": "sh:path :p ; :asks true",
    "a SPARQL rule": (
        "sh:sparql [ sh:select 'SELECT $this { $this <http://example.org/p>/<http://example.org/q> ?x }' ]"
    ),
}
COMPONENT = """
:Asks a sh:ConstraintComponent ; sh:parameter [ sh:path :asks ] ;
  sh:validator [ sh:ask "ASK { $value <http://example.org/q> ?x . ?x <http://example.org/r> ?y }" ] .
"""


def data(size: int) -> Store:
    """Things of a class, each with parts, in a graph that also holds many other labels."""

    def e(name: str) -> NamedNode:
        return NamedNode("http://example.org/" + name)

    quads = [Quad(e("C1"), SUBCLASS, e("C")), Quad(e("D1"), SUBCLASS, e("D"))]
    for i in range(size):
        quads += [
            Quad(e(f"s{i}"), TYPE, e("C" if i % 2 else "C1")),
            Quad(e(f"s{i}"), e("p"), e(f"part{i % (size // 3)}")),
            Quad(e(f"part{i}"), e("q"), e(f"other{i}")),
            Quad(e(f"part{i}"), TYPE, e("D1" if i % 2 else "E")),
            Quad(e(f"other{i}"), e("label"), Literal(i)),
        ]
    store = Store()
    store.extend(quads)
    return store


def seconds(store: Store, shapes: Shapes) -> float:
    def once() -> float:
        start = time.process_time()
        validate(store, shapes)
        return time.process_time() - start

    return min(once() for _ in range(3))


@pytest.mark.parametrize("case", SHAPES)
def test_four_times_the_data_take_about_four_times_as_long(case: str, shapes_of: ShapesOf) -> None:
    shapes = shapes_of(f"{COMPONENT}{TARGET}{SHAPES[case]} .")
    assert len(shapes) == 1
    small, large = seconds(data(600), shapes), seconds(data(2400), shapes)
    assert large < 10 * small + 0.02
