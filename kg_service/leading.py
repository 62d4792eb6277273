"""Entries of which it was decided that they are one actor (`sse:sameActorAs`), and which of them stands for all."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from kg_service.rdf import sse

T = TypeVar("T", int, str)

SAME = sse("sameActorAs")


def leading(pairs: Iterable[tuple[T, T]]) -> dict[T, T]:
    """By each entry that follows another, the one that leads all that are the same; who leads is not in it.

    `pairs` are what follows and what leads it. Of several that follow none, and of those that go round in a ring, the
    first leads.
    """
    known, together = list(pairs), dict[T, set[T]]()
    for one, other in known:
        group = together.get(one, {one}) | together.get(other, {other})
        together |= dict.fromkeys(group, group)
    follow = {one for one, other in known if one != other}
    found: dict[T, T] = {}
    for group in {id(each): each for each in together.values()}.values():
        head = min(group - follow or group)
        found |= {each: head for each in group if each != head}
    return found


def pairs_query() -> str:
    """The query for all pairs of which it was decided: ?one, which follows ?leading."""
    return f"SELECT DISTINCT ?one ?leading {{ ?one {SAME} ?leading FILTER(ISIRI(?one) && ISIRI(?leading)) }}"


def records_query(thing: Any, most: int) -> str:
    """The query for the other entries of an actor, by whichever way they are joined: ?other."""
    return (
        f"SELECT DISTINCT ?other {{ {thing} ({SAME}|^{SAME})+ ?other FILTER(?other != {thing} && ISIRI(?other)) }} "
        f"ORDER BY ?other LIMIT {most}"
    )
