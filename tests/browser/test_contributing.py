"""What people do who bring something in, in a real browser, without scripts of ours."""

from __future__ import annotations

import pytest

from tests.browser.conftest import Open
from tests.browser.test_every_page import NARROW, violations
from tests.web.test_validate_page import FAIR


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
    page.set_viewport_size({"width": NARROW, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
    page.get_by_label("RDF text").fill(FAIR.replace("2021-01-01", "2023-01-01"))
    page.get_by_role("button", name="Check").click()
    assert page.get_by_role("heading", level=2).first.inner_text() == "The data could be added; there are hints"
