"""A small world with two entries of one organisation, in a store that may be written."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running

TOKEN = "open sesame"
DIRECTORY = """
@prefix sse: <https://w3id.org/sse-kg/ontology#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <https://schema.org/> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
<https://w3id.org/sse-kg/graph/directory> {
  <https://w3id.org/sse-kg/id/organisation/oxfield-weavers> a sse:Organisation , sse:Actor ;
    skos:prefLabel "Oxfield Weavers Co-operative Limited"@en ; schema:url "https://www.weave.example/"^^xsd:anyURI .
  <https://w3id.org/sse-kg/id/organisation/oxfield-weavers-coop> a sse:Organisation , sse:Actor ;
    skos:prefLabel "OXFIELD WEAVERS COOP LTD"@en ; schema:url "http://weave.example/en"^^xsd:anyURI .
  <https://w3id.org/sse-kg/id/organisation/tejedoras> a sse:Organisation , sse:Actor ;
    skos:prefLabel "Red de tejedoras <b>ñ</b>"@es .
  <https://w3id.org/sse-kg/id/organisation/tejedoras-2> a sse:Organisation , sse:Actor ;
    skos:prefLabel "Red de tejedoras <b>ñ</b> A.C."@es .
}
"""
ID = "https://w3id.org/sse-kg/id/organisation/"
ONE, OTHER = ID + "oxfield-weavers", ID + "oxfield-weavers-coop"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Settings:
    """Settings of a store with the village and the directory."""
    root = tmp_path_factory.mktemp("identity") / "store"
    data = root.parent / "data"
    data.mkdir()
    (data / "directory.trig").write_text(DIRECTORY, "utf-8")
    (data / VILLAGE.name).write_bytes(VILLAGE.read_bytes())
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), data], shapes)
    return Settings(store=root, token=SecretStr(TOKEN), data=data)


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[str]:
    """The address of a service over it."""
    with running(settings) as url:
        yield url
