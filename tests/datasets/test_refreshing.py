"""Sources fetched again from real servers on loopback, good ones and bad ones: only what changed is committed."""

from __future__ import annotations

import asyncio
import http.server
import json
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from kg_service import resources
from kg_service.cli import app
from kg_service.datasets import described, fetching
from kg_service.datasets.refreshing import Looked
from kg_service.errors import KgError, Malformed
from kg_service.ingest import bulk
from kg_service.rdf import PREF_LABEL, RDF_TYPE
from kg_service.shacl import Shapes
from kg_service.store import generations
from kg_service.store.elsewhere import Elsewhere
from kg_service.store.embedded import EmbeddedStore, snapshot
from kg_service.store.remote import Endpoint
from tests.conftest import VILLAGE

SSE, SKOS = "https://w3id.org/sse-kg/ontology#", "http://www.w3.org/2004/02/skos/core#"
MAPPING = """# summary: Organisations
# column: name text required key | The name. | Bakers
# column: kind entry:OrganisationKind | The kind. | network
PREFIX id: <https://w3id.org/sse-kg/id/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX sse: <https://w3id.org/sse-kg/ontology#>
CONSTRUCT { ?thing a sse:Organisation , sse:Actor ; skos:prefLabel ?label ; sse:organisationKind ?kind }
WHERE { BIND(IRI(CONCAT(STR(id:), "organisation/", ?name_slug)) AS ?thing) BIND(STRLANG(?name, "en") AS ?label) }
"""
CONSTRUCTED = f"""PREFIX sse: <{SSE}> PREFIX skos: <{SKOS}>
CONSTRUCT {{ ?thing a sse:Theme , skos:Concept ; skos:prefLabel ?label }}
WHERE {{ ?thing <urn:called> ?label }}"""
ABOUT = """license = "https://creativecommons.org/licenses/by/4.0/"
citation = "A register, 2026."
publisher = "Somebody"
schedule = "daily"
[title]
en = "A register"
[[part]]
"""
ROWS = "name,kind\nBakers Union,network\nOxfield Weavers,network\nÑandú Coop,network\n"


@dataclass
class Answers:
    """What the server says next, by path: status, headers, body; a body may be an iterator that breaks off."""

    of: dict[str, tuple[int, dict[str, str], Any]] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)
    #: The bodies that were sent.
    sent: list[bytes] = field(default_factory=list)


@pytest.fixture
def answers() -> Answers:
    return Answers()


