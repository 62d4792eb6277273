"""Signed tokens (JWT) of an OpenID provider: whose signature, issuer, audience and time are right has the rights that
a claim names.

Only the algorithms of the settings are taken, and only keys that are made for them: never `none`, never a shared
secret, never a key or an address that the token itself brings. Keys come from a file, or from a URL by the one way out
(`store.egress`); a key that is not known yet is looked for, but not more often than once in a while.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt

from kg_service.access.holder import CONTRIBUTE, SCOPES, Holder
from kg_service.errors import KgError, Unauthorised
from kg_service.rdf import graph
from kg_service.settings import Settings
from kg_service.store.egress import Budget, Destination, Egress

#: What begins the words of the claim that are meant for us.
_OURS = "kg:"
#: Seconds after which keys are looked at again; between two looks for a key that is not known; for one look; for which
#: keys count although the provider cannot be reached.
_FRESH, _PAUSE, _WAIT, _OLDEST = 3600.0, 30.0, 10.0, 86_400.0
#: Bytes of the keys; characters of an author.
_MOST, _LONGEST_AUTHOR = 2**20, 200
_WRONG = (jwt.PyJWTError, ValueError, TypeError, KeyError, RecursionError)


class Provider:
    """An issuer of tokens, with its keys."""

    def __init__(self, settings: Settings) -> None:
        self._issuer, self._audience = settings.oidc_issuer, settings.oidc_audience
        self._algorithms, self._leeway = list(settings.oidc_algorithms), settings.oidc_leeway
        self._claim, self._author = settings.oidc_claim, settings.oidc_author
        assert settings.oidc_jwks
        is_url = settings.oidc_jwks.removeprefix("private+").startswith(("http://", "https://"))
        self._keys: _File | _Fetched = _Fetched(settings.oidc_jwks) if is_url else _File(Path(settings.oidc_jwks))

    async def prepare(self, token: str) -> None:
        """Fetches keys when this token is signed by one that is not at hand."""
        try:
            wanted = jwt.get_unverified_header(token).get("kid")
        except _WRONG:
            return
        await self._keys.prepare(wanted if isinstance(wanted, str) else None)

    def holder(self, token: str) -> Holder:
        """Who holds a token; Unauthorised when anything about it is wrong."""
        try:
            claims = self._claims(token)
        except jwt.ExpiredSignatureError:
            raise _refused("it is expired") from None
        except jwt.InvalidAudienceError:
            raise _refused("it is for another audience") from None
        except jwt.InvalidIssuerError:
            raise _refused("it is of another issuer") from None
        except _WRONG:
            raise _refused("it is not signed as it must be, or lacks a claim") from None
        scopes, graphs = rights(_at(claims, self._claim))
        author = claims.get(self._author)
        if not isinstance(author, str) or not author.strip():
            raise _refused(f"it has no claim “{self._author}” that says whose it is")
        author = "".join(c if c.isprintable() else " " for c in author.strip())[:_LONGEST_AUTHOR]
        who = hashlib.sha256(f"{claims['iss']} {claims['sub']}".encode("utf-8", "replace")).hexdigest()[:16]
        return Holder(f"oidc:{who}", author, scopes, graphs, expires=float(claims["exp"]))

    def _claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if algorithm not in self._algorithms or "crit" in header:
            raise jwt.InvalidAlgorithmError
        key = self._keys.key(header.get("kid"), algorithm)
        claims: dict[str, Any] = jwt.decode(
            token,
            key.key,
            algorithms=[algorithm],
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"require": ["exp", "iss", "aud", "sub"]},
        )
        return claims

    def close(self) -> None:
        self._keys.close()


def rights(said: object) -> tuple[frozenset[str], frozenset[str] | None]:
    """The scopes and graphs that a claim grants: words with spaces between them, or a list of words.

    `kg:validate`, `kg:contribute`, `kg:operate`; `kg:contribute:<graph>` is for one graph, by short name or IRI. All
    other words are for others.
    """
    words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    scopes, graphs, is_everywhere = set[str](), set[str](), False
    for word in words:
        if not isinstance(word, str) or not word.startswith(_OURS):
            continue
        scope, _, name = word.removeprefix(_OURS).partition(":")
        if scope == CONTRIBUTE and name:
            graphs.add(name if ":" in name else graph(name).value)
            scopes.add(scope)
        elif scope in SCOPES and not name:
            scopes.add(scope)
            is_everywhere |= SCOPES.index(scope) >= SCOPES.index(CONTRIBUTE)
    return frozenset(scopes), None if is_everywhere or CONTRIBUTE not in scopes else frozenset(graphs)


def _at(claims: Mapping[str, Any], path: str) -> object:
    """A claim by its name, else by a path of names with dots between them."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _refused(why: str) -> Unauthorised:
    return Unauthorised(f"the token of the OpenID provider does not count: {why}", error=Unauthorised.INVALID)


