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
more than `MOST_FOCI` nodes at once. The unit is then judged on all its targets.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from itertools import chain, islice, product
from typing import Any, TypeAlias, TypeVar

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, QueryResultsFormat, Store

from kg_service.shacl import Report, Shapes, patterns
from kg_service.shacl.compiler import DirectCheck, Plan
from kg_service.shacl.graph import SUBCLASS, TYPE, Term
from kg_service.shacl.lookups import Verdicts, View, can_be_written
from kg_service.shacl.marks import ClassTree
from kg_service.shacl.nodes import Nodes
from kg_service.shacl.paths import Predicate, sparql
from kg_service.shacl.patterns import THIS, Pattern, is_variable
from kg_service.shacl.reach import Signs, Unit, Way, columns_of, identities_of, rule_column, units_of
from kg_service.shacl.report import in_order
from kg_service.shacl.validator import Run, Violation, as_result
from kg_service.store import Delta

#: A unit that more focus nodes are affected of is judged on all its targets: one query instead of very many.
MOST_FOCI = 20_000
_AT_ONCE = 1_000  # nodes written into one query
_FEW = 20  # look-ups that cost less than one query for all of them
_SOME = 100  # the same, for look-ups that save parts of a query
_MOST_STEPS = 500  # the same, where one look-up saves several
_MOST_TEXTS = 2_000  # queries kept

