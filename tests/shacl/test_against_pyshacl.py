"""Random small graphs and shapes give the results that pySHACL gives, or those that the Recommendation's text gives.

Where pySHACL differs from the Recommendation, the generator does not go there, and a test below quotes the sentence
that decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pyshacl
import pytest
import rdflib
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store, Triple

from kg_service.shacl import Report, Shapes, load_shapes, validate
from kg_service.shacl.compiler import Compiler
from kg_service.shacl.graph import FIRST, NIL, RDFS, REST, TYPE, XSD, Graph, Node, Term, sh
from kg_service.shacl.paths import read_path, sparql
from kg_service.shacl.reader import read_shapes

EX = "http://example.org/"
SUBCLASS = NamedNode(RDFS + "subClassOf")


@pytest.fixture(autouse=True)
def _literals_as_written() -> Iterator[None]:
    """Importing pySHACL makes rdflib rewrite literals for the whole process; here they must stay as they are."""
    before, rdflib.NORMALIZE_LITERALS = rdflib.NORMALIZE_LITERALS, False
    yield
    rdflib.NORMALIZE_LITERALS = before


def ex(name: str) -> NamedNode:
    return NamedNode(EX + name)


def typed(text: str, datatype: str) -> Literal:
    return Literal(text, datatype=NamedNode(XSD + datatype))


CLASSES = [ex("C0"), ex("C1"), ex("C2")]
PREDICATES = [ex("p"), ex("q"), ex("r")]
#: Predicates whose values are numbers: only these are compared, see `test_what_cannot_be_compared_fails`.
NUMERIC = [ex("m"), ex("n")]
NAMED = [ex(name) for name in "abcde"]
NODES: list[Node] = [*NAMED, BlankNode("blank")]
LITERALS = [
    Literal("one"),
    Literal("two words"),
    Literal("one", language="en"),
    Literal("uno", language="es"),
    Literal("ein", language="de"),
    typed("1", "integer"),
    typed("7", "integer"),
    typed("2.5", "decimal"),
    typed("x", "integer"),
    typed("true", "boolean"),
    typed("2020-02-29", "date"),
    typed("2021-02-30", "date"),
]
NUMBERS = [typed("1", "integer"), typed("7", "integer"), typed("2.5", "decimal"), typed("-3", "integer")]

# Data


@st.composite
def data_graphs(draw: st.DrawFn) -> list[Triple]:
    triples = [Triple(ex("C1"), SUBCLASS, ex("C0"))]
    for node in NODES:
        for kind in draw(st.lists(st.sampled_from(CLASSES), max_size=2, unique=True)):
            triples.append(Triple(node, TYPE, kind))
        for _ in range(draw(st.integers(0, 4))):
            value: Term = draw(st.one_of(st.sampled_from(NODES), st.sampled_from(LITERALS)))
            triples.append(Triple(node, draw(st.sampled_from(PREDICATES)), value))
        for number in draw(st.lists(st.sampled_from(NUMBERS), max_size=3)):
            triples.append(Triple(node, draw(st.sampled_from(NUMERIC)), number))
    return triples


# Shapes


@dataclass
class Draft:
    """Shapes being written: each gets an IRI, so that results can be compared by source shape."""

    draw: st.DrawFn
    triples: list[Triple] = field(default_factory=list)
    number: int = 0

    def new(self, kind: str) -> NamedNode:
        self.number += 1
        node = ex(f"{kind}{self.number}")
        self.triples.append(Triple(node, TYPE, sh(f"{kind}Shape")))
        return node

    def say(self, node: Node, name: str, value: Term) -> None:
        self.triples.append(Triple(node, sh(name), value))

    def one_list(self, members: list[Term]) -> Node:
        head: Node = NIL
        for member in reversed(members):
            cell = BlankNode()
            self.triples += [Triple(cell, FIRST, member), Triple(cell, REST, head)]
            head = cell
        return head

    def flip(self, in_ten: int = 5) -> bool:
        return self.draw(st.integers(1, 10)) <= in_ten

    def node_shape(self, depth: int) -> NamedNode:
        node = self.new("Node")
        self.about_values(node, depth)
        if self.flip(3):
            self.say(node, "closed", typed("true", "boolean"))
            if self.flip():
                self.say(node, "ignoredProperties", self.one_list([TYPE, self.draw(st.sampled_from(PREDICATES))]))
        for _ in range(self.draw(st.integers(0, 2 if depth else 0))):
            self.say(node, "property", self.property_shape(depth - 1))
        return node

    def property_shape(self, depth: int) -> NamedNode:
        node = self.new("Property")
        draw = self.draw
        if self.flip(2):
            self.numeric(node)
        else:
            self.say(node, "path", self.path(2))
        self.about_values(node, depth)
        if self.flip(3):
            self.say(node, "minCount", typed(str(draw(st.integers(0, 3))), "integer"))
        if self.flip(3):
            self.say(node, "maxCount", typed(str(draw(st.integers(0, 3))), "integer"))
        if self.flip(2):
            self.say(node, "uniqueLang", typed("true", "boolean"))
        if depth and self.flip(2):
            self.say(node, "property", self.property_shape(depth - 1))
        if depth and self.flip(2):
            self.qualified(node, depth)
        return node

    def numeric(self, node: NamedNode) -> None:
        self.say(node, "path", self.draw(st.sampled_from(NUMERIC)))
        name = self.draw(st.sampled_from(["minExclusive", "minInclusive", "maxExclusive", "maxInclusive"]))
        self.say(node, name, self.draw(st.sampled_from(NUMBERS)))
        if self.flip():
            name = self.draw(st.sampled_from(["lessThan", "lessThanOrEquals"]))
            self.say(node, name, self.draw(st.sampled_from(NUMERIC)))

    def qualified(self, node: NamedNode, depth: int) -> None:
        self.say(node, "qualifiedValueShape", self.any_shape(depth - 1))
        names = self.draw(st.sampled_from([["Min"], ["Max"], ["Min", "Max"]]))
        for name in names:
            self.say(node, f"qualified{name}Count", typed(str(self.draw(st.integers(0, 2))), "integer"))
        if self.flip(4):
            self.say(node, "qualifiedValueShapesDisjoint", typed("true", "boolean"))

    def any_shape(self, depth: int) -> NamedNode:
        return self.node_shape(depth) if self.flip(6) else self.property_shape(depth)

    def path(self, depth: int, *, is_inverse: bool = False) -> Node:
        """A path; no sequence below an inverse, see `test_the_inverse_of_a_sequence_is_walked_backward`."""
        form = self.draw(st.integers(0, 9 if depth else 4))
        if form <= 4 or (form == 9 and is_inverse):
            return self.draw(st.sampled_from(PREDICATES))
        node = BlankNode()
        names = {5: "inversePath", 6: "zeroOrMorePath", 7: "oneOrMorePath", 8: "zeroOrOnePath"}
        if form in names:
            self.say(node, names[form], self.path(depth - 1, is_inverse=is_inverse or form == 5))
            return node
        steps: list[Term] = [self.path(depth - 1), self.path(depth - 1)]
        if self.flip():
            return self.one_list(steps)
        self.say(node, "alternativePath", self.one_list(steps))
        return node

    def about_values(self, node: NamedNode, depth: int) -> None:
        draw = self.draw
        if self.flip(2):
            self.say(node, "class", draw(st.sampled_from(CLASSES)))
        if self.flip(2):
            names = ["string", "integer", "decimal", "date", "boolean"]
            self.say(node, "datatype", NamedNode(XSD + draw(st.sampled_from(names))))
        if self.flip(2):
            kinds = ["IRI", "Literal", "BlankNode", "IRIOrLiteral", "BlankNodeOrIRI", "BlankNodeOrLiteral"]
            self.say(node, "nodeKind", sh(draw(st.sampled_from(kinds))))
        if self.flip(1):
            self.say(node, draw(st.sampled_from(["minLength", "maxLength"])), typed("3", "integer"))
        if self.flip(1):
            self.say(node, "pattern", Literal(draw(st.sampled_from(["^o", "o", "[0-9]$", "WORDS"]))))
            if self.flip():
                self.say(node, "flags", Literal("i"))
        if self.flip(1):
            self.say(node, "languageIn", self.one_list([Literal("en"), Literal("es")]))
        values = st.one_of(st.sampled_from(NAMED), st.sampled_from(LITERALS))
        if self.flip(1):
            members: list[Term] = list(draw(st.lists(values, max_size=4, unique_by=str)))
            self.say(node, "in", self.one_list(members))
        if self.flip(1):
            self.say(node, "hasValue", draw(values))
        if self.flip(1):
            self.say(node, draw(st.sampled_from(["equals", "disjoint"])), draw(st.sampled_from(PREDICATES)))
        if depth and self.flip(3):
            self.logic(node, depth)
        if self.flip(1):
            self.say(node, "severity", sh(draw(st.sampled_from(["Warning", "Info"]))))
        if self.flip(1) and self.number > 1:
            self.say(node, "deactivated", typed(draw(st.sampled_from(["true", "false"])), "boolean"))

    def logic(self, node: NamedNode, depth: int) -> None:
        name = self.draw(st.sampled_from(["not", "node", "and", "or", "xone"]))
        if name == "node":
            self.say(node, name, self.node_shape(depth - 1))
        elif name == "not":
            self.say(node, name, self.any_shape(depth - 1))
        else:
            members: list[Term] = [self.any_shape(depth - 1) for _ in range(self.draw(st.integers(1, 2)))]
            self.say(node, name, self.one_list(members))


@st.composite
def shapes_graphs(draw: st.DrawFn) -> list[Triple]:
    draft = Draft(draw)
    for _ in range(draw(st.integers(1, 2))):
        root = draft.any_shape(2)
        for _ in range(draw(st.integers(1, 2))):
            kind = draw(st.sampled_from(["targetClass", "targetNode", "targetSubjectsOf", "targetObjectsOf"]))
            if kind == "targetClass":
                draft.say(root, kind, draw(st.sampled_from(CLASSES)))
            elif kind == "targetNode":
                terms: st.SearchStrategy[Term] = st.one_of(
                    st.sampled_from([*NAMED, ex("absent")]), st.sampled_from(LITERALS)
                )
                draft.say(root, kind, draw(terms))
            else:
                draft.say(root, kind, draw(st.sampled_from(PREDICATES)))
    return draft.triples


# Both ways


Key = tuple[str, ...]


def ours(data: list[Triple], shapes: Shapes) -> Counter[Key]:
    store = Store()
    store.extend(Quad(t.subject, t.predicate, t.object) for t in data)
    return keys(validate(store, shapes))


def keys(report: Report) -> Counter[Key]:
    return Counter(
        (str(r.focus), sparql(r.path) if r.path else "", str(r.value), str(r.component), str(r.severity), str(r.shape))
        for r in report.results
    )


def without_inlining(triples: list[Triple]) -> Shapes:
    graph, roots = read_shapes(triples)
    compiler = Compiler(inlines=False)
    return Shapes(tuple(map(compiler.root, roots)), tuple(graph))


def as_rdflib(triples: list[Triple]) -> rdflib.Graph:
    def node(term: Term) -> rdflib.term.Node:
        if isinstance(term, NamedNode):
            return rdflib.URIRef(term.value)
        if isinstance(term, BlankNode):
            return rdflib.BNode(term.value)
        assert isinstance(term, Literal)
        datatype = None if term.language or term.datatype.value == XSD + "string" else term.datatype.value
        return rdflib.Literal(term.value, lang=term.language, datatype=datatype and rdflib.URIRef(datatype))

    graph = rdflib.Graph()
    for triple in triples:
        graph.add((node(triple.subject), node(triple.predicate), node(triple.object)))
    return graph


def theirs(data: list[Triple], shapes: list[Triple]) -> Counter[Key]:
    _, report, _ = pyshacl.validate(as_rdflib(data), shacl_graph=as_rdflib(shapes))
    assert isinstance(report, rdflib.Graph)
    described = Graph(rdf_triples(report))
    found: Counter[Key] = Counter()
    (root,) = described.subjects(TYPE, sh("ValidationReport"))
    for result in described.objects(root, sh("result")):  # others are details of these

        def only(name: str, result: Term = result) -> Term | None:
            return next(iter(described.objects(result, sh(name))), None)

        path = only("resultPath")
        found[
            str(only("focusNode")),
            sparql(read_path(described, path)) if path else "",
            str(only("value")),
            str(only("sourceConstraintComponent")),
            str(only("resultSeverity")),
            str(only("sourceShape")),
        ] += 1
    return found


def rdf_triples(graph: rdflib.Graph) -> list[Triple]:
    def term(node: object) -> Term:
        if isinstance(node, rdflib.URIRef):
            return NamedNode(str(node))
        if isinstance(node, rdflib.BNode):
            return BlankNode(str(node))
        assert isinstance(node, rdflib.Literal)
        if node.language:
            return Literal(str(node), language=node.language)
        return Literal(str(node), datatype=NamedNode(str(node.datatype or XSD + "string")))

    return [Triple(term(s), term(p), term(o)) for s, p, o in graph]  # type: ignore[arg-type]


#: The same examples in every run, and none made smaller on failure: the time stays within bounds.
SETTINGS = settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@SETTINGS
@given(data_graphs(), shapes_graphs())
def test_results_are_those_of_pyshacl(data: list[Triple], shapes: list[Triple]) -> None:
    assert ours(data, load_shapes(shapes)) == theirs(data, shapes)


@SETTINGS
@given(data_graphs(), shapes_graphs())
def test_results_are_the_same_with_and_without_inlining(data: list[Triple], shapes: list[Triple]) -> None:
    assert ours(data, load_shapes(shapes)) == ours(data, without_inlining(shapes))


RULES = [
    "SELECT $this ?value WHERE { $this <http://example.org/p> ?value . FILTER(isIRI(?value)) }",
    "SELECT $this ?value WHERE { $this <http://example.org/p>/<http://example.org/q> ?value }",
    "SELECT DISTINCT $this WHERE { $this ?path ?value . FILTER NOT EXISTS { $this <http://example.org/q> ?other } }",
    "SELECT $this ?path ?value WHERE { $this ?path ?value . FILTER(?path IN (<http://example.org/r>)) }",
    "SELECT $this WHERE { FILTER NOT EXISTS { ?any <http://example.org/q> $this } }",
    "SELECT $this ?value WHERE { { $this <http://example.org/p> ?value } UNION { $this <urn:q> ?value } }",
]


@st.composite
def rule_graphs(draw: st.DrawFn) -> list[Triple]:
    """A node shape with a target and one or two SPARQL rules, of any severity."""
    draft = Draft(draw)
    node = draft.new("Node")
    draft.say(node, "targetClass", draw(st.sampled_from(CLASSES)))
    draft.say(node, "severity", sh(draw(st.sampled_from(["Violation", "Warning", "Info"]))))
    for number, text in enumerate(draw(st.lists(st.sampled_from(RULES), min_size=1, max_size=2, unique=True))):
        rule = ex(f"Rule{number}")
        draft.say(node, "sparql", rule)
        draft.say(rule, "select", Literal(text))
    return draft.triples


@settings(SETTINGS, max_examples=60)
@given(data_graphs(), rule_graphs())
def test_sparql_rules_find_what_they_find_in_pyshacl(data: list[Triple], shapes: list[Triple]) -> None:
    named = [t for t in data if not isinstance(t.subject, BlankNode) and not isinstance(t.object, BlankNode)]
    assert ours(named, load_shapes(shapes)) == theirs(named, shapes)
