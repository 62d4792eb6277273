"""The pages as readers get them: in their language, valid, with the evidence, and nothing from elsewhere."""

from __future__ import annotations

import itertools
import re
import shutil
from pathlib import Path

import httpx
import pytest

from kg_service.linked_data import Description
from kg_service.rdf import Term
from kg_service.settings import Settings
from kg_service.web import certain, rendering
from kg_service.web.rendering import LANGUAGES
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE

SEOUL = "event/gsef-policy-dialogue-seoul-2019"
PATHS = [
    f"/page/{SEOUL}",
    f"/page/{SEOUL}?property=http%3A%2F%2Fwww.w3.org%2F1999%2F02%2F22-rdf-syntax-ns%23subject&direction=in",
    "/page/document/mont-blanc-roadmap-2022",
    "/page/claim/gsef-policy-dialogue-lac-2019-91cb8c37af41",
    "/page/quotation/gsef-policy-dialogue-lac-2019-771-865",
    "/page/graph/inferred",
    "/page/certainty/derived",
    "/describe?iri=http://metadata.un.org/sdg/5",
    "/describe?iri=http://www.w3.org/2004/02/skos/core%23Concept",
    f"/data/{SEOUL}?_profile=alt",
    "/ontology",
    "/shapes",
    "/profile/schema",
    "/page/event/nobody",
    "/page/event/nobody?lang=klingon",
    "/",
    "/search",
    "/search?q=cooperativas+de+viviend",
    "/search?q=solidarity&type=Theme&page=2",
    "/search?q=will+be+held",
    "/search?q=solidarity&page=21",
    "/search?q=zzzzzzzz",
    "/search?q=a&page=0",
    "/sdg",
    "/sdg?aim=5&kind=recommendations",
    "/recommendations?theme=care&q=women&sort=-label",
    "/policies",
    "/alliances?page=2",
    "/alliances?q=zzzz",
    "/alliances/overlap",
    "/themes",
    "/themes?scheme=practices&view=az",
    "/guidelines",
    "/guidelines?territory=latin-america&access-to-markets=3",
    "/guidelines?territory=latin-america&view=report",
    "/path?from=organisation/gsef&to=organisation/unrisd",
    "/communities",
    "/timeline?from=2019",
    "/about",
    "/method",
    "/download",
    "/sources",
    "/sources/mont-blanc-roadmap-2022",
    "/sources/gsef-policy-dialogue-lac-2019?char=771,865",
    "/sources/gsef-policy-dialogue-lac-2019?char=9,3",
]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_whole(service: httpx.Client, path: str, language: str) -> None:
    if "lang=" not in path:
        path += f"{'&' if '?' in path else '?'}lang={language}"
    answer = service.get(path, headers={"accept-language": language})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = html.read(answer.text)
    assert not page.problems
    assert page.all("html")[0].attributes["lang"] == answer.headers["content-language"] == language
    headings = [int(each.tag[1]) for each in page.elements if re.fullmatch("h[1-6]", each.tag)]
    assert headings.count(1) == 1
    assert headings[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))
    assert len(page.all("main")) == 1
    assert page.all("a")[0].attributes["href"] == "#content"
    assert page.all("title")[0].text.strip()
    assert all(each.attributes.get("aria-label") or each.attributes.get("aria-labelledby") for each in page.all("nav"))
    assert not page.all("style") + page.all("iframe")
    assert all("/static/islands/" in each.attributes["src"] and not each.text for each in page.all("script"))
    assert all(each.attributes.get("scope") for each in page.all("th"))
    assert all(each.text.strip() for each in (*page.all("a"), *page.all("summary"), *page.all("dt")))
    root = str(service.base_url).rstrip("/")
    loaded = [each.attributes["href"] for each in page.all("link") if each.attributes["rel"] in ("stylesheet", "icon")]
    assert all(each.startswith(f"{root}/static/") for each in loaded)


@pytest.mark.parametrize(
    ("wanted", "language"),
    [
        ("fr", "fr"),
        ("es-MX,es;q=0.9,en;q=0.8", "es"),
        ("de,fr;q=0.3", "fr"),
        ("de", "en"),
        ("en;q=0.1, fr;q=0.2", "fr"),
        ("*", "en"),
        ("es;q=0, *", "en"),
        ("en;q=0, *;q=0.5", "es"),
        ("", "en"),
        (";;;,,,q=,fr;q=x", "en"),
        ("fr" * 3000, "en"),
    ],
)
def test_a_page_is_in_the_language_that_the_reader_prefers(service: httpx.Client, wanted: str, language: str) -> None:
    answer = service.get(f"/page/{SEOUL}", headers={"accept-language": wanted})
    assert answer.headers["content-language"] == language
    assert "Accept-Language" in answer.headers["vary"]


