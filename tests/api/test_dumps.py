from __future__ import annotations

import base64
import concurrent.futures
import gzip
import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, parse

from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.remote import Endpoint
from tests.api.test_patches import TOKEN, applied, dataset, random_update, update
from tests.conftest import remote_settings
from tests.serving import running
from tests.store import engines


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store", token=SecretStr("open sesame"), query_seconds=10)


@pytest.fixture
def service(settings: Settings) -> Iterator[httpx.Client]:
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


def files(client: httpx.Client) -> dict[str, dict[str, Any]]:
    answer = client.get("/dumps/")
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["data"]}


def quads(packed: bytes, how: RdfFormat = RdfFormat.N_QUADS) -> frozenset[Quad]:
    return frozenset(parse(gzip.decompress(packed), how))


def test_the_files_are_the_generation_and_their_checksums_hold(service: httpx.Client, settings: Settings) -> None:
    update(
        service,
        'INSERT DATA { <urn:s> <urn:p> "alone" GRAPH <https://w3id.org/sse-kg/graph/one> { <urn:s> <urn:p> 1, "ü"@de }'
        " GRAPH <urn:long:name?of=a/graph> { <urn:s> <urn:p> 1 . <urn:é> <urn:p> <urn:s> } }",
    )
    told = files(service)
    assert {"all.nq.gz", "all.trig.gz", "default-graph.nq.gz", "one.nq.gz", "one.trig.gz"} < set(told)
    assert len(told) == 8
    for each in told.values():
        answer = service.get(each["url"])
        assert (len(answer.content), each["sha256"]) == (each["bytes"], hashlib.sha256(answer.content).hexdigest())
        assert answer.headers["repr-digest"] == f"sha-256=:{base64.b64encode(bytes.fromhex(each['sha256'])).decode()}:"
        assert answer.content[4:8] == b"\0\0\0\0", "no time in the file"
        how = RdfFormat.TRIG if "trig" in each["name"] else RdfFormat.N_QUADS
        found = quads(answer.content, how)
        assert len(found) == each["statements"]
        if each["graph"]:
            assert found == {q for q in dataset(settings) if q.graph_name == NamedNode(each["graph"])}
        elif each["name"].startswith("all"):
            assert found == dataset(settings)
        else:
            assert found == {q for q in dataset(settings) if isinstance(q.graph_name, DefaultGraph)}
    sums = service.get(service.get("/dumps/").json()["checksums"]).text
    assert f"{told['all.nq.gz']['sha256']}  all.nq.gz\n" in sums


def test_a_dump_and_the_patches_after_it_make_the_later_dump(service: httpx.Client) -> None:
    choice, known = random.Random(3), dict[str, tuple[frozenset[Quad], str]]()
    for _ in range(5):
        for _ in range(3):
            generation = update(service, random_update(choice))
        listing = service.get("/dumps/").json()
        assert listing["generation"] == generation
        whole = next(each for each in listing["data"] if each["name"] == "all.nq.gz")
        found = quads(service.get(whole["url"]).content)
        for state, (before, patches) in known.items():
            document = service.get(patches).content
            assert f"H prev <{state}>".encode() in document
            assert f"H id <{listing['state']}>".encode() in document
            assert applied(before, document) == found
        known[listing["state"]] = (found, listing["patches"])


def test_equal_data_give_equal_bytes(tmp_path: Path) -> None:
    choice = random.Random(4)
    many = [
        Quad(NamedNode(f"urn:s{n % 97}"), NamedNode(f"urn:p{n % 5}"), Literal(f"{n} ü"), NamedNode(f"urn:g{n % 3}"))
        for n in range(2000)
    ]
    sums = []
    for name in ("one", "other"):
        with EmbeddedStore(tmp_path / name) as store:
            choice.shuffle(many)
            for start in range(0, len(many), 700):
                store.apply(Delta(added=frozenset(many[start : start + 700])))
        with running(Settings(store=tmp_path / name)) as url, httpx.Client(base_url=url, timeout=60) as client:
            sums.append({name: each["sha256"] for name, each in files(client).items()})
    assert sums[0] == sums[1]


