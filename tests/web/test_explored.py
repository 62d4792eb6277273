"""All pages for looking around: over a graph without anything in it, and over the graph of another engine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.remote import Endpoint, remote_store
from tests.conftest import VILLAGE, remote_settings
from tests.serving import running
from tests.web import html
from tests.web.conftest import PEOPLE

PATHS = (
    *("/sources", "/sdg", "/recommendations", "/policies", "/alliances", "/alliances/overlap", "/themes"),
    *("/guidelines", "/timeline", "/path", "/communities", "/about", "/method", "/download"),
)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service over a graph that holds nothing."""
    root = tmp_path_factory.mktemp("empty") / "store"
    with EmbeddedStore(root):
        pass
    with running(Settings(store=root)) as url, httpx.Client(base_url=url, timeout=60, headers=PEOPLE) as client:
        yield client


@pytest.fixture(scope="module")
def remote(servers: Callable[[str], Endpoint], tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A service over the village in another engine."""
    settings = remote_settings(servers("oxigraph"), tmp_path_factory.mktemp("explored"))
    with remote_store(settings) as store:
        quads = [quad for file in [*resources.folder("ontology").glob("*.ttl"), VILLAGE] for quad in bulk.read(file)]
        store.apply(store.effective(Delta(added=frozenset(quads))))
    with running(settings) as url, httpx.Client(base_url=url, timeout=60, headers=PEOPLE) as client:
        yield client


def page(client: httpx.Client, path: str) -> html.Document:
    """The page when what it waits for is there."""
    until = time.monotonic() + 30
    while (answer := client.get(path)).status_code == 202:
        assert time.monotonic() < until, f"{path} is not made within 30 s"
    assert answer.status_code == 200, (path, answer.text)
    read = html.read(answer.text)
    assert not read.problems, path
    return read


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_an_empty_graph_is_a_page(empty: httpx.Client, path: str) -> None:
    assert page(empty, path).all("h1")
    assert empty.head(path).status_code in (200, 202)


def test_the_pages_show_the_graph_of_another_engine(remote: httpx.Client) -> None:
    told = {path: page(remote, f"{path}?lang=en").all("main")[0].text for path in PATHS}
    assert "Chronicle of the Valley" in told["/sources"]
    assert "Bake together" in told["/recommendations"]
    assert "Charter of the Valley" in told["/policies"]
    assert "Bakers’ Cooperative" in told["/alliances"]
    assert "Bread" in told["/themes"]
    assert "Valley" in told["/guidelines"]
    assert "Fair of 2021" in told["/timeline"]
    text = page(remote, "/sources/chronicle?char=0,22&lang=en")
    assert "The common oven" in text.all("main")[0].text
    assert page(remote, "/page/organisation/bakers?lang=en").all("svg")
