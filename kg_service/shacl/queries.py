"""The queries: focus nodes, ways over paths, and one SELECT for each kind of constraint.

Paths are walked in an OPTIONAL with `bound`, step by step: the engine then starts at the focus nodes, where a plain
join may scan the whole graph.
"""

from __future__ import annotations

from dataclasses import dataclass

from pyoxigraph import BlankNode

from kg_service.shacl.expressions import either, not_in, same
from kg_service.shacl.inline import component_name, exists, fresh_variables
from kg_service.shacl.marks import ANY, ClassTree, for_targets, target_nodes
from kg_service.shacl.paths import Path, Predicate, is_nullable, sparql, steps
from kg_service.shacl.shapes import Closed, Count, HasValue, Pair, Qualified, Shape, Target


@dataclass(frozen=True, eq=False)
class Source:
    """Where the focus nodes of a plan come from: targets, or the values of a path from another source's nodes."""

    targets: tuple[Target, ...] = ()
    parent: Source | None = None
    path: Path | None = None
    depth: int = 0

    def pattern(self, variable: str) -> str:
        """A sub-select that binds the variable to each focus node, once; a mark for the nodes of the targets."""
        if self.parent is None or self.path is None:
            return target_nodes(variable)
        start = f"?f{self.depth}"
        inside = _walk(self.parent.pattern(start), start, self.path, variable)
        return f"{{ SELECT DISTINCT {variable} WHERE {{ {inside} }} }}"

    def complete(self, query: str, classes: ClassTree) -> str:
        """The query for all target nodes."""
        if self.parent is not None:
            return self.parent.complete(query, classes)
        return classes.fill(for_targets(query, [each for target in self.targets for each in _target(target, classes)]))

    def routes(self) -> str:
        """The query for how many ways lead to a focus node, where there are several."""
        inside = f"SELECT DISTINCT {' '.join(f'?r{i}' for i in range(self.depth + 1))} WHERE {{ {self._ways()} }}"
        return (
            f"SELECT (?r{self.depth} AS ?this) (COUNT(*) AS ?ways) WHERE {{ {{ {inside} }} }} "
            f"GROUP BY ?r{self.depth} HAVING(COUNT(*) > 1)"
        )

    def _ways(self) -> str:
        variable = f"?r{self.depth}"
        if self.parent is None or self.path is None:
            return self.pattern(variable)
        names = " ".join(f"?r{i}" for i in range(self.depth))
        before = f"{{ SELECT DISTINCT {names} WHERE {{ {self.parent._ways()} }} }}"
        return _walk(before, f"?r{self.depth - 1}", self.path, variable)

    def beyond(self, path: Path) -> Source:
        """The values of a path from these focus nodes."""
        return Source(parent=self, path=path, depth=self.depth + 1)


def _target(target: Target, classes: ClassTree) -> list[str]:
    """Patterns for the nodes of a target, `ANY` for the variable."""
    match target.kind:
        case "class":
            return classes.instances(str(target.term))
        case "subjects-of":
            return [f"{ANY} {target.term} ?any"]
        case "objects-of":
            return [f"?any {target.term} {ANY}"]
        case _:
            return [f"VALUES {ANY} {{ {target.term} }}"]


def _then(before: str, start: str, path: str, end: str) -> str:
    """A join that always goes from the rows of `before` onward, and never the other way.

    COALESCE is for the planner: without it `end` counts as perhaps unbound, and what is joined next is compared with
    every row.
    """
    found = f"{end}_"
    return (
        f"{{ {before} OPTIONAL {{ {start} {path} {found} }} FILTER(bound({found})) "
        f"BIND(COALESCE({found}, <urn:x-shacl:none>) AS {end}) }}"
    )


def _walk(before: str, start: str, path: Path, end: str) -> str:
    """Patterns for the ways over a path from nodes that `before` binds; a node may be reached more than once."""
    *first, last = steps(path)
    for number, step in enumerate(first):
        reached = f"{end}_{number}"
        before, start = _step(before, start, step, reached), reached
    return _step(before, start, last, end)


def _step(before: str, start: str, path: Path, end: str) -> str:
    moved = _then(before, start, sparql(path), end)
    if not is_nullable(path):
        return moved
    # SPARQL finds zero steps only from nodes of the graph; SHACL from every focus node.
    return f"{{ {moved} UNION {{ {before} BIND({start} AS {end}) }} }}"


def walk_or_stay(before: str, start: str, path: Path, end: str) -> str:
    """As `_walk`, with the nodes that have no value kept, `end` unbound."""
    if isinstance(path, Predicate):
        return f"{before} OPTIONAL {{ {start} {sparql(path)} {end} }}"
    return f"{{ {before} }} UNION {_walk(before, start, path, end)}"


# The queries of single constraints. Each selects ?this, and ?value and ?path where the result has them.


def value_of(shape: Shape) -> str:
    return "?this" if shape.path is None else "?value"


