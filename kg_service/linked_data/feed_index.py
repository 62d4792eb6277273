"""The event stream's table of contents: which versions there are, in which order, and on which page each one is.

SQLite beside the log, made of it and caught up with it when it is read; only ever appended to, so that a full page
stays what it is. A version is a thing after a change that is about it: what it says is found when the page is asked.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from kg_service.changes import history
from kg_service.errors import StoreError
from kg_service.linked_data import apart
from kg_service.settings import Settings
from kg_service.store.log import ChangeLog, Entry, log_of, transaction
from kg_service.store.patches import rows
from kg_service.store.remote import remote_log

#: Versions on a page, and statements on one that has more than one version.
MEMBERS, STATEMENTS = 250, 10_000
#: Statements that wait to be read above which a process of its own reads them.
MANY = 50_000
#: Things of one change that are counted in memory before they go to the disk.
_COUNTED = 50_000
_ENTRIES = 1_000

_TABLES = """
CREATE TABLE IF NOT EXISTS read (
  lineage TEXT NOT NULL, number INTEGER NOT NULL, generation INTEGER NOT NULL, logged TEXT NOT NULL,
  time TEXT NOT NULL, page INTEGER NOT NULL, members INTEGER NOT NULL, statements INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS change (number INTEGER PRIMARY KEY, time TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS thing (iri TEXT PRIMARY KEY, statements INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS member (
  page INTEGER NOT NULL, place INTEGER NOT NULL, number INTEGER NOT NULL, iri TEXT NOT NULL,
  PRIMARY KEY (page, place)) WITHOUT ROWID;
CREATE TEMP TABLE counted (iri TEXT PRIMARY KEY, more INTEGER NOT NULL) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A thing after a change. The time is the change's in the log, or just after that of the change before."""

    iri: str
    change: int
    time: str


@dataclass(frozen=True, slots=True)
class Extent:
    """A page, or some that follow one another: their first and last version's time, and whether no more can come."""

    first: str
    last: str
    is_full: bool


class FeedIndex:
    """The table of contents as of the log that it was caught up with last."""

    def __init__(self, path: Path) -> None:
        self._rows = sqlite3.connect(path, isolation_level=None, timeout=60, check_same_thread=False)
        self._rows.executescript(_TABLES)

    def close(self) -> None:
        self._rows.close()

    # reading

    @property
    def pages(self) -> int:
        """How many pages hold something."""
        row = self._rows.execute("SELECT MAX(page) FROM member").fetchone()
        return 0 if row[0] is None else int(row[0]) + 1

    def page(self, number: int) -> list[Version]:
        """The versions on a page, in order."""
        found = self._rows.execute(
            "SELECT iri, number, time FROM member JOIN change USING (number) WHERE page = ? ORDER BY place", (number,)
        )
        return [Version(*row) for row in found]

    def extent(self, first: int, last: int) -> Extent:
        """Of the pages from one to another that hold something."""
        row = self._rows.execute(
            "SELECT MIN(time), MAX(time) FROM member JOIN change USING (number) WHERE page IN (?, ?)", (first, last)
        ).fetchone()
        return Extent(row[0], row[1], last < self._page)

    def since(self) -> str | None:
        """The time of the first version."""
        row = self._rows.execute("SELECT time FROM change ORDER BY number LIMIT 1").fetchone()
        return row[0] if row else None

    @property
    def _page(self) -> int:
        """The page that is being filled."""
        row = self._rows.execute("SELECT page FROM read").fetchone()
        return row[0] if row else 0

    # catching up

    def behind(self, log: ChangeLog) -> int:
        """How many statements of changes are not read yet."""
        self._check(log)
        return sum(entry.added + entry.removed for entry in self._unread(log))

    def catch_up(self, log: ChangeLog) -> None:
        """Reads the changes that are not read yet, each whole or not at all."""
        self._check(log)
        for entry in self._unread(log):
            packed = log.packed(entry.number)
            if packed is None:
                raise StoreError(f"change {entry.number} is not in the log any more")
            with transaction(self._rows):
                self._count(packed)
                self._append(entry, history.lineage(log))

    def _check(self, log: ChangeLog) -> None:
        """Begins anew when what was read is not this log: a store that was made anew, or a backup."""
        read = self._rows.execute("SELECT lineage, number, logged FROM read").fetchone()
        if read is None:
            return
        lineage, number, logged = read
        entry = log.entry(number)
        if entry is None or entry.time != logged or lineage != history.lineage(log):
            with transaction(self._rows):
                for table in ("read", "change", "thing", "member"):
                    self._rows.execute(f"DELETE FROM {table}")

    def _unread(self, log: ChangeLog) -> Iterator[Entry]:
        read = self._rows.execute("SELECT number, generation FROM read").fetchone()
        number: int = read[0] if read else 0
        generation: int = max(0, read[1] - 1) if read else 0  # of the last one, some changes may be unread
        limit = _ENTRIES
        while entries := log.following(generation, limit=limit):
            fresh = [entry for entry in entries if entry.number > number]
            yield from fresh
            if len(entries) < limit:
                return
            number = max(number, entries[-1].number)
            before, generation = generation, entries[-1].generation - 1
            limit = limit * 2 if generation <= before else limit

    def _count(self, packed: bytes) -> None:
        """Counts by how many statements each thing grows."""
        self._rows.execute("DELETE FROM counted")
        found: dict[bytes, int] = {}
        for code, line in rows(packed):
            subject = line.partition(b" ")[0]
            if subject.startswith(b"<"):
                found[subject] = found.get(subject, 0) + (1 if code == "A" else -1)
                if len(found) == _COUNTED:
                    self._spill(found)
        self._spill(found)

    def _spill(self, found: dict[bytes, int]) -> None:
        self._rows.executemany(
            "INSERT INTO counted VALUES (?, ?) ON CONFLICT (iri) DO UPDATE SET more = more + excluded.more",
            ((subject[1:-1].decode(), more) for subject, more in found.items()),
        )
        found.clear()

    def _append(self, entry: Entry, lineage: str) -> None:
        """Puts the versions of a change, in order of IRI, at the end."""
        read = self._rows.execute("SELECT number, time, page, members, statements FROM read").fetchone()
        number, before, page, members, statements = read or (0, "", 0, 0, 0)
        if entry.number <= number:  # another process was quicker
            return
        time = _after(entry.time, before)
        self._rows.execute("INSERT INTO change VALUES (?, ?)", (entry.number, time))
        self._rows.execute(
            "INSERT INTO thing SELECT iri, more FROM counted WHERE true "
            "ON CONFLICT (iri) DO UPDATE SET statements = statements + excluded.statements"
        )
        sized = self._rows.execute("SELECT iri, statements FROM counted JOIN thing USING (iri) ORDER BY iri")
        new: list[tuple[int, int, int, str]] = []
        for iri, size in sized.fetchall():
            if members == MEMBERS or (members and statements + size > STATEMENTS):
                page, members, statements = page + 1, 0, 0
            new.append((page, members, entry.number, iri))
            members, statements = members + 1, statements + size
        self._rows.executemany("INSERT INTO member VALUES (?, ?, ?, ?)", new)
        self._rows.execute("DELETE FROM thing WHERE statements = 0 AND iri IN (SELECT iri FROM counted)")
        self._rows.execute("DELETE FROM read")
        self._rows.execute(
            "INSERT INTO read VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (lineage, entry.number, entry.generation, entry.time, time, page, members, statements),
        )


def _after(time: str, before: str) -> str:
    """A change's time in the feed, later than that of the change before: a clock may go back, an order may not."""
    written = datetime.fromisoformat(time)
    if before:
        written = max(written, datetime.fromisoformat(before) + timedelta(microseconds=1))
    return written.isoformat(timespec="microseconds").replace("+00:00", "Z")


@contextmanager
def opened(settings: Settings) -> Iterator[FeedIndex]:
    """The table of contents of the service with these settings."""
    settings.own_folder.mkdir(parents=True, exist_ok=True)
    try:
        with closing(FeedIndex(settings.own_folder / "feed.db")) as index:
            yield index
    except sqlite3.DatabaseError as error:
        raise StoreError(
            f"{settings.own_folder / 'feed.db'} cannot be used ({error}); it can be deleted, and is made anew"
        ) from error


def catch_up_now(settings: Settings) -> None:
    """Reads all that is unread, here."""
    log = remote_log(settings, None) if settings.is_remote else log_of(settings.store, None)
    with opened(settings) as index, log as published:
        index.catch_up(published)


async def catch_up_apart(settings: Settings) -> None:
    """Reads all that is unread, in a process of its own."""
    await apart.run("kg_service.linked_data.feed_index", settings)


if __name__ == "__main__":
    apart.main(catch_up_now)
