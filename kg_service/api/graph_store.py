"""`/store`: graphs as wholes, by the SPARQL 1.1 Graph Store HTTP Protocol."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kg_service.api.clients import client_of
from kg_service.api.writing import ANSWERS, Writer, body_of, may_write
from kg_service.errors import Malformed, NotAcceptable, NotFound, PreconditionFailed
from kg_service.rdf import GRAPH_FORMATS, Format, Quad
from kg_service.settings import Settings
from kg_service.sparql import graph_store
from kg_service.sparql.graph_store import Target
from kg_service.sparql.protocol import negotiate
from kg_service.sparql.sandbox import upload_format
from kg_service.store import Answer, Delta, Query, Reads

METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]
_FORMATS = tuple(f for f in GRAPH_FORMATS if f.rdf and (not f.rdf.supports_datasets or f.name == "json-ld"))

_PARAMETERS = [
    {"name": "graph", "in": "query", "description": "Absolute IRI of a graph.", "schema": {"type": "string"}},
    {"name": "default", "in": "query", "description": "The default graph.", "schema": {"type": "string"}},
]
_BODY = {"required": True, "content": {f.media_types[0]: {"schema": {"type": "string"}} for f in _FORMATS}}
_DONE = {"201": {"description": "Done; the graph is new."}, "204": {"description": "Done."}}


def _operation(summary: str, answers: dict[str, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
    described = {"tags": ["Graph store"], "summary": summary, "parameters": _PARAMETERS, "responses": answers}
    return described | ({"requestBody": body} if body else {})


#: The path item of the OpenAPI description.
OPENAPI = {
    "get": _operation("Read a graph", {"200": {"description": "The graph."}, "404": {"description": "No such graph."}}),
    "put": _operation("Make a graph equal to the body", _DONE | ANSWERS, _BODY),
    "post": _operation("Add the body to a graph, or make a new graph of it", _DONE | ANSWERS, _BODY),
    "delete": _operation("Delete a graph", {"204": _DONE["204"], "404": {"description": "No such graph."}} | ANSWERS),
}


async def store(request: Request) -> Response:
    """One operation on one graph."""
    where = graph_store.target(parse_qsl(request.url.query, keep_blank_values=True))
    if request.path_params.get("path"):  # section 4.1: the request's own IRI names the graph
        where = Target(str(request.url.replace(query="")))
    if request.method in ("GET", "HEAD"):
        return await _get(request, _named(where))
    may_write(request)
    if request.method == "DELETE":
        return await _delete(request, _named(where))
    if request.method == "PUT":
        return await _put(request, _named(where))
    is_new = where is None
    where = where or Target(
        f"{request.url.replace(query='')}/{uuid4().hex}"
    )  # section 5.5: the service names the graph
    response = await _post(request, where)
    if is_new and where.iri:
        response.status_code = 201
        response.headers["Location"] = where.iri
    return response


def _named(where: Target | None) -> Target:
    if where is None:
        raise Malformed("name a graph: ?default or ?graph=<IRI>")
    return where


async def _get(request: Request, where: Target) -> Response:
    how = negotiate(request.headers.get("accept", "*/*"), _FORMATS)
    if how is None:
        raise NotAcceptable(f"a graph can be written as: {', '.join(f.media_types[0] for f in _FORMATS)}")
    await _must_exist(request, where)
    answer = await _answer(request, where, how)
    headers = {"Vary": "Accept", "KG-Generation": str(answer.generation)}
    if answer.etag:
        headers["ETag"] = answer.etag
        if answer.etag in _tags(request, "if-none-match"):
            return Response(status_code=304, headers=headers)
    if answer.whole is not None:
        return Response(answer.whole, headers=headers, media_type=how.media_type)
    return StreamingResponse(_parts(answer), headers=headers, media_type=how.media_type)


async def _parts(answer: Answer) -> AsyncIterator[bytes]:
    assert answer.parts is not None
    async for part in answer.parts:
        yield part


async def _put(request: Request, where: Target) -> Response:
    new = await _uploaded(request, where)
    return await _write(request, where, lambda old: graph_store.replaced(where, old, new))


async def _post(request: Request, where: Target) -> Response:
    new = await _uploaded(request, where)
    return await _write(request, where, lambda _: graph_store.merged(where, new))


async def _delete(request: Request, where: Target) -> Response:
    await _must_exist(request, where)
    return await _write(request, where, lambda old: graph_store.replaced(where, old, ()))


async def _write(request: Request, where: Target, change: Callable[[list[Quad]], Delta]) -> Response:
    """Commits the change of the graph as it is when this write's turn comes; 201 when that made the graph."""
    writer: Writer = request.app.state.writer
    existed = False

    async def make() -> Delta:
        nonlocal existed
        existed = await _exists(request, where)
        await _check_preconditions(request, where, existed)
        return change(await writer.quads(lambda opened: opened.graph(where.name)))

    done = await writer.write(make)
    return Response(status_code=204 if existed else 201, headers={"KG-Generation": str(done.generation)})


