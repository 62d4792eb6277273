"""The outcome of judging the whole graph: one process finds it out, and it is kept beside the store."""

from __future__ import annotations

import asyncio
import time

from kg_service import beside
from kg_service.linked_data import judging
from kg_service.linked_data.judging import Outcome
from kg_service.settings import Settings

#: Seconds between the beginnings of two such works.
_REST = 60.0


class Judging:
    """The one process that judges the published graph, while there is one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._work = beside.Work[None]()
        self._began = -_REST

    async def latest(self, generation: int) -> Outcome | None:
        """The outcome for the published generation; an earlier one, or None, at once while that is being found out.

        The graph of another engine is not judged as a whole here: `kg validate` does that.
        """
        if self._settings.is_remote:
            return None
        found = await asyncio.to_thread(judging.kept, self._settings)
        if found and found.generation == generation and found.shapes == judging.shapes_now(self._settings):
            return found
        if not self._work.goes_on and time.monotonic() - self._began >= _REST:
            self._began = time.monotonic()
            self._work.wanted(lambda: judging.make(self._settings))
        return found  # without an outcome, whatever went wrong, the page says that there is none

    async def close(self) -> None:
        await self._work.close()
