"""Several processes in front of one store: what each does itself, what it hands on to the one that writes, and what
they tell each other.

All of them take requests from one address and answer questions from the store's published generation, which is one
file for all: what was published is seen by every process with its next request. What must be at one place is at the
process of number 0, the writer: changes, trials, jobs, and the sessions of pages. The others hand such requests on to
it, whole, with who asks; each such request goes once and over a connection of its own, so that none is made twice.

The processes speak over sockets in a folder that only their user may enter: HTTP at `<number>.http`, and notes on what
clients have used at `<number>.notes`.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from urllib.parse import quote

import httpx
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from kg_service.api import problems, reconcile
from kg_service.api.sessions import COOKIE
from kg_service.errors import Busy, KgError, Malformed
from kg_service.store.fairness import Budgets
from kg_service.store.part import Part

#: POST to these paths only reads.
READ_BY_POST = ("/sparql", "/api/validate", *reconcile.READ_BY_POST)
#: What only the writer knows: networks that are measured, the pages that show them, and who is signed in.
_AT_WRITER = ("/api/networks", "/api/jobs", "/jobs/", "/network", "/path", "/communities", "/sign-", "/tables")
#: The header by which one process tells another whom a request comes from; it counts on a socket of theirs alone.
_MARK = b"x-kg-between"
_ALONE = "kg.alone"
#: Headers that belong to one connection, not to the request or answer.
_OF_CONNECTION = {
    *(b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    *(b"expect", _MARK),
}
#: Headers that the process that hands an answer out adds itself.
_ADDED = {
    *(b"date", b"server", b"x-request-id", b"x-content-type-options", b"strict-transport-security"),
    *(b"access-control-allow-origin", b"access-control-expose-headers"),
}
#: Seconds to reach another process, and to hear what it tells of itself.
_REACHED, _HEARD = 5.0, 3.0
#: Seconds between two notes, and clients in one.
_EVERY, _CLIENTS = 0.5, 1000
_PRINTED = "".join(map(chr, range(0x21, 0x7F)))


class Together:
    """The other processes, as one of them sees them. `notes` is its own socket for notes."""

    def __init__(self, part: Part, notes: socket.socket) -> None:
        self._part, self._notes = part, notes
        self._others = {number: _transport(part.http(number)) for number in range(part.count) if number != part.number}
        self._shared: dict[str, Budgets] = {}
        self._telling: asyncio.Task[None] | None = None

    @property
    def number(self) -> int:
        return self._part.number

    @property
    def is_writer(self) -> bool:
        return self._part.number == 0

    def hands_on(self, scope: Scope) -> bool:
        """Whether a request is for the writer, and this is another process."""
        return not self.is_writer and scope["type"] == "http" and _is_for_writer(scope)

    async def hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The writer's answer to a request; 503 where it cannot be reached, or ends before it has answered."""
        parts: asyncio.Queue[bytes | None] = asyncio.Queue(4)

        async def taken() -> None:
            """Takes the body in; ends when the client has left."""
            while (message := await receive())["type"] != "http.disconnect":
                await parts.put(message.get("body", b""))
                if not message.get("more_body"):
                    await parts.put(None)

        leaving = asyncio.ensure_future(taken())
        work = asyncio.ensure_future(self._answered(scope, parts, receive, send))
        try:
            await asyncio.wait({leaving, work}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
        finally:
            for each in (leaving, work):
                each.cancel()
            await asyncio.gather(leaving, work, return_exceptions=True)

    async def _answered(self, scope: Scope, parts: asyncio.Queue[bytes | None], receive: Receive, send: Send) -> None:
        scope["kg.route"] = "handed on"
        try:
            answer = await self._others[0].handle_async_request(_request(scope, parts))
        except httpx.TransportError as error:
            await problems.response(_translated(error))(scope, receive, send)
            return
        try:
            kept = [(name.lower(), value) for name, value in answer.headers.raw]
            headers = [each for each in kept if each[0] not in _OF_CONNECTION | _ADDED]
            await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
            assert isinstance(answer.stream, httpx.AsyncByteStream)
            async for piece in answer.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except httpx.TransportError:  # raised, so that the answer has no end
            raise Busy("the process that writes ended while it answered; ask again", retry_after=1) from None
        finally:
            await answer.aclose()

    async def asked(
        self, request: Request, *, of: int | None = None, address: str | None = None
    ) -> dict[int, httpx.Response]:
        """What the others answer to the same request, or that of number `of` to a GET of `address`, each for itself;
        without those that do not answer in time."""
        method = "GET" if address else request.method
        sent = [(name, value) for name, value in request.headers.raw if name in (b"authorization", b"accept")]

        async def one(number: int) -> httpx.Response:
            target = address.encode() if address else _target(request.scope)
            told = httpx.Request(
                method,
                "http://kg/",
                headers=[(b"host", b"kg"), *sent, _mark(request.scope, "alone")],
                extensions={"target": target, "timeout": {"connect": _REACHED, "read": _HEARD}},
            )
            answer = await self._others[number].handle_async_request(told)
            await answer.aread()
            return answer

        numbers = [number for number in self._others if of in (None, number)]
        answers = await asyncio.gather(*map(one, numbers), return_exceptions=True)
        return {n: each for n, each in zip(numbers, answers, strict=True) if isinstance(each, httpx.Response)}

    # what clients use, told to each other, so that a budget is one budget however many processes there are

    def share(self, name: str, budgets: Budgets | None) -> None:
        """Makes what is paid from these budgets known to the others, and what is paid there known here."""
        if budgets is not None:
            budgets.unshared = {}
            self._shared[name] = budgets

    def start(self) -> None:
        self._notes.setblocking(False)
        asyncio.get_running_loop().add_reader(self._notes, self._hear)
        self._telling = asyncio.create_task(self._tell())

    async def close(self) -> None:
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)
            asyncio.get_running_loop().remove_reader(self._notes)
        for transport in self._others.values():
            await transport.aclose()

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            for note in self._notes_to_send():
                for number in self._others:
                    with suppress(OSError):  # who is not there, or far behind, misses it
                        self._notes.sendto(note, str(self._part.notes(number)))

    def _notes_to_send(self) -> Iterator[bytes]:
        for name, budgets in self._shared.items():
            paid, budgets.unshared = budgets.unshared or {}, {}
            entries = iter(paid.items())
            while some := dict(islice(entries, _CLIENTS)):
                yield json.dumps([name, some]).encode()

    def _hear(self) -> None:
        with suppress(BlockingIOError):
            while True:
                name, paid = json.loads(self._notes.recv(2**18))
                for client, amount in paid.items():
                    self._shared[name].charge(client, amount, time.monotonic())


