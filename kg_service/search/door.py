"""The door of the search: takes questions, and sees to it that they are answered of the published generation.

An answer is of the generation that it names. Before a question is answered the index is brought up to what is
published, once for all who wait. When that has taken some seconds, who asks gets an answer of the generation that the
index still holds, named as such; BeingMade (503, with the time to come again) while there is none at all, as after the
first start.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from kg_service import beside
from kg_service.errors import BeingMade, Busy, KgError, QueryStopped, StoreError, TooMany, TooSlow, from_problem
from kg_service.search import Question, building
from kg_service.store.children import Child, Ended, Nursery
from kg_service.store.fairness import FairQueue

#: Processes that answer, and questions that may wait for one; one client may have half of them.
PROCESSES, WAITING = 2, 256
#: Seconds that a question waits for the index, and that its answer may take.
PATIENCE, LONGEST = 5.0, 10.0
#: Seconds after which a service that has started brings the index up unasked.
EARLY = 1.0
#: A builder that holds more memory than this afterwards is not kept.
GROWN = 64 * 2**20
_ATTEMPTS = 3
#: How much the processes that build stand back for those that answer.
_NICE = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What was found in a generation; `is_behind` says that a later one is published."""

    generation: int
    is_behind: bool
    found: dict[str, Any]


class _Turn:
    """A question that waits for a process."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.comes = asyncio.get_running_loop().create_future()


class Search:
    """Full text over one store. `published` says what tells the present publication from others.

    `about` describes the source of the index to the processes (see `sources.described`).
    """

    def __init__(self, about: dict[str, Any], published: Callable[[], Awaitable[str]]) -> None:
        self._published = published
        self._about, self._folder = about, Path(about["folder"])
        # Arguments can be read by every user of the machine: what may hold a password goes another way.
        kind = "remote" if "query" in about else "embedded"
        self._nursery = Nursery("kg_service.search.process", self._folder, kind)
        self._idle: list[Child] = []
        self._all: set[Child] = set()
        self._busy = 0
        self._waiting: FairQueue[_Turn] = FairQueue()
        self._early = beside.Work[None]()
        self._work = beside.Work[int]()
        self._began = 0.0
        self._builder: Child | None = None
        self._closed = False

    async def start(self) -> None:
        """Soon begins to bring the index up where it must be, so that the first question need not wait for it all."""
        self._early.wanted(self._bring_up_early)

    async def _bring_up_early(self) -> None:
        await asyncio.sleep(EARLY)
        published = await self._published()
        if not await asyncio.to_thread(building.holds, self._folder, published):
            await asyncio.shield(self._bring_up(None))
            if not self._busy and not self._idle:  # nobody has asked yet: no process need wait for who may
                await self._end_builder()
                await self._nursery.close()

    async def find(self, question: Question, client: str = "", *, patience: float | None = None) -> Found:
        """The answer; raises Busy, TooMany, TooSlow, and StoreError where there is no index and none can be made.

        Clients take turns when there are more questions than processes. `patience` are the seconds that this question
        waits for the index.
        """
        now = asyncio.get_running_loop().time()
        published = await self._published()
        answer = await self._asked(question, published, client)
        while "found" not in answer:
            work = self._bring_up(answer.get("unusable"))
            # Who comes while much is taken in does not wait for that again, if there is an older index.
            began = now if answer["generation"] is None else min(now, self._began)
            left = began + (PATIENCE if patience is None else patience) - asyncio.get_running_loop().time()
            done, _ = await asyncio.wait([work], timeout=max(0.0, left))
            if not done:
                return await self._older(question, answer, client)
            failure = work.exception()
            if isinstance(failure, KgError) and answer["generation"] is None:
                raise failure
            if failure or left <= 0:
                return await self._older(question, answer, client)
            published = await self._published()
            answer = await self._asked(question, published, client)
        return Found(answer["generation"], False, answer["found"])

    async def _older(self, question: Question, answer: dict[str, Any], client: str) -> Found:
        """The answer of the generation that the index holds while a later one is taken in."""
        if answer["generation"] is not None:
            answer = await self._asked(question, None, client)
            if "found" in answer:
                return Found(answer["generation"], True, answer["found"])
        raise BeingMade("the search index is being made; try again soon", retry_after=5)

    # one process that builds, started when there is something to do

    def _bring_up(self, unusable: str | None) -> asyncio.Task[int]:
        if self._closed:
            raise QueryStopped("the service is stopping; try again later")
        if not self._work.goes_on:
            self._began = asyncio.get_running_loop().time()
        return self._work.wanted(lambda: self._brought_up(unusable))

    async def _brought_up(self, unusable: str | None) -> int:
        for _ in range(_ATTEMPTS):
            try:
                if self._builder is None or not self._builder.is_alive:
                    self._builder = await self._child()
                self._builder.ask(
                    {"source": self._about, "nice": _NICE if await self._has_any() else 0, "unusable": unusable}
                )
                generation = int(_told(await self._builder.hear())["generation"])
            except (Ended, OSError):  # somebody ended it
                await self._end_builder()
                continue
            if self._builder.memory > GROWN:
                await self._end_builder()
            return generation
        raise StoreError("the search index could not be made: its process was ended again and again")

    async def _has_any(self) -> bool:
        """Whether there is an index to answer from meanwhile; where there is none, readers wait for this one."""
        return await asyncio.to_thread(building.path_of, self._folder) is not None

    async def _end_builder(self) -> None:
        builder, self._builder = self._builder, None
        if builder is not None:
            await self._forget(builder)

    # processes that answer

    async def _take_turn(self, client: str) -> None:
        """Waits until a process may be used."""
        if self._busy < PROCESSES:
            self._busy += 1
            return
        if len(self._waiting) >= WAITING:
            raise Busy("too many searches wait already; try again later", retry_after=1)
        if self._waiting.of(client) >= WAITING // 2:
            raise TooMany("too many of your searches wait already; try again later", retry_after=1)
        turn = _Turn(client)
        self._waiting.put(turn)
        try:
            await turn.comes
        except asyncio.CancelledError:
            self._waiting.discard(turn)
            if turn.comes.done() and not turn.comes.cancelled():
                self._end_turn()  # it had come already
            raise

    def _end_turn(self) -> None:
        """Gives the place to who comes next, or back."""
        while self._waiting:
            turn = self._waiting.get()
            if not turn.comes.done():
                turn.comes.set_result(None)
                return
        self._busy -= 1

    async def _asked(self, question: Question, published: str | None, client: str) -> dict[str, Any]:
        """What a process says; it says so too when its index cannot be used, or holds another generation."""
        await self._take_turn(client)
        child: Child | None = None
        try:
            job = {"question": dataclasses.asdict(question), "published": published}
            child = self._idle.pop() if self._idle else await self._child()
            async with asyncio.timeout(LONGEST):
                child.ask(job)
                answer = _told(await child.hear())
            self._idle.append(child)
            child = None
            return answer
        except Ended:
            if self._closed:
                raise QueryStopped("the service is stopping; try again later") from None
            if child is not None and child.has_crashed:  # as one does who reads a file that was cut short
                return {"generation": None, "unusable": building.signature(self._folder)}
            return {"generation": None}  # somebody ended it; asked again, another will answer
        except TimeoutError:
            raise TooSlow(f"the search took longer than {LONGEST:g} s", seconds=LONGEST) from None
        finally:
            self._end_turn()
            if child is not None:
                await self._forget(child)

    async def _child(self) -> Child:
        if self._closed:
            raise QueryStopped("the service is stopping; try again later")
        child = await self._nursery.child()
        self._all.add(child)
        return child

    async def _forget(self, child: Child) -> None:
        self._all.discard(child)
        await child.end()

    async def close(self) -> None:
        """Ends every process."""
        self._closed = True
        await self._early.close()
        await self._work.close()
        for child in list(self._all):
            await self._forget(child)
        await self._nursery.close()


def _told(frame: tuple[bytes, bytes]) -> dict[str, Any]:
    kind, payload = frame
    said: dict[str, Any] = from_json(payload)
    if kind == b"X":
        raise from_problem(said)
    return said
