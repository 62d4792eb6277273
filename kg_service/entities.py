"""The things of the graph one by one: what the graphs say of them, and what their IRIs are made of."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator

from anyascii import anyascii

from kg_service.errors import Refused
from kg_service.rdf import GENID, DefaultGraph, NamedNode, Quad


def statements(thing: NamedNode, graph: NamedNode | None) -> str:
    """The query for what one graph, or every named graph, says of a thing: ?graph ?property ?value, unsorted."""
    where = f"VALUES ?graph {{ {graph} }} " if graph else ""
    return f"SELECT ?graph ?property ?value {{ {where}GRAPH ?graph {{ {thing} ?property ?value }} }}"


def construct(thing: NamedNode, graph: NamedNode | None) -> str:
    """The query for the same as RDF."""
    pattern = f"GRAPH {graph} {{ {thing} ?p ?o }}" if graph else f"{thing} ?p ?o"
    return f"CONSTRUCT {{ {thing} ?p ?o }} WHERE {{ {pattern} }}"


def description(
    quads: Callable[[NamedNode], Iterable[Quad]], thing: NamedNode, graph: NamedNode | None
) -> Iterator[Quad]:
    """What one graph, or every named graph, says of a thing and of the nameless things that hang on it.

    `quads` gives the quads of a subject in all graphs. Nameless things are those that were blank nodes once.
    """
    waiting, seen = [thing], {thing}
    while waiting:
        for quad in quads(waiting.pop()):
            if isinstance(quad.graph_name, DefaultGraph) or graph not in (None, quad.graph_name):
                continue
            yield quad
            value = quad.object
            if isinstance(value, NamedNode) and value.value.startswith(GENID) and value not in seen:
                seen.add(value)
                waiting.append(value)


def check_about(thing: NamedNode, quads: Iterable[Quad]) -> None:
    """Refused when a statement is about another thing that has a name."""
    for quad in quads:
        subject = quad.subject
        if isinstance(subject, NamedNode) and subject != thing and not subject.value.startswith(GENID):
            raise Refused(f"a statement is about {subject}, not about {thing}; send it to /api/changes")


def slug(label: str) -> str:
    """A name as the end of an IRI: small Latin letters without accents, digits, single hyphens.

    Letters of other scripts are transliterated one by one, as AnyAscii has it. Empty for a name without any letter.
    """
    if not label.isascii():
        label = "".join(map(_latin, unicodedata.normalize("NFKC", label)))
    return re.sub(r"[^a-z0-9]+", "-", label.casefold()).strip("-")


def _latin(character: str) -> str:
    """What stands for a letter, mark or digit of any script; anything else parts words."""
    if unicodedata.category(character)[0] not in "LMN":
        return "-" if not character.isascii() else character
    return re.sub(r"[^A-Za-z0-9]", "", anyascii(character))
