"""Makes an index of a generation and keeps it at the published one.

    <folder>/search/current          the name of the index in use, replaced by atomic rename
    <folder>/search/<name>.db        an index, with SQLite's own files beside it
    <folder>/search/lock             held by the one process that writes

Where the log tells all that happened since, the subjects that it touched are read anew, in one transaction with the
generation's number. Where it does not, or too much happened, another index is built beside the old one and takes its
place when it is whole. Whatever is damaged, missing or of an older format is built anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kg_service.errors import Busy, StoreDamaged, StoreUnwritable
from kg_service.rdf import NamedNode
from kg_service.search import Said, index, texts
from kg_service.search.index import Nodes, State, Unusable, Writing
from kg_service.search.sources import Graph, Source
from kg_service.store.generations import Gone
from kg_service.store.log import ChangeLog, Entry, transaction

#: More touched subjects than this, and more than a tenth of all, are built anew.
MANY = 20_000
_BATCH = 5_000
#: How often it is tried to meet a graph that changes meanwhile.
_ATTEMPTS = 5


def path_of(folder: Path) -> Path | None:
    """The index in use; None before the first."""
    try:
        name = (folder / "search" / "current").read_text(errors="replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    path = folder / "search" / name
    return path if path.parent.name == "search" and path.suffix == ".db" and path.is_file() else None


def signature(folder: Path) -> str:
    """Differs when another index took the place of the one in use."""
    try:
        found = (folder / "search" / "current").stat()
    except OSError:
        return ""
    return f"{found.st_mtime_ns:x}.{found.st_ino:x}"


def holds(folder: Path, published: str) -> bool:
    """Whether the index in `folder` is of that publication."""
    path = path_of(folder)
    try:
        if path is None:
            return False
        with contextlib.closing(index.connect(path)) as rows, index.translated():
            return index.state_of(rows).published == published
    except (Unusable, sqlite3.Error):
        return False


def bring_up(folder: Path, source: Source, *, unusable: str | None = None) -> int:
    """Brings the index in `folder` to the published generation; returns its number. Waits for who else does so.

    The index with the signature `unusable` counts for nothing.
    """
    with _alone(folder):
        for _ in range(_ATTEMPTS):
            try:
                state = _brought(folder, source, is_usable=signature(folder) != unusable)
            except Gone:
                continue
            if state.published == source.published()[0]:
                return state.generation
    raise Busy("the graph changes faster than it can be searched; try again later", retry_after=5)


def _brought(folder: Path, source: Source, *, is_usable: bool) -> State:
    published, generation = source.published()
    path = path_of(folder)
    if path is not None and is_usable:
        try:
            with contextlib.closing(index.connect(path, is_writer=True)) as rows, index.translated():
                held = index.state_of(rows)
                if held.published == published:
                    return held
                followed = _follow(rows, source, held, published, generation)
            if followed:
                return followed
        except (Unusable, StoreDamaged):
            pass  # it is built anew; of a log with a damaged change the graph has all that is needed
    return _build(folder, source, published, generation)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    try:
        (folder / "search").mkdir(parents=True, exist_ok=True)
        with (folder / "search" / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
    except (OSError, sqlite3.OperationalError) as error:
        raise StoreUnwritable(f"the search index in {folder / 'search'} cannot be written: {error}") from error


def _follow(rows: sqlite3.Connection, source: Source, held: State, published: str, generation: int) -> State | None:
    """Takes over what the log says happened since; None where it does not say all, or where it was too much."""
    if generation < held.generation:
        return None
    with source.log(generation) as log:
        since = _since(log, held)
        if since is None or len({entry.generation for entry in since}) != generation - held.generation:
            return None
        if sum(entry.added + entry.removed for entry in since) > max(MANY, _size(rows)):
            return None
        touched = {iri for patch in log.between(held.generation, generation) for iri in patch.touched if iri}
        anchor = _anchor(since[0]) if since else held.anchor
    if len(touched) > max(MANY, _size(rows) // 10):
        return None
    state = replace(held, generation=generation, published=published, anchor=anchor)
    with source.at(generation) as graph, transaction(rows):
        writing = Writing(rows, held.next)
        for subject, said in graph.about(sorted(touched)):
            writing.replace(subject, said)
        writing.finish()
        state = replace(state, next=writing.sequence)
        index.put_state(rows, state)
    return state


def _since(log: ChangeLog, held: State) -> list[Entry] | None:
    """The changes after the generation that is held, the latest first; None when the log does not lead there."""
    since: list[Entry] = []
    below: int | None = None
    while page := log.entries(below=below, limit=1000):
        for entry in page:
            if entry.generation <= held.generation:
                return since if _anchor(entry) == held.anchor else None
            since.append(entry)
        below = page[-1].number
    return None


def _anchor(entry: Entry) -> str:
    return f"{entry.number} {entry.generation} {entry.time} {entry.author} {entry.added} {entry.removed}"


def _size(rows: sqlite3.Connection) -> int:
    """About how many nodes there are."""
    return int(rows.execute("SELECT MAX(id) FROM node").fetchone()[0] or 0)


def _build(folder: Path, source: Source, published: str, generation: int) -> State:
    """Makes another index and puts it into the place of the one in use."""
    place = folder / "search"
    for left_over in place.glob("*.building*"):
        left_over.unlink(missing_ok=True)
    name = f"{generation}-{secrets.token_hex(4)}.db"
    building, spool = place / f"{name}.building", place / f"{name}.building-spool"
    try:
        with source.log(generation) as log:
            last = log.entries(limit=1)
        anchor = _anchor(last[0]) if last and last[0].generation <= generation else None
        with (
            source.at(generation) as graph,
            contextlib.closing(sqlite3.connect(building, isolation_level=None)) as rows,
        ):
            state = _filled(rows, spool, graph, State(generation, published, anchor))
        _sync(building)
        building.rename(place / name)
        beside = place / "current.new"
        beside.write_text(f"{name}\n")
        _sync(beside)
        beside.replace(place / "current")
        _sync(place)
    finally:
        for left_over in place.glob(f"{name}.building*"):
            left_over.unlink(missing_ok=True)
    for path in place.glob("*.db*"):
        if not path.name.startswith(name):
            path.unlink(missing_ok=True)
    return state


def _filled(rows: sqlite3.Connection, spool: Path, graph: Graph, state: State) -> State:
    """Everything the graph says, by way of a file in which texts wait until all is known of their things.

    The words must come in order of their texts' numbers: FTS5 writes a part of its own for each step back.
    """
    rows.execute("PRAGMA journal_mode=OFF")
    rows.execute("PRAGMA synchronous=OFF")
    rows.execute("PRAGMA cache_size=-65536")
    rows.execute("PRAGMA temp_store=FILE")
    rows.execute("ATTACH ? AS spool", (str(spool),))
    rows.execute("PRAGMA spool.journal_mode=OFF")
    rows.executescript(index.TABLES)
    rows.execute("CREATE TABLE spool.said (node INTEGER, property INTEGER, language TEXT, value TEXT)")
    rows.execute("CREATE TABLE spool.tokens (id INTEGER PRIMARY KEY, tokens TEXT)")
    rows.execute("INSERT INTO words (words, rank) VALUES ('hashsize', 16777216)")
    rows.execute("BEGIN")
    _take_in(rows, graph)
    sequence = _number(rows)
    rows.execute("INSERT INTO words (rowid, tokens) SELECT id, tokens FROM spool.tokens ORDER BY id")
    rows.execute("INSERT INTO words (words) VALUES ('optimize')")
    rows.execute("INSERT INTO words (words, rank) VALUES ('hashsize', 1048576)")
    for made in index.INDEXES:
        rows.execute(made)
    state = replace(state, next=sequence)
    index.put_state(rows, state)
    rows.execute("COMMIT")
    rows.execute("DETACH spool")
    rows.execute("ANALYZE")
    rows.execute("PRAGMA journal_mode=WAL")
    return state


def _take_in(rows: sqlite3.Connection, graph: Graph) -> None:
    """Every statement that counts, in whatever order they come."""
    nodes = Nodes(rows)
    said: list[tuple[int, int, str, str]] = []
    links: dict[str, list[tuple[int, int]]] = {table: [] for table in texts.LINKS.values()}
    waiting = 0
    for subject, property_, value, _ in graph.triples():
        name = property_.value
        if isinstance(value, NamedNode):
            if (table := texts.LINKS.get(name)) is None or not isinstance(subject, NamedNode):
                continue
            pair = (nodes.number(subject.value), nodes.number(value.value))
            links[table].append(pair[::-1] if table == "evidence" else pair)
        elif (text := texts.as_text(name, value)) is not None and isinstance(subject, NamedNode):
            said.append((nodes.number(subject.value), nodes.number(name), *text[1:]))
        else:
            continue
        waiting += 1
        if waiting == _BATCH:
            _put_in(rows, said, links)
            waiting = 0
    _put_in(rows, said, links)


def _put_in(
    rows: sqlite3.Connection, said: list[tuple[int, int, str, str]], links: dict[str, list[tuple[int, int]]]
) -> None:
    rows.executemany("INSERT INTO spool.said VALUES (?, ?, ?, ?)", said)
    said.clear()
    for table, pairs in links.items():
        rows.executemany(f"INSERT OR IGNORE INTO {table} VALUES (?, ?)", pairs)
        pairs.clear()


def _number(rows: sqlite3.Connection) -> int:
    """Gives each text its number; returns the next one. The same text in several graphs is one."""
    found = rows.cursor().execute(
        "SELECT DISTINCT said.node, iri, property, language, value FROM spool.said JOIN node ON node.id = said.node "
        "ORDER BY said.node, property, language, value"
    )
    iris = dict(
        rows.execute("SELECT id, iri FROM node WHERE id IN (SELECT DISTINCT property FROM spool.said)").fetchall()
    )
    sequence, last, types, said = 1, -1, list[int](), Said()
    batch: list[tuple[int, int, int, str, str, str]] = []
    new_words = set[str]()
    while taken := found.fetchmany(_BATCH):
        for node, subject, property_, language, value in taken:
            if node != last:
                kinds = rows.execute(
                    "SELECT type, iri FROM kind JOIN node ON node.id = type WHERE kind.node = ?", (node,)
                ).fetchall()
                last, types = node, sorted(number for number, _ in kinds)
                said = Said(types=frozenset(iri for _, iri in kinds))
            tier = texts.tier(said, subject, iris[property_])
            length, tokens = index.tokens_of(value, language, types if tier < texts.LEADING else [])
            batch.append((index.number_of(tier, length, sequence), node, property_, language, value, tokens))
            new_words.update(tokens.split())
            sequence += 1
        rows.executemany("INSERT INTO text VALUES (?, ?, ?, ?, ?)", [row[:5] for row in batch])
        rows.executemany("INSERT INTO spool.tokens VALUES (?, ?)", [(row[0], row[5]) for row in batch])
        index.add_words(rows, new_words)
        batch.clear()
        new_words.clear()
    return sequence


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
