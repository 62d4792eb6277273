"""How the whole is built: components, cut points, mixing of groups, reciprocity, small worlds."""

from __future__ import annotations

import math

import networkit as nk
import networkx as nx
import numpy as np
from scipy.sparse import csgraph

from kg_service.network.centrality import EXACT_UP_TO, as_networkit, seeded, undirected
from kg_service.network.graph import Floats, Integers, Network, subnetwork
from kg_service.network.outcome import Context, Outcome
from kg_service.network.triangles import clustering


def components(network: Network, context: Context) -> Outcome:
    """Component 0 is the largest; of two as large, the one with the first node comes first."""
    count, labels = csgraph.connected_components(network.matrix(), directed=False)
    ordered, sizes = numbered(labels.astype(np.int64), count)
    values = {"components": int(count), "largest": int(sizes[0]) if count else 0, "sizes": sizes[:50].tolist()}
    if network.is_directed:
        values["strong_components"] = int(csgraph.connected_components(network.matrix(), connection="strong")[0])
    return Outcome({"value": ordered}, values, engine="scipy")


def numbered(labels: Integers, count: int) -> tuple[Integers, Integers]:
    """Groups numbered anew by size, then by their first member, with their sizes."""
    sizes = np.bincount(labels, minlength=count)
    first = np.full(count, len(labels))
    np.minimum.at(first, labels, np.arange(len(labels)))
    order = np.lexsort((first, -sizes))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return rank[labels] if len(labels) else labels, sizes[order]


def cut_points(network: Network, context: Context) -> Outcome:
    """1 for nodes, and rows for ties, whose removal takes a component apart."""
    ties = undirected(network)
    graph = nx.Graph()  # networkit's biconnected components end the process (11.3)
    graph.add_nodes_from(range(ties.size))
    graph.add_edges_from(np.stack([ties.tails, ties.heads], axis=1).tolist())
    value = np.zeros(ties.size, np.int64)
    value[list(nx.articulation_points(graph))] = 1
    bridges = [(min(pair), max(pair)) for pair in nx.bridges(graph)]
    rows = tuple({"source": ties.nodes[tail], "target": ties.nodes[head]} for tail, head in sorted(bridges))
    values = {"articulation_points": int(value.sum()), "bridges": len(rows)}
    return Outcome({"value": value}, values, rows, engine="networkx")


def mixing(network: Network, context: Context) -> Outcome:
    """Who is tied to whom by an attribute: the matrix, assortativity, and the E–I index of each node and of all.

    Ties with an end of which the attribute is not known are left out, and counted.
    """
    names, group = context.groups(network, context.parameters["attribute"])
    one, other = group[network.tails], group[network.heads]
    known = (one >= 0) & (other >= 0)
    kinds = len(names)
    matrix = np.zeros((kinds, kinds))
    np.add.at(matrix, (one[known], other[known]), 1)
    if not network.is_directed:
        matrix = matrix + matrix.T
    external = known & (one != other)
    internal = known & (one == other)
    ends = np.concatenate([network.tails, network.heads])
    outward = np.bincount(ends, np.tile(external, 2), network.size)
    inward = np.bincount(ends, np.tile(internal, 2), network.size)
    total = outward + inward
    index = np.divide(outward - inward, total, out=np.full(network.size, np.nan), where=total > 0)
    pairs = [
        {"from": names[row], "to": names[column], "ties": int(_ties(matrix, row, column, network.is_directed))}
        for row in range(kinds)
        for column in range(0 if network.is_directed else row, kinds)
    ]
    values = {
        "assortativity": _assortativity(matrix),
        "ei_index": _ratio(float(external.sum() - internal.sum()), float(known.sum())),
        "external": int(external.sum()),
        "internal": int(internal.sum()),
        "ties_left_out": int((~known).sum()),
        "groups": names,
    }
    rows = tuple(sorted((pair for pair in pairs if pair["ties"]), key=lambda pair: -int(str(pair["ties"]))))
    return Outcome({"value": index}, values, rows)


