"""What one does to the picture of a network: undone and handed on, told as a story, drawn by whatever there is."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Open, ready
from tests.browser.test_every_page import violations
from tests.browser.test_journeys import islands_built
from tests.web.conftest import CROWDED, crowd

__all__ = ["crowd", "islands_built"]

pytestmark = pytest.mark.usefixtures("islands_built")
GSEF = "Global Social Economy Forum"


def shown(page: Page) -> str:
    return page.locator(".island > p[role=status]").inner_text()


def chosen(page: Page, name: str) -> Any:
    page.get_by_label("Find a node").fill(name)
    return page.get_by_role("group", name=name)


def test_what_was_done_is_undone_and_handed_on(opened: Open, axe: str) -> None:
    page = opened("/network?projection=actor-event&lang=en")
    whole = shown(page)
    undo, redo = (page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    expect(undo).to_be_disabled()
    page.get_by_role("button", name=re.compile("^Community 2")).click()
    hidden = shown(page)
    assert hidden != whole
    card = chosen(page, GSEF)
    card.get_by_role("button", name="Pin here").click()
    card.get_by_role("button", name="One step more").click()
    page.get_by_role("button", name="Zoom in").click()
    walked = shown(page)
    for each in ("node", "steps", "hide", "pin", "view"):
        expect(page).to_have_url(re.compile(f"#(.*&)?{each}="))
    handed_on = opened(page.url[page.url.index("/network") :])
    assert shown(handed_on) == walked
    expect(handed_on.get_by_role("group", name=GSEF).get_by_role("button", name="Unpin")).to_be_visible()
    expect(handed_on).to_have_url(page.url)
    assert violations(page, axe) == []

    page.locator("canvas").focus()
    page.keyboard.press("Control+z")  # the step
    page.keyboard.press("Control+z")  # the pin
    expect(card.get_by_role("button", name="Pin here")).to_be_visible()
    undo.click()  # the choice
    expect(card).to_have_count(0)
    assert shown(page) == hidden
    undo.click()
    assert shown(page) == whole
    for _ in range(3):
        page.keyboard.press("Control+Shift+z")
    redo.click()
    assert shown(page) == walked


def test_the_search_keeps_its_own_undo(opened: Open) -> None:
    page = opened("/network?lang=en")
    page.get_by_role("button", name=re.compile("^Community 1 ")).click()
    before = shown(page)
    page.get_by_label("Find a node").press_sequentially("ab")
    page.keyboard.press("Control+z")
    assert shown(page) == before


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_story_is_made_told_by_keyboard_saved_and_opened(opened: Open, axe: str, tmp_path: Path, scheme: str) -> None:
    page = opened("/network?lang=en", color_scheme=scheme, accept_downloads=True)
    whole = shown(page)
    page.get_by_text("Tell a story with this network").click()
    for words in ("Everyone who is allied.", "Without «la première» communauté…"):
        page.get_by_label("What is to be seen").fill(words)
        page.get_by_role("button", name="Add what is shown as a scene").click()
        page.get_by_role("button", name=re.compile("^Community 1 ")).click()
    page.get_by_role("button", name="Show scene 1").click()
    assert shown(page) == whole
    assert violations(page, axe) == []
    page.get_by_role("button", name="Next scene").focus()
    page.keyboard.press("Enter")
    told = page.locator(".told")
    expect(told).to_have_text("Without «la première» communauté…")
    assert shown(page) != whole
    page.locator("canvas").focus()
    page.keyboard.press("PageUp")
    expect(told).to_have_text("Everyone who is allied.")

    expect(page).to_have_url(re.compile("[#&]scene=1(&|$)"))  # it is written after it is shown
    handed_on = opened(page.url[page.url.index("/network") :], color_scheme=scheme)
    expect(handed_on.locator(".told")).to_have_text("Everyone who is allied.")
    expect(handed_on.get_by_text("Scene 1 of 2")).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("button", name="Save as a file").click()
    download.value.save_as(tmp_path / "story.json")
    assert len(json.loads((tmp_path / "story.json").read_text("utf-8"))["scenes"]) == 2
    other = opened("/network?projection=actor-event&lang=es", color_scheme=scheme)
    other.get_by_text("Contar un relato con esta red").click()
    other.get_by_label("Abrir un relato").set_input_files(tmp_path / "story.json")
    other.wait_for_url(re.compile(r"/network\?lang=en#.*story="))  # the network that it is about
    expect(other.locator(".told")).to_have_text("Everyone who is allied.")

    (tmp_path / "story.json").write_text('{"scenes": []}')
    page.get_by_label("Open a story").set_input_files(tmp_path / "story.json")
    expect(page.get_by_role("alert")).to_have_text("This file is no story.")


def test_a_framed_picture_has_its_source_and_tells_its_story(opened: Open, axe: str) -> None:
    page = opened("/network?lang=en&territory=mexico&territory=africa&projection=actor-event")
    page.get_by_text("Tell a story with this network").click()
    page.get_by_label("What is to be seen").fill("Once.")
    page.get_by_role("button", name="Add what is shown as a scene").click()
    address = page.get_by_role("link", name="The picture alone").get_attribute("href")
    assert address
    framed = opened(address[address.index("/network") :])
    expect(framed.locator(".told")).to_have_text("Once.")
    expect(framed.get_by_role("link", name="The whole page")).to_be_visible()
    assert framed.locator("form, header, table").count() == 0
    assert violations(framed, axe) == []
    framed.set_viewport_size({"width": 320, "height": 400})
    assert framed.evaluate("document.documentElement.scrollWidth") <= 320


@contextmanager
def started(browser: Browser, *arguments: str) -> Iterator[Browser]:
    """Another Chromium, which sees graphics in its own way."""
    from tests.browser.conftest import chromium

    other = browser.browser_type.launch(executable_path=chromium(), args=["--disable-dev-shm-usage", *arguments])
    try:
        yield other
    finally:
        other.close()


#: The share of the pixels of a picture, as PNG, that have a strong colour.
COLOURED = """async bytes => {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${bytes}`)).blob());
  const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const {data} = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  let n = 0;
  for (let i = 0; i < data.length; i += 4)
    n += Math.max(data[i], data[i + 1], data[i + 2]) - Math.min(data[i], data[i + 1], data[i + 2]) > 60;
  return n / (data.length / 4);
}"""


def coloured(page: Page, reader: Page) -> float:
    page.wait_for_timeout(300)
    picture = base64.b64encode(page.locator(".drawing").screenshot()).decode()
    share: float = reader.evaluate(COLOURED, picture)
    return share


#: How far two pictures of one size, as PNG, are apart: the mean over their pixels, where 1 is black beside white.
APART = """async pictures => {
  const [one, other] = await Promise.all(pictures.map(async bytes => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${bytes}`)).blob());
    const pen = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    pen.drawImage(bitmap, 0, 0);
    return pen.getImageData(0, 0, bitmap.width, bitmap.height).data;
  }));
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += Math.abs(one[i] - other[i]);
  return sum / (one.length * 3 / 4) / 255;
}"""


class Drawn:
    """A network in a page for each renderer, in which the same is done."""

    def __init__(self, browser: Browser, address: str, *, is_hardware: bool = False) -> None:
        self.reader = browser.new_page()
        self.pages = {}
        for renderer in ("canvas", "webgl"):
            page = self.pages[renderer] = browser.new_page(viewport={"width": 1000, "height": 900})
            if is_hardware:
                page.add_init_script(HARDWARE)
            while (answer := page.goto(f"{address}&renderer={renderer}")) and answer.status == 202:
                pass
            ready(page)
            expect(page.locator(f"[data-renderer={renderer}]")).to_have_count(1)
        expect(page.locator(".below canvas")).to_have_count(1, timeout=20_000)

    def do(self, act: Callable[[Page], object]) -> None:
        for page in self.pages.values():
            act(page)

    def pictures(self) -> list[str]:
        """What is seen in either once it is whole, as PNG in base 64."""
        found = []
        for page in self.pages.values():
            page.mouse.move(0, 0)
            page.wait_for_timeout(400)
            expect(page.locator(".below[aria-busy]")).to_have_count(0, timeout=20_000)
            page.wait_for_timeout(100)
            found.append(base64.b64encode(page.locator(".drawing").screenshot()).decode())
        return found

    def apart(self, one: str, other: str) -> float:
        apart: float = self.reader.evaluate(APART, [one, other])
        return apart


#: WebGL as if hardware drew it.
HARDWARE = """
  const own = WebGL2RenderingContext.prototype.getParameter;
  WebGL2RenderingContext.prototype.getParameter = function (name) {
    return name === 0x9246 ? "Hardware" : own.call(this, name);
  };
