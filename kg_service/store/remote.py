"""The same graph on any SPARQL 1.1 engine: reads and writes over its query, update and graph-store URLs.

What the standard leaves open, and what an engine does otherwise, is in one table: `Dialect`. Everything else is alike:

- Whatever the engine sends is parsed to its end and written again in the asked format. Tables are fetched as JSON and
  graphs as N-Triples, so that each format can be had from each engine, and a cut answer is an error. XML is not
  fetched: the parser takes a cut table for a whole one.
- The query form comes from the grammar's prologue, never from a guess over the text, and is told to SPARQLWrapper.
- The store's revision is a triple in a graph of our own. An update changes the data and advances the revision in one
  operation whose WHERE checks the expected one, so that of two writers at once one changes nothing and is told so.
- Terms are written as the embedded store would keep them (`"007"^^xsd:integer` as `7`).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import functools
import http.client
import io
import math
import re
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

from pyoxigraph import (
    BlankNode,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    QuerySolution,
    QuerySolutions,
    RdfFormat,
    Triple,
    parse,
    parse_query_results,
    serialize,
)
from SPARQLWrapper import POST, POSTDIRECTLY, URLENCODED, SPARQLWrapper

from kg_service.errors import (
    Busy,
    KgError,
    Malformed,
    NotAcceptable,
    QueryStopped,
    Refused,
    StoreError,
    StoreUnwritable,
    TooLarge,
)
from kg_service.rdf import (
    BOOLEAN_FORMATS,
    GRAPH,
    GRAPH_FORMATS,
    JSON,
    N_TRIPLES,
    PREFIXES,
    TABLE_FORMATS,
    Format,
    format_named,
    malformed,
)
from kg_service.store import Answer, Delta, Query
from kg_service.store.embedded import as_kept, in_default_graph
from kg_service.store.readers import WHOLE, joined

#: The graph that holds the revision; graphs whose IRI continues this one (stages, the stand-in) are ours as well.
REVISION = NamedNode(GRAPH + "revision")
#: Where the default graph is kept on an engine whose own cannot be written.
STAND_IN = NamedNode(REVISION.value + "/default")
_NOTHING = REVISION.value + "/none"
_NUMBER = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#value>"
_MADE_BY = "<http://purl.org/dc/terms/identifier>"
#: Graphs that Virtuoso brings along.
_ENGINE_GRAPHS = ("http://www.openlinksw.com/", "http://www.w3.org/ns/ldp#", "http://localuriqaserver/")

#: Bytes of an answer that travel in one part, and how many parts may wait for a slow client.
_PART, _PARTS_WAITING = 64 * 1024, 16
#: How many times the bytes of our answer the engine's text may have: its JSON is longer than our CSV.
_MORE_TEXT = 8
#: Triples looked up, and characters sent, in one request.
_LOOKED_UP, _CHARACTERS = 500, 200_000
#: Literals above this many characters are looked up one by one: Virtuoso takes none above 4 KB in a table of values.
_LONG = 1_000
#: Revisions whose writers are remembered: a writer must ask within so many changes whether its own was made.
_REMEMBERED = 100
#: How often a change that others forestalled is made again, where that is safe.
_TRIES = 5


class Conflict(StoreError):
    """Someone else changed the graph first; nothing was written. Read again, judge again, write again."""

    title = "The graph was changed meanwhile"
    status = 409


@dataclass(frozen=True, slots=True)
class Dialect:
    """Where engines differ. `default_graph` stands in for a default graph that cannot be written."""

    #: The parameter `timeout` is understood, in units of so many to the second.
    timeout_units: int | None = None
    #: Several default graphs are merged, as the standard asks; else a triple would count once for each.
    merges: bool = True
    default_graph: NamedNode | None = None
    #: A dataset must name both kinds of graphs, or the kind left out is every graph there is.
    needs_both_kinds: bool = False
    #: What updates begin with.
    prologue: str = ""
    #: Changes up to this size go in one request; larger ones are staged, then made by one operation.
    quads_per_request: int = 10_000


STANDARD = Dialect()
#: Apache Jena Fuseki; obeys a timeout where its service has `fuseki:allowTimeoutOverride true`.
FUSEKI = Dialect(timeout_units=1)
#: The Oxigraph server; give it `--timeout-s`, because it takes no timeout from a request.
OXIGRAPH = Dialect(merges=False)
#: Virtuoso 7. Its ini file must have `DefaultIsolation = 4`, or two writers at once both succeed (noticed, not undone),
#: and no `ResultSetMaxRows`, or answers are cut (noticed for SELECT; CONSTRUCT and DESCRIBE are cut in silence).
#: Its default graph is every graph there is, its own included, with a triple counted for each: hence the stand-in.
#: It stores some literals otherwise: decimals with 16 digits, durations not at all, integers up to 64 bits.
VIRTUOSO = Dialect(
    timeout_units=1000,
    merges=False,
    default_graph=STAND_IN,
    needs_both_kinds=True,
    prologue="DEFINE sql:log-enable 1 ",  # one transaction; its own default commits row by row
    quads_per_request=0,  # constants of a template are not found again when they are long or escaped
)
DIALECTS = {"standard": STANDARD, "fuseki": FUSEKI, "oxigraph": OXIGRAPH, "virtuoso": VIRTUOSO}


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user with a password (`basic`, or `digest` as Virtuoso's /sparql-auth wants it), or a `bearer` token."""

    scheme: str
    secret: str = field(repr=False)
    user: str = ""

    def __post_init__(self) -> None:
        if self.scheme not in ("basic", "digest", "bearer"):
            raise Malformed(f'unknown scheme "{self.scheme}" of credentials; known: basic, digest, bearer')

    def header(self) -> str | None:
        """The Authorization header; None where the engine has to challenge first."""
        if self.scheme == "bearer":
            return f"Bearer {self.secret}"
        if self.scheme == "basic":
            return "Basic " + base64.b64encode(f"{self.user}:{self.secret}".encode()).decode()
        return None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An engine's URLs and how to speak to it; without `update` it can only be read."""

    query: str
    update: str | None = None
    graph_store: str | None = None
    credentials: Credentials | None = None
    dialect: Dialect = STANDARD

    def __post_init__(self) -> None:
        for url in filter(None, (self.query, self.update, self.graph_store)):
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.fragment:
                raise Malformed(
                    f"{parts.scheme}://{parts.hostname or ''}{parts.path} is not the URL of a SPARQL endpoint; "
                    f"write http(s)://host/path, and give user and password as credentials"
                )


