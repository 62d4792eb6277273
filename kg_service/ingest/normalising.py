"""RDF as lines of N-Quads, just as the store will keep it: whatever the format, a piece of the file at a time.

No blank node is left, every statement is in a graph, literals are in the store's own spelling. Almost all of that is
done by the engine's parser and serialiser, a piece at a time; only the lines that need more are looked at one by one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, RdfFormat, Store, parse, serialize

from kg_service.rdf import GENID, GRAPH

_XSD = rb"<http://www\.w3\.org/2001/XMLSchema#"
#: Literals with a type, of which it is certain that the store spells them so.
_AS_KEPT = re.compile(
    rb'"(?:[12][0-9]{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"\^\^' + _XSD + rb"date"
    rb'|[1-9][0-9]{0,15}"\^\^' + _XSD + rb"integer"
    rb'|(?:true|false)"\^\^' + _XSD + rb"boolean"
    rb'|[12][0-9]{3}"\^\^' + _XSD + rb"gYear"
    rb'|[^"\\]*"\^\^' + _XSD + rb"anyURI)> "
)
#: A language that the store might spell in another way.
_LANGUAGE = re.compile(rb'"@[a-z0-9-]*[A-Z]')
#: What may be a blank node: also within a literal.
_BLANK = re.compile(rb"^_:| _:", re.MULTILINE)
#: A statement outside any graph, as the serialiser writes it.
_GRAPHLESS = re.compile(rb'^(<[^>]*> <[^>]*> (?:<[^>]*>|"(?:[^"\\]|\\.)*"(?:@[^ ]+|\^\^<[^>]*>)?)) \.\n', re.MULTILINE)


class Normaliser:
    """Of one file: what is outside any graph goes to `home`; blank nodes are numbered in the order of the file."""

    def __init__(self, home: NamedNode) -> None:
        self._home = home
        self._ending = f" {home} .\n".encode()
        self._named: dict[BlankNode, NamedNode] = {}

    def stored(self, quad: Quad) -> Quad:
        """The quad as it is stored, but for the spelling of its literal."""
        where: Any = quad.graph_name
        home = self._home if isinstance(where, DefaultGraph) else self._term(where)
        return Quad(self._term(quad.subject), quad.predicate, self._term(quad.object), home)

    def text(self, quads: Sequence[Quad], *, has_graphs: bool) -> bytes:
        """Some statements of the file, the next ones, as lines of N-Quads just as they will be stored.

        `has_graphs` says whether any of them may be in a graph.
        """
        text = serialize(quads, None, RdfFormat.N_QUADS) or b""
        if b"_:" in text and _BLANK.search(text):
            text = serialize(map(self.stored, quads), None, RdfFormat.N_QUADS) or b""
        elif has_graphs:
            text = _GRAPHLESS.sub(lambda line: line[1] + self._ending, text)
        else:
            text = text.replace(b" .\n", self._ending)  # a line end is nowhere but at the end of a statement
        return as_kept(text)

    def _term(self, value: Any) -> Any:
        if not isinstance(value, BlankNode):
            return value
        number = len(self._named)
        return self._named.setdefault(value, NamedNode(f"{GENID}{self._home.value.removeprefix(GRAPH)}-{number}"))


def as_kept(text: bytes) -> bytes:
    """Lines of N-Quads with their literals as the store keeps them: it writes "007"^^xsd:integer as 7."""
    has_languages = _LANGUAGE.search(text) is not None
    lines = text.splitlines(keepends=True)
    in_doubt = {
        line
        for line in lines
        if (b'"^^' in line and not _AS_KEPT.match(line, line.index(b'"'))) or (has_languages and _LANGUAGE.search(line))
    }
    if not in_doubt:
        return text
    kept = Store()
    kept.load(b"".join(in_doubt), RdfFormat.N_QUADS, lenient=True)
    rest = (line for line in lines if line not in in_doubt)
    return b"".join(rest) + (serialize(kept, None, RdfFormat.N_QUADS) or b"")


def quads_of(text: bytes) -> list[Quad]:
    """The statements of such lines."""
    return list(parse(text, RdfFormat.N_QUADS, lenient=True))
