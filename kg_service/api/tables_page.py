"""`/tables`: spreadsheets into the graph, row by row: previewed, tried out, and made by those who have signed in."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Container, Sequence
from itertools import islice
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.forms import Upload, form_of
from kg_service.api.history_pages import names_of
from kg_service.api.parameters import read
from kg_service.api.sessions import Session, Sessions
from kg_service.api.signing_in import PRIVATE, signed
from kg_service.api.writing import language as message_language
from kg_service.changes import Committed, Proposal
from kg_service.errors import KgError, TooLarge, TooSlow, Violations, from_problem
from kg_service.linked_data import of_one_generation
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.children import Child, Ended
from kg_service.tables import blank, importing, mapping, process
from kg_service.tables.importing import ROUNDS, Import, countries_query, known_query
from kg_service.tables.mapping import Problem, Template
from kg_service.tables.rows import Row
from kg_service.web.changed import difference, mentioned, names_in, picked, results

METHODS = ["GET", "HEAD", "POST"]
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: Bytes of files that wait for their second step, in all; rows that are previewed, and problems that are listed.
_KEPT, _PREVIEWED, _LISTED = 128 * 2**20, 10, 200
#: Rows whose statements are shown.
_SHOWN_ROWS = 3


class Uploads:
    """Files between the trial and the making, by session and checksum; the oldest go when they are too many."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str], Upload] = OrderedDict()

    def keep(self, session: Session, checksum: str, upload: Upload) -> None:
        self._kept[session.nonce, checksum] = upload
        while sum(len(each.content) for each in self._kept.values()) > _KEPT:
            self._kept.popitem(last=False)

    def get(self, session: Session, checksum: str) -> Upload | None:
        return self._kept.get((session.nonce, checksum))


async def shown(request: Request) -> Response:
    """The templates, and the form; after POST what became of each row, or the change that was made."""
    read(request, pages.LANGUAGES)
    if request.method != "POST":
        return await _page(request)
    settings: Settings = request.app.state.settings
    sessions: Sessions = request.app.state.sessions
    form = await form_of(request, settings.max_body_bytes)
    session = sessions.check(request, form)
    names = tuple(each.name for each in mapping.every())
    template = mapping.named(form.one_of("template", names))
    is_strict, step = form.get("strict") == "yes", form.one_of("step", ("try", "make"))
    kept: Uploads = request.app.state.uploads
    upload = form.files.get("file") or kept.get(session, form.get("checksum"))
    if upload is None:
        problem = "gone" if form.get("checksum") else "none"
        return await _page(request, template=template, is_strict=is_strict, problem=problem, status=422)
    try:
        found = await _read(request, template, upload)
        kept.keep(session, found.checksum, upload)
        done = await _written(request, found, session, is_strict=is_strict, is_trial=step == "try")
    except Violations as refused:
        report = refused.report.to_dict()
        return await _page(request, template=template, is_strict=is_strict, found=found, report=report, status=422)
    except KgError as error:
        return await _page(request, template=template, is_strict=is_strict, detail=error, status=error.status)
    if step == "make" and done and done.change:
        address = f"{public_url(request)}/history/{done.change}?lang={pages.language_of(request)}"
        return RedirectResponse(address, 303, headers=PRIVATE)
    return await _page(request, template=template, is_strict=is_strict, found=found, done=done)


async def workbook(request: Request) -> Response:
    """The blank table of a template."""
    template = mapping.named(request.path_params["name"])
    made = await asyncio.to_thread(blank.workbook, template, request.app.state.ontology)
    headers = {"Content-Disposition": f'attachment; filename="{template.name}.xlsx"'}
    return Response(made, headers=headers, media_type=_XLSX)


