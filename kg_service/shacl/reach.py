"""What each check of a shape can look at, seen from its focus node: the ground on which changes are judged.

`units_of(plan)` takes the compiled plan of a shape apart into units, one for each of its queries, and lists for each
unit every triple that can alter its verdict on a focus node, in two forms:

- `unit.reads`, for one who has to fetch what a focus node's verdict depends on (from a remote store, say): each Read is
  a path from the focus node (`prefix`, None for the focus node itself) and a predicate (None for any). All triples with
  that predicate that leave the nodes reached over the prefix, or enter them where `is_inverse`, can be read; nothing
  else can. The prefix itself is made of triples that other Reads of the unit list, so that a graph of all the triples
  of all reads gives the same verdict as the whole graph. A Read with `kind` only asks whether the nodes reached are
  SHACL instances of that class: their rdf:type, and rdfs:subClassOf from those types up. The targets of the shape
  (`unit.targets`) are not among the reads.
- `unit.ways`, for one who has a changed triple and looks for the focus nodes: each Way is a pattern that a changed
  triple can match (`edge`), and the patterns that certainly hold with it (`beside`), with the focus node as `?this`.
  In a graph that holds what was there before and after the change, a query for all of them finds every focus node
  whose verdict can have changed: the first changed triple on the way from the focus node is reached over triples that
  were there before or after, and what joins them only ever filters.

A unit that looks at what no path from the focus node leads to (see `patterns`) has ways that are not `is_local`: a
change that matches such an edge concerns all of its targets, and no bounded set of triples decides its verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from pyoxigraph import NamedNode, Store

from kg_service.shacl.compiler import AnyCheck, Plan, SparqlCheck, ValuesCheck
from kg_service.shacl.graph import TYPE
from kg_service.shacl.inline import component_name, fresh_variables, inlined, is_inlined
from kg_service.shacl.paths import Edge, Inverse, Path, Predicate, edges, in_sequence, is_nullable
from kg_service.shacl.patterns import (
    THIS,
    Pattern,
    Unreadable,
    has_solution,
    is_variable,
    placed_patterns,
    variables_of,
)
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
    Target,
    UniqueLang,
    ValueTest,
)

#: Whether a triple comes (True) or goes (False).
Signs: TypeAlias = frozenset[bool]

_NODE = "?node"  # what a prefix leads to
_SUBJECT, _PREDICATE, _OBJECT = "?subject_", "?predicate_", "?object_"  # of an edge, where the query has no name for it


@dataclass(frozen=True)
class Read:
    """Triples that a verdict can depend on; see the module."""

    prefix: Path | None
    predicate: NamedNode | None
    is_inverse: bool = False
    kind: NamedNode | None = None


@dataclass(frozen=True)
class Way:
    """From a changed triple to focus nodes. `edge` has a predicate or a variable for its path.

    With `kind`, what changes is whether the subject of the edge is an instance of that class.
    """

    edge: Pattern
    beside: tuple[Pattern, ...] = ()
    kind: NamedNode | None = None

    @property
    def predicate(self) -> NamedNode | None:
        """The predicate that a triple must have to match; None when any will do."""
        return self.edge.path.iri if isinstance(self.edge.path, Predicate) else None

    @property
    def is_local(self) -> bool:
        """Do patterns lead from the edge to the focus node?"""
        return THIS in variables_of([self.edge, *self.beside])


@dataclass(frozen=True, eq=False)
class Unit:
    """One check of a shape that has targets, and what it can look at."""

    check: AnyCheck
    root: Shape
    ways: tuple[Way, ...]
    reads: tuple[Read, ...]
    #: For each way, whether a triple that comes (True) or one that goes (False) can give the unit more results.
    signs: Mapping[Way, Signs]
    #: Why changed triples can concern focus nodes that no path leads to; empty where none can.
    wide: str = ""

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.root.targets


def units_of(plan: Plan) -> list[Unit]:
    """The units of the plan of a root shape."""
    return [_unit(check, plan.shape) for check in plan.all_checks()]


def identities_of(unit: Unit) -> set[tuple[object, ...]]:
    """What the results of a unit have in common, beside focus nodes and values; see `Result.identity`."""
    return {
        (
            str(unit.check.shape.node),
            constraint.component,
            constraint.node if isinstance(constraint, SparqlRule) and not constraint.is_custom else None,
        )
        for constraint in constraints_of(unit.check)
    }


def constraints_of(check: AnyCheck) -> tuple[Constraint, ...]:
    return check.constraints if isinstance(check, ValuesCheck) else (check.constraint,)


def columns_of(plan: Plan, chosen: frozenset[AnyCheck]) -> list[tuple[frozenset[AnyCheck], str]]:
    """Expressions on `?this` that are false where one of the chosen checks has results, each with its checks.

    Checks that cannot be put into an expression are left out.
    """
    fresh = fresh_variables()
    parts = [replace(plan, children=()), *(replace(plan, checks=(), children=(child,)) for child in plan.children)]
    columns = []
    for part in parts:
        checks = frozenset(check for check in part.all_checks() if check in chosen and _is_inlined(check))
        if checks:
            text = inlined(_restricted(part, checks), THIS, fresh)
            assert text is not None
            columns.append((checks, text))
    return columns


def rule_column(check: AnyCheck) -> str | None:
    """As `columns_of`, for a rule in SPARQL that stands at the focus node itself, where that is possible."""
    if not isinstance(check, SparqlCheck) or check.source.parent is not None or check.constraint.is_ask:
        return None
    if check.constraint.parameters or check.single is not None:
        return None
    found = has_solution(check.constraint.prologue + check.constraint.query)
    text = found and f"!{found}"
    try:
        Store().query(f"SELECT ?this ({text} AS ?c) WHERE {{ VALUES ?this {{ }} }}")
    except SyntaxError:
        return None
    return text


def _is_inlined(check: AnyCheck) -> bool:
    return all(is_inlined(constraint, check.shape) for constraint in constraints_of(check))


def _restricted(plan: Plan, checks: frozenset[AnyCheck]) -> Shape:
    """The shape with only the constraints of these checks."""
    return replace(
        plan.shape,
        constraints=tuple(each for check in plan.checks if check in checks for each in constraints_of(check)),
        properties=tuple(
            _restricted(child, checks) for child in plan.children if not checks.isdisjoint(child.all_checks())
        ),
    )


def _unit(check: AnyCheck, root: Shape) -> Unit:
    prefix = prefix_of(check.source)
    parts = [(part, _COMES) for part in _of_path(prefix, ())]
    for constraint in constraints_of(check):
        parts += _signed(constraint, check.shape, prefix)
    signs: dict[Way, Signs] = {}
    for (way, _), sign in parts:
        signs[way] = signs.get(way, frozenset()) | sign
    reads = dict.fromkeys(read for (_, read), _ in parts if isinstance(read, Read))
    wide = dict.fromkeys(read for (_, read), _ in parts if isinstance(read, str))
    return Unit(check, root, tuple(signs), tuple(reads), signs, "; ".join(wide))


def prefix_of(source: Source) -> tuple[Path, ...]:
    """The paths from the target nodes to the nodes of the source."""
    if source.parent is None or source.path is None:
        return ()
    return (*prefix_of(source.parent), source.path)


def _part(prefix: tuple[Path, ...], predicate: NamedNode | None, *, inverse: bool = False, **kind: NamedNode) -> _Part:
    read = Read(in_sequence(prefix), predicate, inverse, **kind)
    return _way(read), read


def _way(read: Read) -> Way:
    node = THIS if read.prefix is None else _NODE
    beside = () if read.prefix is None else (Pattern(THIS, read.prefix, node),)
    path = Predicate(read.predicate) if read.predicate else _PREDICATE
    edge = Pattern(_SUBJECT, path, node) if read.is_inverse else Pattern(node, path, _OBJECT)
    return Way(edge, beside, read.kind)


# What can make things worse

_COMES, _GOES = frozenset({True}), frozenset({False})
_EITHER = _COMES | _GOES


def _signed(constraint: Constraint, shape: Shape, prefix: tuple[Path, ...]) -> Iterator[tuple[_Part, Signs]]:
    """What a constraint of a unit depends on, with what can give it more results.

    More triples on a path only ever lead to more values.
    """
    path = () if shape.path is None else (shape.path,)
    if isinstance(constraint, SparqlRule):
        yield from ((part, _EITHER) for part in _of_path(path, prefix))
        for part, is_required in _of_rule(constraint, shape, in_sequence(prefix)):
            yield part, _COMES if is_required and not constraint.is_ask else _EITHER
        return
    on_path = set(_of_path(path, prefix))
    for part in _of_constraint(constraint, shape, prefix):
        match constraint, component_name(constraint):
            case ValueTest(), _:
                yield part, _COMES if part[0].kind is None else _GOES
            case (Count(), "MinCount") | (HasValue(), _):
                yield part, _GOES
            case (Count() | UniqueLang() | Closed(), _) | (Pair(), "Disjoint" | "LessThan" | "LessThanOrEquals"):
                yield part, _COMES
            case Logic(), _:  # what is on the path comes first, then what the shapes within read
                yield part, _COMES if part in on_path else _EITHER
                on_path.discard(part)
            case _:
                yield part, _EITHER


# Shapes

#: A way from changed triples, and the triples seen from the focus node, or why they cannot be told.
_Part = tuple[Way, Read | str]


def _of_path(path: tuple[Path, ...], prefix: tuple[Path, ...]) -> Iterator[_Part]:
    whole = in_sequence(path)
    for edge in edges(whole) if whole is not None else ():
        yield _part((*prefix, *edge.before), edge.predicate, inverse=edge.is_inverse)


def _of_shape(shape: Shape, prefix: tuple[Path, ...]) -> Iterator[_Part]:
    """What conformance of a node at the end of the prefix depends on."""
    if shape.is_deactivated:
        return
    path = () if shape.path is None else (shape.path,)
    yield from _of_path(path, prefix)
    for constraint in shape.constraints:
        yield from _of_constraint(constraint, shape, prefix)
    for each in shape.properties:
        yield from _of_shape(each, (*prefix, *path))


def _of_constraint(constraint: Constraint, shape: Shape, prefix: tuple[Path, ...]) -> Iterator[_Part]:
    path = () if shape.path is None else (shape.path,)
    values = (*prefix, *path)
    yield from _of_path(path, prefix)
    match constraint:
        case ValueTest(terms=(NamedNode() as kind,)) if constraint.component.value.endswith(
            "#ClassConstraintComponent"
        ):
            yield _part(values, TYPE, kind=kind)
        case Pair(other=other):
            yield _part(prefix, other)
        case Closed():
            yield _part(values, None)
        case Logic(shapes=shapes):
            for each in shapes:
                yield from _of_shape(each, values)
        case Qualified(shape=judged, siblings=siblings):
            for each in (judged, *siblings):
                yield from _of_shape(each, values)
        case SparqlRule():
            yield from (part for part, _ in _of_rule(constraint, shape, in_sequence(prefix)))


# SPARQL rules


def _of_rule(rule: SparqlRule, shape: Shape, prefix: Path | None) -> Iterator[tuple[_Part, bool]]:
    terms = {name: str(term) for name, term in rule.parameters if term is not None}
    given = []
    if rule.is_ask and shape.path is None:
        terms["value"] = THIS
    elif rule.is_ask and shape.path is not None:
        given.append(Pattern(THIS, shape.path, "?value"))
    try:
        placed = placed_patterns(rule.prologue + rule.query, terms, shape.path, given)
    except Unreadable as error:
        yield (Way(Pattern(_SUBJECT, _PREDICATE, _OBJECT)), f"the query of {rule.node} has {error}"), False
        return
    renamed = {} if prefix is None else {THIS: _NODE}
    way_in = () if prefix is None else (Pattern(THIS, prefix, _NODE),)
    for each in placed:
        beside = tuple(pattern.renamed(renamed) for pattern in each.beside)
        for edge, around in _edges(each.pattern.renamed(renamed)):
            near = (*around, *beside, *way_in)
            read = _as_read(edge, near) or f"no path leads from the focus node to a pattern of {rule.node}"
            yield (Way(edge, _connected(edge, near)), read), each.is_required
        if isinstance(each.pattern.path, str) or not is_nullable(each.pattern.path):
            continue
        # No step at all leads from every node of the graph to itself: that a node is there may be all that is asked.
        anchors = variables_of(
            other for other in each.beside if isinstance(other.path, str) or not is_nullable(other.path)
        )
        if anchors.isdisjoint({each.pattern.subject, each.pattern.object} - {THIS}):
            if THIS not in each.pattern.variables:
                yield (Way(Pattern(_SUBJECT, _PREDICATE, _OBJECT)), f"{rule.node} asks which nodes there are"), False
            for inverse in (False, True):
                yield _part(() if prefix is None else (prefix,), None, inverse=inverse), False


def _edges(pattern: Pattern) -> Iterator[tuple[Pattern, tuple[Pattern, ...]]]:
    """Each triple that the pattern walks, with the rest of its path before and after it."""
    if isinstance(pattern.path, str | Predicate):
        yield pattern, ()
        return
    for edge in edges(pattern.path):
        yield _split(pattern, edge)


def _split(pattern: Pattern, edge: Edge) -> tuple[Pattern, tuple[Pattern, ...]]:
    start, end, around = pattern.subject, pattern.object, []
    before, after = in_sequence(edge.before), in_sequence(edge.after)
    if before is not None:
        start = _OBJECT if edge.is_inverse else _SUBJECT
        around.append(Pattern(pattern.subject, before, start))
    if after is not None:
        end = _SUBJECT if edge.is_inverse else _OBJECT
        around.append(Pattern(end, after, pattern.object))
    if edge.is_inverse:
        start, end = end, start
    return Pattern(start, Predicate(edge.predicate), end), tuple(around)


def _connected(edge: Pattern, patterns: Iterable[Pattern]) -> tuple[Pattern, ...]:
    """Those patterns that share variables with the edge, at first or second hand."""
    waiting, known, found = list(dict.fromkeys(patterns)), edge.variables, []
    while joined := [each for each in waiting if each.variables & known]:
        found += joined
        known |= variables_of(joined)
        waiting = [each for each in waiting if each not in joined]
    return tuple(found)


#: Walking a pattern backward from any node but the focus node often meets many: all that have one value.
_BACKWARD = 10


def _as_read(edge: Pattern, near: Iterable[Pattern]) -> Read | None:
    """The edge of a rule as seen from the focus node, by the path that promises to meet fewest; None without one."""
    ways: dict[str, tuple[int, tuple[Path, ...]]] = {THIS: (0, ())}
    steps = [
        step
        for pattern in near
        if not isinstance(pattern.path, str)
        for step in (
            (pattern.subject, pattern.path, pattern.object),
            (pattern.object, Inverse(pattern.path), pattern.subject),
        )
        if is_variable(step[2])
    ]
    changed = True
    while changed:
        changed = False
        for start, path, end in steps:
            if start not in ways:
                continue
            cost = ways[start][0] + (_BACKWARD if isinstance(path, Inverse) and start != THIS else 1)
            if end not in ways or cost < ways[end][0]:
                ways[end] = (cost, (*ways[start][1], path))
                changed = True
    predicate = edge.path.iri if isinstance(edge.path, Predicate) else None
    ends = [(edge.subject, False, 0), (edge.object, True, 0 if edge.object == THIS else _BACKWARD)]
    known = [(ways[end][0] + more, is_inverse, ways[end][1]) for end, is_inverse, more in ends if end in ways]
    if not known:
        return None
    _, is_inverse, prefix = min(known, key=lambda each: each[:2])
    return Read(in_sequence(prefix), predicate, is_inverse)
