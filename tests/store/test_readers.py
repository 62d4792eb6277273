from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvloop
from pyoxigraph import Literal, NamedNode, Quad

from kg_service.errors import Busy, KgError, Malformed, NotAcceptable, QueryStopped, TooLarge, TooMany, TooSlow
from kg_service.store import Answer, Delta, Query
from kg_service.store.children import Ended, Nursery
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.readers import Limits, Readers

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
    defaults: dict[str, Any] = {"memory": 1 << 29, "max_bytes": 10**8}
    readers = Readers(root, Limits(**(defaults | options)))
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


def lanes(readers: Readers) -> list[str]:
    return sorted(each.lane for each in readers.running())


async def until(readers: Readers, *wanted: str) -> None:
    async with asyncio.timeout(20):
        while lanes(readers) != sorted(wanted):
            await asyncio.sleep(0.01)


def start(readers: Readers, client: str, number: int = 1, seconds: float = 60) -> list[asyncio.Task[Answer]]:
    """Runaway queries of a client."""
    return [asyncio.create_task(readers.answer(Query(ENDLESS, client=client, seconds=seconds))) for _ in range(number)]


async def ended(tasks: list[asyncio.Task[Answer]]) -> list[BaseException | Answer]:
    """What became of them, ended now if they still run."""
    for task in tasks:
        task.cancel()
    return list(await asyncio.gather(*tasks, return_exceptions=True))


def test_light_queries_never_wait_for_heavy_ones(root: Path) -> None:
    async def work(readers: Readers) -> None:
        heavy = start(readers, "a", 4)
        await until(readers, "heavy", "heavy", "paused", "paused")
        times = []
        for number in range(100):
            began = time.monotonic()
            await readers.answer(Query("ASK {}", client="ab"[number % 2]))
            times.append(time.monotonic() - began)
        assert sorted(times)[98] < 0.25
        assert lanes(readers) == ["heavy", "heavy", "paused", "paused"]
        await ended(heavy)

    run(root, work)


def test_heavy_queries_take_turns_and_every_client_gets_one(root: Path) -> None:
    async def work(readers: Readers) -> None:
        crowd = start(readers, "crowd", 5)
        await until(readers, "heavy", *["paused"] * 4)
        # Longer than a moment, shorter than a slice: it would wait a minute behind the others.
        longer = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h 7 . FILTER(STRLEN(STR(?a)) != 99) }"
        answer = await readers.answer(Query(longer, table="csv", client="other", seconds=20))
        assert answer.whole == b"n\r\n90000\r\n"
        before = {each.query.id: each.cpu_seconds for each in readers.running()}
        await asyncio.sleep(4)
        used = [each.cpu_seconds - before[each.query.id] for each in readers.running()]
        assert len([seconds for seconds in used if seconds > 0]) >= 3  # of one place
        await ended(crowd)
        assert await count(readers) == 300

    run(root, work, readers=1, quick_seconds=0.02)


def test_a_reader_stopped_just_when_its_answer_came_goes_on_answering(root: Path) -> None:
    async def work(readers: Readers) -> None:
        long = Query(ENDLESS, seconds=30)
        running = asyncio.ensure_future(readers.answer(long))
        while not readers.running() or readers.running()[0].lane != "heavy":
            await asyncio.sleep(0.01)
        short = asyncio.ensure_future(count(readers))
        while len(readers.running()) < 2 or readers.running()[1].lane != "quick":
            await asyncio.sleep(0)
        time.sleep(0.2)  # meanwhile its answer comes and its time in the quick lane ends; both are seen at once
        assert await short == 300
        assert readers.end(long.id, QueryStopped("enough"))
        with pytest.raises(QueryStopped, match="enough"):
            await running
        processes = psutil.Process().children(recursive=True)
        assert [each for each in processes if each.status() == psutil.STATUS_STOPPED] == []

    run(root, work, readers=1, quick_seconds=0.1)


def test_too_many_heavy_queries_are_refused_by_who_asks_them(root: Path) -> None:
    async def work(readers: Readers) -> None:
        first = start(readers, "a", 2)
        await until(readers, "heavy", "paused")
        with pytest.raises(TooMany, match="too many of your long queries") as caught:
            await readers.answer(Query(ENDLESS, client="a"))
        assert 1 <= caught.value.more["retry_after"] <= 60
        second = start(readers, "b")
        await until(readers, "heavy", "paused", "paused")
        with pytest.raises(Busy, match="too many long queries") as full:
            await readers.answer(Query(ENDLESS, client="c"))
        assert 1 <= full.value.more["retry_after"] <= 60
        assert await count(readers, client="a") == 300
        await ended([*first, *second])
        assert await count(readers) == 300

    run(root, work, readers=1, paused=2, quick_seconds=0.05)


