"""What the pages of paths and of communities show: the answers of the measures, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg_service.web.names import Names, Shown

#: Things that a step rests on, and members, themes and bridges of a community, that are shown.
EVIDENCE, MEMBERS, THEMES, BRIDGES = 6, 12, 5, 5


@dataclass(frozen=True, slots=True)
class Ground:
    """What two are tied by: its name and kind, when, how certainly, and which documents say it."""

    name: Shown
    kind: Shown | None
    when: str
    certainty: str | None
    documents: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """Two neighbours on a path, with what ties them; `more` are not shown."""

    start: Shown
    end: Shown
    grounds: tuple[Ground, ...]
    more: int


@dataclass(frozen=True, slots=True)
class Community:
    """The members of a community, those with the most ties first; the themes that most of them work on, with how
    many do; and the members with the most ties to other communities, with how many these are.
    """

    size: int
    members: tuple[tuple[Shown, int], ...]
    themes: tuple[tuple[Shown, int], ...]
    bridges: tuple[tuple[Shown, int], ...]


def iris(found: Iterable[Mapping[str, Any]]) -> set[str]:
    """The things that paths name, beside the nodes."""
    named: set[str] = set()
    for path in found:
        named |= set(path["nodes"])
        for step in path["steps"]:
            for each in step["evidence"]:
                named |= {each["iri"], *each["documents"]} | ({each["kind"]} if each["kind"] else set())
    return named


def paths(found: Iterable[Mapping[str, Any]], names: Names) -> list[list[Step]]:
    """The paths of an answer of the measure, each with its steps."""
    return [[_step(step, names) for step in path["steps"]] for path in found]


def _step(step: Mapping[str, Any], names: Names) -> Step:
    grounds = tuple(_ground(each, names) for each in step["evidence"][:EVIDENCE])
    return Step(names.of(step["from"]), names.of(step["to"]), grounds, len(step["evidence"]) - len(grounds))


def _ground(each: Mapping[str, Any], names: Names) -> Ground:
    dates = [date for date in (each["start"], each["end"]) if date]
    return Ground(
        names.of(each["iri"]),
        names.of(each["kind"]) if each["kind"] else None,
        " – ".join(dict.fromkeys(dates)),
        each["certainty"],
        tuple(names.of(document) for document in each["documents"]),
    )


def communities(
    found: Sequence[Mapping[str, Any]],
    degrees: Mapping[str, float],
    ties: Iterable[tuple[str, str]],
    themes: Iterable[tuple[str, str]],
    names: Names,
) -> list[Community]:
    """The communities of an answer of the measure; `themes` are members, each with something that it works on."""
    of = {row["iri"]: int(row["value"]) for row in found}
    across: Counter[str] = Counter()
    for one, other in ties:
        if of.get(one) != of.get(other):
            across.update((one, other))
    about: dict[int, Counter[str]] = {}
    for member, theme in themes:
        about.setdefault(of[member], Counter())[theme] += 1
    groups: dict[int, list[str]] = {}
    for iri, group in of.items():
        groups.setdefault(group, []).append(iri)
    made = []
    for group, members in sorted(groups.items()):
        members.sort(key=lambda iri: (-degrees.get(iri, 0), names.of(iri).text))
        bridges = sorted((iri for iri in members if across[iri]), key=lambda iri: (-across[iri], names.of(iri).text))
        made.append(
            Community(
                len(members),
                tuple((names.of(iri), int(degrees.get(iri, 0))) for iri in members[:MEMBERS]),
                tuple((names.of(iri), n) for iri, n in _most(about.get(group, Counter()), names)),
                tuple((names.of(iri), across[iri]) for iri in bridges[:BRIDGES]),
            )
        )
    return made


def _most(counts: Mapping[str, int], names: Names) -> list[tuple[str, int]]:
    """The most frequent of some things, by name where they are as frequent."""
    return sorted(counts.items(), key=lambda each: (-each[1], names.of(each[0]).text))[:THEMES]
