"""`/api/search`: full text over everything that the graph says in words."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from kg_service.api.addresses import public_url
from kg_service.api.languages import accepted_languages
from kg_service.api.narrowed import Facets, searched
from kg_service.api.parameters import Parameter, is_iri, read
from kg_service.errors import wrong_parameter
from kg_service.lists.written import as_csv
from kg_service.rdf import ONTOLOGY, PREFIXES
from kg_service.search import DEEPEST, LARGEST_PAGE, LONGEST_QUESTION, Question
from kg_service.search.door import Found
from kg_service.search.narrowing import FACETS, Tally, wanted
from kg_service.web.names import best

#: What a line of a table tells of a thing.
COLUMNS = ("iri", "label", "language", "types", "score", "field", "match", "text", "source")
NARROWING = tuple(
    Parameter(name=facet, description=f"Only things {what}.", is_many=True, example=example)
    for facet, what, example in (
        ("theme", "about one of these themes: IRIs or the ends of them", "care"),
        ("sdg", "that contribute to one of these goals: numbers or IRIs", "8"),
        ("country", "active, located or taking place in one of these countries: codes", "MX"),
        ("year", "that began or were issued in one of these years", "2019"),
        ("document", "of which one of these documents speaks: IRIs or the ends of them", None),
        ("language", "of which a document in one of these languages speaks: tags", "es"),
        ("certainty", "of which something is said with one of these certainties: IRIs or the ends of them", "stated"),
    )
)
PARAMETERS = (
    Parameter(
        name="q",
        description="What to look for: words in any language, with or without accents, also mistyped. The last word "
        "may be the beginning of one, unless a space follows it.",
        is_required=True,
        example="iztapalapa",
    ),
    Parameter(
        name="type",
        description="Only things of one of these classes: a name of the ontology, a prefixed name, or an IRI.",
        is_many=True,
        example="Event",
    ),
    Parameter(
        name="lang",
        description="Only texts in one of these languages; names are shown in the first of them, else as "
        "Accept-Language says.",
        kind="language",
        is_many=True,
    ),
    *NARROWING,
    Parameter(
        name="facets",
        description="What the things found have in common, with counts; of the best 400 where more were found.",
        allowed=FACETS,
        is_many=True,
    ),
    Parameter(name="format", description="How the page is written.", allowed=("json", "csv"), default="json"),
    Parameter(name="limit", description="Things on a page.", kind="integer", least=1, most=LARGEST_PAGE, default=20),
    Parameter(
        name="offset",
        description="Things before this page.",
        kind="integer",
        least=0,
        most=DEEPEST,
        default=0,
    ),
)


async def search(request: Request) -> Response:
    """A page of things, the best first, each with the text that matched and the reasons for its place."""
    asked = read(request, PARAMETERS)
    languages = tuple(language.lower() for language in asked["lang"])
    question = question_of(
        asked["q"],
        types=asked["type"],
        text_languages=languages,
        languages=(*languages, *accepted_languages(request)),
        offset=asked["offset"],
        limit=asked["limit"],
    )
    answer, facets = await searched(request, question, chosen_of(asked), asked["facets"])
    if asked["format"] == "csv":
        return _sent(request, answer, as_csv(map(_row, answer.found["data"]), COLUMNS), "csv", "text/csv")
    return _answer(request, question, answer, facets)


def chosen_of(asked: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """What a search is narrowed down to, as the values of facets."""
    return {facet: tuple(wanted(facet, text) for text in asked[facet]) for facet in FACETS}


def question_of(
    text: str,
    *,
    types: Iterable[str],
    languages: tuple[str, ...],
    offset: int,
    limit: int,
    text_languages: tuple[str, ...] = (),
) -> Question:
    """The question that somebody types; WrongParameter where it is too long, or a type none."""
    if len(text) > LONGEST_QUESTION:
        raise wrong_parameter("q", text[:80], f"1 to {LONGEST_QUESTION} characters")
    return Question(
        text,
        types=tuple(class_named(name) for name in types),
        text_languages=text_languages,
        languages=languages,
        offset=offset,
        limit=limit,
        is_complete=text[-1:].isspace(),
    )


def class_named(name: str) -> str:
    """The IRI of a class by its name in the ontology, its prefixed name or its IRI."""
    prefix, colon, local = name.partition(":")
    iri = PREFIXES[prefix] + local if colon and prefix in PREFIXES else name if colon else ONTOLOGY + name
    if not is_iri(iri):
        raise wrong_parameter("type", name, "a name of the ontology such as Event, a prefixed name, or an IRI")
    return iri


def _answer(request: Request, question: Question, answer: Found, facets: Facets) -> Response:
    found = answer.found
    content = {
        "data": found["data"],
        "facets": {"type": found["facets"]}
        | {
            facet: [
                {"value": each.value, "label": _label(facets, each, question.languages), "count": each.count}
                for each in tallies
            ]
            for facet, tallies in facets.tallies.items()
        },
        "meta": {
            "total": found["total"],
            "total_is": "exact" if found["is_exact"] else "at least",
            "generation": answer.generation,
            "is_behind": answer.is_behind,
            "words": found["words"],
            "ignored_words": found["ignored"],
            "meant": found["meant"],
        },
        "links": _links(request, question, found["total"]),
    }
    return _sent(request, answer, to_json(content), "s", "application/json")


def _row(hit: dict[str, Any]) -> dict[str, Any]:
    """A thing that was found as a line of a table: with its classes, and the text that matched."""
    reason = {name: hit["reason"][name] for name in ("field", "match", "source")}
    text = "".join(piece["text"] for piece in hit["snippet"])
    return hit | reason | {"types": [each["label"] or each["iri"] for each in hit["types"]], "text": text}


def _sent(request: Request, answer: Found, body: bytes, kind: str, media_type: str) -> Response:
    etag = f'"{answer.generation}-{kind}{blake2b(body, digest_size=12).hexdigest()}"'
    headers = {
        "KG-Generation": str(answer.generation),
        "ETag": etag,
        "Cache-Control": "no-cache",
        "Vary": "Accept-Language",
    }
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=media_type, headers=headers)


def _label(facets: Facets, tally: Tally, languages: tuple[str, ...]) -> str | None:
    """What a value is called, in the first of the languages that there is a name in."""
    names = facets.labels.get(tally.thing.value, []) if tally.thing else []
    chosen = best(names, *languages)
    return chosen.value if chosen else None


def _links(request: Request, question: Question, total: int) -> dict[str, str]:
    """This page and its neighbours; a next one only where there is something on it."""

    def page(offset: int) -> str:
        sent = [(name, text) for name, text in request.query_params.multi_items() if name != "offset"]
        return f"{public_url(request)}/api/search?{urlencode([*sent, ('offset', str(offset))])}"

    links = {"self": page(question.offset)}
    if question.offset:
        links["prev"] = page(max(0, question.offset - question.limit))
    following = question.offset + question.limit
    if following < total and following <= DEEPEST:
        links["next"] = page(following)
    return links


def _schema() -> dict[str, Any]:
    text, number = {"type": "string"}, {"type": "number"}
    whole, maybe = {"type": "integer"}, {"type": ["string", "null"]}
    type_ = {"type": "object", "properties": {"iri": text, "label": maybe}}
    word = {"type": "object", "properties": {"asked": text, "found": text, "match": text}}
    reason = {
        "field": {"enum": ["label", "alternative name", "text", "quotation", "rationale"]},
        "property": text,
        "language": maybe,
        "match": {"enum": ["exact", "prefix", "typo", "some words"]},
        "words": {"type": "array", "items": word},
        "boost": number,
        "coverage": number,
        "length": whole,
        "source": maybe,
    }
    piece = {"type": "object", "properties": {"text": text, "is_match": {"type": "boolean"}}}
    hit = {
        "iri": text,
        "label": maybe,
        "language": maybe,
        "types": {"type": "array", "items": type_},
        "score": number,
        "snippet": {"type": "array", "items": piece},
        "reason": {"type": "object", "properties": reason},
        "same": {"type": "array", "items": type_},
    }
    facet = {"type": "object", "properties": type_["properties"] | {"count": whole}}  # type: ignore[operator]
    value = {"type": "object", "properties": {"value": text, "label": maybe, "count": whole}}
    facets = {"type": {"type": "array", "items": facet}} | {each: {"type": "array", "items": value} for each in FACETS}
    meta = {
        "total": whole,
        "total_is": {"enum": ["exact", "at least"]},
        "generation": whole,
        "is_behind": {"type": "boolean"},
        "words": {"type": "array", "items": text},
        "ignored_words": {"type": "array", "items": text},
        "meant": {"type": "object", "additionalProperties": {"type": "array", "items": text}},
    }
    return {
        "type": "object",
        "required": ["data", "facets", "meta", "links"],
        "properties": {
            "data": {"type": "array", "items": {"type": "object", "properties": hit}},
            "facets": {"type": "object", "properties": facets},
            "meta": {"type": "object", "properties": meta},
            "links": {"type": "object", "additionalProperties": text},
        },
    }


_PROBLEM = {"application/problem+json": {"schema": {"type": "object"}}}
OPENAPI = {
    "get": {
        "tags": ["search"],
        "summary": "Things found by words",
        "description": "Full text over names, descriptions and quotations in all languages; words of a source lead to "
        "the things whose claims rest on them. A match counts boost (what the text is to its thing) × match (exact 1, "
        "prefix 0.85, typo 0.7) × coverage (the share of the words that were found) × length (1 when the text has no "
        "other words, down to 1/2). While a large change is being taken in, the answer may be of an older generation: "
        "`is_behind` then says so, and `generation` names it.",
        "parameters": [parameter.openapi() for parameter in PARAMETERS],
        "responses": {
            "200": {
                "description": "The things, the best first.",
                "content": {"application/json": {"schema": _schema()}},
            },
            "304": {"description": "The client has it already."},
            "422": {"description": "A parameter is wrong.", "content": _PROBLEM},
            "429": {"description": "Too many searches of one client wait.", "content": _PROBLEM},
            "503": {"description": "The index is being made, or too many ask.", "content": _PROBLEM},
            "504": {"description": "The search took too long.", "content": _PROBLEM},
        },
    }
}
