"""`/sparql`: queries by the SPARQL 1.1 Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kg_service.errors import Refused
from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS
from kg_service.settings import Settings
from kg_service.sparql import guard, protocol
from kg_service.sparql.description import service_description
from kg_service.sparql.federation import Federation
from kg_service.store import Answer, Query, Reads

#: What goes into the log for a client that did not wait (nginx's number; nobody receives it).
_CLIENT_LEFT = 499
METHODS = ["GET", "POST", "HEAD"]
_MEDIA_TYPES = {f.name: f.media_type for f in (*TABLE_FORMATS, *GRAPH_FORMATS)}

_PARAMETERS = {
    "query": "The query. Without one, GET answers with the service description.",
    "default-graph-uri": "IRI of a graph of the default graph; may be repeated.",
    "named-graph-uri": "IRI of a named graph; may be repeated.",
    "format": "Short name of the answer's format, where an Accept header cannot be sent.",
    "timeout": "Seconds after which the query is stopped; may only shorten the service's own limit.",
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
            "413": "The answer is larger than allowed.",
            "415": "The body is neither a query nor a form.",
            "502": "An endpoint that SERVICE names failed.",
            "503": "The query was stopped at its deadline, or no reader came free.",
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


async def sparql(request: Request) -> Response:
    """Answers a query operation; a GET without a query gets the service description."""
    settings: Settings = request.app.state.settings
    readers: Reads = request.app.state.readers
    body = await _body(request, settings.max_query_bytes)
    asked = protocol.asked(request.method, request.url.query, request.headers, body)
    if asked is None:
        return _description(request)
    federation: Federation = request.app.state.federation
    query = guard.inspect(
        asked.text, max_bytes=settings.max_query_bytes, base=settings.base, may_federate=federation.is_on
    )
    chosen_by_protocol = bool(asked.default_graphs or asked.named_graphs)
    answering = _answered(
        federation,
        readers,
        Query(
            text=query.text,
            table=asked.table,
            boolean=asked.boolean,
            graph=asked.graph,
            default_graphs=asked.default_graphs if chosen_by_protocol else query.default_graphs,
            named_graphs=asked.named_graphs if chosen_by_protocol else query.named_graphs,
            base=settings.base,
            seconds=min(asked.seconds or settings.query_seconds, settings.query_seconds),
        ),
    )
    answer = await _unless_client_leaves(request, answering)
    if answer is None:
        return Response(status_code=_CLIENT_LEFT)
    headers = {"Vary": "Accept", "KG-Generation": str(answer.generation)}
    media_type = _MEDIA_TYPES[answer.format]
    if answer.etag:
        headers |= {"ETag": answer.etag, "Cache-Control": "no-cache"}
        if request.method != "POST" and _is_known(request.headers.get("if-none-match", ""), answer.etag):
            return Response(status_code=304, headers=headers)
    if answer.parts is not None:
        return StreamingResponse(answer.parts, headers=headers, media_type=media_type)
    return Response(answer.whole, headers=headers, media_type=media_type)


async def _answered(federation: Federation, readers: Reads, query: Query) -> Answer:
    return await readers.answer(await federation.filled(query))


def _is_known(if_none_match: str, etag: str) -> bool:
    """Whether the client has this answer already (RFC 9110, section 13.1.2; comparison is weak)."""
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in known or etag in known


async def _unless_client_leaves(request: Request, answering: Coroutine[None, None, Answer]) -> Answer | None:
    """The answer; None, with the query ended, when the client closes the connection before it is there."""
    work = asyncio.ensure_future(answering)
    leaving = asyncio.ensure_future(request.receive())  # the body is read, so all that can come is the disconnect
    try:
        await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        leaving.cancel()
        work.cancel()
        await asyncio.wait({work, leaving})


async def _body(request: Request, limit: int) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > 3 * limit + 65536:  # URL-encoding makes three bytes of one
            raise Refused(f"the request is larger than a query of {limit} bytes can be")
    return bytes(body)


def _description(request: Request) -> Response:
    how = protocol.negotiate(request.headers.get("accept", "*/*"), GRAPH_FORMATS) or GRAPH_FORMATS[0]
    settings: Settings = request.app.state.settings
    text = service_description(
        str(request.url.replace(query="")),
        how,
        can_update=settings.token is not None,
        is_union=settings.default_graph == "union",
        can_federate=request.app.state.federation.is_on,
    )
    return Response(text, media_type=how.media_type, headers={"Vary": "Accept"})
