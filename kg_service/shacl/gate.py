"""Judging a change by what its triples can reach, at a cost that follows the change and not the graph.

    gate = Gate(shapes)                        # once
    affected = gate.affected(store, delta)     # the store holds what was there before and what will be, together
    report = gate.judge(store, affected)       # in whichever state the store is then

A change can alter the verdict of a unit of the shapes (see `reach`) only on focus nodes to which one of its triples
leads back. Those are looked for in the union of the states before and after, so that nothing is missed; then they are
judged, and no others. Each pair of a unit and a focus node has the results that validating the whole graph gives it.

How a pair is judged: by look-ups where they tell (see `lookups`), else by one expression for many foci; only where
those find fault, or cannot tell, are the queries of the unit run.

Where that cannot be: a unit that looks at what no path leads to, a node that a query cannot write (a blank node), or
more than `MOST_FOCI` nodes at once (see `walking`). The unit is then judged on all its targets.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, QueryResultsFormat, Store

from kg_service.shacl import Report, Shapes
from kg_service.shacl.compiler import DirectCheck
from kg_service.shacl.graph import SUBCLASS, TYPE, Term
from kg_service.shacl.lookups import Verdicts, View
from kg_service.shacl.marks import ClassTree
from kg_service.shacl.nodes import Nodes
from kg_service.shacl.reach import Signs, Unit, Way, columns_of, identities_of, rule_column, units_of
from kg_service.shacl.report import in_order
from kg_service.shacl.targets import SOME, Root, Targets, Writable, asked, parts
from kg_service.shacl.validator import Run, Violation, as_result
from kg_service.shacl.walking import MOST_FOCI, Begun, Found, Walk, WayBack
from kg_service.store import Delta

_MOST_TEXTS = 2_000  # queries kept


@dataclass(frozen=True)
class Affected:
    """Whose verdict a change can alter: units by number for each focus node, and units to be judged whole."""

    foci: Mapping[Writable, frozenset[int]]
    whole: frozenset[int] = frozenset()
    #: Foci that may be targets in one of the states only; all are, where this is None.
    unsettled: frozenset[Writable] | None = None
    #: The classes, where the change leaves them alone.
    tree: ClassTree | None = None
    #: A triple of a change that only adds, or only removes: while it is there, the store is as `affected` saw it.
    sign: Quad | None = None
    #: What `affected` saw, for as long as the sign is there.
    nodes: Nodes | None = None

    def __bool__(self) -> bool:
        return bool(self.foci or self.whole)


class Gate:
    """Judges changes by what their triples can reach. Usable for any number of stores, by one thread at a time."""

    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes
        self._units: list[Unit] = []
        self._roots: list[Root] = []
        for plan in shapes.plans:
            units = units_of(plan)
            first = len(self._units)
            self._roots.append(Root(plan, frozenset(range(first, first + len(units)))))
            self._units += units
        self._targets = Targets(self._roots)
        walks: dict[Way, Walk] = {}
        shared = Counter(identity for unit in self._units for identity in identities_of(unit))
        for number, unit in enumerate(self._units):
            # A result that is lost in one place makes up for the same one that is gained in another.
            is_alone = unit.check.source.parent is None and all(shared[each] == 1 for each in identities_of(unit))
            for way in unit.ways:
                walks.setdefault(way, Walk(way)).add(number, unit.signs[way] if is_alone else (True, False))
        self._walks: dict[NamedNode | None, list[Walk]] = {None: []}
        self._members: dict[str, list[Walk]] = {}
        for way, walk in walks.items():
            if way.kind is None:
                self._walks.setdefault(way.predicate, []).append(walk)
            else:
                self._members.setdefault(str(way.kind), []).append(walk)
        self._named: dict[tuple[object, ...], set[int]] = defaultdict(set)
        for number, unit in enumerate(self._units):
            for identity in identities_of(unit):
                self._named[identity].add(number)
        rules = ((number, rule_column(unit.check)) for number, unit in enumerate(self._units))
        self._rules = {number: text for number, text in rules if text is not None}
        self._verdicts = Verdicts()
        self._kinds = frozenset(self._members) | self._targets.classes.keys()
        self._tree, self._tree_text = ClassTree(()), b""
        self._tree_of: object = None
        self._columns: dict[frozenset[int], list[tuple[frozenset[int], str]]] = {}
        self._back = WayBack()

    def affected(self, store: Store, delta: Delta, classes: object = None) -> Affected:
        """The units and focus nodes whose results the change can alter.

        The store's default graph must hold the state before and the state after together: additions applied, removals
        not yet. The change must be the effective one, with literals as the store keeps them. `classes` is another
        object whenever the store's subclasses may be others than at the last call; None where that is not known.
        """
        changed = {quad for part in (delta.added, delta.removed) for quad in part if _counts(quad)}
        found = Found()
        for walk in self._walks[None] if len(delta) else ():
            if not walk.way.is_local:  # perhaps of named graphs
                found.whole |= walk.units
        tree, nodes = self._class_tree(store, classes), Nodes(store)
        for subject in {quad.subject for quad in changed}:
            nodes.about(subject)
        is_reclassifying = any(quad.predicate == SUBCLASS for quad in changed)
        begun: Begun = defaultdict(lambda: defaultdict(set))
        for quad in changed:
            is_added = quad in delta.added
            for walks in (self._walks.get(quad.predicate, ()), self._walks[None]):
                for walk in walks:
                    if walk.worse[is_added] and (row := walk.row(quad)) is not None:
                        begun[walk][row] |= walk.worse[is_added]
        targeted: dict[tuple[Term, Root], None] = {}
        for node, kind, signs in self._moved(nodes, delta, tree, found, is_reclassifying=is_reclassifying):
            for walk in self._members.get(kind, ()):
                if units := set().union(*(walk.worse[sign] for sign in signs)):
                    begun[walk][node,] |= units
            targeted |= {(node, root): None for root in self._targets.classes.get(kind, ())}
        targeted |= dict.fromkeys(self._begun_or_ended(changed))
        alone = _Alone(nodes, changed)
        for node, root in targeted:
            if is_reclassifying or node in alone or not self._targets.stays(nodes, node, root, changed, tree):
                found.add_target(node, root.units)
        self._back.go(store, nodes, begun, found)
        foci = self._targets.among(store, nodes, found.kept(), tree)
        if is_reclassifying:
            return Affected(foci, frozenset(found.whole))
        added, removed = _one_of(delta.added), _one_of(delta.removed)
        sign = None if added and removed else added or removed
        return Affected(foci, frozenset(found.whole), frozenset(found.unsettled), tree, sign, nodes if sign else None)

    def judge(self, store: Store, affected: Affected, language: str = "en") -> Report:
        """The results, in the state that the store is in, of what is affected; as validating the whole graph gives."""
        tree = affected.tree or self._class_tree(store)
        is_as_seen = affected.sign is not None and affected.sign in store
        nodes = affected.nodes if is_as_seen and affected.nodes else Nodes(store)
        present = affected.foci if is_as_seen else self._present(store, nodes, affected, tree)
        found, suspects = self._suspects(store, nodes, present, tree)
        together: dict[tuple[Writable, ...], list[int]] = defaultdict(list)
        for unit, foci in suspects.items():
            for part in parts(foci):
                together[part].append(unit)
        runs = [(Run(store, self.shapes.triples, foci, tree), units) for foci, units in together.items()]
        runs.append((Run(store, self.shapes.triples, None, tree), sorted(affected.whole)))
        asked = (
            violation for run, units in runs for unit in units for violation in run.results(self._units[unit].check)
        )
        return Report(in_order(as_result(violation, language) for violation in chain(found, asked)))

    def narrowed(self, affected: Affected, report: Report) -> Affected:
        """What of it can have given the results of the report; to look for the same results in the other state."""
        suspects: set[int] = set()
        at: dict[Term, set[int]] = defaultdict(set)
        for result in report.results:
            units = self._named[str(result.shape), result.component, result.constraint]
            suspects |= units
            at[result.focus] |= units
        # Of a shape inside another the focus node is a value; which node of the target leads there is not known.
        inner = {unit for unit in suspects if self._units[unit].check.source.parent is not None}
        foci = {node: units & (inner | at[node]) for node, units in affected.foci.items()}
        return replace(
            affected, foci={node: units for node, units in foci.items() if units}, whole=affected.whole & suspects
        )

    def report_at(self, store: Store, nodes: Iterable[Writable], language: str = "en") -> Report:
        """The results at these focus nodes, whatever else the store holds; as validating the whole graph gives."""
        every = frozenset(range(len(self._units)))
        return self.judge(store, Affected(dict.fromkeys(nodes, every)), language)

    # Finding

    def _moved(
        self, nodes: Nodes, delta: Delta, tree: ClassTree, found: Found, *, is_reclassifying: bool
    ) -> Iterator[tuple[Term, str, Signs]]:
        """Whatever begins (True) or ends to be an instance of a class that the shapes name, with the class."""
        added, removed = ({q for q in part if _counts(q)} for part in (delta.added, delta.removed))
        before = after = tree
        if is_reclassifying:
            pairs = set(_pairs(self._tree_text))
            before = ClassTree(pairs - {(str(quad.subject), str(quad.object)) for quad in added})
            after = ClassTree(pairs - {(str(quad.subject), str(quad.object)) for quad in removed})
            reclassified = self._reclassified(nodes.store, before, after, found)
            yield from ((node, kind, frozenset({True, False})) for node, kind in reclassified)
        for node in {quad.subject for quad in added | removed if quad.predicate == TYPE}:
            held = {Quad(node, TYPE, kind) for kind in nodes.types(node)}
            was, will_be = (frozenset(str(q.object) for q in held - gone) for gone in (added, removed))
            left, joined = before.kinds(was), after.kinds(will_be)
            for kind in (left ^ joined) & self._kinds:
                yield node, kind, frozenset({kind in joined})

    def _reclassified(
        self, store: Store, before: ClassTree, after: ClassTree, found: Found
    ) -> Iterator[tuple[Term, str]]:
        """The instances of classes that came below a class, or left it; a class with too many is judged whole."""
        for kind in self._kinds:
            for each in set(before.below(kind)) ^ set(after.below(kind)):
                nodes = _instances(store, each)
                if nodes is not None:
                    yield from ((node, kind) for node in nodes)
                    continue
                for root in self._targets.classes.get(kind, ()):
                    found.whole |= root.units
                for walk in self._members.get(kind, ()):
                    found.whole |= walk.units

    def _begun_or_ended(self, changed: Iterable[Quad]) -> Iterator[tuple[Term, Root]]:
        """Nodes that begin or end to have a predicate that makes them targets, or to be a value of one."""
        for quad in changed:
            for node, roots in (
                (quad.subject, self._targets.subjects.get(quad.predicate, ())),
                (quad.object, self._targets.objects.get(quad.predicate, ())),
            ):
                yield from ((node, root) for root in roots)

    # Judging

    def _present(
        self, store: Store, nodes: Nodes, affected: Affected, tree: ClassTree
    ) -> Mapping[Writable, frozenset[int]]:
        """The foci that are targets now, with those units that they are targets of."""
        if affected.unsettled is None:
            return self._targets.among(store, nodes, affected.foci, tree)
        if not affected.unsettled:
            return affected.foci
        unsettled = {node: affected.foci[node] for node in affected.unsettled if node in affected.foci}
        settled = {node: units for node, units in affected.foci.items() if node not in affected.unsettled}
        return settled | self._targets.among(store, nodes, unsettled, tree)

    def _suspects(
        self, store: Store, nodes: Nodes, present: Mapping[Writable, frozenset[int]], tree: ClassTree
    ) -> tuple[list[Violation], dict[int, dict[Writable, None]]]:
        """What look-ups find wrong, and the foci of each unit that are still to be asked about.

        Those are the ones that look-ups or an expression find fault with, not telling at what, and those that neither
        can judge.
        """
        found, suspects = list[Violation](), defaultdict[int, dict[Writable, None]](dict)
        if len(present) <= SOME:
            present = self._looked_up(nodes, present, tree, found, suspects)
        alike: dict[frozenset[int], list[Writable]] = defaultdict(list)
        for node, units in present.items():
            alike[units].append(node)
        for units, foci in alike.items():
            columns = self._columns_of(units, tree)
            for number in units.difference(*(part for part, _ in columns)):
                suspects[number].update(dict.fromkeys(foci))
            selected = " ".join(f"({text} AS ?c{number})" for number, (_, text) in enumerate(columns))
            names = [f"c{number}" for number in range(len(columns))]
            for part in parts(foci) if columns else ():
                query = f"SELECT ?this {selected} WHERE {{ VALUES ?this {{ {' '.join(map(str, part))} }} }}"
                for this, *passed in asked(store, query, "this", *names):
                    for (numbers, _), each in zip(columns, passed, strict=True):
                        if each is None or each.value != "true":
                            for number in numbers:
                                suspects[number][this] = None
        return found, suspects

    def _looked_up(
        self,
        nodes: Nodes,
        present: Mapping[Writable, frozenset[int]],
        tree: ClassTree,
        found: list[Violation],
        suspects: dict[int, dict[Writable, None]],
    ) -> dict[Writable, frozenset[int]]:
        """The units and foci that look-ups cannot judge; faults are found, or become suspects where values matter."""
        view = View(nodes, tree, self._verdicts)
        waiting = [(node, unit) for node, units in present.items() for unit in units]
        is_new = True
        while is_new:
            judged = [(node, unit, view.holds(self._units[unit].check, node)) for node, unit in waiting]
            for node, unit, holds in judged:
                if holds is False:
                    check = self._units[unit].check
                    if isinstance(check, DirectCheck) and check.is_of_focus and check.source.parent is None:
                        found.append(Violation(check.shape, check.constraint, node))
                    else:
                        suspects[unit][node] = None
            waiting = [(node, unit) for node, unit, holds in judged if holds is None]
            is_new = self._verdicts.ask()
        rest: dict[Writable, set[int]] = defaultdict(set)
        for node, unit in waiting:
            rest[node].add(unit)
        return {node: frozenset(units) for node, units in rest.items()}

    def _columns_of(self, units: frozenset[int], tree: ClassTree) -> list[tuple[frozenset[int], str]]:
        if units not in self._columns:
            if len(self._columns) >= _MOST_TEXTS:
                self._columns.clear()
            numbers = {self._units[number].check: number for number in units}
            columns = [
                (frozenset(numbers[check] for check in checks), tree.fill(text))
                for root in self._roots
                if not root.units.isdisjoint(units)
                for checks, text in columns_of(root.plan, frozenset(numbers))
            ]
            rules = [(frozenset({number}), self._rules[number]) for number in sorted(units) if number in self._rules]
            self._columns[units] = columns + rules
        return self._columns[units]

    def _class_tree(self, store: Store, classes: object = None) -> ClassTree:
        """The classes of the store, made anew only when they are not those of last time."""
        if classes is not None and classes is self._tree_of:
            return self._tree
        self._tree_of = classes
        solutions: Any = store.query(f"SELECT ?below ?above WHERE {{ ?below {SUBCLASS} ?above }}")
        text = solutions.serialize(format=QueryResultsFormat.TSV)
        if text != self._tree_text:
            self._tree, self._tree_text = ClassTree(_pairs(text)), text
            self._columns.clear()
        return self._tree


class _Alone:
    """Nodes of which the graph says nothing but what changes."""

    def __init__(self, nodes: Nodes, changed: AbstractSet[Quad]) -> None:
        self._nodes, self._changed = nodes, changed
        self._known: dict[Term, bool] = {}

    def __contains__(self, node: Term) -> bool:
        if node not in self._known:
            self._known[node] = self._is_alone(node)
        return self._known[node]

    def _is_alone(self, node: Any) -> bool:
        about = self._nodes.about(node)
        if not about:
            return False
        return all(Quad(node, predicate, value) in self._changed for predicate in about for value in about[predicate])


def _one_of(quads: Iterable[Quad]) -> Quad | None:
    """One that counts, if any does."""
    return next(filter(_counts, quads), None)


def _counts(quad: Quad) -> bool:
    """Shapes see the default graph."""
    return isinstance(quad.graph_name, DefaultGraph)


def _instances(store: Store, kind: str) -> list[Term] | None:
    """The nodes that have just this type; None when they are too many, or the class cannot be named."""
    try:
        named = BlankNode(kind[2:]) if kind.startswith("_:") else NamedNode(kind[1:-1])
    except ValueError:
        return None
    held = store.quads_for_pattern(None, TYPE, named, DefaultGraph())
    nodes: list[Term] = [quad.subject for quad in islice(held, MOST_FOCI + 1)]
    return nodes if len(nodes) <= MOST_FOCI else None


def _pairs(text: bytes) -> Iterator[tuple[str, str]]:
    """The rows of a table of two columns in TSV, as SPARQL writes the terms."""
    for line in text.decode().splitlines()[1:]:
        first, second = line.split("\t")
        yield first, second
