"""`/api/queries/<folder>/<name>`: each question in `queries/` as a route of its own, with its parameters.

All folders are there, `checks` too: that they find nothing is what a partner may want to see. Pages are parts of one
fixed order; those of the same generation (`KG-Generation`) fit together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from kg_service.api import describing
from kg_service.api.addresses import public_url
from kg_service.api.asking import headers_of
from kg_service.api.clients import client_of
from kg_service.api.parameters import Kind, Parameter, chosen_format, format_parameter, read, values
from kg_service.api.problems import described
from kg_service.api.writing import tags
from kg_service.errors import NotFound
from kg_service.queries import Question, Variable, paged
from kg_service.rdf import BOOLEAN_FORMATS, GRAPH_FORMATS, TABLE_FORMATS, Format
from kg_service.sparql.protocol import QUERY_TYPE
from kg_service.store import Answer, Query, Reads

_KINDS: dict[str, Kind] = {
    "iri": "thing",
    "string": "string",
    "integer": "integer",
    "boolean": "boolean",
    "date": "date",
    "language": "language",
}
_MOST_ROWS = 1_000_000
_TOO_LARGE = described({"413": "The answer has more rows or bytes than allowed; ask for a page."})
_RESULTS = {"$ref": "#/components/schemas/SparqlResults"}


@dataclass(frozen=True, slots=True)
class Door:
    """A question with the parameters that its route takes, and the formats that its answer may have."""

    question: Question
    parameters: tuple[Parameter, ...]
    formats: tuple[Format, ...]

    @property
    def path(self) -> str:
        return f"/api/queries/{self.question.name}"


class Questions:
    """The questions behind their doors; not a route each, because routes are tried one after the other."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._doors = {question.name: _door(question) for question in questions}
        folders = tuple(dict.fromkeys(name.split("/")[0] for name in self._doors))
        self._narrowing = (
            Parameter(name="folder", description="Only those on a subject.", allowed=folders),
            Parameter(name="q", description="Words that name or summary holds."),
        )

    def openapi(self) -> dict[str, Any]:
        """The path items of the OpenAPI description."""
        listing = {
            "tags": ["queries"],
            "summary": "The ready-made questions",
            "operationId": "queries",
            "parameters": [each.openapi() for each in self._narrowing],
            "responses": {"200": {"description": "All questions.", "content": {"application/json": {"schema": _LIST}}}}
            | {status: describing.READING[status] for status in ("414", "422")},
        }
        return {"/api/queries": {"get": listing}} | {
            door.path: {"get": _description(door)} for door in self._doors.values()
        }

    async def listed(self, request: Request) -> Response:
        """All questions, with their parameters."""
        given = read(request, self._narrowing)
        words = (given["q"] or "").casefold().split()
        here = public_url(request)
        data = [
            _summary(door, here)
            for name, door in self._doors.items()
            if given["folder"] in (None, name.split("/")[0])
            and all(word in f"{name} {door.question.summary}".casefold() for word in words)
        ]
        return JSONResponse({"data": data, "meta": {"count": len(data)}})

    async def asked(self, request: Request) -> Response:
        """The answer to a question, or with the ending .rq its text."""
        path: str = request.path_params["path"]
        name, _, ending = path.rpartition(".") if "." in path else (path, "", "")
        door = self._doors.get(name)
        if door is None or ending not in ("", "rq", *(how.endings[0] for how in door.formats)):
            inside = [other for other in self._doors if other.split("/")[0] == path.split("/")[0]]
            raise NotFound(f'unknown query "{path[:200]}"; known: {", ".join(inside or self._doors)}')
        given = read(request, door.parameters)
        if ending == "rq":
            return Response(_bound(door, given), media_type=f"{QUERY_TYPE}; charset=utf-8")
        named = next((how.name for how in door.formats if how.endings[0] == ending), given["format"])
        return await _answer(request, door, given, chosen_format(request, door.formats, named))


def _door(question: Question) -> Door:
    formats = {"SELECT": TABLE_FORMATS, "ASK": BOOLEAN_FORMATS}.get(question.form, GRAPH_FORMATS)
    paging = (
        Parameter(
            name="limit",
            description="Rows at most; the Link header leads to the next page, if there is one.",
            kind="integer",
            least=1,
            most=_MOST_ROWS,
        ),
        Parameter(name="offset", description="Rows to pass over.", kind="integer", least=0, most=2**31, default=0),
    )
    own = [_parameter(each, question) for each in question.variables]
    return Door(question, (*own, *(paging if question.form != "ASK" else ()), format_parameter(formats)), formats)


def _parameter(variable: Variable, question: Question) -> Parameter:
    default = [variable.short(term) for term in variable.default]
    allowed = tuple(default) if variable.is_closed else ()
    is_only = len(question.variables) == 1 and question.examples
    return Parameter(
        name=variable.name,
        description=f"{variable.about}. Without it: {', '.join(default)}.",
        kind=_KINDS[variable.kind],
        allowed=allowed,
        begin=variable.begins[0] if len(variable.begins) == 1 else "",
        is_many=variable.is_many,
        example=question.examples[0].rpartition(":")[2] if is_only and not allowed and variable.kind != "iri" else None,
    )


