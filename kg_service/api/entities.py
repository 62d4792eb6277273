"""`/api/<collection>/<slug>`: one thing, as what the graphs say of it; made, replaced, changed and deleted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi import Query as Parameter
from starlette.responses import JSONResponse, StreamingResponse

from kg_service import entities, queries
from kg_service.api.changes import committed, delta_of, graph_named, in_graph
from kg_service.api.clients import client_of
from kg_service.api.writing import ANSWERS, PARAMETERS, body_of, check_match, last_tag, may_write, proposal, tags
from kg_service.changes import Present
from kg_service.errors import AlreadyThere, Malformed, NotFound
from kg_service.rdf import GRAPH_FORMATS, JSON_LD, PREF_LABEL, Format, Literal, NamedNode, Quad
from kg_service.settings import Settings
from kg_service.sparql.protocol import negotiate
from kg_service.sparql.sandbox import Sandbox, upload_format
from kg_service.store import Delta, Query, Reads

_JSON = Format("json", ("application/json",), ("json",))
_NAMES = [how.name for how in (_JSON, *GRAPH_FORMATS)]
_BODY: dict[str, Any] = {
    "parameters": PARAMETERS,
    "requestBody": {
        "required": True,
        "content": {f.media_types[0]: {"schema": {"type": "string"}} for f in GRAPH_FORMATS}
        | {
            "application/json": {"schema": {"type": "object"}, "example": {"type": "sse:Theme", "name": {"en": "Care"}}}
        },
    },
}
Graph = Annotated[str | None, Parameter(description="IRI or short name of the graph.")]


@dataclass(frozen=True, slots=True)
class Collection:
    """A list under `/api`: its name, and what the IRIs of its things begin with."""

    name: str
    prefix: str

    def thing(self, slug: str) -> NamedNode:
        """The IRI of the thing of that name; Malformed when it cannot be one."""
        try:
            return NamedNode(self.prefix + slug)
        except ValueError:
            raise Malformed(f'"{slug}" cannot be the end of an IRI') from None

    def address(self, thing: NamedNode) -> str:
        return f"/api/{self.name}/{thing.value.removeprefix(self.prefix)}"


def router(questions: list[queries.Question]) -> APIRouter:
    """The routes for the things of each list in `queries/lists/`."""
    routes = APIRouter(prefix="/api", tags=["things"])
    for question in questions:
        folder, _, name = question.name.rpartition("/")
        if folder == "lists":
            _add(routes, Collection(name, question.entity))
    return routes


def _add(routes: APIRouter, collection: Collection) -> None:
    """The five routes of a collection."""
    one = f"/{collection.name}/{{slug:path}}"

    async def show(request: Request, slug: str, graph: Graph = None) -> Response:
        return await _shown(request, collection.thing(slug), None if graph is None else graph_named(graph))

    async def make(request: Request, graph: Graph = None, slug: Annotated[str | None, Header()] = None) -> Response:
        return await _made(request, collection, graph_named(graph), slug)

    async def replace(request: Request, slug: str, graph: Graph = None) -> Response:
        return await _replaced(request, collection.thing(slug), graph_named(graph))

    async def change(request: Request, slug: str, graph: Graph = None) -> Response:
        return await _changed(request, collection.thing(slug), graph_named(graph))

    async def delete(request: Request, slug: str, graph: Graph = None) -> Response:
        return await _deleted(request, collection.thing(slug), None if graph is None else graph_named(graph))

    for path, method, endpoint, summary, writes in (
        (one, "GET", show, f"One of the {collection.name}", None),
        (f"/{collection.name}", "POST", make, f"Add one to the {collection.name}", _BODY),
        (one, "PUT", replace, f"Make what a graph says of one of the {collection.name} equal to the body", _BODY),
        (one, "PATCH", change, f"Add and remove statements of one of the {collection.name}", _BODY),
        (one, "DELETE", delete, f"Delete one of the {collection.name}", {"parameters": PARAMETERS}),
    ):
        routes.add_api_route(
            path,
            endpoint,
            methods=[method],
            summary=summary,
            name=f"{endpoint.__name__} {collection.name}",
            responses=ANSWERS if writes else {404: {"description": "Nothing is said of it."}},
            openapi_extra=writes,
        )


async def _shown(request: Request, thing: NamedNode, graph: NamedNode | None) -> Response:
    """What is said of a thing: JSON with the graph of each statement, or RDF, by Accept."""
    how = negotiate(request.headers.get("accept", "*/*"), (_JSON, *GRAPH_FORMATS)) or _JSON
    reads: Reads = request.app.state.readers
    settings: Settings = request.app.state.settings
    asked = Query(entities.statements(thing, graph), seconds=settings.query_seconds, client=client_of(request))
    answer = await reads.answer(asked)
    rows = json.loads(await answer.content())["results"]["bindings"]
    if not rows:
        raise NotFound(f"nothing is said of {thing}")
    tag = await asyncio.to_thread(last_tag, request, thing.value, answer.generation, how.name)
    about = {"ETag": tag, "Vary": "Accept", "KG-Generation": str(answer.generation)}
    if {tag, "*"} & tags(request, "if-none-match"):
        return Response(status_code=304, headers=about)
    if how is _JSON:
        return JSONResponse({"iri": thing.value, "label": _label(rows), "statements": rows}, headers=about)
    written = await reads.answer(
        Query(entities.construct(thing, graph), graph=how.name, seconds=asked.seconds, client=asked.client)
    )
    if written.parts is not None:
        return StreamingResponse(written.parts, headers=about, media_type=how.media_type)
    return Response(written.whole, headers=about, media_type=how.media_type)


def _label(rows: list[dict[str, Any]]) -> str | None:
    """The English name, else any."""
    names = [row["value"] for row in rows if row["property"]["value"] == PREF_LABEL.value]
    names.sort(key=lambda name: name.get("xml:lang") != "en")
    return names[0]["value"] if names else None


async def _parsed(request: Request, body: bytes, thing: NamedNode) -> frozenset[Quad]:
    """The statements of a body in which `<>` is the thing; plain JSON is JSON-LD with the project's context."""
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    how = JSON_LD if media_type == "application/json" else upload_format(media_type)
    sandbox: Sandbox = request.app.state.sandbox
    return await sandbox.parsed(body, how, thing.value)


