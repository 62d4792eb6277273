from __future__ import annotations

import concurrent.futures
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import rdflib
from pydantic import SecretStr

from kg_service.settings import Settings
from kg_service.store.remote import Endpoint
from tests.api.test_patches import dataset, random_update, update
from tests.clients.ldes import Replica
from tests.conftest import remote_settings
from tests.serving import running
from tests.store import engines

TRIG = {"accept": "application/trig"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store", token=SecretStr("open sesame"), query_seconds=10)


@pytest.fixture
def service(settings: Settings) -> Iterator[httpx.Client]:
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def replica(client: httpx.Client) -> Replica:
    return Replica(client)


def root(client: httpx.Client) -> str:
    return f"{str(client.base_url).rstrip('/')}/feed"


def many(first: int, last: int, value: str) -> str:
    triples = " . ".join(f'<urn:many/{number}> <urn:p> "{value} é {number}", {number}' for number in range(first, last))
    return f"INSERT DATA {{ GRAPH <urn:g> {{ {triples} }} }}"


def test_a_client_that_follows_the_stream_has_the_present_state(service: httpx.Client, settings: Settings) -> None:
    choice, copy = random.Random(5), replica(service)
    for _ in range(4):
        for _ in range(4):
            update(service, random_update(choice))
        copy.synchronise(root(service))
        assert copy.quads == dataset(settings)
    fresh = replica(service)
    fresh.synchronise(root(service))
    assert (fresh.quads, fresh.members) == (copy.quads, copy.members)


def test_a_large_change_is_paged_and_full_pages_never_change(service: httpx.Client, settings: Settings) -> None:
    update(service, many(0, 600, "first"))
    copy = replica(service)
    copy.synchronise(root(service))
    assert len(copy.immutable) == 2
    before, fetched = dict(copy.immutable), copy.fetched
    update(service, many(100, 400, "second"))
    update(service, "DELETE WHERE { GRAPH <urn:g> { <urn:many/7> ?p ?o } }")
    copy.synchronise(root(service))
    assert copy.quads == dataset(settings)
    assert copy.things["urn:many/7"][1] == frozenset()
    assert copy.fetched - fetched == 4, "root, group, and the two pages that were not full"
    for url, body in before.items():
        assert service.get(url, headers=TRIG).content == body
    fresh = replica(service)
    fresh.synchronise(root(service))
    assert fresh.quads == dataset(settings)
    assert len(fresh.members) == 600 + 300 + 1


def test_a_deleted_thing_that_comes_back_has_three_versions(service: httpx.Client, settings: Settings) -> None:
    there = '<urn:s> a <https://www.w3.org/ns/activitystreams#Delete> ; <urn:p> "ü"'
    update(service, f"INSERT DATA {{ GRAPH <urn:g> {{ {there} }} }}")
    update(service, f"DELETE DATA {{ GRAPH <urn:g> {{ {there} }} }}")
    update(service, f"INSERT DATA {{ GRAPH <urn:h> {{ {there} }} }}")
    copy = replica(service)
    copy.synchronise(root(service))
    assert len(copy.members) == 3
    assert copy.quads == dataset(settings)


def test_each_format_is_read_by_others(service: httpx.Client) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } GRAPH <urn:h> { <urn:s> <urn:p> 1, 2 } }")
    member = rdflib.URIRef("https://w3id.org/tree#member")
    for media_type, graph in (
        ("text/turtle", rdflib.Graph()),
        ("application/n-triples", rdflib.Graph()),
        ("application/ld+json", rdflib.Dataset()),
        ("application/trig", rdflib.Dataset()),
        ("application/n-quads", rdflib.Dataset()),
    ):
        answer = service.get("/feed/pages/0", headers={"accept": media_type})
        assert answer.headers["content-type"].startswith(media_type)
        graph.parse(data=answer.content, format=media_type)
        assert len(list(graph.objects(None, member))) == 1
        known = {"accept": media_type, "if-none-match": answer.headers["etag"]}
        assert service.get("/feed/pages/0", headers=known).status_code == 304
        assert service.head("/feed/pages/0", headers={"accept": media_type}).headers["etag"] == answer.headers["etag"]
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:t> <urn:p> 1 } }")
    assert service.get("/feed/pages/0", headers=known).status_code == 200, "a page that is not full may grow"


@pytest.mark.parametrize(
    ("path", "accept", "status"),
    [
        ("/feed/pages/1", "*/*", 404),
        ("/feed/pages/-1", "*/*", 404),
        ("/feed/pages/99999999999999999999999", "*/*", 404),
        ("/feed/groups/1", "*/*", 404),
        ("/feed/pages/x", "*/*", 422),
        ("/feed?page=1", "*/*", 422),
        ("/feed", "text/csv", 406),
    ],
)
def test_what_is_not_there_or_not_possible(service: httpx.Client, path: str, accept: str, status: int) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    answer = service.get(path, headers={"accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_an_empty_stream_is_a_stream(service: httpx.Client) -> None:
    copy = replica(service)
    copy.synchronise(root(service))
    assert copy.quads == frozenset()


def test_a_store_that_was_made_anew_has_another_stream(settings: Settings) -> None:
    import shutil

    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        update(client, many(0, 300, "old"))
        replica(client).synchronise(root(client))
    kept = (settings.store / "feed.db").read_bytes()
    shutil.rmtree(settings.store)
    settings.store.mkdir()
    (settings.store / "feed.db").write_bytes(kept)
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        update(client, many(0, 2, "new"))
        copy = replica(client)
        copy.synchronise(root(client))
        assert copy.quads == dataset(settings)
        assert len(copy.members) == 2


def test_many_who_come_at_once_read_the_same(service: httpx.Client, settings: Settings) -> None:
    update(service, many(0, 600, "first"))

    def read(_: int) -> Replica:
        with httpx.Client(base_url=service.base_url, timeout=60) as client:
            copy = Replica(client)
            copy.synchronise(root(service))
            return copy

    with concurrent.futures.ThreadPoolExecutor(6) as several:
        for copy in several.map(read, range(6)):
            assert copy.quads == dataset(settings)
            assert len(copy.members) == 600


def test_the_log_of_another_engine_is_a_stream_too(servers: Callable[[str], Endpoint], tmp_path: Path) -> None:
    endpoint = servers("oxigraph")
    engines.empty(endpoint)
    settings = remote_settings(endpoint, tmp_path / "own", token="open sesame")
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        update(client, 'INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1, "ü"@de } <urn:t> <urn:p> 1 }')
        update(client, "DELETE DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
        update(client, "INSERT DATA { GRAPH <urn:h> { <urn:t> <urn:p> 1 } }")
        copy = replica(client)
        copy.synchronise(root(client))
        found = {str(quad) for quad in copy.quads}
    one = '"1"^^<http://www.w3.org/2001/XMLSchema#integer>'
    assert found == {'<urn:s> <urn:p> "ü"@de <urn:g>', f"<urn:t> <urn:p> {one} <urn:h>"}
