"""Rows on their way from the store to a process that measures: files, kept while what is published stays the same."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

from kg_service import beside
from kg_service.errors import Busy, TooLarge
from kg_service.network.earlier import Earlier
from kg_service.store import Query, Reads
from kg_service.store.scratch import Scratch

#: Bytes of all files that are kept.
_MOST_BYTES = 2 * 2**30
_EARLIER = "earlier "
#: How often it is tried to read a state before another one takes its place.
_ATTEMPTS = 5


class RowFiles:
    """Answers to queries as CSV files; each query of a state of the store is asked once.

    A file that is no longer kept is deleted; a process that reads it goes on reading. What is published meanwhile takes
    no file away from who was given it within so many seconds: he may have others to wait for before he opens it.
    """

    def __init__(self, folder: Path, reads: Reads, rows: int, earlier: Earlier, seconds: float) -> None:
        self._folder, self._reads, self._rows, self.earlier = folder, reads, rows, earlier
        self._seconds = seconds
        self._own: Scratch | None = None
        self._files: OrderedDict[tuple[str, str], asyncio.Task[tuple[Path, int, int]]] = OrderedDict()
        self._given: dict[tuple[str, str], float] = {}  # when, by the clock of `time.monotonic`
        self._number = 0

    def state(self) -> str:
        """What changes when something else is published."""
        return str(getattr(self._reads, "state", self._reads.generation))

    async def reads(self, generation: int | None) -> Reads:
        """Who answers questions about an earlier generation, or the present one for None."""
        return self._reads if generation is None else await self.earlier.reads(generation)

    async def file(self, query: Query, generation: int | None = None) -> tuple[Path, int]:
        """The file with the answer to a query, and the generation that it was read from.

        Where something else is published meanwhile, or is only then heard of, it is asked again; Busy when that is so
        every time.
        """
        for _ in range(_ATTEMPTS):
            state = self.state() if generation is None else f"{_EARLIER}{generation}"
            key = (state, query.text)
            task = self._files.get(key)
            if task is None or (task.done() and (task.cancelled() or task.exception())):
                task = self._files[key] = beside.begun(self._written(query, generation))
            self._files.move_to_end(key)
            path, number, _ = await asyncio.shield(task)
            if key in self._files:
                self._given[key] = time.monotonic()
            self._forget(self.state())
            if path.exists():
                return path, number
        raise Busy("the graph changes faster than a network of it can be read; try again later", retry_after=5)

    async def _written(self, query: Query, generation: int | None) -> tuple[Path, int, int]:
        if self._own is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._own = Scratch(self._folder, "rows-")
        self._number += 1
        path, size = self._own.path / f"{self._number}.csv", 0
        try:
            reads = await self.reads(generation)
            answer = await reads.answer(replace(query, most_rows=self._rows, most_bytes=_MOST_BYTES))
            with path.open("wb") as file:
                if answer.whole is not None:
                    size += file.write(answer.whole)
                elif answer.parts is not None:
                    async for part in answer.parts:
                        size += await asyncio.to_thread(file.write, part)
        except BaseException as problem:  # no space is left, say, which a part of an answer must not take
            path.unlink(missing_ok=True)
            if not isinstance(problem, TooLarge):
                raise
            why = problem.detail.partition(";")[0]
            raise TooLarge(f"the network is too large: {why}; filter it, or let KG_NETWORK_ROWS allow more") from None
        return path, answer.generation, size

    def _forget(self, state: str) -> None:
        """Deletes what was read from another state that was the present one, and the oldest when there is too much."""
        for key in [key for key, task in self._files.items() if task.done() and _failed(task)]:
            del self._files[key]
        done = {key: task.result() for key, task in self._files.items() if task.done()}
        since = time.monotonic() - self._seconds
        total = sum(size for _, _, size in done.values())
        for key, (path, _, size) in done.items():
            is_past = key[0] != state and not key[0].startswith(_EARLIER)
            if (is_past and self._given.get(key, since) <= since) or total > _MOST_BYTES:
                del self._files[key]
                self._given.pop(key, None)
                path.unlink(missing_ok=True)
                total -= size

    async def close(self) -> None:
        """Deletes every file."""
        for task in self._files.values():
            task.cancel()
        await asyncio.gather(*self._files.values(), return_exceptions=True)
        if self._own:
            await asyncio.to_thread(self._own.close)
        await self.earlier.close()


def _failed(task: asyncio.Task[tuple[Path, int, int]]) -> bool:
    return task.cancelled() or task.exception() is not None
