"""Files of any size as a spool: read by several processes, each a file or a stretch of one, none of it kept in memory.

    with spooled(paths, store, progress=…) as read:
        read.spool, read.wrong

The spool lies in the store's folder until it was used. When the load is cut short, what was read stays, and loading the
same files onto the same generation goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Event, Lock
from typing import BinaryIO, cast

from kg_service.errors import StoreError, from_problem
from kg_service.ingest import parsing
from kg_service.ingest.parsing import Job
from kg_service.ingest.replacing import without_others
from kg_service.shacl import Progress, Result
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.frames import receive, send
from kg_service.store.spool import Part, Spool
from kg_service.unpacking import is_packed, opened

#: Bytes of a file of lines that become one part.
_STRETCH = 2**26


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: what is new of it, and the claims in it that are in the wrong graph."""

    spool: Spool
    wrong: tuple[Result, ...]


@contextmanager
def spooled(
    files: Sequence[Path],
    store: EmbeddedStore,
    *,
    replace: bool = False,
    language: str,
    processes: int = 2,
    progress: Progress,
) -> Iterator[Read]:
    """What is new in the files, compared with the published generation; raises what reading them raises.

    With `replace` also what goes from the graphs that they hold. When it ends the spool is deleted, unless the process
    was killed.
    """
    folder = store.root / "loading" / _name(files, store, replace=replace)
    for other in folder.parent.glob("*"):
        if other != folder:  # of a load that was cut short and that nobody took up again
            shutil.rmtree(other, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        jobs = _jobs(files, folder, store, language, replace=replace)
        _read(jobs, processes, progress)
        parts, wrong = list[Part](), list[Result]()
        for job in jobs:
            lines, some = pickle.loads(parsing.done(Path(job.part)).read_bytes())
            parts.append(Part(Path(job.part), lines))
            wrong += some
        spool = Spool(tuple(parts))
        if replace:
            spool = without_others(spool, store, folder / "gone", progress)
        yield Read(spool, tuple(wrong))
    finally:
        shutil.rmtree(folder.parent, ignore_errors=True)


def _name(files: Sequence[Path], store: EmbeddedStore, *, replace: bool) -> str:
    """Names the files as they are now, the generation that they are loaded onto, and the way."""
    digest = hashlib.sha256(f"{store.generation}{' replace' if replace else ''}".encode())
    for path in files:
        about = path.stat()
        digest.update(f"\n{path.resolve()} {about.st_size} {about.st_mtime_ns}".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()[:16]


def _jobs(files: Sequence[Path], folder: Path, store: EmbeddedStore, language: str, *, replace: bool) -> list[Job]:
    """What is to be read, in the order of the files."""
    jobs, about = list[Job](), (str(store.root), store.generation, store.union, language, replace)
    for path in files:
        size = path.stat().st_size
        step = _STRETCH if parsing.is_of_lines(path) and not is_packed(path) and not _has_blank_nodes(path) else size
        for start in range(0, size, step or 1) if step < size else [0]:
            end = min(start + step, size) if step < size else sys.maxsize
            part = folder / f"{len(jobs):06}"
            jobs.append(Job(str(path), start, end, str(part), *about))
    return jobs


def _has_blank_nodes(path: Path) -> bool:
    """Whether a file of lines may have blank nodes, which are numbered in the order of the whole file."""
    held = b""
    with opened(path) as file:
        while piece := file.read(2**22):
            if b"_:" in held + piece:
                return True
            held = piece[-1:]
    return False


def _read(jobs: Sequence[Job], processes: int, progress: Progress) -> None:
    """Does the jobs that are not done yet, several at a time; the first that fails ends all."""
    total = sum(_bytes(job) for job in jobs)
    todo = [job for job in jobs if not parsing.done(Path(job.part)).exists()]
    done, lock, stop = total - sum(map(_bytes, todo)), Lock(), Event()

    def say(size: int) -> None:
        nonlocal done
        with lock:
            done += size
            progress("reading", min(done, total), total)

    waiting = iter(todo)

    def work() -> None:
        with _reader() as (into, out):
            while not stop.is_set():
                with lock:
                    job = next(waiting, None)
                if job is None:
                    return
                send(into, b"Q", json.dumps(asdict(job)).encode("utf-8", "surrogateescape"))
                while (frame := receive(out)) and frame[0] != b"E":
                    if frame[0] == b"X":
                        raise from_problem(json.loads(frame[1]))
                    say(int(frame[1]))
                if frame is None:
                    raise StoreError(f"the process that read {job.path} was ended from outside; load again")

    with ThreadPoolExecutor(processes) as threads:
        working = [threads.submit(work) for _ in range(min(processes, len(todo)))]
        try:
            wait(working, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()
    for each in working:
        each.result()


def _bytes(job: Job) -> int:
    return min(job.end, Path(job.path).stat().st_size) - job.start


@contextmanager
def _reader() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """A process that reads, by what it is told and what it tells."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "kg_service.ingest.parsing", str(os.getpid())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
    finally:
        process.kill()
        process.communicate()
