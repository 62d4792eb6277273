"""Triangles, and what is made of them: clustering, structural holes, brokerage."""

from __future__ import annotations

import numpy as np

from kg_service.network.centrality import undirected
from kg_service.network.graph import Floats, Integers, Network
from kg_service.network.outcome import Context, Outcome

#: Pairs of neighbours that are looked at in one go.
_CHUNK = 4_000_000


def triangles(network: Network) -> tuple[Integers, Integers, Integers]:
    """Each triangle once, as three arrays of nodes, whatever the directions.

    Each edge goes from the node of lower degree to that of higher, so that no hub has many edges out, and a star with
    a hundred thousand leaves costs no more than its edges.
    """
    ties = undirected(network)
    size = ties.size
    degree = np.bincount(ties.tails, minlength=size) + np.bincount(ties.heads, minlength=size)
    rank = np.empty(size, np.int64)
    rank[np.argsort(degree, kind="stable")] = np.arange(size)
    low, high = np.minimum(rank[ties.tails], rank[ties.heads]), np.maximum(rank[ties.tails], rank[ties.heads])
    keys = np.sort(low * size + high)
    low, high = keys // max(size, 1), keys % max(size, 1)
    starts = np.searchsorted(low, np.arange(size + 1))
    back = np.argsort(rank)
    later = starts[low + 1] - np.arange(len(low)) - 1  # edges after this one out of the same node
    found = []
    edge = 0
    cumulative = np.cumsum(later)
    while edge < len(low):
        end = max(edge + 1, int(np.searchsorted(cumulative, (cumulative[edge - 1] if edge else 0) + _CHUNK)))
        counts = later[edge:end]
        first = np.repeat(np.arange(edge, end), counts)
        second = first + 1 + np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        wanted = high[first] * size + high[second]
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        is_closed = keys[place] == wanted
        found.append(np.stack([low[first], high[first], high[second]])[:, is_closed])
        edge = end
    all_three = np.concatenate(found, axis=1) if found else np.empty((3, 0), np.int64)
    a, b, c = back[all_three] if size else all_three
    return a, b, c


def clustering(network: Network, context: Context) -> Outcome:
    ties = undirected(network)
    corners = np.bincount(np.concatenate(triangles(ties)), minlength=ties.size)
    degree = np.bincount(ties.tails, minlength=ties.size) + np.bincount(ties.heads, minlength=ties.size)
    pairs = degree * (degree - 1) / 2
    local = np.divide(corners, pairs, out=np.zeros(ties.size), where=pairs > 0)
    closed, possible = float(corners.sum()), float(pairs.sum())
    values = {
        "mean": float(local.mean()) if ties.size else 0.0,
        "transitivity": closed / possible if possible else 0.0,
        "triangles": int(corners.sum()) // 3,
    }
    return Outcome({"value": local, "triangles": corners}, values)


def structural_holes(network: Network, context: Context) -> Outcome:
    """Constraint and effective size; nothing (not 0) for who is tied to nobody."""
    ties = undirected(network)
    weights = ties.weights if context.parameters["weighted"] else np.ones(ties.edges)
    size, tails, heads = ties.size, ties.tails, ties.heads
    total = np.bincount(tails, weights, size) + np.bincount(heads, weights, size)
    keys = tails * size + heads

    def proportion(one: Integers, other: Integers) -> Floats:
        """How much of one's ties is the tie to the other."""
        edge = np.searchsorted(keys, np.minimum(one, other) * size + np.maximum(one, other))
        return weights[edge] / total[one]

    a, b, c = triangles(ties)
    # Investment of i in j: directly, and through each third q to whom both are tied.
    ahead, backward = weights / total[tails], weights / total[heads]
    for i, j, q in ((a, b, c), (b, a, c), (a, c, b), (c, a, b), (b, c, a), (c, b, a)):
        edge = np.searchsorted(keys, np.minimum(i, j) * size + np.maximum(i, j))
        through = proportion(i, q) * proportion(q, j)
        is_ahead = i < j
        ahead += np.bincount(edge[is_ahead], through[is_ahead], ties.edges)
        backward += np.bincount(edge[~is_ahead], through[~is_ahead], ties.edges)
    constraint = np.bincount(tails, ahead**2, size) + np.bincount(heads, backward**2, size).astype(np.float64)
    degree = np.bincount(tails, minlength=size) + np.bincount(heads, minlength=size)
    corners = np.bincount(np.concatenate((a, b, c)), minlength=size)
    effective = degree.astype(np.float64) - np.divide(2 * corners, degree, out=np.zeros(size), where=degree > 0)
    alone = degree == 0
    constraint[alone] = effective[alone] = np.nan
    return Outcome({"value": constraint, "effective_size": effective})


