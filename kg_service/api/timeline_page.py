"""`/timeline`: what happened when, in lanes, as a picture and a table."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import pages
from kg_service.api.explored import Reader, explored
from kg_service.api.parameters import Parameter, values
from kg_service.errors import wrong_parameter
from kg_service.lists.selection import days
from kg_service.rdf import NamedNode
from kg_service.web.timeline import LANES, LISTED, entries, picture

_FROM = Parameter(name="from", description="First day, month or year.", kind="date")
_TO = Parameter(name="to", description="Last day, month or year.", kind="date")
_LANE = Parameter(name="lane", description="What is shown.", allowed=tuple(LANES.values()), is_many=True)


async def shown(request: Request) -> Response:
    """The things that a document dates, of a period and in some lanes."""
    # A form sends empty fields too.
    sent = [each for each in request.query_params.multi_items() if each[1]]
    given = values(sent, [_FROM, _TO, _LANE, pages.EMBED, *pages.LANGUAGES])
    if given["from"] and given["to"] and days(given["from"])[0] > days(given["to"])[1]:
        raise wrong_parameter("to", given["to"], f"not before {given['from']}, where the period begins")

    async def make(reader: Reader) -> dict[str, Any]:
        rows = await reader.answer("events/timeline")
        rows = [row for row in rows if isinstance(row["thing"], NamedNode)]
        names = await reader.names({row["thing"] for row in rows})
        found = entries(rows, names, least=given["from"], most=given["to"], lanes=given["lane"])
        return {
            "found": found[:LISTED],
            "total": len(found),
            "picture": picture(found),
            "lanes": list(LANES.values()),
            "given": given,
            "lane_names": reader.catalogue.beginning("timeline.lane."),
            "words": reader.catalogue.beginning("timeline.js."),
        }

    return await explored(request, "timeline.html", make, is_embedded=given["embed"] == "1")
