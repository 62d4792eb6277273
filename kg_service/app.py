"""The web application: everything it is made of, on one screen."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

import uvicorn
from fastapi import Depends, FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from kg_service import __version__, queries, resources
from kg_service.access import Access
from kg_service.api import (
    appearance,
    changes,
    collections,
    contributing,
    cors,
    discovery,
    documentation,
    dumps,
    duplicates,
    entities,
    explore,
    feed,
    graph_store,
    guidelines,
    health,
    home,
    job_events,
    judging,
    logs,
    map_page,
    members,
    metrics,
    network_page,
    networks,
    ontology,
    pages,
    patches,
    problems,
    query_page,
    reconcile,
    reports,
    running,
    sdgs,
    search,
    search_page,
    shapes,
    sparql,
    things,
    things_asked,
    update,
    validate,
)
from kg_service.api import queries as asked
from kg_service.api.asking import Questions, Repeated
from kg_service.api.edge import Edge, Usage
from kg_service.api.finished import Finished
from kg_service.api.parameters import only_declared
from kg_service.api.sessions import Sessions
from kg_service.api.together import READ_BY_POST, HandingOn, Together, is_between, received
from kg_service.api.watched import Watch, Watched
from kg_service.changes.remote import RemoteWriter
from kg_service.changes.writer import Writer
from kg_service.connections import Bounds, Http
from kg_service.errors import KgError, StoreError, TooLong
from kg_service.linked_data import figures, gaps, lately
from kg_service.lists import declared
from kg_service.lists.columns import Tables
from kg_service.network.earlier import Earlier
from kg_service.network.rowfiles import RowFiles
from kg_service.search.door import Search
from kg_service.search.engine import description, state_of_revision
from kg_service.settings import Settings
from kg_service.sparql.federation import Federation
from kg_service.sparql.sandbox import Sandbox
from kg_service.store import Query, Reads, arenas
from kg_service.store.cache import CachedReads
from kg_service.store.log import OpenLog, log_of
from kg_service.store.readers import Limits, Readers
from kg_service.store.remote import RemoteReads, RemoteStore, endpoint_of, remote_log, remote_store
from kg_service.tracing import traces

DESCRIPTION = """A knowledge graph of the social and solidarity economy: who acts, where they meet, what they call for,
what it serves, and how they are allied. Every statement leads to the words of its source."""


def create_app(settings: Settings | None = None, together: Together | None = None) -> FastAPI:
    """The application over the store that the settings name; one of several processes, where there are others."""
    settings = settings or Settings()
    writes = together is None or together.is_writer

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        # Opened when it is first needed: an engine that is away now may come later.
        engine = functools.cache(lambda: remote_store(settings)) if settings.is_remote else None
        app.state.settings, app.state.log, app.state.traces = settings, _log(settings), traces()
        app.state.access = Access(settings)
        app.state.sessions = Sessions(settings, app.state.access)
        app.state.readers, app.state.judges = _reads(settings), validate.judges(settings)
        app.state.sandbox = _sandbox(settings, engine)
        app.state.writer = _writer(settings, engine, app.state.readers)
        app.state.questions, app.state.finished = Questions(), Finished(settings.cache_bytes // 2)
        app.state.dumps, app.state.feed = dumps.Making(settings), feed.Reading(settings)
        app.state.reports = reports.Reports(settings)
        app.state.pages.takes_reports = app.state.reports.is_open
        app.state.tables = Tables(settings.list_values)
        app.state.counting = discovery.Counting(settings, "figures", figures.counted)
        app.state.sizes = discovery.Counting(settings, "sizes", figures.graph_sizes)
        app.state.judging = judging.Judging(settings)
        app.state.gaps = discovery.Counting(settings, "gaps", gaps.counted)
        newest = lately.Lately(
            app.state.log if settings.is_writable else None, (c for each in listed for c in each.classes)
        )
        app.state.lately = discovery.Counting(settings, "lately", newest.counted)
        app.state.federation = Federation(
            settings.services, max_bytes=settings.service_bytes, queue_seconds=settings.queue_seconds
        )
        app.state.search = _search(settings, app.state.readers)
        app.state.jobs = networks.jobs(settings)
        app.state.rowfiles = RowFiles(
            settings.own_folder,
            app.state.readers,
            settings.network_rows,
            Earlier(settings),
            settings.network_seconds,
        )
        await app.state.readers.start()
        await app.state.search.start()
        if app.state.access.is_on and settings.is_writable and writes:
            await app.state.sandbox.start()
            app.state.writer.start()
        if together:
            if isinstance(app.state.readers, CachedReads):
                together.share("seconds", app.state.readers.readers.budgets)
            together.start()
        try:
            yield
        finally:
            if together:
                await together.close()
            await app.state.search.close()
            await app.state.writer.close()
            await app.state.sandbox.close()
            await app.state.readers.close()
            app.state.federation.close()
            await app.state.judges.close()
            await app.state.dumps.close()
            await app.state.feed.close()
            await app.state.counting.close()
            await app.state.sizes.close()
            await app.state.gaps.close()
            await app.state.lately.close()
            await app.state.judging.close()
            await app.state.jobs.close()
            await app.state.rowfiles.close()
            app.state.access.close()
            await asyncio.to_thread(app.state.traces.close)

    app = FastAPI(
        title="SSE knowledge graph",
        version=__version__,
        description=DESCRIPTION,
        lifespan=lifespan,
        dependencies=[Depends(only_declared)],
        docs_url=None,
        redoc_url=None,
    )
    app.state.watch = watch = Watch(settings)
    app.state.together = together
    most = settings.connections, settings.client_connections
    app.state.bounds = Bounds(*most, settings.patience_seconds, watch.refused)
    problems.install(app)
    described = {"/sparql": sparql.OPENAPI, "/update": update.OPENAPI, "/store": graph_store.OPENAPI}
    described |= {"/api/validate": validate.OPENAPI, "/shapes": shapes.OPENAPI, "/api/search": search.OPENAPI}
    described |= ontology.OPENAPI | things_asked.OPENAPI | reconcile.OPENAPI
    texts = queries.every(resources.folder("queries"))
    questions = asked.Questions(texts)
    documentation.install(app, described | questions.openapi())
    pages.install(app)
    ontology.install(app)
    things.install(app)
    reconcile.install(app)
    app.include_router(health.router)
    app.include_router(metrics.router)
    app.include_router(running.router)
    app.include_router(changes.router)
    app.include_router(duplicates.router)
    app.include_router(networks.router)
    app.include_router(job_events.router)
    app.include_router(sdgs.router)
    app.include_router(guidelines.router)
    app.include_router(patches.router)
    app.include_router(dumps.router)
    app.include_router(feed.router)
    app.include_router(discovery.router)
    app.add_route("/api/queries", questions.listed)
    app.add_route("/api/queries/{path:path}", questions.asked)
    listed = declared.collections(texts, resources.folder("ontology"))
    for doors in (collections, members, entities):
        app.include_router(doors.router(listed))
    app.add_route("/sparql", sparql.Sparql(app), methods=sparql.METHODS)  # type: ignore[arg-type]
    app.add_route("/update", update.update, methods=update.METHODS)
    app.add_route("/store", graph_store.store, methods=graph_store.METHODS)
    app.add_route("/store/{path:path}", graph_store.store, methods=graph_store.METHODS, include_in_schema=False)
    app.add_route("/api/search", search.search)
    app.add_route("/api/validate", validate.validate, methods=validate.METHODS)
    app.add_route("/shapes", pages.for_people(shapes.shapes), methods=shapes.METHODS)
    app.add_route("/", pages.for_people(home.Home(texts, listed).shown), methods=home.METHODS, include_in_schema=False)
    found = pages.for_people(search_page.shown)
    app.add_route("/search", found, methods=search_page.METHODS, include_in_schema=False)
    contributing.install(app)
    reports.install(app)
    explore.install(app, listed)
    choosing = pages.for_people(appearance.chosen, appearance.back)
    app.add_route("/appearance", choosing, methods=appearance.METHODS, include_in_schema=False)
    editor = pages.for_people(query_page.QueryEditor(texts).shown)
    app.add_route("/query", editor, methods=query_page.METHODS, include_in_schema=False)
    mapped = pages.for_people(map_page.shown)
    app.add_route("/map", mapped, methods=map_page.METHODS, include_in_schema=False)
    networked = pages.for_people(network_page.shown)
    app.add_route("/network", networked, methods=network_page.METHODS, include_in_schema=False)
    app.state.watch.knows(app.routes)
    return app


def _reads(settings: Settings) -> Reads:
    """Who answers queries: readers of the embedded store, or the engine that the settings name."""
    if settings.is_remote:
        return RemoteReads(
            endpoint_of(settings),
            max_bytes=settings.max_answer_bytes,
            queue_seconds=settings.queue_seconds,
        )
    readers = Readers(
        settings.store,
        Limits(
            readers=settings.readers,
            memory=settings.query_memory,
            max_bytes=settings.max_answer_bytes,
            max_rows=settings.max_rows,
            quick_seconds=settings.quick_seconds,
            queue_seconds=settings.queue_seconds,
            queue=settings.queue,
            paused=settings.paused,
            client_seconds=settings.client_seconds,
        ),
    )
    return CachedReads(readers, settings.cache_bytes)


def _search(settings: Settings, reads: Reads) -> Search:
    """Full text over the graph; its index is brought to what `reads` answers from."""

    async def published() -> str:
        if isinstance(reads, CachedReads):
            return reads.state
        answer = await reads.answer(Query("ASK {}", seconds=settings.query_seconds))
        return state_of_revision(endpoint_of(settings).query, answer.generation)

    return Search(description(settings), published)


def _sandbox(settings: Settings, engine: Callable[[], RemoteStore] | None) -> Sandbox:
    return Sandbox(
        settings.own_folder,
        memory=settings.query_memory,
        seconds=settings.query_seconds,
        max_bytes=settings.max_body_bytes,
        queue_seconds=settings.queue_seconds,
        union=settings.default_graph == "union",
        engine=engine,
        copy=settings.copy_triples,
    )


def _writer(settings: Settings, engine: Callable[[], RemoteStore] | None, reads: Reads) -> Writer | RemoteWriter:
    if engine:
        assert isinstance(reads, RemoteReads)
        return RemoteWriter(engine, settings.own_folder, copy=settings.copy_triples, heard=reads.heard)
    return Writer(settings.store, union=settings.default_graph == "union")


def _log(settings: Settings) -> OpenLog:
    if settings.is_remote:
        return functools.partial(remote_log, settings)
    return functools.partial(log_of, settings.store)


#: Ticks, ten a second, between two looks at slow connections, and before memory that is not used is given back again.
_LOOK, _TRIM = 10, 600
#: How long running queries may go on after Ctrl-C.
DRAIN_SECONDS = 2.0


def _brief(record: logging.LogRecord) -> bool:
    """An answer that had to be cut short is one line in the log, a warning where the store is not to blame: raising is
    the only way to end it unfinished.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, KgError):
        record.msg, record.args, record.exc_info = f"an answer was cut short: {error.detail}", (), None
        if not isinstance(error, StoreError):
            record.levelno, record.levelname = logging.WARNING, "WARNING"
    return True


