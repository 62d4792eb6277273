"""The templates of an update's DELETE and INSERT, read by the engine and filled in with each solution."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from uuid import uuid4

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, Triple

from kg_service.sparql import guard
from kg_service.sparql.operations import Context, Operation, in_graph
from kg_service.store import is_default


class Marks:
    """The IRIs that stand for the variables of one operation's templates, by the variables' names."""

    def __init__(self) -> None:
        self.secret = uuid4().hex
        self.of: dict[str, NamedNode] = {}

    def mark(self, name: str) -> NamedNode:
        """The IRI for a variable, the same for each of its places."""
        return self.of.setdefault(name, NamedNode(f"urn:{self.secret}:{len(self.of)}"))


def template(
    operation: Operation, written: str, marks: Marks, within: NamedNode | None, context: Context
) -> list[Quad]:
    """The quads of a template, with marks in place of the variables, those without GRAPH in the graph of WITH."""
    parts: list[str] = []
    end = 0
    for token in guard.tokens(written):
        if token.kind == "variable":
            parts += [written[end : token.start], str(marks.mark(token.text[1:]))]
            end = token.start + len(token.text)
    quads = context.inserted(operation, "".join(parts) + written[end:])
    return [in_graph(within, quad) if within and is_default(quad) else quad for quad in quads]


def filled(template: Iterable[Quad], values: dict[Any, Any]) -> Iterator[Quad]:
    """The template's quads with these values; those that are no RDF or lack a value are left out (section 3.1.3)."""
    for quad in template:
        subject = values.get(quad.subject, quad.subject)
        predicate = values.get(quad.predicate, quad.predicate)
        graph = values.get(quad.graph_name, quad.graph_name)
        if not (
            isinstance(subject, NamedNode | BlankNode)
            and isinstance(predicate, NamedNode)
            and isinstance(graph, NamedNode | DefaultGraph)
        ):
            continue
        value = _filled_object(quad.object, values)
        if value is not None:
            yield Quad(subject, predicate, value, graph)


def _filled_object(term: Any, values: dict[Any, Any]) -> Any:
    """A term with these values; None where one is missing. Triple terms nest in their objects only."""
    around: list[Triple] = []
    while isinstance(term, Triple):
        around.append(term)
        term = term.object
    value = values.get(term, term)
    for triple in reversed(around):
        subject = values.get(triple.subject, triple.subject)
        predicate = values.get(triple.predicate, triple.predicate)
        if value is None or not isinstance(subject, NamedNode | BlankNode) or not isinstance(predicate, NamedNode):
            return None
        value = Triple(subject, predicate, value)
    return value


def leaves(quad: Quad) -> Iterator[Any]:
    """The terms of a quad, and of the triple terms in it."""
    yield quad.graph_name
    inner: Any = quad.triple
    while isinstance(inner, Triple):
        yield inner.subject
        yield inner.predicate
        inner = inner.object
    yield inner