# --- What is asked -----------------------------------------------------------------------------------------------


_TERMINALS = re.compile(
    r"""
    (?P<space>  [\x20\t\r\n]+ | \#[^\r\n]* )
  | (?P<iri>    <[^<>"{}|^`\\\x00-\x20]*> )
  | (?P<string> \"\"\"(?:\"{0,2}(?:[^"\\]|\\.))*\"\"\" | '''(?:'{0,2}(?:[^'\\]|\\.))*'''
              | "(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*' )
  | (?P<name>   [?$]\w+ | (?:[^\W\d_][\w.-]*)?:(?:(?:[\w:%-]|\\.)(?:[\w:.%-]|\\.)*)? )
  | (?P<word>   [@]?[^\W\d_][\w-]* )
  | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_FORMS = {"SELECT": TABLE_FORMATS, "ASK": BOOLEAN_FORMATS, "CONSTRUCT": GRAPH_FORMATS, "DESCRIBE": GRAPH_FORMATS}


@dataclass(frozen=True, slots=True)
class _Text:
    """A query's form (the grammar's first word after BASE and PREFIX) and where its FROM clauses stand."""

    text: str
    form: str
    default_clauses: tuple[tuple[int, int], ...]
    named_clauses: tuple[tuple[int, int], ...]
    #: It begins with an absolute BASE, before which ours would mean nothing; Virtuoso takes one only.
    has_base: bool

    @classmethod
    def of(cls, text: str) -> _Text:
        found = [m for m in _TERMINALS.finditer(text) if m.lastgroup != "space"]
        words = [m.group().upper() if m.lastgroup == "word" else "" for m in found]
        form = next((word for word in words if word and word not in ("BASE", "PREFIX")), "")
        if form not in _FORMS:
            raise Malformed(f'a query begins with SELECT, ASK, CONSTRUCT or DESCRIBE, not with "{form or text[:40]}"')
        default: list[tuple[int, int]] = []
        named: list[tuple[int, int]] = []
        for here, word in enumerate(words):
            if word == "FROM":
                is_named = words[here + 1 : here + 2] == ["NAMED"]
                last = found[min(here + 1 + is_named, len(found) - 1)]
                (named if is_named else default).append((found[here].start(), last.end()))
        has_base = words[0] == "BASE" and re.match(r"<[A-Za-z][\w+.-]*:", found[1].group()) is not None
        return cls(text, form, tuple(default), tuple(named), has_base)

    def without_dataset(self) -> str:
        """The text with its FROM clauses as spaces: what the request says must win, and positions must stay."""
        text = self.text
        for start, end in (*self.default_clauses, *self.named_clauses):
            text = text[:start] + re.sub(r"[^\r\n]", " ", text[start:end]) + text[end:]
        return text


def _format(query: Query, form: str) -> Format:
    among = _FORMS[form]
    wanted = {TABLE_FORMATS: query.table, GRAPH_FORMATS: query.graph}[among] if form != "ASK" else query.boolean
    if wanted is None:
        raise NotAcceptable(f"the answer to {form} can be written as: {', '.join(f.media_types[0] for f in among)}")
    return format_named(wanted, among)


# --- Requests ----------------------------------------------------------------------------------------------------


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


class _Handler(urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
    def __init__(self, connected: Callable[[socket.socket], None]) -> None:
        urllib.request.HTTPSHandler.__init__(self)
        self._connected = connected

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._making(_Connection), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self._making(_SecureConnection), req)

    def _making(self, kind: type[_Connection]) -> Any:
        return functools.partial(kind, connected=self._connected)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry query and credentials to wherever the answer points."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Wrapper(SPARQLWrapper):
    """SPARQLWrapper with a connection of its own: the library's follows redirects and shares one global opener."""

    opened_by: Callable[[urllib.request.Request], http.client.HTTPResponse]

    def _query(self) -> tuple[http.client.HTTPResponse, str]:
        return self.opened_by(self._createRequest()), self.returnFormat


