"""What the service itself reads of an engine's graph: quads, who holds a triple, triples around nodes."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg_service.errors import TooLarge
from kg_service.store import Need
from kg_service.store.remote.endpoint import Endpoint, dataset, merging_refused
from kg_service.store.remote.exchange import Exchange
from kg_service.store.remote.graphs import REVISION, is_ours, is_visible
from kg_service.store.remote.log import RemoteLog
from kg_service.store.remote.quads import LONG, batches, batches_of_needs
from kg_service.store.remote.revision import revision_of, visible_graphs
from kg_service.store.remote.text import based, hiding

#: Triples looked up, and characters sent, in one request.
LOOKED_UP, CHARACTERS = 500, 200_000
#: Nodes whose triples are fetched in one request.
_NEEDED = 2_000


class RemoteData:
    """The data of an engine; every method asks it anew."""

    def __init__(self, endpoint: Endpoint, *, seconds: float) -> None:
        self.endpoint, self._seconds = endpoint, seconds

    def _asking(self) -> Exchange:
        return Exchange(self.endpoint, self._seconds)

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

    def graph(self, name: NamedNode | DefaultGraph) -> Iterator[Quad]:
        """The quads of a named graph, or those of the default graph that are in it for their own sake."""
        if isinstance(name, NamedNode):
            yield from self.quads(name)
            return
        triples = list(self.triples())
        held = self.holders(triples)
        yield from (triple for triple in triples if held[triple] <= {name})

    def log(self, generation: int, refused: Path) -> RemoteLog:
        """The log up to a generation; `refused` is where refused changes are remembered."""
        return RemoteLog(self._rows, generation, refused)

    def about(self, subject: NamedNode) -> Iterator[Quad]:
        """The quads of a subject, in every graph."""
        graph = self.endpoint.dialect.default_graph
        pattern = f"GRAPH {graph} {{ {subject} ?p ?o }}" if graph else f"{subject} ?p ?o"
        for row in self._rows(f"SELECT ?p ?o {{ {pattern} }}"):
            yield Quad(subject, row["p"], row["o"])
        for row in self._rows(f"SELECT ?p ?o ?g {{ GRAPH ?g {{ {subject} ?p ?o }} }}"):
            if isinstance(row["g"], NamedNode) and is_visible(row["g"]):
                yield Quad(subject, row["p"], row["o"], row["g"])

    def contents(self, graph: NamedNode | DefaultGraph | None, most: int) -> Iterator[Quad]:
        """All quads of a graph, the default one included; of all graphs for None. TooLarge for more than `most`."""
        found = (
            itertools.chain(self.triples(), self.quads())
            if graph is None
            else self.triples()
            if isinstance(graph, DefaultGraph)
            else self.quads(graph)
        )
        for number, quad in enumerate(found):
            if number == most:
                raise too_many(most)
            yield quad

    def needed(self, needs: Collection[Need], most: int) -> list[Quad]:
        """The triples of the default graph that are needed; of each a few times, TooLarge for more than `most`."""
        found: list[Quad] = []
        for branches in batches_of_needs(needs, _NEEDED, CHARACTERS):
            graph = self.endpoint.dialect.default_graph
            patterns = " UNION ".join(f"{{ {branch} }}" for branch in branches)
            inside = f"GRAPH {graph} {{ {patterns} }}" if graph else patterns
            text = f"SELECT ?s ?p ?o {{ {inside} }} LIMIT {most - len(found) + 1}"
            found += (Quad(row["s"], row["p"], row["o"]) for row in self._rows(text))
            if len(found) > most:
                raise too_many(most)
        return found

    def has(self, graph: NamedNode) -> bool:
        """Whether a named graph holds anything."""
        if is_ours(graph.value):
            return False
        return any(True for _ in self._rows(f"SELECT ?s {{ GRAPH {graph} {{ ?s ?p ?o }} }} LIMIT 1"))

    def select(
        self,
        text: str,
        *,
        base: str | None,
        default_graphs: Sequence[str] = (),
        named_graphs: Sequence[str] = (),
        within: str | None = None,
        most: int,
    ) -> bytes:
        """The engine's JSON answer to a SELECT without FROM clauses, up to so many bytes, not parsed.

        `within` is a graph that stands for the default graph, beside all named ones. Raises as `Reads.answer`.
        """
        if len(default_graphs) > 1 and not self.endpoint.dialect.merges:
            raise merging_refused()
        with self._asking() as exchange:
            if within and not default_graphs and not named_graphs:
                default_graphs, named_graphs = (within,), [g.value for g in visible_graphs(exchange)]
            default, named = dataset(
                self.endpoint.dialect, default_graphs, named_graphs, lambda: [g.value for g in visible_graphs(exchange)]
            )
            text = text if default or named else hiding(text)
            body = exchange.query(based(text, base), "SELECT", default, named)
            body.limit = most
            return b"".join(iter(body.read, b""))

    def _graph(self, graph: NamedNode | None, name: NamedNode | DefaultGraph) -> Iterator[Quad]:
        pattern = f"GRAPH {graph} {{ ?s ?p ?o }}" if graph else "?s ?p ?o"
        for row in self._rows(f"SELECT ?s ?p ?o {{ {pattern} }}"):
            yield Quad(row["s"], row["p"], row["o"], name)

    def _rows(self, text: str) -> Iterator[Any]:
        with self._asking() as exchange:
            yield from exchange.query(text, "SELECT").rows()

    def holders(self, triples: Iterable[Quad]) -> dict[Quad, set[Any]]:
        """The graphs that hold each triple, by the engine's own idea of equal terms."""
        held: dict[Quad, set[Any]] = {triple: set() for triple in triples}
        brief = (triple for triple in held if len(str(triple.object)) <= LONG)
        for batch in batches(brief, LOOKED_UP, CHARACTERS):
            rows = "\n".join(f"({i} {t.subject} {t.predicate} {t.object})" for i, t in enumerate(batch))
            self._look_up(held, batch, f"VALUES (?i ?s ?p ?o) {{\n{rows} }}", "?s ?p ?o")
        for triple in held:
            if len(str(triple.object)) > LONG:
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


def too_many(most: int) -> TooLarge:
    """Of a change for which more would have to be copied from the engine than is allowed."""
    return TooLarge(
        f"this change needs more than {most} triples of the engine's graph at hand; make it in smaller parts, or set "
        f"KG_COPY_TRIPLES higher"
    )
