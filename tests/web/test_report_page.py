"""What readers report as wrong: sent without a token, in bounds, and read by operators alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from kg_service.api import reports
from kg_service.errors import Busy, StoreUnwritable, WrongParameter
from kg_service.reports import KINDS, Inbox, Report
from kg_service.settings import Settings
from kg_service.store.embedded import EmbeddedStore
from kg_service.web.rendering import LANGUAGES
from tests.serving import running
from tests.test_cli import Kg
from tests.web import html
from tests.web.conftest import PEOPLE

TOKEN = "an-operator"
FAIR = "https://w3id.org/sse-kg/id/event/fair"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("reports") / "store"
    EmbeddedStore(root).close()
    return root


@pytest.fixture(scope="module")
def service(store: Path) -> Iterator[httpx.Client]:
    settings = Settings(store=store, token=SecretStr(TOKEN), reports=8)
    with running(settings) as url:
        own = PEOPLE | {"origin": url}
        with httpx.Client(base_url=url, timeout=60, headers=own) as client:
            yield client


def waiting(service: httpx.Client) -> list[dict[str, object]]:
    answer = service.get("/api/reports", headers={"authorization": f"Bearer {TOKEN}", "accept": "*/*"})
    found: list[dict[str, object]] = answer.json()["data"]
    return found


def test_an_error_is_reported_read_and_let_go(service: httpx.Client, store: Path, tmp_path: Path) -> None:
    for language in LANGUAGES:
        page = html.read(service.get("/report", params={"about": FAIR, "lang": language}).text)
        assert not page.problems
        assert next(e for e in page.all("input") if e.attributes.get("id") == "about").attributes["value"] == FAIR
    (form,) = (each for each in page.all("form") if "main" in each.parents)
    filled = {
        "kind": "quotation",
        "about": FAIR,
        "words": "Pas <là>\nmais à Ségou.\x1b[2J",
        "contact": "Ana Ñ",
    }
    answer = service.post(form.attributes["action"], data=filled)
    assert answer.status_code == 303
    thanks = html.read(service.get(answer.headers["location"]).text)
    assert "C’est le signalement 1." in "".join(each.text for each in thanks.all("main"))
    (kept,) = waiting(service)
    assert {name: kept[name] for name in filled} == filled
    assert (kept["number"], kept["language"], kept["source"]) == (1, "fr", "")
    kg = Kg(store, tmp_path)
    told = kg("reports").stdout
    assert "Ségou" in told
    assert "\x1b" not in told
    assert json.loads(kg("reports", "--json").stdout) == [kept]
    assert kg("reports", "--done", "1").returncode == 0
    assert kg("reports", "--done", "1").returncode == 2
    assert waiting(service) == []


@pytest.mark.parametrize(
    ("sent", "why"),
    [({"words": "  "}, "in a few words"), ({"words": "x" * 2001}, "2000"), ({"words": "x", "kind": "y"}, "quotation")],
)
def test_what_cannot_be_taken_is_said_and_what_was_written_stays(
    service: httpx.Client, sent: dict[str, str], why: str
) -> None:
    answer = service.post("/report?lang=en", data={"about": FAIR, "contact": "Ñ & Ö"} | sent)
    assert answer.status_code == 422
    page = html.read(answer.text)
    assert not page.problems
    assert why in page.all("main")[0].text
    assert {e.attributes.get("value") for e in page.all("input")} >= {FAIR, "Ñ & Ö"}
    assert waiting(service) == []


def test_only_pages_of_this_service_send_reports_and_not_many(
    service: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = {"kind": "page", "words": "It is blank."}
    assert service.post("/report", data=filled, headers={"origin": "https://elsewhere.example"}).status_code == 403
    assert service.post("/report", content=b"x" * 200_000, headers={"content-type": "a/b"}).status_code in (413, 415)
    monkeypatch.setattr(reports, "AN_HOUR", 3)  # one was sent by the test before
    codes = [service.post("/report", data=filled).status_code for _ in range(4)]
    assert codes == [303, 303, 429, 429] or codes == [303, 303, 303, 429]
    assert {each["kind"] for each in waiting(service)} == {"page"}


def test_pages_lead_to_the_form_where_reports_are_taken(service: httpx.Client, village: Settings) -> None:
    links = [e.attributes["href"] for e in html.read(service.get("/about?lang=en").text).all("a")]
    assert any(each.endswith("/report?about=/about&lang=en") for each in links)
    with running(village.model_copy(update={"reports": 0})) as url:
        assert "/report?" not in httpx.get(f"{url}/about", headers=PEOPLE).text
        assert httpx.get(f"{url}/report", headers=PEOPLE).status_code == 404


def report(**other: str) -> Report:
    said = {"kind": KINDS[0], "about": "", "words": "x", "language": "en"} | other
    return Report(generation=1, **said)


def test_an_inbox_is_bounded_and_keeps_its_numbers(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path, 2)
    assert (inbox.every(), inbox.remove(1)) == ([], False)
    assert [inbox.put(report()), inbox.put(report(about="ñ" * 2000))] == [1, 2]
    with pytest.raises(Busy):
        inbox.put(report())
    assert inbox.remove(2)
    assert inbox.put(report()) == 3
    with pytest.raises(WrongParameter):
        report(about="ñ" * 2001)


def test_an_inbox_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "reports.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StoreUnwritable):
        Inbox(tmp_path, 2).put(report())
