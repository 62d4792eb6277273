"""What is left of a network when its nodes leave, the most important first or by chance."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph

from kg_service.network.centrality import EXACT_UP_TO, betweenness
from kg_service.network.graph import Integers, Network, subnetwork
from kg_service.network.outcome import Context, Outcome


def robustness(network: Network, context: Context) -> Outcome:
    """The share of all nodes in the largest component while nodes leave, step by step, in several orders.

    R is the mean of that share over the steps (Schneider et al. 2011): 0.5 for a network that only loses who leaves.
    Orders are those of the whole network; they are not made anew after each step.
    """
    given = context.parameters
    random = np.random.default_rng(given["seed"])
    degree = np.bincount(network.tails, minlength=network.size) + np.bincount(network.heads, minlength=network.size)
    orders = {"degree": [np.argsort(-degree, kind="stable")], "betweenness": [_by_betweenness(network, context)]}
    orders["random"] = [random.permutation(network.size) for _ in range(given["runs"])]
    shares = np.unique(np.linspace(0, 1, given["steps"] + 1))
    rows, values = [], {}
    for done, (name, each) in enumerate(orders.items()):
        curves = np.array([[_left(network, order, share) for share in shares] for order in each])
        curve = curves.mean(axis=0)
        rows += [{"order": name, "removed": float(x), "largest": float(y)} for x, y in zip(shares, curve, strict=True)]
        values[f"R_{name}"] = float(curve[1:].mean()) if network.size else None
        context.progress((done + 1) / len(orders), "removing")
    return Outcome({}, values, tuple(rows), engine="scipy")


def _by_betweenness(network: Network, context: Context) -> Integers:
    is_exact = network.size * network.edges <= EXACT_UP_TO
    settings = {"method": "exact" if is_exact else "sampled", "weighted": False, "samples": 256, "failure": 0.1}
    found = betweenness(network, Context(settings | {"seed": context.parameters["seed"]}))
    return np.argsort(-found.columns["value"], kind="stable")


def _left(network: Network, order: Integers, share: float) -> float:
    """The share of all nodes that are in the largest component when that share of them has left."""
    if not network.size:
        return 0.0
    keep = np.ones(network.size, bool)
    keep[order[: round(share * network.size)]] = False
    if not keep.any():
        return 0.0
    _, labels = csgraph.connected_components(subnetwork(network, keep).matrix(), directed=False)
    return float(np.bincount(labels).max() / network.size)
