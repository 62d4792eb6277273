"""How long a search takes, what an index costs, and how soon a change is found.

    python -m benchmarks.search [--triples 1000000] [--store DIR] [--clients 8] [--seconds 10]

The world of `benchmarks.generate` is put into a store (kept in DIR when that is given, and used again), with the
project's own data and ontology beside it, so that its names have the words of four languages. Then, over HTTP against
a running service: each kind of question alone, one after the other, and all kinds at once by many clients. Questions
are made of words that the index holds, frequent ones far more often; none is asked twice of a kind. `process` is the
processor time of the service and its processes for one question, which others at work on the machine disturb less.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import random
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil
from pyoxigraph import Literal, Quad

from benchmarks.client import Connection
from benchmarks.generate import ROOT, write
from kg_service.ingest import bulk
from kg_service.rdf import PREF_LABEL, entity, graph
from kg_service.search.building import bring_up, path_of, signature
from kg_service.search.sources import EmbeddedSource
from kg_service.search.words import allowed_typos, words
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore

#: Questions of each kind.
QUESTIONS = 400


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds of each question, and of processor time for one on average."""

    seconds: list[float]
    process: float

    def row(self, name: str) -> str:
        ordered = sorted(self.seconds)
        p50, p99 = (ordered[int(share * (len(ordered) - 1))] * 1000 for share in (0.5, 0.99))
        return f"| {name} | {p50:.1f} | {p99:.1f} | {self.process * 1000:.1f} | {len(ordered):,} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", type=int, default=1_000_000)
    arguments.add_argument("--store", type=Path)
    arguments.add_argument("--clients", type=int, default=8)
    arguments.add_argument("--seconds", type=float, default=10)
    chosen = arguments.parse_args()
    with contextlib.ExitStack() as stack:
        root = chosen.store or Path(stack.enter_context(tempfile.TemporaryDirectory())) / "store"
        filled(root, chosen.triples)
        built(root)
        kinds = questions(root)
        url, service = stack.enter_context(serving(root))
        warm(url)
        print("\n| | p50 ms | p99 ms | process ms | questions |\n|---|--:|--:|--:|--:|")
        for name, texts in kinds.items():
            print(alone(url, service, texts).row(name), flush=True)
        everything = [text for texts in zip(*kinds.values(), strict=False) for text in texts]
        print(
            together(url, service, everything, chosen.clients, chosen.seconds).row(
                f"{chosen.clients} clients, all kinds"
            )
        )
        print(f"\nmemory of the service and its processes: {memory(service) / 2**20:.0f} MB")
    changed(root)


def filled(root: Path, triples: int) -> None:
    """A store with the world and the project's own data, unless it is there."""
    if (root / "current").is_file():
        return
    root.mkdir(parents=True, exist_ok=True)
    world = root.with_name("world.nt.gz")
    write(world, triples)
    files = [world, *bulk.files_in([ROOT / "data", ROOT / "ontology"])]
    with EmbeddedStore(root) as store:
        store.apply(Delta(frozenset(itertools.chain.from_iterable(map(bulk.read, files)))))
    world.unlink()


def built(root: Path) -> None:
    """Builds the index in a process of its own, and says what it took."""
    program = (
        "import re, sys, time; from pathlib import Path; from kg_service.search.building import bring_up, signature; "
        "from kg_service.search.sources import EmbeddedSource; root = Path(sys.argv[1]); "
        "bring_up(root, EmbeddedSource(root, union=True, memory=None), unusable=signature(root)); "
        "peak = re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text()); "
        "print(time.process_time(), peak[1])"
    )
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    seconds, (process, peak) = time.perf_counter() - began, map(float, done.stdout.split())
    path = path_of(root)
    assert path
    with contextlib.closing(sqlite3.connect(path)) as rows:
        (texts,) = rows.execute("SELECT count(*) FROM text").fetchone()
    print(
        f"built in {seconds:.0f} s ({process:.0f} s of processor time), {peak / 1024:.0f} MB of memory at most; "
        f"{texts:,} texts, {path.stat().st_size / 2**20:.0f} MB"
    )


