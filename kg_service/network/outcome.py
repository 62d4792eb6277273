"""What a measure is given and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kg_service.network.graph import Integers, Network


@dataclass(frozen=True, slots=True)
class Kept:
    """Where positions are kept, and of which generation the network is now."""

    path: Path
    generation: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a measure may need beside the network: its parameters, what nodes are like, and whom to tell how far it is.

    `attributes` are by name, then by node; a node may have several values of one. `others` are further networks, where
    the measure compares.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    progress: Callable[[float, str], None] = lambda part, what: None
    others: tuple[Network, ...] = ()
    kept: Kept | None = None

    def groups(self, network: Network, attribute: str) -> tuple[list[str], Integers]:
        """The groups that an attribute makes, and each node's, -1 for who has none; several values are one group."""
        of = self.attributes.get(attribute, {})
        told = [" + ".join(sorted(of.get(node, ()))) for node in network.nodes]
        names = sorted(set(told) - {""})
        number = {name: index for index, name in enumerate(names)}
        return names, np.array([number.get(name, -1) for name in told], np.int64)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a measure: numbers for each node, for the whole network, or rows of something else.

    A result that `is_exact` has the error of floating point alone; of another, `error` says in words how far off it
    may be.
    """

    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] | None = None
    engine: str = "numpy"
    is_exact: bool = True
    error: str | None = None
