from __future__ import annotations

from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad

from kg_service import resources
from kg_service.evidence import EncodingError, check_quotations, encode, encoded, find
from kg_service.rdf import TRIG, graph, parse_bytes, sse
from tests.conftest import ROOT

TEXT = "The bakers\u00a0of the valley\nshare one oven. The bakers sing “together”.\n"
HEAD = """
@prefix q: <urn:sse-kg:block:> .
@prefix sse: <https://w3id.org/sse-kg/ontology#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix certainty: <https://w3id.org/sse-kg/id/certainty/> .
@prefix document: <https://w3id.org/sse-kg/id/document/> .
@prefix organisation: <https://w3id.org/sse-kg/id/organisation/> .
document:chronicle a sse:Document ; sse:sourceFile "chronicle.txt" .
"""
BLOCK = 'q:one sse:exact "bakers of the valley share" . q:one { organisation:bakers a sse:Network . }'
ONTOLOGY = [ROOT / "ontology" / "sse.ttl"]


def quads(tmp_path: Path, blocks: str) -> set[Quad]:
    (tmp_path / "chronicle.txt").write_text(TEXT, encoding="utf-8")
    path = tmp_path / "chronicle.trig"
    path.write_text(HEAD + blocks, encoding="utf-8")
    return encode(path, sources=tmp_path, ontology=ONTOLOGY)


def values(made: set[Quad], predicate: str) -> set[str]:
    return {q.object.value for q in made if q.predicate.value.endswith(predicate)}  # type: ignore[union-attr]


def test_words_are_found_across_line_ends_and_non_breaking_spaces() -> None:
    assert find("bakers of the valley share one oven", TEXT) == [(4, 39)]
    assert len(find("The bakers", TEXT)) == 2
    assert find("", TEXT) == []
    assert find("bakers.", TEXT) == []


def test_a_block_becomes_facts_claims_and_a_quotation_with_its_context(tmp_path: Path) -> None:
    made = quads(tmp_path, BLOCK)
    assert values(made, "#exact") == {"bakers\u00a0of the valley\nshare"}
    assert values(made, "#prefix") == {"The "}
    assert values(made, "#start") == {"4"}
    assert values(made, "#end") == {"30"}
    assert all(suffix.startswith(" one oven.") and len(suffix) == 32 for suffix in values(made, "#suffix"))
    (claim,) = {q.subject for q in made if q.object == sse("Claim")}
    assert values({q for q in made if q.subject == claim}, "#certainty") == {
        "https://w3id.org/sse-kg/id/certainty/stated"
    }
    assert {q.graph_name for q in made} == {graph("chronicle")}
    assert not check_quotations(made, tmp_path)


def test_superclasses_are_written_out_and_are_no_claims(tmp_path: Path) -> None:
    made = quads(tmp_path, BLOCK)
    types = {q.object for q in made if q.subject.value.endswith("/bakers") and q.predicate.value.endswith("#type")}  # type: ignore[union-attr]
    assert types == {sse("Network"), sse("Organisation"), sse("Actor")}
    assert sum(q.object == sse("Claim") for q in made) == 1


def test_inferred_blocks_go_to_the_inferred_graph(tmp_path: Path) -> None:
    block = BLOCK + 'q:one sse:certainty certainty:inferred ; sse:rationale "why"@en ; sse:method "reading" .'
    made = quads(tmp_path, block)
    facts = {q for q in made if q.subject == NamedNode("https://w3id.org/sse-kg/id/organisation/bakers")}
    assert {q.graph_name for q in facts} == {graph("inferred")}


def test_a_name_that_the_source_does_not_print_is_derived(tmp_path: Path) -> None:
    for name, certainty in (("bakers of the valley", "stated"), ("The BAKERS", "stated"), ("Valley bakers", "derived")):
        made = quads(tmp_path, BLOCK.replace("a sse:Network", f'skos:prefLabel "{name}"@en'))
        assert values(made, "#certainty") == {f"https://w3id.org/sse-kg/id/certainty/{certainty}"}
        assert ("The editors’ name: the source does not print it in this form." in values(made, "#rationale")) == (
            certainty == "derived"
        )


