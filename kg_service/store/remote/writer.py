"""Writing to a remote engine: each change whole or not at all, and none over another's."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg_service.errors import KgError, Malformed, StoreError, StoreUnwritable
from kg_service.store import Delta
from kg_service.store.embedded import as_kept, in_default_graph
from kg_service.store.remote.endpoint import Endpoint
from kg_service.store.remote.exchange import Exchange
from kg_service.store.remote.graphs import REVISION, is_ours, is_visible
from kg_service.store.remote.quads import batches, graphs_of, length, lines, moves, refuse_unnamed
from kg_service.store.remote.revision import MADE_BY, NUMBER, Conflict, conflict, guarded, revision_of, visible_graphs

#: Triples looked up, and characters sent, in one request.
_LOOKED_UP, _CHARACTERS = 500, 200_000
#: Literals above this many characters are looked up one by one: Virtuoso takes none above 4 KB in a table of values.
_LONG = 1_000
#: How often a change that others forestalled is made again, where that is safe.
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Effective(Delta):
    """A change as it stood against one revision; applying it to another is a Conflict."""

    revision: int = 0


class RemoteStore:
    """The writer of a remote engine's dataset; several may write, each change is made whole or not at all.

    The default graph is kept as in the embedded store: each triple of a named graph is written there once. Changes of
    other programs that do not advance the revision are not noticed. `apply` of what `effective` gave raises Conflict
    when the graph was changed in between; of any other Delta it looks again and tries again.
    """

    def __init__(self, endpoint: Endpoint, *, seconds: float = 60.0) -> None:
        if not endpoint.update:
            raise StoreUnwritable(f"no update URL is set for the SPARQL engine at {endpoint.query}")
        self.endpoint, self._seconds = endpoint, seconds
        numbered = f"GRAPH {REVISION} {{ {REVISION} {NUMBER} ?n }}"
        self._send(  # Virtuoso needs a row to filter
            f"INSERT {{ GRAPH {REVISION} {{ {REVISION} {NUMBER} 0 }} }}\n"
            f"WHERE {{ VALUES ?row {{ 0 }} FILTER NOT EXISTS {{ {numbered} }} }}"
        )

    def _asking(self) -> Exchange:
        return Exchange(self.endpoint, self._seconds)

    def _send(self, text: str) -> None:
        with self._asking() as exchange:
            try:
                exchange.update(text)
            except Malformed as error:  # our own text: not the client's fault
                raise StoreError(f"the SPARQL engine does not take the change: {error.detail}") from None

    @property
    def generation(self) -> int:
        """The dataset's revision; it only ever grows."""
        with self._asking() as exchange:
            return revision_of(exchange)

    def named_graphs(self) -> list[NamedNode]:
        """The IRIs of the named graphs that hold something, in order, without ours and the engine's."""
        with self._asking() as exchange:
            return visible_graphs(exchange)

    def quads(self, graph: NamedNode | None = None) -> Iterator[Quad]:
        """The quads of one named graph, or those of all named graphs, as they come from the engine."""
        if graph is None:
            visible = f"FILTER(!STRSTARTS(STR(?g), {Literal(REVISION.value)}))"
            for row in self._rows(f"SELECT ?s ?p ?o ?g {{ GRAPH ?g {{ ?s ?p ?o }} {visible} }}"):
                if isinstance(row["g"], NamedNode) and is_visible(row["g"]):
                    yield Quad(row["s"], row["p"], row["o"], row["g"])
        elif not is_ours(graph.value):
            yield from self._graph(graph, graph)

    def triples(self) -> Iterator[Quad]:
        """What the default graph holds: each triple of the store, once."""
        yield from self._graph(self.endpoint.dialect.default_graph, DefaultGraph())

    def _graph(self, graph: NamedNode | None, name: NamedNode | DefaultGraph) -> Iterator[Quad]:
        pattern = f"GRAPH {graph} {{ ?s ?p ?o }}" if graph else "?s ?p ?o"
        for row in self._rows(f"SELECT ?s ?p ?o {{ {pattern} }}"):
            yield Quad(row["s"], row["p"], row["o"], name)

    def _rows(self, text: str) -> Iterator[Any]:
        with self._asking() as exchange:
            yield from exchange.query(text, "SELECT").rows()

    def effective(self, delta: Delta) -> Effective:
        """The part of a change that changes something, with what it means for the default graph.

        What leaves the default graph leaves every named graph as well, as in the embedded store.
        """
        refuse_unnamed(delta)
        revision = self.generation
        kept = as_kept(delta.removed)
        wanted, unwanted = graphs_of(as_kept(delta.added)), graphs_of(kept | delta.removed)
        held = self._holders(wanted.keys() | unwanted.keys())
        for quad in delta.removed - kept:  # in words that are not ours: only where the engine tells them from ours
            triple, ours = in_default_graph(quad), in_default_graph(next(iter(as_kept([quad]))))
            if held[triple] == held[ours]:
                unwanted.pop(triple, None)
        added: set[Quad] = set()
        removed: set[Quad] = set()
        for triple, there in held.items():
            come, go = moves(there, wanted.get(triple, set()), unwanted.get(triple, set()))
            added |= {Quad(triple.subject, triple.predicate, triple.object, graph) for graph in come}
            removed |= {Quad(triple.subject, triple.predicate, triple.object, graph) for graph in go}
        return Effective(frozenset(added), frozenset(removed), revision)

    def _holders(self, triples: Iterable[Quad]) -> dict[Quad, set[Any]]:
        """The graphs that hold each triple, by the engine's own idea of equal terms."""
        held: dict[Quad, set[Any]] = {triple: set() for triple in triples}
        brief = (triple for triple in held if len(str(triple.object)) <= _LONG)
        for batch in batches(brief, _LOOKED_UP, _CHARACTERS):
            rows = "\n".join(f"({i} {t.subject} {t.predicate} {t.object})" for i, t in enumerate(batch))
            self._look_up(held, batch, f"VALUES (?i ?s ?p ?o) {{\n{rows} }}", "?s ?p ?o")
        for triple in held:
            if len(str(triple.object)) > _LONG:
                pattern = f"{triple.subject} {triple.predicate} {triple.object}"
                self._look_up(held, [triple], "BIND(0 AS ?i)", pattern)
        return held

    def _look_up(self, held: dict[Quad, set[Any]], batch: Sequence[Quad], rows: str, pattern: str) -> None:
        stand_in = self.endpoint.dialect.default_graph
        for row in self._rows(f"SELECT ?i ?g {{ {rows} GRAPH ?g {{ {pattern} }} }}"):
            graph = DefaultGraph() if row["g"] == stand_in else row["g"]
            if isinstance(graph, DefaultGraph) or not is_ours(graph.value):
                held[batch[int(row["i"].value)]].add(graph)
        if stand_in is None:
            for row in self._rows(f"SELECT ?i {{ {rows} {pattern} }}"):
                held[batch[int(row["i"].value)]].add(DefaultGraph())

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
        published = self.generation
        if not change and published:
            return published
        if published != change.revision:
            raise conflict(change.revision)
        writer = uuid.uuid4().hex
        if len(change) > self.endpoint.dialect.quads_per_request or length(change) > 20 * _CHARACTERS:
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
            for batch in batches(quads, 50 * _LOOKED_UP, 20 * _CHARACTERS):
                with self._asking() as exchange:
                    exchange.add(part, lines(batch).encode())
        else:
            for batch in batches(quads, _LOOKED_UP, _CHARACTERS):
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
