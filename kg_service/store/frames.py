"""How a child process speaks: frames over its standard streams, and how it begins.

A frame is one letter, four bytes of length (big endian), the payload.
In: `Q` a job (JSON), `B` the bytes that it is about. Out: `H` head (JSON), `D` data, `E` end, `X` a problem (JSON,
`KgError.problem`); from readers `A` a small answer whole: the format's name, a line end, the data.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from kg_service.errors import KgError, StoreError, TooLarge
from kg_service.store.confinement import forbid_sockets

HEADER = struct.Struct(">cI")
#: Bytes of an answer that travel in one frame.
FRAME = 64 * 1024
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def send(out: BinaryIO, kind: bytes, payload: bytes) -> None:
    out.write(HEADER.pack(kind, len(payload)) + payload)
    out.flush()


def send_data(out: BinaryIO, kind: bytes, data: bytes) -> None:
    """Sends data of any length in frames of one kind."""
    for start in range(0, len(data), FRAME):
        send(out, kind, data[start : start + FRAME])


def refuse(out: BinaryIO, error: KgError) -> None:
    send(out, b"X", json.dumps(error.problem()).encode())


def receive(stream: BinaryIO) -> tuple[bytes, bytes] | None:
    """The next frame, or None at the end of the stream."""
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        return None
    kind, length = HEADER.unpack(header)
    return kind, stream.read(length)


def serve(answer: Callable[[Any, bytes], bytes | None], *, lacking: str, failing: str, with_body: bool = False) -> None:
    """Answers the jobs that this process is told, one after the other, until none follows.

    `answer` is given a job and the bytes that it is about (`with_body`), sends what it has to, and returns what the
    last frame of the answer holds. A problem is sent in its place; `lacking` are the words where memory does not
    suffice, `failing` those before what else goes wrong.
    """
    asked, out = sys.stdin.buffer, sys.stdout.buffer
    while question := receive(asked):
        body = receive(asked) if with_body else (b"B", b"")
        if body is None:
            return
        try:
            send(out, b"E", answer(json.loads(question[1]), body[1]) or b"")
        except KgError as error:
            refuse(out, error)
        except MemoryError:
            refuse(out, TooLarge(lacking))
        except Exception as error:  # of the engine and of other libraries, must reach who asked as a problem
            refuse(out, StoreError(f"{failing}: {type(error).__name__}: {error}"))


def begin() -> bool:
    """Confines this process and ties it to its parent, whose id is the last argument; False when the parent is gone.

    Ctrl-C reaches the whole group and is passed over: the parent decides when its children end. From here on no
    socket can be opened (see `confinement`).
    """
    forbid_sockets()
    return begin_with_sockets()


def begin_with_sockets() -> bool:
    """The same for a process that evaluates nothing of strangers and asks an engine that the settings name."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    end_with_parent()
    return os.getppid() == int(sys.argv[-1])


def end_with_parent(parent: int | None = None) -> None:
    """Linux will end this process with the one that forked it; a fork inherits no such wish.

    Where the number of the parent is given and it has ended already, this process ends at once.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if parent is not None and os.getppid() != parent:
        os._exit(1)


def limit_memory(more: int | None) -> None:
    """Allows that many bytes of address space beyond what is in use now; None lifts the limit."""
    allowed = resource.RLIM_INFINITY
    if more is not None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        allowed = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.RLIM_INFINITY))
