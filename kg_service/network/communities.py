"""Which nodes belong together: Leiden or Louvain, with modularity and how stable the answer is."""

from __future__ import annotations

import networkit as nk
import numpy as np

from kg_service.network.centrality import as_networkit, seeded, undirected
from kg_service.network.graph import Integers, Network
from kg_service.network.outcome import Context, Outcome
from kg_service.network.structure import numbered

#: How often it is tried, by the ties of the network, where it is not said: a run takes seconds for a million.
_RUNS = ((200_000, 10), (500_000, 3))


def communities(network: Network, context: Context) -> Outcome:
    """The best of several partitions, one a seed; `stability` is the mean likeness of each two of them.

    Community 0 is the largest. Directions are passed over.
    """
    given = context.parameters
    ties = undirected(network)
    partitions: list[Integers] = []
    graph = as_networkit(ties, is_weighted=given["weighted"])
    runs = given["runs"] or next((runs for most, runs in _RUNS if ties.edges <= most), 1)
    for run in range(runs):
        partitions.append(_partition(graph, given["algorithm"], given["resolution"], given["seed"] + run))
        context.progress((run + 1) / runs, "partitions")
    scores = [modularity(ties, labels, given["resolution"], is_weighted=given["weighted"]) for labels in partitions]
    best = int(np.argmax(scores))
    count = int(partitions[best].max()) + 1 if ties.size else 0
    labels, sizes = numbered(partitions[best], count)
    pairs = [normalised_information(one, other) for place, one in enumerate(partitions) for other in partitions[:place]]
    values = {
        "communities": count,
        "runs": runs,
        "sizes": sizes[:100].tolist(),
        "modularity": modularity(ties, labels, 1.0, is_weighted=given["weighted"]),
        "quality": scores[best],
        "seed_of_best": given["seed"] + best,
        "modularity_of_runs": {"least": min(scores), "greatest": max(scores)},
        "stability": float(np.mean(pairs)) if pairs else None,
    }
    error = "a heuristic: a partition of higher modularity may exist"
    return Outcome({"value": labels}, values, engine="networkit", is_exact=False, error=error)


def _partition(graph: nk.Graph, algorithm: str, resolution: float, seed: int) -> Integers:
    seeded(seed)
    if not graph.numberOfNodes():
        return np.empty(0, np.int64)
    if algorithm == "leiden":
        run = nk.community.ParallelLeiden(graph, True, 10, resolution)
    elif algorithm == "louvain":
        run = nk.community.PLM(graph, True, resolution, "none randomized")
    else:
        run = nk.community.PLP(graph)  # knows no resolution
    run.run()
    partition = run.getPartition()
    partition.compact()
    return np.asarray(partition.getVector(), np.int64)


def modularity(network: Network, labels: Integers, resolution: float, *, is_weighted: bool) -> float:
    """Newman’s modularity of a partition, with the resolution of Reichardt and Bornholdt."""
    weights = network.weights if is_weighted else np.ones(network.edges)
    total = float(weights.sum())
    if not total:
        return 0.0
    count = int(labels.max()) + 1
    inside = float(weights[labels[network.tails] == labels[network.heads]].sum())
    ends = np.concatenate([labels[network.tails], labels[network.heads]])
    strength = np.bincount(ends, np.tile(weights, 2), count)
    return inside / total - resolution * float(((strength / (2 * total)) ** 2).sum())


def normalised_information(one: Integers, other: Integers) -> float:
    """How much two partitions of the same nodes tell of each other: 1 when they are the same (Danon et al. 2005)."""
    size = len(one)
    if not size:
        return 1.0
    width = int(other.max()) + 1
    joint = np.unique(one * width + other, return_counts=True)[1] / size
    entropies = [_entropy(np.bincount(labels) / size) for labels in (one, other)]
    if not sum(entropies):
        return 1.0
    return float(2 * (sum(entropies) - _entropy(joint)) / sum(entropies))


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())
