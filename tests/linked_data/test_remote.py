"""Things by their IRIs where another engine holds the graph: the same answers, also when it writes, or is away."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import rdflib
from pydantic import SecretStr
from rdflib.compare import isomorphic

from kg_service import resources
from kg_service.api import discovery
from kg_service.ingest import bulk
from kg_service.rdf import ENTITY, ONTOLOGY
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.remote import Endpoint, RemoteStore
from tests.conftest import VILLAGE, remote_settings
from tests.serving import running
from tests.store.engines import empty
from tests.web import html

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")
TOKEN = {"authorization": "Bearer open sesame"}
PATHS = ("event/fair-2021", "alliance/oven", "organisation/bakers", "theme/bread", "certainty/stated", "graph/village")


@pytest.fixture(scope="module", params=["oxigraph", "fuseki", "virtuoso"])
def remote(
    request: pytest.FixtureRequest,
    servers: Callable[[str], Endpoint],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[httpx.Client]:
    """A client of a service over the ontology and the village in another engine, which may be written."""
    endpoint = servers(request.param)
    empty(endpoint)
    quads = [quad for path in bulk.files_in([resources.folder("ontology"), VILLAGE]) for quad in bulk.read(path)]
    RemoteStore(endpoint).apply(Delta(added=frozenset(quads)))
    settings = remote_settings(endpoint, tmp_path_factory.mktemp("own"), token=SecretStr("open sesame"))
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


def graph_of(answer: httpx.Response, base: str) -> rdflib.Graph:
    """The document, as if each service had the same address."""
    assert answer.status_code == 200, answer.text
    return rdflib.Graph().parse(data=answer.text.replace(base, "http://here"), format="nt")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("profile", ["sse", "schema", "minimal"])
def test_the_documents_are_the_same(remote: httpx.Client, client: httpx.Client, path: str, profile: str) -> None:
    here, there = (
        graph_of(each.get(f"/data/{path}.nt", params={"_profile": profile}), str(each.base_url).rstrip("/"))
        for each in (client, remote)
    )
    assert isomorphic(here, there)


@pytest.mark.parametrize("path", PATHS)
def test_the_named_graphs_are_the_same(remote: httpx.Client, client: httpx.Client, path: str) -> None:
    def lines(each: httpx.Client) -> set[str]:
        answer = each.get(f"/data/{path}.nq")
        return set(answer.text.replace(str(each.base_url).rstrip("/"), "http://here").splitlines())

    assert lines(remote) == lines(client)


def test_the_pages_and_the_ontology_are_there(remote: httpx.Client) -> None:
    for path in ("/page/event/fair-2021?lang=es", "/ontology", "/shapes"):
        answer = remote.get(path, headers={"accept": "text/html"})
        assert answer.status_code == 200, path
        assert not html.read(answer.text).problems
    assert "Feria de 2021" in remote.get("/page/event/fair-2021?lang=es").text


def test_what_was_deleted_there_is_gone(remote: httpx.Client) -> None:
    patch = f'A <{ENTITY}theme/cheese> <http://www.w3.org/2004/02/skos/core#note> "Milk."@en .'
    about = TOKEN | {"content-type": "application/rdf-patch"}
    made = remote.post("/api/changes?author=Ana", content=f"TX .\n{patch}\nTC .\n", headers=about)
    assert made.status_code == 201, made.text
    assert "Milk." in remote.get("/data/theme/cheese").text
    gone = remote.post(f"/api/changes/{made.json()['change']}/revert?author=Zoë&note=no%20milk", headers=TOKEN)
    assert gone.status_code == 201, gone.text
    told = remote.get("/id/theme/cheese")
    assert told.status_code == 410
    assert (told.json()["author"], told.json()["change"]) == ("Zoë", gone.json()["change"])


def test_an_engine_that_is_away_is_503(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    settings = Settings(query_url=f"http://127.0.0.1:{port}/query", engine_folder=tmp_path)
    with running(settings) as url:
        for door in ("id", "page", "data"):
            answer = httpx.get(f"{url}/{door}/event/fair-2021")
            assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
            assert "retry-after" in answer.headers
        page = httpx.get(f"{url}/page/event/fair-2021", headers={"accept": "text/html", "accept-language": "es"})
        assert page.status_code == 503
        assert "No disponible" in page.text
        assert "retry-after" in page.headers
        assert httpx.get(f"{url}/ontology.ttl").status_code == 200  # which needs no engine


def shown(client: httpx.Client, path: str, tag: str) -> list[str]:
    """What elements of a page say, once it is neither counted nor indexed any more."""
    until = time.monotonic() + 60
    while True:
        answer = client.get(path, headers={"accept": "text/html", "accept-language": "en"})
        is_done = "are being counted" not in answer.text and "is being taken in" not in answer.text
        if answer.status_code == 200 and is_done:
            return [" ".join(each.text.split()) for each in html.read(answer.text).all(tag)]
        assert time.monotonic() < until, f"not ready within 60 s: {answer.status_code}"
        time.sleep(0.2)


def test_the_first_page_and_the_search_say_the_same(remote: httpx.Client, client: httpx.Client) -> None:
    counts = shown(remote, "/", "li")  # without a log nobody knows when that was changed which others put there
    assert counts == [re.sub(r" last change [\d-]+", "", each) for each in shown(client, "/", "li")]
    assert any(re.fullmatch(r"[1-9]\d* Events JSON CSV", each) for each in counts)
    for path in ("/search?q=bread", "/search?q=bred+fair&type=Event"):
        found = shown(remote, path, "p")
        assert found == shown(client, path, "p")
        assert any(each.startswith("In the name · English · ") for each in found), found


def test_figures_of_a_graph_that_nobody_numbers_do_not_stay(
    servers: Callable[[str], Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = servers("oxigraph")
    empty(endpoint)
    monkeypatch.setattr(discovery, "_UNTOLD", 0.0)

    def add(name: str) -> None:
        text = f"INSERT DATA {{ <{ENTITY}event/{name}> a <{ONTOLOGY}Event> }}"
        httpx.post(str(endpoint.update), data={"update": text}).raise_for_status()

    add("one")
    with running(remote_settings(endpoint, tmp_path)) as url, httpx.Client(base_url=url, timeout=30) as opened:
        assert "1 Events JSON CSV" in shown(opened, "/", "li")
        add("two")
        until = time.monotonic() + 30
        while "2 Events JSON CSV" not in shown(opened, "/", "li"):  # who comes first sees the figures counted last
            assert time.monotonic() < until
