from __future__ import annotations

import asyncio
from pathlib import Path

from kg_service.store import Query
from kg_service.store.cache import CachedReads
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.readers import Limits, Readers
from tests.store.test_readers import numbers

COUNT = "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"


def reads(root: Path, max_bytes: int) -> CachedReads:
    return CachedReads(Readers(root, Limits(readers=1)), max_bytes)


def test_the_same_question_is_answered_from_the_cache_until_the_next_generation(tmp_path: Path) -> None:
    async def work() -> None:
        cached = reads(tmp_path / "s", 10**6)
        await cached.start()
        first = await cached.answer(Query(COUNT))
        again = await cached.answer(Query(COUNT, seconds=7))
        other = await cached.answer(Query(COUNT, table="csv"))
        assert again is first
        assert (cached.counters.hits, cached.counters.misses) == (1, 2)
        assert first.etag
        assert first.etag != other.etag
        assert first.etag.startswith('"1-')
        store.apply(numbers(5, 9))
        later = await cached.answer(Query(COUNT))
        assert (later.generation, b'"9"' in (later.whole or b"")) == (2, True)
        await cached.close()

    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(numbers(0, 5))
        asyncio.run(work())


def test_varying_and_large_answers_are_not_kept_and_old_ones_leave(tmp_path: Path) -> None:
    async def work() -> None:
        cached = reads(tmp_path / "s", 4000)
        await cached.start()
        for text in ("SELECT (RAND() AS ?x) {}", "SELECT (now() AS ?x) {}", "SELECT * { ?s ?p ?o }"):
            for _ in range(2):
                await cached.answer(Query(text))
        assert cached.counters.hits == 0
        for number in range(100):
            await cached.answer(Query(f"SELECT ({number} AS ?x) {{}}"))
        await cached.answer(Query("SELECT (99 AS ?x) {}"))
        assert cached.counters.hits == 1
        await cached.answer(Query("SELECT (0 AS ?x) {}"))
        assert cached.counters.hits == 1
        await cached.close()

    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(numbers(0, 50))
        asyncio.run(work())
