"""Loading a file into an empty store: with the gate, without it, and by the engine alone, in one run.

    python -m benchmarks.loading [--triples 200000 1000000]

The world of `benchmarks/generate.py` as N-Triples, which conforms. Every way runs in a process of its own. Without the
gate is the same load with no shapes: the file is read, the change is worked out, written, logged and published.

`oxigraph load` keeps a triple once, in three indexes. What is kept here is in its named graph, six indexes, and once
for all graphs, three more. So the engine alone, without a log and without order in its tables, is given the same file
for a named graph, and then for both: what comes on top of that is ours.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pyoxigraph import NamedNode, RdfFormat, Store

from benchmarks import generate
from kg_service import resources
from kg_service.ingest import bulk
from kg_service.shacl import Shapes, load_shapes
from kg_service.store.embedded import EmbeddedStore


def load(data: Path, root: Path, shapes: Shapes) -> None:
    with EmbeddedStore(root) as store:
        bulk.load(store, [data], shapes)


def peer(data: Path, root: Path) -> None:
    program = Path(sys.executable).with_name("oxigraph")
    command = [str(program), "load", "--location", str(root), "--file", str(data)]
    subprocess.run(command, check=True, capture_output=True)


def named(data: Path, root: Path) -> None:
    store = Store(str(root))
    store.bulk_load(path=str(data), format=RdfFormat.N_TRIPLES, to_graph=NamedNode("urn:graph"))
    store.flush()


def both(data: Path, root: Path) -> None:
    store = Store(str(root))
    store.bulk_load(path=str(data), format=RdfFormat.N_TRIPLES, to_graph=NamedNode("urn:graph"))
    store.bulk_load(path=str(data), format=RdfFormat.N_TRIPLES)
    store.flush()


def without(data: Path, root: Path) -> None:
    load(data, root, Shapes((), ()))


def guarded(data: Path, root: Path) -> None:
    load(data, root, load_shapes(sorted(resources.folder("shapes").glob("*.ttl"))))


WAYS = {
    "oxigraph load": peer,
    "the engine, named": named,
    "the engine, both": both,
    "without the gate": without,
    "with the gate": guarded,
}


def told(way: str, data: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="loading-") as folder:
        command = [sys.executable, "-m", "benchmarks.loading", "--way", way, str(data), str(Path(folder) / "store")]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", nargs="+", type=int, default=[200_000, 1_000_000])
    arguments.add_argument("--way", nargs=3, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.way:
        way, data, root = chosen.way
        start = time.perf_counter()
        WAYS[way](Path(data), Path(root))
        wall = time.perf_counter() - start
        own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
        print(json.dumps({"wall": wall, "cpu": seconds, "peak": max(own.ru_maxrss, others.ru_maxrss) / 1024}))
        return
    with tempfile.TemporaryDirectory(prefix="loading-") as folder:
        for count in chosen.triples:
            data = Path(folder) / f"{count}.nt"
            with data.open("w", encoding="utf-8") as file:
                file.writelines(f"{statement}\n" for statement in generate.triples(count))
            found = {way: told(way, data) for way in WAYS}
            print(f"{count:,} triples")
            for way, figures in found.items():
                base = found["oxigraph load"]
                print(
                    f"  {way:18} {figures['wall']:7.1f} s wall {figures['cpu']:7.1f} s CPU {figures['peak']:7.0f} MiB"
                    f"   {figures['wall'] / base['wall']:5.2f} and {figures['cpu'] / base['cpu']:5.2f} of the first",
                    flush=True,
                )
            data.unlink()


if __name__ == "__main__":
    main()
