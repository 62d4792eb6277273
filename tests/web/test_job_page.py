"""`/jobs/<id>`: a long measurement watched without a script, ended, and found again when it is done."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from kg_service.api import jobs_page
from kg_service.settings import Settings
from kg_service.web import islands
from kg_service.web.rendering import LANGUAGES, STATIC
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE

HOST_OF_LICENCE = "creativecommons.org"
#: Seconds after which a page looks again: later where a script is told how far the job is.
AGAIN = "30" if "job" in islands.built(STATIC) else "2"
#: Makes each question another one than all before.
_NEW = itertools.count(5)


@pytest.fixture(scope="module")
def cold(village: Settings) -> Iterator[httpx.Client]:
    """A service that has measured nothing: its first job takes as long as a process takes to start."""
    with running(village) as url, httpx.Client(base_url=url, timeout=60, headers=PEOPLE) as client:
        yield client


def begun(service: httpx.Client, measure: str) -> str:
    """The id of a job that was just asked for."""
    answer = service.get(f"/api/networks/actor-event/{measure}", params={"wait": 0, "limit": next(_NEW)})
    assert answer.status_code == 202, answer.text
    assert answer.json()["page"] == f"{service.base_url}/jobs/{answer.json()['id']}".replace("//jobs", "/jobs")
    return str(answer.json()["id"])


def links(page: html.Document) -> list[str]:
    return [each.attributes["href"] for each in page.all("a")]


def test_a_job_is_watched_and_one_that_waits_is_cancelled(cold: httpx.Client) -> None:
    first, second = begun(cold, "degree"), begun(cold, "components")
    for language in LANGUAGES:
        answer = cold.get(f"/jobs/{second}?lang={language}&back=/network")
        page = html.read(answer.text)
        assert not page.problems
        assert (answer.headers["refresh"], answer.headers["cache-control"]) == (AGAIN, "no-store")
        assert page.all("progress")[0].attributes["value"] == "0"
    unwatched = cold.get(next(each for each in links(page) if "watch=0" in each))
    assert unwatched.status_code == 200
    assert "refresh" not in unwatched.headers
    (form,) = (each for each in page.all("form") if "main" in each.parents)
    assert cold.post(form.attributes["action"], headers={"origin": "https://elsewhere.example"}).status_code == 403
    own = {"origin": str(cold.base_url).rstrip("/")}
    gone = cold.post(form.attributes["action"], headers=own)
    assert gone.status_code == 303
    answer = cold.get(gone.headers["location"])
    assert "Il a été annulé." in answer.text  # the language that was read last
    assert "refresh" not in answer.headers
    assert any(each.endswith("/network?lang=fr") for each in links(html.read(answer.text)))
    until = time.monotonic() + 60
    while "refresh" in (answer := cold.get(f"/jobs/{first}?lang=en&back=/network?x=1")).headers:
        assert time.monotonic() < until
        time.sleep(0.1)
    page = html.read(answer.text)
    assert not page.problems
    assert "It is done." in answer.text
    (result,) = (each for each in links(page) if each.endswith("/result"))
    assert cold.get(result).json()["data"]
    assert f"{str(cold.base_url).rstrip('/')}/network?x=1&lang=en" in links(page)


def test_a_page_that_waits_leads_to_its_job_and_back(cold: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs_page, "PATIENCE", 0.0)
    answer = cold.get("/communities?network=actor-event&resolution=1.5&lang=es")
    assert (answer.status_code, answer.headers["refresh"]) == (202, AGAIN)
    page = html.read(answer.text)
    assert not page.problems
    (job,) = (each for each in links(page) if "/jobs/" in each)
    assert parse_qs(urlsplit(job).query)["back"] == ["/communities?network=actor-event&resolution=1.5&lang=es"]
    assert cold.get(job).status_code == 200


@pytest.mark.parametrize("back", ["//elsewhere.example", "https://elsewhere.example", "javascript:alert(1)", "/\\x"])
def test_a_job_leads_back_to_pages_of_the_service_alone(cold: httpx.Client, back: str) -> None:
    job = begun(cold, "closeness")
    page = html.read(cold.get(f"/jobs/{job}", params={"back": back, "lang": "en"}).text)
    assert not [each for each in links(page) if each.startswith(("javascript", back)) or each.endswith(back)]
    assert {urlsplit(each).netloc for each in links(page)} <= {urlsplit(str(cold.base_url)).netloc, HOST_OF_LICENCE, ""}


def test_an_unknown_job_is_told(cold: httpx.Client) -> None:
    answer = cold.get("/jobs/nobody")
    assert (answer.status_code, answer.headers["content-type"][:9]) == (404, "text/html")
    assert cold.get("/jobs/nobody?watch=2").status_code == 422


def events(service: httpx.Client, job: str) -> list[dict[str, object]]:
    """What is told of a job until it is over."""
    with service.stream("GET", f"/api/jobs/{job}/events", headers={"accept": "text/event-stream"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [json.loads(line.removeprefix("data: ")) for line in answer.iter_lines() if line.startswith("data: ")]


def test_a_job_tells_how_it_goes_on_until_it_is_over(cold: httpx.Client) -> None:
    job = begun(cold, "harmonic")
    told = events(cold, job)
    assert [each["state"] for each in told][-1] == "done"
    parts = [float(str(each["progress"])) for each in told]
    assert parts == sorted(parts)
    assert len({json.dumps(each) for each in told}) == len(told)
    assert [each["state"] for each in events(cold, job)] == ["done"]
    assert cold.get("/api/jobs/nobody/events").status_code == 404
