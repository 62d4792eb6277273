"""Mappings: CONSTRUCT queries with a variable for each column, and what one makes of a row.

    # summary: Organisations, one a row
    # column: NAME KIND [required] [key] [many] [new] [loose] | DESCRIPTION | EXAMPLE

KIND is text, prose (long text: without markup and contact data), date, integer, decimal, latitude, longitude, language,
address, country, entry:CLASS (of a closed list) or thing:TYPES (of the graph, by name or address). No two rows have the
same `key`. A `new` organisation that the graph does not know by its name is made of the name. A `loose` cell that means
nothing is told, and left out without its row. Beside `?NAME` a query has `?NAME_slug` (the end of an address, made of
the text, or of the thing's own), for things `?NAME_name`, for texts and prose `?NAME_language` (a guess), and
`?row`. Of `many` values, parted by semicolons, there is a solution each.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from kg_service.entities import slug
from kg_service.errors import Malformed, NotFound
from kg_service.rdf import Literal, Quad, Term
from kg_service.sparql import guard
from kg_service.tables import constructing, values
from kg_service.tables.values import Known, tongue
from kg_service.tables.words import Unusable, right

FOLDER = Path(__file__).parent / "mappings"
_FIRST = ("organisations", "memberships", "alliances", "events")
_LINE = re.compile(r"^#\s*(?P<key>summary|column):\s*(?P<value>.*\S)\s*$", re.MULTILINE)
_COLUMN = re.compile(r"(?P<name>[a-z]\w*)\s+(?P<kind>[a-z]+)(?::(?P<of>[\w,-]+))?(?P<words>(?:\s+\w+)*)")
_KINDS = (
    *("text", "prose", "date", "integer", "decimal", "latitude", "longitude", "language", "address", "country"),
    *("entry", "thing"),
)
_WORDS = {"required", "key", "many", "new", "loose"}
_WHERE = re.compile(r"\bWHERE\s*\{", re.IGNORECASE)
#: Values of one cell.
_MOST = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a mapping reads."""

    name: str
    kind: str
    of: tuple[str, ...]
    help: str
    example: str
    is_required: bool = False
    is_key: bool = False
    is_many: bool = False
    is_new: bool = False
    is_loose: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong in a row: the column and its text, where it is one, and what would be right, in a language."""

    row: int
    column: str
    value: str
    right: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Template:
    """A mapping by its name."""

    name: str
    summary: str
    columns: tuple[Column, ...]
    text: str

    def columns_of(self, property: str) -> list[str]:
        """The columns that the values of a property, in short form, come from; none where that is not plain."""
        said = re.search(rf"{re.escape(property)}\s+(\?\w+(?:\s*,\s*\?\w+)*)", self.text)
        found: dict[str, None] = {}
        for variable in re.findall(r"\w+", said[1]) if said else ():
            bound = re.search(rf"BIND\((.*)AS \?{variable}\)", self.text)
            for column in self.columns:
                if column.name == variable or (bound and re.search(rf"\?{column.name}(_\w+)?\b", bound[1])):
                    found.setdefault(column.name)
        return list(found)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of the things that its cells name."""
        return tuple(dict.fromkeys(each for column in self.columns if column.kind == "thing" for each in column.of))