class _Known:
    """Keys by id, parsed from a JWK set (RFC 7517); what cannot verify a signature is left out."""

    def __init__(self) -> None:
        self._known: list[dict[str, Any]] = []

    def take(self, text: bytes) -> None:
        keys = json.loads(text)["keys"]
        self._known = [
            each
            for each in keys
            if isinstance(each, dict) and each.get("kty") in ("RSA", "EC", "OKP") and each.get("use", "sig") == "sig"
        ]

    def has(self, kid: str | None) -> bool:
        return any(kid is None or each.get("kid") == kid for each in self._known)

    def key(self, kid: object, algorithm: str) -> jwt.PyJWK:
        """The one key of that id that is for the algorithm; without an id, if there is one key only."""
        fitting = [each for each in self._known if (kid is None and len(self._known) == 1) or each.get("kid") == kid]
        for each in fitting:
            if each.get("alg", algorithm) == algorithm:
                return jwt.PyJWK(each, algorithm=algorithm)
        raise jwt.InvalidKeyError


class _File(_Known):
    """Keys in a file, read again when it has changed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._signature = path, (0, 0)

    async def prepare(self, kid: str | None) -> None:
        """There is nothing to wait for."""

    def key(self, kid: object, algorithm: str) -> jwt.PyJWK:
        try:
            about = self._path.stat()
            if (signature := (about.st_mtime_ns, about.st_size)) != self._signature:
                self.take(self._path.read_bytes())
                self._signature = signature
        except OSError:
            self._known, self._signature = [], (0, 0)  # it may come back as it was
        return super().key(kid, algorithm)

    def close(self) -> None:
        pass


class _Fetched(_Known):
    """Keys at a URL; one request at a time looks for them."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._from, self._egress = Destination.listed(url), Egress()
        self._turn = asyncio.Lock()
        self._since = self._tried = float("-inf")

    async def prepare(self, kid: str | None) -> None:
        """Fetches the keys where they are old, or this one is not among them. Where that fails, those known remain."""
        if self._is_enough(kid):
            return
        async with self._turn:
            if self._is_enough(kid):
                return
            self._tried = time.monotonic()
            try:
                async with asyncio.timeout(_WAIT):
                    got = await self._egress.get(self._from, accept="application/json", budget=Budget(_MOST))
                if got.status == 200:
                    self.take(got.body)
                    self._since = self._tried
            except (KgError, TimeoutError, *_WRONG):
                pass

    def _is_enough(self, kid: str | None) -> bool:
        now = time.monotonic()
        return (now - self._since < _FRESH and self.has(kid)) or now - self._tried < _PAUSE

    def key(self, kid: object, algorithm: str) -> jwt.PyJWK:
        if time.monotonic() - self._since > _OLDEST:
            raise jwt.InvalidKeyError
        return super().key(kid, algorithm)

    def close(self) -> None:
        self._egress.close()
