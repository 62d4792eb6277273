"""Paths, removal and time: how nodes are connected, what holds when some leave, and what changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kg_service import resources
from kg_service.errors import WrongParameter
from kg_service.network import change, graph, layout, paths, projection
from kg_service.network.outcome import Context
from tests.network.conftest import measure, name, network_of

KNOWN = projection.every(resources.folder("queries"))
ROWS = """source,target,weight,kind,start,end,evidence,certainty,document
a,e1,1,k,2019-04-01,2019-04-02,p1,,
b,e1,1,k,2019-04-01,2019-04-02,p2,,
c,e1,1,k,2019-04-01,2019-04-02,p3,,
a,e2,1,k,2020,2020,p4,,
b,e2,1,k,2020,2020,p5,,
c,e3,1,k,,,p6,,
d,e3,1,k,,,p7,,
"""


@pytest.fixture
def meetings(tmp_path: Path) -> graph.Network:
    path = tmp_path / "rows.csv"
    path.write_text(ROWS)
    return graph.read(path, KNOWN["co-participation"])


def test_windows_tell_what_came_and_went(meetings: graph.Network) -> None:
    outcome = change.windows(meetings, Context({"years": 1}))
    first, second = outcome.rows or ()
    assert (first["from"], first["nodes"], first["edges"]) == ("2019", 3, 3)
    assert (second["from"], second["nodes"], second["edges"]) == ("2020", 2, 1)
    assert (second["ties_stayed"], second["ties_went"], second["ties_came"], second["nodes_went"]) == (1, 2, 0, 1)
    assert second["turnover"] == pytest.approx(2 / 3)
    assert outcome.values["ties_without_date"] == 2


def test_a_network_without_dates_has_no_windows(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("source,target,weight,kind,start,end,evidence,certainty,document\na,b,1,,,,a,,\n")
    assert change.windows(graph.read(path, KNOWN["places"]), Context({"years": 1})).rows == ()


def test_a_comparison_lists_the_ties_that_differ(meetings: graph.Network) -> None:
    before, after = (graph.windowed(meetings, f"{year}-01-01", f"{year}-12-31") for year in (2019, 2020))
    outcome = change.comparison(before, Context(others=(after,)))
    assert [(row["source"], row["target"], row["change"]) for row in outcome.rows or ()] == [
        ("a", "c", "went"),
        ("b", "c", "went"),
    ]
    same = change.comparison(before, Context(others=(before,)))
    assert same.rows == ()
    assert same.values["turnover"] == 0
    assert same.values["community_persistence"] == 1


def found(
    graph: Any, origin: object, destination: object, count: int = 5, **more: Any
) -> list[tuple[float, list[str]]]:
    given = {"origin": name(origin), "destination": name(destination), "count": count, "weighted": False, "hubs": 0}
    outcome = paths.paths(network_of(graph, is_weighted="weighted" in more), Context(given | more))
    return [(row["length"], row["nodes"]) for row in outcome.rows or ()]


def test_hubs_are_passed_by_unless_the_path_ends_there() -> None:
    graph = nx.star_graph(6)  # all by way of node 0, which has six neighbours
    graph.add_edges_from([(1, 7), (7, 2)])
    assert found(graph, 1, 2, 1) == [(2, [name(1), name(0), name(2)])]
    assert found(graph, 1, 2, 1, hubs=5) == [(2, [name(1), name(7), name(2)])]
    assert found(graph, 1, 0, 1, hubs=2) == [(1, [name(1), name(0)])]
    assert found(graph, 3, 4, 1, hubs=5) == []


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 9), st.sampled_from([nx.Graph, nx.DiGraph]), st.data())
def test_the_shortest_paths_are_networkxs(size: int, kind: Any, data: st.DataObject) -> None:
    pairs = st.tuples(st.integers(0, size - 1), st.integers(0, size - 1))
    graph = kind()
    graph.add_nodes_from(range(size))
    graph.add_edges_from(pair for pair in data.draw(st.lists(pairs, max_size=25)) if pair[0] != pair[1])
    listed = found(graph, 0, size - 1, 4)
    try:
        expected = [len(path) - 1 for path in nx.shortest_simple_paths(graph, 0, size - 1)][:4]
    except nx.NetworkXNoPath:
        expected = []
    assert [length for length, _ in listed] == expected
    for _, nodes in listed:
        numbers = [int(node.removeprefix("node/")) for node in nodes]
        assert nx.is_path(graph, numbers)
        assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
def test_distances_are_networkxs(kind: Any) -> None:
    graph = kind(nx.karate_club_graph().edges())
    graph.add_edge("far", "away")
    outcome = measure("distances", graph, origin=name(33))
    expected = nx.single_source_shortest_path_length(graph, 33)
    found = zip(sorted(graph, key=name), outcome.columns["value"], strict=True)
    assert {node: value for node, value in found if value == value} == expected
    assert outcome.values["reached"] == len(expected) - 1
    with pytest.raises(WrongParameter, match="nobody"):
        measure("distances", graph, origin="nobody")


def test_strong_ties_are_short_where_asked() -> None:
    graph = nx.Graph()
    graph.add_weighted_edges_from([("a", "b", 1), ("a", "c", 10), ("c", "b", 10)])
    assert found(graph, "a", "b", 1)[0][1] == [name("a"), name("b")]
    assert found(graph, "a", "b", 1, weighted=True)[0][1] == [name("a"), name("c"), name("b")]


def test_a_node_that_is_not_there_is_named() -> None:
    with pytest.raises(WrongParameter, match="nobody"):
        found(nx.path_graph(3), 0, "nobody")
    with pytest.raises(WrongParameter, match="another node"):
        found(nx.path_graph(3), 0, 0)


def test_a_star_falls_apart_when_its_hub_leaves_and_not_otherwise() -> None:
    outcome = measure("robustness", nx.star_graph(99), steps=100)
    targeted = [row["largest"] for row in outcome.rows or () if row["order"] == "degree"]
    assert targeted[:2] == [1, 0.01]
    assert outcome.values["R_random"] > 5 * outcome.values["R_degree"]


def test_a_complete_network_only_loses_who_leaves() -> None:
    values = measure("robustness", nx.complete_graph(50), steps=50).values
    assert values["R_degree"] == pytest.approx(0.49)
    assert values["R_random"] == pytest.approx(0.49)


@pytest.mark.parametrize("size", [60, 1500])
def test_a_small_change_moves_little(size: int) -> None:
    graph = nx.barabasi_albert_graph(size, 3, seed=2)
    network = network_of(graph)
    first = layout.positions(network, {}, 1)
    assert first.tolist() == layout.positions(network, {}, 1).tolist()
    before = dict(zip(network.nodes, map(tuple, first.tolist()), strict=True))
    graph.add_edge("new", 5)
    changed = network_of(graph)
    after = dict(zip(changed.nodes, layout.positions(changed, before, 1).tolist(), strict=True))
    spread = first.std()
    assert max(abs(after[node][axis] - before[node][axis]) for node in before for axis in (0, 1)) < 0.1 * spread
    apart = [after[name("new")][axis] - after[name(5)][axis] for axis in (0, 1)]
    assert max(map(abs, apart)) < spread


def test_neighbours_are_drawn_near_each_other() -> None:
    graph = nx.connected_caveman_graph(10, 8)
    network = network_of(graph)
    places = dict(zip(network.nodes, layout.positions(network, {}, 1), strict=True))

    def distance(one: object, other: object) -> float:
        return float(((places[name(one)] - places[name(other)]) ** 2).sum() ** 0.5)

    near = [distance(*pair) for pair in graph.edges()]
    far = [distance(*pair) for pair in nx.non_edges(graph)]
    assert sum(near) / len(near) < 0.3 * sum(far) / len(far)
