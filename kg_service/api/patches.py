"""`/patches`: what came after a generation, as RDF Patch."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from kg_service.api.addresses import public_url
from kg_service.api.changes import from_log
from kg_service.api.parameters import Parameter, read
from kg_service.api.sparql import HeadOnly
from kg_service.api.writing import tags
from kg_service.errors import NotAcceptable
from kg_service.linked_data import patches
from kg_service.rdf import Format
from kg_service.sparql import patch
from kg_service.sparql.protocol import negotiate

router = APIRouter(tags=["feed"])
_PATCH = Format("rdf-patch", patch.MEDIA_TYPES, ("rdfp",))
PARAMETERS = (
    Parameter(
        name="from",
        description="The generation that the client has: its number, or the IRI of the state.",
        is_required=True,
        example="0",
    ),
    Parameter(name="to", description="Generation to end at; by default the published one."),
    Parameter(
        name="limit",
        description="Changes at most, but all of a generation.",
        kind="integer",
        least=1,
        most=10_000,
        default=1000,
    ),
)
_DESCRIBED = {"parameters": [parameter.openapi() for parameter in PARAMETERS]}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The changes, one transaction each.", "content": {patch.MEDIA_TYPES[0]: {}}},
    304: {"description": "The client has them."},
    406: {"description": "The client accepts no RDF Patch.", "content": {"application/problem+json": {}}},
    410: {"description": "The log does not reach back so far.", "content": {"application/problem+json": {}}},
    422: {"description": "A parameter is wrong.", "content": {"application/problem+json": {}}},
}


@router.head("/patches", include_in_schema=False, openapi_extra=_DESCRIBED)
@router.get("/patches", summary="The changes since a generation", responses=_ANSWERS, openapi_extra=_DESCRIBED)
async def patched(request: Request) -> Response:
    """What makes of a copy of one generation a copy of a later one. `Link: …; rel="next"` names the rest.

    `H prev` names the state before and `H id` the state after. A dump is such a copy: every named graph, and in the
    default graph what no named graph holds.
    """
    given = read(request, PARAMETERS)
    first, last, limit = given["from"], given["to"], given["limit"]
    if negotiate(request.headers.get("accept", "*/*"), (_PATCH,)) is None:
        raise NotAcceptable(f"changes are written as {patch.MEDIA_TYPES[0]}")
    made = await from_log(request, lambda log: patches.step(log, first, last, limit=limit))
    is_final = last is not None or made.last < made.newest
    caching = "public, max-age=604800, immutable" if is_final else "no-cache"
    etag = f'"p{made.first}-{made.id.rpartition("/")[2]}"'
    about = {"ETag": etag, "KG-Generation": str(made.last), "Cache-Control": caching, "Vary": "Accept"}
    if made.last < made.newest:
        following = urlencode({"from": made.last, "limit": limit} | ({"to": last} if last is not None else {}))
        about["Link"] = f'<{public_url(request)}/patches?{following}>; rel="next"'
    if etag in tags(request, "if-none-match"):
        return Response(status_code=304, headers=about)
    if request.method == "HEAD":
        return HeadOnly(headers=about, media_type=_PATCH.media_type)
    return StreamingResponse(patches.document(request.app.state.log, made), headers=about, media_type=_PATCH.media_type)
