"""`/ontology`, `/ontology/<term>`, `/context.jsonld`, `/profile/<token>`: what the graph is described with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service import ontology, resources
from kg_service.api import pages, problems
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.finished import Document, sent
from kg_service.api.parameters import chosen_format, read
from kg_service.api.shapes import rulebook
from kg_service.changes import rules
from kg_service.errors import NotFound, TooSlow
from kg_service.linked_data import Asking, documents, of_one_generation, profiles
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.profiles import HTML, MINIMAL, Representation
from kg_service.ontology import Ontology
from kg_service.rdf import GENID, JSON_LD, Format, NamedNode, Quad
from kg_service.settings import Settings
from kg_service.web.vocabulary import OntologyPage, Usage

METHODS = ["GET", "HEAD"]
#: The formats of the documents here; they hold one graph.
FORMATS = tuple(each for each in MINIMAL.formats if each is not profiles.JSON)
_BY_ENDING = {ending: each for each in FORMATS for ending in each.endings}


_ANSWERS: dict[int | str, Any] = {
    "200": {"description": "The document.", "content": {t: {} for f in (*FORMATS, HTML) for t in f.media_types[:1]}},
    "303": {"description": "It is at Location."},
    "304": {"description": "If-None-Match names it."},
    **problems.described(
        {
            "404": "There is no such term.",
            "406": "It cannot be written in an acceptable format; lists those that are known.",
            "414": "The address is too long.",
            "422": "A parameter is wrong; says which, and what it may be.",
            "429": "You ask more than one client may; Retry-After says when you may again.",
            "503": "The service is full, or the engine that holds the graph is away.",
        }
    ),
}


def _described(name: str, summary: str, path: dict[str, str], *, has_language: bool = True) -> dict[str, Any]:
    """A path item of the OpenAPI description; `path` are the parts of the path with an example of each."""
    parts = [
        {"name": part, "in": "path", "required": True, "schema": {"type": "string"}, "example": example}
        for part, example in path.items()
    ]
    parameters = [*parts, *([each.openapi() for each in pages.LANGUAGES] if has_language else [])]
    about = {"tags": ["ontology"], "summary": summary, "operationId": name}
    return {"get": about | {"parameters": parameters, "responses": _ANSWERS}}


#: The path items of the OpenAPI description.
OPENAPI = {
    "/ontology": _described("ontology", "The ontology: a page, or RDF by Accept", {}),
    "/ontology.{ending}": _described("ontology_document", "The ontology as RDF", {"ending": "ttl"}),
    "/ontology/{name}": _described(
        "ontology_term", "A term: leads to its place in the page or to its RDF; Event.ttl is its RDF", {"name": "Event"}
    ),
    "/profile/{token}": _described("profile", "What a profile of the data is", {"token": "sse"}),
    "/context.jsonld": _described("context", "The JSON-LD context", {}, has_language=False),
}


def install(app: FastAPI) -> None:
    """Adds the doors."""
    app.state.ontology = ontology.read(resources.folder("ontology"))
    for path, door in (
        ("/ontology", whole),
        ("/ontology.{ending}", whole),
        ("/ontology/{name:path}", term),
        ("/context.jsonld", context),
        ("/profile/{token}", profile),
        ("/.well-known/genid/{name:path}", nameless),
    ):
        app.add_route(path, pages.for_people(door), methods=METHODS, include_in_schema=False)


async def whole(request: Request) -> Response:
    """The ontology, as a page or as RDF."""
    read(request, pages.LANGUAGES)
    about: Ontology = request.app.state.ontology
    settings: Settings = request.app.state.settings
    ending = request.path_params.get("ending")
    how = _ended(ending) if ending else chosen_format(request, (*FORMATS, HTML))
    if how is not HTML:
        return _document(request, set(about.quads), how, NamedNode(ontology.IRI))
    generation, used = await _usage(request, about)

    def values() -> dict[str, Any]:
        return {
            "ontology": OntologyPage(
                about,
                rulebook(settings),
                used,
                addresses=Addresses(public_url(request)),
                catalogue=pages.catalogue_of(request),
            )
        }

    return await pages.long_page(
        request,
        "ontology.html",
        generation=generation,
        state=(rules.state(settings.own_folder), bool(used)),
        values=values,
    )


async def term(request: Request) -> Response:
    """303 from a term to its place in the page, or to its RDF; with an ending, the RDF."""
    read(request, pages.LANGUAGES)
    about: Ontology = request.app.state.ontology
    root = public_url(request)
    name = request.path_params["name"]
    if name == about.version:
        return RedirectResponse(f"{root}/ontology", 303)
    bare, dot, ending = name.rpartition(".")
    if dot and ending in _BY_ENDING:
        return _document(request, about.about(_iri(about, bare)), _BY_ENDING[ending], NamedNode(_iri(about, bare)))
    name = name.removesuffix(f"/{about.version}")
    iri = _iri(about, name)
    how = chosen_format(request, (*FORMATS, HTML))
    kept = f"?{urlencode(dict(request.query_params))}" if request.query_params and how is HTML else ""
    anchor = "" if iri in about.parts else f"#{quote(name)}"
    where = f"/ontology{kept}{anchor}" if how is HTML else f"/ontology/{quote(name)}.{how.endings[0]}"
    return RedirectResponse(root + where, 303, headers={"Vary": "Accept"})


def _iri(about: Ontology, name: str) -> str:
    """The IRI of a term, or of a part of the ontology, by its name."""
    part = f"{ontology.IRI}/{name}"
    return part if part in about.parts else about.term(name).iri


async def context(request: Request) -> Response:
    """The project's JSON-LD context."""
    read(request, [])
    body = documents.context_document()
    headers = {"ETag": documents.etag(0, body), "Cache-Control": "public, max-age=3600"}
    return sent(request, Document(body, headers, JSON_LD.media_type))


