"""Measuring as jobs: one process each, which can be ended; what is finished is kept for who asks the same again.

The same job asked for twice while it runs is one job. A job whose asker has gone is finished all the same, because it
may be asked for by its id.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from kg_service import tracing
from kg_service.errors import Busy, KgError, NotFound, QueryStopped, TooLarge, TooMany, TooSlow, from_problem
from kg_service.store.children import Child, Ended

#: Jobs that may wait for a process, and jobs that are remembered when they are over.
_WAITING, _REMEMBERED = 32, 200
#: Longest that a process may take to load what it computes with.
_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Finished:
    """An answer: its media type, the generation that it is of, and the bytes."""

    media_type: str
    generation: int
    data: bytes


@dataclass(slots=True, eq=False)
class Job:
    """What is, or was, to be done; `state` is waiting, running, done, failed or cancelled."""

    key: str
    what: str
    address: str
    client: str = ""
    id: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: str = "waiting"
    part: float = 0.0
    doing: str = ""
    asked: float = field(default_factory=time.time)
    began: float | None = None
    ended: float | None = None
    problem: KgError | None = None
    finished: Finished | None = None
    task: asyncio.Task[None] | None = None
    child: Child | None = None

    @property
    def is_over(self) -> bool:
        return self.state in ("done", "failed", "cancelled")


#: Makes the files of a job: the generation, and what the process is told.
Prepare = Callable[[], Awaitable[tuple[int, dict[str, Any]]]]


class Jobs:
    """At most `size` processes, each with so much memory and seconds for a job; keeps `keep` bytes of answers."""

    def __init__(self, *, size: int, memory: int, seconds: float, keep: int) -> None:
        self._size, self._memory, self._seconds, self._keep = size, memory, seconds, keep
        self._turns = asyncio.Semaphore(size)
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._running: dict[str, Job] = {}
        self._kept: OrderedDict[str, Finished] = OrderedDict()
        self._bytes = 0
        #: Whether the service was told to stop: who watches a job need not be waited for.
        self.is_ending = False

    def kept(self, key: str) -> Finished | None:
        """The answer to a job that was finished before, if it is here."""
        found = self._kept.get(key)
        if found:
            self._kept.move_to_end(key)
        return found

    def start(self, key: str, what: str, address: str, prepare: Prepare, client: str = "") -> Job:
        """The job of that key: the one that runs, else a new one. `address` is where its answer will be found.

        Busy when too many wait, TooMany when half of them are this client's.
        """
        running = self._running.get(key)
        if running:
            return running
        if len(self._running) >= _WAITING:
            raise Busy("too many networks wait to be measured; try again later", retry_after=5)
        if client and sum(each.client == client for each in self._running.values()) >= _WAITING // 2:
            raise TooMany("too many of your networks wait to be measured; try again later", retry_after=5)
        job = Job(key, what, address, client)
        self._running[key] = self._jobs[job.id] = job
        over = [old for old in self._jobs.values() if old.is_over]
        for old in over[: max(0, len(self._jobs) - _REMEMBERED)]:
            del self._jobs[old.id]
        job.task = asyncio.create_task(self._run(job, prepare))
        return job

    def job(self, job_id: str) -> Job:
        """The job of that id; NotFound when there is none, or not any more."""
        job = self._jobs.get(job_id)
        if job is None:
            raise NotFound("there is no such job, or it ended long ago; ask for the network again")
        return job

    def every(self) -> list[Job]:
        """The jobs that are remembered, the newest first."""
        return list(self._jobs.values())[::-1]

    async def wait(self, job: Job, seconds: float) -> bool:
        """Whether the job is over within some seconds."""
        if job.task and not job.is_over:
            await asyncio.wait({job.task}, timeout=seconds)
        return job.is_over

    def cancel(self, job: Job) -> None:
        """Ends a job at once; what is over stays as it is."""
        if job.is_over:
            return
        self._end(job, "cancelled", QueryStopped("the job was cancelled"))
        if job.task:
            job.task.cancel()

    def _end(self, job: Job, state: str, problem: KgError | None = None) -> None:
        job.state, job.problem, job.ended = state, problem, time.time()
        self._running.pop(job.key, None)

    async def _run(self, job: Job, prepare: Prepare) -> None:
        with tracing.current().inner("job", {"kg.job": job.what}) as span:
            await self._done(job, prepare)
            span.end(job.problem, {"kg.job.state": job.state})

    async def _done(self, job: Job, prepare: Prepare) -> None:
        """Does a job, in its turn; what becomes of it is in the job."""
        try:
            async with asyncio.timeout(self._seconds), self._turns:
                job.state, job.began, job.doing = "running", time.time(), "asking the store"
                generation, told = await prepare()
                media_type, data = await self._computed(job, told)
                job.finished = Finished(media_type, generation, data)
                self._remember(job.key, job.finished)
                self._end(job, "done")
                job.part = 1.0
        except KgError as problem:
            self._end(job, "failed", problem)
        except Ended:
            self._end(job, "failed", TooLarge("measuring this needs more memory than one network may take; filter it"))
        except TimeoutError:
            seconds = self._seconds
            self._end(job, "failed", TooSlow(f"it took longer than {seconds:g} s; filter the network", seconds=seconds))
        except asyncio.CancelledError:
            self._end(job, "cancelled", QueryStopped("the job was cancelled"))
        except Exception as error:  # of ours; whoever waits for the job must hear of it
            self._end(job, "failed", KgError(f"the network could not be measured: {error!r}"))

    def _remember(self, key: str, finished: Finished) -> None:
        if len(finished.data) > self._keep // 4:
            return
        self._kept[key] = finished
        self._bytes += len(finished.data)
        while self._bytes > self._keep:
            self._bytes -= len(self._kept.popitem(last=False)[1].data)

    async def _computed(self, job: Job, told: dict[str, Any]) -> tuple[str, bytes]:
        child = await self._next()
        is_clean = False
        job.child = child
        try:
            child.ask(told)
            media_type, data = "", bytearray()
            while True:
                kind, payload = await child.hear()
                if kind == b"P":
                    progress = json.loads(payload)
                    job.part, job.doing = progress["part"], progress["what"]
                elif kind == b"H":
                    media_type = json.loads(payload)["media_type"]
                elif kind == b"D":
                    data += payload
                elif kind == b"X":
                    is_clean = True
                    raise from_problem(json.loads(payload))
                else:
                    is_clean = True
                    return media_type, bytes(data)
        finally:
            job.child = None
            if is_clean and child.is_alive:
                self._idle.append(child)
            else:
                await self._ended(child)

    async def _next(self) -> Child:
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return child
            self._all.discard(child)
            await child.end()
        child = await Child.start("kg_service.network.worker", self._memory)
        self._all.add(child)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.hear()
        except BaseException as error:  # it took too long, or the job was cancelled meanwhile
            await self._ended(child)
            if isinstance(error, Ended):
                raise KgError("the process that measures networks could not be started") from None
            raise
        return child

    async def _ended(self, child: Child) -> None:
        self._all.discard(child)
        child.kill()
        await asyncio.shield(asyncio.ensure_future(child.end()))

    async def close(self) -> None:
        """Ends every job and every process."""
        tasks = [job.task for job in self._running.values() if job.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        ending, self._all = self._all, set()
        for child in ending:
            with contextlib.suppress(ProcessLookupError):
                await child.end()
