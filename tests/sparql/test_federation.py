"""SERVICE against real servers: the oxigraph server as the other endpoint, and some that answer as they should not."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyoxigraph import QuerySolutions, Store

from kg_service.errors import KgError, Malformed
from kg_service.settings import Settings
from kg_service.sparql import guard
from kg_service.sparql.federation import _clauses, _replaced
from kg_service.store.egress import Destination, is_public
from tests.serving import running
from tests.store import engines

THERE = """
PREFIX e: <http://e/>
INSERT DATA {
  e:a e:knows e:b ; e:name "Ana"@es , "a \\"quoted\\" \\\\ SERVICE {\\n line" ; e:age 7 ; e:at "2020-01-01"^^<urn:day> .
  e:b e:name "Bo" ; e:knows [ e:name "nobody" ] .
  <https://w3id.org/sse-kg/rel> e:name "relative" .
  <https://w3id.org/sse-kg/id/event/fair-2021> e:seen "yes" .
}
"""
FAIR = "<https://w3id.org/sse-kg/id/event/fair-2021>"


class Rogue:
    """A server on loopback that answers each request by a function of its connection and text."""

    def __init__(self, answer: Callable[[socket.socket, str], None]) -> None:
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/sparql"
        self.requests: list[str] = []
        self.closed_by_client = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                opened, _ = self._listening.accept()
                threading.Thread(target=self._one, args=(opened,), daemon=True).start()

    def _one(self, opened: socket.socket) -> None:
        with opened, contextlib.suppress(OSError):
            text = b""
            while b"\r\n\r\n" not in text or not text.endswith(b"%7D%0A"):  # the form ends with the group's brace
                text += opened.recv(65536)
            self.requests.append(text.decode())
            self._answer(opened, text.decode())
            opened.shutdown(socket.SHUT_WR)
            while opened.recv(65536):
                pass
        self.closed_by_client.set()

    def close(self) -> None:
        self._listening.close()


def answer(*bindings: dict[str, Any], names: str = "x") -> bytes:
    return json.dumps({"head": {"vars": names.split()}, "results": {"bindings": list(bindings)}}).encode()


def plainly(body: bytes, status: str = "200 OK", headers: str = "") -> Callable[[socket.socket, str], None]:
    kind = "" if "ontent-Type" in headers else "Content-Type: application/sparql-results+json\r\n"
    head = f"HTTP/1.1 {status}\r\n{kind}{headers}Content-Length: {len(body)}\r\n\r\n".encode()
    return lambda opened, _: opened.sendall(head + body)


def drip(opened: socket.socket, _: str) -> None:
    opened.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/sparql-results+json\r\n\r\n")
    while True:
        opened.sendall(b" ")
        time.sleep(0.05)


ONE = answer({"x": {"type": "literal", "value": "one"}})
ROGUES: dict[str, Callable[[socket.socket, str], None]] = {
    "good": plainly(ONE),
    "redirect": plainly(b"", "302 Found", "Location: http://127.0.0.1:9/metadata\r\n"),
    "drip": drip,
    "silence": lambda opened, _: time.sleep(60),
    "cut": lambda opened, _: opened.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/sparql-results+json\r\nContent-Length: 900\r\n\r\n" + ONE
    ),
    "cut-json": lambda opened, _: opened.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/sparql-results+json\r\n\r\n" + ONE[:-3]
    ),
    "cut-chunk": lambda opened, _: opened.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/sparql-results+json\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"%x\r\n%s\r\n" % (len(ONE), ONE)
    ),
    "huge": plainly(b" " * 200_000 + ONE),
    "large": plainly(b" " * 60_000 + ONE),
    "gzip": plainly(ONE, headers="Content-Encoding: gzip\r\n"),
    "html": plainly(b"<html>", headers="Content-Type: text/html\r\n"),
    "broken": plainly(b"no such <thing>", "500 Oops", "Content-Type: text/plain\r\n"),
    "no-http": lambda opened, _: opened.sendall(b"SSH-2.0-x\r\n\r\n"),
    "boolean": plainly(b'{"head": {}, "boolean": true}'),
    "deep": plainly(b"[" * 100_000),
    "unasked": plainly(answer({"y": {"type": "literal", "value": "1"}}, names="x y")),
    "injection": plainly(answer({"x": {"type": "uri", "value": "urn:x> } SERVICE <http://127.0.0.1:9/> { ?x ?y <"}})),
    "language": plainly(answer({"x": {"type": "literal", "value": "a", "xml:lang": "en } SERVICE"}})),
    "direction": plainly(answer({"x": {"type": "literal", "value": "a", "xml:lang": "en", "its:dir": "ltr"}})),
    "triple": plainly(answer({"x": {"type": "triple", "value": {"subject": {}}}})),
    "name": plainly(answer(names="x) { } SERVICE")),
    "surrogate": plainly(
        b'{"head":{"vars":["x"]},"results":{"bindings":[{"x":{"type":"literal","value":"\\ud800"}}]}}'
    ),
}


@pytest.fixture(scope="module")
def rogues() -> Iterator[dict[str, Rogue]]:
    made = {name: Rogue(how) for name, how in ROGUES.items()}
    yield made
    for rogue in made.values():
        rogue.close()


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The query URL of another engine that holds THERE."""
    with engines.oxigraph(tmp_path_factory.mktemp("oxigraph")) as endpoint:
        assert endpoint.update
        httpx.post(endpoint.update, data={"update": THERE}, trust_env=False).raise_for_status()
        yield endpoint.query


