"""What one sees by looking: nothing squeezed or cut on paper and on a phone, and every sign is explained."""

from __future__ import annotations

import io
import re

import pytest
from playwright.sync_api import ViewportSize, expect
from pypdf import PdfReader

from tests.browser.conftest import Open
from tests.browser.test_journeys import islands_built, write

__all__ = ["islands_built"]

PAPER, PHONE = ViewportSize(width=718, height=1000), ViewportSize(width=360, height=740)
#: As a printer does it: laid out for the paper at once, before any script can draw anew. Where a picture ends, how it
#: is shaped there, and how it was drawn.
PRINTED = """(picture, width) => {
  document.body.style.width = `${width}px`
  const box = picture.getBoundingClientRect()
  const drawn = picture.viewBox?.baseVal ?? picture
  return [box.right, box.width / box.height, drawn.width / drawn.height]
}"""


@pytest.mark.usefixtures("islands_built")
@pytest.mark.parametrize(
    ("path", "picture"),
    [
        ("/network?projection=actor-event", ".drawing > canvas"),
        ("/timeline", ".lanes svg"),
        ("/page/organisation/gsef", "svg.ego"),
        ("/page/organisation/gsef?embed=1", "svg.ego"),
    ],
)
def test_a_printed_picture_is_neither_cut_nor_squeezed(opened: Open, path: str, picture: str) -> None:
    page = opened(f"{path}{'&' if '?' in path else '?'}lang=en", viewport={"width": 1280, "height": 900})
    page.emulate_media(media="print")
    right, printed, drawn = page.locator(picture).evaluate(PRINTED, PAPER["width"])
    assert right <= PAPER["width"]
    assert printed == pytest.approx(drawn, rel=0.03)


@pytest.mark.parametrize("path", ["/timeline?from=2019", "/communities", "/path", "/map"])
def test_paper_has_no_forms(opened: Open, path: str) -> None:
    page = opened(f"{path}{'&' if '?' in path else '?'}lang=en")
    text = " ".join(each.extract_text() for each in PdfReader(io.BytesIO(page.pdf())).pages)
    for words in ("Apply", "Find communities", "Find paths", "Resolution", "These counts as data"):
        assert words not in text


def test_on_a_phone_words_are_whole_and_the_first_number_is_in_sight(opened: Open) -> None:
    page = opened("/communities?lang=en", viewport=PHONE)
    cells = page.locator("table tbody tr").first.locator("td:not(.number)")
    for each in cells.all():
        assert each.evaluate("cell => cell.clientWidth") >= 120
    assert page.locator("tbody th.number").first.evaluate("cell => cell.clientWidth") < 80
    opened.again(page, "/sdg?lang=en")
    for number in page.locator(".matrix tbody tr td:nth-child(2) a").all():
        edge = number.evaluate(
            "link => { const words = document.createRange(); words.selectNodeContents(link);"
            " return words.getBoundingClientRect().right }"
        )
        assert edge <= PHONE["width"]


@pytest.mark.usefixtures("islands_built")
def test_every_sign_of_a_network_is_explained_and_a_search_in_vain_says_so(opened: Open) -> None:
    page = opened("/network?projection=actor-event&color=sector&lang=es")
    legend = page.locator(".legend")
    expect(legend).to_contain_text("círculo: actor; cuadrado: evento")
    expect(legend).to_contain_text(re.compile(r"no se sabe \(\d+\)"))
    page.get_by_label("Buscar un nodo").fill("zzzz")
    expect(page.get_by_text("Ningún nodo de aquí")).to_be_visible()
    page.get_by_label("Buscar un nodo").fill("Foro Global de la Economía Social")
    expect(page.get_by_text("Ningún nodo de aquí")).to_have_count(0)
    # Who walks on from here goes on reading in the language that was chosen.
    page.get_by_role("group", name="Foro Global").get_by_role("link").first.click()
    expect(page).to_have_url(re.compile(r"/page/organisation/gsef\?lang=es"))
    page.get_by_role("main").locator("a[href*='/page/event/']").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "es")


@pytest.mark.usefixtures("islands_built")
def test_the_address_is_that_of_the_query_that_was_asked_even_if_it_is_refused(opened: Open) -> None:
    page = opened("/query?lang=en")
    write(page, "SELECT * { ?refused ?p }")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page).to_have_url(re.compile("refused"))
