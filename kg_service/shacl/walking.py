"""From the triples of a change back to the focus nodes that look at them, along the ways of the shapes (`reach`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TypeAlias

from pyoxigraph import Literal, NamedNode, Quad, Store

from kg_service.shacl import patterns
from kg_service.shacl.graph import Term
from kg_service.shacl.lookups import can_be_written
from kg_service.shacl.nodes import Nodes
from kg_service.shacl.paths import Predicate, sparql
from kg_service.shacl.patterns import THIS, Pattern, is_variable
from kg_service.shacl.reach import Way
from kg_service.shacl.targets import AT_ONCE, SOME, Writable, asked, parts

#: A unit that more focus nodes are affected of is judged on all its targets: one query instead of very many.
MOST_FOCI = 20_000
_MOST_STEPS = 500  # look-ups that cost less than the steps of a query that they save
_ROWS = "\u0005"  # where the rows of an edge go

Row: TypeAlias = tuple[Term, ...]


class Walk:
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

    def row(self, quad: Quad) -> Row | None:
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


Begun: TypeAlias = dict[Walk, dict[Row, set[int]]]  # the changed triples that each walk begins at, and for whom


class Found:
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


class WayBack:
    """Walks back, in any number of stores; remembers only what is a matter of speed."""

    def __init__(self) -> None:
        self._fan_in: dict[NamedNode, float] = {}

    def go(self, store: Store, nodes: Nodes, begun: Begun, found: Found) -> None:
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
        found: Found,
        *,
        is_inverse: bool,
    ) -> None:
        """All ways that are one step long, in one query."""
        pattern = "?node ?p ?this" if is_inverse else "?this ?p ?node"
        if not is_inverse and len(wanted) <= _MOST_STEPS:  # to what is new, most often nothing leads
            wanted = {step: units for step, units in wanted.items() if nodes.is_value(step[1])}
        for part in parts(wanted):
            listed = " ".join(f"({predicate} {node})" for predicate, node in part)
            query = (
                f"SELECT ?this ?p ?node WHERE {{ VALUES (?p ?node) {{ {listed} }} {pattern} }} LIMIT {MOST_FOCI + 1}"
            )
            rows = list(asked(store, query, "this", "p", "node"))
            if len(rows) <= MOST_FOCI:
                for this, predicate, node in rows:
                    found.add(this, wanted[predicate, node])
            elif len(part) > 1:
                for step in part:
                    self._ask_steps(store, nodes, {step: wanted[step]}, found, is_inverse=is_inverse)
            else:
                found.whole |= wanted[part[0]]

    def _ask(self, store: Store, nodes: Nodes, walk: Walk, begun: Mapping[Row, set[int]], found: Found) -> None:
        if walk.written is None:
            walk.written = self._written(store, walk)
        order, text = walk.written
        rows = list(begun)
        if len(rows) <= SOME:
            reached = [(row, nodes.joined(order, dict(zip(walk.names, row, strict=True)), THIS)) for row in rows]
            for row, led in reached:
                for node in led or ():
                    found.add(node, begun[row])
            rows = [row for row, led in reached if led is None]
        for start in range(0, len(rows), AT_ONCE):
            listed = " ".join(f"({' '.join(map(str, row))})" for row in rows[start : start + AT_ONCE])
            query = f"SELECT DISTINCT ?this WHERE {{ {text.replace(_ROWS, listed)} }} LIMIT {MOST_FOCI + 1}"
            foci = [this for (this,) in asked(store, query, "this")]
            if len(foci) > MOST_FOCI:
                found.whole |= walk.units
                return
            for this in foci:
                found.add(this, walk.units)

    def _written(self, store: Store, walk: Walk) -> tuple[tuple[Pattern, ...], str]:
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
            ((every, distinct),) = asked(store, query, "all", "distinct")
            self._fan_in[predicate] = int(every.value) / max(1, int(distinct.value))
        return self._fan_in[predicate]


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