@pytest.fixture(scope="module")
def federated(village: Settings, other: str, rogues: dict[str, Rogue]) -> Iterator[httpx.Client]:
    services = [f"private+{other}", *(f"private+{rogue.url}" for rogue in rogues.values())]
    services += [rogues["good"].url + "?public", "http://localtest.example:1/sparql", "http://[::1]:1/sparql"]
    settings = village.model_copy(update={"services": tuple(services), "service_bytes": 100_000, "query_seconds": 4})
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


def ask(client: httpx.Client, query: str, **parameters: str) -> httpx.Response:
    return client.post("/sparql", data={"query": "PREFIX e: <http://e/> " + query, **parameters})


def rows(answered: httpx.Response) -> list[tuple[str | None, ...]]:
    assert answered.status_code == 200, answered.text
    found = answered.json()
    names = found["head"]["vars"]
    return [tuple(row[n]["value"] if n in row else None for n in names) for row in found["results"]["bindings"]]


def test_solutions_of_another_endpoint_join_ours(federated: httpx.Client, other: str) -> None:
    query = f"SELECT ?start ?seen {{ ?event schema:startDate ?start SERVICE <{other}> {{ ?event e:seen ?seen }} }}"
    answered = ask(federated, f"PREFIX schema: <https://schema.org/> {query}")
    assert rows(answered) == [("2021-05-01", "yes")]


@pytest.mark.parametrize(
    "pattern",
    [
        "?s e:name ?n",
        "?s e:name ?n FILTER(?outer > 3 || LANG(?n) = 'es')",
        "?s e:name ?n OPTIONAL { ?s e:age ?age }",
        "SELECT ?n (COUNT(*) AS ?c) { ?s e:name ?n } GROUP BY ?n",
        "{ SELECT (STRLEN(?n) AS ?l) { ?s e:name ?n } } UNION { e:a e:at ?day }",
        "VALUES (?s ?z) { (e:a 1) (e:b UNDEF) } ?s e:name ?n # a comment with } and SERVICE\n",
        "e:a e:age 7",
        "e:a e:age 8",
        "",
        "?s e:name ?n BIND('SERVICE <x> {' AS ?word)",
        "?s e:name ?n MINUS { ?s e:age ?age }",
        "<rel> e:name ?n",
        "e:a ?p ?o",
    ],
)
@pytest.mark.parametrize(
    "around",
    ["{}", "OPTIONAL {{ {} }}", "{{ {} }} UNION {{ ?k e:none ?l }}", "{{ SELECT * {{ {} }} }}", "MINUS {{ {} }}"],
)
def test_the_answer_is_the_one_of_the_pattern_itself(
    federated: httpx.Client, other: str, pattern: str, around: str
) -> None:
    """The other endpoint evaluates the pattern as a group where we ask it; the data of both are the same then."""
    start = "BASE <https://w3id.org/sse-kg/> PREFIX e: <http://e/> SELECT * { VALUES (?s ?v) { (e:a 1) (e:c 2) } "
    direct = httpx.post(other, data={"query": start + around.format(f"{{ {pattern} }}") + "}"}, trust_env=False)
    ours = federated.post("/sparql", data={"query": start + around.format(f"SERVICE <{other}> {{ {pattern} }}") + "}"})
    assert ours.status_code == direct.status_code == 200, ours.text
    expected, found = direct.json(), ours.json()
    assert set(found["head"]["vars"]) == set(expected["head"]["vars"])
    assert sorted(map(_key, found["results"]["bindings"])) == sorted(map(_key, expected["results"]["bindings"]))


