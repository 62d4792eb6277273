"""`/alliances/overlap`: which alliances and bodies have members in common, and since when."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import pages
from kg_service.api.explored import Reader, explored
from kg_service.api.parameters import read
from kg_service.rdf import NamedNode
from kg_service.web import overlap


async def shown(request: Request) -> Response:
    """The pairs with the most members in common, and the memberships that documents date."""
    read(request, pages.LANGUAGES)

    async def make(reader: Reader) -> dict[str, Any]:
        found = overlap.pairs(await reader.answer("alliances/overlap"))
        dated = await reader.answer("alliances/members-over-time")
        listed, times = found[: overlap.MOST], dated[: overlap.MOST]
        iris = {iri for first, second, members in listed for iri in (first, second, *members)}
        iris |= {term.value for row in times for term in row.values() if isinstance(term, NamedNode)}
        names = await reader.names(sorted(iris))
        return {
            "pairs": overlap.shown(listed, names),
            "all_pairs": len(found),
            "dated": overlap.dated(times, names),
            "all_dated": len(dated),
        }

    return await explored(request, "overlap.html", make)
