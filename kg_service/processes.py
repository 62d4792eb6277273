"""Several processes that answer requests on one address (`kg serve --processes N`), and the one that keeps them going.

That one answers nothing itself. It holds the sockets, so that a process that ends takes no waiting connection with it;
starts a process again that has ended; and when it is told to stop, stops the others before the one that writes, so that
what they have handed on is finished. Process 0 writes (see `api.together`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from kg_service.api import logs
from kg_service.errors import KgError
from kg_service.settings import Settings
from kg_service.store.frames import end_with_parent
from kg_service.store.part import Part

#: How often it is looked whether a process has ended.
_LOOK = 0.1
#: A process that ends sooner than that after its start has failed; so many such failures in a row are enough.
_SOON, _FAILURES = 5.0, 6
#: Seconds that stopping may take: running queries, slow takers of answers, the change in hand.
_STOPS = 30.0


def serve(settings: Settings, listening: socket.socket) -> None:
    """Serves until a signal says stop; then no process of ours is left.

    KgError when a process fails again and again.
    """
    logs.begin(settings)
    stop = threading.Event()
    for told in (signal.SIGTERM, signal.SIGINT):
        signal.signal(told, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="kg-") as folder, contextlib.ExitStack() as held:
        started: list[_Process] = []
        for number in range(settings.processes):
            part = Part(number, settings.processes, Path(folder))
            sockets = [listening, *(held.enter_context(each) for each in _sockets(part))]
            started.append(_Process(part, settings.shared_out(), sockets))
        try:
            while not stop.wait(_LOOK):
                for each in started:
                    each.keep()
        finally:
            _stop(started[1:])
            _stop(started[:1])


def _sockets(part: Part) -> tuple[socket.socket, socket.socket]:
    """Where other processes reach this one."""
    http, notes = (socket.socket(socket.AF_UNIX, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM))
    http.bind(str(part.http(part.number)))
    http.listen(2048)
    notes.bind(str(part.notes(part.number)))
    return http, notes


@dataclass(slots=True)
class _Process:
    """One of the processes, as often as it is started."""

    part: Part
    settings: Settings
    sockets: list[socket.socket]
    running: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    failures: int = 0
    again: float = field(default_factory=time.monotonic)

    def keep(self) -> None:
        """Sees to it that it runs."""
        now = time.monotonic()
        if self.running is not None and self.running.poll() is None:
            return
        if self.running is not None:
            self._ended(self.running.returncode, now)
        if now >= self.again:
            self._start()

    def _ended(self, code: int, now: float) -> None:
        self.running = None
        self.failures = self.failures + 1 if now - self.since < _SOON else 0
        if self.failures >= _FAILURES:
            raise KgError(f"process {self.part.number} ended {_FAILURES} times soon after its start; the log says why")
        self.again = now + (0.1 * 2**self.failures if self.failures else 0.0)
        how = f"by signal {-code}" if code < 0 else f"with {code}"
        logging.getLogger("kg_service").warning("process %d ended %s, and is started again", self.part.number, how)

    def _start(self) -> None:
        handles = [each.fileno() for each in self.sockets]
        command = [sys.executable, "-P", "-m", "kg_service.processes", *map(str, (os.getpid(), *handles))]
        # Of a session of its own: Ctrl-C is for this process alone, which stops the others in order.
        self.running = subprocess.Popen(command, stdin=subprocess.PIPE, pass_fds=handles, start_new_session=True)
        self.since = time.monotonic()
        assert self.running.stdin
        with contextlib.suppress(BrokenPipeError), self.running.stdin as told:
            told.write(pickle.dumps((self.part, self.settings)))  # secrets in it are for nobody's eyes


def _stop(processes: list[_Process]) -> None:
    """Tells processes to stop and waits for it."""
    running = [each.running for each in processes if each.running is not None]
    for process in running:
        process.terminate()
    until = time.monotonic() + _STOPS
    for process in running:
        try:
            process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _main() -> None:
    from kg_service.api.together import Together
    from kg_service.app import run

    parent, *handles = map(int, sys.argv[1:])
    end_with_parent(parent)
    listening, between, notes = (socket.socket(fileno=each) for each in handles)
    part, settings = pickle.load(sys.stdin.buffer)
    run(settings, listening, between, together=Together(part, notes))


if __name__ == "__main__":
    _main()
