"""The tokens that `kg token` makes: each has a name, rights and an end; only hashes of the secrets are kept.

A token is `kg_<id>_<secret>`. The id finds the entry, so that nothing secret is looked up; the secret has 256 random
bits, so that a plain hash keeps it. The file is read again when it has changed: what is revoked counts no more at once.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kg_service.access.holder import OPERATE, SCOPES, Holder
from kg_service.errors import AlreadyThere, NotFound, StoreDamaged, StoreUnwritable, Unauthorised, wrong_parameter

_FILE, _LOCK = "tokens.json", "tokens.lock"
_TOKEN = re.compile(r"kg_([0-9a-f]{8})_([\w-]{43})", re.ASCII)
#: Characters of the longest name.
LONGEST_NAME = 100


def hash_of(secret: bytes) -> str:
    """What is kept, and compared, of a secret."""
    return hashlib.sha256(secret).hexdigest()


@dataclass(frozen=True, slots=True)
class Token:
    """One entry of the file; times are seconds since 1970. `before` is the hash of the secret before the last
    rotation, which counts until `before_until`."""

    id: str
    name: str
    scopes: tuple[str, ...]
    hash: str
    created: float
    graphs: tuple[str, ...] | None = None
    expires: float | None = None
    revoked: float | None = None
    before: str | None = None
    before_until: float = 0.0

    def state(self, now: float) -> str:
        """“valid”, or why it does not count."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and now >= self.expires else "valid"

    def has(self, secret: str, now: float) -> bool:
        """Whether that is the secret; always as much work."""
        given = hash_of(secret.encode())
        is_this = hmac.compare_digest(given, self.hash)
        is_earlier = hmac.compare_digest(given, self.before or "0" * 64) and now < self.before_until
        return is_this or is_earlier

    def holder(self) -> Holder:
        graphs = None if self.graphs is None or OPERATE in self.scopes else frozenset(self.graphs)
        proof = hash_of(self.hash.encode())[:24]
        return Holder(f"token:{self.id}", self.name, frozenset(self.scopes), graphs, proof, self.expires)


class Tokens:
    """The file of tokens in a folder; who changes it waits for others who do."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: tuple[Any, dict[str, Token]] = (None, {})

    def every(self) -> dict[str, Token]:
        """The tokens by their ids, revoked ones among them; as they are now."""
        try:
            about = (self._folder / _FILE).stat()
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise StoreUnwritable(f"{self._folder / _FILE} cannot be read: {error.strerror}") from None
        signature = (about.st_mtime_ns, about.st_size, about.st_ino)
        if self._read[0] != signature:
            self._read = signature, self._parsed()
        return self._read[1]

    def _parsed(self) -> dict[str, Token]:
        path = self._folder / _FILE
        try:
            entries = json.loads(path.read_bytes())["tokens"]
            return {each["id"]: _entry(each) for each in entries}
        except OSError as error:
            raise StoreUnwritable(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise StoreDamaged(f"{path} is not a file of tokens; restore it from a backup, or delete it") from None

    def holder(self, token: str) -> Holder | None:
        """Who holds a token of ours; None for what is none, Unauthorised when it counts no more."""
        parts = _TOKEN.fullmatch(token)
        found = self.every().get(parts[1]) if parts else None
        now = time.time()
        if parts is None or found is None or not found.has(parts[2], now):
            return None
        if (state := found.state(now)) != "valid":
            raise Unauthorised(
                f"the token is {state}; whoever runs the service can make one", error=Unauthorised.INVALID
            )
        return found.holder()

    def again(self, key: str) -> Holder | None:
        """The holder of that key, if his token still counts."""
        found = self.every().get(key.removeprefix("token:"))
        return found.holder() if found and found.state(time.time()) == "valid" else None

    # changing the file

    def create(
        self, name: str, scopes: Iterable[str], graphs: Iterable[str] | None, expires: float | None
    ) -> tuple[Token, str]:
        """A new token, and the token itself as text: nobody can have that a second time."""
        name = " ".join(name.split())
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise wrong_parameter("name", name[:LONGEST_NAME], f"1 to {LONGEST_NAME} printable characters")
        for scope in (scopes := tuple(dict.fromkeys(scopes))):
            if scope not in SCOPES:
                raise wrong_parameter("scope", scope, f"one of: {', '.join(SCOPES)}")
        made, text = _secret(secrets.token_hex(4))

        def add(known: dict[str, Token]) -> Token:
            if any(each.name == name for each in known.values()):
                raise AlreadyThere(f"there is or was a token “{name}”: the log of changes knows it; take another name")
            about = tuple(sorted(set(graphs))) if graphs is not None else None
            return Token(made, name, scopes, _hash_in(text), round(time.time(), 3), about, expires)

        return self._changed(add), text

    def rotate(self, which: str, overlap: float = 0.0) -> tuple[Token, str]:
        """A new secret for a token; the old one counts for `overlap` more seconds."""

        text = ""

        def renew(known: dict[str, Token]) -> Token:
            nonlocal text
            found = _found(known, which)
            if found.revoked is not None:
                raise wrong_parameter("token", which, "one that is not revoked")
            _, text = _secret(found.id)
            return replace(found, hash=_hash_in(text), before=found.hash, before_until=time.time() + overlap)

        return self._changed(renew), text

    def revoke(self, which: str) -> Token:
        """Ends a token; its entry stays, because the log of changes names it."""
        return self._changed(lambda known: replace(_found(known, which), revoked=round(time.time(), 3), before=None))

    def _changed(self, change: Callable[[dict[str, Token]], Token]) -> Token:
        with self._locked():
            known = dict(self.every())
            token = change(known)
            known[token.id] = token
            self._write([asdict(each) for each in known.values()])
        return token

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with (self._folder / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise StoreUnwritable(f"{self._folder / _FILE} cannot be written: {error.strerror}") from None

    def _write(self, entries: list[dict[str, Any]]) -> None:
        """Readable for us alone; after a crash it is either the old file or the new one."""
        beside = self._folder / f"{_FILE}.new"
        with suppress(FileNotFoundError):
            beside.unlink()
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(json.dumps({"format": 1, "tokens": entries}, ensure_ascii=False, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileNotFoundError):  # never the same time as before, by which others see that it has changed
            after = (self._folder / _FILE).stat().st_mtime_ns + 1
            os.utime(beside, ns=(max(after, time.time_ns()),) * 2)
        beside.replace(self._folder / _FILE)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _entry(written: dict[str, Any]) -> Token:
    lists = {name: tuple(value) for name, value in written.items() if isinstance(value, list)}
    return Token(**(written | lists))


def _secret(id: str) -> tuple[str, str]:
    return id, f"kg_{id}_{secrets.token_urlsafe(32)}"


def _hash_in(text: str) -> str:
    parts = _TOKEN.fullmatch(text)
    assert parts
    return hash_of(parts[2].encode())


def _found(known: dict[str, Token], which: str) -> Token:
    found = known.get(which) or next((each for each in known.values() if each.name == which), None)
    if found is None:
        raise NotFound(f"there is no token “{which}”; `kg token list` shows those that there are")
    return found
