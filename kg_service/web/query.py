"""What the query page shows: the text, its answer as a table or as RDF, or what was wrong with it and where."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from kg_service.errors import KgError
from kg_service.linked_data.addresses import Addresses
from kg_service.queries import Question
from kg_service.rdf import GRAPH_FORMATS, PREFIXES, TABLE_FORMATS
from kg_service.rulebook import compact
from kg_service.web.names import Shown
from kg_service.web.rendering import href

#: Rows and characters of an answer that the page shows; downloads have all.
MOST_ROWS, MOST_CHARACTERS = 200, 20_000
VIEWS = ("table", "chart", "network", "map", "timeline")
#: The query that the page begins with.
FIRST = """PREFIX sse: <https://w3id.org/sse-kg/ontology#>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX schema: <https://schema.org/>

SELECT ?event ?name ?start {
  ?event a sse:Event ; skos:prefLabel ?name .
  OPTIONAL { ?event schema:startDate ?start }
  FILTER(LANG(?name) = "en")
}
ORDER BY ?start ?event
LIMIT 50
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of an answer: its variables and rows, and whether there are more rows than these."""

    names: tuple[str, ...]
    rows: tuple[tuple[Shown | None, ...], ...]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a query, and whether it is the one that is wrong."""

    number: int
    text: str
    is_wrong: bool


@dataclass(frozen=True)
class QueryPage:
    """The page for a text; `answer` is a table, a yes or no, or RDF, whichever the query gives."""

    text: str
    examples: Sequence[Question]
    addresses: Addresses
    table: Table | None = None
    boolean: bool | None = None
    graph: str | None = None
    problem: KgError | None = None

    @property
    def folders(self) -> dict[str, list[tuple[Question, str]]]:
        """The questions by folder, each with the address that takes it into the editor."""
        found: dict[str, list[tuple[Question, str]]] = {}
        for each in self.examples:
            address = f"{self.addresses.root}/query?{urlencode({'example': each.name})}"
            found.setdefault(each.name.partition("/")[0], []).append((each, address))
        return found

    @property
    def has_answer(self) -> bool:
        return self.table is not None or self.boolean is not None or self.graph is not None

    @property
    def lines(self) -> list[Line]:
        """The lines of a query that is wrong somewhere."""
        wrong = self.problem.more.get("line") if self.problem else None
        if wrong is None:
            return []
        return [Line(n, text, n == wrong) for n, text in enumerate(self.text.splitlines() or [""], 1)]

    @property
    def downloads(self) -> list[tuple[str, str]]:
        """The formats that the whole answer can be had in."""
        formats = GRAPH_FORMATS if self.graph is not None else TABLE_FORMATS
        here = self.addresses.sparql(self.text)
        return [(each.name, f"{here}&{urlencode({'format': each.name})}") for each in formats]


def table(answer: bytes, addresses: Addresses) -> Table | bool:
    """A SPARQL JSON answer as a table, or the yes or no that it is."""
    told = json.loads(answer)
    if "boolean" in told:
        return bool(told["boolean"])
    names, rows = told["head"]["vars"], told["results"]["bindings"]
    return Table(
        tuple(names),
        tuple(tuple(_shown(row.get(name), addresses) for name in names) for row in rows[:MOST_ROWS]),
        len(rows) > MOST_ROWS,
    )


def _shown(term: Mapping[str, str] | None, addresses: Addresses) -> Shown | None:
    if term is None:
        return None
    value = term["value"]
    if term["type"] == "uri":
        own = any(value.startswith(PREFIXES[name]) for name in ("sse",) if name in PREFIXES)
        known = own or value.startswith(addresses.root) or "/id/" in value
        return Shown(compact(value), address=addresses.page(value) if known else href(value), iri=value)
    datatype = term.get("datatype", "").rpartition("#")[2]
    quiet = datatype in ("", "string", "integer", "decimal", "date", "gYear", "gYearMonth", "boolean")
    return Shown(value, language=term.get("xml:lang"), datatype=None if quiet else datatype)
