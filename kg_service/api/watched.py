"""Requests as they are watched: each has an id, is counted by its route, and told of in the log and in a trace where
that is wished.

Questions to `/sparql` that are answered from memory never come here; `asking.Repeated` counts them.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Iterable, Iterator
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics_core import Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kg_service.api import logs
from kg_service.api.clients import client_of
from kg_service.api.edge import through_proxies
from kg_service.settings import Settings
from kg_service.tracing import NOTHING, Span, Traces

#: The names of requests that clients may choose; others get one of ours.
_SANE = re.compile(rb"[A-Za-z0-9._-]{8,64}")
#: Requests that no route is for, however their addresses differ.
_NO_ROUTE = "none"
#: Upper bounds in seconds: an answer from memory, a list, a heavy query, the deadline.
_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Watch:
    """What one service counts of its requests, in a registry of its own.

    Labels have few values, whatever is asked: the routes that the application declares, and classes of status.
    """

    def __init__(self, settings: Settings) -> None:
        self.is_logging = settings.log_requests != "none"
        self.registry = CollectorRegistry()
        self._counted = Counter(
            "kg_requests", "Requests by route and class of status", ("route", "status"), registry=self.registry
        )
        self._took = Histogram(
            "kg_request_seconds",
            "Seconds until an answer was sent whole",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._routes: dict[int, str] = {}

    def figures(self) -> Iterator[Metric]:
        """What was counted, without the moments at which counting began."""
        for metric in self.registry.collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric

    def knows(self, routes: Iterable[object]) -> None:
        """Makes the routes of an application those by which requests are counted."""
        for route in routes:
            endpoint, path = getattr(route, "endpoint", None), getattr(route, "path", None)
            if endpoint is not None and path:
                self._routes.setdefault(id(endpoint), path)

    def route(self, scope: Scope) -> str:
        """The route's template that a request was answered by."""
        endpoint = scope.get("endpoint")
        if endpoint is None and "kg.route" in scope:
            return str(scope["kg.route"])
        if endpoint is None:
            return "/sparql" if scope["path"] == "/sparql" else _NO_ROUTE
        declared = getattr(scope.get("route"), "path", None)
        return declared or self._routes.get(id(endpoint), _NO_ROUTE)

    def answered(self, about: dict[str, Any], seconds: float) -> None:
        """Counts a request by its route and status, and tells of it."""
        route, status = about["route"], about["status"]
        self._counted.labels(route, f"{status // 100}xx").inc()
        self._took.labels(route).observe(seconds)
        if self.is_logging:
            level = logging.ERROR if status == 500 else logging.INFO
            logs.REQUESTS.log(level, "answered", extra={"about": about | {"ms": round(1000 * seconds, 1)}})

    def refused(self, status: int, address: str) -> str:
        """Counts what was refused before it was a request, from that address; the id that its answer names."""
        said = logs.request_id.set(secrets.token_hex(8))
        try:
            self.answered({"route": _NO_ROUTE, "status": status, "client": address}, 0.0)
            return logs.request_id.get()
        finally:
            logs.request_id.reset(said)


class Watched:
    """An application whose requests have ids, which their answers, the log and their traces name."""

    def __init__(self, app: ASGIApp, started: Starlette, settings: Settings, watch: Watch) -> None:
        self._app, self._started, self._watch = app, started, watch
        self._hops, self._header = settings.trusted_hops, settings.forwarded_header

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        name = scope["kg.request"] = _id(scope)
        said = logs.request_id.set(name)
        status, change = 500, ""  # until an answer begins

        def sent(message: Message) -> Awaitable[None]:
            nonlocal status, change
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode())]
                change = next((value.decode() for header, value in headers if header.lower() == b"kg-change"), "")
            return send(message)

        began = time.monotonic()
        traces: Traces = self._started.state.traces
        error: BaseException | None = None
        with traces.request(scope["headers"], {"http.request.method": scope["method"], "kg.request": name}) as span:
            try:
                await self._app(scope, receive, sent)
            except BaseException as raised:  # what cuts an answer short, say
                error = raised
                raise
            finally:
                about = {"method": scope["method"], "route": self._watch.route(scope), "status": status}
                about |= {"change": int(change)} if change else {}
                if span is not NOTHING:
                    _end(span, error, about)
                if self._watch.is_logging:
                    about["client"] = self._client(scope)
                self._watch.answered(about, time.monotonic() - began)
                logs.request_id.reset(said)

    def _client(self, scope: Scope) -> str:
        if "app" not in scope:  # answered before it was looked at who asks
            if self._hops:
                through_proxies(scope, self._hops, self._header)
            scope["app"] = self._started
        return client_of(Request(scope))


def _end(span: Span, error: BaseException | None, about: dict[str, Any]) -> None:
    """Ends the span of a request with what became of it."""
    told = {"http.response.status_code": about["status"], "http.route": about["route"]}
    told |= {"kg.change": about["change"]} if "change" in about else {}
    span.end(error, told, name=f"{about['method']} {about['route']}")


def _id(scope: Scope) -> str:
    """The id that the client gave, if it is a sane one, else a new one."""
    given = [value for name, value in scope["headers"] if name == b"x-request-id"]
    if len(given) == 1 and _SANE.fullmatch(given[0]):
        return str(given[0], "ascii")
    return secrets.token_hex(8)
