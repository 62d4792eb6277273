"""Conformance to a shape as one SPARQL expression, where that is possible.

`inlined` gives None for shapes that count beyond one, have SPARQL rules or paths with zero steps in a constraint
that compares values: those are judged by the validator from the results of their own queries.

An EXISTS here holds one triple or path pattern and a FILTER, in which the next EXISTS may stand. The engine evaluates
an EXISTS once for each row; a join or a sub-select in it may scan the whole graph each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from pyoxigraph import BlankNode, NamedNode

from kg_service.shacl.expressions import both, either, not_in, passes, same
from kg_service.shacl.graph import SH
from kg_service.shacl.paths import Path, Predicate, Sequence, is_nullable, sparql, steps
from kg_service.shacl.shapes import (
    Closed,
    Constraint,
    Count,
    HasValue,
    Logic,
    Pair,
    Qualified,
    Shape,
    UniqueLang,
    ValueTest,
)


def fresh_variables() -> Iterator[str]:
    """Variables that no other part of a query uses."""
    return (f"?x{number}" for number in count())


def inlined(shape: Shape, v: str, fresh: Iterator[str]) -> str | None:
    """The expression, never an error, that is true when the node in variable `v` conforms to the shape."""
    if shape.is_deactivated:
        return "true"
    if shape.path is None:
        return _all([*(_of_node(c, v, fresh) for c in shape.constraints), *_nested(shape, v, fresh)])
    return _of_path(shape, v, fresh)


def is_inlined(constraint: Constraint, shape: Shape) -> bool:
    """Can this constraint of the shape be put into an expression?"""
    return inlined(replace(shape, constraints=(constraint,), properties=()), "?this", fresh_variables()) is not None


def screened(shape: Shape) -> Shape:
    """The shape with only those constraints, its own and of its property shapes, that can be put into an expression."""
    return replace(
        shape,
        constraints=tuple(each for each in shape.constraints if is_inlined(each, shape)),
        properties=tuple(map(screened, shape.properties)),
    )


def value_test(constraint: Constraint, v: str, fresh: Iterator[str]) -> str | None:
    """The expression for a constraint that judges each value by itself; None when there is none."""
    match constraint:
        case ValueTest():
            return passes(constraint, v)
        case Logic(_, shapes):
            parts = [inlined(shape, v, fresh) for shape in shapes]
            known = [part for part in parts if part is not None]
            return _joined(constraint, known) if len(known) == len(parts) else None
        case Closed(_, allowed):
            predicate = next(fresh)
            return f"!EXISTS {{ {v} {predicate} {next(fresh)} FILTER({not_in(predicate, allowed)}) }}"
        case _:
            return None


def qualifies(constraint: Qualified, v: str, fresh: Iterator[str]) -> str | None:
    """The expression that is true when the node in `v` counts: it conforms to the shape and to none of its siblings."""
    wanted, *unwanted = (inlined(each, v, fresh) for each in (constraint.shape, *constraint.siblings))
    return _all([wanted, *(text and f"!{text}" for text in unwanted)])


def exists(v: str, path: Path, end: str, fresh: Iterator[str], also: str = "") -> str:
    """Is there a way from `v` over the path to `end`, a term or a variable of which `also` holds?"""
    first, *rest = steps(path)
    if not rest:
        return f"EXISTS {{ {v} {sparql(first)} {end} {f'FILTER({also})' if also else ''} }}"
    reached = next(fresh)
    onward = exists(reached, Sequence(tuple(rest)), end, fresh, also)
    return f"EXISTS {{ {v} {sparql(first)} {reached} FILTER({onward}) }}"


def component_name(constraint: Constraint) -> str:
    """The component's short name: Or for sh:OrConstraintComponent."""
    return constraint.component.value.removeprefix(SH).removesuffix("ConstraintComponent")


def _joined(logic: Logic, parts: list[str]) -> str:
    match component_name(logic):
        case "Not":
            return f"(!{parts[0]})"
        case "Or":
            return either(parts)
        case "Xone":
            return "(" + " + ".join(["0", *(f"IF({part}, 1, 0)" for part in parts)]) + " = 1)"
        case _:
            return both(parts)


def _nested(shape: Shape, v: str, fresh: Iterator[str]) -> list[str | None]:
    return [inlined(each, v, fresh) for each in shape.properties]


