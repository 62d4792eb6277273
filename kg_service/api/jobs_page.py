"""`/jobs/<id>`: how far a long measurement is, for people: it can be watched, ended, and its result taken away.

The page asks again by itself, without a script, until the job is over or the reader has it stop.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.parameters import Parameter, read
from kg_service.api.sessions import check_origin
from kg_service.network.jobs import Job, Jobs

METHODS = ["GET", "HEAD"]
#: Seconds after which a page that waits asks again; and where a script is told how far it is, in case that fails.
_AGAIN, _AT_LEAST = 2, 30
#: Seconds that a reader waits for a network before a page says how far it is: a first one takes a few.
PATIENCE = 8.0
_BACK = Parameter(name="back", description="The page that shows the result.")
_WATCH = Parameter(name="watch", description="0: the page does not ask again by itself.", allowed=("0", "1"))
#: A path of this service: nothing that a browser takes for another host.
_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20]*")
_FRESH = {"Cache-Control": "no-store"}


async def shown(request: Request) -> Response:
    """The state of a job; 404 for one that there is not, or not any more."""
    given = read(request, [_BACK, _WATCH, *pages.LANGUAGES])
    job = _job(request)
    is_watched = not job.is_over and given["watch"] != "0"
    return pages.page(
        request,
        "job.html",
        headers=_FRESH | ({"Refresh": _again(request)} if is_watched else {}),
        is_watched=is_watched,
        again=_AGAIN,
        unwatched=_address(request, job, given["back"], watch="0"),
        watched=_address(request, job, given["back"]),
        cancel=_address(request, job, given["back"], "/cancel"),
        back=_path(given["back"]),
        moments=[(name, _moment(at)) for name, at in _times(job) if at],
        seconds=math.ceil((job.ended or datetime.now(UTC).timestamp()) - job.began) if job.began else 0,
        **_told(request, job),
    )


async def cancelled(request: Request) -> Response:
    """Ends the job, as whoever knows its id may, and shows it; of one that is over nothing is changed."""
    given = read(request, [_BACK, *pages.LANGUAGES])
    check_origin(request)
    job = _job(request)
    request.app.state.jobs.cancel(job)
    return RedirectResponse(_address(request, job, given["back"]), 303, headers=_FRESH)


def waiting(request: Request, job: Job) -> Response:
    """The page of a network that is still measured (202): it asks again by itself, and leads to the job."""
    here = f"{request.url.path}{'?' + request.url.query if request.url.query else ''}"
    about: dict[str, Any] = {"job_page": _address(request, job, here), "again": _AGAIN} | _told(request, job)
    return pages.page(
        request,
        "network_waiting.html",
        status=202,
        headers=_FRESH | {"Refresh": _again(request)},
        is_embedded=request.query_params.get("embed") == "1",
        **about,
    )


def _job(request: Request) -> Job:
    jobs: Jobs = request.app.state.jobs
    return jobs.job(request.path_params["job_id"])


def _again(request: Request) -> str:
    """When the browser asks again by itself: soon, unless a script does better; without one the page says soon."""
    return str(_AT_LEAST if "job" in request.app.state.pages.islands else _AGAIN)


def _told(request: Request, job: Job) -> dict[str, Any]:
    words = pages.catalogue_of(request).beginning("job.state.")
    return {"job": job, "part": math.floor(100 * job.part), "words": words}


def _times(job: Job) -> list[tuple[str, float | None]]:
    return [("asked", job.asked), ("began", job.began), ("ended", job.ended)]


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _path(back: str | None) -> str | None:
    return back if back and _PATH.fullmatch(back) else None


def _address(request: Request, job: Job, back: str | None, step: str = "", **more: str) -> str:
    """Where the job is shown, in the reader's language."""
    sent = {"lang": pages.language_of(request)} | more | ({"back": back} if _path(back) else {})
    return f"{public_url(request)}/jobs/{quote(job.id)}{step}?{urlencode(sent)}"
