"""Things by their IRIs, as a linked-data client meets them: a real server, rdflib as the client."""

from __future__ import annotations

import httpx
import pytest
import rdflib
from rdflib.compare import isomorphic

ENTITY = "https://w3id.org/sse-kg/id/"
FAIR = "event/fair-2021"
SKOS = rdflib.Namespace("http://www.w3.org/2004/02/skos/core#")
SSE = rdflib.Namespace("https://w3id.org/sse-kg/ontology#")
SUFFIXES = {"ttl": "turtle", "jsonld": "json-ld", "json": "json-ld", "nt": "nt", "rdf": "xml"}
PROFILES = {
    "sse": "https://w3id.org/sse-kg/profile/sse",
    "schema": "https://schema.org/",
    "minimal": "https://w3id.org/sse-kg/profile/minimal",
    "alt": "http://www.w3.org/ns/dx/connegp/altr",
}
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.fixture
def url(client: httpx.Client) -> str:
    return str(client.base_url)


def thing(path: str) -> rdflib.URIRef:
    return rdflib.URIRef(ENTITY + path)


def parsed(answer: httpx.Response, how: str) -> rdflib.Graph:
    return rdflib.Graph().parse(data=answer.content, format=how, publicID="http://nowhere/")


def test_rdflib_reads_a_thing_by_its_address(url: str) -> None:
    graph = rdflib.Graph().parse(f"{url}/id/{FAIR}")
    assert graph.value(thing(FAIR), SSE.takesPlaceIn) == thing("place/valley")
    assert rdflib.Literal("Foire de 2021", lang="fr") in set(graph.objects(thing(FAIR), SKOS.prefLabel))


@pytest.mark.parametrize("how", ["turtle", "xml", "json-ld", "nt"])
def test_rdflib_gets_the_format_that_it_asks_for(url: str, how: str) -> None:
    graph = rdflib.Graph().parse(f"{url}/id/{FAIR}", format=how)
    assert (thing(FAIR), rdflib.RDF.type, SSE.Event) in graph


def test_every_format_says_the_same(client: httpx.Client) -> None:
    graphs = {
        suffix: parsed(client.get(f"/data/{FAIR}.{suffix}").raise_for_status(), how) for suffix, how in SUFFIXES.items()
    }
    assert len(graphs["nt"]) > 20
    assert all(isomorphic(graph, graphs["nt"]) for graph in graphs.values())
    for suffix, how in (("trig", "trig"), ("nq", "nquads")):
        dataset = rdflib.Dataset(default_union=True)
        dataset.parse(data=client.get(f"/data/{FAIR}.{suffix}").content, format=how)
        assert set(dataset.triples((None, None, None))) == set(graphs["nt"])
        named = {str(each.identifier) for each in dataset.graphs()}
        assert "https://w3id.org/sse-kg/graph/village" in named


@pytest.mark.parametrize(
    ("accept", "where"),
    [
        ("text/html", "page"),
        (BROWSER, "page"),
        ("application/xhtml+xml", "page"),
        ("text/turtle", "data"),
        ("application/ld+json", "data"),
        ("application/n-triples", "data"),
        ("application/rdf+xml", "data"),
        ("application/trig", "data"),
        ("application/json", "data"),
        ("text/html;q=0.1, text/turtle", "data"),
        ("*/*", "data"),
        (None, "data"),
    ],
)
def test_a_thing_leads_to_its_page_or_its_data(client: httpx.Client, accept: str | None, where: str) -> None:
    headers = {"accept": accept} if accept else {}
    request = client.build_request("GET", f"/id/{FAIR}", headers=headers)
    if accept is None:
        del request.headers["accept"]
    answer = client.send(request, follow_redirects=False)
    assert (answer.status_code, answer.headers["vary"]) == (303, "Accept, Accept-Profile")
    assert answer.headers["location"] == f"{str(client.base_url).rstrip('/')}/{where}/{FAIR}"


def test_what_nobody_writes_is_not_acceptable_and_the_list_is_told(client: httpx.Client) -> None:
    answer = client.get(f"/id/{FAIR}", headers={"accept": "image/png"})
    assert answer.status_code == 406
    for media_type in ("text/turtle", "application/ld+json", "application/trig", "text/html"):
        assert media_type in answer.json()["detail"]
