"""What a request to `/sparql` asks, remembered: who asks the same again is understood, and often answered, at once.

`Repeated` stands before the web framework. A question whose finished answer is in the cache never gets further.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS
from kg_service.settings import Settings
from kg_service.sparql import guard
from kg_service.sparql.protocol import Asked
from kg_service.store import Answer, Query
from kg_service.store.cache import CachedReads

MEDIA_TYPES = {f.name: f.media_type for f in (*TABLE_FORMATS, *GRAPH_FORMATS)}
_RAW_TYPES = {name: media_type.encode() for name, media_type in MEDIA_TYPES.items()}
#: Requests that are remembered, the bytes of the largest, and those of an answer that is kept ready to be sent.
_REMEMBERED, _LARGEST, _SMALL = 2048, 8192, 16384

#: What a request says about its question: parameters, Accept, Content-Type, body.
Key = tuple[bytes, bytes, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Question:
    """A query that was looked over, and the seconds that the client would wait for it."""

    query: Query
    seconds: float | None


def looked_over(asked: Asked, settings: Settings, *, may_federate: bool) -> Query:
    """The query that is asked, when the guard finds nothing wrong with it.

    Graphs named beside the text replace those that it names (SPARQL 1.1 Protocol, section 2.1.4).
    """
    seen = guard.inspect(asked.text, max_bytes=settings.max_query_bytes, base=settings.base, may_federate=may_federate)
    dataset = asked if asked.default_graphs or asked.named_graphs else seen
    return Query(
        text=seen.text,
        table=asked.table,
        boolean=asked.boolean,
        graph=asked.graph,
        default_graphs=dataset.default_graphs,
        named_graphs=dataset.named_graphs,
        base=settings.base,
    )


class Questions:
    """The questions asked last, by the requests that asked them."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, Question] = OrderedDict()

    def get(self, key: Key) -> Question | None:
        return self._known.get(key)

    def remember(self, key: Key, question: Question) -> None:
        if sum(map(len, key)) > _LARGEST:
            return
        self._known[key] = question
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def key_of(scope: Scope, body: bytes) -> Key:
    """What tells one question from another; who asks, and how long he would wait, is not part of it."""
    accept = content_type = b""
    for name, value in scope["headers"]:
        if name == b"accept":
            accept += b"," + value
        elif name == b"content-type":
            content_type = value
    return scope["query_string"], accept, content_type if body else b"", body


def headers_of(answer: Answer) -> dict[str, str]:
    """The headers that every answer to a query carries."""
    headers = {"Vary": "Accept", "KG-Generation": str(answer.generation)}
    return headers | ({"ETag": answer.etag, "Cache-Control": "no-cache"} if answer.etag else {})


class Whole:
    """The response that a finished answer makes."""

    def __init__(self, answer: Answer, query_id: str) -> None:
        assert answer.whole is not None
        self._headers, self._body = [*_raw_headers(answer), (b"kg-query", query_id.encode())], answer.whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self._headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else self._body})


class Repeated:
    """Answers questions to `/sparql` that were answered before, of the generation published now; hands on others."""

    def __init__(self, app: ASGIApp, questions: Questions, reads: CachedReads) -> None:
        self._app, self._questions, self._reads = app, questions, reads
        self._state = ""  # of the store, for which the small answers here are ready to be sent
        self._ready: dict[Key, tuple[Message, bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method, body = scope["method"], b""
        if method == "POST":
            first = await receive()
            if first.get("more_body") or first["type"] != "http.request" or len(first["body"]) > _LARGEST:
                await self._app(scope, _after(first, receive), send)
                return
            body, receive = first["body"], _after(first, receive)
        ready = self._answer(key_of(scope, body))
        if ready is None or any(name == b"if-none-match" for name, _ in scope["headers"]):
            await self._app(scope, receive, send)
            return
        self._reads.counters.repeated += 1
        start, whole = ready
        await send(dict(start))  # others add their headers
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else whole})

    def _answer(self, key: Key) -> tuple[Message, bytes] | None:
        question = self._questions.get(key)
        if question is None and key not in self._ready:
            return None  # never asked: it does not matter what is published
        state = self._reads.state
        if state != self._state:
            self._ready.clear()
            self._state = state
        ready = self._ready.get(key)
        if ready is not None:
            self._reads.counters.hits += 1
            return ready
        answer = self._reads.kept(question.query) if question else None
        if answer is None or answer.whole is None:
            return None
        ready = {"type": "http.response.start", "status": 200, "headers": _raw_headers(answer)}, answer.whole
        if len(answer.whole) <= _SMALL and len(self._ready) < _REMEMBERED and sum(map(len, key)) <= _LARGEST:
            self._ready[key] = ready
        return ready


def _raw_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    assert answer.whole is not None
    headers = [(b"content-length", b"%d" % len(answer.whole)), (b"content-type", _RAW_TYPES[answer.format])]
    return headers + [(name.lower().encode(), value.encode()) for name, value in headers_of(answer).items()]


def _after(first: Message, receive: Receive) -> Receive:
    """Receives what was taken out of the stream, then the rest of it."""
    is_given = False

    async def again() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return first

    return again
