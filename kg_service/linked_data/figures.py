"""How much there is of what in the graph at one generation, counted by queries that run beside those of others."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from kg_service.linked_data.asking import Asking
from kg_service.rdf import ENTITY, GRAPH, NamedNode, Term, entity

_TRIPLES = "SELECT (COUNT(*) AS ?triples) (COUNT(DISTINCT ?s) AS ?subjects) { ?s ?p ?o }"
_OBJECTS = "SELECT (COUNT(DISTINCT ?o) AS ?objects) { ?s ?p ?o }"
_PROPERTIES = "SELECT ?property (COUNT(*) AS ?triples) { ?s ?property ?o } GROUP BY ?property ORDER BY ?property"
#: How many things there are of each class.
CLASSES = (
    "SELECT ?class (COUNT(DISTINCT ?s) AS ?entities) (MIN(STR(?s)) AS ?example) "
    "{ ?s a ?class FILTER(isIRI(?class) && isIRI(?s)) } GROUP BY ?class ORDER BY ?class"
)
_ENTITIES = f'SELECT (COUNT(DISTINCT ?s) AS ?entities) {{ ?s a ?class FILTER(STRSTARTS(STR(?s), "{ENTITY}")) }}'
#: How many statements each named graph holds.
GRAPHS = "SELECT ?graph (COUNT(*) AS ?triples) { GRAPH ?graph { ?s ?p ?o } } GROUP BY ?graph ORDER BY ?graph"
#: Links are what is said of things, not classes, which are counted as such, nor what claims are about. Each object is
#: looked at once with each property: on disk, what an engine takes longest for is to look a term up.
_LINKS = """SELECT ?property ?space (SUM(?times) AS ?triples) {
  { SELECT ?property ?o (COUNT(*) AS ?times) {
    ?s ?property ?o .
    FILTER(?property != <http://www.w3.org/1999/02/22-rdf-syntax-ns#type>)
    FILTER(?property != <http://www.w3.org/1999/02/22-rdf-syntax-ns#predicate>)
  } GROUP BY ?property ?o }
  FILTER(isIRI(?o))
  FILTER(!STRSTARTS(STR(?o), "https://w3id.org/sse-kg/"))
  BIND(REPLACE(STR(?o), "^([a-zA-Z]+://[^/]+/).*$", "$1", "s") AS ?space)
} GROUP BY ?property ?space ORDER BY ?property ?space"""
_ABOUT = (
    "<http://www.w3.org/2004/02/skos/core#prefLabel> <http://purl.org/dc/terms/issued> "
    "<http://purl.org/dc/terms/language> <https://w3id.org/sse-kg/ontology#sourceFile> "
    "<https://w3id.org/sse-kg/ontology#sha256> <https://w3id.org/sse-kg/ontology#author>"
)
#: What graphs say of themselves, as those do that hold other people's data.
DATASETS = (
    "SELECT ?graph ?property ?value "
    "{ GRAPH ?graph { ?graph a <http://www.w3.org/ns/dcat#Dataset> ; ?property ?value } } "
    "ORDER BY ?graph ?property ?value"
)
_VOCABULARY = re.compile(r"^(.*[#/])[^#/]*$", re.DOTALL)


GraphSizes: TypeAlias = tuple[tuple[NamedNode, int], ...]


@dataclass(frozen=True, slots=True)
class Class:
    """A class, the things that are of it, and one of them."""

    iri: NamedNode
    entities: int
    example: str


@dataclass(frozen=True, slots=True)
class Links:
    """Statements with one property that lead into another web space."""

    property: NamedNode
    space: str
    triples: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted; `documents` are the statements about the source document that each graph was made of, and
    `datasets` what graphs say of themselves, as those do that hold other people's data."""

    triples: int
    entities: int
    subjects: int
    objects: int
    properties: tuple[tuple[NamedNode, int], ...]
    classes: tuple[Class, ...]
    graphs: GraphSizes
    links: tuple[Links, ...]
    documents: dict[str, tuple[tuple[NamedNode, Term], ...]]
    datasets: dict[str, tuple[tuple[NamedNode, Term], ...]]

    @property
    def vocabularies(self) -> list[str]:
        """The namespaces of the properties and classes that are used, most used first."""
        found: Counter[str] = Counter()
        for term, weight in (*self.properties, *((each.iri, each.entities) for each in self.classes)):
            if match := _VOCABULARY.match(term.value):
                found[match[1]] += weight
        return [name for name, _ in sorted(found.items(), key=lambda each: (-each[1], each[0]))]


async def graph_sizes(asking: Asking) -> GraphSizes:
    """How many statements each named graph holds."""
    rows = await asking.rows(GRAPHS)
    return tuple((row["graph"], _number(row["triples"])) for row in rows if isinstance(row.get("graph"), NamedNode))


async def counted(asking: Asking) -> Figures:
    """The figures of one generation."""
    (whole,), (objects,), (entities,) = [await asking.rows(text) for text in (_TRIPLES, _OBJECTS, _ENTITIES)]
    properties = await asking.rows(_PROPERTIES)
    classes = [row for row in await asking.rows(CLASSES) if "class" in row]
    graphs = await graph_sizes(asking)
    links = [row for row in await asking.rows(_LINKS) if "space" in row]
    documents: dict[str, list[tuple[NamedNode, Term]]] = {}
    for row in await asking.rows(_documents(graph for graph, _ in graphs)):
        name = row["document"].value.removeprefix(f"{ENTITY}document/")
        documents.setdefault(GRAPH + name, []).append((row["property"], row["value"]))
    datasets: dict[str, list[tuple[NamedNode, Term]]] = {}
    for row in await asking.rows(DATASETS):
        datasets.setdefault(row["graph"].value, []).append((row["property"], row["value"]))
    return Figures(
        triples=_number(whole["triples"]),
        entities=_number(entities["entities"]),
        subjects=_number(whole["subjects"]),
        objects=_number(objects["objects"]),
        properties=tuple((row["property"], _number(row["triples"])) for row in properties if "property" in row),
        classes=tuple(Class(row["class"], _number(row["entities"]), row["example"].value) for row in classes),
        graphs=graphs,
        links=tuple(Links(row["property"], row["space"].value, _number(row["triples"])) for row in links),
        documents={graph: tuple(said) for graph, said in documents.items()},
        datasets={graph: tuple(said) for graph, said in datasets.items()},
    )


def _documents(graphs: Iterable[NamedNode]) -> str:
    """The query for what is said of the documents that the graphs were made of."""
    names = (graph.value.removeprefix(GRAPH) for graph in graphs if graph.value.startswith(GRAPH))
    documents = " ".join(str(entity("document", name)) for name in names)
    return (
        f"SELECT ?document ?property ?value {{ VALUES ?document {{ {documents} }} VALUES ?property {{ {_ABOUT} }} "
        "?document a <https://w3id.org/sse-kg/ontology#Document> ; ?property ?value } "
        "ORDER BY ?document ?property ?value"
    )


def _number(value: Term) -> int:
    return int(str(getattr(value, "value", value)))
