from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import rdflib
from pydantic import SecretStr
from pyoxigraph import Literal, NamedNode, Quad
from rdflib.namespace import DCAT, DCTERMS, RDF, SH, VOID

from kg_service import queries, resources
from kg_service.api.discovery import Counting
from kg_service.linked_data import Asking
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.cache import CachedReads
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.readers import Readers
from tests.api.test_patches import update
from tests.serving import running

DATASET = rdflib.URIRef("https://w3id.org/sse-kg/dataset")
SD = rdflib.Namespace("http://www.w3.org/ns/sparql-service-description#")
EX = NamedNode("urn:example")
PATHS = ("/.well-known/void", "/void", "/catalog", "/examples")


def graph(client: httpx.Client, path: str, accept: str = "text/turtle") -> rdflib.Graph:
    answer = client.get(path, headers={"accept": accept})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith(accept)
    return rdflib.Graph().parse(data=answer.content, format=accept)


def count(client: httpx.Client, select: str) -> int:
    return int(client.get("/sparql", params={"query": select, "format": "csv"}).text.split()[1])


def one(found: rdflib.Graph, subject: rdflib.term.Node, predicate: rdflib.URIRef) -> object:
    (value,) = found.objects(subject, predicate)
    return value.toPython() if isinstance(value, rdflib.Literal) else value


def test_the_figures_are_those_that_a_query_counts(client: httpx.Client) -> None:
    found = graph(client, "/.well-known/void")
    for name, select in (
        ("triples", "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"),
        ("distinctSubjects", "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s ?p ?o }"),
        ("distinctObjects", "SELECT (COUNT(DISTINCT ?o) AS ?n) { ?s ?p ?o }"),
        ("properties", "SELECT (COUNT(DISTINCT ?p) AS ?n) { ?s ?p ?o }"),
    ):
        assert one(found, DATASET, VOID[name]) == count(client, select)
    partitions = list(found.objects(DATASET, VOID.propertyPartition))
    assert sum(int(str(one(found, part, VOID.triples))) for part in partitions) == one(found, DATASET, VOID.triples)
    classes = {str(one(found, part, VOID["class"])): part for part in found.objects(DATASET, VOID.classPartition)}
    event = classes["https://w3id.org/sse-kg/ontology#Event"]
    asked = "SELECT (COUNT(DISTINCT ?s) AS ?n) { ?s a <https://w3id.org/sse-kg/ontology#Event> }"
    assert one(found, event, VOID.entities) == count(client, asked)
    example = one(found, event, VOID.exampleResource)
    assert count(client, f"SELECT (COUNT(*) AS ?n) {{ <{example}> a ?class }}") > 0
    assert str(one(found, DATASET, VOID.uriSpace)) == "https://w3id.org/sse-kg/id/"
    assert "https://w3id.org/sse-kg/ontology#" in {str(each) for each in found.objects(DATASET, VOID.vocabulary)}
    links = list(found.subjects(RDF.type, VOID.Linkset))
    for each in links:
        property, target = one(found, each, VOID.linkPredicate), one(found, each, VOID.objectsTarget)
        assert isinstance(target, rdflib.URIRef)
        space = one(found, target, VOID.uriSpace)
        asked = f"SELECT (COUNT(*) AS ?n) {{ ?s <{property}> ?o FILTER(STRSTARTS(STR(?o), '{space}')) }}"
        assert one(found, each, VOID.triples) == count(client, asked)


def test_the_catalog_leads_to_what_there_is(client: httpx.Client) -> None:
    found = graph(client, "/catalog")
    (catalog,) = found.subjects(RDF.type, DCAT.Catalog)
    datasets = set(found.objects(catalog, DCAT.dataset))
    village = rdflib.URIRef("https://w3id.org/sse-kg/graph/village")
    assert {DATASET, village, rdflib.URIRef("https://w3id.org/sse-kg/graph/sse")} <= datasets
    for dataset in datasets:
        assert str(one(found, dataset, DCTERMS.license)).startswith("https://creativecommons.org/")
        for needed in (DCTERMS.title, DCTERMS.publisher, DCTERMS.issued, DCTERMS.modified, DCAT.distribution):
            assert list(found.objects(dataset, needed)), (dataset, needed)
    assert client.get("/dumps/").status_code == 200
    for url in {str(url) for url in found.objects(None, DCAT.downloadURL)}:
        assert client.head(url, follow_redirects=True).status_code == 200, url
    for service in found.objects(catalog, DCAT.service):
        assert one(found, service, DCAT.servesDataset) == DATASET
    again = graph(client, "/catalog")
    assert len(list(again.objects(None, DCAT.byteSize))) == len(list(found.objects(None, DCAT.downloadURL)))


@pytest.mark.parametrize("path", PATHS)
def test_each_format_says_the_same(client: httpx.Client, path: str) -> None:
    wanted = set(graph(client, path))
    for accept in ("application/n-triples", "application/rdf+xml"):
        assert set(graph(client, path, accept)) == wanted
    answer = client.get(path, headers={"accept": "application/ld+json"})
    read = rdflib.Dataset(default_union=True).parse(data=answer.content, format="json-ld")
    assert {(s, p, o) for s, p, o, *_ in read} == wanted
    known = {"accept": "application/ld+json", "if-none-match": answer.headers["etag"]}
    assert client.get(path, headers=known).status_code == 304
    assert client.get(path, headers={"accept": "image/png"}).status_code == 406
    assert client.get(path, params={"lang": "en"}).status_code == 422
    assert client.head(path).status_code == 200


