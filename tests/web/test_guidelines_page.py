"""The self-assessment: evidence and own answers by block, all in the address; kept only by who may write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from kg_service import resources
from kg_service.guidelines import SCALE
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store.embedded import EmbeddedStore
from kg_service.web.rendering import LANGUAGES, Catalogue
from tests.serving import running
from tests.web import html
from tests.web.conftest import TOKEN, Writing

ANSWER = {"territory": "seoul", "access-to-markets": "3", "access-to-markets-words": "La compra pública da puntos."}


def told(service: httpx.Client, territory: str) -> dict[str, Any]:
    answer: dict[str, Any] = service.get(f"/api/guidelines/assessment?territory={territory}").json()
    return answer


def rows(page: html.Document) -> list[list[str]]:
    """The cells of the table of scores, without its head."""
    cells = [" ".join(each.text.split()) for each in page.all("td")]
    return [cells[first : first + 4] for first in range(0, len(cells), 4)]


def test_one_chooses_among_the_places_of_the_graph(service: httpx.Client) -> None:
    page = html.read(service.get("/guidelines?lang=en").text)
    assert len([each for each in page.all("li") if "ol" in each.parents]) == 8
    values = {each.attributes["value"] for each in page.all("option")}
    places = service.get("/api/places?limit=1000", headers={"accept": "application/json"}).json()["data"]
    assert {each["iri"].rpartition("/")[2] for each in places} <= values


def test_a_territory_is_told_as_the_api_tells_it(service: httpx.Client) -> None:
    page, expected = (
        html.read(service.get("/guidelines?territory=latin-america&lang=en").text),
        told(service, "latin-america"),
    )
    assert [row[0] for row in rows(page)[:8]] == [str(block["evidence_count"]) for block in expected["data"]]
    assert [row[2] for row in rows(page)[:8]] == [f"{round(100 * block['score'])}%" for block in expected["data"]]
    assert [row[3] == "gap" for row in rows(page)[:8]] == [
        block["iri"] in expected["gaps"] for block in expected["data"]
    ]
    things = {thing["iri"] for block in expected["data"] for thing in block["evidence"]}
    linked = {each.attributes["href"].partition("/page/")[2] for each in page.all("a")}
    assert things
    assert {f"{each.partition('/id/')[2]}?lang=en" for each in things} <= linked


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_are_in_the_address_and_count(service: httpx.Client, language: str) -> None:
    page = html.read(service.get("/guidelines", params=ANSWER | {"lang": language}).text)
    assert not page.problems
    assert rows(page)[5][1] == "3 / 4"
    assert rows(page)[5][2].startswith("75")
    (area,) = (each for each in page.all("textarea") if each.attributes["name"] == "access-to-markets-words")
    assert area.text == ANSWER["access-to-markets-words"]
    report = next(each for each in page.all("a") if "view=report" in each.attributes["href"])
    printed = html.read(service.get(report.attributes["href"]).text)
    assert not printed.problems
    assert not [each for each in printed.all("textarea") if "name" in each.attributes]
    assert ANSWER["access-to-markets-words"] in printed.all("blockquote")[0].text
    assert any(Catalogue(language).words("guidelines.scale.3") in each.text for each in printed.all("p"))
    assert all(row[1] == "–" for row in rows(html.read(service.get("/guidelines?territory=seoul").text))[:8])


def test_the_scale_is_that_of_the_api() -> None:
    assert tuple(Catalogue("en").words(f"guidelines.scale.{n}") for n in range(5)) == SCALE


def test_a_form_may_leave_fields_empty_and_send_lines(service: httpx.Client) -> None:
    sent = {
        "territory": "seoul",
        "access-to-markets": "",
        "strategic-planning": "0",
        "strategic-planning-words": "a\r\nb",
    }
    page = html.read(service.get("/guidelines", params=sent).text)
    assert [row[1] for row in rows(page)[:8]] == ["–", "–", "0 / 4", "–", "–", "–", "–", "–"]
    assert "a b" in {each.text for each in page.all("textarea")}


@pytest.mark.parametrize(
    "query",
    [
        *("territory=nowhere", "territory=%3Cscript%3E", "access-to-markets=5&territory=seoul", "x=1"),
        *("access-to-markets=x", "access-to-markets-words=" + "a" * 501, "view=x", "territory=seoul&territory=seoul"),
    ],
)
def test_what_is_no_answer_is_a_wrong_parameter(service: httpx.Client, query: str) -> None:
    answer = service.get(f"/guidelines?{query}")
    assert answer.status_code == 422
    assert not html.read(answer.text).all("script")


def test_words_stay_text(service: httpx.Client) -> None:
    words = "</textarea><script>alert(1)</script>"
    for view in ("form", "report"):
        page = html.read(
            service.get("/guidelines", params=ANSWER | {"access-to-markets-words": words, "view": view}).text
        )
        assert not page.problems + [each.tag for each in page.all("script")]
        assert any(words in each.text for each in page.elements)


# ---- Keeping ----


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[Writing]:
    """Somebody at a service over the project's data that can be written to."""
    root = tmp_path_factory.mktemp("assessed") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), resources.folder("data")], shapes)
    with running(Settings(store=root, token=SecretStr(TOKEN))) as url:
        someone = Writing(url)
        with someone.client:
            yield someone


def test_who_has_signed_in_tries_and_keeps_the_answers(person: Writing) -> None:
    address = str(httpx.URL("/guidelines/keep", params=ANSWER | {"lang": "es", "clang": "fr"}))
    page = person.page(address)
    assert not [each for each in page.all("input") if each.attributes.get("name") == "mark"]
    assert person.client.post(address, data={"step": "make"}).status_code == 401
    assert person.sign_in().status_code == 303
    mark = person.mark(address)
    tried = html.read(person.client.post(address, data={"mark": mark, "step": "try"}).text)
    assert not tried.problems
    assert person.client.get("/api/guidelines/assessment?territory=seoul").json()["data"][5]["own_answer"] is None
    (action,) = (e.attributes["action"] for e in tried.all("form") if "/guidelines/keep?" in e.attributes["action"])
    assert action == f"{person.url}{address}"
    made = person.client.post(action, data={"mark": mark, "step": "make"})
    assert made.status_code == 303
    assert made.headers["location"].endswith("?lang=es&clang=fr")
    assert "self-assessment of" in person.page(made.headers["location"]).all("main")[0].text
    (kept,) = (
        b for b in person.client.get("/api/guidelines/assessment?territory=seoul").json()["data"] if b["own_answer"]
    )
    assert (kept["own_answer"]["value"], kept["own_answer"]["words"]) == (3, ANSWER["access-to-markets-words"])
    shown = person.page("/guidelines?territory=seoul&lang=en")
    assert any(each.text.startswith("Kept in the graph: 3 of 4") for each in shown.all("p"))
    instead = person.page("/guidelines?territory=seoul&access-to-markets=1&lang=en")
    assert rows(instead)[5][1] == "1 / 4"


@pytest.mark.parametrize("query", ["territory=seoul", "territory=seoul&access-to-markets=3", "access-to-markets=3"])
def test_only_answers_with_reasons_are_kept(person: Writing, query: str) -> None:
    assert person.client.get(f"/guidelines/keep?{query}").status_code == 422
