"""The whole of a published generation judged: copied into memory once, then shared out among processes.

    report = validate_generation(root, shapes)      # as `validate`, on the default graph of what is published

On disk the queries take four to six times as long as in memory, because every step of every row is a look-up there, so
a child process copies the default graph first: forked readers decode a share of the predicates each and write
N-Triples down one pipe. When it holds all, it forks again; the processes that judge share its memory, copy nothing,
and take one plan after the other, those that promise to take longest first.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, BinaryIO, cast

from pyoxigraph import RdfFormat, Store

from kg_service.errors import KgError, StoreError, TooLarge, from_problem
from kg_service.shacl import Progress, Report, Result, Shapes, no_progress, results_of
from kg_service.shacl.compiler import Plan
from kg_service.shacl.report import in_order
from kg_service.shacl.shapes import VIOLATION
from kg_service.store import generations
from kg_service.store.frames import begin, end_with_parent, limit_memory, receive, refuse, send, send_data

_FORK = multiprocessing.get_context("fork")
_LINES = 1000  # in one message
_TOO_LARGE = "validating the graph needs more memory than it may have"


def validate_generation(
    root: Path,
    shapes: Shapes,
    *,
    limit: int | None = None,
    language: str = "en",
    processes: int = 2,
    memory: int | None = None,
    progress: Progress = no_progress,
) -> Report:
    """The report that `validate` gives on the generation published now.

    All work is done in processes that end with this call, however it ends; each may take `memory` bytes of address
    space, the shared copy included. Raises TooLarge when that is not enough, and StoreError.
    """
    command = [sys.executable, "-P", "-m", "kg_service.shacl.whole", str(root), str(memory or 0), str(os.getpid())]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"MALLOC_ARENA_MAX": "2"},
    )
    into, out = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    try:
        send(into, b"Q", pickle.dumps((shapes, limit, language, processes)))
        found = bytearray()
        while frame := receive(out):
            kind, payload = frame
            if kind == b"P":
                progress(*json.loads(payload))
            elif kind == b"D":
                found += payload
            elif kind == b"X":
                raise from_problem(json.loads(payload))
            else:
                report: Report = pickle.loads(found)
                return report
        raise TooLarge(_TOO_LARGE)
    except BrokenPipeError:
        raise TooLarge(_TOO_LARGE) from None
    finally:
        process.kill()
        process.wait()
        with contextlib.suppress(BrokenPipeError):
            into.close()
        out.close()


# What runs in the child


def copied(root: Path, processes: int) -> Store:
    """The default graph of the published generation, in memory; blank nodes, which no generation holds, get new names.

    The database is opened by the readers alone: its threads would not live through a fork.
    """
    held = generations.hold_current(root)
    if held is None:
        return Store()
    generation, lease = held
    with lease:
        folder = str(generations.directory(root, generation))
        pipes, readers = [], []
        for share in range(processes):
            ours, theirs = _FORK.Pipe(duplex=False)
            reader = _FORK.Process(target=_read, args=(folder, share, processes, theirs), daemon=True)
            reader.start()
            theirs.close()
            pipes.append(ours)
            readers.append(reader)
        store = Store()
        store.bulk_load(input=_Joined(pipes), format=RdfFormat.N_TRIPLES, lenient=True)  # type: ignore[arg-type]
        for reader in readers:
            reader.join()
        if any(reader.exitcode for reader in readers):
            raise StoreError(f"generation {generation} of {root} could not be read to its end")
    return store


class _Joined(io.RawIOBase):
    """What comes through several pipes as one file; each message is some whole lines."""

    def __init__(self, pipes: list[Connection]) -> None:
        self._pipes, self._held = pipes, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._held and self._pipes:
            for pipe in wait(self._pipes):
                assert isinstance(pipe, Connection)
                try:
                    self._held += pipe.recv_bytes()
                except EOFError:
                    self._pipes.remove(pipe)
        size = len(self._held) if size < 0 else size
        part, self._held = self._held[:size], self._held[size:]
        return part


def _read(folder: str, share: int, of: int, out: Connection) -> None:
    end_with_parent()
    store = Store.read_only(folder)
    lines: list[str] = []
    for predicate in _share(store, share, of):
        rows: Any = store.query(f"SELECT ?s ?o WHERE {{ ?s {predicate} ?o }}")
        for row in rows:
            lines.append(f"{row[0]} {predicate} {row[1]} .\n")
            if len(lines) >= _LINES:
                out.send_bytes("".join(lines).encode())
                lines.clear()
    out.send_bytes("".join(lines).encode())


def _share(store: Store, share: int, of: int) -> Iterator[str]:
    """A share of the predicates: each reader counts for itself and comes to the same sharing out."""
    rows: Any = store.query("SELECT ?p (COUNT(*) AS ?n) WHERE { ?s ?p ?o } GROUP BY ?p")
    filled = [0] * of
    for count, predicate in sorted(((int(row["n"].value), str(row["p"])) for row in rows), reverse=True):
        least = filled.index(min(filled))
        filled[least] += count
        if least == share:
            yield predicate


@dataclass(frozen=True, slots=True)
class _Part:
    """What one plan found: violations and others, each at most one more than the limit."""

    violations: list[Result]
    others: list[Result]


def _judge(store: Store, shapes: Shapes, limit: int | None, language: str, asked: Connection) -> None:
    """Answers the numbers of plans with what these found, until the other end closes."""
    end_with_parent()
    while True:
        try:
            plan = shapes.plans[asked.recv()]
        except EOFError:
            return
        try:
            asked.send(_part(store, plan, shapes, limit, language))
        except KgError as error:
            asked.send(error)
        except MemoryError:
            asked.send(TooLarge(_TOO_LARGE))


def _part(store: Store, plan: Plan, shapes: Shapes, limit: int | None, language: str) -> _Part:
    part = _Part([], [])
    for result in results_of(store, (plan,), shapes, language):
        found = part.violations if result.severity == VIOLATION else part.others
        if limit is None or len(found) <= limit:
            found.append(result)
        elif found is part.others:  # violations come first, so all that could be shown is there
            break
    return part


def judged(
    store: Store, shapes: Shapes, *, limit: int | None, language: str, processes: int, progress: Progress
) -> Report:
    """The report on a store in memory, by processes that share it. No other thread may run in this one."""
    waiting = sorted(range(len(shapes.plans)), key=_weights(store, shapes.plans).__getitem__)
    parts: dict[int, _Part] = {}
    gc.freeze()  # so that counting references does not copy what is shared
    working: dict[Connection, int] = {}
    workers = []
    for _ in range(min(processes, len(waiting))):
        ours, theirs = _FORK.Pipe()
        worker = _FORK.Process(target=_judge, args=(store, shapes, limit, language, theirs), daemon=True)
        worker.start()
        theirs.close()
        workers.append(worker)
        working[ours] = waiting.pop()
        ours.send(working[ours])
    while working:
        for connection in wait(list(working)):
            assert isinstance(connection, Connection)
            number = working.pop(connection)
            try:
                found = connection.recv()
            except EOFError:
                raise TooLarge(_TOO_LARGE) from None
            if isinstance(found, KgError):
                raise found
            parts[number] = found
            progress("checking", len(parts), len(shapes.plans))
            if waiting:
                working[connection] = waiting.pop()
                connection.send(working[connection])
            else:
                connection.close()
    return _merged([parts[number] for number in sorted(parts)], limit)


def _weights(store: Store, plans: Sequence[Plan]) -> list[int]:
    """About how much work each plan is: its targets times its checks."""
    rows: Any = store.query("SELECT ?c (COUNT(*) AS ?n) WHERE { ?s a ?c } GROUP BY ?c")
    instances = {str(row["c"]): int(row["n"].value) for row in rows}
    rows = store.query("SELECT ?p (COUNT(*) AS ?n) WHERE { ?s ?p ?o } GROUP BY ?p")
    uses = {str(row["p"]): int(row["n"].value) for row in rows}

    def targets(plan: Plan) -> int:
        known = {"class": instances, "subjects-of": uses, "objects-of": uses}
        return sum(known.get(each.kind, {}).get(str(each.term), 1) for each in plan.shape.targets)

    return [targets(plan) * (1 + sum(1 for _ in plan.all_checks())) for plan in plans]


def _merged(parts: Iterable[_Part], limit: int | None) -> Report:
    parts = list(parts)
    results = [result for part in parts for result in part.violations]
    results += [result for part in parts for result in part.others]
    if limit is not None and len(results) > limit:
        return Report(in_order(results[:limit]), truncated=True)
    return Report(in_order(results))


def main() -> None:
    root, memory = Path(sys.argv[1]), int(sys.argv[2])
    question = receive(sys.stdin.buffer) if begin() else None
    if question is None:
        return
    out = sys.stdout.buffer
    limit_memory(memory or None)

    def say(what: str, done: int, total: int) -> None:
        send(out, b"P", json.dumps((what, done, total)).encode())

    try:
        shapes, limit, language, processes = pickle.loads(question[1])
        say("copying the graph into memory", 0, len(shapes.plans))
        store = copied(root, processes)
        report = judged(store, shapes, limit=limit, language=language, processes=processes, progress=say)
        send_data(out, b"D", pickle.dumps(report))
        send(out, b"E", b"")
    except KgError as error:
        refuse(out, error)
    except MemoryError:
        refuse(out, TooLarge(_TOO_LARGE))
    except Exception as error:  # the engine's other errors must reach the caller as a problem
        refuse(out, StoreError(f"the graph could not be validated: {error}"))


if __name__ == "__main__":
    main()
