"""What people do who bring something in, in a real browser, without scripts of ours."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Open
from tests.browser.test_every_page import NARROW, violations
from tests.web.conftest import TOKEN, writable
from tests.web.test_validate_page import FAIR

__all__ = ["writable"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_broken_turtle_is_pasted_corrected_and_judged(opened: Open, axe: str, scheme: str) -> None:
    page = opened("/validate?lang=en", color_scheme=scheme)
    page.get_by_label("RDF text").fill(FAIR.replace("schema:endDate ", "schema:endDate , "))
    page.get_by_role("button", name="Check").click()
    page.get_by_role("link", name="Line 10, column 18").click()
    assert page.url.endswith("#line-10")
    page.get_by_label("RDF text").fill(FAIR)
    page.get_by_role("button", name="Check").click()
    assert page.get_by_role("heading", level=2).first.inner_text() == "The data would be refused"
    assert "The end date is before the start date" in page.locator(".results").inner_text()
    assert violations(page, axe) == []
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.get_by_label("RDF text").fill(FAIR.replace("2021-01-01", "2023-01-01"))
    page.get_by_role("button", name="Check").click()
    assert page.get_by_role("heading", level=2).first.inner_text() == "The data could be added; there are hints"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_edit_is_refused_put_right_saved_and_undone(browser: Browser, writable: str, axe: str, scheme: str) -> None:
    context = browser.new_context(base_url=writable, locale="en", color_scheme=scheme, java_script_enabled=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/page/event/fair-2021?lang=en")
    page.get_by_role("link", name="Correct or complete it").click()
    page.get_by_role("link", name="Sign in to write").click()
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_label("Your name").fill("Ana Ñ")
    page.get_by_role("button", name="Sign in").click()
    assert violations(page, axe) == []
    page.get_by_label("end date, value 1").fill("2020")
    page.get_by_label("end date, value 1").press("Enter")
    assert "cannot be saved so" in page.get_by_role("status").inner_text()
    page.locator(".summary a", has_text="end date").click()
    assert "before the start" in page.locator("#p-schema-endDate").inner_text()
    assert violations(page, axe) == []
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.get_by_label("end date, value 1").fill("2021-05-03")
    page.get_by_role("button", name="Try it out").last.click()
    assert violations(page, axe) == []
    page.get_by_role("button", name="Save it").click()
    assert "2021-05-03" in page.locator("tr.added").inner_text()
    page.get_by_role("button", name="Try undoing it").click()
    assert "2021-05-03" in page.locator("tr.removed").inner_text()
    page.get_by_role("button", name="Undo it").click()
    assert "Undoes" in page.locator("dl").inner_text()
    assert violations(page, axe) == []
    context.close()


def test_a_table_with_two_bad_rows_is_imported(browser: Browser, writable: str, axe: str) -> None:
    context = browser.new_context(base_url=writable, locale="en")
    page = context.new_page()
    page.goto("/sign-in?next=/tables&lang=en")
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    rows = "name,kind\nBrowsers’ Guild,association\nNo kind of ours,shop\n,network\n"
    page.get_by_label("File").set_input_files({"name": "guilds.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    page.get_by_role("button", name="Try it out").click()
    assert "Of 3 rows, 1 would go in and 2 would be left out." in page.get_by_role("status").inner_text()
    assert violations(page, axe) == []
    page.set_viewport_size(NARROW)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.get_by_role("button", name="Put 1 row in").click()
    assert "Browsers’ Guild" in page.locator("main").inner_text()
    page.get_by_role("button", name="Try undoing it").click()
    page.get_by_role("button", name="Undo it").click()
    assert "Undoes" in page.locator("dl").inner_text()
    context.close()
