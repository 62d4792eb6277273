"""Shapes that cannot be used are refused when they are loaded, and the refusal says where."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg_service.errors import KgError
from kg_service.shacl import ShapesError, load_shapes
from tests.shacl.conftest import ShapesOf

SELECT = "SELECT $this WHERE { $this :p ?x }"

REFUSED = {
    "recursive by sh:node": (
        ":S a sh:NodeShape ; sh:property [ sh:path :p ; sh:node :S ] .",
        "shape <http://example.org/S>, property shape for <http://example.org/p>: recursive shapes are not supported",
    ),
    "recursive over two shapes": (":S sh:not :T ; sh:targetNode :a . :T sh:not :S .", "recursive"),
    "count that is no integer": (':S a sh:NodeShape ; sh:property [ sh:path :p ; sh:minCount "1" ] .', "sh:minCount"),
    "count below zero": (":S a sh:NodeShape ; sh:property [ sh:path :p ; sh:maxCount -1 ] .", "from 0 up"),
    "two counts": (":S a sh:PropertyShape ; sh:path :p ; sh:minCount 1, 2 .", "at most one value is allowed, found 2"),
    "count in a node shape": (":S a sh:NodeShape ; sh:minCount 1 .", "only a property shape"),
    "lessThan in a node shape": (":S a sh:NodeShape ; sh:lessThan :p .", "only a property shape"),
    "property shape without path": (":S a sh:PropertyShape ; sh:class :C .", "sh:path"),
    "two paths": (":S a sh:PropertyShape ; sh:path :p, :q .", "sh:path"),
    "path that is a literal": (':S a sh:PropertyShape ; sh:path "p" .', "sh:path: a path is an IRI or a blank node"),
    "path of one step": (":S a sh:PropertyShape ; sh:path ( :p ) .", "at least two"),
    "path that contains itself": (":S a sh:PropertyShape ; sh:path _:x . _:x sh:inversePath _:x .", "contains itself"),
    "path of two forms": (
        ":S a sh:PropertyShape ; sh:path [ sh:inversePath :p ; sh:zeroOrMorePath :p ] .",
        "found inversePath, zeroOrMorePath",
    ),
    "datatype that is a literal": (':S a sh:NodeShape ; sh:datatype "date" .', 'sh:datatype: takes an IRI, not "date"'),
    "unknown node kind": (":S a sh:NodeShape ; sh:nodeKind sh:Iri .", "takes one of BlankNode"),
    "unknown property": (":S a sh:PropertyShape ; sh:path :p ; sh:minCuont 1 .", "sh:minCuont: not a property"),
    "advanced features": (":S a sh:NodeShape ; sh:rule [ ] .", "sh:rule"),
    "sh:in without a list": (":S a sh:NodeShape ; sh:in :a .", "sh:in: takes a well-formed RDF list"),
    "list that ends nowhere": (":S a sh:NodeShape ; sh:or [ rdf:first [] ] .", "sh:or: takes a well-formed RDF list"),
    "languages that are no strings": (":S a sh:NodeShape ; sh:languageIn ( :en ) .", "takes a list of strings"),
    "sh:property without path": (":S a sh:NodeShape ; sh:property [ sh:minLength 1 ] .", "has no sh:path"),
    "sh:node with a path": (":S a sh:NodeShape ; sh:node [ sh:path :p ] .", "takes a node shape"),
    "reference to nothing": (":S a sh:NodeShape ; sh:node :Missing .", "refers to <http://example.org/Missing>"),
    "pattern that the engine cannot read": (':S a sh:NodeShape ; sh:pattern "(?=x)" .', 'sh:pattern: "(?=x)"'),
    "pattern in a nested shape": (':S a sh:NodeShape ; sh:or ( [ sh:pattern "[" ] ) .', 'sh:pattern: "["'),
    "unknown flags": (':S a sh:NodeShape ; sh:pattern "x" ; sh:flags "g" .', "sh:flags"),
    "closed that is no truth value": (':S a sh:NodeShape ; sh:closed "yes" .', "takes true or false"),
    "ignored properties that are no IRIs": (
        ':S a sh:NodeShape ; sh:closed true ; sh:ignoredProperties ( "p" ) .',
        "sh:ignoredProperties: takes an IRI",
    ),
    "severity that is a literal": (':S a sh:NodeShape ; sh:severity "high" .', "sh:severity"),
    "message that is an IRI": (":S a sh:NodeShape ; sh:message :m .", "sh:message"),
    "target that is a blank node": (":S a sh:NodeShape ; sh:targetNode [] .", "sh:targetNode: takes an IRI"),
    "target class that is a literal": (':S a sh:NodeShape ; sh:targetClass "C" .', "sh:targetClass: takes an IRI"),
    "SPARQL without a query": (":S a sh:NodeShape ; sh:sparql [ ] .", "must have one sh:select"),
    "SPARQL that does not parse": (
        ':S sh:targetNode :a ; sh:sparql [ sh:select "SELECT $this WHERE { $this }" ] .',
        "cannot be read",
    ),
    "SPARQL with a prefix that is not declared": (
        f':S sh:targetNode :a ; sh:sparql [ sh:select "{SELECT}" ] .',
        "shape <http://example.org/S>: the query of",
    ),
    "SPARQL that does not select $this": (
        ':S sh:targetNode :a ; sh:sparql [ sh:select "SELECT ?x WHERE { $this ?p ?x }" ] .',
        "must select $this",
    ),
    "$PATH in a node shape": (
        ':S sh:targetNode :a ; sh:sparql [ sh:select "SELECT $this WHERE { $this $PATH ?x }" ] .',
        "$PATH",
    ),
    "MINUS": (
        ':S sh:targetNode :a ; sh:sparql [ sh:select "SELECT $this WHERE { ?s ?p $this MINUS { $this ?q ?o } }" ] .',
        "MINUS cannot be used",
    ),
    "FROM": (
        ':S sh:targetNode :a ; sh:sparql [ sh:select "SELECT $this FROM <http://g> WHERE { $this ?q ?o }" ] .',
        "FROM cannot be used",
    ),
    "prefix with two namespaces": (
        ":S a sh:NodeShape ; sh:sparql [ sh:prefixes :o ; sh:select 'SELECT $this {}' ] . :o sh:declare "
        "[ sh:prefix 'x' ; sh:namespace 'http://x/' ], [ sh:prefix 'x' ; sh:namespace 'http://y/' ] .",
        'prefix "x" is declared with two namespaces',
    ),
    "component without a parameter that is needed": (
        ":C a sh:ConstraintComponent ; sh:parameter [ sh:path :p ; sh:optional true ] .",
        "shape <http://example.org/C>, sh:parameter",
    ),
    "parameter that is a blank node": (
        ":C a sh:ConstraintComponent ; sh:parameter [ sh:path :p ] ; sh:validator [ sh:ask 'ASK {}' ] ."
        ":S a sh:NodeShape ; :p [] .",
        "a query cannot name it",
    ),
    "two values for a component of two parameters": (
        ":C a sh:ConstraintComponent ; sh:parameter [ sh:path :p ], [ sh:path :q ] ; sh:validator [ sh:ask 'ASK {}' ]."
        ":S a sh:NodeShape ; :p 1, 2 ; :q 3 .",
        "allows one value",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_shapes_are_refused_with_the_place(case: str, shapes_of: ShapesOf) -> None:
    text, said = REFUSED[case]
    with pytest.raises(ShapesError) as refusal:
        shapes_of(text)
    assert said in refusal.value.detail
    assert isinstance(refusal.value, KgError)


def test_what_no_shape_uses_is_not_judged(shapes_of: ShapesOf) -> None:
    assert len(shapes_of("[] sh:zeroOrMorePath ( :p ) . :x sh:minCount 'many' .")) == 0


def test_a_deactivated_shape_is_still_read(shapes_of: ShapesOf) -> None:
    with pytest.raises(ShapesError):
        shapes_of(":S a sh:NodeShape ; sh:deactivated true ; sh:datatype 'x' .")


def test_shapes_come_from_files_and_folders(tmp_path: Path) -> None:
    text = "@prefix sh: <http://www.w3.org/ns/shacl#> . <http://e/{}> sh:targetNode <http://e/a> ; sh:property {} ."
    one, two = tmp_path / "one.ttl", tmp_path / "deeper" / "two.ttl"
    two.parent.mkdir()
    one.write_text(text.format("S", "_:b1 . _:b1 sh:path <http://e/p> ; sh:minCount 1"))
    two.write_text(text.format("T", "_:b1 . _:b1 sh:path <http://e/q> ; sh:minCount 2"))
    (tmp_path / "notes.md").write_text("not RDF")
    assert len(load_shapes(tmp_path)) == 2, "blank nodes of two files are different nodes"
    assert len(load_shapes([one, str(two)])) == 2
    assert len(load_shapes(str(one))) == 1
    with pytest.raises(KgError, match="no such file"):
        load_shapes(tmp_path / "three.ttl")


def test_a_rule_that_is_no_select_query_is_refused(shapes_of: ShapesOf) -> None:
    query = "CONSTRUCT { $this ?p 1 } WHERE { $this ?p 2 }"
    with pytest.raises(ShapesError, match=r"example\.org/S.*must be a SELECT"):
        shapes_of(f":S sh:targetNode :a ; sh:sparql [ sh:select '{query}' ] .")


def test_shapes_nested_without_end_are_refused(shapes_of: ShapesOf) -> None:
    nested = "".join(f":S{i} a sh:NodeShape ; sh:not :S{i + 1} . " for i in range(1000))
    with pytest.raises(ShapesError, match="nested deeper"):
        shapes_of(f":S sh:targetNode :a ; sh:not :S0 . {nested} :S1000 a sh:NodeShape ; sh:class :C .")
