from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from pyoxigraph import DefaultGraph, Quad

from kg_service.client import IRI, Client, Incomplete, Text
from kg_service.errors import Forbidden, Malformed, NotFound, TooMany, Violations, WrongParameter
from kg_service.settings import Settings
from tests.api.test_changes import WRONG
from tests.api.test_patches import dataset
from tests.serving import running

NAMES = "SELECT ?s ?name { ?s <http://www.w3.org/2004/02/skos/core#prefLabel> ?name } ORDER BY ?s ?name"


@pytest.fixture
def graph(client: httpx.Client) -> Iterator[Client]:
    """Ours, of the service over the village."""
    with Client(str(client.base_url), retries=0) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store", token=SecretStr("open sesame"), query_seconds=10)


@pytest.fixture
def writable(settings: Settings) -> Iterator[Client]:
    with running(settings) as url, Client(url, token="open sesame") as opened:
        yield opened


@contextlib.contextmanager
def between(
    url: str, spoil: Callable[[http.server.BaseHTTPRequestHandler, httpx.Response, int], bool]
) -> Iterator[str]:
    """A service in front of ours that spoils answers: `spoil` gets each with its number, and says whether it did."""
    seen = 0

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            nonlocal seen
            seen += 1
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            passed = {k: v for k, v in self.headers.items() if k.lower() not in ("host", "content-length")}
            address = url + self.path
            answer = httpx.request(
                self.command, address, content=body, headers=passed | {"accept-encoding": "identity"}
            )
            if spoil(self, answer, seen):
                return
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET  # noqa: N815  (the names are the library's)

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def cut(with_length: bool) -> Callable[[http.server.BaseHTTPRequestHandler, httpx.Response, int], bool]:
    """Ends each answer in the middle, at the end of a row, where what there is looks well."""

    def spoil(handler: http.server.BaseHTTPRequestHandler, answer: httpx.Response, _: int) -> bool:
        half = answer.content[: len(answer.content) // 2]
        handler.send_response(200)
        handler.send_header("content-type", answer.headers["content-type"])
        handler.send_header("kg-generation", "1")
        if with_length:
            handler.send_header("content-length", str(len(answer.content)))
            handler.end_headers()
            handler.wfile.write(half)
        else:
            handler.send_header("transfer-encoding", "chunked")
            handler.end_headers()
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(half), half))
        handler.close_connection = True
        return True

    return spoil


def test_rows_have_values_as_python_has_them(graph: Client) -> None:
    query = (
        'SELECT * { VALUES (?i ?d ?b ?t ?w ?n ?u) { (7 1.50 true "2020-02-29"^^<http://www.w3.org/2001/XMLSchema#date> '
        '"été"@fr <urn:é> UNDEF) } BIND("-5000-01-01"^^<http://www.w3.org/2001/XMLSchema#date> AS ?early) }'
    )
    rows = graph.select(query)
    assert rows.generation == graph.generation
    (row,) = rows
    assert (row["i"], row["d"], row["b"], row["t"]) == (7, Decimal("1.50"), True, date(2020, 2, 29))
    assert (row["w"], row["w"].language, row["n"], row["u"]) == ("été", "fr", "urn:é", None)
    assert isinstance(row["w"], Text)
    assert isinstance(row["n"], IRI)
    assert row["early"] == "-5000-01-01", "beyond what Python knows"
    assert graph.ask("ASK {}") is True
    assert graph.ask("ASK { FILTER(false) }") is False


def test_rows_become_a_table(graph: Client) -> None:
    pandas = pytest.importorskip("pandas")
    table = graph.select(NAMES).to_pandas()
    assert isinstance(table, pandas.DataFrame)
    assert list(table.columns) == ["s", "name"]
    assert len(table) == len(list(graph.select(NAMES))) > 10
    assert list(graph.select("SELECT ?a ?b { FILTER(false) }").to_pandas().columns) == ["a", "b"]


def test_triples_become_graphs(graph: Client) -> None:
    query = "CONSTRUCT { ?s ?p ?o } { ?s a <https://w3id.org/sse-kg/ontology#Event> ; ?p ?o }"
    triples = list(graph.construct(query))
    assert len(graph.construct(query).to_rdflib()) == len(triples) > 5
    network = graph.construct(query).to_networkx()
    links = [t for t in triples if isinstance(t[2], IRI)]
    assert network.number_of_edges() == len(links)
    assert network.graph["generation"] == graph.generation


def test_lists_are_read_to_their_end(graph: Client) -> None:
    found = list(graph.organisations())
    paged = list(graph.list("organisations", limit=1))
    assert [each["iri"] for each in paged] == [each["iri"] for each in found]
    assert len(found) == len({each["iri"] for each in found}) > 1
    slug = found[0]["iri"].rpartition("/")[2]
    assert graph.entity("organisations", slug)
    assert list(graph.describe(found[0]["iri"]))
    with pytest.raises(WrongParameter):
        list(graph.events(colour="red"))
    with pytest.raises(NotFound):
        list(graph.list("colours"))


