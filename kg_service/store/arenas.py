"""How the C library keeps memory that was given back to it."""

from __future__ import annotations

import contextlib
import ctypes
import os

#: Heaps that all threads of a process share (mallopt(3), M_ARENA_MAX): glibc would make eight for each core, and what
#: one thread has freed in its own is of no use to the others.
_ARENAS, _ARENA_MAX = 2, -8
#: The same as a variable of a process that is to be started.
FEW = {"MALLOC_ARENA_MAX": str(_ARENAS)}
_LIBRARY = ctypes.CDLL(None)  # which may be another than glibc, and know none of this


def trim() -> None:
    """Gives pages that hold nothing back to the system (malloc_trim(3)).

    Takes some tens of milliseconds, in which other threads may wait for memory.
    """
    with contextlib.suppress(AttributeError):
        _LIBRARY.malloc_trim(0)


def share() -> None:
    """Has the threads of this process, and of those that it starts from now on, share few heaps.

    Where the environment says how many there may be, that stands.
    """
    if FEW.keys() <= os.environ.keys():
        return
    os.environ.update(FEW)
    with contextlib.suppress(AttributeError):
        _LIBRARY.mallopt(_ARENA_MAX, _ARENAS)
