"""Traces: what a request went through, as spans that are sent by OpenTelemetry where the variables `OTEL_…` ask for it.

Elsewhere nothing of OpenTelemetry is loaded, and each span is the same object, which does nothing. Who does a part of
the work opens a span within the present one (`current().inner("gate")`) and ends it; who hands work to another thread
or task hands the span on. Spans name routes and numbers, never a query, an address or a token.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import threading
import time
from collections.abc import Iterable, Mapping
from contextvars import ContextVar, Token
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from kg_service.errors import KgError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

#: What may be told about a span.
About = Mapping[str, str | int | float | bool]
NONE: About = MappingProxyType({})
#: The variables by which it is said where spans go.
_WHERE = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
#: Seconds for which the end of a service waits until the last spans are sent.
_LAST = 3.0
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class Span:
    """A part of the work that is done for a request. This one, `NOTHING`, is told to nobody.

    As a context it is the present span, and ends with the error that leaves it.
    """

    def inner(self, name: str, about: About = NONE) -> Span:
        """A span that begins now, within this one."""
        return self

    def end(self, error: BaseException | None = None, about: About = NONE, *, name: str = "") -> None:
        """Ends it, once, perhaps with a better name; an error, save one that the client made, marks it as failed."""

    def headers(self) -> dict[str, str]:
        """What tells another service which span its work belongs to (W3C Trace Context)."""
        return {}

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        pass


NOTHING = Span()
_present: ContextVar[Span] = ContextVar("span", default=NOTHING)


def current() -> Span:
    """The span of what is being done here."""
    return _present.get()


class Traces:
    """The spans of one service. These are sent nowhere."""

    def request(self, headers: Iterable[tuple[bytes, bytes]], about: About = NONE) -> Span:
        """A span for a request, within that of the caller where his headers name one."""
        return NOTHING

    def close(self) -> None:
        """Sends what is left, for some seconds at most."""


def traces(environment: Mapping[str, str] = os.environ) -> Traces:
    """Where spans go, by the variables of OpenTelemetry: nowhere, unless one of them names a collector."""
    is_off = environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    is_wanted = any(environment.get(name, "").strip() for name in _WHERE)
    exporter = environment.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower() or "otlp"
    if is_off or not is_wanted or exporter == "none":
        return Traces()
    if exporter != "otlp":
        _say(f"OTEL_TRACES_EXPORTER={exporter} is not known here; otlp and none are")
        return Traces()
    if not all(map(_is_installed, _NEEDED)):
        _say("spans are asked for by OTEL_…, and not sent: what sends them is in the extra “otel” (sse-kg[otel])")
        return Traces()
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = _provider(environment)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return _Told(provider)


def _say(what: str) -> None:
    logging.getLogger("kg_service").warning(what)


def _is_installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _provider(environment: Mapping[str, str]) -> TracerProvider:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    from kg_service import __version__

    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say is put in by the library, unless it is said here.
    about = {"service.version": __version__}
    named = environment.get("OTEL_SERVICE_NAME") or "service.name=" in environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return TracerProvider(resource=Resource.create(about if named else about | {"service.name": "sse-kg"}))


class _Told(Traces):
    """Spans that are sent."""

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("kg_service")
        self._callers = TraceContextTextMapPropagator()

    def request(self, headers: Iterable[tuple[bytes, bytes]], about: About = NONE) -> Span:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        sent = {str(name, "latin-1"): str(value, "latin-1") for name, value in headers if name in _CALLERS}
        within = self._callers.extract(sent, context=Context())
        return _Begun(self._tracer, self._tracer.start_span("request", within, SpanKind.SERVER, attributes=about))

    def close(self) -> None:
        # A collector that is away is asked again and again, for longer than anybody wants to wait for the end.
        ending = threading.Thread(target=self._provider.shutdown, daemon=True)
        ending.start()
        ending.join(_LAST)


_CALLERS = (b"traceparent", b"tracestate")


class _Begun(Span):
    """A span that has begun."""

    def __init__(self, tracer: Any, span: Any) -> None:
        self._tracer, self._span = tracer, span
        self._before: Token[Span] | None = None
        self._is_over = False

    def inner(self, name: str, about: About = NONE) -> Span:
        from opentelemetry.context import Context
        from opentelemetry.trace import set_span_in_context

        within = set_span_in_context(self._span, Context())
        return _Begun(self._tracer, self._tracer.start_span(name, within, attributes=about))

    def end(self, error: BaseException | None = None, about: About = NONE, *, name: str = "") -> None:
        from opentelemetry.trace import Status, StatusCode

        if self._is_over:
            return
        self._is_over = True
        if name:
            self._span.update_name(name)
        self._span.set_attributes(dict(about))
        if error is not None:
            self._span.set_attribute("error.type", type(error).__name__)
        status = about.get("http.response.status_code", 0)
        if isinstance(error, KgError):
            status = error.status
        if int(status) >= 500 or not isinstance(error, KgError | None):
            self._span.set_status(Status(StatusCode.ERROR))
        self._span.end(time.time_ns())

    def headers(self) -> dict[str, str]:
        about = self._span.get_span_context()
        return {"traceparent": f"00-{about.trace_id:032x}-{about.span_id:016x}-{int(about.trace_flags):02x}"}

    def __enter__(self) -> Span:
        self._before = _present.set(self)
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        assert self._before
        _present.reset(self._before)
        self.end(error)
