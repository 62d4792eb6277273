"""What is around a thing: who and what it is tied to, as a picture that needs no script, and when that was."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg_service.linked_data import Description
from kg_service.linked_data.questions import OBJECT, PREDICATE, SUBJECT, Direction
from kg_service.rdf import PREFIXES, NamedNode, sse
from kg_service.web.names import Names, Shown

_ORG, _SCHEMA, _SKOS, _DCTERMS = (PREFIXES[name] for name in ("org", "schema", "skos", "dcterms"))
#: Ties on each side of the picture; things whose dates are looked up, and dates that are shown.
MOST, _LOOKED_UP, _DATES = 9, 200, 20
#: What is no tie between things: claims, classes, lists, where names come from.
_NO_TIES = {
    *(each.value for each in (SUBJECT, OBJECT, PREDICATE)),
    *(PREFIXES["rdf"] + "type", _SKOS + "inScheme", _SKOS + "topConceptOf", _SKOS + "hasTopConcept"),
    *(sse(name).value for name in ("evidence", "quotedFrom", "certainty", "concerns", "status", "level", "role")),
    *(sse(f"{name}Kind").value for name in ("organisation", "event", "policy", "alliance", "place", "statistic")),
    *(_DCTERMS + name for name in ("source", "license")),
    *(_SKOS + name for name in ("exactMatch", "closeMatch")),
}
#: Things that stand between two others: how one gets to them, and how one goes on.
_BETWEEN = {
    sse("partyActor").value: f"^{sse('party')}",
    sse("participant").value: str(sse("inEvent")),
    _ORG + "member": f"<{_ORG}organization>",
    sse("party").value: str(sse("partyActor")),
    sse("inEvent").value: str(sse("participant")),
    _ORG + "organization": f"<{_ORG}member>",
}
_WIDTH, _ROW = 960, 58
#: Where names begin, on the left and on the right; and the longest that fits.
_LEFT, _RIGHT, _LONGEST = 330, 630, 34


@dataclass(frozen=True, slots=True)
class Tie:
    """A thing that this one is tied to, by what, and where it stands in the picture."""

    name: Shown
    relation: Shown
    lines: tuple[str, ...]
    x: int
    y: int
    is_left: bool


@dataclass(frozen=True, slots=True)
class Dated:
    """Something around the thing, or the thing itself, with its dates as written."""

    name: Shown
    start: str
    end: str


@dataclass(frozen=True, slots=True)
class Ego:
    """The picture: what refers to the thing on the left, what it refers to on the right; `left_out` are not in it."""

    ties: tuple[Tie, ...]
    dates: tuple[Dated, ...]
    left_out: int
    height: int
    width: int = _WIDTH

    @property
    def middle(self) -> int:
        return self.height // 2


def ties(description: Description) -> list[tuple[str, Direction, str]]:
    """The ties that a description tells: property, direction and the thing at the other end."""
    return [
        (each.iri.value, each.direction, value.term.value)
        for each in description.properties
        if each.iri.value not in _NO_TIES
        for value in each.values
        if isinstance(value.term, NamedNode) and value.term != description.iri
    ]


def onward_query(found: Iterable[tuple[str, Direction, str]]) -> str | None:
    """The things behind those that only stand between, as ?between and ?thing; None where there are none."""
    steps: dict[str, list[str]] = {}
    for property, _, other in found:
        if property in _BETWEEN:
            steps.setdefault(_BETWEEN[property], []).append(other)
    parts = [
        f"{{ VALUES ?between {{ {' '.join(str(NamedNode(each)) for each in others[:_LOOKED_UP])} }} "
        f"?between {step} ?thing }}"
        for step, others in steps.items()
    ]
    return f"SELECT DISTINCT ?between ?thing {{ {' UNION '.join(parts)} }} ORDER BY ?between ?thing" if parts else None


def dates_query(things: Iterable[str]) -> str:
    """The dates of things: ?thing ?start ?end."""
    these = " ".join(str(NamedNode(each)) for each in sorted(set(things))[:_LOOKED_UP])
    return (
        f"SELECT ?thing ?start ?end {{ VALUES ?thing {{ {these} }} "
        f"?thing <{_SCHEMA}startDate>|<{_DCTERMS}issued> ?start . OPTIONAL {{ ?thing <{_SCHEMA}endDate> ?end }} }}"
    )


def behind(
    found: Iterable[tuple[str, Direction, str]], onward: Iterable[Mapping[str, Any]], thing: str
) -> list[tuple[str, Direction, str]]:
    """The ties with what stands between passed over, each once."""
    further: dict[str, list[str]] = {}
    for row in onward:
        if isinstance(row["thing"], NamedNode):
            further.setdefault(row["between"].value, []).append(row["thing"].value)
    made: dict[tuple[str, Direction, str], None] = {}
    for property, direction, other in found:
        for each in further.get(other, [other]) if property in _BETWEEN else [other]:
            if each != thing:
                made[property, direction, each] = None
    return list(made)


def picture(found: Sequence[tuple[str, Direction, str]], dated: Iterable[Mapping[str, Any]], names: Names) -> Ego:
    """The picture of ties, with the dates of what they lead to."""
    sides: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
    seen: set[str] = set()
    for property, direction, other in found:
        if other not in seen:
            seen.add(other)
            sides[direction is Direction.IN].append((property, other))
    shown = {is_left: _spread(each) for is_left, each in sides.items()}
    most = max(2, *(len(each) for each in shown.values()))
    height = most * _ROW + 16
    made = []
    for is_left, side in shown.items():
        top = (height - len(side) * _ROW) // 2
        for place, (property, other) in enumerate(side):
            name = names.of(other)
            x, y = _LEFT if is_left else _RIGHT, top + place * _ROW + _ROW // 2
            made.append(Tie(name, names.property(property), _lines(name.text), x, y, is_left))
    listed = sorted(
        {
            (row["start"].value, row["end"].value if "end" in row else "", row["thing"].value)
            for row in dated
            if hasattr(row["start"], "value")
        }
    )
    dates = tuple(Dated(names.of(iri), start, end) for start, end, iri in listed[:_DATES])
    return Ego(tuple(made), dates, len(seen) - len(made), height)


def _spread(found: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many as there is room for, of each property some, those of one property together."""
    by: dict[str, list[tuple[str, str]]] = {}
    for tie in found:
        by.setdefault(tie[0], []).append(tie)
    taken: dict[str, int] = dict.fromkeys(by, 0)
    left = MOST
    while left and any(taken[property] < len(each) for property, each in by.items()):
        for property, each in by.items():
            if left and taken[property] < len(each):
                taken[property] += 1
                left -= 1
    return [tie for property, each in by.items() for tie in each[: taken[property]]]


def _lines(text: str) -> tuple[str, ...]:
    """A name in two lines at most; what is longer is cut."""
    return tuple(textwrap.wrap(text, _LONGEST, max_lines=2, placeholder=" …")) or (text[:_LONGEST],)
