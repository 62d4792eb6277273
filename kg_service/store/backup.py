"""Whole copies of the embedded store, made while it is read and written, that tell whether they are whole.

    <folder>/<generation>-<time>/manifest.json   what the copy holds, and a checksum of each file
    <folder>/<generation>-<time>/…               laid out as a store: format, current, generations/N, changes.db …
    <folder>/.part-…                             one that is being made; the next one deletes what a killed one left

A copy is that of one generation, which is held meanwhile, with the log up to it. What can be made anew of the graph is
left out: the search index, dumps, networks.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyoxigraph import Store

from kg_service.errors import AlreadyThere, NotFound, StoreDamaged, StoreError, StoreFull, StoreNewer, StoreUnwritable
from kg_service.store import generations
from kg_service.store.embedded import snapshot
from kg_service.store.log import Log

#: What belongs to a store besides its generations and its log, and cannot be made anew.
OWN_FILES = ("seeded", "shapes.nt", "tokens.json", "refreshed.json")
#: The same, as databases that may be written to while they are copied.
OWN_DATABASES = ("reports.db",)
FORMAT = 1
_NAME = re.compile(r"[0-9]+-[0-9]{8}T[0-9]{12}Z")
_PIECE = 2**20


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy holds. `quads` are in named graphs; `triples` in the default graph, merged or its own."""

    format: int
    generation: int
    time: str
    quads: int
    triples: int
    changes: int
    #: By their paths in the copy: size and SHA-256.
    files: dict[str, tuple[int, str]]


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy that is whole."""

    path: Path
    manifest: Manifest


def make(root: Path, folder: Path) -> Backup:
    """Copies the published generation of the store in `root` to a new folder in `folder`, and verifies the copy.

    Table files get a second name where both are on one file system, and are copied otherwise: they are never written
    again. What is in `folder` already is left alone. On any failure there is nothing that looks like a copy.
    """
    generations.check_format(root)
    must_be_apart(folder, root)
    held = generations.hold_current(root)
    if held is None:
        raise NotFound(f"there is no store in {root}, so there is nothing to back up")
    generation, lease = held
    with lease, _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        beside = Path(tempfile.mkdtemp(prefix=".part-", dir=folder))
        try:
            with _locked(beside):
                _fill(root, generation, beside)
                made = verified(beside)
                path = folder / f"{generation}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z"
                beside.rename(path)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        generations.sync(folder)
    return Backup(path, made.manifest)


def _fill(root: Path, generation: int, copy: Path) -> None:
    source, target = generations.directory(root, generation), generations.directory(copy, generation)
    target.mkdir(parents=True)
    files = {
        _relative(target / path.name, copy): _copied(path, target / path.name) for path in sorted(source.iterdir())
    }
    for name in OWN_FILES:
        with contextlib.suppress(FileNotFoundError):
            files[name] = _copied(root / name, copy / name)
    for name in OWN_DATABASES:
        if (root / name).is_file():
            _copy_database(root / name, copy / name)
            files[name] = _summed(copy / name)
    changes = _copy_log(root, copy, generation)
    (copy / "format").write_text(f"{generations.FORMAT}\n")
    generations.publish(copy, generation)
    for path in (copy / "changes.db", copy / "format", copy / "current", target.with_suffix(".lease")):
        files[_relative(path, copy)] = _summed(path)
    with snapshot(copy) as store:
        quads, triples = counts(store)
    with generations.hold(root, generation):
        if (quads, triples) != counts(Store.read_only(str(source))):
            raise StoreDamaged(f"the copy of {source} does not hold what that does; make the backup again")
    time = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    manifest = Manifest(FORMAT, generation, time, quads, triples, changes, files)
    (copy / "manifest.json").write_text(json.dumps(asdict(manifest), indent=1) + "\n")
    for path in (path for path in copy.rglob("*") if path.is_file()):
        generations.sync(path)
    for folder in (target, target.parent, copy):
        generations.sync(folder)


def _copied(source: Path, target: Path) -> tuple[int, str]:
    """Copies a file; its size and sum as they are in the source."""
    if source.suffix == ".sst" and generations.linked(source, target):
        return _summed(source)
    digest, size = hashlib.sha256(), 0
    mode = source.stat().st_mode & 0o600 if source.name == "tokens.json" else source.stat().st_mode & 0o777
    target.touch(mode, exist_ok=False)
    with source.open("rb") as read, target.open("wb") as write:
        while piece := read.read(_PIECE):
            digest.update(piece)
            write.write(piece)
            size += len(piece)
    return size, digest.hexdigest()


def _summed(path: Path) -> tuple[int, str]:
    with path.open("rb") as file:
        return path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def _relative(path: Path, copy: Path) -> str:
    return path.relative_to(copy).as_posix()


def _copy_log(root: Path, copy: Path, generation: int) -> int:
    """Copies the log while others write to it, without what is above a generation; how many changes it has."""
    source, target = root / "changes.db", copy / "changes.db"
    if source.is_file():
        _copy_database(source, target)
    try:
        with closing(Log(copy, generation=generation, is_writer=True)) as log:
            changes = log.size()
        with closing(sqlite3.connect(target)) as write:  # one file, and one that can be read where nothing is written
            write.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.Error as error:
        raise _uncopied(source, copy, error) from error
    return changes


def _copy_database(source: Path, target: Path) -> None:
    """Copies a database as it is at one moment."""
    address = f"{source.absolute().as_uri()}?mode=ro"
    target.touch(source.stat().st_mode & 0o777)
    try:
        with closing(sqlite3.connect(address, uri=True)) as read, closing(sqlite3.connect(target)) as write:
            read.backup(write)
    except sqlite3.Error as error:
        raise _uncopied(source, target.parent, error) from error


def _uncopied(source: Path, copy: Path, error: sqlite3.Error) -> StoreError:
    if error.sqlite_errorname == "SQLITE_FULL":
        return StoreFull(f"no space left in {copy.parent}; no backup was made")
    return StoreDamaged(f"{source} cannot be copied ({error}); restore a backup with `kg restore`, or move it away")


def counts(store: Store) -> tuple[int, int]:
    """How many quads there are in named graphs, and triples in the default graph."""
    found: list[Any] = [
        store.query(f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}") for pattern in ("GRAPH ?g { ?s ?p ?o }", "?s ?p ?o")
    ]
    quads, triples = (int(next(rows)["n"].value) for rows in found)
    return quads, triples


def verified(path: Path) -> Backup:
    """The copy in a folder, once every file has its sum and what is opened of them counts what it should.

    Raises StoreDamaged where anything differs.
    """
    manifest = _manifest(path)
    for name, (size, digest) in manifest.files.items():
        try:
            summed = _summed(path / name)
        except OSError as error:
            raise _damaged(path, f"{name} cannot be read: {error.strerror}") from None
        if summed != (size, digest):
            raise _damaged(path, f"{name} is not what it was")
    generations.check_format(path)
    if generations.current(path) != manifest.generation:
        raise _damaged(path, "it names another generation")
    try:
        with snapshot(path) as store:
            found = counts(store)
    except StoreError as error:
        raise _damaged(path, error.detail) from None
    if found != (manifest.quads, manifest.triples):
        raise _damaged(path, f"it holds {found[0]} quads and {found[1]} triples")
    address = f"{(path / 'changes.db').absolute().as_uri()}?mode=ro&immutable=1"
    with closing(sqlite3.connect(address, uri=True)) as log:
        if log.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise _damaged(path, "its log cannot be read")
    return Backup(path, manifest)


def _manifest(path: Path) -> Manifest:
    try:
        told = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        manifest = Manifest(**told | {"files": {name: (size, sum) for name, (size, sum) in told["files"].items()}})
        if any(Path(name).is_absolute() or ".." in Path(name).parts for name in manifest.files):
            raise ValueError(manifest.files)
    except OSError as error:
        raise _damaged(path, f"manifest.json cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(path, "manifest.json is not one of a backup") from None
    if manifest.format > FORMAT:
        raise StoreNewer(f"the backup {path} was made by a newer version of this program; update it")
    return manifest


def _damaged(path: Path, why: str) -> StoreDamaged:
    return StoreDamaged(f"the backup {path} is not whole ({why}); take another one")


def chosen(folder: Path, generation: int | None) -> Path:
    """The backup that a folder is, or the last of those in it that reach so far. Raises NotFound for none."""
    if (folder / "manifest.json").is_file():
        return folder
    found = [path for path in folder.iterdir() if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    reaching = [path for path in found if generation is None or int(path.name.split("-")[0]) >= generation]
    if not reaching:
        there = f"; it has {', '.join(sorted(path.name for path in found))}" if found else ""
        of = "" if generation is None else f" of generation {generation} or a later one"
        raise NotFound(f"there is no backup{of} in {folder}{there}")
    return max(reaching, key=lambda path: path.name.split("-")[1])


def must_be_apart(folder: Path, root: Path) -> None:
    """Raises AlreadyThere for a folder in the store, which a restore would take away, or above what is restored."""
    if folder.resolve().is_relative_to(root.resolve()):
        raise AlreadyThere(f"{folder} lies in the store {root}; backups belong elsewhere, on another disk at best")


def _sweep(folder: Path) -> None:
    """Deletes what killed backups left; those that are being made are locked."""
    for path in folder.glob(".part-*"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(path):
            shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except StoreFull:
        raise StoreFull(f"no space left in {folder}; no backup was made") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull(f"no space left in {folder}; no backup was made") from None
        about = f": {error.filename}" if error.filename else ""
        raise StoreUnwritable(f"no backup could be written to {folder} ({error.strerror or error}{about})") from None
