"""data/README.md is true of the data: its tables are what the data give, its examples stand in the files."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, QuerySolutions

from kg_service import checks, evidence, resources
from kg_service.rdf import ENTITY, ONTOLOGY, PREFIXES

DATA = resources.folder("data")
README = (DATA / "README.md").read_text(encoding="utf-8")
SPARQL = re.findall(r"^```sparql\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
EXAMPLES = re.findall(r"^```(?:trig|turtle)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
DOCUMENTS = dict(re.findall(r"^\| `(\d{3})_\w+\.txt` \| `([\w-]+)` \|$", README, re.MULTILINE))
NUMBERS = tuple(DOCUMENTS)
CERTAINTIES = ("stated", "derived", "ambiguous", "inferred")
Row = tuple[str, ...]


def table(*header: str) -> list[Row]:
    """The rows of the README's one table whose header begins with those cells; fails unless there is just one."""
    found: list[list[Row]] = []
    for lines in re.findall(r"(?:^\|.*\|\n)+", README, re.MULTILINE):
        head, _, *rows = [tuple(cell.strip() for cell in line[1:-1].split("|")) for line in lines.splitlines()]
        if head[: len(header)] == header:
            found.append(rows)
    assert len(found) == 1, f"{len(found)} tables begin with {header}"
    return found[0]


def pivot(counts: Counter[tuple[str, str]]) -> list[Row]:
    """Rows as the README prints them: a kind, its count in each document, its sum; at the end the sums of all."""
    kinds = sorted({kind for _, kind in counts})
    rows = {kind: [counts[DOCUMENTS[number], kind] for number in NUMBERS] for kind in kinds}
    rows["all"] = [sum(column) for column in zip(*rows.values(), strict=True)]
    return [(kind, *(str(count) if count else "–" for count in row), str(sum(row))) for kind, row in rows.items()]


@pytest.fixture(scope="module")
def material() -> checks.Material:
    return checks.Material(**{name: resources.folder(name) for name in ("ontology", "shapes", "queries", "data")})


def ask(material: checks.Material, query: str) -> list[Row]:
    """The answer as plain values; IRIs of the project without the part that they share."""
    prefixes = "".join(f"PREFIX {name}: <{PREFIXES[name]}>\n" for name in ("rdf", "skos", "oa", "dcterms"))
    found = material.store.query(f"PREFIX sse: <{ONTOLOGY}>\n{prefixes}{query}")
    assert isinstance(found, QuerySolutions)
    names = [variable.value for variable in found.variables]
    return [tuple(_plain(solution[name]) for name in names) for solution in found]


def _plain(term: object) -> str:
    assert isinstance(term, NamedNode | Literal)
    return term.value.removeprefix(ENTITY)


def numbered(recommendations: set[str]) -> str:
    """Recommendations by section and number, as “2.1, 12.4”."""
    pairs = sorted(tuple(map(int, name.split("-")[-2:])) for name in recommendations)
    return ", ".join(f"{section}.{number}" for section, number in pairs)


def test_the_sources_are_those_that_the_encodings_name(material: checks.Material) -> None:
    files = ask(material, "SELECT DISTINCT ?file ?document { ?document sse:sourceFile ?file } ORDER BY ?file")
    rows = table("source")
    assert [(file.strip("`"), f"document/{slug.strip('`')}") for file, slug in rows] == files
    assert {path.stem for path in (DATA / "encodings").iterdir()} == set(DOCUMENTS.values())


def test_the_coverage_is_what_kg_check_prints(material: checks.Material) -> None:
    assert table("document", "sentences") == [
        (each.document, *map(str, (each.sentences, each.claimed, *counts, sum(counts))))
        for each in checks.coverage(material)
        for counts in [[each.claims.get(kind, 0) for kind in CERTAINTIES]]
    ]


