"""The figures in docs/alliance-network.md are those of the data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyoxigraph import QueryResultsFormat, QuerySolutions, Store

from kg_service import queries, resources
from kg_service.ingest import bulk
from kg_service.network import graph, names, projection, selection
from kg_service.network.measures import MEASURES
from kg_service.network.outcome import Context, Outcome
from kg_service.network.selection import Selection
from kg_service.network.worker import measured
from kg_service.rdf import Quad
from tests.conftest import ROOT

KNOWN = projection.every(resources.folder("queries"))
TEXT = (ROOT / "docs" / "alliance-network.md").read_text(encoding="utf-8")
FLOWING = " ".join(TEXT.split())


class Data:
    """The project's data, as the service asks them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._store = folder, Store()
        data, ontology = resources.folder("data"), resources.folder("ontology")
        for file in (*ontology.glob("*.ttl"), *data.glob("*.ttl"), *data.glob("*.trig")):
            self._store.extend(Quad(q.subject, q.predicate, q.object) for q in bulk.read(file))
        self.names = names.names_in(self._rows(queries.read(resources.folder("queries"), "nodes/names").text))

    def _rows(self, text: str) -> Path:
        found = self._store.query(text)
        assert isinstance(found, QuerySolutions)
        path = self._folder / "rows.csv"
        path.write_bytes(found.serialize(format=QueryResultsFormat.CSV) or b"")
        return path

    def network(self, name: str = "alliances", **filters: str) -> graph.Network:
        chosen = {key: selection.terms(key, value.split(), KNOWN[name]) for key, value in filters.items()}
        return graph.read(self._rows(selection.ties_query(KNOWN[name], Selection(chosen))), KNOWN[name])

    def measure(
        self, which: str, *others: graph.Network, network: graph.Network | None = None, **given: Any
    ) -> Outcome:
        parameters = {each.name: each.default for each in MEASURES[which].parameters} | given
        return measured({"measure": which}, network or self.network(), Context(parameters, others=others))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return Data(tmp_path_factory.mktemp("reading"))


def says(words: str) -> None:
    assert words in FLOWING or words in TEXT, f"the page does not say: {words}"


def test_the_three_networks(data: Data) -> None:
    chosen: list[dict[str, str]] = [{}, {"status": "existing planned"}, {"certainty": "stated"}]
    columns = [data.measure("summary", network=data.network(**filters)).values for filters in chosen]
    for label, name, form in (
        ("actors and groups", "nodes", "d"),
        ("ties", "edges", "d"),
        ("density", "density", ".3f"),
        ("components", "components", "d"),
        ("actors in the largest component", "largest_component", "d"),
        ("mean clustering", "clustering", ".3f"),
    ):
        says(f"| {label} | " + " | ".join(format(column[name], form) for column in columns) + " |")
    says(f"falls into {columns[2]['components']} pieces")
    assert 0.7 < 1 - columns[1]["edges"] / columns[0]["edges"] < 0.8, "three of four"


def test_who_connects(data: Data) -> None:
    def first(**filters: str) -> list[tuple[str, float]]:
        network = data.network(**filters)
        values = data.measure("betweenness", network=network).columns["value"]
        named = [(data.names.name(iri), float(value)) for iri, value in zip(network.nodes, values, strict=True)]
        return sorted(named, key=lambda pair: -pair[1])[:3]

    for (one, value), (other, second) in zip(first(), first(status="existing planned"), strict=True):
        says(f"| {one} | {value:.3f} | {other} | {second:.3f} |")
    component = data.measure("components").columns["value"]
    network = data.network()
    gsef, ripess = (network.index(f"https://w3id.org/sse-kg/id/organisation/{slug}") for slug in ("gsef", "ripess-lac"))
    assert component[gsef] != component[ripess]
    cuts = data.measure("cut-points").values
    says(f"{cuts['articulation_points']} nodes are articulation points and {cuts['bridges']} ties are bridges")
    left = data.measure("robustness").values
    says(f"on average {left['R_degree']:.3f} of the network, when they leave by chance {left['R_random']:.3f}")


def test_communities(data: Data) -> None:
    found = data.measure("communities").values
    says(f"Leiden finds {found['communities']} communities of modularity {found['modularity']:.3f}")
    says(f"(stability {found['stability']:.2f})")


def test_how_little_the_guesses_say(data: Data) -> None:
    others = [data.network(name) for name in ("actor-theme", "actor-place", "actor-recommendation")]
    each = data.measure("candidates", *others).values["evaluation"]["auc_of_each"]
    says(f"the AUC of resource allocation is {each['resource-allocation']:.2f}")
    says(f"of shared themes {each['shared themes']:.2f}, of shared places {each['shared places']:.2f}")
    says(f"Shared recommendations reach {each['shared recommendations']:.2f}")
