"""Everything that must hold of the project's own data, as a list of named checks: what `kg check` runs.

Each check is a function of the material that returns one sentence per problem; none means that it holds.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, QuerySolutions, Store

from kg_service import evidence, queries
from kg_service.ingest import bulk
from kg_service.rdf import ENTITY, ONTOLOGY, RDF_TYPE, parse_file, sse
from kg_service.shacl import load_shapes, validate


@dataclass(frozen=True)
class Material:
    """The folders of a checkout or an installation, and the graph that their files make."""

    ontology: Path
    shapes: Path
    queries: Path
    data: Path
    quads: list[Quad] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        files = bulk.seeds(self.data, self.ontology)
        object.__setattr__(self, "quads", [quad for path in files for quad in bulk.read(path)])

    @property
    def ontology_files(self) -> list[Path]:
        return sorted(self.ontology.glob("*.ttl"))

    @cached_property
    def store(self) -> Store:
        """The graph in memory: named graphs, and each triple once in the default graph."""
        store = Store()
        store.bulk_extend(self.quads)
        store.bulk_extend({Quad(q.subject, q.predicate, q.object, DefaultGraph()) for q in self.quads})
        return store


def encodings(material: Material) -> list[str]:
    """Every data file is what its encoding gives."""
    problems = []
    for path in sorted((material.data / "encodings").glob("*.trig")):
        made = evidence.encoded(path, sources=material.data / "sources", ontology=material.ontology_files)
        target = material.data / path.name
        if not target.is_file() or target.read_bytes() != made:
            problems.append(f"{target.name} is not what its encoding gives; run `kg encode`")
    return problems


def quotations(material: Material) -> list[str]:
    """Every quotation stands in its source, with its context and at its offsets."""
    return evidence.check_quotations(material.quads, material.data / "sources")


def shapes(material: Material) -> list[str]:
    """The graph conforms to the shapes: no violation (warnings are for `kg validate`)."""
    report = validate(material.store, load_shapes(material.shapes))
    return [f"{r.focus}: {r.message}" for r in report.results if r.severity.value.endswith("Violation")]


_TERM = re.compile(r"\bsse:([A-Za-z][\w-]*)")


def terms(material: Material) -> list[str]:
    """No term of the ontology's namespace is used anywhere that the ontology does not declare."""
    declared = {q.subject for path in material.ontology_files for q in parse_file(path) if q.predicate == RDF_TYPE}
    used: dict[str, set[str]] = defaultdict(set)
    files = [*material.ontology_files, *material.shapes.glob("*.ttl"), *bulk.files_in([material.data])]
    for path in files:
        for quad in parse_file(path):
            for term in (quad.subject, quad.predicate, quad.object):
                if isinstance(term, NamedNode) and term.value.startswith(ONTOLOGY) and term not in declared:
                    used[term.value.removeprefix(ONTOLOGY)].add(path.name)
    for question in queries.every(material.queries):
        for name in set(_TERM.findall(question.text)):
            if sse(name) not in declared:
                used[name].add(f"{question.name}.rq")
    return [f"sse:{name} is not declared; used in {', '.join(sorted(where))}" for name, where in sorted(used.items())]


def questions(material: Material) -> list[str]:
    """The queries in `queries/checks/` find nothing."""
    problems = []
    for question in queries.every(material.queries):
        if question.name.startswith("checks/"):
            found = material.store.query(question.text)
            assert isinstance(found, QuerySolutions), question.name
            names = [variable.value for variable in found.variables]
            for row in found:
                problems.append(f"{question.name}: " + ", ".join(f"{name} {row[name]}" for name in names))
    return problems


def ontology(material: Material) -> list[str]:
    """The OWL 2 RL closure of ontology and data is consistent (claims and quotations, being many, stay out)."""
    import owlrl
    import rdflib

    quoted = {q.subject for q in material.quads if q.object in (sse("Claim"), sse("Quotation"))}
    graph = rdflib.Graph()
    lines = (f"{quad.triple} ." for quad in material.quads if quad.subject not in quoted)
    graph.parse(data="\n".join(lines), format="nt")
    rules = owlrl.DeductiveClosure(owlrl.OWLRL_Semantics, axiomatic_triples=False, datatype_axioms=False)
    rules.expand(graph)
    error = rdflib.URIRef("http://www.daml.org/2002/03/agents/agent-ont#error")
    nothing = graph.subjects(rdflib.RDF.type, rdflib.OWL.Nothing)
    return [*(str(message) for message in graph.objects(None, error)), *(f"{thing} cannot exist" for thing in nothing)]


#: What `kg check` runs, in this order.
CHECKS: tuple[Callable[[Material], list[str]], ...] = (encodings, quotations, terms, questions, shapes, ontology)


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a document has become claims: sentences, those that a quotation touches, claims per certainty."""

    document: str
    sentences: int
    claimed: int
    claims: dict[str, int]
    unclaimed: tuple[str, ...]


_SENTENCE_END = re.compile(r"(?<!\n\d\.)(?<=[.!?])[\"”»]?\s+(?=[A-Z“\"«»<*(])|\n\s*\n|\n(?=\s*[-•\d]+[.\s])|\n")


def sentences(text: str) -> list[tuple[int, int]]:
    """The spans of a text's sentences: what ends in a full stop, and each heading and list item."""
    spans, start = [], 0
    for end in [*(match.start() for match in _SENTENCE_END.finditer(text)), len(text)]:
        piece = text[start:end]
        if re.search(r"\w", piece):
            lead = len(piece) - len(piece.lstrip())
            spans.append((start + lead, start + len(piece.rstrip())))
        start = end
    return spans


def coverage(material: Material) -> list[Coverage]:
    """One entry per source document, in order of its file name."""
    found = []
    for document, text in _texts(material):
        slug = document.value.removeprefix(ENTITY).split("/", 1)[1]
        touched = _quoted_spans(material, document)
        spans = sentences(text)
        bare = [span for span in spans if not any(start < span[1] and end > span[0] for start, end in touched)]
        claims = Counter(
            q.object.value.rsplit("/", 1)[1]
            for q in material.quads
            if q.predicate == sse("certainty")
            and isinstance(q.object, NamedNode)
            and isinstance(q.subject, NamedNode)
            and q.subject.value.startswith(f"{ENTITY}claim/{slug}-")
        )
        words = tuple(" ".join(text[start:end].split()) for start, end in bare)
        found.append(Coverage(slug, len(spans), len(spans) - len(bare), dict(claims), words))
    return found


def _texts(material: Material) -> Iterable[tuple[NamedNode, str]]:
    files = {
        q.object.value: q.subject
        for q in material.quads
        if q.predicate == sse("sourceFile") and isinstance(q.object, Literal) and isinstance(q.subject, NamedNode)
    }
    for name, document in sorted(files.items()):
        yield document, evidence.read_source(material.data / "sources" / name)


def _quoted_spans(material: Material, document: NamedNode) -> list[tuple[int, int]]:
    quoted = {q.subject for q in material.quads if q.predicate == sse("quotedFrom") and q.object == document}
    offsets: dict[object, dict[str, int]] = defaultdict(dict)
    for q in material.quads:
        name = q.predicate.value.rpartition("#")[2]
        if q.subject in quoted and name in ("start", "end") and isinstance(q.object, Literal):
            offsets[q.subject][name] = int(q.object.value)
    return [(each["start"], each["end"]) for each in offsets.values()]
