"""What the map shows: how many things of a kind are in each country, and how many in none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import ONTOLOGY, PREFIXES, NamedNode
from kg_service.web.names import Shown, naming

#: What can be counted, by the class whose instances are.
KINDS = {
    "actor": "Actor",
    "organisation": "Organisation",
    "government": "Government",
    "event": "Event",
    "alliance": "Alliance",
    "project": "Project",
}
_PLACED = "|".join(
    f"<{ONTOLOGY}{name}>" for name in ("locatedIn", "activeIn", "governs", "takesPlaceIn", "linksRegion")
)
_CODE = NamedNode(ONTOLOGY + "countryCode")
#: Short, because the page has such a query for each country.
_PREFIX = f"PREFIX skos: <{PREFIXES['skos']}>\n"


@dataclass(frozen=True, slots=True)
class Country:
    """A country with its count, and the address of the query that lists what was counted."""

    name: Shown
    code: str
    n: int
    listed: str


def counting_query(kind: str, tongues: Sequence[str]) -> str:
    """The query for the number of things of a kind by country, the most first, with the country's name for a reader of
    some languages.
    """
    named = "\n  ".join(naming("?country", "?called", tongues, by="skos:prefLabel"))
    return (
        f"{_PREFIX}SELECT ?country ?code ?n (SAMPLE(?called) AS ?name) {{\n"
        "  { SELECT ?country ?code (COUNT(DISTINCT ?thing) AS ?n) {\n"
        f"    {_places('?place ?country ?code')}\n    {_placed(kind)}\n"
        "  } GROUP BY ?country ?code }\n"
        f"  {named}\n}}\nGROUP BY ?country ?code ?n\nORDER BY DESC(?n) ?code"
    )


def sizes_query(kind: str) -> str:
    """The query for the number of things of a kind, and of those that are in a country that the graph knows.

    Not by what is in none: engines look for a path from each thing by itself then, which takes a hundred times as long.
    """
    return (
        f"SELECT ?all ?placed {{\n  {{ SELECT (COUNT(DISTINCT ?thing) AS ?all) {{ ?thing a {_class(kind)} }} }}\n"
        f"  {{ SELECT (COUNT(DISTINCT ?thing) AS ?placed) {{ {_places('?place')} {_placed(kind)} }} }}\n}}"
    )


def listing_query(kind: str, country: str, tongues: Sequence[str]) -> str:
    """The query for what was counted in a country, by name.

    Texts that a query makes are compared without looking each up again, so that ten thousand are soon in order.
    """
    named = "\n  ".join(naming("?thing", "?called", tongues, by="skos:prefLabel"))
    return (
        f"{_PREFIX}SELECT ?thing (SAMPLE(?called) AS ?name) {{\n  {{ SELECT DISTINCT ?thing {{\n"
        f"    ?place <{ONTOLOGY}within>* {NamedNode(country)} .\n    {_placed(kind)}\n  }} }}\n"
        f"  {named}\n}}\nGROUP BY ?thing\nORDER BY LCASE(STR(?name)) ?thing"
    )


def _places(names: str) -> str:
    """The places that are, or are in, a country: found first, because there are fewer of them than of things."""
    return f"{{ SELECT DISTINCT {names} {{ ?country {_CODE} ?code . ?place <{ONTOLOGY}within>* ?country }} }}"


def _placed(kind: str) -> str:
    """The things of a kind and the places where they are: each found by itself and then joined, because engines look
    the class of each thing up otherwise, which takes ten times as long.
    """
    return f"{{ SELECT ?thing ?place {{ ?thing {_PLACED} ?place }} }} {{ SELECT ?thing {{ ?thing a {_class(kind)} }} }}"


def _class(kind: str) -> NamedNode:
    return NamedNode(ONTOLOGY + KINDS[kind])


def countries(
    rows: Iterable[Mapping[str, Any]], kind: str, addresses: Addresses, asking: str, tongues: Sequence[str]
) -> list[Country]:
    """The countries of an answer; `asking` is the address of the query page."""
    found = []
    for row in rows:
        iri, name = row["country"].value, row.get("name", row["code"])
        shown = Shown(name.value, name.language, addresses.page(iri), iri)
        listed = asking + Addresses.sparql(addresses, listing_query(kind, iri, tongues)).partition("?")[2]
        found.append(Country(shown, row["code"].value, int(row["n"].value), listed))
    return found


def island_data(listed: Iterable[Country]) -> str:
    """The counts as the island takes them."""
    return json.dumps(
        {each.code: {"n": each.n, "text": f"{each.name.text}: {each.n}", "href": each.listed} for each in listed},
        ensure_ascii=False,
    )