def test_the_service_description_has_the_same_figures(client: httpx.Client) -> None:
    void, service = graph(client, "/void"), graph(client, "/sparql")
    (default,) = service.subjects(VOID.triples, rdflib.Literal(one(void, DATASET, VOID.triples)))
    assert list(service.objects(None, SD.defaultGraph)) == [default]
    named = {
        (str(one(service, graph, SD.name)), one(service, next(service.objects(graph, SD.graph)), VOID.triples))
        for graph in service.objects(None, SD.namedGraph)
    }
    graphs = {s for s in void.objects(DATASET, VOID.subset) if (s, RDF.type, VOID.Linkset) not in void}
    assert named == {(str(graph), one(void, graph, VOID.triples)) for graph in graphs}


def test_every_question_is_an_example(client: httpx.Client) -> None:
    found = graph(client, "/examples")
    examples = set(found.subjects(RDF.type, SH.SPARQLExecutable))
    assert len(examples) == len(queries.names(resources.folder("queries")))
    for example in examples:
        texts = [text for name in ("select", "ask", "construct") for text in found.objects(example, SH[name])]
        assert len(texts) == 1
        assert list(found.objects(example, rdflib.RDFS.comment))
        (target,) = found.objects(example, rdflib.SDO.target)
        assert str(target) == f"{str(client.base_url).rstrip('/')}/sparql"
    (any_one,) = found.objects(rdflib.URIRef("https://w3id.org/sse-kg/id/query/events/dialogues-in-order"), SH.select)
    assert client.get("/sparql", params={"query": str(any_one)}).status_code == 200


@pytest.fixture
def service(tmp_path: Path) -> Iterator[httpx.Client]:
    settings = Settings(store=tmp_path / "store", token=SecretStr("open sesame"))
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def test_the_figures_are_never_stale(service: httpx.Client) -> None:
    for number in range(1, 4):
        generation = update(service, f"INSERT DATA {{ GRAPH <urn:g{number}> {{ <urn:é> <urn:p> {number}, 'ü' }} }}")
        answer = service.get("/void", headers={"accept": "application/n-triples"})
        assert answer.headers["kg-generation"] == str(generation)
        assert f'<{DATASET}> <{VOID.triples}> "{number + 1}"' in answer.text
        assert f"<{DATASET}> <{VOID.subset}> <urn:g{number}>" in answer.text


def test_of_an_empty_graph_the_figures_are_naught(service: httpx.Client) -> None:
    found = graph(service, "/void")
    assert one(found, DATASET, VOID.triples) == 0
    assert graph(service, "/catalog")


def test_many_who_ask_at_once_wait_for_one_count(service: httpx.Client) -> None:
    update(service, "INSERT DATA { <urn:s> <urn:p> 1 }")
    with concurrent.futures.ThreadPoolExecutor(8) as several:
        found = list(several.map(lambda path: service.get(path).status_code, ["/void", "/catalog"] * 4))
    assert set(found) == {200}


def test_addresses_are_the_public_ones(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path / "store", public_url="https://graph.example/kg")
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        for path in ("/void", "/catalog", "/examples"):
            text = client.get(path).text
            assert "https://graph.example/kg/sparql" in text
            assert "127.0.0.1" not in text


def test_figures_that_several_wait_for_are_of_a_state_that_is_not_older_than_their_question(tmp_path: Path) -> None:
    """Whoever asks while an older state is counted waits for the next count, which the first of them begins."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def triples(asking: Asking) -> int:
        found = await asking.rows("SELECT (COUNT(*) AS ?n) { ?s ?p ?o }")
        begun.set()
        await go_on.wait()
        return int(found[0]["n"].value)

    def quads(number: int) -> Delta:
        return Delta(added=frozenset([Quad(EX, EX, Literal(number), EX)]))

    async def work(store: EmbeddedStore) -> None:
        reads = CachedReads(Readers(tmp_path), 2**20)
        await reads.start()
        counting = Counting(Settings(store=tmp_path), "test", triples)
        try:
            first = asyncio.ensure_future(counting.current(reads))
            await begun.wait()
            await asyncio.to_thread(store.apply, quads(2))
            others = [asyncio.ensure_future(counting.current(reads)) for _ in range(3)]
            await asyncio.sleep(0.05)
            go_on.set()
            assert await first == (1, 1)
            assert await asyncio.gather(*others) == [(2, 2)] * 3
        finally:
            await counting.close()
            await reads.close()

    with EmbeddedStore(tmp_path) as store:
        store.apply(quads(1))
        asyncio.run(work(store))


def test_what_needs_no_question_is_of_the_generation_published_then(tmp_path: Path) -> None:
    async def nothing(asking: Asking) -> str:
        return "nothing"

    async def work(store: EmbeddedStore) -> None:
        reads = CachedReads(Readers(tmp_path), 2**20)
        await reads.start()
        counting = Counting(Settings(store=tmp_path), "test", nothing)
        try:
            assert await asyncio.wait_for(counting.current(reads), 30) == (1, "nothing")
        finally:
            await counting.close()
            await reads.close()

    with EmbeddedStore(tmp_path) as store:
        store.apply(Delta(added=frozenset([Quad(EX, EX, Literal(1), EX)])))
        asyncio.run(work(store))
