"""Clients that people have already, against the running service: rdflib and SPARQLWrapper."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import rdflib
from pydantic import SecretStr
from rdflib.plugins.stores.sparqlstore import SPARQLStore, SPARQLUpdateStore
from SPARQLWrapper import CSV, JSON, N3, POST, RDFXML, TSV, TURTLE, XML, SPARQLWrapper

from kg_service.settings import Settings
from tests.serving import running

EVENTS = "SELECT ?s { ?s a <https://w3id.org/sse-kg/ontology#Event> } ORDER BY ?s"
VILLAGE = rdflib.URIRef("https://w3id.org/sse-kg/graph/village")


def endpoint(client: httpx.Client) -> str:
    return f"{str(client.base_url).rstrip('/')}/sparql"


def events(client: httpx.Client) -> list[str]:
    found = client.get("/sparql", params={"query": EVENTS, "format": "json"}).json()["results"]["bindings"]
    return [row["s"]["value"] for row in found]


def rows(graph: rdflib.Graph, query: str) -> list[Any]:
    return list(graph.query(query))


def test_rdflib_reads_the_endpoint_as_a_graph(client: httpx.Client) -> None:
    graph = rdflib.Graph(SPARQLStore(endpoint(client)))
    assert [str(row[0]) for row in rows(graph, EVENTS)] == events(client)
    kind = rdflib.URIRef("https://w3id.org/sse-kg/ontology#Event")
    assert {str(each) for each in graph.subjects(rdflib.RDF.type, kind)} == set(events(client))
    first = rdflib.URIRef(events(client)[0])
    assert (first, rdflib.RDF.type, kind) in graph
    assert bool(graph.query(f"ASK {{ <{first}> a <{kind}> }}").askAnswer)
    built = graph.query(f"CONSTRUCT {{ <{first}> ?p ?o }} {{ <{first}> ?p ?o }}").graph
    assert built is not None
    assert len(built) == len(list(graph.predicate_objects(first)))


def test_rdflib_reads_one_named_graph(client: httpx.Client) -> None:
    store = SPARQLStore(endpoint(client), returnFormat="json")
    graph = rdflib.Graph(store, identifier=VILLAGE)
    asked = f"SELECT (COUNT(*) AS ?n) {{ GRAPH <{VILLAGE}> {{ ?s ?p ?o }} }}"
    wanted = client.get("/sparql", params={"query": asked, "format": "csv"}).text.split()[1]
    assert len(graph) == int(wanted)


@pytest.mark.parametrize(
    "accept", ["text/turtle", "application/rdf+xml", "application/ld+json", "application/n-triples"]
)
def test_rdflib_parses_what_is_served(client: httpx.Client, accept: str) -> None:
    query = "CONSTRUCT { ?s ?p ?o } { ?s a <https://w3id.org/sse-kg/ontology#Event> ; ?p ?o }"
    answer = client.get("/sparql", params={"query": query}, headers={"accept": accept})
    read = rdflib.Graph().parse(data=answer.text, format=accept)
    wanted = rdflib.Graph().parse(
        data=client.get("/sparql", params={"query": query, "format": "nt"}).text, format="application/n-triples"
    )
    assert set(read) == set(wanted)


def test_rdflib_follows_the_iri_of_a_thing(client: httpx.Client) -> None:
    iri = events(client)[0]
    here = iri.replace("https://w3id.org/sse-kg", str(client.base_url).rstrip("/"))
    graph = rdflib.Graph().parse(here)
    assert (rdflib.URIRef(iri), rdflib.RDF.type, rdflib.URIRef("https://w3id.org/sse-kg/ontology#Event")) in graph
    for path in ("/catalog", "/.well-known/void", "/examples"):
        assert len(rdflib.Graph().parse(str(client.base_url).rstrip("/") + path)) > 5


@pytest.mark.parametrize("method", ["GET", POST])
@pytest.mark.parametrize("form", [JSON, XML, CSV, TSV])
def test_sparqlwrapper_gets_rows(client: httpx.Client, method: str, form: str) -> None:
    wrapper = SPARQLWrapper(endpoint(client), returnFormat=form)
    wrapper.setMethod(method)
    wrapper.setQuery(EVENTS)
    found: Any = wrapper.query().convert()
    wanted = events(client)
    if form == JSON:
        assert [row["s"]["value"] for row in found["results"]["bindings"]] == wanted
    elif form == XML:
        assert [node.firstChild.data for node in found.getElementsByTagName("uri")] == wanted
    else:
        assert [line.strip("<>") for line in found.decode().split()[1:]] == wanted


@pytest.mark.parametrize("form", [TURTLE, N3, RDFXML])
def test_sparqlwrapper_gets_graphs(client: httpx.Client, form: str) -> None:
    answer: Any
    for query in (
        "CONSTRUCT { ?s a ?c } { ?s a ?c . FILTER(?c = <https://w3id.org/sse-kg/ontology#Event>) }",
        f"DESCRIBE <{events(client)[0]}>",
    ):
        wrapper = SPARQLWrapper(endpoint(client), returnFormat=form)
        wrapper.setQuery(query)
        answer = wrapper.query().convert()
        graph = answer if isinstance(answer, rdflib.Graph) else rdflib.Graph().parse(data=answer, format="turtle")
        assert len(graph) >= 1


def test_sparqlwrapper_asks(client: httpx.Client) -> None:
    wrapper = SPARQLWrapper(endpoint(client), returnFormat=JSON)
    answer: Any
    for query, wanted in (("ASK {}", True), ("ASK { FILTER(false) }", False)):
        wrapper.setQuery(query)
        answer = wrapper.query().convert()
        assert answer["boolean"] is wanted


def test_clients_write_with_the_token(tmp_path_factory: pytest.TempPathFactory) -> None:
    settings = Settings(store=tmp_path_factory.mktemp("clients") / "store", token=SecretStr("open sesame"))
    with running(settings) as url:
        wrapper = SPARQLWrapper(f"{url}/sparql", updateEndpoint=f"{url}/update", returnFormat=JSON)
        wrapper.addCustomHttpHeader("Authorization", "Bearer open sesame")
        wrapper.setMethod(POST)
        wrapper.setQuery('INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> "é" } }')
        wrapper.query()
        store = SPARQLUpdateStore(
            f"{url}/sparql", f"{url}/update", headers={"Authorization": "Bearer open sesame"}, returnFormat="json"
        )
        graph = rdflib.Graph(store, identifier=rdflib.URIRef("urn:g"))
        graph.add((rdflib.URIRef("urn:s"), rdflib.URIRef("urn:p"), rdflib.Literal("ü", lang="de")))
        assert set(graph.objects()) == {rdflib.Literal("é"), rdflib.Literal("ü", lang="de")}
