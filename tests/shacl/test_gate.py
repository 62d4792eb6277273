"""The gate judges a change as validating the whole graph before and after it would."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, Store, Triple, parse

from kg_service.rdf import parse_file
from kg_service.shacl import Report, Shapes, load_shapes, validate
from kg_service.shacl.gate import Gate
from kg_service.shacl.graph import TYPE, ShapesError, Term
from kg_service.shacl.walking import MOST_FOCI
from kg_service.store import Delta
from kg_service.store.embedded import as_kept
from tests.conftest import ROOT
from tests.shacl.conftest import PREFIXES, ShapesOf
from tests.shacl.test_against_pyshacl import (
    CLASSES,
    LITERALS,
    NAMED,
    NUMBERS,
    NUMERIC,
    PREDICATES,
    SUBCLASS,
    data_graphs,
    ex,
    shapes_graphs,
)


def judged_both_ways(
    data: set[Quad], delta: Delta, shapes: Shapes, gate: Gate, whole_before: Report
) -> tuple[Report, Report]:
    """The new results by the gate, and those by validating the graph whole before and after.

    On the way, what the gate reports of either state must be part of what validating it whole reports.
    """
    delta = Delta(delta.added - data, delta.removed & data - delta.added)
    store = Store()
    store.extend(data)
    store.extend(delta.added)
    affected = gate.affected(store, delta)
    for quad in delta.removed:
        store.remove(quad)
    after, whole_after = gate.judge(store, affected), validate(store, shapes)
    assert not everything(after) - everything(whole_after)
    store.extend(delta.removed)
    for quad in delta.added:
        store.remove(quad)
    before = gate.judge(store, affected)
    assert not everything(before) - everything(whole_before)
    narrowed = gate.judge(store, gate.narrowed(affected, after))
    assert everything(after.without(narrowed)) == everything(after.without(before))
    return after.without(before), whole_after.without(whole_before)


def whole(data: set[Quad], shapes: Shapes) -> Report:
    store = Store()
    store.extend(data)
    return validate(store, shapes)


def everything(report: Report) -> Counter[tuple[object, ...]]:
    return Counter((*result.identity, result.messages) for result in report.results)


# Random graphs, shapes and changes


def random_triple(chance: Random) -> Triple:
    match chance.randrange(8):
        case 0 | 1:
            return Triple(chance.choice(NAMED), TYPE, chance.choice(CLASSES))
        case 2:
            return Triple(chance.choice(NAMED), chance.choice(NUMERIC), chance.choice(NUMBERS))
        case 3:
            return Triple(chance.choice(CLASSES), SUBCLASS, chance.choice(CLASSES))
        case _:
            values: list[Term] = [*NAMED, *LITERALS]
            return Triple(chance.choice(NAMED), chance.choice(PREDICATES), chance.choice(values))


def quads(given_triples: list[Triple]) -> set[Quad]:
    """As a store keeps them, blank nodes named, as they are at the door."""

    def named(term: Any) -> Any:
        return ex(f"blank-{term.value}") if isinstance(term, BlankNode) else term

    return set(as_kept(Quad(named(t.subject), t.predicate, named(t.object)) for t in given_triples))


def random_change(chance: Random, data: set[Quad]) -> Delta:
    """Some triples of the graph go, some come."""
    removed = chance.sample(sorted(data, key=str), min(len(data), chance.randrange(4)))
    added = quads([random_triple(chance) for _ in range(chance.randrange(0 if removed else 1, 4))])
    return Delta(frozenset(added), frozenset(removed))


def assert_the_same(data: set[Quad], shapes: Shapes, chance: Random, number: int = 8) -> None:
    """For some random changes to the data."""
    gate, before = Gate(shapes), whole(data, shapes)
    for _ in range(number):
        by_gate, by_all = judged_both_ways(data, random_change(chance, data), shapes, gate, before)
        assert everything(by_gate) == everything(by_all)


DECLARED = """
: sh:declare [ sh:prefix "" ; sh:namespace "http://example.org/"^^xsd:anyURI ] ,
  [ sh:prefix "rdfs" ; sh:namespace "http://www.w3.org/2000/01/rdf-schema#"^^xsd:anyURI ] .
