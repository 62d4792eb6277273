"""What strangers send in is parsed and evaluated in a process of its own, which gives back the change it makes.

The process holds a private view of one generation, writes nothing that others see, may take so much memory and time,
and is ended when it takes more. What comes out is a Delta; judging and committing it is `changes`' work.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pyoxigraph import Quad, RdfFormat, Store, parse, serialize

from kg_service import resources
from kg_service.errors import Busy, KgError, StoreError, TooLarge, TooSlow, UnsupportedFormat, from_problem
from kg_service.rdf import GRAPH_FORMATS, JSON_LD, Format, format_named, parse_bytes, with_context
from kg_service.sparql import distant, patch, update
from kg_service.sparql.distant import Engine
from kg_service.sparql.graph_store import Target
from kg_service.store import Delta, generations
from kg_service.store.children import Child, Ended
from kg_service.store.frames import begin, limit_memory, receive, send, send_data, serve
from kg_service.store.reader import OpenGeneration
from kg_service.store.scratch import Scratch

#: Processes at most, the others' jobs wait; and the jobs after which one is replaced.
_PROCESSES, _JOBS = 4, 1_000


class Sandbox:
    """Turns uploads and updates into changes. A process does one job at a time and is kept when it ended well.

    With an `engine`, its data are those that updates meet, not the store in `root`; the process asks for them, and of
    up to `copy` quads at once.
    """

    def __init__(
        self,
        root: Path,
        *,
        memory: int,
        seconds: float,
        max_bytes: int,
        queue_seconds: float = 10.0,
        union: bool = True,
        engine: Callable[[], Engine] | None = None,
        copy: int = 0,
    ) -> None:
        self._root, self._memory, self._seconds, self._max_bytes = root, memory, seconds, max_bytes
        self._queue_seconds = queue_seconds
        self._union, self._engine, self._copy = union, engine, copy
        self._idle: list[tuple[Child, int]] = []
        self._turns = asyncio.Semaphore(_PROCESSES)
        self._is_closed = False

    async def start(self) -> None:
        """Starts a process, so that the first job need not wait for it."""
        self._idle.append((await self._fresh(), 0))

    async def close(self) -> None:
        """Ends the processes that have no job; the others end with theirs."""
        self._is_closed = True
        ending, self._idle = self._idle, []
        await asyncio.gather(*(child.end() for child, _ in ending))

    async def parsed(self, body: bytes, how: Format, base: str, *, one_graph: bool = True) -> frozenset[Quad]:
        """The quads of an upload, with `one_graph` its triples; relative IRIs resolve against `base`.

        JSON-LD without a context, or with ours by its address, has ours.
        """
        job = {"do": "parse", "format": how.name, "base": base, "one_graph": one_graph}
        delta, _ = await self._run(job, body)
        return delta.added

    async def patched(self, body: bytes) -> Delta:
        """The change that an RDF Patch document means; see `patch.parsed`."""
        delta, _ = await self._run({"do": "patch"}, body)
        return delta

    async def updated(
        self,
        text: str,
        *,
        base: str,
        using: tuple[str, ...] = (),
        using_named: tuple[str, ...] = (),
        only: Target | None = None,
    ) -> tuple[Delta, int | None]:
        """The change that an update request makes, and of which generation; None where it is the same of any.

        With `only`, the request is about that graph; see `update.to_delta`.
        """
        job = {"do": "update", "base": base, "using": using, "using_named": using_named, "union": self._union}
        job |= {"about_one": only is not None, "graph": only and only.iri, "asks": self._engine is not None}
        return await self._run(job, text.encode())

    async def _fresh(self) -> Child:
        return await Child.start("kg_service.sparql.sandbox", self._root, self._memory)

    async def _next(self) -> tuple[Child, int]:
        """A process that has no job, and the number of jobs that it had."""
        while self._idle:
            child, jobs = self._idle.pop()
            if child.is_alive:
                return child, jobs
        return await self._fresh(), 0

    async def _run(self, job: Mapping[str, object], body: bytes) -> tuple[Delta, int | None]:
        if len(body) > self._max_bytes:
            raise TooLarge(f"the body is larger than {self._max_bytes} bytes; send it in parts")
        try:
            async with asyncio.timeout(self._queue_seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise Busy(f"no turn within {self._queue_seconds:g} s", retry_after=1) from None
        try:
            return await self._run_now(job, body)
        finally:
            self._turns.release()

    async def _run_now(self, job: Mapping[str, object], body: bytes) -> tuple[Delta, int | None]:
        child, jobs = await self._next()
        is_clean = False
        parts = {b"A": bytearray(), b"R": bytearray()}
        asked: int | None = None
        try:
            async with asyncio.timeout(self._seconds):
                child.ask(job, body)
                while True:
                    kind, payload = await child.hear()
                    if kind == b"E":
                        break
                    if kind == b"?":
                        asked, problem, answer = await asyncio.to_thread(self._answered, asked, payload)
                        child.ask(problem, answer)
                        continue
                    if kind == b"X":
                        is_clean = True
                        raise from_problem(json.loads(payload))
                    parts[kind] += payload
            is_clean = True
        except Ended:
            raise TooLarge("the request needs more memory or nesting than one request may have") from None
        except TimeoutError:
            raise TooSlow(f"the request took longer than {self._seconds:g} s; send it in parts") from None
        finally:
            if is_clean and jobs < _JOBS and not self._is_closed:
                self._idle.append((child, jobs + 1))
            else:
                await child.end()
        # One parse for both, so that a blank node of one is the same in the other.
        added = frozenset(parse(bytes(parts[b"A"]), RdfFormat.N_QUADS))
        delta = Delta(added, frozenset(parse(bytes(parts[b"R"]), RdfFormat.N_QUADS)))
        return delta, json.loads(payload)["generation"] if asked is None else asked

    def _answered(self, generation: int | None, question: bytes) -> tuple[int | None, dict[str, Any], bytes]:
        """The engine's generation before the first question, and the answer to this one, or a problem."""
        assert self._engine
        header, _, lines = question.partition(b"\n")
        try:
            engine = self._engine()
            if generation is None:
                generation = engine.generation
            found = distant.answer(engine, json.loads(header), lines, most=self._copy, max_bytes=self._memory // 4)
            return generation, {}, found
        except KgError as error:
            return generation, error.problem(), b""


def upload_format(content_type: str) -> Format:
    """The RDF format that a Content-Type names; UnsupportedFormat lists those of one graph."""
    media_type = content_type.split(";")[0].strip().lower()
    known = [f for f in GRAPH_FORMATS if f.rdf and not f.rdf.supports_datasets] + [JSON_LD]
    for each in known:
        if media_type in each.media_types:
            return each
    names = ", ".join(f.media_types[0] for f in known)
    raise UnsupportedFormat(f'a graph cannot be read from "{media_type}"; known: {names}')


def _parse(job: dict[str, Any], body: bytes) -> Delta:
    how = format_named(job["format"], GRAPH_FORMATS)
    if how is JSON_LD:
        body = with_context(body, (resources.folder("ontology") / "context.jsonld").read_bytes())
    return Delta(added=frozenset(parse_bytes(body, how, base=job["base"], one_graph=job["one_graph"])))


def _update(opened: OpenGeneration, root: Path, job: dict[str, Any], body: bytes) -> tuple[Delta, int | None]:
    text, base, union = body.decode(), job["base"], job["union"]
    using, using_named = tuple(job["using"]), tuple(job["using_named"])
    only = Target(job["graph"]).name if job["about_one"] else None
    if not using and not using_named:
        data = update.as_data(text, base=base, union=union, only=only)
        if data is not None:
            return data, None
    if job["asks"]:
        state = distant.DistantState(_ask)
        return update.delta_of(
            state, text, base=base, union=union, using=using, using_named=using_named, only=only
        ), None
    store = _opened(opened, root) if generations.current(root) else Store()
    with ExitStack() as held:  # folders are deleted last: the engine waits a second over a database without files

        @contextmanager
        def scratch() -> Iterator[Store]:
            """A private, writable copy of the generation; beside the store, because its files are linked."""
            root.mkdir(parents=True, exist_ok=True)
            copy = held.enter_context(Scratch(root)) / "copy"
            if opened.generation:
                generations.copy_database(generations.directory(root, opened.generation), copy)
            yield Store(str(copy))

        delta = update.to_delta(
            store, text, base=base, union=union, scratch=scratch, using=using, using_named=using_named, only=only
        )
        return delta, opened.generation


def _ask(question: Mapping[str, object], lines: bytes) -> bytes:
    """Asks the parent, who may ask others."""
    send(sys.stdout.buffer, b"?", json.dumps(question).encode() + b"\n" + lines)
    problem, answer = receive(sys.stdin.buffer), receive(sys.stdin.buffer)
    if problem is None or answer is None:
        raise StoreError("the service has ended")
    if found := json.loads(problem[1]):
        raise from_problem(found)
    return answer[1]


def _opened(opened: OpenGeneration, root: Path) -> Store:
    """The generation published now; it may be deleted while it is opened, but then there is another one."""
    while True:
        generation = generations.current(root)
        try:
            return opened.at(generation)
        except generations.Gone:
            if generation == generations.current(root):
                raise


def _lines(quads: Iterable[Quad]) -> bytes:
    return serialize(quads, None, RdfFormat.N_QUADS) or b""


def main() -> None:
    root, memory = Path(sys.argv[1]), int(sys.argv[2])
    if not begin():
        return
    out = sys.stdout.buffer
    opened = OpenGeneration(root, memory)
    limit_memory(memory)

    def answer(job: dict[str, Any], sent: bytes) -> bytes:
        generation = None
        if job["do"] == "parse":
            delta = _parse(job, sent)
        elif job["do"] == "patch":
            delta = patch.parsed(sent).delta
        else:
            delta, generation = _update(opened, root, job, sent)
        send_data(out, b"A", _lines(delta.added))
        send_data(out, b"R", _lines(delta.removed))
        return json.dumps({"generation": generation}).encode()

    lacking = "the request needs more memory than one request may have"
    serve(answer, lacking=lacking, failing="the request could not be evaluated", with_body=True)


if __name__ == "__main__":
    main()
