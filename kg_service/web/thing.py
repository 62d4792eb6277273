"""What the page about a thing shows: a description in the reader's language, ready for the template."""

from __future__ import annotations

import re
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kg_service.languages import place
from kg_service.linked_data import Description, Property, Value
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.documents import neighbours
from kg_service.linked_data.questions import EVIDENCE, OBJECT, PREDICATE, SUBJECT, Direction
from kg_service.ontology import Ontology
from kg_service.rdf import PREFIXES, Literal, NamedNode, Term
from kg_service.web.names import Names, Shown
from kg_service.web.rendering import Catalogue

_SSE, _OA, _DCTERMS = (PREFIXES[name] for name in ("sse", "oa", "dcterms"))
#: Characters of a quotation in a title.
_WORDS = 90


@dataclass(frozen=True, slots=True)
class Quotation:
    """The words that a claim rests on, with what stands around them and their place in the document."""

    words: str
    prefix: str
    suffix: str
    start: str
    end: str
    language: str | None
    address: str
    document: Shown | None
    file: str
    #: Where the words are marked in the text of the document.
    in_text: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """That one document says a statement: how certainly, why, and with which words."""

    address: str
    certainty: Shown | None
    document: Shown | None
    reasons: tuple[Shown, ...]
    method: tuple[Shown, ...]
    quotations: tuple[Quotation, ...]


@dataclass(frozen=True, slots=True)
class Statement:
    """A value with its evidence and its graphs."""

    value: Shown
    claims: tuple[Claim, ...]
    graphs: tuple[Shown, ...]
    #: The quotation that the value is, where it is one.
    quotation: Quotation | None = None

    @property
    def certainties(self) -> tuple[Shown, ...]:
        """How certain its claims are, each degree once."""
        return tuple(dict.fromkeys(claim.certainty for claim in self.claims if claim.certainty))


@dataclass(frozen=True, slots=True)
class Group:
    """The statements of one property in one direction; `steps` are the addresses of the pages around, by name."""

    name: Shown
    total: int
    statements: tuple[Statement, ...]
    page: int
    pages: int
    all: str
    steps: Mapping[str, str]

    @property
    def is_of_claims(self) -> bool:
        """Whether the other ends are claims about the thing, which its statements show already."""
        return self.name.iri in (SUBJECT.value, PREDICATE.value, OBJECT.value)


#: What a card leaves out: types and names, which its head has, and what names a thing in other places.
_QUIET = frozenset(
    PREFIXES[prefix] + name
    for prefix, name in (
        *(("rdf", "type"), ("skos", "prefLabel"), ("skos", "altLabel"), ("skos", "inScheme"), ("skos", "topConceptOf")),
        *(("skos", "exactMatch"), ("skos", "closeMatch"), ("sse", "sha256"), ("sse", "evidence")),
    )
)


