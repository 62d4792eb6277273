"""Which ties of a projection are wanted, and the query for them: filters are bound terms, never pasted text."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from kg_service.errors import wrong_parameter
from kg_service.network.projection import COLUMNS, Projection
from kg_service.rdf import ENTITY, ONTOLOGY, Literal, NamedNode, entity

_SDG = "http://metadata.un.org/sdg/"
_BROADER = "<http://www.w3.org/2004/02/skos/core#broader>*"

#: What a thing must be linked to, by which path. A thing may be an end of the tie, or what ties them.
_PATHS = {
    "territory": (
        "({0}locatedIn>|{0}activeIn>|{0}governs>|{0}takesPlaceIn>|{0}linksRegion>)?/{0}within>*".format(f"<{ONTOLOGY}")
    ),
    "sector": f"(<{ONTOLOGY}sector>|<{ONTOLOGY}crossesSector>)?/{_BROADER}",
    "level": f"<{ONTOLOGY}level>|<{ONTOLOGY}crossesLevel>",
    "theme": f"<{ONTOLOGY}theme>?/{_BROADER}",
    "sdg": f"<{ONTOLOGY}contributesTo>?/{_BROADER}",
    "status": f"<{ONTOLOGY}status>",
}
#: The filters on a tie itself, by the column that must have the value.
_COLUMNS = {"kinds": "kind", "certainty": "certainty", "source": "document"}
_OF_DETAILS = {"kind", "start", "end", "certainty", "document"}
#: What a short name of a value stands for: the type in its IRI.
_TYPES = {
    "territory": "place",
    "sector": "sector",
    "level": "level",
    "theme": "theme",
    "status": "status",
    "certainty": "certainty",
    "source": "document",
}

#: The filters by name, with what they keep.
FILTERS = {
    "kinds": "ties of these kinds, such as cooperation or organiser",
    "territory": "ties of which an end, or what ties them, lies, works or takes place in one of these places",
    "sector": "ties of which an end, or what ties them, belongs to or crosses one of these sectors",
    "level": "ties of which an end, or what ties them, is of one of these levels, such as local",
    "theme": "ties of which an end, or what ties them, has one of these themes or a narrower one",
    "sdg": "ties of which an end, or what ties them, contributes to one of these goals or targets: 5, 5.1",
    "status": "ties of which an end, or what ties them, has one of these statuses: existing, planned, recommended …",
    "certainty": "ties whose claim is stated, derived, ambiguous or inferred",
    "source": "ties that one of these documents claims",
}

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


@dataclass(frozen=True, slots=True)
class Window:
    """A time: days from `first` to `last`, both included, either of them open where it is None."""

    first: str | None = None
    last: str | None = None
    keeps_undated: bool = False

    @property
    def is_open(self) -> bool:
        return self.first is None and self.last is None


@dataclass(frozen=True, slots=True)
class Selection:
    """The ties wanted: of each filter, one of its values; and those that were in force within the window."""

    filters: Mapping[str, tuple[NamedNode, ...]] = field(default_factory=dict)
    window: Window = Window()

    def told(self) -> dict[str, object]:
        """The selection as an answer tells it."""
        told: dict[str, object] = {name: [term.value for term in terms] for name, terms in self.filters.items()}
        if not self.window.is_open:
            told |= {"from": self.window.first, "to": self.window.last}
            told["undated"] = "keep" if self.window.keeps_undated else "leave"
        return told


def terms(name: str, written: Sequence[str], projection: Projection) -> tuple[NamedNode, ...]:
    """The values of a filter: IRIs, and short names as what they stand for; WrongParameter for what is neither."""
    return tuple(dict.fromkeys(_term(name, value, projection) for value in written))


def _term(name: str, value: str, projection: Projection) -> NamedNode:
    try:
        if ":" in value:
            return NamedNode(value)
        if name == "sdg":
            return NamedNode(_SDG + value)
        kind = projection.kinds if name == "kinds" else _TYPES[name]
        return NamedNode(ONTOLOGY + value) if kind == "ontology" else entity(kind, value)
    except ValueError:
        raise wrong_parameter(name, value, "allowed are IRIs and the last parts of this project's IRIs") from None


def beginning_of(name: str, projection: Projection) -> str:
    """What the IRIs of the usual values of a filter begin with."""
    if name == "sdg":
        return _SDG
    kind = projection.kinds if name == "kinds" else _TYPES[name]
    return ONTOLOGY if kind == "ontology" else f"{ENTITY}{kind}/"


def window(
    from_: str | None, to: str | None, at: str | None, undated: str | None, names: tuple[str, str] = ("from", "to")
) -> Window:
    """The window that parameters ask for; WrongParameter when a date is none, or the end is before the start."""
    if undated not in (None, "keep", "leave"):
        raise wrong_parameter("undated", undated, "allowed are keep and leave")
    if at is not None and (from_ is not None or to is not None):
        raise wrong_parameter("at", at, "it is a window by itself; leave from and to out")
    first = None if (from_ if at is None else at) is None else _day("at" if at else names[0], at or from_ or "", 0)
    last = None if (to if at is None else at) is None else _day("at" if at else names[1], at or to or "", 1)
    if first and last and last < first:
        raise wrong_parameter(names[1], to, f"the window must not end before it begins, at {from_}")
    return Window(first, last, undated == "keep")


def _day(name: str, written: str, end: int) -> str:
    """The first or last day of a year, month or day."""
    found = _DATE.fullmatch(written)
    try:
        if not found:
            raise ValueError
        year, month, day = found.groups()
        date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        raise wrong_parameter(
            name, written, "it must be a year, month or day, such as 2019, 2019-04, 2019-04-30"
        ) from None
    return written + ("-01-01", "-12-31")[end][len(written) - 4 :]


def ties_query(projection: Projection, selection: Selection, columns: Sequence[str] = COLUMNS) -> str:
    """The query for the selected ties, with those columns."""
    conditions = [  # not VALUES, which would give a value to a tie that has none
        f"FILTER(?{_COLUMNS[name]} IN ({', '.join(map(str, values))}))"
        for name, values in selection.filters.items()
        if name in _COLUMNS
    ]
    conditions += [_linked(name, values) for name, values in selection.filters.items() if name in _PATHS]
    if not selection.window.is_open:
        conditions.append(_within(selection.window))
    wanted = " ".join(f"?{name}" for name in columns)
    looks_closer = set(selection.filters) & set(_COLUMNS) or not selection.window.is_open
    select = projection.select if looks_closer or set(columns) & _OF_DETAILS else projection.bare
    inner = "\n  ".join([f"{{ {select} }}", *conditions])
    return f"{projection.prologue}\nSELECT {wanted} {{\n  {inner}\n}}"


def kinds_query(projection: Projection) -> str:
    """The query for the kinds of ties that a network has."""
    return f"{projection.prologue}\nSELECT DISTINCT ?kind {{\n  {{ {projection.select} }}\n}}\nORDER BY ?kind LIMIT 200"


def _linked(name: str, values: tuple[NamedNode, ...]) -> str:
    path = _PATHS[name]
    ways = (f"EXISTS {{ ?{end} {path} {value} }}" for end in ("source", "target", "evidence") for value in values)
    return f"FILTER({' || '.join(ways)})"


def _within(window: Window) -> str:
    """Conditions on ?start and ?end, which may be years or months: “2019-04” stands for all its days."""
    padded = 'CONCAT(STR({0}), SUBSTR("0000{1}", STRLEN(STR({0})) + 1))'
    begins = f'COALESCE({padded.format("?start", "-01-01")}, "0000-01-01")'
    ends = f'COALESCE({padded.format("?end", "-12-31")}, "9999-12-31")'
    dated = [f"{begins} <= {Literal(window.last)}"] if window.last else []
    dated += [f"{ends} >= {Literal(window.first)}"] if window.first else []
    both = " && ".join(dated)
    if window.keeps_undated:
        return f"FILTER((!BOUND(?start) && !BOUND(?end)) || ({both}))"
    return f"FILTER((BOUND(?start) || BOUND(?end)) && {both})"


def unknown_query(values: Sequence[NamedNode]) -> str:
    """The query for those values of which the graph says nothing."""
    listed = " ".join(map(str, values))
    return f"SELECT ?value {{ VALUES ?value {{ {listed} }} FILTER NOT EXISTS {{ ?value ?property ?any }} }}"


def known_query(beginning: str) -> str:
    """The query for the usual values of a closed list, by what their IRIs begin with."""
    concept = "<http://www.w3.org/2004/02/skos/core#Concept>"
    return (
        f"SELECT DISTINCT ?value {{ ?value a {concept} FILTER(STRSTARTS(STR(?value), {Literal(beginning)})) }} "
        "ORDER BY ?value LIMIT 40"
    )
