"""networkx graphs as networks of ours."""

from __future__ import annotations

from typing import Any

import networkx as nx

from kg_service.network.graph import Network, of_edges
from kg_service.network.measures import MEASURES
from kg_service.network.outcome import Context, Outcome
from kg_service.network.worker import measured


def name(node: object) -> str:
    return f"node/{node!s}"


def network_of(graph: Any, *, is_weighted: bool = False) -> Network:
    """The same graph as a network; nodes are named so that they can be found again."""
    edges = [
        (name(tail), name(head), float(data.get("weight", 1)) if is_weighted else 1.0)
        for tail, head, data in graph.edges(data=True)
        if tail != head
    ]
    return of_edges(edges, is_directed=graph.is_directed(), nodes=[name(node) for node in graph])


def measure(
    which: str, graph: Any, *, is_weighted: bool = False, groups: dict[Any, str] | None = None, **given: Any
) -> Outcome:
    """What a measure gives for a networkx graph, with its default parameters but for those given."""
    parameters = {parameter.name: parameter.default for parameter in MEASURES[which].parameters} | given
    attributes = {"sector": {name(node): (group,) for node, group in (groups or {}).items()}}
    network = network_of(graph, is_weighted=is_weighted)
    return measured({"measure": which}, network, Context(parameters, attributes))


def values(outcome: Outcome, graph: Any, column: str = "value") -> dict[Any, float]:
    """The numbers by the nodes of the networkx graph."""
    order = sorted(graph, key=name)
    return dict(zip(order, outcome.columns[column].tolist(), strict=True))


def classics() -> list[Any]:
    """The classic graphs."""
    return [
        nx.karate_club_graph(),
        nx.florentine_families_graph(),
        nx.davis_southern_women_graph(),
        nx.les_miserables_graph(),
    ]
