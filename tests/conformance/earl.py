"""Reports in the W3C's Evaluation and Report Language (EARL 1.0), as its test suites collect them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pyoxigraph import BlankNode, Literal, NamedNode, RdfFormat, Triple, serialize

from kg_service import __version__
from kg_service.rdf import RDF_TYPE, Term

PROJECT = NamedNode("https://w3id.org/sse-kg/")
_DATE_TIME = NamedNode("http://www.w3.org/2001/XMLSchema#dateTime")
_PREFIXES = {
    "dcterms": "http://purl.org/dc/terms/",
    "doap": "http://usefulinc.com/ns/doap#",
    "earl": "http://www.w3.org/ns/earl#",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def _name(text: str) -> NamedNode:
    prefix, _, local = text.partition(":")
    return NamedNode(_PREFIXES[prefix] + local)


@dataclass
class Report:
    """What came of each test: `passed`, `failed`, `inapplicable` or `untested`, with a sentence where it is needed."""

    outcomes: dict[str, tuple[str, str]] = field(default_factory=dict)

    def add(self, test: str, outcome: str, why: str = "") -> None:
        self.outcomes[test] = (outcome, why)

    def write(self, path: Path) -> None:
        """Writes the report as Turtle, tests in alphabetical order."""
        triples: list[tuple[NamedNode | BlankNode, NamedNode, Term]] = [
            (PROJECT, RDF_TYPE, _name("doap:Project")),
            (PROJECT, RDF_TYPE, _name("earl:Software")),
            (PROJECT, RDF_TYPE, _name("earl:TestSubject")),
            (PROJECT, _name("doap:name"), Literal("SSE knowledge graph", language="en")),
            (PROJECT, _name("doap:programming-language"), Literal("Python")),
            (PROJECT, _name("doap:revision"), Literal(__version__)),
        ]
        now = Literal(datetime.now(UTC).isoformat(timespec="seconds"), datatype=_DATE_TIME)
        for number, (test, (outcome, why)) in enumerate(sorted(self.outcomes.items()), 1):
            assertion, result = BlankNode(f"assertion{number}"), BlankNode(f"result{number}")
            triples += [
                (assertion, RDF_TYPE, _name("earl:Assertion")),
                (assertion, _name("earl:assertedBy"), PROJECT),
                (assertion, _name("earl:subject"), PROJECT),
                (assertion, _name("earl:test"), NamedNode(test)),
                (assertion, _name("earl:mode"), _name("earl:automatic")),
                (assertion, _name("earl:result"), result),
                (result, RDF_TYPE, _name("earl:TestResult")),
                (result, _name("earl:outcome"), _name(f"earl:{outcome}")),
                (result, _name("dcterms:date"), now),
            ]
            if why:
                triples.append((result, _name("dcterms:description"), Literal(why, language="en")))
        path.write_bytes(
            serialize((Triple(s, p, o) for s, p, o in triples), None, RdfFormat.TURTLE, prefixes=_PREFIXES) or b""
        )
