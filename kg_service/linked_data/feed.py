"""Every version of every thing as a Linked Data Event Stream (https://w3id.org/ldes), written as TREE pages.

A version has an IRI of its own and, in the graphs that said it, everything that was said of the thing after a change;
what the stream says of the version stands in the default graph. A thing of which nothing is said any more has a last
version that says so. The root leads to groups, each group to its pages; full pages and groups never change.

The stream is made of the log: of another engine's graph it knows what came through this service, and what others write
there past it, now or before, is missing, or stands in versions that are earlier than it was.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote

from pyoxigraph import (
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryResultsFormat,
    QuerySolutions,
    RdfFormat,
    parse,
    parse_query_results,
    serialize,
)

from kg_service.changes import history
from kg_service.linked_data.feed_index import Extent, FeedIndex, Version
from kg_service.rdf import PREFIXES, RDF_TYPE, Format
from kg_service.store.log import ChangeLog
from kg_service.store.patches import rows

#: Pages that one group leads to.
GROUP = 200
POLLING_SECONDS = 60
_LDES, _TREE, _AS = "https://w3id.org/ldes#", "https://w3id.org/tree#", "https://www.w3.org/ns/activitystreams#"
_DCAT = "http://www.w3.org/ns/dcat#"
#: What pages are written with.
NAMES = PREFIXES | {"ldes": _LDES, "tree": _TREE, "as": _AS, "dcat": _DCAT}
_VERSION_OF, _TIME = (
    NamedNode(PREFIXES[p] + name) for p, name in (("dcterms", "isVersionOf"), ("prov", "generatedAtTime"))
)
_CHANGE = NamedNode(PREFIXES["prov"] + "wasGeneratedBy")
_DELETED = NamedNode(_AS + "Delete")
Value = NamedNode | Literal


def in_order(quads: Iterable[Quad], how: Format) -> bytes:
    """The quads as text in the order in which they come; merged, where the format has no graphs."""
    assert how.rdf
    if how.rdf.supports_datasets:
        return serialize(quads, None, how.rdf, prefixes=NAMES) or b""
    return serialize(dict.fromkeys(quad.triple for quad in quads), None, how.rdf, prefixes=NAMES) or b""


def digest(text: bytes) -> str:
    """What tells one text from another, for an ETag."""
    return hashlib.blake2b(text, digest_size=12).hexdigest()


def _named(base: str, name: str) -> NamedNode:
    return NamedNode(base + name)


def _time(text: str) -> Literal:
    return Literal(text, datatype=NamedNode(PREFIXES["xsd"] + "dateTime"))


def version_iri(version: Version) -> NamedNode:
    """The IRI of a version: of the change, and of the thing in it."""
    return NamedNode(f"{history.iri(version.change).value}#{quote(version.iri, safe='')}")


def query(versions: Iterable[Version], *, union: bool) -> str:
    """What is said of these things now, and in which graph; in the default one, what no named graph says."""
    things = " ".join(str(NamedNode(iri)) for iri in sorted({version.iri for version in versions}))
    alone = "FILTER NOT EXISTS { GRAPH ?any { ?s ?p ?o } }" if union else ""
    return (
        f"SELECT ?g ?s ?p ?o {{ VALUES ?s {{ {things} }} {{ GRAPH ?g {{ ?s ?p ?o }} }} UNION {{ ?s ?p ?o {alone} }} }}"
    )


def states(log: ChangeLog, versions: list[Version], now: bytes) -> dict[Version, frozenset[bytes]]:
    """What is said in each version, as lines of N-Quads: what is said now, without what later changes did.

    `now` is the answer to `query` as JSON, of the log's generation.
    """
    lines: dict[str, set[bytes]] = {version.iri: set() for version in versions}
    solutions = parse_query_results(now, QueryResultsFormat.JSON)
    assert isinstance(solutions, QuerySolutions)
    for row in solutions:
        quad = Quad(row["s"], row["p"], row["o"], row["g"] or DefaultGraph())
        lines[row["s"].value].add(f"{quad} .".encode())
    later = log.touching(lines.keys(), after=min(version.change for version in versions))
    found: dict[Version, frozenset[bytes]] = {}
    waiting = sorted(versions, key=lambda version: version.change)
    for number in reversed(later):
        while waiting and waiting[-1].change >= number:
            version = waiting.pop()
            found[version] = frozenset(lines[version.iri])
        _undo(lines, log.packed(number) or b"")
    return found | {version: frozenset(lines[version.iri]) for version in waiting}


def _undo(lines: dict[str, set[bytes]], packed: bytes) -> None:
    if not packed:
        return
    known = {f"<{iri}>".encode(): said for iri, said in lines.items()}
    for code, line in rows(packed):
        said = known.get(line.partition(b" ")[0])
        if said is not None:
            (said.discard if code == "A" else said.add)(line)


def page(
    base: str, number: int, versions: list[Version], said: dict[Version, frozenset[bytes]], *, is_full: bool
) -> list[Quad]:
    """A page in the order of the stream: each version after the one before, what the stream says of it first."""
    here, stream = _named(base, f"/pages/{number}"), _named(base, "#stream")
    quads = [Quad(here, RDF_TYPE, NamedNode(_TREE + "Node"))]
    if is_full:
        quads.append(Quad(here, NamedNode(_LDES + "immutable"), Literal(True)))
    for version in versions:
        quads += _told(stream, version, said[version])
    return quads


def _told(stream: NamedNode, version: Version, said: frozenset[bytes]) -> Iterator[Quad]:
    this = version_iri(version)
    yield Quad(stream, NamedNode(_TREE + "member"), this)
    yield Quad(this, _VERSION_OF, NamedNode(version.iri))
    yield Quad(this, _TIME, _time(version.time))
    yield Quad(this, _CHANGE, history.iri(version.change))
    if not said:
        yield Quad(this, RDF_TYPE, _DELETED)
    for quad in parse(b"\n".join(sorted(said)), RdfFormat.N_QUADS):
        yield Quad(this, quad.predicate, quad.object, quad.graph_name)


def root(base: str, index: FeedIndex) -> list[Quad]:
    """The stream and its view: what a version looks like, what is kept, and the groups of pages."""
    here, stream, source, kept = (_named(base, name) for name in ("", "#stream", "#source", "#retention"))
    shape, license = _named(base, "/shape#Version"), NamedNode("https://creativecommons.org/licenses/by/4.0/")

    def ldes(name: str) -> NamedNode:
        return NamedNode(_LDES + name)

    said: list[tuple[NamedNode, NamedNode, Value]] = [
        (stream, RDF_TYPE, ldes("EventStream")),
        (stream, NamedNode(_TREE + "view"), here),
        (stream, NamedNode(_TREE + "shape"), shape),
        (stream, ldes("timestampPath"), _TIME),
        (stream, ldes("versionOfPath"), _VERSION_OF),
        (stream, ldes("versionDeletePath"), RDF_TYPE),
        (stream, ldes("versionDeleteObject"), _DELETED),
        (stream, ldes("pollingInterval"), Literal(POLLING_SECONDS)),
        (stream, NamedNode(PREFIXES["dcterms"] + "title"), Literal("Every version of everything", language="en")),
        (stream, NamedNode(PREFIXES["dcterms"] + "license"), license),
        (here, RDF_TYPE, NamedNode(_TREE + "Node")),
        (here, NamedNode(_TREE + "viewDescription"), source),
        (source, RDF_TYPE, ldes("EventSource")),
        (source, NamedNode(_DCAT + "accessURL"), here),
        (source, NamedNode(PREFIXES["dcterms"] + "license"), license),
        (here, ldes("retentionPolicy"), kept),
        (kept, RDF_TYPE, ldes("RetentionPolicy")),
        (kept, NamedNode(PREFIXES["rdfs"] + "comment"), Literal("All versions are kept, for ever.", language="en")),
    ]
    if since := index.since():
        said.append((kept, ldes("startingFrom"), _time(since)))
    quads = [Quad(*each) for each in said]
    for group in range(-(-index.pages // GROUP)):
        quads += _relation(here, f"{base}/groups/{group}", extent_of_group(index, group))
    return quads


def extent_of_group(index: FeedIndex, group: int) -> Extent:
    """What a group covers; it is full when all its pages are."""
    last = min(index.pages, (group + 1) * GROUP) - 1
    extent = index.extent(group * GROUP, last)
    return Extent(extent.first, extent.last, extent.is_full and last == (group + 1) * GROUP - 1)


def group(base: str, number: int, index: FeedIndex) -> list[Quad]:
    """A node that leads to its pages."""
    here = _named(base, f"/groups/{number}")
    quads = [Quad(here, RDF_TYPE, NamedNode(_TREE + "Node"))]
    if extent_of_group(index, number).is_full:
        quads.append(Quad(here, NamedNode(_LDES + "immutable"), Literal(True)))
    for each in range(number * GROUP, min(index.pages, (number + 1) * GROUP)):
        quads += _relation(here, f"{base}/pages/{each}", index.extent(each, each))
    return quads


def _relation(here: NamedNode, node: str, extent: Extent) -> Iterator[Quad]:
    """What a node leads to: versions not earlier than some time and, if it is full, none later than another."""
    bounds = [("GreaterThanOrEqualToRelation", extent.first)]
    if extent.is_full:
        bounds.append(("LessThanOrEqualToRelation", extent.last))
    for kind, value in bounds:
        relation = NamedNode(f"{here.value}#{kind}-{node.rpartition('/')[2]}")
        yield Quad(here, NamedNode(_TREE + "relation"), relation)
        yield Quad(relation, RDF_TYPE, NamedNode(_TREE + kind))
        yield Quad(relation, NamedNode(_TREE + "node"), NamedNode(node))
        yield Quad(relation, NamedNode(_TREE + "path"), _TIME)
        yield Quad(relation, NamedNode(_TREE + "value"), _time(value))


def shape(base: str, shapes: str) -> list[Quad]:
    """The shape of a version; what is said of the thing in it is as the project's own shapes want it."""
    this = _named(base, "/shape#Version")

    def sh(name: str) -> NamedNode:
        return NamedNode(PREFIXES["sh"] + name)

    quads = [
        Quad(this, RDF_TYPE, sh("NodeShape")),
        Quad(this, sh("nodeKind"), sh("IRI")),
        Quad(this, NamedNode(PREFIXES["rdfs"] + "seeAlso"), NamedNode(shapes)),
    ]
    wanted: tuple[tuple[str, NamedNode, dict[str, Any]], ...] = (
        ("thing", _VERSION_OF, {"nodeKind": sh("IRI")}),
        ("time", _TIME, {"datatype": NamedNode(PREFIXES["xsd"] + "dateTime")}),
        ("change", _CHANGE, {"nodeKind": sh("IRI")}),
    )
    for name, path, more in wanted:
        each = _named(base, f"/shape#Version-{name}")
        quads += [Quad(this, sh("property"), each), Quad(each, sh("path"), path)]
        quads += [Quad(each, sh(name), Literal(1)) for name in ("minCount", "maxCount")]
        quads += [Quad(each, sh(name), value) for name, value in more.items()]
    return quads
