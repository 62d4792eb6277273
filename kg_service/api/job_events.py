"""`/api/jobs/<id>/events`: how a job goes on, as it goes on (server-sent events; HTML, section 9.2)."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator

from fastapi import APIRouter, Request
from starlette.responses import StreamingResponse

from kg_service.api import networks
from kg_service.api.parameters import refuse_others
from kg_service.network.jobs import Job, Jobs

#: Seconds between two looks, after which a line is sent though nothing is new, and after which a stream ends: a
#: browser opens the next one by itself.
_LOOK, _ALIVE, _LONGEST = 0.2, 15.0, 120.0

router = APIRouter(prefix="/api", tags=["networks"])


@router.get(
    "/jobs/{job_id}/events",
    summary="How a job goes on",
    response_class=StreamingResponse,
    responses={
        200: {"description": "An event for each change, until it is over.", "content": {"text/event-stream": {}}}
    },
)
async def events(request: Request, job_id: str) -> StreamingResponse:
    """Sends what `/api/jobs/{job_id}` tells whenever it changes; the last event is that of a job that is over."""
    refuse_others(request, ())
    jobs: Jobs = request.app.state.jobs
    found = jobs.job(job_id)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_told(request, jobs, found), media_type="text/event-stream", headers=headers)


async def _told(request: Request, jobs: Jobs, job: Job) -> AsyncIterator[str]:
    """The state now and each new one; ends when the job is over, the service stops, or after a while."""
    began, said, last = time.monotonic(), 0.0, ""
    yield "retry: 1000\n\n"
    while True:
        is_over, now = job.is_over, time.monotonic()
        text = json.dumps(networks.status(request, job))
        if text != last:
            last, said = text, now
            yield f"data: {text}\n\n"
        elif now - said > _ALIVE:
            said = now
            yield ": still at it\n\n"
        if is_over or jobs.is_ending or now - began > _LONGEST:
            return
        await jobs.wait(job, _LOOK)
