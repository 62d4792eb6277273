"""What graphs lose that files replace: what they hold and the files do not say, found in pieces that fit into memory.

All lines of both sides are put into files by a checksum of their triple, so that equal triples meet in the same file;
those files are then compared one after the other.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

from pyoxigraph import NamedNode, Quad, RdfFormat, Store, parse

from kg_service.errors import StoreUnwritable
from kg_service.shacl import Progress
from kg_service.store import is_default
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.spool import Removed, Spool, packed, touched_by

#: Lines that come into one file, about, and the most files.
_IN_ONE, _MOST = 100_000, 256
#: Bytes of all files that wait to be written.
_WAITING = 2**24


def without_others(spool: Spool, store: EmbeddedStore, folder: Path, progress: Progress) -> Spool:
    """The spool of files that replace the graphs that they hold, with what goes from these; `folder` goes again.

    `folder` names the files of what goes too. StoreUnwritable when there is no space for them.
    """
    names = _graphs(spool)
    there = [number for number, name in enumerate(names) if next(store.graph(NamedNode(name)), None) is not None]
    gone = Removed(folder)
    try:
        if there:
            gone = _compared(spool, store, names, there, folder, progress)
        else:
            for path in (gone.removed, gone.unheld, gone.touched):
                path.write_bytes(b"")
    except OSError as error:
        raise StoreUnwritable(f"{folder.parent} cannot be written: {error.strerror}; nothing was changed") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Spool(spool.parts, gone)


def _graphs(spool: Spool) -> list[str]:
    """The IRIs of all graphs that the files hold."""
    found = set(spool.graphs)
    for text in spool.there():
        found |= {term[1:].decode() for term in touched_by(text.split(b"\n")[:-1]) if term[:1] == b"G"}
    return sorted(found)


def _compared(
    spool: Spool, store: EmbeddedStore, names: Sequence[str], there: Sequence[int], folder: Path, progress: Progress
) -> Removed:
    size = spool.lines + store.size(names[number] for number in there)
    count = min(_MOST, 1 + size // _IN_ONE)
    progress("comparing", 0, count)
    folder.mkdir(exist_ok=True)
    with _Sorted(folder, "now", count) as now:
        numbers = {b"<%s>" % name.encode(): b"%d\t" % number for number, name in enumerate(names)}
        for texts in (spool.texts(), spool.there()):
            for text in texts:
                for line in text.split(b"\n")[:-1]:
                    triple, graph, _ = line.rsplit(b" ", 2)
                    now.put(numbers[graph], triple + b" .\n")
    with _Sorted(folder, "before", count) as before:
        for number in there:
            before.take(store.working, NamedNode(names[number]), b"%d\t" % number)
    elsewhere = frozenset(graph.value for graph in store.named_graphs()) - set(names)
    lines = 0
    gone = Removed(folder)
    with ExitStack() as files:
        removed, unheld, touched = (
            files.enter_context(path.open("wb")) for path in (gone.removed, gone.unheld, gone.touched)
        )
        for number in range(count):
            held, going = _difference(now.file(number), before.file(number))
            if going:
                text = b"".join(_in_graph(line, names) for line in going)
                removed.write(packed(text))
                touched.write(b"".join(sorted(each + b"\n" for each in touched_by(text.split(b"\n")[:-1]))))
                alone = {triple for _, _, triple in (line.partition(b"\t") for line in going)} - held
                if elsewhere:
                    alone = _without_held(alone, store.working, elsewhere)
                if alone and store.union:
                    unheld.write(packed(b"".join(sorted(alone))))
                lines += len(going)
            progress("comparing", number + 1, count)
    return Removed(folder, lines)


def _difference(now: Path, before: Path) -> tuple[set[bytes], list[bytes]]:
    """Of two files the triples of the first, and the lines that are only in the second, in order."""
    said = set(_lines(now))
    going = sorted(set(_lines(before)) - said)
    return {line.partition(b"\t")[2] for line in said} if going else set(), going


def _lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True)


def _in_graph(line: bytes, names: Sequence[str]) -> bytes:
    number, _, triple = line.partition(b"\t")
    return b"%s<%s> .\n" % (triple[:-2], names[int(number)].encode())


def _without_held(triples: set[bytes], store: Store, graphs: frozenset[str]) -> set[bytes]:
    """The triples that none of these graphs holds."""
    lines = sorted(triples)
    quads = parse(b"".join(lines), RdfFormat.N_TRIPLES, lenient=True)
    return {line for line, quad in zip(lines, quads, strict=True) if not _is_held(quad, store, graphs)}


def _is_held(quad: Quad, store: Store, graphs: frozenset[str]) -> bool:
    holding = store.quads_for_pattern(quad.subject, quad.predicate, quad.object, None)
    return any(not is_default(each) and each.graph_name.value in graphs for each in holding)  # type: ignore[union-attr]


class _Sorted:
    """Lines in a number of files, by a checksum of what follows their mark."""

    def __init__(self, folder: Path, name: str, count: int) -> None:
        self._folder, self._name, self._count = folder, name, count
        self._waiting: list[list[bytes]] = [[] for _ in range(count)]
        self._size = 0

    def __enter__(self) -> _Sorted:
        for number in range(self._count):
            self.file(number).write_bytes(b"")
        return self

    def __exit__(self, *_: object) -> None:
        self._write()

    def file(self, number: int) -> Path:
        return self._folder / f"{self._name}-{number}"

    def put(self, mark: bytes, line: bytes) -> None:
        self._waiting[zlib.crc32(line) % self._count].append(mark + line)
        self._size += len(line)
        if self._size > _WAITING:
            self._write()

    def take(self, store: Store, graph: NamedNode, mark: bytes) -> None:
        """Puts in all that a graph holds."""
        store.dump(cast(BinaryIO, _Lines(self, mark)), RdfFormat.N_TRIPLES, from_graph=graph)

    def _write(self) -> None:
        for number, lines in enumerate(self._waiting):
            if lines:
                with self.file(number).open("ab") as file:
                    file.write(b"".join(lines))
                lines.clear()
        self._size = 0


class _Lines:
    """A file that takes text in pieces and hands on its lines."""

    def __init__(self, into: _Sorted, mark: bytes) -> None:
        self._into, self._mark, self._held = into, mark, b""

    def write(self, data: bytes) -> int:
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            self._into.put(self._mark, line + b"\n")
        return len(data)

    def flush(self) -> None:
        """Nothing waits here."""
