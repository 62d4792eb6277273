"""The pool of reader processes: one query at a time each, ended at the deadline and replaced.

Every query begins in the quick lane. One that still runs after a moment is heavy: it goes on in a place for heavy
queries, or waits for one, stopped where it is, while a spare process takes its place in the quick lane. So a light
query never waits for a heavy one. Heavy queries take turns, and clients take turns in both lanes.

An answer is given out whole when it is finished and small. A larger one is streamed; when it cannot be finished the
stream raises, so that a short answer is never taken for a complete one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg_service import tracing
from kg_service.errors import (
    Busy,
    KgError,
    QueryStopped,
    Refused,
    StoreDamaged,
    StoreError,
    TooLarge,
    TooMany,
    TooSlow,
    from_problem,
)
from kg_service.store import Answer, Query, Running, generations
from kg_service.store.children import Child, Ended, Nursery
from kg_service.store.fairness import Budgets, FairQueue

#: Answers up to this many bytes are held back until they are complete.
WHOLE = 1 * 2**20
#: Seconds for which a heavy query goes on before it gives way to one that waits.
SLICE = 0.5
#: How often a query is asked when others end its readers.
_ATTEMPTS = 5
#: A reader that holds more than this after a query is replaced: the engine keeps memory that it has taken once.
GROWN = 96 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What queries may take; numbers of queries are of those at the same time."""

    #: Heavy queries that run, and as many in the quick lane.
    readers: int = 2
    #: Memory of one query in bytes; those that are paused may hold as much together.
    memory: int = 2 * 2**30
    max_bytes: int = 512 * 2**20
    max_rows: int = 1_000_000
    #: Seconds after which a query is heavy.
    quick_seconds: float = 0.1
    #: Seconds that a query may wait for its beginning.
    queue_seconds: float = 10.0
    #: Queries that may wait for their beginning; one client may have half of them.
    queue: int = 1024
    #: Heavy queries that may wait for their turn; one client may have half of them.
    paused: int = 32
    #: Processor seconds that one client may use in a minute; none: as many as all readers have.
    client_seconds: float | None = None


class _Turn:
    """One query on its way through the pool."""

    def __init__(self, query: Query) -> None:
        self.query, self.client = query, query.client
        self.lane = "waiting"
        self.began, self.started = time.monotonic(), time.time()
        self.bytes = 0
        self.child: Child | None = None
        self.cpu_before = 0.0
        self.ready: asyncio.Future[Child] | None = None  # while it waits for a reader
        self.reason: KgError | None = None
        self.alarms: list[asyncio.TimerHandle] = []
        self.has_deadline = False
        self.within = tracing.current()
        self.waits = self.works = tracing.NOTHING

    @property
    def deadline(self) -> float:
        return self.began + self.query.seconds

    @property
    def cpu_seconds(self) -> float:
        return max(0.0, self.child.cpu_seconds - self.cpu_before) if self.child else 0.0