def _always(settings: Settings) -> list[tuple[str, str]]:
    """What every answer is sent with: it is what it says it is, and where told to be got by HTTPS alone."""
    strict = f"max-age={settings.hsts_seconds}; includeSubDomains"
    about = [("X-Content-Type-Options", "nosniff")]
    return about + ([("Strict-Transport-Security", strict)] if settings.hsts_seconds else [])


class Server(uvicorn.Server):
    """A server that ends running queries soon after it is told to stop, so that stopping never waits for them."""

    def __init__(self, settings: Settings, together: Together | None = None) -> None:
        self._app, self._longest = create_app(settings, together), settings.max_url_bytes
        self._sparql: ASGIApp | None = None  # until the application has started
        self._settings, self._usage, self._together = settings, Usage(settings), together
        if together:
            for name, budgets in self._usage.budgets().items():
                together.share(name, budgets)
        self._others, self._refused = self._edge(self._app), self._watched(self._too_long)
        self._bounds: Bounds = self._app.state.bounds
        if settings.trusted_hops:
            self._bounds.of_one = settings.connections
        self._draining: asyncio.Task[None] | None = None
        config = uvicorn.Config(
            cors.Cors(self._answer, read_by_post=READ_BY_POST),
            interface="asgi3",
            http=cast(type[asyncio.Protocol], functools.partial(Http, bounds=self._bounds)),
            proxy_headers=False,  # see Edge
            headers=_always(settings),
            log_config=None,  # see api/logs.py
            log_level="warning",
            lifespan="on",
            server_header=False,
            timeout_graceful_shutdown=10,
        )
        super().__init__(config)
        logging.getLogger("uvicorn.error").addFilter(_brief)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, with queries answered before it, and no door for addresses that are too long."""
        if self._together and scope["type"] == "http" and is_between(scope):
            received(scope)
        if scope["type"] == "http" and len(scope["raw_path"]) + len(scope["query_string"]) > self._longest:
            await self._refused(scope, receive, send)
            return
        if scope["type"] != "http" or scope["path"] != "/sparql" or scope["method"] not in sparql.METHODS:
            await self._others(scope, receive, send)
            return
        if self._sparql is None:
            self._sparql = self._first(sparql.Sparql(self._app))
        await self._sparql(scope, receive, send)

    async def _too_long(self, scope: Scope, receive: Receive, send: Send) -> None:
        too_long = TooLong(f"the address is longer than {self._longest} bytes; send what is long by POST")
        await problems.response(too_long)(scope, receive, send)

    def _first(self, app: ASGIApp) -> ASGIApp:
        """The application behind answers from memory, which are watched only where every request is to be logged."""
        edge = Edge(app, self._app, self._settings, self._usage)
        reads = self._app.state.readers
        if not isinstance(reads, CachedReads):
            return self._watched(edge)
        if self._settings.log_requests == "all":
            return self._watched(Repeated(edge, self._app.state.questions, reads))
        return Repeated(self._watched(edge), self._app.state.questions, reads)

    def _edge(self, app: ASGIApp) -> ASGIApp:
        edge: ASGIApp = Edge(app, self._app, self._settings, self._usage)
        return self._watched(HandingOn(edge, self._together) if self._together else edge)

    def _watched(self, app: ASGIApp) -> Watched:
        return Watched(app, self._app, self._settings, self._app.state.watch)

    async def on_tick(self, counter: int) -> bool:
        stopping = await super().on_tick(counter)
        if counter % _LOOK == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Http):
                    connection.look(now)
        if counter % _TRIM == 0:
            asyncio.get_running_loop().run_in_executor(None, arenas.trim)
        if stopping and self._draining is None:
            self._app.state.jobs.is_ending = True
            self._draining = asyncio.create_task(self._app.state.readers.drain(DRAIN_SECONDS))
        return stopping


class _Prepared(Server):
    """A server that has ready what its first visitors will ask for."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            # Ended with the counting that it waits for; who asks whether the service is ready waits for it a while.
            self._app.state.preparing = asyncio.create_task(home.prepared(self._app))


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def run(settings: Settings, *listening: socket.socket, together: Together | None = None) -> None:
    """Serves on bound sockets until a signal says stop; then no process of ours is left."""
    logs.begin(settings)
    signal.signal(signal.SIGTERM, _interrupt)  # a server that was told to stop tells it again when it has stopped
    with contextlib.suppress(KeyboardInterrupt):
        _Prepared(settings, together).run(sockets=list(listening))
