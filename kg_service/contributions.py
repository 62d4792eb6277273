"""What people contribute by forms, as changes: what is said of a thing, edited, and the evidence for it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping

from kg_service.errors import Malformed
from kg_service.evidence import Source, find, quotation
from kg_service.rdf import PREFIXES, RDF_TYPE, DefaultGraph, Literal, NamedNode, Quad, Term, entity, graph, sse
from kg_service.store import Delta

#: Where contributions go.
HOME = graph("contributions")
_RDF = PREFIXES["rdf"]
#: How certain a claim may be that somebody makes by a form; what is inferred needs a method.
CERTAINTIES = ("stated", "derived", "ambiguous")


def edited(thing: NamedNode, said: Iterable[Quad], wanted: Mapping[str, Collection[Term]]) -> Delta:
    """The change after which a thing has just the `wanted` values of each property, in whatever graph; what `said`
    holds of other properties stays."""
    old: dict[str, set[Term]] = {property: set() for property in wanted}
    removed: set[Quad] = set()
    for quad in said:
        if isinstance(quad.graph_name, DefaultGraph) or quad.predicate.value not in wanted:
            continue
        old[quad.predicate.value].add(quad.object)
        if quad.object not in wanted[quad.predicate.value]:
            removed.add(quad)
    added = {
        Quad(thing, NamedNode(property), value, HOME)
        for property, values in wanted.items()
        for value in values
        if value not in old[property]
    }
    return Delta(frozenset(added), frozenset(removed))


def passage(words: str, text: str, occurrence: int = 1) -> tuple[int, int]:
    """Where the words stand in a text, of several places the one of that number; Malformed says what is wrong."""
    places = find(words, text)
    if not places:
        raise Malformed("the document does not hold these words; copy them from its text")
    if occurrence > len(places):
        raise Malformed(f"the document holds these words {len(places)} times, not {occurrence}")
    return places[occurrence - 1]


def evidenced(
    added: Iterable[Quad], source: Source, span: tuple[int, int], *, certainty: str, rationale: Literal | None = None
) -> frozenset[Quad]:
    """The claims that a passage of a source states these things; types need none."""
    name, properties = quotation(source, *span)
    made = {Quad(name, property, value, HOME) for property, value in properties}
    for fact in added:
        if fact.predicate == RDF_TYPE:
            continue
        words = " ".join(str(each) for each in (fact.subject, fact.predicate, fact.object, source.document))
        claim = entity("claim", f"contribution-{hashlib.sha256(words.encode()).hexdigest()[:12]}")
        said: list[tuple[NamedNode, Term]] = [
            (RDF_TYPE, sse("Claim")),
            (RDF_TYPE, NamedNode(_RDF + "Statement")),
            (NamedNode(_RDF + "subject"), fact.subject),
            (NamedNode(_RDF + "predicate"), fact.predicate),
            (NamedNode(_RDF + "object"), fact.object),
            (sse("certainty"), entity("certainty", certainty)),
            (NamedNode(PREFIXES["dcterms"] + "source"), source.document),
            (sse("evidence"), name),
        ]
        said += [(sse("rationale"), rationale)] if rationale else []
        made |= {Quad(claim, property, value, HOME) for property, value in said}
    return frozenset(made)


def claims(thing: NamedNode) -> str:
    """The query for the claims about a thing: ?claim ?predicate ?object, and their statements: ?graph ?p ?o."""
    subject, predicate, value = (NamedNode(_RDF + name) for name in ("subject", "predicate", "object"))
    return (
        f"SELECT ?claim ?predicate ?object ?graph ?p ?o {{ ?claim {subject} {thing} ; {predicate} ?predicate ; "
        f"{value} ?object . GRAPH ?graph {{ ?claim ?p ?o }} }}"
    )


def without_claims(delta: Delta, about: Iterable[Mapping[str, Term]]) -> Delta:
    """The change with the claims of what it removes removed as well; `about` are rows of `claims`.

    A statement that moves to another graph, or stays in one, keeps its claims.
    """
    gone = {(quad.predicate, quad.object) for quad in delta.removed} - {(q.predicate, q.object) for q in delta.added}
    orphans = {
        Quad(row["claim"], row["p"], row["o"], row["graph"])  # type: ignore[arg-type]
        for row in about
        if (row["predicate"], row["object"]) in gone
    }
    return Delta(delta.added, delta.removed | frozenset(orphans))
