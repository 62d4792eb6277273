"""`/api/duplicates`: entries that may be one actor, and what people decide of them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.responses import JSONResponse

from kg_service.api.addresses import public_url
from kg_service.api.changes import committed, from_log
from kg_service.api.clients import client_of
from kg_service.api.parameters import Parameter, read
from kg_service.api.problems import described
from kg_service.api.writing import ANSWERS, PARAMETERS, body_of, check_generation, may_write, proposal
from kg_service.changes import Present, Proposal
from kg_service.errors import Malformed, wrong_parameter
from kg_service.identity import Actor, candidates, deciding
from kg_service.identity.reading import some
from kg_service.linked_data import of_one_generation
from kg_service.linked_data.asking import Asking
from kg_service.rdf import NamedNode
from kg_service.store import Delta

router = APIRouter(prefix="/api/duplicates", tags=["duplicates"])
_MOST = 1_000_000
STATE = Parameter(
    name="state",
    description="Pairs that wait for a decision, or on which somebody has decided.",
    allowed=candidates.STATES,
    default=candidates.STATES[0],
)
OF = Parameter(name="of", description="Only pairs of this entry.", kind="iri")
_LIST = (
    STATE,
    OF,
    Parameter(name="limit", description="Pairs of a page.", kind="integer", default=25, least=1, most=100),
    Parameter(name="offset", description="Pairs before this page.", kind="integer", default=0, least=0, most=_MOST),
)
#: Bytes of a decision.
_LONGEST = 16_384
_NOTHING_NEW: dict[int | str, dict[str, Any]] = {
    "200": {"description": "It changed nothing, or was only judged.", "content": {"application/json": {}}}
}
_OTHERWISE = {
    "404": "The graph does not know one of the entries, or there is no decision to be undone.",
    "409": "The pair was decided on otherwise; undo that first.",
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["decision", "one", "other"],
                    "properties": {
                        "decision": {"type": "string", "enum": list(deciding.DECISIONS)},
                        "one": {"type": "string", "format": "iri"},
                        "other": {"type": "string", "format": "iri"},
                        "leading": {"type": "string", "format": "iri", "description": "The one of both that leads."},
                    },
                },
                "example": {
                    "decision": "accept",
                    "one": "https://w3id.org/sse-kg/id/organisation/gsef",
                    "other": "https://w3id.org/sse-kg/id/organisation/global-social-economy-forum",
                },
            }
        },
    },
    "parameters": PARAMETERS,
}


@router.get("", summary="Entries that may be one actor", openapi_extra={"parameters": [p.openapi() for p in _LIST]})
async def listed(request: Request) -> Response:
    """Pairs with the likelihood that they are one, each feature with the bits that it adds or takes, and what is
    compared of both; the likeliest first. `leading` is the entry that would lead."""
    given = read(request, _LIST)
    generation, total, pairs, known = await page_of(
        request, given["state"], given["of"], limit=given["limit"], offset=given["offset"]
    )
    data = [_told(pair, known) for pair in pairs]
    meta = {"count": len(data), "total": total, "generation": generation}
    meta |= {"limit": given["limit"], "offset": given["offset"]}
    following = given["offset"] + len(data)
    url = request.url.include_query_params(offset=following)
    here = public_url(request) + request.url.path
    links = {"next": f"{here}?{url.query}" if data and following < total else None}
    return JSONResponse({"data": data, "meta": meta, "links": links}, headers={"KG-Generation": str(generation)})


async def page_of(
    request: Request, state: str, of: str | None, *, limit: int, offset: int
) -> tuple[int, int, list[candidates.Pair], dict[str, Actor]]:
    """Generation, number of all pairs, some of them, and what is known of their entries."""

    async def find(asking: Asking) -> tuple[int, list[candidates.Pair], dict[str, Actor]]:
        total, pairs = await candidates.listed(asking.rows, state, of=of, limit=limit, offset=offset)
        return total, pairs, await some(asking.rows, (iri for pair in pairs for iri in (pair.one, pair.leading)))

    generation, (total, pairs, known) = await of_one_generation(
        request.app.state.readers,
        find,
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )
    return generation, total, pairs, known


def _told(pair: candidates.Pair, known: dict[str, Actor]) -> dict[str, Any]:
    return {
        "one": _entry(known[pair.one]),
        "leading": _entry(known[pair.leading]),
        "state": pair.state,
        "likelihood": pair.likelihood,
        "features": [asdict(feature) for feature in pair.features],
    }


def _entry(actor: Actor) -> dict[str, Any]:
    return {
        "iri": actor.iri,
        "names": list(actor.names),
        "countries": sorted(actor.countries),
        "websites": sorted(actor.websites),
        "numbers": sorted(actor.numbers),
        "points": [[point.latitude, point.longitude] for point in sorted(actor.points, key=str)],
    }


@router.post(
    "/decisions",
    summary="Decide whether two entries are one actor",
    responses=ANSWERS | _NOTHING_NEW | described(_OTHERWISE),
    openapi_extra=_BODY,
    status_code=201,
)
async def decide(request: Request) -> Response:
    """Accepts or rejects a pair, or takes the last decision on it back; the shapes judge it like any change.

    To accept is to state `sse:sameActorAs` from the entry that follows to the one that leads; both entries stay. What
    is rejected is not proposed again. To undo is to revert the change of the decision.
    """
    may_write(request)
    sent = _sent(await body_of(request, _LONGEST))
    wanted = await decision_of(request, **sent)

    def make(present: Present) -> Delta:
        check_generation(request, present)
        return wanted.make(present)

    asked = proposal(request, json.dumps(sent, sort_keys=True).encode(), make)
    return await committed(request, replace(asked, note=asked.note or wanted.note, reverts=wanted.reverts))


async def decision_of(request: Request, *, decision: str, one: str, other: str, leading: str | None = None) -> Proposal:
    """The change that a decision asks for, with a note for the log."""
    number = None
    if decision == "undo":
        number = await from_log(request, lambda log: deciding.change_of(log, one, other))
    return deciding.proposal(decision, one, other, leading=leading, number=number)


def _sent(body: bytes) -> dict[str, Any]:
    """What was sent, looked over."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None
    known = ("decision", "one", "other", "leading")
    if not isinstance(sent, dict) or not set(sent) <= set(known):
        raise Malformed(f"a decision is a JSON object with {', '.join(known[:3])} and perhaps {known[3]}")
    if sent.get("decision") not in deciding.DECISIONS:
        raise wrong_parameter("decision", sent.get("decision"), f"one of: {', '.join(deciding.DECISIONS)}")
    for name in known[1:]:
        if (name != "leading" or sent.get(name) is not None) and not is_iri(sent.get(name)):
            raise wrong_parameter(name, sent.get(name), "the IRI of an entry")
    return {name: sent.get(name) for name in known}


def is_iri(value: object) -> bool:
    """Whether it can be the IRI of an entry."""
    try:
        return isinstance(value, str) and ":" in value and len(value) <= 2_000 and bool(NamedNode(value))
    except ValueError:
        return False
