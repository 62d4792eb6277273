"""What is handed on: pages printed to paper, and shown within the pages of others."""

from __future__ import annotations

import io
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import expect
from pypdf import PdfReader

from tests.browser.conftest import Open

PRINTED = {
    "/sdg": ("Sustainable Development Goals", "Gender equality"),
    "/page/organisation/gsef": ("Global Social Economy Forum", "Around it"),
    "/guidelines?territory=latin-america&access-to-markets=3&access-to-markets-words=Fairs+each+month&view=report": (
        "Latin America",
        "Fairs each month",
    ),
    "/timeline?from=2019": ("Timeline", "GSEF policy dialogue in Asia"),
}


@pytest.mark.parametrize("path", PRINTED)
def test_paper_has_what_the_page_says_and_no_navigation(opened: Open, path: str) -> None:
    page = opened(f"{path}{'&' if '?' in path else '?'}lang=en")
    on_screen = page.locator("nav").first.inner_text().split("\n")[0]
    paper = PdfReader(io.BytesIO(page.pdf()))
    text = " ".join(" ".join(each.extract_text().split()) for each in paper.pages)
    for words in PRINTED[path]:
        assert words in text
    for words in (on_screen, "All pages", "SPARQL", "iframe", "Español"):
        assert words not in text


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A site of somebody else: its address, and the text of its one page."""
    shown: list[str] = [""]

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(f"<!doctype html><link rel=icon href=data:,><title>x</title>{shown[0]}".encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}/", shown
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", PRINTED)
def test_what_is_offered_to_be_embedded_shows_within_another_site(
    opened: Open, elsewhere: tuple[str, list[str]], path: str
) -> None:
    page = opened(f"{path}{'&' if '?' in path else '?'}lang=es")
    page.locator("details.embed summary").click()
    address, shown = elsewhere
    shown[0] = page.get_by_label("Para poner en la otra página").input_value()
    heading = page.locator("h1").inner_text()
    page.goto(address)
    frame = page.frame_locator("iframe")
    expect(frame.locator("h1")).to_have_text(heading)
    expect(frame.locator("nav, header.site, footer.site, form, details.embed")).to_have_count(0)
    opened.seen.elsewhere.clear()  # the other site, which this test asked for
