"""Requests to an engine and its answers: ended at a deadline, read to their end, never taken for whole when cut."""

from __future__ import annotations

import contextlib
import http.client
import io
import math
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast
from urllib.parse import parse_qsl, quote

from pyoxigraph import (
    NamedNode,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolution,
    QuerySolutions,
    RdfFormat,
    Triple,
    parse,
    parse_query_results,
)
from SPARQLWrapper import POST, POSTDIRECTLY, URLENCODED

from kg_service import tracing
from kg_service.errors import KgError, QueryStopped, StoreError, TooLarge, TooSlow
from kg_service.rdf import GRAPH_FORMATS, JSON, N_TRIPLES, Format
from kg_service.store.remote.connection import Handler, NoRedirects, Wrapper, refusal
from kg_service.store.remote.endpoint import Endpoint
from kg_service.store.remote.text import FORMS

#: Bytes of an answer that travel in one part.
PART = 64 * 1024


class Exchange:
    """Requests to one endpoint, one after the other, that end together at a deadline or when they are stopped."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self.endpoint, self._seconds = endpoint, seconds
        self._until = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._reason: KgError | None = None
        #: What the engine is told that its work belongs to.
        self.span = tracing.current()
        #: Whether the last request, if it failed, may take effect all the same: it was sent and not refused.
        self.is_open = False
        self._timer = threading.Timer(seconds, self.stop, [self.too_long()])
        self._timer.daemon = True

    def __enter__(self) -> Exchange:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self.stop(QueryStopped("the answer was not read to its end"))
        if self._response is not None:
            self._response.close()

    def too_long(self) -> TooSlow:
        return TooSlow(
            f"the query took longer than {self._seconds:g} s; ask for less, or add a LIMIT", seconds=self._seconds
        )

    @property
    def remaining(self) -> float:
        return self._until - time.monotonic()

    def stop(self, reason: KgError) -> None:
        """Ends what is running, from any thread; the running request raises the reason."""
        self._reason = self._reason or reason
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def check(self) -> None:
        if self._reason:
            raise self._reason

    def _connected(self, sock: socket.socket) -> None:
        self._socket, self.is_open = sock, True
        if self._reason:
            self.stop(self._reason)

    def query(self, text: str, form: str, default_graphs: Iterable[str] = (), named_graphs: Iterable[str] = ()) -> Body:
        """The engine's answer. As a form: Virtuoso never answers a query that is the body itself."""
        wrapper = self._wrapper(self.endpoint.query)
        wrapper.requestMethod, wrapper.queryString, wrapper.queryType = URLENCODED, text, form
        for name, graphs in (("default-graph-uri", default_graphs), ("named-graph-uri", named_graphs)):
            for graph in graphs:
                wrapper.addParameter(name, graph)
        units = self.endpoint.dialect.timeout_units
        if units:
            # Never before our own deadline: Fuseki would end the answer with words that do not parse.
            wrapper.addParameter("timeout", str(max(1, math.ceil(self.remaining * units))))
        accepted = N_TRIPLES if FORMS[form] is GRAPH_FORMATS else JSON
        wrapper.customHttpHeaders["Accept"] = accepted.media_types[0]
        return self._sent(wrapper).of_type(accepted)

    def update(self, text: str) -> None:
        """Runs an update; as the body itself, because engines limit the size of forms."""
        assert self.endpoint.update
        wrapper = self._wrapper(self.endpoint.update)
        wrapper.requestMethod, wrapper.queryType = POSTDIRECTLY, "INSERT"
        wrapper.queryString = self.endpoint.dialect.prologue + text
        wrapper.customHttpHeaders["Accept"] = "*/*"
        self._sent(wrapper).read_out()

    def add(self, graph: NamedNode, lines: bytes) -> None:
        """Adds N-Triples to a graph through the graph store."""
        assert self.endpoint.graph_store
        url = self.endpoint.graph_store
        url += ("&" if "?" in url else "?") + "graph=" + quote(graph.value, safe="")
        request = urllib.request.Request(url, data=lines, headers={"Content-Type": N_TRIPLES.media_types[0]})
        with self._translated(url):
            self._response = self._open(request)
            Body(self, self._response).read_out()

    def _wrapper(self, url: str) -> Wrapper:
        address, _, parameters = url.partition("?")
        wrapper = Wrapper(address)
        wrapper.opened_by = self._open
        wrapper.onlyConneg = True
        wrapper.setMethod(POST)
        for name, value in parse_qsl(parameters, keep_blank_values=True):
            wrapper.addParameter(name, value)
        return wrapper

    def _sent(self, wrapper: Wrapper) -> Body:
        with self._translated(wrapper.endpoint):
            self._response = wrapper.query().response
            return Body(self, self._response)

    def _open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        self.check()
        self.is_open = False
        for name, value in self.span.headers().items():
            request.add_header(name, value)
        handlers: list[urllib.request.BaseHandler] = [Handler(self._connected), NoRedirects()]
        credentials = self.endpoint.credentials
        if credentials and (header := credentials.header()):
            request.add_header("Authorization", header)
        elif credentials:
            passwords = urllib.request.HTTPPasswordMgrWithDefaultRealm()
            passwords.add_password(None, request.full_url, credentials.user, credentials.secret)
            handlers.append(urllib.request.HTTPDigestAuthHandler(passwords))
        opener = urllib.request.build_opener(*handlers)
        return cast(http.client.HTTPResponse, opener.open(request, timeout=max(0.001, self.remaining)))

    @contextlib.contextmanager
    def _translated(self, url: str) -> Iterator[None]:
        """What goes wrong on the way and at the other end, as our errors."""
        try:
            yield
        except urllib.error.HTTPError as error:
            self.is_open = error.code >= 500
            with error:
                raise refusal(error, url) from None
        except TimeoutError:
            self.stop(self.too_long())
            raise self.too_long() from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.check()
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(reason, TimeoutError):
                raise self.too_long() from None
            why = str(reason) or type(reason).__name__
            raise StoreError(f"the SPARQL engine at {url} cannot be reached: {why}") from None


