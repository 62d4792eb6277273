"""What a reader without an account does beside reading: reports an error, chooses light or dark, waits for a job."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from benchmarks.pages import PAGES, visited
from kg_service.api import jobs_page
from tests.browser.conftest import Open
from tests.browser.test_every_page import NARROW, violations
from tests.browser.test_journeys import islands_built
from tests.web.conftest import writable

__all__ = ["islands_built", "writable"]

#: Pages that need no script, beside those that `PAGES` has; with the most kilobytes that each may bring.
LISTS = {"/about": 25, "/method": 25, "/path": 25, "/alliances/overlap": 25, "/guidelines": 25, "/report": 25}


def ground(page: Page) -> str:
    """The colour behind everything, when the page is there."""
    page.wait_for_load_state()
    return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_error_is_reported_from_the_claim_that_it_is_in(browser: Any, writable: str, axe: str, scheme: str) -> None:
    context = browser.new_context(base_url=writable, locale="en", color_scheme=scheme, java_script_enabled=True)
    page = context.new_page()
    page.goto("/page/event/fair-2021?lang=en")
    page.get_by_role("link", name="Report an error", exact=True).click()
    assert violations(page, axe) == []
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    expect(page.get_by_label("What it is about")).to_have_value("https://w3id.org/sse-kg/id/event/fair-2021")
    page.get_by_label("What is wrong?").select_option(label="The quotation does not say this")
    page.get_by_label("What did you find?").fill("Il n’y a pas de foire.")
    page.keyboard.press("Tab")
    page.get_by_role("button", name="Send it").click()
    expect(page.get_by_role("status")).to_contain_text("Thank you.")
    assert violations(page, axe) == []
    page.get_by_role("link", name="Back to what it is about").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Fair of 2021")
    context.close()


def test_light_or_dark_is_chosen_and_stays(opened: Open, axe: str) -> None:
    page = opened("/sdg?lang=en", color_scheme="light")
    light = ground(page)
    page.get_by_role("button", name="Dark", exact=True).click()
    assert page.url.endswith("/sdg?lang=en")
    dark = ground(page)
    assert dark != light
    expect(page.get_by_role("button", name="Dark", exact=True)).to_have_attribute("aria-pressed", "true")
    assert violations(page, axe) == []
    opened.again(page, "/network?lang=en")
    assert ground(page) == dark
    assert violations(page, axe) == []
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light", exact=True).click()
    assert ground(page) == light
    page.get_by_role("button", name="As the browser").click()
    assert ground(page) == dark
    assert page.context.cookies() == []


@pytest.mark.usefixtures("islands_built")
def test_a_job_is_followed_until_it_is_done(opened: Open, service: httpx.Client) -> None:
    told = service.get("/api/networks/actor-event/closeness", params={"wait": 0, "limit": 11}).json()
    page = opened("/about?lang=en")
    page.goto(f"/jobs/{told['id']}?lang=en")
    expect(page.get_by_role("status")).to_contain_text("It is done.")
    expect(page.get_by_role("link", name="The result itself")).to_be_visible()


@pytest.mark.usefixtures("islands_built")
def test_a_page_that_waits_shows_itself_when_it_is_measured(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_page, "PATIENCE", 0.0)
    page = opened("/about?lang=en")
    page.goto("/communities?network=actor-event&resolution=1.7&lang=en")
    expect(page.get_by_role("heading", name=re.compile("communit", re.IGNORECASE)).first).to_be_visible()
    expect(page.get_by_role("table")).to_be_visible()


@pytest.mark.usefixtures("islands_built")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_is_found_is_seen_as_a_table_and_on_a_map(opened: Open, axe: str, scheme: str) -> None:
    page: Page = opened("/search?q=forum&lang=en", color_scheme=scheme)
    names = page.locator("ol.hits h3 a").all_inner_texts()
    views = page.get_by_role("navigation", name="How it is shown")
    views.get_by_role("link", name="Table").click()
    expect(page.locator("tbody th a")).to_have_text(names)
    assert violations(page, axe) == []
    views.get_by_role("link", name="Map").click()
    expect(page.locator("#map svg")).to_be_visible()
    assert page.locator("tbody tr").count() >= 1
    assert violations(page, axe) == []
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    row = page.locator("tbody tr").first
    country, n = row.get_by_role("rowheader").inner_text(), row.get_by_role("link").inner_text()
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", name=re.compile(rf"\b{n} thing"))).to_be_visible()
    expect(page.locator(".facets a[aria-current]", has_text=country)).to_have_count(1)


@pytest.mark.parametrize(("path", "most"), [*PAGES, *LISTS.items()])
def test_a_page_weighs_no_more_than_its_budget(browser: Any, service: httpx.Client, path: str, most: int) -> None:
    """All that a first visit brings, as it is packed: page, styles, scripts, data."""
    while service.get(path).status_code in (202, 503):
        pass
    _, brought = visited(browser, str(service.base_url).rstrip("/") + path)
    assert brought <= most