_ROLES = ("coordinator", "itinerant", "representative", "gatekeeper", "liaison")


def brokerage(network: Network, context: Context) -> Outcome:
    """How often each node lies between two others that have no tie, by the groups of the three.

    A tie without direction counts as both. Only nodes that have a group count. The pairs are counted by group and
    those that are tied are taken off, so that a hub costs no more than its edges.
    """
    names, group = context.groups(network, context.parameters["attribute"])
    size, kinds = network.size, max(len(names), 1)
    ties = _arcs(network)
    into, out, both = (np.zeros((size, kinds)) for _ in range(3))
    sources, targets = ties // max(size, 1), ties % max(size, 1)
    known = group >= 0
    np.add.at(into, (targets[known[sources]], group[sources[known[sources]]]), 1)
    np.add.at(out, (sources[known[targets]], group[targets[known[targets]]]), 1)
    mutual = np.isin(targets * size + sources, ties, assume_unique=True) & known[targets]
    np.add.at(both, (sources[mutual], group[targets[mutual]]), 1)
    own = np.clip(group, 0, None)
    rows = np.arange(size)
    total_in, total_out = into.sum(axis=1), out.sum(axis=1)
    in_own, out_own, both_own = into[rows, own], out[rows, own], both[rows, own]
    same = (into * out).sum(axis=1) - both.sum(axis=1)  # pairs of one group, each of two nodes
    counts = {
        "coordinator": in_own * out_own - both_own,
        "itinerant": same - (in_own * out_own - both_own),
        "representative": in_own * (total_out - out_own),
        "gatekeeper": (total_in - in_own) * out_own,
    }
    apart = total_in * total_out - both.sum(axis=1) - same  # pairs of two groups
    counts["liaison"] = apart - counts["representative"] - counts["gatekeeper"]
    corners = triangles(network)
    for first, middle, last in ((0, 1, 2), (2, 1, 0), (1, 0, 2), (2, 0, 1), (0, 2, 1), (1, 2, 0)):
        one, broker, other = corners[first], corners[middle], corners[last]
        closed = _has(ties, one, broker, size) & _has(ties, broker, other, size) & _has(ties, one, other, size)
        closed &= known[one] & known[other]
        one, broker, other = one[closed], broker[closed], other[closed]
        role = _role(group[one], group[broker], group[other])
        for number, name in enumerate(_ROLES):
            counts[name] = counts[name] - np.bincount(broker[role == number], minlength=size)
    columns = {name: np.where(known, counts[name], 0).astype(np.int64) for name in _ROLES}
    value = np.sum(list(columns.values()), axis=0) if size else np.empty(0, np.int64)
    values = {"groups": names, "nodes_without_group": int((~known).sum())}
    return Outcome({"value": value} | columns, values)


def _arcs(network: Network) -> Integers:
    """Every tie as source times size plus target, in order; a tie without direction is there twice."""
    ahead = network.tails * network.size + network.heads
    if network.is_directed:
        return np.sort(ahead)
    return np.sort(np.concatenate([ahead, network.heads * network.size + network.tails]))


def _has(arcs: Integers, sources: Integers, targets: Integers, size: int) -> np.ndarray:
    wanted = sources * size + targets
    place = np.minimum(np.searchsorted(arcs, wanted), max(len(arcs) - 1, 0))
    return arcs[place] == wanted if len(arcs) else np.zeros(len(wanted), bool)


def _role(one: Integers, broker: Integers, other: Integers) -> Integers:
    """The number in `_ROLES` (Gould & Fernandez 1989)."""
    return np.select(
        [(one == broker) & (broker == other), one == other, one == broker, broker == other], [0, 1, 2, 3], 4
    )
