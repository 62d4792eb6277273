"""Light or dark as a reader chose it: a cookie, pages of their own, and style sheets that say nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pytest

from tests.web import html


@pytest.fixture
def reader(service: httpx.Client) -> Iterator[httpx.Client]:
    """Somebody who has chosen nothing yet."""
    root = str(service.base_url).rstrip("/")
    with httpx.Client(base_url=root, headers={"accept": "text/html", "origin": root}, timeout=60) as client:
        yield client


def sheets(client: httpx.Client, path: str) -> list[str]:
    page = html.read(client.get(path).text)
    assert not page.problems
    return [each.attributes["href"] for each in page.all("link") if each.attributes["rel"] == "stylesheet"]


@pytest.mark.parametrize("path", ["/sdg?lang=en", "/page/event/gsef-policy-dialogue-seoul-2019?lang=en", "/?lang=en"])
def test_a_choice_holds_for_who_made_it_alone(reader: httpx.Client, path: str) -> None:
    before = sheets(reader, path)
    assert not [each for each in before if "scheme" in each]
    plain = reader.get(path).headers["etag"]
    answer = reader.post("/appearance", params={"back": path}, data={"scheme": "dark"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"{str(reader.base_url).rstrip('/')}{path}")
    assert all(each.endswith("scheme=dark") for each in sheets(reader, path))
    dark = reader.get(path, headers={"if-none-match": plain})
    assert dark.status_code == 200
    assert "Cookie" in dark.headers["vary"]
    assert sheets(httpx.Client(base_url=reader.base_url, headers={"accept": "text/html"}), path) == before
    assert reader.get(path, headers={"if-none-match": dark.headers["etag"]}).status_code == 304
    reader.post("/appearance", params={"back": path}, data={"scheme": "system"})
    assert sheets(reader, path) == before


@pytest.mark.parametrize(("scheme", "other"), [("light", "not all"), ("dark", "all")])
def test_a_style_sheet_is_of_one_scheme(reader: httpx.Client, scheme: str, other: str) -> None:
    (sheet,) = (each for each in sheets(reader, "/about") if "site.css" in each)
    whole = reader.get(sheet)
    one = reader.get(f"{sheet}&scheme={scheme}")
    assert whole.headers["etag"] != one.headers["etag"]
    assert "prefers-color-scheme" in whole.text
    assert "prefers-color-scheme" not in one.text
    assert f"@media {other} {{" in one.text
    assert re.search(r"color-scheme: (.*);", one.text[:2000])[1] == scheme  # type: ignore[index]
    assert reader.get(f"{sheet}&scheme=plaid").text == whole.text


def test_what_is_no_choice_is_refused_and_nobody_is_led_away(reader: httpx.Client) -> None:
    assert reader.post("/appearance", data={"scheme": "plaid"}).status_code == 422
    elsewhere = {"origin": "https://elsewhere.example"}
    assert reader.post("/appearance", data={"scheme": "dark"}, headers=elsewhere).status_code == 403
    assert not reader.cookies
    for back in ("//elsewhere.example", "https://elsewhere.example", "/\\elsewhere.example"):
        answer = reader.post("/appearance", params={"back": back}, data={"scheme": "light"})
        assert answer.headers["location"] == f"{str(reader.base_url).rstrip('/')}/"
    reader.cookies.set("kg-scheme", '"><script>')
    assert "<script>" not in reader.get("/about").text