def _key(row: dict[str, Any]) -> str:
    return json.dumps(row, sort_keys=True)


def test_blank_nodes_become_iris_that_are_one_within_an_answer(federated: httpx.Client, other: str) -> None:
    clause = f"SERVICE <{other}> {{ e:b e:knows ?who . {{ ?who e:name ?n }} UNION {{ e:b e:knows ?who }} }}"
    found = rows(ask(federated, f"SELECT ?who {{ {clause} }}"))
    assert len(found) == 2
    assert found[0] == found[1]
    assert str(found[0][0]).startswith("https://w3id.org/sse-kg/.well-known/genid/")
    assert rows(ask(federated, f"SELECT ?who {{ {clause} }}")) != found


def test_several_endpoints_are_asked_at_the_same_time(federated: httpx.Client, rogues: dict[str, Rogue]) -> None:
    slow = rogues["silence"].url
    clauses = " ".join(f"SERVICE SILENT <{slow}> {{ ?x{n} ?y{n} ?z{n} }}" for n in range(5))
    begun = time.monotonic()
    assert rows(ask(federated, f"SELECT * {{ {clauses} }}", timeout="2")) == [()]
    assert time.monotonic() - begun < 2.5


def test_answers_that_used_others_are_not_kept(federated: httpx.Client, rogues: dict[str, Rogue]) -> None:
    query = f"SELECT ?x {{ SERVICE <{rogues['good'].url}> {{ ?x ?y ?z }} }}"
    before = len(rogues["good"].requests)
    for _ in range(2):
        answered = ask(federated, query)
        assert rows(answered) == [("one",)]
        assert "etag" not in answered.headers
    assert len(rogues["good"].requests) == before + 2
    request = rogues["good"].requests[-1]
    assert "accept-encoding: identity" in request.lower()
    assert "user-agent: sse-kg/" in request.lower()
    assert not {"authorization", "cookie"} & {line.partition(":")[0].lower() for line in request.splitlines()}
    assert "etag" in ask(federated, "SELECT ('service' AS ?x) {}").headers


@pytest.mark.parametrize(
    ("rogue", "status", "words"),
    [
        ("redirect", 502, "redirects to http://127.0.0.1:9/metadata"),
        ("drip", 503, "in time"),
        ("silence", 503, "in time"),
        ("cut", 502, "broke off"),
        ("cut-json", 502, "no SPARQL results"),
        ("cut-chunk", 502, "broke off"),
        ("huge", 413, "100000 bytes"),
        ("gzip", 502, "gzip"),
        ("html", 502, "text/html"),
        ("broken", 502, "500: no such"),
        ("no-http", 502, "no HTTP"),
        ("boolean", 502, "head or results"),
        ("deep", 502, "no SPARQL results"),
        ("unasked", 502, "'y' was not asked for"),
        ("injection", 502, "IRI"),
        ("language", 502, "no SPARQL results"),
        ("direction", 502, "term"),
        ("triple", 502, "no term"),
        ("name", 502, "not asked for"),
        ("surrogate", 502, "no SPARQL results"),
    ],
)
def test_what_is_no_whole_answer_is_an_error_or_silent(
    federated: httpx.Client, rogues: dict[str, Rogue], rogue: str, status: int, words: str
) -> None:
    clause = f"<{rogues[rogue].url}> {{ ?x ?p ?o }}"
    begun = time.monotonic()
    answered = ask(federated, f"SELECT ?x {{ SERVICE {clause} }}", timeout="1.5")
    assert (answered.status_code, answered.headers["content-type"]) == (status, "application/problem+json")
    assert words in answered.json()["detail"]
    assert rows(ask(federated, f"SELECT ?x {{ SERVICE SILENT {clause} }}", timeout="1.5")) == [(None,)]
    assert time.monotonic() - begun < 6


