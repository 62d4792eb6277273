"""The data that the operations of an update meet, wherever they are: what `update` asks of them, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pyoxigraph import DefaultGraph, NamedNode, Quad, QuerySolutions, Store

from kg_service.store import Delta
from kg_service.store.reader import dataset_of


class State(Protocol):
    """The data that an operation meets. Triples are quads of the default graph."""

    def held(self, quads: set[Quad]) -> set[Quad]:
        """Those of the quads that are there."""
        ...

    def holders(self, triples: set[Quad]) -> dict[Quad, set[Any]]:
        """The graphs, the default one among them, that hold each of the triples."""
        ...

    def contents(self, graph: NamedNode | DefaultGraph | None) -> set[Quad]:
        """All quads of a graph; of all graphs for None."""
        ...

    def exists(self, graph: NamedNode) -> bool:
        """Whether the graph holds anything."""
        ...

    def solutions(
        self,
        query: str,
        *,
        base: str | None,
        default_graphs: Sequence[str],
        named_graphs: Sequence[str],
        default: NamedNode | None,
    ) -> Iterator[Sequence[Any]]:
        """The rows of a SELECT over the graphs named; over all, with `default` for the default graph, if none is."""
        ...

    def changed(self, change: Delta) -> State:
        """The data after a change, of which every part changes something."""
        ...


class LocalState:
    """A store of this process as a State. `scratch` gives a private writable copy of it, asked for only if needed."""

    def __init__(self, store: Store, scratch: Callable[[], Store]) -> None:
        self._store, self._scratch = store, scratch
        self._is_private = False

    def held(self, quads: set[Quad]) -> set[Quad]:
        return {quad for quad in quads if quad in self._store}

    def holders(self, triples: set[Quad]) -> dict[Quad, set[Any]]:
        def of(triple: Quad) -> set[Any]:
            held = self._store.quads_for_pattern(triple.subject, triple.predicate, triple.object, None)
            return {quad.graph_name for quad in held}

        return {triple: of(triple) for triple in triples}

    def contents(self, graph: NamedNode | DefaultGraph | None) -> set[Quad]:
        return set(self._store.quads_for_pattern(None, None, None, graph))

    def exists(self, graph: NamedNode) -> bool:
        return next(self._store.quads_for_pattern(None, None, None, graph), None) is not None

    def solutions(
        self,
        query: str,
        *,
        base: str | None,
        default_graphs: Sequence[str],
        named_graphs: Sequence[str],
        default: NamedNode | None,
    ) -> Iterator[Sequence[Any]]:
        dataset, arguments = dataset_of(self._store, [*default_graphs], [*named_graphs])
        if default and not arguments:
            arguments = {"default_graph": [default]}
        found = dataset.query(query, base_iri=base, **arguments)
        assert isinstance(found, QuerySolutions)
        return (tuple(solution) for solution in found)

    def changed(self, change: Delta) -> LocalState:
        if not self._is_private:
            self._store, self._is_private = self._scratch(), True
        for quad in change.removed:
            self._store.remove(quad)
        self._store.extend(change.added)
        for name in {quad.graph_name for quad in change.removed if isinstance(quad.graph_name, NamedNode)}:
            if not self.exists(name):
                self._store.remove_graph(name)  # or GRAPH ?g would still find it
        return self
