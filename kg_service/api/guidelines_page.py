"""`/guidelines`: a territory assesses itself against the guidelines; all of it is in the address, nothing is kept.

Who has signed in can keep the answers in the graph, by `/guidelines/keep`, which tries them out first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service import guidelines
from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.explored import Reader, explored
from kg_service.api.forms import form_of
from kg_service.api.guidelines import blocks_of, replacing, territory_of
from kg_service.api.history_pages import names_of
from kg_service.api.parameters import Parameter, values
from kg_service.api.sessions import Sessions
from kg_service.api.signing_in import PRIVATE, signed
from kg_service.api.writing import language as message_language
from kg_service.errors import Violations, wrong_parameter
from kg_service.guidelines import Answer, Block
from kg_service.rdf import NamedNode
from kg_service.web.changed import results
from kg_service.web.guidelines import LONGEST, AssessmentPage, Given, short, slug_of, territories

_TERRITORY = Parameter(name="territory", description="The place that is assessed: its IRI, or its last part.")
_VIEW = Parameter(name="view", description="The form, or a report to be printed.", allowed=("form", "report"))
#: Places among which one can choose by the form; the address takes any.
_MOST = 1000
_PLACES = f"SELECT ?place {{ ?place a <https://w3id.org/sse-kg/ontology#Place> }} ORDER BY ?place LIMIT {_MOST}"


async def shown(request: Request) -> Response:
    """The choice of a territory; with one its evidence, its answers and its scores."""
    known, _ = await blocks_of(request)
    asked = _asked(request, known, [_TERRITORY, _VIEW, pages.EMBED, *pages.LANGUAGES])
    given = _given(asked, known)
    territory = (await territory_of(request, asked["territory"]))[0] if asked["territory"] else None

    async def make(reader: Reader) -> dict[str, Any]:
        evidence = [_texts(row) for row in await reader.answer("guidelines/evidence-by-place")]
        kept = [_texts(row) for row in await reader.answer("guidelines/own-answers")]
        places = [
            row["place"].value for row in await reader.asking.rows(_PLACES) if isinstance(row["place"], NamedNode)
        ]
        things = {row[name] for row in evidence for name in ("place", "kind")} | {
            *places,
            *(each.iri for each in known),
        }
        things |= {row["thing"] for row in evidence if row["place"] == territory}
        names = await reader.names(sorted(things))
        about = {"places": territories(places, evidence, names), "view": asked["view"] or "form", "longest": LONGEST}
        if territory is None:
            return about | {"page": None, "known": [names.of(each.iri) for each in known]}
        sent = [
            {"place": territory, "block": block.iri, "value": str(each.value), "words": each.words, "year": ""}
            for block in known
            if (each := given.get(slug_of(block))) and each.value is not None
        ]
        told = guidelines.assessment(known, evidence, [*kept, *sent], territory)
        return about | {"page": AssessmentPage(told, known, given, territory, names)}

    if asked["embed"] == "1" and (territory is None or asked["view"] != "report"):
        raise wrong_parameter("embed", "1", "a report of a territory can be shown within a page: view=report")
    return await explored(request, "guidelines.html", make, is_embedded=asked["embed"] == "1")


async def keep(request: Request) -> Response:
    """Keeps the answers of the address for who has signed in: tried out first, then made."""
    form, session = None, None
    if request.method == "POST":
        sessions: Sessions = request.app.state.sessions
        form = await form_of(request, 2**16)
        session = sessions.check(request, form)
    known, _ = await blocks_of(request)
    asked = _asked(request, known, [_TERRITORY, *pages.LANGUAGES])
    given = _given(asked, known)
    territory, label, _ = await territory_of(request, asked["territory"] or "")
    if not given or any(each.value is None or not each.words for each in given.values()):
        raise wrong_parameter("words", "", "each answer that is kept needs a number and the words that say why")
    language, year = pages.language_of(request), datetime.now(UTC).year
    answers = [
        Answer(block.iri, each.value or 0, each.words, year, language)
        for block in known
        if (each := given.get(slug_of(block)))
    ]
    about: dict[str, Any] = {"report": None, "is_refused": False}
    if form and session:
        is_trial = form.one_of("step", ("try", "make")) == "try"
        wanted = session.proposal(
            replacing(territory, label, known, answers),
            note=f"self-assessment of {label}",
            is_trial=is_trial,
            language=message_language(request),
        )
        try:
            done = await request.app.state.writer.write(wanted)
            about["report"] = done.report.to_dict()
        except Violations as refused:
            about = {"report": refused.report.to_dict(), "is_refused": True}
        if not is_trial and not about["is_refused"]:
            where = f"/history/{done.change}" if done.change else "/history"
            return RedirectResponse(f"{public_url(request)}{where}?lang={language}", 303, headers=PRIVATE)
    names = await names_of(request, [NamedNode(territory), *(NamedNode(each.iri) for each in known)])
    found = results(about["report"]["results"], names) if about["report"] else []
    return pages.page(
        request,
        "guidelines-keep.html",
        status=422 if about["is_refused"] else 200,
        headers=PRIVATE,
        territory=names.of(territory),
        answers=[(names.of(each.block), each) for each in answers],
        is_trial=about["report"] is not None,
        is_refused=about["is_refused"],
        results=found,
        onward=f"/guidelines/keep?{request.url.query}",
        back=f"{public_url(request)}/guidelines?{request.url.query}",
        place=short(territory),
        **signed(request),
    )


def _asked(request: Request, known: Sequence[Block], declared: Sequence[Parameter]) -> dict[str, Any]:
    """The values of the parameters, two for each block among them; what a form leaves empty was not sent."""
    own = [
        each
        for block in known
        for each in (
            Parameter(name=slug_of(block), description=block.label, kind="integer", least=0, most=4),
            Parameter(name=f"{slug_of(block)}-words", description=f"{block.label}: why"),
        )
    ]
    pairs = [(name, " ".join(text.split()) if name.endswith("-words") else text) for name, text in _sent(request)]
    found = values([each for each in pairs if each[1]], [*declared, *own])
    for name, text in found.items():
        if name.endswith("-words") and text and len(text) > LONGEST:
            raise wrong_parameter(name, text[:80], f"at most {LONGEST} characters")
    return found


def _sent(request: Request) -> list[tuple[str, str]]:
    return request.query_params.multi_items()


def _given(asked: dict[str, Any], known: Sequence[Block]) -> dict[str, Given]:
    """The answers that were sent, by the slug of their block."""
    found = {slug_of(block): Given(asked[slug_of(block)], asked[f"{slug_of(block)}-words"] or "") for block in known}
    return {slug: each for slug, each in found.items() if each.value is not None or each.words}


def _texts(row: dict[str, Any]) -> dict[str, str]:
    columns = ("block", "place", "place_label", "kind", "thing", "thing_label", "value", "year", "words")
    return {name: row[name].value if name in row else "" for name in columns}
