"""Things that are made to break pages and documents: hostile words and IRIs, very many links, ends, odd names."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest
import rdflib
from pydantic import SecretStr

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.rdf import ENTITY, GRAPH, ONTOLOGY, PREF_LABEL, PREFIXES, RDF_TYPE, Literal, NamedNode, Quad, entity
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running
from tests.web import html

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")
TOKEN = {"authorization": "Bearer open sesame"}
PEOPLE = {"accept": "text/html"}
SKOS = PREFIXES["skos"]
LINKS = 20_500
GRAPH_NAME = NamedNode(GRAPH + "attacks")
SEE_ALSO = NamedNode(PREFIXES["rdfs"] + "seeAlso")
THEME = NamedNode(ONTOLOGY + "theme")
BREAD, HUB = entity("theme", "bread"), entity("theme", "hub")
HOSTILE = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&{{7*7}}{% raw %}"
NAMES = ["économie", "пекарня", "a'b(c)", "x.ttl", "100%25", "a:b", "تعاونية", "🍞", "a/b/c", "~a;b=c,d", "a&b=c"]


def quads() -> Iterator[Quad]:
    def said(subject: NamedNode, predicate: NamedNode, value: NamedNode | Literal) -> Quad:
        return Quad(subject, predicate, value, GRAPH_NAME)

    for number in range(LINKS):
        bakery = entity("organisation", f"bakery-{number}")
        yield said(bakery, THEME, HUB)
        yield said(HUB, SEE_ALSO, bakery)
        yield said(HUB, NamedNode(PREFIXES["sse"] + "activeIn"), bakery)
    yield said(HUB, PREF_LABEL, Literal("Hub", language="en"))
    evil = entity("theme", "evil")
    yield said(evil, PREF_LABEL, Literal(HOSTILE, language="en"))
    yield said(evil, RDF_TYPE, NamedNode(ONTOLOGY + "Theme"))
    yield said(evil, NamedNode("javascript:alert(document.domain)"), Literal(HOSTILE))
    yield said(evil, NamedNode("http://example.org/1"), Literal("x", datatype=NamedNode("javascript:alert(4)")))
    for iri in (
        "javascript:alert(3)",
        "data:text/html,<b>",
        "file:///etc/passwd",
        "vbscript:a",
        "urn:x:y",
        "http://[::1",
    ):
        try:
            yield said(evil, SEE_ALSO, NamedNode(iri))
        except ValueError:
            continue  # no IRI, and so in no graph
    for name in NAMES:
        yield said(NamedNode(f"{ENTITY}odd/{name}"), PREF_LABEL, Literal(f"named {name}", language="en"))
    yield said(NamedNode("https://example.org/café?a=b&c=d#e"), PREF_LABEL, Literal("Café", language="fr"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[httpx.Client]:
    root = tmp_path_factory.mktemp("attacks") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes)
        store.apply(Delta(added=frozenset(quads())))  # no shape judges what is written so
    settings = Settings(store=root, token=SecretStr("open sesame"))
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def graph_of(answer: httpx.Response) -> rdflib.Graph:
    assert answer.status_code == 200, answer.text
    return rdflib.Graph().parse(data=answer.content, format="turtle")


# very many links


def test_what_has_very_many_links_is_paged_in_both_directions(service: httpx.Client) -> None:
    answer = service.get("/data/theme/hub.ttl")
    assert len(answer.content) < 100_000
    graph = graph_of(answer)
    hub = rdflib.URIRef(HUB.value)
    hydra = rdflib.Namespace("http://www.w3.org/ns/hydra/core#")
    assert len(set(graph.subjects(rdflib.URIRef(THEME.value), hub))) == 100
    assert len(set(graph.objects(hub, rdflib.RDFS.seeAlso))) == 100
    totals = {int(str(total)) for total in graph.objects(None, hydra.totalItems)}
    assert totals == {LINKS}
    assert len(set(graph.subjects(rdflib.RDF.type, hydra.Collection))) == 3


@pytest.mark.parametrize(("direction", "property"), [("in", THEME), ("out", SEE_ALSO)])
def test_the_pages_hold_every_link_once(service: httpx.Client, direction: str, property: NamedNode) -> None:
    """Every tenth page, and the last: all different, and `next` leads on until the end."""
    hydra = rdflib.Namespace("http://www.w3.org/ns/hydra/core#")
    hub, seen = rdflib.URIRef(HUB.value), set[rdflib.term.Node]()
    pages = -(-LINKS // 100)
    for number in (*range(1, pages, 10), pages):
        parameters = {"property": property.value, "direction": direction, "page": number}
        answer = service.get("/data/theme/hub.ttl", params=parameters)
        assert ('rel="next"' in answer.headers["link"]) == (number < pages)
        graph = graph_of(answer)
        predicate = rdflib.URIRef(property.value)
        found = set(graph.subjects(predicate, hub) if direction == "in" else graph.objects(hub, predicate))
        assert len(found) == 100
        assert not found & seen
        seen |= found
        following = list(graph.objects(None, hydra.next))
        assert len(following) == (number < pages)
        if number == 1:
            assert httpx.get(str(following[0])).status_code == 200
    parameters = {"property": property.value, "direction": direction, "page": pages + 1}
    beyond = service.get("/data/theme/hub", params=parameters)
    assert beyond.status_code == 422
    assert str(pages) in beyond.json()["allowed"]


def test_the_page_of_very_many_links_tells_how_many(service: httpx.Client) -> None:
    answer = service.get("/page/theme/hub", headers=PEOPLE)
    assert len(answer.content) < 150_000
    page = html.read(answer.text)
    assert not page.problems
    assert "20,500" in answer.text
    links = [each.attributes["href"] for each in page.all("a") if each.attributes.get("rel") == "next"]
    assert len(links) == 3
    for link in links:
        assert not html.read(httpx.get(link, headers=PEOPLE).text).problems


def test_what_schema_org_would_say_too_much_of_is_cut_and_says_where_the_rest_is(service: httpx.Client) -> None:
    graph = graph_of(service.get("/data/theme/hub.ttl?_profile=schema"))
    assert len(graph) < 1_100
    (whole,) = graph.objects(rdflib.URIRef(HUB.value), rdflib.URIRef("https://schema.org/subjectOf"))
    assert httpx.get(str(whole)).status_code == 200


# hostile words and IRIs


@pytest.mark.parametrize("path", ["/page/theme/evil", "/page/theme/evil?lang=fr", "/id/theme/evil?_profile=alt"])
def test_words_are_words(service: httpx.Client, path: str) -> None:
    answer = service.get(path, headers=PEOPLE, follow_redirects=True)
    page = html.read(answer.text)
    assert not page.problems
    assert not page.all("script")
    assert not page.all("img")
    assert "49" not in page.all("title")[0].text
    for element in page.elements:
        assert not any(name.startswith("on") or name == "style" for name in element.attributes)
        for name in ("href", "src", "action"):
            assert element.attributes.get(name, "https://").lower().startswith(("http://", "https://", "#"))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_iris_that_run_are_shown_and_not_linked(service: httpx.Client) -> None:
    page = html.read(service.get("/page/theme/evil", headers=PEOPLE).text)
    texts = {each.text.strip() for each in page.all("span")}
    assert "javascript:alert(3)" in texts
    assert not [each for each in page.all("a") if "alert" in each.text]
    assert [each for each in page.all("a") if "urn%3Ax%3Ay" in each.attributes["href"]]


@pytest.mark.parametrize("ending", ["ttl", "jsonld", "nt", "trig", "nq"])
def test_hostile_things_are_written_in_every_format(service: httpx.Client, ending: str) -> None:
    answer = service.get(f"/data/theme/evil.{ending}")
    assert answer.status_code == 200, answer.text
    dataset = rdflib.Dataset(default_union=True)
    formats = {"ttl": "turtle", "jsonld": "json-ld", "nt": "nt", "trig": "trig", "nq": "nquads"}
    dataset.parse(data=answer.content, format=formats[ending])
    evil = rdflib.URIRef(ENTITY + "theme/evil")
    assert rdflib.Literal(HOSTILE, lang="en") in set(dataset.objects(evil, rdflib.SKOS.prefLabel))


def test_what_rdf_xml_cannot_say_is_not_acceptable(service: httpx.Client) -> None:
    """A property whose IRI ends in no XML name has no place in RDF/XML; nor has a control character."""
    answer = service.get("/data/theme/evil.rdf")
    assert answer.status_code == 406
    assert "text/turtle" in answer.json()["detail"]


# odd names


@pytest.mark.parametrize("name", NAMES)
def test_names_of_every_script_have_addresses(service: httpx.Client, name: str) -> None:
    iri = f"{ENTITY}odd/{name}"
    listed = service.get("/data/odd/x.ttl.ttl")  # the thing named x.ttl, as Turtle
    assert listed.status_code == 200
    address = service.get("/describe", params={"iri": iri, "_profile": "minimal"})
    assert f"named {name}" in address.text
    link = next(
        part.split(">")[0].lstrip("<")
        for part in address.headers["link"].split(", <")
        if 'type="text/turtle"' in part and "canonical" in part
    )
    assert link.isascii()
    for path in (link, f"/id/odd/{quote(name, safe='/%')}"):
        answer = service.get(path, headers={"accept": "text/turtle"}, follow_redirects=True)
        assert rdflib.URIRef(iri) in set(graph_of(answer).subjects()), path
    page = service.get("/describe", params={"iri": iri}, headers=PEOPLE)
    assert not html.read(page.text).problems


def test_an_iri_of_others_with_everything_in_it_is_described(service: httpx.Client) -> None:
    iri = "https://example.org/café?a=b&c=d#e"
    answer = service.get("/describe", params={"iri": iri, "_mediatype": "text/turtle"})
    assert rdflib.URIRef(iri) in set(graph_of(answer).subjects())
    canonical = next(part for part in answer.headers["link"].split(", <") if "canonical" in part).split(">")[0]
    assert service.get(canonical.removeprefix("<")).content == answer.content
    assert "Café" in service.get("/describe", params={"iri": iri}, headers=PEOPLE).text


@pytest.mark.parametrize(
    "path",
    [
        "/id/theme/bread%00",
        "/id/theme/%0d%0aSet-Cookie:a=b",
        "/id/theme/..%2f..%2fetc",
        "/id/theme/" + "a" * 4000,
        "/id/" + "a/" * 500,
        "/page/theme/%3Cscript%3E",
        "/data/theme/bread.ttl.gz",
        "/data/..%2fontology",
        "/graph/%20",
        "/static/..%2frendering.py",
        "/static/../rendering.py",
        "/ontology/%2e%2e%2fsettings",
        "/.well-known/genid/%3e",
        "/describe?iri=http://a/%3E%20x",
        "/describe?iri=http://a/%22",
        "/describe?iri=%00",
    ],
)
@pytest.mark.parametrize("accept", ["text/html", "text/turtle", "*/*"])
def test_no_address_makes_a_mistake_of_ours(service: httpx.Client, path: str, accept: str) -> None:
    answer = service.get(path, headers={"accept": accept})
    assert answer.status_code in (303, 404, 414, 422), (answer.status_code, answer.text[:300])
    assert "set-cookie" not in answer.headers
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert not html.read(answer.text).problems


# ends


def test_what_was_deleted_says_when_by_whom_and_why(service: httpx.Client) -> None:
    made = service.post(
        "/api/themes?author=Ana&note=new",
        content=f'<> a <{ONTOLOGY}Theme> , <{SKOS}Concept> ; <{SKOS}prefLabel> "Cheese"@en ; '
        f'<{SKOS}inScheme> <{ENTITY}scheme/themes> ; <{SKOS}definition> "Milk."@en .',
        headers=TOKEN | {"content-type": "text/turtle"},
    )
    assert made.status_code == 201, made.text
    assert service.get("/id/theme/cheese").status_code == 303
    gone = service.delete("/api/themes/cheese?author=Zoë&note=<b>no milk</b>", headers=TOKEN)
    assert gone.status_code == 201, gone.text
    for path in ("/id/theme/cheese", "/data/theme/cheese.ttl", "/describe?iri=" + quote(ENTITY + "theme/cheese")):
        answer = service.get(path)
        assert answer.status_code == 410, path
        told = answer.json()
        assert (told["author"], told["note"], told["change"]) == ("Zoë", "<b>no milk</b>", gone.json()["change"])
        assert told["time"]
    page = service.get("/page/theme/cheese", headers=PEOPLE)
    assert page.status_code == 410
    assert not html.read(page.text).problems
    assert "&lt;b&gt;no milk" in page.text
    assert "Zoë" in page.text


def test_a_change_is_seen_at_once_and_changes_the_etag(service: httpx.Client) -> None:
    before = service.get("/data/theme/bread.ttl")
    update = f'INSERT DATA {{ GRAPH <{GRAPH}contributions> {{ {BREAD} <{PREFIXES["skos"]}note> "Warm."@en }} }}'
    assert service.post("/update", data={"update": update}, headers=TOKEN).status_code == 200
    after = service.get("/data/theme/bread.ttl", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert "Warm." in after.text
    assert int(after.headers["kg-generation"]) == int(before.headers["kg-generation"]) + 1
