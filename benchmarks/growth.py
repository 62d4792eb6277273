"""What grows how with the size of the graph: loading, changing, asking, validating, searching, measuring networks.

    python -m benchmarks.growth [--triples 100000 1000000 10000000] [--keep DIR] [--picture docs/growth.svg]

For each size the world of `benchmarks/generate.py` is loaded by `oxigraph load`, and as `kg load` does, without and
with the gate; the rest is measured on that store. Every step runs in a process of its own and tells the time of the
clock, of the processor (all its processes), and its memory. Last comes a table in Markdown with, for each figure, the
power of the size with which it grew from the first size to the last: 1 is linear. The picture draws both on logarithmic
axes. 10,000,000 triples take about half an hour and 8 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import httpx
from pyoxigraph import NamedNode, Quad, Store

from benchmarks import generate
from benchmarks.gate import organisation
from benchmarks.loading import guarded, without
from benchmarks.peers import KINDS, World
from kg_service import resources
from kg_service.changes import commit
from kg_service.rdf import sse
from kg_service.search.building import bring_up, signature
from kg_service.search.sources import EmbeddedSource
from kg_service.settings import Settings
from kg_service.shacl import load_shapes
from kg_service.shacl.gate import Gate
from kg_service.shacl.whole import validate_generation
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, snapshot
from tests.serving import running

#: What a step found: figures by name.
Figures: TypeAlias = dict[str, float]

_CHANGES, _QUESTIONS = 30, 15
_GRAPH = NamedNode("urn:graph")


class Place:
    """Where the files of one size are."""

    def __init__(self, folder: Path, triples: int) -> None:
        self.triples = triples
        self.data, self.store = folder / f"{triples}.nt", folder / f"{triples}-store"
        self.other, self.peer = folder / f"{triples}-unjudged", folder / f"{triples}-oxigraph"


def engine(place: Place) -> Figures:
    shutil.rmtree(place.peer, ignore_errors=True)
    program = Path(sys.executable).with_name("oxigraph")
    command = [str(program), "load", "--location", str(place.peer), "--file", str(place.data)]
    subprocess.run(command, check=True, capture_output=True)
    return {}


def unjudged(place: Place) -> Figures:
    shutil.rmtree(place.other, ignore_errors=True)
    without(place.data, place.other)
    shutil.rmtree(place.other)
    return {}


def judged(place: Place) -> Figures:
    shutil.rmtree(place.store, ignore_errors=True)
    guarded(place.data, place.store)
    return {}


def changes(place: Place) -> Figures:
    """New organisations with ten statements, one after the other; milliseconds until readers see them."""
    gate, times = Gate(load_shapes(sorted(resources.folder("shapes").glob("*.ttl")))), list[float]()
    with EmbeddedStore(place.store) as store:
        town = next(store.working.quads_for_pattern(None, sse("locatedIn"), None, None)).object
        assert isinstance(town, NamedNode)
        for number in range(_CHANGES):
            quads = (Quad(q.subject, q.predicate, q.object, _GRAPH) for q in organisation(number, town))
            start = time.perf_counter()
            commit(store, Delta(added=frozenset(quads)), gate)
            times.append(1000 * (time.perf_counter() - start))
        with_inverse = [store.log.patch(store.log.last_number() - back) for back in range(_CHANGES)]
        for patch in with_inverse:  # so that the other steps find the world as it was
            assert patch
            commit(store, patch.inverse, gate)
    return {"median ms": statistics.median(times)}


def questions(place: Place) -> Figures:
    """The questions of `benchmarks.peers`, asked of our database and of the engine's own, cold; milliseconds."""
    size = sum("/ontology#LocalGovernment>" in line for line in place.data.open())
    found: dict[str, Figures] = {}
    with snapshot(place.store) as ours:
        for name, store in (("ours", ours), ("engine", Store.read_only(str(place.peer)))):
            world = World(size, 7)
            found[name] = {kind: _asked(store, [world.question(kind) for _ in range(_QUESTIONS)]) for kind in KINDS}
    means = {name: math.exp(statistics.fmean(map(math.log, each.values()))) for name, each in found.items()}
    return {"geometric mean ms": means["ours"], "of the engine's own": means["ours"] / means["engine"]}


def _asked(store: Store, texts: list[str]) -> float:
    times = []
    for text in texts:
        start = time.perf_counter()
        answer: Any = store.query(text)
        _ = bool(answer) if text.lstrip().startswith("ASK") or " ASK " in text else sum(1 for _ in answer)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def validation(place: Place) -> Figures:
    report = validate_generation(place.store, load_shapes(sorted(resources.folder("shapes").glob("*.ttl"))))
    assert not report.blocks
    return {}


def searching(place: Place) -> Figures:
    bring_up(place.store, EmbeddedSource(place.store, union=True, memory=None), unusable=signature(place.store))
    return {}


def networks(place: Place) -> Figures:
    """From the request to the PageRank of all that is in alliances."""
    settings = Settings(store=place.store, network_seconds=900, network_rows=20_000_000)
    with running(settings) as url, httpx.Client(base_url=url, timeout=900) as client:
        job = client.get("/api/networks/alliances/pagerank", params={"wait": 0, "limit": 5}).json()
        if "id" in job:
            while client.get(f"/api/jobs/{job['id']}").json()["ended"] is None:
                time.sleep(0.2)
            job = client.get(f"/api/jobs/{job['id']}/result").json()
        return {"ties": job["meta"]["edges"]}


