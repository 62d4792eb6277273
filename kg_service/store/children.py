"""Child processes that answer over a socket, can be paused, and can be ended at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import json
import os
import resource
import signal
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

from kg_service.store.frames import HEADER

#: From this many unheard bytes on the child has to wait.
_AHEAD = 256 * 1024
_PID = struct.Struct("=i")


class Ended(Exception):
    """The process ended before it had answered."""


class Child(asyncio.Protocol):
    """One child process running a module of ours, seen from the service; it speaks `store.frames`."""

    def __init__(self, pid: int, handle: int | None, process: asyncio.subprocess.Process | None = None) -> None:
        """`handle` is the kernel's for this very process, where it has such: ids are used again."""
        self.pid, self._handle, self._process = pid, handle, process
        self._input, self._frames = bytearray(), deque[tuple[bytes, bytes]]()
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._is_held = False
        #: The processor seconds that were put on somebody's account already.
        self.accounted = 0.0
        self._gone = asyncio.get_running_loop().create_future()
        #: Called when the process has ended, however that came.
        self.on_end: Callable[[Child], None] = lambda _: None

    @classmethod
    async def start(cls, module: str, *arguments: object) -> Child:
        """Starts `module` with the arguments, after which come this process's id (see `frames.begin`)."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await _executed(theirs, module, *arguments)
            return await cls(process.pid, None, process)._connected(ours)
        except BaseException:
            ours.close()  # by which the process notices that nobody will ask it
            raise

    async def _connected(self, ours: socket.socket) -> Child:
        await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        held = self._input
        held += data
        start = 0
        while len(held) - start >= HEADER.size:
            kind, length = HEADER.unpack_from(held, start)
            end = start + HEADER.size + length
            if end > len(held):
                break
            self._frames.append((kind, bytes(held[start + HEADER.size : end])))
            start = end
        del held[:start]
        if len(self._frames) > 1 and not self._is_held and sum(len(f[1]) for f in self._frames) > _AHEAD:
            assert self._transport
            self._transport.pause_reading()
            self._is_held = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._gone.done():
            self._gone.set_result(None)
        self._wake()
        self.on_end(self)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def ask(self, job: Mapping[str, object], body: bytes | None = None) -> None:
        """Sends a job, and the bytes that it is about where there are some."""
        assert self._transport
        if not self.is_alive or self._transport.is_closing():
            return  # to a dead child nothing is sent: that shows at the next `hear`
        frames = [(b"Q", json.dumps(job).encode()), *([(b"B", body)] if body is not None else [])]
        for kind, payload in frames:
            self._transport.write(HEADER.pack(kind, len(payload)) + payload)

    async def hear(self) -> tuple[bytes, bytes]:
        """The next frame; Ended when the process has ended instead."""
        while not self._frames:
            if self._gone.done():
                raise Ended
            if self._is_held:
                assert self._transport
                self._is_held = False
                self._transport.resume_reading()
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._frames.popleft()

    @property
    def has_crashed(self) -> bool:
        """Whether it ended by a mistake or limit of its own, not because somebody ended it (see `birth`)."""
        return not self.is_alive and self._input.startswith(b"Fatal Python error")

    @property
    def is_alive(self) -> bool:
        return not self._gone.done()

    @property
    def cpu_seconds(self) -> float:
        """The processor time that it has used so far; 0 when it has ended or the system does not say."""
        if sys.platform != "linux" or not self.is_alive:
            return 0.0
        with contextlib.suppress(OSError):
            return time.clock_gettime((~self.pid << 3) | 2)  # the kernel's clock of another process, in nanoseconds
        return 0.0

    @property
    def memory(self) -> int:
        """Bytes that it holds in memory of its own now; 0 when it has ended or the system does not say."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            _, resident, shared, *_ = map(int, Path(f"/proc/{self.pid}/statm").read_text().split())
            return (resident - shared) * resource.getpagesize()
        return 0

    def pause(self) -> None:
        """Stops it where it is, until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Ends the process at once; what it has sent can still be heard."""
        self._signal(signal.SIGKILL)
        if self._is_held and self._transport:  # its end must be noticed, though nobody hears
            self._is_held = False
            self._transport.resume_reading()

    def _signal(self, number: signal.Signals) -> None:
        if not self.is_alive:
            return
        with contextlib.suppress(ProcessLookupError):
            if self._handle is not None:
                signal.pidfd_send_signal(self._handle, number)
            else:
                os.kill(self.pid, number)

    async def end(self) -> None:
        """Kills the process and waits for its end."""
        self.kill()
        await asyncio.shield(self._gone)
        if self._process:
            await self._process.wait()
        if self._transport:
            self._transport.close()
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


