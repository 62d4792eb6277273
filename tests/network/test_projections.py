"""Projections: rows of a query as networks, one-mode networks by their weightings, filters and windows."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
from networkx.algorithms import bipartite
from pyoxigraph import Quad, QueryResultsFormat, QuerySolutions, RdfFormat, Store, parse

from kg_service import resources
from kg_service.errors import Malformed, NotFound, TooLarge, WrongParameter
from kg_service.network import graph, projection, selection
from kg_service.network.graph import Network
from kg_service.network.selection import Selection
from kg_service.rdf import NamedNode

KNOWN = projection.every(resources.folder("queries"))

WORLD = """
@prefix sse: <https://w3id.org/sse-kg/ontology#> . @prefix schema: <https://schema.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> . @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix dcterms: <http://purl.org/dc/terms/> . @prefix sdg: <http://metadata.un.org/sdg/> .
@prefix a: <https://w3id.org/sse-kg/id/organisation/> . @prefix place: <https://w3id.org/sse-kg/id/place/> .
@prefix al: <https://w3id.org/sse-kg/id/alliance/> . @prefix kind: <https://w3id.org/sse-kg/id/alliance-kind/> .
@prefix certainty: <https://w3id.org/sse-kg/id/certainty/> . @prefix level: <https://w3id.org/sse-kg/id/level/> .
@prefix document: <https://w3id.org/sse-kg/id/document/> . @prefix status: <https://w3id.org/sse-kg/id/status/> .
@prefix theme: <https://w3id.org/sse-kg/id/theme/> . @prefix sector: <https://w3id.org/sse-kg/id/sector/> .
al:one a sse:Alliance ; sse:allianceKind kind:cooperation ; sse:status status:existing ; sse:theme theme:bread ;
  sse:party al:one-a , al:one-b , al:one-c ; schema:startDate "2019" ; schema:endDate "2020-06" .
al:one-a sse:partyActor a:a . al:one-b sse:partyActor a:b . al:one-c sse:partyActor a:c .
al:two a sse:Alliance ; sse:allianceKind kind:support ; sse:status status:planned ; sse:contributesTo sdg:5.1 ;
  sse:party al:two-a , al:two-b ; schema:startDate "2021-03-04" ; sse:crossesLevel level:local .
al:two-a sse:partyActor a:a . al:two-b sse:partyActor a:b .
al:three a sse:Alliance ; sse:party al:three-c , al:three-d . # no date, kind or claim
al:three-c sse:partyActor a:c . al:three-d sse:partyActor a:d .
a:a sse:locatedIn place:village ; sse:sector sector:food . place:village sse:within place:country .
sector:food skos:broader sector:economy . theme:bread skos:broader theme:eating . sdg:5.1 skos:broader sdg:5 .
al:k1 rdf:subject al:one ; rdf:predicate sse:party ; rdf:object al:one-a ;
  sse:certainty certainty:stated ; dcterms:source document:x .
al:k2 rdf:subject al:one ; rdf:predicate sse:party ; rdf:object al:one-b ;
  sse:certainty certainty:derived ; dcterms:source document:x .
al:k3 rdf:subject al:one ; rdf:predicate sse:party ; rdf:object al:one-b ;
  sse:certainty certainty:stated ; dcterms:source document:y .
