"""The index: an SQLite database with the texts of one generation, which its own transactions name.

A text's number says what it is to its thing and how long it is (`number_of`), so that reading matches in order of
number gives labels before texts and short before long: the best come first, and however many there are, reading may
stop. The words are in an FTS5 table without content; the tokens of a text are words folded by `words`, a mark for its
language, and marks for the classes of its thing.
"""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from kg_service.search import Said, texts
from kg_service.search.words import allowed_typos, grams, words

#: Of the tables below, of how texts are cut into words and of what counts as a text; another number means: build anew.
FORMAT = 2
_SEQUENCE = 40
_LENGTH = 6
#: Words of a text that its number tells; longer ones are alike.
LONGEST = 2**_LENGTH - 1

TABLES = """
CREATE TABLE state (about TEXT NOT NULL);
CREATE TABLE node (id INTEGER PRIMARY KEY, iri TEXT NOT NULL UNIQUE);
CREATE TABLE text (id INTEGER PRIMARY KEY, node INTEGER NOT NULL, property INTEGER NOT NULL, language TEXT NOT NULL,
  value TEXT NOT NULL);
CREATE TABLE kind (node INTEGER, type INTEGER, PRIMARY KEY (node, type)) WITHOUT ROWID;
CREATE TABLE about (claim INTEGER, thing INTEGER, PRIMARY KEY (claim, thing)) WITHOUT ROWID;
CREATE TABLE evidence (quotation INTEGER, claim INTEGER, PRIMARY KEY (quotation, claim)) WITHOUT ROWID;
CREATE TABLE same (one INTEGER, leading INTEGER, PRIMARY KEY (one, leading)) WITHOUT ROWID;
CREATE TABLE word (id INTEGER PRIMARY KEY, word TEXT NOT NULL UNIQUE);
CREATE TABLE gram (gram TEXT, length INTEGER, word INTEGER, PRIMARY KEY (gram, length, word)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5 (
  tokens, content='', columnsize=0, detail=none, tokenize='ascii', prefix='1 2 3');
"""
#: Made when the rows are there.
INDEXES = (
    "CREATE INDEX text_by_node ON text (node)",
    "CREATE INDEX kind_by_type ON kind (type)",
    "CREATE INDEX evidence_by_claim ON evidence (claim)",
)


@dataclass(frozen=True, slots=True)
class State:
    """What an index holds: a generation, what tells its publication from others, and the last change before it.

    Two stores may count alike: `anchor` is the last entry of the log at that generation, None when there is none.
    """

    generation: int
    published: str
    anchor: str | None = None
    next: int = 1
    format: int = FORMAT


class Unusable(Exception):
    """The database is no index of ours, of another format, or damaged: it must be built anew."""


def number_of(tier: int, length: int, sequence: int) -> int:
    """The number of a text: what it is to its thing, then how many words it has, then the order of coming."""
    bucket: int = tier << _LENGTH | min(length, LONGEST)
    return bucket << _SEQUENCE | sequence


def bucket_of(number: int) -> int:
    """What texts with the same tier and length have in common."""
    return number >> _SEQUENCE


def tier_and_length_of(bucket: int) -> tuple[int, int]:
    return bucket >> _LENGTH, bucket & LONGEST


def first_of(tier: int) -> int:
    """The number below which texts are of lesser tiers."""
    return tier << (_LENGTH + _SEQUENCE)


def language_mark(language: str) -> str:
    """The token of a language tag; the tokenizer keeps whatever is not ASCII."""
    return "§" + language.lower().replace("-", "§")


def type_mark(node: int) -> str:
    return f"¶{node}"


def language_marks(language: str) -> list[str]:
    """The tokens of a tag and of what it begins with: `pt-BR` is Portuguese too."""
    parts = language.lower().split("-")
    return [language_mark("-".join(parts[:end])) for end in range(1, len(parts) + 1)] if language else []


