"""Networks over time: windows one after the other, what comes and goes, whether communities persist."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kg_service.errors import Refused
from kg_service.network.centrality import degree, pagerank
from kg_service.network.communities import communities, normalised_information
from kg_service.network.graph import Network, windowed
from kg_service.network.outcome import Context, Outcome
from kg_service.network.structure import components
from kg_service.network.triangles import clustering

_MOST_WINDOWS = 200


def windows(network: Network, context: Context) -> Outcome:
    """A row for each window: how large the network is, and how it differs from that of the window before.

    Ties without a date are in no window; how many they are is said.
    """
    first, last, undated = span(network)
    rows: list[dict[str, Any]] = []
    before: Network | None = None
    listed = list(_windows(first, last, context.parameters["years"])) if first is not None and last is not None else []
    if len(listed) > _MOST_WINDOWS:
        raise Refused(f"there would be {len(listed)} windows; ask for longer ones, or for fewer years with from and to")
    for done, (start, end) in enumerate(listed):
        now = windowed(network, f"{start:04}-01-01", f"{end:04}-12-31")
        found = components(now, context)
        row = {
            "from": f"{start:04}",
            "to": f"{end:04}",
            "nodes": now.size,
            "edges": now.edges,
            "largest_component": found.values["largest"],
        }
        rows.append(row | (_differences(before, now, context) if before is not None else {}))
        before = now
        context.progress(done / len(listed), f"window {start}")
    return Outcome({}, {"windows": len(rows), "ties_without_date": undated}, tuple(rows))


def span(network: Network) -> tuple[int | None, int | None, int]:
    """The first and last year that a tie is dated, and how many rows have no date."""
    table = network.rows.table
    if not {"start", "end"} <= set(table.column_names):
        return None, None, 0
    pairs = list(zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True))
    years = [int(date[:4]) for pair in pairs for date in pair if date]
    return min(years, default=None), max(years, default=None), sum(not any(pair) for pair in pairs)


def _windows(first: int, last: int, years: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last + 1, years):
        yield start, start + years - 1


def comparison(network: Network, context: Context) -> Outcome:
    """What another window, or another generation, has more or less than this one; the rows are the ties that differ."""
    (other,) = context.others
    here, there = _pairs(network), _pairs(other)
    rows: list[dict[str, Any]] = [
        {"source": tail, "target": head, "change": change}
        for change, pairs in (("came", there.keys() - here.keys()), ("went", here.keys() - there.keys()))
        for tail, head in sorted(pairs)
    ]
    rows += [
        {"source": tail, "target": head, "change": "weight", "before": here[tail, head], "after": there[tail, head]}
        for tail, head in sorted(here.keys() & there.keys())
        if here[tail, head] != there[tail, head]
    ]
    sizes = {"nodes_before": network.size, "nodes_after": other.size}
    sizes |= {"edges_before": network.edges, "edges_after": other.edges}
    before, after = _figures(network), _figures(other)
    told = {
        "measures": {name: {"before": before[name], "after": after[name]} for name in before},
        "nodes": {"came": _apart(other, network), "went": _apart(network, other)},
        "moved_most": _moved(network, other),
    }
    return Outcome({}, sizes | _differences(network, other, context) | told, tuple(rows))


#: Nodes that a comparison names.
_NAMED = 100
_SETTINGS = {"algorithm": "leiden", "resolution": 1.0, "runs": 3, "weighted": True, "seed": 1}


def _figures(network: Network) -> dict[str, Any]:
    """What is compared of whole networks."""
    found, local = components(network, Context()).values, clustering(network, Context()).values
    groups = communities(network, Context(_SETTINGS)).values
    size = network.size
    return {
        "weight": float(network.weights.sum()),
        "density": network.edges / (size * (size - 1) / (1 if network.is_directed else 2)) if size > 1 else None,
        "components": found["components"],
        "largest_component": found["largest"],
        "clustering": local["mean"],
        "transitivity": local["transitivity"],
        "communities": groups["communities"],
        "modularity": groups["modularity"],
    }


def _apart(network: Network, other: Network) -> list[dict[str, str]]:
    """The first nodes, in order, that another network does not have."""
    return [{"iri": node} for node in sorted(set(network.nodes) - set(other.nodes))[:_NAMED]]


def _moved(before: Network, after: Network, count: int = 20) -> list[dict[str, Any]]:
    """The nodes of both whose PageRank differs most, with their degrees."""
    told = []
    for network in (before, after):
        ranks = pagerank(network, Context({"weighted": True, "damping": 0.85})).columns["value"].tolist()
        degrees = degree(network, Context()).columns["value"].tolist()
        told.append(dict(zip(network.nodes, zip(ranks, degrees, strict=True), strict=True)))
    old, new = told
    rows: list[dict[str, Any]] = [
        {
            "iri": node,
            "pagerank": {"before": old[node][0], "after": new[node][0]},
            "degree": {"before": old[node][1], "after": new[node][1]},
        }
        for node in old.keys() & new.keys()
        if old[node] != new[node]
    ]
    return sorted(rows, key=lambda row: (-abs(new[row["iri"]][0] - old[row["iri"]][0]), row["iri"]))[:count]


def _differences(before: Network, now: Network, context: Context) -> dict[str, Any]:
    """Turnover of nodes and ties, and how alike the communities are among the nodes that stayed."""
    old_nodes, new_nodes = set(before.nodes), set(now.nodes)
    old, new = _pairs(before).keys(), _pairs(now).keys()
    told = {
        "nodes_came": len(new_nodes - old_nodes),
        "nodes_went": len(old_nodes - new_nodes),
        "ties_came": len(new - old),
        "ties_went": len(old - new),
        "ties_stayed": len(old & new),
        "turnover": 1 - len(old & new) / len(old | new) if old | new else None,
    }
    return told | {"community_persistence": _persistence(before, now)}


def _persistence(before: Network, now: Network) -> float | None:
    """How much the communities of both tell of each other, for nodes in both (normalised mutual information)."""
    both = sorted(set(before.nodes) & set(now.nodes))
    if len(both) < 2:
        return None
    settings = Context(_SETTINGS)
    labels = []
    for network in (before, now):
        found = dict(zip(network.nodes, communities(network, settings).columns["value"].tolist(), strict=True))
        labels.append(np.array([found[node] for node in both], np.int64))
    return normalised_information(*labels)


def _pairs(network: Network) -> dict[tuple[str, str], float]:
    ends = zip(network.tails.tolist(), network.heads.tolist(), network.weights.tolist(), strict=True)
    return {(network.nodes[tail], network.nodes[head]): weight for tail, head, weight in ends}
