"""A mapping over many rows at once gives each row what it gives that row alone."""

from __future__ import annotations

import pytest

from kg_service import ontology, resources
from kg_service.rdf import Literal, NamedNode, Quad
from kg_service.tables import constructing, mapping
from kg_service.tables.mapping import Template, meant
from kg_service.tables.values import Known

PREFIX = "PREFIX x: <https://example.org/> "


def row(**cells: str) -> list[dict[str, object]]:
    return [{name: Literal(text) for name, text in cells.items()}]


def made(text: str, *rows: list[dict[str, object]]) -> list[set[tuple[str, str]]]:
    numbered = {number: [each | {"row": Literal(number)} for each in said] for number, said in enumerate(rows, 1)}
    found = constructing.made("test", PREFIX + text, numbered)  # type: ignore[arg-type]
    return [{(str(quad.subject).strip("<>"), str(quad.object)) for quad in found[number]} for number in numbered]


def alone(template: Template, number: int, solutions: constructing.Solutions) -> frozenset[Quad]:
    return frozenset(constructing._alone(template.name, template.text, solutions))


@pytest.mark.parametrize("template", mapping.every(), ids=lambda each: each.name)
def test_the_ready_made_templates_give_the_same_alone_and_together(template: Template) -> None:
    known = Known(ontology.read(resources.folder("ontology")))
    for name in ("Mill", "Care"):
        for type in template.types:
            known.tell(type, f"https://w3id.org/sse-kg/id/{type}/{name.lower()}", f"{name} {type}")
    rows = {}
    for number in range(2, 10):
        cells = {
            each.name: "; ".join(f"{name} {each.of[0]}" for name in ("Mill", "Care")[: 1 + each.is_many])
            if each.kind == "thing"
            else each.example
            for place, each in enumerate(template.columns)
            if each.is_required or (number + place) % 3
        }
        meaning = meant(template, number, cells, known)
        if meaning.is_well:
            rows[number] = meaning.solutions
    assert rows
    assert constructing._plain(template.text) is not None
    found = constructing.made(template.name, template.text, rows)
    assert found == {number: alone(template, number, solutions) for number, solutions in rows.items()}


def test_each_row_has_its_own_triples_though_they_are_equal() -> None:
    text = "CONSTRUCT { x:all x:has ?a . ?s x:is ?b } WHERE { BIND(IRI(CONCAT(STR(x:), ?a)) AS ?s) }"
    assert made(text, row(a="one", b="1"), row(a="one"), row(b="2")) == [
        {("https://example.org/all", '"one"'), ("https://example.org/one", '"1"')},
        {("https://example.org/all", '"one"')},
        set(),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "CONSTRUCT { ?s x:n ?n } WHERE { { SELECT (COUNT(*) AS ?n) WHERE {} } BIND(x:s AS ?s) }",
        "CONSTRUCT { [] x:has ?a } WHERE { }",
        "CONSTRUCT { x:s x:has ?a } WHERE { } LIMIT 1",
    ],
)
def test_what_looks_at_rows_together_is_run_row_by_row(text: str) -> None:
    assert constructing._plain(PREFIX + text) is None
    assert all(len(each) == 1 for each in made(text, row(a="one"), row(a="two")))


def test_more_rows_than_one_query_takes() -> None:
    rows = [row(a=f"ñ “{n}” \\ \n") for n in range(1_001)]
    found = made("CONSTRUCT { x:s x:has ?a } WHERE { }", *rows)
    assert len(found) == 1_001
    assert all(len(each) == 1 for each in found)


def test_a_literal_is_never_a_subject() -> None:
    assert made("CONSTRUCT { ?a x:is ?a . ?a ?a ?a } WHERE { }", row(a="x")) == [set()]
    assert NamedNode("https://example.org/a")
