"""What became of the changes since the service started, and what they took: plain numbers for who watches over it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kg_service.errors import Violations

if TYPE_CHECKING:
    from kg_service.changes.commit import Committed


@dataclass(slots=True)
class Spent:
    """How often something was done, and the seconds that it took in all."""

    times: int = 0
    seconds: float = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Counts what is done meanwhile, also where it fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.times += 1
            self.seconds += time.monotonic() - began


@dataclass(slots=True)
class Tally:
    """Changes by what became of them, those made anew because others came first, and the seconds of judging and of
    committing, judging included; changes that share a generation are one commit.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    gate: Spent = field(default_factory=Spent)
    commits: Spent = field(default_factory=Spent)

    def count(self, outcome: Committed | BaseException) -> None:
        """`unchanged` is what was judged only, or there already; `failed` what went wrong otherwise."""
        if isinstance(outcome, Violations):
            self.outcomes["refused"] += 1
        elif isinstance(outcome, BaseException):
            self.outcomes["failed"] += 1
        else:
            self.outcomes["accepted" if outcome.change else "unchanged"] += 1
