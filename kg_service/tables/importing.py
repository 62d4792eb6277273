"""All rows of a table into one change: what each makes, what is wrong with which, and where each statement is from."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyoxigraph import Store

from kg_service import ontology, resources
from kg_service.errors import Malformed, Violations
from kg_service.rdf import ENTITY, PREF_LABEL, PREFIXES, RDF_TYPE, Literal, NamedNode, Quad, Term, entity, graph, sse
from kg_service.store import Delta
from kg_service.tables import constructing, reading
from kg_service.tables.mapping import Problem, Template, meant
from kg_service.tables.rows import Said, Table
from kg_service.tables.values import Known
from kg_service.tables.words import right

_PROV, _DCTERMS, _SCHEMA, _SKOS = (PREFIXES[name] for name in ("prov", "dcterms", "schema", "skos"))
_DERIVED = NamedNode(_PROV + "wasDerivedFrom")
#: How often rows are left out for what the shapes say of the others: leaving one out may break another.
ROUNDS = 10
#: Names of things that cells may use.
_NAMES = 500_000


@dataclass(slots=True)
class Import:
    """A table on its way: the statements of each row that is well so far, and the problems of those that are not."""

    name: str
    checksum: str
    template: Template
    table: Table
    rows: Said = field(default_factory=Said)
    problems: list[Problem] = field(default_factory=list)
    #: The graph that its statements go to, where it is not its own.
    graph: NamedNode | None = None

    @property
    def source(self) -> NamedNode:
        """The file as a thing: the same for the same bytes."""
        return entity("table", self.checksum[:16])

    @property
    def home(self) -> NamedNode:
        """The graph that its statements go to."""
        return self.graph or graph(f"table-{self.checksum[:16]}")

    @property
    def rejected(self) -> int:
        """How many rows are left out."""
        return len({each.row for each in self.problems} - self.rows.keys())

    @property
    def ignored(self) -> tuple[str, ...]:
        """The columns of the file that the template does not read."""
        known = {each.name for each in self.template.columns}
        return tuple(each for each in self.table.columns if each and each not in known)

    def delta(self) -> Delta:
        """What the rows add that are well; see `quads`."""
        return Delta(frozenset(self.quads()))

    def quads(self) -> Iterator[Quad]:
        """What the rows say that are well, each thing with the row that it is from (RFC 7111, section 2.1).

        A thing that several rows make is from the first of them. A statement may come several times.
        """
        seen: set[Any] = set()
        source, home = self.source.value, self.home
        for number, quads in self.rows.items():
            row = NamedNode(f"{source}#row={number}")
            yield from (Quad(q.subject, q.predicate, q.object, home) for q in quads)
            things = {q.subject for q in quads if q.predicate == RDF_TYPE} - seen
            yield from (Quad(thing, _DERIVED, row, home) for thing in things)
            seen |= things
        if self.rows:
            said: list[tuple[NamedNode, Term]] = [
                (RDF_TYPE, NamedNode(_PROV + "Entity")),
                (NamedNode(_DCTERMS + "title"), Literal(self.name)),
                (NamedNode(_SCHEMA + "sha256"), Literal(self.checksum)),
            ]
            yield from (Quad(self.source, property, value, home) for property, value in said)

    def reject(self, report: Mapping[str, Any], language: str = "en") -> bool:
        """Leaves out the rows whose things break the shapes; False when a violation is about none of them.

        `language` is that of the report's messages.
        """
        wanted = {each["focus"]["value"] for each in report["results"] if each["severity"] == "Violation"}
        of: dict[str, list[int]] = {}
        for number in self.rows:
            for subject in self.rows.subjects(number) & wanted:
                of.setdefault(subject, []).append(number)
        found: dict[tuple[int, str, str], None] = {}
        for result in report["results"]:
            if result["severity"] != "Violation":
                continue
            value = (result["value"] or {}).get("value", "")
            for number in of.get(result["focus"]["value"], ()):
                path = (result["path"] or "").partition("|")[0]
                column = self.column(number, path, value) if path else ""
                shown = self.cell(number, column) or value.removeprefix(ENTITY)
                found.setdefault((number, column, shown), None)
                self.problems.append(Problem(number, column, shown[:200], result["message"], language))
        for number, *_ in found:
            self.rows.pop(number, None)
        self.problems = sorted(dict.fromkeys(self.problems), key=lambda each: (each.row, each.column))
        return bool(found)

    def column(self, number: int, path: str, value: str) -> str:
        """The column that a value of a property comes from: of several the one that says it, else the first."""
        columns = self.template.columns_of(path)
        wanted = value.removeprefix(ENTITY).casefold()
        for column in columns:
            said = self.cell(number, column).casefold().split(";")
            if wanted in {each.strip().removeprefix(ENTITY) for each in said if each.strip()}:
                return column
        return columns[0] if columns else ""

    def cell(self, number: int, column: str) -> str:
        """The text of a row in a column; empty where there is no such column."""
        if column not in self.table.columns:
            return ""
        place = bisect_left(self.table.rows, number, key=lambda each: each.number)
        return self.table.rows[place].cells[self.table.columns.index(column)]


def read(
    name: str,
    content: bytes,
    template: Template,
    known: Known,
    language: str = "en",
    *,
    instead: Mapping[str, Mapping[str, str]] | None = None,
) -> Import:
    """The rows of a file by a template; Malformed when it is no table, or lacks a column that is needed.

    `language` is that in which is told what is wrong with its cells. `instead` is what stands for texts of a column
    that the source has and templates do not understand.
    """
    table = reading.read(name, content, {each.name for each in template.columns})
    lacking = [each.name for each in template.columns if each.is_required and each.name not in table.columns]
    if lacking:
        named = ", ".join(filter(None, table.columns)) or "nothing"
        if len(table.columns) == 1:
            named += " (columns are parted by commas, semicolons, tabs or vertical bars)"
        raise Malformed(
            f"the header lacks {', '.join(lacking)}; it names: {named}; "
            f"the template {template.name} knows: {', '.join(each.name for each in template.columns)}",
            lacking=lacking,
        )
    found = Import(name, hashlib.sha256(content).hexdigest(), template, table)
    keys: dict[str, int] = {}
    solutions: dict[int, list[dict[str, Term]]] = {}
    beside: dict[int, frozenset[Quad]] = {}
    texts: dict[int, dict[str, str]] = {}
    for row in table.rows:
        cells = dict(zip(table.columns, row.cells, strict=True))
        for column, words in (instead or {}).items():
            cells[column] = words.get(cells.get(column, ""), cells.get(column, ""))
        meaning = meant(template, row.number, cells, known, language)
        found.problems += meaning.problems
        if meaning.is_well:
            solutions[row.number], beside[row.number] = meaning.solutions, meaning.beside
            texts[row.number] = cells
    for number, said in constructing.made(template.name, template.text, solutions).items():
        quads = said | beside[number]
        if problems := list(_twice(template, number, texts[number], quads, keys, language)):
            found.problems += problems
        elif quads:
            found.rows[number] = quads
    found.problems.sort(key=lambda each: each.row)
    return found


def some(found: Import) -> Import:
    """The same, where a person sends it who will want to have sent rows; Malformed when there are none."""
    if not found.table.rows:
        raise Malformed("the table has no rows below its header; fill some in")
    return found


def _twice(
    template: Template,
    number: int,
    cells: Mapping[str, str],
    quads: Iterable[Quad],
    keys: dict[str, int],
    language: str,
) -> Iterator[Problem]:
    """The problem of a row whose thing an earlier row has made."""
    column = next((each for each in template.columns if each.is_key), None)
    if column is None:
        return
    things = sorted(str(q.subject) for q in quads if q.predicate == PREF_LABEL)
    first = keys.setdefault(cells[column.name].casefold() + things[0] if things else cells[column.name], number)
    if first != number:
        yield Problem(number, column.name, cells[column.name], right("twice", language, row=first), language)


def known_query(type: str, but: NamedNode | None = None) -> str:
    """The query for the names of the things of a type: ?thing ?name; not of those that only the graph `but` has."""
    names = "|".join(str(NamedNode(each)) for each in (PREF_LABEL.value, _SKOS + "altLabel", sse("acronym").value))
    pattern = f'?thing {names} ?name FILTER(STRSTARTS(STR(?thing), "{ENTITY}{type}/"))'
    return f"SELECT DISTINCT ?thing ?name {{ {_not_in(but, pattern)} }} ORDER BY ?thing ?name LIMIT {_NAMES}"


def countries_query(but: NamedNode | None = None) -> str:
    """The query for the countries that the graph knows: ?place ?code; not for those that only the graph `but` has."""
    pattern = f"?place {sse('countryCode')} ?code ; {sse('placeKind')} {entity('place-kind', 'country')}"
    return f"SELECT DISTINCT ?place ?code {{ {_not_in(but, pattern)} }} ORDER BY ?place"


def _not_in(graph: NamedNode | None, pattern: str) -> str:
    return pattern if graph is None else f"GRAPH ?home {{ {pattern} }} FILTER(?home != {graph})"


def in_store(store: Store, template: Template, but: NamedNode | None = None) -> Known:
    """What the cells of a template may name, asked of a store; not what only the graph `but` tells."""
    known = Known(ontology.read(resources.folder("ontology")))
    for type in template.types:
        for thing, name in store.query(known_query(type, but)):  # type: ignore[union-attr]
            known.tell(type, thing.value, name.value)
    found = store.query(countries_query(but))
    known.places = {code.value: place.value for place, code in found}  # type: ignore[union-attr]
    return known


def rejecting(found: Import, make: Callable[[Import], Any], *, is_strict: bool) -> Any:
    """What `make` gives of the rows that are well, or None where there are none; it raises Violations.

    Rows that break the shapes are left out, and the others tried again; with `is_strict` nothing is made when any is.
    """
    for _ in range(ROUNDS):
        if not found.rows or (is_strict and found.problems):
            return None
        try:
            return make(found)
        except Violations as refused:
            if not found.reject(refused.report.to_dict()):
                raise
    raise endless()


def endless() -> Malformed:
    """The problem of a table whose rows hang together so that leaving some out breaks others."""
    return Malformed("leaving rows out breaks others again and again; put the first ones right, and send it again")
