"""Measures give networkx's values, on its classic graphs and on any graph, and the values that papers print."""

from __future__ import annotations

import math
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg_service.network.graph import of_arrays
from kg_service.network.measures import MEASURES
from kg_service.network.outcome import Context
from kg_service.network.worker import measured
from tests.network.conftest import classics, measure, name, network_of, values

#: How far values may be from networkx's, both being iterated or summed in another order.
TOLERANCE = 1e-7


def unweighted(graph: Any) -> Any:
    bare = graph.__class__()
    bare.add_nodes_from(sorted(graph, key=name))
    bare.add_edges_from((tail, head) for tail, head in graph.edges() if tail != head)
    return bare


def agree(found: dict[Any, float], expected: dict[Any, float]) -> None:
    assert found.keys() == expected.keys()
    for node, value in expected.items():
        if math.isnan(value):
            assert math.isnan(found[node])
        else:
            assert found[node] == pytest.approx(value, abs=TOLERANCE), node


def like_networkx(graph: Any) -> None:
    """Every measure of nodes that has one value on any graph."""
    either_way = nx.Graph(graph)
    agree(values(measure("degree", graph), graph), dict(graph.degree()))
    agree(values(measure("pagerank", graph), graph), nx.pagerank(graph, tol=1e-13, max_iter=10_000))
    agree(values(measure("betweenness", graph), graph), nx.betweenness_centrality(graph))
    agree(values(measure("closeness", graph), graph), nx.closeness_centrality(graph))
    others = max(len(graph) - 1, 1)
    harmonic = {node: value / others for node, value in nx.harmonic_centrality(graph).items()}
    agree(values(measure("harmonic", graph), graph), harmonic)
    agree(values(measure("core", graph), graph), nx.core_number(either_way))
    agree(values(measure("clustering", graph), graph), nx.clustering(either_way))
    holes = measure("structural-holes", graph)
    agree(values(holes, graph), nx.constraint(either_way))
    agree(values(holes, graph, "effective_size"), nx.effective_size(either_way))
    cuts = measure("cut-points", graph)
    assert {node for node, cut in values(cuts, graph).items() if cut} == set(nx.articulation_points(either_way))
    assert len(cuts.rows or ()) == len(list(nx.bridges(either_way)))
    assert measure("components", graph).values["components"] == nx.number_connected_components(either_way)
    summary = measure("summary", graph).values
    assert (summary["density"] or 0) == pytest.approx(nx.density(graph))
    assert summary["transitivity"] == pytest.approx(nx.transitivity(either_way))
    if graph.is_directed() and graph.size():
        assert summary["reciprocity"] == pytest.approx(nx.overall_reciprocity(graph))


@pytest.mark.parametrize("graph", classics(), ids=["karate", "florentine", "davis", "miserables"])
def test_measures_of_the_classic_graphs_are_networkxs(graph: Any) -> None:
    graph = unweighted(graph)
    like_networkx(graph)
    agree(values(measure("eigenvector", graph), graph), nx.eigenvector_centrality(graph, max_iter=10**5, tol=1e-13))
    if not nx.is_bipartite(graph):
        agree(values(measure("hits", graph), graph), nx.hits(graph, max_iter=10**5, tol=1e-13)[1])


def test_weights_count_as_networkx_counts_them() -> None:
    graph = nx.les_miserables_graph()
    agree(values(measure("strength", graph, is_weighted=True), graph), dict(graph.degree(weight="weight")))
    ranks = nx.pagerank(graph, tol=1e-13, max_iter=10_000)
    agree(values(measure("pagerank", graph, is_weighted=True), graph), ranks)
    constraint = nx.constraint(graph, weight="weight")
    agree(values(measure("structural-holes", graph, is_weighted=True, weighted=True), graph), constraint)
    lengths = nx.Graph()
    lengths.add_weighted_edges_from((tail, head, 1 / data["weight"]) for tail, head, data in graph.edges(data=True))
    expected = nx.betweenness_centrality(lengths, weight="weight")
    found = values(measure("betweenness", graph, is_weighted=True, weighted=True), graph)
    agree(found, {node: expected[node] for node in graph})


