"""Where a claim is from: its documents with their licences and dates, and which change brought it into the graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.rdf import ONTOLOGY, PREFIXES, NamedNode
from kg_service.store.log import Entry
from kg_service.web.names import Names, Shown

_DCTERMS = PREFIXES["dcterms"]
_LICENCE = f"{_DCTERMS}license"
#: What is told of a document, in order.
_FACTS = (f"{ONTOLOGY}author", *(f"{_DCTERMS}{name}" for name in ("publisher", "issued", "language", "license")))


def query(claim: NamedNode) -> str:
    """What is said of the documents that a claim is from: ?document, ?property, ?value."""
    facts = " ".join(str(NamedNode(each)) for each in _FACTS)
    path = f"<{ONTOLOGY}evidence>/<{ONTOLOGY}quotedFrom>|<{_DCTERMS}source>"
    return (
        f"SELECT DISTINCT ?document ?property ?value {{ {claim} {path} ?document . "
        f"FILTER(isIRI(?document)) OPTIONAL {{ VALUES ?property {{ {facts} }} ?document ?property ?value }} }} "
        "ORDER BY ?document ?property ?value"
    )


@dataclass(frozen=True, slots=True)
class From:
    """A document, its text, and what is told of it; `no_licence` is what the licence is called where none is stated."""

    name: Shown
    text: str | None
    facts: tuple[tuple[Shown, tuple[Shown, ...]], ...]
    no_licence: Shown | None


@dataclass(frozen=True, slots=True)
class Origin:
    """The documents of a claim, and the first change that is about it, where the log tells."""

    documents: tuple[From, ...]
    change: Entry | None


def documents(rows: Iterable[Mapping[str, Any]], names: Names) -> tuple[From, ...]:
    """The documents of the rows of `query`."""
    said: dict[str, dict[str, list[Shown]]] = {}
    for row in rows:
        about = said.setdefault(row["document"].value, {})
        if "property" in row:
            about.setdefault(row["property"].value, []).append(names.shown(row["value"]))
    return tuple(
        From(
            names.of(iri),
            names.addresses.source(iri),
            tuple((names.property(each), tuple(about[each])) for each in _FACTS if each in about),
            None if _LICENCE in about else names.property(_LICENCE),
        )
        for iri, about in said.items()
    )
