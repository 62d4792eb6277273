"""The default graph of a published generation in memory, for work that reads it many times.

    store = copied(root, processes=2)      # a pyoxigraph.Store of triples; blank nodes, which no generation holds, none

What takes the time is looking up what a number in the index of the database stands for, about 3 µs a term. The log of
changes has every triple as text already, so the copy is made of it where it reaches back to the first generation: all
that was ever added is parsed, and what was taken away is asked of the database, which needs no look-up. The number of
triples must agree in the end. Where the log does not reach back, or tells of much more than there is, forked readers
look up a share of the predicates each.

Both ways write N-Triples down pipes that the engine reads as one file. The database is opened by forked processes
alone: its threads would not live through a fork, and the caller may want to fork.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import takewhile
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode, RdfFormat, Store, parse

from kg_service.errors import StoreDamaged, StoreError
from kg_service.store import generations
from kg_service.store.frames import end_with_parent
from kg_service.store.log import log_of
from kg_service.store.patches import added_text, rows
from kg_service.store.spool import Spool, triples
from kg_service.unpacking import reading

_FORK = multiprocessing.get_context("fork")
_MESSAGE = 2**18  # bytes of N-Triples sent together
#: Objects are looked up once each where among so many triples of a predicate each is shared by so many.
_SAMPLE, _SHARED = 10_000, 3
#: How many times as many statements as there are left the log may tell of; looking them up is faster then.
_MOST_TOLD = 2.0


def copied(root: Path, processes: int, generation: int | None = None) -> Store:
    """The default graph of a generation, by default of the published one, in memory. Raises StoreError when it cannot
    be read, Gone when it is no more.

    No other thread may run in this process, which forks.
    """
    held = generations.hold_current(root) if generation is None else (generation, generations.hold(root, generation))
    if held is None:
        return Store()
    generation, lease = held
    with lease:
        return _from_log(root, generation) or _from_database(root, generation, processes)


def apply_spool(store: Store, spool: Spool) -> None:
    """Does what a spool means for the merged graph to a store in memory; the same goes for threads."""
    for quad in spool.unheld():
        store.remove(quad)
    with _process(_spooled, spool) as text:
        store.load(input=reading(_joined([text])), format=RdfFormat.N_TRIPLES, lenient=True)


def _spooled(spool: Spool) -> Iterator[bytes]:
    return spool.triples()


def size(folder: str) -> int:
    """How many triples the default graph of a database on disk has; a forked process counts them."""
    with _process(_count, folder) as counted:
        return int(reading(_joined([counted])).read())


def uses_of(store: Store) -> dict[NamedNode, int]:
    """How many triples of the default graph each predicate has."""
    found: Any = store.query("SELECT ?p (COUNT(*) AS ?n) WHERE { ?s ?p ?o } GROUP BY ?p")
    return {row["p"]: int(row["n"].value) for row in found}


# From the log


def _from_log(root: Path, generation: int) -> Store | None:
    """None where the log does not tell all, or less briefly than the database would."""
    if not _is_told(root, generation):
        return None
    store, folder = Store(), str(generations.directory(root, generation))
    try:
        with ExitStack() as readers:
            added = readers.enter_context(_process(_added, root, generation))
            gone = readers.enter_context(_process(_gone, root, generation))
            counted = readers.enter_context(_process(_count, folder))
            store.load(input=reading(_joined([added])), format=RdfFormat.N_TRIPLES, lenient=True)
            for quad in parse(reading(_joined([gone])), RdfFormat.N_TRIPLES, lenient=True):
                store.remove(quad)
            number = int(reading(_joined([counted])).read())
    except StoreError:  # a change in the log is damaged, say, which is no reason why the graph could not be read
        return None
    return store if number == len(store) else None


def _is_told(root: Path, generation: int) -> bool:
    try:
        with log_of(root, generation) as log:
            added, removed = log.told()
            return log.is_whole() and added + removed <= _MOST_TOLD * (added - removed)
    except StoreDamaged:
        return False


def _added(root: Path, generation: int) -> Iterator[bytes]:
    """Every triple that was ever added."""
    with log_of(root, generation) as log:
        for stored in log.all_packed():
            yield from map(triples, added_text(stored))


def _gone(root: Path, generation: int) -> Iterator[bytes]:
    """What was ever taken away and is not there now."""
    with log_of(root, generation) as log:
        removed = (takewhile(lambda row: row[0] == "D", rows(stored)) for stored in log.all_packed())
        lines = {triples(line + b"\n") for some in removed for _, line in some}
    if lines:
        store = Store.read_only(str(generations.directory(root, generation)))
        yield from (line for line in lines if next(iter(parse(line, RdfFormat.N_TRIPLES, lenient=True))) not in store)


def _count(folder: str) -> Iterator[bytes]:
    """How many triples the default graph has; no term is looked up for that."""
    found: Any = Store.read_only(folder).query("SELECT (COUNT(*) AS ?n) WHERE { ?s ?p ?o }")
    yield next(found)["n"].value.encode()


# From the database


def _from_database(root: Path, generation: int, processes: int) -> Store:
    folder, store = str(generations.directory(root, generation)), Store()
    with ExitStack() as readers:
        pipes = [readers.enter_context(_process(_read, folder, share, processes)) for share in range(processes)]
        store.load(input=reading(_joined(pipes)), format=RdfFormat.N_TRIPLES, lenient=True)
    return store


def _read(folder: str, share: int, of: int) -> Iterator[bytes]:
    store = Store.read_only(folder)
    for predicate in _share(uses_of(store), share, of):
        yield from (text.encode() for text in _texts(store, predicate))


def _share(uses: Mapping[NamedNode, int], share: int, of: int) -> Iterator[NamedNode]:
    """A share of the predicates: each reader counts for itself and comes to the same sharing out."""
    filled = [0] * of
    for count, predicate in sorted(((count, str(predicate)) for predicate, count in uses.items()), reverse=True):
        least = filled.index(min(filled))
        filled[least] += count
        if least == share:
            yield NamedNode(predicate[1:-1])


def _texts(store: Store, predicate: NamedNode) -> Iterator[str]:
    """The triples of a predicate as N-Triples.

    Looking up what a number in the index stands for is what takes the time. Where objects are shared, each is looked
    up once.
    """
    of = f"{{ ?s {predicate} ?o }}"
    rows: Any = store.query(f"SELECT (COUNT(DISTINCT ?o) AS ?n) WHERE {{ SELECT ?o WHERE {of} LIMIT {_SAMPLE} }}")
    if int(next(rows)["n"].value) > _SAMPLE // _SHARED:
        for subject, value in store.query(f"SELECT ?s ?o WHERE {of}"):  # type: ignore[union-attr]
            yield f"{subject} {predicate} {value} .\n"
        return
    for value, subjects in store.query(  # type: ignore[union-attr]
        f'SELECT ?o (GROUP_CONCAT(STR(?s); separator=" ") AS ?all) WHERE {of} GROUP BY ?o'
    ):
        end = f"> {predicate} {value} .\n"
        yield f"<{subjects.value.replace(' ', f'{end}<')}{end}"


# Processes and pipes


@contextmanager
def _process(lines: Callable[..., Iterable[bytes]], *about: object) -> Iterator[Connection]:
    """What a forked process gives, joined to large messages. StoreError when it did not come to its end."""
    ours, theirs = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_give, args=(os.getpid(), theirs, lines, about), daemon=True)
    process.start()
    theirs.close()
    try:
        yield ours
        process.join()
    finally:
        ours.close()
        process.kill()
        process.join()
    if process.exitcode:
        raise StoreError("what the store holds could not be read to its end")


def _give(parent: int, out: Connection, lines: Callable[..., Iterable[bytes]], about: tuple[object, ...]) -> None:
    end_with_parent(parent)
    held, size = list[bytes](), 0
    for line in lines(*about):
        held.append(line)
        size += len(line)
        if size >= _MESSAGE:
            out.send_bytes(b"".join(held))
            held.clear()
            size = 0
    out.send_bytes(b"".join(held))


def _joined(pipes: list[Connection]) -> Iterator[bytes]:
    """What comes through several pipes, message by message; each message is some whole lines."""
    open_ones = list(pipes)
    while open_ones:
        for ready in wait(open_ones):
            assert isinstance(ready, Connection)
            try:
                yield ready.recv_bytes()
            except EOFError:
                open_ones.remove(ready)
