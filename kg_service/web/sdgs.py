"""What the page of the Sustainable Development Goals shows: the matrix in numbers and shades, and what is in a cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kg_service.rdf import ONTOLOGY
from kg_service.sdg import CERTAINTIES, KINDS
from kg_service.web.names import Names, Shown

#: Shades of a cell, the emptiest first.
SHADES = 5


@dataclass(frozen=True, slots=True)
class Cell:
    """How many things of a kind serve an aim, of them by our inference alone, the shade, and where they are listed."""

    kind: str
    n: int
    inferred: int
    shade: int
    address: str

    @property
    def said(self) -> int:
        """Those of which a document says it."""
        return self.n - self.inferred


@dataclass(frozen=True, slots=True)
class Row:
    """A goal or target with its cells; `address` leads to its targets."""

    code: str
    name: Shown
    cells: tuple[Cell, ...]
    address: str


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a thing is counted: which aim it serves, by what, how certainly, and why."""

    served: str
    aim: Shown
    by: Shown | None
    certainty: Shown | None
    claim: str | None
    rationale: Shown | None


@dataclass(frozen=True, slots=True)
class Served:
    """A thing in a cell, with its reasons."""

    name: Shown
    reasons: tuple[Reason, ...]


class Matrix:
    """The matrix of an answer of `kg_service.sdg.coverage`; `aim` is the goal or target looked at, if any."""

    def __init__(self, told: Mapping[str, Any], names: Names, *, aim: str | None, kind: str | None) -> None:
        self._names, self.aim, self.kind = names, aim, kind
        goals: Sequence[Mapping[str, Any]] = told["data"]
        #: The goal whose targets are shown.
        self.goal = aim.partition(".")[0] if aim else None
        most = max((count["all"] for goal in goals for count in goal["counts"].values()), default=0)
        self.goals = tuple(self._row(goal, most) for goal in goals)
        targets = next((goal["targets"] for goal in goals if goal["code"] == self.goal), ())
        self.targets = tuple(self._row(target, most) for target in targets)
        self.kinds = tuple(KINDS.values())
        self.gaps: Mapping[str, Any] = told["gaps"]
        self.row = next((row for row in (*self.goals, *self.targets) if row.code == aim), None)
        self.goal_row = next((row for row in self.goals if row.code == self.goal), None)

    def at(self, aim: str | None = None, kind: str | None = None) -> str:
        """The address of the page for an aim and a kind."""
        asked = {"aim": aim, "kind": kind, "lang": self._names.catalogue.language}
        query = urlencode({name: value for name, value in asked.items() if value})
        return f"{self._names.addresses.root}/sdg?{query}{'#served' if kind else '#targets' if aim else ''}"

    def _row(self, told: Mapping[str, Any], most: int) -> Row:
        cells = []
        for kind in KINDS.values():
            count = told["counts"].get(kind, {})
            n = count.get("all", 0)
            # By the root, because few aims are served by most: a linear shade would show those alone.
            shade = min(SHADES, 1 + int(SHADES * (n / most) ** 0.5)) if n else 0
            cells.append(Cell(kind, n, count.get("inferred", 0), shade, self.at(told["code"], kind)))
        return Row(told["code"], self._names.of(told["iri"]), tuple(cells), self.at(told["code"]))

    def listed(self, rows: Iterable[Mapping[str, Any]]) -> list[Served]:
        """What is in the chosen cell, of the rows of `sdgs/served-by`, the firmest first."""
        found: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            found.setdefault(row["thing"].value, []).append(row)
        ranked = sorted(found.items(), key=lambda each: (min(map(_rank, each[1])), self._names.of(each[0]).text))
        return [Served(self._names.of(iri), tuple(self._reason(iri, row) for row in each)) for iri, each in ranked]

    def _reason(self, thing: str, row: Mapping[str, Any]) -> Reason:
        served = row["served"].value
        return Reason(
            served.rpartition("/")[2],
            self._names.of(served),
            self._names.shown(row["by"]) if row["by"].value != thing else None,
            self._names.shown(row["certainty"]) if "certainty" in row else None,
            self._names.addresses.page(row["claim"].value) if "claim" in row else None,
            self._names.shown(row["rationale"]) if "rationale" in row else None,
        )


def _rank(row: Mapping[str, Any]) -> int:
    certainty = row["certainty"].value.rpartition("/")[2] if "certainty" in row else ""
    return CERTAINTIES.index(certainty) if certainty in CERTAINTIES else len(CERTAINTIES)


def class_of(kind: str) -> str:
    """The class that a kind counts."""
    return next(ONTOLOGY + name for name, each in KINDS.items() if each == kind)
