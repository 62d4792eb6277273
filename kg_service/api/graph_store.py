"""`/store`: graphs as wholes, by the SPARQL 1.1 Graph Store HTTP Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kg_service.api import problems
from kg_service.api.clients import client_of
from kg_service.api.parameters import names, refuse_others
from kg_service.api.writing import (
    ANSWERS,
    PARAMETERS,
    body_of,
    check_match,
    headers,
    last_tag,
    may_write,
    proposal,
    tags,
)
from kg_service.changes import Present
from kg_service.changes.writer import Evaluated, Writer
from kg_service.errors import Malformed, NotAcceptable, NotFound, UnsupportedFormat
from kg_service.rdf import GRAPH_FORMATS, Quad
from kg_service.settings import Settings
from kg_service.sparql import graph_store, guard, patch, protocol
from kg_service.sparql.graph_store import Target
from kg_service.sparql.protocol import negotiate
from kg_service.sparql.sandbox import Sandbox, upload_format
from kg_service.store import Answer, Delta, Query, Reads

METHODS = ["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]
_PATCHES = (protocol.UPDATE_TYPE, *patch.MEDIA_TYPES)
_FORMATS = tuple(f for f in GRAPH_FORMATS if f.rdf and (not f.rdf.supports_datasets or f.name == "json-ld"))

_PARAMETERS = [
    {"name": "graph", "in": "query", "description": "Absolute IRI of a graph.", "schema": {"type": "string"}},
    {"name": "default", "in": "query", "description": "The default graph.", "schema": {"type": "string"}},
]
_BODY = {"required": True, "content": {f.media_types[0]: {"schema": {"type": "string"}} for f in _FORMATS}}
_DONE = {"201": {"description": "Done; the graph is new."}, "204": {"description": "Done."}}


def _operation(summary: str, answers: dict[Any, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
    described = {"tags": ["Graph store"], "summary": summary, "parameters": _PARAMETERS, "responses": answers}
    return described | ({"requestBody": body} if body else {})


def _writing(summary: str, answers: dict[Any, Any], body: dict[str, Any] | None = None) -> dict[str, Any]:
    return _operation(summary, answers | ANSWERS, body) | {"parameters": [*_PARAMETERS, *PARAMETERS]}


#: The path item of the OpenAPI description.
OPENAPI = {
    "get": _operation(
        "Read a graph",
        {"200": {"description": "The graph.", "content": {f.media_types[0]: {} for f in _FORMATS}}}
        | problems.described(
            {
                "400": "No graph is named, or not by an absolute IRI.",
                "404": "No such graph.",
                "406": "No known format is acceptable; lists them.",
                "413": "The graph has more triples or bytes than allowed.",
            }
        ),
    ),
    "put": _writing("Make a graph equal to the body", _DONE, _BODY),
    "post": _writing("Add the body to a graph, or make a new graph of it", _DONE, _BODY),
    "patch": _writing(
        "Change a graph by a SPARQL 1.1 Update about it alone, or by RDF Patch",
        _DONE | {"404": {"description": "No such graph, and the patch adds nothing to make it of."}},
        {"required": True, "content": {media_type: {"schema": {"type": "string"}} for media_type in _PATCHES}},
    ),
    "delete": _writing("Delete a graph", {"204": _DONE["204"], "404": {"description": "No such graph."}}),
}


async def store(request: Request) -> Response:
    """One operation on one graph."""
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": ", ".join(METHODS), "Accept-Patch": ", ".join(_PATCHES)})
    refuse_others(request, names([*_PARAMETERS, *PARAMETERS]), ("graph", "default"))
    where = graph_store.target(parse_qsl(request.url.query, keep_blank_values=True))
    if request.path_params.get("path"):  # section 4.1: the request's own IRI names the graph
        where = graph_store.named(str(request.url.replace(query="")))
    if request.method in ("GET", "HEAD"):
        return await _get(request, _named(where))
    may_write(request)
    if request.method == "DELETE":
        return await _delete(request, _named(where))
    if request.method == "PUT":
        return await _put(request, _named(where))
    if request.method == "PATCH":
        return await _patch(request, _named(where))
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
    reads: Reads = request.app.state.readers
    settings: Settings = request.app.state.settings
    await _must_exist(request, where)
    answer = await reads.answer(
        Query(where.construct(), graph=how.name, seconds=settings.query_seconds, client=client_of(request))
    )
    tag = await asyncio.to_thread(last_tag, request, where.iri or "", answer.generation, how.name)
    headers = {
        "Vary": "Accept",
        "KG-Generation": str(answer.generation),
        "ETag": tag,
        "Cache-Control": "no-cache",
    }
    if {tag, "*"} & tags(request, "if-none-match"):
        return Response(status_code=304, headers=headers)
    if answer.whole is not None:
        return Response(answer.whole, headers=headers, media_type=how.media_type)
    return StreamingResponse(_parts(answer), headers=headers, media_type=how.media_type)


async def _parts(answer: Answer) -> AsyncIterator[bytes]:
    assert answer.parts is not None
    async for part in answer.parts:
        yield part


async def _put(request: Request, where: Target) -> Response:
    body = await body_of(request, request.app.state.settings.max_body_bytes)
    new = await _uploaded(request, body, where)
    return await _write(request, body, where, lambda old: graph_store.replaced(where, old, new))


async def _post(request: Request, where: Target) -> Response:
    body = await body_of(request, request.app.state.settings.max_body_bytes)
    new = await _uploaded(request, body, where)
    return await _write(request, body, where, lambda _: graph_store.merged(where, new))


async def _delete(request: Request, where: Target) -> Response:
    return await _write(request, b"", where, lambda old: graph_store.replaced(where, old, ()), must_exist=True)


async def _write(
    request: Request,
    body: bytes,
    where: Target,
    change: Callable[[Iterable[Quad]], Delta],
    *,
    must_exist: bool = False,
) -> Response:
    """Commits the change of the graph as it is when this write's turn comes; 201 when that made the graph."""
    writer: Writer = request.app.state.writer
    existed = False

    def make(store: Present) -> Delta:
        nonlocal existed
        existed = _is_there(store, where)
        if must_exist and not existed:
            raise NotFound(f"there is no graph <{where.iri}>")
        check_match(request, store, where.iri or "", [how.name for how in _FORMATS], exists=existed)
        return change(store.graph(where.name))

    done = await writer.write(proposal(request, body, make))
    return Response(status_code=204 if existed else 201, headers=headers(done))


