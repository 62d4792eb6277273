"""What the tests of the pages share: the project's own data behind a running service."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store.embedded import EmbeddedStore
from tests.serving import running

PEOPLE = {"accept": "text/html"}


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[httpx.Client]:
    """A client of a running service over the project's own data."""
    root = tmp_path_factory.mktemp("pages") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), resources.folder("data")], shapes)
    with running(Settings(store=root)) as url, httpx.Client(base_url=url, timeout=60, headers=PEOPLE) as client:
        yield client
