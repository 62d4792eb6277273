"""An engine's data as the State of an update, asked for by a process that may open no connection itself.

The process that reads the stranger's text (`sandbox`) asks its parent over the pipe, and the parent asks the engine.
Questions are JSON with N-Quads or SPARQL text; what comes back is parsed in the process that asked.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    NamedNode,
    Quad,
    QueryResultsFormat,
    QuerySolutions,
    RdfFormat,
    Store,
    Triple,
    parse,
    parse_query_results,
    serialize,
)

from kg_service.errors import Malformed, StoreError
from kg_service.sparql.state import LocalState, State
from kg_service.store import Delta
from kg_service.store.embedded import in_default_graph

#: Asks a question about some lines, and gives the answer's bytes.
Ask = Callable[[Mapping[str, object], bytes], bytes]


class Engine(Protocol):
    """The writer of an engine's data, as far as the parent needs it to answer questions."""

    @property
    def generation(self) -> int: ...

    def holders(self, triples: Iterable[Quad]) -> dict[Quad, set[Any]]: ...

    def contents(self, graph: NamedNode | DefaultGraph | None, most: int) -> Iterator[Quad]: ...

    def has(self, graph: NamedNode) -> bool: ...

    def select(
        self,
        text: str,
        *,
        base: str | None,
        default_graphs: Sequence[str],
        named_graphs: Sequence[str],
        within: str | None,
        most: int,
    ) -> bytes: ...


def answer(engine: Engine, question: Mapping[str, Any], lines: bytes, *, most: int, max_bytes: int) -> bytes:
    """In the parent: the engine's answer to a question; raises as the engine's store does."""
    match question["ask"]:
        case "holders":
            triples = list(parse(lines, RdfFormat.N_QUADS))
            held = engine.holders(triples)
            return json.dumps([[_name(graph) for graph in held[triple]] for triple in triples]).encode()
        case "contents":
            return serialize(engine.contents(_graph(question["graph"]), most), None, RdfFormat.N_QUADS) or b""
        case "has":
            return b"yes" if engine.has(NamedNode(question["graph"])) else b"no"
        case "select":
            return engine.select(
                lines.decode(),
                base=question["base"],
                default_graphs=question["default_graphs"],
                named_graphs=question["named_graphs"],
                within=question["within"],
                most=max_bytes,
            )
        case unknown:
            raise StoreError(f"an update asked its data an unknown question: {unknown}")


def _name(graph: NamedNode | DefaultGraph) -> str:
    """A graph's IRI; "" for the default graph."""
    return graph.value if isinstance(graph, NamedNode) else ""


def _graph(name: str | None) -> NamedNode | DefaultGraph | None:
    return None if name is None else NamedNode(name) if name else DefaultGraph()


class DistantState:
    """The engine's data, with the changes of earlier operations laid over them.

    A WHERE clause after a change is matched on a copy of all data, which the engine's side bounds.
    """

    def __init__(self, ask: Ask, change: Delta | None = None) -> None:
        self._ask, self._change = ask, change or Delta()
        self._copy: LocalState | None = None

    def held(self, quads: set[Quad]) -> set[Quad]:
        held = self.holders({in_default_graph(quad) for quad in quads})
        return {quad for quad in quads if quad.graph_name in held[in_default_graph(quad)]}

    def holders(self, triples: set[Quad]) -> dict[Quad, set[Any]]:
        held: dict[Quad, set[Any]] = {triple: set() for triple in triples}
        named = [triple for triple in triples if not isinstance(triple.subject, BlankNode) and _has_name(triple.object)]
        if named:  # a blank node of an update is a new one, which nobody holds yet
            found = json.loads(self._ask({"ask": "holders"}, _lines(named)))
            for triple, graphs in zip(named, found, strict=True):
                held[triple] = {_graph(graph) for graph in graphs}
        for quad in self._change.removed:
            held.get(in_default_graph(quad), set()).discard(quad.graph_name)
        for quad in self._change.added:
            held.get(in_default_graph(quad), set()).add(quad.graph_name)
        return held

    def contents(self, graph: NamedNode | DefaultGraph | None) -> set[Quad]:
        lines = self._ask({"ask": "contents", "graph": None if graph is None else _name(graph)}, b"")
        added = {quad for quad in self._change.added if graph is None or quad.graph_name == graph}
        found = set(parse(lines, RdfFormat.N_QUADS))
        if not all(_has_name(term) for quad in found for term in (quad.subject, quad.object)):
            raise _unnameable()
        return found - self._change.removed | added

    def exists(self, graph: NamedNode) -> bool:
        if any(quad.graph_name == graph for quad in self._change.added):
            return True
        if any(quad.graph_name == graph for quad in self._change.removed):
            return bool(self.contents(graph))
        return self._ask({"ask": "has", "graph": graph.value}, b"") == b"yes"

    def solutions(
        self,
        query: str,
        *,
        base: str | None,
        default_graphs: Sequence[str],
        named_graphs: Sequence[str],
        default: NamedNode | None,
    ) -> Iterator[Sequence[Any]]:
        if len(self._change):
            yield from self._copied().solutions(
                query, base=base, default_graphs=default_graphs, named_graphs=named_graphs, default=default
            )
            return
        question = {
            "ask": "select",
            "base": base,
            "default_graphs": [*default_graphs],
            "named_graphs": [*named_graphs],
            "within": default.value if default else None,
        }
        try:
            found = cast(
                QuerySolutions, parse_query_results(self._ask(question, query.encode()), QueryResultsFormat.JSON)
            )
            rows = [tuple(row) for row in found]
        except (SyntaxError, ValueError, TypeError) as error:
            raise StoreError(f"the SPARQL engine's answer does not parse, or was cut: {error}") from None
        for row in rows:
            if not all(term is None or _has_name(term) for term in row):
                raise _unnameable()
            yield row

    def changed(self, change: Delta) -> State:
        return DistantState(self._ask, self._change.then(change))

    def _copied(self) -> LocalState:
        if self._copy is None:
            store = Store()
            store.bulk_extend(self.contents(None))
            self._copy = LocalState(store, lambda: store)
        return self._copy


def _has_name(term: Any) -> bool:
    return not isinstance(term, BlankNode | Triple)


def _unnameable() -> Malformed:
    return Malformed(
        "the engine's data hold a blank node or a triple term where this update looks, which no update can name; "
        "give it an IRI, or write to the engine itself"
    )


def _lines(quads: Iterable[Quad]) -> bytes:
    return serialize(quads, None, RdfFormat.N_QUADS) or b""
