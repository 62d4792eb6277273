"""What readers report as wrong: a small inbox beside the graph, which an operator reads and empties.

    <folder>/reports.db     SQLite, made with the first report

Nothing of a report gets into the graph, and of who sent it only what he wrote is kept. What anybody may send is
bounded, in length and in number, because nobody needs a token for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path

from kg_service.errors import Busy, StoreError, StoreFull, StoreUnwritable, wrong_parameter

#: What is wrong, in a word.
KINDS = ("wrong", "quotation", "missing", "duplicate", "page", "other")
#: Most characters of each part.
LONGEST = {"about": 2_000, "words": 2_000, "source": 500, "contact": 200}
_TABLE = """CREATE TABLE IF NOT EXISTS report (
  number INTEGER PRIMARY KEY AUTOINCREMENT, time TEXT NOT NULL, generation INTEGER NOT NULL, language TEXT NOT NULL,
  kind TEXT NOT NULL, about TEXT NOT NULL, words TEXT NOT NULL, source TEXT NOT NULL, contact TEXT NOT NULL)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a reader found: about which IRI or page, in his words, where it stands right, and how he can be reached.

    `generation` is that of the graph which he saw, `language` that of the page.
    """

    generation: int
    language: str
    kind: str
    about: str
    words: str
    source: str = ""
    contact: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise wrong_parameter("kind", self.kind[:80], f"one of: {', '.join(KINDS)}")
        if not self.words.strip():
            raise wrong_parameter("words", "", "say in a few words what is wrong")
        for name, most in LONGEST.items():
            if len(getattr(self, name)) > most:
                raise wrong_parameter(name, getattr(self, name)[:80], f"at most {most} characters")


@dataclass(frozen=True, slots=True)
class Kept:
    """A report with its number and the time at which it came (ISO 8601, UTC)."""

    number: int
    time: str
    report: Report


class Inbox:
    """The reports in a folder, `most` of them at the same time. Several processes may use it."""

    def __init__(self, folder: Path, most: int) -> None:
        self._path, self._most = folder / "reports.db", most

    def put(self, report: Report) -> int:
        """Keeps a report, and returns its number; Busy while there are as many as may be kept."""
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        with self._rows() as rows:
            rows.execute("BEGIN IMMEDIATE")
            (there,) = rows.execute("SELECT COUNT(*) FROM report").fetchone()
            if there >= self._most:
                raise Busy("as many reports wait as may be kept; nobody has seen to them yet", retry_after=3600)
            made = rows.execute(
                "INSERT INTO report (time, generation, language, kind, about, words, source, contact) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (now, *astuple(report)),
            )
            rows.execute("COMMIT")
            return int(made.lastrowid or 0)

    def every(self) -> list[Kept]:
        """All that wait, the oldest first."""
        if not self._path.exists():
            return []
        with self._rows() as rows:
            found = rows.execute(
                "SELECT number, time, generation, language, kind, about, words, source, contact FROM report "
                "ORDER BY number"
            ).fetchall()
        names = ("generation", "language", "kind", "about", "words", "source", "contact")
        return [Kept(number, time, Report(**dict(zip(names, said, strict=True)))) for number, time, *said in found]

    def remove(self, number: int) -> bool:
        """Lets go of a report that somebody has seen to; False where there is none of that number."""
        if not self._path.exists():
            return False
        with self._rows() as rows:
            return rows.execute("DELETE FROM report WHERE number = ?", (number,)).rowcount > 0

    @contextmanager
    def _rows(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=10)) as rows:
                rows.execute("PRAGMA secure_delete=ON")
                rows.execute(_TABLE)
                yield rows
        except (OSError, sqlite3.Error) as error:
            raise _told(self._path, error) from error


def _told(path: Path, error: Exception) -> StoreError:
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL or getattr(error, "errno", 0) == 28:
        return StoreFull(f"there is no space left for {path}")
    return StoreUnwritable(f"the reports in {path} cannot be read or written: {error}")
