"""`/health`: whether the process lives, and whether it can answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from fastapi import APIRouter, Request

from kg_service.api.together import Together, is_asked_alone
from kg_service.errors import QueryStopped, StoreError
from kg_service.linked_data import judging
from kg_service.settings import Settings
from kg_service.store import Query, Reads

#: Seconds for which readiness waits for the number of triples.
_PATIENCE = 2.0

router = APIRouter(prefix="/health", tags=["operations"])


@router.get("/live", summary="Does the process live?")
async def live() -> dict[str, str]:
    """Answers as long as the process runs."""
    return {"status": "live"}


@router.get("/ready", summary="Can questions be answered?")
async def ready(request: Request) -> dict[str, Any]:
    """Answers 200 with the generation once data are loaded and a reader answers; 503 before.

    A service that has just started is ready when what its first visitors see is counted, or after two seconds.
    `triples` is null while they are being counted, which waits behind the heavy queries of others. `validation` is the
    outcome when the whole graph was judged last, null when it never was; asking for it judges nothing. `writing` is
    off, ready, failing (the last change could not be written: the disk, another writer; the log says why), or away
    (the process that writes does not answer); reading goes on.
    """
    if is_asked_alone(request):
        return {"writing": await _writing(request)}
    readers: Reads = request.app.state.readers
    if not readers.generation and not request.app.state.settings.query_url:
        raise StoreError("no data are loaded yet; run `kg load` or start with `kg serve`")
    counting = asyncio.ensure_future(_triples(readers))
    answer = await readers.answer(Query("ASK {}", seconds=5))
    try:
        preparing: asyncio.Task[None] | None = getattr(request.app.state, "preparing", None)
        await asyncio.wait({counting, preparing or counting}, timeout=_PATIENCE)
        triples = counting.result() if counting.done() else None
    finally:
        counting.cancel()
    validation = await asyncio.to_thread(_validation, request.app.state.settings, answer.generation)
    told = {"status": "ready", "generation": answer.generation, "triples": triples, "validation": validation}
    return told | {"writing": await _writing(request)}


async def _writing(request: Request) -> str:
    """How it stands with writing, as the process that writes says it."""
    state = request.app.state
    together: Together | None = state.together
    if not state.settings.is_writable or not state.access.is_on:
        return "off"
    if together is None or together.is_writer:
        return "failing" if state.writer.is_failing else "ready"
    answers = await together.asked(request, of=0, address="/health/ready")
    return str(answers[0].json().get("writing", "away")) if 0 in answers else "away"


def _validation(settings: Settings, generation: int) -> dict[str, Any] | None:
    found = judging.kept(settings)
    if found is None:
        return None
    is_current = found.generation == generation and found.shapes == judging.shapes_now(settings)
    return {
        "generation": found.generation,
        "is_current": is_current,
        "conforms": not found.counts.get("Violation", 0),
        "results": found.counts,
    }


async def _triples(readers: Reads) -> int | None:
    try:
        answer = await readers.answer(Query("SELECT (COUNT(*) AS ?triples) { ?s ?p ?o }"))
    except QueryStopped:
        return None
    (row,) = json.loads(await answer.content())["results"]["bindings"]
    return int(row["triples"]["value"])
