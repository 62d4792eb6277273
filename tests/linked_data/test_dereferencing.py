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


NEGOTIATED = [
    # accept, accept-profile, parameters, the media type and the profile that come
    ("text/turtle", None, {}, "text/turtle", "sse"),
    ("application/ld+json", "<https://schema.org/>", {}, "application/ld+json", "schema"),
    ("*/*", "<https://w3id.org/sse-kg/profile/minimal>", {}, "text/turtle", "minimal"),
    ("*/*", "minimal", {}, "text/turtle", "minimal"),
    (
        "*/*",
        "<https://schema.org/>;q=0.4, <https://w3id.org/sse-kg/profile/minimal>;q=0.9",
        {},
        "text/turtle",
        "minimal",
    ),
    ("*/*", "<https://example.org/other>, <https://schema.org/>;q=0.1", {}, "text/turtle", "schema"),
    ("*/*", "<https://example.org/other>, *;q=0.1", {}, "text/turtle", "sse"),
    ("*/*", "<https://w3id.org/sse-kg/profile/sse>;q=0, *", {}, "text/turtle", "schema"),
    ("*/*", "", {}, "text/turtle", "sse"),
    (
        "application/trig",
        "<https://schema.org/>, <https://w3id.org/sse-kg/profile/sse>;q=0.1",
        {},
        "application/trig",
        "sse",
    ),
    ("text/turtle", "minimal", {"_profile": "schema"}, "text/turtle", "schema"),
    ("text/turtle", None, {"_mediatype": "application/n-triples"}, "application/n-triples", "sse"),
    ("image/png", None, {"_mediatype": "application/rdf+xml"}, "application/rdf+xml", "sse"),
    (
        "text/turtle",
        None,
        {"_profile": "https://schema.org/", "_mediatype": "application/ld+json"},
        "application/ld+json",
        "schema",
    ),
    ("text/turtle", None, {"_profile": "<https://schema.org>"}, "text/turtle", "schema"),
    ("text/turtle", None, {"_profile": "alt"}, "text/turtle", "alt"),
    ("*/*", "<http://www.w3.org/ns/dx/connegp/altr>", {}, "text/turtle", "alt"),
    ("application/json", None, {}, "application/json", "sse"),
]


