"""A part of the graph, fetched by few questions, gives the verdict of the whole graph."""

from __future__ import annotations

from collections.abc import Collection
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Store, Triple, parse

from kg_service.rdf import parse_file
from kg_service.shacl import Report, Shapes, load_shapes, validate
from kg_service.shacl.gate import Gate
from kg_service.shacl.graph import ShapesError
from kg_service.shacl.neighbourhood import Neighbourhoods, TooWide
from kg_service.store import Delta, Need
from tests.conftest import ROOT
from tests.shacl.conftest import PREFIXES
from tests.shacl.test_against_pyshacl import data_graphs, shapes_graphs
from tests.shacl.test_gate import DECLARED, SETTINGS, everything, mutated, quads, random_change, shapes_with_rules

SKOS_NOTE = NamedNode("http://www.w3.org/2004/02/skos/core#note")


class Away:
    """A store that is asked as a remote one is, and counts the questions."""

    def __init__(self, data: set[Quad]) -> None:
        self._store = Store()
        self._store.extend(data)
        self.questions = self.triples = 0

    def needed(self, needs: Collection[Need], most: int) -> list[Quad]:
        self.questions += 1
        found = {quad for need in needs for quad in self._of(need)}
        self.triples += len(found)
        if len(found) > most:
            raise TooWide("too many")
        return list(found)

    def _of(self, need: Need) -> list[Quad]:
        subject, value = (None, need.node) if need.is_inverse else (need.node, None)
        if isinstance(subject, Literal):
            return []
        return list(self._store.quads_for_pattern(subject, need.predicate, value, DefaultGraph()))


def effective(data: set[Quad], delta: Delta) -> Delta:
    return Delta(delta.added - data, delta.removed & data - delta.added)


def judged(data: set[Quad], delta: Delta, shapes: Shapes, gate: Gate, away: Away) -> Report:
    """The new results, by the part of the graph that is fetched around the change."""
    world, affected = Neighbourhoods(shapes, gate).around(delta, away.needed, 10_000)
    for quad in delta.removed:
        world.remove(quad)
    after = gate.judge(world, affected)
    world.extend(delta.removed)
    for quad in delta.added:
        world.remove(quad)
    return after.without(gate.judge(world, affected))


def judged_whole(data: set[Quad], delta: Delta, shapes: Shapes) -> Report:
    before, after = Store(), Store()
    before.extend(data)
    after.extend(data - delta.removed | delta.added)
    return validate(after, shapes).without(validate(before, shapes))


def assert_the_same(data: set[Quad], shapes: Shapes, chance: Random, number: int = 8) -> int:
    """For some random changes; how many of them a bounded part decides."""
    gate, decided = Gate(shapes), 0
    for _ in range(number):
        delta = effective(data, random_change(chance, data))
        away = Away(data)
        try:
            by_part = judged(data, delta, shapes, gate, away)
        except TooWide:
            continue
        decided += 1
        assert everything(by_part) == everything(judged_whole(data, delta, shapes))
    return decided


@SETTINGS
@given(data_graphs(), shapes_graphs(), st.integers(0, 2**32))
def test_a_random_change_has_the_results_of_whole_validation(
    graph: list[Triple], drawn: list[Triple], seed: int
) -> None:
    assert assert_the_same(quads(graph), load_shapes(drawn), Random(seed)), "SHACL Core can always be localised"


def test_a_random_rule_has_the_results_of_whole_validation() -> None:
    decided = tried = 0

    @SETTINGS
    @given(data_graphs(), shapes_with_rules(), st.integers(0, 2**32))
    def each(graph: list[Triple], text: str, seed: int) -> None:
        nonlocal decided, tried
        try:
            shapes = load_shapes(list(parse(PREFIXES + DECLARED + text, RdfFormat.TURTLE)))
        except ShapesError:
            return
        decided += assert_the_same(quads(graph), shapes, Random(seed))
        tried += 8

    each()
    assert decided > tried / 3


def village() -> tuple[set[Quad], list[Quad]]:
    """The village with the ontology, and the statements of the village itself."""
    paths = [ROOT / "tests/data/village.ttl", *sorted((ROOT / "ontology").glob("*.ttl"))]
    data = quads([quad.triple for path in paths for quad in parse_file(path)])
    own = [quad for quad in parse_file(paths[0]) if not isinstance(quad.subject, BlankNode)]
    return data, sorted(data.intersection(quads([quad.triple for quad in own])), key=str)


def test_changes_to_the_village_are_judged_by_few_questions() -> None:
    data, held = village()
    shapes, chance = load_shapes(ROOT / "shapes"), Random(20)
    gate, refused, questions = Gate(shapes), 0, []
    for number in range(12):
        said = Quad(held[number].subject, SKOS_NOTE, Literal("said of it"))
        change = mutated(chance, held) if number % 3 else Delta(added=frozenset({said}))
        delta, away = effective(data, change), Away(data)
        by_part, whole = judged(data, delta, shapes, gate, away), judged_whole(data, delta, shapes)
        assert everything(by_part) == everything(whole)
        refused += whole.blocks
        questions.append(away.questions)
        assert away.triples < len(data) / 2, "a part, not the whole"
    assert 4 <= refused < 12
    assert sorted(questions)[len(questions) // 2] <= 8