class Readers:
    """A pool of reader processes on the store in `root`."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root = root
        self.limits = limits or Limits()
        self._published = generations.Published(root)
        self._nursery = Nursery("kg_service.store.reader", root, self.limits.memory)
        self._all: set[Child] = set()
        self._idle: list[Child] = []
        self._turns: dict[str, _Turn] = {}
        self._waiting: FairQueue[_Turn] = FairQueue()
        self._paused: FairQueue[_Turn] = FairQueue()
        self._memory: dict[_Turn, int] = {}  # what the paused ones hold
        self._quick: set[_Turn] = set()
        self._heavy: set[_Turn] = set()
        self._budgets = Budgets(self.limits.client_seconds or 60 * self.limits.readers)
        self._work: set[asyncio.Task[None]] = set()
        self._coming = 0
        self._closed = False
        #: Queries that were not answered to their end, by why; see `_count`.
        self.ended: Counter[str] = Counter()

    @property
    def generation(self) -> int:
        """The number of the generation published now; 0 when there is none."""
        return self._published.number()

    @property
    def state(self) -> str:
        """What changes with every publication, also when the store was made anew and counts from 1 again."""
        return self._published.state()

    @property
    def published(self) -> tuple[str, int]:
        """The state and the generation, as of the same moment."""
        return self._published.now()

    @property
    def budgets(self) -> Budgets:
        """The processor seconds that each client may use."""
        return self._budgets

    async def start(self) -> None:
        """Starts the processes; the first queries need not wait for all of them."""
        self._coming += 1
        await self._add()
        self._replenish()

    async def drain(self, seconds: float) -> None:
        """Lets running queries end within that time, then ends them; they raise QueryStopped."""
        until = time.monotonic() + seconds
        while self._turns and time.monotonic() < until:
            await asyncio.sleep(0.05)
        await self.close()

    async def close(self) -> None:
        """Ends every process; queries that still run raise QueryStopped."""
        self._closed = True
        for turn in list(self._turns.values()):
            self._stop(turn, QueryStopped("the service is stopping; try again later"))
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)
        ending, self._all = self._all, set()
        await asyncio.gather(*(reader.end() for reader in ending))
        await self._nursery.close()

    @property
    def idle(self) -> int:
        """Processes that wait for a query."""
        return len(self._idle)

    def running(self) -> list[Running]:
        """The queries that are not answered yet, the oldest first."""
        now = time.monotonic()
        return [
            Running(each.query, each.lane, each.started, now - each.began, each.cpu_seconds, each.bytes)
            for each in self._turns.values()
        ]

    def end(self, query_id: str, reason: KgError) -> bool:
        """Ends a query, which raises the reason; False when there is none of that id."""
        turn = self._turns.get(query_id)
        if turn is None:
            return False
        self._stop(turn, reason)
        return True

    @contextlib.contextmanager
    def still(self) -> Iterator[Callable[[Query], Awaitable[Answer]]]:
        with self.held() as (_, generation):
            yield lambda query: self.answer(query, generation)

    @contextlib.contextmanager
    def held(self) -> Iterator[tuple[str, int]]:
        """The state and the generation published now, which stays as long as this lasts."""
        state, generation, lease = self._published.held()
        with lease or contextlib.nullcontext():
            yield state, generation

    async def answer(self, query: Query, generation: int | None = None) -> Answer:
        """The answer to a query on that generation if it is there still, else on the one published now.

        Raises Malformed, NotAcceptable, TooLarge, TooSlow, TooMany, Busy, Refused (it broke its reader) and
        QueryStopped. With `parts` in the answer, a reader is in use until they are read or closed.
        """
        turn = _Turn(query)
        for attempt in range(_ATTEMPTS):
            try:
                return await self._answered(turn, generation)
            except Ended:
                if turn.child and turn.child.has_crashed:
                    raise Refused("the query needs more memory or nesting than one query may have") from None
                await asyncio.sleep(0.02 * attempt)  # others ended the reader, and may end more
                turn = _again(turn)
        raise Busy("the reader of this query was ended again and again; try again later", retry_after=1)

    async def _answered(self, turn: _Turn, known: int | None) -> Answer:
        """Raises Ended when the reader ended by itself, else the reason for which it was ended."""
        is_clean = is_going_on = False
        try:
            self._admit(turn)
            child = turn.child
            if child is None:
                child = await self._place(turn)
            generation, kind, payload = await self._asked(child, turn, known)
            if kind == b"A":
                is_clean = True
                how, _, data = payload.partition(b"\n")
                return Answer(generation, how.decode(), whole=data)
            if kind == b"X":
                is_clean = True
                raise self._refusal(payload)
            parts, held = self._parts(turn, child), bytearray()
            is_going_on = True  # from here on the parts give the reader back
            try:
                async for data in parts:
                    held += data
                    if len(held) > WHOLE:
                        break
                else:
                    return Answer(generation, json.loads(payload)["format"], whole=bytes(held))
            except BaseException:
                await parts.aclose()
                raise
            return Answer(generation, json.loads(payload)["format"], parts=_joined_or_stopped(bytes(held), parts))
        except Ended:
            if turn.reason:
                raise turn.reason from None
            raise
        except KgError as error:
            if not is_clean:
                turn.reason = turn.reason or error
            raise
        finally:
            if not is_going_on:
                self._leave(turn, is_clean)

    async def _parts(self, turn: _Turn, child: Child) -> AsyncGenerator[bytes, None]:
        """The data of an answer that has begun, until its end; gives the reader back in every case.

        Raises Ended when the reader ended by itself, else the reason for which it was ended.
        """
        is_clean = False
        try:
            kind, payload = await child.hear()
            while kind != b"E":
                if kind == b"X":
                    is_clean = True
                    raise self._refusal(payload)
                turn.bytes += len(payload)
                yield payload
                kind, payload = await child.hear()
            is_clean = True
        except Ended:
            if turn.reason:
                raise turn.reason from None
            raise
        finally:
            self._leave(turn, is_clean)

    async def _place(self, turn: _Turn) -> Child:
        """Waits for a reader."""
        turn.ready = asyncio.get_running_loop().create_future()
        self._set_deadline(turn)
        if self.limits.queue_seconds < turn.query.seconds:
            busy = Busy(f"no reader came free within {self.limits.queue_seconds:g} s; try again later", retry_after=1)
            alarm = asyncio.get_running_loop().call_later(self.limits.queue_seconds, self._give_up, turn, busy)
            turn.alarms.append(alarm)
        return await turn.ready

    async def _asked(self, child: Child, turn: _Turn, known: int | None) -> tuple[int, bytes, bytes]:
        """Sends the query and hears the first frame; asks again when the generation was replaced meanwhile."""
        job = _job(turn.query, self.limits)
        gone = -1
        while True:
            generation = job["generation"] = self.generation if known is None else known
            if generation == gone:  # nobody published another meanwhile
                raise StoreDamaged(
                    f"generation {generation} of {self.root} is not there; restore a backup with `kg restore`"
                )
            child.ask(job)
            kind, payload = await child.hear()
            if kind != b"X" or not isinstance(from_problem(json.loads(payload)), generations.Gone):
                return generation, kind, payload
            gone, known = (generation if known is None else -1), None

    # The way of a turn: waiting -> quick -> heavy <-> paused; `_leave` ends it from everywhere, once.

    def _admit(self, turn: _Turn) -> None:
        """Puts a query into the queue of the quick lane, or refuses it."""
        if self._closed:
            raise QueryStopped("the service is stopping; try again later")
        client, limits = turn.client, self.limits
        unpaid = sum(each.cpu_seconds for each in (*self._quick, *self._heavy, *self._memory) if each.client == client)
        wait = self._budgets.wait(client, unpaid, time.monotonic()) if client else 0
        if wait:
            raise TooMany(
                f"this address or token has used its {self._budgets.per_minute:g} seconds of engine time per minute; "
                f"try again in {math.ceil(wait)} s",
                retry_after=math.ceil(wait),
            )
        if len(self._waiting) >= limits.queue:
            raise Busy("too many queries wait already; try again later", retry_after=1)
        if self._waiting.of(client) >= limits.queue // 2:
            raise TooMany("too many of your queries wait already; try again later", retry_after=1)
        self._turns[turn.query.id] = turn
        if turn.query.seconds <= limits.quick_seconds:
            self._set_deadline(turn)  # else when it must wait, or is heavy: most queries never need one
        self._waiting.put(turn)
        turn.waits = turn.within.inner("queue")
        self._dispatch()

    def _set_deadline(self, turn: _Turn) -> None:
        if not turn.has_deadline:
            turn.has_deadline = True
            until = turn.deadline - time.monotonic()
            turn.alarms.append(asyncio.get_running_loop().call_later(until, self._too_late, turn))

    def _too_late(self, turn: _Turn) -> None:
        self._stop(turn, _too_slow(turn.query))

    def _give_up(self, turn: _Turn, reason: KgError) -> None:
        if turn.lane == "waiting":
            self._stop(turn, reason)

    def _dispatch(self) -> None:
        """Gives idle readers to who waits, as long as the quick lane has room."""
        while self._waiting and self._idle and len(self._quick) < self.limits.readers:
            turn = self._waiting.get()
            if turn.ready and turn.ready.done():  # whoever asked has just left, which `_leave` will hear
                continue
            child = self._idle.pop()
            turn.child, turn.cpu_before, turn.lane = child, child.accounted, "quick"
            self._quick.add(turn)
            turn.waits.end()
            turn.works = turn.within.inner("engine", {"kg.query": turn.query.id})
            turn.alarms.append(asyncio.get_running_loop().call_later(self.limits.quick_seconds, self._promote, turn))
            if turn.ready:
                turn.ready.set_result(child)

    def _promote(self, turn: _Turn) -> None:
        """The query is heavy: it goes on if there is room, else it waits where it is, or is ended."""
        if turn.lane != "quick":
            return
        self._set_deadline(turn)
        if len(self._heavy) < self.limits.readers and not self._paused:
            self._quick.discard(turn)
            self._run(turn)
        elif refusal := self._no_room(turn):
            self._stop(turn, refusal)
            return
        else:
            self._quick.discard(turn)
            self._pause(turn)
            self._next_heavy()
        self._replenish()
        self._dispatch()

    def _no_room(self, turn: _Turn) -> KgError | None:
        """Why a heavy query cannot wait for its turn."""
        limits, client = self.limits, turn.client
        everyone = [*self._heavy, *self._memory]
        if self._paused.of(client) >= (limits.paused + 1) // 2:
            return _until_one_ends(
                TooMany, "too many of your long queries run already", [t for t in everyone if t.client == client]
            )
        if len(self._paused) >= limits.paused or not self._fits(turn):
            return _until_one_ends(Busy, "too many long queries run already", everyone)
        return None

    def _fits(self, turn: _Turn) -> bool:
        """Whether what the paused queries hold in memory stays bounded with this one."""
        assert turn.child
        return not self._memory or sum(self._memory.values()) + turn.child.memory <= self.limits.memory

    def _run(self, turn: _Turn) -> None:
        turn.lane = "heavy"
        self._heavy.add(turn)
        turn.alarms.append(asyncio.get_running_loop().call_later(SLICE, self._give_way, turn))

    def _pause(self, turn: _Turn) -> None:
        assert turn.child
        turn.child.pause()
        turn.lane = "paused"
        self._memory[turn] = turn.child.memory
        self._paused.put(turn)

    def _next_heavy(self) -> None:
        while self._paused and len(self._heavy) < self.limits.readers:
            turn = self._paused.get()
            del self._memory[turn]
            assert turn.child
            turn.child.resume()
            self._run(turn)

    def _give_way(self, turn: _Turn) -> None:
        """Its slice is over: the next heavy query goes on, if one waits and this one can wait in turn."""
        if turn.lane != "heavy":
            return
        if self._paused and self._fits(turn):
            self._heavy.discard(turn)
            self._pause(turn)
            self._next_heavy()
        else:
            turn.alarms[-1] = asyncio.get_running_loop().call_later(SLICE, self._give_way, turn)

    def _stop(self, turn: _Turn, reason: KgError) -> None:
        """Ends a query from outside: whoever waits for it gets the reason."""
        turn.reason = turn.reason or reason
        if turn.ready and not turn.ready.done():
            turn.ready.set_exception(reason)
            self._waiting.discard(turn)
        else:
            self._leave(turn, False)

    def _leave(self, turn: _Turn, is_clean: bool) -> None:
        """Gives the turn's place and reader back, once; a reader that is not clean is ended."""
        was, turn.lane = turn.lane, "over"
        if was == "over":
            return
        self._turns.pop(turn.query.id, None)
        for alarm in turn.alarms:
            alarm.cancel()
        self._waiting.discard(turn)
        self._paused.discard(turn)
        self._memory.pop(turn, None)
        self._quick.discard(turn)
        self._heavy.discard(turn)
        child = turn.child
        turn.waits.end(turn.reason)
        turn.works.end(turn.reason, {"kg.lane": was, "kg.cpu_seconds": turn.cpu_seconds})
        if turn.reason or not is_clean:
            self._count(turn)
        if child is not None:
            if was == "paused":  # its answer had come already
                child.resume()
            used = turn.cpu_seconds
            child.accounted += used
            if turn.client:
                self._budgets.pay(turn.client, used, time.monotonic())
            is_grown = was != "quick" and child.memory > GROWN
            self._give_back(child, is_clean and not is_grown)
        self._next_heavy()
        self._replenish()
        self._dispatch()

    def _refusal(self, payload: bytes) -> KgError:
        """What a reader says is wrong; that an answer was ended because of its size is counted."""
        error = from_problem(json.loads(payload))
        if isinstance(error, TooLarge):
            self.ended["memory" if error.more.get("limit") == "memory" else "size"] += 1
        return error

    def _count(self, turn: _Turn) -> None:
        """Why a query was ended from outside, broke its reader, or was left by who had asked it."""
        reason, child = turn.reason, turn.child
        if isinstance(reason, TooSlow):
            self.ended["deadline"] += 1
        elif isinstance(reason, Busy | TooMany):
            self.ended["no room"] += 1
        elif reason:
            self.ended["stopped" if isinstance(reason, QueryStopped) else "failed"] += 1
        elif child and child.has_crashed:
            self.ended["memory"] += 1
        else:
            self.ended["reader lost" if child and not child.is_alive else "client left"] += 1

    # The processes: as many are kept ready as the quick lane has places, and one more.

    def _give_back(self, child: Child, is_clean: bool) -> None:
        # A few more are kept than are needed at rest, so that heavy queries one after the other need no new ones.
        is_wanted = len(self._idle) + self._coming < self._ready_ones + self.limits.readers
        if is_clean and is_wanted and child.is_alive and not self._closed:
            self._idle.append(child)
            return
        child.kill()
        self._forget(child)

    def _forget(self, child: Child) -> None:
        if child in self._all:
            self._all.discard(child)
            if child in self._idle:
                self._idle.remove(child)
            self._keep(child.end())

    @property
    def _ready_ones(self) -> int:
        return self.limits.readers + 1

    def _replenish(self) -> None:
        while not self._closed and len(self._idle) + len(self._quick) + self._coming < self._ready_ones:
            self._coming += 1
            self._keep(self._add())

    async def _add(self) -> None:
        """One more reader, which has opened the published generation before it is asked."""
        child: Child | None = None
        try:
            child = await self._nursery.child()
            self._all.add(child)
            child.on_end = self._ended
            if generation := self._to_open():
                child.ask(_job(Query("ASK {}"), self.limits) | {"generation": generation})
                await child.hear()
            child.accounted = child.cpu_seconds
            self._idle.append(child)
        except (Ended, OSError) as error:
            logging.getLogger("kg_service").warning("a reader could not be started: %r", error)
            if child:
                self._forget(child)
            if not self._closed:
                await asyncio.sleep(0.1)  # what hinders it may go on for a while
        finally:
            self._coming -= 1
            self._replenish()
        self._dispatch()

    def _to_open(self) -> int:
        """The published generation; 0 where the store is damaged, which the first query will say."""
        try:
            return self.generation
        except StoreError:
            return 0

    def _ended(self, child: Child) -> None:
        """A process is gone; one that was idle is replaced at once, one at work when its query notices."""
        if child in self._idle:
            self._forget(child)
            self._replenish()

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)