def selected(shape: Shape) -> str:
    return "?this" if shape.path is None else "?this ?value"


def pairs_of(shape: Shape, source: Source) -> str:
    """Patterns that bind ?this, and ?value in a property shape."""
    focus = source.pattern("?this")
    return focus if shape.path is None else _walk(focus, "?this", shape.path, "?value")


def pairs_with_value(shape: Shape, source: Source) -> str:
    return pairs_of(shape, source) if shape.path else f"{source.pattern('?this')} BIND(?this AS ?value)"


def count(constraint: Count, shape: Shape, source: Source) -> str | None:
    assert shape.path is not None
    focus, number = source.pattern("?this"), constraint.number
    if component_name(constraint) == "MaxCount":
        return _grouped(pairs_of(shape, source), f"COUNT(DISTINCT ?value) > {number}")
    if number == 0 or (number == 1 and is_nullable(shape.path)):
        return None
    if number == 1:
        return f"SELECT ?this WHERE {{ {focus} FILTER(!{exists('?this', shape.path, '?value', fresh_variables())}) }}"
    return _grouped(walk_or_stay(focus, "?this", shape.path, "?value"), f"COUNT(DISTINCT ?value) < {number}")


def _grouped(patterns: str, having: str) -> str:
    return f"SELECT ?this WHERE {{ {patterns} }} GROUP BY ?this HAVING({having})"


def qualified_count(constraint: Qualified, shape: Shape, source: Source, fits: str) -> str:
    """`fits` is the expression for the values that count; no row without a value comes near it."""
    assert shape.path is not None
    focus = source.pattern("?this")
    counted = f"{_walk(focus, '?this', shape.path, '?value')} FILTER({fits})"
    if component_name(constraint) == "QualifiedMaxCount":
        return _grouped(counted, f"COUNT(DISTINCT ?value) > {constraint.number}")
    return _grouped(f"{{ {focus} }} UNION {{ {counted} }}", f"COUNT(DISTINCT ?value) < {constraint.number}")


def has_value(constraint: HasValue, shape: Shape, source: Source) -> str:
    focus, term = source.pattern("?this"), constraint.term
    if shape.path is not None and isinstance(term, BlankNode):
        return f"SELECT ?this WHERE {{ {focus} }}"
    here = [same("?this", term)] if shape.path is None or is_nullable(shape.path) else []
    reached = [exists("?this", shape.path, str(term), fresh_variables())] if shape.path is not None else []
    return f"SELECT ?this WHERE {{ {focus} FILTER(!{either(here + reached)}) }}"


def pair(constraint: Pair, shape: Shape, source: Source) -> str:
    name, other, focus = component_name(constraint), constraint.other, source.pattern("?this")
    pairs, has_other = pairs_with_value(shape, source), f"EXISTS {{ ?this {other} ?value }}"
    if name == "Disjoint":
        return f"SELECT DISTINCT ?this ?value WHERE {{ {pairs} FILTER({has_other}) }}"
    if name == "Equals":
        others = _then(focus, "?this", str(other), "?value")
        itself = ["sameTerm(?this, ?value)"] if shape.path is None or is_nullable(shape.path) else []
        reached = [exists("?this", shape.path, "?value", fresh_variables())] if shape.path is not None else []
        return (
            f"SELECT DISTINCT ?this ?value WHERE {{ {{ {pairs} FILTER(!{has_other}) }} "
            f"UNION {{ {others} FILTER(!{either(itself + reached)}) }} }}"
        )
    compared = _then(f"{{ {pairs} }}", "?this", str(other), "?other")
    operator = "<" if name == "LessThan" else "<="
    failed = f"!COALESCE(?value {operator} ?other, false)"
    return f"SELECT DISTINCT ?this ?value ?other WHERE {{ {compared} FILTER({failed}) }}"


def unique_lang(shape: Shape, source: Source) -> str:
    tagged = 'FILTER(isLiteral(?value) && LANG(?value) != "") BIND(LCASE(LANG(?value)) AS ?language)'
    grouped = f"{{ {pairs_of(shape, source)} }} {tagged}"
    return f"SELECT ?this ?language WHERE {{ {grouped} }} GROUP BY ?this ?language HAVING(COUNT(DISTINCT ?value) > 1)"


def closed(constraint: Closed, shape: Shape, source: Source) -> str:
    """One row for each triple of a value node with a predicate that is not allowed."""
    node = "?this" if shape.path is None else "?node"
    nodes = source.pattern("?this")
    if shape.path is not None:
        nodes = _walk(nodes, "?this", shape.path, node)
    return (
        f"SELECT DISTINCT ?this ?path ?value {'' if shape.path is None else node} WHERE {{ {nodes} "
        f"OPTIONAL {{ {node} ?path ?value }} FILTER(bound(?path) && {not_in('?path', constraint.allowed)}) }}"
    )
