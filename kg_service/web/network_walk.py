"""What is shown of a network that is too large to be drawn: what lies around a node, and nodes found by their names.

A drawing is that of `network.drawing`: columns of nodes and of edges, in which edges name nodes by their place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.lists.selection import fold
from kg_service.rdf import ENTITY
from kg_service.web.names import Shown

#: Most ties that are drawn of a network of which nothing was chosen. Kumu begins with an empty picture there, too.
LIMIT = 15_000
#: Most steps that one walks, and most nodes that are found.
STEPS, FOUND = 6, 20


@dataclass(frozen=True, slots=True)
class Hit:
    """A node that was found: its name, the number of its ties, and how an address names it."""

    name: Shown
    ties: int
    node: str


@dataclass(frozen=True)
class Walk:
    """Where a reader stands in a network: before the whole of it, around a node, or before a choice.

    `drawn` is what is shown; `edges` is how many ties there are to be drawn without a node to stand at.
    """

    drawn: Mapping[str, Any]
    edges: int
    #: The node that one stands at, or that was asked for and is not in the network.
    name: Shown | None
    is_missing: bool
    steps: int
    #: Nothing was chosen, and too much there is.
    is_before: bool
    words: str
    hits: tuple[Hit, ...]

    @property
    def is_large(self) -> bool:
        return self.edges > LIMIT


def walk(drawn: Mapping[str, Any], asked: Mapping[str, Any], *, is_compared: bool) -> Walk:
    """Where `node`, `steps`, `find` and `draw` lead in a drawing; windows that are compared are small pictures."""
    nodes, edges = drawn["nodes"], len(drawn["edges"]["source"])
    iri = asked["node"] and (asked["node"] if ":" in asked["node"] else ENTITY + asked["node"])
    place = nodes["id"].index(iri) if iri in nodes["id"] else None
    is_before = place is None and edges > LIMIT and not asked["draw"] and not is_compared
    return Walk(
        drawn if place is None else around(drawn, place, asked["steps"]),
        edges,
        _name(nodes, place) if place is not None else Shown(iri) if iri else None,
        bool(iri) and place is None,
        asked["steps"],
        is_before,
        asked["find"] or "",
        tuple(
            Hit(_name(nodes, n), nodes["degree"][n], nodes["id"][n].removeprefix(ENTITY))
            for n in (found(drawn, asked["find"]) if asked["find"] and is_before else ())
        ),
    )


def _name(nodes: Mapping[str, Any], place: int) -> Shown:
    return Shown(nodes["label"][place], nodes["language"][place] or None)


def around(drawn: Mapping[str, Any], node: int, steps: int) -> dict[str, Any]:
    """The part of a drawing that is at most so many steps from a node, with the ties within it."""
    source, target = drawn["edges"]["source"], drawn["edges"]["target"]
    reached, front = {node}, {node}
    for _ in range(steps):
        near = {head for tail, head in zip(source, target, strict=True) if tail in front}
        near |= {tail for tail, head in zip(source, target, strict=True) if head in front}
        front = near - reached
        if not front:
            break
        reached |= front
    kept = sorted(reached)
    places = {number: place for place, number in enumerate(kept)}
    ties = [n for n, (one, other) in enumerate(zip(source, target, strict=True)) if one in places and other in places]
    edges = {name: [column[n] for n in ties] for name, column in drawn["edges"].items()}
    edges |= {name: [places[each] for each in edges[name]] for name in ("source", "target")}
    return {
        **drawn,
        "nodes": {name: [column[n] for n in kept] for name, column in drawn["nodes"].items()},
        "groups": {name: of | {"of": [of["of"][n] for n in kept]} for name, of in drawn["groups"].items()},
        "edges": edges,
    }


def found(drawn: Mapping[str, Any], words: str) -> list[int]:
    """The nodes whose names have the words in them: those that begin so first, then the ones with the most ties."""
    nodes, wanted = drawn["nodes"], fold(words).strip()
    names = [fold(label) for label in nodes["label"]]
    hits = [n for n, name in enumerate(names) if wanted and wanted in name]
    return sorted(hits, key=lambda n: (not names[n].startswith(wanted), -nodes["degree"][n], names[n], n))[:FOUND]
