"""Work that goes on beside the requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def begun(work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
    """Begins what several may wait for, and nobody any more when it ends: who looks finds its error, and nobody else
    is told of it.
    """
    task = asyncio.create_task(work)
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    return task


class Work(Generic[T]):
    """Work of one kind, of which one goes on at a time, whoever waits for it."""

    def __init__(self) -> None:
        #: What goes on, or went on last.
        self.last: asyncio.Task[T] | None = None

    @property
    def goes_on(self) -> bool:
        return self.last is not None and not self.last.done()

    def wanted(self, make: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        """The one that goes on; a new one where none does."""
        if self.last is None or self.last.done():
            self.last = begun(make())
        return self.last

    async def close(self) -> None:
        """Ends what goes on."""
        if self.last:
            self.last.cancel()
            await asyncio.gather(self.last, return_exceptions=True)
