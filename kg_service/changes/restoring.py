"""A backup put in the place of a store, as it was made or as the graph was at an earlier generation.

What is restored becomes a generation of its own, with a number above every one that the backup or the store in place
ever had, and the log tells of it: readers, followers of the log and caches never meet a number twice with other
contents. Going back to an earlier generation undoes the later changes one by one, so that the log still leads from
each generation to the next.

    <store>/scratch-restore-…/   the new store while it is made, the old one is whole and in force
    <store>/restoring            from here on neither is in force, until this file is gone; see `generations`
    <store>/replaced-…/          what was there before, until the new one is whole
"""

from __future__ import annotations

import errno
import fcntl
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kg_service.changes.commit import logged, now
from kg_service.changes.earlier import reached, undo
from kg_service.changes.history import lineage
from kg_service.errors import AlreadyThere, NotFound, StoreError, StoreFull, StoreLocked, StoreUnwritable
from kg_service.shacl import Report
from kg_service.store import Delta, backup, generations
from kg_service.store.embedded import EmbeddedStore, snapshot
from kg_service.store.log import Entry, Turned, log_of
from kg_service.store.patches import Patch

#: What may lie in a directory for a store that is still empty, and stays where it is.
_NOTHING = ("writer.lock", "wanted", "lost+found", ".gitignore")
_SCRATCH, _OLD = "scratch-restore-", "replaced-"


@dataclass(frozen=True, slots=True)
class Restored:
    """What is in force now: the generation that was restored, its number from now on, and what it holds."""

    backup: Path
    restored: int
    generation: int
    undone: int
    quads: int
    triples: int


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The last numbers of a store, as far as they can be read, and whose they are."""

    generation: int = 0
    change: int = 0
    lineage: str = ""


def restore(
    folder: Path, root: Path, *, union: bool, generation: int | None = None, replace: bool = False, author: str
) -> Restored:
    """Puts a backup in the place of the store in `root`, or into an empty directory.

    Everything is verified before anything is touched. With `generation`, changes after it are undone. Raises
    StoreLocked while another process writes or reads the store, AlreadyThere for one that is not to be replaced,
    NotFound for a generation that the backup's log does not reach.
    """
    backup.must_be_apart(folder, root)
    found = backup.verified(backup.chosen(folder, generation))
    with _writing(root), _alone(root) as in_place:
        if in_place and not replace:
            raise AlreadyThere(f"{root} is not empty; --replace puts the backup in the place of what is there")
        for path in root.glob(f"{_SCRATCH}*"):
            shutil.rmtree(path)
        made = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=root))
        try:
            done = _made(found, made, _numbers(root), generation, union=union, author=author)
            for name in ("tokens.json", *backup.OWN_DATABASES):
                if (last := _last(root, name)) is not None:
                    shutil.copy2(last, made / name)
            _swap(root, made)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        for path in (made, *root.glob(f"{_OLD}*")):
            shutil.rmtree(path, ignore_errors=True)
    return done


def _last(root: Path, name: str) -> Path | None:
    """What the store in `root` had last of a file that is kept: a token that was revoked since must not come back, no
    report be lost. Where a restore was ended by force it may be among what was moved aside.
    """
    if (root / name).is_file():
        return root / name
    aside = [path for path in root.glob(f"{_OLD}*/{name}") if path.is_file()]
    return max(aside, key=lambda path: path.stat().st_mtime_ns, default=None)


def _made(
    found: backup.Backup, made: Path, known: _Numbers, generation: int | None, *, union: bool, author: str
) -> Restored:
    """Makes the new store in a folder."""
    told = found.manifest
    for name in (*backup.OWN_FILES, *backup.OWN_DATABASES, "changes.db"):
        with suppress(FileNotFoundError):
            shutil.copy2(found.path / name, made / name)
    with log_of(made, told.generation) as log:
        own = _Numbers(told.generation, log.last_number(), lineage(log))
        if generation is not None and generation not in reached(log):
            raise NotFound(
                f"the backup of generation {told.generation} does not reach generation {generation}; "
                f"known: {reached(log).start} to {reached(log).stop - 1}"
            )
        undone = log.following(told.generation if generation is None else generation, limit=2**62)
    before = max(own.generation, known.generation)
    copy = generations.directory(made, before)
    copy.parent.mkdir()
    generations.copy_database(generations.directory(found.path, told.generation), copy)
    generations.publish(made, before)
    with EmbeddedStore(made, union=union) as store:
        if known != own:
            store.log.begin_other_history()
        first = max(own.change, known.change) + 1
        what = f"restored the backup of generation {told.generation} that was made at {told.time}"
        _note(store, first, author, what, Patch(Delta()), 0, 0, None)
        for number, entry in enumerate(reversed(undone), first + 1):
            added, removed, touched = undo(store, store.log.packed(entry.number) or b"")
            turned = Turned(store.log, entry.number, touched)
            note = f"undone: change {entry.number}, to go back to generation {generation}"
            _note(store, number, author, note, turned, added, removed, entry.number)
        now_in_force = store.publish()
    shutil.rmtree(made / "working")
    shutil.rmtree(copy)
    copy.with_suffix(".lease").unlink()
    with snapshot(made) as data:
        quads, triples = backup.counts(data)
    if not undone and (quads, triples) != (told.quads, told.triples):
        raise StoreError(f"what was restored holds {quads} quads and not {told.quads}; nothing was changed")
    return Restored(
        found.path, told.generation if generation is None else generation, now_in_force, len(undone), quads, triples
    )


def _note(
    store: EmbeddedStore,
    number: int,
    author: str,
    note: str,
    patch: Patch | Turned,
    added: int,
    removed: int,
    reverts: int | None,
) -> None:
    outcome = logged(Report())
    store.note(Entry(number, store.generation + 1, now(), author, note, added, removed, outcome, reverts), patch)


def _numbers(root: Path) -> _Numbers:
    """The last numbers that the store in `root` had, also where it is damaged."""
    found = _Numbers()
    for place in (root, *root.glob(f"{_OLD}*")):
        generation, change, whose = 0, 0, ""
        with suppress(StoreError):
            generation = generations.current(place)
        folders = [path.name for path in (place / "generations").glob("*") if path.is_dir()]
        generation = max([generation, *(int(name) for name in folders if name.isdecimal())])
        with suppress(StoreError, sqlite3.Error, OSError, ValueError), log_of(place, 2**62) as log:
            last = next(iter(log.entries(limit=1)), None)
            if last:
                generation, change, whose = max(generation, last.generation), last.number, lineage(log)
        if generation > found.generation:
            found = _Numbers(generation, max(change, found.change), whose)
    return found


def _swap(root: Path, made: Path) -> None:
    """Puts the new store in the old one's place; what lies there is no store until all of it is there."""
    _sync_all(made)
    old = Path(tempfile.mkdtemp(prefix=_OLD, dir=root))
    marker = generations.restoring(root)
    is_again = marker.exists()
    marker.touch()
    generations.sync(root)
    with ExitStack() as held:
        try:
            _hold_all(root, held)  # a reader may have come meanwhile
            for path in [path for path in root.iterdir() if path != marker and not _stays(path)]:
                path.rename(old / path.name)
        except BaseException:
            for path in list(old.iterdir()):
                path.rename(root / path.name)
            old.rmdir()
            if not is_again:  # what was there is whole again
                marker.unlink()
            generations.sync(root)
            raise
        for path in [path for path in made.iterdir() if path.name != "writer.lock"]:
            path.rename(root / path.name)
        generations.sync(root)
        marker.unlink()
        generations.sync(root)


