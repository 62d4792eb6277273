"""The things of the graph: as lists, one object per thing, and one by one, as what the graphs say of them."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from kg_service.errors import Refused
from kg_service.rdf import GENID, DefaultGraph, NamedNode, Quad

_MANY = re.compile(r"^#\s*many:\s*(?P<names>.+)$", re.MULTILINE)


def many(text: str) -> frozenset[str]:
    """The variables of which a thing may have many values: those of the query file's `# many:` line."""
    found = _MANY.search(text)
    return frozenset(found["names"].replace(",", " ").split()) if found else frozenset()


def collect(results: bytes, many: frozenset[str]) -> list[dict[str, Any]]:
    """One object per `?iri` of a SPARQL JSON result, in order of first appearance.

    Rows about the same thing are merged: variables in `many` become lists of their distinct values, the others keep
    their first value. IRIs and dates are strings, numbers are numbers, what is unbound is null or an empty list.
    """
    answer = json.loads(results)
    variables = answer["head"]["vars"]
    things: dict[str, dict[str, Any]] = {}
    for row in answer["results"]["bindings"]:
        thing = things.setdefault(row["iri"]["value"], {name: [] if name in many else None for name in variables})
        for name in variables:
            if name not in row:
                continue
            value = _plain(row[name])
            if name not in many:
                thing[name] = value if thing[name] is None else thing[name]
            elif value not in thing[name]:
                thing[name].append(value)
    return list(things.values())


def _plain(term: dict[str, str]) -> str | int | float | bool:
    datatype = term.get("datatype", "").rpartition("#")[2]
    if datatype == "boolean":
        return term["value"] in ("true", "1")
    if datatype == "integer":
        return int(term["value"])
    return float(term["value"]) if datatype in ("decimal", "double") else term["value"]


def statements(thing: NamedNode, graph: NamedNode | None) -> str:
    """The query for what one graph, or every named graph, says of a thing: ?graph ?property ?value."""
    where = f"VALUES ?graph {{ {graph} }} " if graph else ""
    return (
        f"SELECT ?graph ?property ?value {{ {where}GRAPH ?graph {{ {thing} ?property ?value }} }} "
        "ORDER BY ?property ?value ?graph"
    )


def construct(thing: NamedNode, graph: NamedNode | None) -> str:
    """The query for the same as RDF."""
    pattern = f"GRAPH {graph} {{ {thing} ?p ?o }}" if graph else f"{thing} ?p ?o"
    return f"CONSTRUCT {{ {thing} ?p ?o }} WHERE {{ {pattern} }}"


def description(
    quads: Callable[[NamedNode], Iterable[Quad]], thing: NamedNode, graph: NamedNode | None
) -> Iterator[Quad]:
    """What one graph, or every named graph, says of a thing and of the nameless things that hang on it.

    `quads` gives the quads of a subject in all graphs. Nameless things are those that were blank nodes once.
    """
    waiting, seen = [thing], {thing}
    while waiting:
        for quad in quads(waiting.pop()):
            if isinstance(quad.graph_name, DefaultGraph) or graph not in (None, quad.graph_name):
                continue
            yield quad
            value = quad.object
            if isinstance(value, NamedNode) and value.value.startswith(GENID) and value not in seen:
                seen.add(value)
                waiting.append(value)


def check_about(thing: NamedNode, quads: Iterable[Quad]) -> None:
    """Refused when a statement is about another thing that has a name."""
    for quad in quads:
        subject = quad.subject
        if isinstance(subject, NamedNode) and subject != thing and not subject.value.startswith(GENID):
            raise Refused(f"a statement is about {subject}, not about {thing}; send it to /api/changes")


def slug(label: str) -> str:
    """A name as the end of an IRI: small letters without accents, digits, single hyphens."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", label) if not unicodedata.combining(c))
    return re.sub(r"[^a-z0-9]+", "-", plain.casefold()).strip("-")
