"""The embedded store's writer: one process at a time, every change becomes a published generation or leaves no trace.

A change goes working database -> log and checkpoint -> `current`. The working database is made anew of the published
generation whenever a writer opens (its files are linked, not copied), so that a crash at any point loses only the
changes that were not yet confirmed. Several changes may share a checkpoint.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import chain, count
from pathlib import Path
from threading import Lock
from typing import IO, Any

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Store

from kg_service.errors import StoreDamaged, StoreError, StoreFull, StoreLocked, StoreUnwritable
from kg_service.rdf import RDFS_SUBCLASS
from kg_service.store import Delta, generations, is_default, scratch
from kg_service.store.log import Entry, Log, Turned
from kg_service.store.patches import Patch
from kg_service.store.spool import Spool
from kg_service.unpacking import reading

#: From this many quads on, table files are written directly instead of through the write-ahead log.
BULK = 100_000
#: Lines of a large load that the engine is given together: the more, the more memory it takes to sort them, 1 kB each.
_SORTED = 500_000
#: Generations after which the working database is opened anew. Of each table file that it has read the engine keeps
#: blocks, up to 32 MB for each of eleven indexes, also when the file is long gone: 0.1 MB and more for each generation.
#: Opening takes 0.05 s, with 100,000 statements as with ten million.
_ANEW = 64
#: Names of working databases: the engine refuses to open one that it still has open in this process, because an error
#: that somebody holds knows what was read of it, say.
_NAMES = count(1)
#: Bytes of table files that are worth being put in order.
_SOME = 2**20
_STRING = NamedNode("http://www.w3.org/2001/XMLSchema#string")


@contextmanager
def translated(root: Path) -> Iterator[None]:
    """The engine's and the system's errors as ours."""
    try:
        yield
    except (OSError, RuntimeError, sqlite3.Error) as error:
        # The engine says RuntimeError of a database that it cannot read.
        text = str(error)
        number = error.errno if isinstance(error, OSError) else None
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "disk is full" in text:
            raise StoreFull(f"no space left for the store in {root}; nothing was changed") from error
        if isinstance(error, PermissionError | FileExistsError | NotADirectoryError) or (
            number == errno.EROFS or "Permission denied" in text or "not a directory" in text
        ):
            raise StoreUnwritable(
                f"the store directory {root} cannot be written; mend its permissions, or choose another with --store"
            ) from error
        if isinstance(error, RuntimeError) or "orrupt" in text or "No such file" in text or "malformed" in text:
            raise StoreDamaged(
                f"the store in {root} is damaged ({text}); restore a backup with `kg restore`, "
                f"or delete it and load again"
            ) from error
        raise StoreError(f"the store in {root} failed: {text}") from error


class EmbeddedStore:
    """The writer of the store in `root`. Raises StoreLocked while another process writes there.

    With `union` the default graph holds every triple of every named graph, each once; without, it is a graph of its
    own, as in a plain SPARQL dataset. A store is written in one of the two ways from its beginning.
    """

    def __init__(self, root: Path, *, union: bool = True) -> None:
        self.root = root
        self.union = union
        with translated(root):
            generations_folder = root / "generations"
            generations_folder.mkdir(parents=True, exist_ok=True)
            self._lock = self._alone()
            try:
                generations.check_format(root)
                (root / "format").write_text(f"{generations.FORMAT}\n")
                self._store = self._fresh()
                self.log = Log(root, generation=self.generation, is_writer=True)
                self._staged: list[tuple[Entry, Patch | Spool | Turned]] = []
                #: What is staged is not known for certain, because writing failed: discard it, or open the store anew.
                self.is_broken = False
                #: Another object whenever the working database may have other subclasses than before.
                self.classes = object()
            except BaseException:
                self._lock.close()
                raise

    def _alone(self) -> IO[bytes]:
        lock = (self.root / "writer.lock").open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            generations.want(self.root)
            raise StoreLocked(
                f"another process is writing to the store in {self.root}; wait for it to end, or choose another "
                f"directory with --store or KG_STORE"
            ) from None
        return lock

    def _fresh(self) -> Store:
        """The working database, made anew of the published generation, so that nothing else can be in it."""
        published = generations.current(self.root)
        if published and not generations.directory(self.root, published).is_dir():
            raise StoreDamaged(
                f"{self.root / 'current'} names generation {published}, which is not there; "
                f"restore a backup with `kg restore`, or delete {self.root}"
            )
        for path in (self.root / "generations").iterdir():  # what a crash left before it was published
            if path.is_dir() and path.name.isdecimal() and int(path.name) > published:
                shutil.rmtree(path)
                path.with_suffix(".lease").unlink(missing_ok=True)
        scratch.sweep(self.root)
        shutil.rmtree(self.root / "working", ignore_errors=True)
        return self._copied(published)

    def _copied(self, published: int) -> Store:
        """A generation as a working database beside those that are there."""
        folder = self.root / "working" / str(next(_NAMES))
        folder.parent.mkdir(exist_ok=True)
        try:
            if published:
                generations.copy_database(generations.directory(self.root, published), folder)
            store = Store(str(folder))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        #: Where the working database is, and the generations that were published since it was opened.
        self._folder, self._since = folder, 0
        return store

    @property
    def generation(self) -> int:
        """The published generation's number; it only ever grows."""
        return generations.current(self.root)

    def quads(self, graph: NamedNode | None = None) -> Iterator[Quad]:
        """The quads of one named graph, or those of all named graphs."""
        for quad in self._store.quads_for_pattern(None, None, None, graph):
            if not is_default(quad):
                yield quad

    def triples(self) -> Iterator[Quad]:
        """What the default graph holds: each triple of the store, once."""
        return self._store.quads_for_pattern(None, None, None, DefaultGraph())

    def graph(self, name: NamedNode | DefaultGraph) -> Iterator[Quad]:
        """The quads of a named graph, or those of the default graph that are in it for their own sake."""
        for quad in self._store.quads_for_pattern(None, None, None, name):
            if isinstance(name, NamedNode) or not self.union or not self._is_held(quad, set()):
                yield quad

    def about(self, subject: NamedNode) -> Iterator[Quad]:
        """The quads of a subject, in every graph."""
        return self._store.quads_for_pattern(subject, None, None, None)

    def named_graphs(self) -> list[NamedNode]:
        """The IRIs of the named graphs that hold something, in order."""
        found = (g for g in self._store.named_graphs() if isinstance(g, NamedNode))
        held = (g for g in found if next(self._store.quads_for_pattern(None, None, None, g), None) is not None)
        return sorted(held, key=lambda g: g.value)

    @property
    def working(self) -> Store:
        """The database with all that is staged; to be read."""
        return self._store

    @property
    def has_staged(self) -> bool:
        """Whether a change waits to be published."""
        return bool(self._staged)

    def apply(self, delta: Delta) -> int:
        """Applies a change whole and publishes it; on any failure nothing is changed. Returns the generation.

        The change is neither judged nor logged: that is `changes`' work.
        """
        whole = self.effective(delta)
        if not whole and self.generation:
            return self.generation
        try:
            self.stage(whole)
        except BaseException:
            self.discard()
            raise
        number = self.publish()
        self.retire()
        return number

    def stage(self, change: Delta) -> None:
        """Writes an effective change to the working database, where readers do not see it."""
        self.is_broken = True
        if any(quad.predicate == RDFS_SUBCLASS for part in (change.added, change.removed) for quad in part):
            self.classes = object()
        with translated(self.root):
            for quad in change.removed:
                self._store.remove(quad)
            if len(change.added) >= BULK:
                with self._in_order():
                    self._store.bulk_extend(change.added)
            else:
                self._store.extend(change.added)
        self.is_broken = False

    def stage_spool(self, spool: Spool, progress: Callable[[int], None] = lambda lines: None) -> int:
        """Writes what a large change adds to the working database; how many statements it brought to named graphs.

        What goes is still there: see `stage_gone`. `progress` is told how many lines were read, of twice the spool's
        with `union`.
        """
        self.is_broken, self.classes = True, object()
        done = 0

        def counted(pieces: Iterator[bytes]) -> Iterator[bytes]:
            nonlocal done
            for piece in pieces:
                yield piece
                done += piece.count(b"\n")
                progress(done)

        with translated(self.root), self._in_order(is_in_parts=spool.lines > _SORTED):
            before = self.size(spool.graphs)
            self._load(counted(spool.texts()), RdfFormat.N_QUADS)
            if self.union:
                self._load(counted(spool.triples()), RdfFormat.N_TRIPLES)
            brought = self.size(spool.graphs) - before
        self.is_broken = False
        return brought

    def _load(self, pieces: Iterator[bytes], how: RdfFormat) -> None:
        """Loads pieces of text, each some whole lines, in parts, two at a time; the engine sorts each in memory.

        Of one long text the engine would sort a million statements together while it reads the next million.
        """
        lock = Lock()

        def part() -> Iterator[bytes]:
            left = _SORTED
            while left > 0:
                with lock:
                    piece = next(pieces, b"")
                if not piece:
                    return
                left -= piece.count(b"\n")
                yield piece

        def load() -> None:
            while first := next(some := part(), b""):
                self._store.bulk_load(input=reading(chain([first], some)), format=how, lenient=True)

        with ThreadPoolExecutor(2) as threads:
            for loading in [threads.submit(load) for _ in range(2)]:
                loading.result()

    def stage_gone(self, spool: Spool) -> None:
        """Takes what a large change removes from the working database, which has what it adds."""
        self.is_broken, self.classes = True, object()
        with translated(self.root):
            for quad in chain(spool.removed_quads(), spool.unheld()):
                self._store.remove(quad)
        self.is_broken = False

    def size(self, graphs: Iterable[str]) -> int:
        """How many statements these graphs hold together."""
        return sum(self._count(f"GRAPH {NamedNode(graph)} {{ ?s ?p ?o }}") for graph in graphs)

    def all_triples(self) -> int:
        """How many triples the default graph holds."""
        return self._count("?s ?p ?o")

    def _count(self, pattern: str) -> int:
        found: Any = self._store.query(f"SELECT (COUNT(*) AS ?n) {{ {pattern} }}")
        return int(next(found)["n"].value)

    @contextmanager
    def staged_copy(self) -> Iterator[Path]:
        """The folder of a database with all that is staged, for others to read; its files are linked, not copied."""
        with scratch.Scratch(self.root, "staged-") as folder:
            copy = folder / "database"
            with translated(self.root):
                self._store.backup(str(copy))
            yield copy

    @contextmanager
    def _in_order(self, *, is_in_parts: bool = False) -> Iterator[None]:
        """Puts the database in order after a load in parts, or one that brought much to what was there.

        Each part brings files that overlap the others', and a join looks into all of them: twice the time.
        """
        before = self._table_bytes()
        yield
        if is_in_parts or _SOME < before < 10 * (self._table_bytes() - before):
            self._store.optimize()

    def _table_bytes(self) -> int:
        size = 0
        for path in self._folder.glob("*.sst"):
            with suppress(FileNotFoundError):  # the engine puts files together meanwhile
                size += path.stat().st_size
        return size

    def note(self, entry: Entry, patch: Patch | Spool | Turned) -> None:
        """Puts a staged change into the log of the next generation."""
        self._staged.append((entry, patch))

    def discard(self) -> None:
        """Forgets everything that is staged."""
        self.is_broken, self.classes = True, object()
        with translated(self.root):
            self._staged.clear()
            self._store = Store()  # closes the database before another is made
            self._store = self._fresh()
            self.log.published(self.generation)  # which may have come to be, and the error after it
            self.log.forget()
        self.is_broken = False

    def publish(self) -> int:
        """Makes everything that is staged, and its log, one generation that readers see; returns its number.

        What cannot be published is discarded. What fails when readers see the generation already undoes it no more.
        """
        number = self.generation + 1
        try:
            with translated(self.root):
                self.log.append(self._staged)
                self._store.backup(str(generations.directory(self.root, number)))
                generations.publish(self.root, number)
        except BaseException:
            self.discard()
            raise
        self.log.published(number)
        self._staged.clear()
        self._since += 1
        return number

    def retire(self) -> None:
        """Deletes the generations that nobody needs any more, and lets go of what the engine keeps of them.

        Where that fails, what was published is so nonetheless: it is told as a warning, and the next time tries again.
        """
        try:
            with translated(self.root):
                generations.retire(self.root)
                if self._since >= _ANEW and not self._staged and not self.is_broken:
                    before = self._folder
                    self._store = self._copied(self.generation)  # the one before stays where this fails
                    shutil.rmtree(before, ignore_errors=True)
        except StoreError as error:
            logging.getLogger("kg_service").warning("old generations were not let go of: %s", error.detail)

    def next_number(self) -> int:
        """The number of the next change."""
        return self._staged[-1][0].number + 1 if self._staged else self.log.last_number() + 1

    def last_about(self, iri: str) -> int:
        """The number of the last change about a subject or a graph, staged ones included; "" is the default graph."""
        staged = [entry.number for entry, patch in self._staged if iri in patch.touched]
        return staged[-1] if staged else self.log.last_about(iri)

    def with_key(self, key: str) -> Entry | None:
        """The change, staged or published, that was made of the request of that name."""
        return next((entry for entry, _ in self._staged if entry.key == key), None) or self.log.with_key(key)

    def effective(self, delta: Delta) -> Delta:
        """The part of a change that changes something, with what it means for the default graph.

        With `union`, what leaves the default graph leaves every named graph as well: it could not stay away otherwise.
        """
        change, _ = self.planned(delta)
        return change

    def planned(self, delta: Delta) -> tuple[Delta, Patch]:
        """The effective change, and what the log is to say of it."""
        wanted, unwanted = as_kept(delta.added), as_kept(delta.removed)
        removed = {q for q in unwanted - wanted if q in self._store}
        added = wanted if self._is_empty() else frozenset(q for q in wanted if q not in self._store)
        if not self.union:
            change = Delta(added, frozenset(removed))
            return change, Patch(change)
        for quad in [q for q in removed if is_default(q)]:
            removed.update(self._store.quads_for_pattern(quad.subject, quad.predicate, quad.object, None))
        removed -= wanted
        arriving = {Quad(q.subject, q.predicate, q.object) for q in added if not is_default(q)}
        removed -= arriving | added
        leaving = {in_default_graph(q) for q in removed} - arriving - added
        unheld = {triple for triple in leaving - wanted if not self._is_held(triple, removed)}
        staying = {triple for triple in leaving - unheld if triple in removed}
        own = {triple for triple in leaving & wanted if not self._is_held(triple, removed)}
        known = set() if self._is_empty() else {triple for triple in arriving - added if triple in self._store}
        change = Delta(
            added=added | (arriving - known),
            removed=frozenset(removed - staying | {triple for triple in unheld if triple in self._store}),
        )
        gone = {in_default_graph(q) for q in change.removed if not is_default(q)}
        kept = frozenset(triple for triple in known if not self._is_held(triple, set()))
        return change, Patch(Delta(added - arriving | own, change.removed - gone), kept)

    def _is_empty(self) -> bool:
        return next(self._store.quads_for_pattern(None, None, None, None), None) is None

    def _is_held(self, triple: Quad, removed: AbstractSet[Quad]) -> bool:
        """Whether a named graph still holds the triple once the removed quads are gone."""
        holding = self._store.quads_for_pattern(triple.subject, triple.predicate, triple.object, None)
        return any(not is_default(q) and q not in removed for q in holding)

    def close(self) -> None:
        """Lets the next writer in."""
        del self._store
        self.log.close()
        self._lock.close()

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def trial(root: Path) -> Iterator[EmbeddedStore]:
    """A store of one's own that holds what is published in `root`, while writers go on there; gone in the end.

    Its files are linked, not copied; of the log it has nothing.
    """
    held = generations.hold_current(root)
    if held is None:
        raise StoreError(f"nothing was published yet in {root}")
    published, lease = held
    with scratch.Scratch(root, "trial-") as own, translated(root):
        with lease:
            generations.copy_database(generations.directory(root, published), generations.directory(own, 1))
        generations.publish(own, 1)
        with EmbeddedStore(own) as store:
            yield store


