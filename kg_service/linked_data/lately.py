"""When things of each class were changed last: the log is read from its newest change on, until every class was met.

What a change is about is in its patch; of which classes that is, the graph says, and the patch itself of what is gone.
A change of very many statements is not read: it counts for a class where it is about an IRI that begins like those of
its things, or about one of them where they are few.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from kg_service.linked_data.asking import Asking
from kg_service.rdf import RDF_TYPE, NamedNode
from kg_service.store import Delta
from kg_service.store.log import ChangeLog, OpenLog
from kg_service.store.patches import Patch

T = TypeVar("T")
#: Changes that are looked at, how many at once, and the most statements of one that is read.
_MOST, _PAGE, _READ = 5_000, 50, 1_000
#: Things whose classes are asked for at once, and those of a class that stand for the others.
_AT_ONCE, _EXAMPLES = 500, 20


@dataclass(frozen=True, slots=True)
class _Change:
    """A change: what it is about, and the classes that it gives or takes; nothing of one that is too large."""

    number: int
    time: str
    subjects: frozenset[str]
    classes: frozenset[str]
    is_large: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """Up to which change of which history all is told, and when each class was changed last."""

    history: int
    number: int
    times: dict[str, str]


class Lately:
    """Tells it for some classes; what came since it was told last is all that is read then."""

    def __init__(self, opened: OpenLog | None, classes: Iterable[str]) -> None:
        """Without a log, as where somebody else writes, nothing is told."""
        self._opened, self._classes = opened, frozenset(classes)
        self._known = _Known(0, 0, {})

    async def counted(self, asking: Asking) -> dict[str, str]:
        """The time of the last change by class, as ISO 8601; without those that no change was about."""
        if self._opened is None:
            return {}
        history, last = await self._read(lambda log: (log.history, log.last_number()))
        known = self._known
        if known.history != history or known.number > last:
            known = _Known(history, 0, {})
        times: dict[str, str] = {}
        below, looked_at = last + 1, 0
        while below - 1 > known.number and looked_at < _MOST and times.keys() != self._classes:
            page = await self._read(lambda log, below=below: _page(log, below, known.number))  # type: ignore[misc]
            if not page:
                break
            of = await self._classes_of(asking, {iri for change in page for iri in change.subjects})
            for change in page:
                told = change.classes.union(*(of.get(iri, ()) for iri in change.subjects)) & self._classes
                if change.is_large:
                    told |= await self._of_large(asking, change, self._classes - times.keys())
                times |= {each: change.time for each in told if each not in times}
            below, looked_at = page[-1].number, looked_at + len(page)
        self._known = _Known(history, last, known.times | times)
        return self._known.times

    async def _read(self, read: Callable[[ChangeLog], T]) -> T:
        opened = self._opened
        assert opened

        def work() -> T:
            with opened(None) as log:
                return read(log)

        return await asyncio.to_thread(work)

    async def _classes_of(self, asking: Asking, iris: Iterable[str]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        listed = sorted(iris)
        for first in range(0, len(listed), _AT_ONCE):
            values = " ".join(str(NamedNode(iri)) for iri in listed[first : first + _AT_ONCE])
            for row in await asking.rows(f"SELECT ?thing ?class {{ VALUES ?thing {{ {values} }} ?thing a ?class }}"):
                found.setdefault(row["thing"].value, set()).add(row["class"].value)
        return found

    async def _of_large(self, asking: Asking, change: _Change, classes: frozenset[str]) -> frozenset[str]:
        """Those of the classes that a large change is about."""
        examples: dict[str, list[str]] = {}
        for row in await asking.rows(_examples(sorted(classes))) if classes else ():
            examples.setdefault(row["class"].value, []).append(row["thing"].value)

        def is_about(log: ChangeLog, things: Sequence[str]) -> bool:
            if len(things) < _EXAMPLES:
                return change.number in log.touching(things, after=change.number - 1)
            return any(log.begins(change.number, each) for each in dict.fromkeys(map(_beginning, things)))

        return await self._read(
            lambda log: frozenset(each for each, things in examples.items() if is_about(log, things))
        )


def _page(log: ChangeLog, below: int, after: int) -> list[_Change]:
    """Some changes below a number and after another, the newest first."""
    found = []
    for entry in log.entries(below=below, limit=_PAGE):
        if entry.number <= after:
            break
        is_large = entry.added + entry.removed > _READ
        stored = None if is_large else log.packed(entry.number)
        delta = Patch.unpacked(stored).delta if stored else Delta()
        quads = delta.added | delta.removed
        subjects = frozenset(quad.subject.value for quad in quads if isinstance(quad.subject, NamedNode))
        classes = frozenset(
            quad.object.value for quad in quads if quad.predicate == RDF_TYPE and isinstance(quad.object, NamedNode)
        )
        found.append(_Change(entry.number, entry.time, subjects, classes, is_large))
    return found


def _examples(classes: Iterable[str]) -> str:
    """The query for some things of each class."""
    parts = (
        f"{{ SELECT ({NamedNode(each)} AS ?class) ?thing {{ ?thing a {NamedNode(each)} FILTER(isIRI(?thing)) }} "
        f"LIMIT {_EXAMPLES} }}"
        for each in classes
    )
    return f"SELECT ?class ?thing {{ {' UNION '.join(parts)} }}"


def _beginning(iri: str) -> str:
    """An IRI up to its last part."""
    return iri[: max(iri.rfind("/"), iri.rfind("#")) + 1]
