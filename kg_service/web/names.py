"""What terms are called in the reader's language, and where they lead."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kg_service.languages import ENGLISH, place
from kg_service.linked_data.addresses import Addresses
from kg_service.ontology import Ontology
from kg_service.rdf import GRAPH, PREF_LABEL, PREFIXES, Literal, NamedNode, Term
from kg_service.rulebook import compact
from kg_service.web.rendering import Catalogue, href

_XSD = PREFIXES["xsd"]
_QUIET = {_XSD + name for name in ("string", "integer", "decimal", "date", "gYear", "gYearMonth", "boolean", "time")}
#: Characters of the longest text that is shown whole.
_LONGEST = 10_000
#: Addresses of licences, and what these are called by everybody.
_LICENCES = (
    (re.compile(r"https?://creativecommons\.org/licenses/([a-z-]+)/(\d\.\d)/?"), "CC {} {}"),
    (re.compile(r"https?://creativecommons\.org/publicdomain/zero/(\d\.\d)/?"), "CC0 {}"),
    (re.compile(r"https?://opendatacommons\.org/licenses/([a-z]+)/(\d)-(\d)/?"), "ODC-{} {}.{}"),
    (re.compile(r"https?://spdx\.org/licenses/([A-Za-z0-9.+-]+?)(?:\.html)?"), "{}"),
)


@dataclass(frozen=True, slots=True)
class Shown:
    """A term as a reader sees it: words, their language, and where they lead."""

    text: str
    language: str | None = None
    address: str | None = None
    iri: str | None = None
    datatype: str | None = None


class Names:
    """The names of terms: those of the graph, which `labels` holds by IRI, of the ontology, and of the pages."""

    def __init__(
        self,
        labels: Mapping[str, Iterable[Literal]],
        *,
        addresses: Addresses,
        ontology: Ontology,
        catalogue: Catalogue,
    ) -> None:
        self._labels, self.addresses = labels, addresses
        self.ontology, self.catalogue = ontology, catalogue

    def shown(self, term: Term) -> Shown:
        """A term in words: a name in the reader's language where there is one."""
        if isinstance(term, Literal):
            datatype = term.datatype.value
            if datatype == f"{_XSD}anyURI" and (address := href(term.value)):
                return Shown(term.value, address=address)
            shown = None if term.language or datatype in _QUIET else self.compact(datatype)
            if len(term.value) <= _LONGEST:
                return Shown(term.value, term.language, datatype=shown)
            cut = self.catalogue.words("text.cut", n=len(term.value))
            return Shown(f"{term.value[:_LONGEST]}…", term.language, datatype=cut)
        if not isinstance(term, NamedNode):
            return Shown(str(term))
        iri, label = term.value, self.label(term.value)
        # Not to be run by a click: an IRI such as javascript: is words, wherever the graph has it.
        address = self.addresses.page(iri) if href(iri) or iri.startswith("urn:") else None
        text, language = label or (self._word(iri) or _licence(iri) or self.compact(iri), None)
        return Shown(text, language, address, iri)

    def of(self, iri: str) -> Shown:
        """A thing in words."""
        return self.shown(NamedNode(iri))

    def property(self, iri: str) -> Shown:
        """A property in words."""
        text = self.ontology.label(iri, self.catalogue.language) or self._word(iri)
        label = None if text else self.label(iri)
        address = self.addresses.page(iri) if iri in self.ontology.terms else href(iri)
        return Shown(text or (label[0] if label else self.compact(iri)), label[1] if label else None, address, iri)

    def label(self, iri: str) -> tuple[str, str | None] | None:
        """The name of a thing with its language: in the first of those wanted that has one, else in English, else any.

        Words of the ontology are those of the page: `catalogue.tongues` is about what the graph says.
        """
        if term := self.ontology.terms.get(iri):
            texts = [Literal(text, language=tag) if tag else Literal(text) for tag, text in term.labels.items()]
            chosen = best(texts, self.catalogue.language)
        else:
            chosen = best(self._labels.get(iri, ()), *self.catalogue.tongues)
        return (chosen.value, chosen.language) if chosen else None

    def compact(self, iri: str) -> str:
        """An IRI as people write it: with a prefix where one fits, a graph by its name."""
        return iri.removeprefix(GRAPH) if iri.startswith(GRAPH) else compact(iri)

    def _word(self, iri: str) -> str | None:
        """What a term of another vocabulary is called here."""
        return self.catalogue.entries.get(f"term.{self.compact(iri)}")


def naming(thing: str, name: str, tongues: Sequence[str], *, by: str = str(PREF_LABEL)) -> list[str]:
    """The lines of a query that find what a thing is called: in the first of some languages that it has a name in, else
    in English, else all that it has. `thing` and `name` are variables, `by` is the property; names have the tags of
    languages alone, without places.

    Not by grouping all names, which takes longer than all the rest.
    """
    lines, found = list[str](), list[str]()
    for tag in dict.fromkeys((*tongues, ENGLISH)):
        each = f"{name}_{tag.replace('-', '_')}"
        test = " && ".join([*(f"!BOUND({better})" for better in found), f"LANG({each}) = {Literal(tag)}"])
        lines.append(f"OPTIONAL {{ {thing} {by} {each} . FILTER({test}) }}")
        found.append(each)
    test = " && ".join(f"!BOUND({better})" for better in found)
    lines.append(f"OPTIONAL {{ {thing} {by} {name}_other . FILTER({test}) }}")
    return [*lines, f"BIND(COALESCE({', '.join(found)}, {name}_other) AS {name})"]


def _licence(iri: str) -> str | None:
    """What a licence that many use is called; None for anything else."""
    for pattern, name in _LICENCES:
        if found := pattern.fullmatch(iri):
            return name.format(*(each.upper() if each.islower() else each for each in found.groups()))
    return None


def best(texts: Iterable[Literal], *tongues: str) -> Literal | None:
    """The text in the first of some languages that there is one in, else in English, else any."""
    return min(texts, key=lambda text: (place(text.language, tongues), str(text)), default=None)