def _ties(matrix: Floats, row: int, column: int, is_directed: bool) -> float:
    return float(matrix[row, column] / 2 if row == column and not is_directed else matrix[row, column])


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _assortativity(matrix: Floats) -> float | None:
    """Newman’s coefficient (2003, equation 2); None where all ties are within one group, or there are none."""
    total = matrix.sum()
    if not total:
        return None
    shares = matrix / total
    expected = float(shares.sum(axis=0) @ shares.sum(axis=1))
    return None if math.isclose(expected, 1) else float((np.trace(shares) - expected) / (1 - expected))


def degree_assortativity(network: Network) -> float | None:
    """The correlation of the degrees at the ends of ties (Newman 2002); of out- and in-degree where directed."""
    out = np.bincount(network.tails, minlength=network.size).astype(float)
    into = np.bincount(network.heads, minlength=network.size).astype(float)
    if network.is_directed:
        one, other = out[network.tails], into[network.heads]
    else:
        degree = out + into
        one = np.concatenate([degree[network.tails], degree[network.heads]])
        other = np.concatenate([degree[network.heads], degree[network.tails]])
    if len(one) < 2 or one.std() == 0 or other.std() == 0:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def reciprocity(network: Network) -> float | None:
    """The share of directed ties that are returned; None where ties have no direction, or there are none."""
    if not network.is_directed or not network.edges:
        return None
    there = network.tails * network.size + network.heads
    return float(np.isin(network.heads * network.size + network.tails, there).mean())


def summary(network: Network, context: Context) -> Outcome:
    """The figures that describe a whole network, with those of a small world for its largest component."""
    size, edges = network.size, network.edges
    found = components(network, context)
    possible = size * (size - 1) / (1 if network.is_directed else 2)
    degree = np.bincount(network.tails, minlength=size) + np.bincount(network.heads, minlength=size)
    local = clustering(network, context).values
    values = {
        "nodes": size,
        "edges": edges,
        "weight": float(network.weights.sum()),
        "density": _ratio(edges, possible),
        "mean_degree": float(degree.mean()) if size else 0.0,
        "isolates": int((degree == 0).sum()),
        "components": found.values["components"],
        "largest_component": found.values["largest"],
        "clustering": local["mean"],
        "transitivity": local["transitivity"],
        "triangles": local["triangles"],
        "reciprocity": reciprocity(network),
        "degree_assortativity": degree_assortativity(network),
    }
    core = undirected(subnetwork(network, found.columns["value"] == 0))
    world, error = _small_world(core, context)
    return Outcome({}, values | world, engine="networkit", is_exact=error is None, error=error)


def _small_world(core: Network, context: Context) -> tuple[dict[str, float | int | None], str | None]:
    """Path length, diameter and the small-world coefficient σ of a connected network (Humphries & Gurney 2008).

    The random network that σ compares with is the Erdős–Rényi one of the same size, by its expected values.
    """
    names = ("mean_distance", "diameter", "random_clustering", "random_distance", "sigma")
    if core.size < 3:
        return dict.fromkeys(names), None
    seed = context.parameters["seed"]
    seeded(seed)
    graph = as_networkit(core)
    is_exact = core.size * core.edges <= EXACT_UP_TO
    sources = np.arange(core.size)
    if not is_exact:
        sources = np.random.default_rng(seed).permutation(core.size)[: context.parameters["samples"]]
    total, farthest = 0.0, 0
    for done, source in enumerate(sources):
        run = nk.distance.BFS(graph, int(source), storePaths=False)
        run.run()
        distances = np.asarray(run.getDistances(asarray=True))
        total, farthest = total + float(distances.sum()), max(farthest, int(distances.max()))
        if done % 256 == 0:
            context.progress(done / len(sources), "distances")
    mean = total / (len(sources) * (core.size - 1))
    degree = 2 * core.edges / core.size
    random_clustering = degree / (core.size - 1)
    random_distance = math.log(core.size) / math.log(degree) if degree > 1 else None
    local = clustering(core, context).values["mean"]
    sigma = (local / random_clustering) / (mean / random_distance) if random_distance else None
    error = None
    if not is_exact:
        error = f"mean distance, σ and diameter (a lower bound) are estimated from {len(sources)} nodes"
    return dict(zip(names, (mean, farthest, random_clustering, random_distance, sigma), strict=True)), error
