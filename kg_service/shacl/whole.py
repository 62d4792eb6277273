"""The whole of a published generation judged: the plans are shared out among processes, all of which see the graph.

    report = validate_generation(root, shapes)      # as `validate`, on the default graph of what is published

On disk the queries take two to three times as much processor time as in memory with the copying that it takes, because
every step of every row is a look-up there. So a child process copies the default graph first (`store.copying`) unless
that is larger than `MOST_COPIED`, and forks when it holds all: the processes that judge share its memory, or open the
database each for itself. They take one plan after the other, those that promise to take longest first.
"""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

from pyoxigraph import NamedNode, Store

from kg_service.errors import KgError, StoreError, TooLarge, from_problem
from kg_service.shacl import Progress, Report, Result, Shapes, no_progress, results_of
from kg_service.shacl.compiler import Plan
from kg_service.shacl.everywhere import Everywhere, are_passed, chosen, predicate_of, value_tests
from kg_service.shacl.marks import class_tree
from kg_service.shacl.report import in_order
from kg_service.shacl.shapes import VIOLATION
from kg_service.store import arenas, generations
from kg_service.store.copying import apply_spool, copied, size, uses_of
from kg_service.store.frames import begin, end_with_parent, limit_memory, receive, refuse, send, send_data
from kg_service.store.spool import Spool

T = TypeVar("T")

#: Triples of the largest graph that is copied into memory to be judged; a copy takes some 370 bytes for each.
MOST_COPIED = 3_000_000

_FORK = multiprocessing.get_context("fork")
_TOO_LARGE = "validating the graph needs more memory than it may have"
_FAILED = "the graph could not be validated: {}"


def validate_generation(
    root: Path,
    shapes: Shapes,
    *,
    generation: int | None = None,
    limit: int | None = None,
    language: str = "en",
    processes: int = 2,
    memory: int | None = None,
    change: Spool | Path | None = None,
    progress: Progress = no_progress,
) -> Report:
    """The report that `validate` gives on a generation that is held, by default on the one that is published now.

    With a `change` of the published generation, what it brings: the results that there are then and were not before.
    It is a spool, which is put into a copy in memory whatever its size, or a database that the change was made in.

    All work is done in processes that end with this call, however it ends; each may take `memory` bytes of address
    space, the shared copy included. Raises TooLarge when that is not enough, and StoreError.
    """
    command = [sys.executable, "-P", "-m", "kg_service.shacl.whole", str(root), str(memory or 0), str(os.getpid())]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=os.environ | arenas.FEW,
    )
    into, out = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    try:
        send(into, b"Q", pickle.dumps((shapes, generation, limit, language, processes, MOST_COPIED, change)))
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


@dataclass(frozen=True, slots=True)
class _Part:
    """What one plan found: violations and others, each at most one more than the limit."""

    violations: list[Result]
    others: list[Result]


def judged(
    opened: Callable[[], Store],
    shapes: Shapes,
    *,
    limit: int | None,
    language: str,
    processes: int,
    progress: Progress,
) -> Report:
    """The report on a store, by processes each of which asks for it: for one in memory that they share, say.

    No other thread may run in this one.
    """
    gc.freeze()  # so that counting references does not copy what is shared
    share_out = partial(_shared_out, opened, processes)
    counts: list[Callable[[Store], Any]] = [class_tree, uses_of, _instances]
    classes, uses, instances = share_out(counts, lambda done: progress("counting", done, len(counts)))
    predicates = frozenset(uses)
    tests = sorted(value_tests(shapes.plans).items(), key=lambda each: uses.get(predicate_of(each[0]), 0))
    about = {"predicates": predicates, "classes": classes}
    answers = share_out(
        [partial(are_passed, step=step, tests=some, **about) for step, some in tests],
        lambda done: progress("testing values", done, len(tests)),
    )
    held = (chosen(step, some, answer) for (step, some), answer in zip(tests, answers, strict=True))
    known = Everywhere(frozenset().union(*held), predicates)
    weights = _weights(shapes.plans, uses, instances)
    plans = sorted(shapes.plans, key=weights.__getitem__)
    parts = share_out(
        [partial(_part, plan=plan, shapes=shapes, limit=limit, language=language, known=known) for plan in plans],
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


def _shared_out(
    opened: Callable[[], Store],
    processes: int,
    tasks: Sequence[Callable[[Store], T]],
    progress: Callable[[int], None],
) -> list[T]:
    """What the tasks give, in their order: the last is begun first, each by the process that is free next."""
    waiting, found = list(range(len(tasks))), {}
    working: dict[Connection, int] = {}
    workers = []
    for _ in range(min(processes, len(tasks))):
        ours, theirs = _FORK.Pipe()
        workers.append(_FORK.Process(target=_work, args=(os.getpid(), opened, tasks, theirs), daemon=True))
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


def _work(
    parent: int, opened: Callable[[], Store], tasks: Sequence[Callable[[Store], object]], asked: Connection
) -> None:
    """Answers the numbers of tasks with what they give, until none follows."""
    end_with_parent(parent)
    store: Store | None = None
    while (number := asked.recv()) is not None:
        try:
            if store is None:
                store = opened()
            asked.send(tasks[number](store))
        except KgError as error:
            asked.send(error)
        except MemoryError:
            asked.send(TooLarge(_TOO_LARGE))
        except (OSError, RuntimeError) as error:  # what the engine says of a database that it cannot read
            asked.send(StoreError(_FAILED.format(error)))


def _instances(store: Store) -> dict[Any, int]:
    """How many things have each type."""
    rows: Any = store.query("SELECT ?c (COUNT(*) AS ?n) WHERE { ?s a ?c } GROUP BY ?c")
    return {row["c"]: int(row["n"].value) for row in rows}


def _weights(plans: Sequence[Plan], uses: Mapping[NamedNode, int], instances: Mapping[Any, int]) -> dict[Plan, int]:
    """About how much work each plan is: its targets times its checks."""
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


@contextmanager
def _graph(
    root: Path, generation: int | None, change: Spool | Path | None, most: int, processes: int
) -> Iterator[Callable[[], Store]]:
    """How each process comes to see a generation, with the change: a copy that all share, or the database on disk."""
    if isinstance(change, Path):
        yield partial(Store.read_only, str(change))
        return
    with ExitStack() as held:
        if generation is None and (now := generations.hold_current(root)):
            generation = now[0]
            held.enter_context(now[1])
        elif generation is not None:
            held.enter_context(generations.hold(root, generation))
        folder = str(generations.directory(root, generation)) if generation else None
        if folder and change is None and size(folder) > most:
            yield partial(Store.read_only, folder)
            return
        store = copied(root, processes, generation)
    if change is not None:
        apply_spool(store, change)
    yield lambda: store


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
        shapes, generation, limit, language, processes, most, change = pickle.loads(question[1])
        judge = partial(judged, shapes=shapes, limit=limit, language=language, processes=processes)
        say("reading the graph", 0, len(shapes.plans))
        with _graph(root, generation, change, most, processes) as opened:
            report = judge(opened, progress=say)
        if change is not None and report.results and generations.current(root):
            del opened
            with _graph(root, None, None, most, processes) as opened:
                report = report.without(judge(opened, progress=no_progress))
        send_data(out, b"D", pickle.dumps(report))
        send(out, b"E", b"")
    except KgError as error:
        refuse(out, error)
    except MemoryError:
        refuse(out, TooLarge(_TOO_LARGE))
    except Exception as error:  # the engine's other errors must reach the caller as a problem
        refuse(out, StoreError(_FAILED.format(error)))


if __name__ == "__main__":
    main()