async def _uploaded(request: Request, where: Target) -> frozenset[Quad]:
    """The triples of the body; relative IRIs resolve against the graph's own (section 4.1)."""
    settings: Settings = request.app.state.settings
    writer: Writer = request.app.state.writer
    content_type = request.headers.get("content-type", "")
    body = await body_of(request, settings.max_body_bytes)
    base = where.iri or settings.base
    if not content_type.lower().startswith("multipart/form-data"):
        return await writer.sandbox.parsed(body, upload_format(content_type), base)
    found: set[Quad] = set()
    for part_type, part in graph_store.parts(content_type, body):  # section 5.5: a form with files
        found |= await writer.sandbox.parsed(part, upload_format(part_type), base)
    return frozenset(found)


async def _exists(request: Request, where: Target) -> bool:
    if where.iri is None:
        return True
    reads: Reads = request.app.state.readers
    if not reads.generation:
        return False
    answer = await reads.answer(Query(f"ASK {{ GRAPH <{where.iri}> {{ ?s ?p ?o }} }}", boolean="csv"))
    return await answer.content() == b"true"


async def _must_exist(request: Request, where: Target) -> None:
    if not await _exists(request, where):
        raise NotFound(f"there is no graph <{where.iri}>")


async def _answer(request: Request, where: Target, how: Format) -> Answer:
    reads: Reads = request.app.state.readers
    settings: Settings = request.app.state.settings
    answer = await reads.answer(
        Query(where.construct(), graph=how.name, seconds=settings.query_seconds, client=client_of(request))
    )
    if answer.whole is None:
        return answer
    digest = hashlib.blake2b(answer.whole, digest_size=12).hexdigest()
    return replace(answer, etag=f'"{answer.generation}-{digest}"')


async def _check_preconditions(request: Request, where: Target, exists: bool) -> None:
    """If-Match and If-None-Match (RFC 9110, section 13.1), compared with the graph in every format that we write."""
    wanted, unwanted = _tags(request, "if-match"), _tags(request, "if-none-match")
    if not wanted and not unwanted:
        return
    current = {_digest(tag) async for tag in _current(request, where)} if exists else set()
    if wanted and not ("*" in wanted and exists) and not {_digest(tag) for tag in wanted} & current:
        raise PreconditionFailed("the graph is not the one that If-Match names; read it again")
    if ("*" in unwanted and exists) or {_digest(tag) for tag in unwanted} & current:
        raise PreconditionFailed("the graph is there already, as If-None-Match does not want it")


async def _current(request: Request, where: Target) -> AsyncIterator[str]:
    for how in _FORMATS:
        answer = await _answer(request, where, how)
        if answer.etag:
            yield answer.etag


def _digest(tag: str) -> str:
    """What of an ETag says the content: a later generation with the same graph is the same graph."""
    return tag.strip('"').rpartition("-")[2]


def _tags(request: Request, header: str) -> set[str]:
    sent = request.headers.get(header, "")
    return {tag.strip().removeprefix("W/") for tag in sent.split(",") if tag.strip()}
