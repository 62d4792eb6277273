"""The lists for people: what the API counts and filters, told in words, with what takes each thing up."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from kg_service import ontology, resources
from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import Literal, NamedNode
from kg_service.web.names import Names
from kg_service.web.rendering import Catalogue
from kg_service.web.themes import Concepts
from tests.web import html

PLAIN = {"accept": "application/json"}


def told(service: httpx.Client, path: str, **parameters: str) -> dict[str, Any]:
    answer: dict[str, Any] = service.get(f"/api/{path}", params=parameters, headers=PLAIN).json()
    return answer


def cards(page: html.Document) -> list[str]:
    """The addresses of the things on a page in English, in order."""
    links = [each.attributes["href"] for each in page.all("a") if each.parents[-1] == "h3"]
    assert all(each.endswith("?lang=en") for each in links)
    return [each.removesuffix("?lang=en").rpartition("/")[2] for each in links]


@pytest.mark.parametrize("name", ["recommendations", "policies", "alliances"])
def test_the_pages_lead_through_what_the_api_lists_in_its_order(service: httpx.Client, name: str) -> None:
    address, seen = f"/{name}?lang=en", list[str]()
    while True:
        page = html.read(service.get(address).text)
        assert not page.problems
        seen += cards(page)
        following = [each for each in page.all("a") if each.attributes.get("rel") == "next"]
        if not following:
            break
        address = following[0].attributes["href"]
    data = told(service, name, limit="1000")["data"]
    assert seen == [each["iri"].rpartition("/")[2] for each in data]
    assert len(seen) > 25


@pytest.mark.parametrize(
    ("name", "filters"),
    [
        ("recommendations", {"theme": "gender-equality", "sort": "-label"}),
        ("recommendations", {"q": "women"}),
        ("policies", {"status": "existing"}),
        ("alliances", {"level": "local", "status": "recommended"}),
        ("alliances", {"start_from": "2020"}),
    ],
)
def test_filters_are_those_of_the_api(service: httpx.Client, name: str, filters: dict[str, str]) -> None:
    page = html.read(service.get(f"/{name}", params={**filters, "lang": "en"}).text)
    found = told(service, name, **filters, limit="25")
    assert cards(page) == [each["iri"].rpartition("/")[2] for each in found["data"]]
    assert page.all("h2")[1].text == f"{found['meta']['total']} found"
    for each in page.all("a"):
        if each.text in ("JSON", "CSV", "JSON-LD"):
            asked = {key: values[0] for key, values in parse_qs(urlsplit(each.attributes["href"]).query).items()}
            assert asked == filters


def test_a_facet_narrows_to_as_many_as_it_says_and_lets_go_again(service: httpx.Client) -> None:
    page = html.read(service.get("/recommendations?q=women&lang=en").text)
    theme = next(each for each in page.all("a") if "aside" in each.parents and each.text == "Gender equality")
    count = next(each.text for each in page.all("li") if each.text.strip().startswith("Gender equality "))
    narrowed = html.read(service.get(theme.attributes["href"]).text)
    assert narrowed.all("h2")[1].text == f"{count.split()[-1]} found"
    (chosen,) = (each for each in narrowed.all("a") if each.text == "✓ Gender equality")
    assert chosen.attributes["aria-current"] == "true"
    again = html.read(service.get(chosen.attributes["href"]).text)
    assert cards(again) == cards(page)
    hidden = {
        each.attributes["name"]: each.attributes["value"]
        for each in narrowed.all("input")
        if each.attributes["type"] == "hidden"
    }
    assert hidden == {"theme": "gender-equality", "lang": "en"}


def test_a_recommendation_tells_where_it_comes_from_and_what_takes_it_up(service: httpx.Client) -> None:
    page = html.read(service.get("/recommendations?q=&sort=&lang=en&page=1").text)
    facts = [" ".join(each.text.split()) for each in page.all("div") if "dl" in each.parents]
    assert "result ofMont Blanc Meetings - Americas (2022-10-18)" in facts
    assert any(each.startswith("Recommended inRoadmap of the Mont Blanc Meetings - Americas 2022") for each in facts)
    assert any(each.startswith("as “about”") and each.endswith("(recommended)") for each in facts)
    texts = [each for each in page.all("p") if each.attributes.get("class") == "text"]
    assert {each.attributes["lang"] for each in texts} == {"en"}


def test_a_policy_tells_who_calls_for_it_and_an_alliance_its_members_with_evidence(service: httpx.Client) -> None:
    page = html.read(service.get("/policies?q=2030&lang=en").text)
    facts = [" ".join(each.text.split()) for each in page.all("div") if "dl" in each.parents]
    assert any(each.startswith("as “cites") for each in facts)
    page = html.read(service.get("/alliances?status=existing&lang=en").text)
    evidence = [each.attributes["href"] for each in page.all("a") if each.text == "evidence"]
    assert evidence
    assert html.read(service.get(evidence[0]).text).all("blockquote")


@pytest.mark.parametrize(
    "path",
    [
        *("/policies?status=x", "/policies?page=0", "/policies?x=1", "/policies?sort=x", "/recommendations?order=x"),
        *("/alliances?start_from=soon", "/policies?page=1&page=2", "/recommendations?theme=%3Cscript%3E"),
        *(
            "/policies?limit=3",
            "/policies?format=csv",
            "/themes?view=x",
            "/themes?scheme=sdg",
            "/alliances/overlap?x=1",
        ),
    ],
)
def test_what_cannot_be_asked_is_told(service: httpx.Client, path: str) -> None:
    answer = service.get(path)
    assert answer.status_code == 422
    page = html.read(answer.text)
    assert not page.problems + [each.tag for each in page.all("script")]


@pytest.mark.parametrize("q", ["<script>alert(1)</script>", '"><img src=x>', "日本語 😀", "a" * 1000])
def test_what_is_typed_stays_text(service: httpx.Client, q: str) -> None:
    page = html.read(service.get("/policies", params={"q": q, "lang": "en"}).text)
    assert not page.problems + [each.tag for each in (*page.all("script"), *page.all("img"))]
    (box,) = (each for each in page.all("input") if each.attributes.get("id") == "q")
    assert box.attributes["value"] == q
    assert "None is like that; take a filter away." in {each.text for each in page.all("p")}


def test_pairs_with_common_members_come_with_the_members(service: httpx.Client) -> None:
    page = html.read(service.get("/alliances/overlap?lang=en").text)
    rows = service.get("/api/queries/alliances/overlap.json").json()["results"]["bindings"]
    pairs = {(row["first"]["value"], row["second"]["value"]) for row in rows}
    assert page.all("h2")[0].text == f"{len(pairs)} pairs"
    numbers = [int(each.text) for each in page.all("td") if each.attributes.get("class") == "number"]
    assert numbers == sorted(numbers, reverse=True)
    assert sum(numbers) == len(rows)


# ---- Themes ----


@pytest.mark.parametrize("scheme", ["themes", "practices", "actor-groups"])
def test_each_concept_is_in_the_tree_and_under_its_letter(service: httpx.Client, scheme: str) -> None:
    rows = service.get(f"/api/queries/themes/tree.json?scheme={scheme}").json()["results"]["bindings"]
    known = {row["concept"]["value"].rpartition("/id/")[2] for row in rows}
    for view in ("tree", "az"):
        page = html.read(service.get(f"/themes?scheme={scheme}&view={view}&lang=fr").text)
        assert not page.problems
        listed = {each.attributes["href"].partition("/page/")[2] for each in page.all("a") if "li" in each.parents}
        assert {f"{each}?lang=fr" for each in known} <= listed


def test_the_letters_are_those_of_the_readers_names(service: httpx.Client) -> None:
    page = html.read(service.get("/themes?view=az&lang=fr").text)
    letters = [each.text for each in page.all("h3")]
    assert letters == sorted(set(letters))
    assert "É" not in letters
    assert "E" in letters


def _names() -> Names:
    return Names(
        {},
        addresses=Addresses("http://x"),
        ontology=ontology.read(resources.folder("ontology")),
        catalogue=Catalogue("en"),
    )


def _concepts(*pairs: tuple[str, str | None]) -> Concepts:
    rows: list[dict[str, Any]] = []
    for concept, broader in pairs:
        rows.append({"concept": NamedNode(f"urn:{concept}"), "things": Literal(1)})
        if broader:
            rows[-1]["broader"] = NamedNode(f"urn:{broader}")
    return Concepts(rows, _names())


def test_licences_have_names_and_addresses_of_websites_lead_there() -> None:
    names = _names()
    called = {
        "https://creativecommons.org/licenses/by-sa/4.0/": "CC BY-SA 4.0",
        "https://creativecommons.org/publicdomain/zero/1.0/": "CC0 1.0",
        "http://opendatacommons.org/licenses/by/1-0/": "ODC-BY 1.0",
        "https://spdx.org/licenses/MIT": "MIT",
    }
    assert {iri: names.of(iri).text for iri in called} == called
    any_uri = NamedNode("http://www.w3.org/2001/XMLSchema#anyURI")
    shown = names.shown(Literal("http://www.example.coop", datatype=any_uri))
    assert (shown.text, shown.address, shown.datatype) == ("http://www.example.coop", "http://www.example.coop", None)
    assert names.shown(Literal("javascript:alert(1)", datatype=any_uri)).address is None
    assert names.property("http://www.w3.org/2003/01/geo/wgs84_pos#lat").text == "latitude"


def test_circles_diamonds_and_chains_are_told_once() -> None:
    circle = _concepts(("a", "b"), ("b", "a"), ("c", None)).tree()
    assert [each.name.text for each in circle] == ["urn:c", "urn:a"]
    ladder = [(f"{side}{n}", f"{above}{n - 1}") for n in range(1, 40) for side in "ab" for above in "ab"]
    tree = _concepts(("a0", None), ("b0", None), *ladder).tree()
    assert len(tree) == 2
    chain = _concepts(("n0", None), *((f"n{n}", f"n{n - 1}") for n in range(1, 5000))).tree()
    assert len(chain) == 1
