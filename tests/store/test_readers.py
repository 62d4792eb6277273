from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from pyoxigraph import Literal, NamedNode, Quad

from kg_service.errors import Busy, KgError, Malformed, NotAcceptable, QueryStopped, TooLarge
from kg_service.store import Delta, Query
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.readers import Readers

ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
ENDLESS_ROWS = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"


def numbers(low: int, high: int, graph: str = "g") -> Delta:
    quads = (
        Quad(NamedNode(f"urn:s{i}"), NamedNode("urn:p"), Literal(i), NamedNode(f"urn:{graph}"))
        for i in range(low, high)
    )
    return Delta(added=frozenset(quads))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("numbers") / "store"
    with EmbeddedStore(root) as store:
        store.apply(numbers(0, 300))
    return root


@asynccontextmanager
async def pool(root: Path, **options: Any) -> AsyncIterator[Readers]:
    defaults: dict[str, Any] = {"size": 2, "memory": 1 << 29, "max_bytes": 10**8, "queue_seconds": 10}
    readers = Readers(root, **(defaults | options))
    await readers.start()
    try:
        yield readers
    finally:
        await readers.close()


def run(root: Path, work: Callable[[Readers], Coroutine[None, None, None]], **options: Any) -> None:
    async def inside() -> None:
        async with pool(root, **options) as readers:
            await work(readers)

    asyncio.run(asyncio.wait_for(inside(), 60))


async def count(readers: Readers, text: str = "SELECT ?s { ?s ?p ?o }", **more: Any) -> int:
    answer = await readers.answer(Query(text, table="csv", **more))
    return (await answer.content()).count(b"\r\n") - 1


def test_an_answer_names_its_generation_and_format(root: Path) -> None:
    async def work(readers: Readers) -> None:
        answer = await readers.answer(Query("ASK {}"))
        assert (answer.generation, answer.format, answer.whole) == (1, "json", b'{"head":{},"boolean":true}')
        assert await count(readers) == 300

    run(root, work)


def test_a_query_past_its_deadline_is_stopped_and_the_pool_is_whole_again(root: Path) -> None:
    async def work(readers: Readers) -> None:
        for _ in range(4):
            started = time.monotonic()
            with pytest.raises(QueryStopped, match=r"longer than 0\.3 s"):
                await readers.answer(Query(ENDLESS, seconds=0.3))
            assert time.monotonic() - started < 3
        assert await count(readers) == 300

    run(root, work)


def test_a_long_answer_that_is_stopped_raises_after_its_first_part(root: Path) -> None:
    async def work(readers: Readers) -> None:
        answer = await readers.answer(Query(ENDLESS_ROWS, seconds=1))
        assert answer.whole is None
        with pytest.raises(QueryStopped):
            await answer.content()
        assert await count(readers) == 300

    run(root, work)


def test_an_answer_over_the_limit_of_bytes_is_refused(root: Path) -> None:
    async def work(readers: Readers) -> None:
        with pytest.raises(TooLarge, match="larger than 5000 bytes"):
            await (await readers.answer(Query("SELECT * { ?s ?p ?o }"))).content()
        assert await count(readers, "SELECT * { ?s ?p 7 }") == 1

    run(root, work, max_bytes=5000)


@pytest.mark.parametrize(
    "text",
    [
        "ASK " + "{" * 5000 + "}" * 5000,
        "SELECT (STRLEN(?x40) AS ?n) { BIND('aaaaaaaaaaaaaaaa' AS ?x0)"
        + "".join(f" BIND(CONCAT(?x{i},?x{i}) AS ?x{i + 1})" for i in range(40))
        + " }",
    ],
    ids=["nesting", "doubling"],
)
def test_a_text_that_breaks_the_engine_ends_one_reader_only(root: Path, text: str) -> None:
    async def work(readers: Readers) -> None:
        with pytest.raises(KgError):
            await readers.answer(Query(text, seconds=5))
        assert await count(readers) == 300

    run(root, work)


def test_errors_of_the_text_come_back_with_their_position(root: Path) -> None:
    async def work(readers: Readers) -> None:
        with pytest.raises(Malformed) as caught:
            await readers.answer(Query("SELECT ?s\nWHERE { ?s ?p "))
        assert caught.value.more["line"] == 2
        with pytest.raises(NotAcceptable, match="text/turtle"):
            await readers.answer(Query("CONSTRUCT WHERE { ?s ?p ?o }", graph=None))

    run(root, work)