Writable: TypeAlias = NamedNode | Literal
_Row: TypeAlias = tuple[Term, ...]
_T = TypeVar("_T")


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
        self._roots: list[_Root] = []
        for plan in shapes.plans:
            units = units_of(plan)
            first = len(self._units)
            self._roots.append(_Root(plan, frozenset(range(first, first + len(units)))))
            self._units += units
        self._targets = _Targets(self._roots)
        walks: dict[Way, _Walk] = {}
        shared = Counter(identity for unit in self._units for identity in identities_of(unit))
        for number, unit in enumerate(self._units):
            # A result that is lost in one place makes up for the same one that is gained in another.
            is_alone = unit.check.source.parent is None and all(shared[each] == 1 for each in identities_of(unit))
            for way in unit.ways:
                walks.setdefault(way, _Walk(way)).add(number, unit.signs[way] if is_alone else (True, False))
        self._walks: dict[NamedNode | None, list[_Walk]] = {None: []}
        self._members: dict[str, list[_Walk]] = {}
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
        self._fan_in: dict[NamedNode, float] = {}

    def affected(self, store: Store, delta: Delta, classes: object = None) -> Affected:
        """The units and focus nodes whose results the change can alter.

        The store's default graph must hold the state before and the state after together: additions applied, removals
        not yet. The change must be the effective one, with literals as the store keeps them. `classes` is another
        object whenever the store's subclasses may be others than at the last call; None where that is not known.
        """
        changed = {quad for part in (delta.added, delta.removed) for quad in part if _counts(quad)}
        found = _Found()
        for walk in self._walks[None] if len(delta) else ():
            if not walk.way.is_local:  # perhaps of named graphs
                found.whole |= walk.units
        tree, nodes = self._class_tree(store, classes), Nodes(store)
        for subject in {quad.subject for quad in changed}:
            nodes.about(subject)
        is_reclassifying = any(quad.predicate == SUBCLASS for quad in changed)
        begun: _Begun = defaultdict(lambda: defaultdict(set))
        for quad in changed:
            is_added = quad in delta.added
            for walks in (self._walks.get(quad.predicate, ()), self._walks[None]):
                for walk in walks:
                    if walk.worse[is_added] and (row := walk.row(quad)) is not None:
                        begun[walk][row] |= walk.worse[is_added]
        targeted: dict[tuple[Term, _Root], None] = {}
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
        self._walk_back(store, nodes, begun, found)
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
            for part in _parts(foci):
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
        self, nodes: Nodes, delta: Delta, tree: ClassTree, found: _Found, *, is_reclassifying: bool
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
        self, store: Store, before: ClassTree, after: ClassTree, found: _Found
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

    def _begun_or_ended(self, changed: Iterable[Quad]) -> Iterator[tuple[Term, _Root]]:
        """Nodes that begin or end to have a predicate that makes them targets, or to be a value of one."""
        for quad in changed:
            for node, roots in (
                (quad.subject, self._targets.subjects.get(quad.predicate, ())),
                (quad.object, self._targets.objects.get(quad.predicate, ())),
            ):
                yield from ((node, root) for root in roots)

    def _walk_back(self, store: Store, nodes: Nodes, begun: _Begun, found: _Found) -> None:
        """From the changed triples to the focus nodes that look at them."""
        steps: dict[bool, dict[tuple[NamedNode, Term], set[int]]] = {True: defaultdict(set), False: defaultdict(set)}
        rows_of_all = (row for walk, rows in begun.items() if walk.end is None for row in rows)
        strange = {term for term in set(chain.from_iterable(rows_of_all)) if not can_be_written(term)}
        for walk, rows in begun.items():
            if walk.end is not None:
                for row, units in rows.items():
                    found.add(row[walk.end], units)
            elif not walk.way.is_local or not all(map(strange.isdisjoint, rows)):
                found.whole |= walk.units
            elif walk.single is not None:
                predicate, is_inverse, place = walk.single
                for row, units in rows.items():
                    steps[is_inverse][predicate, row[place]] |= units
            else:
                self._ask(store, nodes, walk, rows, found)
        for is_inverse, wanted in steps.items():
            self._ask_steps(store, nodes, wanted, found, is_inverse=is_inverse)

    def _ask_steps(
        self,
        store: Store,
        nodes: Nodes,
        wanted: Mapping[tuple[NamedNode, Term], set[int]],
        found: _Found,
        *,
        is_inverse: bool,
    ) -> None:
        """All ways that are one step long, in one query."""
        pattern = "?node ?p ?this" if is_inverse else "?this ?p ?node"
        if not is_inverse and len(wanted) <= _MOST_STEPS:  # to what is new, most often nothing leads
            wanted = {step: units for step, units in wanted.items() if nodes.is_value(step[1])}
        for part in _parts(wanted):
            listed = " ".join(f"({predicate} {node})" for predicate, node in part)
            query = (
                f"SELECT ?this ?p ?node WHERE {{ VALUES (?p ?node) {{ {listed} }} {pattern} }} LIMIT {MOST_FOCI + 1}"
            )
            rows = list(_asked(store, query, "this", "p", "node"))
            if len(rows) <= MOST_FOCI:
                for this, predicate, node in rows:
                    found.add(this, wanted[predicate, node])
            elif len(part) > 1:
                for step in part:
                    self._ask_steps(store, nodes, {step: wanted[step]}, found, is_inverse=is_inverse)
            else:
                found.whole |= wanted[part[0]]

    def _ask(self, store: Store, nodes: Nodes, walk: _Walk, begun: Mapping[_Row, set[int]], found: _Found) -> None:
        if walk.written is None:
            walk.written = self._written(store, walk)
        order, text = walk.written
        rows = list(begun)
        if len(rows) <= _SOME:
            reached = [(row, nodes.joined(order, dict(zip(walk.names, row, strict=True)), THIS)) for row in rows]
            for row, led in reached:
                for node in led or ():
                    found.add(node, begun[row])
            rows = [row for row, led in reached if led is None]
        for start in range(0, len(rows), _AT_ONCE):
            listed = " ".join(f"({' '.join(map(str, row))})" for row in rows[start : start + _AT_ONCE])
            query = f"SELECT DISTINCT ?this WHERE {{ {text.replace(_ROWS, listed)} }} LIMIT {MOST_FOCI + 1}"
            foci = [this for (this,) in _asked(store, query, "this")]
            if len(foci) > MOST_FOCI:
                found.whole |= walk.units
                return
            for this in foci:
                found.add(this, walk.units)

    def _written(self, store: Store, walk: _Walk) -> tuple[tuple[Pattern, ...], str]:
        """The patterns of a way in the order in which they lead from rows of its edge to `?this`, and as text.

        Of several that are walked from object to subject, first the one whose objects have fewest subjects here.
        """
        known, text = set(walk.names), f"VALUES ({' '.join(walk.names)}) {{ {_ROWS} }}"
        waiting, order = list(walk.beside), []
        while waiting:
            chosen = min(waiting, key=lambda pattern: self._cost(store, pattern, known))
            order.append(chosen)
            waiting.remove(chosen)
            text = _joined(text, chosen, known)
            known |= chosen.variables
        return tuple(order), text

    def _cost(self, store: Store, pattern: Pattern, known: set[str]) -> float:
        is_subject_known, is_object_known = (
            not is_variable(end) or end in known for end in (pattern.subject, pattern.object)
        )
        if pattern.variables <= known:
            return 0
        if not known & pattern.variables:
            return float("inf")
        is_simple = isinstance(pattern.path, Predicate)
        if is_subject_known:
            return 1 if is_simple else 2
        if isinstance(pattern.path, Predicate) and is_object_known:
            return 3 + self._subjects_per_object(store, pattern.path.iri)
        return 1e6 if is_object_known else 1e9

    def _subjects_per_object(self, store: Store, predicate: NamedNode) -> float:
        """About how many, from a sample; kept from when it was first asked for, since only the speed depends on it."""
        if predicate not in self._fan_in:
            query = (
                "SELECT (COUNT(*) AS ?all) (COUNT(DISTINCT ?object) AS ?distinct) "
                f"WHERE {{ {{ SELECT ?object WHERE {{ ?subject {predicate} ?object }} LIMIT 1000 }} }}"
            )
            ((every, distinct),) = _asked(store, query, "all", "distinct")
            self._fan_in[predicate] = int(every.value) / max(1, int(distinct.value))
        return self._fan_in[predicate]

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
        if len(present) <= _SOME:
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
            for part in _parts(foci) if columns else ():
                query = f"SELECT ?this {selected} WHERE {{ VALUES ?this {{ {' '.join(map(str, part))} }} }}"
                for this, *passed in _asked(store, query, "this", *names):
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


