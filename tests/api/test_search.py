from __future__ import annotations

import contextlib
import csv
import io
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyoxigraph import Literal, NamedNode

from kg_service import resources
from kg_service.errors import TooMany
from kg_service.ingest import bulk
from kg_service.rdf import PREF_LABEL, Quad, entity, graph, sse
from kg_service.search import building, door
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.remote import RemoteStore
from tests.conftest import VILLAGE, remote_settings
from tests.serving import running
from tests.store.engines import oxigraph

ID = "https://w3id.org/sse-kg/id/"
TOKEN = {"Authorization": "Bearer open sesame"}


def search(client: httpx.Client, text: str, **more: Any) -> dict[str, Any]:
    answer = client.get("/api/search", params={"q": text, **more})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert answer.headers["kg-generation"] == str(found["meta"]["generation"])
    return found


def ends(found: dict[str, Any]) -> list[str]:
    return [hit["iri"].removeprefix(ID) for hit in found["data"]]


def insert(client: httpx.Client, triples: str, verb: str = "INSERT DATA") -> int:
    skos = "PREFIX skos: <http://www.w3.org/2004/02/skos/core#>"
    text = f"{skos} {verb} {{ GRAPH {graph('notes')} {{ {triples} }} }}"
    answer = client.post("/update", data={"update": text}, headers=TOKEN)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["generation"])


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take longer over an index than a client would wait."""
    monkeypatch.setattr(door, "PATIENCE", 60.0)


@pytest.fixture
def writable(village: Settings, tmp_path: Path) -> Iterator[tuple[httpx.Client, Path]]:
    """A client of a service over a village of its own, which the token may change, and its folder."""
    root = tmp_path / "store"
    shutil.copytree(village.store, root, ignore=shutil.ignore_patterns("search"))
    with (
        running(Settings(store=root, token="open sesame")) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client, root


@pytest.mark.parametrize(
    ("text", "first", "match", "field"),
    [
        ("bread", "theme/bread", "exact", "label"),
        ("BREAD", "theme/bread", "exact", "label"),
        ("vallee", "place/valley", "exact", "label"),
        ("Vallée", "place/valley", "exact", "label"),
        ("panad", "organisation/bakers", "prefix", "label"),
        ("tejedroas", "organisation/weavers", "typo", "label"),
        ("boulangres", "organisation/bakers", "typo", "label"),
        ("horno común", "alliance/oven", "exact", "label"),
        ("bakers and council", "alliance/oven", "exact", "quotation"),
        ("what bakers bake", "theme/bread", "exact", "text"),
        ("weavers zebra network", "organisation/weavers", "some words", "label"),
    ],
)
def test_words_lead_to_things_with_the_reason(
    client: httpx.Client, text: str, first: str, match: str, field: str
) -> None:
    found = search(client, text)
    assert ends(found)[0] == first
    hit = found["data"][0]
    assert (hit["reason"]["match"], hit["reason"]["field"]) == (match, field)
    assert 0 < hit["score"] <= 100
    marked = [piece["text"] for piece in hit["snippet"] if piece["is_match"]]
    assert marked
    assert {word["found"] for word in hit["reason"]["words"]} <= set(marked)


def test_words_of_a_source_lead_to_what_rests_on_them(client: httpx.Client) -> None:
    found = search(client, "bakers and council")
    oven = next(hit for hit in found["data"] if hit["iri"].endswith("alliance/oven"))
    assert oven["reason"]["source"] == f"{ID}quotation/chronicle-0-21"
    assert "".join(piece["text"] for piece in oven["snippet"]) == "The bakers and council"


def test_exact_comes_before_longer_and_labels_before_texts(client: httpx.Client) -> None:
    found = search(client, "bread")
    assert ends(found)[:2] == ["theme/bread", "section/charter-1"]
    scores = [hit["score"] for hit in found["data"]]
    assert scores == sorted(scores, reverse=True)


def test_names_are_in_the_language_asked_for(client: httpx.Client) -> None:
    answer = client.get("/api/search", params={"q": "bread"}, headers={"Accept-Language": "xx, es-MX;q=0.9, es;q=0.8"})
    assert answer.json()["data"][0]["label"] == "Pan"
    assert answer.headers["vary"] == "Accept-Language"
    assert search(client, "pain", lang="fr")["data"][0]["label"] == "Pain"
    assert search(client, "bread", lang="fr")["data"] == []


def test_types_narrow_and_are_counted(client: httpx.Client) -> None:
    found = search(client, "valley")
    counts = {facet["iri"].rpartition("#")[2]: facet["count"] for facet in found["facets"]["type"]}
    assert counts["Place"] == 1
    assert found["meta"] | {"total": 0} == {
        "total": 0,
        "total_is": "exact",
        "generation": 1,
        "is_behind": False,
        "words": ["valley"],
        "ignored_words": [],
        "meant": {},
    }
    for name in ("Place", "sse:Place", sse("Place").value):
        assert ends(search(client, "valley", type=name)) == ["place/valley"]
    assert set(ends(search(client, "valley", type="Place,LocalGovernment"))) == {"place/valley", "government/valley"}
    assert ends(search(client, "bakers and council", type="Alliance")) == ["alliance/oven"]
    assert search(client, "bakers and council", type="Place")["data"] == []


def test_pages_follow_one_another(client: httpx.Client) -> None:
    everything = ends(search(client, "valley", limit=100))
    assert len(everything) > 3
    pages, url = [], "/api/search?q=valley&limit=2"
    while url:
        answer = client.get(url).json()
        pages += ends(answer)
        url = answer["links"].get("next", "")
    assert pages == everything


def test_an_answer_is_not_sent_twice(client: httpx.Client) -> None:
    first = client.get("/api/search", params={"q": "bread"})
    again = client.get("/api/search", params={"q": "bread"}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({}, "q"),
        ({"q": ""}, "q"),
        ({"q": "x" * 1001}, "q"),
        ({"q": "bread", "limit": "0"}, "limit"),
        ({"q": "bread", "limit": "101"}, "limit"),
        ({"q": "bread", "offset": "401"}, "offset"),
        ({"q": "bread", "type": "Nonsense"}, "type"),
        ({"q": "bread", "type": "a b"}, "type"),
        ({"q": "bread", "lang": "españolísimo"}, "lang"),
        ({"q": "bread", "langue": "es"}, "langue"),
        ({"q": "bread\0"}, "q"),
    ],
)
def test_a_wrong_parameter_names_itself(client: httpx.Client, parameters: dict[str, str], named: str) -> None:
    answer = client.get("/api/search", params=parameters)
    assert (answer.status_code, answer.json()["parameter"]) == (422, named)
    assert answer.json()["allowed"]


@pytest.mark.parametrize(
    "text",
    [
        '"',
        '" OR "',
        "bread AND (",
        "NEAR(bread, 5)",
        "bread*",
        "tokens:bread",
        "^bread",
        "-bread",
        "'; DROP TABLE text; --",
        "👍🏽 👩‍👩‍👧",
        "\u202eطعام",
        "連帯経済",
        "§en ¶1 §",
        "%00%",
        "_" * 900,
        "a " * 499,
        "ſ" * 900,
        "ﷺ" * 100,
        "á" * 999,
    ],
)
def test_whatever_is_typed_is_only_words(client: httpx.Client, text: str) -> None:
    search(client, text)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_can_be_searched_for(client: httpx.Client, text: str) -> None:
    assert client.get("/api/search", params={"q": text}).status_code == 200


def test_what_was_written_is_found_at_once_and_what_was_deleted_is_not(writable: tuple[httpx.Client, Path]) -> None:
    client, _ = writable
    said = '<https://w3id.org/sse-kg/id/theme/bread> skos:note "Quinoa y {} en el horno"@es'
    for number in range(6):
        generation = insert(client, said.format(f"maíz{number}"))
        found = search(client, f"maiz{number}")
        assert (ends(found), found["meta"]["generation"]) == (["theme/bread"], generation)
        generation = insert(client, said.format(f"maíz{number}"), "DELETE DATA")
        found = search(client, f"maiz{number} ")
        assert (ends(found), found["meta"]["generation"]) == ([], generation)


def test_searching_and_writing_at_once_never_tells_of_another_generation(writable: tuple[httpx.Client, Path]) -> None:
    """The generation's note is written by the change that makes it: an answer has just the notes up to its number."""
    client, _ = writable
    first, stop = search(client, "bread")["meta"]["generation"], threading.Event()

    def read() -> int:
        seen = 0
        while not stop.is_set():
            found = search(client, "qwertz", limit=100)
            assert len(found["data"]) == found["meta"]["generation"] - first, found["meta"]
            seen += 1
        return seen

    with ThreadPoolExecutor(4) as threads:
        reading = [threads.submit(read) for _ in range(4)]
        for number in range(15):
            insert(client, f'<{ID}theme/counted-{number}> skos:note "Qwertz"@en')
        stop.set()
        assert sum(each.result() for each in reading) > 4