def test_the_claims_per_kind_are_what_the_query_beside_them_gives(material: checks.Material) -> None:
    rows = ask(material, SPARQL[0])
    counts = Counter({(document, kind): int(claims) for document, kind, claims in rows})
    assert table("kind") == pivot(counts)
    claims = {each.document: sum(each.claims.values()) for each in checks.coverage(material)}
    assert table("kind")[-1] == ("all", *(str(claims[DOCUMENTS[n]]) for n in NUMBERS), str(sum(claims.values())))


def test_the_text_issues_per_kind_are_those_of_the_question(material: checks.Material) -> None:
    question = (resources.folder("queries") / "quality" / "issues-per-document.rq").read_text(encoding="utf-8")
    counts = Counter(
        {
            (document.removeprefix("document/"), kind.removeprefix("issue-kind/")): int(issues)
            for document, kind, _, issues in ask(material, question)
        }
    )
    assert [(kind, *each) for kind, _, *each in table("text issue")] == pivot(counts)
    means = ask(
        material, 'SELECT ?kind ?text { ?kind a sse:IssueKind ; skos:definition ?text FILTER(LANG(?text) = "en") }'
    )
    assert {row[:2] for row in table("text issue")[:-1]} <= {(k.removeprefix("issue-kind/"), t) for k, t in means}


def test_the_query_for_all_text_issues_gives_each_once(material: checks.Material) -> None:
    issues = [row[0] for row in ask(material, SPARQL[1])]
    assert str(len(issues)) == table("text issue")[-1][-1]
    assert len(set(issues)) == len(issues)


def test_the_text_issues_named_exist_and_every_kind_and_contradiction_is_named(material: checks.Material) -> None:
    named = set(re.findall(r"`(text-issue/[^`…]+)`", README))
    kinds: dict[str, set[str]] = {}
    for issue, kind in ask(material, "SELECT ?issue ?kind { ?issue a sse:TextIssue ; sse:issueKind ?kind }"):
        kinds.setdefault(kind, set()).add(issue)
    assert len(named) > 100
    assert named - set().union(*kinds.values()) == set()
    assert [kind for kind, issues in kinds.items() if not issues & named] == []
    assert kinds["issue-kind/contradiction"] <= named


def test_the_recommendations_per_section_are_those_of_the_graph(material: checks.Material) -> None:
    sections = ask(
        material,
        """SELECT ?order ?heading ?session (COUNT(DISTINCT ?recommendation) AS ?recommendations) {
             ?section a sse:Section ; sse:order ?order ; sse:heading ?heading ; sse:fromSession ?session .
             OPTIONAL { ?recommendation a sse:Recommendation ; sse:inSection ?section }
           } GROUP BY ?order ?heading ?session ORDER BY ?order""",
    )
    *rows, total = table("section")
    assert [(order, heading, f"event/{session.strip('`')}", graph) for order, heading, session, _, graph in rows] == (
        sections
    )
    assert total[-1] == str(sum(int(row[-1]) for row in rows))


def test_the_recommendations_per_section_are_those_of_the_document() -> None:
    text = evidence.read_source(next((DATA / "sources").glob("003_*.txt")))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    *rows, total = table("section")
    headings = {heading for _, heading, *_ in rows}
    counts: Counter[str] = Counter()
    heading = ""
    for line in lines[lines.index("In parallel, five self-organised sessions were organized.") + 1 :]:
        heading = line if line in headings else heading
        counts[heading] += re.match(r"\d+\. ", line) is not None
    assert [(row[1], row[3]) for row in rows] == [(row[1], str(counts[row[1]])) for row in rows]
    assert total[3] == str(counts.total())


def test_the_recommendations_with_an_addressee_and_without_a_goal_are_those_listed(material: checks.Material) -> None:
    addressed: dict[str, set[str]] = {}
    for recommendation, certainty in ask(
        material,
        """SELECT ?recommendation ?certainty {
             ?claim rdf:subject ?recommendation ; rdf:predicate sse:addressee ; sse:certainty ?certainty .
             ?recommendation a sse:Recommendation }""",
    ):
        addressed.setdefault(certainty.removeprefix("certainty/"), set()).add(recommendation)
    assert table("an addressee is") == [(kind, numbered(addressed[kind])) for kind in CERTAINTIES if kind in addressed]
    without = "SELECT ?r { ?r a sse:Recommendation FILTER NOT EXISTS { ?r sse:contributesTo ?goal } }"
    unlinked = numbered({row[0] for row in ask(material, without)})
    assert f"No target was near enough for the recommendations {unlinked}." in " ".join(README.split())