def every() -> list[Template]:
    """The ready-made mappings, the most asked for first."""
    found = [parsed(path.stem, path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.rq"))]
    return sorted(found, key=lambda each: _FIRST.index(each.name) if each.name in _FIRST else len(_FIRST))


def named(name: str) -> Template:
    """The ready-made mapping of that name; NotFound lists them."""
    for known in every():
        if known.name == name:
            return known
    raise NotFound(f'there is no template "{name}"; known: {", ".join(each.name for each in every())}')


def parsed(name: str, text: str) -> Template:
    """A mapping from its text; Malformed says what is wrong with it, once, before any row is read."""
    summary, columns = "", []
    for match in _LINE.finditer(text):
        if match["key"] == "summary":
            summary = match["value"]
        else:
            columns.append(_column(match["value"]))
    if not columns:
        raise Malformed(f"{name}: the mapping names no column; write lines such as “# column: name text | The name. |”")
    if not re.search(r"\bCONSTRUCT\b", text, re.IGNORECASE) or not _WHERE.search(text):
        raise Malformed(f"{name}: a mapping is a query CONSTRUCT {{ … }} WHERE {{ … }}")
    guard.inspect(text, max_bytes=100_000, what="mapping")
    mapping = Template(name, summary, tuple(columns), text)
    constructing.made(mapping.name, text, {1: [{"row": Literal(1)}]})
    return mapping


def _column(line: str) -> Column:
    declared, _, rest = line.partition("|")
    about, _, example = rest.partition("|")
    match = _COLUMN.fullmatch(declared.strip())
    if match is None or match["kind"] not in _KINDS or set(words := match["words"].split()) - _WORDS:
        raise Malformed(
            f"“{declared.strip()}” is no column: NAME KIND [required] [key] [many] [new] [loose]; KIND is one of "
            f"{', '.join(_KINDS)}"
        )
    of = tuple((match["of"] or "").split(",")) if match["of"] else ()
    if bool(of) != (match["kind"] in ("entry", "thing")):
        raise Malformed(f"“{declared.strip()}”: an entry is of a class, a thing of types, and the others of nothing")
    return Column(
        match["name"],
        match["kind"],
        of,
        about.strip(),
        example.strip(),
        is_required="required" in words or "key" in words,
        is_key="key" in words,
        is_many="many" in words,
        is_new="new" in words,
        is_loose="loose" in words,
    )


@dataclass(frozen=True, slots=True)
class Cells:
    """What the cells of a row mean: a solution for the mapping each, what is said beside it, and what is wrong."""

    solutions: list[dict[str, Term]]
    beside: frozenset[Quad]
    problems: list[Problem]

    @property
    def is_well(self) -> bool:
        """Whether the row goes in."""
        return bool(self.solutions)


def meant(mapping: Template, number: int, cells: Mapping[str, str], known: Known, language: str = "en") -> Cells:
    """What the cells of a row mean, or all that is wrong with them; a loose one that is wrong is only told."""
    problems: list[Problem] = []

    def wrong(column: Column, value: str, what: str) -> None:
        problems.append(Problem(number, column.name, value[:200], what, language))

    several: dict[str, list[dict[str, Term]]] = {}
    beside: set[Quad] = set()
    is_well = True
    for column in mapping.columns:
        text = cells.get(column.name, "")
        if not text:
            if column.is_required:
                wrong(column, "", right("needed", language, what=column.help))
                is_well = False
            continue
        parts = [part.strip() for part in text.split(";") if part.strip()] if column.is_many else [text]
        found: list[dict[str, Term]] = []
        for part in parts[:_MOST]:
            try:
                terms, said = _terms(column, part, known)
            except Unusable as error:
                wrong(column, part, error.right(language))
                is_well = is_well and column.is_loose
                continue
            found.append(terms)
            beside |= said
        several[column.name] = found
    if not is_well:
        return Cells([], frozenset(), problems)
    single = {
        name: term
        for column in mapping.columns
        if not column.is_many
        for each in several.get(column.name, ())
        for name, term in each.items()
    } | {"row": Literal(number)}
    lists = [several[column.name] for column in mapping.columns if column.is_many and several.get(column.name)]
    solutions = [
        single | {name: term for each in together if each for name, term in each.items()}
        for together in (zip_longest(*lists) if lists else [()])
    ]
    return Cells(solutions, frozenset(beside), problems)


def _terms(column: Column, text: str, known: Known) -> tuple[dict[str, Term], frozenset[Quad]]:
    """The variables that a text gives, and what else is to be said for it; Unusable says what would be right."""
    if text.startswith("=") or re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text):
        raise Unusable("plain")
    name, beside = column.name, frozenset[Quad]()
    match column.kind:
        case "text":
            words = " ".join(text.split())
            end = slug(words)[:100].strip("-")
            if column.is_key and not end:
                raise Unusable("key")
            return {
                name: Literal(words),
                f"{name}_slug": Literal(end),
                f"{name}_language": Literal(tongue(words)),
            }, beside
        case "prose":
            words, tag = values.prose(text)
            return {name: Literal(words), f"{name}_language": Literal(tag)} if words else {}, beside
        case "date":
            return {name: values.date(text)}, beside
        case "integer":
            return {name: values.integer(text)}, beside
        case "decimal":
            return {name: values.decimal(text)}, beside
        case "latitude":
            return {name: values.coordinate(text, 90)}, beside
        case "longitude":
            return {name: values.coordinate(text, 180)}, beside
        case "language":
            return {name: values.language(text)}, beside
        case "address":
            return {name: values.address(text)}, beside
        case "entry":
            thing = known.entry(column.of[0], text)
        case "country":
            thing, beside = known.country(text)
        case _ if column.is_new:
            thing, beside = known.thing_or_new(column.of, text)
        case _:
            thing = known.thing(column.of, text)
    end = thing.value.rstrip("/").rpartition("/")[2]
    return {name: thing, f"{name}_slug": Literal(slug(end)), f"{name}_name": Literal(known.name(thing, text))}, beside
