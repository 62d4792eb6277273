"""Who is central: degree, strength, PageRank, eigenvector, HITS, betweenness, closeness, harmonic, core.

networkit computes what it has, with one thread, so that the same seed gives the same numbers; it is not slower than
networkx even on graphs of thirty nodes (`benchmarks/network.py`). The rest is sparse matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import networkit as nk
import numpy as np
from scipy.sparse import linalg

from kg_service.network.graph import Floats, Network
from kg_service.network.outcome import Context, Outcome

#: Nodes times edges up to which all shortest paths are looked at.
EXACT_UP_TO = 100_000_000


def as_networkit(network: Network, *, is_weighted: bool = False, is_length: bool = False) -> nk.Graph:
    """The network as networkit's graph; as lengths, strong ties are short."""
    key = ("networkit", is_weighted, is_length)
    if key not in network.forms:
        network.forms[key] = _made(network, is_weighted=is_weighted, is_length=is_length)
    return network.forms[key]


def _made(network: Network, *, is_weighted: bool, is_length: bool) -> nk.Graph:
    weights = network.weights if is_weighted else np.ones(network.edges)
    ends = (network.tails.astype(np.uint64), network.heads.astype(np.uint64))
    values = 1 / weights if is_length and is_weighted else weights
    return nk.GraphFromCoo((values, ends), n=network.size, weighted=is_weighted, directed=network.is_directed)


def seeded(seed: int) -> None:
    """Makes networkit's next results depend on the seed alone."""
    nk.setNumberOfThreads(1)
    nk.setSeed(seed, True)


def degree(network: Network, context: Context) -> Outcome:
    out = np.bincount(network.tails, minlength=network.size)
    into = np.bincount(network.heads, minlength=network.size)
    if network.is_directed:
        return Outcome({"value": out + into, "out": out, "in": into})
    return Outcome({"value": out + into})


def strength(network: Network, context: Context) -> Outcome:
    out = np.bincount(network.tails, network.weights, network.size)
    into = np.bincount(network.heads, network.weights, network.size)
    if network.is_directed:
        return Outcome({"value": out + into, "out": out, "in": into})
    return Outcome({"value": out + into})


def pagerank(network: Network, context: Context) -> Outcome:
    if not network.size:
        return Outcome({"value": np.empty(0)}, engine="networkit")
    seeded(0)
    graph = as_networkit(network, is_weighted=context.parameters["weighted"])
    rank = nk.centrality.PageRank(
        graph,
        context.parameters["damping"],
        1e-10,
        distributeSinks=nk.centrality.SinkHandling.DistributeSinks,
    )
    rank.run()
    values = np.asarray(rank.scores())
    return Outcome({"value": values / values.sum()}, engine="networkit")


def eigenvector(network: Network, context: Context) -> Outcome:
    """The vector of the greatest eigenvalue; of a directed network by iteration of A + I, whose vectors are A's."""
    matrix = network.matrix(is_weighted=context.parameters["weighted"]).T.tocsr()
    if network.is_directed or network.size < 3 or not network.edges:
        return _iterated(network.size, lambda x: x + matrix @ x, 2)
    _, vectors = linalg.eigsh(matrix, 1, which="LA", v0=np.ones(network.size))
    return Outcome({"value": np.abs(vectors[:, 0])}, engine="scipy")


def _iterated(size: int, step: Callable[[Floats], Floats], norm: int, most: int = 20_000) -> Outcome:
    values = np.full(size, 1 / max(size, 1))
    change = 0.0
    for _ in range(most):
        before = values
        values = step(before)
        values = values / (np.linalg.norm(values, norm) or 1.0)
        change = float(np.abs(values - before).max(initial=0))
        if change < 1e-13:
            return Outcome({"value": values})
    error = f"the iteration had not settled: the last step still changed a value by {change:.1g}"
    return Outcome({"value": values}, is_exact=False, error=error)


def hits(network: Network, context: Context) -> Outcome:
    matrix = network.matrix(is_weighted=context.parameters["weighted"])
    turned = matrix.T.tocsr()
    found = _iterated(network.size, lambda x: turned @ (matrix @ x), 1)
    authorities = found.columns["value"]
    hubs = matrix @ authorities
    columns = {"value": authorities, "hub": hubs / (hubs.sum() or 1.0)}
    return Outcome(columns, is_exact=found.is_exact, error=found.error)


