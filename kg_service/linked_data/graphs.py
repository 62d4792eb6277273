"""A named graph as a thing: how much it holds, what it was made of, and where all of it is to be had."""

from __future__ import annotations

from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.asking import Asking
from kg_service.linked_data.description import Property, Value
from kg_service.linked_data.questions import Direction
from kg_service.rdf import GRAPH, PREFIXES, RDF_TYPE, Literal, NamedNode, Term, entity

_VOID = "http://rdfs.org/ns/void#"
_SD = "http://www.w3.org/ns/sparql-service-description#"


async def statements(asking: Asking, graph: NamedNode, addresses: Addresses) -> list[Property]:
    """What can be said of a graph of ours by looking at it; nothing when it is empty."""
    if not graph.value.startswith(GRAPH):
        return []
    (row,) = await asking.rows(f"SELECT (COUNT(*) AS ?triples) {{ GRAPH {graph} {{ ?s ?p ?o }} }}")
    if row["triples"].value == "0":
        return []
    said: list[tuple[NamedNode, Term]] = [
        (RDF_TYPE, NamedNode(_SD + "NamedGraph")),
        (NamedNode(_VOID + "triples"), Literal(int(row["triples"].value))),
        (NamedNode(_VOID + "dataDump"), NamedNode(addresses.graph(graph.value))),
    ]
    document = entity("document", graph.value.removeprefix(GRAPH))
    if await asking.ask(f"ASK {{ {document} ?p ?o }}"):
        said.append((NamedNode(PREFIXES["dcterms"] + "source"), document))
    return [Property(property, Direction.OUT, 1, (Value(value),)) for property, value in said]
