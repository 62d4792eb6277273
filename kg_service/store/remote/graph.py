"""What a remote engine holds, asked in place by whoever takes a store to ask: validation, for one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pyoxigraph import NamedNode, QueryBoolean, QuerySolution, Variable

from kg_service.errors import Refused, StoreError
from kg_service.store.remote.endpoint import Endpoint
from kg_service.store.remote.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of an answer, complete."""

    variables: Sequence[Variable]
    rows: Sequence[QuerySolution]

    def __iter__(self) -> Iterator[QuerySolution]:
        return iter(self.rows)


class RemoteGraph:
    """The default graph of a remote engine, or the merge of these graphs of it. Each query may take so many seconds.

    Blank nodes have other names in every answer: a graph with blank nodes cannot be validated here.
    """

    def __init__(self, endpoint: Endpoint, graphs: Iterable[NamedNode] = (), *, seconds: float = 60.0) -> None:
        default = endpoint.dialect.default_graph
        self._graphs = [graph.value for graph in graphs] or ([default.value] if default else [])
        if len(self._graphs) > 1 and not endpoint.dialect.merges:
            raise Refused("this engine counts a triple once for each graph that holds it: name one graph")
        self._endpoint, self._seconds = endpoint, seconds

    def query(self, text: str) -> Rows:
        """The answer to a SELECT; raises as the engine's failures are told by `RemoteReads`."""
        with Exchange(self._endpoint, self._seconds) as exchange:
            body = exchange.query(text, "SELECT", self._graphs)
            found = body.solutions()
            if isinstance(found, QueryBoolean):
                raise StoreError("the SPARQL engine answered yes or no where rows were asked for")
            rows = list(found)
            body.read_out()
            return Rows(found.variables, rows)
