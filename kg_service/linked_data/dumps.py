"""The whole graph as files to download: TriG and N-Quads, gzipped, of everything and of each named graph.

    <folder>/dumps/<generation>/index.json     what there is, with sizes and checksums; made last
    <folder>/dumps/<generation>/all.nq.gz      every named graph, and of the default graph what no named graph holds
    <folder>/dumps/<generation>/<name>.nq.gz   one graph

A generation's files appear together, by one rename, and are never changed: the same data give the same bytes, in the
engine's own order, which comes of the terms alone. Of older generations the last one stays.
"""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, cast

from pyoxigraph import DefaultGraph, NamedNode, Quad, QuerySolutions, RdfFormat, Store, serialize

from kg_service.errors import StoreError, StoreUnwritable
from kg_service.rdf import GRAPH, PREFIXES
from kg_service.store import generations

#: The file of everything, and that of what the default graph holds for its own sake, without their endings.
WHOLE, DEFAULT = "all", "default-graph"
#: Generations that are kept.
KEPT = 2
_CHUNK = 20_000
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_OWN = "SELECT ?s ?p ?o { ?s ?p ?o FILTER NOT EXISTS { GRAPH ?g { ?s ?p ?o } } }"
_HEADER = b"".join(f"@prefix {name}: <{iri}> .\n".encode() for name, iri in sorted(PREFIXES.items()))


@dataclass(frozen=True, slots=True)
class Dump:
    """A file: of one graph, or of everything when `graph` is None; its statements, bytes and checksum."""

    name: str
    graph: str | None
    media_type: str
    statements: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Index:
    """The files of one generation; `state` is its IRI (`history.state`), `triples` what the default graph holds."""

    generation: int
    state: str
    issued: str
    dumps: tuple[Dump, ...]

    def named(self, name: str) -> Dump | None:
        return next((dump for dump in self.dumps if dump.name == name), None)


def made(folder: Path) -> list[int]:
    """The generations whose files are there, latest first."""
    try:
        found = [int(path.name) for path in folder.iterdir() if path.name.isdecimal()]
    except FileNotFoundError:
        return []
    return sorted(found, reverse=True)


def index(folder: Path, generation: int) -> Index | None:
    """What there is of a generation; None when its files are not there."""
    try:
        told = json.loads((folder / str(generation) / "index.json").read_text(encoding="utf-8"))
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
            raise
        return None
    except ValueError:  # the machine lost its power before all of it was on the disk
        return None
    return Index(**(told | {"dumps": tuple(Dump(**dump) for dump in told["dumps"])}))


