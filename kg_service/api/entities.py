"""`/api/<collection>/<slug>`: things made, replaced, changed and deleted; `members.py` shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from fastapi import Query as Parameter

from kg_service import entities
from kg_service.api import problems
from kg_service.api.changes import committed, delta_of, graph_named, in_graph
from kg_service.api.members import thing_of
from kg_service.api.writing import ANSWERS, PARAMETERS, body_of, check_match, may_write, proposal
from kg_service.changes import Present
from kg_service.errors import AlreadyThere, Malformed, NotFound
from kg_service.lists.declared import Collection
from kg_service.rdf import GRAPH_FORMATS, JSON_LD, PREF_LABEL, Format, Literal, NamedNode, Quad
from kg_service.sparql.sandbox import Sandbox, upload_format
from kg_service.store import Delta

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
_MADE: dict[int | str, dict[str, Any]] = {
    "201": {"description": "The change is made and logged.", "content": {"application/json": {}}},
    "404": problems.described({"404": "Nothing is said of it."})["404"],
    "409": problems.described({"409": "It is there already."})["409"],
}
Graph = Annotated[str | None, Parameter(description="IRI or short name of the graph.")]


def router(collections: Iterable[Collection]) -> APIRouter:
    """The routes that write the things of each collection."""
    routes = APIRouter(prefix="/api", tags=["things"])
    for collection in collections:
        _add(routes, collection)
    return routes


def _add(routes: APIRouter, collection: Collection) -> None:
    """The routes of a collection."""
    one = f"/{collection.name}/{{slug:path}}"

    async def make(request: Request, graph: Graph = None, slug: Annotated[str | None, Header()] = None) -> Response:
        return await _made(request, collection, graph_named(graph), slug)

    async def replace(request: Request, slug: str, graph: Graph = None) -> Response:
        return await _replaced(request, thing_of(collection, slug), graph_named(graph))

    async def change(request: Request, slug: str, graph: Graph = None) -> Response:
        return await _changed(request, thing_of(collection, slug), graph_named(graph))

    async def delete(request: Request, slug: str, graph: Graph = None) -> Response:
        return await _deleted(request, thing_of(collection, slug), None if graph is None else graph_named(graph))

    for path, method, endpoint, summary, writes in (
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
            responses=ANSWERS | _MADE,
            openapi_extra=writes,
        )


def _address(collection: Collection, thing: NamedNode) -> str:
    return f"/api/{collection.name}/{thing.value.removeprefix(collection.prefix)}"


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
    thing = thing_of(collection, slug) if slug else await _named_in(request, collection, body)
    new = _about(thing, await _parsed(request, body, thing), graph)

    def make(store: Present) -> Delta:
        if next(store.about(thing), None) is not None:
            raise AlreadyThere(f"{thing} is there already; PUT or PATCH {_address(collection, thing)}")
        return Delta(added=new)

    response = await committed(request, proposal(request, body, make))
    response.headers["Location"] = _address(collection, thing)
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
    return thing_of(collection, slug)


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
