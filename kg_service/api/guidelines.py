"""`/api/guidelines`: the eight blocks of the guidelines, and territories assessed against them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from kg_service import guidelines, queries, resources
from kg_service.api.changes import committed
from kg_service.api.clients import client_of
from kg_service.api.parameters import Parameter, is_iri, read
from kg_service.api.writing import ANSWERS, PARAMETERS, body_of, may_write, proposal
from kg_service.changes import Present
from kg_service.errors import Malformed, wrong_parameter
from kg_service.guidelines import SCALE, Answer, Block
from kg_service.languages import place
from kg_service.rdf import DefaultGraph, NamedNode, entity
from kg_service.store import Delta, Query

router = APIRouter(prefix="/api/guidelines", tags=["guidelines"])
_TERRITORY = Parameter(
    name="territory",
    description="The place that is assessed: its IRI, or its last part, such as seoul.",
    is_required=True,
    example="seoul",
)
#: Bytes of the longest list of answers.
_LONGEST = 256 * 1024
_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "example": {
                "territory": "seoul",
                "year": 2026,
                "answers": [
                    {
                        "block": "access-to-markets",
                        "value": 3,
                        "words": "Public buying gives points to cooperatives.",
                        "lang": "en",
                    }
                ],
            }
        }
    },
}


@router.get("", summary="Which blocks do the guidelines have, and how is one assessed?")
async def blocks(request: Request) -> dict[str, Any]:
    """The eight functional blocks in their order, and what the numbers of an own answer mean."""
    read(request, ())
    known, generation = await blocks_of(request)
    return {
        "data": [{"iri": each.iri, "label": each.label, "words": each.words} for each in known],
        "scale": [{"value": value, "meaning": meaning} for value, meaning in enumerate(SCALE)],
        "meta": {"count": len(known), "generation": generation, "evidence_for_a_whole": guidelines.ENOUGH},
    }


@router.get(
    "/assessment",
    summary="How does a territory stand against the guidelines?",
    openapi_extra={"parameters": [_TERRITORY.openapi()]},
)
async def assessed(request: Request) -> Response:
    """Evidence of the graph and own answers by block, with scores, gaps, and where the graph knows more."""
    given = read(request, [_TERRITORY])
    territory, label, generation = await territory_of(request, given["territory"])
    known, _ = await blocks_of(request)
    evidence, _ = await _rows(request, "guidelines/evidence-by-place")
    answers, _ = await _rows(request, "guidelines/own-answers")
    told = guidelines.assessment(known, evidence, answers, territory)
    meta = {"territory": territory, "label": label, "generation": generation, "method": guidelines.METHOD}
    return JSONResponse(told | {"meta": meta}, headers={"KG-Generation": str(generation)})


@router.post(
    "/assessment",
    summary="Answer for a territory",
    responses=ANSWERS,
    openapi_extra={"parameters": PARAMETERS, "requestBody": _BODY},
)
async def answered(request: Request) -> Response:
    """Keeps answers as claims, judged by the shapes like every change; they replace earlier ones. Needs the token."""
    may_write(request)
    body = await body_of(request, _LONGEST)
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    if not isinstance(told, dict) or not isinstance(told.get("answers"), list) or not told["answers"]:
        raise Malformed('the body must be {"territory": …, "answers": [{"block": …, "value": 0 to 4, "words": …}, …]}')
    territory, label, _ = await territory_of(request, told.get("territory"))
    known, _ = await blocks_of(request)
    year = told.get("year", datetime.now(UTC).year)
    if not isinstance(year, int) or not 1900 <= year <= 2200:
        raise wrong_parameter("year", year, "it must be a year, such as 2026")
    answers = [_answer(entry, known, year) for entry in told["answers"]]
    if len({answer.block for answer in answers}) < len(answers):
        raise wrong_parameter("block", answers[0].block, "each block is answered once")
    return await committed(request, proposal(request, body, replacing(territory, label, known, answers)))


def replacing(
    territory: str, label: str, known: Iterable[Block], answers: Iterable[Answer]
) -> Callable[[Present], Delta]:
    """The change that keeps answers in the place of earlier ones."""
    by_iri = {block.iri: block for block in known}
    new = {q for answer in answers for q in guidelines.statements(territory, label, by_iri[answer.block], answer)}

    def make(store: Present) -> Delta:
        subjects = {q.subject for q in new if isinstance(q.subject, NamedNode)}
        old = {q for s in subjects for q in store.about(s) if not isinstance(q.graph_name, DefaultGraph)}
        return Delta(added=frozenset(new - old), removed=frozenset(old - new))

    return make


def _answer(entry: Any, known: list[Block], year: int) -> Answer:
    if not isinstance(entry, dict):
        raise Malformed('each answer must be {"block": …, "value": 0 to 4, "words": …}')
    written, value, words = entry.get("block"), entry.get("value"), entry.get("words")
    language = entry.get("lang", "en")
    block = next((each.iri for each in known if written in (each.iri, each.iri.rpartition("/")[2])), None)
    if block is None:
        listed = ", ".join(each.iri.rpartition("/")[2] for each in known)
        raise wrong_parameter("block", written, f"it must be one of: {listed}")
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 4:
        raise wrong_parameter("value", value, "it must be a whole number from 0 to 4")
    if not isinstance(words, str) or not words.strip() or len(words) > 4000:
        raise wrong_parameter("words", str(words)[:80], "say in up to 4000 characters why")
    if language not in ("en", "es", "fr", "pt"):
        raise wrong_parameter("lang", language, "it must be en, es, fr or pt")
    return Answer(block, value, words.strip(), year, language)


async def territory_of(request: Request, written: object) -> tuple[str, str, int]:
    """The place's IRI and name, and the generation; WrongParameter when the graph knows no such place."""
    iri = written if isinstance(written, str) and ":" in written else None
    if iri is None and isinstance(written, str):
        try:
            iri = entity("place", written).value
        except ValueError:
            iri = None
    if iri is None or not is_iri(iri):
        raise wrong_parameter("territory", str(written)[:80], "it must be a place that the graph knows")
    text = (
        f"SELECT ?label (LANG(?label) AS ?tag) {{ {NamedNode(iri)} a <https://w3id.org/sse-kg/ontology#Place> ; "
        "<http://www.w3.org/2004/02/skos/core#prefLabel> ?label }"
    )
    rows, generation = await _asked(request, text)
    if not rows:
        raise wrong_parameter(
            "territory", str(written)[:80], "it must be a place that the graph knows: see /api/places"
        )
    return iri, min((place(row["tag"], ()), row["label"]) for row in rows)[1], generation


async def blocks_of(request: Request) -> tuple[list[Block], int]:
    """The blocks in their order, and the generation."""
    rows, generation = await _rows(request, "guidelines/blocks-in-order")
    return [Block(row["block"], row["block_label"], row["words"]) for row in rows], generation


async def _rows(request: Request, name: str) -> tuple[list[dict[str, str]], int]:
    return await _asked(request, queries.read(resources.folder("queries"), name).text)


async def _asked(request: Request, text: str) -> tuple[list[dict[str, str]], int]:
    state = request.app.state
    asked = Query(text, table="csv", seconds=state.settings.query_seconds, client=client_of(request))
    answer = await state.readers.answer(asked)
    content = (await answer.content()).decode()
    return list(csv.DictReader(io.StringIO(content, newline=""))), answer.generation
