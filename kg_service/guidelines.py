"""The guidelines of GSEF and UNRISD as an instrument: a territory assessed against the eight functional blocks.

A block's evidence is what the graph knows in the territory that shares a theme or practice with the block. An own
answer is a number from 0 (nothing) to 4 (in force, funded and evaluated) with the words that say why. It is kept as a
figure (sse:Statistic) with a claim: inferred, because it is somebody's judgement, by the method named here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.entities import slug
from kg_service.rdf import PREF_LABEL, RDF_TYPE, Literal, NamedNode, Quad, entity, graph, sse

METHOD = "self-assessment against the GSEF/UNRISD guidelines"
#: What the numbers of an own answer mean.
SCALE = (
    "nothing of the kind",
    "first steps or intentions",
    "in preparation, or in force in part",
    "in force",
    "in force, funded and evaluated",
)
#: As many pieces of evidence as count for a whole; and below which share of a whole a block is a gap.
ENOUGH, GAP = 5, 0.5
_XSD = "http://www.w3.org/2001/XMLSchema#"
_SUBJECT = NamedNode("http://purl.org/dc/terms/subject")
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


@dataclass(frozen=True, slots=True)
class Block:
    """A functional block, in the order of the guidelines."""

    iri: str
    label: str
    words: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a territory says of one block."""

    block: str
    value: int
    words: str
    year: int
    language: str = "en"


def assessment(
    blocks: Iterable[Block],
    evidence: Iterable[Mapping[str, str]],
    answers: Iterable[Mapping[str, str]],
    territory: str,
    most: int = 20,
) -> dict[str, Any]:
    """Each block with its evidence, own answer, scores, and the territories where the graph knows more of it.

    `score` is the own answer's where there is one, else that of the evidence; both are from 0 to 1. A territory that is
    within another, or has it within, is no comparison: what it knows is counted for both.
    """
    found: dict[tuple[str, str], dict[str, dict[str, str]]] = {}
    names: dict[str, str] = {}
    for row in evidence:
        things = found.setdefault((row["block"], row["place"]), {})
        things.setdefault(row["thing"], {"iri": row["thing"], "label": row["thing_label"], "kind": row["kind"]})
        names[row["place"]] = row["place_label"]
    own = {row["block"]: row for row in answers if row["place"] == territory}
    told = [_told(block, found, names, own.get(block.iri), territory, most) for block in blocks]
    scores = [block["score"] for block in told]
    return {
        "data": told,
        "score": sum(scores) / len(scores) if scores else 0.0,
        "gaps": [block["iri"] for block in told if block["score"] < GAP],
        "unanswered": [block["iri"] for block in told if block["own_answer"] is None],
    }


def _told(
    block: Block,
    found: Mapping[tuple[str, str], dict[str, dict[str, str]]],
    names: Mapping[str, str],
    own: Mapping[str, str] | None,
    territory: str,
    most: int,
) -> dict[str, Any]:
    here = found.get((block.iri, territory), {})
    score = min(1.0, len(here) / ENOUGH)
    elsewhere = [
        (-len(things), place)
        for (which, place), things in found.items()
        if which == block.iri and place != territory and not things.keys() & here.keys()
    ]
    answer: dict[str, Any] | None = None
    if own:
        value = round(float(own["value"]))
        answer = {"value": value, "meaning": SCALE[min(max(value, 0), 4)], "words": own["words"], "year": own["year"]}
    return {
        "iri": block.iri,
        "label": block.label,
        "words": block.words,
        "evidence": sorted(here.values(), key=lambda thing: (thing["kind"], thing["label"]))[:most],
        "evidence_count": len(here),
        "evidence_score": score,
        "own_answer": answer,
        "own_score": answer["value"] / 4 if answer else None,
        "score": answer["value"] / 4 if answer else score,
        "comparable": [
            {"iri": place, "label": names[place], "evidence_count": -count} for count, place in sorted(elsewhere)[:3]
        ],
    }


def statistic(territory: str, block: str) -> NamedNode:
    """The figure in which the answer of a territory on a block is kept: a new answer replaces the old one."""
    place, which = (slug(iri.rstrip("/").rpartition("/")[2]) for iri in (territory, block))
    return entity("statistic", f"self-assessment-{place}-{which}")


def statements(territory: str, label: str, block: Block, answer: Answer) -> list[Quad]:
    """The figure of an answer and the claim that carries it, in the graph of what is inferred."""
    figure = statistic(territory, block.iri)
    claim = entity("claim", figure.value.rpartition("/")[2])
    value = Literal(str(answer.value), datatype=NamedNode(_XSD + "decimal"))
    name = f"Self-assessment of {label}: {block.label}"
    triples: list[tuple[NamedNode, NamedNode, NamedNode | Literal]] = [
        (figure, RDF_TYPE, sse("Statistic")),
        (figure, PREF_LABEL, Literal(name, language="en")),
        (figure, sse("statisticKind"), entity("statistic-kind", "claim")),
        (figure, sse("value"), value),
        (figure, sse("unit"), Literal("points of 4")),
        (figure, sse("measures"), Literal(f"how far it has come: {block.label}", language="en")),
        (figure, sse("scope"), NamedNode(territory)),
        (figure, sse("asOf"), Literal(f"{answer.year:04}", datatype=NamedNode(_XSD + "gYear"))),
        (figure, _SUBJECT, NamedNode(block.iri)),
        (claim, RDF_TYPE, sse("Claim")),
        (claim, RDF_TYPE, NamedNode(_RDF + "Statement")),
        (claim, NamedNode(_RDF + "subject"), figure),
        (claim, NamedNode(_RDF + "predicate"), sse("value")),
        (claim, NamedNode(_RDF + "object"), value),
        (claim, sse("certainty"), entity("certainty", "inferred")),
        (claim, sse("method"), Literal(METHOD)),
        (claim, sse("rationale"), Literal(answer.words, language=answer.language)),
    ]
    return [Quad(*triple, graph("inferred")) for triple in triples]
