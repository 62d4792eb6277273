"""What pages of other origins may do: read, without credentials (the Fetch standard's CORS protocol).

Every answer to a reading request may be read by any page, errors as well. Writing stays with pages of this origin and
with programs: a preflight request allows neither the methods that write nor the header Authorization, and no answer
to a write may be read. Pages elsewhere that are to write go through a server of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Collection

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ORIGIN = (b"access-control-allow-origin", b"*")
_READ = [
    _ORIGIN,
    (
        b"access-control-expose-headers",
        b"Content-Profile, ETag, KG-Generation, KG-Query, Link, Location, Retry-After, X-Request-Id",
    ),
]
_PREFLIGHT = [
    _ORIGIN,
    (b"access-control-allow-headers", b"Accept, Accept-Language, Accept-Profile, Content-Type, If-None-Match, Range"),
    (b"access-control-max-age", b"86400"),
]


class Cors:
    """An application with the headers of CORS around it; what it streams passes untouched.

    `read_by_post` are the paths where POST writes nothing.
    """

    def __init__(self, app: ASGIApp, read_by_post: Collection[str]) -> None:
        self._app, self._read_by_post = app, frozenset(read_by_post)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        method = scope["method"]
        if method == "OPTIONS" and any(name == b"access-control-request-method" for name, _ in scope["headers"]):
            methods = b"GET, HEAD, POST" if scope["path"] in self._read_by_post else b"GET, HEAD"
            headers = [*_PREFLIGHT, (b"access-control-allow-methods", methods)]
            await send({"type": "http.response.start", "status": 204, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        is_reading = method in ("GET", "HEAD", "OPTIONS") or (method == "POST" and scope["path"] in self._read_by_post)
        await self._app(scope, receive, _readable(send) if is_reading else send)


def _readable(send: Send) -> Send:
    def sent(message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_READ]
        return send(message)

    return sent
