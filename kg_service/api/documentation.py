"""`/docs`: the OpenAPI description for people, with every file served from here."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import warnings
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.requests import Request
from starlette.staticfiles import StaticFiles

from kg_service.api import pages, problems
from kg_service.api.addresses import public_url

#: What many answers have in common.
SCHEMAS: dict[str, Any] = {
    "Problem": problems.SCHEMA,
    "HTTPValidationError": problems.SCHEMA,
    "SparqlResults": {
        "type": "object",
        "required": ["head", "results"],
        "properties": {"head": {"type": "object"}, "results": {"type": "object"}},
        "description": "SPARQL 1.1 Query Results JSON Format.",
    },
}
_ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"


#: What every door may answer, whatever it does.
_EVERYWHERE = problems.described(
    {
        "414": "The address is too long.",
        "422": "A parameter is not known, or has a value that is not allowed; names it and what is allowed.",
        "429": "You ask more than one client may; Retry-After says when you may again.",
        "503": "The service is full or stopping, has no data yet, or its engine is away.",
        "504": "It took too long.",
    }
)


def complete(described: dict[str, Any]) -> None:
    """Adds to each operation what holds for all: a name of its own, and problems as they are written."""
    seen: set[str] = set()
    for path, item in described["paths"].items():
        for method, operation in item.items():
            name = operation.get("operationId")
            if not name or name in seen:
                words = [word for word in re.split(r"[^A-Za-z0-9]+", path) if word]
                name = operation["operationId"] = "_".join([method, *words])
            seen.add(name)
            answers = operation["responses"]
            for status, problem in _EVERYWHERE.items():
                answers.setdefault(status, problem)
            if "{" in path:
                answers.setdefault("404", problems.described({"404": "There is no such thing."})["404"])
            for status, answer in answers.items():
                if str(status) >= "400":
                    answer = answers[status] = dict(answer)
                    answer["content"] = _EVERYWHERE["414"]["content"]
                    if method == "head":
                        del answer["content"]
            operation["responses"] = dict(sorted(answers.items(), key=lambda each: str(each[0])))


def install(app: FastAPI, more_paths: dict[str, Any]) -> None:
    """Adds the page and its files; `more_paths` are the OpenAPI path items of routes that FastAPI does not describe."""
    described_by_fastapi = app.openapi

    @functools.cache
    def openapi() -> dict[str, Any]:
        with warnings.catch_warnings():  # a route of several methods is named below
            warnings.filterwarnings("ignore", "Duplicate Operation ID")
            described = described_by_fastapi()
        described["paths"] |= more_paths
        complete(described)
        described.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
        return described

    app.openapi = openapi  # type: ignore[method-assign]
    app.mount("/static/swagger", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="swagger")

    shown = get_swagger_ui_html(
        openapi_url=app.openapi_url or "/openapi.json",
        title=f"{app.title}: API",
        swagger_js_url="/static/swagger/swagger-ui-bundle.js",
        swagger_css_url="/static/swagger/swagger-ui.css",
        swagger_favicon_url=_ICON,
    ).body

    # The page's only scripts: the files, and the one inside it, told by its hash.
    (inner,) = re.findall(rb"<script>(.*?)</script>", bytes(shown), re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inner).digest()).decode()
    headers = pages.HEADERS | {
        "Content-Security-Policy": f"default-src 'self'; script-src 'self' 'sha256-{digest}'; img-src 'self' data:; "
        "style-src 'self' 'unsafe-inline'; base-uri 'none'; object-src 'none'; frame-ancestors 'self'"
    }

    # FastAPI remembers the functions of routes for the life of the process; this one must not keep the app with it.
    @app.get("/api", include_in_schema=False)
    async def api(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{public_url(request)}/docs", 303)

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(bytes(shown), headers=headers)
