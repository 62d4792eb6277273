"""Every result has a sentence: the shape's own in the reader's language, or one made from the constraint."""

from __future__ import annotations

import pytest

from kg_service.shacl import Report
from tests.shacl.conftest import ReportOn

SAID = """
:S sh:targetNode :a ; sh:path :p ; sh:minCount 1 ;
  sh:message "plain", "English"@en, "español"@es, "British"@en-GB .
"""


def said(report: Report) -> list[str]:
    return [result.message for result in report.results]


@pytest.mark.parametrize(
    ("language", "order"),
    [
        ("en", ["English", "British", "plain", "español"]),
        ("en-GB", ["British", "English", "plain", "español"]),
        ("es", ["español", "plain", "English", "British"]),
        ("es-MX", ["español", "plain", "English", "British"]),
        ("fr", ["plain", "English", "British", "español"]),
    ],
)
def test_the_readers_language_comes_first_and_all_are_kept(
    language: str, order: list[str], report_on: ReportOn
) -> None:
    (result,) = report_on(SAID, "", language=language).results
    assert [message.value for message in result.messages] == order
    assert result.message == order[0]


def test_a_nested_shape_speaks_for_itself(report_on: ReportOn) -> None:
    shapes = (
        ':S sh:targetNode :a ; sh:message "outer" ; sh:property [ sh:path :p ; sh:minCount 1 ; sh:message "inner" ] .'
    )
    assert said(report_on(shapes, "")) == ["inner"]


def test_a_rule_speaks_before_its_shape_and_a_row_before_the_rule(report_on: ReportOn) -> None:
    shape = """:S sh:targetNode :a ; sh:message "the shape" ;
      sh:sparql [ {} sh:select "SELECT $this {} {{ $this ?p ?o }}" ] ."""
    assert said(report_on(shape.format("", ""), ":a :p 1 .")) == ["the shape"]
    assert said(report_on(shape.format('sh:message "{?o} of {$this}, {?none}" ;', "?o"), ":a :p 1 .")) == [
        "1 of <http://example.org/a>, {?none}"
    ]
    spoken = shape.format('sh:message "rule" ;', "(CONCAT('row ', STR(?o)) AS ?message)")
    assert said(report_on(spoken, ":a :p 1 .")) == ["row 1"]


A, P = "<http://example.org/a>", "sh:targetNode :a ; sh:path :p ;"
NUMBER, WORD = ":a :p 1 .", ":a :p 'word' ."

