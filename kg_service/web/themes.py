"""What the page of themes shows: the concepts of a list as a tree, or from A to Z."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.lists.selection import fold
from kg_service.web.names import Names, Shown

#: The lists that are shown, by the ends of their IRIs.
SCHEMES = ("themes", "practices", "principles", "populations", "actor-groups", "sectors")
VIEWS = ("tree", "az")
#: Levels of the tree.
_DEEPEST = 30


@dataclass(frozen=True, slots=True)
class Concept:
    """A concept, how many things have it, what is narrower, and what is broader."""

    name: Shown
    things: int
    narrower: tuple[Concept, ...]
    broader: tuple[Shown, ...]


class Concepts:
    """The concepts of the rows of `themes/tree`. One with several broader ones stands below each."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], names: Names) -> None:
        self._names = names
        self._things: dict[str, int] = {}
        self._broader: dict[str, list[str]] = {}
        for row in rows:
            iri = row["concept"].value
            self._things[iri] = int(row["things"].value) if "things" in row else 0
            above = self._broader.setdefault(iri, [])
            if "broader" in row and row["broader"].value not in above:
                above.append(row["broader"].value)
        self._narrower: dict[str, list[str]] = {}
        for iri, above in self._broader.items():
            for each in above:
                self._narrower.setdefault(each, []).append(iri)
        self.total = len(self._things)

    def tree(self) -> list[Concept]:
        """The concepts below which the others stand, and those of a circle without a top.

        What is below a concept is told where it comes first; below the deepest level nothing is.
        """
        tops = [iri for iri, above in self._broader.items() if not any(each in self._things for each in above)]
        told: set[str] = set()
        made = [self._concept(iri, told, 0) for iri in self._sorted(tops)]
        for iri in self._sorted(self._things.keys() - self._reached(tops)):
            if iri not in told:
                made.append(self._concept(iri, told, 0))
        return made

    def _reached(self, tops: Iterable[str]) -> set[str]:
        """The concepts that are, or are below, some others."""
        waiting = list(tops)
        reached = set(waiting)
        while waiting:
            below = [each for each in self._narrower.get(waiting.pop(), ()) if each not in reached]
            reached |= set(below)
            waiting += below
        return reached

    def letters(self) -> list[tuple[str, list[Concept]]]:
        """The concepts by the first letter of their names in the reader's language."""
        found: dict[str, list[Concept]] = {}
        for iri in self._sorted(self._things):
            concept = self._concept(iri, {iri}, 0)
            found.setdefault(_letter(concept.name.text), []).append(concept)
        return sorted(found.items())

    def _concept(self, iri: str, told: set[str], depth: int) -> Concept:
        """A concept, with what is below it unless that was told already."""
        below = self._sorted(self._narrower.get(iri, ())) if iri not in told and depth < _DEEPEST else []
        told.add(iri)
        return Concept(
            self._names.of(iri),
            self._things.get(iri, 0),
            tuple(self._concept(each, told, depth + 1) for each in below),
            tuple(self._names.of(each) for each in self._broader.get(iri, ())),
        )

    def _sorted(self, iris: Iterable[str]) -> list[str]:
        return sorted(iris, key=lambda iri: (fold(self._names.of(iri).text), iri))


def _letter(name: str) -> str:
    """The letter under which a name stands: without accents, and # for what is no letter."""
    first = unicodedata.normalize("NFKD", name.strip()[:1]).upper()[:1]
    return first if first.isalpha() else "#"
