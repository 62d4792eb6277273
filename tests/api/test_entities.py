from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
import rdflib
from pydantic import SecretStr

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running

TOKEN = {"authorization": "Bearer open sesame"}
TURTLE = TOKEN | {"content-type": "text/turtle"}
PREFIXES = """
@prefix sse: <https://w3id.org/sse-kg/ontology#> . @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix place: <https://w3id.org/sse-kg/id/place/> . @prefix schema: <https://schema.org/> .
"""
CARE = f'{PREFIXES} <> a sse:Organisation , sse:Actor ; skos:prefLabel "Casa Ñandú"@en .'


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, shapes: Shapes) -> Iterator[httpx.Client]:
    """A client of a running service over the ontology and the village, which may be written."""
    root = tmp_path_factory.mktemp("entities") / "store"
    with EmbeddedStore(root) as store:
        bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes)
    settings = Settings(store=root, token=SecretStr("open sesame"), query_seconds=10)
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def names(client: httpx.Client, path: str) -> set[str]:
    rows = client.get(path).json()["statements"]
    return {row["value"]["value"] for row in rows if row["property"]["value"].endswith("prefLabel")}


def test_a_thing_is_made_read_replaced_and_deleted(service: httpx.Client) -> None:
    made = service.post("/api/organisations", content=CARE, headers=TURTLE)
    assert made.status_code == 201, made.text
    where = made.headers["location"]
    assert where == "/api/organisations/casa-nandu"
    read = service.get(where)
    assert (read.json()["iri"], read.json()["label"]) == (
        "https://w3id.org/sse-kg/id/organisation/casa-nandu",
        "Casa Ñandú",
    )
    assert {row["graph"]["value"] for row in read.json()["statements"]} == {
        "https://w3id.org/sse-kg/graph/contributions"
    }
    assert "Casa" in service.get(where, headers={"accept": "text/turtle"}).text
    assert service.get(where, headers={"if-none-match": read.headers["etag"]}).status_code == 304
    assert service.post("/api/organisations", content=CARE, headers=TURTLE).status_code == 409
    renamed = CARE.replace("Casa", "House of")
    assert service.put(where, content=renamed, headers=TURTLE | {"if-match": '"c1-json"'}).status_code == 412
    assert service.put(where, content=renamed, headers=TURTLE | {"if-match": read.headers["etag"]}).is_success
    assert names(service, where) == {"House of Ñandú"}
    assert service.delete(where, headers=TOKEN).is_success
    assert service.get(where).status_code == 404
    assert service.delete(where, headers=TOKEN).status_code == 404


def test_plain_json_is_read_with_the_projects_context(service: httpx.Client) -> None:
    body = {
        "id": "theme-id:care-work",
        "type": "sse:Theme",
        "skos:prefLabel": {"@value": "Care work", "@language": "en"},
    }
    made = service.post("/api/themes", json=body, headers=TOKEN)
    assert made.status_code in (201, 422), made.text
    tried = service.post("/api/themes?dry_run=true", json={"@context": "http://127.0.0.1:9/x"} | body, headers=TOKEN)
    assert tried.status_code == 400, "a context is never fetched"


def test_statements_are_added_and_removed_one_by_one(service: httpx.Client) -> None:
    where = service.post("/api/organisations", content=CARE, headers=TURTLE | {"slug": "patched"}).headers["location"]
    french = f'{PREFIXES} <https://w3id.org/sse-kg/id/organisation/patched> skos:prefLabel "Maison"@fr .'
    assert service.patch(where, json={"added": french, "format": "turtle"}, headers=TOKEN).is_success
    assert names(service, where) == {"Casa Ñandú", "Maison"}
    assert service.patch(where, json={"removed": french, "format": "turtle"}, headers=TOKEN).is_success
    assert names(service, where) == {"Casa Ñandú"}
    foreign = service.patch(where, content="<urn:other> <urn:p> 1 .", headers=TURTLE)
    assert foreign.status_code == 400
    assert "urn:other" in foreign.json()["detail"]


def test_a_thing_that_others_need_cannot_be_deleted(service: httpx.Client) -> None:
    place = service.get("/api/places").json()["data"][0]["iri"].rsplit("/", 1)[1]
    refused = service.delete(f"/api/places/{place}", headers=TOKEN)
    assert refused.status_code == 422, refused.text
    assert service.get(f"/api/places/{place}").status_code == 200


def test_writing_needs_the_token(service: httpx.Client) -> None:
    for method, path in (("POST", "/api/themes"), ("PUT", "/api/themes/x"), ("DELETE", "/api/themes/x")):
        assert service.request(method, path, headers={"content-type": "text/turtle"}).status_code == 401


SHAPE = """
@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix schema: <https://schema.org/> .
<urn:shape> a sh:NodeShape ; sh:targetSubjectsOf schema:startDate ;
  sh:property [ sh:path <urn:missing> ; sh:minCount 1 ; sh:message "It needs one."@en ] .
"""


def test_other_shapes_are_taken_when_the_graph_conforms_and_judge_from_then_on(service: httpx.Client) -> None:
    def shapes() -> rdflib.Graph:
        return rdflib.Graph().parse(data=service.get("/shapes", headers={"accept": "application/n-triples"}).text)

    own = shapes()
    refused = service.post("/shapes", content=SHAPE, headers=TURTLE)
    assert refused.status_code == 422
    assert refused.json()["report"]["counts"]["Violation"] > 0
    assert len(shapes()) == len(own)
    assert service.post("/shapes", content="<urn:s> a <http://www.w3.org/ns/shacl#NodeShape> ; "
        "<http://www.w3.org/ns/shacl#property> 7 .", headers=TURTLE).status_code == 400  # fmt: skip
    forced = service.post("/shapes?force=true&note=stricter", content=SHAPE, headers=TURTLE)
    assert forced.status_code == 200
    assert service.get("/api/changes").json()["data"][0]["note"] == "stricter"
    event = "<https://w3id.org/sse-kg/id/event/new> <https://schema.org/startDate> '2020' ."
    judged = service.post("/api/changes", content=event, headers=TURTLE)
    assert judged.status_code == 422
    assert judged.json()["report"]["results"][0]["message"] == "It needs one."
    assert service.delete("/shapes", headers=TOKEN).status_code == 200
    assert len(shapes()) == len(own)
