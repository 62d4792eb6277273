"""SHACL-SPARQL: one query for all focus nodes means what pre-binding means for each of them."""

from __future__ import annotations

import pytest
from pyoxigraph import Literal, NamedNode

from kg_service.shacl import ShapesError
from tests.shacl.conftest import ReportOn

TARGET = ":S sh:targetClass :C ; sh:sparql :rule . :rule sh:prefixes : ; sh:select "
DECLARED = ': sh:declare [ sh:prefix "" ; sh:namespace "http://example.org/"^^xsd:anyURI ] .\n'
DATA = """
:C1 rdfs:subClassOf :C .
:a a :C ; :p 1, 2, 3 ; :q :x .
:b a :C1 ; :p 1 ; :q :b .
:c a :C .
:x :ok true .
"""


def ex(name: str) -> NamedNode:
    return NamedNode("http://example.org/" + name)


#: A query, and the focus nodes that it must find, in order, each as often as it has solutions.
QUERIES = {
    "a pattern": ("SELECT $this { $this :q ?x }", "ab"),
    "only a filter": ("SELECT $this { FILTER($this = :c) }", "c"),
    "a filter in a union": ("SELECT $this { { FILTER($this = :a) } UNION { FILTER($this = :c) } }", "ac"),
    "a filter two groups down": ("SELECT $this { { { FILTER($this = :b) } } }", "b"),
    "one solution for each value": ("SELECT $this ?value { $this :p ?value }", "aaab"),
    "distinct": ("SELECT DISTINCT $this { $this :p ?x }", "ab"),
    "all variables": ("SELECT * { $this :q ?value FILTER(?value != $this) }", "a"),
    "an optional": ("SELECT $this { OPTIONAL { $this :q ?x } FILTER(!bound(?x)) }", "c"),
    "an optional whose filter sees outward": (
        "SELECT $this { ?y :q ?z OPTIONAL { ?y :ok ?n FILTER($this = :nobody) } FILTER(!bound(?n)) }",
        "aabbcc",
    ),
    "an optional that binds": ("SELECT $this { OPTIONAL { BIND($this AS ?me) } FILTER(?me = :b) }", "b"),
    "a bind in a group": ("SELECT $this { { BIND($this AS ?me) } FILTER(?me = :b) }", "b"),
    "not exists": ("SELECT $this { FILTER NOT EXISTS { $this :p ?x } }", "c"),
    "not exists with only a filter": ("SELECT $this { FILTER NOT EXISTS { ?s :ok true FILTER($this = :a) } }", "bc"),
    "exists in exists": (
        "SELECT $this { FILTER EXISTS { $this :q ?x FILTER NOT EXISTS { ?x :ok true FILTER($this = $this) } } }",
        "b",
    ),
    "counting": ("SELECT $this { $this :p ?x } GROUP BY $this HAVING(COUNT(?x) > 2)", "a"),
    "counting none": ("SELECT $this { OPTIONAL { $this :p ?x } } GROUP BY $this HAVING(COUNT(?x) = 0)", "c"),
    "a sub-select that counts": (
        "SELECT $this { { SELECT $this (COUNT(?x) AS ?n) { OPTIONAL { $this :p ?x } } GROUP BY $this } "
        "FILTER(?n < 1) }",
        "c",
    ),
    "a sub-select of all": ("SELECT $this { { SELECT * { $this :q ?x } } }", "ab"),
    "a limit for each node": ("SELECT $this ?value { $this :p ?value } ORDER BY DESC(?value) LIMIT 1", "ab"),
    "a limit in a sub-select": ("SELECT $this { { SELECT $this { $this :p ?x } LIMIT 2 } }", "aab"),
    "this in a comment and in words": ('SELECT $this { # $this }\n $this :q ?x FILTER(?x != "} $this {") }', "ab"),
    "a path": ("SELECT $this { $this :q/:ok true }", "a"),
    "lower case": ("select ?this where { ?this :q ?x filter(?x = ?this) }", "b"),
    "less than, not an IRI": ("SELECT $this { $this :p ?x FILTER(?x<2&&?x>0) }", "ab"),
    "currentShape": ("SELECT $this { FILTER($currentShape = :S && bound($currentShape)) }", "abc"),
}


@pytest.mark.parametrize("case", QUERIES)
def test_each_query_finds_its_focus_nodes(case: str, report_on: ReportOn) -> None:
    query, expected = QUERIES[case]
    report = report_on(f"{DECLARED}{TARGET} '''{query}''' .", DATA)
    assert [r.focus for r in report.results] == [ex(letter) for letter in expected]


def test_a_limit_means_each_node_and_keeps_the_order(report_on: ReportOn) -> None:
    query, _ = QUERIES["a limit for each node"]
    report = report_on(f"{DECLARED}{TARGET} '''{query}''' .", DATA)
    assert [(r.focus, r.value) for r in report.results] == [(ex("a"), Literal(3)), (ex("b"), Literal(1))]


def test_a_blank_node_cannot_be_asked_for_singly(report_on: ReportOn) -> None:
    query, _ = QUERIES["a limit for each node"]
    with pytest.raises(ShapesError, match="blank node"):
        report_on(f"{DECLARED}{TARGET} '''{query}''' .", "[] a :C .")


def test_a_reported_failure_stops_validation(report_on: ReportOn) -> None:
    with pytest.raises(ShapesError, match="reported a failure"):
        report_on(f"{DECLARED}{TARGET} 'SELECT $this (true AS ?failure) {{ }}' .", DATA)


