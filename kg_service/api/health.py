"""`/health`: whether the process lives, and whether it can answer."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request

from kg_service.errors import StoreError
from kg_service.store import Query

router = APIRouter(prefix="/health", tags=["operations"])


@router.get("/live", summary="Does the process live?")
async def live() -> dict[str, str]:
    """Answers as long as the process runs."""
    return {"status": "live"}


@router.get("/ready", summary="Can questions be answered?")
async def ready(request: Request) -> dict[str, Any]:
    """Answers 200 with the generation once data are loaded and a reader answers; 503 before."""
    readers = request.app.state.readers
    if not readers.generation and not request.app.state.settings.query_url:
        raise StoreError("no data are loaded yet; run `kg load` or start with `kg serve`")
    answer = await readers.answer(Query("SELECT (COUNT(*) AS ?triples) { ?s ?p ?o }", seconds=5))
    (row,) = json.loads(await answer.content())["results"]["bindings"]
    return {"status": "ready", "generation": answer.generation, "triples": int(row["triples"]["value"])}
