"""`/id/…`, `/graph/…`, `/page/…`, `/data/…`, `/describe`: things by their IRIs, as pages and as data."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import origin, pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.finished import Document, Finished, sent, state_of
from kg_service.api.parameters import read
from kg_service.api.shapes import rulebook
from kg_service.api.things_asked import CHOICE, CONCLUSIONS, IRI, OF_PAGES, PAGING
from kg_service.errors import Deleted, NotFound, wrong_parameter
from kg_service.leading import records_query
from kg_service.linked_data import (
    Asking,
    Description,
    describe,
    describe_property,
    documents,
    exists,
    graphs,
    of_one_generation,
    profiles,
)
from kg_service.linked_data.addresses import Addresses, meant
from kg_service.linked_data.description import labels_of
from kg_service.linked_data.profiles import ALTERNATES, ENDINGS, FULL, HTML, MINIMAL, SCHEMA, Representation
from kg_service.linked_data.questions import Direction
from kg_service.rdf import N_QUADS, ONTOLOGY, TRIG, Format, Literal, NamedNode, Quad
from kg_service.settings import Settings
from kg_service.store.log import OpenLog
from kg_service.web import ego, whereabouts
from kg_service.web.certain import AsRead, as_read
from kg_service.web.fields import is_made
from kg_service.web.names import Names
from kg_service.web.thing import Page, queries

METHODS = ["GET", "HEAD"]
_DATA = tuple(each for each in FULL.formats if each is not HTML)
_VARY = "Accept, Accept-Profile"
#: Other entries of one actor that are shown.
_RECORDS = 20


def install(app: FastAPI) -> None:
    """Adds the doors."""
    for path, door in (
        ("/id/{path:path}", identified),
        ("/graph/{path:path}", identified),
        ("/page/{path:path}", shown),
        ("/data/{path:path}", written),
        ("/describe", described),
    ):
        app.add_route(path, pages.for_people(door), methods=METHODS, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class _Found:
    """The thing that a path means, and the format that its ending chose."""

    iri: NamedNode
    ending: str = ""


async def identified(request: Request) -> Response:
    """303 from a thing to the page or the data about it."""
    wanted = read(request, [*CHOICE, *PAGING, *OF_PAGES])
    path = _path(request)
    if number := _change(path):
        return RedirectResponse(f"{public_url(request)}/api/changes/{number}", 303, headers={"Vary": _VARY})
    found = await _found(request, path)
    chosen = _chosen(request, wanted, profiles.FULL.formats if not found.ending else _DATA)
    addresses = Addresses(public_url(request))
    if chosen.profile is ALTERNATES:
        return _alternates(request, found.iri, chosen)
    query = dict(request.query_params)
    if chosen.format is HTML:
        kept = {name: value for name, value in query.items() if name not in ("_profile", "_mediatype")}
        where = addresses.page(found.iri.value)
    else:
        of_pages = {each.name for each in OF_PAGES}
        kept = {name: value for name, value in query.items() if name not in {"_profile", "_mediatype", *of_pages}}
        if chosen.profile is not FULL:
            kept["_profile"] = chosen.profile.token
        ending = found.ending or (chosen.format.endings[0] if wanted["_mediatype"] else "")
        where = addresses.data(found.iri.value, ending)
    if kept:
        where += f"{'&' if '?' in where else '?'}{urlencode(kept)}"
    headers = {"Vary": _VARY, "Link": profiles.links(addresses, found.iri.value, chosen.profile, "describedby")}
    return RedirectResponse(where, 303, headers=headers)


async def shown(request: Request) -> Response:
    """The page about a thing."""
    wanted = read(request, [*CHOICE, *PAGING, pages.EMBED, *OF_PAGES])
    found = await _found(request, _path(request))
    if found.ending:
        return RedirectResponse(Addresses(public_url(request)).data(found.iri.value, found.ending), 303)
    return await _answer(request, found.iri, _chosen(request, wanted, (HTML,)), wanted)


async def written(request: Request) -> Response:
    """The data about a thing."""
    wanted = read(request, [*CHOICE, *PAGING])
    found = await _found(request, _path(request))
    if found.ending and wanted["_mediatype"] is None:
        wanted["_mediatype"] = found.ending
    return await _answer(request, found.iri, _chosen(request, wanted, _DATA), wanted)


async def described(request: Request) -> Response:
    """The page or the data about any IRI that the graph knows."""
    wanted = read(request, [IRI, *CHOICE, *PAGING, pages.EMBED, *OF_PAGES])
    thing = NamedNode(wanted["iri"])
    chosen = _chosen(request, wanted, profiles.FULL.formats)
    return await _answer(request, thing, chosen, wanted)


def _path(request: Request) -> str:
    """The path after the door, as it was sent, percent-encoded."""
    raw = request.scope["raw_path"].split(b"?")[0].partition(b"/")[2]
    path = quote(raw, safe="/%:@!$&'()*+,;=~-._")
    door, _, rest = path.partition("/")
    return path if door == "graph" else rest


def _change(path: str) -> int | None:
    """The number in the IRI of a change, which the log knows and not the graph."""
    kind, _, number = path.partition("/")
    return int(number) if kind == "change" and number.isascii() and number.isdigit() and len(number) < 16 else None


async def _found(request: Request, path: str) -> _Found:
    """The thing that a path means; NotFound, or Deleted, when there is none."""
    bare, dot, ending = path.rpartition(".")
    candidates = [_Found(iri) for iri in meant(path)]
    if dot and ending in ENDINGS and not bare.endswith("/"):
        candidates += [_Found(iri, ending) for iri in meant(bare)]
    if not candidates:
        raise NotFound(f"/{path} cannot be the name of a thing")
    _, found = await of_one_generation(
        request.app.state.readers,
        lambda asking: exists(asking, [each.iri for each in candidates]),
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )
    if found is None:
        raise await _ended(request, [each.iri for each in candidates])
    return next(each for each in candidates if each.iri == found)


async def _ended(request: Request, candidates: list[NamedNode]) -> NotFound:
    """The error for a thing that is not there: Deleted, with what the log knows of its end, where it was."""
    settings: Settings = request.app.state.settings
    missing = NotFound(f"nothing is said of {candidates[0].value}", iri=candidates[0].value)
    if not settings.is_writable:  # who writes there keeps no log that we know
        return missing
    opened: OpenLog = request.app.state.log

    def last() -> Deleted | None:
        with opened(None) as log:
            for iri in candidates:
                for entry in log.entries(limit=1, iri=iri.value):
                    return Deleted(
                        f"{iri.value} was deleted by change {entry.number}",
                        iri=iri.value,
                        change=entry.number,
                        time=entry.time,
                        author=entry.author,
                        note=entry.note or None,
                    )
        return None

    return await asyncio.to_thread(last) or missing


def _chosen(request: Request, wanted: dict[str, Any], among: tuple[Format, ...]) -> Representation:
    return profiles.chosen(
        accept=request.headers.get("accept", "*/*"),
        accept_profile=request.headers.get("accept-profile"),
        profile=wanted["_profile"],
        media_type=wanted["_mediatype"],
        among=among,
    )


async def _answer(request: Request, thing: NamedNode, chosen: Representation, wanted: dict[str, Any]) -> Response:
    """The representation of a thing, from those that are kept while the graph stays as it is."""
    if chosen.profile is ALTERNATES:
        return _alternates(request, thing, chosen)
    if wanted["property"] is not None and chosen.profile is not FULL:
        raise wrong_parameter("property", wanted["property"], f"values are paged in the profile {FULL.token} only")
    finished: Finished = request.app.state.finished
    state, variant = state_of(request.app.state.readers), pages.variant_of(request) if chosen.format is HTML else ()
    named = (request.url.path, request.url.query, public_url(request), variant)
    key = (state, thing, chosen.profile.token, chosen.format.name, *named)
    made = finished.get(key) if state else None
    if made is None:
        made = await _made(request, thing, chosen, wanted)
        if state:
            finished.keep(key, made)
    return sent(request, made)


async def _made(request: Request, thing: NamedNode, chosen: Representation, wanted: dict[str, Any]) -> Document:
    settings: Settings = request.app.state.settings
    addresses = Addresses(public_url(request))

    async def make(asking: Asking) -> tuple[Description, set[Quad] | _Shown]:
        description = await _description(asking, thing, chosen, wanted, addresses)
        if chosen.format is HTML:
            said = _as_read(request, description)
            is_whole = wanted["property"] is None
            return description, await _shown(request, asking, description, said) if is_whole else _Shown(said)
        if chosen.profile is SCHEMA:
            return description, await documents.in_schema_org(asking, thing, addresses)
        if chosen.profile is MINIMAL:
            return description, documents.minimal(description)
        return description, documents.about(description, addresses)

    generation, (description, made) = await of_one_generation(
        request.app.state.readers, make, seconds=settings.query_seconds, client=client_of(request)
    )
    if not description.is_subject and wanted["property"] is None:
        ended = await _ended(request, [thing])
        if isinstance(ended, Deleted) or not description.properties:
            raise ended
    headers = _headers(addresses, thing, chosen)
    if wanted["property"] is not None:
        (paged,) = description.properties
        headers["Link"] += documents.page_links(addresses, thing, paged)
    if isinstance(made, _Shown):
        return _page(request, description, generation, headers, made)
    if wanted["property"] is None:
        token = {} if chosen.profile is FULL else {"_profile": chosen.profile.token}
        headers["Content-Location"] = addresses.data(thing.value, chosen.format.endings[0], **token)
    body = documents.text(made, chosen, thing)
    return Document(body, headers | _tagged(generation, body, chosen), chosen.media_type)


def _headers(addresses: Addresses, thing: NamedNode, chosen: Representation) -> dict[str, str]:
    relation = "describedby" if chosen.format is HTML else "describes"
    return {
        "Vary": f"{_VARY}, Accept-Language" if chosen.format is HTML else _VARY,
        "Link": profiles.links(addresses, thing.value, chosen.profile, relation),
        "Content-Profile": f"<{chosen.profile.iri}>",
    }


def _tagged(generation: int, body: bytes, chosen: Representation) -> dict[str, str]:
    variant = f"{chosen.format.name} {chosen.profile.token}".encode()
    return {
        "ETag": documents.etag(generation, body + variant),
        "Cache-Control": "no-cache",
        **({"KG-Generation": str(generation)} if generation else {}),
    }


async def _description(
    asking: Asking, thing: NamedNode, chosen: Representation, wanted: dict[str, Any], addresses: Addresses
) -> Description:
    with_graphs = chosen.format in (TRIG, N_QUADS)
    if wanted["property"] is None:
        if wanted["page"] != 1:
            raise wrong_parameter("page", wanted["page"], "a page is one of a property: send property too")
        found = await describe(asking, thing, with_graphs=with_graphs)
        if more := await graphs.statements(asking, thing, addresses):
            found = replace(found or Description(thing), properties=(*more, *(found.properties if found else ())))
        return found or Description(thing)
    property, direction = NamedNode(wanted["property"]), Direction(wanted["direction"])
    found = await describe_property(asking, thing, property, direction, wanted["page"], with_graphs=with_graphs)
    if found is None:
        raise NotFound(f"{thing.value} has no statements with {property.value} in that direction", iri=thing.value)
    return found


@dataclass(frozen=True, slots=True)
class _Around:
    """What a thing is tied to, the dates of all that, and their names."""

    ties: tuple[tuple[str, Direction, str], ...] = ()
    dates: tuple[dict[str, Any], ...] = ()
    labels: dict[str, list[Literal]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a page shows of a thing: what is said of it as the reader wants that, and what is beside it."""

    said: AsRead
    around: _Around = field(default_factory=_Around)
    came: origin.Found | None = None
    #: The other entries of an actor, as they are read.
    records: tuple[Description, ...] = ()
    where: tuple[dict[str, Any], ...] = ()


