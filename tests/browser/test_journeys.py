"""What people come for, from beginning to end, in a real browser."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path

import httpx
import networkx as nx
import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from kg_service.web import islands
from kg_service.web.rendering import STATIC
from tests.browser.conftest import Open
from tests.store.engines import IS_CI

RUNAWAY = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"


@pytest.fixture
def islands_built() -> None:
    """Skips where the islands are not built; in CI they are."""
    if why := islands.absent(STATIC):
        (pytest.fail if IS_CI else pytest.skip)(why)


def test_an_organisation_is_found_and_the_words_behind_its_alliance_are_read_in_the_document(
    opened: Open, service: httpx.Client
) -> None:
    while service.get("/search?q=forum").status_code == 503:  # its index is still being made
        time.sleep(0.2)
    page = opened("/?lang=en")
    page.get_by_role("searchbox").first.fill("global social economy forum")
    page.keyboard.press("Enter")
    page.get_by_role("main").get_by_role("link", name="Global Social Economy Forum", exact=True).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Global Social Economy Forum")
    page.locator("main a[href*='/page/alliance/gsef-uclg-policy-dialogue-lac-2019']").first.click()
    sources = page.locator("details.evidence summary", has_text="source").first
    sources.click()
    quotation = page.locator("details.evidence[open] figure.quotation").first
    words = quotation.locator("mark").inner_text()
    assert words
    quotation.get_by_role("link", name="in the text").click()
    expect(page).to_have_url(re.compile("/sources/"))
    marked = page.locator(".passage .is-chosen")
    expect(marked.first).to_be_in_viewport()
    assert "".join("".join(marked.all_inner_texts()).split()) == "".join(words.split())
    # And back: the claims that rest on these words lead to the thing.
    expect(page.locator(".chosen .claims li").first).to_be_visible()


def test_a_self_assessment_is_filled_in_and_printed(opened: Open) -> None:
    page = opened("/guidelines?lang=en", java_script_enabled=False)
    page.get_by_role("main").get_by_label("Territory").select_option(label="Latin America")
    page.get_by_role("button", name="Assess").click()
    block = page.locator("section.block", has_text="Access to markets")
    block.get_by_label("How far has it come?").select_option("3")
    block.get_by_label("Why?").fill("Fairs each month, ñandú")
    page.get_by_role("button", name="Work out the scores").click()
    row = page.locator("table.scores tr", has_text="Access to markets")
    expect(row).to_contain_text("3 / 4")
    page.get_by_role("link", name="Report for printing").click()
    paper = PdfReader(io.BytesIO(page.pdf()))
    text = " ".join(" ".join(each.extract_text().split()) for each in paper.pages)
    assert "Latin America" in text
    assert "Fairs each month, ñandú" in text
    assert "75" in text
    assert "All pages" not in text


@pytest.mark.usefixtures("islands_built")
def test_who_bridges_two_sectors_and_gephi_gets_the_network(opened: Open, tmp_path: Path) -> None:
    page = opened("/network?lang=en", accept_downloads=True)
    page.get_by_label("Size by").select_option("betweenness")
    page.get_by_label("Colour by").select_option("sector")
    page.get_by_role("button", name="Show", exact=True).click()
    bridge = page.locator("tbody tr").first.get_by_role("rowheader").inner_text()
    page.get_by_label("Find a node").fill(bridge)
    card = page.get_by_role("group", name=bridge)
    expect(card.get_by_role("link", name=bridge)).to_have_attribute("href", re.compile("/page/"))
    card.get_by_role("button", name="One step more").click()
    expect(page.get_by_text("nodes and")).not_to_have_count(0)
    expect(page).to_have_url(re.compile("steps=1"))
    with page.expect_download() as download:
        page.get_by_role("link", name="GEXF (Gephi)").click()
    download.value.save_as(tmp_path / "network.gexf")
    # networkx reads GEXF 1.2; 1.3 differs for what is here by its name alone.
    text = (
        (tmp_path / "network.gexf").read_text().replace("http://gexf.net/1.3/viz", "http://www.gexf.net/1.2draft/viz")
    )
    (tmp_path / "network.gexf").write_text(text.replace("http://gexf.net/1.3", "http://www.gexf.net/1.2draft"))
    graph = nx.read_gexf(tmp_path / "network.gexf")
    assert bridge in {data["label"] for _, data in graph.nodes(data=True)}


@pytest.mark.usefixtures("islands_built")
def test_a_network_is_walked_with_the_keyboard_alone(opened: Open) -> None:
    page = opened("/network?projection=actor-event&lang=en")
    page.get_by_label("Find a node").focus()
    page.keyboard.type("global social economy for")
    page.keyboard.press("Enter")
    card = page.get_by_role("group", name="Global Social Economy Forum")
    expect(card).to_be_visible()
    page.locator("canvas").focus()
    page.keyboard.press("+")
    expect(card.locator("output")).to_have_text("1")
    page.keyboard.press("+")
    page.keyboard.press("-")
    expect(card.locator("output")).to_have_text("1")
    page.keyboard.press("Escape")
    expect(card).to_have_count(0)


@pytest.mark.usefixtures("islands_built")
def test_a_path_shows_what_each_step_rests_on(opened: Open) -> None:
    page = opened("/network?lang=en")
    for name, button in (("Academia", "Path from here"), ("RIPESS LAC", "Path to here")):
        page.get_by_label("Find a node").fill(name)
        page.get_by_role("group", name=name).get_by_role("button", name=button).click()
    steps = page.locator(".path ol li")
    expect(steps.first).to_contain_text("Academia")
    expect(steps.first.get_by_role("link").first).to_have_attribute("href", re.compile("/page/alliance/"))
    again = opened(page.url[page.url.index("/network") :])
    expect(again.locator("h2#path")).to_be_visible()


def test_two_times_are_compared(opened: Open) -> None:
    page = opened("/network?projection=actor-event&lang=en")
    page.get_by_text("Compare with another time").click()
    for name, year in (("From", "2019"), ("To", "2019"), ("Other time: from", "2020"), ("Other time: to", "2022")):
        page.get_by_label(name, exact=True).fill(year)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("heading", name="The two times compared")).to_be_visible()
    expect(page.locator("figure.picture")).to_have_count(2)


@pytest.mark.usefixtures("islands_built")
def test_a_query_is_written_run_and_handed_on(opened: Open) -> None:
    page = opened("/query?lang=en")
    editor = page.get_by_role("textbox", name=re.compile("^Query"))
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.type('SELECT ?name ?n { VALUES (?name ?n) { ("a" 1) ("b" 2) } ')  # the editor closes brackets
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("2 rows in")).to_be_visible()
    page.get_by_role("button", name="Chart").click()
    expect(page.get_by_role("img", name="n by name")).to_be_visible()
    expect(page).to_have_url(re.compile("view=chart"))
    page.keyboard.press("Tab")
    handed_on = opened(page.url[page.url.index("/query") :])
    expect(handed_on.get_by_role("img", name="n by name")).to_be_visible()


@pytest.mark.usefixtures("islands_built")
def test_tab_leaves_the_editor(opened: Open) -> None:
    page = opened("/query?lang=en")
    page.get_by_role("textbox", name=re.compile("^Query")).focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Run")).to_be_focused()


@pytest.mark.usefixtures("islands_built")
def test_terms_are_completed_with_their_prefix(opened: Open) -> None:
    page = opened("/query?lang=en")
    page.get_by_role("textbox", name=re.compile("^Query")).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("SELECT * { ?x a sse:Alli")
    page.get_by_role("option", name=re.compile("^sse:Alliance")).first.click()
    content = page.locator(".cm-content")
    expect(content).to_contain_text("sse:Alliance")
    expect(content).to_contain_text("PREFIX sse:")


@pytest.mark.usefixtures("islands_built")
def test_a_runaway_query_is_cancelled(opened: Open) -> None:
    page = opened("/query?lang=en")
    write(page, RUNAWAY)
    page.keyboard.press("Control+Enter")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("The query was cancelled.")).to_be_visible()
    # Its reader is free again: a small query is answered at once, before the runaway's deadline.
    began = time.monotonic()
    write(page, "ASK {}")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Yes", exact=True)).to_be_visible()
    assert time.monotonic() - began < 8


def write(page: Page, text: str) -> None:
    page.get_by_role("textbox", name=re.compile("^Query")).focus()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


@pytest.mark.usefixtures("islands_built")
def test_the_place_of_a_mistake_is_marked(opened: Open) -> None:
    page = opened("/query?lang=en")
    write(page, "SELECT * {\n  ?s ?p\n}")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("line 3")
    expect(page.locator(".cm-wrong-line")).to_have_text("}")


@pytest.mark.parametrize("path", ["/network?lang=en", "/query?query=ASK%7B%7D&lang=en"])
def test_pages_work_without_a_script(opened: Open, path: str) -> None:
    page = opened(path, java_script_enabled=False)
    expect(page.locator("h1")).to_be_visible()
    if "network" in path:
        assert page.locator("svg circle.dot").count() > 10
        assert page.locator("tbody tr").count() > 10
    else:
        expect(page.get_by_text("Yes", exact=True)).to_be_visible()
