"""What the pages about changes show: who changed what and when, and the statements that came and went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.rdf import PREF_LABEL, RDF_TYPE, DefaultGraph, Literal, NamedNode, Quad
from kg_service.store import Delta
from kg_service.web.names import Names, Shown
from kg_service.web.validation import Found, found

#: Statements of a change that are shown; the whole is to be had as RDF Patch.
SHOWN = 300


def results(told: Iterable[Mapping[str, Any]], names: Names) -> list[Found]:
    """What the shapes said, in the reader's language."""
    return [found(each, None, addresses=names.addresses, language=names.catalogue.language) for each in told]


@dataclass(frozen=True, slots=True)
class Changed:
    """A statement that came (`+`) or went (`−`)."""

    sign: str
    property: Shown
    value: Shown
    graph: Shown


@dataclass(frozen=True, slots=True)
class About:
    """What changed of one thing."""

    thing: Shown
    statements: tuple[Changed, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A change by things; `left_out` statements of it are not shown."""

    things: tuple[About, ...]
    left_out: int


def picked(delta: Delta, about: str | None = None) -> tuple[list[tuple[str, Quad]], int]:
    """The first statements of a change in order, of all things or of one, each with its sign; and how many more."""
    every = [("−", quad) for quad in delta.removed] + [("+", quad) for quad in delta.added]
    # A statement in a named graph stands in the default graph as well, which tells nothing.
    named = {(sign, quad.triple) for sign, quad in every if not isinstance(quad.graph_name, DefaultGraph)}
    wanted = [
        (sign, quad)
        for sign, quad in every
        if (not isinstance(quad.graph_name, DefaultGraph) or (sign, quad.triple) not in named)
        and (about is None or _value(quad.subject) == about)
    ]
    # By thing first: few statements are looked at more closely than that.
    subjects = sorted(str(quad.subject) for _, quad in wanted)[:SHOWN]
    first = [each for each in wanted if subjects and str(each[1].subject) <= subjects[-1]]
    return sorted(first, key=_order)[:SHOWN], max(0, len(wanted) - SHOWN)


def _order(each: tuple[str, Quad]) -> tuple[str, int, str, bool, str]:
    sign, quad = each
    return str(quad.subject), *_place(quad.predicate.value), sign == "+", str(quad)


def _place(property: str) -> tuple[int, str]:
    """Types first, then names, then the others."""
    return {RDF_TYPE.value: 0, PREF_LABEL.value: 1}.get(property, 2), property


def _value(term: Any) -> str:
    return str(getattr(term, "value", term))


def mentioned(quads: Iterable[tuple[str, Quad]]) -> list[NamedNode]:
    """The things whose names a difference shows."""
    terms = {term for _, quad in quads for term in (quad.subject, quad.object) if isinstance(term, NamedNode)}
    return sorted(terms, key=str)


def names_in(delta: Delta) -> dict[str, list[Literal]]:
    """The names that a change itself gives: the graph may not have them, or no more."""
    named: dict[str, list[Literal]] = {}
    for quads in (delta.removed, delta.added):
        for quad in sorted((each for each in quads if each.predicate == PREF_LABEL), key=str):
            if isinstance(quad.object, Literal):
                named.setdefault(_value(quad.subject), []).append(quad.object)
    return named


def difference(quads: Iterable[tuple[str, Quad]], left_out: int, names: Names) -> Difference:
    """Statements in words, thing by thing."""
    by_thing: dict[Any, list[Changed]] = {}
    for sign, quad in quads:
        graph = quad.graph_name
        by_thing.setdefault(quad.subject, []).append(
            Changed(
                sign,
                names.property(quad.predicate.value),
                names.shown(quad.object),
                Shown(names.compact(graph.value)) if isinstance(graph, NamedNode) else Shown(""),
            )
        )
    return Difference(tuple(About(names.shown(thing), tuple(changed)) for thing, changed in by_thing.items()), left_out)
