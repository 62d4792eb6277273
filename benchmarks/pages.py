"""How fast the pages are in a real browser, and what they weigh; the README's figures.

    python -m benchmarks.pages            # all of it, in some two minutes; needs Chromium
    python -m benchmarks.pages --pages    # first contentful paint and bytes of the main pages
    python -m benchmarks.pages --network  # 10,000 nodes and 50,000 ties in both renderers
    python -m benchmarks.pages --editor   # what one types into the editor of queries, and what it offers

Milliseconds of the clock in Debian's Chromium on this host, WebGL by software; each page in a new context, with nothing
cached. Frames are those that the browser asks for while the pointer drags the picture. What one does is timed until the
third frame after it, so that two frames of waiting are in each figure. Behind each figure stands what was asked for.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.network import stored
from tests.browser.conftest import chromium, ready

VISITS = 5
RENDERERS = ("canvas", "webgl")
#: The main pages, with the most kilobytes that each may bring.
PAGES = (
    ("/", 25),
    ("/page/organisation/gsef", 25),
    ("/sdg", 25),
    ("/search?q=solidarity", 25),
    ("/timeline", 40),
    ("/network", 80),
    ("/query", 160),
    ("/map", 260),
)
NODES, EDGES = 10_000, 50_000
MOST_PAINT, MOST_FRAME, MOST_ACT, MOST_DATA = 500, 50, 200, 350

_PAINTED = """() => new Promise(done => {
  const found = () => performance.getEntriesByName("first-contentful-paint")[0];
  if (found()) done(found().startTime);
  else new PerformanceObserver(() => found() && done(found().startTime)).observe({type: "paint", buffered: true});
})"""
#: Bytes of the page and of all that it loaded, as they came.
_BROUGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
  .reduce((sum, each) => sum + each.encodedBodySize, 0)"""
_FRAMES = """() => {
  window.frames_ = []; let last = performance.now();
  const frame = now => { window.frames_.push(now - last); last = now; window.going = requestAnimationFrame(frame); };
  window.going = requestAnimationFrame(frame);
}"""
#: Runs an act and tells when the third frame after it came.
_ACT = """([selector, n, text]) => new Promise(done => {
  const element = document.querySelectorAll(selector)[n];
  const began = performance.now();
  if (text) { element.value = text; element.dispatchEvent(new InputEvent("input", {bubbles: true})); }
  else element.click();
  const after = left => requestAnimationFrame(() => left ? after(left - 1) : done(performance.now() - began));
  after(2);
})"""
#: Hides or shows a group, and tells when all ties are drawn that software draws later by WebGL.
_WHOLE = """() => new Promise(done => {
  const below = document.querySelector(".below"), began = performance.now();
  new MutationObserver(() => below.hasAttribute("aria-busy") || done(performance.now() - began))
    .observe(below, {attributes: true, attributeFilter: ["aria-busy"]});
  document.querySelector(".legend button").click();
})"""
#: Types a letter, and tells when, after the frame that shows it, something is there.
_TYPED = """([letter, selector]) => new Promise(done => {
  const began = performance.now();
  document.execCommand("insertText", false, letter);
  const root = [...document.querySelectorAll("#query *")].map(each => each.shadowRoot).find(Boolean);
  const look = () => requestAnimationFrame(
    () => root.querySelector(selector) ? done(performance.now() - began) : look());
  look();
})"""


