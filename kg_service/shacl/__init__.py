"""SHACL validation: shapes compiled to SPARQL and run by pyoxigraph.

    shapes = load_shapes("shapes/")      # once; refuses what is ill-formed with the place
    report = validate(store, shapes)     # the data are in the store's default graph
    report.conforms, report.blocks, report.counts, report.results

All of SHACL Core and the constraints and constraint components of SHACL-SPARQL. Only Violation results block; every
result makes the data non-conforming, as the Recommendation says.

What the engine brings with it: the store keeps literals in canonical form, so `4.0` is judged as `4` and
`"5"^^xsd:int` as `5`, an xsd:integer. No stored value can satisfy `sh:datatype xsd:int` or another type derived from
xsd:integer, nor xsd:dateTimeStamp; ask for xsd:integer with a range instead. `sh:pattern` is the engine's REGEX
(Rust's `regex` crate: no look-around, no back-references). Language tags are in lower case. Booleans have no order, so
a range over them fails. In a `sh:sparql` query, a join inside EXISTS may scan the graph for every row: nest one EXISTS
in the other instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import NamedNode, Quad, Store, Triple

from kg_service.rdf import GRAPH_FORMATS, parse_file
from kg_service.shacl.compiler import Compiler, Plan
from kg_service.shacl.everywhere import NOTHING_KNOWN, Everywhere, everywhere
from kg_service.shacl.graph import ShapesError
from kg_service.shacl.marks import Asked, class_tree
from kg_service.shacl.reader import read_shapes
from kg_service.shacl.report import Report, Result, in_order
from kg_service.shacl.shapes import VIOLATION
from kg_service.shacl.validator import Run, as_result

__all__ = ["Progress", "Report", "Result", "Shapes", "ShapesError", "load_shapes", "merged", "no_progress", "validate"]


@dataclass(frozen=True, eq=False)
class Shapes:
    """Compiled shapes: read-only, usable for any number of stores, and picklable."""

    plans: tuple[Plan, ...]
    triples: tuple[Triple, ...]

    def __len__(self) -> int:
        return len(self.plans)


def load_shapes(source: str | Path | Iterable[str | Path | Quad | Triple]) -> Shapes:
    """Compiled shapes from RDF files, folders of RDF files, or quads of which the graph names are passed over.

    Raises ShapesError for shapes that are ill-formed, recursive or not supported, before anything is validated.
    """
    given = [source] if isinstance(source, str | Path) else source
    compiler = Compiler()
    try:
        graph, roots = read_shapes(_triples(given))
        return Shapes(tuple(map(compiler.root, roots)), tuple(graph))
    except RecursionError:
        raise ShapesError("shapes within shapes within shapes: they are nested deeper than can be compiled") from None


#: Called with what is being done and how much of how much is done.
Progress = Callable[[str, int, int], None]


def no_progress(what: str, done: int, total: int) -> None:
    """Says nothing."""


def validate(
    store: Asked,
    shapes: Shapes,
    limit: int | None = None,
    language: str = "en",
    *,
    progress: Progress = no_progress,
) -> Report:
    """The report on the store's default graph; with a limit it stops there and says `truncated`.

    The store is pyoxigraph's, or anything else that answers SELECT queries as it does (`store.remote.RemoteGraph`).
    Violations are looked for before results of other severities, so `report.blocks` is right even when truncated.
    """
    results: list[Result] = []
    for result in results_of(store, shapes.plans, shapes, language, progress):
        if limit is not None and len(results) >= limit:
            return Report(in_order(results), truncated=True)
        results.append(result)
    return Report(in_order(results))


def merged(store: Store, graphs: Iterable[NamedNode]) -> Store:
    """The merge of some named graphs as the default graph of a store in memory, to be validated."""
    merge = Store()
    for graph in graphs:
        found = store.quads_for_pattern(None, None, None, graph)
        merge.bulk_extend(Quad(quad.subject, quad.predicate, quad.object) for quad in found)
    return merge


def results_of(
    store: Asked,
    plans: Sequence[Plan],
    shapes: Shapes,
    language: str,
    progress: Progress = no_progress,
    known: Everywhere | None = None,
) -> Iterator[Result]:
    """The results of some of the plans, as they are found: Violations before those of other severities.

    `known` is what holds of the whole store; without it that is found out first, if the store is pyoxigraph's.
    """
    checks = [check for plan in plans for check in plan.all_checks()]
    checks.sort(key=lambda check: check.shape.severity != VIOLATION)
    classes = class_tree(store)
    if known is None:
        known = everywhere(store, plans, classes) if isinstance(store, Store) else NOTHING_KNOWN
    run = Run(store, shapes.triples, classes=classes, everywhere=known)
    for number, check in enumerate(checks):
        progress("checking", number, len(checks))
        yield from (as_result(violation, language) for violation in run.results(check))


def _triples(given: Iterable[str | Path | Quad | Triple]) -> Iterator[Quad | Triple]:
    for each in given:
        if isinstance(each, Quad | Triple):
            yield each
        else:
            for path in _files(Path(each)):
                yield from parse_file(path)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    endings = {"." + ending for known in GRAPH_FORMATS for ending in known.endings}
    return sorted(file for file in path.rglob("*") if file.suffix in endings)
