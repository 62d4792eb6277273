"""`/feed`: every version of every thing, as a Linked Data Event Stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg_service import beside
from kg_service.api.addresses import public_url
from kg_service.api.changes import from_log
from kg_service.api.clients import client_of
from kg_service.api.parameters import chosen_format, refuse_others
from kg_service.api.writing import tags
from kg_service.errors import Busy, NotFound
from kg_service.linked_data import feed, feed_index
from kg_service.linked_data.feed_index import FeedIndex
from kg_service.rdf import JSON_LD, N_QUADS, N_TRIPLES, TRIG, TURTLE, Format, Quad, to_text
from kg_service.settings import Settings
from kg_service.store import Query

T = TypeVar("T")
router = APIRouter(prefix="/feed", tags=["feed"])
_FORMATS = (TRIG, N_QUADS, JSON_LD, TURTLE, N_TRIPLES)
#: Seconds that a request waits for much that is unread.
_PATIENCE = 10.0
_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The node.", "content": {f.media_types[0]: {} for f in _FORMATS}},
    304: {"description": "The client has it."},
    404: {"description": "There is no such node yet."} | _PROBLEM,
    406: {"description": "None of the accepted formats is written."} | _PROBLEM,
    422: {"description": "A parameter is wrong."} | _PROBLEM,
    503: {"description": "Much is being read in; see Retry-After."} | _PROBLEM,
}


class Reading:
    """Keeps the table of contents up with the log, one request at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turn = asyncio.Lock()
        self._apart = beside.Work[None]()

    async def caught_up(self, request: Request) -> None:
        """Returns when every published change is in the table; Busy while there are too many to wait for."""
        async with self._turn:
            if not self._apart.goes_on:
                behind = await from_log(request, lambda log: self._with(lambda index: index.behind(log)))
                if behind <= feed_index.MANY:
                    await from_log(request, lambda log: self._with(lambda index: index.catch_up(log)))
                    return
            work = self._apart.wanted(lambda: feed_index.catch_up_apart(self._settings))
        done, _ = await asyncio.wait({work}, timeout=_PATIENCE)
        if not done:
            raise Busy("the event stream is being made; come again", retry_after=10)
        work.result()

    def _with(self, work: Callable[[FeedIndex], T]) -> T:
        with feed_index.opened(self._settings) as index:
            return work(index)

    async def read(self, work: Callable[[FeedIndex], T]) -> T:
        """What a function finds in the table."""
        return await asyncio.to_thread(self._with, work)

    async def close(self) -> None:
        await self._apart.close()


def _base(request: Request) -> str:
    return f"{public_url(request)}/feed"


async def _reading(request: Request) -> Reading:
    refuse_others(request, ())
    reading: Reading = request.app.state.feed
    await reading.caught_up(request)
    return reading


def _answer(request: Request, quads: list[Quad], how: Format, *, is_full: bool, ordered: bool = False) -> Response:
    """The node as text; an ordered one keeps the order of its quads."""
    text = feed.in_order(quads, how) if ordered else to_text(quads, how, feed.NAMES)
    etag = f'"{feed.digest(text)}-{how.name}"'
    caching = "public, max-age=604800, immutable" if is_full else "no-cache"
    about = {"ETag": etag, "Cache-Control": caching, "Vary": "Accept"}
    if etag in tags(request, "if-none-match"):
        return Response(status_code=304, headers=about)
    return Response(text, media_type=how.media_type, headers=about)


@router.head("", include_in_schema=False)
@router.get("", summary="The event stream", responses=_ANSWERS)
async def root(request: Request) -> Response:
    """What the stream is, what is kept of it, and where its pages are. Nothing of it is ever taken back."""
    how = chosen_format(request, _FORMATS)
    reading, base = await _reading(request), _base(request)
    quads = await reading.read(lambda index: feed.root(base, index))
    return _answer(request, quads, how, is_full=False)


@router.head("/groups/{number}", include_in_schema=False)
@router.get("/groups/{number}", summary="A group of pages", responses=_ANSWERS)
async def group(request: Request, number: int) -> Response:
    """Leads to its pages, with the times that each covers."""
    how = chosen_format(request, _FORMATS)
    reading, base = await _reading(request), _base(request)

    def work(index: FeedIndex) -> tuple[list[Quad], bool]:
        if not 0 <= number * feed.GROUP < index.pages:
            raise NotFound(f"the event stream has no group {number} yet; /feed leads to all there are")
        return feed.group(base, number, index), feed.extent_of_group(index, number).is_full

    quads, is_full = await reading.read(work)
    return _answer(request, quads, how, is_full=is_full)


@router.head("/pages/{number}", include_in_schema=False)
@router.get("/pages/{number}", summary="A page of versions", responses=_ANSWERS)
async def page(request: Request, number: int) -> Response:
    """Versions in the order of the changes. A full page never changes; to the last one, versions may be added.

    In formats without graphs, what different graphs say of a thing is merged.
    """
    how = chosen_format(request, _FORMATS)
    reading, base = await _reading(request), _base(request)
    settings: Settings = request.app.state.settings

    def work(index: FeedIndex) -> tuple[list[feed_index.Version], bool]:
        versions = index.page(number) if 0 <= number < 2**31 else []
        if not versions:
            raise NotFound(f"the event stream has no page {number} yet; /feed leads to all there are")
        return versions, index.extent(number, number).is_full

    versions, is_full = await reading.read(work)
    asked = feed.query(versions, union=settings.default_graph == "union")
    answer = await request.app.state.readers.answer(
        Query(asked, seconds=settings.query_seconds, client=client_of(request), is_lasting=False)
    )
    now = await answer.content()

    def write() -> Response:
        with request.app.state.log(answer.generation) as log:
            said = feed.states(log, versions, now)
        quads = feed.page(base, number, versions, said, is_full=is_full)
        return _answer(request, quads, how, is_full=is_full, ordered=True)

    return await asyncio.to_thread(write)


@router.head("/shape", include_in_schema=False)
@router.get("/shape", summary="The shape of a version", responses=_ANSWERS)
async def shape(request: Request) -> Response:
    """What the stream says of each version, as SHACL."""
    refuse_others(request, ())
    how = chosen_format(request, _FORMATS)
    return _answer(request, feed.shape(_base(request), f"{public_url(request)}/shapes"), how, is_full=False)
