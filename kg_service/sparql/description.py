"""What the endpoint says of itself (SPARQL 1.1 Service Description)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.rdf import GRAPH_FORMATS, PREFIXES, RDF_TYPE, TABLE_FORMATS, Format, to_text

_SD = "http://www.w3.org/ns/sparql-service-description#"
_VOID = "http://rdfs.org/ns/void#"
_FORMATS = "http://www.w3.org/ns/formats/"
#: The W3C's names of the formats that we write (https://www.w3.org/ns/formats/).
_NAMES = {
    "turtle": "Turtle",
    "n-triples": "N-Triples",
    "rdf-xml": "RDF_XML",
    "json-ld": "JSON-LD",
    "trig": "TriG",
    "n-quads": "N-Quads",
    "json": "SPARQL_Results_JSON",
    "xml": "SPARQL_Results_XML",
    "csv": "SPARQL_Results_CSV",
    "tsv": "SPARQL_Results_TSV",
}


def service_description(
    endpoint: str,
    how: Format,
    *,
    can_update: bool,
    is_union: bool,
    can_federate: bool,
    triples: int | None = None,
    graphs: Iterable[tuple[NamedNode, int]] = (),
) -> bytes:
    """The description of the endpoint at that IRI, written in that format: just what is on.

    `triples` is what the default graph holds, `graphs` are the named ones with what they hold, where it is known.
    """
    service, dataset, default = (NamedNode(endpoint + end) for end in ("#service", "#dataset", "#default-graph"))

    def sd(name: str) -> NamedNode:
        return NamedNode(_SD + name)

    said = [
        (service, RDF_TYPE, sd("Service")),
        (service, sd("endpoint"), NamedNode(endpoint)),
        (service, sd("supportedLanguage"), sd("SPARQL11Query")),
        *([(service, sd("supportedLanguage"), sd("SPARQL11Update"))] if can_update else []),
        *([(service, sd("feature"), sd("UnionDefaultGraph"))] if is_union else []),
        *([(service, sd("feature"), sd("BasicFederatedQuery"))] if can_federate else []),
        (service, sd("defaultDataset"), dataset),
        (dataset, RDF_TYPE, sd("Dataset")),
        (dataset, sd("defaultGraph"), default),
        (default, RDF_TYPE, sd("Graph")),
        *(
            (service, sd("resultFormat"), NamedNode(_FORMATS + _NAMES[f.name]))
            for f in (*TABLE_FORMATS, *GRAPH_FORMATS)
        ),
    ]
    quads = [Quad(subject, predicate, value) for subject, predicate, value in said]
    if triples is not None:
        quads.append(Quad(default, NamedNode(_VOID + "triples"), Literal(triples)))
    for name, count in graphs:
        graph = NamedNode(f"{endpoint}#graph-{hashlib.sha256(name.value.encode()).hexdigest()[:16]}")
        about = NamedNode(f"{graph.value}-content")
        quads += [
            Quad(dataset, sd("namedGraph"), graph),
            Quad(graph, RDF_TYPE, sd("NamedGraph")),
            Quad(graph, sd("name"), name),
            Quad(graph, sd("graph"), about),
            Quad(about, RDF_TYPE, sd("Graph")),
            Quad(about, NamedNode(_VOID + "triples"), Literal(count)),
        ]
    return to_text(quads, how, prefixes=PREFIXES | {"sd": _SD, "formats": _FORMATS, "void": _VOID})
