"""The pool of reader processes: one query at a time each, ended at the deadline and replaced.

An answer is given out whole when it is finished and small. A larger one is streamed; when it cannot be finished the
stream raises, so that a short answer is never taken for a complete one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import asdict
from pathlib import Path

from kg_service.errors import Busy, QueryStopped, Refused, StoreDamaged, from_problem
from kg_service.store import Answer, Query, generations
from kg_service.store.children import Child, Ended

#: Answers up to this many bytes are held back until they are complete.
WHOLE = 1 * 2**20


class _Turn:
    """One query's hold on the pool, which ends at the deadline even when the client does not take what it asked for."""

    def __init__(self, pool: Readers, deadline: float) -> None:
        self._pool = pool
        self.reader: Child | None = None
        self._is_over = False
        self._alarm = asyncio.get_running_loop().call_at(deadline, self.end, False)

    def end(self, is_clean: bool) -> None:
        """Gives the turn and the reader back, each once."""
        self._alarm.cancel()
        reader, self.reader = self.reader, None
        if reader is not None:
            self._pool._give_back(reader, is_clean)
        if not self._is_over:
            self._is_over = True
            self._pool._turns.release()


def _too_slow(query: Query) -> QueryStopped:
    return QueryStopped(
        f"the query took longer than {query.seconds:g} s; ask for less, or add a LIMIT", seconds=query.seconds
    )


class Readers:
    """A pool of `size` reader processes on the store in `root`, with `spare` more kept warm to replace ended ones."""

    def __init__(
        self,
        root: Path,
        *,
        size: int,
        memory: int,
        max_bytes: int,
        queue_seconds: float,
        spare: int = 1,
    ) -> None:
        self.root = root
        self._processes, self._memory, self._max_bytes = size + spare, memory, max_bytes
        self._queue_seconds = queue_seconds
        self._idle: asyncio.Queue[Child] = asyncio.Queue()
        self._turns = asyncio.Semaphore(size)
        self._all: set[Child] = set()
        self._replacing: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def generation(self) -> int:
        """The number of the generation published now; 0 when there is none."""
        return generations.current(self.root)

    async def start(self) -> None:
        """Starts the processes; the first queries need not wait for them."""
        await asyncio.gather(*(self._add() for _ in range(self._processes)))

    async def _add(self) -> None:
        reader = await Child.start("kg_service.store.reader", self.root, self._memory)
        if self._closed:
            await reader.end()
            return
        self._all.add(reader)
        self._idle.put_nowait(reader)

    async def drain(self, seconds: float) -> None:
        """Lets running queries end within that time, then ends them; they raise QueryStopped."""
        until = asyncio.get_running_loop().time() + seconds
        while self._idle.qsize() < len(self._all) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.05)
        await self.close()

    async def close(self) -> None:
        """Ends every reader process."""
        self._closed = True
        await asyncio.gather(*self._replacing)
        ending, self._all = self._all, set()
        await asyncio.gather(*(reader.end() for reader in ending))

    async def answer(self, query: Query) -> Answer:
        """The answer to a query on the generation published now.

        Raises Malformed, NotAcceptable, TooLarge, Busy (no reader came free in time) and QueryStopped (deadline, or
        the query broke its reader). With `parts` in the answer, the reader is in use until they are read or closed.
        """
        try:
            await asyncio.wait_for(self._turns.acquire(), self._queue_seconds)
        except TimeoutError:
            raise Busy(f"no reader came free within {self._queue_seconds:g} s; try again later") from None
        frames = self._frames(query)
        try:
            generation, how = await anext(frames)
            held = bytearray()
            async for _, data in frames:
                held += data
                if len(held) > WHOLE:
                    return Answer(int(generation), how.decode(), parts=joined(bytes(held), frames))
            return Answer(int(generation), how.decode(), whole=bytes(held))
        except BaseException:
            await frames.aclose()
            raise

    async def _frames(self, query: Query) -> AsyncGenerator[tuple[int, bytes], None]:
        """First (generation, format name), then (0, data) until the end; gives the reader back in every case."""
        is_clean = False
        deadline = asyncio.get_running_loop().time() + query.seconds
        turn = _Turn(self, deadline)
        try:
            async with asyncio.timeout_at(deadline):
                reader = turn.reader = await self._next_idle()
                generation, kind, payload = await self._asked(reader, query)
            while kind != b"E":
                if kind == b"X":
                    is_clean = True
                    raise from_problem(json.loads(payload))
                if kind == b"H":
                    yield generation, json.loads(payload)["format"].encode()
                else:
                    yield 0, payload
                async with asyncio.timeout_at(deadline):
                    kind, payload = await reader.hear()
            is_clean = True
        except Ended:
            if self._closed:
                raise QueryStopped("the service is stopping; try again later") from None
            if asyncio.get_running_loop().time() >= deadline:
                raise _too_slow(query) from None
            raise Refused("the query needs more memory or nesting than one query may have") from None
        except TimeoutError:
            raise _too_slow(query) from None
        finally:
            turn.end(is_clean)

    async def _asked(self, reader: Child, query: Query) -> tuple[int, bytes, bytes]:
        """Sends the query and hears the first frame; asks again when the generation was replaced meanwhile."""
        job = asdict(query) | {"max_bytes": self._max_bytes}
        gone = -1
        while True:
            generation = self.generation
            if generation == gone:  # nobody published another meanwhile
                raise StoreDamaged(f"generation {generation} of {self.root} is not there; restore a backup")
            await reader.ask(job | {"generation": generation})
            kind, payload = await reader.hear()
            if kind != b"X" or not isinstance(from_problem(json.loads(payload)), generations.Gone):
                return generation, kind, payload
            gone = generation

    async def _next_idle(self) -> Child:
        while True:
            reader = await self._idle.get()
            if reader.is_alive:
                return reader
            self._all.discard(reader)
            self._replace()

    def _give_back(self, reader: Child, is_clean: bool) -> None:
        if self._closed:
            return
        if is_clean and reader.is_alive:
            self._idle.put_nowait(reader)
            return
        self._all.discard(reader)
        self._keep(reader.end())
        self._replace()

    def _replace(self) -> None:
        if not self._closed:
            self._keep(self._add())

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._replacing.add(task)
        task.add_done_callback(self._replacing.discard)


async def joined(first: bytes, frames: AsyncGenerator[tuple[int, bytes], None]) -> AsyncIterator[bytes]:
    """What was held back and the data of the frames after it; closes the frames in every case."""
    try:
        yield first
        async for _, data in frames:
            yield data
    finally:
        await frames.aclose()


async def answer_once(root: Path, query: Query, *, memory: int, max_bytes: int) -> tuple[str, bytes]:
    """One query in a reader of its own: the format's name and the whole answer."""
    readers = Readers(root, size=1, memory=memory, max_bytes=max_bytes, queue_seconds=query.seconds, spare=0)
    await readers.start()
    try:
        answer = await readers.answer(query)
        return answer.format, await answer.content()
    finally:
        await readers.close()
