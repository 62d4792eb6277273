"""Runs compiled shapes over a store and collects the results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store, Triple

from kg_service.shacl.compiler import (
    SHAPES_GRAPH,
    AnyCheck,
    Check,
    DirectCheck,
    Plan,
    Screen,
    ShapesCheck,
    SparqlCheck,
    ValuesCheck,
    as_iri,
)
from kg_service.shacl.everywhere import NOTHING_KNOWN, Everywhere
from kg_service.shacl.graph import ShapesError, Term
from kg_service.shacl.inline import component_name
from kg_service.shacl.marks import Asked, ClassTree, class_tree, for_nodes
from kg_service.shacl.messages import messages
from kg_service.shacl.paths import Predicate
from kg_service.shacl.prebinding import FOCUS
from kg_service.shacl.queries import Source
from kg_service.shacl.report import Result
from kg_service.shacl.shapes import Closed, Constraint, Pair, Qualified, Shape, SparqlRule

#: Above this many, the checks behind a screen are asked for all target nodes.
_MOST_SUSPECTS = 20_000
_AT_ONCE = 1000  # nodes written into one query


class Violation(NamedTuple):
    """One constraint broken at one focus node; `bindings` are what a SPARQL rule found."""

    shape: Shape
    constraint: Constraint
    focus: Term
    value: Term | None = None
    path: NamedNode | None = None
    bindings: Mapping[str, Term] | None = None


@dataclass
class Run:
    """One validation of one store: of all targets, or of the given ones only, which must be targets there.

    Terms that a query cannot write must not be among the given ones.
    """

    store: Asked
    shapes_graph: tuple[Triple, ...]
    given: tuple[NamedNode | Literal, ...] | None = None
    classes: ClassTree | None = None
    everywhere: Everywhere = NOTHING_KNOWN
    _failing: dict[Plan, frozenset[Term]] = field(default_factory=dict)
    _ways: dict[Source, dict[Term, int]] = field(default_factory=dict)
    _suspects: dict[Screen, frozenset[Term]] = field(default_factory=dict)

    def results(self, check: AnyCheck) -> Iterator[Violation]:
        """The violations to report; one for each way that leads from a target to the focus node."""
        for violation in self.violations(check):
            for _ in range(self._ways_to(check.source, violation.focus)):
                yield violation

    def violations(self, check: AnyCheck) -> Iterator[Violation]:
        """The violations of one check, each focus node judged once."""
        match check:
            case ValuesCheck():
                return self._tests(check)
            case DirectCheck():
                return self._direct(check)
            case ShapesCheck():
                return self._judged(check)
            case SparqlCheck():
                return self._sparql(check)

    def failing(self, plan: Plan) -> frozenset[Term]:
        """The focus nodes of a plan that do not conform to its shape."""
        if plan not in self._failing:
            found = {violation.focus for check in plan.checks for violation in self.violations(check)}
            nested = {node for child in plan.children for node in self.failing(child)}
            if plan.values is None:
                found |= nested
            elif nested:
                found |= {
                    focus for focus, value in self._rows(plan.source, plan.values, "this", "value") if value in nested
                }
            self._failing[plan] = frozenset(found)
        return self._failing[plan]

    def _rows(self, source: Source, query: str, *names: str) -> Iterator[tuple[Any, ...]]:
        return self._asked(self._complete(source, query), names)

    def _complete(self, source: Source, query: str) -> str:
        if self.given is None:
            return source.complete(query, self._classes)
        return for_nodes(self._classes.fill(query), self.given)

    def _asked(self, query: str, names: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        solutions: Any = self.store.query(query)
        return (tuple(row[name] for name in names) for row in solutions)

    @cached_property
    def _classes(self) -> ClassTree:
        return self.classes or class_tree(self.store)

    def _screened(self, check: Check, *names: str) -> Iterator[tuple[Any, ...]]:
        """The rows of a check, asked for the suspects of its screen only."""
        if check.screen is None or self.given is not None:
            return self._rows(check.source, check.query, *names)
        suspects = self._suspects_of(check.screen)
        nodes = [node for node in suspects if isinstance(node, NamedNode | Literal)]
        if not suspects:
            return iter(())
        if len(nodes) < len(suspects) or len(nodes) > _MOST_SUSPECTS:
            return self._rows(check.source, check.query, *names)
        try:
            text, starts = self._classes.fill(check.query), range(0, len(nodes), _AT_ONCE)
            parts = [self._asked(for_nodes(text, nodes[start : start + _AT_ONCE]), names) for start in starts]
            return chain.from_iterable(parts)
        except SyntaxError:  # a lenient parser has let in an IRI that a query cannot write
            return self._rows(check.source, check.query, *names)

    def _suspects_of(self, screen: Screen) -> frozenset[Term]:
        if screen not in self._suspects:
            rest = self.everywhere.rest(screen.shape)
            is_anything = rest.constraints or rest.properties
            rows = self._rows(screen.source, screen.query(rest), "this") if is_anything else ()
            self._suspects[screen] = frozenset(node for (node,) in rows)
        return self._suspects[screen]

    def _ways_to(self, source: Source, focus: Term) -> int:
        if source.parent is None:
            return 1
        if source not in self._ways:
            rows = self._rows(source, source.routes(), "this", "ways")
            self._ways[source] = {node: int(ways.value) for node, ways in rows}
        return self._ways[source].get(focus, 1)

    def _tests(self, check: ValuesCheck) -> Iterator[Violation]:
        named = "value" if check.shape.path is not None else "this"
        columns = [f"c{i}" for i in range(len(check.constraints))] if len(check.constraints) > 1 else []
        for focus, value, *passed in self._screened(check, "this", named, *columns):
            for i, constraint in enumerate(check.constraints):
                if not columns or passed[i] is None or passed[i].value != "true":
                    yield Violation(check.shape, constraint, focus, value)

    def _direct(self, check: DirectCheck) -> Iterator[Violation]:
        match check.constraint:
            case Closed():
                for focus, path, value in self._screened(check, "this", "path", "value"):
                    yield Violation(check.shape, check.constraint, focus, value, path)
            case Pair():
                for focus, value in self._screened(check, "this", "value"):
                    yield Violation(check.shape, check.constraint, focus, value)
            case _:
                for (focus,) in self._screened(check, "this"):
                    yield Violation(check.shape, check.constraint, focus)

    def _judged(self, check: ShapesCheck) -> Iterator[Violation]:
        failing = [self.failing(plan) for plan in check.plans]
        if isinstance(check.constraint, Qualified):
            yield from self._qualified(check, check.constraint, failing)
            return
        name = component_name(check.constraint)
        if name in ("And", "Node") and not any(failing):
            return
        if name == "Or" and failing and not frozenset.intersection(*failing):
            return
        named = "value" if check.shape.path is not None else "this"
        for focus, value in self._rows(check.source, check.query, "this", named):
            fits = sum(value not in each for each in failing)
            if not _HOLDS[name](fits, len(failing)):
                yield Violation(check.shape, check.constraint, focus, value)

    def _qualified(
        self, check: ShapesCheck, constraint: Qualified, failing: list[frozenset[Term]]
    ) -> Iterator[Violation]:
        counts: dict[Term, int] = {}
        for focus, value in self._rows(check.source, check.query, "this", "value"):
            fits = value is not None and value not in failing[0] and all(value in each for each in failing[1:])
            counts[focus] = counts.get(focus, 0) + fits
        is_minimum = component_name(constraint) == "QualifiedMinCount"
        for focus, number in counts.items():
            if number < constraint.number if is_minimum else number > constraint.number:
                yield Violation(check.shape, constraint, focus)

    # SPARQL rules

    def _sparql(self, check: SparqlCheck) -> Iterator[Violation]:
        if self.everywhere.lacks(self.store, check.needs):
            return
        store = self._with_shapes_graph if check.uses_shapes_graph else self.store
        for query in self._queries(check):
            solutions: Any = store.query(query)
            names = [variable.value for variable in solutions.variables]
            for row in solutions:
                bindings = {name: row[name] for name in names if row[name] is not None}
                yield self._found(check, bindings)

    def _queries(self, check: SparqlCheck) -> Iterator[str]:
        if check.single is None:
            yield self._complete(check.source, check.query)
            return
        query = f"SELECT ?this WHERE {{ {check.source.pattern('?this')} }}"
        for (focus,) in self._rows(check.source, query, "this"):
            if isinstance(focus, BlankNode):
                raise ShapesError(
                    f"shape {check.shape.node}: its query has LIMIT, OFFSET or GRAPH and must be run for each focus "
                    f"node by itself, but a query cannot name the blank node {focus}; give it an IRI"
                )
            yield check.single.replace(FOCUS, f"VALUES ?this {{ {focus} }}")

    def _found(self, check: SparqlCheck, bindings: dict[str, Term]) -> Violation:
        failure = bindings.get("failure")
        if isinstance(failure, Literal) and failure.value in ("true", "1"):
            raise ShapesError(f"shape {check.shape.node}: the query of {check.constraint.node} reported a failure")
        focus, value, path = bindings["this"], bindings.get("value"), bindings.get("path")
        if value is None and check.shape.path is None:
            value = focus
        bindings |= {name: term for name, term in check.constraint.parameters if term is not None}
        found_path = path if isinstance(path, NamedNode) else None
        return Violation(check.shape, check.constraint, focus, value, found_path, bindings)

    @cached_property
    def _with_shapes_graph(self) -> Store:
        """A copy of the data with the shapes graph beside them, blank nodes of the latter named."""
        if not isinstance(self.store, Store):
            raise ShapesError("a rule reads $shapesGraph, which a remote engine does not hold; validate a copy")
        copy = Store()
        copy.bulk_extend(self.store)
        copy.bulk_extend(
            Quad(_named(t.subject), t.predicate, _named(t.object), SHAPES_GRAPH) for t in self.shapes_graph
        )
        return copy


def as_result(violation: Violation, language: str) -> Result:
    """The violation as a report shows it; of each message the text in `language` comes first."""
    shape, constraint, focus, value, found_path, bindings = violation
    path = shape.path if found_path is None else Predicate(found_path)
    return Result(
        focus=focus,
        path=path,
        value=value,
        component=constraint.component,
        shape=shape.node,
        severity=shape.severity,
        messages=messages(shape, constraint, focus=focus, value=value, path=path, bindings=bindings, language=language),
        constraint=constraint.node if isinstance(constraint, SparqlRule) and not constraint.is_custom else None,
    )


_HOLDS = {
    "Node": lambda fits, of: fits == of,
    "And": lambda fits, of: fits == of,
    "Or": lambda fits, of: fits > 0,
    "Xone": lambda fits, of: fits == 1,
    "Not": lambda fits, of: fits == 0,
}


def _named(term: Any) -> Any:
    return as_iri(term) if isinstance(term, BlankNode) else term
