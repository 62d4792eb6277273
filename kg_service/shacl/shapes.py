"""The intermediate form of shapes: what a shapes graph says, checked and frozen.

A shape holds the shapes that it refers to as objects; recursion is refused by the reader, so this is a finite tree
with shared branches. Each constraint knows its component, the class of constraint that results name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from pyoxigraph import Literal, NamedNode

from kg_service.shacl.graph import Node, Term, sh
from kg_service.shacl.paths import Path

VIOLATION = sh("Violation")


@dataclass(frozen=True)
class Target:
    """What a shape applies to; `kind` is node, class, subjects-of or objects-of."""

    kind: str
    term: NamedNode | Literal


@dataclass(frozen=True)
class ValueTest:
    """A constraint that each value node passes or fails by itself: class, datatype, length, pattern, …"""

    component: NamedNode
    terms: tuple[Term, ...]
    flags: str = ""


@dataclass(frozen=True)
class Count:
    """sh:minCount or sh:maxCount."""

    component: NamedNode
    number: int


@dataclass(frozen=True)
class HasValue:
    component: NamedNode
    term: Term


@dataclass(frozen=True)
class Pair:
    """sh:equals, sh:disjoint, sh:lessThan or sh:lessThanOrEquals: the values compared with those of `other`."""

    component: NamedNode
    other: NamedNode


@dataclass(frozen=True)
class UniqueLang:
    component: NamedNode


@dataclass(frozen=True)
class Closed:
    component: NamedNode
    allowed: tuple[NamedNode, ...]


@dataclass(frozen=True)
class Logic:
    """sh:not, sh:and, sh:or, sh:xone or sh:node: each value node against other shapes."""

    component: NamedNode
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Qualified:
    """sh:qualifiedMinCount or sh:qualifiedMaxCount of values that fit `shape` and none of `siblings`."""

    component: NamedNode
    shape: Shape
    siblings: tuple[Shape, ...]
    number: int


@dataclass(frozen=True)
class SparqlRule:
    """A sh:sparql constraint, or a custom component with its validator.

    `query` is the text as written; `parameters` are the terms pre-bound by the component, None for optional ones
    that the shape does not give.
    """

    component: NamedNode
    node: Node
    query: str
    prologue: str
    messages: tuple[Literal, ...]
    is_ask: bool = False
    parameters: tuple[tuple[str, Term | None], ...] = ()

    @property
    def is_custom(self) -> bool:
        return self.component != sh("SPARQLConstraintComponent")


Constraint: TypeAlias = ValueTest | Count | HasValue | Pair | UniqueLang | Closed | Logic | Qualified | SparqlRule


@dataclass(frozen=True, eq=False)
class Shape:
    """A node shape, or a property shape when it has a path."""

    node: Node
    path: Path | None
    targets: tuple[Target, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    properties: tuple[Shape, ...] = ()
    severity: NamedNode = VIOLATION
    messages: tuple[Literal, ...] = ()
    names: tuple[Literal, ...] = field(default=(), repr=False)
    is_deactivated: bool = False
    place: str = field(default="", repr=False)  # where it stands in the shapes graph, for errors
