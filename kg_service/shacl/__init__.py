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

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pyoxigraph import Quad, Store, Triple

from kg_service.rdf import GRAPH_FORMATS, parse_file
from kg_service.shacl.compiler import Compiler, Plan
from kg_service.shacl.graph import ShapesError
from kg_service.shacl.messages import messages
from kg_service.shacl.paths import Predicate
from kg_service.shacl.reader import read_shapes
from kg_service.shacl.report import Report, Result, in_order
from kg_service.shacl.shapes import VIOLATION, SparqlRule
from kg_service.shacl.validator import Run, Violation

__all__ = ["Report", "Result", "Shapes", "ShapesError", "load_shapes", "validate"]


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
    graph, roots = read_shapes(_triples(given))
    compiler = Compiler()
    return Shapes(tuple(map(compiler.root, roots)), tuple(graph))


def validate(store: Store, shapes: Shapes, limit: int | None = None, language: str = "en") -> Report:
    """The report on the store's default graph; with a limit it stops there and says `truncated`.

    Violations are looked for before results of other severities, so `report.blocks` is right even when truncated.
    """
    checks = [check for plan in shapes.plans for check in plan.all_checks()]
    checks.sort(key=lambda check: check.shape.severity != VIOLATION)
    run = Run(store, shapes.triples)
    results: list[Result] = []
    for check in checks:
        for violation in run.results(check):
            if limit is not None and len(results) >= limit:
                return Report(in_order(results), truncated=True)
            results.append(_result(violation, language))
    return Report(in_order(results))


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


def _result(violation: Violation, language: str) -> Result:
    shape, constraint, focus, value, found_path, bindings = violation
    path = shape.path if found_path is None else Predicate(found_path)
    return Result(
        focus=focus,
        path=path,
        value=value,
        component=constraint.component,
        shape=shape.node,
        severity=shape.severity,
        messages=messages(shape, constraint, focus=focus, value=value, path=path, bindings=bindings, language=language),
        constraint=constraint.node if isinstance(constraint, SparqlRule) and not constraint.is_custom else None,
    )
