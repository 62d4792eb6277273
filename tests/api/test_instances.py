"""Two services in front of one engine, each with nothing of its own but a folder: as one, for readers and writers."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from pyoxigraph import Literal, NamedNode, Quad

from kg_service import resources
from kg_service.ingest import bulk
from kg_service.store import Delta
from kg_service.store.remote import Endpoint, RemoteStore
from tests.conftest import VILLAGE, remote_settings
from tests.serving import running
from tests.store import engines

TOKEN = {"authorization": "Bearer open sesame"}
SKOS = "http://www.w3.org/2004/02/skos/core#"
FAIR = "https://w3id.org/sse-kg/id/event/fair-2021"


@pytest.fixture(scope="module")
def engine(servers: Callable[[str], Endpoint]) -> Endpoint:
    """Fuseki with the village."""
    found = servers("fuseki")
    engines.empty(found)
    quads = [quad for path in bulk.files_in([resources.folder("ontology"), VILLAGE]) for quad in bulk.read(path)]
    RemoteStore(found).apply(Delta(added=frozenset(quads)))
    return found


@pytest.fixture(scope="module")
def both(engine: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    settings = [remote_settings(engine, folder, token="open sesame", query_seconds=20) for folder in folders]
    with (
        running(settings[0]) as one,
        running(settings[1]) as other,
        httpx.Client(base_url=one, timeout=60) as first,
        httpx.Client(base_url=other, timeout=60) as second,
    ):
        yield [first, second]


def said(engine: Endpoint, predicate: str) -> Counter[str]:
    quads: Iterator[Quad] = RemoteStore(engine).quads()
    found = (quad.object for quad in quads if (quad.subject, quad.predicate.value) == (NamedNode(FAIR), predicate))
    return Counter(each.value for each in found if isinstance(each, Literal))


def logged(client: httpx.Client) -> list[dict[str, str]]:
    entries: list[dict[str, str]] = client.get("/api/changes", params={"limit": 1000}).json()["data"]
    return entries


def test_changes_through_both_at_once_are_all_there_exactly_once(both: list[httpx.Client], engine: Endpoint) -> None:
    before = len(logged(both[0]))

    def write(number: int) -> httpx.Response:
        update = f'INSERT DATA {{ GRAPH <urn:g> {{ <{FAIR}> <{SKOS}note> "note {number}" }} }}'
        return both[number % 2].post("/update", data={"update": update}, headers=TOKEN)

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(write, range(40)))
    assert Counter(answer.status_code for answer in answers) == {200: 40}, [answer.text for answer in answers]
    assert said(engine, f"{SKOS}note") == Counter(f"note {number}" for number in range(40))
    for client in both:
        entries = logged(client)
        assert len(entries) == before + 40
        assert (
            len({entry["number"] for entry in entries})
            == len({entry["generation"] for entry in entries})
            == len(entries)
        )
        assert {answer.json()["change"] for answer in answers} <= {entry["number"] for entry in entries}


def test_who_would_overwrite_what_another_wrote_elsewhere_is_refused(
    both: list[httpx.Client], engine: Endpoint
) -> None:
    """Four clients, two at each service, add up one value by reading it and writing it back with If-Match."""
    value = f"{SKOS}editorialNote"
    refused = Counter[int]()

    def add_up(client: httpx.Client) -> int:
        made = 0
        while made < 5:
            read = client.get("/store", params={"graph": "urn:sum"}, headers={"accept": "application/n-triples"})
            now = int(read.text.partition('"')[2].partition('"')[0])
            body = f'<{FAIR}> <{value}> "{now + 1}" .'
            headers = TOKEN | {"if-match": read.headers["etag"], "content-type": "application/n-triples"}
            answer = client.put("/store", params={"graph": "urn:sum"}, content=body, headers=headers)
            assert answer.status_code in (204, 412), answer.text
            refused[answer.status_code] += 1
            made += answer.status_code == 204
        return made

    body, kind = f'<{FAIR}> <{value}> "0" .', {"content-type": "application/n-triples"}
    both[0].put("/store", params={"graph": "urn:sum"}, content=body, headers=TOKEN | kind).raise_for_status()
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(add_up, [*both, *both])) == 20
    assert said(engine, value) == Counter(["20"]), f"no addition is lost, of which {refused[412]} came too late once"


def test_what_is_written_at_one_is_seen_at_the_other_at_once(both: list[httpx.Client]) -> None:
    for number in range(6):
        here, there = both[number % 2], both[1 - number % 2]
        update = f'INSERT DATA {{ GRAPH <urn:g> {{ <{FAIR}> <{SKOS}altLabel> "Zwiebelmarkt {number}"@de }} }}'
        written = here.post("/update", data={"update": update}, headers=TOKEN)
        assert written.status_code == 200, written.text
        asked = there.get(
            "/sparql", params={"query": f'ASK {{ <{FAIR}> <{SKOS}altLabel> "Zwiebelmarkt {number}"@de }}'}
        )
        assert asked.json()["boolean"] is True
        assert there.get(f"/api/changes/{written.json()['change']}").status_code == 200
    until = time.monotonic() + 30
    while not (found := both[0].get("/api/search", params={"q": "zwiebelmarkt 5"}).json()["data"]):
        assert time.monotonic() < until, "the search index follows what the other service wrote"
    assert found[0]["iri"] == FAIR


def test_a_request_sent_again_to_the_other_is_made_once(both: list[httpx.Client], engine: Endpoint) -> None:
    update = f'INSERT DATA {{ GRAPH <urn:g> {{ <{FAIR}> <{SKOS}hiddenLabel> "sent twice" }} }}'
    headers = TOKEN | {"idempotency-key": "sent-to-both"}
    answers = [client.post("/update", data={"update": update}, headers=headers) for client in both]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json()["change"] == answers[1].json()["change"]


def test_one_goes_on_when_the_other_is_gone(both: list[httpx.Client], engine: Endpoint, tmp_path: Path) -> None:
    """A third one comes and goes, with an empty folder; nothing that was written through it goes with it."""
    update = f'INSERT DATA {{ GRAPH <urn:g> {{ <{FAIR}> <{SKOS}changeNote> "of the third" }} }}'
    with running(remote_settings(engine, tmp_path, token="open sesame", query_seconds=20)) as third:
        written = httpx.post(f"{third}/update", data={"update": update}, headers=TOKEN, timeout=60)
        assert written.status_code == 200, written.text
    assert logged(both[1])[0]["number"] == written.json()["change"]
    assert both[0].get("/health/ready").json()["writing"] == "ready"
