"""The reader processes' program: each opens a generation, answers one query at a time, can be killed any moment.

Started as a module it is the nursery (see `children`): it has everything loaded, opens nothing, and its children read.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn

from pyoxigraph import (
    DefaultGraph,
    NamedNode,
    Quad,
    QueryBoolean,
    QuerySolutions,
    QueryTriples,
    Store,
    Triple,
    serialize,
)

from kg_service.errors import KgError, Malformed, NotAcceptable, Refused, StoreDamaged, StoreError, TooLarge
from kg_service.rdf import (
    BOOLEAN_FORMATS,
    GRAPH_FORMATS,
    PREFIXES,
    TABLE_FORMATS,
    Format,
    WellFormed,
    format_named,
    malformed,
)
from kg_service.store import generations
from kg_service.store.children import birth
from kg_service.store.counting import counter
from kg_service.store.frames import FRAME, begin, end_with_parent, limit_memory, receive, refuse, send


class _Frames:
    """A file to serialise into: cuts what is written into frames, and stops at the limits of bytes and rows.

    An answer that fits into one frame is sent as such when it is complete.
    """

    def __init__(self, out: BinaryIO, how: Format, *, max_bytes: int, max_rows: int) -> None:
        self._out, self._how, self._held, self._sent = out, how, bytearray(), 0
        self._max_bytes, self._max_rows = max_bytes, max_rows
        self._count, self._form = counter(how), WellFormed(how)
        self.stopped: KgError | None = None

    def write(self, data: bytes) -> int:
        self._held += data
        if self._sent + len(self._held) > self._max_bytes:
            self._stop(_too_large(f"the answer is larger than {self._max_bytes} bytes"))
        if len(self._held) >= FRAME:
            if not self._sent:
                send(self._out, b"H", json.dumps({"format": self._how.name}).encode())
            send(self._out, b"D", self._counted())
        return len(data)

    def flush(self) -> None:
        """The engine calls it at its end; what is left waits for `end`."""

    def end(self) -> None:
        """Sends what is left; the answer is complete."""
        last = self._counted()
        self._form.check(b"", is_last=True)
        if self._sent == len(last):
            send(self._out, b"A", self._how.name.encode() + b"\n" + last)
            return
        if last:
            send(self._out, b"D", last)
        send(self._out, b"E", b"")

    def _counted(self) -> bytes:
        """What is held, now to be sent."""
        data = bytes(self._held)
        try:
            self._form.check(data)
        except NotAcceptable as error:
            self._stop(error)
        if self._count(data) > self._max_rows:
            self._stop(_too_large(f"the answer has more than {self._max_rows} rows"))
        self._sent += len(data)
        self._held.clear()
        return data

    def _stop(self, error: KgError) -> NoReturn:
        self.stopped = self.stopped or error  # the engine tries again to write what it holds
        raise OSError("stopped")


def _too_large(what: str) -> TooLarge:
    return TooLarge(f"{what}; ask for less, or page with ORDER BY, LIMIT and OFFSET")


def _unreadable(what: str) -> StoreError:
    """The error of the engine, with what to do where its files are not what it wrote."""
    if "Corruption" in what or "No such file" in what:
        return StoreDamaged(f"{what.rstrip('. ')}; the store is damaged, restore a backup with `kg restore`")
    return StoreError(what)


class OpenGeneration:
    """Keeps one generation open, with its lease, until a job asks for another.

    `memory` limits the whole process, in bytes beyond what it has once the generation is open; None lifts the limit.
    """

    def __init__(self, root: Path, memory: int | None) -> None:
        self._root, self._memory = root, memory
        self.generation = 0
        self._lease: IO[bytes] | None = None
        self._store = Store()

    def at(self, generation: int) -> Store:
        if generation != self.generation:
            lease = generations.hold(self._root, generation)
            limit_memory(None)  # a store opens with threads of its own, which are not the query's
            try:
                store = Store.read_only(str(generations.directory(self._root, generation)))
            except (OSError, RuntimeError) as error:
                lease.close()
                if self.generation:
                    limit_memory(self._memory)
                raise _unreadable(f"generation {generation} cannot be read: {error}") from None
            if self._lease:
                self._lease.close()
            self._store, self._lease, self.generation = store, lease, generation
            limit_memory(self._memory)
        return self._store


def dataset_of(store: Store, default: list[str], named: list[str]) -> tuple[Store, dict[str, Any]]:
    """The store and arguments that make a query see just these graphs.

    The engine would count a triple once per default graph that holds it, where the SPARQL dataset is their RDF merge
    (SPARQL 1.1, section 13.2): more than one default graph is therefore merged in memory first.
    """
    if not default and not named:
        return store, {}
    try:
        names = [NamedNode(iri) for iri in named]
        default_names = [NamedNode(iri) for iri in default]
    except ValueError as error:
        raise Malformed(f"a graph of the dataset is not named by an IRI: {error}") from None
    if len(default) <= 1:
        # An empty list hides the default graph; leaving it out would show it.
        return store, {"default_graph": default_names, "named_graphs": names}
    merged = Store()
    for name in default_names:
        found = store.quads_for_pattern(None, None, None, name)
        merged.extend(Quad(q.subject, q.predicate, q.object, DefaultGraph()) for q in found)
    for name in names:
        merged.extend(store.quads_for_pattern(None, None, None, name))
    # Given even so: without them the engine would look for the graphs of the text's own FROM clauses.
    return merged, {"default_graph": [DefaultGraph()], "named_graphs": names}


def _pick(wanted: str | None, among: Iterable[Format], what: str) -> Format:
    if wanted is None:
        types = ", ".join(f.media_types[0] for f in among)
        raise NotAcceptable(f"the answer to {what} can be written as: {types}")
    return format_named(wanted, among)


def _answer(store: Store, job: dict[str, Any], out: BinaryIO) -> None:
    dataset, arguments = dataset_of(store, job["default_graphs"], job["named_graphs"])
    frames: _Frames | None = None

    def begun(wanted: str | None, among: Iterable[Format], what: str) -> tuple[Format, _Frames]:
        nonlocal frames
        how = _pick(wanted, among, what)
        frames = _Frames(out, how, max_bytes=job["max_bytes"], max_rows=job["max_rows"])
        return how, frames

    try:
        result = dataset.query(job["text"], base_iri=job["base"], **arguments)
        if isinstance(result, QuerySolutions):
            how, into = begun(job["table"], TABLE_FORMATS, "SELECT")
            result.serialize(into, how.results)  # type: ignore[arg-type]
        elif isinstance(result, QueryBoolean):
            how, into = begun(job["boolean"], BOOLEAN_FORMATS, "ASK")
            into.write(_boolean(result, how))
        else:
            how, into = begun(job["graph"], GRAPH_FORMATS, "CONSTRUCT and DESCRIBE")
            serialize(_once(result, job["max_rows"]), into, how.rdf, prefixes=PREFIXES)  # type: ignore[arg-type]
        into.end()
    except SyntaxError as error:
        raise malformed(error) from None
    except RuntimeError as error:
        if "is not supported" in str(error):  # an unknown function, say
            raise Refused(f"the query cannot be evaluated: {error}") from None
        raise
    except OSError:
        if frames and frames.stopped:
            raise frames.stopped from None
        raise


def _boolean(result: QueryBoolean, how: Format) -> bytes:
    if how.name in ("csv", "tsv"):  # no standard writes ASK as a table: other engines send the word alone
        return b"true" if result else b"false"
    return result.serialize(format=how.results) or b""


def _once(triples: QueryTriples, limit: int) -> Iterable[Triple]:
    """A graph is a set (SPARQL 1.1, section 16.2): the engine may construct the same triple many times."""
    seen: set[Triple] = set()
    for triple in triples:
        if triple not in seen:
            if len(seen) == limit:
                raise TooLarge(f"the answer has more than {limit} triples; ask for less, or page with LIMIT and OFFSET")
            seen.add(triple)
            yield triple


def main() -> None:
    root, memory = Path(sys.argv[1]), int(sys.argv[2])
    if not begin():
        return
    gc.freeze()  # so that children share these pages for good
    nursery = birth()
    if nursery is None:
        return
    end_with_parent()
    if os.getppid() != nursery:
        return
    _read(OpenGeneration(root, memory))


def _read(reader: OpenGeneration) -> None:
    out = sys.stdout.buffer
    while frame := receive(sys.stdin.buffer):
        job = json.loads(frame[1])
        try:
            _answer(reader.at(job["generation"]), job, out)
        except KgError as error:
            refuse(out, error)
        except MemoryError:
            refuse(out, TooLarge("the query needs more memory than one query may have", limit="memory"))
        except Exception as error:  # the engine's other errors must reach the client as a problem, not end the reader
            refuse(out, _unreadable(f"the query could not be answered: {error}"))


if __name__ == "__main__":
    main()
