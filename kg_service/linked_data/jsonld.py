"""Statements as compact JSON-LD 1.1 with the project's context, of which only what is used is written in.

No library is asked: the context is ours and uses few features, and nothing is ever fetched. A test reads every
document back with two parsers.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kg_service.rdf import PREFIXES, RDF_TYPE, BlankNode, Literal, NamedNode, Quad, Term

_XSD = PREFIXES["xsd"]
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,14}")


@dataclass(slots=True)
class Context:
    """What the project's context says, turned round: from IRIs to names."""

    entries: dict[str, Any]
    terms: dict[str, str] = field(default_factory=dict)
    #: Beginnings of IRIs with their prefixes, the longest first.
    prefixes: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, document: bytes) -> Context:
        """The context of a JSON-LD document; its names must be plain terms, prefixes and keywords."""
        context = cls(json.loads(document)["@context"])
        beginnings = {
            name: iri
            for name, iri in context.entries.items()
            if isinstance(iri, str) and iri.endswith(("/", "#", ":")) and not name.startswith("@")
        }
        context.prefixes = sorted(((iri, name) for name, iri in beginnings.items()), key=lambda each: -len(each[0]))
        for name, entry in context.entries.items():
            iri = entry["@id"] if isinstance(entry, dict) else entry
            if isinstance(iri, str) and name not in beginnings and not name.startswith("@"):
                context.terms[context.expanded(iri)] = name
        return context

    def expanded(self, name: str) -> str:
        """The IRI that a compact IRI stands for."""
        prefix, colon, rest = name.partition(":")
        begin = self.entries.get(prefix) if colon else None
        return begin + rest if isinstance(begin, str) and not rest.startswith("//") else name


class _Writer:
    def __init__(self, context: Context) -> None:
        self.context = context
        self.used: dict[str, Any] = {}

    def name(self, iri: str) -> str:
        """A property or class: a term, else a compact IRI, else the IRI."""
        term = self.context.terms.get(iri)
        if term is None:
            return self.node(iri)
        entry = self.context.entries[term]
        self._use(term)
        for each in (entry, *(entry.values() if isinstance(entry, dict) else ())):
            if isinstance(each, str) and ":" in each:
                self._use(each.partition(":")[0])
        return term

    def node(self, iri: str) -> str:
        """An IRI in the place of a value: compact where a prefix fits."""
        for begin, prefix in self.context.prefixes:
            if iri.startswith(begin) and not iri[len(begin) :].startswith("//"):
                self._use(prefix)
                return f"{prefix}:{iri[len(begin) :]}"
        return iri

    def _use(self, name: str) -> None:
        if name in self.context.entries:
            self.used[name] = self.context.entries[name]

    def value(self, entry: Any, value: Term) -> Any:
        """A value in the way in which the context has the property's values read."""
        coerced = entry.get("@type") if isinstance(entry, dict) else None
        if isinstance(value, NamedNode):
            if coerced == "@vocab":
                return self.name(value.value)
            return self.node(value.value) if coerced == "@id" else {"id": self.node(value.value)}
        if isinstance(value, BlankNode):
            return str(value) if coerced == "@id" else {"id": str(value)}
        assert isinstance(value, Literal)
        if value.language:
            return {"@value": value.value, "@language": value.language}
        datatype = value.datatype.value
        if coerced and self.context.expanded(coerced) == datatype:
            is_plain = datatype == _XSD + "integer" and _INTEGER.fullmatch(value.value)
            return int(value.value) if is_plain else value.value
        if datatype == _XSD + "string":
            return {"@value": value.value} if coerced else value.value
        if datatype == _XSD + "integer" and not coerced and _INTEGER.fullmatch(value.value):
            return int(value.value)
        if datatype == _XSD + "boolean" and value.value in ("true", "false") and not coerced:
            return value.value == "true"
        return {"@value": value.value, "@type": self.name(datatype)}

    def property(self, node: dict[str, Any], predicate: str, values: list[Term]) -> None:
        """Writes the values of a property into a node; those that its language map cannot hold under its IRI."""
        name = self.name(predicate)
        entry = self.context.entries.get(name)
        container = entry.get("@container") if isinstance(entry, dict) else None
        others: list[Any] = []
        texts: dict[str, list[str]] = defaultdict(list)
        for value in values:
            if container and isinstance(value, Literal) and value.language:
                texts[value.language].append(value.value)
            elif container:
                others.append(self.value(None, value))
            else:
                others.append(self.value(entry, value))
        if texts:
            is_set = container != "@language"
            node[name] = {lang: found if is_set or len(found) > 1 else found[0] for lang, found in texts.items()}
        if others:
            node[self.node(predicate) if container else name] = others if len(others) > 1 else others[0]


def write(quads: Iterable[Quad], context: Context, first: NamedNode) -> bytes | None:
    """The statements, without their graphs, as a JSON-LD document that begins with a thing.

    None where an IRI would be read as a compact one: then no context may be used.
    """
    said: dict[Term, dict[str, set[Term]]] = defaultdict(lambda: defaultdict(set))
    for quad in quads:
        for term in (quad.subject, quad.predicate, quad.object):
            if isinstance(term, NamedNode) and _is_mistakable(term.value, context):
                return None
        said[quad.subject][quad.predicate.value].add(quad.object)
    writer = _Writer(context)
    nodes = [
        _node(writer, subject, said[subject]) for subject in sorted(said, key=lambda each: (each != first, str(each)))
    ]
    head = {"@version": 1.1, "id": "@id", "type": "@type"}
    written = {"@context": head | dict(sorted(writer.used.items())), "@graph": nodes}
    return json.dumps(written, ensure_ascii=False, indent=1).encode() + b"\n"


def _node(writer: _Writer, subject: Term, properties: dict[str, set[Term]]) -> dict[str, Any]:
    name = writer.node(subject.value) if isinstance(subject, NamedNode) else str(subject)
    node: dict[str, Any] = {"id": name}
    types = sorted(properties.get(RDF_TYPE.value, ()), key=str)
    if types and all(isinstance(each, NamedNode) for each in types):
        node["type"] = [writer.name(each.value) for each in types if isinstance(each, NamedNode)]
    for predicate in sorted(properties):
        if predicate != RDF_TYPE.value or "type" not in node:
            writer.property(node, predicate, sorted(properties[predicate], key=str))
    return node


def _is_mistakable(iri: str, context: Context) -> bool:
    """Whether the scheme of an IRI is a prefix of the context, as in `event:fair`."""
    scheme = _SCHEME.match(iri)
    return bool(scheme and scheme[1] in context.entries)
