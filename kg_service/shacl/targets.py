"""Which nodes the shapes with targets apply to: before a change, after it, or in both states."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, TypeAlias, TypeVar

from pyoxigraph import Literal, NamedNode, Quad, Store

from kg_service.shacl.compiler import Plan
from kg_service.shacl.graph import TYPE, Term
from kg_service.shacl.marks import ClassTree
from kg_service.shacl.nodes import Nodes

AT_ONCE = 1_000  # nodes written into one query
SOME = 100  # look-ups that cost less than the parts of a query that they save
_FEW = 20  # look-ups that cost less than one query for all of them

Writable: TypeAlias = NamedNode | Literal
_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Root:
    """A shape that has targets, and its units by number."""

    plan: Plan
    units: frozenset[int]


class Targets:
    """Which nodes the roots apply to."""

    def __init__(self, roots: Iterable[Root]) -> None:
        self.classes: dict[str, list[Root]] = {}
        self.subjects: dict[NamedNode, list[Root]] = {}
        self.objects: dict[NamedNode, list[Root]] = {}
        self._nodes: dict[str, list[Root]] = {}
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

    def stays(self, nodes: Nodes, node: Term, root: Root, changed: AbstractSet[Quad], tree: ClassTree) -> bool:
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
        for nodes in parts(foci):
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
        elif not is_subject and len(wanted) <= SOME and not seen.is_value(node):
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
            yield from asked(store, query, "this", "p")


def _types(store: Store, seen: Nodes, nodes: tuple[Writable, ...]) -> Iterator[tuple[Writable, Term]]:
    if len(nodes) <= SOME:
        yield from ((node, kind) for node in nodes for kind in seen.types(node))
        return
    query = f"SELECT ?this ?type WHERE {{ VALUES ?this {{ {' '.join(map(str, nodes))} }} ?this a ?type }}"
    yield from asked(store, query, "this", "type")


def _as_kept(term: Term) -> Term:
    """The term as a store keeps it."""
    store = Store()
    store.add(Quad(TYPE, TYPE, term))
    kept: Term = next(iter(store)).object
    return kept


def parts(items: Iterable[_T]) -> Iterator[tuple[_T, ...]]:
    """The items in tuples of a bounded size."""
    waiting = iter(items)
    while part := tuple(islice(waiting, AT_ONCE)):
        yield part


def asked(store: Store, query: str, *names: str) -> Iterator[tuple[Any, ...]]:
    solutions: Any = store.query(query)
    return (tuple(row[name] for name in names) for row in solutions)