def test_every_name_says_its_language(service: httpx.Client) -> None:
    page = html.read(service.get(f"/page/{SEOUL}?lang=es").text)
    texts = {
        each.text.strip(): each.attributes.get("lang") for each in page.elements if each.tag in ("h1", "span", "a")
    }
    assert texts["Dialogue politique du GSEF en Asie (Séoul)"] == "fr"
    assert texts["GSEF policy dialogue in Asia (Seoul)"] == "en"
    assert texts["Diálogo de política del GSEF en Asia (Seúl)"] == "es"
    assert texts["evento"] == "es"
    quotes = page.all("blockquote")
    assert quotes
    assert {each.attributes.get("lang") for each in quotes} == {"en"}


def test_a_statement_leads_to_the_words_that_it_rests_on(service: httpx.Client) -> None:
    text = service.get(f"/page/{SEOUL}?lang=en").text
    page = html.read(text)
    words = {each.text.strip() for each in page.all("mark")}
    assert "in Asia (Seoul, October)" in words
    (place,) = (each for each in page.all("figcaption") if "characters 841 to 865" in each.text)
    assert "001_d05d51390e70f270.txt" in place.text
    summaries = [each.text for each in page.all("summary")]
    assert "1 source · derived" in summaries
    assert "no source quoted" in summaries
    assert "“This year” is the year of the dialogue announced" in text


def test_what_was_concluded_can_be_left_out(service: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    find = certain._concluded

    def watched(of: Description) -> set[tuple[Term, Term]]:
        looked.append(of.iri.value)
        return find(of)

    monkeypatch.setattr(certain, "_concluded", watched)

    def values(query: str) -> tuple[set[str], str]:
        text = service.get(f"/page/{SEOUL}?lang=en&embed=0{query}").text  # not one that is kept from before
        page = html.read(text)
        assert not page.problems
        return {each.text.strip() for each in page.all("span")}, text

    every, told = values("")
    said, left_out = values("&conclusions=without")
    assert "2019-10" in every - said  # the date is derived from two sentences
    assert "Diálogo de política del GSEF en Asia (Seúl)" in said  # a name has no claim
    assert "statements were concluded, not said" in told
    assert "statements that were concluded are left out" in left_out
    assert "conclusions=without" in told
    assert "conclusions=without" not in "".join(re.findall(r'href="[^"]*">Show what was concluded', left_out))
    assert service.get(f"/page/{SEOUL}?conclusions=some").status_code == 422
    assert 'id="certainty"' in service.get("/method").text
    assert [each.rpartition("/id/")[2] for each in looked] == [SEOUL] * 2, "once for each page"


def test_a_place_is_drawn_in_its_country_and_told_in_words(service: httpx.Client, crowd: httpx.Client) -> None:
    def pictures(page: html.Document) -> dict[str, str]:
        assert not page.problems
        shapes = iter([each.attributes["d"] for each in page.all("path") if each.attributes.get("class") == "land"])
        labels = [each.attributes.get("aria-label", "") for each in page.all("svg")]
        return {label: next(shapes) for label in labels if label.startswith("The outline")}

    has_outlines = bool(rendering.Pages().outlines)  # without islands there is no picture, but the words
    page = html.read(service.get("/page/place/bamako?lang=en").text)
    assert "Bamako, Mali" in {" ".join(each.text.split()) for each in page.all("li")}
    (mali,) = pictures(page).items() if has_outlines else [("Mali 0", "M0L0Z" * 20)]
    assert "Mali" in mali[0]
    assert 60 < len(mali[1]) < 6000
    somewhere = crowd.get("/page/organisation/o0?lang=en").text
    assert "latitude 19.430, longitude -99.130" in somewhere
    if has_outlines:
        assert "The outline of a country with 1 dot." in next(iter(pictures(html.read(somewhere))))
        dot = re.search(r'class="dot" cx="([0-9.]+)" cy="([0-9.]+)" r="5"/>\s*</svg>', somewhere)
        assert dot  # Mexico City lies in the lower middle of the country
        assert 150 < float(dot[1]) < 250
        assert 120 < float(dot[2]) < 200
    nowhere = service.get("/page/claim/gsef-policy-dialogue-lac-2019-91cb8c37af41?lang=en").text
    assert 'id="where"' not in nowhere


def test_a_claim_shows_its_quotation_and_is_called_as_what_it_says(service: httpx.Client) -> None:
    page = html.read(service.get("/page/claim/gsef-policy-dialogue-lac-2019-91cb8c37af41?lang=fr").text)
    assert page.all("h1")[0].text == "Dialogue politique du GSEF en Asie (Séoul) · début · 2019-10"
    assert "will be held on December 9, 2019" in {" ".join(each.text.split()) for each in page.all("mark")}


def test_the_queries_that_a_page_shows_run(service: httpx.Client) -> None:
    page = html.read(service.get(f"/page/{SEOUL}?lang=en").text)
    links = [each.attributes["href"] for each in page.all("a") if "/sparql?" in each.attributes["href"]]
    assert len(links) == 3
    for link in links:
        answer = httpx.get(link)
        assert answer.json()["results"]["bindings"], link


def test_every_link_of_a_page_within_the_service_leads_somewhere(service: httpx.Client) -> None:
    page = html.read(service.get(f"/page/{SEOUL}?lang=en").text)
    root = str(service.base_url).rstrip("/")
    links = {each.attributes["href"].partition("#")[0] for each in page.all("a")}
    own = {each for each in links if each.startswith(root) and "/sparql?" not in each}
    assert len(own) > 30
    found = {each: httpx.get(each, headers=PEOPLE, follow_redirects=True, timeout=30).status_code for each in own}
    wrong = {each: status for each, status in found.items() if status not in (200, 202)}  # networks may take a while
    assert not wrong


def test_the_ontology_page_tells_every_term_with_its_use(service: httpx.Client) -> None:
    answer = service.get("/ontology?lang=en")
    page = html.read(answer.text)
    ids = {each.attributes["id"] for each in page.elements if "id" in each.attributes}
    listed = service.get("/ontology.nt").text
    terms = set(
        re.findall(r"^<https://w3id.org/sse-kg/ontology#(\w+)> \S+ <\S+owl#(?:Class|\w+Property)> \.$", listed, re.M)
    )
    assert len(terms) == 167
    assert terms <= ids
    (event,) = (each for each in page.elements if each.attributes.get("id") == "Event")
    for words in ("A gathering of actors", "schema:Event", "26 things", "takes place in"):
        assert words in event.text
    (order,) = (each for each in page.elements if each.attributes.get("id") == "contributesTo")
    assert "in 183 statements" in order.text
    assert "list-certainty" in ids
    assert "KG-Generation" in answer.headers


def test_the_shapes_page_tells_what_is_asked(service: httpx.Client) -> None:
    page = html.read(service.get("/shapes?lang=es").text)
    (event,) = (each for each in page.elements if each.attributes.get("id") == "Event")
    assert "Elija uno de la lista" in event.text
    assert "obligatorio" in event.text
    everything = service.get("/shapes", headers={"accept": "*/*"})
    assert everything.headers["content-type"].startswith("text/turtle")
    assert service.get("/shapes?colour=red").status_code == 422


def test_static_files_stay_as_long_as_their_address(service: httpx.Client) -> None:
    page = html.read(service.get("/ontology").text)
    (style,) = (each.attributes["href"] for each in page.all("link") if each.attributes["rel"] == "stylesheet")
    answer = httpx.get(style)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]
    assert "immutable" not in httpx.get(style.partition("?")[0]).headers.get("cache-control", "")
    assert not re.search(r"url\(|@import|https?:", answer.text)
    assert "prefers-color-scheme: dark" in answer.text


