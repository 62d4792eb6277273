"""What an index is made of: a state of the graph, as the embedded store publishes it (for others see `engine`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from kg_service.rdf import DefaultGraph, NamedNode, Quad
from kg_service.search import Said, texts
from kg_service.store import generations
from kg_service.store.log import ChangeLog, log_of
from kg_service.store.reader import OpenGeneration


class Graph(Protocol):
    """One state of the graph: all its triples, and what is said of some subjects."""

    def triples(self) -> Iterator[Quad]: ...

    def about(self, subjects: Iterable[str]) -> Iterator[tuple[str, Said]]: ...


class Source(Protocol):
    """Where an index comes from. `published` is what tells the present publication from all others, and its number."""

    def published(self) -> tuple[str, int]: ...

    def at(self, generation: int) -> AbstractContextManager[Graph]: ...

    def log(self, generation: int) -> AbstractContextManager[ChangeLog]: ...


@dataclass(frozen=True, slots=True)
class _Opened:
    store: Any
    where: DefaultGraph | None

    def triples(self) -> Iterator[Quad]:
        return cast(Iterator[Quad], self.store.quads_for_pattern(None, None, None, self.where))

    def about(self, subjects: Iterable[str]) -> Iterator[tuple[str, Said]]:
        for subject in subjects:
            found = self.store.quads_for_pattern(NamedNode(subject), None, None, self.where)
            yield subject, texts.said((quad.predicate, quad.object) for quad in found)


class EmbeddedSource:
    """The embedded store in `root`; with `union` its default graph holds every triple.

    `memory` is how many bytes this process may use beyond what a generation takes when it is opened; None for any.
    """

    def __init__(self, root: Path, *, union: bool, memory: int | None) -> None:
        self._root, self._where = root, DefaultGraph() if union else None
        self._published = generations.Published(root)
        self._open, self._state = OpenGeneration(root, memory), ""
        self._memory = memory

    def published(self) -> tuple[str, int]:
        while True:
            state, number = self._published.now()
            if state == self._published.state():
                return state, number

    @contextmanager
    def at(self, generation: int) -> Iterator[Graph]:
        """That generation, kept open for the next time; StoreError (Gone) when it was deleted meanwhile."""
        state = self._published.state()
        if state != self._state:  # the store may have been made anew and count from 1 again
            self._open, self._state = OpenGeneration(self._root, self._memory), state
        yield _Opened(self._open.at(generation), self._where)

    def log(self, generation: int) -> AbstractContextManager[ChangeLog]:
        return log_of(self._root, generation)


def described(source: dict[str, Any]) -> Source:
    """The source that a job of `process` describes (see `engine.description`)."""
    folder = Path(source["folder"])
    if "query" not in source:
        return EmbeddedSource(folder, union=source["union"], memory=source["memory"])
    from kg_service.search.engine import RemoteSource  # which brings much along that an embedded store does without

    return RemoteSource.described(source)