async def _shown(request: Request, asking: Asking, description: Description, said: AsRead) -> _Shown:
    around = await _around(asking, said.description)
    came = await origin.found(request, asking, description)
    records = await _records(asking, description)
    if _is_as_said(request):
        records = [_as_read(request, each).description for each in records]
    return _Shown(said, around, came, tuple(records), tuple(await _where(asking, description, around)))


async def _around(asking: Asking, description: Description) -> _Around:
    direct = ego.ties(description)
    query = ego.onward_query(direct)
    ties = ego.behind(direct, await asking.rows(query) if query else [], description.iri.value)
    things = [description.iri.value, *(other for _, _, other in ties)]
    dates = await asking.rows(ego.dates_query(things))
    known = {iri: [label for _, label in names] for iri, names in description.labels.items()}
    nameless = [NamedNode(each) for each in things if each not in known]
    found = await labels_of(asking, nameless[:500]) if nameless else {}
    return _Around(
        tuple(ties), tuple(dates), known | {iri: [label for _, label in names] for iri, names in found.items()}
    )


async def _where(asking: Asking, description: Description, around: _Around) -> list[dict[str, Any]]:
    """The places of a thing, whose names are put beside those of what is around it."""
    query = whereabouts.query(description.iri)
    rows = await asking.rows(query) if query else []
    if nameless := [each for each in whereabouts.things(rows) if each.value not in around.labels]:
        found = await labels_of(asking, nameless)
        around.labels.update({iri: [label for _, label in names] for iri, names in found.items()})
    return rows


