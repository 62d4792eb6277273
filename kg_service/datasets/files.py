"""The files of a described data set in a folder: tables by their mappings, RDF by CONSTRUCT queries or as it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pyoxigraph import QueryTriples, Store

from kg_service.datasets.described import Dataset, Part
from kg_service.entities import slug
from kg_service.errors import Malformed, NotFound, TooLarge
from kg_service.ingest import bulk
from kg_service.rdf import (
    DATA_ENDINGS,
    PREF_LABEL,
    RDF_TYPE,
    BlankNode,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    entity,
    graph,
    parse_file,
    sse,
)
from kg_service.tables import importing
from kg_service.tables import mapping as mappings
from kg_service.tables.importing import Import
from kg_service.tables.rows import MOST_BYTES
from kg_service.tables.values import countries

#: The graph in which a mapping of RDF finds the countries: places by ISO code, known to the graph or to be made.
KNOWN = graph("known")
_TABLES = ("csv", "tsv", "tab", "xlsx", "xlsm", "geojson")


@dataclass(slots=True)
class Vocabulary:
    """A part that is RDF: the quads that it makes."""

    name: str
    checksum: str
    quads: frozenset[Quad]


@dataclass(slots=True)
class Material:
    """The parts of a data set that were found and read, and the names of the files that are not there."""

    dataset: Dataset
    tables: list[Import] = field(default_factory=list)
    vocabularies: list[Vocabulary] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing of it was found."""
        return not self.tables and not self.vocabularies


def find(folder: Path, part: Part) -> list[Path]:
    """The files of a part in a folder, in order of name; of tables the last one, for it is the newest."""
    found = sorted(path for path in folder.glob(part.file) if path.is_file())
    return found[-1:] if _is_table(part, found) else found


def _is_table(part: Part, files: Iterable[Path]) -> bool:
    return part.format in _TABLES or any(_ending(path) in _TABLES for path in files)


def _ending(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[2].lower()


def read(folder: Path, dataset: Dataset, store: Store) -> Material:
    """All parts of a data set that are in the folder; Malformed and TooLarge name the file that is not what it says.

    `store` is the graph as it is: cells and mappings name its things.
    """
    material = Material(dataset)
    for part in dataset.parts:
        paths = find(folder, part) if part.file else []
        if not paths:
            material.absent.append(part.file or part.endpoint)
        for path in paths:
            size = path.stat().st_size
            if size > MOST_BYTES:
                raise TooLarge(f"{path}: {size // 2**20} MB; at most {MOST_BYTES // 2**20} MB are read")
        if _is_table(part, paths):
            material.tables += [table(path, dataset, part, store) for path in paths]
        elif paths:
            material.vocabularies.append(vocabulary(paths, dataset, part, store))
    return material


def table(path: Path, dataset: Dataset, part: Part, store: Store) -> Import:
    """The rows of a file by the mapping of its part."""
    if part.mapping is None:
        raise Malformed(f"{dataset.name}: {part.file} is a table, and needs a mapping")
    template = mappings.parsed(part.mapping.stem, part.mapping.read_text("utf-8"))
    known = importing.in_store(store, template, dataset.graph)
    name = f"{path.name}.{part.format}" if part.format and _ending(path) != part.format else path.name
    try:
        found = importing.read(name, path.read_bytes(), template, known, instead=part.values)
    except (Malformed, TooLarge) as error:
        error.detail = f"{path}: {error.detail}"
        raise
    found.name, found.graph = path.name, dataset.graph
    return found


def vocabulary(paths: list[Path], dataset: Dataset, part: Part, store: Store) -> Vocabulary:
    """The files of a part together, through its mapping if it has one; no blank node is left."""
    if wrong := [path.name for path in paths if _ending(path) not in DATA_ENDINGS]:
        raise Malformed(f"{dataset.name}: {', '.join(wrong)} is neither a table nor RDF that is read here")
    checksum = hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()
    if part.mapping is None:
        quads = {Quad(q.subject, q.predicate, q.object, dataset.graph) for path in paths for q in bulk.read(path)}
        return Vocabulary(part.file, checksum, frozenset(quads))
    given = Store()
    given.bulk_extend(
        Quad(q.subject, q.predicate, q.object, DefaultGraph()) for path in paths for q in parse_file(path)
    )
    given.bulk_extend(_countries(store, dataset.graph))
    try:
        found = given.query(part.mapping.read_text("utf-8"))
    except SyntaxError as error:
        raise Malformed(f"{part.mapping.name} is no SPARQL query: {error.msg or error}") from None
    if not isinstance(found, QueryTriples):
        raise Malformed(f"{part.mapping.name}: a mapping is a CONSTRUCT query")
    quads = {Quad(each.subject, each.predicate, each.object, dataset.graph) for each in found}
    if not quads:
        raise NotFound(f"{dataset.name}: {part.mapping.name} makes nothing of {', '.join(path.name for path in paths)}")
    if any(isinstance(term, BlankNode) for q in quads for term in (q.subject, q.object)):
        raise Malformed(f"{part.mapping.name}: a mapping gives everything an address, and makes no blank nodes")
    return Vocabulary(part.file, checksum, frozenset(quads))


def _countries(store: Store, own: NamedNode) -> Iterator[Quad]:
    """Every country as a place, by the address that the graph has for it or would make, with its code; and names.

    What only the data set's own graph tells is not known: it would be taken away for it is there.
    """
    found = store.query(importing.countries_query(own))
    known = {code.value: place for place, code in found}  # type: ignore[union-attr]
    for country in {each.code: each for each in countries().values()}.values():
        place = known.get(country.code) or entity("place", slug(country.names["en"]))
        yield Quad(place, sse("countryCode"), Literal(country.code), KNOWN)
        if country.code not in known:
            yield Quad(place, RDF_TYPE, sse("Place"), KNOWN)
            for tag, name in country.names.items():
                yield Quad(place, PREF_LABEL, Literal(name, language=tag), KNOWN)
    for thing, name in store.query(importing.known_query("place", own)):  # type: ignore[union-attr]
        yield Quad(thing, PREF_LABEL, name, KNOWN)
