"""`/search`: what `/api/search` finds, as a page that needs no script."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import offering, pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.collections import PLAIN
from kg_service.api.languages import accepted_languages
from kg_service.api.narrowed import Facets, searched
from kg_service.api.parameters import Parameter, chosen_format, values
from kg_service.api.search import NARROWING, chosen_of, question_of
from kg_service.errors import BeingMade, Busy, QueryStopped
from kg_service.languages import place
from kg_service.linked_data import of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.profiles import HTML
from kg_service.rdf import ONTOLOGY, PREF_LABEL, PREFIXES, Literal, NamedNode
from kg_service.rulebook import compact
from kg_service.search import DEEPEST, LONGEST_QUESTION, Question
from kg_service.search.narrowing import FACETS, Tally
from kg_service.web.found import SIZE, VIEWS, Results, Source, things_query
from kg_service.web.names import Names, Shown

METHODS = ["GET", "HEAD"]
_LAST_PAGE = DEEPEST // SIZE + 1
PARAMETERS = (
    Parameter(name="q", description="What to look for."),
    Parameter(name="type", description="Only things of this class: a name of the ontology, or an IRI."),
    Parameter(name="page", description="The page.", kind="integer", least=1, most=_LAST_PAGE, default=1),
    Parameter(name="view", description="How what was found is shown.", allowed=VIEWS, default=VIEWS[0]),
    *NARROWING,
    *pages.LANGUAGES,
)
#: Seconds that a reader waits for an index, and for names where there is none.
PATIENCE, _NAMING = 0.5, 1.0
_EMPTY = ("q", "type", *FACETS)
#: Searches to begin with, and their language.
EXAMPLES = (("Iztapalapa", "es"), ("public procurement", "en"), ("économie solidaire", "fr"), ("vivienda", "es"))


async def shown(request: Request) -> Response:
    """What was found, or what to do; who wants JSON is led to `/api/search`.

    While there is no index the status is 503, and the page lists things by the names that the graph has.
    """
    how = chosen_format(request, (HTML, PLAIN))
    pairs = request.query_params.multi_items()
    # A form sends empty fields too.
    asked = values([each for each in pairs if each[1].strip() or each[0] not in _EMPTY], PARAMETERS)
    offset = (asked["page"] - 1) * SIZE
    sent = {"q": asked["q"], "type": asked["type"], "limit": SIZE, "offset": offset or None}
    sent |= {facet: asked[facet] for facet in FACETS} | {"facets": FACETS}
    data = f"{public_url(request)}/api/search?{urlencode({n: v for n, v in sent.items() if v}, doseq=True)}"
    if how is not HTML:
        return RedirectResponse(data, 303, headers={"Vary": "Accept"})
    about: dict[str, Any] = {
        "q": asked["q"] or "",
        "type": asked["type"],
        "kept": [(facet, value) for facet in FACETS for value in asked[facet]]
        + [("view", asked["view"])] * (asked["view"] != VIEWS[0]),
        "examples": EXAMPLES,
        "longest": LONGEST_QUESTION,
        "data": data,
        "view": asked["view"],
    }
    if asked["q"] is None:
        return pages.page(request, "search.html", state="empty", results=None, **about)
    tongues = pages.catalogue_of(request).tongues
    question = question_of(
        asked["q"],
        types=[asked["type"]] if asked["type"] else [],
        languages=(*tongues, *accepted_languages(request)),
        offset=offset,
        limit=SIZE,
    )
    try:
        whole = ("country",) if asked["view"] == "map" else ()
        answer, facets = await searched(request, question, chosen_of(asked), FACETS, whole=whole, patience=PATIENCE)
    except Busy as error:
        if not pages.prefers_html(request):
            raise
        wait = pages.come_again(request, error)
        if isinstance(error, BeingMade):
            about["named"] = await _named(request, question, tongues)
        return pages.page(request, "search.html", status=503, headers=wait, state="busy", results=None, **about)
    wanted = {each["reason"]["source"] for each in answer.found["data"]} - {None}
    results = Results(
        answer.found,
        await _sources(request, sorted(wanted), tongues),
        q=asked["q"],
        type=asked["type"],
        class_iri=next(iter(question.types), None),
        chosen=chosen_of(asked),
        facets=_facets(request, facets),
        view=asked["view"],
        page=asked["page"],
        last_page=_LAST_PAGE,
        addresses=Addresses(public_url(request)),
        ontology=request.app.state.ontology,
        catalogue=pages.catalogue_of(request),
    )
    asking = things_query([each["iri"] for each in answer.found["data"]])
    about |= {
        "generation_of": answer.generation,
        "is_behind": answer.is_behind,
        "sparql": asking,
        "run": Addresses(public_url(request)).sparql(asking),
        "words": pages.catalogue_of(request).beginning("map.js."),
    }
    return pages.page(request, "search.html", generation=answer.generation, state="found", results=results, **about)


async def _named(request: Request, question: Question, tongues: tuple[str, ...]) -> list[Shown] | None:
    """Things whose names hold the words just as they stand; None where finding them takes too long."""
    words, addresses = " ".join(question.text.split()), Addresses(public_url(request))
    try:
        found = await offering.named(request, question.types, words, tongues, seconds=_NAMING)
    except QueryStopped:
        return None
    return [Shown(name.value, name.language, addresses.page(iri), iri) for name, iri in found]


def _facets(request: Request, facets: Facets) -> list[tuple[str, list[tuple[Shown, str, int]]]]:
    """The facets in words: each value as it is shown, as it is sent, and how many things have it."""
    names = Names(
        facets.labels,
        addresses=Addresses(public_url(request)),
        ontology=request.app.state.ontology,
        catalogue=pages.catalogue_of(request),
    )
    words = names.catalogue.entries

    def shown(facet: str, each: Tally) -> Shown:
        if facet == "language":
            return Shown(words.get(f"home.language.{each.value}", each.value))
        return names.shown(each.thing or Literal(each.value))

    return [
        (facet, [(shown(facet, each), each.value, each.count) for each in tallies])
        for facet, tallies in facets.tallies.items()
        if tallies
    ]


async def _sources(request: Request, iris: list[str], tongues: tuple[str, ...]) -> dict[str, Source]:
    """Where the quotations and claims of a page are from; nothing where that cannot be told in time."""
    if not iris:
        return {}
    try:
        _, rows = await of_one_generation(
            request.app.state.readers,
            lambda asking: asking.rows(sources_query(iris)),
            seconds=request.app.state.settings.query_seconds,
            client=client_of(request),
        )
    except QueryStopped:  # each still leads to its quotation
        return {}
    addresses, found = Addresses(public_url(request)), dict[str, Source]()
    # The name in the reader's language comes last, the English one before it.
    rows.sort(key=lambda row: place(row["name"].language if "name" in row else None, tongues), reverse=True)
    for row in rows:
        document, name, spoken = row["document"].value, row.get("name"), row.get("language")
        text, tongue = (name.value, name.language) if name else (compact(document), None)
        shown = Shown(text, tongue, addresses.page(document), document)
        found[row["source"].value] = Source(shown, spoken.value if spoken else None)
    return found


def sources_query(iris: Iterable[str]) -> str:
    """The documents of some quotations and claims, with their names and languages."""
    source, quoted = NamedNode(PREFIXES["dcterms"] + "source"), NamedNode(ONTOLOGY + "quotedFrom")
    language = NamedNode(PREFIXES["dcterms"] + "language")
    return (
        f"SELECT ?source ?document ?language ?name {{ VALUES ?source {{ {' '.join(str(NamedNode(i)) for i in iris)} }} "
        f"?source {quoted}|{source} ?document . FILTER(isIRI(?document)) "
        f"OPTIONAL {{ ?document {language} ?language }} OPTIONAL {{ ?document {PREF_LABEL} ?name }} }}"
    )
