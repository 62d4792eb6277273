"""What strangers send is validated by a few processes that have the shapes compiled, and nothing of it is stored.

The first is started when the first document comes; each does one document at a time, at a lower priority than
queries, and is ended and replaced when it fails, takes too long or its client leaves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from kg_service.errors import Busy, TooLarge, TooSlow, from_problem
from kg_service.store.children import Child, Ended
from kg_service.store.scratch import Scratch

#: Who comes when so many wait for each process is told to come later.
_WAITING = 8
#: Longest that a process may take to compile the shapes.
_START_SECONDS = 60
#: Files with the times of their last change.
_Files: TypeAlias = tuple[tuple[str, int], ...]
#: A process that has read more than this is not kept: what it took does not all come back.
_LARGE = 1 * 2**20


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a document is to be judged, and how the report is to be written.

    `format` and `answer` are short names of RDF formats (`rdf.Format.name`); `answer` may be `json` for plain data.
    `with_graph` judges it together with what is published: results at the document's subjects, and those that it
    brings elsewhere.
    """

    format: str
    base: str
    answer: str = "json"
    with_graph: bool = True
    language: str = "en"
    limit: int = 1000


class Judges:
    """At most `size` processes, each with so much memory for a document, and so many seconds.

    `shapes` names the files of the shapes in force; when they change, processes that know the old ones are replaced.
    """

    def __init__(
        self,
        root: Path,
        shapes: Callable[[], Sequence[Path]],
        *,
        size: int,
        memory: int,
        seconds: float,
        queue_seconds: float,
    ) -> None:
        self._root, self._shapes, self._memory, self._seconds = root, shapes, memory, seconds
        self._size, self._queue_seconds = size, queue_seconds
        self._turns = asyncio.Semaphore(size)
        self._waiting = 0
        self._idle: list[_Judge] = []
        self._all: set[_Judge] = set()

    async def report(self, how: Judgement, body: bytes) -> tuple[int, bytes]:
        """The generation judged with (0 for none) and the report.

        Raises what parsing raises, Busy, TooLarge (memory), and TooSlow at the deadline.
        """
        if self._waiting >= _WAITING * self._size:
            raise Busy("too many documents wait to be validated; try again later")
        self._waiting += 1
        try:
            await asyncio.wait_for(self._turns.acquire(), self._queue_seconds)
        except TimeoutError:
            raise Busy(f"no validation could begin within {self._queue_seconds:g} s; try again later") from None
        finally:
            self._waiting -= 1
        judge = None
        is_clean = False
        try:
            async with asyncio.timeout(self._seconds):
                judge = await self._next()
                generation, found, problem = await judge.judged(how, body)
            is_clean = len(body) <= _LARGE
            if problem:
                raise from_problem(json.loads(problem))
            return generation, found
        except Ended:
            raise TooLarge("validating this needs more memory or nesting than one request may have") from None
        except TimeoutError:
            raise TooSlow(
                f"validating took longer than {self._seconds:g} s; send less", seconds=self._seconds
            ) from None
        finally:
            if judge and is_clean:
                self._idle.append(judge)
            elif judge:
                self._all.discard(judge)
                await asyncio.shield(asyncio.ensure_future(judge.end()))
            self._turns.release()

    async def _next(self) -> _Judge:
        while self._idle:
            judge = self._idle.pop()
            if judge.child.is_alive and judge.shapes == self._in_force():
                return judge
            self._all.discard(judge)
            await judge.end()
        starting = asyncio.ensure_future(self._started())
        try:
            return await asyncio.shield(starting)
        except asyncio.CancelledError:  # the client left; the next one finds the process warm
            starting.add_done_callback(self._keep)
            raise

    def _keep(self, starting: asyncio.Future[_Judge]) -> None:
        if not starting.cancelled() and starting.exception() is None:
            self._idle.append(starting.result())

    def _in_force(self) -> _Files:
        return tuple((str(path), path.stat().st_mtime_ns) for path in self._shapes())

    async def _started(self) -> _Judge:
        """A process that has compiled the shapes."""
        shapes = self._in_force()
        self._root.mkdir(parents=True, exist_ok=True)
        own = Scratch(self._root)  # beside the store, because its files are linked
        judge: _Judge | None = None
        try:
            files = json.dumps([path for path, _ in shapes])
            child = await Child.start("kg_service.shacl.judge", self._root, own.path, files, self._memory)
            judge = _Judge(child, own, shapes)
            self._all.add(judge)
            async with asyncio.timeout(_START_SECONDS):
                await child.hear()
        except BaseException:
            if judge:
                self._all.discard(judge)
                await judge.end()
            own.close()
            raise
        return judge

    async def close(self) -> None:
        """Ends every process."""
        ending, self._all = self._all, set()
        await asyncio.gather(*(judge.end() for judge in ending))


@dataclass(frozen=True, eq=False)
class _Judge:
    child: Child
    own: Scratch
    shapes: _Files

    async def judged(self, how: Judgement, body: bytes) -> tuple[int, bytes, bytes]:
        """Generation, report and problem; one of the last two is empty."""
        self.child.ask(asdict(how), body)
        generation, report = 0, bytearray()
        while True:
            kind, payload = await self.child.hear()
            if kind == b"E":
                return generation, bytes(report), b""
            if kind == b"X":
                return generation, b"", payload
            if kind == b"H":
                generation = int(json.loads(payload)["generation"])
            else:
                report += payload

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            await self.child.end()
        await asyncio.to_thread(self.own.close)