def questions(root: Path) -> dict[str, list[str]]:
    """Questions of each kind, of the words of texts taken by chance."""
    chance, path = random.Random(20), path_of(root)
    assert path
    with contextlib.closing(sqlite3.connect(path)) as rows:
        (last,) = rows.execute("SELECT max(id) FROM node").fetchone()
        values = list[str]()
        while len(values) < 4 * QUESTIONS:
            row = rows.execute("SELECT value FROM text WHERE node >= ? LIMIT 1", (chance.randrange(last),)).fetchone()
            values.append(row[0]) if row else None
    names = [[word.folded for word in words(value)][:12] for value in values]
    names = [name for name in names if name]
    single = unique(chance.choice(name) for name in names)
    several = unique(
        " ".join(name[at : at + 3]) for name in names if (at := chance.randrange(max(1, len(name) - 2))) >= 0
    )
    return {
        "one word": [f"{word} " for word in single],
        "the beginning of a word": unique(word[: chance.randint(1, max(1, len(word) - 1))] for word in single),
        "a mistyped word": unique(mistyped(word, chance) for word in single if allowed_typos(word)),
        "several words": [f"{text} " for text in several],
        "several, one mistyped": unique(
            " ".join([mistyped(text.split()[0], chance), *text.split()[1:]]) for text in several if " " in text
        ),
        "words of two texts": unique(f"{one} {other} " for one, other in itertools.pairwise(single)),
    }


def unique(texts: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:QUESTIONS]


def mistyped(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return chance.choice(
        [
            word[:at] + word[at + 1 :],
            word[:at] + chance.choice("aeiost") + word[at:],
            word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        ]
    )


@contextlib.contextmanager
def serving(root: Path) -> Iterator[tuple[str, psutil.Process]]:
    program = (
        "import socket, sys; from pathlib import Path; from kg_service.app import run; "
        "from kg_service.settings import Settings; "
        "run(Settings(store=Path(sys.argv[1])), socket.create_server(('127.0.0.1', int(sys.argv[2]))))"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", program, str(root), str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


def warm(url: str) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/api/search", params={"q": "network"}, timeout=60).status_code == 200:
                return
        time.sleep(0.2)
    raise SystemExit("the service does not answer")


def request(url: str, text: str) -> bytes:
    return f"GET /api/search?{urlencode({'q': text})} HTTP/1.1\r\nHost: {url.removeprefix('http://')}\r\n\r\n".encode()


def alone(url: str, service: psutil.Process, texts: list[str]) -> Measured:
    connection, before = Connection(url), used(service)
    seconds = [asked(connection, url, text) for text in texts]
    return Measured(seconds, (used(service) - before) / len(seconds))


def together(url: str, service: psutil.Process, texts: list[str], clients: int, most: float) -> Measured:
    """Many clients at once, each with its own part of the questions, over and over."""
    until, before = time.monotonic() + most, used(service)

    def client(number: int) -> list[float]:
        connection, seconds = Connection(url), list[float]()
        for text in itertools.cycle(texts[number::clients]):
            if time.monotonic() > until:
                break
            seconds.append(asked(connection, url, text))
        return seconds

    with ThreadPoolExecutor(clients) as threads:
        seconds = [each for part in threads.map(client, range(clients)) for each in part]
    return Measured(seconds, (used(service) - before) / len(seconds))


def asked(connection: Connection, url: str, text: str) -> float:
    reply = connection.ask(request(url, text))
    assert reply.status == 200, (text, reply.body)
    return reply.seconds


def family(service: psutil.Process) -> Iterator[psutil.Process]:
    yield service
    yield from service.children(recursive=True)


def used(service: psutil.Process) -> float:
    total = 0.0
    for process in family(service):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
    return total


def memory(service: psutil.Process) -> int:
    total = 0
    for process in family(service):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total


def changed(root: Path, changes: int = 20) -> None:
    """How long the index takes to follow one changed name."""
    source, seconds, made = EmbeddedSource(root, union=True, memory=None), list[float](), signature(root)
    with EmbeddedStore(root) as store:
        from tests.search.worlds import change

        change(store, [Quad(entity("theme", "first"), PREF_LABEL, Literal("First"), graph("benchmark"))])
        bring_up(root, source)
        made = signature(root)
        for number in range(changes):
            text = Literal(f"New {number} of {time.time_ns()}")
            name = Quad(entity("theme", f"new-{number}"), PREF_LABEL, text, graph("benchmark"))
            change(store, [name])
            began = time.perf_counter()
            bring_up(root, source)
            seconds.append(time.perf_counter() - began)
    assert signature(root) == made, "the index was built anew"
    print(f"one changed name is taken over in {statistics.median(seconds) * 1000:.0f} ms (median)")


if __name__ == "__main__":
    main()