def test_the_limit_is_one_for_all_services_of_a_query(federated: httpx.Client, rogues: dict[str, Rogue]) -> None:
    one = f"SERVICE <{rogues['large'].url}> {{ ?x ?y ?z }}"
    assert rows(ask(federated, f"SELECT ?x {{ {one} }}")) == [("one",)]
    assert ask(federated, f"SELECT ?x {{ {one} {one} }}").status_code == 413


def test_a_connection_ends_when_the_client_leaves(federated: httpx.Client, rogues: dict[str, Rogue]) -> None:
    rogue = rogues["drip"]
    rogue.closed_by_client.clear()
    query = f"SELECT ?x {{ SERVICE <{rogue.url}> {{ ?x ?p ?left }} }}"
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{federated.base_url}/sparql", params={"query": query}, timeout=0.7)
    assert rogue.closed_by_client.wait(1.5), "the connection outlived its client"


@pytest.mark.parametrize(
    ("query", "words", "column"),
    [
        ("SELECT * { SERVICE <http://other.example/> { ?s ?p ?o } }", "not among the endpoints", 12),
        ("SELECT * { SERVICE SILENT <http://other.example/> { ?s ?p ?o } }", "not among the endpoints", 12),
        ("SELECT * { SERVICE ?e { ?s ?p ?o } }", "by its IRI", 12),
        ("SELECT * { SERVICE <GOOD> { ?s ?p ?o . SERVICE <GOOD> {} } }", "within SERVICE", None),
        ("SELECT * { SERVICE <GOOD> }", "a group in braces", 12),
        ("SELECT * { SERVICE", "a group in braces", 12),
        ("SELECT * { SERVICE <GOOD> { ?s ?p ?o ", "a group in braces", 12),
        ("PREFIX x: <GOOD> SELECT * { SERVICEx: {} }", "a word of its own", None),
        ("SELECT * { ?s ?p trueSERVICE <GOOD> {} }", "a word of its own", 18),
        ("SELECT * { ?s ?p ?o FILTER(?o<'x>') SERVICE <GOOD> {} }", "two ways", 30),
        ("SELECT * { " + "SERVICE <GOOD> {} " * 11 + "}", "10 SERVICE clauses", None),
    ],
)
def test_what_is_not_allowed_is_refused_with_its_place(
    federated: httpx.Client, rogues: dict[str, Rogue], query: str, words: str, column: int | None
) -> None:
    good = rogues["good"]
    asked = len(good.requests)
    answered = federated.get("/sparql", params={"query": query.replace("GOOD", good.url)})
    assert (answered.status_code, answered.json()["type"].rpartition("/")[2]) == (400, "refused")
    assert words in answered.json()["detail"]
    if column:
        assert answered.json()["column"] == column
    assert len(good.requests) == asked


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * WHERE SERVICE <GOOD> { ?x ?y ?z }",
        "SELECT * { ?s ?p ?o } SERVICE <GOOD> { ?x ?y ?z }",
        "SELECT * { OPTIONAL SERVICE <GOOD> { ?x ?y ?z } }",
        "SELECT * { { ?s ?p ?o } UNION SERVICE <GOOD> { ?x ?y ?z } }",
        "SELECT * { SERVICE <GOOD> { ?x ?y ?z } UNION { ?s ?p ?o } }",
        "SELECT * { { SELECT ?s { ?s ?p ?o } SERVICE <GOOD> { ?x ?y ?z } } }",
        "SELECT * { ?s ?p SERVICE <GOOD> { ?x ?y ?z } }",
        "CONSTRUCT { SERVICE <GOOD> { ?x ?y ?z } } WHERE { ?x ?y ?z }",
        "SELECT * { SERVICE <GOOD> { ?x ?y ?z } BIND(1 AS ?x) }",
    ],
)
def test_service_stands_only_where_the_grammar_has_it(
    federated: httpx.Client, rogues: dict[str, Rogue], query: str
) -> None:
    assert federated.get("/sparql", params={"query": query.replace("GOOD", rogues["good"].url)}).status_code == 400


