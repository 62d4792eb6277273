"""What strangers send in is parsed and evaluated in a process of its own, which gives back the change it makes.

The process holds a private view of one generation, writes nothing that others see, may take so much memory and time,
and is ended afterwards. What comes out is a Delta; judging and committing it is `changes`' work.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyoxigraph import Quad, RdfFormat, Store, parse, serialize

from kg_service.errors import KgError, QueryStopped, StoreError, TooLarge, UnsupportedFormat, from_problem
from kg_service.rdf import GRAPH_FORMATS, JSON_LD, Format, format_named, parse_bytes
from kg_service.sparql import patch, update
from kg_service.store import Delta, generations
from kg_service.store.children import Child, Ended
from kg_service.store.frames import begin, limit_memory, receive, refuse, send, send_data


class Sandbox:
    """Turns uploads and updates into changes, one process for each."""

    def __init__(self, root: Path, *, memory: int, seconds: float, max_bytes: int, union: bool = True) -> None:
        self._root, self._memory, self._seconds, self._max_bytes = root, memory, seconds, max_bytes
        self._union = union

    async def parsed(self, body: bytes, how: Format, base: str) -> frozenset[Quad]:
        """The triples of an upload, in the default graph; relative IRIs resolve against `base`."""
        job = {"do": "parse", "format": how.name, "base": base}
        return (await self._run(job, body)).added

    async def patched(self, body: bytes) -> Delta:
        """The change that an RDF Patch document means; see `patch.parsed`."""
        return await self._run({"do": "patch"}, body)

    async def updated(
        self, text: str, *, base: str, using: tuple[str, ...] = (), using_named: tuple[str, ...] = ()
    ) -> Delta:
        """The change that an update request makes to the generation published now."""
        generation = generations.current(self._root)
        job = {
            "do": "update",
            "generation": generation,
            "base": base,
            "using": using,
            "using_named": using_named,
            "union": self._union,
        }
        return await self._run(job, text.encode())

    async def _run(self, job: Mapping[str, object], body: bytes) -> Delta:
        if len(body) > self._max_bytes:
            raise TooLarge(f"the body is larger than {self._max_bytes} bytes; send it in parts")
        child = await Child.start("kg_service.sparql.sandbox", self._root, self._memory)
        parts = {b"A": bytearray(), b"R": bytearray()}
        try:
            async with asyncio.timeout(self._seconds):
                await child.ask(job, body)
                while True:
                    kind, payload = await child.hear()
                    if kind == b"E":
                        break
                    if kind == b"X":
                        raise from_problem(json.loads(payload))
                    parts[kind] += payload
        except Ended:
            raise TooLarge("the request needs more memory or nesting than one request may have") from None
        except TimeoutError:
            raise QueryStopped(f"the request took longer than {self._seconds:g} s; send it in parts") from None
        finally:
            await child.end()
        # One parse for both, so that a blank node of one is the same in the other.
        added = frozenset(parse(bytes(parts[b"A"]), RdfFormat.N_QUADS))
        return Delta(added, frozenset(parse(bytes(parts[b"R"]), RdfFormat.N_QUADS)))


def upload_format(content_type: str) -> Format:
    """The RDF format that a Content-Type names; UnsupportedFormat lists those of one graph."""
    media_type = content_type.split(";")[0].strip().lower()
    known = [f for f in GRAPH_FORMATS if f.rdf and not f.rdf.supports_datasets] + [JSON_LD]
    for each in known:
        if media_type in each.media_types:
            return each
    names = ", ".join(f.media_types[0] for f in known)
    raise UnsupportedFormat(f'a graph cannot be read from "{media_type}"; known: {names}')


def _parse(job: dict[str, str], body: bytes) -> Delta:
    how = format_named(job["format"], GRAPH_FORMATS)
    return Delta(added=frozenset(parse_bytes(body, how, base=job["base"], one_graph=True)))


def _delta(root: Path, job: dict[str, Any], body: bytes) -> Delta:
    if job["do"] == "parse":
        return _parse(job, body)
    return patch.parsed(body).delta if job["do"] == "patch" else _update(root, job, body)


def _update(root: Path, job: dict[str, object], body: bytes) -> Delta:
    generation = int(str(job["generation"]))
    with ExitStack() as held:  # folders are deleted last: the engine waits a second over a database without files

        @contextmanager
        def scratch() -> Iterator[Store]:
            """A private, writable copy of the generation; beside the store, because its files are linked."""
            root.mkdir(parents=True, exist_ok=True)
            copy = Path(held.enter_context(TemporaryDirectory(dir=root, prefix="scratch-"))) / "copy"
            if generation:
                generations.copy_database(generations.directory(root, generation), copy)
            yield Store(str(copy))

        if generation:
            held.enter_context(generations.hold(root, generation))
        return update.to_delta(
            Store.read_only(str(generations.directory(root, generation))) if generation else Store(),
            body.decode(),
            base=str(job["base"]),
            using=_strings(job["using"]),
            using_named=_strings(job["using_named"]),
            union=bool(job["union"]),
            scratch=scratch,
        )


def _strings(value: object) -> tuple[str, ...]:
    assert isinstance(value, list)
    return tuple(map(str, value))


def _lines(quads: Iterable[Quad]) -> bytes:
    return serialize(quads, None, RdfFormat.N_QUADS) or b""


def main() -> None:
    root, memory = Path(sys.argv[1]), int(sys.argv[2])
    question, body = (receive(sys.stdin.buffer), receive(sys.stdin.buffer)) if begin() else (None, None)
    if question is None or body is None:
        return
    out = sys.stdout.buffer
    limit_memory(memory)
    try:
        job = json.loads(question[1])
        delta = _delta(root, job, body[1])
        send_data(out, b"A", _lines(delta.added))
        send_data(out, b"R", _lines(delta.removed))
        send(out, b"E", b"")
    except KgError as error:
        refuse(out, error)
    except MemoryError:
        refuse(out, TooLarge("the request needs more memory than one request may have"))
    except Exception as error:  # the engine's other errors must reach the client as a problem
        refuse(out, StoreError(f"the request could not be evaluated: {error}"))


if __name__ == "__main__":
    main()