class Body(io.RawIOBase):
    """An answer's bytes; reading raises when they end too early, become too many, or the engine says they are cut."""

    def __init__(self, exchange: Exchange, response: http.client.HTTPResponse) -> None:
        self._exchange, self._response = exchange, response
        self._headers = response.headers
        length = self._headers.get("Content-Length")
        self._left = int(length) if length and length.isdecimal() and not response.chunked else None
        self.limit: int | None = None
        if self._headers.get("X-SQL-State") == "S1TAT":
            raise TooSlow("the SPARQL engine stopped the query at its deadline; ask for less, or add a LIMIT")
        if rows := self._headers.get("X-SPARQL-MaxRows"):
            raise TooLarge(f"the SPARQL engine cuts answers at {rows} rows (ResultSetMaxRows); ask for fewer")

    def of_type(self, expected: Format) -> Body:
        """This body, if it is what we asked for and its end can be known."""
        kind = self._headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind not in expected.media_types or self._headers.get("Content-Encoding", "identity") != "identity":
            raise StoreError(f'the SPARQL engine answered with "{kind}" instead of {expected.media_types[0]}')
        if expected.rdf and self._left is None and not self._response.chunked:
            raise StoreError("the SPARQL engine's answer says nowhere how long it is, so that a cut would not be seen")
        return self

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._left == 0:
            return b""
        wanted = PART if size < 0 else min(size, PART)
        try:
            data = self._response.read1(wanted if self._left is None else min(wanted, self._left))
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._exchange.check()
            if isinstance(error, TimeoutError):
                raise self._exchange.too_long() from None
            raise StoreError(f"the SPARQL engine's answer broke off ({type(error).__name__})") from None
        self._exchange.check()
        if self._left is not None:
            if not data:
                raise StoreError(f"the SPARQL engine's answer broke off with {self._left} bytes to come")
            self._left -= len(data)
        if self.limit is not None:
            self.limit -= len(data)
            if self.limit < 0:
                raise TooLarge("the SPARQL engine's answer is too large; ask for less, or page with LIMIT and OFFSET")
        return data

    def read_out(self) -> None:
        """Reads what is left."""
        while self.read():
            pass

    def _parsed(self, rows: Callable[[], Any]) -> Any:
        try:
            return rows()
        except (SyntaxError, ValueError) as error:
            raise StoreError(f"the SPARQL engine's answer does not parse, or was cut: {error}") from None

    def solutions(self) -> QuerySolutions | QueryBoolean:
        """A table or a boolean from JSON; rows are read as they are taken."""
        return cast(
            QuerySolutions | QueryBoolean,
            self._parsed(lambda: parse_query_results(cast(Any, self), QueryResultsFormat.JSON)),
        )

    def rows(self) -> Iterator[QuerySolution]:
        """The rows of a table, then the end of the body."""
        found = self.solutions()
        if isinstance(found, QueryBoolean):
            raise StoreError("the SPARQL engine answered yes or no where rows were asked for")
        while (row := self._parsed(lambda: next(found, None))) is not None:
            yield row
        self.read_out()

    def triples(self) -> Iterator[Triple]:
        """The triples of N-Triples, each once: a graph is a set (SPARQL 1.1, section 16.2)."""
        found, seen = parse(cast(Any, self), RdfFormat.N_TRIPLES), set[Triple]()
        while (quad := self._parsed(lambda: next(found, None))) is not None:
            if quad.triple not in seen:
                seen.add(quad.triple)
                yield quad.triple
        self.read_out()

    def boolean(self) -> bool:
        """Yes or no; Virtuoso answers with a table of one number, or of nothing."""
        found = self.solutions()
        if isinstance(found, QueryBoolean):
            value = bool(found)
        elif [each.value for each in found.variables] == ["__ASK_RETVAL"]:
            value = any(row[0].value == "1" for row in found)
        else:  # of an ASK sent as a SELECT
            value = any(True for _ in found)
        self.read_out()
        return value