def test_a_running_service_stays_whole_while_its_files_are_replaced(
    village: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(rendering.FOLDER / "templates", tmp_path / "templates")
    shutil.copytree(rendering.FOLDER / "catalogue", tmp_path / "catalogue")
    monkeypatch.setattr(rendering, "FOLDER", tmp_path)
    with running(village) as url:
        for path in (tmp_path / "templates").iterdir():
            path.write_text("{{ not_of_this_version }}")
        for page in ("/about", "/themes", "/page/event/nobody", "/query"):
            answer = httpx.get(f"{url}{page}", headers=PEOPLE)
            assert answer.status_code in (200, 404), answer.text
            assert "<h1" in answer.text


def test_static_texts_are_sent_packed_and_once(service: httpx.Client) -> None:
    page = service.get("/", headers=PEOPLE).text
    address = next(each for each in re.findall(r'href="([^"]+)"', page) if "/static/site.css" in each)
    packed = service.get(address)
    plain = service.get(address, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["cache-control"].endswith("immutable")
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert packed.content == plain.content == (rendering.STATIC / "site.css").read_bytes()
    assert packed.headers["etag"] != plain.headers["etag"]
    for answer in (packed, plain):
        again = service.get(
            address,
            headers={
                "if-none-match": answer.headers["etag"],
                "accept-encoding": "gzip" if answer is packed else "identity",
            },
        )
        assert (again.status_code, again.content) == (304, b"")
    head = service.head(address)
    assert (head.status_code, head.content) == (200, b"")
    assert service.get("/static/nothing.css").status_code == 404


def test_what_leads_to_a_page_hands_on_that_conclusions_are_left_out(service: httpx.Client) -> None:
    asked = {"conclusions": "without", "lang": "es", "clang": "fr"}
    for place in (SEOUL, "graph/inferred"):
        address = f"/id/{place}" if place is SEOUL else f"/{place}"
        led = service.get(address, params=asked)
        assert led.status_code == 303
        assert dict(httpx.URL(led.headers["location"]).params) == asked
        assert service.get(led.headers["location"]).status_code == 200
        data = service.get(address, params=asked, headers={"accept": "text/turtle"})
        assert (data.status_code, httpx.URL(data.headers["location"]).query) == (303, b"")
    assert service.get(f"/id/{SEOUL}?conclusions=some").status_code == 422