def test_the_shapes_graph_can_be_asked_even_for_shapes_without_a_name(report_on: ReportOn) -> None:
    query = "SELECT $this { GRAPH $shapesGraph { $currentShape :limit ?n } $this :p ?x FILTER(?x > ?n) }"
    shapes = f"{DECLARED} [] sh:targetClass :C ; :limit 2 ; sh:sparql [ sh:prefixes : ; sh:select '{query}' ] ."
    assert [r.focus for r in report_on(shapes, DATA).results] == [ex("a")]


def test_a_graph_is_asked_where_only_expressions_use_this(report_on: ReportOn) -> None:
    query = "SELECT $this { GRAPH :g { ?s :about ?o FILTER(?o = $this) } }"
    report = report_on(f"{DECLARED}{TARGET} '{query}' .", DATA + ":g { :s :about :b . }")
    assert [r.focus for r in report.results] == [ex("b")]


def test_path_and_value_come_from_the_query_or_from_the_shape(report_on: ReportOn) -> None:
    shapes = f"{DECLARED} :P sh:targetNode :x ; sh:path ( [ sh:inversePath :q ] :p ) ; sh:sparql :rule . "
    shapes += ":rule sh:prefixes : ; sh:select 'SELECT $this ?value { $this $PATH ?value FILTER(?value > 1) }' ."
    report = report_on(shapes, DATA)
    assert [(r.path_text, r.value) for r in report.results] == [
        ("(^<http://example.org/q>)/<http://example.org/p>", Literal(number)) for number in (2, 3)
    ]
    assert {r.constraint for r in report.results} == {ex("rule")}
    shapes = f"{DECLARED}{TARGET} 'SELECT $this (:p AS ?path) {{ $this :p ?x }}' ."
    assert {(r.path_text, r.value) for r in report_on(shapes, DATA).results} == {
        ("<http://example.org/p>", ex("a")),
        ("<http://example.org/p>", ex("b")),
    }


COMPONENT = """
:MaxComponent a sh:ConstraintComponent ;
  sh:parameter [ sh:path :max ], [ sh:path :unless ; sh:optional true ] ;
  sh:validator :asked .
:asked sh:prefixes : ; sh:message "{?value} is above {$max}"@en, "{$value} supera {?max}"@es ;
  sh:ask "ASK { { FILTER($value <= $max) } UNION { FILTER(bound($unless)) $this $unless true } }" .
"""


def test_an_ask_validator_is_asked_for_every_value(report_on: ReportOn) -> None:
    shapes = f"{DECLARED}{COMPONENT} :P sh:targetClass :C ; sh:path :p ; :max 1 ."
    report = report_on(shapes, DATA, language="es")
    assert [(r.focus, r.value, r.component) for r in report.results] == [
        (ex("a"), Literal(number), ex("MaxComponent")) for number in (2, 3)
    ]
    assert [text.value for text in report.results[0].messages] == ["2 supera 1", "2 is above 1"]
    assert report.results[0].constraint is None


def test_an_optional_parameter_is_bound_only_where_it_is_given(report_on: ReportOn) -> None:
    shapes = f"{DECLARED}{COMPONENT} :P sh:targetClass :C ; sh:path :p ; :max 1 ; :unless :excused ."
    assert report_on(shapes, DATA + ":a :excused true .").conforms
    assert len(report_on(shapes, DATA).results) == 2


def test_a_component_of_one_parameter_holds_for_each_of_its_values(report_on: ReportOn) -> None:
    component = """:NotComponent a sh:ConstraintComponent ; sh:parameter [ sh:path :never ] ;
      sh:nodeValidator [ sh:select "SELECT $this { $this ?p $never }" ] ;
      sh:propertyValidator [ sh:select "SELECT $this ?value { $this $PATH ?value FILTER(?value = $never) }" ] ."""
    assert len(report_on(f"{component} :S sh:targetClass :C ; :never 1, 2 .", DATA).results) == 3
    report = report_on(f"{component} :S sh:targetClass :C ; sh:path :q ; :never :x, :b, 1 .", DATA)
    assert [(r.focus, r.value) for r in report.results] == [(ex("a"), ex("x")), (ex("b"), ex("b"))]


def test_parameters_stand_in_sub_selects_and_groupings(report_on: ReportOn) -> None:
    component = """:Most a sh:ConstraintComponent ; sh:parameter [ sh:path :most ] ; sh:nodeValidator [ sh:select
      '''SELECT $this { { SELECT $this $most (COUNT(?x) AS ?n) { $this ?p ?x } GROUP BY $this $most }
        FILTER(?n > $most) }''' ] ."""
    report = report_on(f"{component} :S sh:targetClass :C ; :most 3 .", DATA)
    assert [r.focus for r in report.results] == [ex("a")]


def test_a_component_without_a_validator_for_the_shape_is_passed_over(report_on: ReportOn) -> None:
    """The Recommendation (6.2.3): "If no suitable validator can be found, a SHACL-SPARQL processor ignores the
    constraint."
    """
    component = """:Only a sh:ConstraintComponent ; sh:parameter [ sh:path :only ] ;
      sh:propertyValidator [ sh:select "SELECT $this { }" ] ."""
    assert report_on(f"{component} :S sh:targetClass :C ; :only 1 .", DATA).conforms


def test_deactivated_rules_are_not_run(report_on: ReportOn) -> None:
    shapes = f"{DECLARED}{TARGET} 'SELECT $this {{ }}' . :rule sh:deactivated true ."
    assert report_on(shapes, DATA).conforms
