"""`/about`, `/method`, `/download`: what this is, how it is made, and how to take it away."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service import __version__
from kg_service.api import dumps, pages
from kg_service.api.addresses import public_url
from kg_service.api.parameters import read
from kg_service.errors import BeingMade, KgError
from kg_service.linked_data.addresses import Addresses
from kg_service.ontology import in_language
from kg_service.rdf import ENTITY
from kg_service.web.names import Names, Shown

#: The firmest first.
_CERTAINTIES = ("stated", "derived", "ambiguous", "inferred")


async def about(request: Request) -> Response:
    """What this is, whose it is, and what may be done with it."""
    read(request, pages.LANGUAGES)
    return pages.page(request, "about.html", version=__version__)


async def method(request: Request) -> Response:
    """How a statement gets into the graph, what its certainty means, and where the limits are."""
    read(request, pages.LANGUAGES)
    state, language = request.app.state, pages.language_of(request)
    known = {each.iri: each for scheme in state.ontology.schemes for each in scheme.concepts}
    names = Names(
        {},
        addresses=Addresses(public_url(request)),
        ontology=state.ontology,
        catalogue=pages.catalogue_of(request),
    )
    certainties = []
    for slug in _CERTAINTIES:
        concept = known.get(f"{ENTITY}certainty/{slug}")
        if concept:
            label = in_language(concept.labels, language) or slug
            shown = Shown(label, address=names.addresses.page(concept.iri), iri=concept.iri)
            certainties.append((shown, in_language(concept.definitions, language) or ""))
    return pages.page(request, "method.html", certainties=certainties)


async def download(request: Request) -> Response:
    """The files with their sizes and checksums; that they are being made where there are none yet."""
    read(request, pages.LANGUAGES)
    values: dict[str, Any] = {"index": None, "files": [], "problem": None, "folder": ""}
    headers: dict[str, str] = {}
    try:
        index = await dumps.latest_of(request, patience=0.0)
        here = f"{public_url(request)}/dumps/{index.generation}"
        values |= {"index": index, "files": [(f"{here}/{each.name}", each) for each in index.dumps], "folder": here}
    except BeingMade as error:
        headers = pages.come_again(request, error)
    except KgError as error:  # the rest of the page stands without them
        values["problem"] = error.detail
    return pages.page(request, "download.html", headers=headers, **values)
