"""How fast a repeated question is answered, beside a bare ASGI application that sends the same bytes.

    python benchmarks/hot.py [--seconds 5] [--rounds 3]

Both are served by the same server with the same settings, each on the first core, one after the other in every round;
the clients have the second core. Prints requests per second, requests per second of the server's processor time (which
others at work on the machine disturb less), and the ratio of the latter.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlencode

import uvicorn
from pyoxigraph import Literal, NamedNode, Quad
from starlette.types import Receive, Scope, Send

from kg_service import app
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore

CONNECTIONS = 32
QUERY = "SELECT ?o { <urn:s> ?p ?o } ORDER BY ?o"


class _Client(asyncio.Protocol):
    """One connection that asks the same again and again, and counts the answers by their length."""

    def __init__(self, request: bytes, length: int) -> None:
        self._request, self._length, self._received = request, length, 0

    @property
    def answers(self) -> int:
        return self._received // self._length

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        before = self.answers
        self._received += len(data)
        if self.answers > before:
            self._transport.write(self._request)


def request_of(method: str) -> bytes:
    form = urlencode({"query": QUERY})
    if method == "GET":
        return f"GET /sparql?{form} HTTP/1.1\r\nHost: x\r\nAccept: application/sparql-results+json\r\n\r\n".encode()
    head = f"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(form)}\r\n"
    return f"POST /sparql HTTP/1.1\r\n{head}\r\n{form}".encode()


def one_answer(port: int, request: bytes) -> bytes:
    """The bytes of one answer; the second, so that it is the one that is repeated."""
    for _ in range(2):
        with socket.create_connection(("127.0.0.1", port)) as opened:
            opened.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < _length(answer):
                answer += opened.recv(65536)
    return answer


def _length(answer: bytes) -> int:
    lines = answer.partition(b"\r\n\r\n")[0].lower().split(b"\r\n")
    return next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))


async def rate(server: int, port: int, request: bytes, length: int, seconds: float) -> tuple[float, float]:
    """Answers per second, and per second of the server's processor time."""
    clock = (~server << 3) | 2  # the kernel's clock of another process
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Client(request, length), "127.0.0.1", port) for _ in range(CONNECTIONS)
    ]
    await asyncio.sleep(0.5)
    before, began, used = sum(c.answers for _, c in made), time.perf_counter(), time.clock_gettime(clock)
    await asyncio.sleep(seconds)
    took, used = time.perf_counter() - began, time.clock_gettime(clock) - used
    answers = sum(c.answers for _, c in made) - before
    for transport, _ in made:
        transport.close()
    return answers / took, answers / used


def bare(body: bytes, listening: socket.socket) -> None:
    """Serves the least that an ASGI application can be."""
    headers = [(b"content-type", b"application/sparql-results+json"), (b"content-length", str(len(body)).encode())]

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    config = uvicorn.Config(answer, interface="asgi3", log_level="warning", lifespan="off", server_header=False)
    uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def served(*what: str) -> Iterator[tuple[int, int]]:
    """A server in a process on the first core; gives the process's id and the port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        command = [sys.executable, __file__, "--serve", *what, "--on", str(listening.fileno())]
        process = subprocess.Popen(command, pass_fds=[listening.fileno()])
        try:
            yield process.pid, listening.getsockname()[1]
        finally:
            process.terminate()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--on", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if given.serve:
        os.sched_setaffinity(0, cores[:1])
        listening, (kind, of) = socket.socket(fileno=given.on), given.serve
        if kind == "service":
            app.run(Settings(store=Path(of)), listening)
        else:
            bare(of.encode(), listening)
        return
    with TemporaryDirectory(prefix="kg-hot-") as folder:
        with EmbeddedStore(Path(folder) / "store") as store:
            quads = [
                Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal(f"value {n}"), NamedNode("urn:g"))
                for n in range(5)
            ]
            store.apply(Delta(added=frozenset(quads)))
        _compare(str(Path(folder) / "store"), cores, given.rounds, given.seconds)


def _compare(store: str, cores: list[int], rounds: int, seconds: float) -> None:
    with served("service", store) as service:
        body = one_answer(service[1], request_of("GET")).partition(b"\r\n\r\n")[2].decode()
        with served("bare", body) as reference:
            os.sched_setaffinity(0, cores[-1:])
            rates: dict[str, list[tuple[float, float]]] = {"bare ASGI": [], "service, GET": [], "service, POST": []}
            for _ in range(rounds):
                for name, (process, port) in zip(rates, (reference, service, service), strict=True):
                    request = request_of("POST" if name.endswith("POST") else "GET")
                    length = len(one_answer(port, request))
                    rates[name].append(asyncio.run(rate(process, port, request, length, seconds)))
    medians = {name: [statistics.median(column) for column in zip(*each, strict=True)] for name, each in rates.items()}
    for name, (by_clock, by_processor) in medians.items():
        ratio = by_processor / medians["bare ASGI"][1]
        print(f"{name:14} {by_clock:8,.0f}/s {by_processor:8,.0f}/s of processor time {ratio:6.2f} of bare ASGI")


if __name__ == "__main__":
    main()
