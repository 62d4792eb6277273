"""Which of a graph's literals are texts, and what each counts for."""

from __future__ import annotations

from collections.abc import Iterable

from kg_service.leading import SAME
from kg_service.rdf import ENTITY, ONTOLOGY, PREFIXES, RDF_TYPE, Literal, NamedNode, Term
from kg_service.search import Said

_RDF, _SKOS, _OA, _DCTERMS = PREFIXES["rdf"], PREFIXES["skos"], PREFIXES["oa"], PREFIXES["dcterms"]
_SUBJECT, _EVIDENCE = _RDF + "subject", ONTOLOGY + "evidence"
EXACT, RATIONALE = _OA + "exact", ONTOLOGY + "rationale"

LABELS = frozenset(
    {
        _SKOS + "prefLabel",
        PREFIXES["rdfs"] + "label",
        _DCTERMS + "title",
        PREFIXES["schema"] + "name",
        PREFIXES["foaf"] + "name",
    }
)
_NAMES = frozenset(
    {_SKOS + "altLabel", _SKOS + "hiddenLabel", ONTOLOGY + "acronym", _SKOS + "notation", ONTOLOGY + "countryCode"}
)
#: Strings that are no words of anybody: copies of others, context of quotations, keys.
_NO_TEXT = frozenset(
    {
        *(_RDF + "object", _OA + "prefix", _OA + "suffix", _DCTERMS + "language", ONTOLOGY + "sha256"),
        *(ONTOLOGY + "method", PREFIXES["owl"] + "versionInfo"),
        *(f"http://purl.org/vocab/vann/preferredNamespace{end}" for end in ("Uri", "Prefix")),
    }
)
_STRINGS = (PREFIXES["xsd"] + "string", _RDF + "langString")
#: Characters of a text that are kept.
LONGEST = 100_000

QUOTATION, CLAIM = ONTOLOGY + "Quotation", ONTOLOGY + "Claim"
#: Things that stand between others; who searches looks for those others first.
_RECORDS = frozenset(
    ONTOLOGY + name for name in ("Membership", "Participation", "Party", "TextIssue", "TimeSlot", "Citation", "Section")
)
#: The links that an index keeps, by the table that holds them.
LINKS = {RDF_TYPE.value: "kind", _SUBJECT: "about", _EVIDENCE: "evidence", SAME.value: "same"}
#: Where things that people look for have their IRIs.
_THINGS = (ENTITY, PREFIXES["sdg"])

#: By its number: what a text is to its thing, and what a match in it counts for.
TIERS = (
    ("label", 1.0),
    ("alternative name", 0.95),
    ("label", 0.7),
    ("alternative name", 0.65),
    ("text", 0.5),
    ("text", 0.4),
    ("quotation", 0.3),
    ("rationale", 0.25),
)
#: From this number on a text is no name.
AFTER_NAMES = 4
#: From this number on a text leads to the things that claims are about.
LEADING = 6


def tier(said: Said, subject: str, property_: str) -> int:
    """The number of what that text is to its subject: its place in `TIERS`."""
    if QUOTATION in said.types:
        return 6
    if CLAIM in said.types:
        return 7
    is_aside = not subject.startswith(_THINGS) or not said.types.isdisjoint(_RECORDS)
    if property_ in LABELS:
        return 2 if is_aside else 0
    if property_ in _NAMES:
        return 3 if is_aside else 1
    return 5 if is_aside else 4


def as_text(property_: str, value: Term) -> tuple[str, str, str] | None:
    """A statement's value as a text (property, language, value), or None where it is none."""
    if not isinstance(value, Literal) or property_ in _NO_TEXT or value.datatype.value not in _STRINGS:
        return None
    text = value.value[:LONGEST]
    return (property_, value.language or "", text) if text.strip() else None


def said(statements: Iterable[tuple[NamedNode, Term]]) -> Said:
    """What an index keeps of a subject of which all statements (property, value) are given."""
    texts, types, about, evidence, same = set[tuple[str, str, str]](), set[str](), set[str](), set[str](), set[str]()
    targets = {RDF_TYPE.value: types, _SUBJECT: about, _EVIDENCE: evidence, SAME.value: same}
    for property_, value in statements:
        if isinstance(value, NamedNode) and (target := targets.get(property_.value)) is not None:
            target.add(value.value)
        elif text := as_text(property_.value, value):
            texts.add(text)
    return Said(frozenset(texts), frozenset(types), frozenset(about), frozenset(evidence), frozenset(same))
