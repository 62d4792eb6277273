"""The log of the embedded store: every published change, whole, and every refused one, with its report.

SQLite beside the generations. The entries of a generation are written and synced before the generation is published,
and those above the published one are swept when a writer opens: the log is never ahead of the data, nor behind.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from kg_service.errors import NotFound, StoreDamaged, StoreFull, TooLarge
from kg_service.store import generations
from kg_service.store.patches import Patch, beginning, turned
from kg_service.store.spool import Spool

#: Refused changes that are remembered.
REFUSALS = 1_000
#: Statements of a change that are put into memory together; a million take about three gigabytes.
MOST_WHOLE = 500_000
#: IRIs that a change touches, written together in order.
_TOGETHER = 100_000

_TABLES = """
CREATE TABLE IF NOT EXISTS change (
  number INTEGER PRIMARY KEY, generation INTEGER NOT NULL, time TEXT NOT NULL, author TEXT NOT NULL,
  note TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER NOT NULL, outcome TEXT NOT NULL,
  key TEXT UNIQUE, request TEXT, reverts INTEGER, patch BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS change_by_generation ON change (generation);
CREATE TABLE IF NOT EXISTS touched (iri TEXT, number INTEGER, PRIMARY KEY (iri, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refused (
  number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, author TEXT NOT NULL, note TEXT NOT NULL,
  added INTEGER NOT NULL, removed INTEGER NOT NULL, report TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS quarantine (
  number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, author TEXT NOT NULL, note TEXT NOT NULL,
  added INTEGER NOT NULL, removed INTEGER NOT NULL, report TEXT NOT NULL, patch BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Turned:
    """A logged change turned round: what undoes it. It is read when it is written, so that many take no memory."""

    log: Log
    number: int
    touched: set[str]

    def packed(self) -> bytes:
        """As it is stored: what went and what was kept came back, what came is gone."""
        return turned(self.log.packed(self.number) or b"")


def check_size(entry: Entry) -> None:
    """Raises TooLarge where a change has more statements than are put into memory together."""
    if entry.added + entry.removed > MOST_WHOLE:
        raise TooLarge(
            f"change {entry.number} has {entry.added + entry.removed:,} statements, more than are looked at together "
            f"({MOST_WHOLE:,}); /patches has them in pieces, and loading with --replace puts graphs right"
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """A published change, without its quads. `outcome` is what the shapes said of it, as plain data for JSON."""

    number: int
    generation: int
    time: str
    author: str
    note: str
    added: int
    removed: int
    outcome: dict[str, Any]
    reverts: int | None = None
    #: What the client named the request, so that sending it twice makes one change; `request` tells it from others.
    key: str | None = None
    request: str | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A change that was refused, or that is kept in quarantine: who sent it, and the report."""

    number: int
    time: str
    author: str
    note: str
    added: int
    removed: int
    report: dict[str, Any]


@contextmanager
def transaction(rows: sqlite3.Connection) -> Iterator[None]:
    """All that is written within it, or nothing; the connection is in autocommit mode."""
    rows.execute("BEGIN IMMEDIATE")
    try:
        yield
        rows.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # the engine may have taken it back already, for want of space
            rows.execute("ROLLBACK")
        raise


class ChangeLog(Protocol):
    """What the log of any store tells: the published changes up to a generation, and the refused ones."""

    @property
    def generation(self) -> int: ...

    @property
    def history(self) -> int: ...

    def last_number(self) -> int: ...

    def entry(self, number: int) -> Entry | None: ...

    def with_key(self, key: str) -> Entry | None: ...

    def patch(self, number: int) -> Patch | None:
        """What a change did, None when there is none; TooLarge where it is too much to be held: `patches.excerpt`."""
        ...

    def entries(
        self, *, below: int | None = None, limit: int, iri: str | None = None, author: str | None = None
    ) -> list[Entry]: ...

    def between(self, first: int, last: int) -> Iterator[Patch]: ...

    def following(self, generation: int, *, limit: int) -> list[Entry]: ...

    def packed(self, number: int) -> bytes | None: ...

    def touching(self, iris: Collection[str], *, after: int) -> list[int]: ...

    def begins(self, number: int, start: str) -> bool:
        """Whether a change is about a subject or a graph whose IRI begins so."""
        ...

    def first_generation(self) -> int: ...

    def last_about(self, iri: str) -> int: ...

    def refusals(self, *, below: int | None = None, limit: int) -> list[Refusal]: ...

    def quarantined(self, *, below: int | None = None, limit: int) -> list[Refusal]: ...

    def in_quarantine(self, number: int) -> tuple[Refusal, Patch] | None: ...

    def release(self, number: int) -> bool: ...


#: Opens a store's log for reading, as of a generation; of the present one for None.
OpenLog: TypeAlias = Callable[[int | None], AbstractContextManager[ChangeLog]]

_ENTRY = "number, generation, time, author, note, added, removed, outcome, reverts, key, request"
_REFUSAL = "number, time, author, note, added, removed, report"


class Log:
    """The log of the store in `root`. One writer, who has the store's lock; any number of readers beside it."""

    def __init__(self, root: Path, *, generation: int, is_writer: bool = False) -> None:
        """For reading, only what was published up to that generation is seen; a writer sweeps what is above it."""
        self.generation = generation
        self._path = path = root / "changes.db"
        with _translated(path):
            if is_writer:
                self._rows = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                self._rows.execute("PRAGMA journal_mode=WAL")
                self._rows.execute("PRAGMA synchronous=FULL")
                self._rows.executescript(_TABLES)
                self._sweep()
            elif path.is_file():
                self._rows = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
            else:
                self._rows = sqlite3.connect(":memory:")
                self._rows.executescript(_TABLES)

    def _sweep(self) -> None:
        with transaction(self._rows):
            above = "(SELECT number FROM change WHERE generation > ?)"
            self._rows.execute(f"DELETE FROM touched WHERE number IN {above}", (self.generation,))
            self._rows.execute("DELETE FROM change WHERE generation > ?", (self.generation,))

    # writing

    def append(self, changes: Iterable[tuple[Entry, Patch | Spool | Turned]]) -> None:
        """Writes and syncs the entries of a generation that is about to be published."""
        with transaction(self._rows):
            for entry, what in changes:
                size, pieces = _stored(what)
                self._rows.execute(
                    f"INSERT INTO change ({_ENTRY}, patch) VALUES ({', '.join('?' * 11)}, zeroblob(?))",
                    (
                        *(entry.number, entry.generation, entry.time, entry.author, entry.note),
                        *(entry.added, entry.removed, json.dumps(entry.outcome, ensure_ascii=False)),
                        *(entry.reverts, entry.key, entry.request, size),
                    ),
                )
                with self._rows.blobopen("change", "patch", entry.number) as patch:
                    for piece in pieces:
                        patch.write(piece)
                for iris in _some(what.touched):
                    rows = ((iri, entry.number) for iri in sorted(set(iris)))
                    self._rows.executemany("INSERT OR IGNORE INTO touched (iri, number) VALUES (?, ?)", rows)

    def published(self, generation: int) -> None:
        """Tells that a generation was published, so that its entries count."""
        self.generation = generation

    def forget(self) -> None:
        """Takes back the entries of a generation that could not be published."""
        self._sweep()

    def refuse(self, refusal: Refusal) -> None:
        """Remembers a refused change; of many, the last ones. Its number is given here."""
        with _translated(self._path), transaction(self._rows):
            self._rows.execute(
                f"INSERT INTO refused ({_REFUSAL}) VALUES (NULL, ?, ?, ?, ?, ?, ?)", _refusal_row(refusal)
            )
            self._rows.execute("DELETE FROM refused WHERE number <= (SELECT MAX(number) FROM refused) - ?", (REFUSALS,))

    def quarantine(self, refusal: Refusal, patch: Patch) -> int:
        """Keeps a change that does not conform, apart from the data; returns its number in quarantine."""
        with _translated(self._path), transaction(self._rows):
            added = self._rows.execute(
                f"INSERT INTO quarantine ({_REFUSAL}, patch) VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)",
                (*_refusal_row(refusal), patch.packed()),
            )
        return int(added.lastrowid or 0)

    def release(self, number: int) -> bool:
        """Deletes a change from quarantine; False when it is not there."""
        with _translated(self._path), transaction(self._rows):
            return self._rows.execute("DELETE FROM quarantine WHERE number = ?", (number,)).rowcount > 0

    def begin_other_history(self) -> None:
        """Tells that another store may have numbers that are still to come here: see `history`."""
        with _translated(self._path):
            self._rows.execute(f"PRAGMA user_version = {secrets.randbelow(2**31 - 1) + 1}")

    # reading

    @property
    def history(self) -> int:
        """Which of the histories that begin alike this is; 0 until the store was restored from an older backup."""
        (number,) = self._one("PRAGMA user_version")
        return int(number)

    def _must_know(self, generation: int) -> None:
        """Raises NotFound for a generation that came after the backup that this store was restored from."""
        if not self.history or not self.first_generation() < generation < self.generation:
            return
        if not self._one("SELECT 1 FROM change WHERE generation = ?", generation):
            raise NotFound(f"generation {generation} is lost: the store was restored from a backup of an earlier one")

    def last_number(self) -> int:
        """The number of the last published change; 0 when there is none."""
        (number,) = self._one("SELECT MAX(number) FROM change WHERE generation <= ?", self.generation) or (None,)
        return number or 0

    def size(self) -> int:
        """How many changes it tells of."""
        return int(self._one("SELECT COUNT(*) FROM change WHERE generation <= ?", self.generation)[0])

    def entry(self, number: int) -> Entry | None:
        return self._entry("number = ?", number)

    def with_key(self, key: str) -> Entry | None:
        """The change that was made of the request of that name."""
        return self._entry("key = ?", key)

    def _entry(self, condition: str, value: int | str) -> Entry | None:
        row = self._one(f"SELECT {_ENTRY} FROM change WHERE {condition} AND generation <= ?", value, self.generation)
        return _entry(row) if row else None

    def patch(self, number: int) -> Patch | None:
        entry = self.entry(number)
        if entry is None:
            return None
        check_size(entry)
        return Patch.unpacked(self.packed(number) or b"")

    def packed(self, number: int) -> bytes | None:
        """A change as it is stored; see `patches.rows`."""
        row = self._one("SELECT patch FROM change WHERE number = ? AND generation <= ?", number, self.generation)
        return row[0] if row else None

    def entries(
        self, *, below: int | None = None, limit: int, iri: str | None = None, author: str | None = None
    ) -> list[Entry]:
        """Published changes, latest first: those with numbers below one, about an IRI, by an author."""
        conditions, values = ["generation <= ?"], list[Any]([self.generation])
        for condition, value in (
            ("number < ?", below),
            ("number IN (SELECT number FROM touched WHERE iri = ?)", iri),
            ("author = ?", author),
        ):
            if value is not None:
                conditions.append(condition)
                values.append(value)
        return [
            _entry(row)
            for row in self._rows.execute(
                f"SELECT {_ENTRY} FROM change WHERE {' AND '.join(conditions)} ORDER BY number DESC LIMIT ?",
                (*values, limit),
            )
        ]

    def between(self, first: int, last: int) -> Iterator[Patch]:
        """The patches that lead from one generation to a later one, in order."""
        self._must_know(first)
        query = f"SELECT {_ENTRY}, patch FROM change WHERE generation > ? AND generation <= ? ORDER BY number"
        for *row, patch in self._rows.execute(query, (first, min(last, self.generation))):
            check_size(_entry(tuple(row)))
            yield Patch.unpacked(patch)

    def following(self, generation: int, *, limit: int) -> list[Entry]:
        """The changes that came after a generation, first ones first."""
        self._must_know(generation)
        found = self._rows.execute(
            f"SELECT {_ENTRY} FROM change WHERE generation > ? AND generation <= ? ORDER BY number LIMIT ?",
            (generation, self.generation, limit),
        )
        return [_entry(row) for row in found]

    def touching(self, iris: Collection[str], *, after: int) -> list[int]:
        """The numbers of the changes after one that are about any of these subjects or graphs, in order."""
        found = self._rows.execute(
            "SELECT DISTINCT number FROM touched JOIN change USING (number) "
            "WHERE iri IN (SELECT value FROM json_each(?)) AND number > ? AND generation <= ? ORDER BY number",
            (json.dumps(list(iris)), after, self.generation),
        )
        return [number for (number,) in found]

    def begins(self, number: int, start: str) -> bool:
        """Whether a change is about a subject or a graph whose IRI begins so."""
        after = start[:-1] + chr(ord(start[-1]) + 1)
        query = "SELECT 1 FROM touched WHERE iri >= ? AND iri < ? AND number = ? LIMIT 1"
        return self._one(query, start, after, number) is not None

    def first_generation(self) -> int:
        """The generation before the first change in the log: what came earlier cannot be told."""
        row = self._one("SELECT MIN(generation) FROM change WHERE generation <= ?", self.generation)
        return int(row[0]) - 1 if row and row[0] is not None else self.generation

    def is_whole(self) -> bool:
        """Whether the log tells of every generation, from the first on."""
        row = self._one("SELECT COUNT(DISTINCT generation) FROM change WHERE generation <= ?", self.generation)
        return bool(row[0] == self.generation)

    def told(self) -> tuple[int, int]:
        """How many statements all changes together added and removed."""
        row = self._one("SELECT SUM(added), SUM(removed) FROM change WHERE generation <= ?", self.generation)
        return row[0] or 0, row[1] or 0

    def all_packed(self) -> Iterator[bytes]:
        """Every change as it is stored, in order; see `patches.rows`."""
        query = "SELECT patch FROM change WHERE generation <= ? ORDER BY number"
        return (patch for (patch,) in self._rows.execute(query, (self.generation,)))

    def last_about(self, iri: str) -> int:
        """The number of the last change about a subject or a graph; 0 when there is none."""
        row = self._one(
            "SELECT MAX(number) FROM touched JOIN change USING (number) WHERE iri = ? AND generation <= ?",
            *(iri, self.generation),
        )
        return (row[0] or 0) if row else 0

    def refusals(self, *, below: int | None = None, limit: int) -> list[Refusal]:
        """Refused changes, latest first."""
        return self._refusals("refused", below, limit)

    def quarantined(self, *, below: int | None = None, limit: int) -> list[Refusal]:
        """What is in quarantine, latest first."""
        return self._refusals("quarantine", below, limit)

    def _refusals(self, table: str, below: int | None, limit: int) -> list[Refusal]:
        found = self._rows.execute(
            f"SELECT {_REFUSAL} FROM {table} WHERE ?1 IS NULL OR number < ?1 ORDER BY number DESC LIMIT ?2",
            (below, limit),
        )
        return [_refusal(row) for row in found]

    def in_quarantine(self, number: int) -> tuple[Refusal, Patch] | None:
        row = self._one(f"SELECT {_REFUSAL}, patch FROM quarantine WHERE number = ?", number)
        return (_refusal(row[:-1]), Patch.unpacked(row[-1])) if row else None

    def _one(self, query: str, *values: int | str) -> Any:
        return self._rows.execute(query, values).fetchone()

    def close(self) -> None:
        self._rows.close()


@contextmanager
def log_of(root: Path, generation: int | None) -> Iterator[Log]:
    """The log for reading, as of a generation, the present one for None; empty when nothing was written yet."""
    if generation is None:
        generation = generations.current(root)
    with _translated(root / "changes.db"), closing(Log(root, generation=generation)) as log:
        yield log


#: What SQLite says where a file cannot become longer.
_NO_SPACE = ("SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "SQLITE_IOERR_WRITE")


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorname", "") in _NO_SPACE:  # a text that is none is said without such a name
            raise StoreFull(f"no space left for the log {path}; nothing was changed") from error
        raise StoreDamaged(
            f"the log {path} cannot be used ({error}); restore a backup with `kg restore`, or move it away"
        ) from error


def _stored(what: Patch | Spool | Turned) -> tuple[int, Iterable[bytes]]:
    """A change as it is stored: how many bytes, and these."""
    if not isinstance(what, Spool):
        whole = what.packed()
        return len(whole), [whole]
    lengths = what.stored()
    start = beginning(lengths)
    return len(start) + sum(lengths), chain([start], what.pieces())


def _some(iris: Iterable[str]) -> Iterator[list[str]]:
    waiting = iter(iris)
    while some := list(islice(waiting, _TOGETHER)):
        yield some


def _entry(row: tuple[Any, ...]) -> Entry:
    number, generation, time, author, note, added, removed, outcome, reverts, key, request = row
    return Entry(number, generation, time, author, note, added, removed, _told(outcome), reverts, key, request)


def _refusal(row: tuple[Any, ...]) -> Refusal:
    number, time, author, note, added, removed, report = row
    return Refusal(number, time, author, note, added, removed, _told(report))


def _told(report: str) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(report)
        return told
    except ValueError:
        raise StoreDamaged("a report in the log is damaged; restore a backup with `kg restore`") from None


def _refusal_row(refusal: Refusal) -> tuple[Any, ...]:
    report = json.dumps(refusal.report, ensure_ascii=False)
    return (refusal.time, refusal.author, refusal.note, refusal.added, refusal.removed, report)
