"""Who might ally: scores as networkx has them, reasons that are true, and an evaluation that cannot flatter itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from kg_service import resources
from kg_service.network import graph, links, projection
from kg_service.network.measures import MEASURES
from kg_service.network.outcome import Context, Outcome
from tests.network.conftest import name, network_of

KNOWN = projection.every(resources.folder("queries"))
PARAMETERS: dict[str, Any] = {each.name: each.default for each in MEASURES["candidates"].parameters}


def candidates(network: graph.Network, *others: graph.Network, **given: Any) -> Outcome:
    return links.candidates(network, Context(PARAMETERS | given, others=others))


def read(folder: Path, which: str, text: str) -> graph.Network:
    path = folder / f"{which}.csv"
    path.write_text(text, encoding="utf-8")
    return graph.read(path, KNOWN[which])


@pytest.mark.parametrize(
    ("score", "theirs"),
    [
        ("common-neighbours", nx.common_neighbor_centrality),
        ("adamic-adar", nx.adamic_adar_index),
        ("resource-allocation", nx.resource_allocation_index),
        ("preferential-attachment", nx.preferential_attachment),
    ],
)
def test_scores_are_networkxs(score: str, theirs: Any) -> None:
    karate = nx.karate_club_graph()
    outcome = candidates(network_of(karate), score=score, count=1000)
    assert outcome.rows
    number = {name(node): node for node in karate}
    for row in outcome.rows:
        pair = (number[row["source"]], number[row["target"]])
        assert not karate.has_edge(*pair)
        if score == "common-neighbours":
            expected = len(list(nx.common_neighbors(karate, *pair)))
        else:
            ((_, _, expected),) = theirs(karate, [pair])
        assert row[score] == pytest.approx(expected)
    scores = [row["score"] for row in outcome.rows]
    assert scores == sorted(scores, reverse=True)


def test_every_pair_with_a_common_partner_is_a_candidate_and_no_tied_pair_is() -> None:
    graph = nx.florentine_families_graph()
    outcome = candidates(network_of(graph), count=1000)
    expected = {frozenset(pair) for pair in nx.non_edges(graph) if list(nx.common_neighbors(graph, *pair))}
    number = {name(node): node for node in graph}
    found = {frozenset((number[row["source"]], number[row["target"]])) for row in outcome.rows or ()}
    assert found == expected


def test_the_evaluation_finds_hidden_ties_of_a_clustered_network_and_is_repeatable() -> None:
    graph = nx.connected_caveman_graph(8, 8)
    first = candidates(network_of(graph), seed=3).values["evaluation"]
    assert first["auc"] > 0.9
    assert first["precision_at_k"] > 0.7
    assert first == candidates(network_of(graph), seed=3).values["evaluation"]


def test_the_evaluation_finds_nothing_where_there_is_nothing_to_find() -> None:
    graph = nx.gnp_random_graph(300, 0.02, seed=5)
    assert 0.35 < candidates(network_of(graph)).values["evaluation"]["auc"] < 0.65


def test_what_two_share_elsewhere_makes_a_candidate_with_its_reason(tmp_path: Path) -> None:
    ties = read(tmp_path, "alliances", "source,target\na,x\nb,x\nc,y\nd,y\n")
    themes = read(tmp_path, "actor-theme", "source,target,weight,evidence\na,t,1,a\nc,t,1,c\n")
    (row,) = candidates(ties, themes).rows or ()
    assert (row["source"], row["target"]) == ("a", "c")
    assert row["reasons"] == [{"kind": "shared themes", "things": ["t"]}]


def test_what_two_share_by_their_alliance_alone_is_no_reason_and_no_proof(tmp_path: Path) -> None:
    """Else every hidden tie would be given away by the theme of the alliance that was hidden."""
    rows = "".join(f"p{pair}a,x{pair}\np{pair}b,x{pair}\n" for pair in range(40))
    own = "".join(f"p{pair}{end},t{pair},1,x{pair}\n" for pair in range(40) for end in "ab")
    ties = read(tmp_path, "alliances", "source,target\n" + rows)
    themes = read(tmp_path, "actor-theme", "source,target,weight,evidence\n" + own)
    outcome = candidates(ties, themes)
    assert outcome.rows == ()
    assert outcome.values["evaluation"]["auc"] == pytest.approx(0.5)


def test_whole_alliances_are_hidden_so_that_no_part_gives_the_rest_away(tmp_path: Path) -> None:
    rows = "".join(f"a{alliance}-{party},x{alliance}\n" for alliance in range(20) for party in range(5))
    outcome = candidates(read(tmp_path, "alliances", "source,target\n" + rows))
    assert outcome.values["evaluation"]["hidden_ties"] == 4 * 10
    assert outcome.values["evaluation"]["auc"] == pytest.approx(0.5)


def test_a_hub_does_not_make_all_pairs_of_its_partners_candidates_at_any_cost() -> None:
    outcome = candidates(network_of(nx.star_graph(50_000)), hidden=0.001)
    assert outcome.values["pairs_scored"] == 0
