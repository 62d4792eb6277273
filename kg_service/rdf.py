"""RDF in and out: the project's names, every format, and parsing that says where a text went wrong.

Nothing here guards against hostile input: what strangers send is parsed in a reader process (see `store.readers`).
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from mmap import mmap
from pathlib import Path
from urllib.parse import quote
from xml.parsers.expat import ExpatError, ParserCreate

from pyoxigraph import BlankNode as BlankNode
from pyoxigraph import DefaultGraph as DefaultGraph
from pyoxigraph import Literal as Literal
from pyoxigraph import NamedNode as NamedNode
from pyoxigraph import Quad as Quad
from pyoxigraph import QueryResultsFormat, RdfFormat, Triple, parse, serialize

from kg_service import unpacking
from kg_service.errors import Malformed, NotAcceptable, NotFound, Refused, UnsupportedFormat

ONTOLOGY = "https://w3id.org/sse-kg/ontology#"
ENTITY = "https://w3id.org/sse-kg/id/"
GRAPH = "https://w3id.org/sse-kg/graph/"
SHAPE = "https://w3id.org/sse-kg/shapes#"
#: Where the IRIs of what was a blank node begin.
GENID = "https://w3id.org/sse-kg/.well-known/genid/"

RDF_TYPE = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")
RDFS_SUBCLASS = NamedNode("http://www.w3.org/2000/01/rdf-schema#subClassOf")
PREF_LABEL = NamedNode("http://www.w3.org/2004/02/skos/core#prefLabel")

#: What answers are written with; entity types get a prefix each, so that slugs stay readable.
PREFIXES: dict[str, str] = {
    "sse": ONTOLOGY,
    "id": ENTITY,
    "graph": GRAPH,
    "shapes": SHAPE,
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "owl": "http://www.w3.org/2002/07/owl#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
    "dcterms": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "org": "http://www.w3.org/ns/org#",
    "prov": "http://www.w3.org/ns/prov#",
    "schema": "https://schema.org/",
    "oa": "http://www.w3.org/ns/oa#",
    "time": "http://www.w3.org/2006/time#",
    "eli": "http://data.europa.eu/eli/ontology#",
    "cv": "http://data.europa.eu/m8g/",
    "sh": "http://www.w3.org/ns/shacl#",
    "sdg": "http://metadata.un.org/sdg/",
    "sdgo": "http://metadata.un.org/sdg/ontology#",
}


#: What can stand as an object.
Term = NamedNode | BlankNode | Literal | Triple


def sse(name: str) -> NamedNode:
    """The ontology term of that name."""
    return NamedNode(ONTOLOGY + name)


def entity(kind: str, slug: str) -> NamedNode:
    """The IRI of the entity `slug` of the type `kind`."""
    return NamedNode(f"{ENTITY}{kind}/{slug}")


def graph(name: str) -> NamedNode:
    """The IRI of the project's graph of that name; what an IRI may not hold is percent-encoded."""
    return NamedNode(GRAPH + quote(name.encode("utf-8", "surrogateescape"), safe="-._~:@!$&'()*+,;="))


@dataclass(frozen=True, slots=True)
class Format:
    """A way of writing RDF or query results down: its short name, media types (ours first) and file endings."""

    name: str
    media_types: tuple[str, ...]
    endings: tuple[str, ...]
    rdf: RdfFormat | None = None
    results: QueryResultsFormat | None = None

    @property
    def media_type(self) -> str:
        """The media type to answer with, with its charset where the type has one."""
        first = self.media_types[0]
        return f"{first}; charset=utf-8" if first.startswith("text/") else first


TURTLE = Format("turtle", ("text/turtle", "application/x-turtle"), ("ttl",), rdf=RdfFormat.TURTLE)
N_TRIPLES = Format("n-triples", ("application/n-triples", "text/plain"), ("nt",), rdf=RdfFormat.N_TRIPLES)
RDF_XML = Format(
    "rdf-xml",
    ("application/rdf+xml", "application/xml", "text/xml"),
    ("rdf", "owl", "xml"),
    rdf=RdfFormat.RDF_XML,
)
JSON_LD = Format("json-ld", ("application/ld+json", "application/json"), ("jsonld", "json"), rdf=RdfFormat.JSON_LD)
TRIG = Format("trig", ("application/trig", "application/x-trig"), ("trig",), rdf=RdfFormat.TRIG)
N_QUADS = Format("n-quads", ("application/n-quads", "text/x-nquads"), ("nq",), rdf=RdfFormat.N_QUADS)
GRAPH_FORMATS: tuple[Format, ...] = (TURTLE, JSON_LD, N_TRIPLES, RDF_XML, TRIG, N_QUADS)
#: How the names of RDF files end, without the dot.
DATA_ENDINGS = tuple(ending for known in GRAPH_FORMATS for ending in known.endings)

