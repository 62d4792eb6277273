"""Writing to a remote engine: each change whole or not at all, and none over another's."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg_service.errors import KgError, Malformed, Refused, StoreError, StoreUnwritable
from kg_service.store import Delta
from kg_service.store.embedded import as_kept, in_default_graph
from kg_service.store.log import Entry
from kg_service.store.patches import Patch
from kg_service.store.remote.data import CHARACTERS, LOOKED_UP, RemoteData
from kg_service.store.remote.endpoint import Endpoint
from kg_service.store.remote.graphs import LOG, REVISION, is_ours
from kg_service.store.remote.log import LAST, as_quads, last
from kg_service.store.remote.quads import (
    batches,
    graphs_of,
    length,
    lines,
    moves,
    refuse_unnamed,
)
from kg_service.store.remote.revision import MADE_BY, NUMBER, Conflict, conflict, guarded

#: How often a change that others forestalled is made again, where that is safe.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Effective(Delta):
    """A change as it stood against one revision; applying it to another is a Conflict."""

    revision: int = 0
    #: Triples that the default graph had for their own sake and that a named graph gets: see `patches.Patch.kept`.
    kept: frozenset[Quad] = frozenset()
    #: Triples that the default graph has for their own sake from now on, because no named graph holds them any more.
    own: frozenset[Quad] = frozenset()

    @property
    def patch(self) -> Patch:
        """What the change does, without what merely follows from it in the default graph."""
        arriving, leaving = (
            {in_default_graph(q) for q in part if isinstance(q.graph_name, NamedNode)}
            for part in (self.added, self.removed)
        )
        return Patch(Delta(self.added - arriving | self.own, self.removed - leaving), self.kept)


class RemoteStore(RemoteData):
    """The writer of a remote engine's dataset; several may write, each change is made whole or not at all.

    The default graph is kept as in the embedded store: each triple of a named graph is written there once. Changes of
    other programs that do not advance the revision are not noticed. `apply` of what `effective` gave raises Conflict
    when the graph was changed in between; of any other Delta it looks again and tries again.
    """

    def __init__(self, endpoint: Endpoint, *, seconds: float = 60.0) -> None:
        if not endpoint.update:
            raise StoreUnwritable(f"no update URL is set for the SPARQL engine at {endpoint.query}")
        super().__init__(endpoint, seconds=seconds)
        self._begin()

    def _begin(self) -> None:
        """Gives the data a revision unless they have one."""
        numbered = f"GRAPH {REVISION} {{ {REVISION} {NUMBER} ?n }}"
        self._send(  # Virtuoso needs a row to filter
            f"INSERT {{ GRAPH {REVISION} {{ {REVISION} {NUMBER} 0 }} }}\n"
            f"WHERE {{ VALUES ?row {{ 0 }} FILTER NOT EXISTS {{ {numbered} }} }}"
        )

    def _send(self, text: str) -> None:
        with self._asking() as exchange:
            try:
                exchange.update(text)
            except Malformed as error:  # our own text: not the client's fault
                raise StoreError(f"the SPARQL engine does not take the change: {error.detail}") from None

    def now(self, refused: Path) -> Moment:
        """The data as they are now, to make a change of; `refused` is where refused changes are remembered."""
        logged = f"OPTIONAL {{ GRAPH {LOG} {{ {LAST} }} }}"
        for row in self._rows(f"SELECT ?n ?last {{ GRAPH {REVISION} {{ {REVISION} {NUMBER} ?n }} {logged} }}"):
            number = int(row["last"].value) if row["last"] is not None else 0
            return Moment(self, int(row["n"].value), number, refused)
        self._begin()  # another program has emptied the engine meanwhile
        return Moment(self, 0, 0, refused)

    def effective(self, delta: Delta, revision: int | None = None) -> Effective:
        """The part of a change that changes something, with what it means for the default graph.

        What leaves the default graph leaves every named graph as well, as in the embedded store. The revision is that
        of the data that the change was made of, or the present one.
        """
        refuse_unnamed(delta)
        for quad in delta.added:
            if isinstance(quad.graph_name, NamedNode) and is_ours(quad.graph_name.value):
                raise Refused(f"the graph {quad.graph_name} is the store's own; choose another one")
        revision = self.generation if revision is None else revision
        kept = as_kept(delta.removed)
        wanted, unwanted = graphs_of(as_kept(delta.added)), graphs_of(kept | delta.removed)
        held = self.holders(wanted.keys() | unwanted.keys())
        for quad in delta.removed - kept:  # in words that are not ours: only where the engine tells them from ours
            triple, ours = in_default_graph(quad), in_default_graph(next(iter(as_kept([quad]))))
            if held[triple] == held[ours]:
                unwanted.pop(triple, None)
        added: set[Quad] = set()
        removed: set[Quad] = set()
        kept_before: set[Quad] = set()
        own: set[Quad] = set()
        for triple, there in held.items():
            come, go = moves(there, wanted.get(triple, set()), unwanted.get(triple, set()))
            added |= {Quad(triple.subject, triple.predicate, triple.object, graph) for graph in come}
            removed |= {Quad(triple.subject, triple.predicate, triple.object, graph) for graph in go}
            if there == {DefaultGraph()} and come:
                kept_before.add(triple)
            if (there - go) | come == {DefaultGraph()} < there:
                own.add(triple)
        return Effective(frozenset(added), frozenset(removed), revision, frozenset(kept_before), frozenset(own))

    def apply(self, delta: Delta) -> int:
        """Applies a change whole; on any failure nothing is changed. Returns the generation."""
        if isinstance(delta, Effective):
            return self._applied(delta)
        for left in range(_TRIES - 1, -1, -1):
            try:
                return self._applied(self.effective(delta))
            except Conflict:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _applied(self, change: Effective) -> int:
        if not change and change.revision:
            return change.revision
        writer = uuid.uuid4().hex
        if len(change) > self.endpoint.dialect.quads_per_request or length(change) > 20 * CHARACTERS:
            return self._staged(change, writer)
        removed, added = (self._blocks(quads) for quads in (change.removed, change.added))
        return self._made(change.revision, writer, removed, added, "")

    def _name(self, quad: Quad) -> NamedNode | None:
        """The graph to write a quad to; None for the default graph."""
        if isinstance(quad.graph_name, NamedNode):
            return quad.graph_name
        return self.endpoint.dialect.default_graph

    def _by_graph(self, quads: Iterable[Quad]) -> dict[NamedNode | None, list[Quad]]:
        found: dict[NamedNode | None, list[Quad]] = {}
        for quad in quads:
            found.setdefault(self._name(quad), []).append(quad)
        return found

    def _blocks(self, quads: Iterable[Quad]) -> str:
        return "\n".join(
            f"GRAPH {graph} {{\n{lines(held)}}}" if graph else lines(held)
            for graph, held in self._by_graph(quads).items()
        )

    def _made(self, revision: int, writer: str, removed: str, added: str, where: str) -> int:
        """Makes a change in one operation that checks and advances the revision, then sees whether it was made."""
        text = guarded(revision, writer, removed, added, where)
        with self._asking() as exchange:
            try:
                exchange.update(text)
            except KgError as error:
                if exchange.is_open and self._was_made_after_all(revision, writer, error):
                    return revision + 1
                if isinstance(error, Malformed):
                    raise StoreError(f"the SPARQL engine does not take the change: {error.detail}") from None
                raise
        if not self._is_made(revision, writer):
            raise conflict(revision)
        return revision + 1

    def _is_made(self, revision: int, writer: str) -> bool:
        made_by = f"<{REVISION.value}/{revision + 1}> {MADE_BY} ?writer"
        writers = {row["writer"].value for row in self._rows(f"SELECT ?writer {{ GRAPH {REVISION} {{ {made_by} }} }}")}
        if writer in writers and len(writers) > 1:
            raise StoreError(
                f"the SPARQL engine let {len(writers)} changes of revision {revision} through at once; "
                f"its transactions must be isolated (Virtuoso: DefaultIsolation = 4)"
            )
        return writer in writers

    def _was_made_after_all(self, revision: int, writer: str, cause: KgError) -> bool:
        """Whether a change was made whose answer did not arrive.

        If it was not, the revision is advanced, so that a request that is still on its way can change nothing.
        """
        try:
            if not self._is_made(revision, writer):
                self._send(guarded(revision, uuid.uuid4().hex, "", "", ""))
            return self._is_made(revision, writer)
        except KgError:
            raise StoreError(
                f"whether the change was made is not known, because the SPARQL engine does not answer any more "
                f"({cause.detail}); look at the data before you repeat it"
            ) from cause

    def _staged(self, change: Effective, writer: str) -> int:
        """A large change: its parts are put into graphs of ours first, then one operation moves them all."""
        if self.generation != change.revision:
            raise conflict(change.revision)
        self._sweep(change.revision)
        stage = f"{REVISION.value}/stage/{change.revision}/{writer}"
        templates: dict[str, set[str]] = {"r": set(), "a": set()}
        branches: list[str] = []
        staged: list[NamedNode] = []
        try:
            for sign, quads in (("r", change.removed), ("a", change.added)):
                for graph, held in self._by_graph(quads).items():
                    part = NamedNode(f"{stage}/{len(staged)}")
                    staged.append(part)
                    self._stage(part, held)
                    kind = sign + ("g" if graph else "d")
                    pattern = f"?{kind}s ?{kind}p ?{kind}o"
                    templates[sign].add(f"GRAPH ?{kind} {{ {pattern} }}" if graph else pattern)
                    bound = f"BIND({graph} AS ?{kind})" if graph else ""
                    branches.append(f"{{ GRAPH {part} {{ {pattern} }} {bound} }}")
            removed, added = ("\n".join(sorted(templates[sign])) for sign in "ra")
            where = "{ " + "\nUNION ".join(branches) + " }" if branches else ""
            return self._made(change.revision, writer, removed, added, where)
        finally:
            with contextlib.suppress(KgError):  # what stays is swept before the next large change
                self._drop(staged)

    def _stage(self, part: NamedNode, quads: Iterable[Quad]) -> None:
        if self.endpoint.graph_store:
            for batch in batches(quads, 50 * LOOKED_UP, 20 * CHARACTERS):
                with self._asking() as exchange:
                    exchange.add(part, lines(batch).encode())
        else:
            for batch in batches(quads, LOOKED_UP, CHARACTERS):
                self._send(f"INSERT DATA {{ GRAPH {part} {{\n{lines(batch)}}} }}")

    def _sweep(self, revision: int) -> None:
        """Drops the stages of changes that can no longer be made, because their revision has passed."""
        prefix = REVISION.value + "/stage/"
        found = self._rows(
            f"SELECT DISTINCT ?g {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), {Literal(prefix)})) }}"
        )
        graphs = [row["g"] for row in found]
        self._drop([g for g in graphs if int(g.value.removeprefix(prefix).partition("/")[0]) < revision])

    def _drop(self, graphs: Iterable[NamedNode]) -> None:
        for graph in graphs:
            self._send(f"DROP SILENT GRAPH {graph}")

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> RemoteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Moment:
    """An engine's data at one revision, of which a change is made.

    What is read is read when it is asked for: whether the data are still those is noticed when the change is applied.
    """

    has_staged = False

    def __init__(self, store: RemoteStore, generation: int, last: int, refused: Path) -> None:
        self.store, self.generation, self.last = store, generation, last
        self.log = store.log(generation, refused)

    def graph(self, name: NamedNode | DefaultGraph) -> Iterator[Quad]:
        return self.store.graph(name)

    def quads(self, graph: NamedNode | None = None) -> Iterator[Quad]:
        return self.store.quads(graph)

    def about(self, subject: NamedNode) -> Iterator[Quad]:
        return self.store.about(subject)

    def last_about(self, iri: str) -> int:
        return self.log.last_about(iri)

    def effective(self, delta: Delta) -> Effective:
        return self.store.effective(delta, self.generation)

    def apply(self, change: Effective, entry: Entry) -> int:
        """Makes the change and writes it into the log, in one update; Conflict when the data are others by now."""
        added = {*as_quads(entry, change.patch), last(entry.number)}
        removed = {last(self.last)} if self.last else set()
        return self.store.apply(Effective(change.added | added, change.removed | removed, change.revision))
