"""Files of RDF into the graph: each file's triples go to a graph of its own, all files in one change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, serialize

from kg_service.changes import Committed, Present, Proposal, commit, judge
from kg_service.changes.large import commit_spool
from kg_service.errors import Malformed, NotFound, Violations
from kg_service.ingest.normalising import Normaliser
from kg_service.ingest.spooling import spooled
from kg_service.rdf import DATA_ENDINGS, GRAPH, Format, graph, parse_file, stem, to_text
from kg_service.shacl import Progress, Report, Shapes, no_progress
from kg_service.shacl.gate import Gate
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, delta_between, in_default_graph, snapshot, trial
from kg_service.store.scratch import Scratch
from kg_service.unpacking import ENDINGS, is_packed

#: Characters of a note that names files.
_NOTE = 500
#: Bytes of text from which on files are large; about 100,000 statements.
_LARGE = 2**24
#: Statements of a store from which on its graphs may be large.
_MANY = 200_000
#: Statements that are written together.
_TOGETHER = 10_000
#: How many times its size a packed file holds, about.
_PACKED = 10


def files_in(paths: Iterable[Path]) -> list[Path]:
    """The files named, and for each folder the RDF files directly in it, in order of name."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            endings = tuple(
                f".{ending}{zipped}" for ending in DATA_ENDINGS for zipped in ("", *(f".{each}" for each in ENDINGS))
            )
            inside = sorted(file for file in path.iterdir() if file.is_file() and file.name.endswith(endings))
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

    Triples outside any graph go to `graph/<file stem>`. Blank nodes become IRIs numbered in the order in which the
    file has them, so that loading the same file twice adds nothing.
    """
    normaliser = Normaliser(graph(stem(path)))
    return [normaliser.stored(quad) for quad in parse_file(path)]


def load(
    store: EmbeddedStore,
    paths: Iterable[Path],
    shapes: Shapes,
    *,
    replace: bool = False,
    dry_run: bool = False,
    author: str = "unknown",
    note: str | None = None,
    language: str = "en",
    progress: Progress = no_progress,
) -> Committed:
    """Loads files in one change: all of them or, when one does not parse or the whole does not conform, none.

    With `replace`, each graph that the files hold is made equal to what they say of it. Of large files, and where a
    large graph may be replaced, no more than some pages are ever in memory.
    """
    files = files_in(paths)
    why = note if note is not None else _note_of(files)
    if sum(map(_bytes, files)) >= _LARGE or (replace and _is_large(store)):
        with spooled(files, store, replace=replace, language=language, progress=progress) as read:
            return commit_spool(
                store,
                read.spool,
                shapes,
                wrong=read.wrong,
                author=author,
                note=why,
                dry_run=dry_run,
                language=language,
                progress=progress,
            )
    delta = proposed(files, replace=replace, progress=progress).make(store)
    return commit(store, delta, Gate(shapes), author=author, note=why, dry_run=dry_run, language=language)


def load_statements(
    store: EmbeddedStore, quads: Iterable[Quad], shapes: Shapes, *, replace: bool, name: str, **how: Any
) -> Committed:
    """The same for statements that come one after the other, each in a named graph; by way of a file of that name."""
    waiting = iter(quads)
    with Scratch(store.root, "load-") as folder:
        path = folder / f"{name}.nq"
        with path.open("wb") as file:
            while some := list(islice(waiting, _TOGETHER)):
                file.write(serialize(some, None, RdfFormat.N_QUADS) or b"")
        return load(store, [path], shapes, replace=replace, **how)


def proposed(
    paths: Iterable[Path],
    *,
    replace: bool = False,
    author: str = "unknown",
    note: str | None = None,
    progress: Progress = no_progress,
) -> Proposal:
    """The files, read and parsed, as a change of whatever graph there is when its turn comes."""
    files, new = _all_of(paths, "checking and writing", progress)
    why = note if note is not None else _note_of(files)

    def make(present: Present) -> Delta:
        if not replace:
            return Delta(added=frozenset(new))
        old = [quad for name in {q.graph_name for q in new} for quad in present.graph(name)]  # type: ignore[arg-type]
        return delta_between(old, new)

    return Proposal(make, author=author, note=why)


def _note_of(files: list[Path]) -> str:
    return f"loaded {', '.join(path.name for path in files)}"[:_NOTE]


def _bytes(path: Path) -> int:
    """About how many bytes of text are in a file."""
    return path.stat().st_size * (_PACKED if is_packed(path) else 1)


def _is_large(store: EmbeddedStore) -> bool:
    """Whether the store has graphs that are not put into memory to be compared."""
    return next(islice(store.triples(), _MANY, None), None) is not None


def _all_of(paths: Iterable[Path], afterwards: str, progress: Progress) -> tuple[list[Path], set[Quad]]:
    """The files and their quads; `afterwards` is what is done next, for the progress."""
    files = files_in(paths)
    new: set[Quad] = set()
    for done, path in enumerate(files):
        progress(f"reading {path.name}", done, len(files) + 1)
        new.update(read(path))
    progress(afterwards, len(files), len(files) + 1)
    return files, new


def tried(
    root: Path,
    paths: Iterable[Path],
    shapes: Shapes,
    *,
    replace: bool = False,
    language: str = "en",
    progress: Progress = no_progress,
) -> Report:
    """What loading the files into the store in `root` would bring; writes nothing there, and disturbs no writer."""
    with trial(root) as store:
        try:
            done = load(store, paths, shapes, replace=replace, dry_run=True, language=language, progress=progress)
        except Violations as refused:
            report: Report = refused.report
            return report
        return done.report


def validate(
    paths: Iterable[Path],
    known: Iterable[Quad],
    shapes: Shapes,
    *,
    replace: bool = False,
    language: str = "en",
    progress: Progress = no_progress,
) -> Report:
    """What loading the files onto the known quads would bring; writes nothing. `replace` as for `load`."""
    _, new = _all_of(paths, "checking", progress)
    before = {quad for quad in known if not isinstance(quad.graph_name, DefaultGraph)}
    graphs = {quad.graph_name for quad in new} if replace else set()
    after = {quad for quad in before if quad.graph_name not in graphs} | new
    left = {in_default_graph(quad) for quad in before} - {in_default_graph(quad) for quad in after}
    change = Delta(added=frozenset(after - before), removed=frozenset(left))
    return judge({in_default_graph(quad) for quad in before}, change, shapes, language, progress)


def export(root: Path, how: Format, name: str | None = None) -> bytes:
    """All named graphs of the store in `root`, or the one of that name or IRI, written in a fixed order."""
    with snapshot(root) as store:
        graphs = [graph for graph in store.named_graphs() if isinstance(graph, NamedNode)]
        return written(graphs, lambda graph: store.quads_for_pattern(None, None, None, graph), how, name)


def written(
    graphs: Iterable[NamedNode],
    quads: Callable[[NamedNode | None], Iterable[Quad]],
    how: Format,
    name: str | None = None,
) -> bytes:
    """All of these graphs, or the one of that name or IRI, in a fixed order; `quads` gives those of one, or of all.

    NotFound lists the graphs when there is none such; Malformed when a format without graphs is to hold them all.
    """
    known = sorted(graph.value for graph in graphs)
    if name is None:
        if how.rdf is None or not how.rdf.supports_datasets:
            raise Malformed(f"{how.name} holds one graph only; choose it with --graph, or write trig or n-quads")
        return to_text((quad for quad in quads(None) if not isinstance(quad.graph_name, DefaultGraph)), how)
    iri = name if ":" in name else GRAPH + name
    if iri not in known:
        raise NotFound(f'there is no graph "{name}"; known: {", ".join(g.removeprefix(GRAPH) for g in known)}')
    return to_text(quads(NamedNode(iri)), how)


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
