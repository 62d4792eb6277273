"""What the graph says of itself as data sets: VoID (figures and partitions) and DCAT 3 (where what is to be had).

The dataset and its graphs have IRIs that do not depend on where the service runs; the addresses are the service's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.linked_data import dumps
from kg_service.linked_data.figures import Figures
from kg_service.rdf import ENTITY, GRAPH, PREFIXES, RDF_TYPE, Term, entity

VOID, DCAT = "http://rdfs.org/ns/void#", "http://www.w3.org/ns/dcat#"
_DCT, _FOAF, _PROV, _OWL, _XSD, _SSE = (PREFIXES[n] for n in ("dcterms", "foaf", "prov", "owl", "xsd", "sse"))
_LABEL = PREFIXES["skos"] + "prefLabel"
_SPDX, _FORMATS = "http://spdx.org/rdf/terms#", "http://www.w3.org/ns/formats/"
_MEDIA = "https://www.iana.org/assignments/media-types/"
#: What these documents are written with.
NAMES = PREFIXES | {"void": VOID, "dcat": DCAT, "spdx": _SPDX, "formats": _FORMATS}
LICENSE = NamedNode("https://creativecommons.org/licenses/by/4.0/")
_TITLE = {
    "en": "Knowledge graph of the social and solidarity economy",
    "es": "Grafo de conocimiento de la economía social y solidaria",
    "fr": "Graphe de connaissances de l’économie sociale et solidaire",
}
_DESCRIPTION = {
    "en": "Who acts, where they meet, what they call for, what it serves, and how they are allied; each statement with "
    "the words it rests on.",
    "es": "Quién actúa, dónde se reúnen, qué piden, a qué sirve y cómo se alían; cada afirmación con las palabras en "
    "que se apoya.",
    "fr": "Qui agit, où l’on se réunit, ce que l’on demande, à quoi cela sert et quelles sont les alliances ; chaque "
    "affirmation avec les mots sur lesquels elle repose.",
}
#: Names of the graphs that were made of no document.
_GRAPHS = {
    "sse": "The ontology",
    "lists": "Closed lists",
    "alignments": "Alignments with other vocabularies",
    "names": "Names that several documents mention",
    "concepts": "Themes and other concepts",
    "sdgs": "Sustainable Development Goals and targets",
    "inferred": "What the editors concluded",
    "contributions": "Contributions sent to the service",
}
#: The W3C's names of the formats (https://www.w3.org/ns/formats/).
_FEATURES = ("Turtle", "N-Triples", "RDF_XML", "JSON-LD", "TriG", "N-Quads")
DATASET = NamedNode("https://w3id.org/sse-kg/dataset")
_PUBLISHER = NamedNode("https://w3id.org/sse-kg/dataset#publisher")
#: When a graph was first and last changed, by its IRI; "" is the whole.
Times = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the documents tell: the figures of a generation, its times, its dumps if they are made, the address."""

    root: str
    generation: int
    figures: Figures
    times: Times
    index: dumps.Index | None


def void(facts: Facts) -> list[Quad]:
    """The VoID description (https://www.w3.org/TR/void/): figures, partitions, links, vocabularies, examples."""
    return list(_void(facts))


def catalog(facts: Facts) -> list[Quad]:
    """The DCAT 3 catalog (https://www.w3.org/TR/vocab-dcat-3/): a data set for each graph, distributions, services."""
    return list(_catalog(facts))


