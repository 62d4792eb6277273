from __future__ import annotations

from dataclasses import dataclass

from kg_service.store.fairness import Budgets, FairQueue


@dataclass(frozen=True)
class Asked:
    client: str
    number: int


def test_clients_come_in_turn_and_what_one_asks_in_its_order() -> None:
    queue: FairQueue[Asked] = FairQueue()
    for number in range(3):
        queue.put(Asked("crowd", number))
    queue.put(Asked("single", 0))
    queue.discard(Asked("crowd", 1))
    queue.discard(Asked("nobody", 1))
    assert (len(queue), queue.of("crowd"), queue.of("nobody")) == (3, 2, 0)
    assert [queue.get() for _ in range(3)] == [Asked("crowd", 0), Asked("single", 0), Asked("crowd", 2)]
    assert not queue


def test_a_budget_grows_back_when_it_was_said_to() -> None:
    budgets = Budgets(60)
    budgets.pay("a", 70, now=0)
    wait = budgets.wait("a", 0, now=0)
    assert 10 < wait < 10.1
    assert budgets.wait("a", 0, now=wait - 0.1) > 0
    assert budgets.wait("a", 0, now=wait) == 0
    assert budgets.wait("b", 0, now=0) == 0


def test_what_still_runs_counts_before_it_is_paid() -> None:
    budgets = Budgets(60)
    assert budgets.wait("a", 59, now=0) == 0
    assert 20 < budgets.wait("a", 80, now=0) < 20.1


def test_no_more_than_a_minute_is_saved_up() -> None:
    budgets = Budgets(60)
    budgets.pay("a", 1, now=0)
    budgets.pay("a", 61, now=1000)
    assert budgets.wait("a", 0, now=1000) > 1


def test_accounts_of_clients_that_came_once_are_dropped() -> None:
    budgets = Budgets(60)
    for number in range(30_000):
        budgets.pay(f"client {number}", 1, now=number)
    assert len(budgets._accounts) <= 10_001