@contextmanager
def snapshot(root: Path) -> Iterator[Store]:
    """The published generation, read-only, while writers go on; empty when nothing was published yet.

    For the project's own reading only: what users ask runs in a reader process.
    """
    held = generations.hold_current(root)
    if held is None:
        yield Store()
        return
    published, lease = held
    with lease, translated(root):
        yield Store.read_only(str(generations.directory(root, published)))


def as_kept(quads: Iterable[Quad]) -> frozenset[Quad]:
    """The quads with their literals as the store keeps them: it writes "007"^^xsd:integer as 7."""
    given = frozenset(quads)
    in_doubt = [quad for quad in given if isinstance(quad.object, Literal) and not _is_kept(quad.object)]
    kept = Store()
    kept.bulk_extend(in_doubt)
    return given.difference(in_doubt).union(kept)


def _is_kept(literal: Literal) -> bool:
    """Is it certain that the store leaves the literal as it is? Of most it is, and going through a store takes time."""
    return literal.language.islower() if literal.language else literal.datatype == _STRING


def in_default_graph(quad: Quad) -> Quad:
    """The quad's triple in the default graph."""
    return quad if is_default(quad) else Quad(quad.subject, quad.predicate, quad.object, DefaultGraph())


def delta_between(old: Iterable[Quad], new: Iterable[Quad]) -> Delta:
    """The change that makes `new` of `old`."""
    before, after = frozenset(old), frozenset(new)
    return Delta(added=after - before, removed=before - after)
