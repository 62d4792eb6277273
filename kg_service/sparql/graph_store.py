"""The SPARQL 1.1 Graph Store HTTP Protocol: which graph a request is about, and the change that it asks for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import Message

from pyoxigraph import DefaultGraph, NamedNode, Quad

from kg_service.errors import Malformed, Refused
from kg_service.store import Delta


@dataclass(frozen=True, slots=True)
class Target:
    """The graph that a request is about: a named one, or the default graph (`iri` None)."""

    iri: str | None

    @property
    def name(self) -> NamedNode | DefaultGraph:
        return DefaultGraph() if self.iri is None else NamedNode(self.iri)

    def construct(self) -> str:
        """The query for the graph's triples."""
        pattern = "?s ?p ?o" if self.iri is None else f"GRAPH <{self.iri}> {{ ?s ?p ?o }}"
        return f"CONSTRUCT {{ ?s ?p ?o }} WHERE {{ {pattern} }}"


def target(parameters: Sequence[tuple[str, str]]) -> Target | None:
    """The graph named by `?graph=` or `?default` (section 4.2); None when neither is there.

    Malformed for both at once, a repeated parameter, and an IRI that is not absolute.
    """
    graphs = [value for name, value in parameters if name == "graph"]
    is_default = any(name == "default" for name, _ in parameters)
    if len(graphs) + is_default > 1:
        raise Malformed("name one graph: either ?default or one ?graph=")
    if not graphs:
        return Target(None) if is_default else None
    return named(graphs[0])


def named(iri: str) -> Target:
    """The graph of that name; Malformed where it is not an absolute IRI."""
    try:
        return Target(NamedNode(iri).value)
    except ValueError as error:
        raise Malformed(f'graph must be an absolute IRI, not "{iri}": {error}') from None


def parts(content_type: str, body: bytes) -> Iterator[tuple[str, bytes]]:
    """The media type and the bytes of each part of a multipart body (RFC 7578); Malformed when there is none."""
    message = message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    inside = message.get_payload()
    if not message.is_multipart() or not isinstance(inside, list):
        raise Malformed("the multipart body has no parts; does its boundary fit the Content-Type?")
    for part in inside:
        assert isinstance(part, Message)
        payload = part.get_payload(decode=True)
        yield part.get_content_type(), payload if isinstance(payload, bytes) else b""


def replaced(where: Target, old: Iterable[Quad], new: Iterable[Quad]) -> Delta:
    """PUT: the graph holds just the new triples. DELETE is the same with none."""
    before, after = frozenset(old), _in(where, new)
    return Delta(added=after - before, removed=before - after)


def merged(where: Target, new: Iterable[Quad]) -> Delta:
    """POST: the graph holds the new triples too."""
    return Delta(added=_in(where, new))


def patched(where: Target, delta: Delta) -> Delta:
    """PATCH: the change as one of the graph, whose triples need not name it; Refused when it names another graph."""
    for quad in (*delta.added, *delta.removed):
        if not isinstance(quad.graph_name, DefaultGraph) and quad.graph_name != where.name:
            named = f"<{where.iri}>" if where.iri else "the default graph"
            raise Refused(f"the patch changes the graph {quad.graph_name}, and the request is about {named} alone")
    return Delta(added=_in(where, delta.added), removed=_in(where, delta.removed))


def _in(where: Target, quads: Iterable[Quad]) -> frozenset[Quad]:
    return frozenset(Quad(q.subject, q.predicate, q.object, where.name) for q in quads)
