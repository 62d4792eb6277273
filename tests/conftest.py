"""What tests share: one small world in a real store, behind a real server."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import Shapes, load_shapes
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.remote import DIALECTS, Endpoint
from tests.serving import running
from tests.store import engines

ROOT = Path(__file__).resolve().parent.parent
VILLAGE = ROOT / "tests" / "data" / "village.ttl"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of other people's data beside the project; its tests are skipped where it is absent."""
    folder = Path(os.environ.get("KG_SHARED") or ROOT.parent / "shared")
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here: the data of others lie beside the project, not in it")
    return folder


@pytest.fixture(scope="module", autouse=True)
def no_limit_is_left() -> Iterator[None]:
    """What limits the memory of a process is for processes of its own: here it would end programs of later tests."""
    yield
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY


@pytest.fixture(scope="session")
def shapes() -> Shapes:
    return load_shapes(sorted(resources.folder("shapes").glob("*.ttl")))


@pytest.fixture(scope="session")
def village(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Settings:
    """Settings of a store that holds the ontology and the village; for reading only."""
    root = tmp_path_factory.mktemp("village") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes)
    return Settings(store=root, query_seconds=5, queue_seconds=3)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Settings:
    """Settings of a store that holds the project's own data; for reading only. Who writes takes a copy of the store."""
    root = tmp_path_factory.mktemp("project") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, bulk.seeds(resources.folder("data"), resources.folder("ontology")), shapes)
    return Settings(store=root)


@pytest.fixture(scope="session")
def client(village: Settings) -> Iterator[httpx.Client]:
    """A client of a running server over the village."""
    with running(village) as url, httpx.Client(base_url=url, timeout=30) as opened:
        yield opened


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Endpoint]]:
    """Starts a server when it is first asked for; all are ended together."""
    with contextlib.ExitStack() as stack:
        started: dict[str, Endpoint] = {}

        def endpoint(name: str) -> Endpoint:
            if name not in started:
                started[name] = stack.enter_context(engines.SERVERS[name](tmp_path_factory.mktemp(name)))
            return started[name]

        yield endpoint


def remote_settings(endpoint: Endpoint, folder: Path, **more: object) -> Settings:
    """Settings of a service that reads and writes the graph of an engine, with a folder of its own."""
    login = endpoint.credentials
    about: dict[str, object] = {
        "engine_folder": folder,
        "query_url": endpoint.query,
        "update_url": endpoint.update,
        "graph_store_url": endpoint.graph_store,
        "dialect": next(name for name, dialect in DIALECTS.items() if dialect == endpoint.dialect),
    }
    if login:
        about |= {"store_user": login.user, "store_password": login.secret, "store_auth": login.scheme}
    return Settings.model_validate({"store": "sparql", **about, **more})