def _stays(path: Path) -> bool:
    return path.name in _NOTHING or path.name.startswith((_SCRATCH, _OLD))


def _sync_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        generations.sync(path)


@contextmanager
def _alone(root: Path) -> Iterator[bool]:
    """Holds the directory so that nobody else writes or reads in it; whether there is anything."""
    with ExitStack() as held:
        root.mkdir(parents=True, exist_ok=True)
        lock = held.enter_context((root / "writer.lock").open("ab"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(root) from None
        with ExitStack() as leases:
            _hold_all(root, leases)
        yield any(not _stays(path) or path.name.startswith(_OLD) for path in root.iterdir())


def _hold_all(root: Path, held: ExitStack) -> None:
    """Holds every generation alone. Raises StoreLocked while somebody reads one."""
    for path in (root / "generations").glob("*.lease"):
        lease = held.enter_context(path.open("rb"))
        try:
            fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(root) from None


def _in_use(root: Path) -> StoreLocked:
    return StoreLocked(f"a running process uses the store in {root}; stop it first (nothing was changed)")


@contextmanager
def _writing(root: Path) -> Iterator[None]:
    try:
        yield
    except StoreFull:
        raise StoreFull(f"no space left in {root}; nothing was restored") from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            raise StoreFull(f"no space left in {root}; nothing was restored") from None
        about = f": {error.filename}" if error.filename else ""
        raise StoreUnwritable(f"nothing could be restored into {root} ({error.strerror or error}{about})") from None
