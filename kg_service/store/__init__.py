"""Where the graph is kept: one protocol, and what passes through it."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Triple

from kg_service.errors import KgError


@dataclass(frozen=True, slots=True)
class Delta:
    """A change: quads that come and quads that go. Applying it twice is the same as applying it once."""

    added: frozenset[Quad] = frozenset()
    removed: frozenset[Quad] = frozenset()

    def __len__(self) -> int:
        return len(self.added) + len(self.removed)

    @property
    def inverse(self) -> Delta:
        """What undoes this change, where all of it changed something."""
        return Delta(added=self.removed, removed=self.added)

    def then(self, second: Delta) -> Delta:
        """This change and then another as one, where all of both changed something."""
        return Delta(
            added=(self.added - second.removed) | (second.added - self.removed),
            removed=(self.removed - second.added) | (second.removed - self.added),
        )


def is_default(quad: Quad) -> bool:
    """Whether a quad is in the default graph."""
    return isinstance(quad.graph_name, DefaultGraph)


@dataclass(frozen=True, slots=True)
class Need:
    """Triples of a node (any, for None) with a predicate (any, for None): where it is the subject, or the object."""

    node: NamedNode | BlankNode | Literal | Triple | None
    predicate: NamedNode | None
    is_inverse: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """A SPARQL query and how its answer is to be written.

    `table`, `boolean` and `graph` are short names of formats (`rdf.Format.name`) for SELECT, ASK, and CONSTRUCT or
    DESCRIBE; None where the client accepts no format of that kind. Graphs given here replace FROM and FROM NAMED
    (SPARQL 1.1 Protocol, section 2.1.4). A query that is not `is_lasting` holds what did not come from the store, so
    that its answer is neither kept nor named by an ETag. Two queries are equal when they ask the same, whoever asks
    and how long he would wait. Without a `client` it is the service itself that asks, which has no budget. The answer
    may have as many rows and bytes as the settings allow, where the query does not say how many.
    """

    text: str
    table: str | None = "json"
    boolean: str | None = "json"
    graph: str | None = "turtle"
    default_graphs: tuple[str, ...] = ()
    named_graphs: tuple[str, ...] = ()
    base: str | None = None
    seconds: float = field(default=30.0, compare=False)
    client: str = field(default="", compare=False)
    id: str = field(default_factory=lambda: secrets.token_hex(8), compare=False)
    is_lasting: bool = True
    most_rows: int | None = field(default=None, compare=False)
    most_bytes: int | None = field(default=None, compare=False)

    def asked_by(self, client: str, seconds: float) -> Query:
        """The same question, asked now by that client."""
        # Not `dataclasses.replace`, which takes several times as long.
        return Query(
            self.text,
            self.table,
            self.boolean,
            self.graph,
            self.default_graphs,
            self.named_graphs,
            self.base,
            seconds,
            client,
            is_lasting=self.is_lasting,
            most_rows=self.most_rows,
            most_bytes=self.most_bytes,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gives: `whole` when it was finished and small, else `parts`, which end in an error if cut short."""

    generation: int
    format: str
    whole: bytes | None = None
    etag: str | None = None
    parts: AsyncIterator[bytes] | None = field(default=None, compare=False)

    async def leave(self) -> None:
        """Lets go of an answer that nobody will read."""
        if isinstance(self.parts, AsyncGenerator):
            await self.parts.aclose()

    async def content(self) -> bytes:
        """The complete answer; raises like `parts` when it was cut short."""
        if self.whole is not None:
            return self.whole
        return b"".join([part async for part in self.parts]) if self.parts else b""


@dataclass(frozen=True, slots=True)
class Running:
    """A query that is not answered yet: since when (Unix time), where it stands, and what it has used so far.

    `lane` is "waiting" (for a reader), "quick", "heavy", "paused" (heavy, until a reader is free for it), or "remote"
    (another engine has it).
    """

    query: Query
    lane: str
    started: float
    seconds: float
    cpu_seconds: float
    bytes: int


class Reads(Protocol):
    """The one who answers queries; many at a time, each on the generation published when it begins.

    `answer` raises Malformed, NotAcceptable and QueryStopped with its kinds. `running` lists what is being answered,
    and `end` ends one of them, which raises the reason; False when there is none of that id. `drain` lets running
    queries end within some seconds, then ends them. As long as `still` lasts, what it gives answers all queries on the
    generation published at its beginning, where the engine keeps one; its answers tell where it could not.
    """

    @property
    def generation(self) -> int: ...

    async def start(self) -> None: ...

    async def answer(self, query: Query) -> Answer: ...

    def still(self) -> AbstractContextManager[Callable[[Query], Awaitable[Answer]]]: ...

    def running(self) -> list[Running]: ...

    def end(self, query_id: str, reason: KgError) -> bool: ...

    async def drain(self, seconds: float) -> None: ...

    async def close(self) -> None: ...


class GraphStore(Protocol):
    """The one who writes. The default graph holds every triple of every named graph, each once.

    `effective` is the part of a change that changes something, with what it means for the default graph. `apply` is
    all or nothing and returns the generation at which readers see the change; a removed triple leaves the default
    graph when no named graph holds it any more.
    """

    @property
    def generation(self) -> int: ...

    def effective(self, delta: Delta) -> Delta: ...

    def apply(self, delta: Delta) -> int: ...

    def quads(self, graph: NamedNode | None = None) -> Iterator[Quad]: ...

    def triples(self) -> Iterator[Quad]: ...

    def named_graphs(self) -> list[NamedNode]: ...

    def close(self) -> None: ...
