"""The classes and properties that queries may name: those of the ontology, a few of other vocabularies, and three
that stand for several.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from kg_service.ontology import Ontology, OntologyTerm, in_language
from kg_service.rdf import ENTITY, ONTOLOGY, PREFIXES, NamedNode
from kg_service.search.names import alike

_SCHEMA, _DCTERMS, _SKOS = PREFIXES["schema"], PREFIXES["dcterms"], PREFIXES["skos"]
#: Where a thing is, in whatever way; a place within another counts as being in both.
PLACES = tuple(ONTOLOGY + name for name in ("locatedIn", "governs", "takesPlaceIn", "activeIn", "scope", "within"))
WITHIN = ONTOLOGY + "within"
WEBSITES = (_SCHEMA + "url", PREFIXES["foaf"] + "homepage", _SCHEMA + "sameAs")
#: Properties that stand for several.
TOGETHER = {"country": PLACES, "place": PLACES, "website": WEBSITES}
_MORE = {
    "country": {"en": "country", "es": "país", "fr": "pays"},
    "place": {"en": "place", "es": "lugar", "fr": "lieu"},
    "website": {"en": "website", "es": "sitio web", "fr": "site web"},
    _SCHEMA + "startDate": {"en": "start date", "es": "fecha de inicio", "fr": "date de début"},
    _SCHEMA + "endDate": {"en": "end date", "es": "fecha de fin", "fr": "date de fin"},
    _SCHEMA + "sameAs": {"en": "same as", "es": "igual que", "fr": "identique à"},
    _DCTERMS + "issued": {"en": "issued", "es": "fecha de publicación", "fr": "date de publication"},
    _SKOS + "prefLabel": {"en": "name", "es": "nombre", "fr": "nom"},
    _SKOS + "altLabel": {"en": "other name", "es": "otro nombre", "fr": "autre nom"},
    _SKOS + "definition": {"en": "definition", "es": "definición", "fr": "définition"},
}
#: What is first offered for things of any class.
_FIRST = (_SKOS + "prefLabel", _SKOS + "altLabel", ONTOLOGY + "acronym", "country", "place", "website")
#: Classes that are offered first.
DEFAULT_TYPES = tuple(
    ONTOLOGY + name for name in ("Organisation", "Government", "Event", "Policy", "Alliance", "Place", "Theme")
)


@dataclass(frozen=True, slots=True)
class Named:
    """A class or property as it is offered: its identifier, name and description in a language, classes above."""

    iri: str
    name: str
    description: str = ""
    broader: tuple[str, ...] = ()


class Vocabulary:
    """The classes and properties by name."""

    def __init__(self, ontology: Ontology) -> None:
        self._ontology = ontology

    def class_iri(self, identifier: str) -> str | None:
        """The class that an identifier means: an IRI, a prefixed name, or a name of the ontology."""
        found = self._ontology.terms.get(expanded(identifier)) or self._ontology.terms.get(ONTOLOGY + identifier)
        if found is not None:
            return found.iri if found.is_class else None
        # Classes of other vocabularies, such as SDG goals, are known by their IRIs only.
        return expanded(identifier) if "://" in expanded(identifier) else None

    def below(self, iri: str) -> Iterator[str]:
        """The class and all below it."""
        yield iri
        term = self._ontology.terms.get(iri)
        for each in term.below if term else ():
            yield from self.below(each)

    def property_iri(self, identifier: str) -> str:
        """The property that an identifier means; itself when nobody knows it."""
        if identifier in _MORE:
            return identifier
        full = expanded(identifier)
        if full in self._ontology.terms or full in _MORE:
            return full
        own = ONTOLOGY + identifier
        return own if own in self._ontology.terms else full

    def type_named(self, iri: str, languages: Sequence[str]) -> Named | None:
        term = self._ontology.terms.get(iri)
        return _named(term, languages) if term is not None and term.is_class else None

    def property_named(self, iri: str, languages: Sequence[str]) -> Named | None:
        if iri in _MORE:
            return Named(iri, in_language(_MORE[iri], *languages) or "")
        term = self._ontology.terms.get(iri)
        return _named(term, languages) if term is not None and not term.is_class else None

    def types(self, languages: Sequence[str]) -> list[Named]:
        """All classes of things, by name."""
        return sorted(
            (_named(term, languages) for term in self._ontology.of_kind("class")), key=lambda each: each.name.casefold()
        )

    def properties(self, languages: Sequence[str]) -> list[Named]:
        """All properties, by name."""
        languages = tuple(languages)
        own = [_named(term, languages) for term in self._ontology.terms.values() if not term.is_class]
        more = [Named(iri, in_language(names, *languages) or "") for iri, names in _MORE.items()]
        return sorted([*own, *more], key=lambda each: (each.name.casefold(), each.iri))

    def proposed(self, type_iri: str, languages: Sequence[str]) -> list[Named]:
        """The properties that things of a class may have, those of every thing and then its own first."""
        languages, above = tuple(languages), self._above(type_iri)
        found = [named for iri in _FIRST if (named := self.property_named(iri, languages))]
        terms = [term for term in self._ontology.terms.values() if not term.is_class]
        for is_own in (True, False):
            fitting = (t for t in terms if (bool(set(t.domain) & above) if is_own else not t.domain))
            found += sorted((_named(term, languages) for term in fitting), key=lambda each: each.name.casefold())
        return list({each.iri: each for each in found}.values())

    def range_of(self, iri: str) -> str | None:
        """The one class of a property's values, where there is one."""
        term = self._ontology.terms.get(iri)
        return term.range[0] if term and len(term.range) == 1 and term.kind == "object-property" else None

    def _above(self, iri: str) -> set[str]:
        found, waiting = set[str](), [iri]
        while waiting:
            here = waiting.pop()
            if here not in found:
                found.add(here)
                term = self._ontology.terms.get(here)
                waiting += term.above if term else ()
        return found


