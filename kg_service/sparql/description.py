"""What the endpoint says of itself (SPARQL 1.1 Service Description)."""

from __future__ import annotations

from pyoxigraph import NamedNode, Quad

from kg_service.rdf import GRAPH_FORMATS, PREFIXES, RDF_TYPE, TABLE_FORMATS, Format, to_text

_SD = "http://www.w3.org/ns/sparql-service-description#"
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


def service_description(endpoint: str, how: Format, *, can_update: bool, is_union: bool, can_federate: bool) -> bytes:
    """The description of the endpoint at that IRI, written in that format: just what is on."""
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
    quads = (Quad(subject, predicate, value) for subject, predicate, value in said)
    return to_text(quads, how, prefixes=PREFIXES | {"sd": _SD, "formats": _FORMATS})
