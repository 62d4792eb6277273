"""How two nodes are connected: the shortest paths between them, with the evidence of each step."""

from __future__ import annotations

from itertools import islice, pairwise

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from kg_service.errors import wrong_parameter
from kg_service.network.graph import Floats, Network, evidence, subnetwork
from kg_service.network.outcome import Context, Outcome


def paths(network: Network, context: Context) -> Outcome:
    """The shortest simple paths, the shortest first (Yen 1971), each with its steps; none where there is no way.

    They are looked for among the nodes that can lie on a path of that length, and among more only if those are few.
    With `hubs`, nodes between that have more neighbours are passed by.
    """
    given = context.parameters
    ends = [_found(network, name, given[name]) for name in ("origin", "destination")]
    if ends[0] == ends[1]:
        raise wrong_parameter("destination", given["destination"], "it must be another node than origin")
    passed_by = 0
    if given["hubs"]:
        keep = np.bincount(np.concatenate([network.tails, network.heads]), minlength=network.size) <= given["hubs"]
        keep[ends] = True
        passed_by = int((~keep).sum())
        network = subnetwork(network, keep)
        ends = [_found(network, name, given[name]) for name in ("origin", "destination")]
    lengths = 1 / network.weights if given["weighted"] else np.ones(network.edges)
    there, back = (_distances(network, lengths, end, is_back=bool(place)) for place, end in enumerate(ends))
    shortest = there[ends[1]]
    if not np.isfinite(shortest):
        return Outcome({}, {"distance": None, "paths": 0, "passed_by": passed_by}, (), engine="scipy")
    through = there + back
    slack, found = 0.0, []
    while True:
        keep = through <= shortest + slack + 1e-9
        found = _listed(network, lengths, keep, (given["origin"], given["destination"]), given["count"])
        sure = [path for length, path in found if length <= shortest + slack + 1e-9]
        if len(sure) >= given["count"] or keep.sum() == np.isfinite(through).sum():
            break
        slack = 2 * slack or float(lengths.min(initial=1.0))
        context.progress(0.3, "looking farther")
    if keep.sum() < np.isfinite(through).sum():
        found = found[: max(len(sure), given["count"])]
    on_the_way = np.isin(np.asarray(network.nodes, object), sorted({node for _, path in found for node in path}))
    steps = _evidence(subnetwork(network, on_the_way))
    told = tuple(
        {"length": length, "nodes": path, "steps": [_step(steps, tail, head) for tail, head in pairwise(path)]}
        for length, path in found
    )
    return Outcome(
        {}, {"distance": float(shortest), "paths": len(told), "passed_by": passed_by}, told, engine="networkx"
    )


def distances(network: Network, context: Context) -> Outcome:
    """The number of steps from one node to each; nothing, not 0, for who cannot be reached."""
    start = _found(network, "origin", context.parameters["origin"])
    steps = _distances(network, np.ones(network.edges), start, is_back=False)
    is_reached = np.isfinite(steps)
    others = int(is_reached.sum()) - 1
    total = float(steps[is_reached].sum())
    values = {"reached": others, "farthest": int(steps[is_reached].max()), "mean": total / others if others else None}
    return Outcome({"value": np.where(is_reached, steps, np.nan)}, values, engine="scipy")


def _found(network: Network, name: str, iri: str) -> int:
    place = network.index(iri)
    if place is None:
        raise wrong_parameter(name, iri, f"it must be the IRI of one of the {network.size} nodes of this network")
    return place


def _distances(network: Network, lengths: Floats, start: int, *, is_back: bool) -> Floats:
    """The distance of each node from one, or to it."""
    matrix = sparse.coo_array((lengths, (network.tails, network.heads)), shape=(network.size, network.size)).tocsr()
    turned = matrix.T.tocsr() if is_back and network.is_directed else matrix
    return np.asarray(csgraph.dijkstra(turned, directed=network.is_directed, indices=start))


def _listed(
    network: Network, lengths: Floats, keep: np.ndarray, ends: tuple[str, str], count: int
) -> list[tuple[float, list[str]]]:
    """The first paths through the nodes kept, with their lengths."""
    inside = keep[network.tails] & keep[network.heads]
    graph = nx.DiGraph() if network.is_directed else nx.Graph()
    places = zip(network.tails[inside], network.heads[inside], lengths[inside], strict=True)
    graph.add_weighted_edges_from((network.nodes[tail], network.nodes[head], length) for tail, head, length in places)
    walks = islice(nx.shortest_simple_paths(graph, *ends, weight="weight"), count)
    return [(float(nx.path_weight(graph, walk, "weight")), list(walk)) for walk in walks]


def _evidence(network: Network) -> dict[tuple[str, str], list[dict[str, object]]]:
    names = zip(network.tails.tolist(), network.heads.tolist(), evidence(network), strict=True)
    return {(network.nodes[tail], network.nodes[head]): things for tail, head, things in names}


def _step(steps: dict[tuple[str, str], list[dict[str, object]]], tail: str, head: str) -> dict[str, object]:
    return {"from": tail, "to": head, "evidence": steps.get((tail, head)) or steps.get((head, tail)) or []}
