"""The validation report: what was found, as Python values, RDF, plain data for JSON, and text for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store, Triple

from kg_service.shacl.graph import SH, TYPE, XSD, Node, Term, sh
from kg_service.shacl.messages import compact, shown
from kg_service.shacl.paths import Path, as_rdf, sparql
from kg_service.shacl.shapes import VIOLATION

_STANDARD = ("Violation", "Warning", "Info")


@dataclass(frozen=True, slots=True)
class Result:
    """One validation result (SHACL, section 3.6.2); the message for the reader's language comes first."""

    focus: Term
    path: Path | None
    value: Term | None
    component: NamedNode
    shape: Node
    severity: NamedNode
    messages: tuple[Literal, ...]
    constraint: Node | None = None  # sh:sourceConstraint, of SPARQL rules

    @property
    def message(self) -> str:
        return self.messages[0].value if self.messages else ""

    @property
    def path_text(self) -> str | None:
        """The path as SPARQL writes it, with the project's prefixes."""
        return None if self.path is None else sparql(self.path, compact)

    @property
    def identity(self) -> tuple[object, ...]:
        """What makes two results the same, messages left aside."""
        return (self.focus, self.path, self.value, self.component, self.shape, self.severity, self.constraint)


@dataclass(frozen=True, slots=True)
class Report:
    """What a validation found; `truncated` when it stopped at the limit, so that there is more than `results` shows.

    Violations are looked for first: a truncated report without one has none.
    """

    results: tuple[Result, ...] = ()
    truncated: bool = False

    @property
    def conforms(self) -> bool:
        """As the Recommendation has it: no result of any severity."""
        return not self.results

    @property
    def blocks(self) -> bool:
        """Is there a result of severity sh:Violation?"""
        return any(result.severity == VIOLATION for result in self.results)

    @property
    def counts(self) -> dict[str, int]:
        """How many results of each severity are listed; the three of SHACL always, others by IRI."""
        found = Counter(severity_name(result.severity) for result in self.results)
        return {name: found.pop(name, 0) for name in _STANDARD} | dict(sorted(found.items()))

    def first(self, limit: int) -> Report:
        """The report with so many results at most, Violations before others; `truncated` where that leaves some out."""
        if len(self.results) <= limit:
            return self
        kept = sorted(self.results, key=lambda result: result.severity != VIOLATION)[:limit]
        return Report(in_order(kept), truncated=True)

    def as_written(self, data: Iterable[Quad]) -> Report:
        """The report with literals as these data write them, where the store keeps another spelling of the same.

        Where the data write one literal in several ways the store's spelling stays: it has kept only one of them.
        """
        written: dict[Literal, set[Literal]] = {}
        for literal, kept in _kept({q.object for q in data if isinstance(q.object, Literal)}):
            written.setdefault(kept, set()).add(literal)
        spelt: dict[Any, Any] = {kept: one for kept, (one, *others) in written.items() if not others}

        def result(each: Result) -> Result:
            return replace(each, focus=spelt.get(each.focus, each.focus), value=spelt.get(each.value, each.value))

        return replace(self, results=tuple(map(result, self.results))) if spelt else self

    def without(self, other: Report) -> Report:
        """The results that the other report does not have, each counted as often as it stands there."""
        there = Counter(result.identity for result in other.results)
        kept = []
        for result in self.results:
            if there[result.identity]:
                there[result.identity] -= 1
            else:
                kept.append(result)
        return replace(self, results=tuple(kept))

    def to_quads(self, base: str | None = None) -> list[Quad]:
        """The report as RDF. With a base, the report has that IRI and its results IRIs below it, else blank nodes.

        Complex paths are blank nodes in either case, as the Recommendation writes them.
        """
        report: Node = BlankNode() if base is None else NamedNode(base)
        conforms = Literal("true" if self.conforms else "false", datatype=NamedNode(XSD + "boolean"))
        triples = [Triple(report, TYPE, sh("ValidationReport")), Triple(report, sh("conforms"), conforms)]
        for number, result in enumerate(self.results, start=1):
            node: Node = BlankNode() if base is None else NamedNode(f"{base}#result-{number}")
            triples += [Triple(report, sh("result"), node), *_result_triples(node, result)]
        return [Quad(t.subject, t.predicate, t.object) for t in triples]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data for JSON; terms as in SPARQL query results."""
        return {
            "conforms": self.conforms,
            "blocks": self.blocks,
            "truncated": self.truncated,
            "counts": self.counts,
            "results": [_result_dict(result) for result in self.results],
        }

    def to_text(self) -> str:
        """The report for a reader at a terminal: a summary, then the messages by focus node."""
        lines = [_summary(self)]
        before: Term | None = None
        for result in self.results:
            if result.focus != before:
                lines += ["", shown(result.focus)]
                before = result.focus
            lines += [f"  {severity_name(result.severity)}: {result.message}", f"    {_place(result)}"]
        if self.truncated:
            lines += ["", "There are more results than are shown."]
        return "\n".join(lines)


def _kept(literals: Iterable[Literal]) -> Iterator[tuple[Literal, Any]]:
    """Each literal with how the store keeps it."""
    holder, numbered = Store(), list(literals)
    names = [NamedNode(f"urn:{number}") for number in range(len(numbered))]
    holder.extend(Quad(name, TYPE, literal) for name, literal in zip(names, numbered, strict=True))
    for quad in holder:
        yield numbered[int(str(quad.subject)[5:-1])], quad.object


def _place(result: Result) -> str:
    """Where a result arose: path and value, where it has them, and the shape."""
    parts = {"path": result.path_text, "value": None if result.value is None else shown(result.value)}
    parts["shape"] = shown(result.shape)
    return ", ".join(f"{name} {part}" for name, part in parts.items() if part is not None)


def severity_name(severity: NamedNode) -> str:
    """Violation, Warning or Info; the IRI of any other severity."""
    name = severity.value.removeprefix(SH)
    return name if name in _STANDARD else severity.value


def in_order(results: Iterable[Result]) -> tuple[Result, ...]:
    """Results in a fixed order: by focus node, path, component and value."""

    def key(result: Result) -> tuple[str, ...]:
        path = "" if result.path is None else sparql(result.path)
        return (str(result.focus), path, result.component.value, str(result.value), str(result.shape))

    return tuple(sorted(results, key=key))


def _result_triples(node: Node, result: Result) -> list[Triple]:
    triples = [
        Triple(node, TYPE, sh("ValidationResult")),
        Triple(node, sh("focusNode"), result.focus),
        Triple(node, sh("resultSeverity"), result.severity),
        Triple(node, sh("sourceConstraintComponent"), result.component),
        Triple(node, sh("sourceShape"), result.shape),
    ]
    if result.path is not None:
        path, described = as_rdf(result.path)
        triples += [Triple(node, sh("resultPath"), path), *described]
    if result.value is not None:
        triples.append(Triple(node, sh("value"), result.value))
    if result.constraint is not None:
        triples.append(Triple(node, sh("sourceConstraint"), result.constraint))
    return triples + [Triple(node, sh("resultMessage"), message) for message in result.messages]


def _result_dict(result: Result) -> dict[str, Any]:
    return {
        "severity": severity_name(result.severity),
        "message": result.message,
        "messages": [_term_dict(message) for message in result.messages],
        "focus": _term_dict(result.focus),
        "path": result.path_text,
        "value": None if result.value is None else _term_dict(result.value),
        "component": result.component.value,
        "shape": _term_dict(result.shape),
    }


def _term_dict(term: Term) -> dict[str, str]:
    """A term as the SPARQL 1.1 Query Results JSON Format writes it (section 3.2.2)."""
    match term:
        case NamedNode():
            return {"type": "uri", "value": term.value}
        case BlankNode():
            return {"type": "bnode", "value": term.value}
        case Literal():
            kind = {"xml:lang": term.language} if term.language else {"datatype": term.datatype.value}
            plain = {} if kind == {"datatype": XSD + "string"} else kind
            return {"type": "literal", "value": term.value} | plain
        case Triple():
            return {"type": "triple", "value": str(term)}


def _summary(report: Report) -> str:
    if report.conforms:
        return "The data conform to the shapes."
    found = ", ".join(f"{number} {name}" for name, number in report.counts.items() if number)
    verdict = "The data break the shapes" if report.blocks else "The data break no shape, but see what was found"
    return f"{verdict}: {'at least ' if report.truncated else ''}{found}."
