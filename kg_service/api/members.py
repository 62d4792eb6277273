"""`/api/<collection>/<slug>`: one thing: its fields, and each statement with the claims and quotations it rests on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from hashlib import blake2b
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from kg_service import entities
from kg_service.api import describing, problems
from kg_service.api.addresses import public_url
from kg_service.api.changes import graph_named
from kg_service.api.collections import PLAIN, answered, as_json, ask, chosen_fields, included, objects
from kg_service.api.parameters import Parameter, chosen_format, format_parameter, read
from kg_service.api.writing import last_tag, state_of, tags
from kg_service.beside import at_once
from kg_service.errors import Malformed, NotFound
from kg_service.lists import details
from kg_service.lists.columns import Table, value_of
from kg_service.lists.declared import Collection
from kg_service.rdf import GRAPH_FORMATS, Format, NamedNode

FORMATS = (PLAIN, *GRAPH_FORMATS)
#: Statements of a thing that come at once.
_USUAL, _MOST = 1000, 10_000
_ENDINGS = {ending: how for how in reversed(FORMATS) for ending in how.endings if ending not in ("owl", "xml")}
_STATEMENTS = "statements"


def router(collections: Iterable[Collection]) -> APIRouter:
    """A route for the things of each collection."""
    routes = APIRouter(prefix="/api")
    for collection in collections:
        declared = _parameters(collection)
        routes.add_api_route(
            f"/{collection.name}/{{slug:path}}",
            _endpoint(collection, declared),
            name=f"show {collection.name}",
            tags=["things"],
            summary=f"One of the {collection.name}, with the evidence for all that is said of it",
            responses={
                200: {
                    "description": "The thing.",
                    "content": describing.content(FORMATS, _schema(collection)),
                    "headers": {name: {"schema": {"type": "string"}} for name in ("ETag", "KG-Generation")},
                },
                304: {"description": "The client has this answer, as If-None-Match says."},
                404: problems.described({"404": "Nothing is said of it."})["404"],
                **describing.READING,
            },
            openapi_extra={"parameters": [parameter.openapi() for parameter in declared]},
        )
    return routes


def _parameters(collection: Collection) -> list[Parameter]:
    fields, *others = describing.shaping(collection)
    return [
        Parameter(
            name="fields",
            description=f"{fields.description} `statements`: all that is said, with claims.",
            allowed=(*fields.allowed, _STATEMENTS),
            is_many=True,
        ),
        *others,
        Parameter(
            name="graph",
            description="IRI or short name of a graph: only what it says.",
            kind="thing",
            example="inferred",
        ),
        Parameter(name="limit", description="Statements at once.", kind="integer", least=1, most=_MOST, default=_USUAL),
        Parameter(name="offset", description="Statements to pass over.", kind="integer", least=0, default=0),
        format_parameter(FORMATS),
    ]


def _schema(collection: Collection) -> dict[str, Any]:
    term = {"type": "object", "required": ["type", "value"], "description": "As in SPARQL results."}
    statement = {
        "type": "object",
        "required": ["graph", "property", "value", "claims"],
        "properties": {
            "graph": term,
            "property": term,
            "value": term,
            "claims": {"type": "array", "items": describing.CLAIM},
        },
    }
    text = {"type": ["string", "null"]}
    return {
        "type": "object",
        "required": ["iri", "label", "data", "meta", "links"],
        "properties": {
            "iri": {"type": "string"},
            "label": text,
            "language": text,
            "data": describing.thing(collection.fields),
            _STATEMENTS: {"type": "array", "items": statement},
            "included": describing.INCLUDED,
            "meta": {"type": "object", "required": ["generation"]},
            "links": describing.LINKS,
        },
    }


def _endpoint(collection: Collection, declared: list[Parameter]) -> Callable[[Request, str], Awaitable[Response]]:
    async def show(request: Request, slug: str) -> Response:
        given = read(request, declared)
        try:
            return await _shown(request, collection, slug, given, given["format"])
        except NotFound:
            name, _, ending = slug.rpartition(".")
            if not name or ending not in _ENDINGS:
                raise
            return await _shown(request, collection, name, given, _ENDINGS[ending].name)

    return show


def thing_of(collection: Collection, slug: str) -> NamedNode:
    """The IRI of the thing of that name; Malformed when it cannot be one."""
    try:
        return NamedNode(collection.prefix + slug)
    except ValueError:
        raise Malformed(f'"{slug}" cannot be the end of an IRI') from None


async def _shown(
    request: Request, collection: Collection, slug: str, given: dict[str, Any], named: str | None
) -> Response:
    """What is said of a thing: JSON with the graph and the evidence of each statement, or RDF, by Accept."""
    try:
        thing = thing_of(collection, slug)
    except Malformed as error:
        raise NotFound(error.detail) from None
    graph = None if given["graph"] is None else graph_named(given["graph"])
    how = chosen_format(request, FORMATS, named)
    answer = await answered(request, entities.statements(thing, graph))
    rows = details.rows(await answer.content())
    if not rows:
        raise NotFound(f"nothing is said of {thing}")
    state = await asyncio.to_thread(last_tag, request, thing.value, answer.generation, how.name)
    about = {"ETag": state, "Vary": "Accept", "Cache-Control": "no-cache", "KG-Generation": str(answer.generation)}
    if how is not PLAIN:
        return await _as_rdf(request, thing, graph, how, about)
    told = await _told(request, collection, thing, rows, given, answer.generation)
    body = as_json(told)
    about["ETag"] = f'{state[:-1]}.{blake2b(body, digest_size=8).hexdigest()}"'
    if {about["ETag"], "*"} & tags(request, "if-none-match"):
        return Response(status_code=304, headers=about)
    return Response(body, headers=about, media_type=how.media_type)


async def _as_rdf(
    request: Request, thing: NamedNode, graph: NamedNode | None, how: Format, about: dict[str, str]
) -> Response:
    if {about["ETag"], "*"} & {state_of(each) for each in tags(request, "if-none-match")}:
        return Response(status_code=304, headers=about)
    written = await answered(request, entities.construct(thing, graph), graph=how.name)
    if written.parts is not None:
        return StreamingResponse(written.parts, headers=about, media_type=how.media_type)
    return Response(written.whole, headers=about, media_type=how.media_type)


async def _told(
    request: Request,
    collection: Collection,
    thing: NamedNode,
    rows: details.Rows,
    given: dict[str, Any],
    generation: int,
) -> dict[str, Any]:
    language, names = given["lang"], given["fields"]
    fields = chosen_fields(collection, tuple(name for name in names if name != _STATEMENTS))
    if names and set(names) == {_STATEMENTS}:
        fields = (collection.field("label"),)
    known = _direct(thing, rows, collection) if given["graph"] is None else None
    rows.sort(key=_place)
    shown = rows[given["offset"] : given["offset"] + given["limit"]]
    with_statements = not names or _STATEMENTS in names
    (data,), statements = await at_once(
        objects(request, fields, [thing.value], known, (language,)),
        _with_claims(request, thing, shown if with_statements else [], is_all=len(shown) == len(rows)),
    )
    label = details.labels([{"iri": {"value": ""}, "v": row["value"]} for row in rows if _is_name(row)], language)
    told: dict[str, Any] = {"iri": thing.value, "label": label.get(""), "language": data.get("language"), "data": data}
    links = {"self": str(public_url(request)) + request.url.path, "collection": _address(request, collection)}
    if with_statements:
        told[_STATEMENTS] = statements
        if given["offset"] + given["limit"] < len(rows):
            following = request.url.include_query_params(offset=given["offset"] + given["limit"]).query
            links["next"] = f"{links['self']}?{following}"
    if given["include"]:
        told["included"] = await included(request, collection, given["include"], [thing.value], language)
    return told | {"meta": {"generation": generation, "statements": len(rows), "language": language}, "links": links}


def _direct(thing: NamedNode, rows: details.Rows, collection: Collection) -> Table:
    """The fields that the statements of a thing tell by themselves."""
    table = Table()
    for field in collection.fields:
        if field.is_direct and field.kind != "name":
            said = (value_of(row["value"], field) for row in rows if row["property"]["value"] in field.predicates)
            table.columns[field.name] = {thing.value: tuple(dict.fromkeys(each for each in said if each is not None))}
    return table


def _is_name(row: dict[str, dict[str, str]]) -> bool:
    return row["property"]["value"].endswith("#prefLabel") and row["value"]["type"] == "literal"


def _address(request: Request, collection: Collection) -> str:
    return f"{public_url(request)}/api/{collection.name}"


def _place(row: dict[str, dict[str, str]]) -> tuple[str, ...]:
    value = row["value"]
    said = (value["value"], value["type"], value.get("xml:lang", ""), value.get("datatype", ""))
    return (row["property"]["value"], *said, row["graph"]["value"])


async def _with_claims(request: Request, thing: NamedNode, rows: details.Rows, *, is_all: bool) -> list[dict[str, Any]]:
    """The statements, each with the claims that its own graph makes of it."""
    if not rows:
        return []
    if is_all:
        text = details.claims_query([thing.value])
    else:
        pairs = ((details.term(row["property"]), details.term(row["value"])) for row in rows)
        said = [(name, value) for name, value in pairs if isinstance(name, NamedNode) and value is not None]
        text = details.claims_of_query(thing.value, said)
    made: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for claim in details.claims(details.rows(await ask(request, text))):
        graph, name, value = claim.pop("graph"), claim.pop("property"), claim.pop("value")
        del claim["subject"]
        row = {"graph": {"value": graph}, "property": {"value": name}, "value": value}
        made.setdefault(_place(row), []).append(claim)
    return [{**row, "claims": made.get(_place(row), [])} for row in rows]
