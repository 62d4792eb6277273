"""Judging a check at a focus node by look-ups and arithmetic, where that is less work than a query.

The engine reads the text of each query, and compiles every regular expression in it, anew: for one node that takes far
longer than the answer. A `View` answers from the node's triples. What it cannot tell it leaves open (None), and what a
single term passes or fails is never decided here: the engine is asked, once for each expression and term (`Verdicts`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from pydantic_core import SchemaValidator
from pydantic_core.core_schema import str_schema
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, Store

from kg_service.shacl.compiler import AnyCheck, SparqlCheck
from kg_service.shacl.expressions import passes, same
from kg_service.shacl.graph import RDF, SH, TYPE, XSD, Term
from kg_service.shacl.inline import component_name
from kg_service.shacl.marks import ClassTree
from kg_service.shacl.nodes import Nodes
from kg_service.shacl.paths import Alternative, Inverse, Path, Predicate, steps
from kg_service.shacl.reach import constraints_of, prefix_of
from kg_service.shacl.shapes import (
    Closed,
    Constraint,
    Count,
    HasValue,
    Logic,
    Pair,
    Qualified,
    Shape,
    UniqueLang,
    ValueTest,
)

#: More values than these are left to the engine.
_MOST = 500
#: Verdicts that are kept; those on longer texts are not asked for.
_MOST_VERDICTS = 50_000
_LONGEST = 2_000
_VALUE = "?value"
#: A variable and an expression on it alone.
Test: TypeAlias = tuple[str, str]


_DATATYPES = (NamedNode(RDF + "langString"), NamedNode(XSD + "string"))  # of which every literal is well-formed
_NODE_KINDS: dict[str, type] = {"IRI": NamedNode, "BlankNode": BlankNode, "Literal": Literal}
#: What in a regular expression depends on a version of Unicode: `\d`, `\w`, `\p`, flags. The rest is compiled once, by
#: the library that the engine has its regular expressions from (Rust's `regex`, which pydantic brings along).
_TABLES = re.compile(r"\\[a-zA-Z0-9](?<![tnrsS])|[(][?]|\[:")


def can_be_written(term: Term) -> bool:
    """Can a query name the term? Not a blank node, nor what a lenient parser has let in."""
    try:
        match term:
            case NamedNode():
                NamedNode(term.value)
            case Literal():
                NamedNode(term.datatype.value)
                if term.language:
                    Literal(term.value, language=term.language)
            case _:
                return False
    except ValueError:
        return False
    return True


class Verdicts:
    """What single terms pass or fail, kept across changes; of expressions the engine is asked, once for each term."""

    def __init__(self) -> None:
        self._engine = Store()
        self._known: dict[tuple[Test, Term], bool] = {}
        self._tests: dict[ValueTest, Callable[[Term], bool | None]] = {}
        self._wanted: dict[tuple[Test, Term], None] = {}

    def passes(self, constraint: ValueTest, term: Term) -> bool | None:
        """Does the term pass the constraint? None where that is not known (yet, see `ask`)."""
        test = self._tests.get(constraint)
        if test is None:
            test = self._tests[constraint] = self._test(constraint)
        return test(term)

    def _test(self, constraint: ValueTest) -> Callable[[Term], bool | None]:
        test, terms = (_VALUE, passes(constraint, _VALUE)), constraint.terms
        first = terms[0] if terms else None
        match component_name(constraint):
            case "Datatype" if first in _DATATYPES:
                return lambda term: isinstance(term, Literal) and term.datatype == first
            case "NodeKind" if isinstance(first, NamedNode):
                kinds = tuple(_NODE_KINDS[name] for name in first.value.removeprefix(SH).split("Or"))
                return lambda term: isinstance(term, kinds)
            case "In" if all(isinstance(term, NamedNode) for term in terms):
                return terms.__contains__
            case "LanguageIn":  # all that matters is the tag, and there are few
                return lambda term: self._of_tag(test, term)
            case "Pattern" if isinstance(first, Literal) and not constraint.flags and not _TABLES.search(first.value):
                matches = SchemaValidator(str_schema(pattern=first.value, regex_engine="rust-regex")).isinstance_python
                return lambda term: isinstance(term, NamedNode | Literal) and matches(term.value)
        return lambda term: self.get(test, term)

    def _of_tag(self, test: Test, term: Term) -> bool | None:
        if not (isinstance(term, Literal) and term.language):
            return False
        return self.get(test, Literal("", language=term.language)) if can_be_written(term) else None

    def get(self, test: Test, term: Term) -> bool | None:
        """As `passes`, for an expression."""
        known = self._known.get((test, term))
        if known is None and isinstance(term, NamedNode | Literal) and len(term.value) <= _LONGEST:
            self._wanted[test, term] = None
        return known

    def ask(self) -> bool:
        """Finds out what was not known when it was wanted; False when nothing came of it."""
        wanted, self._wanted = self._wanted, {}
        if len(self._known) > _MOST_VERDICTS:
            self._known.clear()
        before = len(self._known)
        terms: dict[Test, dict[Term, None]] = defaultdict(dict)
        for test, term in wanted:
            if can_be_written(term):
                terms[test][term] = None
        alike: dict[tuple[str, frozenset[Term]], list[Test]] = defaultdict(list)
        for test, each in terms.items():
            alike[test[0], frozenset(each)].append(test)
        for (variable, listed), tests in alike.items():
            columns = " ".join(f"({text} AS ?c{number})" for number, (_, text) in enumerate(tests))
            values = f"VALUES {variable} {{ {' '.join(map(str, listed))} }}"
            rows: Any = self._engine.query(f"SELECT {variable} {columns} WHERE {{ {values} }}")
            for row in rows:
                for number, test in enumerate(tests):
                    passed = row[f"c{number}"]
                    self._known[test, row[variable[1:]]] = passed is not None and passed.value == "true"
        return len(self._known) > before


class View:
    """One state of a graph; nothing may be written to the store while it is used."""

    def __init__(self, nodes: Nodes, tree: ClassTree, verdicts: Verdicts) -> None:
        self._nodes, self._tree, self._verdicts = nodes, tree, verdicts
        self._kinds: dict[NamedNode, list[NamedNode] | None] = {}
        self._instances: dict[tuple[Term, NamedNode], bool | None] = {}

    def holds(self, check: AnyCheck, focus: Term) -> bool | None:
        """Has the check no results for this focus node? None where that cannot be told."""
        if isinstance(check, SparqlCheck):
            return self._finds_nothing(check, focus)
        nodes: list[Term] | None = [focus]
        for path in prefix_of(check.source):
            nodes = self._over(nodes, path)
        if nodes is None:
            return None
        found = constraints_of(check)
        return _every(self._keeps(constraint, check.shape, node) for node in nodes for constraint in found)

    def _finds_nothing(self, check: SparqlCheck, focus: Term) -> bool | None:
        needs, held = check.needs, self._nodes.about(focus)
        if check.source.parent is not None or held is None:
            return None
        if not needs.predicates <= held.keys():
            return True
        if needs.passing is None:
            return None
        return _every(_not(self._verdicts.get(needs.passing, predicate)) for predicate in held)

    # Shapes

    def _conforms(self, shape: Shape, node: Term) -> bool | None:
        if shape.is_deactivated:
            return True
        kept = _every(self._keeps(constraint, shape, node) for constraint in shape.constraints)
        if not shape.properties or kept is False:
            return kept
        values = self._values(shape.path, node)
        if values is None:
            return None
        nested = _every(self._conforms(each, value) for each in shape.properties for value in values)
        return _every((kept, nested))

    def _keeps(self, constraint: Constraint, shape: Shape, node: Term) -> bool | None:
        values = self._values(shape.path, node)
        if values is None:
            return None
        match constraint:
            case ValueTest():
                return _every(self._passes(constraint, value) for value in values)
            case Count(number=number):
                return len(values) >= number if component_name(constraint) == "MinCount" else len(values) <= number
            case HasValue(term=term):
                return self._has(values, term)
            case Pair():
                return self._compares(constraint, values, node)
            case UniqueLang():
                tags = [value.language.lower() for value in values if isinstance(value, Literal) and value.language]
                return len(set(tags)) == len(tags) if all(map(str.isascii, tags)) else None
            case Closed(allowed=allowed):
                held = [self._nodes.about(value) for value in values]
                return _every(None if each is None else each.keys() <= set(allowed) for each in held)
            case Logic():
                return _every(self._combines(constraint, value) for value in values)
            case Qualified():
                return self._counts(constraint, values)
        return None

    def _passes(self, test: ValueTest, value: Term) -> bool | None:
        if component_name(test) == "Class":
            (kind,) = test.terms
            assert isinstance(kind, NamedNode)
            return self._is_instance(value, kind)
        return self._verdicts.passes(test, value)

    def _has(self, values: list[Term], term: Term) -> bool | None:
        if isinstance(term, NamedNode):
            return term in values
        return _some(self._verdicts.get((_VALUE, same(_VALUE, term)), value) for value in values)

    def _compares(self, pair: Pair, values: list[Term], node: Term) -> bool | None:
        others = self._nodes.objects(node, pair.other)
        if others is None:
            return None
        match component_name(pair):
            case "Equals":
                return set(values) == set(others)
            case "Disjoint":
                return set(values).isdisjoint(others)
        return None if values and others else True

    def _combines(self, logic: Logic, value: Term) -> bool | None:
        fitting = (self._conforms(shape, value) for shape in logic.shapes)
        match component_name(logic):
            case "Not":
                return _not(next(fitting))
            case "Or":
                return _some(fitting)
            case "Xone":
                known = list(fitting)
                return None if None in known else known.count(True) == 1
        return _every(fitting)

    def _counts(self, constraint: Qualified, values: list[Term]) -> bool | None:
        fitting = [
            _every(
                (
                    self._conforms(constraint.shape, value),
                    *(_not(self._conforms(sibling, value)) for sibling in constraint.siblings),
                )
            )
            for value in values
        ]
        least, most = fitting.count(True), len(fitting) - fitting.count(False)
        if component_name(constraint) == "QualifiedMinCount":
            return True if least >= constraint.number else None if most >= constraint.number else False
        return True if most <= constraint.number else None if least <= constraint.number else False

    # The graph

    def _values(self, path: Path | None, node: Term) -> list[Term] | None:
        if path is None:
            return [node]
        return self._nodes.objects(node, path.iri) if isinstance(path, Predicate) else self._over([node], path)

    def _over(self, nodes: list[Term] | None, path: Path) -> list[Term] | None:
        """What is reached over the path, each node once."""
        for step in steps(path):
            if nodes is None or len(nodes) > _MOST:
                return None
            reached = [self._step(node, step) for node in nodes]
            if None in reached:
                return None
            nodes = list(dict.fromkeys(value for values in reached if values is not None for value in values))
        return nodes

    def _step(self, node: Term, path: Path) -> list[Term] | None:
        match path:
            case Predicate(iri):
                return self._nodes.objects(node, iri)
            case Inverse(Predicate(iri)):
                return self._nodes.subjects(iri, node)
            case Alternative(choices):
                reached = [self._over([node], choice) for choice in choices]
                return None if None in reached else [value for values in reached if values for value in values]
        return None

    def _is_instance(self, node: Any, kind: NamedNode) -> bool | None:
        if not isinstance(node, NamedNode | BlankNode):
            return False
        if (node, kind) not in self._instances:
            if kind not in self._kinds:
                names = self._tree.below(str(kind))
                is_known = all(name.startswith("<") for name in names)
                self._kinds[kind] = [NamedNode(name[1:-1]) for name in names] if is_known else None
            kinds = self._kinds[kind]
            found = None if kinds is None else any(Quad(node, TYPE, each) in self._nodes for each in kinds)
            self._instances[node, kind] = found
        return self._instances[node, kind]


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _every(answers: Iterable[bool | None]) -> bool | None:
    """Are all true? All are looked at until one is false, so that what is not known gets asked for together."""
    is_open = False
    for answer in answers:
        if answer is False:
            return False
        is_open = is_open or answer is None
    return None if is_open else True


def _some(answers: Iterable[bool | None]) -> bool | None:
    return _not(_every(map(_not, answers)))
