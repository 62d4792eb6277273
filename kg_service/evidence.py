"""From a source's exact words to claims: encodings become data, and quotations are checked against the texts.

An encoding (`data/encodings/<document>.trig`) is plain TriG. Each named graph is a *block*: its triples are what the
block's words state. `encode` finds the words in the source text, computes prefix, suffix and offsets, and gives each
triple its claim. The encoding's format is described in `data/README.md`.

A quotation is a TextQuoteSelector and a TextPositionSelector of the Web Annotation Data Model (sections 4.2.4 and
4.2.5): `oa:exact` is the text between `oa:start` and `oa:end`, counted in Unicode code points of the file as shipped.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from pyoxigraph import BlankNode, Literal, NamedNode, Quad

from kg_service.errors import KgError
from kg_service.rdf import (
    ENTITY,
    ONTOLOGY,
    PREF_LABEL,
    PREFIXES,
    RDF_TYPE,
    TRIG,
    Term,
    entity,
    graph,
    parse_file,
    sse,
    stem,
    to_text,
)

BLOCK = "urn:sse-kg:block:"
#: Characters of context kept on each side of a quotation.
CONTEXT = 32

_OA = PREFIXES["oa"]
_RDF = PREFIXES["rdf"]
_SOURCE = NamedNode(PREFIXES["dcterms"] + "source")
_SUBCLASS = NamedNode(PREFIXES["rdfs"] + "subClassOf")
_STATED, _DERIVED, _INFERRED = (entity("certainty", each) for each in ("stated", "derived", "inferred"))
_EDITORS_NAME = Literal("The editors’ name: the source does not print it in this form.", language="en")


class EncodingError(KgError):
    """An encoding that cannot be turned into claims; the detail lists every problem found."""

    title = "The encoding does not fit its source"
    status = 422
    exit_code = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A source text and the document that it is."""

    document: NamedNode
    text: str


@dataclass(slots=True)
class Block:
    """The words, the certainty and the triples of one named graph of an encoding."""

    name: str
    exact: list[str] = field(default_factory=list)
    occurrence: int = 1
    certainty: NamedNode = _STATED
    rationale: list[Literal] = field(default_factory=list)
    method: list[Literal] = field(default_factory=list)
    document: NamedNode | None = None
    triples: list[Quad] = field(default_factory=list)


def find(words: str, text: str) -> list[tuple[int, int]]:
    """Where `words` stand in `text` (start, end in code points); runs of Unicode white space match each other."""
    pattern = r"\s+".join(re.escape(part) for part in words.split())
    return [match.span() for match in re.finditer(pattern, text)] if pattern else []


def quotation(source: Source, start: int, end: int) -> tuple[NamedNode, list[tuple[NamedNode, Term]]]:
    """The quotation's IRI and its properties: exact words, context and offsets, all read from the text."""
    slug = source.document.value.removeprefix(ENTITY).split("/", 1)[1]
    return entity("quotation", f"{slug}-{start}-{end}"), [
        (RDF_TYPE, sse("Quotation")),
        (RDF_TYPE, NamedNode(_OA + "TextQuoteSelector")),
        (RDF_TYPE, NamedNode(_OA + "TextPositionSelector")),
        (NamedNode(_OA + "exact"), Literal(source.text[start:end])),
        (NamedNode(_OA + "prefix"), Literal(source.text[max(0, start - CONTEXT) : start])),
        (NamedNode(_OA + "suffix"), Literal(source.text[end : end + CONTEXT])),
        (NamedNode(_OA + "start"), Literal(start)),
        (NamedNode(_OA + "end"), Literal(end)),
        (sse("quotedFrom"), source.document),
    ]