def _void(facts: Facts) -> Iterator[Quad]:
    figures, here = facts.figures, NamedNode(f"{facts.root}/.well-known/void")
    yield Quad(here, RDF_TYPE, NamedNode(VOID + "DatasetDescription"))
    yield Quad(here, NamedNode(_FOAF + "primaryTopic"), DATASET)
    yield from _general(facts)
    for name, count in (
        ("triples", figures.triples),
        ("entities", figures.entities),
        ("distinctSubjects", figures.subjects),
        ("distinctObjects", figures.objects),
        ("properties", len(figures.properties)),
        ("classes", len(figures.classes)),
    ):
        yield Quad(DATASET, NamedNode(VOID + name), Literal(count))
    yield Quad(DATASET, NamedNode(VOID + "uriSpace"), Literal(ENTITY))
    yield Quad(DATASET, NamedNode(VOID + "sparqlEndpoint"), NamedNode(f"{facts.root}/sparql"))
    for ending in ("nq.gz", "trig.gz"):
        yield Quad(DATASET, NamedNode(VOID + "dataDump"), _dump(facts, f"{dumps.WHOLE}.{ending}"))
    for feature in _FEATURES:
        yield Quad(DATASET, NamedNode(VOID + "feature"), NamedNode(_FORMATS + feature))
    for space in figures.vocabularies:
        yield Quad(DATASET, NamedNode(VOID + "vocabulary"), NamedNode(space))
    yield from _partitions(figures)
    yield from _linksets(figures)
    for graph, triples in figures.graphs:
        yield Quad(DATASET, NamedNode(VOID + "subset"), graph)
        yield Quad(graph, RDF_TYPE, NamedNode(VOID + "Dataset"))
        yield Quad(graph, NamedNode(VOID + "triples"), Literal(triples))
        yield Quad(graph, NamedNode(VOID + "dataDump"), _dump(facts, f"{dumps.file_name(graph.value)}.nq.gz"))


def _partitions(figures: Figures) -> Iterator[Quad]:
    for each in figures.classes:
        part = _part("class", each.iri.value)
        yield Quad(DATASET, NamedNode(VOID + "classPartition"), part)
        yield Quad(part, RDF_TYPE, NamedNode(VOID + "Dataset"))
        yield Quad(part, NamedNode(VOID + "class"), each.iri)
        yield Quad(part, NamedNode(VOID + "entities"), Literal(each.entities))
        yield Quad(part, NamedNode(VOID + "exampleResource"), NamedNode(each.example))
        if each.example.startswith(ENTITY):
            yield Quad(DATASET, NamedNode(VOID + "exampleResource"), NamedNode(each.example))
    for property, triples in figures.properties:
        part = _part("property", property.value)
        yield Quad(DATASET, NamedNode(VOID + "propertyPartition"), part)
        yield Quad(part, RDF_TYPE, NamedNode(VOID + "Dataset"))
        yield Quad(part, NamedNode(VOID + "property"), property)
        yield Quad(part, NamedNode(VOID + "triples"), Literal(triples))


def _linksets(figures: Figures) -> Iterator[Quad]:
    for each in figures.links:
        links, target = _part("links", f"{each.property.value} {each.space}"), _part("target", each.space)
        yield Quad(DATASET, NamedNode(VOID + "subset"), links)
        yield Quad(links, RDF_TYPE, NamedNode(VOID + "Linkset"))
        yield Quad(links, NamedNode(VOID + "subjectsTarget"), DATASET)
        yield Quad(links, NamedNode(VOID + "objectsTarget"), target)
        yield Quad(links, NamedNode(VOID + "linkPredicate"), each.property)
        yield Quad(links, NamedNode(VOID + "triples"), Literal(each.triples))
        yield Quad(target, RDF_TYPE, NamedNode(VOID + "Dataset"))
        yield Quad(target, NamedNode(VOID + "uriSpace"), Literal(each.space))


def _part(kind: str, of: str) -> NamedNode:
    return NamedNode(f"{DATASET.value}#{kind}-{hashlib.sha256(of.encode()).hexdigest()[:16]}")


