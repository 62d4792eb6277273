"""`/contribute`: things made, edited and tied together by forms that the shapes ask for.

What was typed is tried out first: the page shows what would change and what the shapes say, beside the fields. It is
made when it is sent again unchanged, and nobody has changed the thing meanwhile.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service import contributions, entities
from kg_service.api import offering, pages
from kg_service.api.addresses import public_url
from kg_service.api.changes import from_log
from kg_service.api.clients import client_of
from kg_service.api.forms import form_of
from kg_service.api.history_pages import names_of
from kg_service.api.parameters import Parameter, read
from kg_service.api.search import question_of
from kg_service.api.sessions import Session, Sessions
from kg_service.api.shapes import rulebook
from kg_service.api.signing_in import PRIVATE, signed
from kg_service.api.sources import text_of
from kg_service.api.writing import language as message_language
from kg_service.changes import Committed, Present
from kg_service.errors import Busy, Malformed, NotFound, PreconditionFailed, Violations, wrong_parameter
from kg_service.evidence import Source
from kg_service.linked_data import of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.ontology import TONGUES
from kg_service.rdf import ENTITY, RDF_TYPE, Literal, NamedNode, Quad, Term, sse
from kg_service.rulebook import compact
from kg_service.store import Delta
from kg_service.web.changed import difference, mentioned, names_in, picked, results
from kg_service.web.entity_form import Draft, best_class, report_by_path
from kg_service.web.fields import DASH, FormClass, Forms, choice, thing_named

METHODS = ["GET", "HEAD", "POST"]
#: Bytes of a form; characters of a note; things that a search shows.
_MOST, _NOTE, _FOUND = 2**20, 500, 20
_CLASS = Parameter(name="class", description="The class: a name of the ontology.", is_required=True)
_FROM = Parameter(name="from", description="A thing to fill in where it fits.", kind="iri")
_IRI = Parameter(name="iri", description="The thing.", kind="iri", is_required=True)
_Q = Parameter(name="q", description="What to look for, to edit it.")
#: The fields of a form that are about the form, or the evidence.
_EVIDENCE = ("document", "words", "occurrence", "certainty", "rationale", "rationale-lang")
_CERTAINTIES = [NamedNode(f"{ENTITY}certainty/{each}") for each in contributions.CERTAINTIES]


@dataclass(slots=True)
class _Work:
    """A form being worked on: about which thing of which class, with what typed, and what was found wrong."""

    kind: FormClass
    draft: Draft
    thing: NamedNode | None = None
    #: The number of the last change of the thing when it was read.
    version: int = 0
    evidence: dict[str, str] = field(default_factory=dict)
    note: str = ""
    problems: dict[str, str] = field(default_factory=dict)
    report: dict[str, Any] | None = None
    delta: Delta | None = None
    tried: str = ""
    is_refused: bool = False
    is_idle: bool = False

    @property
    def digest(self) -> str:
        return self.draft.digest(str(self.version), self.note, *(self.evidence.get(each, "") for each in _EVIDENCE))


async def start(request: Request) -> Response:
    """The classes that something can be made of, and a search for what is to be edited."""
    given = read(request, [*pages.LANGUAGES, _Q])
    hits, is_busy = [], False
    if given["q"] and given["q"].strip():
        try:
            question = question_of(
                given["q"], types=(), languages=pages.catalogue_of(request).tongues, offset=0, limit=_FOUND
            )
            hits = (await request.app.state.search.find(question, client_of(request))).found["data"]
        except Busy:
            is_busy = True
    names = await names_of(request, [])
    return pages.page(
        request,
        "contribute.html",
        headers=PRIVATE,
        classes=Forms(rulebook(request.app.state.settings), names).classes(),
        q=given["q"] or "",
        hits=[(each["label"] or compact(each["iri"]), each["language"], each["iri"], each["types"]) for each in hits],
        is_busy=is_busy,
        **signed(request),
    )


async def make(request: Request) -> Response:
    """The form for a new thing; after POST what would be made, or the thing itself."""
    given = read(request, [*pages.LANGUAGES, _CLASS, _FROM])
    names = await names_of(request, [])
    forms = Forms(rulebook(request.app.state.settings), names)
    known = {each.iri.rpartition("#")[2]: each for each in forms.classes()}
    if given["class"] not in known:
        raise wrong_parameter("class", given["class"], f"one of: {', '.join(sorted(known))}")
    kind = known[given["class"]]
    work = _Work(kind, Draft(forms.fields(kind.iri), {}))
    if given["from"] and request.method != "POST":
        await _offer(request, work.draft, given["from"])
    return await _worked(request, work)


async def _offer(request: Request, draft: Draft, iri: str) -> None:
    """Fills a thing in where its classes fit."""
    said = await _said(request, NamedNode(iri))
    types = {quad.object.value for quad in said if quad.predicate == RDF_TYPE and isinstance(quad.object, NamedNode)}
    fitting = [each for each in draft.fields if each.kind == "thing" and types & set(each.classes)]
    if fitting:
        draft.offer(iri, min(fitting, key=lambda each: each.need != "must"))


async def edit(request: Request) -> Response:
    """The form with what the graph says of a thing; after POST what would change, or the change itself."""
    given = read(request, [*pages.LANGUAGES, _IRI])
    thing = NamedNode(given["iri"])
    # Before what is said: a change in between is noticed, not overwritten.
    version = await from_log(request, lambda log: log.last_about(thing.value))
    said = await _said(request, thing)
    if not said:
        raise NotFound(f"nothing is said of {thing}")
    names = await names_of(request, [thing])
    forms = Forms(rulebook(request.app.state.settings), names)
    made = {each.iri: len(each.given) for each in forms.classes()}
    types = [quad.object.value for quad in said if quad.predicate == RDF_TYPE and isinstance(quad.object, NamedNode)]
    chosen = best_class(types, made)
    if chosen is None:
        raise wrong_parameter("iri", given["iri"], "a thing of a class that has a form; /contribute lists them")
    values: dict[str, list[Term]] = defaultdict(list)
    for quad in said:
        if quad.object not in values[quad.predicate.value]:
            values[quad.predicate.value].append(quad.object)
    work = _Work(forms.form_class(chosen), Draft(forms.fields(chosen), values), thing, version)
    return await _worked(request, work)


async def _said(request: Request, thing: NamedNode) -> list[Quad]:
    """What all graphs say of a thing."""
    rows = await _asked(request, entities.statements(thing, None))
    return [Quad(thing, row["property"], row["value"], row["graph"]) for row in rows]


async def _asked(request: Request, query: str) -> list[dict[str, Any]]:
    _, rows = await of_one_generation(
        request.app.state.readers,
        lambda asking: asking.rows(query),
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )
    return rows


async def _worked(request: Request, work: _Work) -> Response:
    """The form as it is, or what becomes of it when it was sent."""
    if request.method != "POST":
        return await _shown(request, work)
    sessions: Sessions = request.app.state.sessions
    form = await form_of(request, _MOST)
    session = sessions.check(request, form)
    more = form.get("more") or None
    work.draft.sent(form.fields, more)
    work.evidence = {name: form.get(name).strip() for name in _EVIDENCE}
    work.note = " ".join(form.get("note").split())[:_NOTE]
    sent_version = form.get("version")
    if work.thing and sent_version.isdecimal() and int(sent_version[:18]) != work.version:
        work.problems["form"] = "changed"
        return await _shown(request, work, status=409)
    if more:
        return await _shown(request, work)
    if not work.draft.is_understood:
        work.problems["form"] = "values"
        return await _shown(request, work, status=422)
    is_tried = form.get("step") == "make" and secrets.compare_digest(form.get("tried").encode(), work.digest.encode())
    return await _tried(request, work, session, is_trial=not is_tried)


async def _tried(request: Request, work: _Work, session: Session, *, is_trial: bool) -> Response:
    """Tries the change out, or makes it."""
    thing = work.thing or _named(work)
    try:
        proved = await _evidence(request, work)
    except Malformed as error:
        work.problems["evidence"] = error.detail
        return await _shown(request, work, status=422)
    about = await _asked(request, contributions.claims(thing)) if work.thing else []

    def change(store: Present) -> Delta:
        said = list(store.about(thing))
        if work.thing and store.last_about(thing.value) != work.version:
            raise PreconditionFailed(f"{thing} was changed meanwhile")
        if not work.thing and said:
            raise Malformed(f"{thing} is there already")
        wanted: dict[str, set[Term]] = dict(work.draft.wanted)
        if not work.thing:
            for property, value in work.kind.given:
                wanted.setdefault(property.value, set()).add(value)
        delta = contributions.without_claims(contributions.edited(thing, said, wanted), about)
        if proved:
            source, span, certainty, rationale = proved
            claimed = contributions.evidenced(delta.added, source, span, certainty=certainty, rationale=rationale)
            delta = Delta(delta.added | claimed, delta.removed)
        work.delta = delta
        return delta

    proposal = session.proposal(change, note=work.note, is_trial=is_trial, language=message_language(request))
    try:
        done: Committed = await request.app.state.writer.write(proposal)
    except Violations as refused:
        work.report, work.is_refused = refused.report.to_dict(), True
        return await _shown(request, work, thing, status=422)
    except PreconditionFailed:
        work.problems["form"] = "changed"
        work.version = await from_log(request, lambda log: log.last_about(thing.value))
        return await _shown(request, work, status=409)
    except Malformed:
        work.problems["form"] = "there"
        return await _shown(request, work, thing, status=409)
    if not is_trial and done.change:
        address = f"{public_url(request)}/history/{done.change}?lang={pages.language_of(request)}"
        return RedirectResponse(address, 303, headers=PRIVATE)
    work.report, work.is_idle = done.report.to_dict(), not (done.added or done.removed)
    work.tried = "" if work.is_idle else work.digest
    return await _shown(request, work, thing)


def _named(work: _Work) -> NamedNode:
    """The IRI of a new thing: its name, else what it is made of, at the end of the addresses of its class."""
    names = work.draft.names()
    slug = entities.slug(names[0].value)[:80].strip("-") if names else ""
    return NamedNode(f"{work.kind.begin}{slug or work.draft.digest()[:12]}")


async def _evidence(request: Request, work: _Work) -> tuple[Source, tuple[int, int], str, Literal | None] | None:
    """The passage that what is added rests on, if one is named; Malformed says what is wrong."""
    told = work.evidence
    if not told["words"] and not told["document"]:
        return None
    if not told["words"] or not told["document"]:
        raise Malformed("evidence needs both, the document and its words")
    document = thing_named(told["document"])
    if document is None:
        raise Malformed("choose a document from the list, or give its address")
    text = await text_of(request, document)
    if text is None:
        raise Malformed("the text of this document is not kept here, so that the words cannot be found in it")
    if told["certainty"] not in contributions.CERTAINTIES:
        raise Malformed("choose how certain it is")
    occurrence = int(told["occurrence"]) if told["occurrence"].isdecimal() and len(told["occurrence"]) < 6 else 1
    span = await asyncio.to_thread(contributions.passage, told["words"], text, max(1, occurrence))
    language = told["rationale-lang"] if told["rationale-lang"] in TONGUES else "en"
    rationale = Literal(told["rationale"], language=language) if told["rationale"] else None
    return Source(document, text), span, told["certainty"], rationale


async def _shown(request: Request, work: _Work, thing: NamedNode | None = None, *, status: int = 200) -> Response:
    """The form with everything that is to be said of it."""
    thing = thing or work.thing
    quads, left_out = picked(work.delta) if work.delta and work.report else ([], 0)
    known = names_in(work.delta) if work.delta else {}
    values = [term for terms in work.draft.wanted.values() for term in terms if isinstance(term, NamedNode)]
    names = await names_of(request, {*mentioned(quads), *values, *_CERTAINTIES, *([thing] if thing else [])}, known)
    found = results(work.report["results"], names) if work.report else []
    own, others = report_by_path(found, thing) if thing else ([], found)
    lists = await offering.lists(request, work.draft.fields, names.catalogue.tongues, also=[sse("Document")])
    here = (
        f"/contribute/edit?iri={_quoted(work.thing.value)}"
        if work.thing
        else (f"/contribute/new?class={work.kind.iri.rpartition('#')[2]}")
    )
    return pages.page(
        request,
        "entity-form.html",
        status=status,
        headers=PRIVATE,
        work=work,
        thing=names.shown(thing) if thing else None,
        is_new=work.thing is None,
        fields=work.draft.filled(own, names),
        others=others,
        found=found,
        difference=difference(quads, left_out, names) if quads else None,
        lists=lists,
        tongues=TONGUES,
        dash=DASH,
        certainties=[names.of(each.value) for each in _CERTAINTIES],
        here_path=here,
        history=Addresses(public_url(request)).history(work.thing.value) if work.thing else None,
        offered=offering.OFFERED,
        choice=choice,
        **signed(request),
    )


def _quoted(iri: str) -> str:
    return urlencode({"": iri})[1:]