def test_the_deadline_of_a_paused_query_is_that_of_every_other(root: Path) -> None:
    async def work(readers: Readers) -> None:
        began = time.monotonic()
        results = await asyncio.gather(*start(readers, "a", 4, seconds=1), return_exceptions=True)
        assert time.monotonic() - began < 4
        assert [type(each) for each in results] == [TooSlow] * 4
        assert await count(readers) == 300
        assert not readers.running()

    run(root, work, readers=1, quick_seconds=0.02)


def test_a_client_that_used_its_seconds_is_refused_and_no_other(root: Path) -> None:
    async def work(readers: Readers) -> None:
        while True:  # a machine at work may give a query less time than it took
            results = await asyncio.gather(*start(readers, "a", seconds=0.6), return_exceptions=True)
            assert await count(readers, client="b") == 300
            if isinstance(results[0], TooMany):
                break
        with pytest.raises(TooMany, match=r"its 0\.4 seconds of engine time") as caught:
            await readers.answer(Query("ASK {}", client="a"))
        assert caught.value.more["retry_after"] >= 1
        assert await count(readers, client="b") == 300

    run(root, work, client_seconds=0.4)


def test_a_running_query_is_listed_and_can_be_ended(root: Path) -> None:
    async def work(readers: Readers) -> None:
        (task,) = start(readers, "a")
        await until(readers, "heavy")
        await asyncio.sleep(0.3)
        (running,) = readers.running()
        assert (running.query.text, running.query.client) == (ENDLESS, "a")
        assert running.seconds > 0.3
        assert running.cpu_seconds > 0
        assert not readers.end("unknown", QueryStopped("no"))
        assert readers.end(running.query.id, QueryStopped("an operator ended it"))
        with pytest.raises(QueryStopped, match="an operator ended it"):
            await task
        assert not readers.running()
        assert await count(readers) == 300

    run(root, work)


def test_a_queue_that_is_full_or_slow_says_when_to_come_again(root: Path) -> None:
    async def work(readers: Readers) -> None:
        slow = start(readers, "a", 6)
        await until(readers, "quick", "waiting", "waiting")
        assert [type(each) for each in await ended(slow)].count(TooMany) == 3
        slow = start(readers, "a")
        await until(readers, "quick")
        with pytest.raises(Busy, match=r"within 0\.5 s") as caught:
            await readers.answer(Query("ASK {}", client="b"))
        assert caught.value.more["retry_after"] == 1
        await ended(slow)

    run(root, work, readers=1, quick_seconds=30, queue=4, queue_seconds=0.5)


@pytest.mark.parametrize("size", [10, 300])
@pytest.mark.parametrize("table", ["json", "xml", "csv", "tsv"])
def test_an_answer_with_too_many_rows_is_refused(root: Path, table: str, size: int) -> None:
    text = 'SELECT ?s (CONCAT("},{[{", STR(?o), "\\"\\r\\n<result>\\\\") AS ?x) ?none { ?s ?p ?o }'

    async def work(readers: Readers) -> None:
        assert (await readers.answer(Query(f"{text} LIMIT {size}", table=table))).whole
        if size < 300:
            with pytest.raises(TooLarge, match=f"more than {size} rows"):
                await readers.answer(Query(f"{text} LIMIT {size + 1}", table=table))
            with pytest.raises(TooLarge, match=f"more than {size} rows"):
                await readers.answer(Query(f"SELECT ?none {{ ?s ?p ?o }} LIMIT {size + 1}", table=table))

    run(root, work, max_rows=size, readers=1)


def test_a_graph_with_too_many_triples_is_refused(root: Path) -> None:
    async def work(readers: Readers) -> None:
        assert (await readers.answer(Query("CONSTRUCT { ?s ?p 1 } { ?s ?p ?o } LIMIT 10"))).whole
        with pytest.raises(TooLarge, match="more than 10 triples"):
            await readers.answer(Query("CONSTRUCT WHERE { ?s ?p ?o }"))
        assert (await readers.answer(Query("CONSTRUCT { <urn:a> <urn:b> 1 } { ?s ?p ?o }"))).whole  # one triple

    run(root, work, max_rows=10, readers=1)


@pytest.mark.parametrize("when", ["idle", "at work"])
def test_a_reader_that_others_kill_is_replaced_and_its_query_asked_again(root: Path, when: str) -> None:
    longer = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h 7 . FILTER(STRLEN(STR(?a)) != 99) }"

    async def work(readers: Readers) -> None:
        await asyncio.sleep(0.3)
        text = longer if when == "at work" else "ASK {}"
        task = asyncio.create_task(readers.answer(Query(text, table="csv", boolean="csv")))
        if when == "at work":
            await until(readers, "quick")
        else:
            await task
        for child in list(readers._all):
            os.kill(child.pid, signal.SIGKILL)
        assert (await task).whole == (b"n\r\n90000\r\n" if when == "at work" else b"true")
        assert await count(readers) == 300

    run(root, work, readers=1)


