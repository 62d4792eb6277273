"""A query is put together of choices: it is shown, answered, and nothing that is typed becomes part of its syntax."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from pyoxigraph import Store

from kg_service.api.offering import offered
from kg_service.linked_data import Asking
from kg_service.store import Answer, Query
from kg_service.web.fields import Field
from kg_service.web.names import Shown
from kg_service.web.rendering import LANGUAGES
from tests.web import html


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_is_put_together_and_answered(service: httpx.Client, language: str) -> None:
    asked = {
        "lang": language,
        "class": "Event",
        "show": "p-schema-startDate,p-sse-takesPlaceIn",
        "p-sse-eventKind": "https://w3id.org/sse-kg/id/event-kind/policy-dialogue",
        "p-schema-startDate-from": "2019",
        "p-schema-startDate-to": "2019-11",
        "p-skos-prefLabel": "",
    }
    page = html.read(service.get("/build", params=asked).text)
    assert not page.problems
    cells = [each.text.strip() for each in page.all("td")]
    assert {"2019-04", "2019-10", "2019-11"} <= set(cells)
    assert "2019-12-09" not in cells
    query = next(each.text for each in page.all("code") if "SELECT" in each.text)
    answer = service.get("/sparql", params={"query": query, "format": "json"})
    assert len(answer.json()["results"]["bindings"]) == len(page.all("tr")) - 1
    assert any("/query?query=PREFIX" in each.attributes.get("href", "") for each in page.all("a"))


@pytest.mark.parametrize(
    "words", ['"', '") } #', "\\", "<script>alert(1)</script>", "ñ\u202e", "?x } UNION { ?s ?p ?o"]
)
def test_what_is_typed_stays_a_value(service: httpx.Client, words: str) -> None:
    answer = service.get("/build", params={"class": "Theme", "p-skos-prefLabel": words})
    assert answer.status_code == 200
    page = html.read(answer.text)
    assert not page.problems
    assert not page.all("script")
    query = next(each.text for each in page.all("code") if "SELECT" in each.text)
    Store().query(query)
    assert "0 rows." in answer.text


@pytest.mark.parametrize(
    "asked",
    [
        {"class": "Claim"},
        {"class": "Event", "p-sse-edition": "many"},
        {"class": "Event", "p-sse-takesPlaceIn": "a b"},
        {"class": "Event", "p-schema-startDate-from": "soon"},
        {"class": "Event", "p-sse-unknown": "x"},
        {"show": "p-sse-x", "p-sse-x": "y"},
    ],
)
def test_a_wrong_choice_is_named(service: httpx.Client, asked: dict[str, str]) -> None:
    assert service.get("/build", params=asked).status_code == 422


def test_without_a_class_there_is_the_choice_of_one(service: httpx.Client) -> None:
    page = html.read(service.get("/build").text)
    assert "Event" in {each.attributes.get("value") for each in page.all("option")}
    assert not page.all("table")
    assert service.head("/build").status_code == 200


def test_things_are_offered_by_name_and_found_by_a_part_of_it(service: httpx.Client) -> None:
    field = "p-sse-takesPlaceIn"

    def asked(words: str) -> html.Document:
        page = html.read(service.get("/build", params={"class": "Event", field: words, "lang": "en"}).text)
        assert not page.problems
        return page

    def rows(page: html.Document) -> list[str]:
        return [each.text for each in page.all("tr") if "tbody" in each.parents]

    page = asked("")
    (place,) = (each for each in page.all("input") if each.attributes.get("name") == field)
    listed = {each.attributes["value"] for each in page.all("option") if "datalist" in each.parents}
    assert place.attributes["list"] in {each.attributes["id"] for each in page.all("datalist")}
    assert "Bamako — place/bamako" in listed
    in_bamako = rows(asked("place/bamako"))
    assert in_bamako
    assert rows(asked("Bamako — place/bamako")) == rows(asked("BAMAKO")) == rows(asked("bamak")) == in_bamako
    page = asked("a")
    assert not rows(page)
    which = [each.attributes["href"] for each in page.all("a") if f"{field}=" in each.attributes["href"]]
    which = [each for each in which if "/build?" in each and "lang=en" in each and "+%E2%80%94+" in each]
    assert 1 < len(which) <= 20
    assert html.read(service.get(which[0]).text).all("code")
    assert service.get("/build", params={"class": "Event", field: "nowhere at all"}).status_code == 422


def test_what_fields_offer_is_asked_for_at_once() -> None:
    fields = [Field(f"urn:p{n}", Shown(""), None, "thing", classes=(f"urn:c{n}",)) for n in range(3)]
    asked: list[str] = []
    row = {"thing": {"type": "uri", "value": "urn:x"}, "label": {"type": "literal", "value": "X"}}

    async def find() -> dict[tuple[str, ...], list[str]]:
        every = asyncio.Event()

        async def ask(query: Query) -> Answer:
            asked.append(query.text)
            if len(asked) == len(fields):
                every.set()
            await every.wait()  # one after the other they would wait for ever
            return Answer(1, "json", whole=json.dumps({"results": {"bindings": [row]}}).encode())

        return await asyncio.wait_for(offered(Asking(ask, seconds=1), fields, ("en",)), 10)

    found = asyncio.run(find())
    assert list(found) == [each.classes for each in fields]
    assert all("urn:x" in things[0] for things in found.values())