"""

SETTINGS = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@SETTINGS
@given(data_graphs(), shapes_graphs(), st.integers(0, 2**32))
def test_a_random_change_has_the_results_of_whole_validation(
    graph: list[Triple], drawn: list[Triple], seed: int
) -> None:
    assert_the_same(quads(graph), load_shapes(drawn), Random(seed))


# Rules in SPARQL

PATHS = [":p", ":q", ":r", ":p/:q", "^:p", ":p*", ":q+", ":r?", "(:p|^:q)*", "a", "^a", "rdfs:subClassOf*", "?path"]
VARIABLES = ["$this", "?value", "?a", "?b", "$this"]


@st.composite
def groups(draw: st.DrawFn, depth: int = 2) -> str:
    ends = st.sampled_from([*VARIABLES, ":a", ":C0", '"one"', "7"])
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.integers(0, 11 if depth else 6))
        if kind <= 4:
            subject = draw(st.sampled_from([*VARIABLES, ":a"]))
            parts.append(f"{subject} {draw(st.sampled_from(PATHS))} {draw(ends)} .")
        elif kind == 5:
            parts.append(f"FILTER ({draw(st.sampled_from(VARIABLES))} != {draw(ends)})")
        elif kind == 6:
            parts.append(f"FILTER (!bound({draw(st.sampled_from(VARIABLES))}) || isIRI(?a) && 1<2)")
        elif kind == 7:
            parts.append(f"OPTIONAL {draw(groups(depth - 1))}")
        elif kind == 8:
            parts.append(f"{draw(groups(depth - 1))} UNION {draw(groups(depth - 1))}")
        elif kind == 9:
            parts.append(draw(groups(depth - 1)))
        else:
            parts.append(f"FILTER {draw(st.sampled_from(['NOT ', '']))}EXISTS {draw(groups(depth - 1))}")
    return "{ " + " ".join(parts) + " }"


@st.composite
def rules(draw: st.DrawFn) -> str:
    where = draw(groups())
    ending = draw(st.sampled_from(["", "", "", "", " ORDER BY ?value LIMIT 1"]))
    if draw(st.integers(1, 8)) == 1:
        return f"SELECT $this (COUNT(?a) AS ?value) WHERE {where} GROUP BY $this HAVING (COUNT(?a) > 1)"
    return f"SELECT {draw(st.sampled_from(['', 'DISTINCT ']))}$this ?value WHERE {where}{ending}"


@st.composite
def shapes_with_rules(draw: st.DrawFn) -> str:
    """Shapes in Turtle; the rule stands at the target, at a property of it, or at what a property leads to."""
    target = draw(st.sampled_from(["sh:targetClass :C0", "sh:targetSubjectsOf :p", "sh:targetObjectsOf :q"]))
    rule = f'sh:sparql [ sh:prefixes : ; sh:select """{draw(rules())}""" ]'
    place = draw(
        st.sampled_from(
            ["{}", "sh:property [ sh:path :q ; {} ]", "sh:property [ sh:path :p ; sh:node [ {} ] ]", "sh:not [ {} ]"]
        )
    )
    return f":S a sh:NodeShape ; {target} ; {place.format(rule)} ."


@SETTINGS
@given(data_graphs(), shapes_with_rules(), st.integers(0, 2**32))
def test_a_random_rule_has_the_results_of_whole_validation(graph: list[Triple], text: str, seed: int) -> None:
    try:
        shapes = load_shapes(list(parse(PREFIXES + DECLARED + text, RdfFormat.TURTLE)))
    except ShapesError:
        assume(False)
    assert_the_same(quads(graph), shapes, Random(seed))


# The project's own shapes


def mutated(chance: Random, held: list[Quad]) -> Delta:
    """Some statements go, and some come that are put together of what others say."""
    size = chance.choice([1, 1, 2, 5])
    added = set()
    for _ in range(size):
        one, other = chance.choice(held), chance.choice(held)
        match chance.randrange(4):
            case 0:
                added.add(Quad(other.subject, one.predicate, one.object))
            case 1:
                added.add(Quad(one.subject, other.predicate, one.object))
            case _:
                added.add(Quad(one.subject, one.predicate, other.object))
    return Delta(frozenset(added), frozenset(chance.sample(held, chance.randrange(size + 1))))


def test_changes_to_the_village_have_the_results_of_whole_validation() -> None:
    data = quads(
        [
            quad.triple
            for path in (ROOT / "tests/data/village.ttl", *sorted((ROOT / "ontology").glob("*.ttl")))
            for quad in parse_file(path)
        ]
    )
    village = [quad for quad in parse_file(ROOT / "tests/data/village.ttl") if not isinstance(quad.subject, BlankNode)]
    held = sorted(data.intersection(quads([quad.triple for quad in village])), key=str)
    shapes, chance = load_shapes(ROOT / "shapes"), Random(20)
    gate, refused, before = Gate(shapes), 0, whole(data, shapes)
    for _ in range(25):
        by_gate, by_all = judged_both_ways(data, mutated(chance, held), shapes, gate, before)
        assert everything(by_gate) == everything(by_all)
        refused += by_all.blocks
    assert 5 < refused < 25


# What is looked up instead of asked of the engine

TEXTS = [
    "",
    " ",
    "a",
    "ab ",
    "\u00e9",
    "\u00a0",
    "\u2028",
    "\u200b",
    "\x1c",
    "\x85",
    "\u0665",
    "\u017f",
    "\u212a",
    "a\nb",
    "[",
    "x" * 3000,
]
PATTERNS = [
    r"\S",
    r"^\s*$",
    r"^.$",
    r"^[^ ]+$",
    r"a$",
    r"^[a-z&&[^b]]",
    r"[[:alpha:]]",
    r"\d",
    r"\w",
    r"\bb",
    r"(?i)S",
    r"\\",
    "\u00e9",
    "",
]


@pytest.mark.parametrize("flags", ["", "i", "s"])
def test_a_pattern_means_to_the_gate_what_it_means_to_the_engine(shapes_of: ShapesOf, flags: str) -> None:
    given = f' ; sh:flags "{flags}"' if flags else ""
    rules = (f"sh:property [ sh:path :p ; sh:pattern {Literal(pattern)}{given} ]" for pattern in PATTERNS)
    shapes = shapes_of(f":S a sh:NodeShape ; sh:targetSubjectsOf :p ; {' ; '.join(rules)} .")
    added = {Quad(ex(f"n{n}"), ex("p"), Literal(text)) for n, text in enumerate(TEXTS)}
    added |= {Quad(ex("iri"), ex("p"), ex("a")), Quad(ex("tagged"), ex("p"), Literal("S", language="en"))}
    by_gate, by_all = judged_both_ways(set(), Delta(frozenset(added)), shapes, Gate(shapes), Report(()))
    assert everything(by_gate) == everything(by_all)
    assert 0 < len(by_all.results) < len(PATTERNS) * len(added)


def test_a_node_with_very_many_values_has_the_results_of_whole_validation(shapes_of: ShapesOf) -> None:
    shapes = shapes_of(
        ":S a sh:NodeShape ; sh:targetClass :C0 ; sh:closed true ; sh:ignoredProperties ( rdf:type ) ;"
        " sh:property [ sh:path :p ; sh:maxCount 700 ; sh:nodeKind sh:IRI ] ,"
        " [ sh:path [ sh:inversePath :q ] ; sh:class :C0 ] ."
    )
    data = {Quad(ex("a"), TYPE, ex("C0"))}
    data |= {Quad(ex("a"), ex("p"), ex(f"n{n}")) for n in range(700)} | {
        Quad(ex(f"n{n}"), ex("q"), ex("a")) for n in range(700)
    }
    for quad in (
        Quad(ex("a"), ex("p"), Literal("one")),
        Quad(ex("a"), ex("r"), ex("b")),
        Quad(ex("b"), ex("q"), ex("a")),
    ):
        by_gate, by_all = judged_both_ways(data, Delta(frozenset({quad})), shapes, Gate(shapes), whole(data, shapes))
        assert everything(by_gate) == everything(by_all)
        assert by_all.blocks


# What is affected


def reached(shapes: Shapes, data: str, added: str = "", removed: str = "") -> tuple[set[str], bool]:
    """The local names of the focus nodes that a change affects, and whether some unit is to be judged whole."""
    quads_of = (as_kept(parse(PREFIXES + text, RdfFormat.TURTLE)) for text in (data, added, removed))
    held, coming, going = quads_of
    store = Store()
    store.extend(held | coming)
    affected = Gate(shapes).affected(store, Delta(coming - held, going))
    return {node.value.removeprefix("http://example.org/") for node in affected.foci}, bool(affected.whole)


#: Shapes, data, what is added, what is removed, and the focus nodes affected.
CHANGES = {
    "only what the path leads back to": (
        ":S sh:targetClass :C ; sh:property [ sh:path ( :p :q ) ; sh:maxCount 1 ] .",
        ":a a :C ; :p :x . :b a :C ; :p :y .",
        ":x :q 1 .",
        "",
        "a",
    ),
    "not what is no target": (
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:maxCount 1 ] .",
        ":a a :C . :b a :D .",
        ":a :p 1 . :b :p 1 .",
        "",
        "a",
    ),
    "not by a predicate that nothing reads": (
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:minCount 1 ] .",
        ":a a :C .",
        ":a :q 1 .",
        "",
        "",
    ),
    "not by what can only give fewer results": (
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:minCount 2 ; sh:hasValue 1 ] ,"
        ' [ sh:path :q ; sh:maxCount 1 ; sh:class :K ; sh:pattern "a" ; sh:disjoint :r ; sh:lessThan :r ] .',
        ":a a :C ; :q :x ; :r :y .",
        ":a :p 2 . :x a :K .",
        ":a :q :x ; :r :y .",
        "",
    ),
    "by what can give more results within a shape that must not hold": (
        ":S sh:targetClass :C ; sh:not [ sh:property [ sh:path :p ; sh:minCount 1 ] ] .",
        ":a a :C .",
        ":a :p 1 .",
        "",
        "a",
    ),
    "what becomes a target": (":S sh:targetClass :C ; sh:nodeKind sh:Literal .", ":a a :D .", ":a a :C .", "", "a"),
    "not what was a target by another class": (
        ":S sh:targetClass :C ; sh:nodeKind sh:Literal .",
        ":C1 rdfs:subClassOf :C . :a a :C1 .",
        ":a a :C .",
        "",
        "",
    ),
    "not what stays a target by another value": (
        ":S sh:targetSubjectsOf :p ; sh:nodeKind sh:Literal .",
        ":a :p 1, 2 . :b :p 1 .",
        "",
        ":a :p 1 . :b :p 1 .",
        "b",
    ),
    "those whose value changes its class": (
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:class :K ] .",
        ":a a :C ; :p :x . :b a :C ; :p :y . :x a :K .",
        "",
        ":x a :K .",
        "a",
    ),
    "not those whose value stays in its class": (
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:class :K ] .",
        ":K1 rdfs:subClassOf :K . :a a :C ; :p :x . :x a :K, :K1 .",
        "",
        ":x a :K .",
        "",
    ),
    "the instances of a class that leaves another": (
        ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:class :K ] .",
        ":K2 rdfs:subClassOf :K1 . :K1 rdfs:subClassOf :K . :a a :C ; :p :x . :b a :C ; :p :y . :x a :K2 . :y a :K .",
        "",
        ":K1 rdfs:subClassOf :K .",
        "a",
    ),
    "a literal that is a target": (
        ":S sh:targetObjectsOf :p ; sh:nodeKind sh:IRI .",
        ":a :p 1 .",
        ":a :p 007 .",
        "",
        "7",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_change_affects(case: str, shapes_of: ShapesOf) -> None:
    shapes, data, added, removed, expected = CHANGES[case]
    found, is_whole = reached(shapes_of(shapes), data, added, removed)
    assert (found, is_whole) == ({expected} - {""}, False)


#: The WHERE of a rule whose focus nodes are things of class :C, data, an added triple, and the focus nodes affected.
RULES = {
    "claims on the very triple": (
        "$this :s ?s ; :p ?p ; :o ?o FILTER NOT EXISTS { ?s ?p ?o }",
        ":a a :C ; :s :x ; :p :q ; :o 1 . :b a :C ; :s :x ; :p :q ; :o 2 . :c a :C ; :s :x ; :p :r ; :o 1 .",
        ":x :q 1 .",
        {"a"},
    ),
    "those with the same name": (
        "$this :name ?n . ?other :name ?n ; a :C FILTER(?other != $this)",
        ':a a :C ; :name "A" . :b a :C ; :name "B" . :c a :C ; :name "A" . :d :name "A" .',
        ":d a :C .",
        {"a", "c", "d"},
    ),
    "those that a ring can close through": (
        "$this :in ?value . ?value :in* $this",
        ":a a :C ; :in :b . :b a :C ; :in :c . :c a :C . :x a :C ; :in :a .",
        ":c :in :a .",
        {"a", "b", "c"},
    ),
}


@pytest.mark.parametrize("case", RULES)
def test_a_change_affects_by_a_rule(case: str, shapes_of: ShapesOf) -> None:
    where, data, added, expected = RULES[case]
    rule = f'sh:sparql [ sh:prefixes : ; sh:select """SELECT $this WHERE {{ {where} }}""" ]'
    assert reached(shapes_of(f"{DECLARED} :S sh:targetClass :C ; {rule} ."), data, added) == (expected, False)


def test_more_focus_nodes_than_can_be_listed_are_judged_whole(shapes_of: ShapesOf) -> None:
    shapes = shapes_of(":S sh:targetClass :C ; sh:property [ sh:path :in ; sh:class :K ] .")
    data = {
        Quad(ex(f"n{number}"), p, o)
        for number in range(MOST_FOCI + 1)
        for p, o in ((TYPE, ex("C")), (ex("in"), ex("hub")))
    }
    kind = Quad(ex("hub"), TYPE, ex("K"))
    store = Store()
    store.bulk_extend(data | {kind})
    gate = Gate(shapes)
    affected = gate.affected(store, Delta(removed=frozenset({kind})))
    assert (len(affected.foci), len(affected.whole)) == (0, 1)
    store.remove(kind)
    assert len(gate.judge(store, affected).results) == MOST_FOCI + 1


@pytest.mark.parametrize(
    "end", [BlankNode("end"), next(iter(parse(b"<a:b> <a:b> <a:b c> .", RdfFormat.N_TRIPLES, lenient=True))).object]
)
def test_a_node_that_a_query_cannot_name_makes_a_unit_whole(end: NamedNode | BlankNode, shapes_of: ShapesOf) -> None:
    shapes = shapes_of(":S sh:targetClass :C ; sh:property [ sh:path ( :p :q ) ; sh:maxCount 1 ] .")
    data = {Quad(end, TYPE, ex("C")), Quad(end, ex("p"), ex("b")), Quad(ex("b"), ex("q"), ex("x"))}
    added = frozenset({Quad(ex("b"), ex("q"), ex("y"))})
    by_gate, by_all = judged_both_ways(data, Delta(added), shapes, Gate(shapes), whole(data, shapes))
    assert by_all.blocks
    assert everything(by_gate) == everything(by_all)


@pytest.mark.parametrize(
    ("removed", "added"),
    [(":a :p :x", ":a :q :x"), (":a :p :x", ":b :p :x"), (":a a :C", ":a a :D")],
    ids=["another way", "another focus node", "another shape"],
)
def test_a_result_that_is_lost_in_one_place_makes_up_for_the_same_one_in_another(
    removed: str, added: str, shapes_of: ShapesOf
) -> None:
    shapes = shapes_of(
        ":S sh:targetClass :C ; sh:property :Q , [ sh:path :p ; sh:property :Q ] , [ sh:path :q ; sh:property :Q ] ."
        " :T sh:targetClass :D ; sh:property :Q . :Q sh:path :r ; sh:minCount 1 ."
    )
    data, going, coming = (
        set(as_kept(parse(PREFIXES + text, RdfFormat.TURTLE)))
        for text in (":a a :C ; :p :x . :b a :C .", f"{removed} .", f"{added} .")
    )
    delta = Delta(frozenset(coming), frozenset(going))
    by_gate, by_all = judged_both_ways(data, delta, shapes, Gate(shapes), whole(data, shapes))
    assert everything(by_gate) == everything(by_all)


def test_triples_that_only_named_graphs_gain_affect_nothing(shapes_of: ShapesOf) -> None:
    shapes = shapes_of(":S sh:targetSubjectsOf :p ; sh:nodeKind sh:Literal .")
    quad = Quad(ex("a"), ex("p"), ex("b"), ex("graph"))
    store = Store()
    store.extend([quad, Quad(ex("a"), ex("p"), ex("b"))])
    assert not Gate(shapes).affected(store, Delta(frozenset({quad})))


def test_given_focus_nodes_have_the_results_that_they_have_in_the_whole(shapes: Shapes) -> None:
    store = Store()
    quads = [quad for path in (ROOT / "tests" / "data" / "shapes").rglob("*.ttl") for quad in parse_file(path)]
    store.extend(Quad(quad.subject, quad.predicate, quad.object) for quad in quads)
    whole = validate(store, shapes)
    nodes = sorted({r.focus for r in whole.results if isinstance(r.focus, NamedNode)}, key=str)[::3]
    clean = NamedNode("urn:nothing-is-known-of-this")
    found = Gate(shapes).report_at(store, [*nodes, clean])
    assert len(nodes) > 20
    assert everything(found) == everything(Report(tuple(r for r in whole.results if r.focus in nodes)))