@dataclass(frozen=True, eq=False)
class _Root:
    """A shape that has targets, and its units by number."""

    plan: Plan
    units: frozenset[int]


class _Targets:
    """Which nodes the roots apply to."""

    def __init__(self, roots: Iterable[_Root]) -> None:
        self.classes: dict[str, list[_Root]] = {}
        self.subjects: dict[NamedNode, list[_Root]] = {}
        self.objects: dict[NamedNode, list[_Root]] = {}
        self._nodes: dict[str, list[_Root]] = {}
        for root in roots:
            for target in root.plan.shape.targets:
                match target.kind, target.term:
                    case "class", term:
                        self.classes.setdefault(str(term), []).append(root)
                    case "subjects-of", NamedNode() as predicate:
                        self.subjects.setdefault(predicate, []).append(root)
                    case "objects-of", NamedNode() as predicate:
                        self.objects.setdefault(predicate, []).append(root)
                    case _, term:
                        self._nodes.setdefault(str(_as_kept(term)), []).append(root)
        #: The predicates that can make a node a target of each unit, as subject (True) and as object.
        self._deciding: dict[bool, dict[int, set[NamedNode]]] = {True: defaultdict(set), False: defaultdict(set)}
        for is_subject, targets in ((True, self.subjects), (False, self.objects)):
            for predicate, applied in targets.items():
                for unit in {unit for root in applied for unit in root.units}:
                    self._deciding[is_subject][unit].add(predicate)

    def stays(self, nodes: Nodes, node: Term, root: _Root, changed: AbstractSet[Quad], tree: ClassTree) -> bool:
        """Is the node a target of the root both before and after the change, by triples that it leaves alone?"""

        types: frozenset[str] | None = None
        for target in root.plan.shape.targets:
            match target.kind, target.term:
                case "node", term:
                    stays = str(_as_kept(term)) == str(node)
                case "objects-of", NamedNode() as predicate:
                    stays = nodes.holds(None, predicate, node, changed)
                case _ if isinstance(node, Literal):
                    stays = False
                case "subjects-of", NamedNode() as predicate:
                    stays = nodes.holds(node, predicate, None, changed)
                case _, term:
                    if types is None:
                        kept = (Quad(node, TYPE, kind) for kind in nodes.types(node))
                        types = frozenset(str(quad.object) for quad in kept if quad not in changed)
                    stays = str(term) in tree.kinds(types)
            if stays:
                return True
        return False

    def among(
        self, store: Store, seen: Nodes, foci: Mapping[Writable, Iterable[int]], tree: ClassTree
    ) -> dict[Writable, frozenset[int]]:
        """The foci with those of their units that apply to them in the store's present state."""
        kept: dict[Writable, frozenset[int]] = {}
        for nodes in _parts(foci):
            wanted = {node: set(foci[node]) for node in nodes}
            found: dict[Writable, set[int]] = {node: set() for node in nodes}
            types: dict[Writable, set[str]] = defaultdict(set)
            for node, kind in _types(store, seen, nodes):
                types[node].add(str(kind))
            for node, held in types.items():
                for name in tree.kinds(frozenset(held)) & self.classes.keys():
                    found[node].update(*(root.units for root in self.classes[name]))
            for node in nodes:
                found[node].update(*(root.units for root in self._nodes.get(str(node), ())))
            for is_subject, targets in ((True, self.subjects), (False, self.objects)):
                deciding = self._deciding[is_subject]
                for node, predicate in _having(store, seen, wanted, found, deciding, is_subject=is_subject):
                    found[node].update(*(root.units for root in targets.get(predicate, ())))
            kept |= {node: units for node in nodes if (units := frozenset(wanted[node] & found[node]))}
        return kept


