"""What the pages about the ontology and about the shapes show, in the reader's language."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from kg_service.languages import best_text
from kg_service.linked_data.addresses import Addresses
from kg_service.ontology import IRI, Ontology, OntologyTerm, Scheme
from kg_service.rdf import SHAPE, Literal, NamedNode, Term
from kg_service.rulebook import Rule, Rulebook, ShapeText, compact
from kg_service.web.names import Shown
from kg_service.web.rendering import Catalogue, href

#: What a term can be had in, with the ending of its address.
_FORMATS = (("Turtle", "ttl"), ("JSON-LD", "jsonld"), ("RDF/XML", "rdf"), ("N-Triples", "nt"))


@dataclass(frozen=True, slots=True)
class Usage:
    """How often a term is used, and one thing that uses it."""

    uses: int
    example: Term | None


@dataclass(frozen=True, slots=True)
class TermText:
    """A term of the ontology, ready to be shown; `facts` are its relations, by the key of their name."""

    name: str
    iri: str
    kind: str
    label: Shown
    definition: Shown | None
    notes: tuple[Shown, ...]
    facts: tuple[tuple[str, tuple[Shown, ...]], ...]
    alignments: tuple[tuple[str, Shown], ...]
    shapes: tuple[Shown, ...]
    uses: int | None
    instances: str | None
    example: Shown | None
    formats: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ListText:
    """A list with its concepts, each with its definition."""

    name: str
    label: Shown
    definition: Shown | None
    concepts: tuple[tuple[Shown, Shown | None], ...]


class Words:
    """Texts of several languages in the reader's."""

    def __init__(self, addresses: Addresses, ontology: Ontology, catalogue: Catalogue) -> None:
        self.addresses, self.ontology, self.language = addresses, ontology, catalogue.language

    def text(self, texts: Mapping[str, str]) -> Shown | None:
        """The text in the reader's language, else in English, else any, with its language."""
        found = best_text(texts, (self.language,))
        return Shown(*found) if found else None

    def iri(self, iri: str) -> Shown:
        """A term of ours by its name, another as people write it."""
        label = self.ontology.label(iri, self.language)
        if label:
            return Shown(label, self.language, self.addresses.page(iri), iri)
        return Shown(compact(iri), address=href(iri), iri=iri)

    def term(self, term: Term) -> Shown:
        if isinstance(term, NamedNode):
            return self.iri(term.value)
        return Shown(term.value, term.language) if isinstance(term, Literal) else Shown(str(term))


class OntologyPage:
    """The ontology in a language: its classes, properties and lists."""

    def __init__(
        self,
        ontology: Ontology,
        rulebook: Rulebook,
        usage: Mapping[str, Usage],
        *,
        addresses: Addresses,
        catalogue: Catalogue,
    ) -> None:
        self._words = Words(addresses, ontology, catalogue)
        self._ontology, self._rulebook, self._usage, self._addresses = ontology, rulebook, usage, addresses
        self._used_with: dict[str, list[str]] = defaultdict(list)
        for term in ontology.terms.values():
            for domain in term.domain:
                self._used_with[domain].append(term.iri)
        self.iri, self.version = IRI, ontology.version
        self.title = self._words.text(ontology.titles)
        self.description = self._words.text(ontology.descriptions)
        self.classes = [self._term(each) for each in ontology.of_kind("class")]
        self.properties = [self._term(each) for each in ontology.terms.values() if not each.is_class]
        self.properties.sort(key=lambda each: each.name)
        self.lists = [self._list(each) for each in ontology.schemes if each.concepts]
        self.open_lists = [self._list(each) for each in ontology.schemes if not each.concepts]

    def _term(self, term: OntologyTerm) -> TermText:
        words, used = self._words, self._usage.get(term.iri)
        facts = {
            "above": term.above,
            "below": term.below,
            "domain": term.domain,
            "range": term.range,
            "properties": sorted(self._used_with[term.iri]) if term.is_class else (),
            "disjoint": term.disjoint,
        }
        shapes = (
            self._rulebook.of_class(term.iri)
            if term.is_class
            else list({shape.iri: shape for shape, _ in self._rulebook.of_property(term.iri)}.values())
        )
        example = used.example.value if used and isinstance(used.example, NamedNode) else None
        return TermText(
            term.name,
            term.iri,
            term.kind,
            words.text(term.labels) or Shown(term.name),
            words.text(term.definitions),
            tuple(words.term(each) for each in term.notes),
            tuple((key, tuple(map(words.iri, iris))) for key, iris in facts.items() if iris),
            tuple((relation, words.iri(iri)) for relation, iri in term.alignments),
            tuple(Shown(each.name, address=self._addresses.page(each.iri)) for each in shapes),
            (used.uses if used else 0) if self._usage else None,
            self._addresses.instances(term.iri) if term.is_class and used else None,
            Shown(example.rpartition("/")[2], address=self._addresses.page(example)) if example else None,
            tuple((name, f"{self._addresses.root}/ontology/{term.name}.{end}") for name, end in _FORMATS),
        )

    def _list(self, scheme: Scheme) -> ListText:
        words = self._words
        return ListText(
            scheme.iri.rpartition("/")[2],
            _linked(words.text(scheme.labels), scheme.iri, self._addresses),
            words.text(scheme.definitions),
            tuple(
                (_linked(words.text(each.labels), each.iri, self._addresses), words.text(each.definitions))
                for each in scheme.concepts
            ),
        )


def _linked(text: Shown | None, iri: str, addresses: Addresses) -> Shown:
    words = text or Shown(compact(iri))
    return Shown(words.text, words.language, addresses.page(iri), iri)


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule of a shape, ready to be shown; its name is what others point at, once on a page."""

    name: str
    label: Shown | None
    path: str
    severity: str
    description: Shown | None
    message: Shown | None
    asks: tuple[tuple[str, tuple[Shown, ...]], ...]
    has_query: bool


@dataclass(frozen=True, slots=True)
class ShapeSection:
    """A shape, ready to be shown; `targets` are pairs of the key of a kind and a term."""

    name: str
    compact: str
    label: Shown
    description: Shown | None
    targets: tuple[tuple[str, Shown], ...]
    rules: tuple[RuleText, ...]


class ShapesPage:
    """The shapes in a language."""

    def __init__(self, rulebook: Rulebook, *, ontology: Ontology, addresses: Addresses, catalogue: Catalogue) -> None:
        self._words = Words(addresses, ontology, catalogue)
        self._named = {each.name for each in rulebook.shapes}
        self.shapes = [self._shape(each) for each in rulebook.shapes]
        self.count = sum(len(each.rules) for each in self.shapes)

    def _shape(self, shape: ShapeText) -> ShapeSection:
        words = self._words
        return ShapeSection(
            shape.name,
            compact(shape.iri),
            words.text(shape.labels) or Shown(shape.name),
            words.text(shape.descriptions),
            tuple((kind, words.iri(iri)) for kind, iri in shape.targets),
            tuple(map(self._rule, shape.rules)),
        )

    def _rule(self, rule: Rule) -> RuleText:
        words = self._words
        name = rule.iri.removeprefix(SHAPE) if rule.iri.startswith(SHAPE) else ""
        name = "" if name in self._named else name
        self._named.add(name)
        return RuleText(
            name,
            words.text(rule.names),
            rule.path,
            rule.severity,
            words.text(rule.descriptions),
            words.text(rule.messages),
            tuple((name, tuple(map(words.term, values))) for name, values in rule.asks),
            rule.has_query,
        )