@contextlib.contextmanager
def serving(store: Path) -> Iterator[str]:
    """The address of a service in processes of its own, which answers questions."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {"KG_STORE": str(store)}
    command = [sys.executable, "-m", "kg_service", "serve", "--port", str(port)]
    service = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{url}/health/ready").status_code == 200:
                    break
            assert service.poll() is None, "the service ended while it began"
            time.sleep(0.05)
        yield url
    finally:
        service.send_signal(signal.SIGINT)
        service.wait(timeout=30)


def row(what: str, figure: str, asked: str) -> None:
    print(f"| {what} | {figure} | {asked} |", flush=True)


def visited(browser: Browser, address: str) -> tuple[float, float]:
    """Milliseconds until something is seen of a page, and the kilobytes that it brought, packed, without headers."""
    context = browser.new_context(locale="en")
    page = context.new_page()
    page.goto(address, wait_until="networkidle")
    painted: float = page.evaluate(_PAINTED)
    brought: float = page.evaluate(_BROUGHT)
    context.close()
    return painted, brought / 1000


def pages(browser: Browser) -> None:
    """First contentful paint and bytes, the very first visit apart."""
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        with serving(store):
            pass  # fills it
        with serving(store) as url:
            row(
                "/, first visit after a start: first paint, ms",
                f"{visited(browser, f'{url}/')[0]:.0f}",
                f"{MOST_PAINT}",
            )
            for path, most in PAGES:
                _settled(url, path)
                found = [visited(browser, url + path) for _ in range(VISITS)]
                paints = sorted(paint for paint, _ in found)
                figure = f"{statistics.median(paints):.0f} (at most {paints[-1]:.0f})"
                row(f"{path}: first paint, ms", figure, f"{MOST_PAINT}")
                row(f"{path}: kB brought", f"{found[-1][1]:.0f}", f"{most}")


def _settled(url: str, path: str) -> None:
    """Waits until what a page shows is measured."""
    while httpx.get(url + path, headers={"accept": "text/html"}, timeout=60).status_code == 202:
        time.sleep(0.2)


def editor(browser: Browser) -> None:
    """A letter typed into the editor of queries, and the terms that it offers; medians of some."""
    with TemporaryDirectory() as folder, serving(Path(folder) / "store") as url:
        page = browser.new_page()
        page.goto(f"{url}/query?lang=en")
        ready(page)
        page.locator(".cm-content").focus()
        page.keyboard.press("Control+a")
        page.keyboard.insert_text("SELECT * { ?x a ")
        typed = [float(page.evaluate(_TYPED, [letter, ".cm-content"])) for letter in "?alliance "]
        row("editor: a letter, ms", f"{statistics.median(typed):.0f} (at most {max(typed):.0f})", f"{MOST_ACT}")
        offered = []
        for _ in range(VISITS):
            page.keyboard.insert_text(" sse:")
            page.wait_for_timeout(300)
            page.keyboard.press("Escape")
            offered.append(float(page.evaluate(_TYPED, ["A", ".cm-tooltip-autocomplete"])))
            page.keyboard.press("Escape")
            page.wait_for_timeout(200)
        row(
            "editor: terms offered, ms", f"{statistics.median(offered):.0f} (at most {max(offered):.0f})", f"{MOST_ACT}"
        )
        page.close()


def network(browser: Browser) -> None:
    """A large network in both renderers: what it weighs, frames while it is dragged, and what one does to it."""
    with TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        stored(store, NODES, EDGES)
        with serving(store) as url:
            path = "/network?projection=part-of&draw=all&lang=en"
            _settled(url, path)
            drawing = httpx.get(f"{url}/api/networks/part-of?format=drawing", timeout=60)
            told = drawing.json()
            size = f"{len(told['nodes']['id'])} nodes, {len(told['edges']['source'])} ties"
            row(
                f"drawing of {size}: kB brought", f"{int(drawing.headers['content-length']) / 1000:.0f}", f"{MOST_DATA}"
            )
            for renderer in RENDERERS:
                context = browser.new_context(viewport={"width": 1200, "height": 900})
                page = context.new_page()
                page.goto(f"{url}{path}&renderer={renderer}")
                ready(page)
                page.locator(f"[data-renderer={renderer}]").wait_for()
                page.wait_for_timeout(3000)  # what is loaded later, and the first drawing
                _large(page, renderer, str(told["nodes"]["label"][0]))
                context.close()


def _large(page: Page, renderer: str, name: str) -> None:
    frames = _dragged(page)
    middle, late = statistics.median(frames), statistics.quantiles(frames, n=20)[-1]
    row(f"{renderer}: frame while dragged, ms", f"{middle:.0f} (p95 {late:.0f})", f"{MOST_FRAME}")
    acts = (
        ("group hidden", ".legend button", 0, ""),
        ("group shown again", ".legend button", 0, ""),
        ("node found", ".find input", 0, name),
        ("node pinned", ".card button", 4, ""),
        ("one step around it", ".card button", 1, ""),
        ("undone", ".tools button", 0, ""),
    )
    for what, selector, place, text in acts:
        taken = page.evaluate(_ACT, [selector, place, text])
        row(f"{renderer}: {what}, ms", f"{taken:.0f}", f"{MOST_ACT}")
        page.wait_for_timeout(500)
    if renderer == "webgl":
        whole = sorted(page.evaluate(_WHOLE) for _ in range(VISITS))
        row(f"{renderer}: group hidden or shown, all ties drawn, ms", f"{statistics.median(whole):.0f}", "")


def _dragged(page: Page) -> list[float]:
    """Milliseconds between frames while the picture is dragged from where there is no node."""
    box = page.locator(".drawing > canvas").bounding_box()
    assert box
    page.locator(".drawing > canvas").scroll_into_view_if_needed()
    box = page.locator(".drawing > canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 6, box["y"] + 6)
    page.mouse.down()
    page.evaluate(_FRAMES)
    for step in range(20):
        page.mouse.move(box["x"] + 6 + 9 * step, box["y"] + 6 + 5 * step)
    frames: list[float] = page.evaluate("() => { cancelAnimationFrame(window.going); return window.frames_; }")
    page.mouse.up()
    return frames[1:]


def main() -> None:
    wanted = sys.argv[1:] or ["--pages", "--editor", "--network"]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n\n| | measured | asked |\n|---|---|---|")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--disable-dev-shm-usage", "--enable-unsafe-swiftshader"]
        )
        browser.new_page().goto("about:blank")  # what the browser itself needs for its first page
        if "--pages" in wanted:
            pages(browser)
        if "--editor" in wanted:
            editor(browser)
        if "--network" in wanted:
            network(browser)
        browser.close()


if __name__ == "__main__":
    main()
