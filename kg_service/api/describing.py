"""What the OpenAPI description says of the collections: all of it follows from what they declare."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kg_service.api import problems
from kg_service.api.parameters import Parameter, format_parameter
from kg_service.lists.declared import LABEL, Collection, Field
from kg_service.rdf import Format

#: Things on a page: as many as asked for, at most, and without asking.
MOST, USUAL = 1000, 100
_TYPES = {"integer": "integer", "boolean": "boolean"}
_NULL_TEXT = {"type": ["string", "null"]}
_QUOTATION: dict[str, Any] = {
    "type": "object",
    "required": ["iri", "exact", "start", "end", "document"],
    "properties": {
        "iri": {"type": "string"},
        "exact": {"type": "string", "description": "The words of the source."},
        "prefix": _NULL_TEXT,
        "suffix": _NULL_TEXT,
        "start": {"type": ["integer", "null"], "description": "Offset of the first character in the file."},
        "end": {"type": ["integer", "null"]},
        "document": _NULL_TEXT,
        "file": _NULL_TEXT,
    },
}
#: A claim with the quotations that it rests on.
CLAIM: dict[str, Any] = {
    "type": "object",
    "required": ["iri", "certainty", "document", "evidence"],
    "properties": {
        "iri": {"type": "string"},
        "certainty": {**_NULL_TEXT, "description": "IRI: stated, derived, ambiguous or inferred."},
        "document": _NULL_TEXT,
        "method": _NULL_TEXT,
        "rationale": _NULL_TEXT,
        "evidence": {"type": "array", "items": _QUOTATION},
    },
}
_LINKED: dict[str, Any] = {
    "type": "object",
    "description": "A linked thing in full, or a claim.",
    "required": ["iri"],
    "properties": {"iri": {"type": "string"}, "label": _NULL_TEXT, "properties": {"type": "object"}},
}
INCLUDED = {"type": "array", "items": _LINKED}
LINKS = {"type": "object", "additionalProperties": {"type": "string"}}


def parameters(collection: Collection, formats: Sequence[Format]) -> list[Parameter]:
    """All parameters of a list."""
    sortable = [field.name for field in collection.fields if field.is_sortable]
    facets = tuple(str(field.filter) for field in collection.fields if field.is_facet)
    return [
        Parameter(name="q", description="Words that one of the names holds, accents and capitals aside.", example="a"),
        *(parameter for field in collection.fields if field.filter for parameter in _filter(field)),
        Parameter(
            name="facets",
            description="Count the values of these, each with all other filters applied. `missing` have no value.",
            allowed=facets,
            is_many=True,
        ),
        Parameter(
            name="facet_limit",
            description="Values per facet; `more` says how many are left out.",
            kind="integer",
            least=1,
            most=MOST,
            default=50,
        ),
        Parameter(
            name="sort",
            description=f"What to sort by, a hyphen before it for descending; what lacks it comes last. "
            f"Without it: {collection.order}.",
            allowed=tuple(sign + name for name in sortable for sign in ("", "-")),
            is_many=True,
        ),
        *shaping(collection),
        Parameter(name="limit", description="Things on a page.", kind="integer", least=1, most=MOST, default=USUAL),
        Parameter(
            name="cursor",
            description="Where to go on: from `links.next`. Pages are stable while others write: none of what stays "
            "is shown twice or left out.",
        ),
        format_parameter(formats),
    ]


def shaping(collection: Collection) -> list[Parameter]:
    """The parameters for what is told of each thing."""
    return [
        Parameter(
            name="fields",
            description="Only these fields (and the IRI). Without it, all but those that must be asked for: "
            + ", ".join(field.name for field in collection.fields if field.is_hidden)
            + ".",
            allowed=tuple(field.name for field in collection.fields),
            is_many=True,
        ),
        Parameter(
            name="include",
            description="Linked things in full, in `included`; `evidence`: the claims with their quotations.",
            allowed=(*collection.includable, "evidence"),
            is_many=True,
        ),
        Parameter(
            name="lang",
            description="Language of names; where there is none in it, the English one, else any. `language` says it.",
            kind="language",
            default="en",
            example="es",
        ),
    ]


def _filter(field: Field) -> list[Parameter]:
    name, about = str(field.filter), field.about
    if field.is_of_things:
        what = "IRI or slug" if field.allowed else "IRI, slug, or type/slug"
        begin = field.begins[0] if len(field.begins) == 1 else ""
        described = f"{about} {what}; of several, any."
        return [
            Parameter(name=name, description=described, kind="thing", allowed=field.allowed, begin=begin, is_many=True)
        ]
    if field.kind == "date":
        return [
            Parameter(name=name, description=f"{about} Within this year, month or day.", kind="date", is_many=True),
            Parameter(name=f"{name}_from", description=f"{about} Not before this.", kind="date", example="2019"),
            Parameter(name=f"{name}_to", description=f"{about} Not after this.", kind="date", example="2022-06"),
        ]
    if field.kind == "integer":
        return [
            Parameter(name=name, description=about, kind="integer", is_many=True),
            Parameter(name=f"{name}_from", description=f"{about} At least.", kind="integer"),
            Parameter(name=f"{name}_to", description=f"{about} At most.", kind="integer"),
        ]
    if field.kind == "boolean":
        return [Parameter(name=name, description=about, kind="boolean", is_many=True)]
    return [Parameter(name=name, description=f"{about} Of several, any.", is_many=True)]


def thing(fields: Iterable[Field]) -> dict[str, Any]:
    """The schema of a thing in a list."""
    properties: dict[str, Any] = {"iri": {"type": "string", "description": "What identifies it everywhere."}}
    for field in fields:
        if field == LABEL:
            properties["label"] = {**_NULL_TEXT, "description": field.about}
            properties["language"] = {**_NULL_TEXT, "description": "The language of the label."}
            continue
        kind = _TYPES.get(field.kind, "string")
        shape: dict[str, Any] = (
            {"type": "array", "items": {"type": kind}} if field.is_many else {"type": [kind, "null"]}
        )
        properties[field.name] = {**shape, "description": field.about}
    return {"type": "object", "required": ["iri"], "properties": properties}


def _list_schema(collection: Collection) -> dict[str, Any]:
    count = {"type": "integer", "minimum": 0}
    value = {
        "type": "object",
        "required": ["value", "count"],
        "properties": {"value": {}, "label": _NULL_TEXT, "count": count},
    }
    facet = {
        "type": "object",
        "required": ["values", "missing", "more"],
        "properties": {"values": {"type": "array", "items": value}, "missing": count, "more": count},
    }
    meta = {
        "count": {**count, "description": "Things on this page."},
        "total": {**count, "description": "Things that pass the filters."},
        "generation": {**count, "description": "Version of the dataset that the answer is as new as."},
        "limit": count,
        "language": {"type": "string"},
    }
    return {
        "type": "object",
        "required": ["data", "meta", "links"],
        "properties": {
            "data": {"type": "array", "items": thing(collection.fields)},
            "meta": {"type": "object", "required": ["count", "total", "generation"], "properties": meta},
            "links": LINKS,
            "facets": {"type": "object", "additionalProperties": facet},
            "included": INCLUDED,
        },
    }


def content(formats: Sequence[Format], schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    """The media types of an answer, the first of which is JSON of a schema."""
    shown = {"schema": schema} | ({"example": example} if example is not None else {})
    return {formats[0].media_types[0]: shown} | {how.media_types[0]: {} for how in formats[1:]}


READING = problems.described(
    {
        "406": "No known format is acceptable; lists them.",
        "414": "The address is too long.",
        "422": "A parameter is not known, or has a value that is not allowed; names it and what is allowed.",
        "429": "You ask more than one client may; Retry-After says when you may again.",
        "503": "The service is full or stopping, or has no data yet.",
        "504": "It took too long.",
    }
)


def example(collection: Collection) -> dict[str, Any]:
    """A made-up answer in the right shape."""
    one: dict[str, Any] = {"iri": f"{collection.prefix}example"}
    for field in collection.shown:
        value: Any = {"integer": 1, "boolean": True, "date": "2019-10", "code": "5.1"}.get(field.kind, "…")
        if field.is_of_things and field.kind == "iri":
            value = field.begins[0] + (field.allowed[0] if field.allowed else "example")
        one |= {"label": "Example", "language": "en"} if field == LABEL else {}
        if field != LABEL:
            one[field.name] = [value] if field.is_many else value
    return {
        "data": [one],
        "meta": {"count": 1, "total": 1, "generation": 1, "limit": USUAL, "language": "en"},
        "links": {"self": f"https://example.org/api/{collection.name}"},
    }


def listing(collection: Collection, declared: Iterable[Parameter], formats: Sequence[Format]) -> dict[str, Any]:
    """The arguments that describe the route of a list."""
    return {
        "tags": ["lists"],
        "summary": collection.summary,
        "responses": {
            200: {
                "description": "A page of the list.",
                "content": content(formats, _list_schema(collection), example(collection)),
                "headers": {name: {"schema": {"type": "string"}} for name in ("ETag", "Link", "KG-Generation")},
            },
            304: {"description": "The client has this answer, as If-None-Match says."},
            **READING,
        },
        "openapi_extra": {"parameters": [parameter.openapi() for parameter in declared]},
    }