@st.composite
def graphs(draw: st.DrawFn) -> Any:
    size = draw(st.integers(1, 12))
    graph = nx.DiGraph() if draw(st.booleans()) else nx.Graph()
    graph.add_nodes_from(range(size))
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    graph.add_edges_from((tail, head) for tail, head in draw(st.lists(pairs, max_size=40)) if tail != head)
    return graph


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_measures_of_any_graph_are_networkxs(graph: Any) -> None:
    like_networkx(graph)


def brokered(graph: Any, groups: dict[Any, str]) -> dict[str, dict[Any, int]]:
    """Gould and Fernandez’s roles by their definition, triple by triple."""
    names = ("coordinator", "itinerant", "representative", "gatekeeper", "liaison")
    roles: dict[str, dict[Any, int]] = {role: dict.fromkeys(graph, 0) for role in names}
    ties = nx.DiGraph(graph)
    for broker in ties:
        for one in ties.predecessors(broker):
            for other in ties.successors(broker):
                if one == other or ties.has_edge(one, other):
                    continue
                a, b, c = groups[one], groups[broker], groups[other]
                if a == b == c:
                    role = "coordinator"
                elif a == c:
                    role = "itinerant"
                elif a == b:
                    role = "representative"
                else:
                    role = "gatekeeper" if b == c else "liaison"
                roles[role][broker] += 1
    return roles


