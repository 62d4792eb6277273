"""What every writing door shares: who may write, one write at a time, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from starlette.requests import Request

from kg_service import resources
from kg_service.api.clients import require_token
from kg_service.changes import Committed, commit, skolemised
from kg_service.errors import Forbidden, TooLarge
from kg_service.rdf import Quad
from kg_service.settings import Settings
from kg_service.shacl import Shapes, load_shapes
from kg_service.sparql.sandbox import Sandbox
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore

T = TypeVar("T")

#: What every writing operation may answer, for the OpenAPI description.
ANSWERS = {
    status: {"description": what, "content": {"application/problem+json": {}}}
    for status, what in {
        "400": "The body or a parameter is malformed or not allowed; says line and column.",
        "401": "The token is missing or wrong.",
        "403": "Writing is off.",
        "412": "If-Match or If-None-Match does not hold.",
        "413": "The body is too large, or needs too much memory.",
        "415": "The body's format is not known.",
        "422": "The data break the shapes; nothing was written. Holds the report.",
        "503": "The request took too long, or another process is writing.",
    }.items()
}


def may_write(request: Request) -> None:
    """Raises Forbidden when writing is off, Unauthorised without the right token."""
    if request.app.state.settings.query_url:
        raise Forbidden("this service reads another engine's graph; write there")
    require_token(request, "writing")


async def body_of(request: Request, limit: int) -> bytes:
    """The request's body; TooLarge as soon as it passes the limit."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes; send it in parts")
    return bytes(body)


class Writer:
    """Commits changes one after the other, each judged by the shapes, in a thread beside the event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._shapes: Shapes | None = None
        self.sandbox = Sandbox(
            settings.store,
            memory=settings.query_memory,
            seconds=settings.query_seconds,
            max_bytes=settings.max_body_bytes,
            union=settings.default_graph == "union",
        )

    async def write(self, make: Callable[[], Awaitable[Delta]]) -> Committed:
        """Makes a change of the graph as it is then and commits it; raises Violations and whatever `make` raises."""
        async with self._turn:
            return await asyncio.to_thread(self._commit, skolemised(await make()))

    async def quads(self, read: Callable[[EmbeddedStore], Iterable[Quad]]) -> list[Quad]:
        """What the store holds, as seen by the writer; to be called inside `write`."""
        return await asyncio.to_thread(lambda: self._with_store(lambda store: list(read(store))))

    def _commit(self, delta: Delta) -> Committed:
        if self._shapes is None:
            self._shapes = load_shapes(sorted(resources.folder("shapes").glob("*.ttl")))
        shapes = self._shapes
        return self._with_store(lambda store: commit(store, delta, shapes))

    def _with_store(self, work: Callable[[EmbeddedStore], T]) -> T:
        with EmbeddedStore(self._settings.store, union=self._settings.default_graph == "union") as store:
            return work(store)