async def _records(asking: Asking, description: Description) -> list[Description]:
    """The other entries of an actor, of which it was decided that they are the same."""
    if not _is_actor(description):
        return []
    rows = await asking.rows(records_query(description.iri, _RECORDS))
    found = [await describe(asking, row["other"]) for row in rows]
    return [each for each in found if each]


def _is_actor(description: Description) -> bool:
    return any(each.value == f"{ONTOLOGY}Actor" for each in description.types)


def _is_as_said(request: Request) -> bool:
    """Whether the reader wants what the documents say, and nothing that was concluded."""
    return request.query_params.get(CONCLUSIONS.name) == "without"


def _as_read(request: Request, description: Description) -> AsRead:
    """What the reader wants of a description."""
    return as_read(description, is_as_said=_is_as_said(request))


def _is_editable(request: Request, description: Description) -> bool:
    """Whether there is a form for it."""
    rules, ontology = rulebook(request.app.state.settings), request.app.state.ontology
    return any(is_made(each.value, rules, ontology) for each in description.types)


def _page(
    request: Request, description: Description, generation: int, headers: dict[str, str], told: _Shown
) -> Document:
    addresses, language = Addresses(public_url(request)), pages.language_of(request)
    words: dict[str, Any] = {
        "addresses": addresses,
        "ontology": request.app.state.ontology,
        "catalogue": pages.catalogue_of(request),
    }
    iri, is_embedded = description.iri.value, request.query_params.get("embed") == "1"
    return pages.document(
        request,
        "card.html" if is_embedded else "thing.html",
        generation=generation,
        headers=headers,
        is_embedded=is_embedded,
        thing=Page(told.said.description, **words),
        where=whereabouts.told(told.where, request.app.state.pages.outlines, Names(told.around.labels, **words)),
        concluded=told.said.concluded,
        is_as_said=_is_as_said(request),
        origin=told.came.told(words) if told.came else None,
        ego=ego.picture(told.around.ties, told.around.dates, Names(told.around.labels, **words)),
        is_actor=_is_actor(description),
        is_editable=_is_editable(request, description),
        records=[Page(each, **words) for each in told.records],
        decision=f"{addresses.root}/duplicates?{urlencode({'state': 'accepted', 'of': iri, 'lang': language})}",
        is_part="property" in request.query_params,
        formats=list(profiles.alternates(addresses, iri)),
        history=addresses.history(iri),
        queries=[(key, text, addresses.sparql(text)) for key, text in queries(description)],
        overview=addresses.page(iri),
    )


def _alternates(request: Request, thing: NamedNode, chosen: Representation) -> Response:
    """The list of representations, as a page or as RDF."""
    addresses = Addresses(public_url(request))
    headers = _headers(addresses, thing, chosen)
    if chosen.format is HTML:
        listed = list(profiles.alternates(addresses, thing.value))
        return pages.page(request, "alternates.html", headers=headers, iri=thing.value, formats=listed)
    body = documents.text(set(profiles.listed(addresses, thing.value)), chosen, thing)
    return sent(request, Document(body, headers | _tagged(0, body, chosen), chosen.media_type))
