"""Whole-graph validation with the project's own shapes: compiled queries beside pySHACL and pyrudof, in one run.

    python -m benchmarks.shacl_engines [--triples 10000 100000 1000000] [--queries] [--patience 900]

For each size: the world of `benchmarks/generate.py`, of which one triple in 500 is left out so that there is something
to find. Every engine runs in a process of its own, on one core where it can choose; CPU seconds are those of validating
alone, without reading data and shapes. pySHACL and pyrudof are ended after `--patience` seconds of wall time, and then
their ratio says "more than". pyrudof reads no sh:sparql: it is given the shapes without those rules, and so are we in
the line that it is compared with. Up to 10,000 triples the results of pySHACL must be ours, or the script stops.

The last lines of a size are the same data as a published generation on disk, validated by `shacl.whole` with two
processes: wall time, CPU seconds of all its processes, and memory. `--queries` adds the time of the slowest queries.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyoxigraph import NamedNode, RdfFormat, Store, parse, serialize

from benchmarks import generate
from kg_service import resources
from kg_service.ingest import bulk
from kg_service.shacl import Shapes, load_shapes, validate
from kg_service.shacl.validator import Run
from kg_service.shacl.whole import validate_generation
from kg_service.store import generations
from kg_service.store.embedded import EmbeddedStore

SPARQL = NamedNode("http://www.w3.org/ns/shacl#sparql")
#: Up to this many triples results are compared one by one.
COMPARED = 10_000
#: pySHACL and pyrudof are not asked for more than this.
MOST_FOR_OTHERS = 1_000_000
#: More are not loaded as a user would: the change is held in memory.
MOST_LOADED = 2_000_000
SLOWEST = 25


# In the process of an engine


def ours(data: Path, shapes_file: Path) -> dict[str, Any]:
    shapes = load_shapes(shapes_file)
    store = Store()
    store.bulk_load(path=str(data), format=RdfFormat.N_TRIPLES, lenient=True)
    start = time.process_time()
    report = validate(store, shapes)
    spent = time.process_time() - start
    found = Counter(f"{r.focus} {r.value} {r.component.value} {r.shape}" for r in report.results)
    return {"seconds": spent, "found": found}


def pyshacl(data: Path, shapes_file: Path) -> dict[str, Any]:
    import pyshacl
    import rdflib

    rdflib.NORMALIZE_LITERALS = False
    graph, shapes = rdflib.Graph().parse(data, format="nt"), rdflib.Graph().parse(shapes_file, format="nt")
    start = time.process_time()
    _, report, _ = pyshacl.validate(graph, shacl_graph=shapes)
    spent = time.process_time() - start
    assert isinstance(report, rdflib.Graph)
    sh = rdflib.SH
    (root,) = report.subjects(rdflib.RDF.type, sh.ValidationReport)
    found: Counter[str] = Counter()
    for result in report.objects(root, sh.result):
        value, focus = report.value(result, sh.value), report.value(result, sh.focusNode)
        component, shape = report.value(result, sh.sourceConstraintComponent), report.value(result, sh.sourceShape)
        assert focus is not None
        assert shape is not None
        found[f"{focus.n3()} {'None' if value is None else value.n3()} {component} {shape.n3()}"] += 1
    return {"seconds": spent, "found": found}


def pyrudof(data: Path, shapes_file: Path) -> dict[str, Any]:
    from pyrudof import RDFFormat, Rudof, RudofConfig, ShaclFormat

    rudof = Rudof(RudofConfig())
    rudof.read_data(str(data), RDFFormat.NTriples)
    rudof.read_shacl(str(shapes_file), ShaclFormat.NTriples)
    start = time.process_time()
    report = rudof.validate_shacl()
    return {"seconds": time.process_time() - start, "found": {"results": len(report)}}


def on_disk(root: Path, shapes_file: Path) -> dict[str, Any]:
    """A published generation, by two processes; their CPU seconds and the memory of the largest."""
    shapes, start, copied = load_shapes(shapes_file), time.perf_counter(), 0.0

    def progress(what: str, done: int, total: int) -> None:
        nonlocal copied
        copied = time.perf_counter() - start if done == 1 else copied

    report = validate_generation(root, shapes, progress=progress)
    wall, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    about = {"wall": wall, "copied": copied, "peak": used.ru_maxrss * 1024}
    return about | {"seconds": used.ru_utime + used.ru_stime, "found": {"results": len(report.results)}}


ENGINES = {"ours": ours, "pyshacl": pyshacl, "pyrudof": pyrudof, "on disk": on_disk}


def each_query(data: Path, shapes: Shapes) -> Iterator[tuple[float, str]]:
    """The time of every compiled query; a screen counts for the first check behind it."""
    store = Store()
    store.bulk_load(path=str(data), format=RdfFormat.N_TRIPLES, lenient=True)
    run = Run(store, shapes.triples)
    for plan in shapes.plans:
        for check in plan.all_checks():
            start = time.process_time()
            found = sum(1 for _ in run.violations(check))
            yield time.process_time() - start, f"{found:>6}  {type(check).__name__} {check.shape.node}"


# In the process that compares


def run(engine: str, data: Path, shapes: Path, patience: float) -> dict[str, Any]:
    """What the engine said of itself, or `error`, or `seconds` as far as it came."""
    command = [sys.executable, "-m", "benchmarks.shacl_engines", "--engine", engine, str(data), str(shapes)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience)
    except subprocess.TimeoutExpired:
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return {"more_than": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1:] or done.returncode}
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def line(name: str, told: dict[str, Any], base: float | None) -> str:
    if "error" in told:
        return f"  {name:34} failed: {told['error']}"
    if "more_than" in told:
        seconds, more = told["more_than"], "more than "
        return f"  {name:34} {more}{seconds:.1f} s" + (f"   {more}{seconds / base:.0f} times ours" if base else "")
    ratio = f"   {told['seconds'] / base:8.1f} times ours" if base else ""
    results = sum(told["found"].values())
    return f"  {name:34} {told['seconds']:9.2f} s {told['peak'] / 2**20:7.0f} MiB {results:7} results{ratio}"


def shapes_files(folder: Path) -> tuple[Path, Path]:
    """All shapes in one file, and all but the SPARQL rules in another."""
    files = sorted(resources.folder("shapes").glob("*.ttl"))
    found = [quad.triple for file in files for quad in parse(path=file, rename_blank_nodes=True)]
    whole, core = folder / "shapes.nt", folder / "core.nt"
    whole.write_bytes(serialize(found, None, RdfFormat.N_TRIPLES) or b"")
    core.write_bytes(serialize((t for t in found if t.predicate != SPARQL), None, RdfFormat.N_TRIPLES) or b"")
    return whole, core


def world(folder: Path, count: int) -> Path:
    chance = random.Random(count)
    path = folder / f"{count}.nt"
    with path.open("w", encoding="utf-8") as file:
        file.writelines(f"{statement}\n" for statement in generate.triples(count) if chance.random() > 0.002)
    return path


def published(folder: Path, data: Path, count: int) -> Path:
    """A store of the data: loaded without shapes, or laid out by the engine where that takes too much memory."""
    root = folder / f"{data.stem}-store"
    if count <= MOST_LOADED:
        with EmbeddedStore(root) as loading:
            bulk.load(loading, [data], Shapes((), ()))
        return root
    (root / "generations").mkdir(parents=True)
    store = Store(str(generations.directory(root, 1)))
    store.bulk_load(path=str(data), format=RdfFormat.N_TRIPLES, lenient=True)
    store.flush()
    del store
    generations.publish(root, 1)
    return root


def compare(count: int, folder: Path, chosen: argparse.Namespace) -> None:
    whole, core = shapes_files(folder)
    data = world(folder, count)
    print(f"{count:,} triples", flush=True)
    mine = run("ours", data, whole, 3600)
    print(line("compiled, in memory", mine, None), flush=True)
    base = mine.get("seconds")
    if count <= MOST_FOR_OTHERS and not chosen.alone:
        without = run("ours", data, core, 3600)
        print(line("compiled, without sh:sparql", without, base), flush=True)
        theirs = run("pyrudof", data, core, chosen.patience)
        print(line("pyrudof, without sh:sparql", theirs, without.get("seconds")), flush=True)
        reference = run("pyshacl", data, whole, chosen.patience)
        print(line("pySHACL", reference, base), flush=True)
        if count <= COMPARED and "found" in reference and reference["found"] != mine["found"]:
            only = (
                Counter(mine["found"]) - Counter(reference["found"]),
                Counter(reference["found"]) - Counter(mine["found"]),
            )
            raise SystemExit(f"results differ: only ours {only[0]}, only theirs {only[1]}")
    if chosen.queries:
        for seconds, what in sorted(each_query(data, load_shapes(whole)), reverse=True)[:SLOWEST]:
            print(f"    {seconds * 1000:9.1f} ms {what}")
    told = run("on disk", published(folder, data, count), whole, 3600)
    print(line("on disk, two processes", told, None))
    if "wall" in told:
        load = os.getloadavg()[0]
        print(
            f"    {told['wall']:.1f} s wall, the first plan done after {told['copied']:.1f} s; machine load {load:.1f}"
        )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", nargs="+", type=int, default=[10_000, 100_000, 1_000_000])
    arguments.add_argument("--queries", action="store_true", help="the time of the slowest queries")
    arguments.add_argument("--alone", action="store_true", help="only our own")
    arguments.add_argument("--patience", type=float, default=900, help="longest that another engine may take, in s")
    arguments.add_argument("--engine", nargs=3, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.engine:
        name, data, shapes = chosen.engine
        told = ENGINES[name](Path(data), Path(shapes))
        print(json.dumps({"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024} | told))
        return
    with tempfile.TemporaryDirectory(prefix="shacl-engines-") as folder:
        for count in chosen.triples:
            compare(count, Path(folder), chosen)


if __name__ == "__main__":
    main()
