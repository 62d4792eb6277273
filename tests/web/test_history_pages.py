"""Who may write by pages, from where; and the history: read by all, undone by those who may."""

from __future__ import annotations

import re
import time
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr

from kg_service.api.sessions import COOKIE
from kg_service.settings import Settings
from kg_service.web.rendering import LANGUAGES
from tests.serving import running
from tests.web import html
from tests.web.conftest import TOKEN, Writing

CONTRIBUTIONS = "https://w3id.org/sse-kg/graph/contributions"
NOTE = "http://www.w3.org/2004/02/skos/core#note"
VALLEY = "https://w3id.org/sse-kg/id/place/valley"


def change(person: Writing, words: str, *, author: str = "Bea", note: str = "") -> int:
    """A statement that a program adds."""
    answer = person.change(
        "/api/changes",
        params={"author": author, "note": note},
        content=f'<{VALLEY}> <{NOTE}> "{words}"@en .',
        headers={"content-type": "text/turtle"},
    )
    return int(answer.json()["change"])


def cells(page: html.Document, kind: str) -> list[str]:
    rows = [each for each in page.all("tr") if each.attributes.get("class") == kind]
    return [" ".join(row.text.split()) for row in rows]


# signing in


def test_who_signs_in_gets_a_cookie_that_scripts_and_other_pages_do_not_see(somebody: Writing) -> None:
    answer = somebody.client.post("/sign-in?next=/history?of=urn:x&lang=fr", data={"token": TOKEN, "author": "Ana Ñ"})
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{somebody.url}/history?of=urn:x&lang=fr"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie  # the service was reached without TLS
    assert TOKEN not in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert "Ana Ñ" in somebody.page("/history/1").all("main")[0].text


