"""`/update`: SPARQL 1.1 Update by the SPARQL 1.1 Protocol (section 2.2)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kg_service.api.parameters import names, refuse_others
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
from kg_service.changes import Present
from kg_service.changes.writer import Evaluated, Writer
from kg_service.settings import Settings
from kg_service.sparql import guard, protocol
from kg_service.sparql.sandbox import Sandbox
from kg_service.store import Delta

METHODS = ["POST"]
#: The graphs that patterns are matched against (SPARQL 1.1 Protocol, section 2.2.3).
_DATASET = [
    {"name": name, "in": "query", "description": what, "schema": {"type": "array", "items": {"type": "string"}}}
    for name, what in (
        ("using-graph-uri", "IRIs of the graphs that make the default graph for the patterns of the update."),
        ("using-named-graph-uri", "IRIs of the named graphs for the patterns of the update."),
    )
]
_PARAMETERS = [*PARAMETERS, *_DATASET]
#: The path item of the OpenAPI description.
OPENAPI = {
    "post": {
        "tags": ["SPARQL"],
        "summary": "Change the graph by a SPARQL 1.1 Update request, whole or not at all",
        "operationId": "sparql_update",
        "parameters": _PARAMETERS,
        "requestBody": {
            "required": True,
            "content": {
                protocol.UPDATE_TYPE: {"schema": {"type": "string"}},
                protocol.FORM_TYPE: {
                    "schema": {
                        "type": "object",
                        "required": ["update"],
                        "properties": {
                            name: {"type": "string"} for name in ("update", "using-graph-uri", "using-named-graph-uri")
                        },
                    }
                },
            },
        },
        "responses": {"200": {"description": "Done: the change, its generation, and its size."}} | ANSWERS,
    }
}


async def update(request: Request) -> Response:
    """Evaluates an update request and commits the change that it makes, whole or not at all."""
    may_write(request)
    refuse_others(request, names(_PARAMETERS), names(_DATASET))
    settings: Settings = request.app.state.settings
    writer: Writer = request.app.state.writer
    sandbox: Sandbox = request.app.state.sandbox
    body = await body_of(request, settings.max_body_bytes)
    asked = protocol.asked_update(request.scope["query_string"], request.headers, body)
    guard.inspect(asked.text, max_bytes=settings.max_body_bytes, what="update")

    async def evaluate() -> Evaluated:
        return Evaluated(
            *await sandbox.updated(asked.text, base=settings.base, using=asked.using, using_named=asked.using_named)
        )

    def check(store: Present) -> Delta:
        check_generation(request, store)
        return Delta()

    wanted = proposal(request, body, check)
    done = await writer.write_evaluated(evaluate, wanted)
    return JSONResponse(told(done, dry_run=wanted.dry_run), headers=headers(done))