def test_ready_made_questions_take_values(graph: Client) -> None:
    rows = list(graph.ask_ready("events/dialogues-in-order"))
    assert list(graph.ask_ready("events/dialogues-in-order", year="1900")) == []
    assert graph.ask_ready("events/dialogues-in-order").variables[0] == "event"
    with pytest.raises(WrongParameter):
        graph.ask_ready("events/dialogues-in-order", colour="red")
    with pytest.raises(NotFound):
        graph.ask_ready("events/none")
    assert len(rows) == len(graph.ask_ready("events/dialogues-in-order", year="2019").to_pandas())


def test_words_find_things(graph: Client) -> None:
    (first, *_) = graph.search("fair")
    assert first["iri"].startswith("https://w3id.org/sse-kg/")
    assert list(graph.search("zzzzqqqq")) == []


@pytest.mark.parametrize("with_length", [True, False])
def test_a_cut_answer_is_never_a_short_one(client: httpx.Client, with_length: bool, tmp_path: Path) -> None:
    with between(str(client.base_url).rstrip("/"), cut(with_length)) as url, Client(url, retries=0) as graph:
        for read in (
            lambda: list(graph.select(NAMES)),
            lambda: graph.ask("ASK {}"),
            lambda: list(graph.construct("CONSTRUCT { ?s ?p ?o } { ?s ?p ?o }")),
            lambda: list(graph.organisations()),
            lambda: list(graph.changes_since(0)),
            lambda: graph.download(tmp_path),
        ):
            with pytest.raises(Incomplete):
                read()


def test_a_busy_service_is_asked_again(client: httpx.Client) -> None:
    def busy_at_first(handler: http.server.BaseHTTPRequestHandler, _: httpx.Response, number: int) -> bool:
        if number > 2:
            return False
        handler.send_response(429 if number == 1 else 503)
        handler.send_header("retry-after", "0" if number == 1 else "²")  # the second is no number
        handler.send_header("content-type", "application/problem+json")
        text = b'{"type":"https://w3id.org/sse-kg/problem/too-many","title":"","status":429,"detail":"too many"}'
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)
        return True

    service = str(client.base_url).rstrip("/")
    with between(service, busy_at_first) as url, Client(url) as graph:
        assert graph.ask("ASK {}")
    with between(service, busy_at_first) as url, Client(url, retries=0) as graph, pytest.raises(TooMany):
        graph.ask("ASK {}")


def test_what_is_wrong_is_the_error_that_it_was_there(graph: Client) -> None:
    with pytest.raises(Malformed) as wrong:
        graph.select("SELECT WHERE {")
    assert wrong.value.more["line"] == 1
    with pytest.raises(Forbidden):
        graph.propose("<urn:a> <urn:p> 1 .")


def test_a_copy_follows_the_changes(writable: Client, settings: Settings, tmp_path: Path) -> None:
    first = writable.propose("GRAPH <urn:g> { <urn:s> <urn:p> 1, 'é' } <urn:t> <urn:p> 1 .", note="to begin with")
    assert first["generation"] == 1
    copy: set[Quad] = set()
    state: int | str = 0

    def follow() -> None:
        nonlocal state
        for page in writable.changes_since(state, limit=1):
            for change in page.transactions:
                copy.difference_update(change.removed)
                copy.update(change.added)
            state = page.state

    follow()
    assert copy == dataset(settings)
    second = writable.propose(removed="GRAPH <urn:g> { <urn:s> <urn:p> 1 }", author="Ana")
    writable.propose("GRAPH <urn:h> { <urn:s> <urn:p> 1 }")
    writable.revert(second["change"])
    assert writable.propose("<urn:x> <urn:p> 1 .", dry_run=True)["change"] is None
    follow()
    assert copy == dataset(settings)
    assert not any(isinstance(quad.graph_name, DefaultGraph) for quad in copy)
    assert [each["number"] for each in writable.changes(limit=1)] == [4, 3, 2, 1]
    with pytest.raises(Violations) as refused:
        writable.propose(WRONG, format="turtle")
    assert refused.value.report


def test_a_download_is_resumed_and_checked(writable: Client, tmp_path: Path) -> None:
    writable.propose("GRAPH <urn:g> { <urn:s> <urn:p> 1, 'é' }")
    whole = writable.download(tmp_path / "one")
    content = whole.read_bytes()
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / f"{whole.name}.part").write_bytes(content[:20])
    assert writable.download(tmp_path / "two").read_bytes() == content
    (tmp_path / "three").mkdir()
    (tmp_path / "three" / f"{whole.name}.part").write_bytes(b"x" * 20)
    with pytest.raises(Incomplete):
        writable.download(tmp_path / "three")
    assert writable.download(tmp_path / "three").read_bytes() == content
    assert writable.download(tmp_path / "three") == tmp_path / "three" / whole.name
    with pytest.raises(NotFound):
        writable.download(tmp_path, "none.nq.gz")


def test_an_answer_that_is_left_lets_go_of_its_connection(graph: Client) -> None:
    for _ in range(110):  # one more than the pool has, and some
        with graph.select("SELECT * { ?s ?p ?o }") as rows:
            next(iter(rows))
    assert graph.ask("ASK {}")
