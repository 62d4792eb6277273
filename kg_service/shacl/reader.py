"""Reads a shapes graph into shapes, and refuses what is ill-formed, recursive or not supported.

Every refusal names the shape and the property. The rules are the syntax rules of the Recommendation; beyond them a
`sh:` property that is not known is refused (it would be a constraint that nobody checks), and so is a reference to a
shape that the graph does not describe. `owl:Class` counts as a class beside `rdfs:Class` for implicit class targets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store, Triple

from kg_service.shacl import paths
from kg_service.shacl.expressions import is_readable
from kg_service.shacl.graph import OWL, RDFS, SH, Graph, Node, Term, sh
from kg_service.shacl.shapes import (
    VIOLATION,
    Closed,
    Constraint,
    Count,
    HasValue,
    Logic,
    Pair,
    Qualified,
    Shape,
    SparqlRule,
    Target,
    UniqueLang,
    ValueTest,
)
from kg_service.shacl.values import BOOLEAN, STRING, Values, is_literal

_TARGETS = {
    "targetNode": "node",
    "targetClass": "class",
    "targetSubjectsOf": "subjects-of",
    "targetObjectsOf": "objects-of",
}
_NODE_KINDS = {"BlankNode", "IRI", "Literal", "BlankNodeOrIRI", "BlankNodeOrLiteral", "IRIOrLiteral"}
_RANGES = ("minExclusive", "minInclusive", "maxExclusive", "maxInclusive")
_PAIRS = ("equals", "disjoint", "lessThan", "lessThanOrEquals")
_ONLY_WITH_PATH = ("minCount", "maxCount", "uniqueLang", "lessThan", "lessThanOrEquals")
_KNOWN = {
    *_TARGETS, *_RANGES, *_PAIRS, *_ONLY_WITH_PATH,
    "path", "class", "datatype", "nodeKind", "minLength", "maxLength", "pattern", "flags", "languageIn", "in",
    "not", "and", "or", "xone", "node", "property", "closed", "ignoredProperties", "hasValue", "sparql",
    "qualifiedValueShape", "qualifiedValueShapesDisjoint", "qualifiedMinCount", "qualifiedMaxCount",
    "severity", "message", "deactivated", "name", "description", "order", "group", "defaultValue",
    # A shape may also be its own SPARQL constraint, parameter, ontology or component.
    "select", "ask", "prefixes", "declare", "optional", "parameter", "validator", "nodeValidator",
    "propertyValidator", "labelTemplate", "shapesGraph", "suggestedShapesGraph",
}  # fmt: skip
_RESERVED = {"this", "shapesGraph", "currentShape", "path", "PATH", "value", "message", "failure"}


def read_shapes(triples: Iterable[Quad | Triple]) -> tuple[Graph, tuple[Shape, ...]]:
    """The shapes graph, and its shapes that have targets and are active, each checked with all that it refers to."""
    graph = Graph(triples)
    reader = _Reader(graph)
    shapes = [reader.read(node) for node in reader.declared()]
    return graph, tuple(shape for shape in shapes if shape.targets and not shape.is_deactivated)


@dataclass(frozen=True)
class _Parameter:
    path: NamedNode
    name: str
    is_optional: bool


class _Reader(Values):
    """One pass over a shapes graph."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self._engine = Store()
        self._read: dict[Node, Shape] = {}
        self._typed = {*graph.instances(sh("NodeShape")), *graph.instances(sh("PropertyShape"))}
        self._classes = {*graph.instances(NamedNode(RDFS + "Class")), *graph.instances(NamedNode(OWL + "Class"))}
        self._components = self._read_components()

    def declared(self) -> list[Node]:
        """The nodes that are shapes by type or by having targets; named ones first, so that places have names."""
        graph = self.graph
        found = dict.fromkeys([*graph.instances(sh("NodeShape")), *graph.instances(sh("PropertyShape"))])
        for name in _TARGETS:
            found.update(dict.fromkeys(graph.subjects_with(sh(name))))
        return sorted(found, key=lambda node: isinstance(node, BlankNode))

    def read(self, node: Node) -> Shape:
        """The shape of this node, read once."""
        if node in self.above:
            way = " → ".join(map(str, [*self.above[self.above.index(node) :], node]))
            raise self.wrong("", f"recursive shapes are not supported: {way}")
        if node not in self._read:
            self.above.append(node)
            self._read[node] = self._shape(node)
            self.above.pop()
        return self._read[node]

    def _shape(self, node: Node) -> Shape:
        self._refuse_unknown(node)
        path = self._path(node)
        self._refuse_misplaced(node, path)
        return Shape(
            node=node,
            path=path,
            targets=tuple(self._targets(node)),
            constraints=tuple(self._constraints(node, has_path=path is not None)),
            properties=tuple(self._referred(node, "property")),
            severity=self.iri(node, "severity") or VIOLATION,
            messages=self.texts(node, "message"),
            names=self.texts(node, "name"),
            is_deactivated=self.boolean(node, "deactivated"),
            place=self.place(),
        )

    def _refuse_unknown(self, node: Node) -> None:
        for predicate in self.graph.predicates(node):
            name = predicate.value.removeprefix(SH)
            if predicate.value.startswith(SH) and name not in _KNOWN:
                raise self.wrong(name, "not a property of SHACL Core or SHACL-SPARQL; it would be ignored")

    def _refuse_misplaced(self, node: Node, path: paths.Path | None) -> None:
        if path is not None:
            return
        for name in _ONLY_WITH_PATH:
            if self.graph.objects(node, sh(name)):
                raise self.wrong(name, "only a property shape (one with sh:path) can have it")

    def _referred(self, node: Node, name: str) -> list[Shape]:
        return [self._refer(name, value) for value in self.graph.objects(node, sh(name))]

    def _refer(self, name: str, value: Term) -> Shape:
        if isinstance(value, Literal | Triple):
            raise self.wrong(name, f"takes a shape, not {value}")
        if isinstance(value, NamedNode) and not self.graph.predicates(value):
            raise self.wrong(name, f"refers to {value}, which the shapes graph does not describe")
        shape = self.read(value)
        if name == "property" and shape.path is None:
            raise self.wrong(name, f"takes a property shape, but {value} has no sh:path")
        if name == "node" and shape.path is not None:
            raise self.wrong(name, f"takes a node shape, but {value} has a sh:path")
        return shape

    # Parts of a shape

    def _path(self, node: Node) -> paths.Path | None:
        value = self.one(node, "path")
        if value is None:
            if node in self.graph.instances(sh("PropertyShape")):
                raise self.wrong("path", "a property shape must have one")
            return None
        try:
            return paths.read_path(self.graph, value)
        except paths.IllFormedPath as error:
            raise self.wrong("path", str(error)) from None

    def _targets(self, node: Node) -> Iterable[Target]:
        for name, kind in _TARGETS.items():
            for value in self.graph.objects(node, sh(name)):
                if kind == "node" and isinstance(value, Literal):
                    yield Target(kind, value)
                else:
                    yield Target(kind, self.as_iri(name, value))
        if isinstance(node, NamedNode) and node in self._classes and node in self._typed:
            yield Target("class", node)

    def _constraints(self, node: Node, *, has_path: bool) -> Iterable[Constraint]:
        yield from self._value_tests(node)
        yield from self._whole_set_tests(node)
        yield from self._logic(node)
        if has_path:
            yield from self._qualified(node)
        yield from self._sparql(node)
        yield from self._custom(node, has_path=has_path)

    def _value_tests(self, node: Node) -> Iterable[ValueTest]:
        for iri in self.iris(node, "class"):
            yield ValueTest(_component("class"), (iri,))
        if datatype := self.iri(node, "datatype"):
            yield ValueTest(_component("datatype"), (datatype,))
        if kind := self.iri(node, "nodeKind"):
            if kind.value.removeprefix(SH) not in _NODE_KINDS:
                raise self.wrong("nodeKind", f"takes one of {', '.join(sorted(_NODE_KINDS))} in sh:, not {kind}")
            yield ValueTest(_component("nodeKind"), (kind,))
        for name in _RANGES:
            if bound := self.literal(node, name):
                yield ValueTest(_component(name), (bound,))
        for name in ("minLength", "maxLength"):
            length = self.number(node, name)
            if length is not None:
                yield ValueTest(_component(name), (Literal(length),))
        yield from self._pattern(node)
        languages = self.members_of(node, "languageIn")
        if languages is not None:
            for language in languages:
                if not is_literal(language, STRING):
                    raise self.wrong("languageIn", f"takes a list of strings, not {language}")
            yield ValueTest(_component("languageIn"), tuple(languages))
        allowed = self.members_of(node, "in")
        if allowed is not None:
            yield ValueTest(_component("in"), tuple(allowed))

    def _pattern(self, node: Node) -> Iterable[ValueTest]:
        pattern, flags = self.string(node, "pattern"), self.string(node, "flags")
        if pattern is None:
            return
        if flags and set(flags) - set("smixq"):
            raise self.wrong("flags", f'takes the letters s, m, i, x and q, not "{flags}"')
        if not is_readable(self._engine, pattern, flags or ""):
            raise self.wrong("pattern", f'"{pattern}" is no regular expression that the engine can read')
        yield ValueTest(_component("pattern"), (Literal(pattern),), flags or "")

    def _whole_set_tests(self, node: Node) -> Iterable[Constraint]:
        for name in ("minCount", "maxCount"):
            number = self.number(node, name)
            if number is not None:
                yield Count(_component(name), number)
        for term in self.graph.objects(node, sh("hasValue")):
            yield HasValue(_component("hasValue"), term)
        for name in _PAIRS:
            for other in self.iris(node, name):
                yield Pair(_component(name), other)
        # Only the literal true switches it on; "1"^^xsd:boolean does not (W3C test uniqueLang-002).
        unique = self.one(node, "uniqueLang")
        if unique is not None and not is_literal(unique, BOOLEAN):
            raise self.wrong("uniqueLang", f"takes true or false, not {unique}")
        if isinstance(unique, Literal) and unique.value == "true":
            yield UniqueLang(_component("uniqueLang"))
        if self.boolean(node, "closed"):
            yield Closed(_component("closed"), self._allowed(node))

    def _allowed(self, node: Node) -> tuple[NamedNode, ...]:
        ignored = [self.as_iri("ignoredProperties", each) for each in self.members_of(node, "ignoredProperties") or ()]
        own = [p for each in self.graph.objects(node, sh("property")) for p in self.graph.objects(each, sh("path"))]
        return tuple(dict.fromkeys([*ignored, *(path for path in own if isinstance(path, NamedNode))]))

    def _logic(self, node: Node) -> Iterable[Logic]:
        for name in ("not", "node"):
            for shape in self._referred(node, name):
                yield Logic(_component(name), (shape,))
        for name in ("and", "or", "xone"):
            for head in self.graph.objects(node, sh(name)):
                members = [self._refer(name, member) for member in self.members(name, head)]
                yield Logic(_component(name), tuple(members))

    def _qualified(self, node: Node) -> Iterable[Qualified]:
        value = self.one(node, "qualifiedValueShape")
        if value is None:
            return
        shape = self._refer("qualifiedValueShape", value)
        siblings: tuple[Shape, ...] = ()
        if self.boolean(node, "qualifiedValueShapesDisjoint"):
            siblings = tuple(self._refer("qualifiedValueShape", each) for each in self._siblings(node) if each != value)
        for name in ("qualifiedMinCount", "qualifiedMaxCount"):
            number = self.number(node, name)
            if number is not None:
                yield Qualified(_component(name), shape, siblings, number)

    def _siblings(self, node: Node) -> list[Term]:
        graph = self.graph
        found: dict[Term, None] = {}
        for parent in graph.subjects(sh("property"), node):
            for other in graph.objects(parent, sh("property")):
                found.update(dict.fromkeys(graph.objects(other, sh("qualifiedValueShape"))))
        return list(found)

    # SPARQL

    def _sparql(self, node: Node) -> Iterable[SparqlRule]:
        for rule in self.graph.objects(node, sh("sparql")):
            if isinstance(rule, Literal | Triple):
                raise self.wrong("sparql", f"takes a SPARQL constraint, not {rule}")
            query = self.string(rule, "select")
            if query is None:
                raise self.wrong("sparql", "a SPARQL constraint must have one sh:select")
            if not self.boolean(rule, "deactivated"):
                yield SparqlRule(
                    sh("SPARQLConstraintComponent"), rule, query, self._prologue(rule), self.texts(rule, "message")
                )

    def _prologue(self, node: Node) -> str:
        """The PREFIX lines of sh:prefixes, owl:imports followed within the shapes graph."""
        declared: dict[str, str] = {}
        for given in self.graph.objects(node, sh("prefixes")):
            for ontology in self.graph.closure(given, NamedNode(OWL + "imports")):
                for each in self.graph.objects(ontology, sh("declare")):
                    prefix, namespace = self._declaration(each)
                    if declared.setdefault(prefix, namespace) != namespace:
                        raise self.wrong("prefixes", f'prefix "{prefix}" is declared with two namespaces')
        return "".join(f"PREFIX {prefix}: <{namespace}>\n" for prefix, namespace in declared.items())

    def _declaration(self, node: Term) -> tuple[str, str]:
        prefix, namespace = self.graph.objects(node, sh("prefix")), self.graph.objects(node, sh("namespace"))
        if len(prefix) != 1 or len(namespace) != 1:
            raise self.wrong("declare", "takes exactly one sh:prefix and one sh:namespace")
        if not isinstance(prefix[0], Literal) or not isinstance(namespace[0], Literal):
            raise self.wrong("declare", "sh:prefix and sh:namespace take literals")
        name, space = prefix[0].value, namespace[0].value
        if not re.fullmatch(r"([^\W\d_][\w.\-]*)?", name) or re.search(r'[\s<>"{}|\\^`]', space):
            raise self.wrong("declare", f'"{name}" for "{space}" cannot be a PREFIX of SPARQL')
        return name, space

    def _read_components(self) -> list[tuple[NamedNode, list[_Parameter]]]:
        found = self.graph.instances(sh("ConstraintComponent"))
        return [
            (node, self._parameters(node))
            for node in found
            if isinstance(node, NamedNode) and not node.value.startswith(SH)
        ]

    def _parameters(self, component: NamedNode) -> list[_Parameter]:
        parameters = []
        for node in self.graph.objects(component, sh("parameter")):
            path = self.graph.objects(node, sh("path"))
            if len(path) != 1 or not isinstance(path[0], NamedNode) or isinstance(node, Literal | Triple):
                raise self.wrong("parameter", "takes nodes with one sh:path that is an IRI", component)
            name = re.split(r"[/#:]", path[0].value)[-1]
            if not re.fullmatch(r"[^\W\d]\w*", name) or name in _RESERVED:
                raise self.wrong("parameter", f'"{name}" cannot be the name of a parameter', component)
            parameters.append(_Parameter(path[0], name, self.boolean(node, "optional")))
        if not any(not parameter.is_optional for parameter in parameters):
            raise self.wrong("parameter", "a component must have at least one that is not optional", component)
        return parameters

    def _custom(self, node: Node, *, has_path: bool) -> Iterable[SparqlRule]:
        for component, parameters in self._components:
            given = {each: self.graph.objects(node, each.path) for each in parameters}
            if not all(values or each.is_optional for each, values in given.items()):
                continue
            rule = self._validator(component, has_path=has_path)
            if rule is not None:  # without one, "a SHACL-SPARQL processor ignores the constraint" (section 6.3)
                for bound in self._bindings(component, given):
                    yield replace(rule, parameters=bound)

    def _bindings(
        self, component: NamedNode, given: dict[_Parameter, list[Term]]
    ) -> Iterable[tuple[tuple[str, Term | None], ...]]:
        if len(given) == 1:
            ((parameter, values),) = given.items()
            for value in values:
                yield ((parameter.name, self._bindable(component, value)),)
            return
        for parameter, values in given.items():
            if len(values) > 1:
                raise self.wrong("", f"{component} allows one value of {parameter.path}, found {len(values)}")
        yield tuple((p.name, self._bindable(component, values[0]) if values else None) for p, values in given.items())

    def _bindable(self, component: NamedNode, value: Term) -> Term:
        if isinstance(value, BlankNode):
            raise self.wrong("", f"a parameter of {component} is a blank node; a query cannot name it, give it an IRI")
        return value

    def _validator(self, component: NamedNode, *, has_path: bool) -> SparqlRule | None:
        for name, form in ((f"{'property' if has_path else 'node'}Validator", "select"), ("validator", "ask")):
            for node in self.graph.objects(component, sh(name)):
                if isinstance(node, Literal | Triple):
                    raise self.wrong(name, f"takes a validator, not {node}", component)
                query = self.string(node, form)
                if query is None:
                    raise self.wrong(name, f"must have one sh:{form}", component)
                messages = self.texts(node, "message")
                return SparqlRule(component, node, query, self._prologue(node), messages, is_ask=form == "ask")
        return None


def _component(name: str) -> NamedNode:
    """The constraint component of a parameter: sh:minCount belongs to sh:MinCountConstraintComponent."""
    return sh(f"{name[0].upper()}{name[1:]}ConstraintComponent")