def betweenness(network: Network, context: Context) -> Outcome:
    """Shares of all pairs' shortest paths; what is not exact says its error (see `_hoeffding` and KADABRA's paper)."""
    given, size = context.parameters, network.size
    method = given["method"]
    if method == "auto":
        method = "exact" if size * network.edges <= EXACT_UP_TO else "kadabra"
    if size < 3:
        return Outcome({"value": np.zeros(size)}, engine="networkit")
    seeded(given["seed"])
    graph = as_networkit(network, is_weighted=given["weighted"], is_length=True)
    samples = min(given["samples"], size)
    if method == "exact" or (method == "sampled" and samples == size):
        run = nk.centrality.Betweenness(graph, normalized=True)
        run.run()
        return Outcome({"value": np.asarray(run.scores())}, engine="networkit")
    if method == "sampled" or given["weighted"] or network.is_directed:  # KADABRA walks by hops, either way
        run = nk.centrality.EstimateBetweenness(graph, samples, normalized=False)
        run.run()
        # networkit's sum over sources is scaled up to all of them; ours is the share of ordered pairs.
        values = np.asarray(run.scores()) / ((size - 1) * (size - 2))
        bound = _hoeffding(size, samples, given["failure"])
        error = (
            f"estimated from {samples} sources: with probability {1 - given['failure']:g} no value is off by more "
            f"than {bound:.4f} (Hoeffding’s bound over all nodes)"
        )
        return Outcome({"value": values}, engine="networkit", is_exact=False, error=error)
    run = nk.centrality.KadabraBetweenness(graph, given["error"], given["failure"])
    run.run()
    values = np.zeros(size)
    for node, score in run.ranking():
        values[node] = score / 2 * size / (size - 2)  # networkit counts each pair twice, and the ends' own
    error = (
        f"estimated by KADABRA: with probability {1 - given['failure']:g} no value is off by more than {given['error']}"
    )
    return Outcome({"value": values}, engine="networkit", is_exact=False, error=error)


def _hoeffding(size: int, samples: int, failure: float) -> float:
    """How far the mean of that many numbers from 0 to 1 may be off, for all nodes at once (Brandes & Pich 2007)."""
    return math.sqrt(math.log(2 * max(size, 1) / failure) / (2 * max(samples, 1)))


def closeness(network: Network, context: Context) -> Outcome:
    """Of the nodes that reach it: their share, by the inverse of their mean distance (Wasserman & Faust 1994)."""
    return _by_distances(network, context, is_harmonic=False)


def harmonic(network: Network, context: Context) -> Outcome:
    """The mean inverse distance from all others, 0 from those that do not reach it."""
    return _by_distances(network, context, is_harmonic=True)


def _by_distances(network: Network, context: Context, *, is_harmonic: bool) -> Outcome:
    """By the distances between all nodes or, where that would take long, those from some of them to all."""
    given, size = context.parameters, network.size
    if size < 2:
        return Outcome({"value": np.zeros(size)}, engine="networkit")
    seeded(given["seed"])
    graph = as_networkit(network, is_weighted=given["weighted"], is_length=True)
    count = min(given["samples"], size)
    is_small = given["method"] == "auto" and size * network.edges <= EXACT_UP_TO
    if given["method"] == "exact" or is_small or count == size:
        turned = nk.graphtools.transpose(graph) if network.is_directed else graph
        kind = nk.centrality.HarmonicCloseness if is_harmonic else nk.centrality.Closeness
        exact = kind(turned, True) if is_harmonic else kind(turned, True, nk.centrality.ClosenessVariant.Generalized)
        exact.run()
        return Outcome({"value": np.nan_to_num(np.asarray(exact.scores()))}, engine="networkit")
    chosen = np.random.default_rng(given["seed"]).permutation(size)[:count]
    inverse, total, reached = np.zeros(size), np.zeros(size), np.zeros(size)
    walk = nk.distance.Dijkstra if given["weighted"] else nk.distance.BFS
    for done, source in enumerate(chosen):
        run = walk(graph, int(source), storePaths=False)
        run.run()
        distances = np.asarray(run.getDistances(asarray=True))
        is_reached = distances < 1e300
        is_reached[source] = False
        inverse[is_reached] += 1 / distances[is_reached]
        total[is_reached] += distances[is_reached]
        reached += is_reached
        if done % 64 == 0:
            context.progress(done / count, "distances")
    scale = (size - 1) / np.maximum(count - np.isin(np.arange(size), chosen), 1)
    values: Floats
    if is_harmonic:
        values = inverse * scale / (size - 1)
    else:
        share = reached * scale / (size - 1)
        values = share * np.divide(reached, total, out=np.zeros(size), where=total > 0)
    bound = _hoeffding(size, count, given["failure"])
    what = "no value is off" if is_harmonic else "no mean distance is off, in units of the greatest distance,"
    error = f"estimated from {count} nodes: with probability {1 - given['failure']:g} {what} by more than {bound:.4f}"
    return Outcome({"value": values}, engine="networkit", is_exact=False, error=error)


def core(network: Network, context: Context) -> Outcome:
    seeded(0)
    graph = as_networkit(undirected(network))
    run = nk.centrality.CoreDecomposition(graph)
    run.run()
    return Outcome({"value": np.asarray(run.scores()).astype(np.int64)}, engine="networkit")


def undirected(network: Network) -> Network:
    """The same ties without direction; two of opposite directions are one with both weights."""
    if not network.is_directed:
        return network
    from kg_service.network.graph import of_arrays

    return of_arrays(network.nodes, network.tails, network.heads, network.weights)
