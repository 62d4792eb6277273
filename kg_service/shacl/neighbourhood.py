"""What a change can touch, fetched from a store that is far away: few questions, each for many nodes at once.

    world, affected = Neighbourhoods(shapes, gate).around(delta, fetch, most)
    report = gate.judge(world, affected)     # once the world is in the state to be judged

The gate looks at a graph in two steps: from the changed triples back to the focus nodes, then at all that their shapes
can see (`reach.Way`, `reach.Read`). The same two walks are made here with sets of nodes. Each walker says which triples
it needs next; what all of them need is fetched in one question, and they go on with the answer. So there are about as
many questions as the longest path has steps. The graph that results is a part of the whole one in which every walk of
the gate goes as it would go there.

Walks go over triples of the store and of the change together. `TooWide` is raised where no bounded part will do: too
many triples, a unit of the shapes that may look at anything, a blank node, which no question can name. A literal is
looked for in the spelling that our stores keep.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Store, Triple

from kg_service.shacl import Shapes
from kg_service.shacl.gate import Affected, Gate
from kg_service.shacl.graph import SUBCLASS, TYPE, Term
from kg_service.shacl.paths import Alternative, Inverse, Path, Predicate, Repeat
from kg_service.shacl.paths import Sequence as PathSequence
from kg_service.shacl.patterns import THIS, Pattern, is_variable
from kg_service.shacl.reach import Unit, Way, units_of
from kg_service.store import Delta, Need

T = TypeVar("T")


class TooWide(Exception):
    """No bounded part of the graph decides about the change."""


#: Gives the triples that are needed, in the default graph; raises TooWide for more than so many.
Fetch = Callable[[Collection[Need], int], Iterable[Quad]]
#: A walk, which says what it needs and goes on when that is there.
Walk = Generator[set[Need], None, T]
Nodes = set[Any]


class Neighbourhoods:
    """What changes can touch, for shapes and the gate made of them."""

    def __init__(self, shapes: Shapes, gate: Gate) -> None:
        self._gate = gate
        self._units = [unit for plan in shapes.plans for unit in units_of(plan)]
        targets = {target for unit in self._units for target in unit.targets}
        self._subjects_of, self._objects_of = (
            [target.term for target in targets if target.kind == kind and isinstance(target.term, NamedNode)]
            for kind in ("subjects-of", "objects-of")
        )
        self._ways: dict[NamedNode | None, list[Way]] = {None: []}
        for way in dict.fromkeys(way for unit in self._units for way in unit.ways if way.is_local):
            self._ways.setdefault(way.predicate, []).append(way)

    def around(self, delta: Delta, fetch: Fetch, most: int) -> tuple[Store, Affected]:
        """What is there and what will be, as far as the verdict depends on it, and what is affected.

        The change must be the effective one. Raises TooWide, also for more than `most` triples.
        """
        world = _World(fetch, most)
        changed = [q for part in (delta.added, delta.removed) for q in part if isinstance(q.graph_name, DefaultGraph)]
        world.extend(changed)
        world.together([self._classes(world, changed), *self._back(world, changed)])
        if any(quad.predicate == SUBCLASS for quad in changed):
            world.together([self._reclassified(world, changed)])
        affected = self._gate.affected(world.store, delta)
        whole = [self._units[number] for number in sorted(affected.whole)]
        world.together([*self._forward(world, affected), *(_everything(unit) for unit in whole)])
        return world.store, replace(affected, nodes=None)  # now there is more to see

    def _classes(self, world: _World, changed: Sequence[Quad]) -> Walk[None]:
        """The class tree, and whatever says of the changed nodes whether they are targets."""
        nodes = {quad.subject for quad in changed} | {quad.object for quad in changed}
        yield {Need(None, SUBCLASS)} | self._target_needs(world, nodes)

    def _target_needs(self, world: _World, nodes: Nodes) -> set[Need]:
        """What says of nodes whether they are targets, where that was not asked before."""
        new = nodes - world.settled
        world.settled |= new
        needs = {Need(node, predicate) for predicate in (TYPE, *self._subjects_of) for node in new}
        return needs | {Need(node, predicate, is_inverse=True) for predicate in self._objects_of for node in new}

    def _back(self, world: _World, changed: Sequence[Quad]) -> list[Walk[None]]:
        """From the changed triples to focus nodes, over everything that the gate matches on the way."""
        known: dict[Way, dict[str, Nodes]] = {}
        for quad in changed:
            for way in (*self._ways.get(quad.predicate, ()), *self._ways[None]):
                for name, term in _matched(way, quad).items():
                    known.setdefault(way, {}).setdefault(name, set()).add(term)
        return [self._joined(world, way, row) for way, row in known.items()]

    def _joined(self, world: _World, way: Way, known: dict[str, Nodes]) -> Walk[None]:
        if THIS not in known:
            yield from world.join(way.beside, known)
        yield self._target_needs(world, known[THIS])

    def _reclassified(self, world: _World, changed: Sequence[Quad]) -> Walk[None]:
        """From the instances of classes whose place in the tree changes to focus nodes."""
        moved: Nodes = {quad.subject for quad in changed if quad.predicate == SUBCLASS}
        below = yield from world.walk(Repeat(Predicate(SUBCLASS), "*"), moved, backward=True)
        nodes = yield from world.walk(Predicate(TYPE), below, backward=True)
        yield self._target_needs(world, nodes)
        of_classes = (way for way in self._ways.get(TYPE, ()) if way.kind is not None)
        ways = (way for way in of_classes if is_variable(way.edge.subject))
        yield from _side_by_side(self._joined(world, way, {str(way.edge.subject): set(nodes)}) for way in ways)

    def _forward(self, world: _World, affected: Affected) -> Iterable[Walk[None]]:
        """All that the affected units can see from their focus nodes."""
        foci: dict[int, Nodes] = {}
        for focus, numbers in affected.foci.items():
            for number in numbers - affected.whole:
                foci.setdefault(number, set()).add(focus)
        yield _once(self._target_needs(world, set(affected.foci)))
        for number, nodes in foci.items():
            unit = self._units[number]
            if unit.wide:
                raise TooWide(unit.wide)
            for read in unit.reads:
                yield _seen(world, read.prefix, read.predicate, nodes, is_inverse=read.is_inverse)


def _once(needs: set[Need]) -> Walk[None]:
    yield needs


def _seen(
    world: _World, prefix: Path | None, predicate: NamedNode | None, foci: Nodes, *, is_inverse: bool
) -> Walk[None]:
    nodes = foci if prefix is None else (yield from world.walk(prefix, foci))
    yield {Need(node, predicate, is_inverse) for node in nodes}


def _everything(unit: Unit) -> Walk[None]:
    """Every triple that a unit can look at from any of its targets."""
    if unit.wide:
        raise TooWide(unit.wide)
    predicates: set[NamedNode] = {TYPE, SUBCLASS}
    for read in unit.reads:
        if read.predicate is None:
            raise TooWide("it reads every predicate of many nodes")
        predicates.add(read.predicate)
    for target in unit.targets:
        if isinstance(target.term, NamedNode) and target.kind in ("subjects-of", "objects-of"):
            predicates.add(target.term)
    yield {Need(None, predicate) for predicate in predicates}


@dataclass
class _World:
    """The part of the graph that is here already."""

    fetch: Fetch
    most: int
    store: Store = field(default_factory=Store)
    #: Nodes of which it is known, or on the way, whether they are targets.
    settled: Nodes = field(default_factory=set)
    _have: set[Need] = field(default_factory=set)

    def extend(self, triples: Iterable[Quad]) -> None:
        self.store.extend(triples)

    def together(self, walks: Iterable[Walk[Any]]) -> None:
        """Makes all the walks, fetching at each step what all of them need."""
        for needs in _side_by_side(walks):
            self._get(needs)

    def _get(self, needs: set[Need]) -> None:
        missing = {
            need
            for need in needs - self._have
            if Need(None, need.predicate) not in self._have and (need.is_inverse or not isinstance(need.node, Literal))
        }
        if not missing:
            return
        if any(isinstance(need.node, BlankNode | Triple) for need in missing):
            raise TooWide("it leads to a blank node, which no question can name")
        found = list(self.fetch(missing, self.most - len(self.store)))
        if any(isinstance(term, BlankNode | Triple) for quad in found for term in (quad.subject, quad.object)):
            raise TooWide("it leads to a blank node, which has another name in every answer")
        self.store.extend(found)
        self._have |= missing

    def walk(self, path: Path, nodes: Nodes, *, backward: bool = False) -> Walk[Nodes]:
        """The nodes at the other end of the path from any of the nodes."""
        match path:
            case Predicate(iri):
                yield {Need(node, iri, backward) for node in nodes}
                return self._next(iri, nodes, backward=backward)
            case Inverse(inner):
                return (yield from self.walk(inner, nodes, backward=not backward))
            case PathSequence(steps):
                for step in reversed(steps) if backward else steps:
                    nodes = yield from self.walk(step, nodes, backward=backward)
                return nodes
            case Alternative(choices):
                walks = (self.walk(choice, nodes, backward=backward) for choice in choices)
                return set().union(*(yield from _side_by_side(walks)))
            case Repeat(inner, sign):
                reached = set() if sign == "+" else set(nodes)
                frontier = set(nodes)
                while frontier:
                    new = yield from self.walk(inner, frontier, backward=backward)
                    frontier = new - reached if sign != "?" else set()
                    reached |= new
                return reached

    def _next(self, predicate: NamedNode, nodes: Nodes, *, backward: bool) -> Nodes:
        if backward:
            return {q.subject for node in nodes for q in self.store.quads_for_pattern(None, predicate, node, None)}
        resources = [node for node in nodes if not isinstance(node, Literal)]
        return {q.object for node in resources for q in self.store.quads_for_pattern(node, predicate, None, None)}

    def join(self, patterns: Sequence[Pattern], known: dict[str, Nodes]) -> Walk[None]:
        """Everything that a join of the patterns can match, from values of some of their variables."""
        waiting = list(patterns)
        while waiting:
            pattern = min(waiting, key=lambda each: _cost(each, known))
            if _cost(pattern, known) == _HOPELESS:
                raise TooWide("a rule joins patterns that nothing connects")
            waiting.remove(pattern)
            yield from self._matched(pattern, known)

    def _matched(self, pattern: Pattern, known: dict[str, Nodes]) -> Walk[None]:
        start, end = pattern.subject, pattern.object
        backward = start not in known and (end in known or is_variable(start))
        here, there = (end, start) if backward else (start, end)
        nodes = known[here] if here in known else {_term(here)}
        if isinstance(pattern.path, str):
            yield {Need(node, None, backward) for node in nodes}
            quads = [quad for node in nodes for quad in self._with(node, backward=backward)]
            found: Nodes = {quad.subject if backward else quad.object for quad in quads}
            known.setdefault(pattern.path, {quad.predicate for quad in quads})
        else:
            found = yield from self.walk(pattern.path, nodes, backward=backward)
        if is_variable(there):
            known.setdefault(there, found)

    def _with(self, node: Any, *, backward: bool) -> Iterable[Quad]:
        if backward:
            return self.store.quads_for_pattern(None, None, node, None)
        return () if isinstance(node, Literal) else self.store.quads_for_pattern(node, None, None, None)


def _side_by_side(walks: Iterable[Walk[T]]) -> Walk[list[T]]:
    """Several walks as one, whose steps are theirs together; gives what each of them gives."""
    going = dict(enumerate(walks))
    results: dict[int, T] = {}
    while going:
        needs: set[Need] = set()
        for number, walk in list(going.items()):
            try:
                needs |= next(walk)
            except StopIteration as end:
                results[number] = end.value
                del going[number]
        if needs:
            yield needs
    return [results[number] for number in sorted(results)]


_HOPELESS = 9


def _cost(pattern: Pattern, known: dict[str, Nodes]) -> int:
    """What is to be walked first: from known subjects, then from known objects, then from a subject that is given."""
    if pattern.subject in known:
        return 0 if pattern.object in known or not is_variable(pattern.object) else 1
    if pattern.object in known:
        return 2
    if not is_variable(pattern.subject):
        return 3
    return _HOPELESS if is_variable(pattern.object) else 4


def _term(text: str) -> Any:
    """The constant that a pattern names."""
    store = Store()
    store.update(f"INSERT DATA {{ <urn:x> <urn:x> {text} }}")
    return next(iter(store)).object


def _matched(way: Way, quad: Quad) -> dict[str, Term]:
    """The values of the variables of a way's edge where a triple matches it; none where it does not."""
    row: dict[str, Term] = {}
    ends: list[tuple[Any, Term]] = [(way.edge.subject, quad.subject), (way.edge.path, quad.predicate)]
    if way.kind is None:  # else the triple tells the class of its subject
        ends.append((way.edge.object, quad.object))
    for end, term in ends:
        if isinstance(end, Predicate):
            if end.iri != term:
                return {}
        elif is_variable(end):
            if row.setdefault(end, term) != term:
                return {}
        elif isinstance(term, NamedNode) and end != str(term):
            return {}
    return row