@contextmanager
def translated() -> Iterator[None]:
    """What SQLite finds wrong with a database as Unusable; that others write, or no space is left, is not that."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY):
            raise
        raise Unusable(str(error)) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Unusable(str(error)) from error


def connect(path: Path, *, is_writer: bool = False) -> sqlite3.Connection:
    """An index that is there; Unusable when it cannot be read or is of another format."""
    with translated():
        rows = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=10)
        try:
            rows.execute("PRAGMA cache_size=-16384")
            rows.execute(f"PRAGMA mmap_size={2**31}")
            if not is_writer:
                rows.execute("PRAGMA query_only=ON")
            else:
                rows.execute("PRAGMA synchronous=NORMAL")
            state_of(rows)
        except BaseException:
            rows.close()
            raise
    return rows


def state_of(rows: sqlite3.Connection) -> State:
    """What the index holds, as of the running transaction."""
    found = rows.execute("SELECT about FROM state").fetchall()
    if len(found) != 1:
        raise Unusable("it does not say what it holds")
    said = json.loads(found[0][0])
    if not isinstance(said, dict) or said.get("format") != FORMAT:
        raise Unusable("it is of another format")
    return State(**said)


def put_state(rows: sqlite3.Connection, state: State) -> None:
    rows.execute("DELETE FROM state")
    rows.execute("INSERT INTO state VALUES (?)", (json.dumps(asdict(state)),))


class Nodes:
    """The numbers of IRIs, given when first asked for; the last ones are remembered."""

    def __init__(self, rows: sqlite3.Connection, remembered: int = 200_000) -> None:
        self._rows, self._most = rows, remembered
        self._known: OrderedDict[str, int] = OrderedDict()

    def number(self, iri: str) -> int:
        known = self._known.get(iri)
        if known is not None:
            return known
        found = self.find(iri)
        if found is None:
            found = int(self._rows.execute("INSERT INTO node (iri) VALUES (?)", (iri,)).lastrowid or 0)
        self._known[iri] = found
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return found

    def find(self, iri: str) -> int | None:
        row = self._rows.execute("SELECT id FROM node WHERE iri = ?", (iri,)).fetchone()
        return row[0] if row else None


class Writing:
    """Changes to an index, subject by subject, within one transaction of who uses it."""

    def __init__(self, rows: sqlite3.Connection, sequence: int) -> None:
        self._rows, self.sequence = rows, sequence
        self._nodes = Nodes(rows)
        self._coming: list[tuple[int, str]] = []
        self._going: list[tuple[int, str]] = []

    def replace(self, subject: str, new: Said) -> None:
        """Makes the index hold of a subject just what is said of it now."""
        old = self._kept(subject)
        if old == new:
            return
        node = self._nodes.number(subject)
        if old.types == new.types:
            self._remove(node, subject, old, old.texts - new.texts)
            self._add(node, subject, new, new.texts - old.texts)
        else:
            self._remove(node, subject, old, old.texts)
            self._rows.execute("DELETE FROM kind WHERE node = ?", (node,))
            self._rows.executemany(
                "INSERT INTO kind VALUES (?, ?)", [(node, self._nodes.number(t)) for t in sorted(new.types)]
            )
            self._add(node, subject, new, new.texts)
        if old.about != new.about:
            self._rows.execute("DELETE FROM about WHERE claim = ?", (node,))
            rows = [(node, self._nodes.number(iri)) for iri in sorted(new.about)]
            self._rows.executemany("INSERT INTO about VALUES (?, ?)", rows)
        if old.evidence != new.evidence:
            self._rows.execute("DELETE FROM evidence WHERE claim = ?", (node,))
            rows = [(self._nodes.number(iri), node) for iri in sorted(new.evidence)]
            self._rows.executemany("INSERT INTO evidence VALUES (?, ?)", rows)
        if old.same != new.same:
            self._rows.execute("DELETE FROM same WHERE one = ?", (node,))
            rows = [(node, self._nodes.number(iri)) for iri in sorted(new.same)]
            self._rows.executemany("INSERT INTO same VALUES (?, ?)", rows)

    def finish(self) -> None:
        """Writes the words of all that came and went."""
        self._rows.executemany("INSERT INTO words (words, rowid, tokens) VALUES ('delete', ?, ?)", sorted(self._going))
        self._rows.executemany("INSERT INTO words (rowid, tokens) VALUES (?, ?)", sorted(self._coming))
        add_words(self._rows, (word for _, tokens in self._coming for word in tokens.split()))
        for word in sorted({word for _, tokens in self._going for word in tokens.split() if allowed_typos(word)}):
            if not self._rows.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (f'"{word}"',)).fetchone():
                self._forget(word)
        self._coming, self._going = [], []

    def _kept(self, subject: str) -> Said:
        node = self._nodes.find(subject)
        return kept(self._rows, node) if node is not None else Said()

    def _remove(self, node: int, subject: str, old: Said, gone: Iterable[tuple[str, str, str]]) -> None:
        for property_, language, value in sorted(gone):
            found = self._rows.execute(
                "DELETE FROM text WHERE node = ? AND property = ? AND language = ? AND value = ? RETURNING id",
                (node, self._nodes.number(property_), language, value),
            ).fetchall()
            self._going += [(number, self._tokens(subject, old, property_, language, value)[1]) for (number,) in found]

    def _add(self, node: int, subject: str, new: Said, coming: Iterable[tuple[str, str, str]]) -> None:
        for property_, language, value in sorted(coming):
            length, tokens = self._tokens(subject, new, property_, language, value)
            number = number_of(texts.tier(new, subject, property_), length, self.sequence)
            self.sequence += 1
            row = (number, node, self._nodes.number(property_), language, value)
            self._rows.execute("INSERT INTO text VALUES (?, ?, ?, ?, ?)", row)
            self._coming.append((number, tokens))

    def _tokens(self, subject: str, said: Said, property_: str, language: str, value: str) -> tuple[int, str]:
        types = sorted(map(self._nodes.number, said.types))
        return tokens_of(value, language, types if texts.tier(said, subject, property_) < texts.LEADING else [])

    def _forget(self, word: str) -> None:
        row = self._rows.execute("DELETE FROM word WHERE word = ? RETURNING id", (word,)).fetchone()
        if row:
            keys = [(gram, len(word), row[0]) for gram in grams(word)]
            self._rows.executemany("DELETE FROM gram WHERE gram = ? AND length = ? AND word = ?", keys)


def kept(rows: sqlite3.Connection, node: int) -> Said:
    """What the index holds of a subject."""

    def iris(query: str) -> frozenset[str]:
        return frozenset(iri for (iri,) in rows.execute(query, (node,)))

    found = rows.execute(
        "SELECT node.iri, language, value FROM text JOIN node ON node.id = property WHERE text.node = ?", (node,)
    )
    return Said(
        frozenset(found),
        iris("SELECT iri FROM kind JOIN node ON node.id = type WHERE node = ?"),
        iris("SELECT iri FROM about JOIN node ON node.id = thing WHERE claim = ?"),
        iris("SELECT iri FROM evidence JOIN node ON node.id = quotation WHERE claim = ?"),
        iris("SELECT iri FROM same JOIN node ON node.id = leading WHERE one = ?"),
    )


def tokens_of(value: str, language: str, types: Iterable[int]) -> tuple[int, str]:
    """How many words a text has, and its tokens with its marks."""
    found = [word.folded for word in words(value)]
    marks = [*language_marks(language), *map(type_mark, types)]
    return len(found), " ".join([*dict.fromkeys(found), *marks])


def add_words(rows: sqlite3.Connection, new: Iterable[str]) -> None:
    """Puts the words that may be mistyped among those that are looked through for what was meant."""
    for word in sorted(word for word in set(new) if allowed_typos(word)):
        added = rows.execute("INSERT OR IGNORE INTO word (word) VALUES (?)", (word,))
        if added.rowcount:
            keys = [(gram, len(word), added.lastrowid) for gram in sorted(grams(word))]
            rows.executemany("INSERT INTO gram VALUES (?, ?, ?)", keys)