@pytest.mark.parametrize(
    "token", ["", "mistaken", TOKEN + "x", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")]
)
def test_a_wrong_token_is_refused_and_not_shown(somebody: Writing, token: str) -> None:
    with httpx.Client(base_url=somebody.url, headers=somebody.client.headers) as other:
        answer = other.post("/sign-in", data={"token": token})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert 'role="alert"' in answer.text
    assert not token or token not in answer.text


@pytest.mark.parametrize(
    "onward", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_one_is_not_led_elsewhere(somebody: Writing, onward: str) -> None:
    answer = somebody.client.post("/sign-in", params={"next": onward}, data={"token": TOKEN})
    assert answer.headers["location"].startswith(f"{somebody.url}/history")


def test_a_forged_or_ended_session_is_none(writer: Writing) -> None:
    mark, cookie = writer.mark(), writer.client.cookies[COOKIE]
    payload, _, signature = cookie.partition(".")
    for forged in ("x", f"{payload}.{signature[:-1]}0", f"{payload}x.{signature}", f".{signature}", "é.é"):
        headers = {"cookie": f"{COOKIE}={forged}".encode("latin-1").decode("latin-1"), "origin": writer.url}
        if forged.isascii():
            answer = httpx.post(f"{writer.url}/history/1/revert", data={"mark": mark, "step": "try"}, headers=headers)
            assert answer.status_code == 401, forged
    assert writer.client.post("/sign-out", data={"mark": mark}).status_code == 303
    assert COOKIE not in writer.client.cookies
    answer = httpx.post(
        f"{writer.url}/history/1/revert",
        data={"mark": mark, "step": "try"},
        headers={"cookie": f"{COOKIE}={cookie}", "origin": writer.url},
    )
    assert answer.status_code == 401


def test_a_form_from_elsewhere_is_refused(writer: Writing) -> None:
    mark = writer.mark()
    for origin in ("https://evil.example", "null", writer.url.replace("http:", "https:"), writer.url + "1"):
        for path, data in (("/history/1/revert", {"mark": mark, "step": "try"}), ("/sign-in", {"token": TOKEN})):
            assert writer.client.post(path, data=data, headers={"origin": origin}).status_code == 403
    for other in ("", "x", mark[:-1]):
        assert writer.client.post("/history/1/revert", data={"mark": other, "step": "try"}).status_code == 403
    del writer.client.headers["origin"]
    assert writer.client.post("/history/1/revert", data={"mark": writer.mark(), "step": "try"}).status_code == 403


def test_the_cookie_opens_no_door_of_programs(writer: Writing) -> None:
    writer.mark()
    answer = writer.client.post("/update", data={"update": "INSERT DATA { <urn:a> <urn:b> <urn:c> }"})
    assert answer.status_code == 401


def test_who_guesses_is_told_to_wait(tmp_path: Path) -> None:
    with running(Settings(store=tmp_path / "store", token=SecretStr(TOKEN))) as url:
        somebody = Writing(url)
        assert "There is no change here." in somebody.client.get("/history").text
        answers = [somebody.sign_in(token=f"guess {number}") for number in range(11)]
        assert answers[-2].status_code == 401
        assert answers[-1].status_code == 429
        assert answers[-1].headers["retry-after"] == "60"
        assert somebody.sign_in().status_code == 429
        assert httpx.post(f"{url}/update", headers={"authorization": f"Bearer {TOKEN}"}).status_code == 429


def test_without_a_token_the_page_says_that_writing_is_off(service: httpx.Client) -> None:
    assert "KG_TOKEN" in service.get("/sign-in").text
    assert service.post("/sign-in", data={"token": "x"}, headers={"origin": str(service.base_url)}).status_code == 403


# the history


@pytest.mark.parametrize("language", LANGUAGES)
def test_changes_are_listed_newest_first(somebody: Writing, language: str) -> None:
    first = change(somebody, f"one in {language}", author="Béa <b>", note="why & what\u2019s more")
    second = change(somebody, f"two in {language}")
    page = somebody.page(f"/history?lang={language}")
    assert not page.problems
    rows = [" ".join(each.text.split()) for each in page.all("tr")[1:]]
    assert rows[0].startswith(f"{second} ")
    assert rows[1].startswith(f"{first} ")
    assert "Béa <b> why & what\u2019s more +1" in rows[1]


def test_a_thing_has_its_own_history(somebody: Writing) -> None:
    number = change(somebody, "of the valley")
    page = somebody.page(f"/history?of={VALLEY}")
    assert "Valley" in page.all("strong")[0].text
    assert page.all("tr")[1].text.split()[0] == str(number)
    other = somebody.page("/history?of=https://w3id.org/sse-kg/id/place/none")
    assert not other.all("table")
    assert (
        f"/history?of={VALLEY.replace(':', '%3A').replace('/', '%2F')}"
        in somebody.client.get("/page/place/valley").text
    )


def test_a_long_history_has_pages(somebody: Writing) -> None:
    person = f"walker {time.monotonic_ns()}"
    numbers = [change(somebody, f"{person} {step}", author=person) for step in range(26)]
    page = somebody.page(f"/history?author={person}")
    assert len(page.all("tr")) == 26
    older = next(each.attributes["href"] for each in page.all("a") if each.attributes.get("rel") == "next")
    last = somebody.page(older.removeprefix(somebody.url))
    assert [each.text.split()[0] for each in last.all("tr")[1:]] == [str(numbers[0])]


def test_a_change_is_shown_in_words(somebody: Writing) -> None:
    number = change(somebody, "<script>alert(1)</script>", note="</dd><script>")
    page = somebody.page(f"/history/{number}")
    assert not page.problems
    assert not page.all("script")
    assert page.all("caption")[0].text.strip() == "Valley"
    assert cells(page, "added") == ["+added: note <script>alert(1)</script> contributions"]
    whole = somebody.page("/history/1")
    assert len(cells(whole, "added")) == 300
    assert re.search(r"[\d,]+ more statements are not shown", whole.all("main")[0].text)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/history/99999", 404),
        (f"/history/{10**30}", 404),
        ("/history?below=x", 422),
        ("/history?of=x", 422),
        ("/history?wrong=1", 422),
    ],
)
def test_what_is_not_there_is_a_page_too(somebody: Writing, path: str, status: int) -> None:
    answer = somebody.client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert somebody.client.head("/history").status_code == 200


