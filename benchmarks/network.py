"""How fast networks are measured: beside networkx and bare networkit, and from the store to a measured graph.

    python -m benchmarks.network            # all of it, in some five minutes
    python -m benchmarks.network --beside   # 20,000 nodes and 80,000 edges, beside others; layout
    python -m benchmarks.network --store    # 1,000,000 ties in a store on disk, read and measured; a cached answer
    python -m benchmarks.network --large    # 10,000,000 edges: degree, components, PageRank

Times are of the processor, in seconds, of one thread, so that a machine that others use gives the same figures; from
the store the time of the clock is told as well. Behind each figure stands what was asked for.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import networkit as nk
import networkx as nx
import numpy as np
import psutil
from pyoxigraph import RdfFormat

from kg_service.network import layout
from kg_service.network.graph import Network, of_arrays
from kg_service.network.measures import MEASURES
from kg_service.network.outcome import Context
from kg_service.network.worker import measured
from kg_service.rdf import Quad, entity, graph, sse
from kg_service.settings import Settings
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from tests.serving import running


def random_network(nodes: int, edges: int) -> Network:
    """Ends by chance, some nodes far more often than others."""
    random = np.random.default_rng(1)
    popular = (nodes * random.random((2, edges)) ** 2).astype(np.int64)
    names = [f"n{number:08}" for number in range(nodes)]
    return of_arrays(names, popular[0], popular[1], np.ones(edges))


def seconds(run: Callable[[], object], times: int = 1) -> float:
    """Processor time of the best of some runs."""
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    return best


def ours(which: str, network: Network, **given: Any) -> Callable[[], object]:
    parameters = {each.name: each.default for each in MEASURES[which].parameters} | given
    return lambda: measured({"measure": which}, network, Context(parameters))


def beside(nodes: int = 20_000, edges: int = 80_000) -> None:
    """PageRank, Louvain and sampled betweenness in networkx, in networkit called directly, and here.

    In all three the graph is made before: networks are kept in the form that was made of them first.
    """
    network = random_network(nodes, edges)
    theirs = nx.Graph(zip(network.tails.tolist(), network.heads.tolist(), strict=True))
    ends = (network.tails.astype(np.uint64), network.heads.astype(np.uint64))
    nk.setNumberOfThreads(1)

    made = nk.GraphFromCoo((np.ones(network.edges), ends), n=nodes, weighted=False, directed=False)

    def bare(make: Callable[[Any], Any]) -> Callable[[], object]:
        def run() -> object:
            algorithm = make(made)
            algorithm.run()
            is_partition = hasattr(algorithm, "getPartition")
            return np.asarray(algorithm.getPartition().getVector() if is_partition else algorithm.scores())

        return run

    spread = nk.centrality.SinkHandling.DistributeSinks
    rows = (
        (
            "PageRank",
            lambda: nx.pagerank(
                theirs, tol=1e-10 / nodes, max_iter=1000
            ),  # to the same precision: it multiplies by nodes
            bare(lambda made: nk.centrality.PageRank(made, 0.85, 1e-10, distributeSinks=spread)),
            ours("pagerank", network, weighted=False),
        ),
        (
            "Louvain",
            lambda: nx.community.louvain_communities(theirs, seed=1),
            bare(lambda made: nk.community.PLM(made, True, 1.0, "none randomized")),
            ours("communities", network, algorithm="louvain", runs=1, weighted=False),
        ),
        (
            "Betweenness from 256 nodes",
            lambda: nx.betweenness_centrality(theirs, k=256, seed=1),
            bare(lambda made: nk.centrality.EstimateBetweenness(made, 256)),
            ours("betweenness", network, method="sampled"),
        ),
    )
    print(f"{network.size:,} nodes, {network.edges:,} edges\n")
    asked = ("networkx ÷ here (asked: 10 or more)", "here ÷ networkit (asked: 1.3 or less)")
    heads = f"| | networkx | networkit | here | {asked[0]} | {asked[1]} |"
    print(f"{heads}\n|---|--:|--:|--:|--:|--:|")
    for name, slow, direct, here in rows:
        one, two, three = seconds(slow), seconds(direct, 3), seconds(here, 3)
        print(f"| {name} | {one:.2f} | {two:.3f} | {three:.3f} | {one / three:.0f} | {three / two:.2f} |", flush=True)


def drawn(nodes: int = 10_000, edges: int = 50_000) -> None:
    network = random_network(nodes, edges)
    used = seconds(lambda: layout.positions(network, {}, 1))
    print(f"\nlayout of {nodes:,} nodes and {edges:,} edges: {used:.1f} s (asked: under 20)")


def small() -> None:
    """What networkit costs on a graph of 34 nodes, beside networkx: the reason why small graphs take the same way."""
    karate = nx.karate_club_graph()
    ends = np.array(list(karate.edges()))
    network = of_arrays([f"{node:02}" for node in karate], ends[:, 0], ends[:, 1], np.ones(len(ends)))
    pairs: tuple[tuple[str, Callable[[], object], Callable[[], object]], ...] = (
        ("betweenness", lambda: nx.betweenness_centrality(karate), ours("betweenness", network)),
        ("PageRank", lambda: nx.pagerank(karate, weight=None, tol=1e-11), ours("pagerank", network)),
        ("closeness", lambda: nx.closeness_centrality(karate), ours("closeness", network)),
    )
    for name, slow, here in pairs:
        print(f"karate club, {name}: networkx {1000 * seconds(slow, 9):.2f} ms, here {1000 * seconds(here, 9):.2f} ms")


def large(nodes: int = 2_000_000, edges: int = 10_000_000) -> None:
    network = random_network(nodes, edges)
    print(f"\n{network.size:,} nodes, {network.edges:,} edges, in seconds: ", end="")
    for which in ("degree", "components", "pagerank"):
        print(f"{which} {seconds(ours(which, network)):.1f}", end="; ", flush=True)
    print(f"most memory {_peak(psutil.Process().pid) / 2**30:.1f} GiB")


def _peak(pid: int) -> int:
    """The most memory that a process had, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def stored(root: Path, nodes: int, edges: int) -> None:
    """A store on disk whose network of parts has that many ties."""
    random = np.random.default_rng(1)
    popular = (nodes * random.random((2, edges)) ** 2).astype(np.int64)
    data = root.with_suffix(".nt")
    part, base = sse("partOf"), entity("organisation", "o").value
    with data.open("w") as file:
        file.writelines(f"<{base}{tail}> {part} <{base}{head}> .\n" for tail, head in popular.T.tolist())
    with EmbeddedStore(root) as store:
        # Past the door for changes: what is measured is reading. The default graph is what queries look at.
        store._store.bulk_load(path=str(data), format=RdfFormat.N_TRIPLES)
        store.apply(Delta(added=frozenset([Quad(entity("organisation", "o0"), part, entity("x", "y"), graph("z"))])))
    data.unlink()


