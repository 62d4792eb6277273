"""Who may do what: reading needs nothing, whoever shows a token has its rights.

There are three kinds of tokens: `KG_TOKEN`, the one of a small install, which may do everything; those that
`kg token create` makes, kept beside the store as hashes; and signed ones (JWT) of an OpenID provider that the settings
name. A right covers those before it: who operates may contribute, who contributes may have changes judged.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from kg_service.access.holder import CONTRIBUTE, OPERATE, SCOPES, VALIDATE, Holder
from kg_service.access.tokens import Tokens, hash_of
from kg_service.errors import TooMany, Unauthorised
from kg_service.settings import Settings

if TYPE_CHECKING:
    from kg_service.access.oidc import Provider

__all__ = ["CONTRIBUTE", "OPERATE", "SCOPES", "VALIDATE", "Access", "Holder"]

#: Bytes of the longest token; those of OpenID providers are the long ones.
LONGEST = 16_384
#: Wrong words for KG_TOKEN that one client may send within so many seconds; clients that are remembered.
_TRIES, _WINDOW, _REMEMBERED = 10, 60.0, 10_000
_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]*")


class Access:
    """The tokens that a service knows."""

    def __init__(self, settings: Settings) -> None:
        own = settings.token.get_secret_value().encode() if settings.token else None
        self._own = hash_of(own) if own else None
        self.tokens = Tokens(settings.own_folder)
        self._provider = _provider(settings)
        self._wrong: OrderedDict[str, list[float]] = OrderedDict()
        self._tries = max(1, _TRIES // settings.processes)  # a guesser may try each of them

    @property
    def is_on(self) -> bool:
        """Whether there is any token, so that somebody may do more than read."""
        return self._own is not None or self._provider is not None or bool(self.tokens.every())

    async def prepare(self, token: str) -> None:
        """Fetches the provider's keys when this token needs them, so that `holder` need not wait."""
        if self._provider and _JWT.fullmatch(token) and len(token) <= LONGEST:
            await self._provider.prepare(token)

    def holder(self, token: str, client: str) -> Holder:
        """Who holds a token that `client` sent; Unauthorised says why it does not count, TooMany ends guessing.

        What is compared are hashes, in constant time; what can be guessed at all is KG_TOKEN alone.
        """
        if len(token) > LONGEST:
            raise _unknown()
        if named := self.tokens.holder(token):
            return named
        if self._provider and _JWT.fullmatch(token):
            return self._provider.holder(token)
        if self._own is None:
            raise _unknown()
        now = time.monotonic()
        wrong = [at for at in self._wrong.get(client, ()) if at > now - _WINDOW]
        if len(wrong) >= self._tries:
            raise TooMany("too many wrong tokens; wait a minute", retry_after=int(_WINDOW))
        if hmac.compare_digest(hash_of(token.encode("utf-8", "surrogatepass")), self._own):
            return self._operator()
        self._wrong[client] = [*wrong, now]
        if len(self._wrong) > _REMEMBERED:
            self._wrong.popitem(last=False)
        raise _unknown()

    def again(self, key: str, proof: str) -> Holder | None:
        """Who was let in before with that proof, if the token still counts; a provider's tokens are shown each time."""
        found = self._operator() if key == Holder.OPERATOR and self._own else self.tokens.again(key)
        return found if found and hmac.compare_digest(found.proof.encode(), proof.encode()) else None

    def secret(self, purpose: bytes) -> bytes | None:
        """A key that only who knows KG_TOKEN can compute; None without one."""
        return hmac.new(self._own.encode(), purpose, hashlib.sha256).digest() if self._own else None

    def _operator(self) -> Holder:
        assert self._own
        return Holder(Holder.OPERATOR, None, frozenset({OPERATE}), proof=hash_of(self._own.encode())[:24])

    def close(self) -> None:
        if self._provider:
            self._provider.close()


def _provider(settings: Settings) -> Provider | None:
    """The OpenID provider of the settings; what verifies signatures is loaded only where there is one."""
    if not settings.oidc_issuer:
        return None
    from kg_service.access.oidc import Provider

    return Provider(settings)


def _unknown() -> Unauthorised:
    return Unauthorised(
        "the token is not known; send one that is as “Authorization: Bearer …”", error=Unauthorised.INVALID
    )
