"""Connections: what is sent over them in bounds and in time, whoever is at the other end.

A head (request line and headers) has a largest size, and connections have a number, all together and from one address.
Who is slow is found by looking at all connections now and then, which costs a request nothing: a head must be there
after some seconds, a body must come, and an answer be taken, faster than a trickle.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from kg_service.api import problems
from kg_service.errors import Busy, HeadTooLarge, KgError, Malformed, TooLong, TooMany, TooSlow

#: Bytes of an address, by the parser; of all that is not body.
_LONGEST, _LARGEST_HEAD = 65_535, 2**17
#: Bytes a second that are no trickle.
_TRICKLE = 1024
#: Seconds in which the event loop, whose timers come first, looks at what has come.
_GLANCE = 0.01


@dataclass(slots=True)
class Bounds:
    """How many connections there may be, and how many there are from each address.

    `refused` is told of each answer that is given here, with its status and who gets it, and gives it an id.
    """

    connections: int
    of_one: int
    patience: float
    refused: Callable[[int, str], str]
    counts: Counter[str] = field(default_factory=Counter)


class Http(HttpToolsProtocol):
    """HTTP whose own refusals are problems too: what is no request, or too large, or one too many."""

    def __init__(self, *, bounds: Bounds, **more: Any) -> None:
        super().__init__(**more)
        self._bounds = bounds
        self._counted: str | None = None
        self._beside, self._came = 0, 0  # bytes beside bodies since the last body or request; of bodies
        self._refusal: KgError | None = None
        # What the last look saw: the request and its state, since when, and how much had gone through by then.
        self._seen: tuple[int, str] = (0, "")
        self._since, self._through = self.loop.time(), 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.server is not None and self.server[1] is None:
            return  # another process of ours
        bounds, host = self._bounds, self.client[0] if self.client else ""
        bounds.counts[host] += 1
        self._counted = host
        if len(self.connections) > bounds.connections:
            self._refuse(Busy("there are too many connections; come again", retry_after=1))
        elif bounds.counts[host] > bounds.of_one:
            self._refuse(TooMany(f"you have {bounds.of_one} connections already; close some", retry_after=1))

    def connection_lost(self, exc: Exception | None) -> None:
        counts = self._bounds.counts
        if self._counted is not None:
            counts[self._counted] -= 1
            if not counts[self._counted]:
                del counts[self._counted]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            return
        came = self._came
        super().data_received(data)
        if self._is_in_head or (self._came == came and self.cycle.more_body):
            self._beside += len(data)
            if self._beside > _LARGEST_HEAD and not self.transport.is_closing():
                self._refuse(HeadTooLarge(f"the headers are larger than {_LARGEST_HEAD} bytes"))
        else:
            self._beside = 0

    @property
    def _is_in_head(self) -> bool:
        """Whether a request is still to come, or has not come as far as its body."""
        return self.scope is None or "method" not in self.scope or self.cycle is None

    def timeout_keep_alive_handler(self) -> None:
        """Ends a connection on which no other request came, once what came while this process had no turn is read."""
        self.timeout_keep_alive_task = self.loop.call_later(_GLANCE, super().timeout_keep_alive_handler)

    def on_body(self, body: bytes) -> None:
        self._came += len(body)
        super().on_body(body)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > _LONGEST:
            raise ValueError("too long")  # ends the parsing, and so this connection

    def send_400_response(self, msg: str) -> None:
        error: KgError = Malformed("this is not an HTTP request")
        if len(getattr(self, "url", b"")) > _LONGEST:
            error = TooLong(f"the address is longer than {_LONGEST} bytes; send what is long by POST")
        self._refuse(error)

    def _refuse(self, error: KgError) -> None:
        """Says what is wrong where no answer has begun, and closes the connection."""
        self._refusal = error
        if self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            name = self._bounds.refused(error.status, self._counted or "")
            told = error.problem() | ({"request": name} if error.status >= 500 else {})
            body = json.dumps(told).encode()
            named = {"content-type": problems.MEDIA_TYPE, "content-length": len(body), "connection": "close"}
            named["x-request-id"] = name
            lines = [f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"]
            lines += [f"{name}: {value}" for name, value in (named | problems.headers(error)).items()]
            self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()

    def look(self, now: float) -> None:
        """Ends the connection of somebody who is too slow; called now and then."""
        state, through = self._state()
        seen = (id(self.scope), state)
        if seen != self._seen or (state == "at work" and through != self._through):
            self._seen, self._since, self._through = seen, now, through
            return
        since = now - self._since
        if state in ("head", "idle") and since > self._bounds.patience:
            error = TooSlow("the request did not come in time")
            self._refuse(error) if state == "head" and self._beside else self.transport.close()
        elif state in ("body", "taking") and since > self._bounds.patience:
            if abs(through - self._through) < _TRICKLE * since:
                self.transport.abort()
        elif state == "at work" and through and since > 3 * self._bounds.patience:
            # A part of a stream that stays where it is, to the byte; the engine's deadline is for all that moves.
            self.transport.abort()

    def _state(self) -> tuple[str, int]:
        """What is being waited for, and how much of it has gone through."""
        waiting = self.transport.get_write_buffer_size()
        if waiting and (self.transport.is_closing() or self.cycle is None or self.cycle.response_complete):
            return "taking", waiting  # nothing is added to it, so it must become less
        if self._is_in_head:
            return "head", 0
        if self.cycle.response_complete:
            return "idle", 0
        if self.cycle.more_body and not self.flow.read_paused:
            return "body", self._came
        return "at work", waiting
