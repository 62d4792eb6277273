"""`/duplicates`: entries that may be one actor, side by side, for people to decide on."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.duplicates import OF, STATE, decision_of, is_iri, page_of
from kg_service.api.forms import form_of
from kg_service.api.history_pages import names_of
from kg_service.api.parameters import Parameter, read
from kg_service.api.sessions import Sessions
from kg_service.api.signing_in import PRIVATE, signed
from kg_service.api.writing import language as message_language
from kg_service.errors import AlreadyThere, KgError, NotFound, PreconditionFailed, Violations, wrong_parameter
from kg_service.identity.candidates import STATES
from kg_service.identity.deciding import DECISIONS
from kg_service.rdf import NamedNode
from kg_service.web.changed import results
from kg_service.web.duplicates import beside
from kg_service.web.paging import paging

METHODS = ["GET", "HEAD"]
#: Pairs on one page; bytes of a form; characters of a note.
SIZE, _MOST, _NOTE = 10, 2**16, 500
_PAGE = Parameter(name="page", description="Page of the list.", kind="integer", default=1, least=1, most=100_000)
_DONE = Parameter(name="done", description="The change that was just made.", kind="integer", least=1, most=2**62)


async def shown(request: Request) -> Response:
    """The pairs of a state, the likeliest first."""
    given = read(request, [*pages.LANGUAGES, STATE, OF, _PAGE, _DONE])
    return await _page(request, given)


async def decided(request: Request) -> Response:
    """Takes a decision, and leads back to the list."""
    given = read(request, [*pages.LANGUAGES, STATE, OF, _PAGE])
    sessions: Sessions = request.app.state.sessions
    form = await form_of(request, _MOST)
    session = sessions.check(request, form)
    sent: dict[str, Any] = {name: form.get(name) for name in ("one", "other", "leading") if form.get(name)}
    for name in ("one", "other", *(["leading"] if "leading" in sent else [])):
        if not is_iri(sent.get(name)):
            raise wrong_parameter(name, sent.get(name, ""), "the IRI of an entry")
    wanted = await decision_of(request, decision=form.one_of("decision", DECISIONS), **sent)
    note = " ".join(form.get("note").split())[:_NOTE]
    wanted = session.proposal(
        wanted.make,
        note=note or wanted.note,
        is_trial=False,
        language=message_language(request),
        reverts=wanted.reverts,
    )
    try:
        done = await request.app.state.writer.write(wanted)
    except Violations as refused:
        return await _page(request, given | {"done": None}, problem=refused, report=refused.report.to_dict())
    except (AlreadyThere, NotFound, PreconditionFailed) as error:
        return await _page(request, given | {"done": None}, problem=error)
    return RedirectResponse(_address(request, given, done=done.change), 303, headers=PRIVATE)


def _address(request: Request, given: dict[str, Any], **more: Any) -> str:
    """The page with what was asked for, and more."""
    asked = {name: given[name] for name in ("state", "of", "page")} | more | {"lang": pages.language_of(request)}
    return f"{public_url(request)}/duplicates?{urlencode({name: value for name, value in asked.items() if value})}"


async def _page(
    request: Request, given: dict[str, Any], *, problem: KgError | None = None, report: dict[str, Any] | None = None
) -> Response:
    offset = (given["page"] - 1) * SIZE
    _, total, pairs, known = await page_of(request, given["state"], given["of"], limit=SIZE, offset=offset)
    things = [NamedNode(iri) for pair in pairs for iri in (pair.one, pair.leading)]
    names = await names_of(request, things + ([NamedNode(given["of"])] if given["of"] else []))
    last = max(1, -(-total // SIZE))
    asked = {"state": given["state"], "of": given["of"], "limit": SIZE, "offset": offset}
    return pages.page(
        request,
        "duplicates.html",
        status=problem.status if problem else 200,
        headers=PRIVATE,
        pairs=beside(pairs, known, names),
        total=total,
        state=given["state"],
        states=[(name, _address(request, given, state=name, page=None)) for name in STATES],
        of=names.of(given["of"]) if given["of"] else None,
        every=_address(request, given, of=None, page=None),
        done=given["done"],
        action=_address(request, given).replace("/duplicates?", "/duplicates/decide?"),
        here_path=_address(request, given).removeprefix(public_url(request)),
        pager=paging("", given["page"], last, lambda page: _address(request, given, page=page)),
        problem=problem,
        results=results(report["results"], names) if report else [],
        data=f"{public_url(request)}/api/duplicates?{urlencode({k: v for k, v in asked.items() if v is not None})}",
        **signed(request),
    )