def test_a_download_can_be_resumed(service: httpx.Client) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1, 2, 3 } }")
    url = files(service)["all.nq.gz"]["url"]
    whole = service.get(url)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"].endswith('filename="sse-kg-1-all.nq.gz"')
    assert "immutable" in whole.headers["cache-control"]
    rest = service.get(url, headers={"range": "bytes=10-", "if-range": whole.headers["etag"]})
    assert (rest.status_code, whole.content[:10] + rest.content) == (206, whole.content)
    other = service.get(url, headers={"range": "bytes=10-", "if-range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)
    assert service.get(url, headers={"range": "bytes=99999-"}).status_code == 416
    assert service.get(url, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    head = service.head(url)
    assert (head.headers["content-length"], head.content) == (str(len(whole.content)), b"")
    latest = service.get("/dumps/latest/all.nq.gz")
    assert (latest.status_code, latest.headers["location"]) == (302, url)


def test_two_generations_are_kept(service: httpx.Client, settings: Settings) -> None:
    names = []
    for number in range(3):
        update(service, f"INSERT DATA {{ GRAPH <urn:g> {{ <urn:s> <urn:p> {number} }} }}")
        names.append(files(service)["all.nq.gz"]["url"])
    assert [service.get(url).status_code for url in names] == [410, 200, 200]
    assert {path.name for path in (settings.store / "dumps").iterdir()} == {"2", "3", "lock"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dumps/1/none.nq.gz", 404),
        ("/dumps/1/index.json", 404),
        ("/dumps/1/..%2f..%2fchanges.db", 404),
        ("/dumps/2/all.nq.gz", 404),
        ("/dumps/0/all.nq.gz", 404),
        ("/dumps/-1/all.nq.gz", 404),
        (f"/dumps/{10**300}/all.nq.gz", 404),
        ("/dumps/x/all.nq.gz", 422),
        ("/dumps/latest/none", 404),
    ],
)
def test_there_is_no_other_file(service: httpx.Client, path: str, status: int) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    files(service)
    answer = service.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_files_whose_index_a_loss_of_power_emptied_are_made_again(service: httpx.Client, settings: Settings) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    before = files(service)
    (settings.store / "dumps" / "1" / "index.json").write_bytes(b"")
    assert files(service) == before
    assert len(quads(service.get(before["all.nq.gz"]["url"]).content)) == 1


def test_many_who_come_at_once_get_the_same_files(service: httpx.Client) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    with concurrent.futures.ThreadPoolExecutor(8) as several:
        found = list(several.map(lambda _: files(service), range(8)))
    assert all(each == found[0] for each in found)


def test_where_nothing_can_be_written_it_says_so(service: httpx.Client, settings: Settings) -> None:
    assert service.get("/dumps/").status_code == 404, "no data yet"
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    (settings.store / "dumps").rename(settings.store / "away") if (settings.store / "dumps").exists() else None
    (settings.store / "dumps").write_text("in the way")
    answer = service.get("/dumps/")
    assert answer.status_code == 503
    assert "cannot be written" in answer.json()["detail"]
    (settings.store / "dumps").unlink()
    assert service.get("/dumps/").status_code == 200


def test_of_an_empty_graph_there_are_empty_files(service: httpx.Client) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    update(service, "DELETE DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    told = files(service)
    assert set(told) == {"all.nq.gz", "all.trig.gz"}
    assert quads(service.get(told["all.nq.gz"]["url"]).content) == frozenset()


def test_another_engine_gives_the_same_files(
    service: httpx.Client, servers: Callable[[str], Endpoint], tmp_path: Path
) -> None:
    endpoint = servers("oxigraph")
    engines.empty(endpoint)
    other = remote_settings(endpoint, tmp_path / "own", token="open sesame")
    text = 'INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1, "ü"@de } GRAPH <urn:h> { <urn:s> <urn:p> 1 } }'
    with running(other) as url, httpx.Client(base_url=url, timeout=60) as client:
        for each in (service, client):
            update(each, text)
            update(each, "INSERT DATA { <urn:s> <urn:p> 2 }")
        found, there = files(service), files(client)
        assert {name: each["sha256"] for name, each in found.items()} == {
            name: each["sha256"] for name, each in there.items()
        }
        assert client.get("/patches?from=0", headers=TOKEN).status_code == 200