def _general(facts: Facts) -> Iterator[Quad]:
    """What both documents say of the whole: names, licence, publisher, version, times."""
    yield Quad(DATASET, RDF_TYPE, NamedNode(VOID + "Dataset"))
    yield Quad(DATASET, RDF_TYPE, NamedNode(DCAT + "Dataset"))
    yield from _named(DATASET, _TITLE, _DESCRIPTION)
    yield from _owned(DATASET)
    yield from _dated(DATASET, facts.times.get(""))
    yield Quad(DATASET, NamedNode(_OWL + "versionInfo"), Literal(str(facts.generation)))
    yield Quad(DATASET, NamedNode(DCAT + "version"), Literal(str(facts.generation)))
    yield Quad(DATASET, NamedNode(_FOAF + "homepage"), NamedNode(f"{facts.root}/"))
    yield Quad(_PUBLISHER, RDF_TYPE, NamedNode(_FOAF + "Agent"))
    yield Quad(_PUBLISHER, NamedNode(_FOAF + "name"), Literal("SSE knowledge graph"))


def _named(of: NamedNode, title: Mapping[str, str], description: Mapping[str, str]) -> Iterator[Quad]:
    for name, texts in (("title", title), ("description", description)):
        for language, text in texts.items():
            yield Quad(of, NamedNode(_DCT + name), Literal(text, language=language))


def _owned(of: NamedNode, license: Term = LICENSE) -> Iterator[Quad]:
    yield Quad(of, NamedNode(_DCT + "license"), license)
    yield Quad(of, NamedNode(_DCT + "publisher"), _PUBLISHER)


def _dated(of: NamedNode, times: tuple[str, str] | None) -> Iterator[Quad]:
    for name, time in zip(("issued", "modified"), times or (), strict=False):
        yield Quad(of, NamedNode(_DCT + name), Literal(time, datatype=NamedNode(_XSD + "dateTime")))


def _dump(facts: Facts, name: str) -> NamedNode:
    return NamedNode(f"{facts.root}/dumps/latest/{name}")


def _catalog(facts: Facts) -> Iterator[Quad]:
    here = NamedNode(f"{facts.root}/catalog")
    yield Quad(here, RDF_TYPE, NamedNode(DCAT + "Catalog"))
    yield from _named(here, _TITLE, _DESCRIPTION)
    yield from _owned(here)
    yield from _dated(here, facts.times.get(""))
    yield from _general(facts)
    yield Quad(here, NamedNode(DCAT + "dataset"), DATASET)
    yield Quad(DATASET, NamedNode(VOID + "triples"), Literal(facts.figures.triples))
    yield from _files(facts, DATASET, dumps.WHOLE)
    yield from _stream(facts)
    yield from _services(facts, here)
    for graph, triples in facts.figures.graphs:
        yield Quad(here, NamedNode(DCAT + "dataset"), graph)
        yield Quad(DATASET, NamedNode(_DCT + "hasPart"), graph)
        yield from _graph(facts, graph, triples)


def _graph(facts: Facts, graph: NamedNode, triples: int) -> Iterator[Quad]:
    """A named graph as a data set, with the document that it was made of, or what it says of itself."""
    name = graph.value.removeprefix(GRAPH)
    said, itself = facts.figures.documents.get(graph.value, ()), facts.figures.datasets.get(graph.value, ())
    license = next((value for property, value in itself if property.value == _DCT + "license"), LICENSE)
    yield Quad(graph, RDF_TYPE, NamedNode(DCAT + "Dataset"))
    yield Quad(graph, NamedNode(VOID + "triples"), Literal(triples))
    yield from _owned(graph, license)
    yield from _dated(graph, facts.times.get(graph.value))
    told = (_DCT + "title", _DCT + "license")
    yield from (Quad(graph, property, value) for property, value in itself if property.value not in told)
    titles = [value for property, value in (*said, *itself) if property.value in (_LABEL, _DCT + "title")]
    for title in titles or [Literal(_GRAPHS.get(name, name), language="en")]:
        yield Quad(graph, NamedNode(_DCT + "title"), title)
    if said:
        document = entity("document", name)
        yield Quad(graph, NamedNode(_DCT + "source"), document)
        yield Quad(graph, NamedNode(_PROV + "wasDerivedFrom"), document)
        for property, value in said:
            yield Quad(document, property, value)
            if property.value == _DCT + "language":
                yield Quad(graph, property, value)
    yield from _files(facts, graph, dumps.file_name(graph.value), license)
    store = NamedNode(f"{facts.root}/graph/{name}")
    if graph.value.startswith(GRAPH):
        yield Quad(graph, NamedNode(DCAT + "landingPage"), store)


