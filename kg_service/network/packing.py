"""Components side by side, so that small ones far off do not shrink the large one that a reader looks for."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph

from kg_service.network.graph import Floats, Network

#: Width over height of what is packed into.
_ASPECT = 1.56
#: Room around a component, in the unit in which a lone node is 1 wide.
_GAP = 0.6


def packed(network: Network, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Positions in which each component keeps its form and has room by its number of nodes, the largest first."""
    if not network.size:
        return x, y
    count, component = csgraph.connected_components(network.matrix(), directed=False)
    sizes = np.bincount(component, minlength=count)
    side = np.sqrt(sizes) + _GAP
    low, high = (np.full((2, count), sign * np.inf) for sign in (1, -1))
    for axis, values in enumerate((x, y)):
        np.minimum.at(low[axis], component, values)
        np.maximum.at(high[axis], component, values)
    span = np.maximum((high - low).max(axis=0), 1e-9)
    left, top = _shelves(side, np.argsort(-sizes, kind="stable"))
    factor = (side - _GAP) / span
    out = []
    for axis, (values, corner) in enumerate(((x, left), (y, top))):
        middle = (low[axis] + high[axis]) / 2
        out.append((values - middle[component]) * factor[component] + (corner + side / 2)[component])
    return out[0], -out[1]


def _shelves(side: Floats, order: np.ndarray) -> tuple[Floats, Floats]:
    """The corners of squares in rows: the largest with what fits beside it, then row after row."""
    width = max(float(np.sqrt((side**2).sum() * _ASPECT)), float(side.max()))
    left, top = np.zeros(len(side)), np.zeros(len(side))
    first = order[0]
    # Beside the first square, columns of smaller ones from the top down; what is left goes below.
    at_x, at_y, column, rest = float(side[first]), 0.0, 0.0, []
    for place in order[1:]:
        if at_y + side[place] > side[first]:
            at_x, at_y, column = at_x + column, 0.0, 0.0
        if at_x + side[place] > width or side[place] > side[first]:
            rest.append(place)
            continue
        left[place], top[place] = at_x, at_y
        at_y, column = at_y + float(side[place]), max(column, float(side[place]))
    at_x, at_y, shelf = 0.0, float(side[first]), 0.0
    for place in rest:
        if at_x + side[place] > width:
            at_x, at_y, shelf = 0.0, at_y + shelf, 0.0
        left[place], top[place] = at_x, at_y
        at_x, shelf = at_x + float(side[place]), max(shelf, float(side[place]))
    return left, top