class _Exchange:
    """Requests to one endpoint, one after the other, that end together at a deadline or when they are stopped."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self.endpoint, self._seconds = endpoint, seconds
        self._until = time.monotonic() + seconds
        self._socket: socket.socket | None = None
        self._response: http.client.HTTPResponse | None = None
        self._reason: KgError | None = None
        #: Whether the last request, if it failed, may take effect all the same: it was sent and not refused.
        self.is_open = False
        self._timer = threading.Timer(seconds, self.stop, [self.too_long()])
        self._timer.daemon = True

    def __enter__(self) -> _Exchange:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        self.stop(QueryStopped("the answer was not read to its end"))
        if self._response is not None:
            self._response.close()

    def too_long(self) -> QueryStopped:
        return QueryStopped(
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

    def query(
        self, text: str, form: str, default_graphs: Iterable[str] = (), named_graphs: Iterable[str] = ()
    ) -> _Body:
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
        accepted = N_TRIPLES if _FORMS[form] is GRAPH_FORMATS else JSON
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
            _Body(self, self._response).read_out()

    def _wrapper(self, url: str) -> _Wrapper:
        address, _, parameters = url.partition("?")
        wrapper = _Wrapper(address)
        wrapper.opened_by = self._open
        wrapper.onlyConneg = True
        wrapper.setMethod(POST)
        for name, value in parse_qsl(parameters, keep_blank_values=True):
            wrapper.addParameter(name, value)
        return wrapper

    def _sent(self, wrapper: _Wrapper) -> _Body:
        with self._translated(wrapper.endpoint):
            self._response = wrapper.query().response
            return _Body(self, self._response)

    def _open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        self.check()
        self.is_open = False
        handlers: list[urllib.request.BaseHandler] = [_Handler(self._connected), _NoRedirects()]
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
                raise _refusal(error, url) from None
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


def _refusal(error: urllib.error.HTTPError, url: str) -> KgError:
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
        return QueryStopped(f"the SPARQL engine stopped the query: {words or code}; ask for less, or add a LIMIT")
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


class _Body(io.RawIOBase):
    """An answer's bytes; reading raises when they end too early, become too many, or the engine says they are cut."""

    def __init__(self, exchange: _Exchange, response: http.client.HTTPResponse) -> None:
        self._exchange, self._response = exchange, response
        self._headers = response.headers
        length = self._headers.get("Content-Length")
        self._left = int(length) if length and length.isdigit() and not response.chunked else None
        self.limit: int | None = None
        if self._headers.get("X-SQL-State") == "S1TAT":
            raise QueryStopped("the SPARQL engine stopped the query at its deadline; ask for less, or add a LIMIT")
        if rows := self._headers.get("X-SPARQL-MaxRows"):
            raise TooLarge(f"the SPARQL engine cuts answers at {rows} rows (ResultSetMaxRows); ask for fewer")

    def of_type(self, expected: Format) -> _Body:
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
        wanted = _PART if size < 0 else min(size, _PART)
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
        value = bool(found) if isinstance(found, QueryBoolean) else any(row[0].value == "1" for row in found)
        self.read_out()
        return value


def _is_ours(graph: str) -> bool:
    return graph == REVISION.value or graph.startswith(REVISION.value + "/")


def _is_visible(graph: NamedNode) -> bool:
    return not _is_ours(graph.value) and not graph.value.startswith(_ENGINE_GRAPHS)


def _revision(exchange: _Exchange) -> int:
    """The revision that the dataset says it has; 0 when it says none."""
    text = f"SELECT ?n {{ GRAPH {REVISION} {{ {REVISION} {_NUMBER} ?n }} }}"
    numbers = [int(cast(Literal, row["n"]).value) for row in exchange.query(text, "SELECT").rows()]
    if len(numbers) > 1:
        raise StoreError(f"{REVISION} holds {len(numbers)} revision numbers; only one writer program may change it")
    return numbers[0] if numbers else 0


