"""What other servers hold, for sources that are fetched again: files, and the answers of SPARQL endpoints.

SPARQLWrapper makes a query's request, and `egress` sends it, to a checked address that is kept to; no redirect is
followed, and an answer counts only when it is whole and what was asked for.
"""

from __future__ import annotations

import asyncio
import io
import json
import urllib.request
from collections.abc import Iterable
from http.client import HTTPResponse
from typing import Any, cast

from SPARQLWrapper import POST, URLENCODED

from kg_service.errors import ServiceFailed, TooSlow
from kg_service.rdf import JSON, N_TRIPLES, Format
from kg_service.store.egress import Budget, Destination, Egress, Received
from kg_service.store.remote.connection import Wrapper

_ANY = "*/*"


class Elsewhere:
    """Asks other servers, within a number of bytes for all of it and of seconds for each request.

    Any URL of the public internet may be asked; one at a private address only where `services` lists it so.
    """

    def __init__(self, services: Iterable[str], *, most_bytes: int, seconds: float) -> None:
        self._listed = {each.url: each for each in map(Destination.listed, services)}
        self._egress, self._budget, self._seconds = Egress(), Budget(most_bytes), seconds

    def close(self) -> None:
        self._egress.close()

    async def file(self, url: str) -> bytes:
        """The file at a URL; ServiceFailed for a page of HTML in its place, a redirect, any other status, or
        an answer whose end is nowhere told."""
        to = self._destination(url)
        received = await self._in_time(to, self._egress.get(to, accept=_ANY, budget=self._budget))
        _check(to, received)
        if _kind(received) in ("text/html", "application/xhtml+xml"):
            raise _failed(to, "it answered with a page of HTML instead of a file")
        if received.headers.keys().isdisjoint(("content-length", "transfer-encoding")):
            raise _failed(to, "it does not say how long its answer is, so that nobody can tell whether it is whole")
        return received.body

    async def constructed(self, url: str, query: str) -> bytes:
        """The N-Triples that an endpoint answers to a CONSTRUCT query."""
        return await self._asked(url, query, "CONSTRUCT", N_TRIPLES)

    async def rows(self, url: str, query: str) -> list[dict[str, Any]]:
        """The solutions that an endpoint answers to a SELECT query, as in SPARQL JSON results."""
        answer = await self._asked(url, query, "SELECT", JSON)
        try:
            found = json.loads(answer)["results"]["bindings"]
            return cast(list[dict[str, Any]], found)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise _failed(self._destination(url), "its answer is no whole SPARQL result") from None

    async def _asked(self, url: str, query: str, form: str, how: Format) -> bytes:
        to = self._destination(url)
        made: list[urllib.request.Request] = []

        def keep(request: urllib.request.Request) -> HTTPResponse:
            made.append(request)
            return cast(HTTPResponse, io.BytesIO())

        wrapper = Wrapper(url)
        wrapper.opened_by, wrapper.onlyConneg = keep, True
        wrapper.setMethod(POST)
        wrapper.requestMethod, wrapper.queryString, wrapper.queryType = URLENCODED, query, form
        wrapper.query()
        body = cast(bytes, made[0].data)
        accept = how.media_types[0]
        received = await self._in_time(to, self._egress.post(to, body, accept=accept, budget=self._budget))
        _check(to, received)
        if _kind(received) != accept:
            raise _failed(to, f'it answered with "{_kind(received)}" instead of {accept}')
        return received.body

    async def _in_time(self, to: Destination, request: Any) -> Received:
        try:
            async with asyncio.timeout(self._seconds):
                return cast(Received, await request)
        except TimeoutError:
            raise TooSlow(f"{to.url} did not answer within {self._seconds:g} s", seconds=self._seconds) from None

    def _destination(self, url: str) -> Destination:
        return self._listed.get(url) or Destination.listed(url)


def _check(to: Destination, received: Received) -> None:
    if 300 <= received.status < 400:
        where = received.headers.get("location", "nowhere")
        raise _failed(to, f"it redirects to {where}, which is not followed; write that URL if it is the right one")
    if received.status != 200:
        words = " ".join(received.body[:1000].decode("utf-8", "replace").split())[:300]
        raise _failed(to, f"it answered {received.status}: {words}")


def _kind(received: Received) -> str:
    return received.headers.get("content-type", "").partition(";")[0].strip().lower()


def _failed(to: Destination, why: str) -> ServiceFailed:
    return ServiceFailed(f"{to.url} was asked and failed: {why}")
