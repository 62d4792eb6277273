"""The timeline: moved in, lanes alone, handed on, and as good without a script."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.test_every_page import violations
from tests.browser.test_journeys import islands_built

__all__ = ["islands_built"]


def shown(page: Page) -> int:
    told = page.locator(".lanes [role=status]").inner_text()
    found = re.match(r"(\d+) things", told)
    assert found, told
    return int(found[1])


@pytest.mark.usefixtures("islands_built")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_years_and_lanes_that_are_seen_can_be_handed_on(opened: Open, axe: str, scheme: str) -> None:
    page = opened("/timeline?lang=en", color_scheme=scheme)
    whole = shown(page)
    assert whole == page.locator("table.dated tbody tr").count()
    page.get_by_role("button", name="Texts").click()
    some = shown(page)
    assert some < whole
    page.locator(".lanes .stage").focus()
    for key in ("+", "+", "+", "ArrowRight"):
        page.keyboard.press(key)
    nearer = shown(page)
    assert nearer < some
    for each in ("years=", "hide=documents"):
        expect(page).to_have_url(re.compile(each))
    handed_on = opened(page.url[page.url.index("/timeline") :], color_scheme=scheme)
    assert shown(handed_on) == nearer
    assert violations(handed_on, axe) == []
    page.keyboard.press("0")
    page.get_by_role("button", name="Texts").click()
    assert shown(page) == whole
    expect(page).not_to_have_url(re.compile("#"))


@pytest.mark.usefixtures("islands_built")
def test_what_is_reached_is_told(opened: Open) -> None:
    page = opened("/timeline?lang=en")
    thing = page.locator(".lanes svg a").first
    thing.focus()
    name, _, date = str(thing.get_attribute("aria-label")).rpartition(", ")
    expect(page.locator(".pointed")).to_contain_text(f"{name} · {date} · ")
    assert "/page/" in str(thing.get_attribute("href"))
    page.locator(".lanes .mark").last.hover()
    expect(page.locator(".pointed")).not_to_contain_text(f"{name} · ")


@pytest.mark.usefixtures("islands_built")
def test_a_timeline_fits_a_phone_and_keeps_its_letters(opened: Open) -> None:
    page = opened("/timeline?lang=fr", viewport={"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    box = page.locator(".lanes svg").bounding_box()
    assert box
    assert box["width"] <= 360


def test_the_timeline_needs_no_script(opened: Open) -> None:
    page = opened("/timeline?lang=en", java_script_enabled=False)
    expect(page.locator("svg.timeline")).to_be_visible()
    assert page.locator("svg.timeline a").count() > 5
