"""The shapes as people read them: targets, paths and messages, of odd shapes too."""

from __future__ import annotations

from kg_service import resources
from kg_service.rdf import ONTOLOGY, SHAPE, TURTLE, parse_bytes, parse_file
from kg_service.rulebook import Rule, Rulebook

PREFIXES = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix sse: <https://w3id.org/sse-kg/ontology#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix ex: <https://example.org/> .
"""


def rule(path: str) -> Rule:
    """The rule of a shape whose property shape says this."""
    text = f"{PREFIXES} ex:Shape a sh:NodeShape ; sh:targetClass sse:Event ; sh:property ex:rule . ex:rule {path} ."
    (shape,) = Rulebook(parse_bytes(text.encode(), TURTLE)).shapes
    (found,) = shape.rules
    return found


def test_paths_are_written_as_sparql_writes_them() -> None:
    for path, written, properties in (
        ("sse:theme", "sse:theme", {"theme"}),
        ("[ sh:inversePath sse:inEvent ]", "^sse:inEvent", {"inEvent"}),
        ("( sse:inSection sse:inPolicy )", "sse:inSection/sse:inPolicy", {"inSection", "inPolicy"}),
        ("[ sh:alternativePath ( sse:theme sse:level ) ]", "sse:theme|sse:level", {"theme", "level"}),
        ("[ sh:zeroOrMorePath ( sse:partOf sse:within ) ]", "(sse:partOf/sse:within)*", {"partOf", "within"}),
        ("[ sh:oneOrMorePath [ sh:inversePath sse:partOf ] ]", "^sse:partOf+", {"partOf"}),
        ("( [ sh:zeroOrOnePath sse:theme ] ex:p )", "sse:theme?/https://example.org/p", {"theme"}),
    ):
        found = rule(f"sh:path {path} ; sh:minCount 1")
        assert found.path == written
        assert {iri.removeprefix(ONTOLOGY) for iri in found.properties if iri.startswith(ONTOLOGY)} == properties


def test_what_is_asked_is_told_with_its_values() -> None:
    found = rule(
        'sh:path sse:status ; sh:in ( sse:a "b"@en 3 ) ; sh:maxCount 1 ; sh:severity sh:Warning ; sh:message "No."@en'
    )
    asks = {name: [str(getattr(value, "value", value)) for value in values] for name, values in found.asks}
    assert asks == {"maxCount": ["1"], "in": [ONTOLOGY + "a", "b", "3"]}
    assert (found.severity, found.messages) == ("Warning", {"en": "No."})


def test_shapes_that_run_in_circles_end() -> None:
    text = f"""{PREFIXES}
    ex:Shape a sh:NodeShape ; sh:targetClass sse:Event ; sh:property ex:one , ex:two .
    ex:one sh:path _:list . _:list rdf:first sse:theme ; rdf:rest _:list .
    ex:two sh:path _:up . _:up sh:inversePath _:up ."""
    (shape,) = Rulebook(parse_bytes(text.encode(), TURTLE)).shapes
    assert shape.rules[0].path == "sse:theme"
    assert len(shape.rules[1].path) < 100


def test_a_class_that_is_a_shape_has_itself_as_target() -> None:
    text = f"{PREFIXES} sse:Event a owl:Class , sh:NodeShape ; sh:property [ sh:path sse:theme ] ."
    (shape,) = Rulebook(parse_bytes(text.encode(), TURTLE)).shapes
    assert shape.targets == (("targetClass", ONTOLOGY + "Event"),)


def test_the_project_s_shapes_are_all_told() -> None:
    book = Rulebook(q for path in sorted(resources.folder("shapes").glob("*.ttl")) for q in parse_file(path))
    assert {SHAPE + "Event", SHAPE + "Event-iri"} <= {each.iri for each in book.of_class(ONTOLOGY + "Event")}
    told = [rule for shape in book.shapes for rule in shape.rules]
    assert all(rule.messages.keys() >= {"en", "es"} for rule in told)
    assert {shape.name for shape, _ in book.of_property(ONTOLOGY + "eventKind")} >= {"Event"}
