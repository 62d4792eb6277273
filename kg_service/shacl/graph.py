"""A shapes graph in plain dictionaries.

It is not held in a store because a store canonicalises literals (`"1"^^xsd:boolean` becomes `true`), and the
Recommendation tells such spellings apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Triple

from kg_service.errors import KgError

Node: TypeAlias = NamedNode | BlankNode
Term: TypeAlias = NamedNode | BlankNode | Literal | Triple

SH = "http://www.w3.org/ns/shacl#"
RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
RDFS = "http://www.w3.org/2000/01/rdf-schema#"
OWL = "http://www.w3.org/2002/07/owl#"
XSD = "http://www.w3.org/2001/XMLSchema#"

TYPE = NamedNode(RDF + "type")
FIRST = NamedNode(RDF + "first")
REST = NamedNode(RDF + "rest")
NIL = NamedNode(RDF + "nil")
SUBCLASS = NamedNode(RDFS + "subClassOf")


def sh(name: str) -> NamedNode:
    """The SHACL term of this name."""
    return NamedNode(SH + name)


class ShapesError(KgError):
    """Shapes that cannot be used; the detail names the shape, the property and what would be right."""

    title = "The shapes cannot be used"
    status = 400


class Graph:
    """Triples by subject and predicate, in the order in which they were given, each once."""

    def __init__(self, triples: Iterable[Quad | Triple]) -> None:
        self._by_subject: dict[Term, dict[NamedNode, list[Term]]] = {}
        self._by_object: dict[tuple[NamedNode, Term], list[Node]] = {}
        for triple in triples:
            objects = self._by_subject.setdefault(triple.subject, {}).setdefault(triple.predicate, [])
            if triple.object not in objects and not isinstance(triple.subject, Triple):
                objects.append(triple.object)
                self._by_object.setdefault((triple.predicate, triple.object), []).append(triple.subject)

    def __iter__(self) -> Iterator[Triple]:
        for subject, predicates in self._by_subject.items():
            for predicate, objects in predicates.items():
                for value in objects:
                    yield Triple(subject, predicate, value)  # type: ignore[arg-type]

    def objects(self, subject: Term, predicate: NamedNode) -> list[Term]:
        return self._by_subject.get(subject, {}).get(predicate, [])

    def subjects(self, predicate: NamedNode, value: Term) -> list[Node]:
        return self._by_object.get((predicate, value), [])

    def subjects_with(self, predicate: NamedNode) -> list[Node]:
        """Every subject that has a value for the predicate."""
        return [s for s, held in self._by_subject.items() if predicate in held and not isinstance(s, Literal | Triple)]

    def predicates(self, subject: Term) -> list[NamedNode]:
        return list(self._by_subject.get(subject, {}))

    def members(self, head: Term) -> list[Term] | None:
        """The members of an RDF list, or None when it is not a well-formed one."""
        members: list[Term] = []
        seen: set[Term] = set()
        while head != NIL:
            first, rest = self.objects(head, FIRST), self.objects(head, REST)
            if len(first) != 1 or len(rest) != 1 or head in seen:
                return None
            seen.add(head)
            members.append(first[0])
            head = rest[0]
        return members

    def closure(self, start: Term, predicate: NamedNode, *, backward: bool = False) -> list[Term]:
        """What is reached from `start` over any number of steps, itself first."""
        reached: dict[Term, None] = {start: None}
        todo = [start]
        while todo:
            node = todo.pop()
            step: Iterable[Term] = self.subjects(predicate, node) if backward else self.objects(node, predicate)
            for found in step:
                if found not in reached:
                    reached[found] = None
                    todo.append(found)
        return list(reached)

    def instances(self, kind: NamedNode) -> list[Node]:
        """The SHACL instances of a class: its own and those of its subclasses (SHACL, section 1.1)."""
        found: dict[Node, None] = {}
        for each in self.closure(kind, SUBCLASS, backward=True):
            found.update(dict.fromkeys(self.subjects(TYPE, each)))
        return list(found)
