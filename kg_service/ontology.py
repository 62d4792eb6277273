"""The terms of the ontology: what each means, how it stands to others, what constrains it, and how often it is used.

Read from the files in `ontology/`, which say what exists; how often a term is used is asked of the graph.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kg_service.errors import NotFound
from kg_service.languages import best_text
from kg_service.rdf import (
    ONTOLOGY,
    PREF_LABEL,
    PREFIXES,
    RDF_TYPE,
    BlankNode,
    Literal,
    NamedNode,
    Quad,
    Term,
    parse_file,
)

#: The IRI of the ontology itself.
IRI = ONTOLOGY.rstrip("#")
_RDF, _RDFS, _OWL, _SKOS, _SH = (PREFIXES[name] for name in ("rdf", "rdfs", "owl", "skos", "sh"))
_DCTERMS = PREFIXES["dcterms"]
#: The kinds of terms in order, by the class of the term.
KINDS = {
    _OWL + "Class": "class",
    _OWL + "ObjectProperty": "object-property",
    _OWL + "DatatypeProperty": "datatype-property",
    _OWL + "AnnotationProperty": "annotation-property",
}
#: How a term may be related to one of another vocabulary, by property.
ALIGNMENTS = {
    _RDFS + "subClassOf": "subclass",
    _RDFS + "subPropertyOf": "subproperty",
    _OWL + "equivalentClass": "equivalent",
    _OWL + "equivalentProperty": "equivalent",
    _SKOS + "exactMatch": "exact",
    _SKOS + "closeMatch": "close",
    _SKOS + "broadMatch": "broad",
    _SKOS + "narrowMatch": "narrow",
    _SKOS + "relatedMatch": "related",
    _RDFS + "seeAlso": "see-also",
}
#: The languages in which things are named and described; there may be names in others as well.
TONGUES = ("en", "es", "fr", "pt")


@dataclass(frozen=True, slots=True)
class OntologyTerm:
    """A class or property: its names and definitions by language, and the IRIs that it is related to.

    `alignments` are pairs of a relation (a value of `ALIGNMENTS`) and an IRI of another vocabulary.
    """

    iri: str
    kind: str
    labels: Mapping[str, str]
    definitions: Mapping[str, str]
    notes: tuple[Literal, ...] = ()
    domain: tuple[str, ...] = ()
    range: tuple[str, ...] = ()
    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    disjoint: tuple[str, ...] = ()
    alignments: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The part of its IRI after the #."""
        return self.iri.removeprefix(ONTOLOGY)

    @property
    def is_class(self) -> bool:
        return self.kind == "class"


@dataclass(frozen=True, slots=True)
class Concept:
    """An entry of a closed list."""

    iri: str
    labels: Mapping[str, str]
    definitions: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Scheme:
    """A list (a SKOS concept scheme) with its concepts; an open list has its concepts in the data, and none here."""

    iri: str
    labels: Mapping[str, str]
    definitions: Mapping[str, str]
    concepts: tuple[Concept, ...] = ()