def superclasses(ontology: Iterable[Quad]) -> dict[NamedNode, set[NamedNode]]:
    """Each class of the ontology with all its superclasses that are the ontology's own."""
    direct: dict[NamedNode, set[NamedNode]] = defaultdict(set)
    for quad in ontology:
        subject, parent = quad.subject, quad.object
        if quad.predicate == _SUBCLASS and isinstance(subject, NamedNode) and isinstance(parent, NamedNode):
            direct[subject] |= {parent} if parent.value.startswith(ONTOLOGY) else set()

    def above(term: NamedNode, seen: frozenset[NamedNode]) -> set[NamedNode]:
        found: set[NamedNode] = set()
        for parent in direct.get(term, set()) - seen:
            found |= {parent} | above(parent, seen | {parent})
        return found

    return {term: above(term, frozenset({term})) for term in list(direct)}


def read_source(path: Path) -> str:
    """A source file's text as its offsets count it: UTF-8, line ends kept as they are."""
    return path.read_bytes().decode("utf-8")


def _named_by_editors(block: Block, triple: Quad, source: Source) -> Block | None:
    """The block as derived, where a name that the source does not print would pass for stated; else None."""
    name = triple.object
    if block.certainty != _STATED or triple.predicate != PREF_LABEL or not isinstance(name, Literal):
        return None
    if find(name.value.casefold(), source.text.casefold()):
        return None
    return replace(block, certainty=_DERIVED, rationale=[*block.rationale, _EDITORS_NAME])


