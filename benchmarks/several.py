"""What several processes in front of one store gain: answers a second, repeated and cold, by the number of processes.

    python -m benchmarks.several [--processes 1 2] [--seconds 5] [--rounds 3]

Serves a small store by `kg serve --processes N` and asks over 32 connections: one question again and again, which is
answered from memory; then light questions that were never asked before. Prints the medians of the rounds. Clients and
service share the machine's cores: with no core to spare, more processes gain nothing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad

from benchmarks.client import Tally, get, hammer
from benchmarks.engines import free_port, running
from benchmarks.generate import ROOT
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore

_CONNECTIONS = 32


def _cold(url: str) -> Iterator[bytes]:
    for number in itertools.count():
        yield get(f"{url}/sparql", f"SELECT ?o {{ <urn:s{number % 1000}> ?p ?o }} LIMIT {5 + number}")


def measured(store: Path, folder: Path, processes: int, seconds: float) -> tuple[Tally, Tally]:
    port = free_port()
    folder.mkdir()
    (folder / "nothing.nt").write_text("")
    told = {"KG_STORE": str(store), "KG_DATA": str(folder), "PYTHONPATH": str(ROOT), "KG_CLIENT_SECONDS": "100000"}
    command = [sys.executable, "-P", "-m", "kg_service", "serve", "--port", str(port), "--processes", str(processes)]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, f"{url}/sparql", told):
        hot = itertools.repeat(get(f"{url}/sparql", "SELECT ?o { <urn:s1> ?p ?o }"))
        hammer(url, hot, clients=_CONNECTIONS, seconds=1)
        return (
            hammer(url, hot, clients=_CONNECTIONS, seconds=seconds),
            hammer(url, _cold(url), clients=_CONNECTIONS, seconds=seconds),
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    found: dict[int, list[tuple[Tally, Tally]]] = {number: [] for number in given.processes}
    with tempfile.TemporaryDirectory(prefix="kg-several-") as name:
        store = Path(name) / "store"
        with EmbeddedStore(store) as opened:
            home, says = NamedNode("urn:g"), NamedNode("urn:p")
            quads = [Quad(NamedNode(f"urn:s{n % 1000}"), says, Literal(n), home) for n in range(5_000)]
            opened.apply(Delta(added=frozenset(quads)))
        for turn in range(given.rounds):
            for number in given.processes:
                found[number].append(measured(store, Path(name) / f"{turn}-{number}", number, given.seconds))
    print(f"{len(os.sched_getaffinity(0))} processors, {_CONNECTIONS} connections, clients on the same machine")
    for number, rounds in found.items():
        for what, tallies in zip(("repeated", "cold, light"), zip(*rounds, strict=True), strict=True):
            rate = statistics.median(tally.rate for tally in tallies)
            late = statistics.median(1000 * tally.percentile(0.99) for tally in tallies)
            failed = sum(tally.failed for tally in tallies)
            print(f"{number} process(es), {what:12} {rate:8,.0f}/s   p99 {late:7.1f} ms   failed {failed}")


if __name__ == "__main__":
    main()
