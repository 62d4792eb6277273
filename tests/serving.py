"""A real server for tests."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import httpx

from kg_service.app import Server
from kg_service.settings import Settings


class running:  # noqa: N801  (reads as a phrase: with running(settings) as url)
    """A real server in a thread, on a port of its own; its readers are real processes."""

    def __init__(self, settings: Settings) -> None:
        self._server = Server(settings)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        self._server.run(sockets=[self._socket])

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The server's event loop, once it has started."""
        return self._server.servers[0].get_loop()

    def __enter__(self) -> str:
        self._thread.start()
        until = time.monotonic() + 20
        while not self._server.started:
            assert self._thread.is_alive(), "the server ended while starting"
            assert time.monotonic() < until, "the server did not start within 20 s"
            time.sleep(0.01)
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        assert not self._thread.is_alive(), "the server did not stop"


def ready(url: str) -> httpx.Response:
    """Waits until the service at that address can answer questions."""
    until = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(f"{url}/health/ready")
            if answer.status_code == 200:
                return answer
        assert time.monotonic() < until, "not ready within 60 s"
        time.sleep(0.05)
