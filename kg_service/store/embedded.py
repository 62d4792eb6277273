"""The embedded store's writer: one process at a time, every change becomes a published generation or leaves no trace.

A change goes intent -> working database -> checkpoint -> `current` -> intent gone. Whatever is found half-way at the
next start is rolled back to the published generation, so a crash at any point loses only the change that was not
yet confirmed.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pyoxigraph import DefaultGraph, NamedNode, Quad, Store

from kg_service.errors import StoreDamaged, StoreError, StoreLocked, StoreUnwritable
from kg_service.store import Delta, generations

#: From this many quads on, table files are written directly instead of through the write-ahead log.
BULK = 100_000


@contextmanager
def _translated(root: Path) -> Iterator[None]:
    """The engine's and the system's errors as ours."""
    try:
        yield
    except OSError as error:
        text = str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text:
            raise StoreUnwritable(f"no space left for the store in {root}; nothing was changed") from error
        if isinstance(error, PermissionError | FileExistsError | NotADirectoryError) or (
            error.errno == errno.EROFS or "Permission denied" in text or "not a directory" in text
        ):
            raise StoreUnwritable(
                f"the store directory {root} cannot be written; mend its permissions, or choose another with --store"
            ) from error
        if "Corruption" in text or "corrupt" in text:
            raise StoreDamaged(
                f"the store in {root} is damaged ({text}); restore a backup or delete it and load again"
            ) from error
        raise StoreError(f"the store in {root} failed: {text}") from error


class EmbeddedStore:
    """The writer of the store in `root`. Raises StoreLocked while another process writes there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with _translated(root):
            generations_folder = root / "generations"
            generations_folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._alone()
            try:
                generations.check_format(root)
                (root / "format").write_text(f"{generations.FORMAT}\n")
                self._store = self._recovered()
            except BaseException:
                self._lock.close()
                raise

    def _alone(self) -> IO[bytes]:
        lock = (self.root / "writer.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise StoreLocked(
                f"another process is writing to the store in {self.root}; wait for it to end, or choose another "
                f"directory with --store or KG_STORE"
            ) from None
        return lock

    def _recovered(self) -> Store:
        published = generations.current(self.root)
        if published and not generations.directory(self.root, published).is_dir():
            raise StoreDamaged(
                f"{self.root / 'current'} names generation {published}, which is not there; "
                f"restore a backup or delete {self.root}"
            )
        if (self.root / "intent").exists() or not (self.root / "working").is_dir():
            self._roll_back(published)
        return Store(str(self.root / "working"))

    def _roll_back(self, published: int) -> None:
        """Makes the working database equal to the published generation (empty when there is none)."""
        shutil.rmtree(self.root / "working", ignore_errors=True)
        for path in (self.root / "generations").iterdir():
            if path.is_dir() and path.name.isdigit() and int(path.name) > published:
                shutil.rmtree(path)
                path.with_suffix(".lease").unlink(missing_ok=True)
        if published:
            generations.copy_database(generations.directory(self.root, published), self.root / "working")
        (self.root / "intent").unlink(missing_ok=True)

    @property
    def generation(self) -> int:
        """The published generation's number; it only ever grows."""
        return generations.current(self.root)

    def quads(self, graph: NamedNode | None = None) -> Iterator[Quad]:
        """The quads of one named graph, or those of all named graphs."""
        for quad in self._store.quads_for_pattern(None, None, None, graph):
            if not isinstance(quad.graph_name, DefaultGraph):
                yield quad

    def triples(self) -> Iterator[Quad]:
        """What the default graph holds: each triple of the store, once."""
        return self._store.quads_for_pattern(None, None, None, DefaultGraph())

    def named_graphs(self) -> list[NamedNode]:
        """The IRIs of the named graphs, in order."""
        return sorted((g for g in self._store.named_graphs() if isinstance(g, NamedNode)), key=lambda g: g.value)

    def apply(self, delta: Delta) -> int:
        """Applies a change whole and publishes it; on any failure nothing is changed. Returns the generation."""
        whole = self.effective(delta)
        published = self.generation
        if not whole and published:
            return published
        with _translated(self.root):
            (self.root / "intent").write_text(f"{published + 1}\n")
            try:
                self._write(whole)
                self._store.flush()
                self._store.backup(str(generations.directory(self.root, published + 1)))
                generations.publish(self.root, published + 1)
            except BaseException:
                self._store = self._reopened_at(published)
                raise
            (self.root / "intent").unlink()
            generations.retire(self.root)
        return published + 1

    def effective(self, delta: Delta) -> Delta:
        """The part of a change that changes something, with what it means for the default graph."""
        removed = frozenset(q for q in delta.removed - delta.added if q in self._store)
        added = frozenset(q for q in delta.added if q not in self._store)
        arriving = {in_default_graph(q) for q in added}
        leaving = {in_default_graph(q) for q in removed} - arriving
        unheld = {triple for triple in leaving if not self._is_held(triple, removed)}
        return Delta(
            added=added | {triple for triple in arriving if triple not in self._store},
            removed=removed | {triple for triple in unheld if triple in self._store},
        )

    def _is_held(self, triple: Quad, removed: frozenset[Quad]) -> bool:
        """Whether a named graph still holds the triple once the removed quads are gone."""
        holding = self._store.quads_for_pattern(triple.subject, triple.predicate, triple.object, None)
        return any(not isinstance(q.graph_name, DefaultGraph) and q not in removed for q in holding)

    def _write(self, delta: Delta) -> None:
        for quad in delta.removed:
            self._store.remove(quad)
        if len(delta.added) >= BULK:
            self._store.bulk_extend(delta.added)
        else:
            self._store.extend(delta.added)

    def _reopened_at(self, published: int) -> Store:
        del self._store
        self._roll_back(published)
        return Store(str(self.root / "working"))

    def close(self) -> None:
        """Lets the next writer in."""
        del self._store
        self._lock.close()

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def snapshot(root: Path) -> Iterator[Store]:
    """The published generation, read-only, while writers go on; empty when nothing was published yet.

    For the project's own reading only: what users ask runs in a reader process.
    """
    while published := generations.current(root):
        try:
            lease = generations.hold(root, published)
        except generations.Gone:
            continue
        with lease, _translated(root):
            yield Store.read_only(str(generations.directory(root, published)))
        return
    yield Store()


def in_default_graph(quad: Quad) -> Quad:
    return Quad(quad.subject, quad.predicate, quad.object, DefaultGraph())


def delta_between(old: Iterable[Quad], new: Iterable[Quad]) -> Delta:
    """The change that makes `new` of `old`."""
    before, after = frozenset(old), frozenset(new)
    return Delta(added=after - before, removed=before - after)
