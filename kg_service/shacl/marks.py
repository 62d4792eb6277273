"""What a query leaves open until it is run: the target nodes, and the classes below a class.

With both written out, the engine has single triple patterns to look up. A path over rdfs:subClassOf in their place is
walked again for every row, and inside EXISTS its join may scan all types of the graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Protocol

from pyoxigraph import Literal, NamedNode

from kg_service.shacl.graph import SUBCLASS

#: Stands for a variable in the patterns of targets.
ANY = "\u0004"
_MOST_KINDS = 10_000  # combinations of types that are remembered
_TARGETS = re.compile("\u0002([?]\\w+)\u0002")
_INSTANCE = re.compile("\u0003([?]\\w+) (<[^<>]*>)\u0003")


def target_nodes(variable: str) -> str:
    """A mark for a pattern that binds the variable to each target node, once."""
    return f"\u0002{variable}\u0002"


def is_instance(variable: str, kind: NamedNode) -> str:
    """A mark for the expression that says whether a node is a SHACL instance of the class."""
    return f"\u0003{variable} {kind}\u0003"


def for_nodes(query: str, nodes: Iterable[NamedNode | Literal]) -> str:
    """The query for these target nodes only."""
    listed = " ".join(map(str, nodes))
    return _TARGETS.sub(lambda found: f"VALUES {found[1]} {{ {listed} }}", query)


def for_targets(query: str, patterns: Iterable[str]) -> str:
    """The query for all nodes that at least one of the patterns gives; `ANY` in them stands for the variable."""
    union = " UNION ".join(f"{{ {pattern} }}" for pattern in patterns)

    def every(found: re.Match[str]) -> str:
        return f"{{ SELECT DISTINCT {found[1]} WHERE {{ {union.replace(ANY, found[1])} }} }}"

    return _TARGETS.sub(every, query)


class ClassTree:
    """The classes below each class, from pairs of a class and one above it; both as SPARQL writes them.

    A blank node stands for itself only within the graph that the pairs come from.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._direct: dict[str, list[str]] = {}
        self._below: dict[str, dict[str, None]] = {}
        self._above: dict[str, list[str]] = {}
        self._kinds: dict[frozenset[str], frozenset[str]] = {}
        for below, above in pairs:
            self._direct.setdefault(above, []).append(below)
            self._above.setdefault(below, []).append(above)
        #: Is a class a blank node? Queries cannot name it, so its instances are looked for by path.
        self._has_blank = any(each.startswith("_:") for below in self._direct.values() for each in below)

    def instances(self, kind: str) -> list[str]:
        """Patterns for the instances of a class, `ANY` for the variable; a node may come more than once."""
        patterns = [f"{ANY} a {each}" for each in self._named(kind)]
        if self._has_blank:
            patterns.append(f"{ANY} a ?type FILTER(EXISTS {{ ?type {SUBCLASS}+ {kind} }})")
        return patterns

    def fill(self, query: str) -> str:
        """The query with its marks for instances replaced by expressions."""
        return _INSTANCE.sub(lambda found: self._is_instance(found[1], found[2]), query)

    def _is_instance(self, variable: str, kind: str) -> str:
        _, *below = self._named(kind)
        ways = [f"EXISTS {{ {variable} a {kind} }}"]  # the class itself first: it is what data mostly say
        if below:
            ways.append(f"EXISTS {{ {variable} a ?type FILTER(?type IN ({', '.join(below)})) }}")
        if self._has_blank:
            ways.append(f"EXISTS {{ {variable} a ?type FILTER(EXISTS {{ ?type {SUBCLASS}+ {kind} }}) }}")
        return f"({' || '.join(ways)})"

    def _named(self, kind: str) -> list[str]:
        """The class, then its subclasses that have names."""
        return [each for each in self.below(kind) if each.startswith("<")]

    def kinds(self, types: frozenset[str]) -> frozenset[str]:
        """The classes that what has these types is an instance of: the types, and all above them."""
        if types not in self._kinds:
            if len(self._kinds) >= _MOST_KINDS:
                self._kinds.clear()
            self._kinds[types] = frozenset(above for each in types for above in _closure(self._above, each))
        return self._kinds[types]

    def below(self, kind: str) -> dict[str, None]:
        """The class, then its subclasses."""
        if kind not in self._below:
            self._below[kind] = _closure(self._direct, kind)
        return self._below[kind]


def _closure(edges: dict[str, list[str]], start: str) -> dict[str, None]:
    """What is reached over any number of edges, the start first."""
    found: dict[str, None] = {start: None}
    waiting = [start]
    while waiting:
        for each in edges.get(waiting.pop(), ()):
            if each not in found:
                found[each] = None
                waiting.append(each)
    return found


class Asked(Protocol):
    """What validation needs of whoever holds the graph: rows of SELECT queries, as pyoxigraph's Store gives them."""

    def query(self, query: str, /) -> Any: ...


def class_tree(store: Asked) -> ClassTree:
    """The classes of the store's default graph."""
    rows = store.query(f"SELECT ?below ?above WHERE {{ ?below {SUBCLASS} ?above }}")
    return ClassTree((str(row["below"]), str(row["above"])) for row in rows)