def _visible_graphs(exchange: _Exchange) -> list[NamedNode]:
    rows = exchange.query("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }", "SELECT").rows()
    found = (row["g"] for row in rows)
    return sorted((g for g in found if isinstance(g, NamedNode) and _is_visible(g)), key=lambda g: g.value)


# --- Reading -----------------------------------------------------------------------------------------------------


class _Pipe:
    """From a worker thread to the event loop: a file to serialise into, whose parts come out in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, exchange: _Exchange, limit: int) -> None:
        self._loop, self._exchange, self._limit = loop, exchange, limit
        self._parts: asyncio.Queue[tuple[int, bytes] | KgError | None] = asyncio.Queue()
        self._room = threading.Semaphore(_PARTS_WAITING)
        self._held, self._sent = bytearray(), 0

    def write(self, data: bytes) -> int:
        self._held += data
        if self._sent + len(self._held) > self._limit:
            raise TooLarge(
                f"the answer is larger than {self._limit} bytes; ask for less, or page with LIMIT and OFFSET"
            )
        if len(self._held) >= _PART:
            self.flush()
        return len(data)

    def flush(self) -> None:
        if self._held:
            self._sent += len(self._held)
            self.put((0, bytes(self._held)))
            self._held.clear()

    def put(self, part: tuple[int, bytes]) -> None:
        """Hands a part over; waits while the client is slow, until the exchange is stopped."""
        while not self._room.acquire(timeout=0.1):
            self._exchange.check()
        self._exchange.check()
        self.end(part)

    def end(self, last: tuple[int, bytes] | KgError | None) -> None:
        """Hands over without waiting for room: an error, or None for the end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._parts.put_nowait, last)

    async def get(self) -> tuple[int, bytes] | None:
        part = await self._parts.get()
        self._room.release()
        if isinstance(part, KgError):
            raise part
        return part


class RemoteReads:
    """Answers queries on a remote engine, `size` at a time, each in a thread with a connection of its own.

    The generation is the dataset's revision. An answer is at least as new as the generation that it names: a change
    may come between asking for the number and asking the query. `generation` is looked up once a second.
    """

    def __init__(self, endpoint: Endpoint, *, size: int = 8, max_bytes: int, queue_seconds: float) -> None:
        self.endpoint = endpoint
        self._max_bytes, self._queue_seconds = max_bytes, queue_seconds
        self._turns = asyncio.Semaphore(size)
        self._threads = ThreadPoolExecutor(size + 1, thread_name_prefix="remote")
        self._running: set[_Exchange] = set()
        self._generation = 0
        self._graphs: tuple[int, tuple[str, ...]] = (-1, ())
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def generation(self) -> int:
        """The revision seen last; 0 when there is none."""
        return self._generation

    async def start(self) -> None:
        """Looks up the revision, and again every second; an engine that is away now may come later."""
        await self._look_up()
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._look_up()

    async def _look_up(self) -> None:
        def revision() -> int:
            with _Exchange(self.endpoint, 5) as exchange:
                return _revision(exchange)

        with contextlib.suppress(KgError):
            self._generation = await asyncio.get_running_loop().run_in_executor(self._threads, revision)

    async def drain(self, seconds: float) -> None:
        """Lets running queries end within that time, then ends them; they raise QueryStopped."""
        until = asyncio.get_running_loop().time() + seconds
        while self._running and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.05)
        await self.close()

    async def close(self) -> None:
        """Ends every request."""
        self._closed = True
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for exchange in list(self._running):
            exchange.stop(QueryStopped("the service is stopping; try again later"))
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer(self, query: Query) -> Answer:
        """The answer to a query; raises as `Reads` says, and StoreError when the engine fails.

        With `parts` in the answer, a connection is in use until they are read or closed.
        """
        text = _Text.of(query.text)
        how = _format(query, text.form)
        default_clauses = query.default_graphs if query.default_graphs or query.named_graphs else text.default_clauses
        if len(default_clauses) > 1 and not self.endpoint.dialect.merges:
            raise Refused(
                "this engine counts a triple once for each default graph that holds it: name one default graph, "
                "or ask with GRAPH"
            )
        try:
            await asyncio.wait_for(self._turns.acquire(), self._queue_seconds)
        except TimeoutError:
            raise Busy(f"no connection came free within {self._queue_seconds:g} s; try again later") from None
        frames = self._frames(query, text, how)
        try:
            generation, _ = await anext(frames)
            self._generation = generation
            held = bytearray()
            async for _, data in frames:
                held += data
                if len(held) > WHOLE:
                    return Answer(generation, how.name, parts=joined(bytes(held), frames))
            return Answer(generation, how.name, whole=bytes(held))
        except BaseException:
            await frames.aclose()
            raise

    async def _frames(self, query: Query, text: _Text, how: Format) -> AsyncGenerator[tuple[int, bytes], None]:
        """First (generation, nothing), then (0, data) until the end; gives the connection back in every case."""
        exchange = _Exchange(self.endpoint, query.seconds)
        pipe = _Pipe(asyncio.get_running_loop(), exchange, self._max_bytes)
        if self._closed:
            self._turns.release()
            raise QueryStopped("the service is stopping; try again later")
        working = asyncio.get_running_loop().run_in_executor(
            self._threads, self._work, query, text, how, exchange, pipe
        )
        self._running.add(exchange)
        working.add_done_callback(lambda _: self._done(exchange))
        until = asyncio.get_running_loop().time() + query.seconds + 1  # the exchange ends itself before, save in DNS
        try:
            while True:
                async with asyncio.timeout_at(until):
                    part = await pipe.get()
                if part is None:
                    return
                yield part
        except TimeoutError:
            raise exchange.too_long() from None
        finally:
            exchange.stop(QueryStopped("the client left"))

    def _done(self, exchange: _Exchange) -> None:
        self._running.discard(exchange)
        self._turns.release()

    def _work(self, query: Query, text: _Text, how: Format, exchange: _Exchange, pipe: _Pipe) -> None:
        """In a thread: asks, and writes the answer into the pipe."""
        try:
            with exchange:
                generation = _revision(exchange)
                default, named = self._dataset(query, text, exchange, generation)
                asked = text.without_dataset() if query.default_graphs or query.named_graphs else text.text
                base = f"BASE <{query.base}> " if query.base and not text.has_base else ""
                body = exchange.query(base + asked, text.form, default, named)
                body.limit = self._max_bytes * _MORE_TEXT
                pipe.put((generation, b""))
                _write(body, text.form, how, pipe)
                pipe.flush()
            pipe.end(None)
        except KgError as error:
            # Without its traceback: that would carry the rows, which must end in the thread that made them.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            pipe.end(error)
        except Exception as error:  # whatever a hostile answer does must reach the client as a problem
            pipe.end(StoreError(f"the SPARQL engine's answer cannot be read: {error}"))

    def _dataset(
        self, query: Query, text: _Text, exchange: _Exchange, generation: int
    ) -> tuple[Sequence[str], Sequence[str]]:
        """The graphs to send with a query so that its dataset is what ours would be."""
        dialect = self.endpoint.dialect
        default, named = query.default_graphs, query.named_graphs
        if not default and not named:
            if dialect.default_graph is None or text.default_clauses or text.named_clauses:
                return (), ()
            if self._graphs[0] != generation:
                self._graphs = (generation, tuple(g.value for g in _visible_graphs(exchange)))
            default, named = (dialect.default_graph.value,), self._graphs[1]
        if dialect.needs_both_kinds:
            return default or (_NOTHING,), named or (_NOTHING,)
        return default, named


