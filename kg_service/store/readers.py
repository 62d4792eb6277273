"""The pool of reader processes: one query at a time each, ended at the deadline and replaced.

An answer is given out whole when it is finished and small. A larger one is streamed; when it cannot be finished the
stream raises, so that a short answer is never taken for a complete one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from dataclasses import asdict
from pathlib import Path

from kg_service.errors import Busy, QueryStopped, from_problem
from kg_service.store import Answer, Query, generations
from kg_service.store.reader import HEADER

#: Answers up to this many bytes are held back until they are complete.
WHOLE = 1 * 2**20


class _Ended(Exception):
    """The reader process ended before it had answered."""


class _Reader:
    """One reader process, seen from the service."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, root: Path, memory: int) -> _Reader:
        process = await asyncio.create_subprocess_exec(
            *(
                sys.executable,
                "-m",
                "kg_service.store.reader",
                str(root),
                str(os.getpid()),
                str(memory),
            ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=os.environ | {"MALLOC_ARENA_MAX": "2"},  # an arena a thread would take the address space away
        )
        return cls(process)

    async def ask(self, job: dict[str, object]) -> None:
        assert self._process.stdin
        payload = json.dumps(job).encode()
        with contextlib.suppress(ConnectionError):  # a dead reader shows at the next `hear`
            self._process.stdin.write(HEADER.pack(b"Q", len(payload)) + payload)
            await self._process.stdin.drain()

    async def hear(self) -> tuple[bytes, bytes]:
        """The next frame; _Ended when the process has ended instead."""
        assert self._process.stdout
        try:
            kind, length = HEADER.unpack(await self._process.stdout.readexactly(HEADER.size))
            return kind, await self._process.stdout.readexactly(length)
        except asyncio.IncompleteReadError:
            raise _Ended from None

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def end(self) -> None:
        # Through the transport: `Process.wait` alone never returns while unread output is held back in a full pipe.
        self._process._transport.close()  # type: ignore[attr-defined]
        await self._process.wait()


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
        self._idle: asyncio.Queue[_Reader] = asyncio.Queue()
        self._turns = asyncio.Semaphore(size)
        self._all: set[_Reader] = set()
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
        reader = await _Reader.start(self.root, self._memory)
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
                    return Answer(int(generation), how.decode(), parts=_joined(bytes(held), frames))
            return Answer(int(generation), how.decode(), whole=bytes(held))
        except BaseException:
            await frames.aclose()
            raise

    async def _frames(self, query: Query) -> AsyncGenerator[tuple[int, bytes], None]:
        """First (generation, format name), then (0, data) until the end; gives the reader back in every case."""
        reader, is_clean = None, False
        deadline = asyncio.get_running_loop().time() + query.seconds
        try:
            async with asyncio.timeout_at(deadline):
                reader = await self._next_idle()
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
        except _Ended:
            raise QueryStopped(
                "the service is stopping; try again later"
                if self._closed
                else "the query ended its reader process: it needs more memory or nesting than one query may have"
            ) from None
        except TimeoutError:
            raise QueryStopped(
                f"the query took longer than {query.seconds:g} s; ask for less, or add a LIMIT",
                seconds=query.seconds,
            ) from None
        finally:
            self._turns.release()
            if reader is not None:
                self._give_back(reader, is_clean)

    async def _asked(self, reader: _Reader, query: Query) -> tuple[int, bytes, bytes]:
        """Sends the query and hears the first frame; asks again when the generation was replaced meanwhile."""
        job = asdict(query) | {"max_bytes": self._max_bytes}
        while True:
            generation = self.generation
            await reader.ask(job | {"generation": generation})
            kind, payload = await reader.hear()
            if kind == b"X" and isinstance(from_problem(json.loads(payload)), generations.Gone):
                await asyncio.sleep(0.001)
                continue
            return generation, kind, payload

    async def _next_idle(self) -> _Reader:
        while True:
            reader = await self._idle.get()
            if reader.is_alive:
                return reader
            self._all.discard(reader)
            self._replace()

    def _give_back(self, reader: _Reader, is_clean: bool) -> None:
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


async def _joined(first: bytes, frames: AsyncGenerator[tuple[int, bytes], None]) -> AsyncIterator[bytes]:
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