def test_two_services_on_one_store_share_the_index(writable: tuple[httpx.Client, Path]) -> None:
    client, root = writable
    with running(Settings(store=root)) as url, httpx.Client(base_url=url, timeout=60) as other:
        for number in range(5):
            generation = insert(client, f'<{ID}theme/bread> skos:note "Sorghum{number}"@en')
            with ThreadPoolExecutor(6) as threads:
                answers = list(threads.map(search, [client, other] * 3, [f"sorghum{number}"] * 6))
            assert {(tuple(ends(a)), a["meta"]["generation"]) for a in answers} == {(("theme/bread",), generation)}
        shutil.rmtree(root / "search")
        with ThreadPoolExecutor(6) as threads:
            answers = list(threads.map(search, [client, other] * 3, ["sorghum1"] * 6))
        assert all(ends(answer) == ["theme/bread"] for answer in answers)
    assert len(list((root / "search").glob("*.db"))) == 1


@pytest.mark.parametrize("what", ["delete", "cut", "nonsense"])
def test_a_damaged_index_is_made_anew_while_the_service_runs(writable: tuple[httpx.Client, Path], what: str) -> None:
    client, root = writable
    assert ends(search(client, "bread"))
    path = building.path_of(root)
    assert path
    if what == "delete":
        shutil.rmtree(root / "search")
    else:
        with path.open("r+b") as file:  # in place: who reads it has it open
            file.truncate(8192) if what == "cut" else file.write(b"\xab" * path.stat().st_size)
    for _ in range(3):
        assert ends(search(client, "bread"))[0] == "theme/bread"


