"""Where the pages around one page of many are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kg_service.web.names import Shown


@dataclass(frozen=True, slots=True)
class Paging:
    """One page of many, as `pager` in terms.html shows it; `steps` are the addresses of those around, by name."""

    name: Shown
    page: int
    pages: int
    steps: Mapping[str, str]


def paging(name: str, page: int, pages: int, at: Callable[[int], str]) -> Paging:
    """The pages around a page, each at the address that `at` tells."""
    steps = {"first": 1, "previous": page - 1, "next": page + 1, "last": pages}
    wanted = {"first", "previous"} if page > 1 else set()
    wanted |= {"next", "last"} if page < pages else set()
    return Paging(Shown(name), page, pages, {step: at(number) for step, number in steps.items() if step in wanted})
