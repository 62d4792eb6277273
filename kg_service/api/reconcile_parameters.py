"""What OpenAPI says of `/reconcile`, and the parameters that its doors read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from kg_service.api.parameters import Parameter
from kg_service.linked_data.reconciliation import BATCH
from kg_service.search import DEEPEST, LARGEST_PAGE

PREFIX = Parameter(name="prefix", description="What was typed; an identifier leads to the thing that it names.")
LIMIT = Parameter(name="limit", description="Suggestions.", kind="integer", least=1, most=LARGEST_PAGE, default=20)
OFFSET = Parameter(name="offset", description="Suggestions to skip.", kind="integer", least=0, most=DEEPEST, default=0)
CURSOR = Parameter(name="cursor", description="The same, in version 0.2.", kind="integer", least=0, most=DEEPEST)
TYPE = Parameter(name="type", description="A class: its IRI, or its name in the ontology.")
ID = Parameter(name="id", description="The identifier of a thing, a class or a property.", is_required=True)

_PROBLEM = {"application/problem+json": {"schema": {"type": "object"}}}
_OBJECT = {"application/json": {"schema": {"type": "object"}}}
_PAGE = {"text/html": {"schema": {"type": "string"}}}


def _operation(
    summary: str,
    parameters: Iterable[Parameter] = (),
    content: Mapping[str, Any] = _OBJECT,
    body: Mapping[str, Any] | None = None,
    more: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    problems = {"422": "A parameter or member is wrong.", "503": "Too many ask, or the search index is being made."}
    if body:
        problems |= {"400": "The body does not parse.", "413": f"More than {BATCH} queries.", "415": "Another format."}
    problems |= more or {}
    made: dict[str, Any] = {
        "tags": ["reconciliation"],
        "summary": summary,
        "parameters": [parameter.openapi() for parameter in parameters],
        "responses": {"200": {"description": "The answer.", "content": content}}
        | {
            status: {"description": text, "content": _PROBLEM}
            for status, text in sorted((problems | dict(more or {})).items())
        },
    }
    return made | ({"requestBody": {"required": True, "content": body}} if body else {})


def described() -> dict[str, Any]:
    """The OpenAPI path items of both versions."""
    typed = (PREFIX, LIMIT, OFFSET, CURSOR)
    queries = Parameter(name="queries", description="A batch of queries, as JSON.", example='{"q0": {"query": "GSEF"}}')
    extend_ = Parameter(name="extend", description="A data extension query, as JSON.")
    fields = {"queries": {"type": "string"}, "extend": {"type": "string"}}
    form = {"application/x-www-form-urlencoded": {"schema": {"type": "object", "properties": fields}}}
    missing = {"404": "Nothing is known of it."}
    root, draft = "/reconcile", "/reconcile/1.0-draft"
    paths: dict[str, Any] = {
        root: {
            "get": _operation(
                "Version 0.2: the manifest, or answers to queries", (queries, extend_), more={"400": "No JSON."}
            ),
            "post": _operation("Version 0.2: answers to queries", body=form),
        },
        draft: {"get": _operation("1.0-draft: the manifest")},
        f"{draft}/match": {"post": _operation("1.0-draft: answers to queries", body=_OBJECT)},
        f"{draft}/extend": {"post": _operation("1.0-draft: values of properties", body=_OBJECT)},
        f"{root}/flyout/{{kind}}": {"get": _operation("A few words about one of them", (ID,), more=missing)},
        f"{root}/features": {"get": _operation("What the features of candidates mean", content=_PAGE)},
    }
    kind = {"name": "kind", "in": "path", "required": True, "schema": {"enum": ["entity", "type", "property"]}}
    paths[f"{root}/flyout/{{kind}}"]["get"]["parameters"].append(kind)
    for where in (root, draft):
        for name, parameters in (("entity", (*typed, TYPE)), ("type", typed), ("property", typed)):
            paths[f"{where}/suggest/{name}"] = {"get": _operation(f"Suggestions while one types: {name}", parameters)}
        paths[f"{where}/extend/propose"] = {"get": _operation("Properties of things of a class", (TYPE, LIMIT))}
        paths[f"{where}/preview"] = {"get": _operation("A small page about a thing", (ID,), _PAGE, more=missing)}
    return paths


#: The path items of both versions.
OPENAPI = described()
