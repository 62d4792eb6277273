"""The matrix of the goals: the numbers of the API, and behind each the things that it counts."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.web import html


def matrix(service: httpx.Client) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = service.get("/api/sdgs/coverage").json()["data"]
    return told


def cells(page: html.Document) -> list[str]:
    return [" ".join(each.text.split()) for each in page.all("td")]


def test_the_cells_are_what_the_api_counts_with_stated_and_inferred_apart(service: httpx.Client) -> None:
    page = html.read(service.get("/sdg?lang=en").text)
    expected = []
    for goal in matrix(service):
        for kind in ("recommendations", "policies", "actors", "alliances"):
            count = goal["counts"].get(kind, {"all": 0})
            n, inferred = count["all"], count.get("inferred", 0)
            expected.append(f"{n} {n - inferred} said, {inferred} inferred" if inferred else str(n))
    assert cells(page) == expected
    assert any("2 said" in each for each in expected)


def test_a_shade_grows_with_its_number(service: httpx.Client) -> None:
    page = html.read(service.get("/sdg?lang=en").text)
    shades = [(int(each.attributes["class"][1:2]), int(each.text.split()[0])) for each in page.all("td")]
    assert {shade for shade, n in shades if n == 0} == {0}
    assert max(shades) == (5, max(n for _, n in shades))
    for shade, n in shades:
        assert all(shade <= other for other, more in shades if more > n)


@pytest.mark.parametrize(("aim", "kind"), [("5", "recommendations"), ("17", "alliances"), ("5.5", "policies")])
def test_a_cell_opens_to_as_many_things_with_their_evidence(service: httpx.Client, aim: str, kind: str) -> None:
    page = html.read(service.get(f"/sdg?aim={aim}&kind={kind}&lang=en").text)
    assert not page.problems
    rows = [row for goal in matrix(service) for row in (goal, *goal["targets"]) if row["code"] == aim]
    things = [each for each in page.all("h3") if "li" in each.parents]
    assert len(things) == rows[0]["counts"][kind]["all"] > 0
    reasons = [each.attributes["href"] for each in page.all("a") if each.text.endswith("evidence")]
    assert len(reasons) >= len(things)
    claim = html.read(service.get(reasons[0]).text)
    assert claim.all("blockquote")


def test_a_goal_shows_its_targets_and_what_nothing_serves(service: httpx.Client) -> None:
    page = html.read(service.get("/sdg?aim=6.1&lang=fr").text)
    assert "Cibles de l’Objectif 6" in page.all("h2")[0].text
    codes = [each.text for each in page.all("a") if each.attributes.get("class") == "code"]
    gaps = service.get("/api/sdgs/coverage").json()["gaps"]
    for listed in (gaps["goals"], gaps["targets"], gaps["only_inferred"]["targets"]):
        assert set(listed) <= set(codes)


@pytest.mark.parametrize(
    "query", ["aim=99", "aim=5&kind=x", "kind=actors", "aim=", "aim=%3Cscript%3E", "embed=2", "goal=5", "aim=5&aim=6"]
)
def test_what_is_no_aim_or_kind_is_a_wrong_parameter(service: httpx.Client, query: str) -> None:
    answer = service.get(f"/sdg?{query}")
    assert answer.status_code == 422
    assert html.read(answer.text).all("h1")


def test_only_the_embedded_matrix_may_be_framed_by_others(service: httpx.Client) -> None:
    plain, embedded = service.get("/sdg"), service.get("/sdg?embed=1")
    assert "frame-ancestors 'self'" in plain.headers["content-security-policy"]
    assert "frame-ancestors *" in embedded.headers["content-security-policy"]
    page = html.read(embedded.text)
    assert not page.problems
    assert not page.all("header") + page.all("footer") + page.all("form")
    assert cells(page) == cells(html.read(plain.text))
    assert [each.attributes["target"] for each in page.all("base")] == ["_top"]
