"""The ready-made questions as SHACL executables, the form in which SPARQL editors and collections read examples.

See https://github.com/sib-swiss/sparql-examples for the form.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.queries import Question
from kg_service.rdf import PREFIXES, RDF_TYPE, entity, graph

GRAPH = graph("queries")
_SH, _RDFS, _SCHEMA, _XSD = (PREFIXES[name] for name in ("sh", "rdfs", "schema", "xsd"))
#: A query's form: the property that holds its text, and its class.
_FORMS = {
    "SELECT": ("select", "SPARQLSelectExecutable"),
    "ASK": ("ask", "SPARQLAskExecutable"),
    "CONSTRUCT": ("construct", "SPARQLConstructExecutable"),
}
_FORM = re.compile(r"^\s*(SELECT|ASK|CONSTRUCT|DESCRIBE)\b", re.IGNORECASE | re.MULTILINE)


def iri(question: Question) -> NamedNode:
    """The IRI of a question."""
    return entity("query", question.name)


def _prefixes() -> Iterator[Quad]:
    """The project's prefixes; each text declares what it needs itself as well."""
    for name, space in PREFIXES.items():
        this = NamedNode(f"{GRAPH.value}#prefix-{name}")
        yield Quad(GRAPH, NamedNode(_SH + "declare"), this, GRAPH)
        yield Quad(this, NamedNode(_SH + "prefix"), Literal(name), GRAPH)
        yield Quad(this, NamedNode(_SH + "namespace"), Literal(space, datatype=NamedNode(_XSD + "anyURI")), GRAPH)


def described(questions: Iterable[Question], endpoint: str) -> list[Quad]:
    """The questions, to be asked at that endpoint, in a graph of their own."""
    quads = list(_prefixes())
    for question in questions:
        form = _FORM.search(question.text)
        if form is None or form[1].upper() not in _FORMS:
            continue
        property, kind = _FORMS[form[1].upper()]
        this, folder = iri(question), question.name.partition("/")[0]
        said: list[tuple[NamedNode, NamedNode | Literal]] = [
            (RDF_TYPE, NamedNode(_SH + "SPARQLExecutable")),
            (RDF_TYPE, NamedNode(_SH + kind)),
            (NamedNode(_RDFS + "comment"), Literal(question.summary, language="en")),
            (NamedNode(_RDFS + "label"), Literal(question.name)),
            (NamedNode(_SH + property), Literal(question.text)),
            (NamedNode(_SCHEMA + "keywords"), Literal(folder)),
            (NamedNode(_SCHEMA + "target"), NamedNode(endpoint)),
            (NamedNode(_SH + "prefixes"), GRAPH),
        ]
        quads += [Quad(this, property, value, GRAPH) for property, value in said]
    return quads
