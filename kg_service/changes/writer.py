"""The service's writer: changes wait in line, are judged one after the other, and share a generation where they can."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pyoxigraph import Quad

from kg_service import tracing
from kg_service.changes import rules
from kg_service.changes.commit import Committed, Present, Proposal, commit_all
from kg_service.changes.tally import Tally
from kg_service.errors import Busy, KgError, StoreError, StoreLocked
from kg_service.shacl import Report
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, generations
from kg_service.store.embedded import EmbeddedStore
from kg_service.tracing import NOTHING, Span

T = TypeVar("T")

#: Changes that share a generation at most.
_TOGETHER = 500
#: Changes that wait at most.
_WAITING = 10_000
#: How often a writer without work looks whether another process wants to write.
_LOOK = 0.5
#: How long the store may be held by another process before a change is refused.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Evaluated:
    """The change that an update makes of a generation; None where it is the same of any."""

    delta: Delta
    generation: int | None


@dataclass(slots=True)
class _Waiting:
    """A change in line. One that was evaluated on a generation is evaluated again when that is no more the last."""

    proposal: Proposal
    done: asyncio.Future[Committed]
    evaluate: Callable[[], Awaitable[Evaluated]] | None = None
    found: Evaluated | None = None
    #: What its request is told of in, and its wait within that.
    request: Span = field(default_factory=tracing.current)
    waits: Span = NOTHING

    @property
    def generation(self) -> int | None:
        """The only generation that the change is good for."""
        return self.found.generation if self.found else None


class Writer:
    """Holds the store in `root` open for writing from the first change on; lets other processes in between changes."""

    def __init__(self, root: Path, *, union: bool) -> None:
        self._root, self._union = root, union
        self.tally = Tally()
        #: Whether the last changes could not be written, whoever asked for them.
        self.is_failing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._store: EmbeddedStore | None = None
        self._gate: Gate | None = None
        #: What was in force when the gate was made; another process may change that while the store is let go.
        self._rules: object = None
        self._line: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._working: asyncio.Task[None] | None = None
        self._is_closing = False

    def start(self) -> None:
        """Begins to serve the line, and compiles the shapes meanwhile."""
        self._working = asyncio.create_task(self._serve())
        self._thread.submit(self._gate_in_force)

    async def close(self) -> None:
        """Finishes the changes in hand, refuses those in line, lets go of the store."""
        self._is_closing = True
        self._arrived.set()
        if self._working:
            await self._working
        await self._in_thread(self._let_go)
        self._thread.shutdown()

    @property
    def waiting(self) -> int:
        """The changes in line."""
        return len(self._line)

    async def write(self, proposal: Proposal) -> Committed:
        """Commits a change when its turn comes; raises Violations and whatever making it raises."""
        return await self._wait(_Waiting(proposal, asyncio.get_running_loop().create_future()))

    async def write_evaluated(self, evaluate: Callable[[], Awaitable[Evaluated]], proposal: Proposal) -> Committed:
        """Commits the change that `evaluate` makes of the published generation, as it is when its turn comes.

        The proposal's own `make` is only there to check what must hold then.
        """
        found = await evaluate()
        waiting = _Waiting(proposal, asyncio.get_running_loop().create_future(), evaluate)
        return await self._wait(replace(waiting, found=found))

    async def between(self, work: Callable[[EmbeddedStore], T]) -> T:
        """What `work` makes of the store between two changes; it stages nothing."""
        self._must_serve()
        return await self._in_thread(lambda: work(self._opened()))

    async def adopt(self, new: Sequence[Quad] | None, proposal: Proposal, *, force: bool) -> Report:
        """Puts other shapes in force, as `rules.adopt` says, between two changes; the report on the whole graph."""

        def adopted() -> Report:
            store = self._opened()
            shapes, report = rules.adopt(store, new, proposal, force=force)
            if shapes is not None:
                self._gate, self._rules = Gate(shapes), rules.state(self._root)
                store.retire()
            return report

        self._must_serve()
        return await self._in_thread(adopted)

    async def _wait(self, waiting: _Waiting) -> Committed:
        self._must_serve()
        if len(self._line) >= _WAITING:
            raise Busy(f"{_WAITING} changes are waiting already; try again later")
        waiting.waits = waiting.request.inner("queue")
        self._line.append(waiting)
        self._arrived.set()
        return await waiting.done

    def _must_serve(self) -> None:
        """Raises Busy when the service stops. Who opens the store must let others in as well."""
        if self._is_closing:
            raise _stopping()
        if self._working is None:  # the first token was made after the service had started
            self.start()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _serve(self) -> None:
        while not self._is_closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrived.wait(), _LOOK)
            self._arrived.clear()
            while self._line and not self._is_closing:
                await self._commit(await self._next())
            if self._store is not None and generations.is_wanted(self._root):
                await self._in_thread(self._let_go)
        for each in self._line:
            _fail(each, _stopping())

    async def _next(self) -> list[_Waiting]:
        """The changes whose turn it is: at most one of them depends on the generation, and it comes first."""
        taken = [self._line.popleft() for _ in range(min(len(self._line), _TOGETHER))]
        batch = [each for each in taken if each.generation is None]
        dependent = [each for each in taken if each.generation is not None]
        self._line.extendleft(reversed(dependent[1:]))
        for each in dependent[:1]:
            assert each.evaluate
            try:
                if each.generation == generations.current(self._root):
                    return [each, *batch]
                return [replace(each, found=await each.evaluate()), *batch]
            except Exception as error:  # of the sandbox, for this client alone
                _fail(each, error)
        return batch

    async def _commit(self, batch: list[_Waiting]) -> None:
        spans = [_begun(each) for each in batch]
        proposals = [replace(_proposal(each), within=span) for each, span in zip(batch, spans, strict=True)]

        def work() -> list[Committed | Exception]:
            store, gate = self._opened(), self._gate_in_force()
            with self.tally.commits.measured():
                return commit_all(store, proposals, gate, self.tally)

        try:
            outcomes = await self._in_thread(work)
        except Exception as error:  # the store is locked, say: nobody in the batch is served
            self._failed(error)
            for each, span in zip(batch, spans, strict=True):
                span.end(error)
                self.tally.count(error)
                _fail(each, error)
            await self._in_thread(self._let_go)
            return
        self._failed(next((each for each in outcomes if isinstance(each, StoreError)), None))
        for each, span, outcome in zip(batch, spans, outcomes, strict=True):
            _end(span, outcome, len(batch))
            if isinstance(outcome, Stale):
                self.tally.retried += 1
                self._line.appendleft(each)
                continue
            self.tally.count(outcome)
            if isinstance(outcome, Exception):
                _fail(each, outcome)
            elif not each.done.done():
                each.done.set_result(outcome)
        await self._in_thread(self._tidy)

    def _failed(self, error: Exception | None) -> None:
        """Keeps in mind whether writing fails, and says why when that begins."""
        if error is not None and not self.is_failing:
            logging.getLogger("kg_service").warning("changes cannot be written: %s", error)
        self.is_failing = error is not None

    # in the writer's thread

    def _opened(self) -> EmbeddedStore:
        until = time.monotonic() + _PATIENCE
        while self._store is None:
            try:
                self._store = EmbeddedStore(self._root, union=self._union)
                if self._rules != rules.state(self._root):
                    self._gate = None
            except StoreLocked:
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
        if self._store.is_broken:  # for want of space, say, of which there may be some again
            self._store.discard()
        return self._store

    def _tidy(self) -> None:
        """Deletes what nobody needs any more."""
        if self._store is not None:
            self._store.retire()

    def _gate_in_force(self) -> Gate:
        if self._gate is None:
            self._rules = rules.state(self._root)
            self._gate = Gate(rules.in_force(self._root))
        return self._gate

    def _let_go(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()


class Stale(KgError):
    """Another process published a generation after the change was evaluated."""


def _proposal(waiting: _Waiting) -> Proposal:
    """The proposal as it is to be committed."""
    return waiting.proposal if waiting.found is None else evaluated(waiting.proposal, waiting.found)


def evaluated(proposal: Proposal, found: Evaluated) -> Proposal:
    """The proposal of a change that was found already; making it raises Stale where the graph is another by now."""

    def make(store: Present) -> Delta:
        proposal.make(store)
        if found.generation not in (None, store.generation):
            raise Stale("the graph was changed meanwhile")
        return found.delta

    return replace(proposal, make=make)


def _begun(waiting: _Waiting) -> Span:
    """The span of committing a change, which does not wait any longer."""
    waiting.waits.end()
    return waiting.request.inner("commit")


def _end(span: Span, outcome: Committed | Exception, together: int) -> None:
    if isinstance(outcome, Exception):
        span.end(outcome, {"kg.changes": together})
    else:
        span.end(None, {"kg.changes": together} | told(outcome))


def told(done: Committed) -> dict[str, int]:
    """What a trace tells of a commit."""
    return {"kg.generation": done.generation} | ({"kg.change": done.change} if done.change else {})


def _fail(waiting: _Waiting, error: Exception) -> None:
    waiting.waits.end(error)
    if not waiting.done.done():  # its client may have left
        waiting.done.set_exception(error)


def _stopping() -> Busy:
    return Busy("the service is stopping; try again later")
