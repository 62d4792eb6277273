"""Who comes next, and who has had enough: turns and budgets by client."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class _Asker(Protocol):
    @property
    def client(self) -> str: ...


T = TypeVar("T", bound=_Asker)


class FairQueue(Generic[T]):
    """A queue that serves clients in turn, and what one client asks in its order."""

    def __init__(self) -> None:
        self._by_client: OrderedDict[str, deque[T]] = OrderedDict()
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def of(self, client: str) -> int:
        """How many of one client wait."""
        return len(self._by_client.get(client, ()))

    def put(self, item: T) -> None:
        self._by_client.setdefault(item.client, deque()).append(item)
        self._size += 1

    def get(self) -> T:
        """The next one; its client comes after all others then."""
        client, items = next(iter(self._by_client.items()))
        item = items.popleft()
        self._size -= 1
        if items:
            self._by_client.move_to_end(client)
        else:
            del self._by_client[client]
        return item

    def discard(self, item: T) -> None:
        """Takes one out, wherever it stands; nothing happens when it is not there."""
        items = self._by_client.get(item.client)
        if items and item in items:
            items.remove(item)
            self._size -= 1
            if not items:
                del self._by_client[item.client]


@dataclass(slots=True)
class _Account:
    left: float
    since: float


class Budgets:
    """Seconds that each client may use: `per_minute`, which grow back evenly, and can be saved up for one minute.

    A client may overdraw, because what a query costs is known afterwards; it has to wait until that has grown back.
    Of several processes each tells the others what was paid; `unshared` is what they do not know yet.
    """

    def __init__(self, per_minute: float) -> None:
        self.per_minute = per_minute
        self._accounts: dict[str, _Account] = {}
        self.unshared: dict[str, float] | None = None

    def wait(self, client: str, running: float, now: float) -> float:
        """Seconds until the client may ask again, 0 when it may now; `running` is what it uses and has not paid yet."""
        left = self._left(client, now) - running
        return 0.0 if left > 0 else -left * 60 / self.per_minute + 0.001

    def pay(self, client: str, seconds: float, now: float) -> None:
        if self.unshared is not None:
            self.unshared[client] = self.unshared.get(client, 0.0) + seconds
        self.charge(client, seconds, now)

    def charge(self, client: str, seconds: float, now: float) -> None:
        """The same for what was paid elsewhere, and is known there."""
        self._accounts[client] = _Account(self._left(client, now) - seconds, now)
        if len(self._accounts) > 10_000:
            full = [each for each in self._accounts if self._left(each, now) >= self.per_minute]
            for each in full:
                del self._accounts[each]

    def _left(self, client: str, now: float) -> float:
        account = self._accounts.get(client)
        if account is None:
            return self.per_minute
        return min(self.per_minute, account.left + (now - account.since) * self.per_minute / 60)
