"""`/history`: the changes of the graph for people, each with what came and went, and how to undo it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.changes import from_log
from kg_service.api.clients import client_of
from kg_service.api.forms import form_of
from kg_service.api.parameters import Parameter, read
from kg_service.api.sessions import Session, Sessions
from kg_service.api.signing_in import PRIVATE, signed
from kg_service.api.writing import language as message_language
from kg_service.changes import Committed, Present, Proposal, history
from kg_service.errors import NotFound, QueryStopped, Violations
from kg_service.linked_data import of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.description import labels_of
from kg_service.rdf import Literal, NamedNode, Quad
from kg_service.store import Delta
from kg_service.store.log import ChangeLog, Entry
from kg_service.store.patches import Patch
from kg_service.web.changed import difference, mentioned, names_in, picked, results
from kg_service.web.names import Names

METHODS = ["GET", "HEAD"]
#: Changes on one page.
SIZE = 25
_MOST = 2**62
#: Changes of which is kept what is shown of them.
_KEPT = 32
_OF = Parameter(name="of", description="Only changes of this thing or graph.", kind="iri")
_LIST = (
    *pages.LANGUAGES,
    _OF,
    Parameter(name="author", description="Only changes by this author."),
    Parameter(name="below", description="Changes before this one.", kind="integer", least=1, most=_MOST),
)


async def listed(request: Request) -> Response:
    """The changes, latest first: all, or those of one thing or author."""
    given = read(request, _LIST)

    def find(log: ChangeLog) -> list[Entry]:
        return log.entries(below=given["below"], limit=SIZE + 1, iri=given["of"], author=given["author"])

    found = await from_log(request, find)
    entries, asked = found[:SIZE], {name: given[name] for name in ("of", "author") if given[name]}
    older = {"below": str(entries[-1].number)} if len(found) > SIZE else None
    root, lang = public_url(request), {"lang": pages.language_of(request)}
    names = await names_of(request, [NamedNode(given["of"])] if given["of"] else [])
    return pages.page(
        request,
        "history.html",
        headers=PRIVATE,
        changes=[history.summary(each) for each in entries],
        of=names.shown(NamedNode(given["of"])) if given["of"] else None,
        author=given["author"],
        below=given["below"],
        older=f"{root}/history?{urlencode(asked | older | lang)}" if older else None,
        newest=f"{root}/history?{urlencode(asked | lang)}",
        every=f"{root}/history?{urlencode(lang)}",
        data=f"{root}/api/changes{'?' if asked else ''}{urlencode(_as_sent(asked))}",
        **signed(request),
    )


def _as_sent(asked: dict[str, str]) -> dict[str, str]:
    """The same for `/api/changes`, which calls a thing an entity."""
    return {"entity" if name == "of" else name: value for name, value in asked.items()}


async def shown(request: Request) -> Response:
    """One change: who, when, why, what came and what went."""
    given = read(request, [*pages.LANGUAGES, _OF])
    number = min(request.path_params["number"], _MOST)
    entry = await from_log(request, lambda log: history.known_entry(log, number))
    return await _page(request, entry, await _did(request, entry, given["of"]), of=given["of"])


async def reverted(request: Request) -> Response:
    """Undoes a change: tried out first, and made when that was seen and confirmed."""
    read(request, pages.LANGUAGES)
    sessions: Sessions = request.app.state.sessions
    form = await form_of(request, 2**16)
    session = sessions.check(request, form)
    step = form.one_of("step", ("try", "make"))
    entry, patch, left_out = await _change(request, request.path_params["number"])
    note = " ".join(form.get("note").split())[:500]
    try:
        done = await request.app.state.writer.write(
            _undoing(request, entry.number, session, note, is_trial=step == "try")
        )
    except Violations as refused:
        undone = await asyncio.to_thread(_Did.of, patch.inverse, left_out)
        return await _page(request, entry, undone, trial=refused.report.to_dict(), note=note)
    if step == "make" and done.change:
        address = f"{public_url(request)}/history/{done.change}?lang={pages.language_of(request)}"
        return RedirectResponse(address, 303, headers=PRIVATE)
    undone = await asyncio.to_thread(_Did.of, patch.inverse, left_out)
    return await _page(request, entry, undone, trial=done.report.to_dict(), done=done, note=note)


def _undoing(request: Request, number: int, session: Session, note: str, *, is_trial: bool) -> Proposal:
    def make(store: Present) -> Delta:
        what = store.log.patch(number)
        if what is None:
            raise NotFound(f"there is no change {number}")
        return what.inverse

    return session.proposal(
        make,
        note=note or f"reverts change {number}",
        is_trial=is_trial,
        language=message_language(request),
        reverts=number,
    )


async def _change(request: Request, number: int) -> tuple[Entry, Patch, int]:
    """A change and what it did, of which so many statements are left out."""

    def find(log: ChangeLog) -> tuple[Entry, Patch, int]:
        entry = history.known_entry(log, min(number, _MOST))
        return entry, *history.told(log, entry)

    return await from_log(request, find)


@dataclass(frozen=True, slots=True)
class _Did:
    """What a page shows of a change: statements with their signs, how many more there are, and names that it gave."""

    quads: list[tuple[str, Quad]]
    left_out: int
    names: dict[str, list[Literal]]

    @classmethod
    def of(cls, delta: Delta, beyond: int, about: str | None = None) -> _Did:
        """Of a change of which `beyond` more statements are not told here; all of it, or what is about one thing."""
        quads, left_out = picked(delta, about)
        shown = {str(getattr(term, "value", "")) for _, quad in quads for term in (quad.subject, quad.object)}
        return cls(quads, left_out + beyond, {iri: each for iri, each in names_in(delta).items() if iri in shown})


class Kept:
    """What was shown of changes, which stay as they are; the least recently seen go first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, str, str | None], _Did] = OrderedDict()

    def get(self, entry: Entry, about: str | None) -> _Did | None:
        key = entry.number, entry.time, about
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def keep(self, entry: Entry, about: str | None, did: _Did) -> None:
        self._kept[entry.number, entry.time, about] = did
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


