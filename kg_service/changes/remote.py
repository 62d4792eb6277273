"""Changing an engine's graph: judged on what the change can touch, made by one guarded update, tried again when others
were first."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TypeVar

from pyoxigraph import DefaultGraph, Quad

from kg_service import tracing
from kg_service.changes import rules
from kg_service.changes.commit import (
    Committed,
    Present,
    Proposal,
    again,
    entry_of,
    judge,
    misplaced,
    refusal_of,
    skolemised,
)
from kg_service.changes.tally import Tally
from kg_service.changes.writer import Evaluated, Stale, evaluated, told
from kg_service.errors import Busy, Forbidden, KgError, StoreError, TooLarge, Violations
from kg_service.shacl import Report, Shapes
from kg_service.shacl.gate import Gate
from kg_service.shacl.neighbourhood import Neighbourhoods, TooWide
from kg_service.shacl.report import in_order
from kg_service.store import Delta
from kg_service.store.remote import Conflict, Moment, RemoteStore
from kg_service.store.remote.data import too_many

T = TypeVar("T")

#: Changes that wait at most.
_WAITING = 1_000
#: How often a change is made anew after another one came first, and the longest wait before.
_TRIES, _WAIT = 20, 0.05
#: Changes of more quads than this are judged on a copy of the whole graph: their neighbourhoods are most of it.
_WIDE = 5_000


class RemoteGate:
    """Judges changes of an engine's graph, on a part of it where that will do. For one thread at a time."""

    def __init__(self, shapes: Shapes, *, most: int) -> None:
        self.shapes, self._most = shapes, most
        self._gate = Gate(shapes)
        self._neighbourhoods = Neighbourhoods(shapes, self._gate)

    def judged(self, store: RemoteStore, change: Delta, language: str) -> Report:
        """The results that an effective change brings; TooLarge where too much of the graph would be needed."""
        if len(change) <= _WIDE:
            try:
                return self._around(store, change, language)
            except (TooWide, TooLarge):  # then as a whole, if that is small enough
                pass
        return judge(_few(store.triples(), self._most), change, self.shapes, language)

    def _around(self, store: RemoteStore, change: Delta, language: str) -> Report:
        world, affected = self._neighbourhoods.around(change, store.needed, self._most)
        for quad in change.removed:
            world.remove(quad)
        report = self._gate.judge(world, affected, language)
        if report.results:
            world.extend(quad for quad in change.removed if isinstance(quad.graph_name, DefaultGraph))
            for quad in change.added:
                world.remove(quad)
            report = report.without(self._gate.judge(world, self._gate.narrowed(affected, report), language))
        return replace(report, results=in_order([*report.results, *misplaced(change, language)]))


def _few(triples: Iterator[Quad], most: int) -> Iterator[Quad]:
    yield from islice(triples, most)
    if next(triples, None) is not None:
        raise too_many(most)


def commit(
    store: RemoteStore,
    proposal: Proposal,
    gate: RemoteGate,
    refused: Path,
    tries: int = _TRIES,
    tally: Tally | None = None,
) -> Committed:
    """Makes the change if the graph conforms with it; raises Violations, and writes nothing, if it does not.

    The graph may be changed by others at any moment. A verdict counts only if the graph still is what was judged: if
    it is not, the change is made of the new graph and judged anew, so many times, and then Conflict is raised.
    """
    tally = tally or Tally()
    for left in range(tries - 1, -1, -1):
        moment = store.now(refused)
        try:
            return _attempt(moment, proposal, gate, tally)
        except Conflict:
            if not left:
                raise
        except KgError as error:
            if not left or isinstance(error, Stale) or store.generation == moment.generation:
                raise _told(moment, proposal, error) from None
        tally.retried += 1
        time.sleep(random.uniform(0, _WAIT))
    raise AssertionError("the last try returns or raises")


def _attempt(moment: Moment, proposal: Proposal, gate: RemoteGate, tally: Tally) -> Committed:
    if proposal.key and (known := moment.log.with_key(proposal.key)):
        return again(known, proposal)
    change = moment.effective(skolemised(proposal.make(moment)))
    if not change and moment.generation:
        _must_be_present(moment)
        return Committed(moment.generation, 0, 0, Report())
    patch = change.patch
    proposal.must_keep_to(patch.delta)
    with proposal.within.inner("gate"), tally.gate.measured():
        report = gate.judged(moment.store, change, proposal.language)
    if report.blocks:
        raise Violations("the data break the shapes; nothing was written", report, patch=patch)
    size = len(patch.delta.added), len(patch.delta.removed)
    if proposal.dry_run:
        _must_be_present(moment)
        return Committed(moment.generation, *size, report)
    entry = entry_of(proposal, patch, report, number=moment.last + 1, generation=moment.generation + 1)
    return Committed(moment.apply(change, entry), *size, report, entry.number)