def offered(prefix: str, among: Iterable[Named]) -> list[Named]:
    """Those whose name begins with what was typed, then those with a word that does, then those spelled nearly so;
    one that has it as its identifier comes first. All, for nothing typed.
    """
    typed = prefix.strip().casefold()
    if not typed:
        return list(among)

    def rank(each: Named) -> float:
        name, local = each.name.casefold(), each.iri.removeprefix(ONTOLOGY).casefold()
        if typed in (each.iri.casefold(), local):
            return 0
        if name.startswith(typed) or local.startswith(typed):
            return 1
        if any(word.startswith(typed) for word in name.split()):
            return 2
        return 3 if alike(typed, name) > 0.75 else 4

    ranked = sorted(((rank(each), each) for each in among), key=lambda pair: pair[0])
    return [each for place, each in ranked if place < 4]


def expanded(identifier: str) -> str:
    """An IRI for an IRI, a prefixed name, or the path of a thing such as organisation/gsef; else as it is."""
    prefix, colon, local = identifier.partition(":")
    if colon:
        return PREFIXES[prefix] + local if prefix in PREFIXES else identifier
    kind, slash, slug = identifier.partition("/")
    return ENTITY + identifier if slash and kind.replace("-", "").isalpha() and slug and " " not in slug else identifier


def is_iri(text: str) -> bool:
    """Whether a text is an absolute IRI that can stand in a query."""
    try:
        NamedNode(text)
    except ValueError:
        return False
    return not any(c in '<>"{}|^`\\' or c.isspace() for c in text)


def is_property(identifier: str) -> bool:
    """Whether it can be a property in the graph: names that nobody knows are no IRIs."""
    return "://" in identifier and is_iri(identifier)


def _named(term: OntologyTerm, languages: Sequence[str]) -> Named:
    label, meaning = (in_language(texts, *languages) for texts in (term.labels, term.definitions))
    return Named(term.iri, label or term.name, meaning or "", term.above)
