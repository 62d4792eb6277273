"""`/shapes`: the shapes in force, and other ones in their place."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kg_service.api.writing import ANSWERS, PARAMETERS, body_of, is_true, may_write, proposal
from kg_service.changes import rules
from kg_service.changes.writer import Writer
from kg_service.errors import Violations
from kg_service.rdf import GRAPH_FORMATS, to_text
from kg_service.settings import Settings
from kg_service.sparql.protocol import negotiate
from kg_service.sparql.sandbox import Sandbox, upload_format
from kg_service.store import Delta

METHODS = ["GET", "HEAD", "POST", "DELETE"]
_FORMATS = tuple(f for f in GRAPH_FORMATS if (f.rdf and not f.rdf.supports_datasets) or f.name == "json-ld")
_BODY = {"required": True, "content": {f.media_types[0]: {"schema": {"type": "string"}} for f in _FORMATS}}
_FORCE = {
    "name": "force",
    "in": "query",
    "description": "Take the shapes although the graph breaks them: what is there stays, what comes is judged.",
    "schema": {"type": "boolean"},
}
_DONE = {"200": {"description": "In force, with the report on the whole graph."}}

#: The path item of the OpenAPI description.
OPENAPI: dict[str, Any] = {
    "get": {
        "tags": ["shapes"],
        "summary": "The shapes in force",
        "operationId": "shapes_get",
        "responses": {"200": {"description": "The shapes, as they judge every change."}},
    },
    "post": {
        "tags": ["shapes"],
        "summary": "Put other shapes in their place, if the whole graph conforms to them",
        "operationId": "shapes_post",
        "parameters": [*PARAMETERS, _FORCE],
        "requestBody": _BODY,
        "responses": _DONE | ANSWERS,
    },
    "delete": {
        "tags": ["shapes"],
        "summary": "Go back to the project's own shapes, if the whole graph conforms to them",
        "operationId": "shapes_delete",
        "parameters": [*PARAMETERS, _FORCE],
        "responses": _DONE | ANSWERS,
    },
}


async def shapes(request: Request) -> Response:
    """Reads the shapes in force, or changes them."""
    settings: Settings = request.app.state.settings
    if request.method in ("GET", "HEAD"):
        how = negotiate(request.headers.get("accept", "*/*"), _FORMATS) or _FORMATS[0]
        return Response(
            to_text(rules.quads(settings.own_folder), how), media_type=how.media_type, headers={"Vary": "Accept"}
        )
    may_write(request)
    body = await body_of(request, settings.max_body_bytes)
    new = None
    if request.method == "POST":
        sandbox: Sandbox = request.app.state.sandbox
        new = sorted(
            await sandbox.parsed(body, upload_format(request.headers.get("content-type", "")), settings.base), key=str
        )
    writer: Writer = request.app.state.writer
    wanted = proposal(request, body, lambda _: Delta())
    report = await writer.adopt(new, wanted, force=is_true(request, "force"))
    if report.blocks and not is_true(request, "force"):
        raise Violations("the graph breaks these shapes; those in force stay", report)
    return JSONResponse({"dry_run": wanted.dry_run, "report": report.to_dict()})