async def _patch(request: Request, where: Target) -> Response:
    """Section 5.7. A graph that is not there is made of what is added to it (RFC 5789, section 2)."""
    settings: Settings = request.app.state.settings
    writer: Writer = request.app.state.writer
    sandbox: Sandbox = request.app.state.sandbox
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type not in _PATCHES:
        error = UnsupportedFormat(f'a graph is not patched by "{media_type}"; known: {", ".join(_PATCHES)}')
        refusal = problems.response(error)
        refusal.headers["Accept-Patch"] = ", ".join(_PATCHES)
        return refusal
    body = await body_of(request, settings.max_body_bytes)
    delta, existed = Delta(), False

    def make(store: Present) -> Delta:
        nonlocal existed
        existed = _is_there(store, where)
        check_match(request, store, where.iri or "", [how.name for how in _FORMATS], exists=existed)
        if not existed and not delta.added:
            raise NotFound(f"there is no graph <{where.iri}>, and the patch adds nothing to make it of")
        return delta

    async def evaluate() -> Evaluated:
        nonlocal delta
        delta, generation = await sandbox.updated(text, base=where.iri or settings.base, only=where)
        return Evaluated(delta, generation)

    if media_type == protocol.UPDATE_TYPE:
        text = protocol.asked_update(b"", request.headers, body).text
        guard.inspect(text, max_bytes=settings.max_body_bytes, what="update")
        done = await writer.write_evaluated(evaluate, proposal(request, body, make))
    else:
        delta = graph_store.patched(where, await sandbox.patched(body))
        done = await writer.write(proposal(request, body, make))
    return Response(status_code=204 if existed else 201, headers=headers(done))


def _is_there(store: Present, where: Target) -> bool:
    return where.iri is None or next(store.graph(where.name), None) is not None


async def _uploaded(request: Request, body: bytes, where: Target) -> frozenset[Quad]:
    """The triples of the body; relative IRIs resolve against the graph's own (section 4.1)."""
    settings: Settings = request.app.state.settings
    sandbox: Sandbox = request.app.state.sandbox
    content_type = request.headers.get("content-type", "")
    base = where.iri or settings.base
    if not content_type.lower().startswith("multipart/form-data"):
        return await sandbox.parsed(body, upload_format(content_type), base)
    found: set[Quad] = set()
    for part_type, part in graph_store.parts(content_type, body):  # section 5.5: a form with files
        found |= await sandbox.parsed(part, upload_format(part_type), base)
    return frozenset(found)


async def _must_exist(request: Request, where: Target) -> None:
    """Raises NotFound unless readers see the graph; there is a default graph always."""
    reads: Reads = request.app.state.readers
    if where.iri is None:
        return
    text = f"ASK {{ GRAPH <{where.iri}> {{ ?s ?p ?o }} }}"
    answer = await reads.answer(Query(text, boolean="csv", client=client_of(request)))
    if await answer.content() != b"true":
        raise NotFound(f"there is no graph <{where.iri}>")
