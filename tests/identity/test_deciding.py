"""Candidates proposed, accepted, rejected and undone: by the command, by the API and on the page, on a real store."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from kg_service.settings import Settings
from kg_service.store.embedded import snapshot
from kg_service.store.remote import Endpoint
from tests.conftest import remote_settings
from tests.identity.conftest import DIRECTORY, ID, ONE, OTHER, TOKEN
from tests.serving import running
from tests.web import html

SAME = "https://w3id.org/sse-kg/ontology#sameActorAs"
DIFFERENT = "http://www.w3.org/2002/07/owl#differentFrom"


def kg(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "kg_service", "duplicates", *arguments]
    about = {"KG_STORE": str(settings.store), "KG_DATA": str(settings.data)}
    return subprocess.run(command, capture_output=True, text=True, env={**_environment(), **about}, timeout=120)


def _environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("KG_")} | {"COLUMNS": "200"}


def lines(settings: Settings) -> set[str]:
    """All that the graph says, in named graphs."""
    with snapshot(settings.store) as store:
        return {str(quad) for quad in store if "graph/" in str(quad.graph_name)}


def decide(url: str, decision: str, one: str = ONE, other: str = OTHER, **more: Any) -> httpx.Response:
    parameters: dict[str, str] = {name: more.pop(name) for name in ("dry_run", "author", "note") if name in more}
    sent = {"decision": decision, "one": one, "other": other} | more
    headers = {"authorization": f"Bearer {TOKEN}"}
    return httpx.post(f"{url}/api/duplicates/decisions", json=sent, params=parameters, headers=headers, timeout=60)


def listed(url: str, **parameters: Any) -> dict[str, Any]:
    answer = httpx.get(f"{url}/api/duplicates", params=parameters, timeout=60)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def pairs(url: str, state: str) -> list[set[str]]:
    return [{each["one"]["iri"], each["leading"]["iri"]} for each in listed(url, state=state)["data"]]


@pytest.fixture(scope="module")
def proposed(settings: Settings, service: str) -> str:
    """The service, with the candidates in its graph."""
    shown = kg(settings)
    assert shown.returncode == 0, shown.stderr
    assert "organisation/oxfield-weavers" in shown.stdout
    assert "name +" in shown.stdout
    tried = kg(settings, "--propose", "--dry-run")
    assert "would add" in tried.stdout, tried.stderr
    assert listed(service)["meta"]["total"] == 0
    made = json.loads(kg(settings, "--propose", "--json", "--author", "Ana").stdout)
    assert made["proposed"]["added"] == 10 * len(made["pairs"]) == 20
    return service


def test_a_candidate_tells_what_speaks_for_it(proposed: str) -> None:
    found = listed(proposed)
    assert found["meta"]["total"] == len(found["data"]) == 2
    first = found["data"][0]
    assert {first["one"]["iri"], first["leading"]["iri"]} == {ONE, OTHER}
    assert 0.9 < first["likelihood"] < 1
    assert {each["name"] for each in first["features"]} == {"name", "website", "prior"}
    assert first["one"]["websites"][0].startswith("weave.example")
    assert first["likelihood"] > found["data"][1]["likelihood"]
    page = listed(proposed, limit=1)
    assert page["links"]["next"]
    following = httpx.get(page["links"]["next"]).json()
    assert (following["data"], following["links"]["next"]) == (found["data"][1:], None)
    assert [each["state"] for each in listed(proposed, of=ID + "tejedoras")["data"]] == ["proposed"]


def test_nothing_is_proposed_twice(proposed: str, settings: Settings) -> None:
    again = json.loads(kg(settings, "--propose", "--json").stdout)
    assert again["proposed"] == {"change": None, "added": 0, "removed": 0}


@pytest.mark.parametrize("decision", ["accept", "reject"])
def test_a_decision_is_made_once_and_undone_exactly(proposed: str, settings: Settings, decision: str) -> None:
    before = lines(settings)
    tried = decide(proposed, decision, dry_run="true")
    assert (tried.status_code, lines(settings)) == (200, before)
    made = decide(proposed, decision, author="Ana Ñ", note="I know them")
    assert made.status_code == 201, made.text
    change = httpx.get(f"{proposed}/api/changes/{made.json()['change']}").json()
    assert (change["author"], change["note"]) == ("Ana Ñ", "I know them")
    state, fact = ("accepted", SAME) if decision == "accept" else ("rejected", DIFFERENT)
    assert pairs(proposed, state) == [{ONE, OTHER}]
    assert {ONE, OTHER} not in pairs(proposed, "proposed")
    assert sum(fact in line for line in lines(settings) - before) == 1
    assert decide(proposed, decision).status_code == 200, "said again, nothing changes"
    contrary = "reject" if decision == "accept" else "accept"
    assert decide(proposed, contrary).status_code == 409
    found = json.loads(kg(settings, "--propose", "--json").stdout)
    assert {ONE, OTHER} not in [{each["one"], each["leading"]} for each in found["pairs"]]
    assert found["proposed"]["added"] == found["proposed"]["removed"] == 0
    undone = decide(proposed, "undo", OTHER, ONE)
    assert undone.status_code == 201, undone.text
    assert lines(settings) == before
    assert httpx.get(f"{proposed}/api/changes/{undone.json()['change']}").json()["reverts"] == change["number"]
    assert decide(proposed, "undo").status_code == 404


def test_whoever_decides_says_which_entry_leads(proposed: str, settings: Settings) -> None:
    assert decide(proposed, "accept", leading=ONE).status_code == 201
    assert listed(proposed, state="accepted")["data"][0]["leading"]["iri"] == ONE
    assert decide(proposed, "accept").status_code == 200
    assert decide(proposed, "accept", leading=OTHER).status_code == 409
    assert decide(proposed, "undo").status_code == 201
    assert pairs(proposed, "accepted") == []


def test_the_command_decides_too(proposed: str, settings: Settings) -> None:
    before = lines(settings)
    made = kg(
        settings, "accept", "organisation/oxfield-weavers", "organisation/oxfield-weavers-coop", "--author", "Ana"
    )
    assert (made.returncode, "1 statements added" in made.stdout) == (0, True), made.stderr
    refused = kg(settings, "reject", ONE, OTHER)
    assert (refused.returncode, "undo that first" in refused.stderr) == (2, True)
    assert kg(settings, "undo", ONE, OTHER).returncode == 0
    assert lines(settings) == before
    assert "nobody has decided" in kg(settings, "undo", ONE, OTHER).stderr


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"decision": "perhaps", "one": ONE, "other": OTHER}, 422),
        ({"decision": "accept", "one": ONE, "other": ONE}, 422),
        ({"decision": "accept", "one": ONE, "other": OTHER, "leading": "urn:third"}, 422),
        ({"decision": "accept", "one": ONE, "other": "not an iri"}, 422),
        ({"decision": "accept", "one": ONE}, 422),
        ({"decision": "accept", "one": ONE, "other": "urn:x> } INSERT {"}, 422),
        ({"decision": "accept", "one": ONE, "other": ID + "nobody"}, 404),
        ({"decision": "reject", "one": ONE, "other": "https://w3id.org/sse-kg/id/theme/bread"}, 404),
        ({"decision": "accept", "one": ONE, "other": OTHER, "more": 1}, 400),
        (["accept"], 400),
    ],
)
def test_a_decision_that_means_nothing_is_refused(proposed: str, settings: Settings, sent: Any, status: int) -> None:
    before = lines(settings)
    headers = {"authorization": f"Bearer {TOKEN}"}
    answer = httpx.post(f"{proposed}/api/duplicates/decisions", json=sent, headers=headers)
    assert answer.status_code == status, answer.text
    assert lines(settings) == before


def test_only_who_has_the_token_decides(proposed: str) -> None:
    sent = {"decision": "accept", "one": ONE, "other": OTHER}
    assert httpx.post(f"{proposed}/api/duplicates/decisions", json=sent).status_code == 401


def test_people_decide_on_the_page(proposed: str, settings: Settings) -> None:
    before = lines(settings)
    headers = {"accept": "text/html", "origin": proposed}
    with httpx.Client(base_url=proposed, headers=headers, timeout=60) as person:
        text = person.get("/duplicates").text
        shown = html.read(text)
        assert not shown.problems
        assert "Red de tejedoras &lt;b&gt;ñ&lt;/b&gt;" in text
        assert not [each for each in shown.all("button") if each.attributes.get("name") == "decision"]
        assert person.post("/duplicates/decide", data={"decision": "accept"}).status_code == 401
        assert person.post("/sign-in", data={"token": TOKEN, "author": "Ana"}).status_code == 303
        page = html.read(person.get("/duplicates").text)
        mark = next(e.attributes["value"] for e in page.all("input") if e.attributes.get("name") == "mark")
        sent = {"mark": mark, "one": ONE, "other": OTHER, "leading": ONE, "decision": "accept"}
        elsewhere = person.post("/duplicates/decide", data=sent, headers={"origin": "https://evil.example"})
        forged = person.post("/duplicates/decide", data=sent | {"mark": "0" * 64})
        assert (elsewhere.status_code, forged.status_code, lines(settings)) == (403, 403, before)
        read = html.read(person.get("/duplicates?lang=es&clang=fr").text)
        action = next(e.attributes["action"] for e in read.all("form") if "/decide" in e.attributes["action"])
        made = person.post(action, data=sent)
        assert made.status_code == 303, made.text
        assert made.headers["location"].endswith("&lang=es&clang=fr")
        assert "This was decided" in person.get(made.headers["location"].replace("lang=es", "lang=en")).text
        assert person.post("/duplicates/decide", data=sent | {"decision": "reject"}).status_code == 409
        assert "Undo the decision" in person.get("/duplicates?state=accepted").text
        assert person.post("/duplicates/decide", data=sent | {"decision": "undo"}).status_code == 303
        for language in ("es", "fr"):
            assert not html.read(person.get(f"/duplicates?lang={language}").text).problems
        assert person.get("/duplicates?state=maybe").status_code == 422
        assert person.get("/duplicates?page=9").status_code == 200
        assert person.get("/duplicates?of=urn:nobody").status_code == 200
    assert lines(settings) == before


def test_it_is_the_same_on_another_engine(
    servers: Callable[[str], Endpoint], tmp_path: Path, settings: Settings
) -> None:
    endpoint = servers("oxigraph")
    chosen = remote_settings(endpoint, tmp_path / "own", token=TOKEN)
    headers = {"authorization": f"Bearer {TOKEN}"}
    with running(chosen) as url:
        trig = headers | {"content-type": "application/trig"}
        loaded = httpx.post(f"{url}/api/changes", content=DIRECTORY.encode(), timeout=60, headers=trig)
        assert loaded.status_code == 201, loaded.text
        assert decide(url, "accept").status_code == 201
        assert pairs(url, "accepted") == [{ONE, OTHER}]
        assert decide(url, "reject").status_code == 409
        assert decide(url, "undo").status_code == 201
        assert decide(url, "reject").status_code == 201
        assert pairs(url, "rejected") == [{ONE, OTHER}]
        assert decide(url, "undo").status_code == 201