def _write(body: _Body, form: str, how: Format, out: _Pipe) -> None:
    """The engine's answer in the asked format."""
    if form == "ASK":
        out.write(_boolean(body.boolean(), how))
    elif _FORMS[form] is GRAPH_FORMATS:
        serialize(body.triples(), cast(Any, out), how.rdf, prefixes=PREFIXES)
    else:
        found = body.solutions()
        if isinstance(found, QueryBoolean):
            raise StoreError("the SPARQL engine answered yes or no to SELECT")
        try:
            found.serialize(cast(Any, out), how.results)
        except (SyntaxError, ValueError) as error:
            raise StoreError(f"the SPARQL engine's answer does not parse, or was cut: {error}") from None
        body.read_out()


def _boolean(value: bool, how: Format) -> bytes:
    if how.name in ("csv", "tsv"):  # as the embedded store's readers write it
        return b"true" if value else b"false"
    text = b'{"head":{},"boolean":%s}' % (b"true" if value else b"false")
    parsed = parse_query_results(text, QueryResultsFormat.JSON)
    return cast(bytes, cast(QueryBoolean, parsed).serialize(format=how.results))


# --- Writing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effective(Delta):
    """A change as it stood against one revision; applying it to another is a Conflict."""

    revision: int = 0


class RemoteStore:
    """The writer of a remote engine's dataset; several may write, each change is made whole or not at all.

    The default graph is kept as in the embedded store: each triple of a named graph is written there once. Changes of
    other programs that do not advance the revision are not noticed. `apply` of what `effective` gave raises Conflict
    when the graph was changed in between; of any other Delta it looks again and tries again.
    """

    def __init__(self, endpoint: Endpoint, *, seconds: float = 60.0) -> None:
        if not endpoint.update:
            raise StoreUnwritable(f"no update URL is set for the SPARQL engine at {endpoint.query}")
        self.endpoint, self._seconds = endpoint, seconds
        numbered = f"GRAPH {REVISION} {{ {REVISION} {_NUMBER} ?n }}"
        self._send(  # Virtuoso needs a row to filter
            f"INSERT {{ GRAPH {REVISION} {{ {REVISION} {_NUMBER} 0 }} }}\n"
            f"WHERE {{ VALUES ?row {{ 0 }} FILTER NOT EXISTS {{ {numbered} }} }}"
        )

    def _asking(self) -> _Exchange:
        return _Exchange(self.endpoint, self._seconds)

    def _send(self, text: str) -> None:
        with self._asking() as exchange:
            try:
                exchange.update(text)
            except Malformed as error:  # our own text: not the client's fault
                raise StoreError(f"the SPARQL engine does not take the change: {error.detail}") from None

    @property
    def generation(self) -> int:
        """The dataset's revision; it only ever grows."""
        with self._asking() as exchange:
            return _revision(exchange)

    def named_graphs(self) -> list[NamedNode]:
        """The IRIs of the named graphs that hold something, in order, without ours and the engine's."""
        with self._asking() as exchange:
            return _visible_graphs(exchange)

    def quads(self, graph: NamedNode | None = None) -> Iterator[Quad]:
        """The quads of one named graph, or those of all named graphs, as they come from the engine."""
        if graph is None:
            visible = f"FILTER(!STRSTARTS(STR(?g), {Literal(REVISION.value)}))"
            for row in self._rows(f"SELECT ?s ?p ?o ?g {{ GRAPH ?g {{ ?s ?p ?o }} {visible} }}"):
                if isinstance(row["g"], NamedNode) and _is_visible(row["g"]):
                    yield Quad(row["s"], row["p"], row["o"], row["g"])
        elif not _is_ours(graph.value):
            yield from self._graph(graph, graph)

    def triples(self) -> Iterator[Quad]:
        """What the default graph holds: each triple of the store, once."""
        yield from self._graph(self.endpoint.dialect.default_graph, DefaultGraph())

    def _graph(self, graph: NamedNode | None, name: NamedNode | DefaultGraph) -> Iterator[Quad]:
        pattern = f"GRAPH {graph} {{ ?s ?p ?o }}" if graph else "?s ?p ?o"
        for row in self._rows(f"SELECT ?s ?p ?o {{ {pattern} }}"):
            yield Quad(row["s"], row["p"], row["o"], name)

    def _rows(self, text: str) -> Iterator[Any]:
        with self._asking() as exchange:
            yield from exchange.query(text, "SELECT").rows()

    def effective(self, delta: Delta) -> Effective:
        """The part of a change that changes something, with what it means for the default graph.

        What leaves the default graph leaves every named graph as well, as in the embedded store.
        """
        _refuse_unnamed(delta)
        revision = self.generation
        kept = as_kept(delta.removed)
        wanted, unwanted = _graphs_of(as_kept(delta.added)), _graphs_of(kept | delta.removed)
        held = self._holders(wanted.keys() | unwanted.keys())
        for quad in delta.removed - kept:  # in words that are not ours: only where the engine tells them from ours
            triple, ours = in_default_graph(quad), in_default_graph(next(iter(as_kept([quad]))))
            if held[triple] == held[ours]:
                unwanted.pop(triple, None)
        added: set[Quad] = set()
        removed: set[Quad] = set()
        for triple, there in held.items():
            come, go = _moves(there, wanted.get(triple, set()), unwanted.get(triple, set()))
            added |= {Quad(triple.subject, triple.predicate, triple.object, graph) for graph in come}
            removed |= {Quad(triple.subject, triple.predicate, triple.object, graph) for graph in go}
        return Effective(frozenset(added), frozenset(removed), revision)

    def _holders(self, triples: Iterable[Quad]) -> dict[Quad, set[Any]]:
        """The graphs that hold each triple, by the engine's own idea of equal terms."""
        held: dict[Quad, set[Any]] = {triple: set() for triple in triples}
        brief = (triple for triple in held if len(str(triple.object)) <= _LONG)
        for batch in _batches(brief, _LOOKED_UP, _CHARACTERS):
            rows = "\n".join(f"({i} {t.subject} {t.predicate} {t.object})" for i, t in enumerate(batch))
            self._look_up(held, batch, f"VALUES (?i ?s ?p ?o) {{\n{rows} }}", "?s ?p ?o")
        for triple in held:
            if len(str(triple.object)) > _LONG:
                pattern = f"{triple.subject} {triple.predicate} {triple.object}"
                self._look_up(held, [triple], "BIND(0 AS ?i)", pattern)
        return held

    def _look_up(self, held: dict[Quad, set[Any]], batch: Sequence[Quad], rows: str, pattern: str) -> None:
        stand_in = self.endpoint.dialect.default_graph
        for row in self._rows(f"SELECT ?i ?g {{ {rows} GRAPH ?g {{ {pattern} }} }}"):
            graph = DefaultGraph() if row["g"] == stand_in else row["g"]
            if isinstance(graph, DefaultGraph) or not _is_ours(graph.value):
                held[batch[int(row["i"].value)]].add(graph)
        if stand_in is None:
            for row in self._rows(f"SELECT ?i {{ {rows} {pattern} }}"):
                held[batch[int(row["i"].value)]].add(DefaultGraph())

    def apply(self, delta: Delta) -> int:
        """Applies a change whole; on any failure nothing is changed. Returns the generation."""
        if isinstance(delta, Effective):
            return self._applied(delta)
        for left in range(_TRIES - 1, -1, -1):
            try:
                return self._applied(self.effective(delta))
            except Conflict:
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _applied(self, change: Effective) -> int:
        published = self.generation
        if not change and published:
            return published
        if published != change.revision:
            raise _conflict(change.revision)
        writer = uuid.uuid4().hex
        if len(change) > self.endpoint.dialect.quads_per_request or _length(change) > 20 * _CHARACTERS:
            return self._staged(change, writer)
        removed, added = (self._blocks(quads) for quads in (change.removed, change.added))
        return self._made(change.revision, writer, removed, added, "")

    def _name(self, quad: Quad) -> NamedNode | None:
        """The graph to write a quad to; None for the default graph."""
        if isinstance(quad.graph_name, NamedNode):
            return quad.graph_name
        return self.endpoint.dialect.default_graph

    def _by_graph(self, quads: Iterable[Quad]) -> dict[NamedNode | None, list[Quad]]:
        found: dict[NamedNode | None, list[Quad]] = {}
        for quad in quads:
            found.setdefault(self._name(quad), []).append(quad)
        return found

    def _blocks(self, quads: Iterable[Quad]) -> str:
        return "\n".join(
            f"GRAPH {graph} {{\n{_lines(held)}}}" if graph else _lines(held)
            for graph, held in self._by_graph(quads).items()
        )

    def _made(self, revision: int, writer: str, removed: str, added: str, where: str) -> int:
        """Makes a change in one operation that checks and advances the revision, then sees whether it was made."""
        text = _change(revision, writer, removed, added, where)
        with self._asking() as exchange:
            try:
                exchange.update(text)
            except KgError as error:
                if exchange.is_open and self._was_made_after_all(revision, writer, error):
                    return revision + 1
                if isinstance(error, Malformed):
                    raise StoreError(f"the SPARQL engine does not take the change: {error.detail}") from None
                raise
        if not self._is_made(revision, writer):
            raise _conflict(revision)
        return revision + 1

    def _is_made(self, revision: int, writer: str) -> bool:
        made_by = f"<{REVISION.value}/{revision + 1}> {_MADE_BY} ?writer"
        writers = {row["writer"].value for row in self._rows(f"SELECT ?writer {{ GRAPH {REVISION} {{ {made_by} }} }}")}
        if writer in writers and len(writers) > 1:
            raise StoreError(
                f"the SPARQL engine let {len(writers)} changes of revision {revision} through at once; "
                f"its transactions must be isolated (Virtuoso: DefaultIsolation = 4)"
            )
        return writer in writers

    def _was_made_after_all(self, revision: int, writer: str, cause: KgError) -> bool:
        """Whether a change was made whose answer did not arrive.

        If it was not, the revision is advanced, so that a request that is still on its way can change nothing.
        """
        try:
            if not self._is_made(revision, writer):
                self._send(_change(revision, uuid.uuid4().hex, "", "", ""))
            return self._is_made(revision, writer)
        except KgError:
            raise StoreError(
                f"whether the change was made is not known, because the SPARQL engine does not answer any more "
                f"({cause.detail}); look at the data before you repeat it"
            ) from cause

    def _staged(self, change: Effective, writer: str) -> int:
        """A large change: its parts are put into graphs of ours first, then one operation moves them all."""
        self._sweep(change.revision)
        stage = f"{REVISION.value}/stage/{change.revision}/{writer}"
        templates: dict[str, set[str]] = {"r": set(), "a": set()}
        branches: list[str] = []
        staged: list[NamedNode] = []
        try:
            for sign, quads in (("r", change.removed), ("a", change.added)):
                for graph, held in self._by_graph(quads).items():
                    part = NamedNode(f"{stage}/{len(staged)}")
                    staged.append(part)
                    self._stage(part, held)
                    kind = sign + ("g" if graph else "d")
                    pattern = f"?{kind}s ?{kind}p ?{kind}o"
                    templates[sign].add(f"GRAPH ?{kind} {{ {pattern} }}" if graph else pattern)
                    bound = f"BIND({graph} AS ?{kind})" if graph else ""
                    branches.append(f"{{ GRAPH {part} {{ {pattern} }} {bound} }}")
            removed, added = ("\n".join(sorted(templates[sign])) for sign in "ra")
            where = "{ " + "\nUNION ".join(branches) + " }" if branches else ""
            return self._made(change.revision, writer, removed, added, where)
        finally:
            with contextlib.suppress(KgError):  # what stays is swept before the next large change
                self._drop(staged)

    def _stage(self, part: NamedNode, quads: Iterable[Quad]) -> None:
        if self.endpoint.graph_store:
            for batch in _batches(quads, 50 * _LOOKED_UP, 20 * _CHARACTERS):
                with self._asking() as exchange:
                    exchange.add(part, _lines(batch).encode())
        else:
            for batch in _batches(quads, _LOOKED_UP, _CHARACTERS):
                self._send(f"INSERT DATA {{ GRAPH {part} {{\n{_lines(batch)}}} }}")

    def _sweep(self, revision: int) -> None:
        """Drops the stages of changes that can no longer be made, because their revision has passed."""
        prefix = REVISION.value + "/stage/"
        found = self._rows(
            f"SELECT DISTINCT ?g {{ GRAPH ?g {{ ?s ?p ?o }} FILTER(STRSTARTS(STR(?g), {Literal(prefix)})) }}"
        )
        graphs = [row["g"] for row in found]
        self._drop([g for g in graphs if int(g.value.removeprefix(prefix).partition("/")[0]) < revision])

    def _drop(self, graphs: Iterable[NamedNode]) -> None:
        for graph in graphs:
            self._send(f"DROP SILENT GRAPH {graph}")

    def close(self) -> None:
        """Nothing is held open."""

    def __enter__(self) -> RemoteStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _change(revision: int, writer: str, removed: str, added: str, where: str) -> str:
    """The one operation of a change: nothing matches, and nothing happens, unless the revision is the expected one."""
    number = f"{REVISION} {_NUMBER}"
    forgotten = f"<{REVISION.value}/{revision + 1 - _REMEMBERED}> {_MADE_BY} ?forgotten"
    return (
        f"DELETE {{ GRAPH {REVISION} {{ {number} {revision} . {forgotten} }}\n{removed} }}\n"
        f"INSERT {{ GRAPH {REVISION} {{ {number} {revision + 1} . "
        f"<{REVISION.value}/{revision + 1}> {_MADE_BY} {Literal(writer)} }}\n{added} }}\n"
        f"WHERE {{ GRAPH {REVISION} {{ {number} {revision} }}\n"
        f"OPTIONAL {{ GRAPH {REVISION} {{ {forgotten} }} }}\n{where} }}"
    )


