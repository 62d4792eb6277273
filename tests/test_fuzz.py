"""What nobody should send, for a short while; `benchmarks/fuzz.py --minutes 60` goes on."""

from __future__ import annotations

import random

import pytest

from benchmarks import fuzz, hostile
from benchmarks.functions import PURE
from benchmarks.hostile import DOORS


def test_what_nobody_should_send_is_refused_in_time_and_breaks_nothing() -> None:
    found, faults = fuzz.run(list(DOORS), [], seconds=600, seed=7, most=16, keep=None)
    assert [fault for each in found for fault in each.faults] + faults == []
    assert {each.cases for each in found} == {16}
    # Not all of it is nonsense: some is asked, judged and made.
    answered = {each.name for each in found if {"200", "201", "204"} & set(each.statuses)}
    assert {"sparql", "validate", "reading"} <= answered
    assert {"update", "store", "changes"} & answered


@pytest.mark.parametrize("name", PURE)
def test_whatever_a_function_is_given_it_says_no_as_we_do(name: str) -> None:
    found = fuzz.in_process(name, 7, float("inf"), 120)
    assert found.faults == []
    assert found.cases == 120


def test_the_same_seed_makes_the_same_requests() -> None:
    for door in DOORS.values():
        assert door(random.Random("7 1")).bytes() == door(random.Random("7 1")).bytes()
    assert len({hostile.DOORS["sparql"](random.Random(f"7 {n}")).bytes() for n in range(50)}) > 40


def test_what_is_wrong_is_seen() -> None:
    sent = hostile.Sent("GET", "/sparql")
    problem = b'{"type":"https://x/busy","title":"Busy","status":503,"detail":"wait"}'
    assert fuzz.wrong(sent, 503, "application/problem+json", problem) == ""
    assert fuzz.wrong(sent, 503, "application/problem+json", problem.replace(b"busy", b"store-error"))
    assert fuzz.wrong(sent, 500, "application/problem+json", problem)
    assert fuzz.wrong(sent, 400, "application/problem+json", problem)
    assert fuzz.wrong(sent, 400, "text/csv", b"") == "" != fuzz.wrong(sent, 400, "application/octet-stream", b"")
    assert fuzz.wrong(sent, 0, "", b"")

    def fails(_: bytes) -> None:
        raise ZeroDivisionError

    known = PURE["guard"]
    try:
        PURE["guard"] = (fails, lambda: [b"x"])
        assert len(fuzz.in_process("guard", 1, float("inf"), 3).faults) == 3
    finally:
        PURE["guard"] = known