def _all(parts: list[str | None]) -> str | None:
    known = [part for part in parts if part is not None]
    return both(known) if len(known) == len(parts) else None


def _of_node(constraint: Constraint, v: str, fresh: Iterator[str]) -> str | None:
    match constraint:
        case HasValue(_, term):
            return same(v, term)
        case Pair(_, other):
            w = next(fresh)  # the engine scans the graph for a pattern that has one variable twice
            itself = f"EXISTS {{ {v} {other} {w} FILTER(sameTerm({v}, {w})) }}"
            if component_name(constraint) == "Disjoint":
                return "!" + itself
            return f"({itself} && !EXISTS {{ {v} {other} {w} FILTER(!sameTerm({v}, {w})) }})"
        case _:
            return value_test(constraint, v, fresh)


def _of_path(shape: Shape, v: str, fresh: Iterator[str]) -> str | None:
    assert shape.path is not None
    w = next(fresh)
    per_value: list[str | None] = _nested(shape, w, fresh)
    per_set: list[str | None] = []
    for constraint in shape.constraints:
        if isinstance(constraint, ValueTest | Logic | Closed):
            per_value.append(value_test(constraint, w, fresh))
        else:
            per_set.append(_of_set(constraint, shape, v, fresh))
    every = _all(per_value)
    if every is None:
        return None
    if per_value:
        per_set.append("!" + exists(v, shape.path, w, fresh, f"!{every}"))
        if is_nullable(shape.path):  # the node is a value of its own
            per_set.append(inlined(_without_path(shape), v, fresh))
    return _all(per_set)


def _without_path(shape: Shape) -> Shape:
    kept = tuple(c for c in shape.constraints if isinstance(c, ValueTest | Logic | Closed))
    return Shape(shape.node, None, constraints=kept, properties=shape.properties)


def _of_set(constraint: Constraint, shape: Shape, v: str, fresh: Iterator[str]) -> str | None:
    assert shape.path is not None
    path, nullable = shape.path, is_nullable(shape.path)
    w, u = next(fresh), next(fresh)
    if isinstance(constraint, HasValue):
        if isinstance(constraint.term, BlankNode):
            return "false"
        reached = exists(v, path, str(constraint.term), fresh)
        return either([same(v, constraint.term), reached]) if nullable else reached
    if nullable:
        return None
    match constraint, component_name(constraint):
        case Count(number=0), "MinCount":
            return "true"
        case Count(number=1), "MinCount":
            return exists(v, path, w, fresh)
        case Count(number=0), "MaxCount":
            return "!" + exists(v, path, w, fresh)
        case Count(number=1), "MaxCount":
            return "!" + exists(v, path, w, fresh, exists(v, path, u, fresh, f"!sameTerm({w}, {u})"))
        case Pair(other=other), name:
            return _compared(name, v, path, other, fresh)
        case Qualified(number=1), name:
            fits = qualifies(constraint, w, fresh)
            if fits is None:
                return None
            if name == "QualifiedMinCount":
                return exists(v, path, w, fresh, fits)
            again = qualifies(constraint, u, fresh)
            return "!" + exists(
                v, path, w, fresh, both([fits, exists(v, path, u, fresh, f"!sameTerm({w}, {u}) && {again}")])
            )
        case UniqueLang(), _:
            tagged = f'isLiteral({w}) && isLiteral({u}) && LANG({w}) != "" && LCASE(LANG({w})) = LCASE(LANG({u}))'
            return "!" + exists(v, path, w, fresh, exists(v, path, u, fresh, f"{tagged} && !sameTerm({w}, {u})"))
        case _:
            return None


def _compared(name: str, v: str, path: Path, predicate: NamedNode, fresh: Iterator[str]) -> str:
    other, w, u = Predicate(predicate), next(fresh), next(fresh)
    if name == "Equals":
        missing = exists(v, path, w, fresh, "!" + exists(v, other, w, fresh))
        return f"(!{missing} && !{exists(v, other, u, fresh, '!' + exists(v, path, u, fresh))})"
    if name == "Disjoint":
        return "!" + exists(v, path, w, fresh, exists(v, other, w, fresh))
    operator = "<" if name == "LessThan" else "<="
    return "!" + exists(v, path, w, fresh, exists(v, other, u, fresh, f"!COALESCE({w} {operator} {u}, false)"))
