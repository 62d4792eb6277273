"""Every error as problem+json (RFC 9457), in one shape."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from kg_service.api import logs
from kg_service.errors import PROBLEMS, InsufficientScope, KgError, Unauthorised, Violations

MEDIA_TYPE = "application/problem+json"
#: What every problem holds; some hold more.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, and what would be right."},
        "parameter": {"type": "string", "description": "The parameter that was wrong."},
        "allowed": {"type": "string", "description": "What it may be."},
        "request": {"type": "string", "description": "Of 5xx: the name of the request in the log of the service."},
    },
}


def response(error: KgError) -> JSONResponse:
    """The answer that an error of ours makes, as JSON."""
    content = error.problem()
    if isinstance(error, Violations):
        content["report"] = error.report.to_dict()
    return JSONResponse(_named(content), error.status, headers=headers(error), media_type=MEDIA_TYPE)


def _named(content: dict[str, Any]) -> dict[str, Any]:
    """The problem with its request's id, where the log may say more."""
    named = logs.request_id.get()
    return content | {"request": named} if named and content["status"] >= 500 else content


def headers(error: KgError) -> dict[str, str]:
    """What an answer about an error says beside its text: 429 and 503 when to come again, 401 and 403 which token is
    needed (RFC 6750, section 3)."""
    if error.status in (429, 503):
        return {"Retry-After": str(error.more.get("retry_after", 1))}
    kind, scope = error.more.get("error"), error.more.get("scope")
    if isinstance(error, InsufficientScope):
        return {"WWW-Authenticate": f'Bearer realm="kg", error="insufficient_scope", scope="{scope}"'}
    if isinstance(error, Unauthorised) or kind == "invalid_request":
        return {"WWW-Authenticate": 'Bearer realm="kg"' + (f', error="{kind}"' if kind else "")}
    return {}


def described(answers: dict[str, str]) -> dict[int | str, dict[str, Any]]:
    """Problems that an operation may answer, status by status, for its OpenAPI description."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": what, "content": content} for status, what in answers.items()}


def unexpected(request: Request, error: Exception) -> JSONResponse:
    """The answer where the service itself made a mistake, which goes into the log."""
    logging.getLogger("kg_service").error("%s %s failed", request.method, request.url.path, exc_info=error)
    content = {
        "type": "about:blank",
        "title": "Internal error",
        "status": 500,
        "detail": "The service made a mistake; its log says more.",
    }
    return JSONResponse(_named(content), 500, media_type=MEDIA_TYPE)


def refused(request: Request, error: HTTPException) -> JSONResponse:
    """The answer to what no door takes: an address that there is not, or a method that one does not have."""
    content = {
        "type": "about:blank",
        "title": str(error.detail),
        "status": error.status_code,
        "detail": no_door(request, error),
    }
    return JSONResponse(content, error.status_code, headers=error.headers, media_type=MEDIA_TYPE)


def no_door(request: Request, error: HTTPException) -> str:
    """What was asked in vain."""
    return f"{request.method} {request.url.path}: {error.detail}"


def client_left() -> Response:
    """What goes into the log for a client that did not wait (nginx's number); nobody receives it."""
    return Response(status_code=499)


def install(app: FastAPI) -> None:
    """Makes the application answer every error in that shape."""

    @app.exception_handler(KgError)
    async def _ours(_: Request, error: KgError) -> JSONResponse:
        return response(error)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return refused(request, error)

    @app.exception_handler(RequestValidationError)
    async def _parameters(_: Request, error: RequestValidationError) -> JSONResponse:
        wrong = [
            {"where": ".".join(map(str, e["loc"])), "what": e["msg"], "value": repr(e.get("input"))}
            for e in error.errors()
        ]
        first = error.errors()[0]
        detail = "; ".join(f"{item['where']}: {item['what']}" for item in wrong)
        content = {
            "type": PROBLEMS + "parameters",
            "title": "Wrong parameters",
            "status": 422,
            "detail": detail,
            "parameter": str(first["loc"][-1]),
            "value": first.get("input") if isinstance(first.get("input"), str) else None,
            "allowed": first["msg"],
            "errors": wrong,
        }
        return JSONResponse(content, 422, media_type=MEDIA_TYPE)

    @app.exception_handler(ClientDisconnect)
    async def _gone(_: Request, __: ClientDisconnect) -> Response:
        return client_left()

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        return unexpected(request, error)
