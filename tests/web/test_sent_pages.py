"""What doors answer a form with as a page: it may have no address of its own, and leads to what can be asked for."""

from __future__ import annotations

import itertools
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from pydantic import SecretStr
from starlette.routing import BaseRoute, Route

from kg_service.app import create_app
from kg_service.settings import Settings
from tests.serving import running
from tests.web import html
from tests.web.conftest import TOKEN, Writing
from tests.web.test_history_pages import change

SEOUL = "https://w3id.org/sse-kg/id/place/seoul"
#: What some doors are asked with.
_ASKED = {
    "/contribute/new": "class=Theme",
    "/contribute/edit": f"iri={quote(SEOUL, safe='')}",
    "/guidelines/keep": "territory=seoul&access-to-markets=3&access-to-markets-words=Two+fairs.",
    "/duplicates/decide": "state=rejected&page=2",
    "/jobs/{job_id}/cancel": "back=/network",
    "/appearance": "back=/sdg%3Flang%3Dfr",
}


@pytest.fixture(scope="module")
def url(project: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service over a copy of the project's own data."""
    store = tmp_path_factory.mktemp("sent") / "store"
    shutil.copytree(project.store, store)
    with running(Settings(store=store, token=SecretStr(TOKEN))) as url:
        yield url


@pytest.fixture
def person(url: str) -> Iterator[Writing]:
    """Somebody who has signed in."""
    somebody = Writing(url)
    with somebody.client:
        assert somebody.sign_in().status_code == 303
        yield somebody


def doors() -> list[str]:
    """The paths of all doors that take what is posted."""

    def every(routes: list[BaseRoute]) -> Iterator[str]:
        for each in routes:
            if isinstance(each, Route):
                if "POST" in (each.methods or ()):
                    yield each.path
            else:
                yield from every(list(getattr(each, "routes", None) or ()))

    return sorted(set(every(create_app(Settings(store=Path("nowhere"))).routes)))


def address(person: Writing, door: str) -> str:
    """An address of a door, with the number of a change and a job that are there."""
    parts = {
        "number": str(change(person, f"{time.monotonic_ns()}")) if "{number" in door else "",
        "job_id": job(person) if "{job_id" in door else "",
        "path": "x",
        "slug": "x",
    }
    path = re.sub(r"{(\w+)(:\w+)?}", lambda found: parts[found[1]], door)
    return f"{path}?{_ASKED[door]}" if door in _ASKED else path


def job(person: Writing) -> str:
    """The id of a job that was just begun."""
    answers = (person.client.get(f"/api/networks/alliances/degree?wait=0&limit={n}") for n in itertools.count(1))
    return next(str(each.json()["id"]) for each in answers if each.status_code == 202)


def onward(page: html.Document) -> set[str]:
    """Where a page leads to itself: in other languages, and after light or dark was chosen."""
    assert not page.problems
    links = {each.attributes["href"] for each in page.all("link") if each.attributes.get("rel") == "alternate"}
    links |= {each.attributes["href"] for each in page.all("a") if "hreflang" in each.attributes}
    links |= {each.attributes["href"] for each in page.all("a") if each.attributes.get("class") == "apart"}
    (choosing,) = (each for each in page.all("form") if each.attributes.get("class") == "appearance")
    return links | set(parse_qs(urlsplit(choosing.attributes["action"]).query)["back"])


@pytest.mark.parametrize("door", doors())
@pytest.mark.parametrize("is_form", [False, True], ids=["what-is-no-form", "a-form"])
def test_a_page_after_a_form_leads_to_pages_that_can_be_asked_for(person: Writing, door: str, is_form: bool) -> None:
    where = address(person, door)
    sent = (
        {"data": {"mark": person.mark("/tables")}}
        if is_form
        else {"content": b"x", "headers": {"content-type": "text/plain"}}
    )
    answer = person.client.post(where, **sent)
    if not answer.headers.get("content-type", "").startswith("text/html"):
        assert door not in _ASKED or answer.status_code == 303
        return  # it is no page, or leads to one
    for link in onward(html.read(answer.text)):
        again = person.client.get(link)
        assert again.status_code == 200, (where, link, again.text)


def test_they_lead_to_what_the_form_was_about_in_the_language_that_is_chosen(person: Writing) -> None:
    number = change(person, "read again")
    tried = person.client.post(
        f"/history/{number}/revert?lang=es", data={"mark": person.mark("/tables"), "step": "try"}
    )
    links = onward(html.read(tried.text))
    assert f"{person.url}/history/{number}?lang=fr" in links
    assert f"/history/{number}?lang=es" in links
    asked = "lang=en&state=rejected&page=2"
    wrong = {"mark": person.mark("/tables"), "decision": "accept", "one": "x"}
    refused = person.client.post(f"/duplicates/decide?{asked}", data=wrong)
    assert refused.status_code == 422
    assert f"/duplicates?{asked}" in onward(html.read(refused.text))
    strange = person.client.post("/appearance?back=/sdg%3Flang%3Dfr", data={"scheme": "plaid"})
    assert strange.status_code == 422
    assert "/sdg?lang=fr" in onward(html.read(strange.text))


def test_no_name_of_a_job_leads_elsewhere(person: Writing) -> None:
    answer = person.client.post("/jobs/..%3Fx%22/cancel", data={})
    assert answer.status_code == 404
    assert {urlsplit(each).path for each in onward(html.read(answer.text))} == {"/jobs/..%3Fx%22"}