class _Used:
    """Processor time that the processes of this service use, also those that end meanwhile."""

    def __init__(self) -> None:
        self._most: dict[int, float] = {}
        self.look()
        self._before = dict(self._most)

    def look(self) -> None:
        for process in (psutil.Process(), *psutil.Process().children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                times = process.cpu_times()
                self._most[process.pid] = times.user + times.system

    def seconds(self) -> float:
        self.look()
        return sum(most - self._before.get(pid, 0) for pid, most in self._most.items())


def from_store(nodes: int = 200_000, edges: int = 1_000_000) -> None:
    """From HTTP request to answer, of a service that has just started: projection, PageRank, communities."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        stored(root, nodes, edges)
        settings = Settings(store=root, network_seconds=600)
        with running(settings) as url, httpx.Client(base_url=url, timeout=600) as client:
            spent, passed = 0.0, 0.0
            for path in ("pagerank", "communities"):
                used, start = _Used(), time.perf_counter()
                job = client.get(f"/api/networks/part-of/{path}", params={"wait": 0, "limit": 5}).json()
                while client.get(f"/api/jobs/{job['id']}").json()["ended"] is None:
                    used.look()
                    time.sleep(0.5)
                meta = client.get(f"/api/jobs/{job['id']}/result").json()["meta"]
                spent, passed = spent + used.seconds(), passed + time.perf_counter() - start
                told = f"{path}: {meta['edges']:,} edges, {used.seconds():.1f} s of processor time"
                print(f"{told}, {time.perf_counter() - start:.1f} s by the clock", flush=True)
            print(f"from the store to both: {spent:.1f} s, {passed:.1f} s by the clock (asked: under 20)")
            workers = [
                p for p in psutil.Process().children(recursive=True) if "network.worker" in " ".join(p.cmdline())
            ]
            most = max(_peak(p.pid) for p in workers) / 2**30
            print(f"most memory of the measuring process: {most:.2f} GiB (asked: under 2)")
            times = []
            for _ in range(200):
                start = time.perf_counter()
                client.get("/api/networks/part-of/pagerank", params={"wait": 60, "limit": 5})
                times.append(time.perf_counter() - start)
            print(f"the same again, from memory: median {1000 * float(np.median(times)):.1f} ms (asked: under 20)")


def main() -> None:
    parts = {"--beside": (small, beside, drawn), "--store": (from_store,), "--large": (large,)}
    chosen = [name for name in parts if name in sys.argv] or list(parts)
    for name in chosen:
        for part in parts[name]:
            part()


if __name__ == "__main__":
    main()
