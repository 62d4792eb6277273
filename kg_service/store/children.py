"""A child process that answers over its standard streams and can be ended at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping

from kg_service.store.frames import HEADER


class Ended(Exception):
    """The process ended before it had answered."""


class Child:
    """One child process running a module of ours, seen from the service; it speaks `store.frames`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, *arguments: object) -> Child:
        """Starts `module` with the arguments, after which come this process's id (see `frames.begin`)."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", module, *map(str, arguments), str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=os.environ | {"MALLOC_ARENA_MAX": "2"},  # an arena a thread would take the address space away
        )
        return cls(process)

    async def ask(self, job: Mapping[str, object], body: bytes | None = None) -> None:
        """Sends a job, and the bytes that it is about where there are some."""
        frames = [(b"Q", json.dumps(job).encode()), *([(b"B", body)] if body is not None else [])]
        assert self._process.stdin
        with contextlib.suppress(ConnectionError):  # a dead child shows at the next `hear`
            for kind, payload in frames:
                self._process.stdin.write(HEADER.pack(kind, len(payload)) + payload)
            await self._process.stdin.drain()

    async def hear(self) -> tuple[bytes, bytes]:
        """The next frame; Ended when the process has ended instead."""
        assert self._process.stdout
        try:
            kind, length = HEADER.unpack(await self._process.stdout.readexactly(HEADER.size))
            return kind, await self._process.stdout.readexactly(length)
        except asyncio.IncompleteReadError:
            raise Ended from None

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    async def end(self) -> None:
        """Kills the process and waits for its end."""
        # Through the transport: `Process.wait` alone never returns while unread output is held back in a full pipe.
        self._process._transport.close()  # type: ignore[attr-defined]
        await self._process.wait()
