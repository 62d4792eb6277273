"""Values of a shapes graph, each of the kind that its property takes, or a refusal that says where it stands."""

from __future__ import annotations

import re
from typing import TypeGuard

from pyoxigraph import Literal, NamedNode

from kg_service.shacl import paths
from kg_service.shacl.graph import XSD, Graph, Node, ShapesError, Term, sh

BOOLEAN, STRING = NamedNode(XSD + "boolean"), NamedNode(XSD + "string")
_INTEGER = NamedNode(XSD + "integer")


def is_literal(term: Term, datatype: NamedNode) -> TypeGuard[Literal]:
    return isinstance(term, Literal) and not term.language and term.datatype == datatype


class Values:
    """The values of a graph; `above` is the way from the outermost shape to the one being read."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.above: list[Node] = []

    def place(self, node: Node | None = None) -> str:
        """Where we are: the nearest shape that has a name, and the way from it."""
        way = self.above if node is None or node in self.above else [*self.above, node]
        named = max((i for i, each in enumerate(way) if isinstance(each, NamedNode)), default=0)
        place = f"shape {way[named]}" if way else "shapes graph"
        return ", ".join([place, *map(self._describe, way[named + 1 :])])

    def wrong(self, name: str, problem: str, node: Node | None = None) -> ShapesError:
        """The refusal of a value of sh:`name`, or of the shape as a whole when the name is empty."""
        place = self.place(node)
        return ShapesError(f"{place}, sh:{name}: {problem}" if name else f"{place}: {problem}")

    def _describe(self, node: Node) -> str:
        try:
            (path,) = self.graph.objects(node, sh("path"))
            return "property shape for " + paths.sparql(paths.read_path(self.graph, path))
        except (ValueError, paths.IllFormedPath):
            return f"blank node {node}"

    def one(self, node: Node, name: str) -> Term | None:
        values = self.graph.objects(node, sh(name))
        if len(values) > 1:
            raise self.wrong(name, f"at most one value is allowed, found {len(values)}", node)
        return values[0] if values else None

    def as_iri(self, name: str, value: Term) -> NamedNode:
        if not isinstance(value, NamedNode):
            raise self.wrong(name, f"takes an IRI, not {value}")
        return value

    def iri(self, node: Node, name: str) -> NamedNode | None:
        value = self.one(node, name)
        return None if value is None else self.as_iri(name, value)

    def iris(self, node: Node, name: str) -> list[NamedNode]:
        return [self.as_iri(name, value) for value in self.graph.objects(node, sh(name))]

    def number(self, node: Node, name: str) -> int | None:
        value = self.one(node, name)
        if value is None:
            return None
        if not is_literal(value, _INTEGER) or not re.fullmatch(r"\+?[0-9]+", value.value):
            raise self.wrong(name, f"takes an xsd:integer from 0 up, not {value}")
        return int(value.value)

    def boolean(self, node: Node, name: str) -> bool:
        value = self.one(node, name)
        if value is None:
            return False
        if not is_literal(value, BOOLEAN) or value.value not in ("true", "false"):
            raise self.wrong(name, f"takes true or false, not {value}", node)
        return value.value == "true"

    def string(self, node: Node, name: str) -> str | None:
        value = self.one(node, name)
        if value is None:
            return None
        if not is_literal(value, STRING):
            raise self.wrong(name, f"takes a string, not {value}", node)
        return value.value

    def texts(self, node: Node, name: str) -> tuple[Literal, ...]:
        texts = self.graph.objects(node, sh(name))
        for text in texts:
            if not isinstance(text, Literal) or not (text.language or text.datatype == STRING):
                raise self.wrong(name, f"takes strings, with or without a language, not {text}", node)
        return tuple(text for text in texts if isinstance(text, Literal))

    def literal(self, node: Node, name: str) -> Literal | None:
        value = self.one(node, name)
        if value is not None and not isinstance(value, Literal):
            raise self.wrong(name, f"takes a literal, not {value}")
        return value

    def members(self, name: str, head: Term) -> list[Term]:
        members = self.graph.members(head)
        if members is None:
            raise self.wrong(name, f"takes a well-formed RDF list, not {head}")
        return members

    def members_of(self, node: Node, name: str) -> list[Term] | None:
        head = self.one(node, name)
        return None if head is None else self.members(name, head)
