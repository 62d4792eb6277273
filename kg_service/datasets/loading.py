"""All described data sets of a folder into the graph: each in one change of its own, with every row accounted for.

A data set's named graph is made equal to what its files say now, so that loading again changes only what changed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from kg_service.changes import Committed
from kg_service.datasets import files
from kg_service.datasets.described import Dataset
from kg_service.datasets.files import Material, Vocabulary
from kg_service.errors import NotFound, Violations
from kg_service.ingest import bulk
from kg_service.rdf import ENTITY, PREF_LABEL, PREFIXES, RDF_TYPE, Literal, NamedNode, Quad, Term, entity, sse
from kg_service.shacl import Progress, Shapes, no_progress
from kg_service.store.embedded import EmbeddedStore, snapshot
from kg_service.tables.importing import ROUNDS, Import, endless
from kg_service.tables.mapping import Problem
from kg_service.tables.words import right

_ALT_LABEL = NamedNode(PREFIXES["skos"] + "altLabel")
#: Links to what may be unknown, for they say where something is from.
_FREE = NamedNode(PREFIXES["prov"] + "wasDerivedFrom")
#: The kinds of thing that an account counts.
_COUNTED = {
    sse("Organisation").value: "organisations",
    sse("Membership").value: "memberships",
    sse("YearlyFigures").value: "yearly_figures",
    sse("Place").value: "places",
    PREFIXES["skos"] + "Concept": "concepts",
}


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a file: its rows, those that went in, and all that was wrong with the others."""

    file: str
    rows: int
    taken: int
    problems: tuple[Problem, ...]

    @property
    def rejected(self) -> int:
        """How many rows did not go in."""
        return self.rows - self.taken


@dataclass(slots=True)
class Loaded:
    """What became of a data set: of its files, and of the graph; `done` is None where nothing of it was found."""

    name: str
    title: str
    files: list[Account] = field(default_factory=list)
    things: dict[str, int] = field(default_factory=dict)
    absent: list[str] = field(default_factory=list)
    done: Committed | None = None

    def told(self) -> dict[str, Any]:
        """As plain data, with each rejected row."""
        return {
            "name": self.name,
            "title": self.title,
            "files": [
                {
                    "file": each.file,
                    "rows": each.rows,
                    "taken": each.taken,
                    "rejected": each.rejected,
                    "problems": [
                        {"row": p.row, "column": p.column, "value": p.value, "right": p.right} for p in each.problems
                    ],
                }
                for each in self.files
            ],
            "things": self.things,
            "absent": self.absent,
            "change": self.done.change if self.done else None,
            "added": self.done.added if self.done else 0,
            "removed": self.done.removed if self.done else 0,
        }


def load(
    store: EmbeddedStore,
    folder: Path,
    datasets: Iterable[Dataset],
    shapes: Shapes,
    *,
    dry_run: bool = False,
    author: str = "unknown",
    language: str = "en",
    progress: Progress = no_progress,
) -> Iterator[Loaded]:
    """Loads those of the data sets that are in the folder, one after the other; NotFound when none is.

    Rows that break the shapes are left out, and told; a data set that breaks them otherwise raises Violations, and
    leaves nothing of it behind. With `dry_run` nothing is written, so that data sets do not see those before them.
    """
    wanted = list(datasets)
    if not any(files.find(folder, part) for dataset in wanted for part in dataset.parts if part.file):
        patterns = ", ".join(part.file for dataset in wanted for part in dataset.parts if part.file)
        raise NotFound(f"{folder}: none of the files that are described is in this folder: {patterns}")
    for number, dataset in enumerate(wanted):
        progress(f"reading {dataset.name}", number, len(wanted))
        with snapshot(store.root) as graph:
            material = files.read(folder, dataset, graph)
            loaded = Loaded(dataset.name, dataset.title["en"], absent=material.absent)
            if material.is_empty:
                yield loaded
                continue
            settle(material, partial(exists, graph))
        progress(f"checking and writing {dataset.name}", number, len(wanted))
        note = f"data set {dataset.name}: {dataset.title['en']}"
        make = partial(written, store, shapes, dry_run=dry_run, author=author, note=note, language=language)
        loaded.done = accepted(material, make)
        loaded.files = [_account(each) for each in material.tables]
        loaded.things = _counts(statements(material))
        yield loaded
    progress("done", len(wanted), len(wanted))


def accepted(material: Material, make: Callable[[Material], Committed]) -> Committed:
    """What `make` gives of the material; rows that break the shapes are left out, and the others tried again."""
    for _ in range(ROUNDS):
        try:
            return make(material)
        except Violations as refused:
            report = refused.report.to_dict()
            rejected = [each.reject(report) for each in material.tables]
            if not any(rejected):
                raise
    raise endless()