JSON = Format(
    "json",
    ("application/sparql-results+json", "application/json"),
    ("json", "srj"),
    results=QueryResultsFormat.JSON,
)
XML = Format(
    "xml",
    ("application/sparql-results+xml", "application/xml", "text/xml"),
    ("xml", "srx"),
    results=QueryResultsFormat.XML,
)
CSV = Format("csv", ("text/csv",), ("csv",), results=QueryResultsFormat.CSV)
TSV = Format("tsv", ("text/tab-separated-values",), ("tsv",), results=QueryResultsFormat.TSV)
TABLE_FORMATS: tuple[Format, ...] = (JSON, XML, CSV, TSV)
BOOLEAN_FORMATS: tuple[Format, ...] = (JSON, XML, CSV, TSV)


def format_named(name: str, among: Iterable[Format]) -> Format:
    """The format with that short name, file ending or media type; Malformed lists the known ones."""
    among = tuple(among)
    for known in among:
        if name in (known.name, *known.endings, *known.media_types):
            return known
    raise Malformed(f'unknown format "{name}"; known: {", ".join(f.name for f in among)}')


def format_of_path(path: Path) -> Format:
    """The RDF format that a file's ending says; a trailing `.gz` or `.zst` is passed over."""
    endings = [ending.lstrip(".").lower() for ending in path.suffixes]
    if endings and endings[-1] in unpacking.ENDINGS:
        endings.pop()
    for known in GRAPH_FORMATS:
        if endings and endings[-1] in known.endings:
            return known
    known_endings = ", ".join("." + ending for f in GRAPH_FORMATS for ending in f.endings)
    raise UnsupportedFormat(f"{path}: its ending says no RDF format; known: {known_endings}, also with .gz or .zst")


#: Brackets within brackets of a document; the parsers break at a few thousand.
MAX_DEPTH = 200
_DECLARATION = re.compile(rb"<!\s*(DOCTYPE|ENTITY)", re.IGNORECASE)
_BRACKETS = {
    "json-ld": re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{\]}]', re.DOTALL),
    "turtle": re.compile(
        rb"""\"\"\".*?\"\"\"|'''.*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|<[^<>\s]*>|\#[^\n]*|[(\[)\]]""",
        re.DOTALL,
    ),
}
_BRACKETS["trig"] = _BRACKETS["turtle"]


def check_document(data: bytes | mmap, how: Format, source: str | None = None) -> None:
    """Refuses what is known to break parsers: entity declarations in RDF/XML, and brackets nested too deep."""
    where = f"{source}: " if source else ""
    if how is RDF_XML and _DECLARATION.search(data):
        raise Refused(f"{where}RDF/XML with a DOCTYPE or ENTITY declaration is not read; write the values out")
    depth = 0
    for match in _BRACKETS[how.name].finditer(data) if how.name in _BRACKETS else ():
        depth += (match[0] in b"([{") - (match[0] in b")]}")
        if depth > MAX_DEPTH:
            line = data[: match.start()].count(b"\n") + 1
            raise Refused(f"{where}line {line}: brackets are nested deeper than {MAX_DEPTH} levels", line=line)


def parse_bytes(
    data: bytes, how: Format, *, base: str | None = None, source: str | None = None, one_graph: bool = False
) -> Iterator[Quad]:
    """The quads of `data`, lazily; Malformed says source, line and column. Blank nodes get fresh names.

    Refused for documents that break parsers, and for triple terms of RDF 1.2, which the store does not keep.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    if how.rdf is None:
        raise UnsupportedFormat(f"{how.name} is a format of query results, not of RDF")
    check_document(data, how, source)
    try:
        for quad in parse(data, how.rdf, base_iri=base, rename_blank_nodes=True, without_named_graphs=one_graph):
            if isinstance(quad.object, Triple):
                raise Refused(_located("triple terms of RDF 1.2 are not kept; use rdf:Statement", source, None, None))
            yield quad
    except SyntaxError as error:
        raise malformed(error, source) from None
    except ValueError as error:
        raise Malformed(_located(str(error), source, None, None), source=source) from None


def parse_file(path: Path) -> Iterator[Quad]:
    """The quads of a file, whose format is told by its ending; Malformed says file, line and column.

    Relative IRIs resolve against `graph/<file stem>`, never against where the file happens to lie.
    """
    how = format_of_path(path)
    try:
        with unpacking.opened(path) as file:
            data = file.read()
    except FileNotFoundError:
        raise NotFound(f"{path}: there is no such file") from None
    yield from parse_bytes(data, how, base=graph(stem(path)).value, source=str(path))


def stem(path: Path) -> str:
    """A file's name without the endings of formats: `a.trig.gz` and `a.ttl` are both `a`, `a.b.ttl` is `a.b`."""
    name = path.name
    for ending in unpacking.ENDINGS:
        name = name.removesuffix(f".{ending}")
    bare, _, ending = name.rpartition(".")
    return bare if bare and ending.lower() in DATA_ENDINGS else name