def _about(thing: NamedNode, said: frozenset[Quad], graph: NamedNode) -> frozenset[Quad]:
    """The statements, all about one thing, in the graph."""
    entities.check_about(thing, said)
    return in_graph(Delta(added=said), graph).added


async def _made(request: Request, collection: Collection, graph: NamedNode, slug: str | None) -> Response:
    may_write(request)
    body = await body_of(request, request.app.state.settings.max_body_bytes)
    thing = collection.thing(slug) if slug else await _named_in(request, collection, body)
    new = _about(thing, await _parsed(request, body, thing), graph)

    def make(store: Present) -> Delta:
        if next(store.about(thing), None) is not None:
            raise AlreadyThere(f"{thing} is there already; PUT or PATCH {collection.address(thing)}")
        return Delta(added=new)

    response = await committed(request, proposal(request, body, make))
    response.headers["Location"] = collection.address(thing)
    return response


async def _named_in(request: Request, collection: Collection, body: bytes) -> NamedNode:
    """The thing that a body is about: by its IRI, else by the English name given to `<>`."""
    here = NamedNode(f"{collection.prefix}new")
    found = await _parsed(request, body, here)
    subjects = {q.subject for q in found if isinstance(q.subject, NamedNode)}
    if len(subjects) != 1:
        raise Malformed(f"the body is about {len(subjects)} things that have IRIs; it must be one, or <>")
    (subject,) = subjects
    if subject != here:
        if not subject.value.startswith(collection.prefix):
            raise Malformed(f"{subject} is none of the {collection.name}: their IRIs begin with {collection.prefix}")
        return subject
    names = [q.object for q in found if q.subject == here and q.predicate == PREF_LABEL]
    names.sort(key=lambda name: not (isinstance(name, Literal) and name.language == "en"))
    if not names or not (slug := entities.slug(getattr(names[0], "value", ""))):
        raise Malformed("the thing has no name to make its IRI of; give it a skos:prefLabel, or send the header Slug")
    return collection.thing(slug)


async def _replaced(request: Request, thing: NamedNode, graph: NamedNode) -> Response:
    may_write(request)
    body = await body_of(request, request.app.state.settings.max_body_bytes)
    new = _about(thing, await _parsed(request, body, thing), graph)
    return await _written(request, body, thing, lambda store: _replacing(store, thing, graph, new))


def _replacing(store: Present, thing: NamedNode, graph: NamedNode | None, new: frozenset[Quad]) -> Delta:
    old = frozenset(entities.description(store.about, thing, graph))
    return Delta(added=new - old, removed=old - new)


async def _changed(request: Request, thing: NamedNode, graph: NamedNode) -> Response:
    """A change as for /api/changes, of statements about the thing alone."""
    may_write(request)
    body = await body_of(request, request.app.state.settings.max_body_bytes)
    delta = in_graph(await delta_of(request, body), graph)
    entities.check_about(thing, delta.added | delta.removed)
    return await _written(request, body, thing, lambda _: delta, must_exist=True)


async def _deleted(request: Request, thing: NamedNode, graph: NamedNode | None) -> Response:
    may_write(request)
    return await _written(
        request, b"", thing, lambda store: _replacing(store, thing, graph, frozenset()), must_exist=True
    )


async def _written(
    request: Request,
    body: bytes,
    thing: NamedNode,
    change: Callable[[Present], Delta],
    *,
    must_exist: bool = False,
) -> Response:
    def make(store: Present) -> Delta:
        exists = next(store.about(thing), None) is not None
        if must_exist and not exists:
            raise NotFound(f"nothing is said of {thing}")
        check_match(request, store, thing.value, _NAMES, exists=exists)
        return change(store)

    return await committed(request, proposal(request, body, make))
