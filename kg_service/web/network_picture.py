"""A network as a picture that needs no script: its strongest ties and largest nodes, on positions that are given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Place = tuple[float, float]
#: Most that is drawn; the table beside the picture and the exports have the rest.
MOST_NODES, MOST_EDGES, MOST_NAMES = 300, 400, 24
#: Colours that can be told apart; groups after the last share one.
COLOURS = 8
WIDTH, HEIGHT, _MARGIN = 1000, 640, 30


@dataclass(frozen=True, slots=True)
class Dot:
    """A node: where, how large, of which colour and mode, and its name where there is room for it."""

    x: float
    y: float
    radius: float
    colour: int
    mode: int
    name: str
    language: str
    is_named: bool


@dataclass(frozen=True, slots=True)
class Line:
    """A tie between two dots, and its width."""

    x1: float
    y1: float
    x2: float
    y2: float
    width: float


@dataclass(frozen=True, slots=True)
class Picture:
    """What is drawn, and of how much it is a part."""

    dots: tuple[Dot, ...]
    lines: tuple[Line, ...]
    nodes: int
    edges: int

    @property
    def is_cut(self) -> bool:
        return len(self.dots) < self.nodes or len(self.lines) < self.edges


def picture(
    drawn: Mapping[str, Any],
    values: Mapping[str, float],
    colours: Sequence[int],
    places: Mapping[str, Place],
    letters: float = 1.0,
) -> Picture:
    """The picture of a drawing (`network.drawing`), with the values that nodes are sized by, and where they stand.

    `letters` is how much larger than usual names are written.
    """
    nodes, edges = drawn["nodes"], drawn["edges"]
    ids: list[str] = nodes["id"]
    order = sorted(range(len(ids)), key=lambda n: (-values.get(ids[n], 0.0), -nodes["degree"][n], ids[n]))
    shown = [n for n in order if ids[n] in places][:MOST_NODES]
    scale = _scale([places[ids[n]] for n in shown])
    greatest = max((values.get(ids[n], 0.0) for n in shown), default=0.0) or 1.0
    at: dict[int, Place] = {n: scale(places[ids[n]]) for n in shown}
    ties = zip(edges["source"], edges["target"], edges["weight"], strict=True)
    inside = sorted(((w, s, t) for s, t, w in ties if s in at and t in at), key=lambda tie: -tie[0])[:MOST_EDGES]
    radius = {n: _radius(values.get(ids[n], 0.0) / greatest) for n in shown}
    heaviest = max((weight for weight, _, _ in inside), default=1.0) or 1.0
    named = _named(shown, at, [nodes["label"][n] for n in shown], letters)
    return Picture(
        tuple(
            Dot(
                *at[n],
                radius[n],
                colours[n],
                nodes["mode"][n],
                nodes["label"][n],
                nodes["language"][n],
                n in named,
            )
            for n in reversed(shown)  # the largest on top
        ),
        tuple(Line(*at[s], *at[t], round(0.6 + 2.4 * weight / heaviest, 2)) for weight, s, t in reversed(inside)),
        len(ids),
        len(edges["source"]),
    )


def _radius(share: float) -> float:
    return round(4 + 14 * math.sqrt(max(share, 0.0)), 1)


def _scale(places: Sequence[Place]) -> Callable[[Place], Place]:
    """What brings positions into the picture, without changing its proportions."""
    xs, ys = [x for x, _ in places] or [0.0], [y for _, y in places] or [0.0]
    width, height = (max(xs) - min(xs)) or 1.0, (max(ys) - min(ys)) or 1.0
    factor = min((WIDTH - 2 * _MARGIN) / width, (HEIGHT - 2 * _MARGIN) / height)
    left, top = (WIDTH - factor * width) / 2, (HEIGHT - factor * height) / 2

    def scaled(place: Place) -> Place:
        return round(left + factor * (place[0] - min(xs)), 1), round(top + factor * (max(ys) - place[1]), 1)

    return scaled


def _named(order: Sequence[int], at: Mapping[int, Place], labels: Sequence[str], letters: float) -> set[int]:
    """The largest nodes whose names do not run over the names of larger ones."""
    taken: list[tuple[float, float, float]] = []
    named: set[int] = set()
    for node, label in zip(order, labels, strict=True):
        x, y = at[node]
        half = 3.4 * letters * min(len(label), 32)
        if len(named) < MOST_NAMES and all(abs(y - b) > 16 * letters or abs(x - a) > half + c for a, b, c in taken):
            taken.append((x, y, half))
            named.add(node)
    return named