def written(store: EmbeddedStore, shapes: Shapes, material: Material, **how: Any) -> Committed:
    """Makes the graph of a data set what its material says, in one change; Violations, and nothing, if it may not be.

    What the material says is never in memory as a whole.
    """
    dataset = material.dataset
    return bulk.load_statements(store, statements(material), shapes, replace=True, name=dataset.name, **how)


def settle(material: Material, exists: Callable[[str], bool]) -> None:
    """Makes the tables of a data set one: a thing has one name in a language, and links lead to things that there are.

    The first file that names a thing names it; what later ones call it is another name. A row whose links lead to
    nothing that the graph or the data set has is rejected.
    """
    names: dict[tuple[Term, str | None], Term] = {}
    for each in material.tables:
        for number, quads in each.rows.items():
            named = frozenset(_named(quads, names))
            if named != quads:
                each.rows[number] = named
    made = {subject for each in material.tables for number in each.rows for subject in each.rows.subjects(number)}
    made |= {getattr(q.subject, "value", "") for each in material.vocabularies for q in each.quads}
    seen: dict[str, bool] = {}
    for each in material.tables:
        for problem in list(_loose_ends(each, made, exists, seen)):
            each.problems.append(problem)
            each.rows.pop(problem.row, None)


def _named(quads: Iterable[Quad], names: dict[tuple[Term, str | None], Term]) -> Iterator[Quad]:
    for quad in quads:
        name = quad.object
        is_other = (
            quad.predicate == PREF_LABEL
            and isinstance(name, Literal)
            and names.setdefault((quad.subject, name.language), name) != name
        )
        yield Quad(quad.subject, _ALT_LABEL, name) if is_other else quad


def _loose_ends(
    found: Import, made: set[str], exists: Callable[[str], bool], seen: dict[str, bool]
) -> Iterator[Problem]:
    for number, quads in found.rows.items():
        for quad in quads:
            thing = quad.object
            if not isinstance(thing, NamedNode) or not thing.value.startswith(ENTITY) or thing.value in made:
                continue
            if quad.predicate in (RDF_TYPE, _FREE):
                continue
            if thing.value not in seen:
                seen[thing.value] = exists(thing.value)
            if not seen[thing.value]:
                column = found.column(number, _short(quad.predicate), thing.value)
                end = thing.value.removeprefix(ENTITY)
                yield Problem(number, column, found.cell(number, column) or end, right("nothing", "en", thing=end))
                break


def _short(property: NamedNode) -> str:
    for prefix, space in PREFIXES.items():
        if property.value.startswith(space):
            return f"{prefix}:{property.value.removeprefix(space)}"
    return str(property)


def exists(graph: Any, iri: str) -> bool:
    """Whether the graph has a thing of that IRI."""
    return next(graph.quads_for_pattern(NamedNode(iri), RDF_TYPE, None, None), None) is not None


def statements(material: Material) -> Iterator[Quad]:
    """All that the graph of a data set is to hold; a statement may come several times."""
    dataset = material.dataset
    yield from dataset.said()
    for table in material.tables:
        yield from table.quads()
        yield Quad(dataset.graph, _FREE, table.source, dataset.graph)
    for vocabulary in material.vocabularies:
        yield from vocabulary.quads
        yield from _source(dataset, vocabulary)


def _source(dataset: Dataset, vocabulary: Vocabulary) -> Iterator[Quad]:
    file = entity("table", vocabulary.checksum[:16])
    yield Quad(dataset.graph, _FREE, file, dataset.graph)
    yield Quad(file, RDF_TYPE, NamedNode(PREFIXES["prov"] + "Entity"), dataset.graph)
    yield Quad(file, NamedNode(PREFIXES["dcterms"] + "title"), Literal(vocabulary.name), dataset.graph)
    yield Quad(file, NamedNode(PREFIXES["schema"] + "sha256"), Literal(vocabulary.checksum), dataset.graph)


def _account(table: Import) -> Account:
    problems = tuple(sorted(table.problems, key=lambda each: each.row))
    return Account(table.name, len(table.table.rows), len(table.rows), problems)


def _counts(quads: Iterable[Quad]) -> dict[str, int]:
    things: dict[str, set[Any]] = {}
    for quad in quads:
        name = _COUNTED.get(getattr(quad.object, "value", "")) if quad.predicate == RDF_TYPE else None
        if name:
            things.setdefault(name, set()).add(quad.subject)
    return {name: len(found) for name, found in sorted(things.items())}
