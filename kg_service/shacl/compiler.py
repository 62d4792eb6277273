"""Compiles shapes into SPARQL SELECT queries, each for all focus nodes of a shape at once.

A plan holds the checks of one shape at one source of focus nodes. What each value passes or fails by itself shares one
query per shape; counting uses GROUP BY; shapes inside shapes become expressions where they can (`inline`), else plans
of their own whose failing nodes the validator compares. Before the checks of a root shape goes one query, its screen:
where it finds no suspect, they are not asked at all, else for the suspects only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from pyoxigraph import BlankNode, NamedNode, QuerySolutions, Store

from kg_service.shacl import queries
from kg_service.shacl.expressions import both
from kg_service.shacl.graph import Node, ShapesError
from kg_service.shacl.inline import fresh_variables, inlined, is_inlined, qualifies, screened, value_test
from kg_service.shacl.marks import ClassTree
from kg_service.shacl.paths import sparql
from kg_service.shacl.patterns import Needs, needs_of
from kg_service.shacl.prebinding import FOCUS, Unsupported, prebind_ask, prebind_select
from kg_service.shacl.queries import Source
from kg_service.shacl.shapes import (
    Closed,
    Constraint,
    Count,
    HasValue,
    Logic,
    Pair,
    Qualified,
    Shape,
    SparqlRule,
    UniqueLang,
    ValueTest,
)

SHAPES_GRAPH = NamedNode("urn:x-shacl:shapes-graph")


@dataclass(frozen=True, eq=False)
class Screen:
    """Before checks: the target nodes that do not conform to the shape are those that fail at least one of them."""

    source: Source
    shape: Shape

    def query(self, shape: Shape) -> str:
        """The query for the target nodes that fail the shape: the screen's own, or what is left to look for in it."""
        failed = inlined(shape, "?this", fresh_variables())
        return f"SELECT ?this WHERE {{ {self.source.pattern('?this')} FILTER(!{failed}) }}"


@dataclass(frozen=True, eq=False)
class Check:
    """A query, with marks for the target nodes; where its screen finds no node, it has no rows."""

    shape: Shape
    source: Source
    query: str
    screen: Screen | None


@dataclass(frozen=True, eq=False)
class DirectCheck(Check):
    """Each row is a violation: this, and value or path where the result has them."""

    constraint: Constraint

    @property
    def is_of_focus(self) -> bool:
        """Whether each focus node has at most one violation, without a value."""
        return isinstance(self.constraint, Count | HasValue | Qualified)


@dataclass(frozen=True, eq=False)
class ValuesCheck(Check):
    """Several constraints on the same values; column ?c0, ?c1 … says whether each passes."""

    constraints: tuple[Constraint, ...]


@dataclass(frozen=True, eq=False)
class ShapesCheck(Check):
    """The query gives all (this, value); the plans say which values fail each shape."""

    constraint: Logic | Qualified
    plans: tuple[Plan, ...]


@dataclass(frozen=True, eq=False)
class SparqlCheck(Check):
    """A SPARQL rule; `single` is its text with FOCUS when it must be run for one focus node at a time.

    `needs` is what a focus node must have itself for the rule to find anything there, as far as that can be told.
    """

    constraint: SparqlRule
    single: str | None
    uses_shapes_graph: bool
    needs: Needs


AnyCheck: TypeAlias = DirectCheck | ValuesCheck | ShapesCheck | SparqlCheck


@dataclass(frozen=True, eq=False)
class Plan:
    """What is checked of one shape; `values` queries (this, value) for a property shape that has nested ones."""

    shape: Shape
    source: Source
    checks: tuple[AnyCheck, ...]
    children: tuple[Plan, ...]
    values: str | None = None

    def all_checks(self) -> Iterator[AnyCheck]:
        """The checks that give results: its own and those of nested property shapes."""
        yield from self.checks
        for child in self.children:
            yield from child.all_checks()


