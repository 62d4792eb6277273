"""What the page of common members shows: pairs of alliances and bodies, and since when who is in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.web.names import Names, Shown

#: Pairs, and dated memberships, that are shown.
MOST = 200


@dataclass(frozen=True, slots=True)
class Pair:
    """Two alliances or bodies with the members that both have."""

    first: Shown
    second: Shown
    members: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Dated:
    """That somebody is in something, from when to when as far as a document tells."""

    body: Shown
    actor: Shown
    role: Shown | None
    start: str
    end: str


def pairs(rows: Iterable[Mapping[str, Any]]) -> list[tuple[str, str, list[str]]]:
    """The pairs of the rows of `alliances/overlap` with their members, those with the most in common first."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        found.setdefault((row["first"].value, row["second"].value), []).append(row["actor"].value)
    return [
        (first, second, members)
        for (first, second), members in sorted(found.items(), key=lambda each: (-len(each[1]), each[0]))
    ]


def shown(found: Iterable[tuple[str, str, list[str]]], names: Names) -> list[Pair]:
    return [Pair(names.of(first), names.of(second), tuple(map(names.of, members))) for first, second, members in found]


def dated(rows: Iterable[Mapping[str, Any]], names: Names) -> list[Dated]:
    """The rows of `alliances/members-over-time` in words."""
    return [
        Dated(
            names.shown(row["body"]),
            names.shown(row["actor"]),
            names.shown(row["role"]) if "role" in row else None,
            row["start"].value if "start" in row else "",
            row["end"].value if "end" in row else "",
        )
        for row in rows
    ]