def test_errors_keep_their_line(federated: httpx.Client, rogues: dict[str, Rogue]) -> None:
    query = f"SELECT * {{\nSERVICE <{rogues['good'].url}> {{\n?x ?y ?z\n}}\n?wrong }}"
    assert federated.get("/sparql", params={"query": query}).json()["line"] == 5


def test_an_update_may_not_use_service(tmp_path: Path, rogues: dict[str, Rogue]) -> None:
    settings = Settings(store=tmp_path / "store", token="x", services=(f"private+{rogues['good'].url}",))
    with running(settings) as url:
        text = f"INSERT {{ ?x ?y ?z }} WHERE {{ SERVICE <{rogues['good'].url}> {{ ?x ?y ?z }} }}"
        answered = httpx.post(f"{url}/update", data={"update": text}, headers={"Authorization": "Bearer x"})
    assert (answered.status_code, answered.json()["detail"][:22]) == (400, "SERVICE is not allowed")


def test_the_description_says_whether_service_is_on(federated: httpx.Client, client: httpx.Client) -> None:
    assert "BasicFederatedQuery" in federated.get("/sparql").text
    assert "BasicFederatedQuery" not in client.get("/sparql").text
    assert client.get("/sparql", params={"query": "SELECT * { SERVICE <http://e/> {} }"}).status_code == 400


# --- addresses


def test_an_address_of_ours_is_asked_only_if_it_is_listed_as_such(
    federated: httpx.Client, rogues: dict[str, Rogue]
) -> None:
    asked = len(rogues["good"].requests)
    answered = ask(federated, f"SELECT ?x {{ SERVICE <{rogues['good'].url}?public> {{ ?x ?y ?z }} }}")
    assert (answered.status_code, "not a public address" in answered.json()["detail"]) == (502, True)
    assert len(rogues["good"].requests) == asked


