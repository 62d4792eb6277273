"""The program that reads files of a large load: each, or a stretch of it, becomes a part of a spool.

What it holds in memory is a piece of the file and of the text, whatever their size. It reads one after the other what
it is told to, and can be killed: a part counts when its last file is there.
"""

from __future__ import annotations

import codecs
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import BinaryIO, TypeAlias

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store, Triple, parse

from kg_service.changes.commit import misplaced
from kg_service.errors import Malformed, NotFound, Refused, StoreUnwritable
from kg_service.ingest.normalising import Normaliser, quads_of
from kg_service.rdf import N_QUADS, N_TRIPLES, check_document, format_of_path, graph, malformed, sse, stem
from kg_service.shacl import Result
from kg_service.store import Delta, generations
from kg_service.store.frames import begin, send, serve
from kg_service.store.spool import Part, packed, touched_by, triples
from kg_service.unpacking import is_packed, opened

#: Told how many bytes of the file were read since the last time.
Say: TypeAlias = Callable[[int], None]

#: Bytes of a file of lines that are read together, and of its longest line.
_PIECE, _LONGEST = 2**22, 2**26
#: Statements of any other file that are read together.
_TOGETHER = 20_000
#: Claims in the wrong graph that are told.
_MOST_WRONG = 1_000


@dataclass(frozen=True, slots=True)
class Job:
    """A stretch of a file, the part that it becomes, and the store (its folder and generation) that it is for."""

    path: str
    start: int
    end: int
    part: str
    root: str
    generation: int
    union: bool
    language: str
    #: Whether graphs are replaced, so that what is there already must be told too.
    replaces: bool = False

    @property
    def file(self) -> Path:
        return Path(self.path)


def is_of_lines(path: Path) -> bool:
    """Whether each line of the file is a statement of its own."""
    return format_of_path(path) in (N_TRIPLES, N_QUADS)


def done(part: Path) -> Path:
    """The file that is there when the part is whole: how many lines it has, and claims that are in the wrong graph."""
    return part.with_suffix(".done")


def make(job: Job, say: Say) -> None:
    """Makes the part; raises Malformed with source, line and column, Refused, NotFound, StoreUnwritable."""
    part = Part(Path(job.part), 0)
    try:
        with ExitStack() as files:
            added, kept, there, touched = (
                files.enter_context(each.open("wb")) for each in (part.added, part.kept, part.there, part.touched)
            )
            known = _Known(job)
            lines, wrong, seen = 0, list[Result](), set[bytes]()
            for text in _normalised(job, say):
                found = known.split(text)
                if found.there and job.replaces:
                    there.write(packed(found.there))
                if found.kept:
                    kept.write(packed(found.kept))
                if not found.new:
                    continue
                lines += found.new.count(b"\n")
                added.write(packed(found.new))
                iris = touched_by(found.new.splitlines())
                touched.write(b"".join(sorted(iri + b"\n" for iri in iris - seen)))
                seen = iris
                if len(wrong) < _MOST_WRONG and _CERTAINTY in found.new:
                    wrong += _wrong(found.new, job.language)
        made = done(part.path).with_suffix(".made")
        made.write_bytes(pickle.dumps((lines, tuple(wrong[:_MOST_WRONG]))))
        made.rename(done(part.path))
    except OSError as error:
        raise StoreUnwritable(f"{part.path.parent} cannot be written: {error.strerror}; nothing was changed") from None


# Reading


def _normalised(job: Job, say: Say) -> Iterator[bytes]:
    normaliser = Normaliser(graph(stem(job.file)))
    has_graphs = _engines(job).supports_datasets
    for quads in _statements(job, say):
        for quad in quads:
            if isinstance(quad.object, Triple):
                raise Refused(f"{job.path}: triple terms of RDF 1.2 are not kept; use rdf:Statement")
        yield normaliser.text(quads, has_graphs=has_graphs)


def _engines(job: Job) -> RdfFormat:
    how = format_of_path(job.file).rdf
    assert how
    return how


def _statements(job: Job, say: Say) -> Iterator[list[Quad]]:
    """The statements of the stretch, some at a time."""
    try:
        yield from _of_lines(job, say) if is_of_lines(job.file) else _of_document(job, say)
    except FileNotFoundError:
        raise NotFound(f"{job.path}: the file went away while it was read") from None


def _of_lines(job: Job, say: Say) -> Iterator[list[Quad]]:
    how = _engines(job)
    with opened(job.file, say) as file:
        for position, piece in _pieces(file, job):
            try:
                yield list(parse(piece, how))
            except SyntaxError as error:
                raise _located(error, job, position) from None
            except ValueError as error:
                raise Malformed(f"{job.path}: {error}", source=job.path) from None


def _pieces(file: BinaryIO, job: Job) -> Iterator[tuple[int, bytes]]:
    """Whole lines, with the place of the first of them. A stretch begins after the first line end that it has."""
    position = job.start
    if job.start:
        file.seek(job.start - 1)
        position += _skipped(file, job) - 1
    held = b""
    while position < job.end:
        piece = file.read(_PIECE)
        held += piece
        start, end = position, held.rfind(b"\n") + 1
        if not piece:
            end = len(held)
        if position + end > job.end:
            end = held.find(b"\n", max(0, job.end - position - 1)) + 1 or end
        if not end and len(held) > _LONGEST:
            raise Refused(f"{job.path}: a line is longer than {_LONGEST // 2**20} MB")
        if end:
            lines, held, position = held[:end], held[end:], position + end
            yield start, lines.removeprefix(codecs.BOM_UTF8) if start == 0 else lines
        if not piece:
            return


