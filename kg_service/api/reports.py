"""`/report`: readers say what is wrong, without a token; `/api/reports`: operators read it, and let go of what is done.

One address may send so many reports in an hour; how many wait in all is a setting. A form of another site is not taken.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, FastAPI, Request, Response
from starlette.responses import RedirectResponse

from kg_service.access import OPERATE
from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import address_of, require
from kg_service.api.forms import Form, form_of
from kg_service.api.parameters import Parameter, read, refuse_others
from kg_service.api.sessions import check_origin
from kg_service.errors import KgError, NotFound, TooMany, WrongParameter
from kg_service.reports import KINDS, LONGEST, Inbox, Kept, Report
from kg_service.settings import Settings

METHODS = ["GET", "HEAD", "POST"]
#: Reports that one address may send in an hour.
AN_HOUR = 10
#: Addresses that are remembered for that.
_ADDRESSES = 10_000
#: Bytes of the form: what it may say, percent-encoded.
_MOST_BYTES = 12 * sum(LONGEST.values())
_ABOUT = Parameter(name="about", description="What the report is about: an IRI, or a page.")
_SENT = Parameter(name="sent", description="The number of the report that was sent.", kind="integer", least=1)
_PRIVATE = {"Cache-Control": "no-store"}
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The token is missing, or does not count."},
    403: {"description": "Operating over HTTP is off, or the token does not allow it."},
}

router = APIRouter(prefix="/api/reports", tags=["operations"])


class Reports:
    """The inbox of a service, and who has sent how much lately."""

    def __init__(self, settings: Settings) -> None:
        self.inbox, self.is_open = Inbox(settings.own_folder, settings.reports), settings.reports > 0
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def admit(self, client: str) -> None:
        """TooMany for who has sent too many within the hour."""
        now = time.monotonic()
        times = self._times.setdefault(client, deque())
        self._times.move_to_end(client)
        while times and times[0] <= now - 3600:
            times.popleft()
        if len(times) >= AN_HOUR:
            wait = int(times[0] + 3600 - now) + 1
            raise TooMany(f"{AN_HOUR} reports an hour are taken from one address", retry_after=wait)
        times.append(now)
        if len(self._times) > _ADDRESSES:
            self._times.popitem(last=False)


def install(app: FastAPI) -> None:
    """Adds the doors; the application has the reports as `state.reports` when it has started."""
    app.include_router(router)
    app.add_route("/report", pages.for_people(shown), methods=METHODS, include_in_schema=False)


async def shown(request: Request) -> Response:
    """The form, what was sent, or what is wrong with it; 404 where no reports are taken."""
    given = read(request, [_ABOUT, _SENT, *pages.LANGUAGES])
    reports: Reports = request.app.state.reports
    if not reports.is_open:
        raise NotFound("this service takes no reports; tell those who run it")
    about = (given["about"] or "")[: LONGEST["about"]]
    if request.method != "POST":
        return _page(request, {"about": about, "kind": KINDS[0]}, sent=given["sent"])
    form = await form_of(request, _MOST_BYTES)
    check_origin(request)
    try:
        report = _report(request, form)
        reports.admit(address_of(request))
        number = await asyncio.to_thread(reports.inbox.put, report)
    except KgError as error:
        return _page(request, dict(form.fields), error=error)
    sent = {"sent": number, "about": report.about, "lang": pages.language_of(request)}
    return RedirectResponse(f"{public_url(request)}/report?{urlencode(sent)}", 303, headers=_PRIVATE)


def _report(request: Request, form: Form) -> Report:
    return Report(
        generation=request.app.state.readers.generation,
        language=pages.language_of(request),
        kind=form.one_of("kind", KINDS),
        **{name: form.get(name).strip() for name in LONGEST},
    )


def _page(
    request: Request, filled: dict[str, str], *, sent: int | None = None, error: KgError | None = None
) -> Response:
    wrong = str(error.more.get("parameter", "")) if isinstance(error, WrongParameter) else ""
    return pages.page(
        request,
        "report.html",
        status=error.status if error else 200,
        headers=_PRIVATE | (pages.come_again(request, error) if error else {}),
        filled={name: filled.get(name, "") for name in ("kind", *LONGEST)},
        kinds=KINDS,
        longest=LONGEST,
        sent=sent,
        error=error,
        wrong=wrong,
    )


@router.get("", summary="What do readers report as wrong?", responses=_PROBLEMS)
async def listed(request: Request) -> dict[str, Any]:
    """Lists the reports that nobody has seen to, the oldest first. Needs the token."""
    require(request, OPERATE, "operating")
    refuse_others(request, ())
    reports: Reports = request.app.state.reports
    found = await asyncio.to_thread(reports.inbox.every)
    return {"data": [told(each) for each in found], "meta": {"count": len(found)}}


@router.delete(
    "/{number}",
    summary="Let go of a report",
    status_code=204,
    responses=_PROBLEMS | {404: {"description": "There is no report of that number."}},
)
async def done(request: Request, number: int) -> Response:
    """Somebody has seen to it. Needs the token."""
    require(request, OPERATE, "operating")
    reports: Reports = request.app.state.reports
    if not await asyncio.to_thread(reports.inbox.remove, number):
        raise NotFound(f"there is no report {number}; GET /api/reports lists those that are")
    return Response(status_code=204)


def told(kept: Kept) -> dict[str, Any]:
    """A report as JSON."""
    return {"number": kept.number, "time": kept.time} | asdict(kept.report)
