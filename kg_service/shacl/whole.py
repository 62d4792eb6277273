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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from pyoxigraph import NamedNode, RdfFormat, Store

from kg_service.errors import KgError, StoreError, TooLarge, from_problem
from kg_service.shacl import Progress, Report, Result, Shapes, no_progress, results_of
from kg_service.shacl.compiler import Plan
from kg_service.shacl.everywhere import Everywhere, are_passed, chosen, predicate_of, value_tests
from kg_service.shacl.marks import class_tree
from kg_service.shacl.report import in_order
from kg_service.shacl.shapes import VIOLATION
from kg_service.store import generations
from kg_service.store.frames import begin, end_with_parent, limit_memory, receive, refuse, send, send_data

T = TypeVar("T")

_FORK = multiprocessing.get_context("fork")
_MESSAGE = 2**18  # characters of N-Triples sent together
#: Objects are looked up once each where among so many triples of a predicate each is shared by so many.
_SAMPLE, _SHARED = 10_000, 3
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
            reader = _FORK.Process(target=_read, args=(os.getpid(), folder, share, processes, theirs), daemon=True)
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
        self._pipes, self._held, self._at = pipes, b"", 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while self._at == len(self._held) and self._pipes:
            ready = wait(self._pipes)[0]
            assert isinstance(ready, Connection)
            try:
                self._held, self._at = ready.recv_bytes(), 0
            except EOFError:
                self._pipes.remove(ready)
        end = len(self._held) if size < 0 else self._at + size
        part, self._at = self._held[self._at : end], min(end, len(self._held))
        return part


def _read(parent: int, folder: str, share: int, of: int, out: Connection) -> None:
    end_with_parent(parent)
    store = Store.read_only(folder)
    lines: list[str] = []
    size = 0
    for predicate in _share(_uses(store), share, of):
        for text in _texts(store, predicate):
            lines.append(text)
            size += len(text)
            if size >= _MESSAGE:
                out.send_bytes("".join(lines).encode())
                lines.clear()
                size = 0
    out.send_bytes("".join(lines).encode())


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


@dataclass(frozen=True, slots=True)
class _Part:
    """What one plan found: violations and others, each at most one more than the limit."""

    violations: list[Result]
    others: list[Result]


def judged(
    store: Store, shapes: Shapes, *, limit: int | None, language: str, processes: int, progress: Progress
) -> Report:
    """The report on a store in memory, by processes that share it. No other thread may run in this one."""
    gc.freeze()  # so that counting references does not copy what is shared
    classes, uses = class_tree(store), _uses(store)
    predicates = frozenset(uses)
    tests = sorted(value_tests(shapes.plans).items(), key=lambda each: uses.get(predicate_of(each[0]), 0))
    answers = _shared_out(
        [partial(are_passed, store, step, some, predicates, classes) for step, some in tests],
        processes,
        lambda done: progress("testing values", done, len(tests)),
    )
    held = (chosen(step, some, answer) for (step, some), answer in zip(tests, answers, strict=True))
    known = Everywhere(frozenset().union(*held), predicates)
    weights = _weights(store, shapes.plans, uses)
    plans = sorted(shapes.plans, key=weights.__getitem__)
    parts = _shared_out(
        [partial(_part, store, plan, shapes, limit, language, known) for plan in plans],
        processes,
        lambda done: progress("checking", done, len(plans)),
    )
    found = dict(zip(plans, parts, strict=True))
    return _merged([found[plan] for plan in shapes.plans], limit)


def _part(store: Store, plan: Plan, shapes: Shapes, limit: int | None, language: str, known: Everywhere) -> _Part:
    part = _Part([], [])
    for result in results_of(store, (plan,), shapes, language, known=known):
        found = part.violations if result.severity == VIOLATION else part.others
        if limit is None or len(found) <= limit:
            found.append(result)
        elif found is part.others:  # violations come first, so all that could be shown is there
            break
    return part


def _shared_out(tasks: Sequence[Callable[[], T]], processes: int, progress: Callable[[int], None]) -> list[T]:
    """What the tasks give, in their order: the last is begun first, each by the process that is free next."""
    waiting, found = list(range(len(tasks))), {}
    working: dict[Connection, int] = {}
    workers = []
    for _ in range(min(processes, len(tasks))):
        ours, theirs = _FORK.Pipe()
        workers.append(_FORK.Process(target=_work, args=(os.getpid(), tasks, theirs), daemon=True))
        workers[-1].start()
        theirs.close()
        working[ours] = waiting.pop()
        ours.send(working[ours])
    while working:
        for connection in wait(list(working)):
            assert isinstance(connection, Connection)
            number = working.pop(connection)
            try:
                answer = connection.recv()
            except EOFError:
                raise TooLarge(_TOO_LARGE) from None
            if isinstance(answer, KgError):
                raise answer
            found[number] = answer
            progress(len(found))
            following = waiting.pop() if waiting else None
            connection.send(following)
            if following is not None:
                working[connection] = following
    for worker in workers:
        worker.join()
    return [found[number] for number in range(len(tasks))]


def _work(parent: int, tasks: Sequence[Callable[[], object]], asked: Connection) -> None:
    """Answers the numbers of tasks with what they give, until none follows."""
    end_with_parent(parent)
    while (number := asked.recv()) is not None:
        try:
            asked.send(tasks[number]())
        except KgError as error:
            asked.send(error)
        except MemoryError:
            asked.send(TooLarge(_TOO_LARGE))


def _uses(store: Store) -> dict[NamedNode, int]:
    """How many triples each predicate has."""
    rows: Any = store.query("SELECT ?p (COUNT(*) AS ?n) WHERE { ?s ?p ?o } GROUP BY ?p")
    return {row["p"]: int(row["n"].value) for row in rows}


def _weights(store: Store, plans: Sequence[Plan], uses: Mapping[NamedNode, int]) -> dict[Plan, int]:
    """About how much work each plan is: its targets times its checks."""
    rows: Any = store.query("SELECT ?c (COUNT(*) AS ?n) WHERE { ?s a ?c } GROUP BY ?c")
    instances = {row["c"]: int(row["n"].value) for row in rows}
    known: dict[str, Mapping[Any, int]] = {"class": instances, "subjects-of": uses, "objects-of": uses}

    def targets(plan: Plan) -> int:
        return sum(known.get(each.kind, {}).get(each.term, 1) for each in plan.shape.targets)

    return {plan: targets(plan) * (1 + sum(1 for _ in plan.all_checks())) for plan in plans}


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
