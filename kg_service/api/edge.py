"""What every request passes that was not answered from memory: who asks, through which proxies, and how often."""

from __future__ import annotations

import ipaddress
import re
import time
from collections import Counter
from collections.abc import Awaitable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kg_service.api import problems
from kg_service.api.clients import bearer, client_of
from kg_service.errors import TooMany
from kg_service.settings import Settings
from kg_service.store.fairness import Budgets

#: What is always answered: who watches over the service must not be kept out.
_ALWAYS = ("/health/", "/metrics")
_PAIR = re.compile(r'\s*([\w-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^";,\s]*)\s*', re.ASCII)
#: Characters of the longest entry of a forwarding header that is looked at.
_LONGEST_ENTRY = 400


class Edge:
    """An application whose requests know who asks, and that nobody asks more than one may."""

    def __init__(self, app: ASGIApp, started: Starlette, settings: Settings, usage: Usage) -> None:
        self._app, self._started, self._usage = app, started, usage
        self._hops, self._header = settings.trusted_hops, settings.forwarded_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._hops:
            through_proxies(scope, self._hops, self._header)
        scope["app"] = self._started
        for name, value in scope["headers"]:
            if name == b"authorization" and (token := bearer(value.decode("latin-1"))):
                await self._started.state.access.prepare(token)
        if scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        client = client_of(Request(scope))
        try:
            self._usage.begin(client)
        except TooMany as error:
            await problems.response(error)(scope, receive, send)
            return
        try:
            await self._app(scope, *self._usage.metered(client, receive, send))
        finally:
            self._usage.end(client)


class Usage:
    """What each client uses: requests and bytes by the minute, and answers at the same time."""

    def __init__(self, settings: Settings) -> None:
        self._streams, self._open = settings.client_streams, Counter[str]()
        self._requests = Budgets(settings.client_requests) if settings.client_requests else None
        self._bytes = Budgets(settings.client_bytes) if settings.client_bytes else None

    def budgets(self) -> dict[str, Budgets | None]:
        """What is counted by the minute."""
        return {"requests": self._requests, "bytes": self._bytes}

    def begin(self, client: str) -> None:
        """Counts a request; TooMany says when the client may come again."""
        now = time.monotonic()
        for budget, least, what in ((self._requests, 0.99, "requests"), (self._bytes, 0.0, "bytes")):
            if budget and (wait := budget.wait(client, least, now)):
                raise TooMany(
                    f"one client may have {budget.per_minute:,.0f} {what} a minute; wait", retry_after=int(wait) + 1
                )
        if self._open[client] >= self._streams:
            raise TooMany(f"one client may have {self._streams} answers at the same time; wait", retry_after=1)
        if self._requests:
            self._requests.pay(client, 1, now)
        self._open[client] += 1

    def end(self, client: str) -> None:
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]

    def metered(self, client: str, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """The same, with the bytes put on the client's account."""
        budget = self._bytes
        if budget is None:
            return receive, send

        async def received() -> Message:
            message = await receive()
            if body := message.get("body"):
                budget.pay(client, len(body), time.monotonic())
            return message

        def sent(message: Message) -> Awaitable[None]:
            if body := message.get("body"):
                budget.pay(client, len(body), time.monotonic())
            return send(message)

        return received, sent


def through_proxies(scope: Scope, hops: int, header: str) -> None:
    """Puts the client's address and scheme, as the outermost of so many trusted proxies saw them, into the scope.

    Each proxy adds an entry at the right; what stands further left was written by anybody, and counts for nothing.
    Where there are fewer entries than proxies the request came past them, and its own address counts.
    """
    named = [value.decode("latin-1") for name, value in scope["headers"] if name == header.encode()]
    entries = [each.strip() for each in _split(",".join(named))]
    if len(entries) < hops:
        return
    entry = entries[-hops]
    if len(entry) > _LONGEST_ENTRY:
        return
    if header == "forwarded":
        said = {name.lower(): value.strip('"') for name, value in _PAIR.findall(entry)}
        address, scheme = said.get("for", ""), said.get("proto", "")
    else:
        schemes = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-proto"]
        told = [each.strip() for each in ",".join(schemes).split(",")]
        address, scheme = entry, told[-hops] if len(told) >= hops else told[-1]
    if found := _address(address):
        scope["client"] = (found, 0)
    if scheme.lower() in ("http", "https"):
        scope["scheme"] = scheme.lower()


def _split(text: str) -> list[str]:
    """The entries between commas; commas within quotation marks are part of an entry. Takes time by the length."""
    if '"' not in text:
        return [each for each in text.split(",") if each]
    entries, begin, is_quoted, at = [], 0, False, 0
    while at < len(text):
        if text[at] == "\\" and is_quoted:
            at += 1
        elif text[at] == '"':
            is_quoted = not is_quoted
        elif text[at] == "," and not is_quoted:
            entries.append(text[begin:at])
            begin = at + 1
        at += 1
    return [each for each in (*entries, text[begin:]) if each]


def _address(written: str) -> str | None:
    """An IP address that may have brackets and a port; None for what hides or is none (RFC 7239, section 6)."""
    bare = written.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        return None
