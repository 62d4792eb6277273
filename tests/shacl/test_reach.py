"""What a check can look at is listed whole, and no wider than it must be."""

from __future__ import annotations

import pytest
from pyoxigraph import NamedNode

from kg_service.shacl import Shapes, load_shapes
from kg_service.shacl.graph import TYPE
from kg_service.shacl.paths import sparql
from kg_service.shacl.reach import Read, Unit, units_of
from tests.conftest import ROOT
from tests.shacl.conftest import ShapesOf

DECLARED = ': sh:declare [ sh:prefix "" ; sh:namespace "http://example.org/"^^xsd:anyURI ] .\n'
TARGET = ":S sh:targetClass :C ; "


def written(read: Read) -> str:
    """The read as `prefix > predicate`, an arrow the other way for what enters."""

    def name(iri: NamedNode) -> str:
        return "a" if iri == TYPE else iri.value.removeprefix("http://example.org/")

    prefix = "this" if read.prefix is None else sparql(read.prefix, name)
    predicate = "any" if read.predicate is None else name(read.predicate)
    kind = "" if read.kind is None else f" {name(read.kind)}"
    return f"{prefix} {'<' if read.is_inverse else '>'} {predicate}{kind}"


def units(shapes: Shapes) -> list[Unit]:
    return [unit for plan in shapes.plans for unit in units_of(plan)]


#: A constraint, and all that it can read.
READS = {
    "a count": ("sh:property [ sh:path :p ; sh:maxCount 2 ]", ["this > p"]),
    "a class": ("sh:property [ sh:path :p ; sh:class :K ]", ["p > a K", "this > p"]),
    "a class of the focus node": ("sh:class :K", ["this > a K"]),
    "a sequence": ("sh:property [ sh:path ( :p :q ) ; sh:minCount 1 ]", ["p > q", "this > p"]),
    "an inverse": ("sh:property [ sh:path [ sh:inversePath :p ] ; sh:minCount 1 ]", ["this < p"]),
    "the inverse of a sequence": (
        "sh:property [ sh:path [ sh:inversePath ( :p :q ) ] ; sh:minCount 1 ]",
        ["^q < p", "this < q"],
    ),
    "any number of steps": ("sh:property [ sh:path [ sh:zeroOrMorePath :p ] ; sh:nodeKind sh:IRI ]", ["p* > p"]),
    "a step or none": ("sh:property [ sh:path [ sh:zeroOrOnePath :p ] ; sh:nodeKind sh:IRI ]", ["this > p"]),
    "alternatives": (
        "sh:property [ sh:path [ sh:alternativePath ( :p [ sh:inversePath :q ] ) ] ; sh:minCount 1 ]",
        ["this < q", "this > p"],
    ),
    "a pair": ("sh:property [ sh:path ( :p :q ) ; sh:equals :r ]", ["p > q", "this > p", "this > r"]),
    "a closed shape": ("sh:closed true", ["this > any"]),
    "a shape in a shape": (
        "sh:property [ sh:path :p ; sh:node [ sh:property [ sh:path :q ; sh:class :K ] ] ]",
        ["p > q", "p/q > a K", "this > p"],
    ),
    "a property of a property": (
        "sh:property [ sh:path :p ; sh:property [ sh:path :q ; sh:minCount 1 ] ]",
        ["p > q", "this > p"],
    ),
    "a deactivated shape": ("sh:not [ sh:deactivated true ; sh:property [ sh:path :p ; sh:minCount 1 ] ]", []),
    "qualified values and their siblings": (
        "sh:property [ sh:path :p ; sh:qualifiedMinCount 1 ; sh:qualifiedValueShapesDisjoint true ; "
        "sh:qualifiedValueShape [ sh:property [ sh:path :q ; sh:minCount 1 ] ] ] ; "
        "sh:property [ sh:path :p ; sh:qualifiedMinCount 1 ; "
        "sh:qualifiedValueShape [ sh:property [ sh:path :r ; sh:minCount 1 ] ] ]",
        ["p > q", "p > r", "this > p"],
    ),
}


