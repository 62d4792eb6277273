"""The service's writer, without a service around it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kg_service.changes import Committed, Proposal, rules
from kg_service.changes.writer import Evaluated, Writer
from kg_service.errors import StoreDamaged, StoreError, StoreLocked, Violations
from kg_service.rdf import TRIG, TURTLE, parse_bytes
from kg_service.store import Delta, generations
from kg_service.store.embedded import EmbeddedStore
from tests.changes.stream import SHAPES


def adding(number: int) -> Delta:
    return Delta(frozenset(parse_bytes(f"<urn:g> {{ <urn:s{number}> <urn:p> {number} }}".encode(), TRIG)))


def proposal(number: int) -> Proposal:
    return Proposal(lambda _: adding(number))


def patiently(root: Path, seconds: float = 5.0) -> int:
    """Writes the store as another process does, waiting for its turn; the generation that it met."""
    until = time.monotonic() + seconds
    while True:
        try:
            with EmbeddedStore(root) as store:
                return store.generation
        except StoreLocked:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


async def closing(*writers: Writer) -> None:
    for writer in writers:
        await writer.close()


def test_a_damaged_store_is_told_to_who_writes_and_the_line_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        writer = Writer(tmp_path, union=True)
        assert (await writer.write(proposal(1))).generation == 1
        current = tmp_path / "current"
        current.write_text("nothing\n")

        async def evaluate() -> Evaluated:
            return Evaluated(adding(2), 1)

        with pytest.raises(StoreDamaged):
            await asyncio.wait_for(writer.write_evaluated(evaluate, Proposal(lambda _: Delta())), 10)
        current.write_text("1\n")
        done = await asyncio.wait_for(writer.write_evaluated(evaluate, Proposal(lambda _: Delta())), 10)
        assert (done.generation, done.change) == (2, 2)
        await closing(writer)

    asyncio.run(work())


@pytest.mark.parametrize("is_steady", [False, True])
def test_another_process_is_let_in(tmp_path: Path, is_steady: bool) -> None:
    """Also by a writer that never had a change, and by one that gets some all the time."""

    async def work() -> None:
        writer = Writer(tmp_path, union=True)
        assert await writer.between(lambda store: store.generation) == 0
        waiting = asyncio.create_task(asyncio.to_thread(patiently, tmp_path))
        number = 0
        while is_steady and not waiting.done():
            await writer.write(proposal(number := number + 1))
            await asyncio.sleep(0.3)
        assert await waiting <= number
        await closing(writer)

    asyncio.run(work())


def test_shapes_that_could_not_be_told_of_are_not_in_force(tmp_path: Path) -> None:
    strict, mild = list(parse_bytes(SHAPES, TURTLE)), list(parse_bytes(SHAPES.replace(b"99", b"200"), TURTLE))
    with EmbeddedStore(tmp_path) as store:
        for number, new in enumerate((strict, mild, None), 1):
            before = rules.state(tmp_path)
            (tmp_path / "generations" / str(number)).mkdir()  # where the next checkpoint cannot be written then
            with pytest.raises(StoreError):
                rules.adopt(store, new, Proposal(lambda _: Delta()), force=True)
            assert rules.state(tmp_path) == before
            rules.adopt(store, new, Proposal(lambda _: Delta()), force=True)
            assert rules.state(tmp_path) != before
            assert store.generation == number
        assert not list(tmp_path.glob("shapes.*"))


def test_shapes_that_another_process_put_in_force_are_in_force_here(tmp_path: Path) -> None:
    async def work() -> None:
        here, there = Writer(tmp_path, union=True), Writer(tmp_path, union=True)
        assert isinstance(await here.write(proposal(1)), Committed)
        report = await there.adopt(list(parse_bytes(SHAPES, TURTLE)), Proposal(lambda _: Delta()), force=False)
        assert not report.blocks
        with pytest.raises(Violations):
            await here.write(proposal(100))
        await closing(here, there)

    asyncio.run(work())


def test_a_writer_opens_the_store_again_while_somebody_holds_an_error_of_before(tmp_path: Path) -> None:
    errors: list[Exception] = []

    def failing(store: EmbeddedStore) -> None:
        known: Callable[[], object] = store.working.__len__
        known()
        raise StoreError("something else")

    async def work() -> None:
        writer = Writer(tmp_path, union=True)
        await writer.write(proposal(1))
        try:
            await writer.between(failing)
        except StoreError as error:
            errors.append(error)
        assert await asyncio.to_thread(patiently, tmp_path) == 1
        assert (await writer.write(proposal(2))).generation == 2
        await closing(writer)

    asyncio.run(work())
    assert generations.current(tmp_path) == 2