def _job(query: Query, limits: Limits) -> dict[str, Any]:
    return {
        "text": query.text,
        "table": query.table,
        "boolean": query.boolean,
        "graph": query.graph,
        "default_graphs": query.default_graphs,
        "named_graphs": query.named_graphs,
        "base": query.base,
        "max_bytes": query.most_bytes or limits.max_bytes,
        "max_rows": query.most_rows or limits.max_rows,
    }


def _again(turn: _Turn) -> _Turn:
    """The same query's second turn, which ends when the first would have."""
    second = _Turn(turn.query)
    second.began, second.started = turn.began, turn.started
    return second


def _too_slow(query: Query) -> TooSlow:
    return TooSlow(
        f"the query took longer than {query.seconds:g} s; ask for less, or add a LIMIT", seconds=query.seconds
    )


def _until_one_ends(kind: type[QueryStopped], what: str, running: list[_Turn]) -> QueryStopped:
    """The refusal, with the time after which one of those that run must have ended."""
    seconds = max(1, math.ceil(min((each.deadline for each in running), default=0) - time.monotonic()))
    return kind(f"{what}; try again in {seconds} s", retry_after=seconds)


async def _joined_or_stopped(first: bytes, parts: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """What was held back and the parts after it, which are closed in every case."""
    try:
        yield first
        async for data in parts:
            yield data
    except Ended:
        raise QueryStopped("the reader of this query was ended; ask again") from None
    finally:
        await parts.aclose()


async def answer_once(root: Path, query: Query, *, memory: int, max_bytes: int) -> tuple[str, bytes]:
    """One query in a reader of its own: the format's name and the whole answer."""
    readers = Readers(root, Limits(readers=1, memory=memory, max_bytes=max_bytes, queue_seconds=query.seconds))
    await readers.start()
    try:
        answer = await readers.answer(query)
        return answer.format, await answer.content()
    finally:
        await readers.close()