@dataclass(frozen=True)
class Compiler:
    """Compiles shapes; with `inlines` off, every shape inside a shape becomes a plan (for tests: same results)."""

    inlines: bool = True
    _empty: Store = field(default_factory=Store)

    def root(self, shape: Shape) -> Plan:
        """The plan of a shape for its targets; ShapesError when the engine cannot read a query."""
        source = Source(shape.targets)
        if not self.inlines:
            return self.plan(shape, source)
        return self.plan(shape, source, Screen(source, screened(shape)))

    def plan(self, shape: Shape, source: Source, screen: Screen | None = None) -> Plan:
        """The plan of a shape for the nodes of a source."""
        if shape.is_deactivated:
            return Plan(shape, source, (), ())
        checks: list[AnyCheck] = [*self._tests(shape, source, screen)]
        for constraint in shape.constraints:
            checks += self._check(constraint, shape, source, screen if is_inlined(constraint, shape) else None)
        inner = source if shape.path is None else source.beyond(shape.path)
        children = tuple(self.plan(each, inner, screen) for each in shape.properties if not each.is_deactivated)
        values = None
        if shape.path is not None and children:
            values = f"SELECT DISTINCT ?this ?value WHERE {{ {queries.pairs_of(shape, source)} }}"
        return Plan(shape, source, tuple(checks), children, values)

    def _as_test(self, constraint: Constraint, v: str, fresh: Iterator[str]) -> str | None:
        if isinstance(constraint, Closed) or (isinstance(constraint, Logic) and not self.inlines):
            return None
        return value_test(constraint, v, fresh)

    def _tests(self, shape: Shape, source: Source, screen: Screen | None) -> Iterator[ValuesCheck]:
        v, fresh = queries.value_of(shape), fresh_variables()
        found = [(constraint, self._as_test(constraint, v, fresh)) for constraint in shape.constraints]
        tests = [(constraint, text) for constraint, text in found if text is not None]
        if not tests:
            return
        columns = " ".join(f"({text} AS ?c{i})" for i, (_, text) in enumerate(tests)) if len(tests) > 1 else ""
        passed = both([text for _, text in tests])
        pairs = queries.pairs_of(shape, source)
        query = f"SELECT DISTINCT {queries.selected(shape)} {columns} WHERE {{ {pairs} FILTER(!{passed}) }}"
        yield ValuesCheck(shape, source, query, screen, tuple(constraint for constraint, _ in tests))

    def _check(self, constraint: Constraint, shape: Shape, source: Source, screen: Screen | None) -> Iterator[AnyCheck]:
        match constraint:
            case ValueTest():
                return
            case Logic():
                if self._as_test(constraint, "?value", fresh_variables()) is None:
                    yield self._logic(constraint, shape, source)
                return
            case Qualified():
                yield self._qualified(constraint, shape, source, screen)
                return
            case SparqlRule():
                yield self._sparql(constraint, shape, source)
                return
            case Count():
                query = queries.count(constraint, shape, source)
            case HasValue():
                query = queries.has_value(constraint, shape, source)
            case Pair():
                query = queries.pair(constraint, shape, source)
            case UniqueLang():
                query = queries.unique_lang(shape, source)
            case Closed():
                query = queries.closed(constraint, shape, source)
        if query is not None:
            yield DirectCheck(shape, source, query, screen, constraint)

    def _logic(self, constraint: Logic, shape: Shape, source: Source) -> ShapesCheck:
        query = f"SELECT DISTINCT {queries.selected(shape)} WHERE {{ {queries.pairs_of(shape, source)} }}"
        inner = source if shape.path is None else source.beyond(shape.path)
        plans = tuple(self.plan(each, inner) for each in constraint.shapes)
        return ShapesCheck(shape, source, query, None, constraint, plans)

    def _qualified(self, constraint: Qualified, shape: Shape, source: Source, screen: Screen | None) -> AnyCheck:
        assert shape.path is not None
        fits = qualifies(constraint, "?value", fresh_variables()) if self.inlines else None
        if fits is not None:
            query = queries.qualified_count(constraint, shape, source, fits)
            return DirectCheck(shape, source, query, screen, constraint)
        judged = (constraint.shape, *constraint.siblings)
        pairs = queries.walk_or_stay(source.pattern("?this"), "?this", shape.path, "?value")
        plans = tuple(self.plan(each, source.beyond(shape.path)) for each in judged)
        return ShapesCheck(shape, source, f"SELECT DISTINCT ?this ?value WHERE {{ {pairs} }}", None, constraint, plans)

    # SPARQL

    def _sparql(self, rule: SparqlRule, shape: Shape, source: Source) -> SparqlCheck:
        if shape.path is None and re.search(r"[?$]PATH\b", rule.query):
            raise ShapesError(f"{shape.place}: $PATH can only be used in a property shape")
        try:
            if rule.is_ask:
                text, runs_singly = _ask_query(rule, shape, source), False
            else:
                prebound = prebind_select(rule.query, _terms(rule, shape))
                text, runs_singly = rule.prologue + prebound.text, prebound.runs_singly
        except Unsupported as error:
            raise ShapesError(f"{shape.place}: {error}") from None
        query = text.replace(FOCUS, source.pattern("?this"))
        try:
            found = self._empty.query(source.complete(query, ClassTree(())))
        except (SyntaxError, ValueError) as error:
            raise ShapesError(f"{shape.place}: the query of {rule.node} cannot be read: {error}") from None
        if not isinstance(found, QuerySolutions):
            raise ShapesError(f"{shape.place}: the query of {rule.node} must be a SELECT query")
        uses_graph = re.search(r"[?$]shapesGraph\b", rule.query) is not None
        return SparqlCheck(shape, source, query, None, rule, text if runs_singly else None, uses_graph, _needs(rule))


def _needs(rule: SparqlRule) -> Needs:
    return Needs(frozenset()) if rule.is_ask or rule.parameters else needs_of(rule.prologue + rule.query)


def as_iri(node: Node) -> NamedNode:
    """The node itself, or an IRI to stand for a blank node of the shapes graph."""
    return NamedNode(f"urn:x-shacl:node:{node.value}") if isinstance(node, BlankNode) else node


def _terms(rule: SparqlRule, shape: Shape) -> dict[str, str | None]:
    terms: dict[str, str | None] = {name: None if term is None else str(term) for name, term in rule.parameters}
    terms |= {"currentShape": str(as_iri(shape.node)), "shapesGraph": str(SHAPES_GRAPH)}
    if shape.path is not None:
        path = sparql(shape.path)
        terms["PATH"] = path if path.startswith("<") and path.endswith(">") and path.count("<") == 1 else f"({path})"
    return terms


def _ask_query(rule: SparqlRule, shape: Shape, source: Source) -> str:
    """All (this, value) without those for which the query answers true."""
    prologue, body = prebind_ask(rule.query, _terms(rule, shape))
    if body.runs_singly:
        raise Unsupported("an ASK validator cannot have LIMIT or OFFSET, nor $value only in expressions below GRAPH")
    pairs = queries.pairs_with_value(shape, source)
    true = body.text.replace(FOCUS, f"{{ SELECT DISTINCT ?this ?value WHERE {{ {pairs} }} }}")
    return f"{rule.prologue}{prologue}SELECT DISTINCT ?this ?value WHERE {{ {pairs} MINUS {true} }}"