def _must_be_present(moment: Moment) -> None:
    """Conflict where the graph has become another while it was looked at: no update is there that would notice it."""
    if moment.store.generation != moment.generation:
        raise Conflict(f"the graph has left revision {moment.generation}, which the change was made for")


def _told(moment: Moment, proposal: Proposal, error: KgError) -> KgError:
    """The error; a refusal is remembered, and the change kept in quarantine if that is wished."""
    if isinstance(error, Violations) and (patch := error.more.pop("patch", None)) and not proposal.dry_run:
        refusal = refusal_of(proposal, patch, error.report)
        moment.log.refuse(refusal)
        if proposal.quarantine:
            error.more["quarantine"] = moment.log.quarantine(refusal, patch)
    return error


class RemoteWriter:
    """The service's writer of an engine's graph: changes are made one after the other, others may write beside.

    `heard` is told each revision that is made here.
    """

    def __init__(
        self, opened: Callable[[], RemoteStore], own_folder: Path, *, copy: int, heard: Callable[[int], None]
    ) -> None:
        self._open, self._own_folder, self._copy, self._heard = opened, own_folder, copy, heard
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")
        self._store: RemoteStore | None = None
        self._gate: RemoteGate | None = None
        self.tally, self._waiting = Tally(), 0
        #: Whether the last change could not be written, because of the engine.
        self.is_failing = False
        self._is_closing = False

    def start(self) -> None:
        """Compiles the shapes, so that the first change need not wait for it."""
        self._thread.submit(self._gate_in_force)

    async def close(self) -> None:
        """Finishes the change in hand and refuses those that wait."""
        self._is_closing = True
        await asyncio.to_thread(self._thread.shutdown)

    @property
    def waiting(self) -> int:
        """The changes in line, the one in hand included."""
        return self._waiting

    async def write(self, proposal: Proposal) -> Committed:
        """Commits a change when its turn comes; raises Violations and whatever making it raises."""
        return await self._committed(proposal, _TRIES)

    async def write_evaluated(self, evaluate: Callable[[], Awaitable[Evaluated]], proposal: Proposal) -> Committed:
        """Commits the change that `evaluate` makes of the graph; of another graph, when others come first."""
        for left in range(_TRIES - 1, -1, -1):
            found = await evaluate()
            change, tries = evaluated(proposal, found), _TRIES if found.generation is None else 1
            try:
                return await self._committed(change, tries)
            except (Stale, Conflict):
                if not left:
                    raise
                self.tally.retried += 1
        raise AssertionError("the last try returns or raises")

    async def _committed(self, proposal: Proposal, tries: int) -> Committed:
        request = tracing.current()
        waits = request.inner("queue")

        def work() -> Committed:
            waits.end()
            with request.inner("commit") as span:  # in this thread, so that the engine is told of it
                done = self._commit(replace(proposal, within=span), tries)
                span.end(None, told(done))
                return done

        try:
            done = await self._in_turn(work)
        finally:
            waits.end()
        self._heard(done.generation)
        return done

    async def between(self, work: Callable[[Present], T]) -> T:
        """What `work` makes of the graph between two changes of ours."""
        return await self._in_turn(lambda: work(self._opened().now(self._own_folder)))

    async def adopt(self, new: Sequence[Quad] | None, proposal: Proposal, *, force: bool) -> Report:
        """Refuses other shapes: several services may write to one engine, and must judge alike."""
        raise Forbidden("the shapes of an engine's graph are the project's own; change the files in shapes/")

    async def _in_turn(self, work: Callable[[], T]) -> T:
        if self._is_closing:
            raise Busy("the service is stopping; try again later")
        if self._waiting >= _WAITING:
            raise Busy(f"{_WAITING} changes are waiting already; try again later")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._unless_closing, work)
        finally:
            self._waiting -= 1

    # in the writer's thread

    def _unless_closing(self, work: Callable[[], T]) -> T:
        if self._is_closing:
            raise Busy("the service is stopping; try again later")
        return work()

    def _commit(self, proposal: Proposal, tries: int) -> Committed:
        store, gate = self._opened(), self._gate_in_force()
        try:
            with self.tally.commits.measured():
                done = commit(store, proposal, gate, self._own_folder, tries, self.tally)
        except (Stale, Conflict):  # made anew, or told by who asked
            raise
        except Exception as error:
            self.is_failing = isinstance(error, StoreError)
            self.tally.count(error)
            raise
        self.is_failing = False
        self.tally.count(done)
        return done

    def _opened(self) -> RemoteStore:
        """The store; an engine that is away when the service starts may come later."""
        if self._store is None:
            self._store = self._open()
        return self._store

    def _gate_in_force(self) -> RemoteGate:
        if self._gate is None:
            self._gate = RemoteGate(rules.in_force(self._own_folder), most=self._copy)
        return self._gate
