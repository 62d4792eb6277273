"""Answering queries on a remote engine."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

from pyoxigraph import QueryBoolean, QueryResultsFormat, parse_query_results, serialize

from kg_service import tracing
from kg_service.errors import Busy, KgError, QueryStopped, StoreError, TooLarge
from kg_service.rdf import GRAPH_FORMATS, PREFIXES, Format, WellFormed
from kg_service.store import Answer, Query, Running
from kg_service.store.readers import WHOLE
from kg_service.store.remote.endpoint import Endpoint, dataset, merging_refused
from kg_service.store.remote.exchange import PART, Body, Exchange
from kg_service.store.remote.revision import revision_of, visible_graphs
from kg_service.store.remote.text import FORMS, Text, as_rows, asked_format, based, hiding

#: How many parts may wait for a slow client.
_PARTS_WAITING = 16
#: How many times the bytes of our answer the engine's text may have: its JSON is longer than our CSV.
_MORE_TEXT = 8


class _Pipe:
    """From a worker thread to the event loop: a file to serialise into, whose parts come out in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, exchange: Exchange, limit: int, how: Format) -> None:
        self._loop, self._exchange, self._limit = loop, exchange, limit
        self._form = WellFormed(how)
        self._parts: asyncio.Queue[tuple[int, bytes] | KgError | None] = asyncio.Queue()
        self._room = threading.Semaphore(_PARTS_WAITING)
        self._held, self._sent = bytearray(), 0

    def write(self, data: bytes) -> int:
        self._held += data
        if self._sent + len(self._held) > self._limit:
            raise TooLarge(
                f"the answer is larger than {self._limit} bytes; ask for less, or page with LIMIT and OFFSET"
            )
        if len(self._held) >= PART:
            self.flush()
        return len(data)

    def flush(self) -> None:
        if self._held:
            self._form.check(bytes(self._held))
            self._sent += len(self._held)
            self.put((0, bytes(self._held)))
            self._held.clear()

    def finish(self) -> None:
        """Hands over what is left of an answer that is complete."""
        self.flush()
        self._form.check(b"", is_last=True)

    def put(self, part: tuple[int, bytes]) -> None:
        """Hands a part over; waits while the client is slow, until the exchange is stopped."""
        while not self._room.acquire(timeout=0.1):
            self._exchange.check()
        self._exchange.check()
        self.end(part)

    def end(self, last: tuple[int, bytes] | KgError | None) -> None:
        """Hands over without waiting for room: an error, or None for the end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._parts.put_nowait, last)

    async def get(self) -> tuple[int, bytes] | None:
        part = await self._parts.get()
        self._room.release()
        if isinstance(part, KgError):
            raise part
        return part


class RemoteReads:
    """Answers queries on a remote engine, `size` at a time, each in a thread with a connection of its own.

    The generation is the dataset's revision. An answer is at least as new as the generation that it names: a change
    may come between asking for the number and asking the query. `generation` is looked up once a second (see `heard`).
    """

    def __init__(self, endpoint: Endpoint, *, size: int = 8, max_bytes: int, queue_seconds: float) -> None:
        self.endpoint = endpoint
        self._max_bytes, self._queue_seconds = max_bytes, queue_seconds
        self._turns = asyncio.Semaphore(size)
        self._threads = ThreadPoolExecutor(size + 1, thread_name_prefix="remote")
        self._running: dict[Exchange, tuple[Query, float]] = {}
        self._generation = 0
        self._graphs: tuple[int, tuple[str, ...]] = (-1, ())
        self._watching: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def generation(self) -> int:
        """The revision seen last; 0 when there is none."""
        return self._generation

    def heard(self, generation: int) -> None:
        """Told of a revision that this service made itself, so that whoever asked for it meets it at once."""
        self._generation = max(self._generation, generation)

    async def start(self) -> None:
        """Looks up the revision, and again every second; an engine that is away now may come later."""
        await self._look_up()
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(1)
            await self._look_up()

    async def _look_up(self) -> None:
        def revision() -> int:
            with Exchange(self.endpoint, 5) as exchange:
                return revision_of(exchange)

        with contextlib.suppress(KgError):
            self._generation = await asyncio.get_running_loop().run_in_executor(self._threads, revision)

    async def drain(self, seconds: float) -> None:
        """Lets running queries end within that time, then ends them; they raise QueryStopped."""
        until = asyncio.get_running_loop().time() + seconds
        while self._running and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.05)
        await self.close()

    async def close(self) -> None:
        """Ends every request."""
        self._closed = True
        if self._watching:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        for exchange in list(self._running):
            exchange.stop(QueryStopped("the service is stopping; try again later"))
        self._threads.shutdown(wait=False, cancel_futures=True)

    def running(self) -> list[Running]:
        """The queries that the engine has not answered yet; what they use there is not known here."""
        now = time.time()
        return [Running(query, "remote", since, now - since, 0.0, 0) for query, since in self._running.values()]

    def end(self, query_id: str, reason: KgError) -> bool:
        """Ends a query, which raises the reason; False when there is none of that id."""
        found = [exchange for exchange, (query, _) in self._running.items() if query.id == query_id]
        for exchange in found:
            exchange.stop(reason)
        return bool(found)

    @contextlib.contextmanager
    def still(self) -> Iterator[Callable[[Query], Awaitable[Answer]]]:
        yield self.answer  # no engine can be asked for a state that is gone

    async def answer(self, query: Query) -> Answer:
        """The answer to a query; raises as `Reads` says, and StoreError when the engine fails.

        With `parts` in the answer, a connection is in use until they are read or closed.
        """
        text = Text.of(query.text)
        how = asked_format(query, text.form)
        default_clauses = query.default_graphs if query.default_graphs or query.named_graphs else text.default_clauses
        if len(default_clauses) > 1 and not self.endpoint.dialect.merges:
            raise merging_refused()
        waits = tracing.current().inner("queue")
        try:
            await asyncio.wait_for(self._turns.acquire(), self._queue_seconds)
        except TimeoutError:
            raise Busy(f"no connection came free within {self._queue_seconds:g} s; try again later") from None
        finally:
            waits.end()
        frames = self._frames(query, text, how)
        try:
            generation, _ = await anext(frames)
            self._generation = generation
            held = bytearray()
            async for _, data in frames:
                held += data
                if len(held) > WHOLE:
                    return Answer(generation, how.name, parts=_joined(bytes(held), frames))
            return Answer(generation, how.name, whole=bytes(held))
        except BaseException:
            await frames.aclose()
            raise

    async def _frames(self, query: Query, text: Text, how: Format) -> AsyncGenerator[tuple[int, bytes], None]:
        """First (generation, nothing), then (0, data) until the end; gives the connection back in every case."""
        exchange = Exchange(self.endpoint, query.seconds)
        pipe = _Pipe(asyncio.get_running_loop(), exchange, query.most_bytes or self._max_bytes, how)
        if self._closed:
            self._turns.release()
            raise QueryStopped("the service is stopping; try again later")
        exchange.span = tracing.current().inner("engine", {"kg.query": query.id})
        working = asyncio.get_running_loop().run_in_executor(
            self._threads, self._work, query, text, how, exchange, pipe
        )
        self._running[exchange] = (query, time.time())
        working.add_done_callback(lambda _: self._done(exchange))
        until = asyncio.get_running_loop().time() + query.seconds + 1  # the exchange ends itself before, save in DNS
        try:
            while True:
                async with asyncio.timeout_at(until):
                    part = await pipe.get()
                if part is None:
                    return
                yield part
        except TimeoutError:
            raise exchange.too_long() from None
        finally:
            exchange.stop(QueryStopped("the client left"))

    def _done(self, exchange: Exchange) -> None:
        self._running.pop(exchange, None)
        self._turns.release()
        exchange.span.end()

    def _work(self, query: Query, text: Text, how: Format, exchange: Exchange, pipe: _Pipe) -> None:
        """In a thread: asks, and writes the answer into the pipe."""
        try:
            with exchange:
                generation = revision_of(exchange)
                default, named = self._dataset(query, text, exchange, generation)
                asked = text.without_dataset() if query.default_graphs or query.named_graphs else text.text
                if not default and not named and not text.default_clauses and not text.named_clauses:
                    asked = hiding(asked)
                if self.endpoint.dialect.asks_by_rows:
                    asked = as_rows(asked)
                body = exchange.query(based(asked, query.base), text.form, default, named)
                body.limit = (query.most_bytes or self._max_bytes) * _MORE_TEXT
                pipe.put((generation, b""))
                _write(body, text.form, how, pipe)
                pipe.finish()
            pipe.end(None)
        except KgError as error:
            # Without its traceback: that would carry the rows, which must end in the thread that made them.
            error.__traceback__ = error.__context__ = error.__cause__ = None
            pipe.end(error)
        except Exception as error:  # whatever a hostile answer does must reach the client as a problem
            pipe.end(StoreError(f"the SPARQL engine's answer cannot be read: {error}"))

    def _dataset(
        self, query: Query, text: Text, exchange: Exchange, generation: int
    ) -> tuple[Sequence[str], Sequence[str]]:
        """The graphs to send with a query so that its dataset is what ours would be."""

        def visible() -> Sequence[str]:
            if self._graphs[0] != generation:
                self._graphs = (generation, tuple(g.value for g in visible_graphs(exchange)))
            return self._graphs[1]

        has_clauses = bool(text.default_clauses or text.named_clauses)
        return dataset(
            self.endpoint.dialect, query.default_graphs, query.named_graphs, visible, has_clauses=has_clauses
        )


def _write(body: Body, form: str, how: Format, out: _Pipe) -> None:
    """The engine's answer in the asked format."""
    if form == "ASK":
        out.write(_boolean(body.boolean(), how))
    elif FORMS[form] is GRAPH_FORMATS:
        serialize(body.triples(), cast(Any, out), how.rdf, prefixes=PREFIXES)
    else:
        found = body.solutions()
        if isinstance(found, QueryBoolean):
            raise StoreError("the SPARQL engine answered yes or no to SELECT")
        try:
            found.serialize(cast(Any, out), how.results)
        except (SyntaxError, ValueError) as error:
            raise StoreError(f"the SPARQL engine's answer does not parse, or was cut: {error}") from None
        body.read_out()


def _boolean(value: bool, how: Format) -> bytes:
    if how.name in ("csv", "tsv"):  # as the embedded store's readers write it
        return b"true" if value else b"false"
    text = b'{"head":{},"boolean":%s}' % (b"true" if value else b"false")
    parsed = parse_query_results(text, QueryResultsFormat.JSON)
    return cast(bytes, cast(QueryBoolean, parsed).serialize(format=how.results))


async def _joined(first: bytes, frames: AsyncGenerator[tuple[int, bytes], None]) -> AsyncIterator[bytes]:
    """What was held back and the data of the frames after it; closes the frames in every case."""
    try:
        yield first
        async for _, data in frames:
            yield data
    finally:
        await frames.aclose()
