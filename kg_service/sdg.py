"""Which Sustainable Development Goals and targets are served, by what and how firmly, and which are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

#: The kinds that are counted, by the ontology's class, with the name that an answer gives them.
KINDS = {
    "Recommendation": "recommendations",
    "Policy": "policies",
    "Actor": "actors",
    "Alliance": "alliances",
}
#: How firmly a link is claimed, the firmest first; `unclaimed` is a link that no document carries.
CERTAINTIES = ("stated", "derived", "ambiguous", "inferred", "unclaimed")


@dataclass(frozen=True, slots=True)
class Aim:
    """A goal or target of the United Nations; a target has its goal above it."""

    iri: str
    code: str
    label: str
    goal: str | None


@dataclass(frozen=True, slots=True)
class Link:
    """A thing of some kind serves an aim: by itself, or by what it has, such as an instrument by a recommendation."""

    aim: str
    kind: str
    thing: str
    by: str
    certainty: str


def link(row: Mapping[str, str]) -> Link:
    """A row of `sdgs/coverage`; a certainty that nobody knows is none."""
    certainty = row["certainty"].rpartition("/")[2]
    kind = row["kind"].rpartition("#")[2]
    return Link(row["aim"], kind, row["thing"], row["by"], certainty if certainty in CERTAINTIES else "unclaimed")


@dataclass(slots=True)
class _Cell:
    """The things of one kind that serve one aim, by the firmest certainty of each."""

    firmest: dict[str, str] = field(default_factory=dict)

    def add(self, thing: str, certainty: str) -> None:
        before = self.firmest.get(thing, certainty)
        self.firmest[thing] = min(before, certainty, key=CERTAINTIES.index)

    def told(self) -> dict[str, int]:
        found = list(self.firmest.values())
        return {"all": len(found)} | {each: found.count(each) for each in CERTAINTIES if each in found}


def aims(rows: Iterable[Mapping[str, str]]) -> list[Aim]:
    """The goals and targets, goal by goal in the order of their numbers."""
    found: dict[str, Aim] = {}
    for row in rows:
        found.setdefault(row["iri"], Aim(row["iri"], row["code"], row["label"], row["goal"] or None))
    return sorted(found.values(), key=lambda aim: [(not part.isdigit(), part.zfill(4)) for part in aim.code.split(".")])


def coverage(known: list[Aim], links: Iterable[Link]) -> dict[str, Any]:
    """The matrix of goals and targets by kinds, and the gaps.

    A goal counts what serves it or one of its targets, each thing once, by its firmest link. A gap is an aim that
    nothing serves; `only_inferred` are aims that nothing serves but by our inference.
    """
    cells: dict[tuple[str, str], _Cell] = {}
    above = {aim.iri: aim.goal for aim in known}
    for link in links:
        for aim in {link.aim, above.get(link.aim) or link.aim}:
            cells.setdefault((aim, link.kind), _Cell()).add(link.thing, link.certainty)

    def told(aim: Aim) -> dict[str, Any]:
        counts = {name: cells[aim.iri, kind].told() for kind, name in KINDS.items() if (aim.iri, kind) in cells}
        return {"iri": aim.iri, "code": aim.code, "label": aim.label, "counts": counts}

    goals = [aim for aim in known if aim.goal is None]
    matrix = [told(goal) | {"targets": [told(aim) for aim in known if aim.goal == goal.iri]} for goal in goals]
    everything = [*matrix, *(target for goal in matrix for target in goal["targets"])]
    gaps = [row["code"] for row in everything if not row["counts"]]
    inferred = [row["code"] for row in everything if row["counts"] and _is_inferred(row["counts"])]
    return {
        "data": matrix,
        "gaps": {
            "goals": [code for code in gaps if "." not in code],
            "targets": [code for code in gaps if "." in code],
            "only_inferred": {
                "goals": [code for code in inferred if "." not in code],
                "targets": [code for code in inferred if "." in code],
            },
        },
    }


def _is_inferred(counts: dict[str, dict[str, int]]) -> bool:
    return all(count["all"] == count.get("inferred", 0) for count in counts.values())
