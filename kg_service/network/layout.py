"""Where nodes are drawn: forces by Fruchterman and Reingold, steadily from where the nodes were before.

Up to a thousand nodes each pushes each; of more, the push is that of a field on a grid, which a Fourier transform gives
(particle–mesh), so that a step costs as much as there are edges and nodes.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kg_service.network.centrality import undirected
from kg_service.network.graph import Floats, Network
from kg_service.network.outcome import Context, Kept, Outcome

_ALL_PAIRS = 1000
_GRID = 128
_FAR, _NEAR = 300, 60  # steps from nowhere, and from positions that were good before


def layout(network: Network, context: Context) -> Outcome:
    """Positions with the centre at 0 and about 1 between neighbours; kept where the context says, if it does."""
    kept = context.kept
    generation, before = _read(kept.path) if kept else ("", {})
    if kept and generation == kept.generation and all(node in before for node in network.nodes):
        places = np.array([before[node] for node in network.nodes]).reshape(-1, 2)
    else:
        places = positions(network, before, context.parameters["seed"], context.progress)
        if kept:
            _write(kept, network, places)
    known = np.array([node in before for node in network.nodes], bool)
    values = {"nodes_with_former_position": int(known.sum())}
    return Outcome({"value": np.hypot(*places.T), "x": places[:, 0], "y": places[:, 1]}, values)


def positions(
    network: Network,
    before: dict[str, tuple[float, float]],
    seed: int,
    progress: Callable[[float, str], None] = lambda part, what: None,
) -> Floats:
    """The x and y of each node. Where most had positions, those move a little only, and new ones come near theirs."""
    ties, size = undirected(network), network.size
    if not size:
        return np.zeros((0, 2))
    random = np.random.default_rng(seed)
    places = random.normal(scale=np.sqrt(size) / 2, size=(size, 2))
    known = np.array([node in before for node in network.nodes], bool)
    if known.any():
        places[known] = [before[node] for node, is_known in zip(network.nodes, known, strict=True) if is_known]
        _bring(ties, places, known)
    is_steady = known.sum() * 2 >= size
    steps = _NEAR if is_steady else _FAR
    heat = np.full((size, 1), max(1.0, np.sqrt(size) / 10))
    if is_steady:  # where a node was it shall be found again
        heat[:] = 0.02 * places[known].std()
        heat[known] /= 50 if known.all() else 10
    for step in range(steps):
        force = (_push_each(places) if size <= _ALL_PAIRS else _push_by_field(places)) - 0.02 * places
        apart = places[ties.heads] - places[ties.tails]
        pull = apart * np.linalg.norm(apart, axis=1, keepdims=True)
        for axis in (0, 1):
            force[:, axis] += np.bincount(ties.tails, pull[:, axis], size) - np.bincount(
                ties.heads, pull[:, axis], size
            )
        length = np.linalg.norm(force, axis=1, keepdims=True)
        places += force / np.maximum(length, 1e-9) * np.minimum(length, heat * (1 - step / steps))
        if step % 5 == 0:
            progress(step / steps, "layout")
    return places if is_steady else places - places.mean(axis=0)


def _bring(ties: Network, places: Floats, known: np.ndarray) -> None:
    """Puts new nodes to the middle of their neighbours that had positions."""
    total, count = np.zeros_like(places), np.zeros(len(places))
    for one, other in ((ties.tails, ties.heads), (ties.heads, ties.tails)):
        from_known = known[other]
        np.add.at(total, one[from_known], places[other[from_known]])
        np.add.at(count, one[from_known], 1)
    new = ~known & (count > 0)
    places[new] = total[new] / count[new, None] + places[new] * 0.01


def _push_each(places: Floats) -> Floats:
    apart = places[:, None] - places[None]
    square = (apart**2).sum(axis=2)
    np.fill_diagonal(square, 1)
    return np.asarray((apart / np.maximum(square, 1e-4)[:, :, None]).sum(axis=1))


def _push_by_field(places: Floats) -> Floats:
    """The push of all on each, by their number in each cell of a grid."""
    low = places.min(axis=0)
    cell = float((places.max(axis=0) - low).max()) / (_GRID - 2) or 1.0
    at = (places - low) / cell
    corner = np.clip(at.astype(np.int64), 0, _GRID - 2)
    part = at - corner
    shares = [
        (corner + np.array((dx, dy)), np.abs(1 - dx - part[:, 0]) * np.abs(1 - dy - part[:, 1]))
        for dx in (0, 1)
        for dy in (0, 1)
    ]
    mass = np.zeros((_GRID, _GRID))
    for index, share in shares:
        np.add.at(mass, (index[:, 0], index[:, 1]), share)
    wide = 2 * _GRID
    offset = (np.arange(wide) + _GRID) % wide - _GRID
    x, y = np.meshgrid(offset, offset, indexing="ij")
    square = np.maximum(x**2 + y**2, 1) * cell
    spectrum = np.fft.rfft2(mass, (wide, wide))
    force = np.zeros_like(places)
    for axis, kernel in enumerate((x / square, y / square)):
        field = np.fft.irfft2(spectrum * np.fft.rfft2(kernel), (wide, wide))[:_GRID, :_GRID]
        for index, share in shares:
            force[:, axis] += field[index[:, 0], index[:, 1]] * share
    return force


def _read(path: Path) -> tuple[str, dict[str, tuple[float, float]]]:
    """The generation of kept positions, and the positions by node."""
    if not path.is_file():
        return "", {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        generation = next(rows, [""])[0]
        return generation, {node: (float(x), float(y)) for node, x, y in rows}


def _write(kept: Kept, network: Network, places: Floats) -> None:
    beside = kept.path.with_suffix(f".{os.getpid()}")
    with beside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([kept.generation])
        writer.writerows((node, x, y) for node, (x, y) in zip(network.nodes, places.tolist(), strict=True))
    beside.replace(kept.path)
