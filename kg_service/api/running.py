"""`/api/running`: the queries that run now, for operators, who may end them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from kg_service.access import OPERATE
from kg_service.api.clients import require
from kg_service.api.together import Together, is_asked_alone
from kg_service.errors import NotFound, QueryStopped
from kg_service.store import Reads, Running
from kg_service.store.cache import CachedReads

#: Characters of a query's text that are shown.
SHOWN = 2000

router = APIRouter(prefix="/api/running", tags=["operations"])


class RunningQuery(BaseModel):
    """A query that is not answered yet."""

    id: str = Field(description="as in the header KG-Query of its answer")
    text: str = Field(description=f"the first {SHOWN} characters of the query")
    client: str = Field(description="address that asks, or “token” and which; empty for the service itself")
    lane: str = Field(description="waiting, quick, heavy, paused (heavy, until a reader is free), or remote")
    started: datetime
    seconds: float = Field(description="seconds since then")
    cpu_seconds: float = Field(description="processor time used so far")
    limit_seconds: float = Field(description="seconds after which it is stopped")
    bytes: int = Field(description="bytes of the answer so far")


class Meta(BaseModel):
    """Numbers about the whole service."""

    count: int
    generation: int
    cache_hits: int = Field(description="answers given from the cache since the start")
    cache_misses: int = Field(description="answers that had to be computed since the start")


class RunningQueries(BaseModel):
    """The queries that run or wait, the oldest first."""

    data: list[RunningQuery]
    meta: Meta


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The token is missing, or does not count."},
    403: {"description": "Operating over HTTP is off, or the token does not allow it."},
}


@router.get("", summary="Which queries are running?", responses=_PROBLEMS)
async def listed(request: Request) -> RunningQueries:
    """Lists the queries that run, are paused or wait. Needs the token."""
    require(request, OPERATE, "operating")
    reads: Reads = request.app.state.readers
    data = [_described(each) for each in reads.running()]
    counters = reads.counters if isinstance(reads, CachedReads) else None
    meta = Meta(
        count=len(data),
        generation=reads.generation,
        cache_hits=counters.hits if counters else 0,
        cache_misses=counters.misses if counters else 0,
    )
    found = RunningQueries(data=data, meta=meta)
    together: Together | None = request.app.state.together
    if together is None or is_asked_alone(request):
        return found
    for answer in (await together.asked(request)).values():
        if answer.is_success:
            found = _both(found, RunningQueries.model_validate_json(answer.content))
    return found


@router.delete(
    "/{query_id}",
    summary="End a query",
    status_code=204,
    responses=_PROBLEMS | {404: {"description": "No query of that id runs."}},
)
async def end(request: Request, query_id: str) -> Response:
    """Ends a query; whoever asked it gets a 503 that says so. Needs the token."""
    require(request, OPERATE, "operating")
    reads: Reads = request.app.state.readers
    together: Together | None = request.app.state.together
    is_ended = reads.end(query_id, QueryStopped("an operator ended the query", query=query_id))
    if not is_ended and together is not None and not is_asked_alone(request):
        is_ended = any(answer.is_success for answer in (await together.asked(request)).values())
    if not is_ended:
        raise NotFound(f'no query "{query_id}" is running; GET /api/running lists those that are')
    return Response(status_code=204)


def _both(one: RunningQueries, other: RunningQueries) -> RunningQueries:
    """What two processes have to tell, as one."""
    data = sorted([*one.data, *other.data], key=lambda query: query.started)
    meta = Meta(
        count=len(data),
        generation=max(one.meta.generation, other.meta.generation),
        cache_hits=one.meta.cache_hits + other.meta.cache_hits,
        cache_misses=one.meta.cache_misses + other.meta.cache_misses,
    )
    return RunningQueries(data=data, meta=meta)


def _described(running: Running) -> RunningQuery:
    query = running.query
    return RunningQuery(
        id=query.id,
        text=query.text[:SHOWN],
        client=query.client,
        lane=running.lane,
        started=datetime.fromtimestamp(running.started, UTC),
        seconds=round(running.seconds, 3),
        cpu_seconds=round(running.cpu_seconds, 3),
        limit_seconds=query.seconds,
        bytes=running.bytes,
    )
