"""What a change costs as a client sees it, and what the gate costs a large load.

    python -m benchmarks.commits [--triples 1000000] [--store DIR] [--commits 60] [--seconds 8] [--without-gate]

Loads the world of `benchmarks/generate.py` into a store as `kg load` does (with `--without-gate` a second time without
judging it, for the ratio), serves it, and measures over HTTP: commits of one triple, one after the other, until the
answer and until a reader sees the triple; then as many commits as 16 clients at once get through.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import generate
from benchmarks.client import Connection, get, hammer, percentile, post_update
from benchmarks.engines import free_port, running
from benchmarks.generate import ROOT
from kg_service.changes import rules
from kg_service.ingest import bulk
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore

TOKEN = "benchmark"
NOTE = "<http://www.w3.org/2004/02/skos/core#note>"


def load(root: Path, data: Path, *, is_judged: bool) -> float:
    """Loads a file into a new store; the seconds that it took. What is not judged is not logged either."""
    shapes = rules.in_force(root)
    began = time.perf_counter()
    with EmbeddedStore(root) as store:
        if is_judged:
            bulk.load(store, [data], shapes)
        else:
            store.apply(Delta(added=frozenset(bulk.read(data))))
    return time.perf_counter() - began


@contextlib.contextmanager
def serving(root: Path, folder: Path) -> Iterator[str]:
    """Our service on the store; all that it loads by itself is the ontology."""
    port = free_port()
    (folder / "seeds").mkdir()
    (folder / "seeds" / "nothing.nt").write_text("")
    settings = {"KG_STORE": str(root), "KG_DATA": str(folder / "seeds"), "KG_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "kg_service", "serve", "--port", str(port)]
    with running(command, folder, f"http://127.0.0.1:{port}/sparql", settings, seconds=600):
        yield f"http://127.0.0.1:{port}"


def inserting(url: str, number: int) -> bytes:
    """A request that adds one triple which was never there."""
    thing = f"<https://w3id.org/sse-kg/id/theme/{os.getpid()}-{number}>"
    return post_update(f"{url}/update", f'INSERT DATA {{ GRAPH <urn:notes> {{ {thing} {NOTE} "{number}" }} }}', TOKEN)


def one_by_one(url: str, count: int) -> tuple[list[float], list[float]]:
    """Milliseconds until each of some commits was answered, and until a reader saw it."""
    connection, answered, seen = Connection(url), list[float](), list[float]()
    for number in range(count + 3):
        thing = f"<https://w3id.org/sse-kg/id/theme/{os.getpid()}-{number}>"
        began = time.perf_counter()
        reply = connection.ask(inserting(url, number), 60)
        assert reply.status == 200, reply.body
        committed = time.perf_counter()
        found = connection.ask(get(f"{url}/sparql", f'ASK {{ {thing} {NOTE} "{number}" }}'), 60)
        assert b"true" in found.body, found.body
        if number >= 3:  # the first ones open the store
            answered.append(1000 * (committed - began))
            seen.append(1000 * (time.perf_counter() - began))
    return answered, seen


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    arguments.add_argument("--triples", type=int, default=1_000_000)
    arguments.add_argument("--store", type=Path, help="a store to use as it is, instead of loading one")
    arguments.add_argument("--commits", type=int, default=60)
    arguments.add_argument("--seconds", type=float, default=8)
    arguments.add_argument("--without-gate", action="store_true")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, root = Path(name), chosen.store or Path(name) / "store"
        if not chosen.store:
            data = folder / "world.nt"
            generate.write(data, chosen.triples)
            judged = load(root, data, is_judged=True)
            print(f"load of {chosen.triples:,} triples, judged: {judged:.1f} s", flush=True)
            if chosen.without_gate:
                plain = load(folder / "plain", data, is_judged=False)
                print(f"not judged: {plain:.1f} s; ratio {judged / plain:.2f}", flush=True)
        with serving(root, folder) as url:
            answered, seen = one_by_one(url, chosen.commits)
            for what, times in (("answered", answered), ("seen by a reader", seen)):
                print(f"one triple, {what}: median {percentile(times, 0.5):.0f} ms, p95 {percentile(times, 0.95):.0f}")
            requests = (inserting(url, number) for number in itertools.count(1_000_000))
            tally = hammer(url, requests, clients=16, seconds=chosen.seconds)
            print(f"16 clients at once: {tally.rate:.0f} commits a second, {tally.failed} failed")


if __name__ == "__main__":
    main()