@pytest.mark.parametrize("door", ["id", "data"])
@pytest.mark.parametrize(("accept", "accept_profile", "parameters", "media_type", "profile"), NEGOTIATED)
def test_profile_and_media_type_are_negotiated(
    client: httpx.Client,
    door: str,
    accept: str,
    accept_profile: str | None,
    parameters: dict[str, str],
    media_type: str,
    profile: str,
) -> None:
    headers = {"accept": accept} | ({} if accept_profile is None else {"accept-profile": accept_profile})
    answer = client.get(f"/{door}/{FAIR}", params=parameters, headers=headers, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == media_type
    assert answer.headers["content-profile"] == f"<{PROFILES[profile]}>"
    assert f'<{PROFILES[profile]}>; rel="profile"' in answer.headers["link"]
    assert {"Accept", "Accept-Profile"} <= {each.strip() for each in answer.headers["vary"].split(",")}


def test_profiles_say_less_or_otherwise(client: httpx.Client) -> None:
    schema = rdflib.Namespace("https://schema.org/")
    full, minimal, other = (
        parsed(client.get(f"/data/{FAIR}.ttl", params={"_profile": token}), "turtle")
        for token in ("sse", "minimal", "schema")
    )
    assert set(minimal) < set(full)
    assert set(minimal.predicates()) == {rdflib.RDF.type, SKOS.prefLabel}
    assert set(minimal.subjects()) == {thing(FAIR)}
    assert (thing(FAIR), rdflib.RDF.type, schema.Event) in other
    assert other.value(thing(FAIR), schema.location) == thing("place/valley")
    assert other.value(thing(FAIR), schema.organizer) == thing("organisation/weavers")
    assert str(other.value(thing(FAIR), schema.identifier)) == ENTITY + FAIR
    assert rdflib.Literal("Vallée", lang="fr") in set(other.objects(thing("place/valley"), schema.name))
    assert {str(each).partition("#")[0] for each in other.predicates() if not str(each).startswith(schema)} == {
        "http://www.w3.org/1999/02/22-rdf-syntax-ns"
    }


@pytest.mark.parametrize(
    ("path", "headers", "status", "named"),
    [
        (f"/data/{FAIR}", {"accept": "image/png"}, 406, "text/turtle"),
        (f"/data/{FAIR}?_profile=schema&_mediatype=text/html", {}, 406, "text/turtle"),
        (f"/id/{FAIR}", {"accept-profile": "<https://example.org/x>"}, 406, "https://schema.org/"),
        (f"/id/{FAIR}?_profile=nope", {}, 422, "schema"),
        (f"/id/{FAIR}?_mediatype=image/png", {}, 422, "text/turtle"),
        (f"/id/{FAIR}?colour=red", {}, 422, "_profile"),
        (f"/id/{FAIR}?_profile=sse&_profile=schema", {}, 422, "once"),
        (f"/data/{FAIR}?property=nothing", {}, 422, "absolute IRI"),
        (f"/data/{FAIR}?property=urn:p&direction=up", {}, 422, "out, in"),
        (f"/data/{FAIR}?page=2", {}, 422, "property"),
        (f"/data/{FAIR}?property=urn:p&page=0", {}, 422, "whole number"),
        (f"/data/{FAIR}?property=urn:p", {}, 404, "urn:p"),
        (f"/data/{FAIR}?property=urn:p&_profile=schema", {}, 422, "sse"),
        (f"/page/{FAIR}?lang=xx", {}, 422, "en, es, fr"),
        ("/describe", {}, 422, "IRI"),
        ("/describe?iri=fair", {}, 422, "absolute IRI"),
        ("/describe?iri=urn:nobody", {}, 404, "urn:nobody"),
        ("/id/event/nobody", {}, 404, "event/nobody"),
        ("/id/event/nobody.ttl", {}, 404, "event/nobody"),
        ("/id/event/", {}, 404, "event/"),
        ("/id/", {}, 404, ""),
        ("/id/event/a%20b", {}, 404, "a%20b"),
        ("/id/event/%ff%fe", {}, 404, "%FF"),
        ("/graph/nobody", {}, 404, "graph/nobody"),
        ("/ontology/Nobody", {}, 404, "Nobody"),
        ("/ontology.xlsx", {}, 404, "ttl"),
        ("/ontology/event", {}, 404, "Event"),
        ("/profile/nobody", {}, 404, "minimal"),
    ],
)
def test_what_is_wrong_says_so_and_what_would_be_right(
    client: httpx.Client, path: str, headers: dict[str, str], status: int, named: str
) -> None:
    answer = client.get(path, headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert named.lower() in answer.json()["detail"].lower()


def test_an_unknown_thing_is_a_page_for_people(client: httpx.Client) -> None:
    answer = client.get("/id/event/nobody", headers={"accept": BROWSER, "accept-language": "fr-CA, en;q=0.5"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert '<html lang="fr">' in answer.text
    assert "Introuvable" in answer.text


@pytest.mark.parametrize(
    "path", [f"/data/{FAIR}.ttl", f"/page/{FAIR}", "/ontology", "/context.jsonld", f"/data/{FAIR}?_profile=alt"]
)
def test_who_has_it_gets_304(client: httpx.Client, path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    assert tag.startswith('"')
    for sent in (tag, f'"x", {tag}', f"W/{tag}", "*"):
        again = client.get(path, headers={"if-none-match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["vary"] if "vary" in first.headers else True
    assert client.get(path, headers={"if-none-match": '"x"'}).status_code == 200


def test_every_variant_has_an_etag_of_its_own(client: httpx.Client) -> None:
    paths = [
        f"/data/{FAIR}.{ending}{more}"
        for ending in ("ttl", "jsonld", "json", "nt", "rdf")
        for more in ("", "?_profile=minimal", "?_profile=schema")
    ]
    paths += [f"/page/{FAIR}?lang={language}" for language in ("en", "es", "fr")]
    tags = [client.get(path).headers["etag"] for path in paths]
    assert len(set(tags)) == len(tags)
    assert [client.get(path).headers["etag"] for path in paths] == tags


@pytest.mark.parametrize(
    "path", [f"/id/{FAIR}", f"/data/{FAIR}", f"/page/{FAIR}", "/describe?iri=urn:nobody", "/ontology"]
)
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    got, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (got.status_code, b"")
    kept = ("etag", "link", "vary", "content-type", "content-length", "location", "content-profile", "kg-generation")
    assert {name: head.headers.get(name) for name in kept} == {name: got.headers.get(name) for name in kept}


def test_the_link_header_leads_to_representations_and_to_the_list_of_all(client: httpx.Client) -> None:
    answer = client.get(f"/data/{FAIR}")
    assert sum(len(name) + len(value) + 4 for name, value in answer.headers.raw) < 3000, "a proxy may take 4 KB only"
    found = [httpx.Headers({"link": part})["link"] for part in answer.headers["link"].split(", <")]
    leads = [part for part in found if 'rel="canonical"' in part or 'rel="alternate"' in part]
    assert len(leads) == 11
    assert any("_profile=alt" in part for part in leads)
    for part in leads:
        address = part.removeprefix("<").partition(">")[0]
        assert client.get(address).status_code == 200, address
    tokens = {part.partition('token="')[2].partition('"')[0] for part in found if 'rel="type"' in part}
    assert tokens == set(PROFILES)
    assert f'<{ENTITY}{FAIR}>; rel="describes"' in answer.headers["link"]
    for path in (f"/id/{FAIR}", f"/page/{FAIR}"):
        assert f'/data/{FAIR}>; rel="describedby"' in client.get(path).headers["link"]


def test_the_list_of_representations_is_a_page_and_rdf(client: httpx.Client) -> None:
    altr = rdflib.Namespace("http://www.w3.org/ns/dx/connegp/altr#")
    graph = parsed(client.get(f"/id/{FAIR}?_profile=alt", headers={"accept": "text/turtle"}), "turtle")
    listed = set(graph.objects(thing(FAIR), altr.hasRepresentation))
    assert len(listed) == 18
    assert graph.value(thing(FAIR), altr.hasDefaultRepresentation) in listed
    for each in listed:
        answer = httpx.get(str(each))
        assert answer.headers["content-type"].split(";")[0] == str(graph.value(each, rdflib.DCTERMS["format"]))
        assert answer.headers["content-profile"] == f"<{graph.value(each, rdflib.DCTERMS.conformsTo)}>"
    page = client.get(f"/id/{FAIR}?_profile=alt", headers={"accept": BROWSER})
    assert page.headers["content-type"].startswith("text/html")
    assert page.text.count("<tr>") == 19


def test_every_iri_of_ours_in_the_graph_resolves(client: httpx.Client) -> None:
    """Claims, quotations, graphs, terms, concepts, what was a blank node: each IRI leads to something about it."""
    base = "https://w3id.org/sse-kg"
    query = f"""SELECT DISTINCT ?iri {{
        {{ ?iri ?p ?o }} UNION {{ ?s ?iri ?o }} UNION {{ ?s ?p ?iri }} UNION {{ GRAPH ?iri {{ ?s ?p ?o }} }}
        FILTER(ISIRI(?iri) && STRSTARTS(STR(?iri), "{base}/")) }}"""
    rows = client.get("/sparql", params={"query": query}).json()["results"]["bindings"]
    iris = sorted(row["iri"]["value"] for row in rows)
    kinds: dict[str, list[str]] = {}
    for iri in iris:
        kinds.setdefault(iri.removeprefix(base).partition("#")[0].rpartition("/")[0], []).append(iri)
    assert {"/id/claim", "/id/quotation", "/graph", "/.well-known/genid"} <= set(kinds)
    for found in kinds.values():
        for iri in (*found[:3], *found[-3:]):
            path = iri.removeprefix(base).partition("#")[0]
            answer = client.get(path, headers={"accept": "text/turtle"}, follow_redirects=True)
            assert answer.status_code == 200, iri
            assert rdflib.URIRef(iri) in set(parsed(answer, "turtle").subjects()) | set(
                parsed(answer, "turtle").objects()
            ) or path.startswith("/ontology"), iri


def test_a_thing_of_others_is_described(client: httpx.Client) -> None:
    iri = "http://metadata.un.org/sdg/ontology#Goal"
    graph = parsed(client.get("/describe", params={"iri": iri, "_mediatype": "text/turtle"}), "turtle")
    assert (SSE.contributesTo, None, None) in graph or rdflib.URIRef(iri) in set(graph.objects())
    page = client.get("/describe", params={"iri": iri}, headers={"accept": BROWSER})
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")


def test_the_evidence_comes_with_the_statements(client: httpx.Client) -> None:
    graph = parsed(client.get("/data/alliance/oven.ttl"), "turtle")
    oa = rdflib.Namespace("http://www.w3.org/ns/oa#")
    claim, quotation = thing("claim/oven"), thing("quotation/chronicle-0-21")
    assert graph.value(claim, rdflib.RDF.object) == thing("party/oven-1")
    assert graph.value(claim, SSE.certainty) == thing("certainty/stated")
    assert str(graph.value(quotation, oa.exact)) == "The bakers and council"
    assert rdflib.Literal("Chronique de la Vallée", lang="fr") in set(
        graph.objects(thing("document/chronicle"), SKOS.prefLabel)
    )


def test_a_change_has_an_address_too(client: httpx.Client) -> None:
    assert (
        client.get("/id/change/1", headers={"accept": "application/json"})
        .headers["location"]
        .endswith("/api/changes/1")
    )


def test_what_is_packed_has_an_etag_of_its_own(client: httpx.Client) -> None:
    path = f"/page/{FAIR}"
    plain = client.get(path, headers={"accept-encoding": "identity"})
    packed = client.get(path, headers={"accept-encoding": "br, gzip;q=0.5"})
    refused = client.get(path, headers={"accept-encoding": "gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in {*plain.headers, *refused.headers}
    assert packed.content == plain.content == refused.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 3
    assert plain.headers["etag"] == refused.headers["etag"] != packed.headers["etag"]
    assert "Accept-Encoding" in plain.headers["vary"]
    for answer, encoding in ((plain, "identity"), (packed, "gzip")):
        again = client.get(path, headers={"accept-encoding": encoding, "if-none-match": answer.headers["etag"]})
        assert again.status_code == 304
        assert again.headers["etag"] == answer.headers["etag"]
