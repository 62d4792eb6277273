"""`/path` and `/communities`: how two are connected, and who belongs together, each in words with its evidence."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import jobs_page, networks, pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.explored import Reader, explored
from kg_service.api.parameters import Parameter, values
from kg_service.beside import at_once
from kg_service.errors import wrong_parameter
from kg_service.linked_data import of_one_generation
from kg_service.network import measures, projection, selection
from kg_service.network.jobs import Finished, Job
from kg_service.rdf import ENTITY, NamedNode
from kg_service.web import paths

_NETWORK = Parameter(name="network", description="The network, as in /api/networks.", default="alliances")
_FROM = Parameter(
    name="from", description="Where paths begin: an IRI, or its end, such as organisation/gsef.", kind="thing"
)
_TO = Parameter(name="to", description="Where they end.", kind="thing")
_COUNT = Parameter(name="count", description="Most paths.", kind="integer", least=1, most=20, default=5)
_WITHOUT = Parameter(name="without", description="Kinds of ties that no path may use.", kind="thing", is_many=True)
_HUBS = Parameter(
    name="hubs",
    description="Nodes between with more neighbours are passed by.",
    kind="integer",
    least=0,
    most=10_000_000,
)
_RESOLUTION = Parameter(name="resolution", description="1 is usual; greater finds smaller communities.", default="1")
#: Nodes among which one can choose; communities shown.
_NODES, _MOST = 2000, 50


async def path(request: Request) -> Response:
    """The shortest paths between two nodes; with none of them, or one, the choice of the other."""
    given = _asked(request, [_NETWORK, _FROM, _TO, _COUNT, _WITHOUT, _HUBS, *pages.LANGUAGES])
    ends = {name: _iri(given[name]) for name in ("from", "to")}
    every = await _kinds(request, given["network"])
    without = {str(_iri(each)) for each in given["without"]}
    kinds = [each for each in every if each not in without] if without else []
    if without and not kinds:
        raise wrong_parameter("without", given["without"][0], "at least one kind of tie must stay")
    nodes = await _measured(request, given["network"], "degree", {}, kinds)
    if isinstance(nodes, Job):
        return jobs_page.waiting(request, nodes)
    known = {row["iri"]: row for row in json.loads(nodes.data)["data"]}
    strangers = [iri for iri in ends.values() if iri and iri not in known]
    told: dict[str, Any] = {"data": [], "meta": {"citation": ""}}
    if ends["from"] and ends["to"] and not strangers:
        if ends["from"] == ends["to"]:
            raise wrong_parameter("to", str(given["to"]), "another node than where the paths begin")
        asked = {"origin": ends["from"], "destination": ends["to"], "count": str(given["count"])}
        asked |= {"hubs": str(given["hubs"])} if given["hubs"] else {}
        found = await _measured(request, given["network"], "paths", asked, kinds)
        if isinstance(found, Job):
            return jobs_page.waiting(request, found)
        told = json.loads(found.data)

    async def make(reader: Reader) -> dict[str, Any]:
        _show_ties(request, reader, given["network"], kinds)
        choices = list(known)[:_NODES]
        named = paths.iris(told["data"]) | set(choices) | set(every) | {iri for iri in ends.values() if iri}
        names = await reader.names(sorted(named))
        return {
            "paths": paths.paths(told["data"], names),
            "ends": {name: names.of(iri) if iri else None for name, iri in ends.items()},
            "sent": {name: given[name] or "" for name in ends},
            "strangers": [names.of(iri) for iri in strangers],
            "choices": sorted(((_short(iri), names.of(iri)) for iri in choices), key=_by_name),
            "count": given["count"],
            "hubs": given["hubs"],
            "kinds": sorted(((_short(iri), names.of(iri), iri in without) for iri in every), key=_by_name),
            "picture": _picture(request, given["network"], ends, kinds),
            "passed_by": told.get("values", {}).get("passed_by", 0),
            "citation": told["meta"]["citation"],
            **_about(request, given["network"], "paths", {"origin": ends["from"], "destination": ends["to"]}, kinds),
        }

    return await explored(request, "path.html", make)


async def communities(request: Request) -> Response:
    """The communities of a network, with their members and those who tie them to others."""
    given = _asked(request, [_NETWORK, _RESOLUTION, *pages.LANGUAGES])
    asked: dict[str, str] = {"resolution": given["resolution"]}
    parts = await at_once(
        _measured(request, given["network"], "communities", asked),
        _measured(request, given["network"], "degree", {}),
        _measured(request, given["network"], None, {}),
    )
    found = []
    for part in parts:
        if isinstance(part, Job):
            return jobs_page.waiting(request, part)
        found.append(json.loads(part.data))
    groups, degrees, network = found

    async def make(reader: Reader) -> dict[str, Any]:
        _show_ties(request, reader, given["network"])
        members = {row["iri"] for row in groups["data"]}
        rows = await reader.answer("network/actor-theme")
        pairs = {(row["source"].value, row["target"].value) for row in rows if row["source"].value in members}
        names = await reader.names(sorted(members | {theme for _, theme in pairs}))
        made = paths.communities(
            groups["data"],
            {row["iri"]: row["value"] for row in degrees["data"]},
            [(each["source"], each["target"]) for each in network["edges"]],
            pairs,
            names,
        )
        return {
            "communities": made[:_MOST],
            "total": len(made),
            "values": groups["values"],
            "meta": groups["meta"],
            "resolution": given["resolution"],
            **_about(request, given["network"], "communities", asked),
        }

    return await explored(request, "communities.html", make)


def _asked(request: Request, declared: list[Parameter]) -> dict[str, Any]:
    """The values of the parameters; what a form leaves empty was not sent."""
    given = values([each for each in request.query_params.multi_items() if each[1]], declared)
    projection.named(given["network"], networks.projections(request))
    return given


async def _kinds(request: Request, network: str) -> list[str]:
    """The kinds of ties that a network has."""
    chosen = projection.named(network, networks.projections(request))
    _, rows = await of_one_generation(
        request.app.state.readers,
        lambda asking: asking.rows(selection.kinds_query(chosen)),
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )
    return [row["kind"].value for row in rows if isinstance(row.get("kind"), NamedNode)]


def _show_ties(request: Request, reader: Reader, network: str, kinds: Sequence[str] = ()) -> None:
    """Puts the query for the ties of a network among those that the page shows."""
    chosen = projection.named(network, networks.projections(request))
    filters = {"kinds": tuple(NamedNode(each) for each in kinds)} if kinds else {}
    reader.show(chosen.summary, selection.ties_query(chosen, selection.Selection(filters)).strip())


def _picture(request: Request, network: str, ends: Mapping[str, str | None], kinds: Sequence[str]) -> str:
    """Where the paths are drawn within their network."""
    sent = [("projection", network), ("lang", pages.language_of(request)), *(("kinds", each) for each in kinds)]
    sent += [(name, ends[end] or "") for name, end in (("origin", "from"), ("destination", "to"))]
    return f"{public_url(request)}/network?{urlencode(sent)}"


def _about(
    request: Request, network: str, measure: str, asked: Mapping[str, str | None], kinds: Sequence[str] = ()
) -> dict[str, Any]:
    sent = [(name, value) for name, value in asked.items() if value] + [("kinds", each) for each in kinds]
    address = f"{public_url(request)}/api/networks/{network}/{measure}"
    return {
        "network": network,
        "networks": [(each.name, each.summary) for each in networks.projections(request).values()],
        "data": f"{address}?{urlencode(sent)}" if sent else address,
    }


async def _measured(
    request: Request, network: str, measure: str | None, asked: dict[str, str], kinds: Sequence[str] = ()
) -> Finished | Job:
    """A measure of a network, or the network itself; of ties of some kinds, where they are given."""
    known = measures.named(measure) if measure else None
    given: dict[str, Any] = {each.name: each.default for each in networks.SELECTING}
    given |= {each.name: () for each in networks.SELECTING if each.is_many}
    given |= {"lang": pages.catalogue_of(request).tongues, "format": "json", "limit": 100_000 if measure else 0}
    given["kinds"] = tuple(kinds)
    sent = [*asked.items(), *(("kinds", each) for each in kinds)]
    where = f"{public_url(request)}/api/networks/{network}{f'/{measure}' if measure else ''}"
    return await networks.finished_or_job(
        request,
        projection.named(network, networks.projections(request)),
        given,
        known,
        known.read(asked) if known else {},
        url=f"{where}?{urlencode(sent)}" if sent else where,
        wait=jobs_page.PATIENCE,
    )


def _iri(text: str | None) -> str | None:
    return text if text is None or ":" in text else ENTITY + text


def _short(iri: str) -> str:
    return iri.removeprefix(ENTITY)


def _by_name(choice: tuple[Any, ...]) -> tuple[str, str]:
    return choice[1].text.casefold(), choice[0]