def make(folder: Path, store: Store, *, generation: int, state: str, issued: str | None, union: bool) -> None:
    """Makes the files of a generation, whose data the store holds, unless they are there; all of them or none.

    With `union` the default graph holds every triple of the named graphs, which is not written again.
    """
    with _alone(folder), _disk(folder):
        if index(folder, generation):
            return
        for left_over in folder.glob("*.new"):
            shutil.rmtree(left_over)
        beside = folder / f"{generation}.new"
        beside.mkdir()
        try:
            dumps = tuple(_written(beside, store, union))
            issued = issued or datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            told = asdict(Index(generation, state, issued, dumps))
            (beside / "index.json").write_text(json.dumps(told, ensure_ascii=False, indent=1), encoding="utf-8")
            for path in (*beside.iterdir(), beside):
                generations.sync(path)
            shutil.rmtree(folder / str(generation), ignore_errors=True)  # what `index` could not read
            beside.rename(folder / str(generation))
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        for old in made(folder)[KEPT:]:
            shutil.rmtree(folder / str(old), ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time makes files; another one waits."""
    with _disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("ab")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreUnwritable(f"no space left for dumps in {folder}; none was made") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise StoreUnwritable(f"dumps cannot be written to {folder}: {error.strerror}") from error
        raise StoreError(f"dumps could not be made in {folder}: {error}") from error


def _written(folder: Path, store: Store, union: bool) -> Iterator[Dump]:
    """Writes the files; the whole is described first, then each graph in order of its IRI."""
    whole, graphs = _Files(folder, WHOLE, None), list[Dump]()
    with whole:
        for name, graph, quads in _graphs(store, union):
            files = _Files(folder, name, graph)
            with files:
                while chunk := list(islice(quads, _CHUNK)):
                    texts = _texts(chunk)
                    for each in (files, whole):
                        each.add(texts, len(chunk))
            graphs += files.told()
    yield from whole.told()
    yield from graphs


def _graphs(store: Store, union: bool) -> Iterator[tuple[str, str | None, Iterator[Quad]]]:
    """The graphs that hold something: the name of the file, the IRI, the quads."""
    own = _own(store) if union else store.quads_for_pattern(None, None, None, DefaultGraph())
    first = next(own, None)
    if first is not None:
        yield DEFAULT, None, _after(first, own)
    for graph in sorted((g for g in store.named_graphs() if isinstance(g, NamedNode)), key=lambda g: g.value):
        quads = store.quads_for_pattern(None, None, None, graph)
        first = next(quads, None)
        if first is not None:
            yield file_name(graph.value), graph.value, _after(first, quads)


def _own(store: Store) -> Iterator[Quad]:
    for row in cast(QuerySolutions, store.query(_OWN)):
        yield Quad(row["s"], row["p"], row["o"])


def _after(first: Quad, rest: Iterable[Quad]) -> Iterator[Quad]:
    yield first
    yield from rest


def file_name(graph: str) -> str:
    """The name of a graph's files: the end of an IRI of ours where it is plain, else a digest of the IRI."""
    name = graph.removeprefix(GRAPH)
    if graph.startswith(GRAPH) and _PLAIN_NAME.fullmatch(name) and name not in (WHOLE, DEFAULT):
        return name
    return f"graph-{hashlib.sha256(graph.encode()).hexdigest()[:24]}"


def _texts(quads: list[Quad]) -> tuple[bytes, bytes]:
    """The quads as N-Quads, and as TriG without the declarations of prefixes."""
    trig = serialize(quads, None, RdfFormat.TRIG, prefixes=PREFIXES) or b""
    start = next((at for at in _line_starts(trig) if not trig.startswith(b"@prefix ", at)), len(trig))
    return serialize(quads, None, RdfFormat.N_QUADS) or b"", trig[start:]


def _line_starts(text: bytes) -> Iterator[int]:
    at = 0
    while at < len(text):
        yield at
        at = text.index(b"\n", at) + 1


class _Files:
    """The two files of a graph, being written."""

    def __init__(self, folder: Path, name: str, graph: str | None) -> None:
        self._graph, self._statements = graph, 0
        self._open = (
            _File(folder / f"{name}.nq.gz", "application/n-quads"),
            _File(folder / f"{name}.trig.gz", "application/trig"),
        )
        self._open[1].write(_HEADER)

    def add(self, texts: tuple[bytes, bytes], statements: int) -> None:
        self._statements += statements
        for file, text in zip(self._open, texts, strict=True):
            file.write(text)

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        for file in self._open:
            file.close()

    def told(self) -> list[Dump]:
        return [
            Dump(file.path.name, self._graph, file.media_type, self._statements, file.bytes, file.sha256)
            for file in self._open
        ]


class _File:
    """A gzip file whose bytes come of the content alone, counted and summed while they are written."""

    def __init__(self, path: Path, media_type: str) -> None:
        self.path, self.media_type, self.bytes = path, media_type, 0
        self._file, self._digest = path.open("wb"), hashlib.sha256()
        self._zipped = gzip.GzipFile("", "wb", compresslevel=6, fileobj=cast(BinaryIO, self._Counted(self)), mtime=0)

    class _Counted:
        def __init__(self, file: _File) -> None:
            self._of = file

        def write(self, data: bytes) -> int:
            self._of._file.write(data)
            self._of._digest.update(data)
            self._of.bytes += len(data)
            return len(data)

        def flush(self) -> None: ...

    def write(self, text: bytes) -> None:
        self._zipped.write(text)

    def close(self) -> None:
        try:
            self._zipped.close()
        finally:
            self._file.close()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()