def test_a_name_is_resolved_once_and_its_address_kept(federated: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that first says a public address, then loopback; one that says both; one that says neither."""
    resolve = socket.getaddrinfo
    said: list[list[str]] = []
    times = 0

    def changing(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        nonlocal times
        if host != "localtest.example":
            return resolve(host, port, *rest, **more)
        times += 1
        addresses = said[min(times, len(said)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    query = "SELECT ?x { SERVICE <http://localtest.example:1/sparql> { ?x ?y ?z } }"
    for answers, words in (
        ([["192.0.2.1"]], "not a public address"),
        ([["93.184.216.34", "127.0.0.1"]], "127.0.0.1, which is not a public address"),
        ([["169.254.169.254"]], "169.254.169.254, which is not a public address"),
        ([[]], "leads nowhere"),
    ):
        said[:], times = answers, 0
        assert words in ask(federated, query, timeout="2").json()["detail"]
        assert times == 1
    with socket.create_server(("127.0.0.1", 0)) as never:
        never.setblocking(False)
        said[:], times = [["203.0.113.1"], ["127.0.0.1"]], 0
        monkeypatch.setattr("kg_service.store.egress.is_public", lambda address: address == "203.0.113.1")
        assert ask(federated, query, timeout="0.5").status_code in (502, 503)
        assert times == 1  # pinned: what the name means afterwards is not asked for
        with pytest.raises(BlockingIOError):
            never.accept()


@pytest.mark.parametrize(
    "address",
    """127.0.0.1 127.8.8.8 0.0.0.0 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 224.0.0.1
    255.255.255.255 240.0.0.1 192.0.2.1 198.18.0.1 192.0.0.192 192.88.99.1 168.63.129.16 ::1 :: fe80::1 fe80::1%eth0
    fc00::1 fd00:ec2::254 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe
    64:ff9b:1::1 2002:7f00:1:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:db8::1 3fff::1 fec0::1""".split(),
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", "8.8.8.8 91.198.174.192 2a02:ec80::1 ::ffff:8.8.8.8 64:ff9b::808:808".split())
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "entry",
    [
        "ftp://e/",
        "http://",
        "http://u:p@e/",
        "http://e/#x",
        "e/sparql",
        "http://e:x/",
        "http://e/ y",
        "http://e/\r\nX: y",
    ],
)
def test_an_entry_that_is_no_url_is_refused_at_the_start(entry: str) -> None:
    with pytest.raises(Malformed, match="not the URL of a service"):
        Destination.listed(entry)


def test_services_are_listed_by_commas_or_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    for written in ("http://a/, private+http://b/ ,", '["http://a/", "private+http://b/"]'):
        monkeypatch.setenv("KG_SERVICES", written)
        assert Settings().services == ("http://a/", "private+http://b/")


def test_tls_is_verified_against_the_name(tmp_path: Path, village: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the certificate, is not installed")
    command = (
        f"{openssl} req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out crt -days 1"
    )
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*command.split(), *subject], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")

    def encrypted(opened: socket.socket, _: str) -> None: ...

    rogue = Rogue(encrypted)
    plain = rogue._one

    def secure(opened: socket.socket) -> None:
        with contextlib.suppress(OSError):
            plain(context.wrap_socket(opened, server_side=True))

    rogue._one, rogue._answer = secure, plainly(ONE)  # type: ignore[method-assign]
    urls = [f"https://{host}:{rogue.port}/sparql" for host in ("localhost", "127.0.0.1")]
    settings = village.model_copy(update={"services": tuple(f"private+{url}" for url in urls)})

    def details() -> list[str]:
        with running(settings) as url, httpx.Client(base_url=url, timeout=30) as opened:
            return [ask(opened, f"SELECT ?x {{ SERVICE <{url}> {{ ?x ?y ?z }} }}").text for url in urls]

    unknown, _ = details()
    assert "certificate" in unknown
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "crt"))
    right, wrong = details()
    assert "one" in right
    assert "certificate" in wrong
    rogue.close()


def test_finding_the_clauses_is_linear_in_the_text() -> None:
    one = "SERVICE <http://e/> {} "
    for text in (
        one * 20_000,
        "SERVICE " * 50_000,
        one + "{ " * 90 + "?s ?p ?o . " * 20_000,
        "SERVICE <a> { " + one * 9_000,
    ):
        begun = time.process_time()
        with contextlib.suppress(KgError):
            _clauses(f"SELECT * {{ {text} }}", None)
        assert time.process_time() - begun < 3


# --- no text reaches the engine with SERVICE in it


def test_no_text_whose_clauses_are_replaced_reaches_another_server() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    server.setblocking(False)
    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    pieces = ["?o", "<", ">", "'", '"', "#", "\n", " ", "(", ")", "{", "}", "FILTER(", "true", "1", ".", "'x'", "<a>"]
    pieces += ["?s ?p ?o", "a:b", "_:b", "@en", ";", ",", "^^", "\\u0041", "SERVICE", "e:x", "<<", "=", "&&", "#'"]
    pieces += [
        f"SERVICE <{url}> {{}}",
        f"SERVICE<{url}>{{?x ?y ?z}}",
        "SERVICE SILENT e:x {}",
        "SERVICEe:x{}",
        "service:x{}",
    ]
    pieces += ["SERVICESILENTe:x{}", "1<?o&&?o='>'", "OPTIONAL {", "{ SELECT * {", "UNION"]
    chance = random.Random(7)
    store = Store()
    store.update("INSERT DATA { <urn:s> <urn:p> 'o' }")
    declared = f"PREFIX e: <{url}> PREFIX : <{url}> PREFIX a: <urn:a> PREFIX service: <urn:s> "
    evaluated = 0
    for _ in range(20_000):
        between = chance.choice(["", " "])
        text = declared + "SELECT * { ?s ?p ?o " + between.join(chance.choices(pieces, k=chance.randrange(1, 7))) + " }"
        with contextlib.suppress(KgError):
            guard.inspect(text, max_bytes=100_000, may_federate=True)
            clauses = _clauses(text, None)
            replaced = _replaced(text, clauses, [" VALUES (?x) { (1) } FILTER(true) "] * len(clauses))
            with contextlib.suppress(SyntaxError, RuntimeError):
                found = store.query(replaced)
                assert isinstance(found, QuerySolutions)
                list(found)
                evaluated += bool(clauses)
    with pytest.raises(BlockingIOError):
        server.accept()
    server.close()
    assert evaluated > 100