class _Encoder:
    """Turns the blocks of one encoding into quads; collects every problem before it gives up."""

    def __init__(self, path: Path, sources: Path, classes: dict[NamedNode, set[NamedNode]]) -> None:
        self.path, self.folder, self.classes = path, sources, classes
        self.problems: list[str] = []
        self.blocks: dict[NamedNode, Block] = {}
        self.described: list[Quad] = []
        self._read()
        self.texts = self._texts()

    def _read(self) -> None:
        quads = list(parse_file(self.path))
        for quad in quads:
            if isinstance(quad.graph_name, NamedNode):
                self._block(quad.graph_name).triples.append(quad)
            elif isinstance(quad.subject, NamedNode) and quad.subject.value.startswith(BLOCK):
                self._describe(self._block(quad.subject), quad)
            else:
                self.described.append(quad)

    def _block(self, name: NamedNode) -> Block:
        if not name.value.startswith(BLOCK):
            self.problems.append(f"graph <{name.value}> is not a block; block names begin with {BLOCK}")
        return self.blocks.setdefault(name, Block(name.value.removeprefix(BLOCK)))

    def _describe(self, block: Block, quad: Quad) -> None:
        value = quad.object
        match quad.predicate.value.removeprefix(ONTOLOGY), value:
            case "exact", Literal():
                block.exact.append(value.value)
            case "occurrence", Literal() if re.fullmatch("[0-9]{1,9}", value.value) and int(value.value) > 0:
                block.occurrence = int(value.value)
            case "occurrence", _:
                self.problems.append(f"block {block.name}: sse:occurrence must be 1, 2, 3 …, not {value}")
            case "certainty", NamedNode():
                block.certainty = value
            case "rationale", Literal():
                block.rationale.append(value)
            case "method", Literal():
                block.method.append(value)
            case _, NamedNode() if quad.predicate == _SOURCE:
                block.document = value
            case name, _:
                self.problems.append(f"block {block.name}: unknown property {name}")

    def _texts(self) -> dict[NamedNode, str]:
        texts: dict[NamedNode, str] = {}
        for quad in self.described:
            if quad.predicate == sse("sourceFile") and isinstance(quad.object, Literal):
                file = self.folder / quad.object.value
                if file.is_file() and isinstance(quad.subject, NamedNode):
                    texts[quad.subject] = read_source(file)
                else:
                    self.problems.append(f"{quad.object.value}: there is no such source file in {self.folder}")
        return texts

    def _source(self, block: Block) -> Source | None:
        own = next(iter(self.texts), None)
        document = block.document or own
        if document is None or document not in self.texts:
            self.problems.append(f"block {block.name}: its document has no sse:sourceFile in this file")
            return None
        return Source(document, self.texts[document])

    def _spans(self, block: Block, source: Source) -> Iterator[tuple[int, int]]:
        for words in block.exact:
            found = find(words, source.text)
            if len(found) >= block.occurrence:
                yield found[block.occurrence - 1]
            elif found:
                self.problems.append(f'block {block.name}: only {len(found)} occurrence(s) of "{words}"')
            else:
                self.problems.append(f'block {block.name}: not in {source.document.value}: "{words}"')

    def _check(self, block: Block) -> None:
        certainty = block.certainty.value.rsplit("/", 1)[-1]
        if not block.triples:
            self.problems.append(f"block {block.name}: no triples")
        if not block.exact:
            self.problems.append(f"block {block.name}: no sse:exact")
        if certainty != "stated" and not block.rationale:
            self.problems.append(f"block {block.name}: {certainty} needs an sse:rationale")
        if certainty == "inferred" and not block.method:
            self.problems.append(f"block {block.name}: inferred needs an sse:method")
        if certainty not in ("stated", "derived", "ambiguous", "inferred"):
            self.problems.append(f"block {block.name}: unknown certainty {block.certainty.value}")

    def quads(self) -> set[Quad]:
        home = graph(stem(self.path))
        made: set[Quad] = {Quad(q.subject, q.predicate, q.object, home) for q in self.described}
        for document, text in self.texts.items():
            made |= {
                Quad(document, sse("characters"), Literal(len(text)), home),
                Quad(document, sse("sha256"), Literal(hashlib.sha256(text.encode()).hexdigest()), home),
            }
        held: dict[NamedNode, tuple[Block, Quad]] = {}
        for block in self.blocks.values():
            self._check(block)
            source = self._source(block)
            if source is None:
                continue
            where = graph("inferred") if block.certainty == _INFERRED else home
            evidence = [quotation(source, *span) for span in self._spans(block, source)]
            for name, properties in evidence:
                made |= {Quad(name, predicate, value, where) for predicate, value in properties}
            for triple in block.triples:
                claim = self._claim(triple)
                earlier, _ = held.setdefault(claim, (block, triple))
                if earlier.certainty != block.certainty:
                    self.problems.append(
                        f"{triple.triple} is {earlier.certainty.value.rsplit('/', 1)[-1]} in block {earlier.name} "
                        f"and {block.certainty.value.rsplit('/', 1)[-1]} in block {block.name}; choose one"
                    )
                certain = _named_by_editors(block, triple, source) or block
                made |= self._claimed(claim, triple, certain, source, [name for name, _ in evidence], where)
        made |= {
            Quad(quad.subject, RDF_TYPE, above, quad.graph_name)
            for quad in list(made)
            if quad.predicate == RDF_TYPE and isinstance(quad.object, NamedNode)
            for above in self.classes.get(quad.object, ())
        }
        for quad in made:
            if isinstance(quad.subject, BlankNode) or isinstance(quad.object, BlankNode):
                self.problems.append(f"blank node in {quad.triple}; give it an IRI")
        if self.problems:
            raise EncodingError("\n".join(f"{self.path}: {problem}" for problem in self.problems))
        return made

    def _claim(self, triple: Quad) -> NamedNode:
        words = " ".join(str(term) for term in (triple.subject, triple.predicate, triple.object))
        digest = hashlib.sha256(words.encode()).hexdigest()[:12]
        return entity("claim", f"{stem(self.path)}-{digest}")

    @staticmethod
    def _claimed(
        claim: NamedNode,
        triple: Quad,
        block: Block,
        source: Source,
        evidence: list[NamedNode],
        where: NamedNode,
    ) -> set[Quad]:
        said: list[tuple[NamedNode, Term]] = [
            (RDF_TYPE, sse("Claim")),
            (RDF_TYPE, NamedNode(_RDF + "Statement")),
            (NamedNode(_RDF + "subject"), triple.subject),
            (NamedNode(_RDF + "predicate"), triple.predicate),
            (NamedNode(_RDF + "object"), triple.object),
            (sse("certainty"), block.certainty),
            (_SOURCE, source.document),
        ]
        said += [(sse("evidence"), name) for name in evidence]
        said += [(sse("rationale"), text) for text in block.rationale]
        said += [(sse("method"), text) for text in block.method]
        fact = Quad(triple.subject, triple.predicate, triple.object, where)
        return {fact} | {Quad(claim, predicate, value, where) for predicate, value in said}


