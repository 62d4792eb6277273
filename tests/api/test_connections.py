"""What is sent over connections stays in bounds, and nobody holds one up by being slow, or takes what others need."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from kg_service.access.tokens import Tokens
from kg_service.api.edge import through_proxies
from kg_service.rdf import GRAPH_FORMATS
from kg_service.settings import Settings
from kg_service.sparql import protocol
from tests.api.test_sparql import ENDLESS
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


def test_a_connection_whose_next_request_has_come_is_kept_though_the_service_had_no_turn(village: Settings) -> None:
    service, (ours, theirs) = running(village), socket.socketpair()

    def stall() -> None:
        service.loop.remove_reader(theirs)
        time.sleep(6)  # longer than a connection is kept for the next request

    with service as url, httpx.Client(base_url=url, timeout=WAIT, limits=httpx.Limits(keepalive_expiry=WAIT)) as client:
        assert client.get("/health/live").status_code == 200
        service.loop.call_soon_threadsafe(service.loop.add_reader, theirs, stall)
        ours.send(b"x")
        time.sleep(0.5)
        assert client.get("/health/live").status_code == 200
    ours.close()
    theirs.close()


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


def figure(url: str, route: str, status: str) -> float:
    """How often requests of that route were answered with that class of status."""
    found = re.search(
        rf'^kg_requests_total{{route="{route}",status="{status}"}} (\S+)$', httpx.get(f"{url}/metrics").text, re.M
    )
    return float(found[1]) if found else 0


def test_what_is_refused_before_it_is_a_request_has_an_id_and_is_counted(village: Settings) -> None:
    few = changed(village, metrics="open", client_connections=5, max_url_bytes=1024)
    with running(few) as url:
        refused = {
            400: b"nonsense\r\n\r\n",
            414: b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
            431: b"GET / HTTP/1.1\r\nx: " + b"a" * 2**18,
        }
        names = []
        for number, (status, sent) in enumerate(refused.items()):
            with opened(url) as connection:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(sent)
                head = heard(connection).partition(b"\r\n\r\n")[0].decode()
            assert head.startswith(f"HTTP/1.1 {status} "), head
            names += re.findall(r"^x-request-id: ([0-9a-f]{16})\r?$", head, re.MULTILINE)
            assert figure(url, "none", "4xx") == number + 1
        held = [opened(url) for _ in range(8)]
        answers = [heard(each).decode() for each in held[5:]]
        for each in held:
            each.close()
        names += re.findall(r"^x-request-id: ([0-9a-f]{16})\r?$", "\n".join(answers), re.MULTILINE)
        assert len(set(names)) == len(names) == 6
        assert figure(url, "none", "4xx") == 6
        # One that got as far as the application, and no further.
        long = httpx.get(f"{url}/sparql?query={'a' * 2000}", headers={"x-request-id": "too-long-1"})
        assert (long.status_code, long.headers["x-request-id"]) == (414, "too-long-1")
        assert figure(url, "/sparql", "4xx") == 1


@pytest.fixture(scope="module")
def two_tokens(village: Settings, tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, list[dict[str, str]]]:
    """A copy of the village with two tokens; the headers of each, and none."""
    store = tmp_path_factory.mktemp("tokens") / "store"
    shutil.copytree(village.store, store)
    secrets = [Tokens(store).create(name, ["validate"], None, None)[1] for name in ("one", "two")]
    headers: list[dict[str, str]] = [{"authorization": f"Bearer {each}"} for each in secrets]
    return changed(village, store=store), [*headers, {}]


def test_tokens_have_budgets_of_their_own_wherever_they_are_used(
    two_tokens: tuple[Settings, list[dict[str, str]]],
) -> None:
    settings, (one, two, none) = two_tokens
    with running(changed(settings, client_requests=3)) as url, httpx.Client(base_url=url) as client:

        def codes(headers: dict[str, str]) -> list[int]:
            return [client.get("/openapi.json", headers=headers).status_code for _ in range(4)]

        # A word that is no token makes nobody else of who sends it.
        assert codes(one) == codes(two) == codes({"authorization": "Bearer nonsense"}) == [200, 200, 200, 429]
        assert client.get("/openapi.json").status_code == 429
    with running(changed(settings, client_bytes=1000)) as url, httpx.Client(base_url=url) as client:
        for headers in (one, two, none):
            assert [client.get("/openapi.json", headers=headers).status_code for _ in range(2)] == [200, 429]


def test_tokens_have_seconds_and_streams_of_their_own(two_tokens: tuple[Settings, list[dict[str, str]]]) -> None:
    settings, (one, two, none) = two_tokens
    few = changed(settings, client_seconds=0.3, client_streams=1)
    with running(few) as url, httpx.Client(base_url=url, timeout=WAIT) as client:

        def code(headers: dict[str, str], query: str = "ASK {}", timeout: str = "5") -> int:
            asked = {"query": query, "timeout": timeout}
            return client.get("/sparql", params=asked, headers=headers).status_code

        long = "SELECT * { ?a ?b ?c . ?d ?e ?f } LIMIT 60000"
        with client.stream("GET", "/sparql", params={"query": long}, headers=one) as answer:
            assert answer.status_code == 200
            assert client.get("/openapi.json", headers=one).status_code == 429
            assert [client.get("/openapi.json", headers=each).status_code for each in (two, none)] == [200, 200]
        codes = [code(two, ENDLESS, "1")]
        while codes[-1] == 504 and len(codes) < 30:  # until its seconds are used, which others at work may delay
            codes.append(code(two, ENDLESS, "1"))
        assert set(codes) == {504, 429}
        assert code(none, "ASK { ?a ?b 2 }") == 200


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


@pytest.mark.parametrize("unit", ['"\\', '"', "a", ";a", 'a="', ",", " "])
def test_long_headers_are_read_at_once(unit: str) -> None:
    """With time by the square of its length, one header of 128 KiB would hold everybody up for minutes."""
    text = (unit * 2**17)[: 2**17]
    for header in ("x-forwarded-for", "forwarded"):
        scope = {
            "type": "http",
            "client": ("9.9.9.9", 1),
            "scheme": "http",
            "headers": [(header.encode(), text.encode())],
        }
        through_proxies(scope, 1, header)
        assert scope["client"][0] == "9.9.9.9"
    assert protocol.negotiate(text + ",text/turtle;q=0.1", GRAPH_FORMATS) is not None or unit == " "
    assert protocol.negotiate("a/b," * 2**15, GRAPH_FORMATS) is None
