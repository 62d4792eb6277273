"""A graph seen node by node, for those who ask little about few nodes: a query costs more than several look-ups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Store

from kg_service.shacl.graph import TYPE, Term
from kg_service.shacl.paths import Predicate
from kg_service.shacl.patterns import Pattern, is_variable

#: More of what a node says, or of nodes that lead to one, is not read here: a query does that faster.
_MOST = 500
_MOST_SUBJECTS = 50


class Nodes:
    """The default graph of a store; each look-up is made once, so nothing may be written while this is used.

    An answer of None says that there is too much.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._about: dict[Term, Mapping[NamedNode, list[Term]] | None] = {}
        self._objects: dict[tuple[Term, NamedNode], list[Term] | None] = {}
        self._subjects: dict[tuple[NamedNode, Term], list[Term] | None] = {}
        self._types: dict[Term, list[Term]] = {}
        self._is_value: dict[tuple[NamedNode | None, Term], bool] = {}

    def __contains__(self, quad: Quad) -> bool:
        return quad in self.store

    def about(self, node: Any) -> Mapping[NamedNode, list[Term]] | None:
        """The values of each predicate that the node has."""
        if node not in self._about:
            held: list[Quad] = []
            if isinstance(node, NamedNode | BlankNode):
                held = list(islice(self.store.quads_for_pattern(node, None, None, DefaultGraph()), _MOST + 1))
            about: dict[NamedNode, list[Term]] = {}
            for quad in held:
                about.setdefault(quad.predicate, []).append(quad.object)
            self._about[node] = about if len(held) <= _MOST else None
        return self._about[node]

    def seen(self, node: Term) -> Mapping[NamedNode, list[Term]] | None:
        """As `about`, where that was asked before; else None."""
        return self._about.get(node)

    def objects(self, node: Any, predicate: NamedNode) -> list[Term] | None:
        about = self._about.get(node)
        if about is not None:
            return about.get(predicate, [])
        key = (node, predicate)
        if key not in self._objects:
            found: list[Term] = []
            if isinstance(node, NamedNode | BlankNode):
                held = self.store.quads_for_pattern(node, predicate, None, DefaultGraph())
                found = [quad.object for quad in islice(held, _MOST + 1)]
            self._objects[key] = found if len(found) <= _MOST else None
        return self._objects[key]

    def subjects(self, predicate: NamedNode, node: Any) -> list[Term] | None:
        key = (predicate, node)
        if key not in self._subjects and isinstance(node, NamedNode) and not self.is_value(node):
            self._subjects[key] = []  # most often nothing leads to what is new
        if key not in self._subjects:
            held = self.store.quads_for_pattern(None, predicate, node, DefaultGraph())
            found: list[Term] = [quad.subject for quad in islice(held, _MOST_SUBJECTS + 1)]
            self._subjects[key] = found if len(found) <= _MOST_SUBJECTS else None
        return self._subjects[key]

    def types(self, node: Any) -> list[Term]:
        """All of them, however many."""
        about = self._about.get(node)
        if about is not None:
            return about.get(TYPE, [])
        if node not in self._types:
            is_subject = isinstance(node, NamedNode | BlankNode)
            held = self.store.quads_for_pattern(node, TYPE, None, DefaultGraph()) if is_subject else ()
            self._types[node] = [quad.object for quad in held]
        return self._types[node]

    def has(self, node: Any, predicate: NamedNode) -> bool:
        return self.objects(node, predicate) != []

    def is_value(self, node: Any, predicate: NamedNode | None = None) -> bool:
        """Is the node a value of the predicate, or of any?"""
        key = (predicate, node)
        if key not in self._is_value:
            held = self.store.quads_for_pattern(None, predicate, node, DefaultGraph())
            self._is_value[key] = next(held, None) is not None
        return self._is_value[key]

    def holds(self, subject: Any, predicate: NamedNode, value: Any, without: AbstractSet[Quad]) -> bool:
        """Is there such a triple that is not among these? What is None can be anything."""
        if subject is None and not self.is_value(value):
            return False
        held = self.store.quads_for_pattern(subject, predicate, value, DefaultGraph())
        return any(quad not in without for quad in held)

    def joined(self, patterns: Iterable[Pattern], given: Mapping[str, Term], wanted: str) -> list[Term] | None:
        """What the variable can be where all patterns hold, followed from what is given.

        In their order, but for patterns that lead to too much: those wait until others have narrowed it down.
        """
        rows, waiting = [given], list(patterns)
        while rows and waiting:
            for pattern in waiting:
                following = self._following(pattern, rows)
                if following is not None:
                    rows = following
                    waiting.remove(pattern)
                    break
            else:
                return None
        return list(dict.fromkeys(row[wanted] for row in rows))

    def _following(self, pattern: Pattern, rows: list[Mapping[str, Term]]) -> list[Mapping[str, Term]] | None:
        if not isinstance(pattern.path, Predicate):
            return None
        found: list[Mapping[str, Term]] = []
        for row in rows:
            onward = self._follow(pattern, pattern.path.iri, row)
            if onward is None or len(found) > _MOST:
                return None
            found += onward
        return found

    def _follow(
        self, pattern: Pattern, predicate: NamedNode, row: Mapping[str, Term]
    ) -> list[Mapping[str, Term]] | None:
        subject, value = (_bound(end, row) for end in (pattern.subject, pattern.object))
        if isinstance(subject, Literal):
            return []
        if subject is not None and value is not None:
            return [row] if Quad(subject, predicate, value) in self.store else []
        if subject is not None and is_variable(pattern.object):
            objects = self.objects(subject, predicate)
            return None if objects is None else [{**row, pattern.object: each} for each in objects]
        if value is not None and is_variable(pattern.subject):
            subjects = self.subjects(predicate, value)
            return None if subjects is None else [{**row, pattern.subject: each} for each in subjects]
        return None


def _bound(end: str, row: Mapping[str, Term]) -> Term | None:
    """The term that an end of a pattern stands for; None for what is open, or is a literal in a query."""
    return NamedNode(end[1:-1]) if end.startswith("<") else row.get(end)
