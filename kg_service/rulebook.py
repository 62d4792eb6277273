"""The shapes as people read them: what is asked of which things, and what is said when it is not so."""

from __future__ import annotations

import contextlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from kg_service.rdf import PREFIXES, RDF_TYPE, SHAPE, Literal, NamedNode, Quad, Term

_SH, _RDF, _RDFS, _OWL = (PREFIXES[name] for name in ("sh", "rdf", "rdfs", "owl"))
_TARGETS = ("targetClass", "targetNode", "targetSubjectsOf", "targetObjectsOf")
#: Constraints whose value is shown, in this order.
_SHOWN = (
    "minCount maxCount class datatype nodeKind in hasValue minLength maxLength pattern languageIn uniqueLang "
    "minInclusive maxInclusive minExclusive maxExclusive lessThan lessThanOrEquals equals disjoint node"
).split()
#: How the steps of a path are written (SPARQL 1.1, section 9.1).
_STEPS = {"inversePath": "^{}", "zeroOrMorePath": "{}*", "oneOrMorePath": "{}+", "zeroOrOnePath": "{}?"}
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is asked: of which path, how it is called, and what is said when it is not so.

    `asks` are pairs of a constraint's name (minCount, class, …) and its values. Of shapes of which a value must fit one
    (sh:or), `either` are the names, and `classes` the classes that they ask for.
    """

    iri: str
    path: str
    properties: tuple[str, ...]
    names: Mapping[str, str]
    descriptions: Mapping[str, str]
    severity: str
    messages: Mapping[str, str]
    asks: tuple[tuple[str, tuple[Term, ...]], ...]
    has_query: bool
    either: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()

    def asked(self, name: str) -> tuple[Term, ...]:
        """The values of one constraint."""
        return next((values for known, values in self.asks if known == name), ())


@dataclass(frozen=True, slots=True)
class ShapeText:
    """What is asked of the things that a shape applies to; `targets` are pairs of a kind and an IRI."""

    iri: str
    labels: Mapping[str, str]
    descriptions: Mapping[str, str]
    targets: tuple[tuple[str, str], ...]
    rules: tuple[Rule, ...]

    @property
    def name(self) -> str:
        """What follows the project's own beginning, else the whole IRI."""
        return self.iri.removeprefix(SHAPE)


