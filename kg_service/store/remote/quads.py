"""Quads on their way to an engine: what they mean for the default graph, how they are written, how many at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, Literal, Quad, Triple

from kg_service.errors import Malformed
from kg_service.store import Delta, Need
from kg_service.store.embedded import in_default_graph

#: Literals above this many characters are looked up one by one: Virtuoso takes none above 4 KB in a table of values.
LONG = 1_000


def refuse_unnamed(delta: Delta) -> None:
    """SPARQL cannot say which blank node is meant, and SPARQL 1.1 has no triple terms."""
    for quad in delta.added | delta.removed:
        for term in (quad.subject, quad.object, quad.graph_name):
            if isinstance(term, BlankNode | Triple):
                kind = "blank node" if isinstance(term, BlankNode) else "triple term"
                raise Malformed(f"a {kind} cannot be sent to a remote store; give it an IRI: {quad}")


def graphs_of(quads: Iterable[Quad]) -> dict[Quad, set[Any]]:
    """Each triple with the graphs that it is in."""
    found: dict[Quad, set[Any]] = {}
    for quad in quads:
        found.setdefault(in_default_graph(quad), set()).add(quad.graph_name)
    return found


def moves(there: set[Any], wanted: set[Any], unwanted: set[Any]) -> tuple[set[Any], set[Any]]:
    """The graphs that a triple comes into and goes from, so that the default graph has it while any graph has."""
    default: set[Any] = {DefaultGraph()}
    unwanted = (unwanted - wanted) & there
    go = there - wanted if default & unwanted else unwanted
    come = wanted - there
    if come:
        return come | (default - there), go - default
    if default & wanted or there - go - default:
        return come, go - default
    return come, go | (default & there if go else set())


def lines(quads: Iterable[Quad]) -> str:
    return "".join(f"{q.subject} {q.predicate} {q.object} .\n" for q in quads)


def length(change: Delta) -> int:
    return sum(len(q.object.value) for q in change.added | change.removed if isinstance(q.object, Literal))


def batches(quads: Iterable[Quad], size: int, most: int) -> Iterator[list[Quad]]:
    """Lists of up to so many quads, and of up to so many characters unless one quad alone has more."""
    batch: list[Quad] = []
    characters = 0
    for quad in quads:
        length = len(str(quad))
        if batch and (len(batch) == size or characters + length > most):
            yield batch
            batch, characters = [], 0
        batch.append(quad)
        characters += length
    if batch:
        yield batch


def batches_of_needs(needs: Iterable[Need], size: int, most: int) -> Iterator[list[str]]:
    """Patterns for the triples that are needed: lists of branches that together name so many nodes, or characters."""
    rows: dict[tuple[bool, bool], list[str]] = {}
    number = characters = 0
    for need in needs:
        if need.node is None:
            yield [f"?s {need.predicate} ?o . BIND({need.predicate} AS ?p)" if need.predicate else "?s ?p ?o"]
            continue
        row = " ".join(f"{term}" for term in (need.node, need.predicate) if term is not None)
        if len(row) > LONG:
            yield [_of_long(need)]
            continue
        if number == size or characters + len(row) > most:
            yield _branches(rows)
            rows, number, characters = {}, 0, 0
        rows.setdefault((need.is_inverse, need.predicate is not None), []).append(row)
        number += 1
        characters += len(row)
    if rows:
        yield _branches(rows)


def _branches(rows: dict[tuple[bool, bool], list[str]]) -> list[str]:
    def branch(is_inverse: bool, has_predicate: bool, values: list[str]) -> str:
        names = ("?o" if is_inverse else "?s") + (" ?p" if has_predicate else "")
        return f"VALUES ({names}) {{ {' '.join(f'({row})' for row in values)} }} ?s ?p ?o"

    return [branch(*kind, values) for kind, values in rows.items()]


def _of_long(need: Need) -> str:
    """A node too long for a table of values, which can only be a literal, and so an object."""
    predicate = need.predicate or "?p"
    bound = f"BIND({need.predicate} AS ?p) " if need.predicate else ""
    return f"?s {predicate} {need.node} . {bound}BIND({need.node} AS ?o)"
