"""`/map` without a script: the countries with their counts, as the graph has them."""

from __future__ import annotations

import csv
import io

import httpx
import pytest

from kg_service.web.rendering import LANGUAGES
from kg_service.web.world import KINDS, counting_query
from tests.web import html
from tests.web.conftest import PEOPLE, Writing


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_says_what_its_query_finds(service: httpx.Client, kind: str, language: str) -> None:
    answer = service.get(f"/map?kind={kind}&lang={language}", headers=PEOPLE)
    page = html.read(answer.text)
    assert not page.problems
    text = service.get("/sparql", params={"query": counting_query(kind, [language]), "format": "csv"}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    cells = [each.text.strip() for each in page.elements if each.tag in ("th", "td") and "tbody" in each.parents]
    assert cells == [part for row in rows for part in (row["name"] or row["code"], row["code"], row["n"])]


def test_an_event_in_a_city_is_counted_in_its_country_and_can_be_listed(service: httpx.Client) -> None:
    page = html.read(service.get("/map?kind=event&lang=en", headers=PEOPLE).text)
    (korea,) = (each for each in page.all("a") if "in Republic of Korea" in each.attributes.get("aria-label", ""))
    listed = service.get(korea.attributes["href"], headers=PEOPLE)
    assert "gsef-policy-dialogue-seoul-2019" in listed.text
    assert len([each for each in html.read(listed.text).all("tr") if "tbody" in each.parents]) == int(korea.text)


def test_what_is_in_no_country_is_said(service: httpx.Client) -> None:
    text = service.get("/map?kind=event&lang=en", headers=PEOPLE).text
    whole = service.get("/api/events", headers={"accept": "*/*"}).json()["meta"]["total"]
    without = int(text.split(" more are in no country")[0].rsplit(">", 1)[1])
    assert 0 < without < whole


def test_a_country_is_named_in_the_first_language_that_it_has_a_name_in(writer: Writing) -> None:
    code = "<https://w3id.org/sse-kg/id/place/valley> <https://w3id.org/sse-kg/ontology#countryCode> 'MX' ."
    made = writer.change("/api/changes", content=code, headers={"content-type": "text/turtle"}).json()["change"]
    for asked, name in (("lang=fr&clang=pt", "Vallée"), ("lang=fr&clang=es", "Valle"), ("lang=en&clang=pt", "Valley")):
        page = writer.page(f"/map?kind=organisation&{asked}")
        assert not page.problems
        (country,) = (each for each in page.all("th") if "tbody" in each.parents)
        assert country.text.split()[0] == name  # a tag of its language may follow
        (listed,) = (
            each for each in page.all("a") if "/query?" in each.attributes["href"] and "aria-label" in each.attributes
        )
        rows = writer.page(listed.attributes["href"].removeprefix(writer.url)).all("tr")
        assert len([each for each in rows if "tbody" in each.parents]) == int(listed.text)
    assert writer.send(f"/history/{made}/revert", {"step": "make"}).status_code == 303


@pytest.mark.parametrize("query", ["kind=planet", "country=MX"])
def test_a_wrong_parameter_is_told(service: httpx.Client, query: str) -> None:
    assert service.get(f"/map?{query}", headers=PEOPLE).status_code == 422


def test_programs_are_led_to_the_answer(service: httpx.Client) -> None:
    answer = service.get("/map", headers={"accept": "application/json"})
    assert answer.status_code == 303
    assert httpx.get(answer.headers["location"], timeout=60).json()["results"]["bindings"]
