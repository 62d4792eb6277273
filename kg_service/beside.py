"""Work that goes on beside the requests, or beside other work of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, overload

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
T = TypeVar("T")
#: Works of one request that go on at once where nothing else is said: few enough that others have their turns, and that
#: no queue is full of one client.
AT_ONCE = 8


@overload
async def at_once(
    one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, B], /, *, most: int = AT_ONCE
) -> tuple[A, B]: ...


@overload
async def at_once(
    one: Coroutine[Any, Any, A], other: Coroutine[Any, Any, B], third: Coroutine[Any, Any, C], /, *, most: int = AT_ONCE
) -> tuple[A, B, C]: ...


@overload
async def at_once(*works: Coroutine[Any, Any, T], most: int = AT_ONCE) -> tuple[T, ...]: ...


async def at_once(*works: Coroutine[Any, Any, Any], most: int = AT_ONCE) -> tuple[Any, ...]:
    """What works come to that do not need each other, in their order; they begin in it too, so many at a time.

    The first error ends the others and is raised, and so does it end them all when nobody waits any more: when this
    is over nothing goes on, and what they were lent can be given back.
    """
    turns = asyncio.Semaphore(most)

    async def in_turn(work: Coroutine[Any, Any, Any]) -> Any:
        try:
            async with turns:
                return await work
        finally:
            work.close()  # one that never began

    try:
        async with asyncio.TaskGroup() as together:
            tasks = [together.create_task(in_turn(work)) for work in works]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return tuple(task.result() for task in tasks)


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