class Rulebook:
    """The shapes of a shapes graph that have targets, by name."""

    def __init__(self, quads: Iterable[Quad]) -> None:
        self._said: dict[Term, dict[str, list[Term]]] = defaultdict(lambda: defaultdict(list))
        for quad in sorted(quads, key=str):
            self._said[quad.subject][quad.predicate.value].append(quad.object)
        self.shapes = tuple(sorted(self._shapes(), key=lambda each: each.iri))

    def of_class(self, iri: str) -> list[ShapeText]:
        """The shapes that apply to the instances of a class."""
        return [each for each in self.shapes if ("targetClass", iri) in each.targets]

    def of_property(self, iri: str) -> list[tuple[ShapeText, Rule]]:
        """The rules whose path holds a property, each with its shape."""
        return [(shape, rule) for shape in self.shapes for rule in shape.rules if iri in rule.properties]

    def _shapes(self) -> Iterator[ShapeText]:
        for node, said in list(self._said.items()):
            targets = [(kind, t.value) for kind in _TARGETS for t in said[_SH + kind] if isinstance(t, NamedNode)]
            if (
                NamedNode(_OWL + "Class") in said[RDF_TYPE.value]
                and NamedNode(_SH + "NodeShape") in said[RDF_TYPE.value]
            ):
                targets += [("targetClass", node.value)] if isinstance(node, NamedNode) else []
            if targets:
                yield ShapeText(
                    _iri(node),
                    self._texts(node, _RDFS + "label"),
                    self._texts(node, _RDFS + "comment"),
                    tuple(targets),
                    tuple(self._rules(node)),
                )

    def _rules(self, node: Term) -> Iterator[Rule]:
        """The rules of a node shape: its own, where it has any, then those of its properties in their order."""
        own = self._rule(node)
        if own.asks or own.has_query or own.messages:
            yield own
        properties = self._said[node][_SH + "property"]
        yield from map(self._rule, sorted(properties, key=lambda each: (self._order(each), str(each))))

    def _order(self, node: Term) -> float:
        """The place of a property shape among others; those that name none, or no number, come last."""
        for order in self._said[node][_SH + "order"]:
            with contextlib.suppress(ValueError):
                return float(order.value) if isinstance(order, Literal) else math.inf
        return math.inf

    def _rule(self, node: Term) -> Rule:
        said = self._said[node]
        path = said[_SH + "path"]
        queries = said[_SH + "sparql"]
        messages = self._texts(node, _SH + "message")
        for query in queries:
            messages = messages or self._texts(query, _SH + "message")
        severity = said[_SH + "severity"]
        either = list(self._values(said[_SH + "or"]))
        return Rule(
            _iri(node),
            self._path(path[0]) if path else "",
            tuple(sorted(self._properties(path[0]))) if path else (),
            self._texts(node, _SH + "name"),
            self._texts(node, _SH + "description"),
            _iri(severity[0]).removeprefix(_SH) if severity else "Violation",
            messages,
            tuple((name, tuple(self._values(said[_SH + name]))) for name in _SHOWN if said[_SH + name]),
            bool(queries),
            tuple(_iri(each) for each in either),
            tuple(c.value for each in either for c in self._said[each][_SH + "class"] if isinstance(c, NamedNode)),
        )

    def _values(self, values: Iterable[Term]) -> Iterator[Term]:
        for value in values:
            if self._said[value][_RDF + "first"]:
                yield from self._list(value)
            else:
                yield value

    def _path(self, node: Term, depth: int = 0) -> str:
        """A path as SPARQL writes it, with prefixes."""
        if depth > _DEPTH:
            return "…"
        if isinstance(node, NamedNode):
            return compact(node.value)
        said = self._said[node]
        if said[_RDF + "first"]:
            return "/".join(self._path(each, depth + 1) for each in self._list(node))
        for name, written in _STEPS.items():
            for inner in said[_SH + name]:
                return written.format(self._grouped(inner, depth + 1))
        for alternatives in said[_SH + "alternativePath"]:
            return "|".join(self._grouped(each, depth + 1) for each in self._list(alternatives))
        return "?"

    def _grouped(self, node: Term, depth: int) -> str:
        text = self._path(node, depth)
        return f"({text})" if "/" in text.replace("://", "") or "|" in text else text

    def _properties(self, node: Term, depth: int = 0) -> set[str]:
        if isinstance(node, NamedNode):
            return {node.value}
        if depth > _DEPTH:
            return set()
        said = self._said[node]
        inside = [*self._list(node)]
        inside += [each for name in _STEPS for each in said[_SH + name]]
        inside += [each for alternatives in said[_SH + "alternativePath"] for each in self._list(alternatives)]
        return {iri for each in inside for iri in self._properties(each, depth + 1)}

    def _list(self, node: Term) -> Iterator[Term]:
        seen: set[Term] = set()
        while self._said[node][_RDF + "first"] and node not in seen:
            seen.add(node)
            yield self._said[node][_RDF + "first"][0]
            node = next(iter(self._said[node][_RDF + "rest"]), node)

    def _texts(self, node: Term, property: str) -> dict[str, str]:
        return {v.language or "": v.value for v in self._said[node][property] if isinstance(v, Literal)}


def _iri(node: Term) -> str:
    return node.value if isinstance(node, NamedNode) else str(node)


def compact(iri: str) -> str:
    """An IRI as people write it: with a prefix where one fits."""
    for prefix, begin in sorted(PREFIXES.items(), key=lambda each: -len(each[1])):
        if iri.startswith(begin) and iri != begin:
            return f"{prefix}:{iri.removeprefix(begin)}"
    return iri