def encode(path: Path, *, sources: Path, ontology: Iterable[Path]) -> set[Quad]:
    """The quads of an encoding: facts, claims and quotations; EncodingError lists all that does not fit.

    Facts and claims of certainty `inferred` land in `graph/inferred`, all others in `graph/<file stem>`.
    """
    terms = [quad for file in ontology for quad in parse_file(file)]
    return _Encoder(path, sources, superclasses(terms)).quads()


def encoded(path: Path, *, sources: Path, ontology: Iterable[Path]) -> bytes:
    """The data file of an encoding, the same bytes for the same input."""
    return to_text(encode(path, sources=sources, ontology=ontology), TRIG, prefixes=_prefixes())


def _prefixes() -> dict[str, str]:
    kinds = (
        "organisation government event series time-slot step objective question policy section recommendation block "
        "project alliance party membership participation place theme population actor-group sector practice "
        "principle statistic document citation quotation claim text-issue certainty status role level org-kind "
        "event-kind policy-kind alliance-kind place-kind issue-kind statistic-kind scheme"
    ).split()
    return {name: iri for name, iri in PREFIXES.items() if name != "id"} | {kind: f"{ENTITY}{kind}/" for kind in kinds}


def check_quotations(quads: Iterable[Quad], sources: Path) -> list[str]:
    """One sentence for each quotation whose words, context or offsets are not in its source; none when all are."""
    wanted = {NamedNode(_OA + name): name for name in ("exact", "prefix", "suffix", "start", "end")}
    quotes: dict[NamedNode, dict[str, str]] = defaultdict(dict)
    quoted_from: dict[NamedNode, NamedNode] = {}
    files: dict[NamedNode, str] = {}
    for quad in quads:
        if not isinstance(quad.subject, NamedNode):
            continue
        if quad.predicate in wanted and isinstance(quad.object, Literal):
            quotes[quad.subject][wanted[quad.predicate]] = quad.object.value
        elif quad.predicate == sse("quotedFrom") and isinstance(quad.object, NamedNode):
            quoted_from[quad.subject] = quad.object
        elif quad.predicate == sse("sourceFile") and isinstance(quad.object, Literal):
            files[quad.subject] = quad.object.value
    texts = {document: read_source(sources / file) for document, file in files.items() if (sources / file).is_file()}
    problems = []
    for name, parts in sorted(quotes.items(), key=lambda item: item[0].value):
        document = quoted_from.get(name)
        if document is None or document not in texts:
            problems.append(f"{name.value}: its document has no source text in {sources}")
            continue
        start, end = int(parts.get("start", "0")), int(parts.get("end", "0"))
        expected = {str(p): v.value for p, v in _texts_of(quotation(Source(document, texts[document]), start, end)[1])}
        wrong = [part for part in wanted.values() if parts.get(part) != expected[part]]
        if wrong or not parts.get("exact"):
            problems.append(f"{name.value}: {', '.join(wrong) or 'exact'} not as in {files[document]}")
    return problems


def _texts_of(properties: list[tuple[NamedNode, Term]]) -> Iterator[tuple[str, Literal]]:
    for predicate, value in properties:
        if isinstance(value, Literal):
            yield predicate.value.removeprefix(_OA), value