async def profile(request: Request) -> Response:
    """What a profile of ours is, as a page or as RDF."""
    read(request, pages.LANGUAGES)
    token = request.path_params["token"]
    known = {each.token: each for each in profiles.PROFILES}
    if token not in known:
        raise NotFound(f'there is no profile "{token}"; known: {", ".join(known)}')
    how = chosen_format(request, (*FORMATS, HTML))
    if how is HTML:
        return pages.page(request, "profiles.html", known=list(known.values()), token=token)
    said = {Quad(s, NamedNode(p), o) for s, p, o in profiles.tokens([known[token]])}
    return _document(request, said, how, NamedNode(known[token].iri))


async def nameless(request: Request) -> Response:
    """303 from a thing that was a blank node to what is said of it."""
    iri = GENID + request.path_params["name"]
    return RedirectResponse(f"{public_url(request)}/describe?{urlencode({'iri': iri})}", 303)


async def _usage(request: Request, about: Ontology) -> tuple[int, dict[str, Usage]]:
    """How often each term is used; nothing where counting takes too long."""
    settings: Settings = request.app.state.settings

    async def make(asking: Asking) -> dict[str, Usage]:
        rows = await asking.rows(ontology.usage(about.terms.values()))
        return {row["term"].value: Usage(int(row["uses"].value), row.get("example")) for row in rows if "term" in row}

    try:
        return await of_one_generation(
            request.app.state.readers, make, seconds=settings.query_seconds, client=client_of(request)
        )
    except TooSlow:
        return request.app.state.readers.generation, {}


def _ended(ending: str) -> Format:
    if ending not in _BY_ENDING:
        raise NotFound(f"the ontology is not written as .{ending}; known: {', '.join(_BY_ENDING)}")
    return _BY_ENDING[ending]


def _document(request: Request, quads: set[Quad], how: Format, first: NamedNode) -> Response:
    body = _written(frozenset(quads), how.name, first.value)
    headers = {
        "Vary": "Accept",
        "ETag": documents.etag(0, body + how.name.encode()),
        "Cache-Control": "no-cache",
    }
    return sent(request, Document(body, headers, how.media_type))


@lru_cache(16)
def _written(quads: frozenset[Quad], how: str, first: str) -> bytes:
    known = next(each for each in FORMATS if each.name == how)
    return documents.text(set(quads), Representation(MINIMAL, known), NamedNode(first))
