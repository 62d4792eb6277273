"""Files of RDF into the graph: each file's triples go to a graph of its own, all files in one change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    DefaultGraph,
    NamedNode,
    Quad,
)

from kg_service.changes import Committed, commit, judge
from kg_service.errors import Malformed, NotFound
from kg_service.rdf import GRAPH, Format, graph, parse_file, stem, to_text
from kg_service.shacl import Report, Shapes
from kg_service.store import Delta, GraphStore
from kg_service.store.embedded import EmbeddedStore, delta_between, in_default_graph, snapshot

#: Called with what is being done and how much of how much is done.
Progress = Callable[[str, int, int], None]
GENID = "https://w3id.org/sse-kg/.well-known/genid/"
_DATA_ENDINGS = (
    "*.ttl",
    "*.trig",
    "*.nt",
    "*.nq",
    "*.rdf",
    "*.jsonld",
    "*.ttl.gz",
    "*.trig.gz",
    "*.nt.gz",
    "*.nq.gz",
)


def no_progress(what: str, done: int, total: int) -> None:
    """Says nothing."""


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The files named, and for each folder the RDF files directly in it, in order of name."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted({file for ending in _DATA_ENDINGS for file in path.glob(ending)})
            if not inside:
                raise NotFound(f"{path}: there is no RDF file in this folder")
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise NotFound(f"{path}: there is no such file")
    return list(dict.fromkeys(found))


def read(path: Path) -> list[Quad]:
    """The quads of a file as they are stored: every quad in a named graph, no blank node left.

    Triples outside any graph go to `graph/<file stem>`. Blank nodes become IRIs of their canonical labels (RDF
    Dataset Canonicalization, RDFC-1.0), so that loading the same file twice adds nothing.
    """
    home = graph(stem(path))
    quads = list(_in_a_graph(parse_file(path), home))
    if not any(_has_blank(quad) for quad in quads):
        return quads
    dataset = Dataset(quads)
    try:
        dataset.canonicalize(CanonicalizationAlgorithm.RDFC_1_0)
    except ValueError as error:  # the engine stops at poisoned graphs, whose canonical form takes exponential time
        raise Malformed(f"{path}: its blank nodes cannot be told apart ({error})", source=str(path)) from None
    return [_named(quad, stem(path)) for quad in dataset]


def _in_a_graph(quads: Iterable[Quad], home: NamedNode) -> Iterator[Quad]:
    for quad in quads:
        is_outside = isinstance(quad.graph_name, DefaultGraph)
        yield Quad(quad.subject, quad.predicate, quad.object, home) if is_outside else quad


def _has_blank(quad: Quad) -> bool:
    return any(isinstance(term, BlankNode) for term in (quad.subject, quad.object, quad.graph_name))


def _named(quad: Quad, name: str) -> Quad:
    def term(value: object) -> object:
        return NamedNode(f"{GENID}{name}-{value.value}") if isinstance(value, BlankNode) else value

    return Quad(term(quad.subject), quad.predicate, term(quad.object), term(quad.graph_name))  # type: ignore[arg-type]


def load(
    store: GraphStore,
    paths: Iterable[Path],
    shapes: Shapes,
    *,
    replace: bool = False,
    dry_run: bool = False,
    progress: Progress = no_progress,
) -> Committed:
    """Loads files in one change: all of them or, when one does not parse or the whole does not conform, none.

    With `replace`, each graph that the files hold is made equal to what they say of it.
    """
    files = files_in(paths)
    new: set[Quad] = set()
    for done, path in enumerate(files):
        progress(f"reading {path.name}", done, len(files) + 1)
        new.update(read(path))
    progress("checking and writing", len(files), len(files) + 1)
    old = [quad for name in {q.graph_name for q in new} for quad in store.quads(name)] if replace else []  # type: ignore[arg-type]
    delta = delta_between(old, new) if replace else Delta(added=frozenset(new))
    committed = commit(store, delta, shapes, dry_run=dry_run)
    progress("done", len(files) + 1, len(files) + 1)
    return committed


def validate(
    paths: Iterable[Path], known: Iterable[Quad], shapes: Shapes, *, progress: Progress = no_progress
) -> Report:
    """What loading the files with `replace` onto the known quads would bring; writes nothing."""
    files = files_in(paths)
    new: set[Quad] = set()
    for done, path in enumerate(files):
        progress(f"reading {path.name}", done, len(files) + 1)
        new.update(read(path))
    progress("checking", len(files), len(files) + 1)
    graphs = {quad.graph_name for quad in new}
    before = {quad for quad in known if not isinstance(quad.graph_name, DefaultGraph)}
    after = {quad for quad in before if quad.graph_name not in graphs} | new
    left = {in_default_graph(quad) for quad in before} - {in_default_graph(quad) for quad in after}
    return judge(
        {in_default_graph(quad) for quad in before},
        Delta(added=frozenset(after), removed=frozenset(left)),
        shapes,
    )


def known(root: Path, seed_files: Iterable[Path]) -> list[Quad]:
    """What the graph holds now: the store's quads, or those of the seed files when there is no store yet."""
    with snapshot(root) as store:
        quads = list(store)
    return quads or [quad for path in seed_files for quad in read(path)]


def export(root: Path, how: Format, name: str | None = None) -> bytes:
    """All named graphs, or the one of that name or IRI, written in a fixed order.

    NotFound lists the graphs when there is none such; Malformed when a format without graphs is to hold them all.
    """
    with snapshot(root) as store:
        graphs = sorted(graph.value for graph in store.named_graphs())
        if name is None:
            if how.rdf is None or not how.rdf.supports_datasets:
                raise Malformed(f"{how.name} holds one graph only; choose it with --graph, or write trig or n-quads")
            return to_text((quad for quad in store if not isinstance(quad.graph_name, DefaultGraph)), how)
        iri = name if ":" in name else GRAPH + name
        if iri not in graphs:
            raise NotFound(f'there is no graph "{name}"; known: {", ".join(g.removeprefix(GRAPH) for g in graphs)}')
        return to_text(store.quads_for_pattern(None, None, None, NamedNode(iri)), how)


def seeds(data: Path, ontology: Path) -> list[Path]:
    """The files that a fresh service starts with: the ontology and the project's data."""
    return files_in([ontology, data])


def fingerprint(files: Iterable[Path]) -> str:
    """A checksum over names and contents; equal means nothing to load."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def seed(
    store: EmbeddedStore, files: list[Path], shapes: Shapes, *, progress: Progress = no_progress
) -> Committed | None:
    """Loads the seed files unless the store was last seeded with just these; other graphs stay as they are."""
    note = store.root / "seeded"
    wanted = fingerprint(files)
    if store.generation and note.is_file() and note.read_text() == wanted:
        return None
    committed = load(store, files, shapes, replace=True, progress=progress)
    note.write_text(wanted)
    return committed


def is_seeded(root: Path, files: list[Path]) -> bool:
    """Whether the store in `root` was last seeded with just these files; opens nothing."""
    note = root / "seeded"
    return (root / "current").is_file() and note.is_file() and note.read_text() == fingerprint(files)