class _Walk:
    """A way with the units that it concerns, and all about it that need not be found out anew."""

    def __init__(self, way: Way) -> None:
        self.way = way
        self.units: set[int] = set()
        #: Those that can have more results when the triple comes, and when it goes.
        self.worse: dict[bool, set[int]] = {True: set(), False: set()}
        self.given = _variables(way)
        #: Where a row has the focus node itself.
        self.end = self.given.index(THIS) if THIS in self.given else None
        self.single = _single_step(way)
        names = {THIS: THIS}  # shorter ones
        for pattern in (way.edge, *way.beside):
            for variable in sorted(pattern.variables):
                names.setdefault(variable, f"?v{len(names)}")
        self.names = tuple(names[variable] for variable in self.given)
        self.beside = tuple(pattern.renamed(names) for pattern in way.beside)
        self.written: tuple[tuple[Pattern, ...], str] | None = None
        ends = (way.edge.subject, way.edge.path, way.edge.object)
        places = {end: place for place, end in reversed(list(enumerate(ends))) if is_variable(end)}
        self._places = tuple(places[variable] for variable in self.given)
        self._same = [
            (place, places[end]) for place, end in enumerate(ends) if is_variable(end) and places[end] != place
        ]
        fixed = [(place, end) for place, end in enumerate(ends) if isinstance(end, str) and not is_variable(end)]
        self._nodes = [(place, NamedNode(end[1:-1])) for place, end in fixed if end.startswith("<")]
        self._literals = [place for place, end in fixed if not end.startswith("<")]

    def add(self, unit: int, signs: Iterable[bool]) -> None:
        self.units.add(unit)
        for sign in signs:
            self.worse[sign].add(unit)

    def row(self, quad: Quad) -> _Row | None:
        """The values of the edge's variables where the triple matches it; a literal in the edge is not compared."""
        terms = (quad.subject, quad.predicate, quad.object)
        for place, node in self._nodes:
            if terms[place] != node:
                return None
        for place in self._literals:
            if isinstance(terms[place], NamedNode):
                return None
        if any(terms[one] != terms[other] for one, other in self._same):
            return None
        return tuple([terms[place] for place in self._places])


_Begun: TypeAlias = dict[_Walk, dict[_Row, set[int]]]  # the changed triples that each walk begins at, and for whom


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


class _Found:
    """Foci and whole units, as they are found; `unsettled` are nodes that begin or end to be targets."""

    def __init__(self) -> None:
        self.whole: set[int] = set()
        self.unsettled: set[Writable] = set()
        self._foci: dict[Writable, set[int]] = defaultdict(set)

    def add(self, node: Term | None, units: Iterable[int]) -> None:
        if node in self._foci or (isinstance(node, NamedNode | Literal) and can_be_written(node)):
            self._foci[node].update(units)  # type: ignore[index]
        else:
            self.whole.update(units)

    def add_target(self, node: Term | None, units: Iterable[int]) -> None:
        self.add(node, units)
        if isinstance(node, NamedNode | Literal):
            self.unsettled.add(node)

    def kept(self) -> dict[Writable, set[int]]:
        """The foci with their units, but for those units that are to be judged whole: too many foci make them so."""
        counts = Counter(unit for units in self._foci.values() for unit in units)
        self.whole.update(unit for unit, number in counts.items() if number > MOST_FOCI)
        return {node: rest for node, units in self._foci.items() if (rest := units - self.whole)}