def _files(facts: Facts, of: NamedNode, name: str, license: Term = LICENSE) -> Iterator[Quad]:
    """The dumps of a data set as distributions; with sizes and checksums where they are made."""
    for ending, media_type in (("nq", "application/n-quads"), ("trig", "application/trig")):
        file = f"{name}.{ending}.gz"
        url = _dump(facts, file)
        this = NamedNode(f"{url.value}#distribution")
        yield Quad(of, NamedNode(DCAT + "distribution"), this)
        yield Quad(this, RDF_TYPE, NamedNode(DCAT + "Distribution"))
        yield Quad(this, NamedNode(DCAT + "downloadURL"), url)
        yield Quad(this, NamedNode(DCAT + "accessURL"), NamedNode(f"{facts.root}/dumps/"))
        yield Quad(this, NamedNode(DCAT + "mediaType"), NamedNode(_MEDIA + media_type))
        yield Quad(this, NamedNode(DCAT + "compressFormat"), NamedNode(_MEDIA + "application/gzip"))
        yield Quad(this, NamedNode(_DCT + "license"), license)
        made = facts.index.named(file) if facts.index else None
        if made:
            size = Literal(str(made.bytes), datatype=NamedNode(_XSD + "nonNegativeInteger"))
            checksum = NamedNode(f"{url.value}#checksum")
            yield Quad(this, NamedNode(DCAT + "byteSize"), size)
            yield Quad(this, NamedNode(_SPDX + "checksum"), checksum)
            yield Quad(checksum, RDF_TYPE, NamedNode(_SPDX + "Checksum"))
            yield Quad(checksum, NamedNode(_SPDX + "algorithm"), NamedNode(_SPDX + "checksumAlgorithm_sha256"))
            value = Literal(made.sha256, datatype=NamedNode(_XSD + "hexBinary"))
            yield Quad(checksum, NamedNode(_SPDX + "checksumValue"), value)


def _stream(facts: Facts) -> Iterator[Quad]:
    this = NamedNode(f"{facts.root}/feed#source")
    yield Quad(DATASET, NamedNode(DCAT + "distribution"), this)
    yield Quad(this, RDF_TYPE, NamedNode(DCAT + "Distribution"))
    yield Quad(this, RDF_TYPE, NamedNode("https://w3id.org/ldes#EventSource"))
    yield Quad(this, NamedNode(DCAT + "accessURL"), NamedNode(f"{facts.root}/feed"))
    yield Quad(this, NamedNode(DCAT + "mediaType"), NamedNode(_MEDIA + "application/trig"))
    yield Quad(this, NamedNode(_DCT + "license"), LICENSE)


def _services(facts: Facts, here: NamedNode) -> Iterator[Quad]:
    for path, title, described, conforms in (
        ("sparql", "SPARQL endpoint", "sparql", "https://www.w3.org/TR/sparql11-protocol/"),
        ("store", "Graph store", "openapi.json", "https://www.w3.org/TR/sparql11-http-rdf-update/"),
        ("api", "Lists, search and changes", "openapi.json", "https://spec.openapis.org/oas/v3.1.0"),
    ):
        service, url = NamedNode(f"{facts.root}/{path}#service"), NamedNode(f"{facts.root}/{path}")
        yield Quad(here, NamedNode(DCAT + "service"), service)
        yield Quad(service, RDF_TYPE, NamedNode(DCAT + "DataService"))
        yield Quad(service, NamedNode(_DCT + "title"), Literal(title, language="en"))
        yield Quad(service, NamedNode(DCAT + "endpointURL"), url)
        yield Quad(service, NamedNode(DCAT + "endpointDescription"), NamedNode(f"{facts.root}/{described}"))
        yield Quad(service, NamedNode(_DCT + "conformsTo"), NamedNode(conforms))
        yield Quad(service, NamedNode(DCAT + "servesDataset"), DATASET)
