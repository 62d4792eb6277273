"""The questions in `queries/`: each runs on the project's data and gives the rows that the sources bear out.

`tests/data/expected/<folder>/<name>.csv` holds those rows. Whoever changes one has read the text behind it.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from pyoxigraph import NamedNode, Quad, QueryResultsFormat, QuerySolutions, RdfFormat, Store, parse

from kg_service import queries, resources
from kg_service.ingest import bulk

Row = tuple[str, ...]

QUERIES = resources.folder("queries")
EXPECTED = Path(__file__).resolve().parent / "data" / "expected"
BASE = "https://w3id.org/sse-kg/"

NAMES = queries.names(QUERIES)
CHECKS = [name for name in NAMES if name.startswith("checks/")]
QUESTIONS = [name for name in NAMES if not name.startswith(("checks/", "lists/", "nodes/"))]


def filled(quads: list[Quad]) -> Store:
    """A store as the service fills it: each triple in its own graph and once more in the default graph."""
    store = Store()
    for quad in quads:
        store.add(quad)
        store.add(Quad(quad.subject, quad.predicate, quad.object))
    return store


def solve(store: Store, name: str) -> QuerySolutions:
    solutions = store.query(queries.read(QUERIES, name).text)
    assert isinstance(solutions, QuerySolutions)
    return solutions


def ask(store: Store, name: str) -> list[Row]:
    """The answer as CSV gives it: the names of the columns, then the rows."""
    written = solve(store, name).serialize(format=QueryResultsFormat.CSV)
    assert written is not None
    return [tuple(row) for row in csv.reader(io.StringIO(written.decode("utf-8"), newline=""))]


def code(text: str) -> str:
    """A query without comments, IRIs and strings: what is left holds its prefixed names and variables."""
    return re.sub(r'<[^>\s]*>|"(?:[^"\\]|\\.)*"|(?<!\S)#.*', " ", text)


@pytest.fixture(scope="session")
def quads() -> list[Quad]:
    data, ontology = resources.folder("data"), resources.folder("ontology")
    files = [*sorted(ontology.glob("*.ttl")), *sorted(data.glob("*.ttl")), *sorted(data.glob("*.trig"))]
    return [quad for file in files for quad in bulk.read(file)]


@pytest.fixture(scope="session")
def store(quads: list[Quad]) -> Store:
    return filled(quads)


@pytest.fixture(scope="session")
def store_filled_backwards(quads: list[Quad]) -> Store:
    return filled(quads[::-1])


def test_there_are_questions_on_all_subjects() -> None:
    subjects = {name.split("/")[0] for name in QUESTIONS}
    assert subjects == {
        "actors",
        "alliances",
        "events",
        "guidelines",
        "instruments",
        "network",
        "populations",
        "provenance",
        "quality",
        "recommendations",
        "sdgs",
        "statistics",
        "themes",
    }
    assert len(QUESTIONS) >= 45


@pytest.mark.parametrize("name", NAMES)
def test_a_question_has_a_plain_summary(name: str) -> None:
    summary = queries.read(QUERIES, name).summary
    assert summary[0].isupper()
    assert not summary.endswith(".")
    assert len(summary) <= 120


def test_no_two_questions_have_the_same_summary() -> None:
    summaries = [question.summary for question in queries.every(QUERIES)]
    assert len(summaries) == len(set(summaries))


@pytest.mark.parametrize("name", QUESTIONS + CHECKS)
def test_a_question_declares_just_the_prefixes_that_it_uses(name: str) -> None:
    text = code(queries.read(QUERIES, name).text)
    declared = re.findall(r"\bPREFIX\s+([\w-]+):", text)
    body = re.sub(r"\bPREFIX\s+[\w-]+:", "", text)
    assert sorted(declared) == sorted(set(re.findall(r"(?<![\w?$:.-])([A-Za-z][\w-]*):", body)))


@pytest.mark.parametrize("name", QUESTIONS + CHECKS)
def test_a_question_orders_by_every_column(name: str, store: Store) -> None:
    """Only then is the order total. Of what a group is counted by, the group itself decides."""
    text = code(queries.read(QUERIES, name).text)
    columns = {f"?{variable.value}" for variable in solve(store, name).variables}
    counted = set(re.findall(r"\bAS (\?\w+)\)", text))
    assert columns - counted <= set(re.findall(r"\?\w+", text.rpartition("ORDER BY")[2]))


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_the_answer_is_not_that_of_the_data(
    name: str, store: Store, store_filled_backwards: Store
) -> None:
    assert ask(store, name) == ask(store_filled_backwards, name)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_question_gives_the_rows_that_were_read_in_the_texts(name: str, store: Store) -> None:
    with (EXPECTED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        expected = [tuple(row) for row in csv.reader(file)]
    assert ask(store, name) == expected


def test_each_file_of_expected_rows_belongs_to_a_question() -> None:
    found = [str(path.relative_to(EXPECTED).with_suffix("")) for path in EXPECTED.rglob("*.csv")]
    assert sorted(found) == QUESTIONS


def test_the_dialogues_of_2019_are_four_in_order_of_time(store: Store) -> None:
    heads, *rows = ask(store, "events/dialogues-in-order")
    columns = [heads.index(head) for head in ("start", "place_label")]
    assert [tuple(row[column] for column in columns) for row in rows] == [
        ("2019-04", "Bamako"),
        ("2019-10", "Seoul"),
        ("2019-11", "Liverpool"),
        ("2019-12-09", "Iztapalapa"),
    ]


def test_the_recommendations_are_those_printed_under_each_heading(store: Store) -> None:
    """Reads the roadmap anew, line by line: capitals make a heading, a number and a full stop an item."""
    text = (resources.folder("data") / "sources" / "003_563fcfe081474170.txt").read_text(encoding="utf-8")
    printed: list[Row] = []
    heading = ""
    for line in text.partition("In parallel, five self-organised sessions were organized.")[2].splitlines():
        item = re.fullmatch(r"(\d+)\. (.+)", line.strip())
        if item:
            printed.append((str(len(printed) + 1), heading, item[1], " ".join(item[2].split())))
        elif line.isupper():
            heading = line.strip()
    assert len(printed) == 77
    assert ask(store, "recommendations/in-order")[1:] == printed


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_nothing_wrong_in_the_data(name: str, store: Store) -> None:
    assert ask(store, name)[1:] == []


PREFIXES = "".join(
    f"@prefix {prefix}: <{iri}> .\n"
    for prefix, iri in {
        "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "skos": "http://www.w3.org/2004/02/skos/core#",
        "dcterms": "http://purl.org/dc/terms/",
        "schema": "https://schema.org/",
        "oa": "http://www.w3.org/ns/oa#",
        "sdg": "http://metadata.un.org/sdg/",
        "sse": f"{BASE}ontology#",
        "graph": f"{BASE}graph/",
        "": f"{BASE}id/x/",
        "certainty": f"{BASE}id/certainty/",
        "scheme": f"{BASE}id/scheme/",
    }.items()
)

#: A small graph for each check, with what the check is to find; beside each fault stands what is in order.
BROKEN: dict[str, tuple[str, list[Row]]] = {
    "alliance-without-evidence": (
        """
        graph:doc {
          :alliance a sse:Alliance ; sse:party :one , :two .
          :rumour a sse:Alliance .
          :c1 rdf:subject :alliance ; rdf:predicate sse:party ; rdf:object :one ; sse:evidence :q .
          :c2 rdf:subject :alliance ; rdf:predicate sse:party ; rdf:object :two .
          :q oa:exact "one" .
        }
        """,
        [("id/x/alliance", "id/x/two"), ("id/x/rumour", "")],
    ),
    "claim-incomplete": (
        """
        graph:doc {
          :c1 a sse:Claim ; rdf:subject :a ; rdf:predicate sse:within ; rdf:object :b ;
            sse:certainty certainty:stated ; dcterms:source :doc ; sse:evidence :q .
          :c2 a sse:Claim ; rdf:subject :a ; rdf:predicate sse:within ; rdf:object :c ;
            sse:certainty certainty:stated ; dcterms:source :doc .
        }
        """,
        [("id/x/c2", "ontology#evidence")],
    ),
    "claim-with-two-certainties": (
        """
        graph:doc {
          :c1 rdf:subject :a ; rdf:predicate sse:within ; rdf:object :b ; sse:certainty certainty:stated .
          :c2 rdf:subject :a ; rdf:predicate sse:within ; rdf:object :b ; sse:certainty certainty:ambiguous .
        }
        graph:other {
          :c3 rdf:subject :c ; rdf:predicate sse:within ; rdf:object :d ; sse:certainty certainty:stated .
        }
        graph:inferred {
          :c4 rdf:subject :c ; rdf:predicate sse:within ; rdf:object :d ; sse:certainty certainty:inferred .
        }
        """,
        [("graph/doc", "id/x/a", "ontology#within", "id/x/b", "2")],
    ),
    "concept-outside-scheme": (
        """
        graph:doc {
          :floating a sse:Theme .
          :settled a sse:Theme .
        }
        graph:concepts { :settled skos:inScheme scheme:themes }
        """,
        [("id/x/floating",)],
    ),
    "cycles": (
        """
        graph:doc {
          :a sse:within :b . :b sse:within :c . :c sse:within :a .
          :d sse:precedes :e . :e sse:precedes :f .
          :g sse:repeats :g .
        }
        """,
        [
            ("ontology#repeats", "id/x/g"),
            ("ontology#within", "id/x/a"),
            ("ontology#within", "id/x/b"),
            ("ontology#within", "id/x/c"),
        ],
    ),
    "english-name-missing": (
        """
        graph:doc {
          :a a sse:Place ; skos:prefLabel "Lugar"@es .
          :b a sse:Place ; skos:prefLabel "Place"@en .
          :c a sse:Claim .
        }
        """,
        [("id/x/a", "ontology#Place")],
    ),
    "evidence-from-elsewhere": (
        """
        graph:doc {
          :c1 a sse:Claim ; dcterms:source :doc ; sse:evidence :q1 .
          :c2 a sse:Claim ; dcterms:source :doc ; sse:evidence :q2 .
          :q1 sse:quotedFrom :doc .
          :q2 sse:quotedFrom :other .
        }
        """,
        [("id/x/c2", "id/x/doc", "id/x/other")],
    ),
    "fact-outside-graph": (
        """
        graph:doc {
          :c1 rdf:subject :a ; rdf:predicate sse:within ; rdf:object :b .
          :c2 rdf:subject :a ; rdf:predicate sse:within ; rdf:object :c .
          :a sse:within :b .
        }
        graph:other { :a sse:within :c }
        """,
        [("graph/doc", "id/x/c2", "id/x/a", "ontology#within", "id/x/c")],
    ),
    "fact-without-claim": (
        """
        graph:doc {
          <https://w3id.org/sse-kg/id/claim/c> a sse:Claim , rdf:Statement ;
            rdf:subject :a ; rdf:predicate rdf:type ; rdf:object sse:Network .
          <https://w3id.org/sse-kg/id/quotation/q> a sse:Quotation ; oa:exact "A" .
          :a a sse:Network , sse:Organisation , sse:Event ; sse:acronym "A" .
          :doc a sse:Document ; sse:sourceFile "doc.txt" ; dcterms:title "Doc"@en .
        }
        graph:concepts { :a skos:altLabel "Aa"@en }
        graph:sse { sse:Network rdfs:subClassOf sse:Organisation }
        """,
        [
            ("graph/doc", "id/x/a", "http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "ontology#Event"),
            ("graph/doc", "id/x/a", "ontology#acronym", "A"),
        ],
    ),
    "inferred-outside-inferred": (
        """
        graph:doc { :c1 sse:certainty certainty:inferred . :c2 sse:certainty certainty:stated }
        graph:inferred { :c3 sse:certainty certainty:inferred }
        """,
        [("id/x/c1", "graph/doc")],
    ),
    "link-to-nowhere": (
        """
        graph:doc {
          :event sse:takesPlaceIn :atlantis , :seoul ; sse:contributesTo sdg:17 , sdg:18 .
          :seoul a sse:Place .
          sdg:17 a <http://metadata.un.org/sdg/ontology#Goal> .
        }
        """,
        [
            ("id/x/event", "ontology#contributesTo", "http://metadata.un.org/sdg/18"),
            ("id/x/event", "ontology#takesPlaceIn", "id/x/atlantis"),
        ],
    ),
    "numbering-gap": (
        """
        graph:doc {
          :r1 sse:inSection :s ; sse:number 1 .
          :r2 sse:inSection :s ; sse:number 2 .
          :r4 sse:inSection :s ; sse:number 4 .
          :t1 sse:inSection :t ; sse:number 1 .
          :t1again sse:inSection :t ; sse:number 1 .
        }
        """,
        [("id/x/s", "4", "id/x/r4"), ("id/x/t", "1", "id/x/t1"), ("id/x/t", "1", "id/x/t1again")],
    ),
    "one-name-for-two": (
        """
        graph:doc {
          :a a sse:Theme ; skos:prefLabel "Housing"@en , "Vivienda"@es .
          :b a sse:Theme ; skos:prefLabel "Housing"@en .
          :c a sse:Sector ; skos:prefLabel "Housing"@en .
        }
        """,
        [("Housing", "ontology#Theme", "id/x/a", "id/x/b")],
    ),
    "order-gap": (
        """
        graph:doc {
          :s sse:inPolicy :roadmap ; sse:order 1 .
          :r1 sse:inSection :s ; sse:order 1 .
          :r2 sse:inSection :s ; sse:order 2 .
          :r2again sse:inSection :s ; sse:order 2 .
          :r5 sse:inSection :s ; sse:order 5 .
        }
        """,
        [
            ("id/x/roadmap", "2", "id/x/r2"),
            ("id/x/roadmap", "2", "id/x/r2again"),
            ("id/x/roadmap", "5", "id/x/r5"),
        ],
    ),
    "other-inside-inferred": (
        "graph:inferred { :c1 sse:certainty certainty:inferred . :c2 sse:certainty certainty:derived }",
        [("id/x/c2", "id/certainty/derived")],
    ),
    "party-without-actor": (
        """
        graph:doc {
          :alliance sse:party :p1 , :p2 .
          :p1 a sse:Party ; sse:partyActor :a ; sse:role :member .
          :p2 a sse:Party ; sse:partyActor :b .
          :p3 a sse:Party ; sse:partyActor :c ; sse:role :member .
        }
        """,
        [("id/x/p2",), ("id/x/p3",)],
    ),
    "quotation-offsets": (
        """
        graph:doc {
          :doc sse:characters 10 .
          :q1 a sse:Quotation ; oa:exact "abc" ; oa:start 0 ; oa:end 3 ; sse:quotedFrom :doc .
          :q2 a sse:Quotation ; oa:exact "abc" ; oa:start 0 ; oa:end 5 ; sse:quotedFrom :doc .
          :q3 a sse:Quotation ; oa:exact "abc" ; oa:start 9 ; oa:end 12 ; sse:quotedFrom :doc .
        }
        """,
        [("id/x/q2", "0", "5", "3", "10"), ("id/x/q3", "9", "12", "3", "10")],
    ),
    "quotation-unused": (
        "graph:doc { :c sse:evidence :q1 . :q1 a sse:Quotation . :q2 a sse:Quotation }",
        [("id/x/q2",)],
    ),
    "reason-missing": (
        """
        graph:doc {
          :c1 a sse:Claim ; sse:certainty certainty:stated .
          :c2 a sse:Claim ; sse:certainty certainty:derived .
          :c3 a sse:Claim ; sse:certainty certainty:inferred ; sse:rationale "It is known."@en .
          :c4 a sse:Claim ; sse:certainty certainty:ambiguous ; sse:rationale "Two readings."@en .
        }
        """,
        [
            ("id/x/c2", "id/certainty/derived", "ontology#rationale"),
            ("id/x/c3", "id/certainty/inferred", "ontology#method"),
        ],
    ),
    "sdg-link-outside-inferred": (
        """
        graph:doc {
          :a sse:contributesTo sdg:17 . :b sse:contributesTo sdg:5 .
          :c1 rdf:subject :a ; rdf:predicate sse:contributesTo ; rdf:object sdg:17 ;
            sse:certainty certainty:stated .
          :c2 rdf:subject :b ; rdf:predicate sse:contributesTo ; rdf:object sdg:5 ;
            sse:certainty certainty:inferred .
        }
        graph:inferred { :c sse:contributesTo sdg:5 }
        """,
        [("graph/doc", "id/x/b", "http://metadata.un.org/sdg/5")],
    ),
    "superclass-missing": (
        """
        graph:sse {
          sse:Network rdfs:subClassOf sse:Organisation . sse:Organisation rdfs:subClassOf sse:Actor .
        }
        graph:doc { :a a sse:Network , sse:Organisation , sse:Actor . :b a sse:Network , sse:Actor }
        """,
        [("id/x/b", "ontology#Network", "ontology#Organisation")],
    ),
    "text-not-as-printed": (
        """
        graph:doc {
          :r1 a sse:Recommendation ; sse:text "Empowering people"@en .
          :r2 a sse:Recommendation ; sse:text "Empower people"@en .
          :c1 rdf:subject :r1 ; rdf:predicate sse:text ; rdf:object "Empowering people"@en ; sse:evidence :q .
          :c2 rdf:subject :r2 ; rdf:predicate sse:text ; rdf:object "Empower people"@en ; sse:evidence :q .
          :q oa:exact "Empowering\\n  people" .
        }
        """,
        [("id/x/r2", "Empower people")],
    ),
    "time-backwards": (
        """
        graph:doc {
          :a schema:startDate "2022-10-19" ; schema:endDate "2022-10-18" .
          :b schema:startDate "2019-11" ; sse:precedes :c .
          :c schema:startDate "2019-10-01" ; sse:precedes :d .
          :d schema:startDate "2019" .
        }
        """,
        [("id/x/a", "2022-10-19", "2022-10-18"), ("id/x/b", "2019-11", "2019-10-01")],
    ),
    "two-names": (
        """
        graph:doc { :a skos:prefLabel "GSEF"@en , "Gsef"@fr . :b skos:prefLabel "Seoul"@en }
        graph:other { :a skos:prefLabel "Global Social Economy Forum"@en . :b skos:prefLabel "Seoul"@en }
        """,
        [("id/x/a", "GSEF", "Global Social Economy Forum")],
    ),
    "undeclared-term": (
        """
        graph:sse { sse:Place a rdfs:Class . sse:within a rdf:Property }
        graph:doc { :a a sse:Place , sse:Planet ; sse:within :b ; sse:orbits :c }
        """,
        [("ontology#Planet",), ("ontology#orbits",)],
    ),
    "unknown-certainty": (
        """
        graph:lists { certainty:stated skos:inScheme scheme:certainty }
        graph:doc {
          :c1 a sse:Claim ; sse:certainty certainty:stated .
          :c2 a sse:Claim ; sse:certainty certainty:probable .
        }
        """,
        [("id/x/c2", "id/certainty/probable")],
    ),
}


def test_there_is_a_broken_graph_for_each_check() -> None:
    assert sorted(f"checks/{name}" for name in BROKEN) == CHECKS


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_a_check_finds_what_is_wrong_and_nothing_else(name: str) -> None:
    text, expected = BROKEN[name]
    quads = list(parse(PREFIXES + text, format=RdfFormat.TRIG))
    assert all(isinstance(quad.graph_name, NamedNode) for quad in quads)
    found = ask(filled(quads), f"checks/{name}")[1:]
    assert [tuple(value.removeprefix(BASE) for value in row) for row in found] == expected