async def _did(request: Request, entry: Entry, about: str | None) -> _Did:
    """What a change did, in all or to one thing: read once, for one may have a hundred thousand statements."""
    kept: Kept = request.app.state.changes_shown
    did = kept.get(entry, about)
    if did is None:

        def find(log: ChangeLog) -> _Did:
            patch, beyond = history.told(log, entry)
            return _Did.of(patch.delta, beyond, about)

        did = await from_log(request, find)
        kept.keep(entry, about, did)
    return did


async def _page(
    request: Request,
    entry: Entry,
    did: _Did,
    *,
    of: str | None = None,
    trial: dict[str, Any] | None = None,
    done: Committed | None = None,
    note: str = "",
) -> Response:
    names = await names_of(request, mentioned(did.quads), did.names)
    about, root = history.summary(entry), public_url(request)
    return pages.page(
        request,
        "change.html",
        status=422 if trial and done is None else 200,
        headers=PRIVATE,
        change=about,
        difference=difference(did.quads, did.left_out, names),
        of=names.shown(NamedNode(of)) if of else None,
        results=results((trial or entry.outcome)["results"], names),
        is_trial=trial is not None,
        is_refused=trial is not None and done is None,
        is_idle=done is not None and not done.added and not done.removed,
        note=note,
        here_path=f"/history/{entry.number}",
        data=f"{root}/api/changes/{entry.number}",
        **signed(request),
    )


async def names_of(
    request: Request, things: Iterable[NamedNode], known: dict[str, list[Literal]] | None = None
) -> Names:
    """The names of things in the reader's language; `known` are names that the graph may not have."""
    labels: dict[str, list[Literal]] = dict(known or {})
    if wanted := list(things):
        with suppress(QueryStopped):  # each thing is shown by its IRI then
            _, found = await of_one_generation(
                request.app.state.readers,
                lambda asking: labels_of(asking, wanted),
                seconds=request.app.state.settings.query_seconds,
                client=client_of(request),
            )
            labels |= {iri: [label for _, label in each] for iri, each in found.items()}
    return Names(
        labels,
        addresses=Addresses(public_url(request)),
        ontology=request.app.state.ontology,
        catalogue=pages.catalogue_of(request),
    )