def test_the_themes_without_a_goal_are_those_listed(material: checks.Material) -> None:
    listed = re.findall("`([^`]+)`", " ".join(README.split()).partition("no Goal speaks of: ")[2].partition(". ")[0])
    without = "SELECT DISTINCT ?t { ?t a sse:Theme FILTER NOT EXISTS { ?t sse:contributesTo ?goal } } ORDER BY ?t"
    assert [f"theme/{each}" for each in listed] == [row[0] for row in ask(material, without)]


def test_the_goals_per_document_are_those_linked(material: checks.Material) -> None:
    goals: dict[str, set[str]] = {}
    for claim, goal in ask(
        material, "SELECT ?claim ?goal { ?claim rdf:predicate sse:contributesTo ; rdf:object ?goal }"
    ):
        document = re.sub(r"^claim/(.*)-[0-9a-f]{12}$", r"\1", claim)
        goals.setdefault(document, set()).add(goal.rpartition("/")[2])
    for number, listed in table("document", "linked to"):
        assert number == "003" or set(listed.split(", ")) == goals[DOCUMENTS[number]]


def test_each_certainty_s_example_is_a_claim_on_the_words_quoted(material: checks.Material) -> None:
    claims: dict[Row, set[str]] = {}
    for claim, value, certainty, exact in ask(
        material,
        """SELECT ?claim ?value ?certainty ?exact {
             ?claim rdf:object ?value ; sse:certainty ?certainty ; sse:evidence/oa:exact ?exact }""",
    ):
        claims.setdefault((claim, value, certainty), set()).add(" ".join(exact.split()))
    rows = table("certainty")
    assert [row[0] for row in rows] == list(CERTAINTIES)
    for kind, _, example, words in rows:
        last, quoted = example.split()[-1], set(re.findall("“([^”]+)”", words))
        assert quoted
        assert [
            claim
            for (claim, value, certainty), exact in claims.items()
            if certainty == f"certainty/{kind}" and re.split("[/ ]", value)[-1] == last and exact == quoted
        ], example


def test_the_examples_stand_in_the_files() -> None:
    files = "".join(
        path.read_text(encoding="utf-8")
        for path in sorted([*(DATA / "encodings").glob("*.trig"), *DATA.glob("sse-guidelines-cocreation-session.trig")])
    )
    held = {line.strip() for line in files.splitlines()}
    lines = [line.strip() for example in EXAMPLES for line in example.splitlines() if line]
    assert len(lines) > 50
    assert [line for line in lines if line not in held] == []


def test_the_example_encoding_works_by_itself(tmp_path: Path) -> None:
    (example,) = [each for each in EXAMPLES if each.startswith("@prefix")]
    path = tmp_path / "sse-guidelines-cocreation-session.trig"
    path.write_text(example, encoding="utf-8")
    ontology = sorted(resources.folder("ontology").glob("*.ttl"))
    made = evidence.encode(path, sources=DATA / "sources", ontology=ontology)
    claims = {quad.object.value for quad in made if quad.predicate.value == f"{ONTOLOGY}certainty"}  # type: ignore[union-attr]
    assert claims == {f"{ENTITY}certainty/{kind}" for kind in ("stated", "derived", "inferred")}
    assert not evidence.check_quotations(made, DATA / "sources")


def test_the_messages_are_the_encoder_s() -> None:
    code = Path(evidence.__file__).read_text(encoding="utf-8")
    for message, _ in table("message"):
        for part in message.strip("`").split("…"):
            assert part.strip(' :;"<>') in code, message