def test_readers_born_of_one_process_draw_different_random_values(root: Path) -> None:
    async def work(readers: Readers) -> None:
        text = "SELECT (CONCAT(STRUUID(), STR(RAND())) AS ?x) { ?a ?b ?c . ?d ?e ?f } LIMIT 1"
        await asyncio.sleep(0.3)
        answers = await asyncio.gather(*(readers.answer(Query(text, table="csv")) for _ in range(6)))
        assert len({answer.whole for answer in answers}) == 6

    run(root, work, readers=3)


def test_a_service_clause_that_the_guard_did_not_see_reaches_nobody(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.5)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/"

        async def work(readers: Readers) -> None:
            with pytest.raises(KgError):
                await readers.answer(Query(f"SELECT * {{ SERVICE <{address}> {{ ?s ?p ?o }} }}", seconds=5))
            silent = await readers.answer(Query(f"ASK {{ SERVICE SILENT <{address}> {{ ?s ?p ?o }} }}", seconds=5))
            assert silent.whole

        run(root, work)
        with pytest.raises(TimeoutError):
            listening.accept()


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
        run(root, work, readers=3)


def test_what_is_asked_as_long_as_it_lasts_is_of_one_generation(tmp_path: Path) -> None:
    async def work(readers: Readers) -> None:
        async def asked(ask: Callable[[Query], Awaitable[Answer]]) -> tuple[int, int]:
            answer = await ask(Query("SELECT ?s { ?s ?p ?o }", table="csv"))
            return answer.generation, (await answer.content()).count(b"\r\n") - 1

        with readers.still() as ask:
            before = await asked(ask)
            for number in range(10, 15):
                await asyncio.to_thread(store.apply, numbers(number, number + 1))
                assert await asked(ask) == before == (1, 10)
                assert await asked(readers.answer) == (readers.generation, number + 1)

    with EmbeddedStore(tmp_path / "store") as store:
        store.apply(numbers(0, 10))
        run(tmp_path / "store", work)


def test_a_client_that_leaves_just_when_a_reader_comes_free_gets_none(root: Path) -> None:
    async def work(readers: Readers) -> None:
        long = Query(ENDLESS, seconds=30)
        running = asyncio.ensure_future(readers.answer(long))
        while not readers.running() or readers.running()[0].lane != "quick":
            await asyncio.sleep(0.01)
        leaving, waiting = (asyncio.ensure_future(count(readers)) for _ in range(2))
        await asyncio.sleep(0.05)
        leaving.cancel()
        assert readers.end(long.id, QueryStopped("enough"))
        with pytest.raises(QueryStopped, match="enough"):
            await running
        assert await waiting == 300
        assert not readers.running()

    run(root, work, readers=1, quick_seconds=30)


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
    assert len(started) >= 4  # three readers or more, and the process that they are made of
    _, alive = psutil.wait_procs(list(started), timeout=2)
    assert not alive


def test_a_reader_ends_when_the_service_is_killed(root: Path) -> None:
    import subprocess
    import sys

    program = f"""
import asyncio
from pathlib import Path
from kg_service.store import Query
from kg_service.store.readers import Readers
async def main():
    readers = Readers(Path({str(root)!r}))
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
    assert len(readers) >= 4
    service.kill()
    service.wait()
    service.stdout.close()
    _, alive = psutil.wait_procs(readers, timeout=5)
    assert not alive


def test_who_asks_a_reader_that_has_ended_hears_so(tmp_path: Path) -> None:
    async def asked() -> None:
        nursery = Nursery("kg_service.store.reader", tmp_path, 2**30)
        child = await nursery.child()
        await child.end()
        child.ask({"text": "ASK {}"})
        with pytest.raises(Ended):
            await child.hear()
        await nursery.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the service's own
        runner.run(asked())


def test_a_generation_that_cannot_be_opened_leaves_the_limit_of_memory(tmp_path: Path) -> None:
    import subprocess
    import sys

    with EmbeddedStore(tmp_path) as store:
        store.apply(numbers(0, 3))
    (tmp_path / "generations" / "2").mkdir()
    (tmp_path / "generations" / "2.lease").touch()
    program = f"""if True:
        import resource
        from pathlib import Path
        from kg_service.errors import StoreError
        from kg_service.store.reader import OpenGeneration

        opened = OpenGeneration(Path({str(tmp_path)!r}), 2**30)
        for generation in (1, 2):
            try:
                opened.at(generation)
            except StoreError:
                print(opened.generation, resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1 True\n", done.stderr
