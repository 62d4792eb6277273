"""The query texts that a description is made of, built from terms.

What Oxigraph does slowly is not asked: it sorts 100,000 IRIs in ten seconds, and looks everything up for an OPTIONAL
beside VALUES. What is long is paged in the engine's own order, which stays the same while the generation does.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from kg_service.rdf import PREFIXES, Literal, NamedNode, Term

_RDF, _SSE = PREFIXES["rdf"], PREFIXES["sse"]
SUBJECT, PREDICATE, OBJECT = (NamedNode(_RDF + name) for name in ("subject", "predicate", "object"))
EVIDENCE = NamedNode(_SSE + "evidence")


class Direction(StrEnum):
    """Whether a statement begins at a thing, or ends there."""

    OUT = "out"
    IN = "in"


def exists(things: Iterable[NamedNode]) -> str:
    """Which of the IRIs is a subject, an object or a graph: ?thing."""
    branches = [
        f"{{ SELECT ?thing {{ {pattern} BIND({thing} AS ?thing) }} LIMIT 1 }}"
        for thing in things
        for pattern in (f"{thing} ?p ?o", f"?s ?p {thing}", f"GRAPH {thing} {{ ?s ?p ?o }}")
    ]
    return f"SELECT DISTINCT ?thing {{ {' UNION '.join(branches)} }}"


def totals(thing: NamedNode) -> str:
    """How many statements of each property a thing has in each direction: ?direction ?property ?total."""
    both = " UNION ".join(
        f"{{ {_pattern(thing, '?property', direction)} BIND({Literal(direction)} AS ?direction) }}"
        for direction in Direction
    )
    return f"SELECT ?direction ?property (COUNT(*) AS ?total) {{ {both} }} GROUP BY ?direction ?property"


def total(thing: NamedNode, property: NamedNode, direction: Direction) -> str:
    """How many statements of one property a thing has: ?total."""
    return f"SELECT (COUNT(*) AS ?total) {{ {_pattern(thing, str(property), direction)} }}"


def whole(thing: NamedNode, properties: Iterable[NamedNode], direction: Direction) -> str:
    """All values of some properties, once for each graph and once for none: ?property ?value ?graph."""
    pattern = _pattern(thing, "?property", direction)
    listed = _values("?property", properties)
    return f"SELECT ?property ?value ?graph {{ {{ {listed} {pattern} }} UNION {{ {listed} {_in_graph(pattern)} }} }}"


def part(thing: NamedNode, property: NamedNode, direction: Direction, *, size: int, page: int) -> str:
    """One page of the values of a property, in the engine's order: ?value ?graph, in rows as of `whole`."""
    pattern = _pattern(thing, str(property), direction)
    inside = f"{{ SELECT ?value {{ {pattern} }} LIMIT {size} OFFSET {size * (page - 1)} }}"
    return f"SELECT ?value ?graph {{ {inside} UNION {{ {inside} {_in_graph(pattern)} }} }}"


def claims(thing: NamedNode, values: Iterable[Term] | None, *, with_graphs: bool) -> str:
    """What is said of the claims about a thing's statements, all or those with some values: ?node ?property ?value.

    Where claims have their graphs too, as ?graph, it takes several times as long.
    """
    return _said(_claims(thing, values, "?node"), with_graphs=with_graphs)


def quotations(thing: NamedNode, values: Iterable[Term] | None, *, with_graphs: bool) -> str:
    """What is said of the quotations that these claims rest on, likewise."""
    return _said(f"{_claims(thing, values, '?claim')} ?claim {EVIDENCE} ?node .", with_graphs=with_graphs)


def _claims(thing: NamedNode, values: Iterable[Term] | None, name: str) -> str:
    if values is None:
        return f"{name} {SUBJECT} {thing} ."
    return f"{_values('?object', values)} {name} {OBJECT} ?object ; {SUBJECT} {thing} ."


def _said(found: str, *, with_graphs: bool) -> str:
    pattern = "?node ?property ?value"
    if with_graphs:
        return f"SELECT DISTINCT ?node ?property ?value ?graph {{ {found} {_in_graph(pattern)} }}"
    return f"SELECT DISTINCT ?node ?property ?value {{ {found} {pattern} }}"


def said(nodes: Iterable[Term], *, with_graphs: bool) -> str:
    """What is said of some things: ?node ?property ?value, with ?graph where it is asked for."""
    return _said(_values("?node", nodes), with_graphs=with_graphs)


def of_documents(documents: Iterable[Term]) -> str:
    """The language and the file of source documents: ?node ?property ?value."""
    branches = " UNION ".join(
        f"{{ {_values('?node', documents)} ?node {property} ?value BIND({property} AS ?property) }}"
        for property in (NamedNode(PREFIXES["dcterms"] + "language"), NamedNode(_SSE + "sourceFile"))
    )
    return f"SELECT ?node ?property ?value {{ {branches} }}"


def labels(things: Iterable[NamedNode], label: NamedNode) -> str:
    """The names of things by one property, in every language: ?thing ?label."""
    return f"SELECT ?thing ?label {{ {_values('?thing', things)} ?thing {label} ?label }}"


def _pattern(thing: NamedNode, property: str, direction: Direction) -> str:
    return f"{thing} {property} ?value" if direction is Direction.OUT else f"?value {property} {thing}"


def _in_graph(pattern: str) -> str:
    return f"GRAPH ?graph {{ {pattern} }}"


def _values(variable: str, terms: Iterable[Term]) -> str:
    return f"VALUES {variable} {{ {' '.join(map(str, terms))} }}"
