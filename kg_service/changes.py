"""Changing the graph: every way of writing ends in `commit`, which validates first and writes once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from kg_service.errors import Violations
from kg_service.rdf import SHAPE, entity, graph, sse
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


def commit(store: GraphStore, delta: Delta, shapes: Shapes, *, dry_run: bool = False) -> Committed:
    """Writes the change if the graph conforms with it; raises Violations, and writes nothing, if it does not.

    Only what the change makes worse counts: results that the graph had before are no reason to refuse it. Warnings
    and informational results are in the report and refuse nothing.
    """
    whole = store.effective(delta)
    report = judge(store.triples(), whole, shapes)
    if report.blocks:
        raise Violations("the data break the shapes; nothing was written", report)
    generation = store.generation if dry_run else store.apply(whole)
    added, removed = (
        sum(not isinstance(q.graph_name, DefaultGraph) for q in part) for part in (whole.added, whole.removed)
    )
    return Committed(generation, added, removed, report)


def judge(triples: Iterable[Quad], delta: Delta, shapes: Shapes) -> Report:
    """The results that a change brings to a graph of these triples, validated whole as it would be."""
    before, after = Store(), Store()
    before.bulk_extend(triples)
    gone = {quad for quad in delta.removed if isinstance(quad.graph_name, DefaultGraph)}
    after.bulk_extend(quad for quad in before if quad not in gone)
    after.bulk_extend(in_default_graph(quad) for quad in delta.added)
    report = validate(after, shapes)
    if report.results and len(before):
        report = report.without(validate(before, shapes))
    return replace(report, results=in_order([*report.results, *_misplaced(delta)]))


_CERTAINTY, _INFERRED = sse("certainty"), entity("certainty", "inferred")
_WRONG_GRAPH = (
    Literal("An inferred claim belongs in the graph “inferred”, and no other claim does. Move it.", language="en"),
    Literal("Una afirmación inferida va en el grafo «inferred», y ninguna otra. Cámbiela de grafo.", language="es"),
)


def _misplaced(delta: Delta) -> Iterator[Result]:
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
                messages=_WRONG_GRAPH,
            )
