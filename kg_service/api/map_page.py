"""`/map`: how many actors, events or alliances are in which country."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.collections import PLAIN
from kg_service.api.parameters import Parameter, chosen_format, values
from kg_service.beside import at_once
from kg_service.linked_data import of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.asking import Asking
from kg_service.linked_data.profiles import HTML
from kg_service.web import world
from kg_service.web.rendering import read_in

METHODS = ["GET", "HEAD"]
PARAMETERS = (
    Parameter(name="kind", description="What is counted.", allowed=tuple(world.KINDS), default="event"),
    *pages.LANGUAGES,
)


async def shown(request: Request) -> Response:
    """The page; who wants JSON is led to the answer of its query."""
    how = chosen_format(request, (HTML, PLAIN))
    asked = values([pair for pair in request.query_params.multi_items() if pair[1].strip()], PARAMETERS)
    kind, catalogue, addresses = asked["kind"], pages.catalogue_of(request), Addresses(public_url(request))
    query = world.counting_query(kind, catalogue.tongues)
    if how is not HTML:
        return RedirectResponse(addresses.sparql(query), 303, headers={"Vary": "Accept"})

    async def counted(asking: Asking) -> tuple[list[dict[str, object]], int]:
        rows, sizes = await at_once(asking.rows(query), asking.rows(world.sizes_query(kind)))
        return rows, int(sizes[0]["all"].value) - int(sizes[0]["placed"].value)

    generation, (rows, without) = await of_one_generation(
        request.app.state.readers,
        counted,
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )
    asking = read_in(f"{addresses.root}/query?lang={catalogue.language}", catalogue.content) + "&"
    listed = world.countries(rows, kind, addresses, asking, catalogue.tongues)
    about = {
        "kind": kind,
        "kinds": list(world.KINDS),
        "countries": listed,
        "most": max((each.n for each in listed), default=0),
        "without": without,
        "counts": world.island_data(listed),
        "words": catalogue.beginning("map.js."),
        "sparql": query,
        "data": addresses.sparql(query),
    }
    return pages.page(request, "map.html", generation=generation, **about)
