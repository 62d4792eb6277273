"""What the timeline shows: dated things in lanes, as a picture that needs no script and as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kg_service.lists.selection import days
from kg_service.rdf import ONTOLOGY
from kg_service.web.names import Names, Shown

#: The lanes by their classes, in order, as an address calls them.
LANES = {
    "Event": "events",
    "Policy": "policies",
    "Document": "documents",
    "Alliance": "alliances",
    "Project": "projects",
}
#: Things in the picture, and in the table.
DRAWN, LISTED = 150, 1000
_WIDTH, _LEFT, _ROW, _CHARACTER, _LONGEST = 1080, 10, 26, 7.6, 34
_DATE = re.compile(r"([0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?)(?:T.*|Z|[+-][0-9]{2}:[0-9]{2})?")


@dataclass(frozen=True, slots=True)
class Entry:
    """A thing with its dates as written, and from which day to which it is."""

    name: Shown
    lane: str
    start: str
    end: str
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Mark:
    """An entry in the picture: a bar from `x`, or a dot where it is too short for one; and its words."""

    entry: Entry
    x: float
    width: float
    y: int
    words: str
    words_x: float
    is_turned: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """A band of the picture."""

    name: str
    top: int
    height: int
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """The lanes over years; `years` are where which year begins."""

    lanes: tuple[Lane, ...]
    years: tuple[tuple[float, str], ...]
    height: int
    left_out: int
    width: int = _WIDTH


def entries(
    rows: Iterable[Mapping[str, Any]], names: Names, *, least: str | None, most: str | None, lanes: Sequence[str]
) -> list[Entry]:
    """The rows of `events/timeline` in a period and in some lanes; dates that are none are left out."""
    found: dict[tuple[str, str, str, str], Entry] = {}
    for row in rows:
        kind = row["kind"].value.removeprefix(ONTOLOGY)
        start = _written(row["start"])
        end = _written(row["end"]) if "end" in row else ""
        bounds = _bounds(start, end)
        if bounds is None or kind not in LANES or (lanes and LANES[kind] not in lanes):
            continue
        if (least and bounds[1].isoformat() < days(least)[0]) or (most and bounds[0].isoformat() > days(most)[1]):
            continue
        key = (row["thing"].value, kind, start, end)
        found[key] = Entry(names.shown(row["thing"]), LANES[kind], start, end, *bounds)
    return sorted(found.values(), key=lambda each: (each.first, each.last, each.name.text))


def _written(term: Any) -> str:
    match = _DATE.fullmatch(getattr(term, "value", ""))
    return match[1] if match else ""


def _bounds(start: str, end: str) -> tuple[date, date] | None:
    """From the first day to the last; a year or month stands for all its days."""
    try:
        first = date.fromisoformat(days(start)[0])
        last = _last(end or start)
    except ValueError:
        return None
    return first, max(first, last)


def _last(written: str) -> date:
    if len(written) == 7:
        year, month = int(written[:4]), int(written[5:])
        return date(year + month // 12, month % 12 + 1, 1) if year < 9999 else date(year, month, 28)
    return date.fromisoformat(days(written)[1])


def picture(found: Sequence[Entry]) -> Picture | None:
    """The first things in lanes, those that overlap below each other; None where there are none."""
    drawn = found[:DRAWN]
    if not drawn:
        return None
    first, last = min(each.first for each in drawn), max(each.last for each in drawn)
    start, years = first.year, last.year - first.year + 1
    scale = (_WIDTH - 2 * _LEFT) / (years * 365.25)
    origin = date(start, 1, 1)

    def x(day: date) -> float:
        return round(_LEFT + (day - origin).days * scale, 1)

    step = max(1, -(-years // 12))
    made, top = [], 28
    for name in LANES.values():
        inside = [each for each in drawn if each.lane == name]
        if not inside:
            continue
        ends: list[float] = []  # how far each row is taken
        marks = []
        for each in inside:
            left, width = x(each.first), max(0.0, x(each.last) - x(each.first))
            text = each.name.text if len(each.name.text) <= _LONGEST else f"{each.name.text[: _LONGEST - 1].rstrip()}…"
            room = len(text) * _CHARACTER
            is_turned = left + width + room + 14 > _WIDTH
            begins, stops = (left - room - 14, left + width + 8) if is_turned else (left - 6, left + width + room + 20)
            row = next((number for number, end in enumerate(ends) if end <= begins), len(ends))
            ends[row : row + 1] = [stops]
            words_x = left - 9 if is_turned else left + width + 9
            y = top + 24 + row * _ROW + _ROW // 2
            marks.append(Mark(each, left, round(width, 1), y, text, round(words_x, 1), is_turned))
        height = 30 + len(ends) * _ROW
        made.append(Lane(name, top, height, tuple(marks)))
        top += height
    marked = tuple((x(date(start + n, 1, 1)), str(start + n)) for n in range(0, years, step))
    return Picture(tuple(made), marked, top + 6, len(found) - len(drawn))