def test_the_nth_occurrence_can_be_meant(tmp_path: Path) -> None:
    made = quads(tmp_path, BLOCK.replace("bakers of the valley share", "The bakers") + "q:one sse:occurrence 2 .")
    assert values(made, "#start") == {str(TEXT.rindex("The bakers"))}


def test_the_same_encoding_gives_the_same_bytes(tmp_path: Path) -> None:
    quads(tmp_path, BLOCK)
    made = {encoded(tmp_path / "chronicle.trig", sources=tmp_path, ontology=ONTOLOGY) for _ in range(2)}
    assert len(made) == 1
    assert set(parse_bytes(made.pop(), TRIG)) == quads(tmp_path, BLOCK)


@pytest.mark.parametrize(
    ("blocks", "words"),
    [
        (BLOCK.replace("bakers of", "weavers of"), 'not in https://w3id.org/sse-kg/id/document/chronicle: "weavers'),
        (BLOCK + "q:one sse:occurrence 3 .", "only 1 occurrence(s)"),
        (BLOCK + "q:one sse:occurrence 0 .", "must be 1, 2, 3"),
        (BLOCK + 'q:one sse:occurrence "two" .', "must be 1, 2, 3"),
        (BLOCK + 'q:one sse:occurrence "²" .', "must be 1, 2, 3"),
        ("q:one { organisation:bakers a sse:Network . }", "no sse:exact"),
        ('q:one sse:exact "bakers" .', "no triples"),
        (BLOCK + "q:one sse:certainty certainty:derived .", "derived needs an sse:rationale"),
        (BLOCK + 'q:one sse:certainty certainty:inferred ; sse:rationale "x" .', "inferred needs an sse:method"),
        (BLOCK + "q:one sse:certainty certainty:certain .", "unknown certainty"),
        (BLOCK + 'q:one sse:sourcePage "3" .', "unknown property"),
        (BLOCK.replace("organisation:bakers", "[]"), "blank node"),
        (BLOCK.replace("q:one {", "document:x {"), "is not a block"),
        (
            BLOCK + BLOCK.replace("q:one", "q:two") + 'q:two sse:certainty certainty:ambiguous ; sse:rationale "x" .',
            "choose one",
        ),
    ],
)
def test_what_does_not_fit_the_source_is_refused(tmp_path: Path, blocks: str, words: str) -> None:
    with pytest.raises(EncodingError) as caught:
        quads(tmp_path, blocks)
    assert words in caught.value.detail


@pytest.mark.parametrize("part", ["exact", "prefix", "suffix", "start", "end"])
def test_a_changed_quotation_is_found(tmp_path: Path, part: str) -> None:
    made = quads(tmp_path, BLOCK)
    (old,) = [q for q in made if q.predicate.value.endswith(f"#{part}")]
    value = Literal(5) if part in ("start", "end") else Literal("changed")
    new = Quad(old.subject, old.predicate, value, old.graph_name)
    (problem,) = check_quotations((made - {old}) | {new}, tmp_path)
    assert "not as in chronicle.txt" in problem


def test_every_data_file_is_what_its_encoding_gives() -> None:
    data = resources.folder("data")
    encodings = sorted((data / "encodings").glob("*.trig"))
    assert len(encodings) == 5
    for path in encodings:
        made = encoded(path, sources=data / "sources", ontology=sorted(resources.folder("ontology").glob("*.ttl")))
        assert (data / path.name).read_bytes() == made, f"{path.name}: run `kg encode`"


def test_every_quotation_of_the_data_is_in_its_source() -> None:
    data = resources.folder("data")
    for path in sorted(data.glob("*.trig")):
        made = list(parse_bytes(path.read_bytes(), TRIG))
        assert made
        assert not check_quotations(made, data / "sources")


def test_the_sources_are_the_texts_as_received(shared: Path) -> None:
    received = {path.name: path.read_bytes() for path in (shared / "seeds").iterdir()}
    shipped = {path.name: path.read_bytes() for path in (resources.folder("data") / "sources").iterdir()}
    assert shipped == received
