from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from kg_service.api.cors import Cors
from kg_service.settings import Settings
from tests.serving import running

ELSEWHERE = {"Origin": "https://elsewhere.example"}


def preflight(client: httpx.Client, path: str, method: str, headers: str = "") -> httpx.Response:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    return client.options(path, headers=ELSEWHERE | asked)


def names(answer: httpx.Response, header: str) -> set[str]:
    return {name.strip().lower() for name in answer.headers[header].split(",")}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sparql", 200),
        ("GET", "/sparql?query=ASK{}", 200),
        ("HEAD", "/sparql?query=ASK{}", 200),
        ("GET", "/sparql?query=nonsense", 400),
        ("POST", "/sparql", 415),
        ("GET", "/store?default", 200),
        ("GET", "/store?graph=urn:none", 404),
        ("GET", "/api/events", 200),
        ("GET", "/api/nothing", 404),
        ("GET", "/health/ready", 200),
    ],
)
def test_pages_of_every_origin_may_read_answers_and_errors(
    client: httpx.Client, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, headers=ELSEWHERE)
    assert answer.status_code == status
    assert answer.headers.get_list("access-control-allow-origin") == ["*"]
    assert {"etag", "kg-generation", "link", "location", "retry-after"} <= names(
        answer, "access-control-expose-headers"
    )
    assert "access-control-allow-credentials" not in answer.headers


def test_304_may_be_read_too(client: httpx.Client) -> None:
    first = client.get("/sparql?query=ASK{}")
    again = client.get("/sparql?query=ASK{}", headers=ELSEWHERE | {"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.headers["access-control-allow-origin"]) == (304, "*")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [("/sparql", {"get", "head", "post"}), ("/store?default", {"get", "head"}), ("/api/events", {"get", "head"})],
)
def test_a_preflight_allows_reading(client: httpx.Client, path: str, allowed: set[str]) -> None:
    answer = preflight(client, path, "GET", "if-none-match")
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert names(answer, "access-control-allow-methods") == allowed
    assert {"accept", "content-type", "if-none-match"} <= names(answer, "access-control-allow-headers")
    assert int(answer.headers["access-control-max-age"]) >= 3600


@pytest.fixture(scope="module")
def writable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = Settings(store=tmp_path_factory.mktemp("cors") / "store", token=SecretStr("open sesame"))
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


@pytest.mark.parametrize(
    ("path", "method"),
    [("/update", "POST"), ("/store?default", "PUT"), ("/store?default", "PATCH"), ("/store?default", "DELETE")],
)
def test_a_preflight_allows_no_writing(writable: httpx.Client, path: str, method: str) -> None:
    answer = preflight(writable, path, method, "authorization")
    assert method.lower() not in names(answer, "access-control-allow-methods")
    assert not {"authorization", "*"} & names(answer, "access-control-allow-headers")


def test_no_page_elsewhere_may_read_what_became_of_a_write(writable: httpx.Client) -> None:
    for token, status in (("open sesame", 200), ("wrong", 401)):
        answer = writable.post("/update", data={"update": ""}, headers=ELSEWHERE | {"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
        assert "access-control-allow-origin" not in answer.headers


def test_it_costs_next_to_nothing() -> None:
    headers = [(b"content-type", b"text/plain")]

    async def bare(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    async def nowhere(_: Any) -> None: ...

    async def seconds(app: Any) -> float:
        scope = {"type": "http", "method": "GET", "path": "/sparql", "headers": []}
        begun = time.process_time()
        for _ in range(10_000):
            await app(scope, None, nowhere)
        return time.process_time() - begun

    more = min(asyncio.run(seconds(Cors(bare, ["/sparql"]))) for _ in range(5))
    assert more < 0.1  # 10 µs a request; a bare application on a real server takes 40 or more
    assert headers == [(b"content-type", b"text/plain")]  # an application may send the same list again