class Ontology:
    """The ontology as its files have it."""

    def __init__(self, quads: Iterable[Quad]) -> None:
        self.quads = frozenset(quads)
        self._said: dict[Term, dict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
        for quad in self.quads:
            self._said[quad.subject][quad.predicate.value].append(quad.object)
        own = NamedNode(IRI)
        self.titles = self._texts(own, _DCTERMS + "title")
        self.descriptions = self._texts(own, _DCTERMS + "description")
        #: The IRIs of ontologies that the files hold beside the main one.
        self.parts = sorted(
            each.value
            for each, said in self._said.items()
            if isinstance(each, NamedNode) and each != own and NamedNode(_OWL + "Ontology") in said[_RDF + "type"]
        )
        self.version = next((v.value for v in self._said[own][_OWL + "versionInfo"] if isinstance(v, Literal)), "")
        self.terms = self._terms()
        self.schemes = self._schemes()

    def term(self, name: str) -> OntologyTerm:
        """The term of that name; NotFound when there is none."""
        found = self.terms.get(ONTOLOGY + name)
        if found is None:
            near = [each.name for each in self.terms.values() if each.name.lower() == name.lower()]
            more = f"; do you mean {near[0]}?" if near else f"; /ontology lists the {len(self.terms)} terms"
            raise NotFound(f'the ontology has no term "{name}"{more}')
        return found

    def of_kind(self, *kinds: str) -> list[OntologyTerm]:
        """The terms of some kinds, by name."""
        return sorted((term for term in self.terms.values() if term.kind in kinds), key=lambda each: each.name)

    def label(self, iri: str, language: str) -> str | None:
        """The name of a term in a language, else in English; None for what is no term of ours."""
        term = self.terms.get(iri)
        return None if term is None else in_language(term.labels, language)

    def about(self, iri: str) -> set[Quad]:
        """What the files say of a term, and of the nameless things that its definition uses."""
        made: set[Quad] = set()
        waiting: list[Term] = [NamedNode(iri)]
        while waiting:
            here = waiting.pop()
            for quad in self.quads:
                if quad.subject == here and quad not in made:
                    made.add(quad)
                    if isinstance(quad.object, BlankNode):
                        waiting.append(quad.object)
        return made

    def _terms(self) -> dict[str, OntologyTerm]:
        found = {}
        for subject, said in self._said.items():
            kinds = [kind for iri, kind in KINDS.items() if NamedNode(iri) in said[_RDF + "type"]]
            if kinds and isinstance(subject, NamedNode) and subject.value.startswith(ONTOLOGY):
                found[subject.value] = kinds[0]
        below: dict[str, list[str]] = defaultdict(list)
        for iri in found:
            for parent in self._above(NamedNode(iri)):
                below[parent].append(iri)
        return {iri: self._term(NamedNode(iri), kind, sorted(below[iri])) for iri, kind in sorted(found.items())}

    def _term(self, term: NamedNode, kind: str, below: list[str]) -> OntologyTerm:
        said = self._said[term]
        aligned = [
            (relation, value.value)
            for property, relation in ALIGNMENTS.items()
            for value in said[property]
            if isinstance(value, NamedNode) and not value.value.startswith(ONTOLOGY)
        ]
        notes = [note for name in ("editorialNote", "scopeNote", "example") for note in said[_SKOS + name]]
        return OntologyTerm(
            term.value,
            kind,
            self._texts(term, _RDFS + "label"),
            self._texts(term, _RDFS + "comment"),
            tuple(note for note in notes if isinstance(note, Literal)),
            tuple(self._named(said[_RDFS + "domain"])),
            tuple(self._named(said[_RDFS + "range"])),
            tuple(sorted(iri for iri in self._above(term) if iri.startswith(ONTOLOGY))),
            tuple(below),
            tuple(self._disjoint(term)),
            tuple(sorted(aligned)),
        )

    def _above(self, term: NamedNode) -> list[str]:
        said = self._said[term]
        both = said[_RDFS + "subClassOf"] + said[_RDFS + "subPropertyOf"]
        return [value.value for value in both if isinstance(value, NamedNode)]

    def _disjoint(self, term: NamedNode) -> list[str]:
        forth = self._named(self._said[term][_OWL + "disjointWith"])
        back = [
            s.value
            for s, said in self._said.items()
            if isinstance(s, NamedNode) and term in said[_OWL + "disjointWith"]
        ]
        return sorted({*forth, *back})

    def _named(self, values: Iterable[Term]) -> list[str]:
        """The IRIs of classes, those of a union one by one."""
        found: list[str] = []
        for value in values:
            if isinstance(value, NamedNode):
                found.append(value.value)
            else:
                for members in self._said[value][_OWL + "unionOf"]:
                    found += self._named(self._list(members))
        return sorted(found)

    def _list(self, node: Term) -> Iterable[Term]:
        while self._said[node][_RDF + "first"]:
            yield self._said[node][_RDF + "first"][0]
            node = self._said[node][_RDF + "rest"][0]

    def _schemes(self) -> tuple[Scheme, ...]:
        concepts: dict[Term, list[Concept]] = defaultdict(list)
        for subject, said in list(self._said.items()):
            for scheme in said[_SKOS + "inScheme"]:
                if isinstance(subject, NamedNode):
                    concepts[scheme].append(Concept(subject.value, *self._named_and_defined(subject)))
        found = [
            Scheme(
                subject.value,
                *self._named_and_defined(subject),
                tuple(sorted(concepts[subject], key=lambda each: each.iri)),
            )
            for subject, said in list(self._said.items())
            if NamedNode(_SKOS + "ConceptScheme") in said[_RDF + "type"] and isinstance(subject, NamedNode)
        ]
        return tuple(sorted(found, key=lambda each: each.iri))

    def _named_and_defined(self, subject: NamedNode) -> tuple[dict[str, str], dict[str, str]]:
        return self._texts(subject, PREF_LABEL.value), self._texts(subject, _SKOS + "definition")

    def _texts(self, subject: Term, property: str) -> dict[str, str]:
        return {v.language or "": v.value for v in self._said[subject][property] if isinstance(v, Literal)}


def read(folder: Path) -> Ontology:
    """The ontology of a folder's Turtle files; nameless nodes are called the same each time."""
    names: dict[BlankNode, BlankNode] = {}

    def named(term: Any) -> Any:
        return names.setdefault(term, BlankNode(f"b{len(names)}")) if isinstance(term, BlankNode) else term

    files = sorted(folder.glob("*.ttl"))
    return Ontology(
        Quad(named(quad.subject), quad.predicate, named(quad.object)) for path in files for quad in parse_file(path)
    )


def in_language(texts: Mapping[str, str], *languages: str) -> str | None:
    """The text in the first of some languages that there is one in, else in English, else any."""
    found = best_text(texts, languages)
    return found[0] if found else None


def usage(terms: Iterable[OntologyTerm]) -> str:
    """The query for how often classes have instances and properties stand in statements: ?term ?uses ?example."""
    classes: list[str] = []
    properties: list[str] = []
    for term in terms:
        (classes if term.is_class else properties).append(f"<{term.iri}>")
    return (
        "SELECT ?term (COUNT(*) AS ?uses) (SAMPLE(?thing) AS ?example) { "
        f"{{ VALUES ?term {{ {' '.join(classes)} }} ?thing {RDF_TYPE} ?term }} UNION "
        f"{{ VALUES ?term {{ {' '.join(properties)} }} ?thing ?term ?value }} }} GROUP BY ?term"
    )