@settings(max_examples=60, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_brokerage_counts_what_its_definition_says(graph: Any, random: Any) -> None:
    groups = {node: random.choice("abc") for node in graph}
    outcome = measure("brokerage", graph, groups=groups)
    for role, counts in brokered(graph, groups).items():
        assert values(outcome, graph, role) == counts


@settings(max_examples=40, deadline=None)
@given(graphs(), st.randoms(use_true_random=False))
def test_mixing_has_networkxs_assortativity(graph: Any, random: Any) -> None:
    groups = {node: random.choice("ab") for node in graph}
    nx.set_node_attributes(graph, groups, "group")
    outcome = measure("mixing", graph, groups=groups)
    found = outcome.values["assortativity"]
    if found is not None:
        assert found == pytest.approx(nx.attribute_assortativity_coefficient(graph, "group"))
    assert sum(row["ties"] for row in outcome.rows or ()) == graph.number_of_edges()
    internal = sum(groups[tail] == groups[head] for tail, head in graph.edges())
    assert outcome.values["internal"] == internal


def test_the_medici_are_first_in_betweenness() -> None:
    """J. F. Padgett, C. K. Ansell (1993), Robust action and the rise of the Medici, AJS 98; the values are those of
    S. Wasserman, K. Faust (1994), Social network analysis, table 5.1: Medici 0.522, Guadagni 0.255."""
    graph = nx.florentine_families_graph()
    found = values(measure("betweenness", graph), graph)
    first, second, *_ = sorted(found, key=lambda family: -found[family])
    assert (first, second) == ("Medici", "Guadagni")
    assert round(found[first], 3) == 0.522
    assert round(found[second], 3) == 0.255


@pytest.mark.parametrize("algorithm", ["leiden", "louvain"])
def test_the_karate_club_has_the_modularity_that_is_proven_to_be_the_greatest(algorithm: str) -> None:
    """U. Brandes et al. (2008), On modularity clustering, IEEE TKDE 20: 0.4198, in four communities."""
    outcome = measure("communities", nx.karate_club_graph(), algorithm=algorithm, weighted=False)
    assert round(outcome.values["modularity"], 4) == 0.4198
    assert outcome.values["communities"] == 4
    assert not outcome.is_exact


def test_communities_are_the_same_for_the_same_seed_and_their_modularity_is_networkxs() -> None:
    graph = nx.les_miserables_graph()
    outcome = measure("communities", graph, is_weighted=True, seed=7)
    again = measure("communities", graph, is_weighted=True, seed=7)
    assert outcome.columns["value"].tolist() == again.columns["value"].tolist()
    found = values(outcome, graph)
    groups = [{node for node, group in found.items() if group == each} for each in sorted(set(found.values()))]
    assert outcome.values["modularity"] == pytest.approx(nx.community.modularity(graph, groups))
    assert 0 < outcome.values["stability"] <= 1
    assert [len(group) for group in groups] == outcome.values["sizes"]


@pytest.mark.parametrize("which", ["sampled", "kadabra"])
def test_estimated_betweenness_keeps_its_bound_and_says_that_it_is_estimated(which: str) -> None:
    graph = nx.gnp_random_graph(300, 0.03, seed=1)
    outcome = measure("betweenness", graph, method=which, samples=100)
    exact = nx.betweenness_centrality(graph)
    found = values(outcome, graph)
    assert not outcome.is_exact
    assert max(abs(found[node] - exact[node]) for node in graph) < (0.01 if which == "kadabra" else 0.05)
    assert outcome.error is not None
    assert "probability 0.9" in outcome.error


@pytest.mark.parametrize("which", ["closeness", "harmonic"])
def test_estimated_distances_are_near_the_exact_ones(which: str) -> None:
    graph = nx.gnp_random_graph(300, 0.03, seed=1)
    exact = values(measure(which, graph, method="exact"), graph)
    outcome = measure(which, graph, method="sampled", samples=150)
    found = values(outcome, graph)
    assert not outcome.is_exact
    assert max(abs(found[node] - exact[node]) for node in graph) < 0.05


def defaults(which: str) -> dict[str, Any]:
    return {parameter.name: parameter.default for parameter in MEASURES[which].parameters}


FREE = sorted(which for which, each in MEASURES.items() if not any(one.is_needed for one in each.parameters))


@pytest.mark.parametrize("which", FREE)
@pytest.mark.parametrize("size", [0, 1, 3])
def test_a_network_without_ties_has_every_measure(which: str, size: int) -> None:
    nothing = np.empty(0, np.int64)
    names = [f"n{place}" for place in range(size)]
    network = of_arrays(names, nothing, nothing, np.empty(0))
    others = (network,) if which == "comparison" else ()
    outcome = measured({"measure": which}, network, Context(defaults(which), others=others))
    assert all(len(column) == size for column in outcome.columns.values())


@pytest.mark.parametrize("which", ["structural-holes", "brokerage", "clustering", "eigenvector", "mixing", "core"])
def test_a_hub_with_a_hundred_thousand_ties_costs_no_more_than_its_ties(which: str) -> None:
    """By pairs of neighbours it would be five thousand million steps."""
    leaves = 100_000
    names = [f"{place:06}" for place in range(leaves + 1)]
    network = of_arrays(names, np.zeros(leaves, np.int64), np.arange(1, leaves + 1), np.ones(leaves))
    groups = {"sector": {each: ("a" if place % 2 else "b",) for place, each in enumerate(names)}}
    outcome = measured({"measure": which}, network, Context(defaults(which), groups))
    if which == "brokerage":
        assert outcome.columns["value"][0] == leaves * (leaves - 1)
    if which == "structural-holes":
        assert outcome.columns["effective_size"][0] == leaves


def test_networks_that_differ_in_the_order_of_their_ties_are_the_same() -> None:
    graph = nx.les_miserables_graph()
    turned = nx.Graph()
    turned.add_edges_from((head, tail) for tail, head in reversed(list(graph.edges())))
    one, other = network_of(graph), network_of(turned)
    assert one.nodes == other.nodes
    assert one.tails.tolist() == other.tails.tolist()
    assert one.heads.tolist() == other.heads.tolist()
