from __future__ import annotations

from collections.abc import Iterator

import httpx
import networkx as nx
import pytest

from kg_service.client import Client
from kg_service.errors import NotFound, WrongParameter


@pytest.fixture
def graph(client: httpx.Client) -> Iterator[Client]:
    with Client(str(client.base_url), retries=0) as opened:
        yield opened


def test_a_network_is_a_networkx_graph_with_its_measures_and_evidence(graph: Client) -> None:
    found = graph.network("alliances", ["degree", "pagerank"])
    assert isinstance(found, nx.Graph)
    assert not found.is_directed()
    bakers = "https://w3id.org/sse-kg/id/organisation/bakers"
    assert found.nodes[bakers]["label"] == "Bakers’ Cooperative"
    assert found.nodes[bakers]["degree"] == 1
    assert found.nodes[bakers]["pagerank"] == pytest.approx(0.5)
    ((_, _, edge),) = found.edges(data=True)
    assert edge["evidence"][0]["iri"].endswith("/alliance/oven")
    assert found.graph["generation"] == 1


def test_filters_and_parameters_are_sent_as_they_are_called(graph: Client) -> None:
    assert graph.network("alliances", from_="1999", to="2000").number_of_nodes() == 0
    assert graph.network("part-of").is_directed()
    told = graph.measure("alliances", "pagerank", damping=0.5, weighted=False, level=["local", "regional"])
    assert told["meta"]["parameters"] == {"weighted": False, "damping": 0.5}
    assert len(told["meta"]["selection"]["level"]) == 2


def test_what_takes_long_is_waited_for(graph: Client) -> None:
    assert graph.measure("actor-event", "closeness", wait=0, seed=99)["meta"]["nodes"] == 2


def test_what_is_wrong_is_raised(graph: Client) -> None:
    with pytest.raises(NotFound, match="co-participation"):
        graph.network("friends")
    with pytest.raises(WrongParameter, match="damping"):
        graph.measure("alliances", "pagerank", damping=2)