"""


def test_webgl_draws_and_does_the_same(browser: Browser, service: httpx.Client) -> None:
    root = str(service.base_url).rstrip("/")
    with started(browser, "--enable-unsafe-swiftshader", "--use-angle=swiftshader") as other:
        reader = other.new_page()
        shares = {}
        for renderer in ("canvas", "webgl"):
            page = other.new_page()
            while (answer := page.goto(f"{root}/network?lang=en&renderer={renderer}")) and answer.status == 202:
                pass
            ready(page)
            expect(page.locator(f"[data-renderer={renderer}]")).to_have_count(1)
            expect(page.locator(".below canvas")).to_have_count(0 if renderer == "canvas" else 1)
            whole = coloured(page, reader)
            page.get_by_role("button", name=re.compile("^Community 1 ")).click()
            without = coloured(page, reader)
            page.get_by_role("button", name="Undo", exact=True).click()
            chosen(page, GSEF).get_by_role("button", name="One step more").click()
            page.get_by_role("button", name="Pin here").click()
            shares[renderer] = (whole, without, coloured(page, reader))
        assert all(share > 0.002 for share in shares["canvas"])
        assert shares["webgl"] == pytest.approx(shares["canvas"], rel=0.25)
        assert shares["webgl"][1] < shares["webgl"][0]
        page.get_by_label("Drawn by").select_option("canvas")  # while it is looked at
        expect(page.locator(".below canvas")).to_have_count(0)
        expect(page).to_have_url(re.compile("renderer=canvas"))
        assert coloured(page, reader) == pytest.approx(shares["canvas"][2], rel=0.1)


def dragged(page: Page, from_: tuple[float, float], x: int, y: int) -> None:
    """Drags the node, or else the whole, from a place of the stage, which is 1 wide and high, by so many pixels."""
    box = page.locator(".drawing > canvas").bounding_box()
    assert box
    left, top = box["x"] + from_[0] * box["width"], box["y"] + from_[1] * box["height"]
    page.mouse.move(left, top)
    page.mouse.down()
    page.mouse.move(left + x, top + y, steps=4)
    page.mouse.up()


def same(drawn: Drawn, acts: dict[str, Callable[[Page], object]]) -> None:
    """After each act both renderers show the same, and what it was before is far from it."""
    before, picture = drawn.pictures()
    assert drawn.apart(before, picture) < 0.006
    for name, act in acts.items():
        drawn.do(act)
        after, picture = drawn.pictures()
        change, apart = drawn.apart(before, after), drawn.apart(after, picture)
        assert apart < min(0.006, 0.15 * change), f"{name}: {apart} apart, where {change} changed"
        before = after


UNDO = lambda page: page.get_by_role("button", name="Undo", exact=True).click()  # noqa: E731
DARK = lambda page: page.emulate_media(color_scheme="dark")  # noqa: E731


@pytest.mark.parametrize("is_hardware", [False, True])
def test_webgl_shows_what_the_canvas_shows(browser: Browser, service: httpx.Client, is_hardware: bool) -> None:
    root = str(service.base_url).rstrip("/")
    with started(browser, "--enable-unsafe-swiftshader", "--use-angle=swiftshader") as other:
        drawn = Drawn(other, f"{root}/network?projection=actor-event&lang=en", is_hardware=is_hardware)
        same(
            drawn,
            {
                "group hidden": lambda page: page.get_by_role("button", name=re.compile("^Community 1 ")).click(),
                "dark": DARK,
                "zoomed": lambda page: page.get_by_role("button", name="Zoom in").click(),
                "narrower": lambda page: page.set_viewport_size({"width": 700, "height": 900}),
                "shown again": UNDO,
                "found": lambda page: chosen(page, GSEF).wait_for(),
                "put elsewhere": lambda page: dragged(page, (0.5, 0.5), -90, 120),
                "put back": UNDO,
            },
        )


#: Presses the first group of the legend, and tells when ties begin to be drawn later, and when all of them are there.
BUSY = """() => new Promise(done => {
  const below = document.querySelector(".below"), told = [];
  new MutationObserver(() => {
    told.push(below.hasAttribute("aria-busy"));
    if (!told.at(-1)) done(told);
  }).observe(below, {attributes: true, attributeFilter: ["aria-busy"]});
  document.querySelector(".legend button").click();
})"""


def test_what_is_done_with_many_ties_ends_in_the_whole_picture(browser: Browser, crowd: httpx.Client) -> None:
    root = str(crowd.base_url).rstrip("/")
    with started(browser, "--enable-unsafe-swiftshader", "--use-angle=swiftshader") as other:
        drawn = Drawn(other, f"{root}/network?draw=all&lang=en")
        hide: Callable[[Page], object] = lambda page: page.locator(".legend button").first.click()  # noqa: E731
        same(drawn, {"dragged": lambda page: dragged(page, (0.01, 0.01), 90, 60), "dark": DARK, "hidden": hide})
        drawn.pages["canvas"].locator(".legend button").first.click()
        assert drawn.pages["webgl"].evaluate(BUSY) == [True, False]
        assert drawn.apart(*drawn.pictures()) < 0.006


def test_the_canvas_draws_once_webgl_is_taken_away(browser: Browser, service: httpx.Client) -> None:
    root = str(service.base_url).rstrip("/")
    with started(browser, "--enable-unsafe-swiftshader", "--use-angle=swiftshader") as other:
        drawn = Drawn(other, f"{root}/network?lang=en")
        page = drawn.pages["webgl"]
        page.evaluate(
            """document.querySelector(".below canvas").getContext("webgl2").getExtension("WEBGL_lose_context")
            .loseContext()"""
        )
        expect(page.locator("[data-renderer=canvas]")).to_have_count(1)
        expect(page.get_by_text("There is no WebGL here")).to_be_visible()
        assert drawn.apart(*drawn.pictures()) < 0.0001


def test_without_webgl_the_canvas_draws(browser: Browser, service: httpx.Client) -> None:
    root = str(service.base_url).rstrip("/")
    with started(browser, "--disable-3d-apis") as other:
        page = other.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{root}/network?lang=en&renderer=webgl")
        ready(page)
        expect(page.locator("[data-renderer=canvas]")).to_have_count(1)
        expect(page.get_by_text("There is no WebGL here")).to_be_visible()
        assert coloured(page, other.new_page()) > 0.002
        page.get_by_label("Drawn by").select_option("webgl")
        expect(page.get_by_text("There is no WebGL here")).to_be_visible()
        assert not errors


@pytest.mark.parametrize("renderer", ["canvas", "webgl"])
def test_a_large_network_begins_empty_is_walked_and_drawn_when_asked(
    browser: Browser, crowd: httpx.Client, axe: str, renderer: str
) -> None:
    opening = Open(browser, str(crowd.base_url).rstrip("/"))
    page = opening(f"/network?lang=en&renderer={renderer}")
    expect(page.locator("canvas")).to_have_count(0)
    assert renderer == "webgl" or violations(page, axe) == []
    page.get_by_label("Find a node to begin with").fill("nandu 1")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Ñandú 1", exact=True).click()
    ready(page)
    expect(page.get_by_role("group", name="Ñandú 1")).to_be_visible()
    page.get_by_role("button", name="Everything", exact=True).click()
    expect(page.locator(".island > p[role=status]")).to_contain_text("Only the 15,000 strongest ties are drawn.")
    page.wait_for_url(re.compile(r"[?&]draw=strongest(#|$)"))
    opening.again(page, "/network?lang=en&draw=all")
    expect(page.locator(".island > p[role=status]")).to_contain_text(f"{CROWDED:,}")
    assert "strongest" not in shown(page)
    # What draws WebGL without hardware says that it is slow.
    opening.seen.errors = [each for each in opening.seen.errors if "GL Driver Message" not in each]
    opening.seen.nothing_else()
    opening.close()


def test_a_network_is_printed_with_its_choices_and_legend(opened: Open) -> None:
    page = opened("/network?projection=actor-event&territory=mexico&lang=en")
    page.emulate_media(media="print")
    for text in ("Generation of the graph", "all times"):
        expect(page.locator(".printed").get_by_text(text)).to_be_visible()
    for part in (page.locator("canvas"), page.locator(".legend").first, page.locator("table")):
        expect(part).to_be_visible()
    for part in (page.locator("form.choices"), page.get_by_label("Find a node"), page.locator(".formats")):
        expect(part).to_be_hidden()
