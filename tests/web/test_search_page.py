"""The search as a page: what `/api/search` finds, in words, and safe whatever is typed."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from kg_service.api import search_page
from kg_service.ingest import bulk
from kg_service.search.narrowing import FACETS
from kg_service.settings import Settings
from kg_service.shacl import load_shapes
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE


@pytest.fixture(scope="module", autouse=True)
def indexed(service: httpx.Client) -> None:
    """Waits until the index is made."""
    until = time.monotonic() + 90
    while service.get("/search?q=a").status_code == 503:
        assert time.monotonic() < until, "no index within 90 s"


def found(service: httpx.Client, q: str, **more: str) -> html.Document:
    answer = service.get("/search", params={"q": q, "lang": "en", **more})
    assert answer.status_code == 200
    page = html.read(answer.text)
    assert not page.problems
    return page


def reasons(page: html.Document) -> list[str]:
    return [" ".join(each.text.split()) for each in page.all("p") if each.attributes.get("class") == "reason"]


def test_the_page_has_what_the_service_finds_in_its_order(service: httpx.Client) -> None:
    page = found(service, "iztapalapa")
    told = service.get("/api/search?q=iztapalapa", headers={"accept-language": "en"}).json()
    names = [each.text for each in page.all("a") if "h3" in each.parents]
    assert names == [each["label"] for each in told["data"]]
    assert page.all("h2")[0].text == f"{told['meta']['total']} things found"
    assert {each.text for each in page.all("mark")} == {"Iztapalapa"}
    assert "In the name · Español · the words as typed" in reasons(page)
    assert any(each.startswith("Dans le texte « ") for each in reasons(found(service, "iztapalapa", lang="fr")))
    for each in page.all("a"):
        if "h3" in each.parents:
            assert httpx.get(each.attributes["href"], headers=PEOPLE).status_code == 200


def test_words_of_a_source_lead_to_the_passage_and_its_document(service: httpx.Client) -> None:
    page = found(service, "will be held on December 9")
    quoted = [each for each in reasons(page) if each.startswith("In the words of a document")]
    assert quoted
    assert any(" · from " in each and each.endswith("the passage") for each in quoted)
    passages = {each.attributes["href"] for each in page.all("a") if each.text == "the passage"}
    assert all("/page/quotation/" in each or "/page/claim/" in each for each in passages)
    texts = [each for each in page.all("p") if "dir" in each.attributes]
    assert any(each.attributes.get("lang") == "en" for each in texts)


def test_misspelt_words_and_beginnings_are_told_as_such(service: httpx.Client) -> None:
    assert any("words that begin so" in each for each in reasons(found(service, "iztapal")))
    page = found(service, "iztapalappa ")
    assert any("words spelled alike" in each for each in reasons(page))
    assert any(each.startswith("Similar words too: iztapalappa") for each in reasons(page))


@pytest.mark.parametrize(("language", "type"), [("en", "theme"), ("es", "tema"), ("fr", "thème")])
def test_types_are_in_the_readers_language_and_narrow_the_search(
    service: httpx.Client, language: str, type: str
) -> None:
    page = found(service, "solidarity", lang=language)
    (link,) = (each for each in page.all("a") if each.text == type and "nav" in each.parents)
    assert parse_qs(urlsplit(link.attributes["href"]).query)["type"] == ["Theme"]
    count = next(each.text for each in page.all("li") if each.text.strip().startswith(f"{type} "))
    narrowed = html.read(service.get(link.attributes["href"]).text)
    assert count.split()[-1] == narrowed.all("h2")[0].text.split()[0]
    current = [each.text for each in narrowed.all("a") if each.attributes.get("aria-current")]
    assert type in current
    hidden = {each.attributes["name"]: each.attributes["value"] for each in narrowed.all("input")[1:]}
    assert hidden == {"type": "Theme", "lang": language}


def test_pages_lead_through_all_that_was_found(service: httpx.Client) -> None:
    page, seen = found(service, "solidarity"), list[str]()
    total = int(page.all("h2")[0].text.split()[0])
    assert total > 40
    while True:
        seen += [each.attributes["href"] for each in page.all("a") if "h3" in each.parents]
        following = [each for each in page.all("a") if each.attributes.get("rel") == "next"]
        if not following:
            break
        page = html.read(service.get(following[0].attributes["href"]).text)
    assert len(seen) == len(set(seen)) == total


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }} {% raw %}",
    "{q} %s &amp; &#60;",
    "مرحبا \u202eabc",
    "日本語 😀",
    "a" * 1000,
    "&lang=es&type=x",
    "\\'; DROP TABLE text --",
    "* OR NEAR( ^a",
]


@pytest.mark.parametrize("q", NASTY)
def test_what_is_typed_stays_text(service: httpx.Client, q: str) -> None:
    page = found(service, q)
    assert not page.all("script") + page.all("img")
    (box,) = (each for each in page.all("input") if each.attributes["name"] == "q")
    assert box.attributes["value"] == q
    assert page.all("title")[0].text.startswith(f"{q} – Search")
    assert not [name for each in page.elements for name in each.attributes if name.startswith("on")]
    for each in page.all("a"):
        asked = urlsplit(each.attributes["href"])
        if asked.path == "/search" and "nav" not in each.parents:
            assert parse_qs(asked.query).get("q", [q]) == [q]


@pytest.mark.parametrize(
    "query",
    [
        "q=" + "a" * 2000,
        "q=" + "a" * 1001,
        "q=a&page=22",
        "q=a&page=x",
        "q=a%00b",
        "q=a&q=b",
        "q=a&type=%3Cx",
        "x=1",
    ],
)
def test_what_cannot_be_asked_is_told_on_a_page(service: httpx.Client, query: str) -> None:
    answer = service.get(f"/search?{query}&lang=es")
    assert (answer.status_code, answer.headers["content-type"]) == (422, "text/html; charset=utf-8")
    page = html.read(answer.text)
    assert not page.problems
    assert page.all("h1")[0].text == "Parámetro incorrecto"
    json = {"accept": "application/json"}
    assert service.get(f"/search?{query}", headers=json, follow_redirects=True).status_code == 422


@pytest.mark.parametrize("query", ["", "?q=", "?q=+++", "?q=&type=&lang=en"])
def test_without_words_there_are_examples_that_find_something(service: httpx.Client, query: str) -> None:
    page = html.read(service.get(f"/search{query}").text)
    examples = [
        each.attributes["href"]
        for each in page.all("a")
        if "/search?q=" in each.attributes["href"] and "nav" not in each.parents
    ]
    assert len(examples) >= 3
    for each in examples:
        assert html.read(service.get(each).text).all("h3")


def test_where_nothing_is_found_there_is_advice(service: httpx.Client) -> None:
    page = found(service, "zzzzzzzz", type="Theme")
    assert page.all("h2")[0].text == "Nothing was found"
    assert [each.text for each in page.all("bdi")] == ["zzzzzzzz"]
    assert any(each.text == "Things of every type" for each in page.all("a"))


def test_who_wants_json_is_led_to_it(service: httpx.Client) -> None:
    answer = service.get("/search?q=caf%C3%A9+%26&page=3&type=Theme", headers={"accept": "application/json"})
    assert answer.status_code == 303
    where = urlsplit(answer.headers["location"])
    assert where.path == "/api/search"
    assert parse_qs(where.query) == {
        "q": ["café &"],
        "type": ["Theme"],
        "limit": ["20"],
        "offset": ["40"],
        "facets": list(FACETS),
    }
    link = next(each for each in found(service, "solidarity").all("a") if each.text == "JSON")
    assert service.get(link.attributes["href"]).json()["meta"]["total"] > 40


def test_every_page_has_a_search_of_its_own(service: httpx.Client) -> None:
    for path in ("/ontology", "/", "/search", "/page/event/nobody"):
        page = html.read(service.get(path).text)
        (form,) = (each for each in page.all("form") if each.attributes.get("role") == "search")
        assert (form.attributes["role"], form.attributes["method"]) == ("search", "get")
        (box,) = (each for each in page.all("input") if each.attributes["type"] == "search")
        labels = {each.attributes["for"] for each in page.all("label")}
        assert box.attributes.get("aria-label") or box.attributes["id"] in labels


def test_while_the_index_is_being_made_the_page_finds_by_names_and_says_when_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_page, "PATIENCE", 0.0)
    with EmbeddedStore(tmp_path / "store") as store:
        bulk.load(store, [VILLAGE], load_shapes([]))
    with running(Settings(store=tmp_path / "store")) as url:
        answer = httpx.get(f"{url}/search?q=fair&lang=fr", headers=PEOPLE, timeout=30)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["refresh"] == answer.headers["retry-after"]  # without a script
        page = html.read(answer.text)
        assert not page.problems
        assert page.all("h2")[0].text == "L’index de la recherche est en préparation"
        assert page.all("input")[0].attributes["value"] == "fair"
        there = f"{url}/page/event/fair-2021?lang=fr"
        (named,) = (each for each in page.all("a") if each.attributes["href"] == there)
        assert named.text == "Foire de 2021"


@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_what_was_found_is_narrowed_down_and_widened_again(service: httpx.Client, language: str) -> None:
    page = found(service, "solidarity", lang=language)
    total = int(page.all("h2")[0].text.split()[0])
    links = {each.attributes["href"]: each for each in page.all("a") if each.attributes.get("rel") == "nofollow"}
    facets = {name: [a for a in links if name in parse_qs(urlsplit(a).query)] for name in FACETS}
    assert all(facets.values())
    for name, addresses in facets.items():
        narrowed = html.read(service.get(addresses[0]).text)
        assert not narrowed.problems
        left = int(narrowed.all("h2")[0].text.split()[0])
        assert 0 < left < total
        current = [each for each in narrowed.all("a") if each.attributes.get("aria-current")]
        (chosen,) = [e for e in current if "details" in e.parents and e.attributes.get("class") != "apart"]
        assert name not in parse_qs(urlsplit(chosen.attributes["href"]).query)
        hidden = {each.attributes["name"] for each in narrowed.all("input")}
        assert name in hidden
        wider = html.read(service.get(chosen.attributes["href"]).text)
        assert int(wider.all("h2")[0].text.split()[0]) == total
    nothing = html.read(service.get("/search?q=solidarity&year=1066&lang=en").text)
    assert nothing.all("h2")[0].text == "Nothing was found"
    assert any(each.text == "Do not narrow down" for each in nothing.all("a"))


def test_facets_count_what_narrowing_finds(service: httpx.Client) -> None:
    asked = {"q": "solidarity", "facets": ",".join(FACETS), "limit": "100"}
    told = service.get("/api/search", params=asked, headers={"accept-language": "es"}).json()
    assert set(told["facets"]) == {"type", *FACETS}
    labels = {each["value"]: each["label"] for each in told["facets"]["country"]}
    assert labels["MX"] == "México"
    for facet in FACETS:
        assert told["facets"][facet], facet
        for each in told["facets"][facet][:3]:
            narrowed = service.get("/api/search", params={"q": "solidarity", facet: each["value"]}).json()
            assert narrowed["meta"]["total"] == each["count"]
            assert narrowed["facets"].keys() == {"type"}
    both = service.get("/api/search", params={"q": "solidarity", "country": "mx,co", "year": "2019"}).json()
    one = service.get("/api/search", params={"q": "solidarity", "country": "mx", "year": "2019"}).json()
    assert 0 < one["meta"]["total"] <= both["meta"]["total"] < told["meta"]["total"]
    wrong = service.get("/api/search", params={"q": "a", "facets": "colour"})
    assert wrong.status_code == 422
    assert "theme" in wrong.text
    nasty = service.get("/api/search", params={"q": "solidarity", "theme": "x> } DROP ALL #"})
    assert nasty.status_code in (200, 422)
