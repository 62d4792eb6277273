"""Changing the graph: every way of writing ends in `commit`, which validates first and writes once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Store

from kg_service.errors import Violations
from kg_service.rdf import GENID, SHAPE, entity, graph, sse
from kg_service.shacl import Report, Result, Shapes, validate
from kg_service.shacl.paths import Predicate
from kg_service.shacl.report import in_order
from kg_service.shacl.shapes import VIOLATION
from kg_service.store import Delta, GraphStore
from kg_service.store.embedded import in_default_graph


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a change: the generation that readers see it at, its size, and what the shapes said of it."""

    generation: int
    added: int
    removed: int
    report: Report


def commit(
    store: GraphStore, delta: Delta, shapes: Shapes, *, dry_run: bool = False, language: str = "en"
) -> Committed:
    """Writes the change if the graph conforms with it; raises Violations, and writes nothing, if it does not.

    Only what the change makes worse counts: results that the graph had before are no reason to refuse it. Warnings
    and informational results are in the report and refuse nothing.
    """
    whole = store.effective(delta)
    report = judge(store.triples(), whole, shapes, language)
    if report.blocks:
        raise Violations("the data break the shapes; nothing was written", report)
    generation = store.generation if dry_run else store.apply(whole)
    added, removed = (
        sum(not isinstance(q.graph_name, DefaultGraph) for q in part) for part in (whole.added, whole.removed)
    )
    return Committed(generation, added, removed, report)


def skolemised(delta: Delta) -> Delta:
    """The change with a fresh IRI for each blank node that it adds (RDF 1.1, section 3.5); none is ever stored."""
    named: dict[BlankNode, NamedNode] = {}

    def term(value: Any) -> Any:
        if not isinstance(value, BlankNode):
            return value
        return named.setdefault(value, NamedNode(GENID + uuid4().hex))

    added = (Quad(term(q.subject), q.predicate, term(q.object), term(q.graph_name)) for q in delta.added)
    return Delta(frozenset(added), delta.removed)


def judge(triples: Iterable[Quad], delta: Delta, shapes: Shapes, language: str = "en") -> Report:
    """The results that a change brings to a graph of these triples, validated whole as it would be.

    Of each message the text in `language` comes first.
    """
    before, after = Store(), Store()
    before.bulk_extend(triples)
    gone = {quad for quad in delta.removed if isinstance(quad.graph_name, DefaultGraph)}
    after.bulk_extend(quad for quad in before if quad not in gone)
    after.bulk_extend(in_default_graph(quad) for quad in delta.added)
    report = validate(after, shapes, language=language)
    if report.results and len(before):
        report = report.without(validate(before, shapes))
    return replace(report, results=in_order([*report.results, *_misplaced(delta, language)]))


_CERTAINTY, _INFERRED = sse("certainty"), entity("certainty", "inferred")
_WRONG_GRAPH = (
    Literal("An inferred claim belongs in the graph “inferred”, and no other claim does. Move it.", language="en"),
    Literal("Una afirmación inferida va en el grafo «inferred», y ninguna otra. Cámbiela de grafo.", language="es"),
)


def _misplaced(delta: Delta, language: str) -> Iterator[Result]:
    """Claims in the wrong graph: the one rule on graphs, where shapes see the whole graph merged."""
    for quad in delta.added:
        if quad.predicate != _CERTAINTY or isinstance(quad.graph_name, DefaultGraph):
            continue
        if (quad.object == _INFERRED) != (quad.graph_name == graph("inferred")):
            yield Result(
                focus=quad.subject,
                path=Predicate(_CERTAINTY),
                value=quad.object,
                component=NamedNode(SHAPE + "GraphConstraintComponent"),
                shape=NamedNode(SHAPE + "Claim-graph"),
                severity=VIOLATION,
                messages=tuple(sorted(_WRONG_GRAPH, key=lambda text: text.language != language)),
            )
