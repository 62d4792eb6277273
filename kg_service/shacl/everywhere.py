"""What holds of a graph as a whole, and makes asking it node by node needless.

A test of single values that all values of a property pass can fail at no focus node, whatever the targets are. All
tests of a property are put to its distinct values in one query, so a class or a list of codes is looked at once and
not once for each node that has it. A rule that needs a property which no triple has finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pyoxigraph import NamedNode

from kg_service.shacl.compiler import Plan
from kg_service.shacl.expressions import both
from kg_service.shacl.inline import fresh_variables, value_test
from kg_service.shacl.marks import Asked, ClassTree
from kg_service.shacl.paths import Alternative, Inverse, Path, Predicate, sparql
from kg_service.shacl.patterns import Needs
from kg_service.shacl.shapes import Constraint, Logic, Qualified, Shape, ValueTest

#: A way over one triple, and a test of the values that it leads to.
Step: TypeAlias = Predicate | Inverse
Test: TypeAlias = tuple[Step, Constraint]


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The tests that no value fails, and the predicates of the graph; None where they are not known."""

    passed: frozenset[Test] = frozenset()
    predicates: frozenset[NamedNode] | None = None

    def rest(self, shape: Shape) -> Shape:
        """The shape without the tests that are passed everywhere; it fails at the same nodes."""
        if not self.passed:
            return shape
        steps = _single_steps(shape.path)
        constraints = tuple(
            self._rest_of(each)
            for each in shape.constraints
            if not (steps and all((step, each) in self.passed for step in steps))
        )
        properties = tuple(each for each in map(self.rest, shape.properties) if each.constraints or each.properties)
        return replace(shape, constraints=constraints, properties=properties)

    def _rest_of(self, constraint: Constraint) -> Constraint:
        if isinstance(constraint, Logic):
            return replace(constraint, shapes=tuple(map(self.rest, constraint.shapes)))
        return constraint

    def lacks(self, store: Asked, needs: Needs) -> bool:
        """Is something that a node needs for a rule in no triple of the graph?"""
        if self.predicates is None:
            return False
        if not needs.predicates <= self.predicates:
            return True
        if needs.passing is None:
            return False
        variable, passes = needs.passing
        listed = " ".join(map(str, self.predicates))
        rows: Any = store.query(
            f"SELECT {variable} WHERE {{ VALUES {variable} {{ {listed} }} FILTER({passes}) }} LIMIT 1"
        )
        return next(iter(rows), None) is None


NOTHING_KNOWN = Everywhere()


def everywhere(store: Asked, plans: Iterable[Plan], classes: ClassTree) -> Everywhere:
    """What can be said of the store's default graph for these plans."""
    predicates, found = predicates_of(store), set()
    for step, tests in value_tests(plans).items():
        found |= chosen(step, tests, are_passed(store, step, tests, predicates, classes))
    return Everywhere(frozenset(found), predicates)


def chosen(step: Step, tests: Iterable[Constraint], passed: Iterable[bool]) -> set[Test]:
    """The tests of a step that are passed."""
    return {(step, test) for test, is_passed in zip(tests, passed, strict=True) if is_passed}


def predicates_of(store: Asked) -> frozenset[NamedNode]:
    """The predicates of the store's default graph."""
    rows: Any = store.query("SELECT DISTINCT ?p WHERE { ?s ?p ?o }")
    return frozenset(row["p"] for row in rows)


def value_tests(plans: Iterable[Plan]) -> dict[Step, tuple[Constraint, ...]]:
    """The tests that look at nothing but a value and its classes, by the single step that leads to the values."""
    found: dict[Step, dict[Constraint, None]] = {}
    for shape in _within([plan.shape for plan in plans]):
        tests = {each: None for each in shape.constraints if _is_of_value(each)}
        for step in _single_steps(shape.path) or () if tests else ():
            found.setdefault(step, {}).update(tests)
    return {path: tuple(tests) for path, tests in found.items()}


def are_passed(
    store: Asked, step: Step, tests: Sequence[Constraint], predicates: frozenset[NamedNode], classes: ClassTree
) -> list[bool]:
    """For each of the tests, whether all values of the step pass it, in a graph that has these predicates."""
    if predicate_of(step) not in predicates:
        return [True] * len(tests)
    fresh = fresh_variables()
    texts = [value_test(test, "?value", fresh) or "false" for test in tests]
    columns = [f"?c{number}" for number in range(len(texts))]
    binds = " ".join(f"BIND({text} AS {column})" for text, column in zip(texts, columns, strict=True))
    values = f"SELECT DISTINCT ?value WHERE {{ ?any {sparql(step)} ?value }}"
    query = f"SELECT DISTINCT {' '.join(columns)} WHERE {{ {{ {values} }} {binds} FILTER(!{both(columns)}) }}"
    rows: Any = store.query(classes.fill(query))
    kinds = [[value is not None and value.value == "true" for value in row] for row in rows]
    return [all(kind[number] for kind in kinds) for number in range(len(tests))]


def _within(shapes: Iterable[Shape]) -> Iterator[Shape]:
    """The shapes and those in them, each once."""
    waiting, seen = list(shapes), set()
    while waiting:
        shape = waiting.pop()
        if shape in seen or shape.is_deactivated:
            continue
        seen.add(shape)
        yield shape
        waiting += shape.properties
        for each in shape.constraints:
            if isinstance(each, Logic):
                waiting += each.shapes
            elif isinstance(each, Qualified):
                waiting += [each.shape, *each.siblings]


def _single_steps(path: Path | None) -> list[Step] | None:
    """The ways over the path, where each of them is one triple."""
    match path:
        case Predicate() | Inverse(path=Predicate()):
            return [path]
        case Alternative(choices=choices):
            each = [_single_steps(choice) for choice in choices]
            return None if None in each else [step for steps in each for step in steps or ()]
    return None


def predicate_of(step: Step) -> NamedNode:
    """The predicate of the triple that a step goes over."""
    turned = step.path if isinstance(step, Inverse) else step
    assert isinstance(turned, Predicate)
    return turned.iri


def _is_of_value(constraint: Constraint) -> bool:
    if isinstance(constraint, ValueTest):
        return True
    return isinstance(constraint, Logic) and all(
        shape.path is None and not shape.properties and all(map(_is_of_value, shape.constraints))
        for shape in constraint.shapes
    )
