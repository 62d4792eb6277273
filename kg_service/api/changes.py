"""`/api/changes`: changes proposed, listed, compared and reverted; `/api/quarantine`: those that did not conform."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import JSONResponse

from kg_service.access import CONTRIBUTE, OPERATE
from kg_service.api.problems import described
from kg_service.api.writing import (
    ANSWERS,
    PARAMETERS,
    body_of,
    check_generation,
    headers,
    may_write,
    proposal,
    told,
)
from kg_service.changes import Committed, Present, Proposal, history
from kg_service.changes.writer import Writer
from kg_service.errors import Malformed, NotFound, PreconditionFailed, UnsupportedFormat
from kg_service.rdf import GRAPH_FORMATS, DefaultGraph, Format, NamedNode, Quad, format_named, graph, to_text
from kg_service.settings import Settings
from kg_service.sparql import patch
from kg_service.sparql.protocol import negotiate
from kg_service.sparql.sandbox import Sandbox
from kg_service.store import Delta
from kg_service.store.log import ChangeLog, OpenLog, check_size

T = TypeVar("T")
router = APIRouter(prefix="/api", tags=["changes"])

#: Where triples go that are sent without a graph.
CONTRIBUTIONS = graph("contributions")
_JSON = Format("json", ("application/json",), ("json",))
_PATCH = Format("rdf-patch", patch.MEDIA_TYPES, ("rdfp",))
_WRITING = {"parameters": PARAMETERS}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            patch.MEDIA_TYPES[0]: {"schema": {"type": "string"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "added": {"type": "string", "description": "RDF text of what comes."},
                        "removed": {"type": "string", "description": "RDF text of what goes."},
                        "format": {"type": "string", "default": "trig", "description": "Format of both texts."},
                    },
                },
                "example": {"added": '<https://w3id.org/sse-kg/id/theme/care> <urn:p> "x" .', "format": "trig"},
            },
            **{f.media_types[0]: {"schema": {"type": "string"}} for f in GRAPH_FORMATS},
        },
    }
}
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
#: The largest number that the log can be asked for.
_MOST = 2**62
Below = Annotated[int | None, Query(ge=1, le=_MOST, description="Only numbers below this one: the next page.")]
Number = Annotated[int, Path(ge=0, le=_MOST, description="Number of the change.")]
_NOTHING_NEW: dict[int | str, dict[str, Any]] = {
    "200": {"description": "It changed nothing, or was only judged.", "content": {"application/json": {}}}
}


@router.post(
    "/changes",
    summary="Propose a change",
    responses=ANSWERS | _NOTHING_NEW,
    openapi_extra=_BODY | _WRITING,
    status_code=201,
)
async def propose(
    request: Request,
    graph: Annotated[str | None, Query(description="Graph for triples that name none.")] = None,
) -> Response:
    """Adds and removes statements, judged by the shapes, whole or not at all.

    RDF Patch, JSON with two RDF texts, or RDF whose statements are added. Triples that name no graph go to
    `graph/contributions`. `If-Match`, or `H prev` of a patch, may name the state that the change was made for: a
    generation, or a state as `/patches` names it.
    """
    may_write(request)
    body = await body_of(request, request.app.state.settings.max_body_bytes)
    delta = in_graph(await delta_of(request, body), graph_named(graph))

    previous = patch.header(body).get("prev") if _media_type(request) in patch.MEDIA_TYPES else None

    def make(store: Present) -> Delta:
        check_generation(request, store)
        if previous is not None:
            _check_previous(previous, store)
        return delta

    return await committed(request, proposal(request, body, make))


def _check_previous(previous: str, store: Present) -> None:
    """PreconditionFailed when a patch is made for another state than the present one."""
    here = history.state(store.log, store.generation).value
    if store.has_staged or previous != here:
        raise PreconditionFailed(
            f"the patch is made for the state <{previous}>, and the graph is at <{here}>; get the patches in between, "
            "or leave “H prev” out"
        )


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").split(";")[0].strip().lower()


async def committed(request: Request, wanted: Proposal) -> Response:
    """Commits a change and tells what became of it; 201 when it made something new."""
    writer: Writer = request.app.state.writer
    done: Committed = await writer.write(wanted)
    about = headers(done) | ({"Location": f"/api/changes/{done.change}"} if done.change else {})
    content = told(done, dry_run=wanted.dry_run) | {"report": done.report.to_dict()}
    return JSONResponse(content, 201 if done.change else 200, headers=about)


async def delta_of(request: Request, body: bytes) -> Delta:
    """The change that a body describes, parsed in the sandbox."""
    settings: Settings = request.app.state.settings
    sandbox: Sandbox = request.app.state.sandbox
    media_type = _media_type(request)
    if media_type in patch.MEDIA_TYPES:
        return await sandbox.patched(body)
    if media_type == "application/json":
        texts, how = _texts(body)
        added, removed = [await sandbox.parsed(text, how, settings.base, one_graph=False) for text in texts]
        return Delta(added, removed)
    for known in GRAPH_FORMATS:
        if media_type in known.media_types:
            return Delta(added=await sandbox.parsed(body, known, settings.base, one_graph=False))
    names = ", ".join([patch.MEDIA_TYPES[0], "application/json", *(f.media_types[0] for f in GRAPH_FORMATS)])
    raise UnsupportedFormat(f'a change cannot be read from "{media_type}"; known: {names}')


def _texts(body: bytes) -> tuple[tuple[bytes, bytes], Format]:
    try:
        sent = json.loads(body)
        how = format_named(sent.get("format", "trig"), GRAPH_FORMATS)
        return (sent.get("added", "").encode(), sent.get("removed", "").encode()), how
    except (ValueError, AttributeError, RecursionError) as error:
        raise Malformed(
            f'the change is a JSON object with the texts "added" and "removed" and the name of their "format": {error}'
        ) from None


def graph_named(name: str | None) -> NamedNode:
    """The graph of that IRI or short name; where nothing is named, that of contributions."""
    if name is None:
        return CONTRIBUTIONS
    try:
        return NamedNode(name) if ":" in name else graph(name)
    except ValueError:
        raise Malformed(f'graph is an IRI or a short name, not "{name}"') from None


def in_graph(delta: Delta, home: NamedNode) -> Delta:
    """The change with what names no graph put into one."""

    def placed(quads: frozenset[Quad]) -> frozenset[Quad]:
        return frozenset(
            Quad(q.subject, q.predicate, q.object, home) if isinstance(q.graph_name, DefaultGraph) else q for q in quads
        )

    return Delta(placed(delta.added), placed(delta.removed))


@router.get("/changes", summary="The changes, latest first")
async def listed(
    request: Request,
    limit: Limit = 50,
    below: Below = None,
    entity: Annotated[str | None, Query(description="IRI of a thing or graph: its history.")] = None,
    author: Annotated[str | None, Query(description="Only changes by this author.")] = None,
) -> dict[str, Any]:
    """Who changed what, when and why. With `entity`, the history of one thing or graph."""
    found = await from_log(request, lambda log: log.entries(below=below, limit=limit, iri=entity, author=author))
    return _page(request, [history.summary(entry) for entry in found], limit)


def _page(request: Request, data: list[dict[str, Any]], limit: int) -> dict[str, Any]:
    following = str(request.url.include_query_params(below=data[-1]["number"])) if len(data) == limit else None
    return {"data": data, "next": following}


async def from_log(request: Request, read: Callable[[ChangeLog], T]) -> T:
    """What a function reads from the log, as of the generation that readers see, in a thread."""
    opened: OpenLog = request.app.state.log
    # Of an engine that others write to as well, what readers saw last may be old.
    generation = None if request.app.state.settings.is_remote else request.app.state.readers.generation

    def work() -> T:
        with opened(generation) as log:
            return read(log)

    return await asyncio.to_thread(work)


@router.get(
    "/changes/diff",
    summary="What changed between two generations",
    responses=described({"404": "The log does not reach such a generation."}),
)
async def diff(
    request: Request,
    first: Annotated[int, Query(alias="from", ge=0, le=_MOST, description="Generation to start from.")],
    last: Annotated[
        int | None, Query(alias="to", ge=0, le=_MOST, description="Generation to end at; the last one.")
    ] = None,
) -> Response:
    """The difference as one change: JSON, or all of it as RDF Patch by Accept. It can be sent to another store."""

    def read(log: ChangeLog) -> tuple[int, Delta]:
        to = log.generation if last is None else last
        return to, history.difference(log, first, to)

    to, delta = await from_log(request, read)
    about = {"from": first, "to": to}
    return _negotiated(request, lambda: about | history.statements(delta), lambda: delta, None)


@router.get("/changes/refused", summary="The changes that were refused, latest first")
async def refused(request: Request, limit: Limit = 50, below: Below = None) -> dict[str, Any]:
    """Who was refused, when, and the report. Needs the token."""
    may_write(request, CONTRIBUTE)
    found = await from_log(request, lambda log: log.refusals(below=below, limit=limit))
    return _page(request, [history.refusal(each) for each in found], limit)


@router.get("/changes/{number}", summary="One change", responses={"404": ANSWERS["400"]})
async def shown(request: Request, number: Number) -> Response:
    """Who, when, why, what the shapes said, and the statements: JSON, PROV as RDF, or RDF Patch, by Accept."""

    def read(log: ChangeLog) -> Any:
        entry = history.known_entry(log, number)
        return entry, *history.told(log, entry)

    entry, what, left_out = await from_log(request, read)

    def delta() -> Delta:
        check_size(entry)
        return cast(Delta, what.delta)

    return _negotiated(
        request,
        lambda: history.whole(entry, what, left_out),
        delta,
        lambda how: to_text(history.as_prov(entry), how),
    )


def _negotiated(
    request: Request,
    plain: Callable[[], dict[str, Any]],
    delta: Callable[[], Delta],
    rdf: Callable[[Format], bytes] | None,
) -> Response:
    how = negotiate(request.headers.get("accept", "*/*"), (_JSON, _PATCH, *(GRAPH_FORMATS if rdf else ()))) or _JSON
    vary = {"Vary": "Accept"}
    if how is _JSON:
        return JSONResponse(plain(), headers=vary)
    if how is _PATCH:
        return Response(patch.written(patch.Patch(delta())), headers=vary, media_type=how.media_type)
    assert rdf
    return Response(rdf(how), headers=vary, media_type=how.media_type)


@router.post(
    "/changes/{number}/revert",
    summary="Undo one change",
    responses=ANSWERS | _NOTHING_NEW,
    openapi_extra=_WRITING,
    status_code=201,
)
async def revert(request: Request, number: Number) -> Response:
    """Makes the exact inverse of a change, judged like any other. What later changes did is left as it is."""
    may_write(request)

    def make(store: Present) -> Delta:
        check_generation(request, store)
        history.known_entry(store.log, number)
        what = store.log.patch(number)
        assert what
        return what.inverse

    return await committed(request, _reverting(proposal(request, b"", make), number))


def _reverting(wanted: Proposal, number: Number) -> Proposal:
    return replace(wanted, reverts=number, note=wanted.note or f"reverts change {number}")


@router.get("/quarantine", summary="What is in quarantine, latest first")
async def quarantined(request: Request, limit: Limit = 50, below: Below = None) -> dict[str, Any]:
    """Changes that did not conform and were sent with `?quarantine=true`; no part of the data. Needs the token."""
    may_write(request, CONTRIBUTE)
    found = await from_log(request, lambda log: log.quarantined(below=below, limit=limit))
    return _page(request, [history.refusal(each) for each in found], limit)


@router.get("/quarantine/{number}", summary="One change in quarantine")
async def in_quarantine(request: Request, number: Number) -> Response:
    """The report and the statements, as JSON or RDF Patch by Accept. Needs the token."""
    may_write(request, CONTRIBUTE)
    kept, what = await from_log(request, lambda log: _kept(log, number))
    return _negotiated(
        request, lambda: history.refusal(kept) | history.statements(what.delta), lambda: what.delta, None
    )


def _kept(log: ChangeLog, number: Number) -> Any:
    found = log.in_quarantine(number)
    if found is None:
        raise NotFound(f"there is no change {number} in quarantine")
    return found


@router.post(
    "/quarantine/{number}/submit",
    summary="Propose a change in quarantine again",
    responses=ANSWERS | _NOTHING_NEW,
    openapi_extra=_WRITING,
    status_code=201,
)
async def submit(request: Request, number: Number) -> Response:
    """Once what it lacked is there, it passes the shapes, is made, and leaves quarantine."""
    may_write(request)
    response = await committed(request, proposal(request, b"", lambda store: _kept(store.log, number)[1].delta))
    if response.status_code == 201:
        await _release(request, number)
    return response


@router.delete("/quarantine/{number}", summary="Delete a change from quarantine", status_code=204)
async def delete(request: Request, number: Number) -> Response:
    """It was never part of the data."""
    may_write(request, OPERATE)
    if not await _release(request, number):
        raise NotFound(f"there is no change {number} in quarantine")
    return Response(status_code=204)


async def _release(request: Request, number: Number) -> bool:
    writer: Writer = request.app.state.writer
    return await writer.between(lambda store: store.log.release(number))