@pytest.mark.parametrize("case", READS)
def test_a_constraint_reads_what_its_paths_lead_to(case: str, shapes_of: ShapesOf) -> None:
    text, expected = READS[case]
    found = {written(read) for unit in units(shapes_of(f"{TARGET} {text} .")) for read in unit.reads}
    assert sorted(found) == expected


#: The WHERE of a rule, and all that it can read; None where that is everything.
RULES = {
    "a chain": ("$this :p ?a . ?a :q ?b", ["p > q", "this > p"]),
    "the others with the same value": ("$this :p ?v . ?other :p ?v ; a :K", ["p < p", "p/(^p) > a", "this > p"]),
    "siblings below a whole rather than all with one value": (
        "?whole :has $this , ?other . $this :order ?n . ?other :order ?n",
        ["(^has)/has > order", "^has > has", "this < has", "this > order"],
    ),
    "a filter on what exists": ("$this :p ?a FILTER NOT EXISTS { ?a :q ?c }", ["p > q", "this > p"]),
    "a predicate that is a value": (
        "$this :s ?s ; :p ?p ; :o ?o FILTER NOT EXISTS { ?s ?p ?o }",
        ["s > any", "this > o", "this > p", "this > s"],
    ),
    "any predicate": ("$this ?p ?v", ["this > any"]),
    "a path pattern": ("$this :p ?a . ?a :q* $this", ["p/(q*) > q", "this > p"]),
    "an optional": ("$this :p ?a OPTIONAL { ?a :q ?b }", ["p > q", "this > p"]),
    "either of two": ("$this :p ?a { ?a :q ?b } UNION { ?a :r ?b }", ["p > q", "p > r", "this > p"]),
    "words that look like patterns": ("$this :p ?a # ?a :q ?b\n FILTER(?a != '$this :r ?b')", ["this > p"]),
    "no step at all from a node that may be nowhere": ("$this :p* ?a", ["p* > p", "this < any", "this > any"]),
    "every node of the graph": ("?a :p* ?b . $this :p ?c", None),
    "a value without a way to it": ("$this :p ?a . ?x :q ?y", None),
    "a value bound only by an optional": ("$this :p ?a OPTIONAL { $this :q ?b } FILTER NOT EXISTS { ?b :r ?c }", None),
    "a join with what an optional may have bound": ("$this :p ?a OPTIONAL { ?c :q ?b } ?b :r $this", None),
    "a computed value": ("$this :p ?a BIND(IRI(STR(?a)) AS ?b) FILTER EXISTS { ?b :q ?c }", None),
    "a sub-select": ("{ SELECT $this { $this :p ?a } }", None),
    "a named graph": ("GRAPH ?g { $this :p ?a }", None),
    "a negated property set": ("$this !:p ?a", None),
}


@pytest.mark.parametrize("case", RULES)
def test_a_rule_reads_what_its_patterns_lead_to(case: str, shapes_of: ShapesOf) -> None:
    where, expected = RULES[case]
    rule = f'sh:sparql [ sh:prefixes : ; sh:select """SELECT $this WHERE {{ {where} }}""" ]'
    (unit,) = units(shapes_of(f"{DECLARED} {TARGET} {rule} ."))
    assert (unit.wide == "") == (expected is not None), unit.wide
    assert all(way.is_local for way in unit.ways) == (expected is not None)
    if expected is not None:
        assert sorted({written(read) for read in unit.reads}) == expected


def test_every_rule_of_the_project_can_be_localised() -> None:
    found = units(load_shapes(ROOT / "shapes"))
    assert len(found) > 400
    assert {str(unit.check.shape.node): unit.wide for unit in found if unit.wide} == {}
    assert all(way.is_local for unit in found for way in unit.ways)
