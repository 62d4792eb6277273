"""The document about a thing in a profile and a format, as bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path

from kg_service import resources
from kg_service.linked_data import profiles
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.asking import Asking
from kg_service.linked_data.description import PAGE, Description, Property, labels_of
from kg_service.linked_data.jsonld import Context, write
from kg_service.linked_data.profiles import Representation
from kg_service.linked_data.questions import Direction
from kg_service.rdf import (
    ENTITY,
    JSON_LD,
    N_TRIPLES,
    PREFIXES,
    RDF_TYPE,
    DefaultGraph,
    Format,
    Literal,
    NamedNode,
    Quad,
    parse_bytes,
    to_text,
)

_FOAF, _RDFS, _DCTERMS = PREFIXES["foaf"], PREFIXES["rdfs"], PREFIXES["dcterms"]
_HYDRA, _VOID = "http://www.w3.org/ns/hydra/core#", "http://rdfs.org/ns/void#"
_MORE_PREFIXES = {"hydra": _HYDRA, "void": _VOID}
_PREFIX = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
#: Statements of a document in the words of schema.org.
_MOST = 1000
_LICENCE = NamedNode("https://creativecommons.org/licenses/by/4.0/")


def about(description: Description, addresses: Addresses) -> set[Quad]:
    """The full profile: statements, names, evidence, and what the document says of itself."""
    return description.quads() | description.names() | description.evidence | _of_itself(description, addresses)


def minimal(description: Description) -> set[Quad]:
    """The minimal profile: the thing's names and types."""
    own = description.labels.get(description.iri.value, ())
    names = {Quad(description.iri, property, name) for property, name in own}
    return names | {Quad(description.iri, RDF_TYPE, each) for each in description.types}


async def in_schema_org(asking: Asking, thing: NamedNode, addresses: Addresses) -> set[Quad]:
    """The profile of schema.org: what its words can say, with the names of what is pointed to.

    Where there is more than one document should hold, it says where everything is (schema:subjectOf).
    """
    found = await asking.graph(schema_org(thing), lambda text: list(parse_bytes(text, N_TRIPLES)))
    if len(found) >= _MOST:
        whole = NamedNode(addresses.data(thing.value))
        found.append(Quad(thing, NamedNode(PREFIXES["schema"] + "subjectOf"), whole))
    others = {q.object for q in found if isinstance(q.object, NamedNode) and q.predicate != RDF_TYPE} - {thing}
    names = await labels_of(asking, (each for each in others if isinstance(each, NamedNode)))
    return {*found} | {
        Quad(NamedNode(iri), NamedNode(PREFIXES["schema"] + "name"), label)
        for iri, labels in names.items()
        for _, label in labels
    }


@lru_cache(1)
def _mapping() -> str:
    return (Path(__file__).parent / "schema-org.rq").read_text(encoding="utf-8")


def schema_org(thing: NamedNode) -> str:
    """The query that says a thing in the words of schema.org."""
    return _mapping().replace("VALUES ?thing { UNDEF }", f"VALUES ?thing {{ {thing} }}") + f"LIMIT {_MOST}"


def _of_itself(description: Description, addresses: Addresses) -> set[Quad]:
    """What the document says of itself: what it is about, its licence, and where the rest of what was cut is."""
    document, thing = NamedNode(addresses.data(description.iri.value)), description.iri
    said: list[tuple[NamedNode, str, NamedNode | Literal]] = [
        (document, RDF_TYPE.value, NamedNode(_FOAF + "Document")),
        (document, _FOAF + "primaryTopic", thing),
        (document, _DCTERMS + "license", _LICENCE),
    ]
    for each in description.properties:
        if each.pages > 1:
            said += _pages(document, thing, each, addresses)
    return {Quad(subject, NamedNode(predicate), value) for subject, predicate, value in said}