class HandingOn:
    """An application whose requests go to the writer where they must."""

    def __init__(self, app: ASGIApp, together: Together) -> None:
        self._app, self._together = app, together

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._together.hand_on if self._together.hands_on(scope) else self._app)(scope, receive, send)


def is_between(scope: Scope) -> bool:
    """Whether a request came over a socket of the processes."""
    server = scope.get("server")
    return server is not None and server[1] is None


def received(scope: Scope) -> None:
    """Makes a request that another process sent what it was there: by whom it was asked, and how."""
    for name, value in scope["headers"]:
        if name == _MARK:
            how, scheme, host = value.decode("latin-1").split(" ", 2)
            scope["client"], scope["scheme"], scope[_ALONE] = (host, 0), scheme, how == "alone"
    scope["headers"] = [each for each in scope["headers"] if each[0] != _MARK]


def is_asked_alone(request: Request) -> bool:
    """Whether another process asks what this one has to tell of itself."""
    return bool(request.scope.get(_ALONE))


def _is_for_writer(scope: Scope) -> bool:
    path, method = scope["path"], scope["method"]
    if method == "POST":
        return path not in READ_BY_POST
    if method not in ("GET", "HEAD", "OPTIONS"):
        return not path.startswith("/api/running/")
    if path.startswith(_AT_WRITER):
        return True
    is_page = path != "/sparql" and not path.startswith("/api/")
    return is_page and any(name == b"cookie" and COOKIE.encode() in value for name, value in scope["headers"])


def _translated(error: httpx.TransportError) -> KgError:
    """Why there is no answer of the writer."""
    if isinstance(error, httpx.LocalProtocolError):
        return Malformed("this is not an HTTP request")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        return Busy("the process that writes cannot be reached; try again soon", retry_after=1)
    return Busy(
        "the process that writes ended before it had answered; the log of changes tells whether a change was made, and "
        "with the same Idempotency-Key it can be sent again without being made twice",
        retry_after=1,
    )


def _request(scope: Scope, parts: asyncio.Queue[bytes | None]) -> httpx.Request:
    async def body() -> AsyncIterator[bytes]:
        while (part := await parts.get()) is not None:
            yield part

    has_body = any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])
    named = (b"x-request-id", scope["kg.request"].encode()) if "kg.request" in scope else None
    sent = [each for each in scope["headers"] if each[0] not in _OF_CONNECTION and each[0] != b"x-request-id"]
    return httpx.Request(
        scope["method"],
        "http://kg/",
        headers=[*sent, _mark(scope, "handed"), *([named] if named else [])],
        content=body() if has_body else None,
        extensions={"target": _target(scope), "timeout": {"connect": _REACHED}},
    )


def _mark(scope: Scope, how: str) -> tuple[bytes, bytes]:
    host = scope["client"][0] if scope.get("client") else ""
    return _MARK, f"{how} {scope['scheme']} {host}".encode("latin-1")


def _target(scope: Scope) -> bytes:
    """The address as it was sent; bytes that no address may have are written as it may have them."""
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    return quote(scope["raw_path"] + query, safe=_PRINTED).encode()


def _transport(path: Path) -> httpx.AsyncHTTPTransport:
    """Requests to a process; each has a connection of its own, so that none is sent again on another."""
    return httpx.AsyncHTTPTransport(
        uds=str(path), limits=httpx.Limits(max_connections=None, max_keepalive_connections=0)
    )
