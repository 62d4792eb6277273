"""What is sent over connections stays in bounds, and nobody holds one up by being slow, or takes what others need."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from kg_service.api.edge import through_proxies
from kg_service.settings import Settings
from tests.serving import running

POST = b"POST /api/validate HTTP/1.1\r\nhost: x\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
#: Long enough for a busy machine; what is tested ends sooner.
WAIT = 60


def opened(url: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=WAIT)
    connection.settimeout(WAIT)
    return connection


def heard(connection: socket.socket) -> bytes:
    """All that comes until the other end closes."""
    found = bytearray()
    try:
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass
    return bytes(found)


def changed(settings: Settings, **more: Any) -> Settings:
    return settings.model_copy(update=more)


@pytest.fixture(scope="module")
def impatient(village: Settings) -> Iterator[str]:
    """The address of a service that waits for nobody."""
    few = {"client_connections": 40, "patience_seconds": 0.5, "hsts_seconds": 60}
    with running(changed(village, **few)) as url:
        yield url


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /health/live HT",
        b"GET /health/live HTTP/1.1\r\nhost: x\r\nx: ",
        b"\r\n\r\n",
        POST + b"content-type: text/turtle\r\ncontent-length: 100000\r\n\r\n<urn:a> ",
        CHUNKED + b"fff;x=",
        b"GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n",
    ],
)
def test_who_sends_no_more_is_left(impatient: str, sent: bytes) -> None:
    with opened(impatient) as connection:
        connection.sendall(sent)
        heard(connection)  # returns, because the service closes
    assert httpx.get(f"{impatient}/health/live").status_code == 200


def test_who_sends_a_byte_now_and_then_is_left(impatient: str) -> None:
    with opened(impatient) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: x\r\nx: ")
        connection.settimeout(0.1)
        for _ in range(WAIT * 10):
            try:
                connection.sendall(b"a")
                if not connection.recv(100):
                    break
            except TimeoutError:
                continue
            except ConnectionError:
                break
        else:
            pytest.fail("the connection is still open")


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel whether the connection is open, as Linux tells it")
def test_who_takes_nothing_of_an_answer_is_left(village: Settings) -> None:
    query = "SELECT * { ?a ?b ?c . ?d ?e ?f } LIMIT 60000"
    with running(changed(village, patience_seconds=0.5)) as url, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect(("127.0.0.1", urlsplit(url).port or 0))
        text = httpx.QueryParams({"query": query})
        connection.sendall(f"GET /sparql?{text} HTTP/1.1\r\nhost: x\r\naccept: text/csv\r\n\r\n".encode())
        connection.settimeout(WAIT)
        until = time.monotonic() + WAIT
        while _is_open(url, connection):
            assert time.monotonic() < until, "the connection is still open"
            time.sleep(0.1)


def _is_open(url: str, connection: socket.socket) -> bool:
    """Whether the other end still has the connection, asked without reading from it."""
    ours = f"{connection.getsockname()[1]:04X}"
    theirs = f"{urlsplit(url).port:04X}"
    lines = [line.split()[1:4] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(a.endswith(f":{theirs}") and b.endswith(f":{ours}") and state == "01" for a, b, state in lines)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nauthorization: Bearer " + b"a" * 2**20,
        b"GET / HTTP/1.1\r\n" + b"".join(b"x%d: y\r\n" % number for number in range(20_000)),
        CHUNKED + b"1;" + b"x" * 2**20,
        CHUNKED + b"1\r\nx\r\n0\r\nx: " + b"y" * 2**20,
    ],
)
def test_heads_have_a_largest_size(impatient: str, head: bytes) -> None:
    with opened(impatient) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(head)
        answer = heard(connection)
    assert not answer or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ", b"HTTP/1.1 415 ")), answer[:100]
    if answer.startswith(b"HTTP/1.1 431 "):
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["type"].endswith("/head-too-large")


def test_one_address_has_so_many_connections_and_not_more(impatient: str) -> None:
    held = [opened(impatient) for _ in range(45)]
    answers = [heard(each) for each in held]
    refused = [each for each in answers if each.startswith(b"HTTP/1.1 429 ")]
    assert 5 <= len(refused) <= 8
    assert b"\r\nretry-after: 1" in refused[0].lower()
    for each in held:
        each.close()
    assert httpx.get(f"{impatient}/health/live").status_code == 200


def test_https_is_asked_for_where_that_is_told(impatient: str, client: httpx.Client) -> None:
    for path in ("/", "/health/live", "/sparql?query=ASK%20{}", "/no-such-page"):
        asked = httpx.get(f"{impatient}{path}").headers
        assert asked["strict-transport-security"] == "max-age=60; includeSubDomains"
        assert "strict-transport-security" not in client.get(path).headers


def test_requests_and_bytes_are_counted_by_client_and_proxies_tell_whose_they_are(village: Settings) -> None:
    few = changed(village, client_requests=3, trusted_hops=1)
    with running(few) as url, httpx.Client(base_url=url) as client:

        def codes(forwarded: str, number: int) -> list[int]:
            headers = {"x-forwarded-for": forwarded} if forwarded else {}
            return [client.get("/openapi.json", headers=headers).status_code for _ in range(number)]

        assert codes("192.0.2.1", 5) == [200, 200, 200, 429, 429]
        # What the client itself wrote stands at the left, and does not make him another.
        assert codes("198.51.100.7, 192.0.2.1", 1) == [429]
        assert codes("192.0.2.1, 198.51.100.7", 2) == [200, 200]
        refused = client.get("/openapi.json", headers={"x-forwarded-for": "192.0.2.1"})
        assert 1 <= int(refused.headers["retry-after"]) <= 61
        assert client.get("/health/live", headers={"x-forwarded-for": "192.0.2.1"}).status_code == 200
    with running(changed(village, client_bytes=1000)) as url, httpx.Client(base_url=url) as client:
        headers = {"x-forwarded-for": "192.0.2.1"}
        assert client.get("/openapi.json", headers=headers).status_code == 200
        assert client.get("/openapi.json").status_code == 429  # without trusted proxies that header says nothing


@pytest.mark.parametrize(
    ("hops", "header", "lines", "client", "scheme"),
    [
        (1, "x-forwarded-for", ["x-forwarded-for: 1.1.1.1, 2.2.2.2"], "2.2.2.2", "http"),
        (2, "x-forwarded-for", ["x-forwarded-for: 0.0.0.1, 1.1.1.1, 2.2.2.2"], "1.1.1.1", "http"),
        (2, "x-forwarded-for", ["x-forwarded-for: 1.1.1.1", "x-forwarded-for: 2.2.2.2"], "1.1.1.1", "http"),
        (3, "x-forwarded-for", ["x-forwarded-for: 1.1.1.1, 2.2.2.2"], "9.9.9.9", "http"),
        (1, "x-forwarded-for", ["forwarded: for=1.1.1.1"], "9.9.9.9", "http"),
        (1, "x-forwarded-for", ["x-forwarded-for: 1.1.1.1:80", "x-forwarded-proto: https"], "1.1.1.1", "https"),
        (1, "x-forwarded-for", ["x-forwarded-for: [2001:db8::1]:80"], "2001:db8::1", "http"),
        (1, "x-forwarded-for", ["x-forwarded-for: unknown", "x-forwarded-proto: ftp"], "9.9.9.9", "http"),
        (1, "x-forwarded-for", ["x-forwarded-for: 1.1.1.1", "x-forwarded-proto: https, http"], "1.1.1.1", "http"),
        (1, "forwarded", ["x-forwarded-for: 1.1.1.1"], "9.9.9.9", "http"),
        (1, "forwarded", ['forwarded: for=1.1.1.1, For="[2001:db8::1]:80";proto=https;by=x'], "2001:db8::1", "https"),
        (1, "forwarded", ['forwarded: for="1.1.1.1, for=2.2.2.2"'], "9.9.9.9", "http"),
        (1, "forwarded", ["forwarded: for=_hidden, for=\xe9"], "9.9.9.9", "http"),
    ],
)
def test_only_so_many_entries_from_the_right_count(
    hops: int, header: str, lines: list[str], client: str, scheme: str
) -> None:
    headers = [tuple(part.strip().encode("latin-1") for part in line.split(":", 1)) for line in lines]
    scope = {"type": "http", "client": ("9.9.9.9", 1), "scheme": "http", "headers": headers}
    through_proxies(scope, hops, header)
    assert (scope["client"][0], scope["scheme"]) == (client, scheme)
