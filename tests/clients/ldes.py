"""A reader of Linked Data Event Streams that keeps to the specification and complains of what does not.

Members are ordered by `ldes:timestampPath`; the last version of each thing (`ldes:versionOfPath`) is what it is now,
unless it is a deletion (`ldes:versionDeleteObject`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, Store

LDES, TREE = "https://w3id.org/ldes#", "https://w3id.org/tree#"
TYPE = NamedNode("http://www.w3.org/1999/02/22-rdf-syntax-ns#type")


def ldes(name: str) -> NamedNode:
    return NamedNode(LDES + name)


def _found(store: Store, subject: Any, predicate: Any, value: Any, graph: Any) -> Iterator[Any]:
    """The quads that match, whose terms are of kinds that are known from the specification."""
    return store.quads_for_pattern(subject, predicate, value, graph)


def tree(name: str) -> NamedNode:
    return NamedNode(TREE + name)


@dataclass
class Replica:
    """What was read: bodies by URL, and the state of each thing with the time of its last version."""

    client: httpx.Client
    immutable: dict[str, bytes] = field(default_factory=dict)
    things: dict[str, tuple[datetime, frozenset[Quad]]] = field(default_factory=dict)
    members: set[str] = field(default_factory=set)
    fetched: int = 0

    @property
    def quads(self) -> frozenset[Quad]:
        return frozenset(quad for _, quads in self.things.values() for quad in quads)

    def synchronise(self, root: str) -> None:
        """Reads what is new: every node but those that are immutable and were read before."""
        page = self._fetched(root)
        (stream,) = {q.subject for q in _found(page, None, TYPE, ldes("EventStream"), None)}
        assert [q.object.value for q in _found(page, stream, tree("view"), None, None)] == [root]
        about = {
            name: self._one(page, stream, ldes(name))
            for name in ("timestampPath", "versionOfPath", "versionDeleteObject")
        }
        (shape,) = _found(page, stream, tree("shape"), None, None)
        assert self.client.get(shape.object.value, headers={"accept": "text/turtle"}).status_code == 200
        policies = list(_found(page, NamedNode(root), ldes("retentionPolicy"), None, None))
        assert len(policies) <= 1
        waiting, seen = [(root, page)], {root}
        while waiting:
            url, node = waiting.pop()
            self._members(node, stream, about)
            for link, bounds in self._relations(node, url).items():
                if link in seen or link in self.immutable:
                    continue
                seen.add(link)
                there = self._fetched(link)
                self._check_bounds(there, stream, about["timestampPath"], bounds)
                waiting.append((link, there))

    def _fetched(self, url: str) -> Store:
        answer = self.client.get(url, headers={"accept": "application/trig"})
        assert answer.status_code == 200, (url, answer.text)
        assert answer.headers["etag"]
        assert "Accept" in answer.headers["vary"]
        store = Store()
        store.load(answer.content, RdfFormat.TRIG, base_iri=url)
        says = any(True for _ in _found(store, NamedNode(url), ldes("immutable"), None, None))
        assert says is ("immutable" in answer.headers["cache-control"]), "RDF and HTTP say the same of a node"
        if says:
            self.immutable[url] = answer.content
        self.fetched += 1
        return store

    def _one(self, store: Store, subject: NamedNode, predicate: NamedNode) -> NamedNode:
        (found,) = _found(store, subject, predicate, None, DefaultGraph())
        assert isinstance(found.object, NamedNode)
        return found.object

    def _relations(self, store: Store, url: str) -> dict[str, list[tuple[str, str]]]:
        found: dict[str, list[tuple[str, str]]] = {}
        for quad in _found(store, NamedNode(url), tree("relation"), None, None):
            about = {q.predicate.value: q.object.value for q in _found(store, quad.object, None, None, None)}
            bound = (about[TYPE.value].removeprefix(TREE), about[TREE + "value"])
            found.setdefault(about[TREE + "node"], []).append(bound)
        return found

    def _check_bounds(self, store: Store, stream: NamedNode, path: NamedNode, bounds: list[tuple[str, str]]) -> None:
        members = [q.object for q in _found(store, stream, tree("member"), None, None)]
        for member in members:
            (time,) = _found(store, member, path, None, DefaultGraph())
            made = datetime.fromisoformat(time.object.value)
            for kind, value in bounds:
                bound = datetime.fromisoformat(value)  # as text, 36.4Z would be later than 36.477Z
                holds = {"GreaterThanOrEqualToRelation": made >= bound, "LessThanOrEqualToRelation": made <= bound}
                assert holds[kind], (kind, value, time.object.value)

    def _members(self, store: Store, stream: NamedNode, about: dict[str, NamedNode]) -> None:
        for quad in _found(store, stream, tree("member"), None, None):
            member = quad.object
            assert isinstance(member, NamedNode)
            self.members.add(member.value)
            thing = self._one(store, member, about["versionOfPath"])
            (time,) = _found(store, member, about["timestampPath"], None, DefaultGraph())
            made = datetime.fromisoformat(time.object.value)
            if thing.value in self.things and self.things[thing.value][0] > made:
                continue
            said = set(_found(store, member, None, None, None))
            told = {about["timestampPath"], about["versionOfPath"]}
            told.add(NamedNode("http://www.w3.org/ns/prov#wasGeneratedBy"))
            own = {q for q in said if isinstance(q.graph_name, DefaultGraph) and q.predicate in told}
            deletion = Quad(member, TYPE, about["versionDeleteObject"])
            quads = frozenset(Quad(thing, q.predicate, q.object, q.graph_name) for q in said - own if q != deletion)
            assert (deletion in said) is (not quads), "a deletion says nothing, and what says nothing is a deletion"
            self.things[thing.value] = (made, quads)
