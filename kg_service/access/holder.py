"""Somebody who has shown a token, and what that allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from kg_service.errors import InsufficientScope

#: What a token may allow, each with those before it: having changes judged, making them, running the service.
VALIDATE, CONTRIBUTE, OPERATE = SCOPES = ("validate", "contribute", "operate")


@dataclass(frozen=True, slots=True)
class Holder:
    """Somebody with rights: `key` is whose budget counts, `author` the name in the log of changes.

    Who holds KG_TOKEN says himself who he is (None). `graphs` are the IRIs of the graphs that may be changed, None
    for all. `proof` is another one as soon as the secret is; nothing can be computed from it.
    """

    #: The key of who holds KG_TOKEN.
    OPERATOR: ClassVar[str] = "token"

    key: str
    author: str | None
    scopes: frozenset[str]
    graphs: frozenset[str] | None = None
    proof: str = ""
    expires: float | None = None

    def may(self, scope: str) -> bool:
        """Whether a right, or one that covers it, is among those held."""
        return any(SCOPES.index(held) >= SCOPES.index(scope) for held in self.scopes)

    def must(self, scope: str, what: str) -> None:
        """Raises InsufficientScope unless `what` is allowed."""
        if not self.may(scope):
            raise InsufficientScope(f"{what} needs a token with the scope “{scope}”", scope=scope)
