"""Earlier generations of the graph, to be asked like the present one: each is made when it is first asked for."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict

from kg_service import beside
from kg_service.changes.earlier import reached
from kg_service.errors import TooLarge, from_problem, wrong_parameter
from kg_service.settings import Settings
from kg_service.store import Reads
from kg_service.store.children import Child, Ended
from kg_service.store.log import log_of
from kg_service.store.readers import Limits, Readers
from kg_service.store.scratch import Scratch

#: Generations that are kept.
_KEPT = 3


class Earlier:
    """The last few earlier generations that were asked for; only of a store that this service keeps itself."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: OrderedDict[int, asyncio.Task[tuple[Readers, Scratch]]] = OrderedDict()

    async def known(self, name: str, written: str | None) -> int | None:
        """The earlier generation that a parameter names, None for the present one; WrongParameter says which are."""
        if written in (None, "now"):
            return None
        if self._settings.is_remote:
            allowed = "allowed is now: of a graph that another engine holds there are no earlier generations"
            raise wrong_parameter(name, written, allowed)
        generations = await asyncio.to_thread(self._reached)
        allowed = f"allowed are now and {generations.start} to {generations.stop - 1}"
        if not written or not written.isascii() or not written.isdigit() or int(written[:18]) not in generations:
            raise wrong_parameter(name, written, allowed)
        return None if int(written) == generations.stop - 1 else int(written)

    def _reached(self) -> range:
        with log_of(self._settings.store, None) as log:
            return reached(log)

    async def reads(self, generation: int) -> Reads:
        """The readers of that generation, which is made where it is not there yet."""
        task = self._made.get(generation)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._made[generation] = beside.begun(self._ready(generation))
        self._made.move_to_end(generation)
        while len(self._made) > _KEPT and (old := self._oldest(generation)) is not None:
            await _gone(self._made.pop(old))
        readers, _ = await asyncio.shield(task)
        return readers

    def _oldest(self, but: int) -> int | None:
        """The one that was asked for longest ago and that nobody waits for; None where all are being made."""
        return next((each for each, task in self._made.items() if each != but and task.done()), None)

    async def _ready(self, generation: int) -> tuple[Readers, Scratch]:
        settings = self._settings
        own = Scratch(settings.own_folder, "earlier-")
        try:
            target = own.path / "store"
            job = {"root": str(settings.store), "generation": generation, "target": str(target)}
            await self._told(job | {"union": settings.default_graph == "union"})
            limits = Limits(readers=1, memory=settings.query_memory, queue_seconds=settings.network_seconds)
            readers = Readers(target, limits)
            await readers.start()
        except BaseException:
            await asyncio.to_thread(own.close)
            raise
        return readers, own

    async def _told(self, job: dict[str, object]) -> None:
        child = await Child.start("kg_service.changes.earlier", self._settings.network_memory)
        try:
            child.ask(job)
            kind, payload = await child.hear()
            if kind == b"X":
                raise from_problem(json.loads(payload))
        except Ended:
            raise TooLarge("so much has changed since that this generation cannot be made any more") from None
        finally:
            await child.end()

    async def close(self) -> None:
        """Deletes every one."""
        while self._made:
            await _gone(self._made.popitem()[1])


async def _gone(task: asyncio.Task[tuple[Readers, Scratch]]) -> None:
    if not task.done():
        task.cancel()
    (found,) = await asyncio.gather(task, return_exceptions=True)
    if not isinstance(found, BaseException):
        readers, own = found
        await readers.close()
        await asyncio.to_thread(own.close)
