"""Works of one request at once: in order, few at a time, and none of them left when one fails or nobody waits."""

from __future__ import annotations

import ast
import asyncio
from collections import Counter

import pytest

from kg_service.beside import at_once
from kg_service.errors import NotFound
from tests.conftest import ROOT


class Works:
    """Works that end when they are told to, and what became of each."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.most = 0

    async def one(self, number: int, *, fails: bool = False, lasts: bool = False) -> int:
        self.told["begun"] += 1
        self.most = max(self.most, self.told["begun"] - self.told["ended"])
        try:
            await asyncio.sleep(3600 if lasts else 0)
            if fails:
                raise NotFound(f"work {number}")
            return number
        finally:
            self.told["ended"] += 1


def test_works_are_told_in_their_order_and_few_go_on_at_a_time() -> None:
    works = Works()
    assert asyncio.run(_of(works, 20)) == tuple(range(20))
    assert works.most == 3
    assert asyncio.run(_of(works, 0)) == ()


async def _of(works: Works, number: int) -> tuple[int, ...]:
    return await at_once(*(works.one(n) for n in range(number)), most=3)


def test_an_error_ends_the_others_before_it_is_raised() -> None:
    works = Works()

    async def ask() -> None:
        with pytest.raises(NotFound, match="work 1"):
            await at_once(works.one(0, lasts=True), works.one(1, fails=True), *map(works.one, range(2, 9)), most=2)
        assert works.told["begun"] == works.told["ended"], "none goes on"
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(ask())


def test_who_leaves_ends_all() -> None:
    works = Works()

    async def ask() -> None:
        waiting = asyncio.create_task(at_once(*(works.one(n, lasts=True) for n in range(4)), most=2))
        while works.told["begun"] < 2:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert works.told == {"begun": 2, "ended": 2}

    asyncio.run(ask())


def test_what_goes_on_at_once_ends_at_once() -> None:
    """`asyncio.gather` lets the others go on after an error; it is for ending things."""
    found = []
    for path in sorted((ROOT / "kg_service").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.AsyncFunctionDef) and function.name != "close":
                found += [
                    f"{path.name}: {function.name}"
                    for each in ast.walk(function)
                    if isinstance(each, ast.Call)
                    and ast.unparse(each.func) == "asyncio.gather"
                    and not any(keyword.arg == "return_exceptions" for keyword in each.keywords)
                ]
    assert not found
