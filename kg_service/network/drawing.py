"""A network as a program draws it: columns of numbers, each name once, and nothing that a drawing does not show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from kg_service.network.graph import Network
from kg_service.network.measures import ATTRIBUTES
from kg_service.network.names import Names
from kg_service.network.outcome import Context
from kg_service.network.packing import packed

_JOIN = " + "


def groups(network: Network, names: Names, context: Context, languages: Sequence[str]) -> dict[str, dict[str, Any]]:
    """For each attribute the names of its groups and the number of each node's, -1 for who has none."""
    found = {}
    for attribute in ATTRIBUTES:
        iris, codes = context.groups(network, attribute)
        labels = [_JOIN.join(names.name(iri, languages) for iri in group.split(_JOIN)) for group in iris]
        found[attribute] = {"names": labels, "of": codes.tolist()}
    return found


def drawing(
    network: Network,
    nodes: Sequence[dict[str, Any]],
    ties: Sequence[Sequence[dict[str, Any]]],
    grouped: dict[str, dict[str, Any]],
    meta: dict[str, Any],
) -> str:
    """JSON of columns: `edges` name nodes by their place; positions are in thousandths, components side by side.

    `times` has three numbers for each thing that ties: the edge, and the first and the last year, null where it is
    open; with both null the thing is undated, and so is every edge that is not in it.
    """
    x, y = packed(network, *(np.array([node[axis] for node in nodes], float) for axis in ("x", "y")))
    times: list[int | None] = []
    for edge, things in enumerate(ties):
        spells = {(_year(thing["start"]), _year(thing["end"])) for thing in things}
        for start, end in sorted(spells - {(None, None)} if len(spells) == 1 else spells, key=str):
            times += [edge, start, end]
    return json.dumps(
        {
            "nodes": {
                "id": [node["id"] for node in nodes],
                "label": [node["label"] for node in nodes],
                "language": [node["language"] for node in nodes],
                "mode": [network.projection.modes.index(node["mode"]) for node in nodes],
                "degree": [node["degree"] for node in nodes],
                "community": [node["community"] for node in nodes],
                "x": np.rint(1000 * x).astype(int).tolist(),
                "y": np.rint(1000 * y).astype(int).tolist(),
            },
            "groups": grouped,
            "modes": network.projection.modes if network.projection.is_two_mode else network.projection.modes[:1],
            "edges": {
                "source": network.tails.tolist(),
                "target": network.heads.tolist(),
                "weight": [round(weight, 4) for weight in network.weights.tolist()],
            },
            "kinds": sorted({thing["kind"] for things in ties for thing in things if thing["kind"]}),
            "times": times,
            "meta": meta,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def _year(date: str | None) -> int | None:
    return int(date[:4]) if date else None
