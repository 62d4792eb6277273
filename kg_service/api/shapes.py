"""`/shapes`: the shapes in force, and other ones in their place."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kg_service.access import OPERATE
from kg_service.api import pages, problems
from kg_service.api.addresses import public_url
from kg_service.api.parameters import chosen_format, names, read, refuse_others
from kg_service.api.writing import ANSWERS, PARAMETERS, body_of, is_true, may_write, proposal
from kg_service.changes import rules
from kg_service.changes.writer import Writer
from kg_service.errors import Violations
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.profiles import HTML
from kg_service.rdf import GRAPH_FORMATS, to_text
from kg_service.rulebook import Rulebook
from kg_service.settings import Settings
from kg_service.sparql.sandbox import Sandbox, upload_format
from kg_service.store import Delta
from kg_service.web.vocabulary import ShapesPage

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
        "parameters": [each.openapi() for each in pages.LANGUAGES],
        "responses": {
            "200": {
                "description": "The shapes, as they judge every change: RDF, or a page.",
                "content": {f.media_types[0]: {} for f in (*_FORMATS, HTML)},
            },
            "304": {"description": "If-None-Match names the page."},
            **problems.described({"406": "The shapes can be written in no acceptable format; lists them."}),
        },
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
        return await _shown(request)
    may_write(request, OPERATE)
    refuse_others(request, names([*PARAMETERS, _FORCE]))
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


@lru_cache(2)
def _rulebook(root: Path, _: tuple[tuple[str, int], ...]) -> Rulebook:
    return Rulebook(rules.quads(root))


def rulebook(settings: Settings) -> Rulebook:
    """The shapes in force as people read them."""
    return _rulebook(settings.own_folder, rules.state(settings.own_folder))


async def _shown(request: Request) -> Response:
    """The shapes in force: as RDF, or as a page for those who prefer HTML."""
    settings: Settings = request.app.state.settings
    how = chosen_format(request, (*_FORMATS, HTML))
    read(request, pages.LANGUAGES)
    if how is not HTML:
        text = await asyncio.to_thread(lambda: to_text(rules.quads(settings.own_folder), how))
        return Response(text, media_type=how.media_type, headers={"Vary": "Accept"})

    def values() -> dict[str, Any]:
        return {
            "shapes": ShapesPage(
                rulebook(settings),
                ontology=request.app.state.ontology,
                addresses=Addresses(public_url(request)),
                catalogue=pages.catalogue_of(request),
            )
        }

    return await pages.long_page(
        request, "shapes.html", generation=0, state=rules.state(settings.own_folder), values=values
    )
