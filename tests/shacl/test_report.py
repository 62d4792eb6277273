"""The report in its four forms: Python values, RDF, plain data, text."""

from __future__ import annotations

import json

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, RdfFormat, serialize

from kg_service.shacl import Report
from kg_service.shacl.graph import TYPE, Graph, sh
from kg_service.shacl.paths import read_path, sparql
from tests.shacl.conftest import ReportOn

SHAPES = """
:S sh:targetClass :C ; sh:property :P, :Q ; sh:sparql :rule .
:P sh:path ( :p [ sh:inversePath :q ] ) ; sh:minCount 1 ; sh:message "No p."@en, "Sin p."@es .
:Q sh:path :q ; sh:datatype xsd:integer ; sh:severity sh:Warning ; sh:message "Not a number." .
:rule sh:select "SELECT $this { $this <http://example.org/bad> true }" ; sh:message "Bad." .
"""
DATA = ":a a :C ; :q 'words'@en ; :bad true ."
CONFORMS = ":a a :C ; :p [ ^:q :b ] ."


def test_results_say_all_that_the_recommendation_asks_for(report_on: ReportOn) -> None:
    described = Graph(report_on(SHAPES, DATA).to_quads())
    (report,) = described.subjects(TYPE, sh("ValidationReport"))
    assert [str(each) for each in described.objects(report, sh("conforms"))] == [
        '"false"^^<http://www.w3.org/2001/XMLSchema#boolean>'
    ]
    results = described.objects(report, sh("result"))
    assert len(results) == 3
    expected = {
        "MinCount": {"resultPath", "resultMessage"},
        "Datatype": {"resultPath", "resultMessage", "value"},
        "SPARQL": {"resultMessage", "value", "sourceConstraint"},
    }
    common = {"focusNode", "resultSeverity", "sourceConstraintComponent", "sourceShape"}
    for result in results:
        (component,) = described.objects(result, sh("sourceConstraintComponent"))
        name = str(component).split("#")[1].removesuffix("ConstraintComponent>")
        predicates = {p.value.split("#")[1] for p in described.predicates(result) if p != TYPE}
        assert predicates == common | expected[name]
        for path in described.objects(result, sh("resultPath")):
            read_path(described, path)
        if name == "MinCount":
            (path,) = described.objects(result, sh("resultPath"))
            assert sparql(read_path(described, path)) == "<http://example.org/p>/(^<http://example.org/q>)"
            assert set(described.objects(result, sh("resultMessage"))) == {
                Literal("No p.", language="en"),
                Literal("Sin p.", language="es"),
            }


def test_results_are_blank_nodes_or_iris_below_a_base(report_on: ReportOn) -> None:
    report = report_on(SHAPES, DATA)
    blank = Graph(report.to_quads())
    assert all(isinstance(node, BlankNode) for node in blank.subjects(TYPE, sh("ValidationResult")))
    named = Graph(report.to_quads("https://w3id.org/sse-kg/report/7"))
    assert named.subjects(TYPE, sh("ValidationReport")) == [NamedNode("https://w3id.org/sse-kg/report/7")]
    assert named.subjects(TYPE, sh("ValidationResult")) == [
        NamedNode(f"https://w3id.org/sse-kg/report/7#result-{number}") for number in (1, 2, 3)
    ]
    assert all(quad.graph_name == DefaultGraph() for quad in report.to_quads())
    assert serialize(report.to_quads(), None, RdfFormat.TURTLE)


def test_plain_data_can_be_written_as_json(report_on: ReportOn) -> None:
    plain = json.loads(json.dumps(report_on(SHAPES, DATA, limit=2).to_dict()))
    assert (plain["conforms"], plain["blocks"], plain["truncated"]) == (False, True, True)
    assert plain["counts"] == {"Violation": 2, "Warning": 0, "Info": 0}
    whole = report_on(SHAPES, DATA, language="es").to_dict()
    by_component = {result["component"].split("#")[1]: result for result in whole["results"]}
    assert by_component["DatatypeConstraintComponent"] == {
        "severity": "Warning",
        "message": "Not a number.",
        "messages": [{"type": "literal", "value": "Not a number."}],
        "focus": {"type": "uri", "value": "http://example.org/a"},
        "path": "<http://example.org/q>",
        "value": {"type": "literal", "value": "words", "xml:lang": "en"},
        "component": "http://www.w3.org/ns/shacl#DatatypeConstraintComponent",
        "shape": {"type": "uri", "value": "http://example.org/Q"},
    }
    assert by_component["MinCountConstraintComponent"]["value"] is None
    assert by_component["MinCountConstraintComponent"]["message"] == "Sin p."


def test_the_text_is_for_reading(report_on: ReportOn) -> None:
    assert report_on(SHAPES, CONFORMS.replace("[ ^:q :b ]", ":b . :c :q :b")).to_text() == (
        "The data conform to the shapes."
    )
    assert report_on(SHAPES, DATA).to_text() == (
        "The data break the shapes: 2 Violation, 1 Warning.\n\n"
        "<http://example.org/a>\n"
        "  Violation: Bad.\n    value <http://example.org/a>, shape <http://example.org/S>\n"
        "  Violation: No p.\n    path <http://example.org/p>/(^<http://example.org/q>), shape <http://example.org/P>\n"
        "  Warning: Not a number.\n    path <http://example.org/q>, value “words”, shape <http://example.org/Q>"
    )
    shortened = report_on(SHAPES, DATA, limit=1).to_text()
    assert shortened.startswith("The data break the shapes: at least 1 Violation.")
    assert shortened.endswith("There are more results than are shown.")
    warned = report_on(SHAPES, ":a a :C ; :p :b ; :q 'words' . :c :q :b .").to_text()
    assert warned.startswith("The data break no shape, but see what was found: 1 Warning.")


def test_what_was_there_before_can_be_left_out(report_on: ReportOn) -> None:
    shapes = ":S sh:targetClass :C ; sh:property [ sh:path :p ; sh:property :T ] . :T sh:path :q ; sh:minCount 1 ."
    before = report_on(shapes, ":a a :C ; :p :x .")
    after = report_on(shapes, ":a a :C ; :p :x . :b a :C ; :p :x, :y .")
    assert len(after.results) == 3
    assert len(after.without(before).results) == 2, "one of the two equal results was there before"
    assert after.without(after) == Report()
    assert before.without(after).conforms