@pytest.fixture
def address(answers: Answers) -> Iterator[str]:
    """The address of a real server on loopback that says what `answers` holds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers.seen.append(f"{self.command} {self.path}")
            answers.sent.append(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            status, headers, body = answers.of.get(self.path, (404, {}, b"nothing here"))
            self.send_response(status)
            length = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {}
            for name, value in (length | headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for part in [body] if isinstance(body, bytes) else body:
                    self.wfile.write(part)
            except OSError:
                pass  # the client has had enough

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class World:
    """A store with the village, and a folder of descriptions."""

    root: Path
    data: Path
    services: str = ""

    def describe(self, name: str, part: str, mapping: str = MAPPING) -> None:
        folder = self.data / "datasets"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.rq").write_text(mapping, "utf-8")
        (folder / f"{name}.toml").write_text(f'{ABOUT}{part}\nmapping = "{name}.rq"\n', "utf-8")

    def refresh(self, *arguments: str, **settings: str) -> tuple[int, Any]:
        """Runs the command in this process; what it wrote, or the sentence with which it ended."""
        named = {"KG_STORE": str(self.root), "KG_DATA": str(self.data), "KG_SERVICES": self.services} | settings
        done = CliRunner().invoke(app, ["refresh", *arguments, "--json"], env=named)
        if isinstance(done.exception, KgError):
            return done.exception.exit_code, done.exception.detail
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, json.loads(done.stdout)

    def graph(self, name: str) -> set[str]:
        with snapshot(self.root) as store:
            home = f"<https://w3id.org/sse-kg/graph/{name}>"
            return {str(quad) for quad in store if str(quad.graph_name) == home}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> World:
    folder = tmp_path_factory.mktemp("refresh")
    data = folder / "data"
    data.mkdir()
    (data / VILLAGE.name).write_bytes(VILLAGE.read_bytes())
    with EmbeddedStore(folder / "store") as store:
        bulk.load(store, [resources.folder("ontology"), data], shapes)
    return World(folder / "store", data)


def csv(text: str) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "text/csv"}, text.encode()


def test_only_what_changed_is_committed(world: World, answers: Answers, address: str) -> None:
    world.describe("register", f'file = "register.csv"\nurl = "{address}/r.csv"')
    answers.of["/r.csv"] = csv(ROWS)
    status, refused = world.refresh("register")
    assert status == 1, "a private address must be listed"
    assert "not a public address" in refused["datasets"][0]["refused"]
    assert not answers.seen
    world.services = f"private+{address}/r.csv"
    status, tried = world.refresh("register", "--dry-run")
    assert (status, tried["datasets"][0]["change"], world.graph("register")) == (0, None, set())
    status, first = world.refresh("register", "--author", "Ana")
    assert (status, first["datasets"][0]["rejected"]) == (0, []), first
    before = world.graph("register")
    assert sum("prefLabel" in line for line in before) == 3
    status, again = world.refresh("register")
    assert (again["datasets"][0]["change"], again["datasets"][0]["added"]) == (None, 0)
    answers.of["/r.csv"] = csv(ROWS.replace("\n", "\r\n"))
    assert world.refresh("register")[1]["datasets"][0]["change"] is None, "other bytes, the same statements"
    moved = ROWS.replace("name,kind\n", "name,kind\nNew Guild,network\n").replace("Bakers Union", "Bakers U")
    answers.of["/r.csv"] = csv(moved)
    _, changed = world.refresh("register")
    after = world.graph("register")
    assert not [line for line in after - before if "weavers" in line.lower()], "who stayed the same is not touched"
    assert changed["datasets"][0]["added"] == len(after - before)
    assert changed["datasets"][0]["removed"] == len(before - after)
    assert sum("prefLabel" in line for line in after) == 4


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>Sorry</html>"), "page of HTML"),
        ((200, {"Content-Type": "text/csv"}, b"<html><body>Sorry</body></html>"), "lacks name"),
        ((302, {"Location": "http://169.254.169.254/latest/meta-data/"}, b""), "redirects to http://169.254.169.254"),
        ((500, {}, b"oh"), "answered 500: oh"),
        ((404, {}, b""), "answered 404"),
        ((200, {"Content-Length": "1000"}, [b"name,kind\nBak"]), "broke off"),
        ((200, {"Content-Type": "text/csv"}, [ROWS.encode()[:-9]]), "does not say how long its answer is"),
        ((200, {"Content-Length": str(2**30)}, (b"x" * 2**16 for _ in range(2**14))), "larger than"),
        ((200, {"Content-Type": "text/csv"}, b"name,kind\n"), "--shrink"),
        ((200, {"Content-Type": "text/csv"}, b"name,kind\n\xff\xfe\x00\x81\n"), "gone"),
        ((200, {"Content-Type": "text/csv", "Content-Encoding": "gzip"}, b"name"), "gzip"),
    ],
)
def test_what_is_not_the_source_changes_nothing(
    world: World, answers: Answers, address: str, answer: Any, why: str
) -> None:
    world.describe("trusty", f'file = "trusty.csv"\nurl = "{address}/t.csv"')
    world.services = f"private+{address}/t.csv"
    if not world.graph("trusty"):
        answers.of["/t.csv"] = csv(ROWS.replace("Union", "Two").replace("Weavers", "Two").replace("Coop", "Two"))
        assert world.refresh("trusty")[0] == 0
    before = world.graph("trusty")
    answers.of["/t.csv"] = answer
    status, told = world.refresh("trusty", KG_SOURCE_BYTES=str(2**20))
    assert (status, world.graph("trusty")) == (1, before), told
    if why != "gone":
        assert why in told["datasets"][0]["refused"]


def test_a_source_that_breaks_the_shapes_is_refused_with_its_rows(world: World, answers: Answers, address: str) -> None:
    broken = MAPPING.replace("sse:Organisation , sse:Actor", "sse:Organisation , ?maybe").replace(
        "WHERE {", 'WHERE { BIND(IF(?name = "Odd one", 1/0, sse:Actor) AS ?maybe)'
    )
    world.describe("odd", f'file = "odd.csv"\nurl = "{address}/o.csv"', broken)
    world.services = f"private+{address}/o.csv"
    answers.of["/o.csv"] = csv("name,kind\nFine one,network\nOdd one,network\n")
    status, told = world.refresh("odd")
    assert (status, world.graph("odd")) == (1, set())
    assert "odd.csv, row 3" in told["datasets"][0]["refused"]


def test_an_endpoint_is_read_page_by_page(world: World, servers: Callable[[str], Endpoint], tmp_path: Path) -> None:
    endpoint = servers("oxigraph")
    triples = " ".join(f'<https://w3id.org/sse-kg/id/theme/t-{n}> <urn:called> "Theme {n}"@en .' for n in range(25))
    assert endpoint.update
    update = {"content-type": "application/sparql-update"}
    httpx.post(endpoint.update, content=f"INSERT DATA {{ {triples} }}", headers=update)
    world.describe("themes", f'endpoint = "{endpoint.query}"', CONSTRUCTED)
    world.services = f"private+{endpoint.query}"
    status, told = world.refresh("themes")
    assert status == 0, told
    assert sum("prefLabel" in line for line in world.graph("themes")) == 25
    assert world.refresh("themes")[1]["datasets"][0]["change"] is None
    (dataset,) = described.named(world.data / "datasets", ["themes"])
    elsewhere = Elsewhere([f"private+{endpoint.query}"], most_bytes=10**7, seconds=30)
    try:
        asyncio.run(fetching.fetched(dataset, tmp_path, elsewhere, page=10))
    finally:
        elsewhere.close()
    assert len(set((tmp_path / "part-1.nt").read_text("utf-8").split("\n")) - {""}) == 75
    httpx.post(
        endpoint.update,
        content='DELETE DATA { <https://w3id.org/sse-kg/id/theme/t-3> <urn:called> "Theme 3"@en }',
        headers=update,
    )
    done = world.refresh("themes")[1]["datasets"][0]
    assert sum("prefLabel" in line for line in world.graph("themes")) == 24
    assert done["removed"] < 12
    httpx.post(endpoint.update, content="CLEAR ALL", headers=update)


@pytest.mark.parametrize(
    ("construct", "why"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html></html>"), 'answered with "text/html"'),
        ((200, {"Content-Type": "application/n-triples"}, b"<urn:a> <urn:b> <ur"), "breaks off"),
        ((200, {"Content-Type": "application/n-triples"}, b"<html>\n"), "no N-Triples"),
        ((307, {"Location": "http://169.254.169.254/"}, b""), "redirects to"),
    ],
)
def test_an_endpoint_that_fails_changes_nothing(
    world: World, answers: Answers, address: str, construct: Any, why: str
) -> None:
    world.describe("bad", f'endpoint = "{address}/sparql"', CONSTRUCTED)
    world.services = f"private+{address}/sparql"
    row = {"how_many": {"type": "literal", "value": "2"}}
    count = json.dumps({"head": {"vars": ["how_many"]}, "results": {"bindings": [row]}})
    answers.of["/sparql"] = (200, {"Content-Type": "application/sparql-results+json"}, count.encode())

    class Turns(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            return super().get(key) if len(answers.seen) % 2 else construct

    answers.of = Turns(answers.of)
    status, told = world.refresh("bad")
    assert (status, world.graph("bad")) == (1, set())
    assert why in told["datasets"][0]["refused"]


class Paging(dict[str, Any]):
    """What an endpoint of three pages answers; `strange` changes an answer: by its page, or None for a count, and by
    how often that was asked for before."""

    def __init__(self, answers: Answers, strange: Callable[[int | None, int, Any], Any]) -> None:
        super().__init__()
        self._answers, self._strange = answers, strange
        self.asked: list[int | None] = []

    def get(self, key: str, default: Any = None) -> Any:
        (text,) = urllib.parse.parse_qs(self._answers.sent[-1].decode())["query"]
        page = int(text.rpartition("OFFSET ")[2]) // fetching.PAGE + 1 if "OFFSET" in text else None
        before = self.asked.count(page)
        self.asked.append(page)
        answer = 25_000 if page is None else self.page(page)
        answer = self._strange(page, before, answer)
        if isinstance(answer, int):
            row = {"how_many": {"type": "literal", "value": str(answer)}}
            body = json.dumps({"head": {"vars": ["how_many"]}, "results": {"bindings": [row]}}).encode()
            return 200, {"Content-Type": "application/sparql-results+json"}, body
        return (200, {"Content-Type": "application/n-triples"}, answer) if isinstance(answer, bytes) else answer

    @staticmethod
    def page(number: int) -> bytes:
        theme = f"<https://w3id.org/sse-kg/id/theme/page-{number}>"
        kinds = ("http://www.w3.org/2004/02/skos/core#Concept", "https://w3id.org/sse-kg/ontology#Theme")
        types = "".join(f"{theme} <{RDF_TYPE.value}> <{kind}> .\n" for kind in kinds)
        return f'{types}{theme} <{PREF_LABEL.value}> "Page {number}"@en .\n'.encode()


@pytest.mark.parametrize(
    ("strange", "why"),
    [
        (lambda page, before, answer: Paging.page(9) if page == 2 and before else answer, "was changed while"),
        (lambda page, before, answer: 24_999 if page is None and before else answer, "was changed while"),
        (lambda page, before, answer: 10**6 if page is None and before else answer, "was changed while"),
        (lambda page, before, answer: Paging.page(1) if page else answer, "answers the same whichever page"),
        (lambda page, before, answer: b"" if page == 3 else answer, "nothing from 20000 on"),
        (lambda page, before, answer: (500, {}, b"out of memory") if page == 3 else answer, "answered 500: out of"),
        (lambda page, before, answer: (500, {}, b"late") if page == 2 and before else answer, "answered 500: late"),
        (lambda page, before, answer: answer[:-30] if page == 3 else answer, "breaks off in a line"),
        (lambda page, before, answer: 10**12 if page is None else answer, "at most 10000000 are read"),
    ],
    ids="stale shrinking growing duplicates empty error error-again cut endless".split(),
)
def test_a_source_that_changes_between_its_pages_changes_nothing(
    world: World, answers: Answers, address: str, strange: Any, why: str
) -> None:
    world.describe("paged", f'endpoint = "{address}/sparql"', CONSTRUCTED)
    world.services = f"private+{address}/sparql"
    if not world.graph("paged"):
        answers.of = Paging(answers, lambda page, before, answer: answer)
        status, told = world.refresh("paged")
        assert (status, told["datasets"][0]["change"] is None) == (0, False), told
    before, generation = world.graph("paged"), generations.current(world.root)
    assert sum("prefLabel" in line for line in before) == 3
    answers.of = asked = Paging(answers, strange)
    status, told = world.refresh("paged")
    assert status == 1, told
    assert why in told["datasets"][0]["refused"]
    assert (world.graph("paged"), generations.current(world.root)) == (before, generation)
    assert len(asked.asked) < 10
    assert not list(world.root.glob("scratch-load-*"))


def test_what_is_due_is_told_by_its_schedule(world: World, tmp_path: Path) -> None:
    world.describe("clock", 'file = "clock.csv"\nurl = "https://example.org/clock.csv"')
    (dataset,) = described.named(world.data / "datasets", ["clock"])
    looked, now = Looked(tmp_path), datetime.now(UTC)
    assert looked.is_due(dataset, now)
    looked.note(dataset, now)
    assert not looked.is_due(dataset, now + timedelta(hours=12))
    assert looked.is_due(dataset, now + timedelta(days=1))
    (tmp_path / "refreshed.json").write_text("[broken")
    assert looked.is_due(dataset, now)
    assert world.refresh()[0] == 2, "names, or --due"
    assert world.refresh("nobody")[0] == 2


@pytest.mark.parametrize(
    "text",
    [
        "SELECT * { ?s ?p ?o }",
        "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT 5",
        "CONSTRUCT WHERE { ?s ?p ?o }",
        "CONSTRUCT { <urn:a> <urn:b> 1 } WHERE { <urn:a> <urn:b> 1 }",
        "CONSTRUCT { ?s ?p ?o ",
        "",
    ],
)
def test_what_cannot_be_paged_is_no_mapping_of_an_endpoint(text: str) -> None:
    with pytest.raises(Malformed):
        fetching.taken_apart("m.rq", text)


def test_a_query_is_ordered_and_cut_around_what_it_says() -> None:
    text = 'PREFIX a: <urn:a#> CONSTRUCT { ?s a:is "}" } # } {\nWHERE { ?s a:p $o . FILTER(?o != "{") }'
    assert fetching.taken_apart("m.rq", text).page(10, 20).endswith("ORDER BY ?s ?o\nLIMIT 10 OFFSET 20")