async def _executed(theirs: socket.socket, module: str, *arguments: object) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module, *map(str, arguments), str(os.getpid())),
        stdin=theirs.fileno(),
        stdout=theirs.fileno(),
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"MALLOC_ARENA_MAX": "2"},  # an arena a thread would take the address space away
    )


class Nursery:
    """A process with a module loaded, which makes children of itself in milliseconds (see `birth`)."""

    def __init__(self, module: str, *arguments: object) -> None:
        self._module, self._arguments = module, arguments
        self._turn = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._control: socket.socket | None = None

    async def child(self) -> Child:
        """A new child; the nursery is started, or started anew, when it must be. Ended when it cannot be."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        try:
            with theirs:
                async with self._turn:
                    pid, handle = await self._born(theirs)
        except BaseException:
            ours.close()
            raise
        return await Child(pid, handle)._connected(ours)

    async def _born(self, theirs: socket.socket) -> tuple[int, int | None]:
        for _ in range(2):  # a nursery that somebody killed is replaced
            if self._control is None:
                self._control, child_end = socket.socketpair()
                self._control.setblocking(False)
                with child_end:
                    self._process = await _executed(child_end, self._module, *self._arguments)
            with contextlib.suppress(OSError, EOFError):
                socket.send_fds(self._control, [b"+"], [theirs.fileno()])
                return await _reply(self._control)
            await self._end()
        raise Ended

    async def _end(self) -> None:
        process, self._process = self._process, None
        control, self._control = self._control, None
        if control:
            control.close()
        if process:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def close(self) -> None:
        """Ends the nursery, and with it, on Linux, every child that is left."""
        async with self._turn:
            await self._end()


async def _reply(control: socket.socket) -> tuple[int, int | None]:
    """The id of the child that was born and the handle of its process; EOFError when the nursery is gone."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(control, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(control)
    data, handles, _, _ = socket.recv_fds(control, _PID.size, 1)
    if len(data) < _PID.size:
        raise EOFError
    (pid,) = _PID.unpack(data)
    if pid < 0:
        raise Ended
    return pid, handles[0] if handles else None


def birth() -> int | None:
    """In a nursery: makes a child for everyone who asks. Returns only in the children, with the nursery's id; None in
    the nursery when nobody can ask any more.

    A child's standard streams are its own socket to the service. There must be no other thread when it is born.
    """
    control, nursery = socket.socket(fileno=os.dup(0)), os.getpid()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries them
    while True:
        _, sockets, _, _ = socket.recv_fds(control, 1, 1)
        if not sockets:
            return None
        try:
            pid = os.fork()
        except OSError:
            pid = -1  # no memory or no process left: there may be later
        if pid == 0:
            control.close()
            os.dup2(sockets[0], 0)
            os.dup2(sockets[0], 1)
            os.close(sockets[0])
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            faulthandler.enable(file=1, all_threads=False)  # a crash says so to who asked (`Child.has_crashed`)
            return nursery
        os.close(sockets[0])
        handles = [os.pidfd_open(pid)] if pid > 0 and hasattr(os, "pidfd_open") else []
        socket.send_fds(control, [_PID.pack(pid)], handles)
        for handle in handles:
            os.close(handle)