"""


@pytest.fixture(scope="module")
def store() -> Store:
    store = Store()
    store.extend(Quad(q.subject, q.predicate, q.object) for q in parse(WORLD, format=RdfFormat.TURTLE))
    return store


def network(
    store: Store, folder: Path, name: str, chosen: Selection | None = None, weighting: str = "count"
) -> Network:
    rows = store.query(selection.ties_query(KNOWN[name], chosen or Selection()))
    assert isinstance(rows, QuerySolutions)
    path = folder / "rows.csv"
    path.write_bytes(rows.serialize(format=QueryResultsFormat.CSV) or b"")
    return graph.read(path, KNOWN[name], weighting=weighting)


def ties(found: Network) -> dict[str, float]:
    short = [iri.rpartition("/")[2] for iri in found.nodes]
    ends = zip(found.tails, found.heads, found.weights, strict=True)
    return {f"{short[tail]}-{short[head]}": round(float(weight), 6) for tail, head, weight in ends}


def selected(name: str, filters: dict[str, str]) -> Selection:
    return Selection({key: selection.terms(key, value.split(), KNOWN[name]) for key, value in filters.items()})


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        ("count", {"a-b": 2, "a-c": 1, "b-c": 1, "c-d": 1}),
        ("newman", {"a-b": 1.5, "a-c": 0.5, "b-c": 0.5, "c-d": 1}),
        ("jaccard", {"a-b": 1, "a-c": 0.333333, "b-c": 0.333333, "c-d": 0.5}),
    ],
)
def test_actors_are_tied_by_shared_alliances(
    store: Store, tmp_path: Path, weighting: str, expected: dict[str, float]
) -> None:
    assert ties(network(store, tmp_path, "alliances", weighting=weighting)) == expected


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_network_without_details_has_the_same_ties(store: Store, tmp_path: Path, name: str) -> None:
    whole = network(store, tmp_path, name)
    text = selection.ties_query(KNOWN[name], Selection(), projection.bare_columns(KNOWN[name]))
    assert "dcterms:source ?document .\n" not in text
    rows = store.query(text)
    assert isinstance(rows, QuerySolutions)
    path = tmp_path / "bare.csv"
    path.write_bytes(rows.serialize(format=QueryResultsFormat.CSV) or b"")
    assert ties(graph.read(path, KNOWN[name])) == ties(whole)


@pytest.mark.parametrize("name", sorted(name for name, each in KNOWN.items() if each.is_once))
def test_what_is_said_to_tie_once_does(store: Store, name: str) -> None:
    rows = store.query(selection.ties_query(KNOWN[name], Selection(), ("source", "target", "evidence")))
    assert isinstance(rows, QuerySolutions)
    listed = [tuple(map(str, row)) for row in rows]
    assert len(listed) == len(set(listed))


def test_a_tie_that_two_documents_claim_is_one_tie(store: Store, tmp_path: Path) -> None:
    found = network(store, tmp_path, "actor-alliance")
    assert set(ties(found).values()) == {1}
    assert found.edges == 7


@pytest.mark.parametrize("weighting", graph.WEIGHTINGS)
def test_one_mode_networks_of_the_southern_women_are_networkxs(tmp_path: Path, weighting: str) -> None:
    women = nx.davis_southern_women_graph()
    top = women.graph["top"]
    path = tmp_path / "rows.csv"
    path.write_text("source,target\n" + "".join(f"{woman},{event}\n" for woman in top for event in women[woman]))
    found = graph.read(path, KNOWN["co-participation"], weighting=weighting)
    if weighting == "jaccard":
        expected = bipartite.overlap_weighted_projected_graph(women, top, jaccard=True)
    elif weighting == "newman":
        expected = bipartite.collaboration_weighted_projected_graph(women, top)
    else:
        expected = bipartite.weighted_projected_graph(women, top)
    assert found.nodes == sorted(expected)
    assert found.edges == expected.number_of_edges() == 139
    for tail, head, weight in zip(found.tails, found.heads, found.weights, strict=True):
        assert weight == pytest.approx(expected[found.nodes[tail]][found.nodes[head]]["weight"])


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kinds": "support"}, {"a-b"}),
        ({"kinds": "support cooperation"}, {"a-b", "a-c", "b-c"}),
        ({"status": "planned"}, {"a-b"}),
        ({"level": "local"}, {"a-b"}),
        ({"theme": "eating"}, {"a-b", "a-c", "b-c"}),
        ({"theme": "bread"}, {"a-b", "a-c", "b-c"}),
        ({"sdg": "5"}, {"a-b"}),
        ({"sdg": "5.1"}, {"a-b"}),
        ({"sdg": "5.2"}, set()),
        ({"certainty": "stated"}, {"a-b"}),
        ({"certainty": "derived"}, set()),
        ({"source": "y"}, set()),
        ({"source": "x"}, {"a-b"}),
        ({"theme": "bread", "status": "planned"}, set()),
        ({"territory": "nowhere"}, set()),
    ],
)
def test_filters_keep_what_they_say(store: Store, tmp_path: Path, filters: dict[str, str], expected: set[str]) -> None:
    assert set(ties(network(store, tmp_path, "alliances", selected("alliances", filters)))) == expected


@pytest.mark.parametrize("filters", [{"territory": "country"}, {"territory": "village"}, {"sector": "economy"}])
def test_territory_and_sector_are_those_of_an_end_too(store: Store, tmp_path: Path, filters: dict[str, str]) -> None:
    found = network(store, tmp_path, "actor-alliance", selected("actor-alliance", filters))
    assert set(ties(found)) == {"one-a", "two-a"}


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (("2019", "2019", None, None), {"a-b", "a-c", "b-c"}),
        ((None, "2018-12-31", None, None), set()),
        (("2020-06-30", "2020-12", None, None), {"a-b", "a-c", "b-c"}),
        (("2020-07-01", "2021-03-03", None, None), set()),
        (("2021-03-04", None, None, None), {"a-b"}),
        ((None, None, "2020-06", None), {"a-b", "a-c", "b-c"}),
        ((None, None, "2020-07", "keep"), {"c-d"}),
        (("1999", None, None, "keep"), {"a-b", "a-c", "b-c", "c-d"}),
    ],
)
def test_a_window_keeps_what_was_in_force_in_it(
    store: Store,
    tmp_path: Path,
    window: tuple[str | None, str | None, str | None, str | None],
    expected: set[str],
) -> None:
    found = network(store, tmp_path, "alliances", Selection(window=selection.window(*window)))
    assert set(ties(found)) == expected


@pytest.mark.parametrize(
    "window",
    [
        ("2020", "2019", None, None),
        ("2020-02-30", None, None, None),
        ("last year", None, None, None),
        ("", None, None, None),
        ("0000", None, None, None),
        (None, None, "2019-1", None),
        ("2019", None, "2019", None),
        (None, None, None, "perhaps"),
    ],
)
def test_a_window_that_cannot_be_is_refused(window: tuple[str | None, str | None, str | None, str | None]) -> None:
    with pytest.raises(WrongParameter):
        selection.window(*window)


@pytest.mark.parametrize("value", ["x> } DELETE WHERE { ?s ?p ?o", 'a"b', "{", "http://x/<y>", "\n", " "])
def test_what_is_no_iri_never_reaches_a_query(value: str) -> None:
    with pytest.raises(WrongParameter):
        selection.terms("territory", [value], KNOWN["alliances"])


def test_each_tie_has_its_evidence(store: Store, tmp_path: Path) -> None:
    found = network(store, tmp_path, "alliances")
    evidence = dict(zip(ties(found), graph.evidence(found), strict=True))
    one = next(thing for thing in evidence["a-b"] if thing["iri"].endswith("/one"))
    assert (one["start"], one["end"], one["certainty"]) == ("2019", "2020-06", "stated")
    assert sorted(document.rpartition("/")[2] for document in one["documents"]) == ["x", "y"]
    assert [thing["iri"].rpartition("/")[2] for thing in evidence["c-d"]] == ["three"]
    assert evidence["c-d"][0]["certainty"] is None
    two_mode = network(store, tmp_path, "actor-alliance")
    assert all(len(things) == 1 for things in graph.evidence(two_mode))


def test_an_empty_answer_is_an_empty_network(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    for name in ("alliances", "part-of"):
        path.write_text("source,target,weight,evidence\n")
        found = graph.read(path, KNOWN[name])
        assert (found.size, found.edges) == (0, 0)


def test_names_of_any_script_survive(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('source,target\nhttp://x/日本,"http://x/a,b"\nhttp://x/é,"http://x/a,b"\n', encoding="utf-8")
    assert graph.read(path, KNOWN["alliances"]).nodes == ["http://x/é", "http://x/日本"]


def test_a_target_that_everybody_shares_is_refused_before_it_takes_all_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("source,target\n" + "".join(f"s{place},t\n" for place in range(100_000)))
    with pytest.raises(TooLarge, match="two-mode"):
        graph.read(path, KNOWN["alliances"])


def test_a_new_file_is_a_new_projection(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    folder.mkdir()
    heads = "# summary: Who knows whom\n# modes: person\n# directed: yes\n"
    (folder / "knows.rq").write_text(f"{heads}SELECT ?source ?target {{ ?source <x:knows> ?target }}\n")
    assert projection.every(tmp_path)["knows"].is_directed
    (folder / "broken.rq").write_text("# summary: Who\nSELECT ?source { ?source ?p ?o }\n")
    with pytest.raises(Malformed, match="modes"):
        projection.every(tmp_path)


def test_an_unknown_projection_lists_the_known_ones() -> None:
    with pytest.raises(NotFound, match="co-participation"):
        projection.named("friends", KNOWN)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_projection_answers_under_every_filter_at_once(store: Store, tmp_path: Path, name: str) -> None:
    term = (NamedNode("https://w3id.org/sse-kg/id/place/x"),)
    everything = Selection(dict.fromkeys(selection.FILTERS, term), selection.window("2019", "2020", None, "keep"))
    assert network(store, tmp_path, name, everything).size == 0