#: The address of the project's JSON-LD context.
CONTEXT = "https://w3id.org/sse-kg/context.jsonld"


def with_context(document: bytes, context: bytes) -> bytes:
    """A JSON-LD document with the project's context written in, where it has none or names ours by its address."""
    try:
        check_document(document, JSON_LD)
        read = json.loads(document)
    except ValueError:
        return document  # the parser says where it is wrong
    if not isinstance(read, dict) or read.get("@context", CONTEXT) not in (CONTEXT, "/context.jsonld"):
        return document
    return json.dumps(read | {"@context": json.loads(context)["@context"]}, ensure_ascii=False).encode()


_POSITION = re.compile(
    r"^(?:Parser )?error (?:at|between) (?:line )?(\d+)(?: columns? |:| between columns )(\d+)"
    r"(?: and (?:line \d+ column )?\d+)?: ?",
    re.IGNORECASE,
)
_PLAINER = {
    "Prefix not found": "a prefix is used here that is not declared with PREFIX",
    "LoadDocumentCallback": "the JSON-LD names a context by its address; none is ever fetched, so write it in",
}
_GRAMMAR_NOISE = re.compile(r"(, )?\[[^\[\]]*(?:'[^']*'[^\[\]]*)*\]", re.DOTALL)


def malformed(error: SyntaxError, source: str | None = None) -> Malformed:
    """The engine's syntax error as ours: a readable sentence, with line and column where it knows them."""
    message = str(error.msg if error.msg is not None else error)
    line, column = error.lineno, error.offset
    position = _POSITION.match(message)
    if position:
        message = message[position.end() :]
        line, column = line or int(position[1]), column or int(position[2])
    elif (at := re.search(r" at line (\d+) column (\d+)", message)) and line is None:
        line, column = int(at[1]), int(at[2])
    readable = _GRAMMAR_NOISE.sub("", message).strip().rstrip(",") or message.strip()
    for known, plain in _PLAINER.items():
        readable = plain if known in readable else readable
    return Malformed(_located(readable, source, line, column), source=source, line=line, column=column)


def _located(message: str, source: str | None, line: int | None, column: int | None) -> str:
    where = f"line {line}, column {column}: " if line is not None else ""
    return f"{source}: {where}{message}" if source else f"{where}{message}"


_TYPES_FIRST = {RDF_TYPE.value: "", PREF_LABEL.value: " "}


def _order(quad: Quad) -> tuple[str, str, str, str]:
    predicate = quad.predicate.value
    name = "" if isinstance(quad.graph_name, DefaultGraph) else str(quad.graph_name)
    return (name, str(quad.subject), _TYPES_FIRST.get(predicate, predicate), str(quad.object))


def to_text(quads: Iterable[Quad], how: Format, prefixes: dict[str, str] | None = None) -> bytes:
    """The quads in a fixed order (graph, subject, type and name first), so that equal data give equal bytes.

    NotAcceptable for RDF/XML when it cannot say them.
    """
    if how.rdf is None:
        raise UnsupportedFormat(f"{how.name} is a format of query results, not of RDF")
    ordered = sorted(set(quads), key=_order)
    if not how.rdf.supports_datasets:
        text = serialize((q.triple for q in ordered), None, how.rdf, prefixes=prefixes or PREFIXES) or b""
        WellFormed(how).check(text, is_last=True)
        return text
    return serialize(ordered, None, how.rdf, prefixes=prefixes or PREFIXES) or b""


class WellFormed:
    """Looks over what the engine writes: it writes what XML cannot say all the same, as no XML. Other formats pass."""

    def __init__(self, how: Format) -> None:
        is_xml = how.rdf == RdfFormat.RDF_XML or how.results == QueryResultsFormat.XML
        self._parser = ParserCreate(namespace_separator=" ") if is_xml else None

    def check(self, part: bytes, *, is_last: bool = False) -> None:
        """Raises NotAcceptable at the first part that makes it no XML."""
        if self._parser is None:
            return
        try:
            self._parser.Parse(part, is_last)
        except ExpatError:
            raise NotAcceptable(
                "XML cannot say this: it needs properties whose IRIs end in a name, and text without control "
                "characters; ask for another format, such as text/turtle or application/sparql-results+json"
            ) from None
