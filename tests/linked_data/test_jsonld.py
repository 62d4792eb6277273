"""The compact JSON-LD says just what it was made of, whatever that is; two parsers read it back."""

from __future__ import annotations

import json

import pyoxigraph
import pytest
import rdflib
from hypothesis import given, settings
from hypothesis import strategies as st
from rdflib.compare import isomorphic

from kg_service.linked_data import documents, jsonld
from kg_service.rdf import ENTITY, ONTOLOGY, PREFIXES, RDF_TYPE, BlankNode, Literal, NamedNode, Quad

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")
XSD = PREFIXES["xsd"]
CONTEXT = documents.context()
#: IRIs that the context has terms, prefixes or nothing for, and ones that look like others.
IRIS = st.sampled_from(
    [
        *(f"{ENTITY}{end}" for end in ("event/fair", "theme/économie", "theme/", "place/a:b", "claim/c//d", "")),
        *(f"{ONTOLOGY}{end}" for end in ("Event", "theme", "order", "text", "rationale", "unknown", "")),
        *(f"{PREFIXES['skos']}{end}" for end in ("prefLabel", "altLabel", "member", "broader", "note")),
        *(f"{PREFIXES['rdf']}{end}" for end in ("subject", "predicate", "object", "type", "value")),
        "http://metadata.un.org/sdg/5",
        "https://example.org/a?b=c#d",
        "urn:uuid:1",
        "mailto:a@example.org",
        "javascript:alert(1)",
        "tag:x",
    ]
).map(NamedNode)
TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=12)
LITERALS = st.one_of(
    TEXTS.map(Literal),
    st.builds(lambda text, tag: Literal(text, language=tag), TEXTS, st.sampled_from(["en", "es", "pt-br"])),
    st.builds(
        lambda text, kind: Literal(text, datatype=NamedNode(XSD + kind)),
        st.sampled_from(["1", "01", "-5", "1.5", "true", "2019-10", "99999999999999999999", "x", ""]),
        st.sampled_from(["integer", "decimal", "boolean", "gYearMonth", "string", "double", "date"]),
    ),
)
NODES = st.one_of(IRIS, st.sampled_from(["b1", "b2"]).map(BlankNode))
QUADS = st.builds(Quad, NODES, IRIS, st.one_of(NODES, LITERALS))


def by_oxigraph(document: bytes) -> set[pyoxigraph.Triple]:
    return {quad.triple for quad in pyoxigraph.parse(document, pyoxigraph.RdfFormat.JSON_LD)}


def by_rdflib(data: bytes, how: str) -> rdflib.Graph:
    return rdflib.Graph().parse(data=data, format=how)


@given(st.sets(QUADS, min_size=1, max_size=12))
@settings(max_examples=300, deadline=None)
def test_what_is_written_is_read_back(quads: set[Quad]) -> None:
    document = jsonld.write(quads, CONTEXT, next(iter(quads)).predicate)
    assert document is not None
    assert by_oxigraph(document) == {quad.triple for quad in quads}


def test_rdflib_reads_the_same() -> None:
    event, other = NamedNode(ENTITY + "event/fair"), BlankNode("x")
    said: list[tuple[str, NamedNode | Literal | BlankNode]] = [
        (RDF_TYPE.value, NamedNode(ONTOLOGY + "Event")),
        (RDF_TYPE.value, NamedNode("https://example.org/Other")),
        (PREFIXES["skos"] + "prefLabel", Literal("Fair", language="en")),
        (PREFIXES["skos"] + "prefLabel", Literal("Fair")),
        (PREFIXES["skos"] + "altLabel", Literal("A", language="en")),
        (PREFIXES["skos"] + "altLabel", Literal("B", language="en")),
        (ONTOLOGY + "order", Literal(3)),
        (ONTOLOGY + "order", Literal("03", datatype=NamedNode(XSD + "integer"))),
        (ONTOLOGY + "theme", NamedNode(ENTITY + "theme/bread")),
        (ONTOLOGY + "theme", Literal("bread")),
        (ONTOLOGY + "theme", other),
        (PREFIXES["schema"] + "startDate", Literal("2019-10", datatype=NamedNode(XSD + "gYearMonth"))),
    ]
    quads = {Quad(event, NamedNode(property), value) for property, value in said}
    quads.add(Quad(other, NamedNode(ONTOLOGY + "text"), Literal("of a nameless one", language="en")))
    document = jsonld.write(quads, CONTEXT, event)
    assert document is not None
    plain = pyoxigraph.serialize((quad.triple for quad in quads), format=pyoxigraph.RdfFormat.N_TRIPLES)
    assert plain is not None
    assert isomorphic(by_rdflib(document, "json-ld"), by_rdflib(plain, "nt"))


def test_a_document_begins_with_its_thing_and_uses_the_terms_of_the_context() -> None:
    event = NamedNode(ENTITY + "event/fair")
    quads = {
        Quad(NamedNode(ENTITY + "alliance/a"), NamedNode(ONTOLOGY + "about"), event),
        Quad(event, RDF_TYPE, NamedNode(ONTOLOGY + "Event")),
        Quad(event, NamedNode(PREFIXES["skos"] + "prefLabel"), Literal("Fair", language="en")),
    }
    written = json.loads(jsonld.write(quads, CONTEXT, event) or b"")
    assert written["@graph"][0] == {"id": "event:fair", "type": ["Event"], "prefLabel": {"en": "Fair"}}
    assert set(written["@context"]) == {
        *("@version", "id", "type", "Event", "about", "alliance", "event", "prefLabel", "skos", "sse")
    }


def test_an_iri_that_would_be_read_as_a_compact_one_is_written_without_the_context() -> None:
    quads = {Quad(NamedNode("event:fair"), RDF_TYPE, NamedNode(ONTOLOGY + "Event"))}
    assert jsonld.write(quads, CONTEXT, NamedNode("event:fair")) is None
