"""When two answers are the same: blank nodes by isomorphism, rows in order only where the query orders them.

A table becomes a small RDF dataset, so that one algorithm (canonical names for blank nodes) compares everything.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from typing import TypeAlias

from pyoxigraph import (
    BlankNode,
    CanonicalizationAlgorithm,
    Dataset,
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryBoolean,
    QueryResultsFormat,
    RdfFormat,
    Store,
    Triple,
    parse,
    parse_query_results,
)

from kg_service.rdf import GENID
from kg_service.shacl.graph import Graph, Term

Answer: TypeAlias = bool | frozenset[Quad]

RS = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#"
_HERE = "urn:answer:"


def same_answers(one: Answer, other: Answer) -> bool:
    """Whether two answers, or two datasets, differ in nothing but the names of blank nodes."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return _canonical(one) == _canonical(other)


def _canonical(quads: Iterable[Quad]) -> Dataset:
    dataset = Dataset(quads)
    dataset.canonicalize(CanonicalizationAlgorithm.UNSTABLE)
    return dataset


def answer(content: bytes, ending: str, *, base: str, in_order: bool = False) -> Answer:
    """What a file of results says: a truth value, the quads of a graph, or a table written as quads."""
    if ending == "csv":
        header, *lines = csv.reader(io.StringIO(content.decode(), newline=""))
        return _table(header, [dict(zip(header, map(_cell, line), strict=True)) for line in lines], in_order)
    how = QueryResultsFormat.from_extension(ending)
    if how is None:
        rdf = RdfFormat.from_extension(ending)
        assert rdf is not None, f"no format ends in .{ending}"
        quads = frozenset(map(with_blank_nodes, parse(content, rdf, base_iri=base)))
        return _result_set(quads, in_order)
    found = parse_query_results(content, how)
    if isinstance(found, QueryBoolean):
        return bool(found)
    variables = [variable.value for variable in found.variables]
    return _table(variables, [{name: row[name] for name in variables if row[name]} for row in found], in_order)


def as_stored(given: Answer) -> Answer:
    """The same answer, with literals as they come back from a store."""
    if isinstance(given, bool):
        return given
    store = Store()
    store.extend(given)
    return frozenset(store)


def with_blank_nodes(quad: Quad) -> Quad:
    """The quad, with the blank nodes that its skolem IRIs stand for (RDF 1.1, section 3.5)."""
    subject = _blank(quad.subject)
    assert not isinstance(subject, Literal)
    return Quad(subject, quad.predicate, _blank(quad.object), quad.graph_name)


def _blank(term: Term) -> Term:
    if isinstance(term, NamedNode) and term.value.startswith(GENID):
        return BlankNode(term.value.removeprefix(GENID))
    return term


def _cell(text: str) -> Term:
    """A cell of a CSV table, which says of a term only whether it is a blank node."""
    if text.startswith("_:"):
        return BlankNode(text[2:])
    return BlankNode(text.removeprefix(GENID)) if text.startswith(GENID) else Literal(text)


def _table(variables: Iterable[str], rows: Iterable[dict[str, Term]], in_order: bool) -> frozenset[Quad]:
    """A table as quads: each row a node with its values, and its number in order or how often it occurs."""
    held = [frozenset((name, _blank(value)) for name, value in row.items()) for row in rows]
    counted = enumerate(held) if in_order else ((times, row) for row, times in Counter(held).items())
    quads = {_say(NamedNode(_HERE), "variable", Literal(name)) for name in variables}
    for number, row in counted:
        node = BlankNode()
        quads.add(_say(node, "number", Literal(number)))
        quads.update(_say(node, f"value:{name}", value) for name, value in row)
    return frozenset(quads)


def _say(subject: NamedNode | BlankNode, name: str, value: Term) -> Quad:
    return Quad(subject, NamedNode(_HERE + name), value, DefaultGraph())


def _result_set(quads: frozenset[Quad], in_order: bool) -> frozenset[Quad]:
    """The table that a graph in the vocabulary of result sets tells; any other graph as it is."""
    graph = Graph(Triple(quad.subject, quad.predicate, quad.object) for quad in quads)
    tables = graph.instances(NamedNode(RS + "ResultSet"))
    if not tables:
        return quads

    def values(node: Term, name: str) -> list[Term]:
        return graph.objects(node, NamedNode(RS + name))

    rows = []
    for solution in values(tables[0], "solution"):
        bindings = values(solution, "binding")
        rows.append({_text(values(b, "variable")[0]): values(b, "value")[0] for b in bindings})
    return _table(map(_text, values(tables[0], "resultVariable")), rows, in_order)


def _text(term: Term) -> str:
    assert isinstance(term, Literal | NamedNode)
    return term.value