def _pages(
    document: NamedNode, thing: NamedNode, of: Property, addresses: Addresses
) -> Iterable[tuple[NamedNode, str, NamedNode | Literal]]:
    """How a property with too many values is paged (Hydra)."""

    def view(number: int) -> NamedNode:
        return NamedNode(page_address(addresses, thing, of.iri, of.direction, number))

    whole = NamedNode(addresses.data(thing.value, property=of.iri.value, direction=of.direction))
    here = view(of.page)
    yield document, _RDFS + "seeAlso", whole
    yield whole, RDF_TYPE.value, NamedNode(_HYDRA + "Collection")
    yield whole, _VOID + "property", of.iri
    yield whole, _HYDRA + "totalItems", Literal(of.total)
    yield whole, _HYDRA + "view", here
    yield here, RDF_TYPE.value, NamedNode(_HYDRA + "PartialCollectionView")
    yield here, _HYDRA + "itemsPerPage", Literal(PAGE)
    for name, number in neighbours(of).items():
        yield here, _HYDRA + name, view(number)


def neighbours(of: Property) -> dict[str, int]:
    """The numbers of the pages around one: first, previous, next, last."""
    found = {"first": 1, "previous": of.page - 1, "next": of.page + 1, "last": of.pages}
    return {name: number for name, number in found.items() if 1 <= number <= of.pages}


def page_links(addresses: Addresses, thing: NamedNode, of: Property) -> str:
    """The pages around one, as the end of a Link header."""
    names = {"previous": "prev"}
    return "".join(
        f', <{page_address(addresses, thing, of.iri, of.direction, number)}>; rel="{names.get(name, name)}"'
        for name, number in neighbours(of).items()
    )


def page_address(
    addresses: Addresses, thing: NamedNode, property: NamedNode, direction: Direction, page: int, ending: str = ""
) -> str:
    """Where a page of a property is."""
    return addresses.data(thing.value, ending, property=property.value, direction=direction.value, page=str(page))


def text(quads: set[Quad], representation: Representation, first: NamedNode) -> bytes:
    """The statements in the format; in formats of one graph each once."""
    how: Format = representation.format
    if how is profiles.JSON or how.rdf == JSON_LD.rdf:
        compact = write(quads, context(), first)
        return compact if compact is not None else to_text(_merged(quads), JSON_LD, {})
    assert how.rdf is not None
    return to_text(quads if how.rdf.supports_datasets else _merged(quads), how, _prefixes(quads))


def _merged(quads: Iterable[Quad]) -> set[Quad]:
    return {Quad(q.subject, q.predicate, q.object, DefaultGraph()) for q in quads}


def _prefixes(quads: Iterable[Quad]) -> dict[str, str]:
    """The prefixes that occur, so that a small document has a small head."""
    iris = {
        term.value
        for quad in quads
        for term in (quad.subject, quad.predicate, quad.object, quad.graph_name)
        if isinstance(term, NamedNode)
    }
    iris |= {quad.object.datatype.value for quad in quads if isinstance(quad.object, Literal)}
    known = PREFIXES | _MORE_PREFIXES
    # A prefix for each type, so that slugs need no backslash before the slash.
    kinds = {iri.removeprefix(ENTITY).partition("/")[0] for iri in iris if iri.startswith(ENTITY)}
    known |= {kind: f"{ENTITY}{kind}/" for kind in sorted(kinds) if _PREFIX.fullmatch(kind) and kind not in known}
    return {name: begin for name, begin in known.items() if any(iri.startswith(begin) for iri in iris)}


def context_document() -> bytes:
    """The project's JSON-LD context, as it is published."""
    return (resources.folder("ontology") / "context.jsonld").read_bytes()


@lru_cache(1)
def context() -> Context:
    return Context.read(context_document())


def etag(generation: int, body: bytes) -> str:
    """A strong ETag: the generation, and a digest that tells variants apart."""
    return f'"{generation}-{blake2b(body, digest_size=12).hexdigest()}"'
