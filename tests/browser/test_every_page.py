"""Every page in a real browser, in every language, light and dark: accessible, on this host alone, without errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize

from kg_service.web.rendering import LANGUAGES
from tests.browser.conftest import Open

#: A page of each kind. A new page is added here.
PAGES = (
    "/",
    "/search",
    "/search?q=solidarity",
    "/search?q=zzzzzzzz",
    "/search?page=nonsense",
    "/search?q=solidarity&view=table",
    "/search?q=solidarity&view=map",
    "/page/event/gsef-policy-dialogue-seoul-2019",
    "/page/place/bamako?clang=pt",
    "/page/organisation/nobody-of-this-name",
    "/network",
    "/network?projection=actor-event&color=sector&size=betweenness&from=2019&to=2022&against_from=2010&against_to=2018",
    "/network?projection=part-of&node=organisation/gsef",
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
    "/duplicates",
    "/build?class=Event&show=p-schema-startDate&p-schema-startDate-from=2019",
    "/build?class=Event&p-sse-takesPlaceIn=a",
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
    "/path?from=organisation/gsef&to=organisation/unrisd&hubs=5&without=alliance-kind/cooperation",
    "/communities",
    "/timeline?from=2019",
    "/about",
    "/report?about=https://w3id.org/sse-kg/id/event/gsef-policy-dialogue-seoul-2019",
    "/method",
    "/download",
    "/sources",
    "/sources/gsef-policy-dialogue-lac-2019?char=771,865",
)
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
#: Those of them that the colours decide, and nothing else does.
COLOURS = ("color-contrast", "link-in-text-block")
#: Of what repeats itself within one element (the same tag and class), so many stay.
FEW = 12
SHORTEN = """few => {
  for (const parent of document.querySelectorAll("main, main *")) {
    const seen = {}
    for (const child of [...parent.children]) {
      const kind = child.tagName + "." + child.className
      seen[kind] = (seen[kind] ?? 0) + 1
      if (seen[kind] > few) child.remove()
    }
  }
}"""
#: Width at which nothing may scroll sideways: 1280 px at 400 % (WCAG 2.2, 1.4.10).
NARROW, WIDE = ViewportSize(width=320, height=640), ViewportSize(width=1280, height=720)


def violations(page: Page, axe: str, *, of_colours: bool = True, of_words: bool = True) -> list[str]:
    """What axe finds wrong, each with the rule and the first places; the rules on colours, the others, or all."""
    begin(page, axe, of_colours=of_colours, of_words=of_words)
    return found(page)


def begin(page: Page, axe: str, *, of_colours: bool = True, of_words: bool = True) -> None:
    """Has axe look for violations, which goes on in the page; `found` waits for them."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(axe)  # not by a script element, which the security policy refuses
    which = {"type": "tag", "values": RULES} if of_words else {"type": "rule", "values": COLOURS}
    rules = {each: {"enabled": of_colours} for each in COLOURS} if of_words else {}
    how = {"runOnly": which, "rules": rules, "resultTypes": ["violations"]}
    page.evaluate("how => { window.looking = axe.run(document, how) }", how)


def found(page: Page) -> list[str]:
    """What axe found, when it is done."""
    every: list[dict[str, Any]] = page.evaluate("window.looking.then(done => done.violations)")
    return [f"{each['id']} ({each['help']}): {'; '.join(map(_place, each['nodes'][:3]))}" for each in every]


def _place(node: dict[str, Any]) -> str:
    return f"{node['failureSummary']} {node['html']}"


@pytest.fixture(scope="module")
def opening(browser: Browser, service: Any) -> Iterator[Open]:
    """The same for all pages: a context for each language, which keeps scripts and styles."""
    opening = Open(browser, str(service.base_url).rstrip("/"))
    yield opening
    opening.close()


@pytest.fixture(scope="module")
def tabs(opening: Open) -> dict[str, Page]:
    """A tab for each language, each in a process of its own, so that axe looks at several at once."""
    return {language: opening("/about") for language in LANGUAGES}


@pytest.fixture
def job(service: Any) -> str:
    """The page of a job that is soon over."""
    told = service.get("/api/networks/actor-event/closeness", params={"wait": 0, "limit": 3}).json()
    return f"/jobs/{told['id']}?watch=0"


def test_the_page_of_a_job_is_accessible(opening: Open, tabs: dict[str, Page], axe: str, job: str) -> None:
    test_a_page_is_accessible_and_keeps_to_itself(opening, tabs, axe, job)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_accessible_and_keeps_to_itself(opening: Open, tabs: dict[str, Page], axe: str, path: str) -> None:
    """In each language, and in light and dark.

    The first language is looked at whole. The others have the same colours, and of what repeats itself the beginning
    is enough, as it is for the dark colours.
    """
    first, *others = LANGUAGES
    for language, tab in tabs.items():
        tab.emulate_media(color_scheme="light", reduced_motion="reduce")
        opening.again(tab, f"{path}{'&' if '?' in path else '?'}lang={language}")
        assert tab.locator("html").get_attribute("lang") == language
        tab.set_viewport_size(NARROW)
        assert tab.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        tab.set_viewport_size(WIDE)
        if language != first:
            tab.evaluate(SHORTEN, FEW)
        begin(tab, axe, of_colours=language == first)
    assert found(tabs[first]) == []
    tabs[first].evaluate(SHORTEN, FEW)
    tabs[first].emulate_media(color_scheme="dark", reduced_motion="reduce")
    begin(tabs[first], axe, of_words=False)
    assert [found(tabs[each]) for each in (*others, first)] == [[], [], []]
    opening.seen.nothing_else()