#: What is wrong, and the sentences in English and Spanish.
GENERATED = {
    "min 1": (
        f"{P} sh:minCount 1",
        "",
        f"{A} must have at least one value for p.",
        f"{A} debe tener al menos un valor en p.",
    ),
    "min 2": (
        f"{P} sh:minCount 2",
        NUMBER,
        f"{A} must have at least 2 values for p.",
        f"{A} debe tener al menos 2 valores en p.",
    ),
    "max 1": (
        f"{P} sh:maxCount 1",
        ":a :p 1, 2 .",
        f"{A} must have at most one value for p.",
        f"{A} debe tener como máximo un valor en p.",
    ),
    "max 0": (f"{P} sh:maxCount 0", NUMBER, f"{A} must have no value for p.", f"{A} no debe tener ningún valor en p."),
    "named": (
        f"{P} sh:minCount 1 ; sh:name 'start'@en, 'inicio'@es",
        "",
        f"{A} must have at least one value for “start”.",
        f"{A} debe tener al menos un valor en “inicio”.",
    ),
    "long path": (
        "sh:targetNode :a ; sh:path ( :p [ sh:inversePath :q ] ) ; sh:minCount 1",
        "",
        f"{A} must have at least one value for p/(^q).",
        f"{A} debe tener al menos un valor en p/(^q).",
    ),
    "class": (
        f"{P} sh:class :Place",
        WORD,
        f"For {A}, the value “word” of p must be of the class Place.",
        f"En {A}, el valor “word” de p debe ser de la clase Place.",
    ),
    "date": (
        f"{P} sh:datatype xsd:date",
        WORD,
        f"For {A}, the value “word” of p must be a date, such as 2024-05-31.",
        f"En {A}, el valor “word” de p debe ser una fecha, como 2024-05-31.",
    ),
    "other datatype": (
        f"{P} sh:datatype xsd:language",
        WORD,
        f"For {A}, the value “word” of p must be of the data type xsd:language.",
        f"En {A}, el valor “word” de p debe ser del tipo de datos xsd:language.",
    ),
    "kind": (
        f"{P} sh:nodeKind sh:BlankNodeOrIRI",
        WORD,
        f"For {A}, the value “word” of p must be a blank node or a thing with an identifier (IRI).",
        f"En {A}, el valor “word” de p debe ser un nodo en blanco o una cosa con identificador (IRI).",
    ),
    "range": (
        f"{P} sh:minInclusive 5",
        NUMBER,
        f"For {A}, the value “1” of p must be 5 or more.",
        f"En {A}, el valor “1” de p debe ser 5 o más.",
    ),
    "length": (
        f"{P} sh:minLength 5",
        WORD,
        f"For {A}, the value “word” of p must have at least 5 characters.",
        f"En {A}, el valor “word” de p debe tener al menos 5 caracteres.",
    ),
    "pattern": (
        f"{P} sh:pattern '^[A-Z]'",
        WORD,
        f"For {A}, the value “word” of p must have the form “^[A-Z]”.",
        f"En {A}, el valor “word” de p debe tener la forma “^[A-Z]”.",
    ),
    "languages": (
        f"{P} sh:languageIn ( 'en' 'es' )",
        WORD,
        f"For {A}, the value “word” of p must be in one of these languages: en, es.",
        f"En {A}, el valor “word” de p debe estar en uno de estos idiomas: en, es.",
    ),
    "in": (
        f"{P} sh:in ( 'a' 2 )",
        WORD,
        f"For {A}, the value “word” of p must be one of: “a”, “2”.",
        f"En {A}, el valor “word” de p debe ser uno de: “a”, “2”.",
    ),
    "has value": (
        f"{P} sh:hasValue 'x'",
        WORD,
        f"{A} must have the value “x” for p.",
        f"{A} debe tener el valor “x” en p.",
    ),
    "is value": (
        "sh:targetNode :a ; sh:hasValue :b",
        "",
        f"{A} must be <http://example.org/b>.",
        f"{A} debe ser <http://example.org/b>.",
    ),
    "unique": (
        f"{P} sh:uniqueLang true",
        ":a :p 'a'@en, 'b'@en .",
        f"{A} must have at most one value for p in each language.",
        f"{A} debe tener como máximo un valor en p por idioma.",
    ),
    "less": (
        f"{P} sh:lessThan :q",
        ":a :p 2 ; :q 1 .",
        f"For {A}, the value “2” of p must come before (be less than) every value of q.",
        f"En {A}, el valor “2” de p debe ser anterior a (menor que) todo valor de q.",
    ),
    "equals": (
        f"{P} sh:equals :q",
        NUMBER,
        f"{A} must have the same values for p and q; “1” stands in only one of them.",
        f"{A} debe tener los mismos valores en p y en q; “1” está solo en uno de los dos.",
    ),
    "disjoint": (
        f"{P} sh:disjoint :q",
        ":a :p 1 ; :q 1 .",
        f"{A} must not have the same value for p and q; “1” stands in both.",
        f"{A} no debe tener el mismo valor en p y en q; “1” está en los dos.",
    ),
    "closed": (
        "sh:targetNode :a ; sh:closed true",
        NUMBER,
        f"{A} must not have a value for p: its shape does not allow that property.",
        f"{A} no debe tener un valor en p: su forma no permite esa propiedad.",
    ),
    "node": (
        f"{P} sh:node :PlaceShape . :PlaceShape sh:class :Place",
        WORD,
        f"For {A}, the value “word” of p must be what the shape PlaceShape describes.",
        f"En {A}, el valor “word” de p debe ser lo que describe la forma PlaceShape.",
    ),
    "not": (
        "sh:targetNode :a ; sh:not [ sh:nodeKind sh:IRI ]",
        "",
        f"{A} must not be what the shape describes.",
        f"{A} no debe ser lo que describe la forma.",
    ),
    "or": (
        "sh:targetNode :a ; sh:or ( :T :U ) . :T sh:class :X . :U sh:class :Y",
        "",
        f"{A} must be at least one thing that these shapes describe: T, U.",
        f"{A} debe ser al menos una de las cosas que describen estas formas: T, U.",
    ),
    "or without names": (
        "sh:targetNode :a ; sh:or ( [ sh:class :X ] )",
        "",
        f"{A} must be at least one thing that these shapes describe.",
        f"{A} debe ser al menos una de las cosas que describen estas formas.",
    ),
    "qualified": (
        f"{P} sh:qualifiedMinCount 1 ; sh:qualifiedValueShape :T . :T sh:class :X",
        "",
        f"{A} must have at least one value for p that the shape T describes.",
        f"{A} debe tener al menos un valor en p como los que describe la forma T.",
    ),
    "rule": (
        "sh:targetNode :a ; sh:sparql :noLoops . :noLoops sh:select 'SELECT $this { }'",
        "",
        f"{A} breaks the rule noLoops.",
        f"{A} incumple la regla noLoops.",
    ),
}


@pytest.mark.parametrize("case", GENERATED)
def test_a_sentence_is_made_where_the_shape_has_none(case: str, report_on: ReportOn) -> None:
    shape, data, english, spanish = GENERATED[case]
    assert said(report_on(f":S {shape} .", data)) == [english]
    assert said(report_on(f":S {shape} .", data, language="es")) == [spanish]
    assert said(report_on(f":S {shape} .", data, language="pt")) == [english]


def test_long_values_are_cut_and_long_lists_too(report_on: ReportOn) -> None:
    choices = " ".join(f"'{letter}'" for letter in "abcdefghijkl")
    (sentence,) = said(report_on(f":S {P} sh:in ( {choices} ) .", f":a :p '{'long ' * 40}' ."))
    assert "long long" in sentence
    assert sentence.endswith("“i”, “j” ….")
    assert len(sentence) < 250