class Page:
    """A description in a language. `here` turns a property and a page into the address of that page for people."""

    def __init__(
        self, description: Description, *, addresses: Addresses, ontology: Ontology, catalogue: Catalogue
    ) -> None:
        self._about, self._addresses = description, addresses
        labels = {iri: [label for _, label in each] for iri, each in description.labels.items()}
        self._names = Names(labels, addresses=addresses, ontology=ontology, catalogue=catalogue)
        self._said: dict[Term, dict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
        for quad in sorted(description.evidence, key=str):
            self._said[quad.subject][quad.predicate.value].append(quad.object)
        self._claims: dict[tuple[Term, Term], list[NamedNode]] = defaultdict(list)
        for claim, said in list(self._said.items()):
            for predicate in said[PREDICATE.value]:
                for value in said[OBJECT.value]:
                    if isinstance(claim, NamedNode):
                        self._claims[predicate, value].append(claim)
        self.iri = description.iri.value
        self.title = self._title()
        #: Whether anything said of it has a claim; where nothing has, that a statement has none tells nothing.
        self.has_claims = bool(self._claims)
        graphs = {g for each in description.properties for value in each.values for g in value.graphs}
        self.graphs = tuple(self._graph(each) for each in sorted(graphs, key=str))
        own = {
            graph
            for each in description.properties
            if each.direction is Direction.OUT
            for value in each.values
            for graph in value.graphs
        }
        #: The graphs that say something of it itself.
        self.said_in = tuple(self._graph(each) for each in sorted(own, key=str))
        self.quiet = _QUIET
        #: Where a quotation is marked in the text of its document, and the text of a document.
        self.in_text = self._in_document()
        self.types = tuple(self.shown(each) for each in description.types)
        self.outgoing = tuple(self._group(p) for p in description.properties if p.direction is Direction.OUT)
        self.incoming = tuple(self._group(p) for p in description.properties if p.direction is Direction.IN)

    @property
    def link(self) -> Shown:
        """Its name, as a link to its own page."""
        return replace(self.title, address=self._addresses.page(self.iri))

    def shown(self, term: Term) -> Shown:
        """A term in words: a name in the reader's language where there is one."""
        return self._names.shown(term)

    def _in_document(self) -> str | None:
        """The text of the thing, where it is a document or a quotation from one of ours."""

        def of(iri: str) -> list[Term]:
            return [value.term for value in self._about.values(NamedNode(iri))]

        start, end = (next(iter(_texts(of(_OA + name))), "") for name in ("start", "end"))
        if of(_SSE + "quotedFrom"):
            return self._in_text(of(_SSE + "quotedFrom"), start, end)
        return self._addresses.source(self.iri) if of(_SSE + "sourceFile") else None

    def _title(self) -> Shown:
        """The name; of a claim what it says, of a quotation its first words."""
        about = self._about
        if self._names.label(about.iri.value) is None:
            parts = [about.values(each) for each in (SUBJECT, PREDICATE, OBJECT)]
            if all(parts):
                words = [self.shown(values[0].term).text for values in parts]
                return Shown(" · ".join(words), iri=self.iri)
            for value in about.values(NamedNode(_OA + "exact")):
                if isinstance(value.term, Literal):
                    return Shown(f"“{textwrap.shorten(value.term.value, _WORDS, placeholder=' …')}”", iri=self.iri)
        return self.shown(about.iri)

    def _group(self, of: Property) -> Group:
        about = self._about.iri.value

        def at(page: int) -> str:
            return self._addresses.page_of(about, of.iri.value, of.direction.value, page)

        is_out = of.direction is Direction.OUT
        return Group(
            self._names.property(of.iri.value),
            of.total,
            tuple(
                self._statement(of, each, with_claims=is_out)
                for each in sorted(of.values, key=lambda value: self._order(value.term))
            ),
            of.page,
            of.pages,
            at(1),
            {name: at(number) for name, number in neighbours(of).items()} if of.pages > 1 else {},
        )

    def _order(self, term: Term) -> tuple[int, int]:
        """Words in the languages of the reader come first; all else stays in its order."""
        tag = term.language if isinstance(term, Literal) else None
        return self._place(tag) if tag else (sys.maxsize, 0)

    def _spoken(self, of: Quotation | Claim) -> tuple[int, int]:
        """Where a quotation stands among others, or a claim with its first one."""
        if isinstance(of, Claim):
            return self._spoken(of.quotations[0]) if of.quotations else self._place(None)
        return self._place(of.language)

    def _place(self, tag: str | None) -> tuple[int, int]:
        return place(tag, self._names.catalogue.tongues)

    def _statement(self, of: Property, value: Value, *, with_claims: bool) -> Statement:
        claims = self._claims[of.iri, value.term] if (of.iri, value.term) in self._claims and with_claims else []
        quoted = of.iri == EVIDENCE and with_claims and isinstance(value.term, NamedNode) and value.term in self._said
        return Statement(
            self.shown(value.term),
            tuple(sorted((self._claim(each) for each in claims), key=self._spoken)),
            tuple(map(self._graph, value.graphs)),
            self._quotation(value.term) if quoted and isinstance(value.term, NamedNode) else None,
        )

    def _graph(self, graph: NamedNode) -> Shown:
        return Shown(self._names.compact(graph.value), address=self._addresses.page(graph.value))

    def _claim(self, claim: NamedNode) -> Claim:
        said = self._said[claim]
        return Claim(
            self._addresses.page(claim.value),
            self._first(said[_SSE + "certainty"]),
            self._first(said[_DCTERMS + "source"]),
            tuple(map(self.shown, sorted(said[_SSE + "rationale"], key=self._order))),
            tuple(self.shown(each) for each in said[_SSE + "method"]),
            tuple(
                sorted(
                    (self._quotation(each) for each in said[EVIDENCE.value] if isinstance(each, NamedNode)),
                    key=self._spoken,
                )
            ),
        )

    def _quotation(self, quotation: NamedNode) -> Quotation:
        said = self._said[quotation]
        documents = said[_SSE + "quotedFrom"]
        of = self._said[documents[0]] if documents else defaultdict[str, list[Term]](list)
        languages = _texts(of[_DCTERMS + "language"])
        exact, prefix, suffix, start, end = (
            next(iter(_texts(said[_OA + name])), "") for name in ("exact", "prefix", "suffix", "start", "end")
        )
        return Quotation(
            exact,
            prefix,
            suffix,
            start,
            end,
            languages[0] if languages else None,
            self._addresses.page(quotation.value),
            self._first(documents),
            next(iter(_texts(of[_SSE + "sourceFile"])), ""),
            self._in_text(documents, start, end),
        )

    def _in_text(self, documents: list[Term], start: str, end: str) -> str | None:
        """The span in the text; None for a document that is not ours, and for offsets that are no numbers."""
        if not documents or not isinstance(documents[0], NamedNode):
            return None
        if not all(re.fullmatch(r"[0-9]{1,9}", each) for each in (start, end)):
            return None
        return self._addresses.source(documents[0].value, int(start), int(end)) if int(start) < int(end) else None

    def _first(self, terms: Iterable[Term]) -> Shown | None:
        return next((self.shown(each) for each in terms), None)


def _texts(terms: Iterable[Term]) -> list[str]:
    return [term.value for term in terms if isinstance(term, Literal)]


def queries(description: Description) -> list[tuple[str, str]]:
    """What the page was made of, as queries that people can read and change: the key of a title, and the text."""
    thing = description.iri
    return [
        (
            "sparql.statements",
            f"SELECT ?graph ?property ?value\nWHERE {{\n  GRAPH ?graph {{ {thing} ?property ?value }}\n}}\n"
            "ORDER BY ?property ?value",
        ),
        ("sparql.incoming", f"SELECT ?other ?property\nWHERE {{\n  ?other ?property {thing}\n}}\nLIMIT 100"),
        (
            "sparql.claims",
            "PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#>\nPREFIX oa: <http://www.w3.org/ns/oa#>\n"
            "PREFIX sse: <https://w3id.org/sse-kg/ontology#>\n"
            "SELECT ?property ?value ?certainty ?words ?start ?end ?document\nWHERE {\n"
            f"  ?claim rdf:subject {thing} ;\n    rdf:predicate ?property ; rdf:object ?value ;\n"
            "    sse:certainty ?certainty ; sse:evidence ?quotation .\n"
            "  ?quotation oa:exact ?words ; oa:start ?start ; oa:end ?end ; sse:quotedFrom ?document .\n}\nLIMIT 100",
        ),
    ]
