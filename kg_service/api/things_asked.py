"""What requests about things may ask, and how OpenAPI describes their doors."""

from __future__ import annotations

from typing import Any

from kg_service.api import pages, problems
from kg_service.api.parameters import Parameter
from kg_service.linked_data import profiles
from kg_service.linked_data.questions import Direction

_PROFILE = Parameter(
    name="_profile",
    description="Profile, by its token (sse, schema, minimal, or alt for the list of representations) or its IRI.",
    example="schema",
)
_MEDIA_TYPE = Parameter(name="_mediatype", description="Media type of the answer; it wins over Accept.")
_PROPERTY = Parameter(name="property", description="Only the values of the property with this IRI.", kind="iri")
_DIRECTION = Parameter(
    name="direction",
    description="Whether the statements begin at the thing, or end there.",
    allowed=tuple(Direction),
    default=Direction.OUT.value,
)
_PAGE = Parameter(name="page", description="Number of the page of values.", kind="integer", least=1, default=1)
CONCLUSIONS = Parameter(
    name="conclusions",
    description="without: only what the documents say, not what was derived or inferred.",
    allowed=("with", "without"),
    default="with",
)
#: What a reader chooses of a page; what leads to one hands it on.
OF_PAGES = [CONCLUSIONS, *pages.LANGUAGES]
IRI = Parameter(name="iri", description="The IRI of any thing that the graph knows.", kind="iri", is_required=True)
CHOICE = [_PROFILE, _MEDIA_TYPE]
PAGING = [_PROPERTY, _DIRECTION, _PAGE]
_PROBLEMS = problems.described(
    {
        "404": "Nothing is said of it.",
        "406": "It cannot be written in an acceptable format or profile; lists those that are known.",
        "410": "It was deleted; says by which change, when, by whom and why.",
        "414": "The address is too long.",
        "422": "A parameter is wrong; says which, and what it may be.",
        "429": "You ask more than one client may; Retry-After says when you may again.",
        "503": "The service is full, or the engine that holds the graph is away.",
        "504": "It took too long.",
    }
)
_DOCUMENT = {
    "200": {
        "description": "The representation, with its profile in Content-Profile and all others in Link.",
        "content": {media_type: {} for media_type in profiles.MEDIA_TYPES},
    },
    "304": {"description": "If-None-Match names it."},
}
_SEEN = {"303": {"description": "It is at Location."}}


def _described(
    name: str, summary: str, parameters: list[Parameter], answers: dict[str, Any], path: tuple[str, ...]
) -> dict[str, Any]:
    """A path item of the OpenAPI description."""
    examples = {"type": "event", "slug": "gsef-policy-dialogue-seoul-2019", "name": "inferred"}
    in_path = [
        {"name": part, "in": "path", "required": True, "schema": {"type": "string"}, "example": examples[part]}
        for part in path
    ]
    profile = {
        "name": "Accept-Profile",
        "in": "header",
        "description": "Profiles by IRI in angle brackets, or by token, with q.",
        "schema": {"type": "string"},
        "example": "<https://schema.org/>",
    }
    return {
        "get": {
            "tags": ["linked data"],
            "summary": summary,
            "operationId": name,
            "parameters": [*in_path, *(each.openapi() for each in parameters), profile],
            "responses": answers | _PROBLEMS,
        }
    }


_THING = ("type", "slug")
#: The path items of the OpenAPI description.
OPENAPI = {
    "/id/{type}/{slug}": _described(
        "thing",
        "A thing: leads to its page or its data",
        [*CHOICE, *PAGING, *OF_PAGES],
        _SEEN | _DOCUMENT,
        _THING,
    ),
    "/graph/{name}": _described(
        "graph",
        "A named graph: leads to its page or its data",
        [*CHOICE, *OF_PAGES],
        _SEEN | _DOCUMENT,
        ("name",),
    ),
    "/page/{type}/{slug}": _described(
        "page",
        "The page about a thing",
        [*CHOICE, *PAGING, pages.EMBED, *OF_PAGES],
        _SEEN | _DOCUMENT,
        _THING,
    ),
    "/data/{type}/{slug}": _described(
        "data", "The data about a thing; the slug may end in .ttl, .jsonld, …", [*CHOICE, *PAGING], _DOCUMENT, _THING
    ),
    "/describe": _described(
        "describe",
        "The page or the data about any IRI that the graph knows",
        [IRI, *CHOICE, *PAGING, pages.EMBED, *OF_PAGES],
        _DOCUMENT,
        (),
    ),
}
