"""Whether the service can be run for long: mixed load on loopback, and what it left behind.

    python -m benchmarks.soak --minutes 30 [--processes 1] [--url URL --token TOKEN]

Serves the project's own data from a store of its own and does to it what `benchmarks/mixed.py` has: reads, pages,
searches, changes, trials, uploads, runaway queries, broken requests, clients that vanish or are slow. Prints statuses
by kind, memory, processes and open files in the course of time, and whether each accepted change is in the graph and in
the log, before and after a restart. Ends with 1 where something is not as it must be: a 5xx other than 503, 504 and
507, an answer that was cut off, memory that grew by more than a tenth after the first third, files or processes that
became more, a change that was lost.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks import mixed
from benchmarks.engines import free_port
from benchmarks.generate import ROOT
from benchmarks.mixed import GRAPH, KINDS, NOTE, World

#: Seconds between two looks at memory and files, and of rest before the last one.
_LOOK, _REST = 10.0, 45.0
#: What may be more at the end than after the first third: memory by its part, files and processes by number.
_MORE, _FILES, _PROCESSES = 1.10, 32, 4
#: Small enough that the caches are full long before the first third is over.
_SETTINGS = {"KG_CACHE_BYTES": str(8 * 2**20), "KG_QUERY_SECONDS": "5", "KG_LOG_REQUESTS": "none"}


@dataclass(frozen=True, slots=True)
class Look:
    """What the service holds at one moment: memory of all its processes and of those that answer requests, in bytes
    (proportional set size); processes, and open files of those that answer."""

    at: float
    memory: int
    serving: int
    processes: int
    files: int
    disk: int


def look(began: float, service: psutil.Process, store: Path) -> Look:
    memory = serving = count = files = 0
    for process in [service, *service.children(recursive=True)]:
        with contextlib.suppress(psutil.Error):
            own = process.memory_full_info().pss
            memory, count = memory + own, count + 1
            if process.pid == service.pid or "kg_service.processes" in process.cmdline():
                serving, files = serving + own, files + process.num_fds()
    sizes = dict[int, int]()
    for place, _, names in os.walk(store):  # what is deleted meanwhile is passed over
        for each in names:
            with contextlib.suppress(OSError):
                about = (Path(place) / each).stat()
                sizes[about.st_ino] = about.st_blocks * 512
    return Look(time.monotonic() - began, memory, serving, count, files, sum(sizes.values()))


@contextlib.contextmanager
def serving(folder: Path, port: int, token: str, processes: int) -> Iterator[psutil.Process]:
    told = _SETTINGS | {"KG_STORE": str(folder / "store"), "KG_TOKEN": token, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "kg_service", "serve", "--port", str(port), "--processes", str(processes)]
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(command, env=os.environ | told, stderr=log, cwd=folder)
        try:
            until = time.monotonic() + 120
            while not _is_ready(port):
                assert process.poll() is None, (folder / "log").read_text()[-2000:]
                assert time.monotonic() < until, "the service is not ready within 120 s"
                time.sleep(0.2)
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(60)
            finally:
                process.kill()
    assert code == 0, f"the service ended with {code}: {(folder / 'log').read_text()[-2000:]}"


def _is_ready(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=10).status_code == 200
    return False


def lost(world: World) -> list[str]:
    """What was accepted and is not there: notes, values, numbers of changes in the log."""
    with httpx.Client(base_url=world.url, timeout=120) as client:
        query = f"SELECT ?s ?o {{ GRAPH <{GRAPH}> {{ ?s <{NOTE}> ?o }} }}"
        rows = client.post("/sparql", data={"query": query}).raise_for_status().json()["results"]["bindings"]
        found = {(row["s"]["value"], row["o"]["value"]) for row in rows}
        notes = {o for s, o in found if s.endswith("care")}
        missing = [f"note {text}" for text in sorted(world.added - notes)]
        for name, number in world.values.items():
            now = [int(o) for s, o in found if s == name]
            if len(now) != 1 or now[0] < number:
                missing.append(f"{name}: {now} where {number} was accepted")
        logged, address = set[int](), "/api/changes?limit=1000"
        while address:
            answer = client.get(address).raise_for_status().json()
            logged |= {entry["number"] for entry in answer["data"]}
            address = answer["next"] or ""
        return missing + [f"change {number} of the log" for number in sorted(world.changes - logged)]


def told(world: World, looks: list[Look]) -> list[str]:
    """Prints what happened; what is wrong of it."""
    width = max(map(len, KINDS))
    print(f"\n{'kind':{width}}  what came of it")
    for kind in KINDS:
        outcomes = sorted((o, n) for (k, o), n in world.told.items() if k == kind)
        print(f"{kind:{width}}  " + ", ".join(f"{outcome}: {number:,}" for outcome, number in outcomes))
    print(f"requests in all: {sum(world.told.values()):,}; accepted changes: {len(world.changes):,}\n")
    third, last = looks[-1].at / 3, looks[:-1]
    parts = {
        "start": looks[:1],
        "after a third": [each for each in last if third * 0.85 <= each.at <= third * 1.15] or looks[:1],
        "last tenth": [each for each in last if each.at >= 0.9 * looks[-1].at] or last[-1:],
        "at rest": looks[-1:],
    }
    print(f"{'':14}{'memory MiB':>12}{'of those that serve':>21}{'processes':>11}{'files':>7}{'store MiB':>11}")
    middle: dict[str, Look] = {}
    for name, some in parts.items():
        row = [statistics.median(getattr(each, field) for each in some) for field in Look.__slots__]
        middle[name] = Look(*row)
        of = middle[name]
        print(
            f"{name:14}{of.memory / 2**20:12,.0f}{of.serving / 2**20:21,.0f}{of.processes:11.0f}{of.files:7.0f}"
            f"{of.disk / 2**20:11,.0f}"
        )
    before, after = middle["after a third"], middle["last tenth"]
    wrong = list(world.failures)
    for what in ("memory", "serving"):
        if getattr(after, what) > _MORE * getattr(before, what):
            growth = getattr(after, what) / getattr(before, what) - 1
            wrong.append(f"memory ({what}) grew by {growth:.0%} after the first third")
    for what, more in (("files", _FILES), ("processes", _PROCESSES)):
        then, now, rest = (getattr(each, what) for each in (before, after, middle["at rest"]))
        if now > then + more or rest > then:
            wrong.append(f"{what}: {then} after the first third, {now} at the end, {rest} at rest")
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kg-soak-") as name:
        folder, port, token = Path(name), free_port(), secrets.token_urlsafe(24)
        world = World(f"http://127.0.0.1:{port}", token)
        with serving(folder, port, token, given.processes) as service:
            time.sleep(5)
            began = time.monotonic()
            looks = [look(began, service, folder / "store")]
            workers = mixed.begin(world, given.seed)
            while time.monotonic() - began < 60 * given.minutes:
                time.sleep(_LOOK)
                looks.append(look(began, service, folder / "store"))
                if len(looks) % 30 == 0:
                    now = looks[-1]
                    print(
                        f"{now.at / 60:5.1f} min {sum(world.told.values()):9,} requests {now.memory >> 20:6,} MiB",
                        flush=True,
                    )
            world.stop.set()
            for worker in workers:
                worker.join()
            time.sleep(_REST)
            looks.append(look(began, service, folder / "store"))
            wrong = told(world, looks)
            wrong += (missing := lost(world))
        with serving(folder, port, token, given.processes):
            wrong += (later := [f"after a restart: {each}" for each in lost(world)])
        print(f"\nlost: {len(missing)}; after a restart: {len(later)}")
        log = (folder / "log").read_text().splitlines()
        errors = [number for number, line in enumerate(log) if " ERROR" in line]
        wrong += ["the log: " + "\n    ".join(log[number : number + 20]) for number in errors[:5]]
    for each in wrong[:50]:
        print("WRONG", each)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
