"""A client that costs as little as it can: keep-alive sockets and just enough of HTTP/1.1 to know a whole answer.

One thread drives any number of connections, so that what is measured is the server. `python benchmarks/client.py PORT`
is a server that does nothing but answer, to measure what the client itself costs.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import select
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode, urlsplit

TABLE = "application/sparql-results+json"
GRAPH = "application/n-triples"
TOO_LONG = 599  # the status of an answer that did not come in time, or not whole


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `seconds` from the request's first byte out to the answer's last byte in."""

    status: int
    media_type: str
    body: bytes
    seconds: float


def get(url: str, query: str) -> bytes:
    """The request of a query, as a SPARQL client would send it."""
    where = urlsplit(url)
    accept = GRAPH if re.search(r"\b(CONSTRUCT|DESCRIBE)\b", query) else TABLE
    line = (
        f"GET {where.path}?query={quote(query, safe='')} HTTP/1.1\r\nHost: {where.netloc}\r\nAccept: {accept}\r\n\r\n"
    )
    return line.encode()


def post_update(url: str, update: str, token: str | None = None) -> bytes:
    where, body = urlsplit(url), urlencode({"update": update})
    login = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\n{login}Content-Length: {len(body)}\r\n"
    return f"{head}Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}".encode()


class Connection:
    """One client's connection to a server: one request at a time, connected again when the server closes it."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._address = (where.hostname or "127.0.0.1", where.port or 80)
        self.socket = self._connect()

    def _connect(self) -> socket.socket:
        made = socket.create_connection(self._address, 10)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def ask(self, request: bytes, seconds: float = 60) -> Reply:
        """The answer, waited for; one with the status TOO_LONG when it does not come in time."""
        if self._is_stale():
            self.reconnect()
        began = time.perf_counter()
        self.send(request)
        self.socket.settimeout(seconds)
        with contextlib.suppress(TimeoutError):
            while (reply := self.hear()) is None:
                pass
            return reply
        self.reconnect()
        return Reply(TOO_LONG, "", b"", time.perf_counter() - began)

    def _is_stale(self) -> bool:
        """Whether the server has closed the connection since the last answer."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def send(self, request: bytes) -> None:
        self._began, self._held = time.perf_counter(), bytearray()
        self._again = request if request.startswith(b"GET") else None
        try:
            self.socket.sendall(request)
        except OSError:  # closed since the last answer
            self.reconnect()
            self.socket.sendall(request)

    def hear(self) -> Reply | None:
        """Takes what has come; the answer once it is whole.

        A connection that is closed before the first byte was closed between two requests: a GET is sent once more (RFC
        9110, section 9.2.2).
        """
        try:
            part = self.socket.recv(1 << 18)
        except ConnectionError:
            part = b""
        if not part and not self._held and self._again:
            self.reconnect()
            self.socket.sendall(self._again)
            self._again = None
            return None
        self._held += part
        found = _parsed(self._held)
        if found is None and part:
            return None
        seconds = time.perf_counter() - self._began
        if found is None or b"connection: close" in self._held[:1000].lower():
            self.reconnect()
        status, media_type, body = found or (TOO_LONG, "", b"")
        return Reply(status, media_type, body, seconds)

    def reconnect(self) -> None:
        self.socket.close()
        self.socket = self._connect()

    def fileno(self) -> int:
        return self.socket.fileno()

    def close(self) -> None:
        self.socket.close()


def _parsed(held: bytearray) -> tuple[int, str, bytes] | None:
    """Status, media type and body; None while they are not whole."""
    end = held.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = bytes(held[:end]).lower()
    at = head.find(b"\r\ncontent-length:")
    if at >= 0:
        length = int(head[at + 17 :].split(b"\r\n", 1)[0])
        body = bytes(held[end + 4 :]) if len(held) >= end + 4 + length else None
    elif b"\r\ntransfer-encoding: chunked" in head:
        body = _joined(held, end + 4) if held.endswith(b"\r\n0\r\n\r\n", end) else None
    else:
        body = b""
    if body is None:
        return None
    at = head.find(b"\r\ncontent-type:")
    media_type = head[at + 15 :].split(b"\r\n", 1)[0].split(b";")[0].strip().decode() if at >= 0 else ""
    return int(head[9:12]), media_type, body


def _joined(held: bytearray, at: int) -> bytes | None:
    """The chunks from there on put together (RFC 9112, section 7.1); None when the last is not there."""
    body = bytearray()
    while (end := held.find(b"\r\n", at)) >= 0:
        length = int(held[at:end].split(b";")[0], 16)
        if length == 0:
            return bytes(body)
        body += held[end + 2 : end + 2 + length]
        at = end + 2 + length + 2
    return None


@dataclass(slots=True)
class Tally:
    """What came of many requests."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)


def percentile(values: list[float], share: float) -> float:
    """The value that this share of the values does not exceed; nan without values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def hammer(url: str, requests: Iterator[bytes], *, clients: int, seconds: float) -> Tally:
    """That many clients, each asking its next request as soon as it has its answer, for so long."""
    tally = Tally()
    watch = selectors.DefaultSelector()
    began = time.perf_counter()
    for _ in range(clients):
        connection = Connection(url)
        connection.send(next(requests))
        watch.register(connection, selectors.EVENT_READ)
    while (now := time.perf_counter()) < began + seconds:
        for key, _ in watch.select(began + seconds - now):
            connection = key.fileobj  # type: ignore[assignment]
            before = connection.socket
            if reply := connection.hear():
                if reply.status == 200:
                    tally.latencies.append(reply.seconds)
                else:
                    tally.failed += 1
                connection.send(next(requests))
            if connection.socket is not before:  # connected again
                watch.unregister(key.fd)
                watch.register(connection, selectors.EVENT_READ)
    tally.seconds = time.perf_counter() - began
    for key in list(watch.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return tally


class _Nothing(asyncio.Protocol):
    """Answers every request with the same kilobyte."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if data.endswith(b"\r\n\r\n"):
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n" + b"." * 1000
            self._transport.write(answer)  # type: ignore[attr-defined]


async def _serve_nothing(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Nothing, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve_nothing(int(sys.argv[1])))