def test_a_full_pool_says_busy_and_serves_again(root: Path) -> None:
    async def work(readers: Readers) -> None:
        heavy = [asyncio.create_task(readers.answer(Query(ENDLESS, seconds=1.5))) for _ in range(2)]
        await asyncio.sleep(0.2)
        with pytest.raises(Busy, match=r"within 0\.3 s"):
            await readers.answer(Query("ASK {}"))
        await asyncio.gather(*heavy, return_exceptions=True)
        assert await count(readers) == 300

    run(root, work, queue_seconds=0.3)


def test_a_client_that_leaves_frees_its_reader(root: Path) -> None:
    async def work(readers: Readers) -> None:
        for _ in range(5):
            leaving = asyncio.create_task(readers.answer(Query(ENDLESS, seconds=60)))
            await asyncio.sleep(0.1)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
        assert await count(readers) == 300

    run(root, work)


def test_an_answer_that_is_not_read_to_its_end_frees_its_reader(root: Path) -> None:
    async def work(readers: Readers) -> None:
        for _ in range(3):
            answer = await readers.answer(Query(ENDLESS_ROWS, seconds=30))
            assert answer.parts
            await anext(answer.parts)
            await answer.parts.aclose()  # type: ignore[attr-defined]
        assert await count(readers) == 300

    run(root, work)


def test_queries_see_the_generation_published_last_and_only_whole_ones(tmp_path: Path) -> None:
    root = tmp_path / "s"

    async def work(readers: Readers) -> None:
        async def ask() -> None:
            while not done.is_set():
                assert await count(readers) % 100 == 0

        done = asyncio.Event()
        asking = [asyncio.create_task(ask()) for _ in range(2)]
        for batch in range(1, 15):
            await asyncio.to_thread(store.apply, numbers(batch * 100, batch * 100 + 100))
            assert await count(readers) == (batch + 1) * 100
        done.set()
        await asyncio.gather(*asking)

    with EmbeddedStore(root) as store:
        store.apply(numbers(0, 100))
        run(root, work, size=3)


def test_more_than_one_default_graph_is_their_merge(tmp_path: Path) -> None:
    root = tmp_path / "s"
    with EmbeddedStore(root) as store:
        for graph in "gh":
            store.apply(numbers(0, 10, graph))
        store.apply(numbers(10, 15, "k"))

    async def work(readers: Readers) -> None:
        assert await count(readers) == 15
        assert await count(readers, default_graphs=("urn:g",)) == 10
        assert await count(readers, default_graphs=("urn:g", "urn:h")) == 10
        assert await count(readers, default_graphs=("urn:g", "urn:k")) == 15
        assert await count(readers, named_graphs=("urn:g",)) == 0
        assert await count(readers, "SELECT * { GRAPH ?g { ?s ?p ?o } }", named_graphs=("urn:k",)) == 5
        assert await count(readers, "SELECT * { GRAPH ?g { ?s ?p ?o } }", default_graphs=("urn:g", "urn:h")) == 0

    run(root, work)


def test_closing_ends_every_process(root: Path) -> None:
    me = psutil.Process(os.getpid())
    others = set(me.children(recursive=True))  # a server of other tests may be running in this process

    async def inside() -> set[psutil.Process]:
        async with pool(root) as readers:
            stuck = asyncio.create_task(readers.answer(Query(ENDLESS, seconds=60)))
            await asyncio.sleep(0.2)
            started = set(me.children(recursive=True)) - others
            stuck.cancel()
        return started

    started = asyncio.run(inside())
    assert len(started) == 3
    assert not [process for process in started if process.is_running()]


def test_a_reader_ends_when_the_service_is_killed(root: Path) -> None:
    import subprocess
    import sys

    program = f"""
import asyncio
from pathlib import Path
from kg_service.store import Query
from kg_service.store.readers import Readers
async def main():
    readers = Readers(Path({str(root)!r}), size=1, memory=1 << 29, max_bytes=10**8, queue_seconds=9)
    await readers.start()
    print("ready", flush=True)
    await readers.answer(Query({ENDLESS!r}, seconds=60))
asyncio.run(main())
"""
    service = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert service.stdout
    assert service.stdout.readline() == "ready\n"
    time.sleep(0.3)
    readers = psutil.Process(service.pid).children(recursive=True)
    assert len(readers) == 2
    service.kill()
    service.wait()
    service.stdout.close()
    _, alive = psutil.wait_procs(readers, timeout=5)
    assert not alive
