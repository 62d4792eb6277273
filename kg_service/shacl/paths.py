"""Property paths: read from a shapes graph, written as SPARQL text and as RDF (SHACL, section 2.3.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from pyoxigraph import BlankNode, NamedNode, Triple

from kg_service.shacl.graph import FIRST, NIL, REST, Graph, Node, Term, sh


@dataclass(frozen=True)
class Predicate:
    iri: NamedNode


@dataclass(frozen=True)
class Inverse:
    path: Path


@dataclass(frozen=True)
class Sequence:
    steps: tuple[Path, ...]


@dataclass(frozen=True)
class Alternative:
    choices: tuple[Path, ...]


@dataclass(frozen=True)
class Repeat:
    """A path taken several times; `sign` is * (any number), + (one or more) or ? (none or one)."""

    path: Path
    sign: str


Path: TypeAlias = Predicate | Inverse | Sequence | Alternative | Repeat

_REPEATS = {"zeroOrMorePath": "*", "oneOrMorePath": "+", "zeroOrOnePath": "?"}
_REPEAT_NAMES = {sign: name for name, sign in _REPEATS.items()}


class IllFormedPath(Exception):
    """What is wrong with a path, for the reader to put a place to."""


def read_path(graph: Graph, node: Term, above: tuple[Term, ...] = ()) -> Path:
    """The path that a node of the shapes graph stands for."""
    if isinstance(node, NamedNode):
        return Predicate(node)
    if not isinstance(node, BlankNode):
        raise IllFormedPath(f"a path is an IRI or a blank node, not {node}")
    if node in above:
        raise IllFormedPath("the path contains itself")
    above = (*above, node)
    if graph.objects(node, FIRST):
        return Sequence(_steps(graph, node, above, "a sequence path"))
    forms = [name for name in ("inversePath", "alternativePath", *_REPEATS) if graph.objects(node, sh(name))]
    if len(forms) != 1 or len(graph.objects(node, sh(forms[0]))) != 1:
        raise IllFormedPath(
            "a path is an IRI, a list, or a blank node with exactly one of sh:inversePath, sh:alternativePath, "
            f"sh:zeroOrMorePath, sh:oneOrMorePath, sh:zeroOrOnePath; found {', '.join(forms) or 'none'}"
        )
    inner = graph.objects(node, sh(forms[0]))[0]
    if forms[0] == "alternativePath":
        return Alternative(_steps(graph, inner, above, "sh:alternativePath"))
    path = read_path(graph, inner, above)
    return Inverse(path) if forms[0] == "inversePath" else Repeat(path, _REPEATS[forms[0]])


def _steps(graph: Graph, head: Term, above: tuple[Term, ...], what: str) -> tuple[Path, ...]:
    members = graph.members(head)
    if members is None or len(members) < 2:
        raise IllFormedPath(f"{what} takes a list of at least two paths")
    return tuple(read_path(graph, member, above) for member in members)


def sparql(path: Path, name: Callable[[NamedNode], str] = str) -> str:
    """The path as SPARQL 1.1 writes it; `name` says how an IRI is written."""
    match path:
        case Predicate(iri):
            return name(iri)
        case Inverse(inner):
            return "^" + _atom(inner, name)
        case Sequence(steps):
            return "/".join(_atom(step, name) for step in steps)
        case Alternative(choices):
            return "|".join(_atom(choice, name) for choice in choices)
        case Repeat(inner, sign):
            return _atom(inner, name) + sign


def _atom(path: Path, name: Callable[[NamedNode], str]) -> str:
    text = sparql(path, name)
    return text if isinstance(path, Predicate) else f"({text})"


def is_nullable(path: Path) -> bool:
    """Can the path be walked in no step, so that a node is its own value?"""
    match path:
        case Predicate():
            return False
        case Inverse(inner):
            return is_nullable(inner)
        case Sequence(steps):
            return all(map(is_nullable, steps))
        case Alternative(choices):
            return any(map(is_nullable, choices))
        case Repeat(inner, sign):
            return sign != "+" or is_nullable(inner)


def steps(path: Path) -> tuple[Path, ...]:
    """The paths that are walked one after the other; an inverse stands within each step, never around a sequence."""
    match path:
        case Sequence(parts):
            return tuple(step for part in parts for step in steps(part))
        case Inverse(Sequence(parts)):
            return tuple(step for part in reversed(parts) for step in steps(Inverse(part)))
        case Inverse(Inverse(inner)):
            return steps(inner)
        case _:
            return (path,)


@dataclass(frozen=True)
class Edge:
    """A triple on a path: what is walked from the start before it, its predicate, and what is walked after it.

    An inverse edge is walked from the object of the triple to its subject.
    """

    before: tuple[Path, ...]
    predicate: NamedNode
    is_inverse: bool
    after: tuple[Path, ...]


def edges(path: Path) -> Iterator[Edge]:
    """Every place on the path at which a triple is walked."""
    after: tuple[Path, ...]
    match path:
        case Predicate(iri):
            yield Edge((), iri, False, ())
        case Inverse(inner):
            for edge in edges(inner):
                before: tuple[Path, ...] = tuple(Inverse(step) for step in reversed(edge.after))
                after = tuple(Inverse(step) for step in reversed(edge.before))
                yield Edge(before, edge.predicate, not edge.is_inverse, after)
        case Sequence(parts):
            for number, part in enumerate(parts):
                for edge in edges(part):
                    yield Edge(
                        (*parts[:number], *edge.before),
                        edge.predicate,
                        edge.is_inverse,
                        (*edge.after, *parts[number + 1 :]),
                    )
        case Alternative(choices):
            for choice in choices:
                yield from edges(choice)
        case Repeat(inner, sign):
            again = () if sign == "?" else (Repeat(inner, "*"),)
            for edge in edges(inner):
                yield Edge((*again, *edge.before), edge.predicate, edge.is_inverse, (*edge.after, *again))


def in_sequence(parts: tuple[Path, ...]) -> Path | None:
    """The paths one after the other; None for no step at all."""
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else Sequence(parts)


def as_rdf(path: Path) -> tuple[Node, list[Triple]]:
    """The path as a node and the triples that describe it, with fresh blank nodes."""
    triples: list[Triple] = []

    def write(part: Path) -> Node:
        match part:
            case Predicate(iri):
                return iri
            case Sequence(steps):
                return _write_list([write(step) for step in steps], triples)
            case Alternative(choices):
                return describe("alternativePath", _write_list([write(choice) for choice in choices], triples))
            case Inverse(inner):
                return describe("inversePath", write(inner))
            case Repeat(inner, sign):
                return describe(_REPEAT_NAMES[sign], write(inner))

    def describe(name: str, value: Node) -> Node:
        node = BlankNode()
        triples.append(Triple(node, sh(name), value))
        return node

    return write(path), triples


def _write_list(members: list[Node], triples: list[Triple]) -> Node:
    head: Node = NIL
    for member in reversed(members):
        cell = BlankNode()
        triples += [Triple(cell, FIRST, member), Triple(cell, REST, head)]
        head = cell
    return head
