"""Every page in a real browser, in every language, light and dark: accessible, on this host alone, without errors."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open

#: A page of each kind. A new page is added here.
PAGES = (
    "/",
    "/search",
    "/search?q=solidarity",
    "/search?q=zzzzzzzz",
    "/search?page=nonsense",
    "/page/event/gsef-policy-dialogue-seoul-2019",
    "/page/place/bamako",
    "/page/organisation/nobody-of-this-name",
    "/network",
    "/network?projection=actor-event&color=sector&size=betweenness&from=2019&to=2022&against_from=2010&against_to=2018",
    "/network?projection=part-of&territory=mexico",
    "/map",
    "/map?kind=alliance",
    "/query",
    "/query?query=SELECT%20*%20%7B%20%3Fs%20%3Fp%20%7D",
    "/query?view=chart&query=SELECT%20%3Fname%20%3Fn%20%7B%20VALUES%20(%3Fname%20%3Fn)%20%7B%20(%22a%22%201)%20(%22b%22%202)%20%7D%20%7D",
    "/ontology",
    "/shapes",
    "/validate",
    "/history",
    "/history/1",
    "/sign-in",
    "/contribute?q=seoul",
    "/contribute/new?class=Event",
    "/tables",
    "/build?class=Event&show=p-schema-startDate&p-schema-startDate-from=2019",
    "/sdg?aim=5&kind=recommendations",
    "/recommendations?theme=care",
    "/policies",
    "/alliances",
    "/alliances/overlap",
    "/themes",
    "/themes?scheme=practices&view=az",
    "/guidelines?territory=latin-america&access-to-markets=3",
    "/guidelines?territory=latin-america&view=report",
    "/page/organisation/gsef?embed=1",
    "/path?from=organisation/gsef&to=organisation/unrisd",
    "/communities",
    "/timeline?from=2019",
    "/about",
    "/method",
    "/download",
    "/sources",
    "/sources/gsef-policy-dialogue-lac-2019?char=771,865",
)
#: Each language once, and the dark colours once: they are the same in all languages.
LOOKS = ("en-light", "es-light", "fr-light", "en-dark")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
#: Width at which nothing may scroll sideways: 1280 px at 400 % (WCAG 2.2, 1.4.10).
NARROW = 320


def violations(page: Page, axe: str) -> list[str]:
    """What axe finds wrong, each with the rule and the first places."""
    page.evaluate(axe)  # not by a script element, which the security policy refuses
    found: list[dict[str, Any]] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(done => done.violations)",
        list(RULES),
    )
    return [f"{each['id']} ({each['help']}): {'; '.join(map(_place, each['nodes'][:3]))}" for each in found]


def _place(node: dict[str, Any]) -> str:
    return f"{node['failureSummary']} {node['html']}"


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_keeps_to_itself(opened: Open, axe: str, path: str, look: str) -> None:
    language, _, scheme = look.partition("-")
    address = f"{path}{'&' if '?' in path else '?'}lang={language}"
    page = opened(address, color_scheme=scheme)
    assert page.locator("html").get_attribute("lang") == language
    assert violations(page, axe) == []
    page.set_viewport_size({"width": NARROW, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW
