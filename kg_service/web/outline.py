"""A small map without a script: the outline of a country, and dots for what lies in it.

The outlines are in a file that is built with the islands (`frontend/vite.config.ts`): by two letters of a country its
rings, each a list of longitudes and latitudes in hundredths of a degree. Without the file there is no picture.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from kg_service.web import islands

Ring: TypeAlias = Sequence[tuple[float, float]]
#: Longitude and latitude in degrees.
Point: TypeAlias = tuple[float, float]
#: Pixels of the picture at most; of the margin; between two points of an outline.
_WIDTH, _HEIGHT, _MARGIN, _FINE = 340.0, 240.0, 8.0, 0.8
#: Parts of a country that are smaller than this share of its largest are drawn where they happen to be in sight.
_SMALL = 0.08
#: Degrees that a dot may lie outside: a coast is drawn roughly.
_NEAR = 2.0


@dataclass(frozen=True, slots=True)
class Outline:
    """The picture of a country: its path, its size, and where the points lie that are in it."""

    path: str
    width: int
    height: int
    dots: tuple[tuple[float, float], ...]


def read(static: Path) -> dict[str, list[list[Point]]]:
    """The rings of each country; none where they were not built."""
    try:
        stored: dict[str, list[list[int]]] = json.loads((static / islands.FOLDER / "outlines.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return {
        code: [[(ring[n] / 100, ring[n + 1] / 100) for n in range(0, len(ring) - 1, 2)] for ring in rings]
        for code, rings in stored.items()
    }


def country_at(outlines: Mapping[str, Sequence[Ring]], point: Point) -> str | None:
    """The country that a point is in."""
    return next((code for code, rings in outlines.items() if sum(_is_inside(ring, point) for ring in rings) % 2), None)


def drawn(rings: Sequence[Ring], points: Sequence[Point]) -> Outline:
    """The picture of a country, as large as there is room; points that are not near it are left out."""
    sizes = [_area(ring) for ring in rings]
    main = [place for ring, size in zip(rings, sizes, strict=True) if size >= _SMALL * max(sizes) for place in ring]
    (west, east), (south, north) = _ends([x for x, _ in main]), _ends([y for _, y in main])
    inside = [(x, y) for x, y in points if west - _NEAR <= x <= east + _NEAR and south - _NEAR <= y <= north + _NEAR]
    (west, east), (south, north) = (
        _ends([west, east, *(x for x, _ in inside)]),
        _ends([south, north, *(y for _, y in inside)]),
    )
    narrow = math.cos(math.radians((south + north) / 2))
    across, up = max((east - west) * narrow, 0.01), max(north - south, 0.01)
    scale = min((_WIDTH - 2 * _MARGIN) / across, (_HEIGHT - 2 * _MARGIN) / up)

    def at(place: Point) -> Point:
        x, y = place
        return _MARGIN + (x - west) * narrow * scale, _MARGIN + (north - y) * scale

    width, height = across * scale + 2 * _MARGIN, up * scale + 2 * _MARGIN
    parts = (_part([at(place) for place in ring], width, height) for ring in rings)
    return Outline(
        "".join(parts),
        math.ceil(width),
        math.ceil(height),
        tuple((round(x, 1), round(y, 1)) for x, y in map(at, inside)),
    )


def _part(places: Sequence[Point], width: float, height: float) -> str:
    """A ring as part of a path, without points that nobody could tell apart; nothing where it is out of sight."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    if not places or max(xs) < 0 or min(xs) > width or max(ys) < 0 or min(ys) > height:
        return ""
    kept = [places[0]]
    for place in places[1:]:
        if math.dist(place, kept[-1]) >= _FINE:
            kept.append(place)
    if len(kept) < 3:  # an island of a pixel
        x, y = places[0]
        return f"M{x:.1f} {y:.1f}h1v1h-1z"
    return f"M{'L'.join(f'{x:.1f} {y:.1f}' for x, y in kept)}Z"


def _area(ring: Ring) -> float:
    """The size of a ring, in square degrees at the equator."""
    turned = zip(ring, [*ring[1:], *ring[:1]], strict=True)
    middle = sum(y for _, y in ring) / (len(ring) or 1)
    return abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in turned)) / 2 * math.cos(math.radians(middle))


def _is_inside(ring: Ring, point: Point) -> bool:
    """Whether a ring goes around a point: how often a line from it crosses the ring."""
    x, y = point
    crossed = False
    for (x1, y1), (x2, y2) in zip(ring, [*ring[1:], *ring[:1]], strict=True):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            crossed = not crossed
    return crossed


def _ends(values: Sequence[float]) -> tuple[float, float]:
    return min(values), max(values)
