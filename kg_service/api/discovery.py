"""`/.well-known/void`, `/catalog` and `/examples`: what there is, where it is to be had, and what can be asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any, Generic, TypeVar

from fastapi import APIRouter, Request
from starlette.responses import Response

from kg_service import beside, queries, resources
from kg_service.api.addresses import public_url
from kg_service.api.changes import from_log
from kg_service.api.finished import state_of
from kg_service.api.parameters import chosen_format, refuse_others
from kg_service.api.writing import tags
from kg_service.errors import BeingMade, Busy, QueryStopped, StoreError
from kg_service.linked_data import Asking, catalog, dumps, examples, feed, kept, of_one_generation
from kg_service.linked_data.asking import Remembered
from kg_service.linked_data.catalog import Facts
from kg_service.linked_data.figures import Figures
from kg_service.rdf import GRAPH_FORMATS, Format, Quad, to_text
from kg_service.settings import Settings
from kg_service.store import Reads
from kg_service.store.log import ChangeLog

T = TypeVar("T")
router = APIRouter(tags=["discovery"])
#: Seconds that a request waits for figures that are being counted, and a page that can do with those of before.
_PATIENCE, SOON = 20.0, 0.3
#: Seconds for which figures are kept where nobody counts generations: others may write there unseen.
_UNTOLD = 60.0
_PROBLEM: dict[str, Any] = {"content": {"application/problem+json": {}}}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The description.", "content": {f.media_types[0]: {} for f in GRAPH_FORMATS}},
    304: {"description": "The client has it."},
    406: {"description": "None of the accepted formats is written."} | _PROBLEM,
    422: {"description": "A parameter is wrong."} | _PROBLEM,
    503: {"description": "The figures of this generation are being counted; see Retry-After."} | _PROBLEM,
}


class Counting(Generic[T]):
    """What is counted of the published generation: once, when it is first asked for, beside all else.

    Kept under a name beside the store, whose publications are told apart; another engine's are not.
    """

    def __init__(self, settings: Settings, name: str, count: Callable[[Asking], Awaitable[T]]) -> None:
        self._seconds, self._count = settings.query_seconds_with_token, count
        self._path = settings.own_folder / "figures" / f"{name}.json"
        #: What was counted last, with its generation.
        self.latest: tuple[int, T] | None = None
        self._since = 0.0
        self._work = beside.Work[tuple[int, T]]()

    async def current(self, reads: Reads, *, patience: float = _PATIENCE) -> tuple[int, T]:
        """The generation that is published now, or a later one, and what is counted of it.

        BeingMade while that goes on for longer than so many seconds.
        """
        asked = reads.generation
        while True:
            is_fresh = reads.generation or time.monotonic() - self._since < _UNTOLD
            if self.latest and self.latest[0] == reads.generation and is_fresh:
                return self.latest
            is_new = not self._work.goes_on
            work = self._work.wanted(lambda: self._counted(reads))
            done, _ = await asyncio.wait({work}, timeout=patience)
            if not done:
                raise BeingMade("the figures of this generation are being counted; come again", retry_after=10)
            try:
                self.latest, self._since = work.result(), time.monotonic()
            except Busy:  # it changes all the time: what was true a moment ago is better than nothing
                if self.latest:
                    return self.latest
                raise
            if is_new or self.latest[0] >= asked:
                return self.latest

    async def soon(self, reads: Reads, *, patience: float | None = None) -> tuple[int, T] | None:
        """What is counted, with its generation: of the present one if that takes no longer than so many seconds (SOON),
        else what was counted last, while it goes on; None where nothing is.
        """
        try:
            return await self.current(reads, patience=SOON if patience is None else patience)
        except (QueryStopped, StoreError):
            return self.latest

    async def _counted(self, reads: Reads) -> tuple[int, T]:
        published = state_of(reads)
        before = await asyncio.to_thread(kept.read, self._path, published) if published else None
        if before and (known := await kept.counted(before, self._count)):
            return known
        rows: dict[str, str] = {}

        async def count(asking: Asking) -> T:
            rows.clear()  # of a generation that is gone
            return await self._count(Remembered(rows, asking))

        generation, found = await of_one_generation(reads, count, seconds=self._seconds)
        if published and state_of(reads) == published:
            await asyncio.to_thread(kept.write, self._path, kept.Answers(published, generation, rows))
        return generation, found

    async def close(self) -> None:
        await self._work.close()


async def facts_of(request: Request, *, patience: float = _PATIENCE) -> Facts:
    """All that is told of the published generation."""
    counting: Counting[Figures] = request.app.state.counting
    generation, figures = await counting.current(request.app.state.readers, patience=patience)
    found = await from_log(request, lambda log: times(log, [graph.value for graph, _ in figures.graphs]))
    index = await asyncio.to_thread(dumps.index, request.app.state.dumps.folder, generation)
    return Facts(public_url(request), generation, figures, found, index)


def times(log: ChangeLog, graphs: list[str]) -> dict[str, tuple[str, str]]:
    """When the whole and each graph were first and last changed, as far as the log tells."""
    found: dict[str, tuple[str, str]] = {}
    first, last = log.following(0, limit=1), log.entries(limit=1)
    if first and last:
        found[""] = (first[0].time, last[0].time)
    for graph in graphs:
        latest, changes = log.entries(limit=1, iri=graph), log.touching([graph], after=0)
        earliest = log.entry(changes[0]) if changes else None
        if latest and earliest:
            found[graph] = (earliest.time, latest[0].time)
    return found


def _answer(request: Request, quads: list[Quad], generation: int | None) -> Response:
    how = chosen_format(request, GRAPH_FORMATS)
    return _sent(request, to_text(quads, how, catalog.NAMES), how, generation)


def _sent(request: Request, text: bytes, how: Format, generation: int | None) -> Response:
    about = {"ETag": f'"{feed.digest(text)}-{how.name}"', "Vary": "Accept", "Cache-Control": "no-cache"}
    if generation is not None:
        about["KG-Generation"] = str(generation)
    if about["ETag"] in tags(request, "if-none-match"):
        return Response(status_code=304, headers=about)
    return Response(text, media_type=how.media_type, headers=about)


async def _told(request: Request, tell: Callable[[Facts], list[Quad]]) -> Response:
    refuse_others(request, ())
    chosen_format(request, GRAPH_FORMATS)  # before anything is counted
    facts = await facts_of(request)
    return await asyncio.to_thread(lambda: _answer(request, tell(facts), facts.generation))


@router.head("/.well-known/void", include_in_schema=False)
@router.get("/.well-known/void", summary="The graph in figures", responses=_ANSWERS)
async def void(request: Request) -> Response:
    """VoID: how much there is of each class and property and in each graph, what it links to, and where it is."""
    return await _told(request, catalog.void)


@router.api_route("/void", methods=["GET", "HEAD"], include_in_schema=False)
async def void_too(request: Request) -> Response:
    return await _told(request, catalog.void)


@router.head("/catalog", include_in_schema=False)
@router.get("/catalog", summary="The data sets and services", responses=_ANSWERS)
async def cataloged(request: Request) -> Response:
    """DCAT 3: a data set for each source with licence, publisher, times and provenance; downloads; services."""
    return await _told(request, catalog.catalog)


@router.head("/examples", include_in_schema=False)
@router.get("/examples", summary="The ready-made questions as RDF", responses=_ANSWERS)
async def asked(request: Request) -> Response:
    """SHACL executables, as SPARQL editors read them."""
    refuse_others(request, ())
    how = chosen_format(request, GRAPH_FORMATS)
    text = await asyncio.to_thread(_examples, f"{public_url(request)}/sparql", how)
    return _sent(request, text, how, None)


@lru_cache(16)
def _examples(endpoint: str, how: Format) -> bytes:
    """The questions as RDF; they are the same while the service runs."""
    questions = queries.every(resources.folder("queries"))
    return to_text(examples.described(questions, endpoint), how, catalog.NAMES)