def bound_text(question: Question, sent: Sequence[tuple[str, str]]) -> str:
    """A question's text with values that were sent as text, read as its route would."""
    door = _door(question)
    return _bound(door, values(sent, [each for each in door.parameters if each.name != "format"]))


def _bound(door: Door, given: dict[str, Any]) -> str:
    """The question's text with the given values in it."""
    terms_of = {}
    for variable in door.question.variables:
        sent = given[variable.name] if variable.is_many else [given[variable.name]]
        terms = [term for value in sent if value is not None for term in variable.terms(value)]
        if terms:
            terms_of[variable.name] = terms
    return paged(door.question.bound(terms_of), given.get("limit"), given.get("offset", 0))


async def _answer(request: Request, door: Door, given: dict[str, Any], how: Format) -> Response:
    found = await _asked(request, _bound(door, given), how)
    headers = headers_of(found) | {"Link": await _links(request, door, given)}
    if found.etag and {found.etag, "*"} & tags(request, "if-none-match"):
        await found.leave()
        return Response(status_code=304, headers=headers)
    if found.parts is not None:
        return StreamingResponse(found.parts, headers=headers, media_type=how.media_type)
    return Response(found.whole, headers=headers, media_type=how.media_type)


async def _asked(request: Request, text: str, how: Format) -> Answer:
    reads: Reads = request.app.state.readers
    settings = request.app.state.settings
    query = Query(
        text,
        table=how.name,
        boolean=how.name,
        graph=how.name,
        base=settings.base,
        seconds=settings.query_seconds,
        client=client_of(request),
    )
    return await reads.answer(query)


async def _links(request: Request, door: Door, given: dict[str, Any]) -> str:
    """The text as `describedby`, and the next page, if it would hold a row."""
    address = public_url(request) + door.path
    query = request.url.remove_query_params("format").query
    links = [f'<{address}.rq{"?" + query if query else ""}>; rel="describedby"; type="{QUERY_TYPE}"']
    limit = given.get("limit")
    if limit is not None and door.formats is TABLE_FORMATS:
        beyond = _bound(door, given | {"limit": 1, "offset": given["offset"] + limit})
        rows = json.loads(await (await _asked(request, beyond, TABLE_FORMATS[0])).content())["results"]["bindings"]
        if rows:
            following = request.url.include_query_params(offset=given["offset"] + limit)
            links.append(f'<{public_url(request)}{request.url.path}?{following.query}>; rel="next"')
    return ", ".join(links)


# ---- The list ----

_LIST: dict[str, Any] = {
    "type": "object",
    "required": ["data", "meta"],
    "properties": {
        "data": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "folder", "summary", "parameters", "links"],
                "properties": {
                    "name": {"type": "string"},
                    "folder": {"type": "string"},
                    "summary": {"type": "string"},
                    "parameters": {"type": "array", "items": {"type": "object"}},
                    "links": describing.LINKS,
                },
            },
        },
        "meta": {"type": "object", "properties": {"count": {"type": "integer"}}},
    },
}


def _summary(door: Door, here: str) -> dict[str, Any]:
    question = door.question
    return {
        "name": question.name,
        "folder": question.name.split("/")[0],
        "summary": question.summary,
        "parameters": [
            {
                "name": variable.name,
                "type": variable.kind,
                "description": variable.about,
                "many": variable.is_many,
                "default": [term.value for term in variable.default],
                **({"allowed": [variable.short(term) for term in variable.default]} if variable.is_closed else {}),
            }
            for variable in question.variables
        ],
        "links": {"self": here + door.path, "describedby": f"{here}{door.path}.rq"},
    }


def _description(door: Door) -> dict[str, Any]:
    """The operation of the OpenAPI description."""
    question = door.question
    schema = _RESULTS if door.formats is TABLE_FORMATS else {}
    return {
        "tags": [f"queries: {question.name.split('/')[0]}"],
        "operationId": f"query_{question.name.replace('/', '_').replace('-', '_')}",
        "summary": question.summary,
        "description": f"As it stands in `queries/{question.name}.rq`; `{door.path}.rq` is the text with your values."
        f"\n\n```sparql\n{question.text.rstrip()}\n```",
        "responses": {
            "200": {
                "description": "The complete answer.",
                "content": describing.content(door.formats, schema),
                "headers": {name: {"schema": {"type": "string"}} for name in ("ETag", "Link", "KG-Generation")},
            },
            "304": {"description": "The client has this answer, as If-None-Match says."},
            "413": _TOO_LARGE["413"],
            **describing.READING,
        },
        "parameters": [each.openapi() for each in door.parameters],
    }