def test_processes_that_are_killed_are_replaced(writable: tuple[httpx.Client, Path]) -> None:
    client, root = writable
    search(client, "bread")
    made = building.signature(root)

    for _ in range(3):
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "kg_service.search.process" in process.cmdline() and str(root) in process.cmdline():
                    process.kill()
        assert ends(search(client, "bread"))[0] == "theme/bread"
    assert building.signature(root) == made, "nothing was wrong with the index"


def test_while_it_takes_too_long_an_older_generation_is_named_and_without_one_it_is_said(
    writable: tuple[httpx.Client, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    client, root = writable
    monkeypatch.setattr(door, "PATIENCE", 0.3)
    monkeypatch.setattr(door, "EARLY", 3600.0)
    (root / "search").mkdir(exist_ok=True)
    with (root / "search" / "lock").open("ab") as lock:  # as a builder holds it that takes long
        fcntl.flock(lock, fcntl.LOCK_EX)
        if building.path_of(root) is None:
            answer = client.get("/api/search", params={"q": "bread"})
            assert (answer.status_code, answer.json()["title"]) == (503, "The service is busy")
            assert int(answer.headers["retry-after"]) > 0
    until = time.monotonic() + 30
    while client.get("/api/search", params={"q": "bread"}).status_code != 200:
        assert time.monotonic() < until
    with (root / "search" / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        generation = insert(client, f'<{ID}theme/bread> skos:note "Millet"@en')
        found = search(client, "bread")
        assert found["meta"]["is_behind"]
        assert found["meta"]["generation"] == generation - 1
        assert search(client, "millet")["data"] == []
    until = time.monotonic() + 30
    while (found := search(client, "millet"))["meta"]["is_behind"]:
        assert time.monotonic() < until
    assert ends(found) == ["theme/bread"]


def test_the_event_loop_goes_on_while_many_search(writable: tuple[httpx.Client, Path]) -> None:
    client, _ = writable
    search(client, "bread")
    with ThreadPoolExecutor(24) as threads:
        answers = [threads.submit(client.get, "/api/search", params={"q": f"b{n % 7}read valle"}) for n in range(300)]
        while not all(each.done() for each in answers):
            assert client.get("/health/live").status_code == 200
    assert {each.result().status_code for each in answers} <= {200, 503}


def test_one_client_that_asks_very_much_does_not_keep_others_waiting() -> None:
    """Turns go round by client: who asks once comes before the second question of who asks a hundred times."""
    import asyncio

    async def order() -> list[str]:
        search, came = door.Search({"folder": "/nowhere"}, _never), list[str]()

        async def one(client: str) -> None:
            await search._take_turn(client)
            came.append(client)
            await asyncio.sleep(0)
            search._end_turn()

        await asyncio.gather(*(one("many") for _ in range(100)), one("few"))
        assert search._busy == 0
        return came

    came = asyncio.run(order())
    assert came.index("few") <= door.PROCESSES + 1
    assert len(came) == 101


async def _never() -> str:
    return ""


def test_one_client_may_not_fill_the_queue() -> None:
    import asyncio

    async def fill() -> None:
        search = door.Search({"folder": "/nowhere"}, _never)
        waiting = [asyncio.ensure_future(search._take_turn("many")) for _ in range(door.PROCESSES + door.WAITING // 2)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await search._take_turn("many")
        other = asyncio.ensure_future(search._take_turn("few"))
        await asyncio.sleep(0)
        waiting[-1].cancel()
        for _ in range(200):
            search._end_turn()
            await asyncio.sleep(0)
            if other.done():
                break
        assert other.done()
        for each in waiting:
            each.cancel()

    asyncio.run(fill())


def test_a_thing_with_very_many_quotations_is_found_once(tmp_path: Path) -> None:
    def said() -> Iterator[Quad]:
        where, rdf = graph("many"), "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
        for number in range(20_000):
            claim, quotation = entity("claim", f"c{number}"), entity("quotation", f"q{number}")
            yield Quad(claim, NamedNode(rdf + "subject"), entity("theme", "hub"), where)
            yield Quad(claim, NamedNode(rdf + "type"), sse("Claim"), where)
            yield Quad(claim, sse("evidence"), quotation, where)
            yield Quad(quotation, NamedNode(rdf + "type"), sse("Quotation"), where)
            yield Quad(quotation, NamedNode("http://www.w3.org/ns/oa#exact"), Literal(f"solidarity {number}"), where)
        yield Quad(entity("theme", "hub"), PREF_LABEL, Literal("Hub", language="en"), where)
        for number in range(20_000):  # and one quotation on which very many claims rest
            yield Quad(entity("claim", f"c{number}"), sse("evidence"), entity("quotation", "q0"), where)

    with EmbeddedStore(tmp_path / "store") as store:
        store.apply(Delta(frozenset(said())))
    building.bring_up(tmp_path / "store", building_source(tmp_path / "store"))
    with running(Settings(store=tmp_path / "store")) as url, httpx.Client(base_url=url, timeout=60) as client:
        for text in ("solidarity", "solidarity 0", "solidarity 17"):
            assert ends(search(client, text)) == ["theme/hub"]


def building_source(root: Path) -> Any:
    from kg_service.search.sources import EmbeddedSource

    return EmbeddedSource(root, union=True, memory=None)


def test_another_engines_graph_is_searched_at_its_revision(tmp_path: Path, shapes: Shapes) -> None:
    with oxigraph(tmp_path) as endpoint:
        quads = [quad for path in bulk.files_in([resources.folder("ontology"), VILLAGE]) for quad in bulk.read(path)]
        RemoteStore(endpoint).apply(Delta(added=frozenset(quads)))
        made = remote_settings(endpoint, tmp_path / "own", token="open sesame")
        with running(made) as url, httpx.Client(base_url=url, timeout=60) as client:
            found = search(client, "tejedoras")
            assert ends(found)[0] == "organisation/weavers"
            for number in range(3):
                generation = insert(client, f'<{ID}theme/bread> skos:note "Sorghum{number}"@en')
                found = search(client, f"sorghum{number}")
                assert (ends(found), found["meta"]["generation"]) == (["theme/bread"], generation)
            assert ends(search(client, "bakers and council"))[0] == "alliance/oven"


def test_an_engine_that_is_away_is_said(tmp_path: Path) -> None:
    made = Settings.model_validate({"query_url": "http://127.0.0.1:9/query", "engine_folder": tmp_path / "own"})
    with running(made) as url:
        answer = httpx.get(f"{url}/api/search", params={"q": "bread"}, timeout=60)
    assert answer.status_code == 503
    assert "cannot be reached" in answer.json()["detail"]


def test_the_search_is_described(client: httpx.Client) -> None:
    described = client.get("/openapi.json").json()["paths"]["/api/search"]["get"]
    assert [each["name"] for each in described["parameters"]] == [
        *("q", "type", "lang", "theme", "sdg", "country", "year", "document", "language", "certainty"),
        *("facets", "format", "limit", "offset"),
    ]
    assert json.dumps(described["responses"]["200"])


def test_what_is_found_is_written_as_a_table(client: httpx.Client) -> None:
    told = client.get("/api/search", params={"q": "fair"}).json()
    answer = client.get("/api/search", params={"q": "fair", "format": "csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["iri"] for row in rows] == [each["iri"] for each in told["data"]]
    assert rows[0]["text"] == "".join(piece["text"] for piece in told["data"][0]["snippet"])
    again = client.get("/api/search?q=fair&format=csv", headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304
    assert client.get("/api/search?q=fair&format=xls").status_code == 422
