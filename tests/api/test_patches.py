from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from pyoxigraph import DefaultGraph, Quad, RdfFormat, parse

from kg_service.settings import Settings
from kg_service.sparql import patch
from kg_service.store.embedded import snapshot
from tests.serving import running

TOKEN = {"authorization": "Bearer open sesame"}
PATCH = TOKEN | {"content-type": "application/rdf-patch"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(store=tmp_path / "store", token=SecretStr("open sesame"), query_seconds=10)


@pytest.fixture
def service(settings: Settings) -> Iterator[httpx.Client]:
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def update(client: httpx.Client, text: str) -> int:
    answer = client.post("/update", data={"update": text}, headers=TOKEN)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["generation"])


def dataset(settings: Settings) -> frozenset[Quad]:
    """Every named graph, and of the default graph what no named graph holds."""
    with snapshot(settings.store) as store:
        quads = set(store)
    named = {q for q in quads if not isinstance(q.graph_name, DefaultGraph)}
    held = {Quad(q.subject, q.predicate, q.object) for q in named}
    return frozenset(named | {q for q in quads - named if q not in held})


def applied(quads: frozenset[Quad], document: bytes) -> frozenset[Quad]:
    """The rows carried out one by one; each does something."""
    found = set(quads)
    for row in document.decode().splitlines():
        code, _, statement = row.partition(" ")
        if code not in ("A", "D"):
            continue
        (quad,) = parse(statement, RdfFormat.N_QUADS)
        assert (quad in found) is (code == "D"), row
        found ^= {quad}
    return frozenset(found)


def random_update(choice: random.Random) -> str:
    """Few triples in few graphs, the default one among them, so that most changes meet what others left."""
    parts = []
    for _ in range(choice.randint(1, 4)):
        triple = f"<urn:s{choice.randint(1, 2)}> <urn:p> {choice.randint(1, 3)}"
        graph = choice.choice(["", "", "<urn:g>", "<urn:h>", "<urn:ü>"])
        verb = choice.choice(["INSERT", "INSERT", "DELETE"])
        parts.append(f"{verb} DATA {{ {f'GRAPH {graph} {{ {triple} }}' if graph else triple} }}")
    return " ; ".join(parts)


@pytest.mark.parametrize("seed", range(2))
def test_patches_lead_from_any_generation_to_any_later_one(
    service: httpx.Client, settings: Settings, seed: int
) -> None:
    choice = random.Random(seed)
    states = {0: frozenset[Quad]()}
    while len(states) < 20:
        generation = update(service, random_update(choice))
        states[generation] = dataset(settings)
    for _ in range(12):
        first, last = sorted(choice.sample(list(states), 2))
        answer = service.get("/patches", params={"from": first, "to": last})
        assert answer.headers["kg-generation"] == str(last)
        assert applied(states[first], answer.content) == states[last]


def test_pages_of_patches_follow_one_another(service: httpx.Client, settings: Settings) -> None:
    for number in range(7):
        update(service, f"INSERT DATA {{ GRAPH <urn:g> {{ <urn:s> <urn:p> {number} }} }}")
    copy, previous, pages = frozenset[Quad](), None, 0
    url: str | None = "/patches?from=0&limit=3"
    while url:
        answer = service.get(url)
        header = patch.parsed(answer.content)
        assert previous in (None, header.previous)
        copy, previous, pages = applied(copy, answer.content), header.id, pages + 1
        assert ("immutable" in answer.headers["cache-control"]) is ("next" in answer.links)
        url = answer.links.get("next", {}).get("url")
    assert (pages, copy) == (3, dataset(settings))
    last = service.get("/patches", params={"from": previous or ""})
    assert patch.parsed(last.content).delta.added == frozenset()
    assert service.get("/patches?from=7", headers={"if-none-match": last.headers["etag"]}).status_code == 304


