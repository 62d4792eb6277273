"""`/query` without a script: the answer as a table, what is wrong and on which line, and the ready-made questions."""

from __future__ import annotations

import httpx
import pytest

from kg_service import queries, resources
from kg_service.settings import Settings
from kg_service.web.query import MOST_ROWS
from kg_service.web.rendering import LANGUAGES
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE


def asked(service: httpx.Client, query: str, **more: str) -> httpx.Response:
    return service.get("/query", params={"query": query, "lang": "en", **more}, headers=PEOPLE)


def test_the_answer_is_a_table_of_names_that_lead_on(service: httpx.Client) -> None:
    text = 'SELECT ?s ?l { VALUES ?s { <https://w3id.org/sse-kg/id/place/bamako> } BIND("été"@fr AS ?l) }'
    page = html.read(asked(service, text).text)
    assert not page.problems
    links = {each.attributes["href"] for each in page.all("a")}
    assert any(each.endswith("/page/place/bamako?lang=en") for each in links)
    assert any(each.attributes.get("lang") == "fr" and each.text == "été" for each in page.all("span"))


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { ?s ?p ?o }",
        "SELECT * { ?s ?p ?o } LIMIT 900",
        "SELECT * { ?s ?p ?o } LIMIT 900 OFFSET 3",
        "SELECT * { ?s ?p ?o } LIMIT 900 # } LIMIT 1",
    ],
)
def test_a_long_answer_is_cut_and_says_so(service: httpx.Client, text: str) -> None:
    answer = asked(service, text)
    page = html.read(answer.text)
    assert len([each for each in page.all("tr") if "tbody" in each.parents]) == MOST_ROWS
    assert f"Only the first {MOST_ROWS} are shown" in answer.text


def test_what_values_follow_is_answered_all_the_same(service: httpx.Client) -> None:
    page = html.read(asked(service, "SELECT ?x { } VALUES ?x { 1 2 3 }").text)
    assert len([each for each in page.all("tr") if "tbody" in each.parents]) == 3


@pytest.mark.parametrize(("text", "words"), [("ASK {}", "Yes"), ("ASK { FILTER(false) }", "No")])
def test_a_question_has_yes_or_no_for_an_answer(service: httpx.Client, text: str, words: str) -> None:
    assert f"<strong>{words}</strong>" in asked(service, text).text


def test_rdf_is_shown_as_turtle(service: httpx.Client) -> None:
    page = html.read(asked(service, "CONSTRUCT { <urn:a> <urn:b> '<script>' } {}").text)
    assert any("<urn:a>" in each.text and "<script>" in each.text for each in page.all("pre"))
    assert not any("<script>" in each.text for each in page.all("script"))


def test_nothing_found_is_said(service: httpx.Client) -> None:
    assert "Nothing in the graph fits" in asked(service, "SELECT * { <urn:x> ?p ?o }").text


def test_the_wrong_line_is_marked(service: httpx.Client) -> None:
    answer = asked(service, "SELECT * {\n  ?s ?p\n}")
    assert answer.status_code == 400
    page = html.read(answer.text)
    assert not page.problems
    (wrong,) = (each for each in page.all("li") if each.attributes.get("class") == "wrong")
    told = service.get("/sparql", params={"query": "SELECT * {\n  ?s ?p\n}"}, headers={"accept": "*/*"}).json()
    assert wrong.text.split("←")[0].strip() == ["SELECT * {", "?s ?p", "}"][told["line"] - 1]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("SELECT * { SERVICE <http://127.0.0.1/> { ?s ?p ?o } }", 400),
        ("{" * 3000, 400),
        ("DROP ALL", 400),
    ],
)
def test_what_is_refused_is_told_on_the_page(service: httpx.Client, text: str, status: int) -> None:
    is_told(asked(service, text), text, status)


def test_what_is_stopped_is_told_on_the_page(project: Settings) -> None:
    text = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i }"
    impatient = project.model_copy(update={"query_seconds": 1.0})
    with running(impatient) as url, httpx.Client(base_url=url, timeout=30) as client:
        is_told(asked(client, text), text, 504)


def is_told(answer: httpx.Response, text: str, status: int) -> None:
    assert answer.status_code == status
    page = html.read(answer.text)
    assert not page.problems
    assert any(each.attributes.get("role") == "alert" and each.text for each in page.all("p"))
    assert page.all("textarea")[0].text.strip() == text


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_ready_made_question_can_be_taken_over(service: httpx.Client, language: str) -> None:
    page = html.read(service.get(f"/query?lang={language}", headers=PEOPLE).text)
    assert not page.problems
    links = [each.attributes["href"] for each in page.all("a") if "/query?example=" in each.attributes["href"]]
    texts = queries.every(resources.folder("queries"))
    assert len(links) == len(texts)
    taken = html.read(service.get(links[0], headers=PEOPLE).text)
    assert taken.all("textarea")[0].text.strip() == texts[0].text.strip()


@pytest.mark.parametrize("query", ["view=sphere", "example=nothing/here", "quer=ASK{}", "query=ASK{}&query=ASK{}"])
def test_a_wrong_parameter_is_told(service: httpx.Client, query: str) -> None:
    answer = service.get(f"/query?{query}", headers=PEOPLE)
    assert (answer.status_code, answer.headers["content-type"][:9]) == (422, "text/html")