def _skipped(file: BinaryIO, job: Job) -> int:
    """Reads over the first line end; how many bytes that were."""
    skipped = 0
    while piece := file.read(2**16):
        if end := piece.find(b"\n") + 1:
            file.seek(end - len(piece), os.SEEK_CUR)
            return skipped + end
        skipped += len(piece)
    return skipped + 1


def _located(error: SyntaxError, job: Job, position: int) -> Malformed:
    """The error with the line counted from the file's beginning."""
    before = 0
    with opened(job.file) as file:
        while position > 0 and (piece := file.read(min(position, _PIECE))):
            before += piece.count(b"\n")
            position -= len(piece)
    found = malformed(error)
    line = (found.more.get("line") or 1) + before
    column = found.more.get("column") or 1
    text = found.detail.partition(": ")[2] if found.detail.startswith("line ") else found.detail
    return Malformed(f"{job.path}: line {line}, column {column}: {text}", source=job.path, line=line, column=column)


def _silent(size: int) -> None:
    pass


def _of_document(job: Job, say: Say) -> Iterator[list[Quad]]:
    path = job.file
    if is_packed(job.file):
        path = Path(job.part).with_suffix(".unpacked")
        with opened(job.file, say) as file, path.open("wb") as unpacked:
            shutil.copyfileobj(file, unpacked, _PIECE)
    try:
        if path.stat().st_size:
            with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                check_document(data, format_of_path(job.file), job.path)
        with opened(path, _silent if path != job.file else say) as file:
            if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
                file.seek(0)
            quads = parse(file, _engines(job), base_iri=graph(stem(job.file)).value)
            while some := list(islice(quads, _TOGETHER)):
                yield some
    except SyntaxError as error:
        raise malformed(error, job.path) from None
    except ValueError as error:
        raise Malformed(f"{job.path}: {error}", source=job.path) from None
    finally:
        if is_packed(job.file):
            path.unlink(missing_ok=True)


# Comparing with what there is

_CERTAINTY = f" {sse('certainty')} ".encode()


@dataclass(frozen=True, slots=True)
class _Split:
    """Of lines of N-Quads those that are new, those of them that the default graph has for its own sake, the others."""

    new: bytes
    kept: bytes = b""
    there: bytes = b""


class _Known:
    """What the store has already, in the generation that the load is for."""

    def __init__(self, job: Job) -> None:
        folder = generations.directory(Path(job.root), job.generation)
        self._store = Store.read_only(str(folder)) if job.generation else None
        self._union = job.union
        self._subjects: dict[bytes, bool] = {}

    def split(self, text: bytes) -> _Split:
        """Lines of N-Quads, told apart."""
        if self._store is None:
            return _Split(text)
        lines = text.splitlines(keepends=True)
        known = {subject for subject in _subjects(lines) if self._has(subject)}
        if not known:
            return _Split(text)
        new, kept, there = list[bytes](), list[bytes](), list[bytes]()
        for line in lines:
            if line.partition(b" ")[0] not in known:
                new.append(line)
                continue
            (quad,) = quads_of(line)
            if quad in self._store:
                there.append(line)
                continue
            new.append(line)
            triple = Quad(quad.subject, quad.predicate, quad.object)
            if self._union and triple in self._store and not self._is_held(triple):
                kept.append(triples(line))
        return _Split(b"".join(new), b"".join(kept), b"".join(there))

    def _has(self, iri: bytes) -> bool:
        found = self._subjects.get(iri)
        if found is None:
            assert self._store
            if len(self._subjects) > 100_000:
                self._subjects.clear()
            subject = NamedNode(iri[1:-1].decode())
            found = next(self._store.quads_for_pattern(subject, None, None, None), None) is not None
            self._subjects[iri] = found
        return found

    def _is_held(self, triple: Quad) -> bool:
        assert self._store
        holding = self._store.quads_for_pattern(triple.subject, triple.predicate, triple.object, None)
        return any(not isinstance(quad.graph_name, DefaultGraph) for quad in holding)


def _subjects(lines: Sequence[bytes]) -> set[bytes]:
    """The subjects of lines of N-Quads, in brackets."""
    return {line.partition(b" ")[0] for line in lines}


def _wrong(text: bytes, language: str) -> Iterator[Result]:
    claims = b"".join(line for line in text.splitlines(keepends=True) if _CERTAINTY in line)
    return misplaced(Delta(added=frozenset(quads_of(claims))), language)


def main() -> None:
    if not begin():
        return
    os.nice(5)
    out = sys.stdout.buffer

    def say(size: int) -> None:
        send(out, b"P", str(size).encode())

    lacking = "there is not enough memory to read this file"
    serve(lambda job, _: make(Job(**job), say), lacking=lacking, failing="the file could not be read")


if __name__ == "__main__":
    main()