STEPS: dict[str, Callable[[Place], Figures]] = {
    "oxigraph load": engine,
    "load, not judged": unjudged,
    "load, judged": judged,
    "a change": changes,
    "questions": questions,
    "validation": validation,
    "search index": searching,
    "network": networks,
}


def run(step: str, folder: Path, triples: int) -> Figures:
    """A step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.growth", "--step", step, str(folder), str(triples)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{step}: {done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def told(step: str, place: Place) -> Figures:
    start = time.perf_counter()
    figures = STEPS[step](place)
    wall = time.perf_counter() - start
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    seconds = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    # The larger of this process and its largest child: those that fork share what they hold.
    return {"s": wall, "CPU s": seconds, "MiB": max(own.ru_maxrss, others.ru_maxrss) / 1024} | figures


#: What the table and the picture show: step, figure, unit.
SHOWN = (
    ("oxigraph load", "s"),
    ("load, not judged", "s"),
    ("load, judged", "s"),
    ("load, not judged", "MiB"),
    ("a change", "median ms"),
    ("questions", "geometric mean ms"),
    ("questions", "of the engine's own"),
    ("validation", "s"),
    ("validation", "MiB"),
    ("search index", "s"),
    ("network", "s"),
)


def table(found: dict[int, dict[str, Figures]]) -> Iterator[str]:
    sizes = sorted(found)
    yield f"| | {' | '.join(f'{size:,}' for size in sizes)} | grew with the power |"
    yield f"|---|{'---|' * (len(sizes) + 1)}"
    for step, figure in SHOWN:
        values = [found[size][step][figure] for size in sizes]
        power = math.log(values[-1] / values[0]) / math.log(sizes[-1] / sizes[0]) if len(sizes) > 1 else math.nan
        yield f"| {step}, {figure} | {' | '.join(map(rounded, values))} | {power:.2f} |"


def rounded(value: float) -> str:
    """Three digits, and all of those before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def picture(found: dict[int, dict[str, Figures]]) -> str:
    """Seconds over triples on logarithmic axes, as SVG."""
    sizes, steps = sorted(found), [step for step, figure in SHOWN if figure == "s"]
    values = [found[size][step]["s"] for size in sizes for step in steps]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    left, right = math.log10(sizes[0]), math.log10(sizes[-1])

    def at(size: float, seconds: float) -> tuple[float, float]:
        across = (math.log10(size) - left) / (right - left or 1)
        return 60 + 400 * across, 320 - 290 * (math.log10(seconds) - low) / (high - low)

    colours = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000")
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" font-family="sans-serif" font-size="12">']
    lines.append('<rect width="640" height="360" fill="white"/>')
    for power in range(low, high + 1):
        _, y = at(sizes[0], 10**power)
        lines.append(f'<path d="M60 {y:.0f}H460" stroke="#ccc"/><text x="54" y="{y + 4:.0f}" text-anchor="end">')
        lines.append(f"{10**power:g} s</text>")
    for size in sizes:
        x, _ = at(size, 1)
        lines.append(f'<text x="{x:.0f}" y="342" text-anchor="middle">{size:,}</text>')
    for number, (step, colour) in enumerate(zip(steps, colours, strict=False)):
        points = [at(size, found[size][step]["s"]) for size in sizes]
        for (x, y), (to_x, to_y) in pairwise(points):
            lines.append(f'<path d="M{x:.1f} {y:.1f}L{to_x:.1f} {to_y:.1f}" stroke="{colour}" stroke-width="2"/>')
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in points]
        lines.append(f'<text x="490" y="{50 + 22 * number}" fill="{colour}">{number + 1} {step}</text>')
        x, y = points[-1]
        lines.append(f'<text x="{x + 8:.0f}" y="{y + 4:.0f}" fill="{colour}">{number + 1}</text>')
    return "\n".join([*lines, "</svg>\n"])


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
    else:
        with tempfile.TemporaryDirectory(prefix="growth-") as made:
            yield Path(made)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", nargs="+", type=int, default=[100_000, 1_000_000, 10_000_000])
    arguments.add_argument("--keep", type=Path, help="a folder for data and stores, which stay there")
    arguments.add_argument("--picture", type=Path, help="where to draw the curves, as SVG")
    arguments.add_argument("--step", nargs=3, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.step:
        step, folder, triples = chosen.step
        print(json.dumps(told(step, Place(Path(folder), int(triples)))))
        return
    found: dict[int, dict[str, Figures]] = {}
    with _folder(chosen.keep) as folder:
        for size in sorted(chosen.triples):
            place = Place(folder, size)
            if not place.data.is_file():
                with place.data.open("w", encoding="utf-8") as file:
                    file.writelines(f"{statement}\n" for statement in generate.triples(size))
            found[size] = {}
            for step in STEPS:
                found[size][step] = figures = run(step, folder, size)
                line = ", ".join(f"{value:.3g} {name}" for name, value in figures.items())
                print(f"{size:,} {step}: {line}", flush=True)
    print("\n".join(["", *table(found)]))
    if chosen.picture:
        chosen.picture.write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    main()
