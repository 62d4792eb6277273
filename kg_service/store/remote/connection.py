"""One HTTP connection to an engine: no redirects, an end that can be seen, and the engine's words as our errors."""

from __future__ import annotations

import contextlib
import functools
import http.client
import re
import socket
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from SPARQLWrapper import SPARQLWrapper

from kg_service.errors import Busy, KgError, Malformed, StoreError, TooLarge, TooSlow
from kg_service.rdf import malformed


class _Connection(http.client.HTTPConnection):
    """Says when it is connected, and keeps alive: asked to close, Jetty ends an answer so that a cut cannot be seen."""

    def __init__(self, *args: Any, connected: Callable[[socket.socket], None], **more: Any) -> None:
        super().__init__(*args, **more)
        self._connected = connected

    def connect(self) -> None:
        super().connect()
        self._connected(self.sock)

    def request(self, method: str, url: str, body: Any = None, headers: Any = None, **more: Any) -> None:
        kept = {name: value for name, value in (headers or {}).items() if name.lower() != "connection"}
        super().request(method, url, body, kept, **more)


class _SecureConnection(_Connection, http.client.HTTPSConnection):
    pass


class Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def __init__(self, connected: Callable[[socket.socket], None]) -> None:
        urllib.request.HTTPSHandler.__init__(self)
        self._connected = connected

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._making(_Connection), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._making(_SecureConnection), req)

    def _making(self, kind: type[_Connection]) -> Any:
        return functools.partial(kind, connected=self._connected)


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry query and credentials to wherever the answer points."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Wrapper(SPARQLWrapper):
    """SPARQLWrapper with a connection of its own: the library's follows redirects and shares one global opener."""

    opened_by: Callable[[urllib.request.Request], http.client.HTTPResponse]

    def _query(self) -> tuple[http.client.HTTPResponse, str]:
        return self.opened_by(self._createRequest()), self.returnFormat


def refusal(error: urllib.error.HTTPError, url: str) -> KgError:
    """The engine's HTTP status and words as our error."""
    words, code = _words(error), error.code
    if code == 400:
        return _syntax(words)
    if code in (401, 403):
        return StoreError(f"the SPARQL engine at {url} does not let us in ({code}); check its user, password or token")
    if 300 <= code < 400:
        where = error.headers.get("Location", "nowhere")
        return StoreError(f"the SPARQL engine at {url} redirects to {where}; set that URL if it is the right one")
    if code == 404:
        return StoreError(f"there is no SPARQL endpoint at {url} (404)")
    if code == 413:
        return TooLarge(f"the SPARQL engine at {url} finds the request too large")
    if code in (408, 504) or "timed out" in words or "timeout" in words.lower() or "S1T00" in words:
        return TooSlow(f"the SPARQL engine stopped the query: {words or code}; ask for less, or add a LIMIT")
    if code in (429, 503):
        return Busy(f"the SPARQL engine at {url} is busy ({code}); try again later")
    if "Virtuoso 37000" in words:  # its compiler's own errors, such as a construct that it does not know
        return _syntax(words)
    return StoreError(f"the SPARQL engine at {url} failed ({code}): {words}")


def _words(error: urllib.error.HTTPError) -> str:
    """What the engine says, without mark-up and without our own text given back."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        text = error.read(10_000).decode("utf-8", "replace").partition("\n\nSPARQL query:")[0]
        if "html" in error.headers.get("Content-Type", ""):
            text = re.sub(r"<(style|script|head).*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
        return " ".join(text.split())[:500]
    return ""


def _syntax(words: str) -> Malformed:
    position = re.search(r" at line (\d+), column (\d+)", words)
    if position is None:
        return malformed(SyntaxError(words or "the SPARQL engine does not accept the query"))
    line, column = int(position[1]), int(position[2])
    rest = words[: position.start()] + words[position.end() :]
    return Malformed(f"line {line}, column {column}: {rest}", line=line, column=column)
