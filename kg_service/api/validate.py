"""`/api/validate`: what the shapes say of a document, for anyone; nothing of it is stored."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api.parameters import Parameter, chosen_format, read
from kg_service.api.writing import body_of
from kg_service.changes import rules
from kg_service.errors import Refused, UnsupportedFormat
from kg_service.rdf import GRAPH_FORMATS, Format
from kg_service.settings import Settings
from kg_service.shacl.judges import Judgement, Judges

METHODS = ["POST"]
#: What goes into the log for a client that did not wait (nginx's number; nobody receives it).
_CLIENT_LEFT = 499
_LANGUAGES = ("en", "es")
_MOST_RESULTS = 10_000
_PLAIN = Format("json", ("application/json",), ("json",))
_ANSWERS = (_PLAIN, *GRAPH_FORMATS)

#: A text that breaks the shapes.
EXAMPLE = """@prefix sse: <https://w3id.org/sse-kg/ontology#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <https://schema.org/> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .

<https://w3id.org/sse-kg/id/event/fair> a sse:Event ;
  skos:prefLabel "Fair"@en ;
  schema:startDate "2022-02-02"^^xsd:date ; schema:endDate "2021-01-01"^^xsd:date .
"""
_REPORT_EXAMPLE = {
    "conforms": False,
    "blocks": True,
    "truncated": False,
    "counts": {"Violation": 1, "Warning": 0, "Info": 0},
    "results": [
        {
            "severity": "Violation",
            "message": "The end date is before the start date. Correct one of them.",
            "messages": [
                {
                    "type": "literal",
                    "value": "The end date is before the start date. Correct one of them.",
                    "xml:lang": "en",
                }
            ],
            "focus": {"type": "uri", "value": "https://w3id.org/sse-kg/id/event/fair"},
            "path": "schema:endDate",
            "value": {
                "type": "literal",
                "value": "2021-01-01",
                "datatype": "http://www.w3.org/2001/XMLSchema#date",
            },
            "component": "http://www.w3.org/ns/shacl#LessThanOrEqualsConstraintComponent",
            "shape": {"type": "uri", "value": "https://w3id.org/sse-kg/shapes#Period-endAfterStart"},
        }
    ],
}


_PARAMETERS = (
    Parameter(
        name="with",
        description="`graph`: together with what the graph knows; results at the document's subjects, and those that "
        "it brings elsewhere. `nothing`: the document alone.",
        allowed=("graph", "nothing"),
        default="graph",
    ),
    Parameter(name="lang", description="Language whose message comes first.", allowed=_LANGUAGES, default="en"),
    Parameter(
        name="limit",
        description="Most results that are listed, Violations first; `truncated` says when there are more.",
        kind="integer",
        least=1,
        most=_MOST_RESULTS,
        default=1000,
    ),
)


#: The path item of the OpenAPI description.
OPENAPI = {
    "post": {
        "tags": ["Validation"],
        "summary": "Validate RDF against the shapes; nothing is stored",
        "description": (
            "Anyone may ask. `blocks` says whether the data would be refused: it has results of severity Violation. "
            "`conforms` is true only when there is no result at all, as SHACL has it. A document of several graphs is "
            "judged as their merge."
        ),
        "operationId": "validate",
        "parameters": [each.openapi() for each in _PARAMETERS],
        "requestBody": {
            "required": True,
            "content": {
                f.media_types[0]: {
                    "schema": {"type": "string"},
                    **({"example": EXAMPLE} if f.name == "turtle" else {}),
                }
                for f in GRAPH_FORMATS
            },
        },
        "responses": {
            "200": {
                "description": "The report, whether the data conform or not.",
                "content": {"application/json": {"example": _REPORT_EXAMPLE}}
                | {f.media_types[0]: {} for f in GRAPH_FORMATS},
            },
            **{
                status: {"description": what, "content": {"application/problem+json": {}}}
                for status, what in {
                    "400": "The document or a parameter is malformed; says line and column.",
                    "406": "The report can be written in no acceptable format.",
                    "413": "The document is too large, or needs too much memory.",
                    "415": "The format is not known.",
                    "503": "Too many others wait; Retry-After says when to come again.",
                    "504": "It took too long.",
                }.items()
            },
        },
    }
}


def judges(settings: Settings) -> Judges:
    """The processes that validate for this service."""
    return Judges(
        settings.own_folder,
        lambda: rules.sources(settings.own_folder),
        size=settings.judges,
        memory=settings.query_memory,
        seconds=settings.query_seconds,
        queue_seconds=settings.queue_seconds,
    )


async def validate(request: Request) -> Response:
    """Validates the body."""
    settings: Settings = request.app.state.settings
    answer = chosen_format(request, _ANSWERS)
    how = _judgement(request, answer)
    body = await body_of(request, settings.max_document_bytes)
    done = await judged(request, how, body)
    if done is None:
        return Response(status_code=_CLIENT_LEFT)
    generation, report = done
    headers = {"Vary": "Accept", "Cache-Control": "no-store"}
    if generation:
        headers["KG-Generation"] = str(generation)
    return Response(report, headers=headers, media_type=answer.media_type)


async def judged(request: Request, how: Judgement, body: bytes) -> tuple[int, bytes] | None:
    """The generation judged with and the report; None when the client left meanwhile. The body has been read."""
    work: asyncio.Future[tuple[int, bytes]] = asyncio.ensure_future(request.app.state.judges.report(how, body))
    leaving: asyncio.Future[Any] = asyncio.ensure_future(request.receive())  # all that can come is the disconnect
    waited: set[asyncio.Future[Any]] = {work, leaving}
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else None
    finally:
        leaving.cancel()
        work.cancel()
        await asyncio.wait(waited)


def _judgement(request: Request, answer: Format) -> Judgement:
    settings: Settings = request.app.state.settings
    given = read(request, _PARAMETERS)
    if given["with"] == "graph" and settings.query_url:
        raise Refused("this service reads another engine's graph: a document can be judged alone, with ?with=nothing")
    return Judgement(
        format=_upload_format(request.headers.get("content-type", "")).name,
        base=settings.base,
        answer=answer.name,
        with_graph=given["with"] == "graph",
        language=given["lang"],
        limit=given["limit"],
    )


def _upload_format(content_type: str) -> Format:
    media_type = content_type.split(";")[0].strip().lower()
    for known in GRAPH_FORMATS:
        if media_type in known.media_types:
            return known
    names = ", ".join(f.media_types[0] for f in GRAPH_FORMATS)
    raise UnsupportedFormat(f'RDF cannot be read from "{media_type}"; known: {names}')