def _having(
    store: Store,
    seen: Nodes,
    wanted: Mapping[Writable, set[int]],
    found: Mapping[Writable, set[int]],
    deciding: Mapping[int, AbstractSet[NamedNode]],
    *,
    is_subject: bool,
) -> Iterator[tuple[Writable, NamedNode]]:
    """Nodes with the predicates that they have, or are a value of, where that decides on a unit that is wanted."""
    alike: dict[frozenset[NamedNode], list[Writable]] = defaultdict(list)
    for node, units in wanted.items():
        about = seen.seen(node) if is_subject else None
        if about is not None:
            yield from ((node, predicate) for predicate in about)
        elif not is_subject and len(wanted) <= _SOME and not seen.is_value(node):
            continue
        elif rest := units - found[node]:
            alike[frozenset().union(*(deciding[unit] for unit in rest if unit in deciding))].append(node)
    pattern = "?this ?p ?any" if is_subject else "?any ?p ?this"
    for predicates, nodes in alike.items():
        if len(nodes) * len(predicates) <= _FEW:
            for node, predicate in product(nodes, predicates):
                if seen.has(node, predicate) if is_subject else seen.is_value(node, predicate):
                    yield node, predicate
        else:
            values = f"VALUES ?this {{ {' '.join(map(str, nodes))} }} VALUES ?p {{ {' '.join(map(str, predicates))} }}"
            query = f"SELECT ?this ?p WHERE {{ {values} FILTER(EXISTS {{ {pattern} }}) }}"
            yield from _asked(store, query, "this", "p")


def _types(store: Store, seen: Nodes, nodes: tuple[Writable, ...]) -> Iterator[tuple[Writable, Term]]:
    if len(nodes) <= _SOME:
        yield from ((node, kind) for node in nodes for kind in seen.types(node))
        return
    query = f"SELECT ?this ?type WHERE {{ VALUES ?this {{ {' '.join(map(str, nodes))} }} ?this a ?type }}"
    yield from _asked(store, query, "this", "type")


_ROWS = "\u0005"  # where the rows of an edge go


def _variables(way: Way) -> tuple[str, ...]:
    """The variables of the edge that a change gives values to, each once."""
    if way.kind is not None:
        return (way.edge.subject,)
    ends = (way.edge.subject, way.edge.path, way.edge.object)
    return tuple(dict.fromkeys(end for end in ends if isinstance(end, str) and is_variable(end)))


def _single_step(way: Way) -> tuple[NamedNode, bool, int] | None:
    """The predicate of a way of one step, whether it is walked toward the focus node, and where rows have its start."""
    given = _variables(way)
    match way.beside:
        case (Pattern(subject=patterns.THIS, path=Predicate(predicate), object=end),) if end in given:
            return predicate, False, given.index(end)
        case (Pattern(subject=start, path=Predicate(predicate), object=patterns.THIS),) if start in given:
            return predicate, True, given.index(start)
    return None


def _joined(text: str, pattern: Pattern, known: set[str]) -> str:
    """The text with one more pattern, walked from what is known; see `queries` for why it is an OPTIONAL."""
    new = {variable: f"{variable}_" for variable in sorted(pattern.variables - known)}
    walked = pattern.renamed(new)
    path = walked.path if isinstance(walked.path, str) else sparql(walked.path)
    triple = f"{walked.subject} {path} {walked.object}"
    if not new:
        return f"{text} FILTER(EXISTS {{ {triple} }})"
    bound = " && ".join(f"bound({found})" for found in new.values())
    binds = " ".join(f"BIND(COALESCE({found}, <urn:x-shacl:none>) AS {variable})" for variable, found in new.items())
    return f"{{ {text} OPTIONAL {{ {triple} }} FILTER({bound}) {binds} }}"


def _one_of(quads: Iterable[Quad]) -> Quad | None:
    """One that counts, if any does."""
    return next(filter(_counts, quads), None)


def _counts(quad: Quad) -> bool:
    """Shapes see the default graph."""
    return isinstance(quad.graph_name, DefaultGraph)


def _as_kept(term: Term) -> Term:
    """The term as a store keeps it."""
    store = Store()
    store.add(Quad(TYPE, TYPE, term))
    kept: Term = next(iter(store)).object
    return kept


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


def _parts(items: Iterable[_T]) -> Iterator[tuple[_T, ...]]:
    """The items in tuples of a bounded size."""
    waiting = iter(items)
    while part := tuple(islice(waiting, _AT_ONCE)):
        yield part


def _asked(store: Store, query: str, *names: str) -> Iterator[tuple[Any, ...]]:
    solutions: Any = store.query(query)
    return (tuple(row[name] for name in names) for row in solutions)
