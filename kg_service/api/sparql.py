"""`/sparql`: queries by the SPARQL 1.1 Protocol.

`Sparql` stands before the web framework, whose way to an endpoint takes longer than most queries.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from functools import partial
from tempfile import TemporaryFile

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from kg_service.api import problems
from kg_service.api.asking import MEDIA_TYPES, Question, Questions, Whole, headers_of, key_of, looked_over
from kg_service.api.clients import client_of, holder_of
from kg_service.errors import KgError, Refused
from kg_service.linked_data.figures import Figures
from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS
from kg_service.settings import Settings
from kg_service.sparql import protocol
from kg_service.sparql.description import service_description
from kg_service.sparql.federation import Federation
from kg_service.store import Answer, Query, Reads
from kg_service.store.cache import CachedReads

#: Seconds before it is watched whether the client is still there.
_UNWATCHED = 0.01
#: Seconds for which the service description waits for the figures of a new generation.
_COUNTING = 3.0
#: Bytes of a spooled answer that are sent at once.
_PART = 256 * 1024
#: Characters of a query above which it is looked over in a thread: a hostile megabyte takes most of a second.
_LONG = 64 * 1024
METHODS = ["GET", "POST", "HEAD"]

_PARAMETERS = {
    "query": "The query. Without one, GET answers with the service description.",
    "default-graph-uri": "IRI of a graph of the default graph; may be repeated.",
    "named-graph-uri": "IRI of a named graph; may be repeated.",
    "format": "Short name of the answer's format, where an Accept header cannot be sent.",
    "timeout": "Seconds after which the query is stopped; without the token it may only shorten the limit.",
}
_ANSWERS = {
    "200": {
        "description": "The complete answer.",
        "content": {f.media_types[0]: {} for f in (*TABLE_FORMATS, *GRAPH_FORMATS)},
    },
    **{
        status: {"description": what, "content": {"application/problem+json": {}}}
        for status, what in {
            "400": "The query is malformed or not allowed; says line and column.",
            "406": "No known format is acceptable.",
            "413": "The answer has more bytes or rows than allowed, or the query needs too much memory.",
            "415": "The body is neither a query nor a form.",
            "429": "You ask more than one client may; Retry-After says when you may again.",
            "502": "An endpoint that SERVICE names failed.",
            "503": "The service is full or stopping, or an operator ended the query; see Retry-After.",
            "504": "The query was stopped at its deadline.",
        }.items()
    },
}
#: The path item of the OpenAPI description.
OPENAPI = {
    "get": {
        "tags": ["SPARQL"],
        "summary": "Ask a SPARQL 1.1 query",
        "operationId": "sparql_get",
        "parameters": [
            {"name": name, "in": "query", "description": what, "schema": {"type": "string"}}
            for name, what in _PARAMETERS.items()
        ],
        "responses": _ANSWERS,
    },
    "post": {
        "tags": ["SPARQL"],
        "summary": "Ask a SPARQL 1.1 query, by form or as the body",
        "operationId": "sparql_post",
        "requestBody": {
            "required": True,
            "content": {
                protocol.FORM_TYPE: {
                    "schema": {
                        "type": "object",
                        "required": ["query"],
                        "properties": {n: {"type": "string", "description": what} for n, what in _PARAMETERS.items()},
                    }
                },
                protocol.QUERY_TYPE: {"schema": {"type": "string"}},
            },
        },
        "responses": _ANSWERS,
    },
}


class Sparql:
    """Answers query operations of a started application; a GET without a query gets the service description.

    Every answer to a query that was run, problems too, carries its id in KG-Query.
    """

    def __init__(self, app: Starlette) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self._app
        request = Request(scope, receive)
        response: ASGIApp
        try:
            response = await _response(request)
        except KgError as error:
            response = problems.response(error)
        except ClientDisconnect:
            response = problems.client_left()
        except Exception as error:  # a mistake of ours must reach the client as a problem too
            response = problems.unexpected(request, error)
        await response(scope, receive, send)


async def _response(request: Request) -> ASGIApp:
    settings: Settings = request.app.state.settings
    readers: Reads = request.app.state.readers
    question = await _question(request)
    if question is None:
        return await _description(request)
    limit = settings.query_seconds_with_token if question.seconds and holder_of(request) else settings.query_seconds
    seconds = min(question.seconds or limit, limit)
    query = question.query.asked_by(client_of(request), seconds)
    known = request.headers.get("if-none-match", "") if request.method != "POST" else ""
    if known and isinstance(readers, CachedReads) and (etag := readers.etag(query)) and _names(known, etag):
        return Response(status_code=304, headers=headers_of(Answer(readers.generation, "", etag=etag)))
    try:
        answer = await _unless_client_leaves(request, request.app.state.federation, readers, query)
    except KgError as error:
        refusal = problems.response(error)
        refusal.headers["KG-Query"] = query.id
        return refusal
    if answer is None:
        return problems.client_left()
    if answer.whole is not None and not known:
        return Whole(answer, query.id)
    headers = headers_of(answer) | {"KG-Query": query.id}
    if answer.etag and known and (_names(known, answer.etag) or known.strip() == "*"):
        await answer.leave()
        return Response(status_code=304, headers=headers)
    media_type = MEDIA_TYPES[answer.format]
    if answer.parts is None:
        return Response(answer.whole, headers=headers, media_type=media_type)
    if request.method == "HEAD":
        await answer.leave()
        return HeadOnly(headers=headers, media_type=media_type)
    if request.scope["http_version"] == "1.0":
        return await _spooled(answer, headers, media_type)
    return StreamingResponse(answer.parts, headers=headers, media_type=media_type)


class HeadOnly(Response):
    """The headers of an answer whose length nobody knows."""

    def init_headers(self, headers: Mapping[str, str] | None = None) -> None:
        super().init_headers(headers)
        del self.headers["content-length"]


async def _spooled(answer: Answer, headers: dict[str, str], media_type: str) -> Response:
    """A long answer for HTTP/1.0, which has no chunks: by its length alone can a client tell that it was cut short."""
    assert answer.parts is not None
    file = TemporaryFile()  # noqa: SIM115  (closed when it was sent)
    try:
        async for part in answer.parts:
            file.write(part)
    except KgError as error:
        file.close()
        return problems.response(error)
    except BaseException:
        file.close()
        raise
    headers |= {"Content-Length": str(file.tell())}
    file.seek(0)

    async def sent() -> AsyncIterator[bytes]:
        with file:
            while part := file.read(_PART):
                yield part

    return StreamingResponse(sent(), headers=headers, media_type=media_type)


async def _question(request: Request) -> Question | None:
    """What the request asks, looked over; None for the service description."""
    settings: Settings = request.app.state.settings
    questions: Questions = request.app.state.questions
    body = await _body(request, settings.max_query_bytes) if request.method == "POST" else b""
    key = key_of(request.scope, body)
    if known := questions.get(key):
        return known
    asked = protocol.asked(request.method, request.scope["query_string"], request.headers, body)
    if asked is None:
        return None
    federation: Federation = request.app.state.federation
    look = partial(looked_over, asked, settings, may_federate=federation.is_on)
    query = await asyncio.to_thread(look) if len(asked.text) > _LONG else look()
    question = Question(query, asked.seconds)
    questions.remember(key, question)
    return question


def _names(if_none_match: str, etag: str) -> bool:
    """Whether the client has this answer already (RFC 9110, section 13.1.2; comparison is weak)."""
    return etag in {each.strip().removeprefix("W/") for each in if_none_match.split(",")}


async def _unless_client_leaves(
    request: Request, federation: Federation, readers: Reads, query: Query
) -> Answer | None:
    """The answer; None, with the query ended, when the client closes the connection before it is there."""
    loop, asking = asyncio.get_running_loop(), asyncio.current_task()
    assert asking
    watching: asyncio.Task[None] | None = None
    has_left = False

    async def watch() -> None:
        nonlocal has_left
        while (await request.receive())["type"] != "http.disconnect":
            pass
        has_left = True
        asking.cancel()

    def begin() -> None:
        nonlocal watching
        watching = loop.create_task(watch())

    alarm = loop.call_later(_UNWATCHED, begin)
    try:
        return await readers.answer(await federation.filled(query))
    except asyncio.CancelledError:
        if has_left and asking.uncancel() == 0:
            return None
        raise
    finally:
        alarm.cancel()
        if watching:
            watching.cancel()


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > 3 * limit + 65536:  # URL-encoding makes three bytes of one
            raise Refused(f"the request is larger than a query of {limit} bytes can be")
    return bytes(body)


async def _description(request: Request) -> Response:
    how = protocol.negotiate(request.headers.get("accept", "*/*"), GRAPH_FORMATS) or GRAPH_FORMATS[0]
    settings: Settings = request.app.state.settings
    figures: Figures | None = None
    with contextlib.suppress(KgError):  # what cannot be counted now is not told
        _, figures = await request.app.state.counting.current(request.app.state.readers, patience=_COUNTING)
    text = service_description(
        str(request.url.replace(query="")),
        how,
        can_update=settings.is_writable and request.app.state.access.is_on,
        is_union=settings.default_graph == "union",
        can_federate=request.app.state.federation.is_on,
        triples=figures.triples if figures else None,
        graphs=figures.graphs if figures else (),
    )
    return Response(text, media_type=how.media_type, headers={"Vary": "Accept"})