def test_a_change_is_undone_after_a_trial(writer: Writing) -> None:
    number = change(writer, "to be undone")
    trial = writer.send(f"/history/{number}/revert", {"step": "try", "note": "a mistake"})
    assert trial.status_code == 200
    assert cells(html.read(trial.text), "removed") == ["−removed: note to be undone contributions"]
    assert writer.page("/history").all("tr")[1].text.split()[0] == str(number)  # nothing is written yet
    done = writer.send(f"/history/{number}/revert", {"step": "make", "note": "a mistake"})
    assert done.status_code == 303
    assert done.headers["location"] == f"{writer.url}/history/{number + 1}?lang=en"
    made = writer.page(f"/history/{number + 1}")
    assert "Ana Ñ" in made.all("dl")[0].text
    assert "a mistake" in made.all("dl")[0].text
    again = writer.send(f"/history/{number}/revert", {"step": "make"})
    assert "nothing left to undo" in again.text


def test_what_forms_send_and_where_that_leads_keep_the_language_of_the_contents(writer: Writing) -> None:
    def sent(page: html.Document) -> list[str]:
        assert not page.problems
        found = [each.attributes["action"] for each in page.all("form") if each.attributes["method"] == "post"]
        return [each for each in found if "/appearance?" not in each]

    number = change(writer, "read in French")
    chosen = "lang=es&clang=fr"
    for path in (f"/history/{number}?", "/contribute/new?class=Theme&", f"/contribute/edit?iri={VALLEY}&", "/tables?"):
        actions = sent(writer.page(f"{path}{chosen}"))
        assert len(actions) > 1
        assert [each.count("clang=fr") for each in actions] == [1] * len(actions)
    assert all("clang=fr" in each for each in sent(writer.page(f"/validate?{chosen}")))
    mark = writer.mark()
    tried = writer.client.post(f"/history/{number}/revert?{chosen}", data={"mark": mark, "step": "try"})
    action = next(each for each in sent(html.read(tried.text)) if "/revert?" in each)
    made = writer.client.post(action, data={"mark": mark, "step": "make"})
    assert made.headers["location"] == f"{writer.url}/history/{number + 1}?{chosen}"
    # One signs in on the way to another page, and `clang` there is not `lang`.
    for onward, after in (
        ("/tables#send", f"/tables?{chosen}#send"),
        ("/history?clang=pt", "/history?clang=pt&lang=es"),
    ):
        signed = writer.client.post(f"/sign-in?next={quote(onward)}&{chosen}", data={"token": TOKEN})
        assert signed.headers["location"] == f"{writer.url}{after}"


def test_what_the_graph_needs_cannot_be_undone(writer: Writing) -> None:
    number = change(writer, "x")
    prefixes = "PREFIX sse: <https://w3id.org/sse-kg/ontology#> PREFIX skos: <http://www.w3.org/2004/02/skos/core#> "
    hill = "<https://w3id.org/sse-kg/id/place/hill>"
    for said in (
        f'{hill} a sse:Place ; skos:prefLabel "Hill"@en ; skos:inScheme <https://w3id.org/sse-kg/id/scheme/places>',
        f"<https://w3id.org/sse-kg/id/organisation/weavers> sse:locatedIn {hill}",
    ):
        update = f"{prefixes} INSERT DATA {{ GRAPH <{CONTRIBUTIONS}> {{ {said} }} }}"
        writer.change("/update", data={"update": update})
    made = number + 1
    trial = writer.send(f"/history/{made}/revert", {"step": "try"})
    assert trial.status_code == 422
    assert "does not lead to a place" in trial.text
    for step in (made + 1, made):
        assert writer.send(f"/history/{step}/revert", {"step": "make"}).status_code == 303


def test_a_reader_is_led_to_the_sign_in(somebody: Writing) -> None:
    page = somebody.page("/history/1?lang=es")
    assert not [each for each in page.all("form") if "revert" in each.attributes.get("action", "")]
    assert any("/sign-in?next=/history/1" in each.attributes.get("href", "") for each in page.all("a"))
