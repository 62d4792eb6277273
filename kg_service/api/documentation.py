"""`/docs`: the OpenAPI description for people, with every file served from here."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from kg_service.api import problems

#: What many answers have in common.
SCHEMAS: dict[str, Any] = {
    "Problem": problems.SCHEMA,
    "SparqlResults": {
        "type": "object",
        "required": ["head", "results"],
        "properties": {"head": {"type": "object"}, "results": {"type": "object"}},
        "description": "SPARQL 1.1 Query Results JSON Format.",
    },
}
_ICON = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"


def install(app: FastAPI, more_paths: dict[str, Any]) -> None:
    """Adds the page and its files; `more_paths` are the OpenAPI path items of routes that FastAPI does not describe."""
    described_by_fastapi = app.openapi

    def openapi() -> dict[str, Any]:
        described = described_by_fastapi()
        described["paths"] |= more_paths
        described.setdefault("components", {}).setdefault("schemas", {}).update(SCHEMAS)
        return described

    app.openapi = openapi  # type: ignore[method-assign]
    app.mount("/static/swagger", StaticFiles(directory=str(files("fastapi_offline") / "static")), name="swagger")

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url=app.openapi_url or "/openapi.json",
            title=f"{app.title}: API",
            swagger_js_url="/static/swagger/swagger-ui-bundle.js",
            swagger_css_url="/static/swagger/swagger-ui.css",
            swagger_favicon_url=_ICON,
        )
