from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest
from pydantic import SecretStr

from kg_service.settings import Settings
from tests.api.test_sparql import ENDLESS, ENDLESS_ROWS, EXPECTED, NAMES, ask
from tests.serving import running

TOKEN = {"authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def operated(village: Settings) -> Iterator[httpx.Client]:
    """A client of a server over the village that has a token, and places for few long queries."""
    settings = village.model_copy(
        update={"token": SecretStr("secret"), "paused": 2, "quick_seconds": 0.05, "query_seconds_with_token": 8.0}
    )
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


class Asking:
    """Queries in threads of their own, and what became of them."""

    def __init__(self, client: httpx.Client, *queries: str, **more: str) -> None:
        self.answers: list[httpx.Response] = []
        self._threads = [
            threading.Thread(target=lambda text=text: self.answers.append(ask(client, text, **more)))
            for text in queries
        ]
        for thread in self._threads:
            thread.start()

    def join(self) -> list[httpx.Response]:
        for thread in self._threads:
            thread.join()
        return self.answers


def listed(client: httpx.Client, number: int) -> list[dict[str, object]]:
    """The running queries, once there are as many heavy ones."""
    until = time.monotonic() + 20
    while True:
        data: list[dict[str, object]] = client.get("/api/running", headers=TOKEN).json()["data"]
        if len([each for each in data if each["lane"] in ("heavy", "paused")]) == number:
            return data
        assert time.monotonic() < until, data
        time.sleep(0.02)


def test_operators_see_what_runs_and_end_it(operated: httpx.Client) -> None:
    asking = Asking(operated, ENDLESS)
    (query,) = listed(operated, 1)
    assert (query["text"], query["client"], query["lane"]) == (ENDLESS, "127.0.0.1", "heavy")
    assert query["limit_seconds"] == 5
    ended = operated.delete(f"/api/running/{query['id']}", headers=TOKEN)
    assert (ended.status_code, ended.content) == (204, b"")
    (answer,) = asking.join()
    assert (answer.status_code, answer.headers["kg-query"]) == (503, query["id"])
    assert "an operator ended the query" in answer.json()["detail"]
    assert answer.headers["retry-after"]
    again = operated.delete(f"/api/running/{query['id']}", headers=TOKEN)
    assert (again.status_code, again.json()["title"]) == (404, "Not found")


def test_an_answer_on_its_way_is_cut_when_its_query_is_ended(operated: httpx.Client) -> None:
    with operated.stream("GET", "/sparql", params={"query": ENDLESS_ROWS}) as answer:
        assert answer.status_code == 200
        assert operated.delete(f"/api/running/{answer.headers['kg-query']}", headers=TOKEN).status_code == 204
        with pytest.raises(httpx.RemoteProtocolError):
            answer.read()


def test_operating_needs_the_token(operated: httpx.Client, client: httpx.Client) -> None:
    for method, path in (("GET", "/api/running"), ("DELETE", "/api/running/x")):
        assert operated.request(method, path).status_code == 401
        assert operated.request(method, path, headers={"authorization": "Bearer wrong"}).status_code == 401
        assert client.request(method, path, headers=TOKEN).status_code == 403


def test_the_token_buys_time_and_nobody_else_gets_more(operated: httpx.Client) -> None:
    asking = Asking(operated, ENDLESS, timeout="600")
    holder = threading.Thread(
        target=lambda: operated.get("/sparql", params={"query": ENDLESS, "timeout": "600"}, headers=TOKEN)
    )
    holder.start()
    limits = {each["client"]: each["limit_seconds"] for each in listed(operated, 2)}
    assert limits == {"127.0.0.1": 5, "token": 8}
    for each in listed(operated, 2):
        operated.delete(f"/api/running/{each['id']}", headers=TOKEN)
    holder.join()
    asking.join()


def test_who_asks_too_much_is_told_when_to_come_again_and_still_gets_light_answers(operated: httpx.Client) -> None:
    asking = Asking(operated, *[f"{ENDLESS} # {number}" for number in range(6)], timeout="3")
    listed(operated, 3)
    times = []
    for number in range(40):
        began = time.monotonic()
        assert ask(operated, f"ASK {{}} # {number}").status_code == 200
        times.append(time.monotonic() - began)
    answers = asking.join()
    statuses = sorted(answer.status_code for answer in answers)
    assert set(statuses) == {429, 504}
    assert statuses.count(504) >= 3
    for answer in answers:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["kg-query"]
        if answer.status_code == 429:
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            assert answer.json()["retry_after"] == int(answer.headers["retry-after"])
    assert sorted(times)[-2] < 1.5, "one that waits for the end of the heavy ones waits 3 s"
    assert ask(operated, NAMES).status_code == 200


def test_answers_are_right_or_fail_visibly_while_readers_are_killed(village: Settings) -> None:
    wrong: list[str] = []
    done = threading.Event()
    killed = random.Random(7)
    before = set(psutil.Process().children(recursive=True))

    def work(client: httpx.Client, number: int) -> None:
        turn = 0
        while not done.is_set():
            turn += 1
            text = NAMES.replace("SELECT", f"# {number} {turn}\nSELECT")
            try:
                answer = ask(client, text)
            except httpx.RemoteProtocolError:
                continue
            if answer.status_code == 200:
                names = [row["name"]["value"] for row in answer.json()["results"]["bindings"]]
                if names != EXPECTED:
                    wrong.append(answer.text)
            elif answer.status_code != 503:
                wrong.append(f"{answer.status_code} {answer.text}")

    with running(village) as url, httpx.Client(base_url=url, timeout=30) as client:
        threads = [threading.Thread(target=work, args=(client, number)) for number in range(20)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 4
        while time.monotonic() < until:
            ours = sorted(set(psutil.Process().children(recursive=True)) - before, key=lambda each: each.pid)
            if ours:
                os.kill(killed.choice(ours).pid, signal.SIGKILL)
            time.sleep(killed.uniform(0.02, 0.3))
        done.set()
        for thread in threads:
            thread.join()
        answer = ask(client, NAMES)
        assert [row["name"]["value"] for row in answer.json()["results"]["bindings"]] == EXPECTED
    assert not wrong