def test_changes_of_one_generation_stay_together(service: httpx.Client, settings: Settings) -> None:
    """However small the pages are: changes in line share a generation, and half of one is no state."""
    import concurrent.futures

    texts = [f"INSERT DATA {{ GRAPH <urn:g> {{ <urn:s> <urn:p> {number} }} }}" for number in range(40)]
    with concurrent.futures.ThreadPoolExecutor(16) as many:
        generations = set(many.map(lambda text: update(service, text), texts))
    seen, url = set(), "/patches?from=0&limit=1"
    copy = frozenset[Quad]()
    while url:
        answer = service.get(url)
        seen.add(int(answer.headers["kg-generation"]))
        copy, url = applied(copy, answer.content), answer.links.get("next", {}).get("url", "")
    assert seen == generations
    assert copy == dataset(settings)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"from": "99"}, "from"),
        ({"from": "-1"}, "from"),
        ({"from": "é"}, "from"),
        ({"from": "1" * 5000}, "from"),
        ({"from": "https://w3id.org/sse-kg/id/generation/1-0123456789ab"}, "from"),
        ({"from": "1", "to": "0"}, "to"),
        ({"from": "0", "to": "99"}, "to"),
        ({"from": "0", "limit": "0"}, "limit"),
        ({}, "from"),
    ],
)
def test_a_wrong_parameter_is_named(service: httpx.Client, parameters: dict[str, str], names: str) -> None:
    update(service, "INSERT DATA { <urn:s> <urn:p> 1 }")
    answer = service.get("/patches", params=parameters)
    assert answer.status_code == 422
    assert names in answer.text


def test_patches_are_rdf_patch_only(service: httpx.Client) -> None:
    update(service, "INSERT DATA { <urn:s> <urn:p> 1 }")
    assert service.get("/patches?from=0", headers={"accept": "text/turtle"}).status_code == 406
    head = service.head("/patches?from=0")
    assert (head.status_code, head.content) == (200, b"")


def test_what_the_log_does_not_reach_is_gone(settings: Settings) -> None:
    with running(settings) as url, httpx.Client(base_url=url) as client:
        update(client, "INSERT DATA { <urn:s> <urn:p> 1 }")
        update(client, "INSERT DATA { <urn:s> <urn:p> 2 }")
    for path in settings.store.glob("changes.db*"):
        path.unlink()
    with running(settings) as url, httpx.Client(base_url=url) as client:
        assert client.get("/patches?from=1").status_code == 410
        assert client.get("/patches?from=2").status_code == 200


def test_a_patch_for_another_state_is_refused(service: httpx.Client) -> None:
    update(service, "INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    state = patch.parsed(service.get("/patches?from=0").content).id
    change = 'H prev <{}> .\nTX .\nA <urn:s> <urn:p> "{}" <urn:g> .\nTC .\n'
    assert service.post("/api/changes", content=change.format(state, 2), headers=PATCH).status_code == 201
    late = service.post("/api/changes", content=change.format(state, 3), headers=PATCH)
    assert late.status_code == 412
    assert str(state) in late.json()["detail"]
    other = service.post("/api/changes", content="# a note\n" + change.format("urn:uuid:1", 4), headers=PATCH)
    assert other.status_code == 412
    without = change.replace("H prev <{}> .\n", "# H prev <{}> .\n")
    assert service.post("/api/changes", content=without.format(state, 5), headers=PATCH).status_code == 201


def test_patches_of_one_service_make_another_equal(service: httpx.Client, settings: Settings, tmp_path: Path) -> None:
    for _ in range(2):
        update(
            service, 'INSERT DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1, "ü"@de } GRAPH <urn:h> { <urn:s> <urn:p> 1 } }'
        )
        update(service, "DELETE DATA { GRAPH <urn:g> { <urn:s> <urn:p> 1 } }")
    other = Settings(store=tmp_path / "other", token=SecretStr("open sesame"))
    with running(other) as url, httpx.Client(base_url=url, timeout=30) as copy:
        document = service.get("/patches?from=0").content
        assert copy.post("/api/changes", content=document, headers=PATCH).status_code == 412
        document = document.replace(b"H prev", b"H before")
        assert copy.post("/api/changes", content=document, headers=PATCH).status_code == 201
    assert dataset(other) == dataset(settings)
