"""One process of several in front of one store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Part:
    """Its number, how many there are, and the folder of their sockets, which only their user may enter."""

    number: int
    count: int
    folder: Path

    def http(self, number: int) -> Path:
        """Where a process takes requests of the others."""
        return self.folder / f"{number}.http"

    def notes(self, number: int) -> Path:
        """Where a process is told what clients have used at the others."""
        return self.folder / f"{number}.notes"