def _conflict(revision: int) -> Conflict:
    return Conflict(f"the graph has left revision {revision}, which the change was made for; nothing was written")


def _refuse_unnamed(delta: Delta) -> None:
    """SPARQL cannot say which blank node is meant, and SPARQL 1.1 has no triple terms."""
    for quad in delta.added | delta.removed:
        for term in (quad.subject, quad.object, quad.graph_name):
            if isinstance(term, BlankNode | Triple):
                kind = "blank node" if isinstance(term, BlankNode) else "triple term"
                raise Malformed(f"a {kind} cannot be sent to a remote store; give it an IRI: {quad}")


def _graphs_of(quads: Iterable[Quad]) -> dict[Quad, set[Any]]:
    """Each triple with the graphs that it is in."""
    found: dict[Quad, set[Any]] = {}
    for quad in quads:
        found.setdefault(in_default_graph(quad), set()).add(quad.graph_name)
    return found


def _moves(there: set[Any], wanted: set[Any], unwanted: set[Any]) -> tuple[set[Any], set[Any]]:
    """The graphs that a triple comes into and goes from, so that the default graph has it while any graph has."""
    default: set[Any] = {DefaultGraph()}
    unwanted = (unwanted - wanted) & there
    go = there - wanted if default & unwanted else unwanted
    come = wanted - there
    if come:
        return come | (default - there), go - default
    if default & wanted or there - go - default:
        return come, go - default
    return come, go | (default & there if go else set())


def _lines(quads: Iterable[Quad]) -> str:
    return "".join(f"{q.subject} {q.predicate} {q.object} .\n" for q in quads)


def _length(change: Delta) -> int:
    return sum(len(q.object.value) for q in change.added | change.removed if isinstance(q.object, Literal))


def _batches(quads: Iterable[Quad], size: int, most: int) -> Iterator[list[Quad]]:
    """Lists of up to so many quads, and of up to so many characters unless one quad alone has more."""
    batch: list[Quad] = []
    characters = 0
    for quad in quads:
        length = len(str(quad))
        if batch and (len(batch) == size or characters + length > most):
            yield batch
            batch, characters = [], 0
        batch.append(quad)
        characters += length
    if batch:
        yield batch
