"""The coverage of goals and targets: counted once, the firmest link first, with gaps."""

from __future__ import annotations

import csv
import io

import httpx
import pytest
from pyoxigraph import QuerySolutions, Store

from kg_service import queries, resources, sdg
from kg_service.ingest import bulk
from kg_service.rdf import Quad
from kg_service.sdg import Aim, Link

GOALS = [Aim("g1", "1", "One", None), Aim("t11", "1.1", "One one", "g1"), Aim("g2", "2", "Two", None)]


def test_a_goal_counts_what_serves_its_targets_once_by_the_firmest_link() -> None:
    links = [
        Link("t11", "Actor", "a", "p", "inferred"),
        Link("g1", "Actor", "a", "p", "stated"),
        Link("t11", "Actor", "b", "p", "inferred"),
        Link("t11", "Alliance", "x", "x", "unclaimed"),
    ]
    matrix = sdg.coverage(GOALS, links)
    one, two = matrix["data"]
    assert one["counts"]["actors"] == {"all": 2, "stated": 1, "inferred": 1}
    assert one["targets"][0]["counts"]["actors"] == {"all": 2, "inferred": 2}
    assert one["targets"][0]["counts"]["alliances"] == {"all": 1, "unclaimed": 1}
    assert two["counts"] == {}
    assert matrix["gaps"]["goals"] == ["2"]
    assert matrix["gaps"]["targets"] == []


def test_what_only_our_inference_serves_is_told_apart() -> None:
    matrix = sdg.coverage(
        GOALS, [Link("t11", "Policy", "p", "r", "inferred"), Link("g2", "Policy", "p", "p", "stated")]
    )
    assert matrix["gaps"]["only_inferred"] == {"goals": ["1"], "targets": ["1.1"]}


def test_goals_come_in_the_order_of_their_numbers() -> None:
    rows = [
        {"iri": code, "code": code, "label": code, "goal": code.split(".")[0] if "." in code else ""}
        for code in ("10", "2.a", "2", "17.14", "17", "2.10", "2.2")
    ]
    assert [aim.code for aim in sdg.aims([*rows, *rows])] == ["2", "2.2", "2.10", "2.a", "10", "17", "17.14"]


@pytest.fixture(scope="module")
def project() -> Store:
    store = Store()
    data, ontology = resources.folder("data"), resources.folder("ontology")
    for file in (*ontology.glob("*.ttl"), *data.glob("*.ttl"), *data.glob("*.trig")):
        store.extend(Quad(q.subject, q.predicate, q.object) for q in bulk.read(file))
    return store


def test_of_the_projects_goals_one_is_stated_and_the_rest_inferred(project: Store) -> None:
    """One text names Goal 17; every other link to a goal is the editors' inference."""
    found = project.query(queries.read(resources.folder("queries"), "sdgs/coverage").text)
    assert isinstance(found, QuerySolutions)
    stated = {row["aim"].value for row in found if row["certainty"] and row["certainty"].value.endswith("/stated")}
    assert stated <= {"http://metadata.un.org/sdg/17"}


def test_the_service_tells_matrix_and_gaps_also_of_a_graph_without_links(client: httpx.Client) -> None:
    answer = client.get("/api/sdgs/coverage")
    assert answer.status_code == 200, answer.text
    assert answer.json()["meta"]["generation"] == 1
    assert answer.headers["KG-Generation"] == "1"
    table = list(csv.reader(io.StringIO(client.get("/api/sdgs/coverage?format=csv").text)))
    assert table[0] == ["code", "label", "kind", "all", *sdg.CERTAINTIES]
    assert client.get("/api/sdgs/coverage?format=pdf").status_code == 422
    assert client.get("/api/sdgs/coverage?goal=5").status_code == 422