async def _read(request: Request, template: Template, upload: Upload) -> Import:
    """The rows of a file, read in a process of its own."""
    settings: Settings = request.app.state.settings
    job = {"name": upload.name, "template": template.name, "known": await _known(request, template)}
    job["language"] = pages.language_of(request)
    child = await Child.start("kg_service.tables.process", settings.query_memory)
    heard = bytearray()
    try:
        async with asyncio.timeout(settings.query_seconds_with_token):
            child.ask(job, upload.content)
            while True:
                kind, payload = await child.hear()
                if kind == b"E":
                    break
                if kind == b"X":
                    raise from_problem(json.loads(payload))
                heard += payload
    except Ended:
        raise TooLarge("reading this table needs more memory than one may have") from None
    except TimeoutError:
        seconds = settings.query_seconds_with_token
        raise TooSlow(f"reading the table took longer than {seconds:g} s; send it in parts") from None
    finally:
        await child.end()
    return await asyncio.to_thread(process.heard, upload.name, template, bytes(heard))


async def _known(request: Request, template: Template) -> dict[str, Any]:
    """What cells may name, as plain data."""

    async def find(asking: Any) -> dict[str, Any]:
        things = [
            [type, row["thing"].value, row["name"].value]
            for type in template.types
            for row in await asking.rows(known_query(type))
        ]
        places = [[row["code"].value, row["place"].value] for row in await asking.rows(countries_query())]
        return {"things": things, "places": places}

    _, known = await of_one_generation(
        request.app.state.readers,
        find,
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )
    return known


async def _written(
    request: Request, found: Import, session: Session, *, is_strict: bool, is_trial: bool
) -> Committed | None:
    """Tries the rows out, or makes them; those that break the shapes are left out. None when nothing is to be made."""
    for _ in range(ROUNDS):
        if not found.rows or (is_strict and found.problems and not is_trial):
            return None
        delta = await asyncio.to_thread(found.delta)
        try:
            done: Committed = await request.app.state.writer.write(
                _proposal(request, found, session, delta, is_trial=is_trial)
            )
        except Violations as refused:
            if not await asyncio.to_thread(found.reject, refused.report.to_dict(), message_language(request)):
                raise
        else:
            return done
    raise importing.endless()


def _proposal(request: Request, found: Import, session: Session, delta: Delta, *, is_trial: bool) -> Proposal:
    return session.proposal(
        lambda _: delta,
        note=f"table {found.name}, template {found.template.name}",
        is_trial=is_trial,
        language=message_language(request),
    )


def _previewed(rows: Sequence[Row], wrong: Container[int]) -> list[Row]:
    """The first rows, and the first of those that are left out."""
    first = {row.number for row in rows[:_PREVIEWED]}
    bad = {row.number for row in islice((row for row in rows if row.number in wrong), _PREVIEWED)}
    return [row for row in rows if row.number in first | bad]


async def _page(
    request: Request,
    *,
    template: Template | None = None,
    is_strict: bool = False,
    found: Import | None = None,
    done: Committed | None = None,
    report: dict[str, Any] | None = None,
    problem: str = "",
    detail: KgError | None = None,
    status: int = 200,
) -> Response:
    """The page with what is to be said of a table."""
    first = Delta()
    if found and found.rows:
        numbers = sorted(found.rows)[:_SHOWN_ROWS]
        first = Delta(frozenset(quad for number in numbers for quad in found.rows[number]))
    wrong: dict[int, list[Problem]] = {}
    for each in found.problems if found else ():
        wrong.setdefault(each.row, []).append(each)
    quads, _ = picked(first)
    names = await names_of(request, mentioned(quads), names_in(first))
    return pages.page(
        request,
        "tables.html",
        status=status,
        headers=PRIVATE,
        templates=mapping.every(),
        chosen=template,
        is_strict=is_strict,
        found=found,
        taken=len(found.rows) if found and (done or not found.rows) else 0,
        is_possible=done is not None and (done.added > 0) and not (is_strict and found and found.problems),
        is_idle=done is not None and not done.added,
        problems=found.problems[:_LISTED] if found else [],
        left_out=max(0, len(found.problems) - _LISTED) if found else 0,
        wrong=wrong,
        preview=_previewed(found.table.rows, wrong) if found else [],
        difference=difference(quads, 0, names) if quads else None,
        others=results(report["results"], names) if report else [],
        problem=problem,
        detail=detail.detail if detail else "",
        lacking=detail.more.get("lacking") if detail else None,
        most=request.app.state.settings.max_body_bytes // 2**20,
        **signed(request),
    )
