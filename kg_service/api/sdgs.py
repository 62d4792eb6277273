"""`/api/sdgs/coverage`: what serves each Sustainable Development Goal and target, and what none does."""

from __future__ import annotations

import csv
import io
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from kg_service import queries, resources, sdg
from kg_service.api.clients import client_of
from kg_service.api.parameters import Parameter, read
from kg_service.store import Query

router = APIRouter(prefix="/api/sdgs", tags=["sdgs"])
_FORMAT = Parameter(name="format", description="How the matrix is written.", allowed=("json", "csv"), default="json")


@router.get(
    "/coverage",
    summary="What serves which goal and target, and which does nothing serve?",
    openapi_extra={"parameters": [_FORMAT.openapi()]},
)
async def coverage(request: Request) -> Response:
    """Recommendations, instruments, actors and alliances by goal and target, stated and inferred links apart."""
    given = read(request, [_FORMAT])
    rows, generation = await _rows(request, queries.read(resources.folder("queries"), "sdgs/coverage").text)
    known, _ = await _rows(request, queries.read(resources.folder("queries"), "lists/sdgs").text)
    matrix = sdg.coverage(sdg.aims(known), [sdg.link(row) for row in rows])
    headers = {"KG-Generation": str(generation)}
    if given["format"] == "csv":
        return Response(_table(matrix), media_type="text/csv", headers=headers)
    meta = {"generation": generation, "kinds": list(sdg.KINDS.values()), "certainties": sdg.CERTAINTIES}
    return JSONResponse(matrix | {"meta": meta}, headers=headers)


async def _rows(request: Request, text: str) -> tuple[list[dict[str, str]], int]:
    state = request.app.state
    asked = Query(text, table="csv", seconds=state.settings.query_seconds, client=client_of(request))
    answer = await state.readers.answer(asked)
    content = (await answer.content()).decode()
    return list(csv.DictReader(io.StringIO(content, newline=""))), answer.generation


def _table(matrix: dict[str, Any]) -> str:
    """A row for each goal, target and kind."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(["code", "label", "kind", "all", *sdg.CERTAINTIES])
    for goal in matrix["data"]:
        for aim in (goal, *goal["targets"]):
            for kind in sdg.KINDS.values():
                counts = aim["counts"].get(kind, {})
                numbers = [counts.get(name, 0) for name in ("all", *sdg.CERTAINTIES)]
                writer.writerow([aim["code"], aim["label"], kind, *numbers])
    return out.getvalue()
