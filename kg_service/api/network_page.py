"""`/network`: a network of the graph as a page: a picture and a table, what it is cut to, and where the data are."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import jobs_page, networks, pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.collections import PLAIN
from kg_service.api.parameters import Parameter, chosen_format, values
from kg_service.beside import at_once
from kg_service.errors import QueryStopped
from kg_service.linked_data import of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.profiles import HTML
from kg_service.network import measures, projection, selection
from kg_service.network.asking import Asker
from kg_service.network.jobs import Finished, Job
from kg_service.web.certain import SAID
from kg_service.web.network import COLOURED, SIZES, SORTS, NetworkPage
from kg_service.web.network_choices import choices_query
from kg_service.web.network_walk import LIMIT, STEPS, walk

METHODS = ["GET", "HEAD"]
_WINDOWED = ("from", "to", "at", "undated")
_SELECTING = tuple(each for each in networks.SELECTING if each.name not in ("lang", "wait"))
PARAMETERS = (
    Parameter(name="projection", description="Which network.", default="alliances"),
    *_SELECTING,
    Parameter(name="color", description="What nodes are coloured by.", allowed=COLOURED, default="community"),
    Parameter(name="size", description="What nodes are sized by.", allowed=SIZES, default="degree"),
    Parameter(name="sort", description="How the table is sorted.", allowed=SORTS, default="value"),
    Parameter(name="page", description="The page of the table.", kind="integer", least=1, most=100_000, default=1),
    Parameter(name="origin", description="Where paths begin.", kind="iri"),
    Parameter(name="destination", description="Where paths end.", kind="iri"),
    Parameter(name="against_from", description="First day, month or year of a second window."),
    Parameter(name="against_to", description="Last day, month or year of a second window."),
    Parameter(name="node", description="The node that only what is around it is shown of.", kind="thing"),
    Parameter(name="steps", description="How far around it.", kind="integer", least=1, most=STEPS, default=1),
    Parameter(name="find", description="Words in the name of a node to begin with, where there are too many ties."),
    Parameter(
        name="draw",
        description=f"What is drawn of more than {LIMIT} ties: the strongest or all; by default none.",
        allowed=("strongest", "all"),
    ),
    Parameter(
        name="conclusions",
        description="without: only ties that the documents state, if ambiguously; those chosen by certainty otherwise.",
        allowed=("with", "without"),
        default="with",
    ),
    Parameter(name="renderer", description="What draws the picture in a browser.", allowed=("canvas", "webgl")),
    pages.EMBED,
    *pages.LANGUAGES,
)


async def shown(request: Request) -> Response:
    """The page; how far it is while the network is still measured (202). Who wants JSON is led to `/api/networks`."""
    how = chosen_format(request, (HTML, PLAIN))
    # A form sends empty fields too.
    asked = values([each for each in request.query_params.multi_items() if each[1].strip()], PARAMETERS)
    asked["undated"], asked["names"] = asked["undated"] or "leave", pages.catalogue_of(request).tongues
    sent, asked = asked, asked | ({"certainty": SAID} if _is_as_said(asked) else {})
    known = networks.projections(request)
    chosen = projection.named(asked["projection"], known)
    if how is not HTML:
        return RedirectResponse(_api(request, asked), 303, headers={"Vary": "Accept"})
    parts = await at_once(*(_part(request, asked, name) for name in _wanted(asked)))
    waiting = [part for part in parts if isinstance(part, Job)]
    if waiting:
        return jobs_page.waiting(request, waiting[0])
    found = {name: part for name, part in zip(_wanted(asked), parts, strict=True) if isinstance(part, Finished)}
    state = request.app.state
    generation = max(part.generation for part in found.values())
    choosable = await _choosable(request)
    asker = Asker(state.rowfiles, state.settings.own_folder, state.settings.network_seconds)
    selected = await asker.selected(chosen, asked)

    def made() -> dict[str, Any]:
        read = {name: json.loads(part.data) for name, part in found.items()}
        walked = walk(read["drawn"], asked, is_compared="other" in read)
        return {
            "network": NetworkPage(
                asked=sent,
                chosen=chosen,
                projections=list(known),
                drawn=walked.drawn,
                walk=walked,
                whole=read.get("whole", read["drawn"]),
                other=read.get("other"),
                measured=read.get("measured"),
                compared=read.get("compared"),
                found_paths=read.get("paths"),
                choosable=choosable,
                addresses=Addresses(public_url(request)),
                ontology=state.ontology,
                catalogue=pages.catalogue_of(request),
                here=[pair for pair in request.query_params.multi_items() if pair[1].strip() and pair[0] != "page"],
                data=_api(request, asked),
                island_data=_api(request, asked | dict.fromkeys(_WINDOWED), format="drawing"),
                sparql=selection.ties_query(chosen, selected),
            ),
            "words": pages.catalogue_of(request).beginning("network.js."),
        }

    return await pages.long_page(
        request,
        "network.html",
        is_embedded=asked["embed"] == "1",
        generation=generation,
        state=tuple(part.generation for part in found.values()),
        values=made,
    )


def _is_as_said(asked: dict[str, Any]) -> bool:
    """Whether ties are wanted as the documents say them, and no certainty is chosen one by one."""
    return asked["conclusions"] == "without" and not asked["certainty"]


def _wanted(asked: dict[str, Any]) -> list[str]:
    """What the page is put together of."""
    has_window = any(asked[name] for name in ("from", "to", "at"))
    has_other = bool(asked["against_from"] or asked["against_to"])
    return [
        "drawn",
        *(["whole"] if has_window or has_other else []),
        *(["other", "compared"] if has_other else []),
        *(["measured"] if asked["size"] != "degree" else []),
        *(["paths"] if asked["origin"] and asked["destination"] else []),
    ]


async def _part(request: Request, asked: dict[str, Any], name: str) -> Finished | Job:
    """One of the answers that the page is put together of."""
    given = {each.name: asked[each.name] for each in _SELECTING} | {"lang": asked["names"]}
    measure, parameters, path = None, dict[str, Any](), ""
    window: dict[str, Any] = {}
    if name == "whole":
        window = dict.fromkeys(_WINDOWED)
    elif name == "other":
        window = {"from": asked["against_from"], "to": asked["against_to"], "at": None}
    elif name == "compared":
        path, parameters = "comparison", {"against_from": asked["against_from"], "against_to": asked["against_to"]}
    elif name == "measured":
        path = asked["size"]
    elif name == "paths":
        path, parameters = "paths", {"origin": asked["origin"], "destination": asked["destination"]}
    given |= window
    more = {key: value for key, value in parameters.items() if value is not None}
    if path:
        measure = measures.named(path)
        more |= {"limit": 100_000}
    else:
        more |= {"format": "drawing"}
    given |= {"format": "json" if path else "drawing", "limit": 100_000 if path else 0}
    return await networks.finished_or_job(
        request,
        projection.named(asked["projection"], networks.projections(request)),
        given,
        measure,
        measure.read({key: value for key, value in more.items() if key != "limit"}) if measure else {},
        url=_api(request, asked | window, path, **more),
        wait=jobs_page.PATIENCE,
    )


def _api(request: Request, asked: dict[str, Any], measure: str = "", **more: Any) -> str:
    """The same network in the API."""
    sent: list[tuple[str, Any]] = []
    for each in _SELECTING:
        value = asked[each.name]
        if each.is_many:
            sent += [(each.name, one) for one in value]
        elif value is not None and value != each.default and (each.name, value) != ("undated", "leave"):
            sent.append((each.name, value))
    sent += [("lang", ",".join(asked["names"]))] if asked["names"] != ("en",) else []
    sent += more.items()
    path = f"{public_url(request)}/api/networks/{asked['projection']}{f'/{measure}' if measure else ''}"
    return f"{path}{'?' if sent else ''}{urlencode(sent)}"


async def _choosable(request: Request) -> list[tuple[str, str, str, str]]:
    """Class, IRI, name and its language of what filters can be set to; nothing where that cannot be told in time."""
    state = request.app.state
    try:
        _, rows = await of_one_generation(
            state.readers,
            lambda asking: asking.rows(choices_query()),
            seconds=state.settings.query_seconds,
            client=client_of(request),
        )
    except QueryStopped:
        return []
    return [(r["class"].value, r["value"].value, r["name"].value, r["name"].language or "") for r in rows]
