"""The timeline: what documents date, in lanes and as a table; and the pages about the project."""

from __future__ import annotations

import time
from datetime import date
from itertools import pairwise
from typing import Any

import httpx
import pytest

from kg_service import ontology, resources
from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import Literal, NamedNode, sse
from kg_service.web import timeline
from kg_service.web.names import Names
from kg_service.web.rendering import LANGUAGES, Catalogue
from tests.web import html


def starts(page: html.Document) -> list[str]:
    return [each.attributes["datetime"] for each in page.all("time")]


def test_the_picture_and_the_table_tell_the_same(service: httpx.Client) -> None:
    page = html.read(service.get("/timeline?lang=en").text)
    assert not page.problems
    drawn = {each.attributes["href"] for each in page.all("a") if "svg" in each.parents}
    listed = {each.attributes["href"] for each in page.all("a") if "th" in each.parents}
    assert len(drawn) > 15
    assert drawn == listed
    rows = service.get("/api/queries/events/timeline.json").json()["results"]["bindings"]
    things = {f"{row['thing']['value'].partition('/id/')[2]}?lang=en" for row in rows}
    assert things == {each.partition("/page/")[2] for each in listed}


def test_a_period_and_lanes_narrow_it(service: httpx.Client) -> None:
    page = html.read(service.get("/timeline?from=2019-10&to=2019-11&lane=events&lang=en&lane=policies").text)
    names = [each.text for each in page.all("th") if each.attributes.get("scope") == "row"]
    assert names == [
        "ILO Centenary Declaration for the Future of Work",  # 2019: a year overlaps with its months
        "GSEF policy dialogue in Asia (Seoul)",
        "GSEF policy dialogue in Europe (Liverpool)",
    ]
    checked = [each.attributes["value"] for each in page.all("input") if "checked" in each.attributes]
    assert checked == ["events", "policies"]
    nothing = html.read(service.get("/timeline?from=1900&to=1901&lang=en").text)
    assert "Nothing in this period has a date." in {each.text for each in nothing.all("p")}


@pytest.mark.parametrize(
    "query", ["from=x", "to=2019-13", "from=2022&to=2019", "lane=x", "x=1", "from=2019&from=2020", "embed=2"]
)
def test_what_is_no_period_is_a_wrong_parameter(service: httpx.Client, query: str) -> None:
    assert service.get(f"/timeline?{query}").status_code == 422


def _entries(*rows: tuple[str, str]) -> list[timeline.Entry]:
    names = Names(
        {},
        addresses=Addresses("http://x"),
        ontology=ontology.read(resources.folder("ontology")),
        catalogue=Catalogue("en"),
    )
    made: list[dict[str, Any]] = [
        {"kind": sse("Event"), "thing": NamedNode(f"urn:{n}"), "start": Literal(start)}
        | ({"end": Literal(end)} if end else {})
        for n, (start, end) in enumerate(rows)
    ]
    return timeline.entries(made, names, least=None, most=None, lanes=())


def test_dates_stand_for_all_their_days_and_what_is_none_is_left_out() -> None:
    given = ["2019", "2020-02", "2020-12", "9999-12-31", "9999", "2019-02-30", "soon", "0000", "-0044", "12019", ""]
    found = _entries(*((each, "") for each in given), ("2021-01-05T10:00:00Z", "2021-01-03"))
    spans = {(each.start, each.first, each.last) for each in found}
    assert ("2019", date(2019, 1, 1), date(2019, 12, 31)) in spans
    assert ("2020-12", date(2020, 12, 1), date(2021, 1, 1)) in spans
    assert ("2021-01-05", date(2021, 1, 5), date(2021, 1, 5)) in spans
    assert not {"soon", "0000", "1201", "2019-02-30"} & {each.start for each in found}
    assert timeline.picture(found) is not None


def test_nothing_in_the_picture_covers_another() -> None:
    found = _entries(*((f"20{n % 20 + 10}-{n % 12 + 1:02}", "") for n in range(100)))
    drawn = timeline.picture(found)
    assert drawn
    for lane in drawn.lanes:
        rows: dict[int, list[tuple[float, float]]] = {}
        for mark in lane.marks:
            words = len(mark.words) * 7.6
            left = mark.words_x - words if mark.is_turned else mark.x
            right = mark.x + mark.width if mark.is_turned else mark.words_x + words
            rows.setdefault(mark.y, []).append((left, right))
        for spans in rows.values():
            spans.sort()
            assert all(one[1] <= other[0] for one, other in pairwise(spans))
    many = timeline.picture(_entries(*(("2019", "") for _ in range(timeline.DRAWN + 5))))
    assert many
    assert many.left_out == 5


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_about_the_project_lead_to_what_they_name(service: httpx.Client, language: str) -> None:
    root = str(service.base_url).rstrip("/")
    for path in ("/about", "/method"):
        page = html.read(service.get(f"{path}?lang={language}").text)
        assert not page.problems
        for each in page.all("a"):
            where = each.attributes["href"].partition("#")[0]
            if language == "en" and where.startswith(root) and "ul" in each.parents:
                answer = service.get(where, headers={"accept": "text/html, */*;q=0.1"}, follow_redirects=True)
                assert answer.status_code in (200, 202), where
    assert "is in the words" not in service.get(f"/method?lang={language}").text


def test_the_files_come_with_the_checksums_of_the_api(service: httpx.Client) -> None:
    until = time.monotonic() + 60
    while not (page := html.read(service.get("/download?lang=en").text)).all("table"):
        assert time.monotonic() < until, "no files within 60 s"
        time.sleep(0.5)
    told = service.get("/dumps/", headers={"accept": "application/json"}).json()["data"]
    assert [each.text for each in page.all("code")] == [each["sha256"] for each in told]
    assert {each["url"] for each in told} <= {each.attributes["href"] for each in page.all("a")}
