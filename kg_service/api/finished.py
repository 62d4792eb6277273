"""Finished documents: how they are sent, and kept for who asks again."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response

from kg_service.store import Reads
from kg_service.store.cache import CachedReads

#: Roughly what a document takes in memory beside its bytes.
_BESIDE = 4000


#: Bytes below which packing saves nothing worth the work.
_WORTH_PACKING = 1400


@dataclass(frozen=True)
class Document:
    """A body with its headers, ETag among them, and its media type; packed the harder, the more often it is sent."""

    body: bytes
    headers: dict[str, str]
    media_type: str
    level: int = 5

    @cached_property
    def packed(self) -> bytes:
        """The body as gzip, the same bytes each time."""
        return gzip.compress(self.body, compresslevel=self.level, mtime=0)


class Finished:
    """Documents by what was asked for, state of the store included; the least recently used go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: OrderedDict[Hashable, Document] = OrderedDict()

    @property
    def size(self) -> tuple[int, int]:
        """The documents that are kept, and their bytes."""
        return len(self._kept), self._bytes

    def get(self, key: Hashable) -> Document | None:
        found = self._kept.get(key)
        if found:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, document: Document) -> None:
        size = _size(document)
        if key in self._kept or size > self._max_bytes // 8:
            return
        self._kept[key] = document
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)


def _size(document: Document) -> int:
    """Bytes that a document may take in memory, packed as well."""
    return len(document.body) * 3 // 2 + _BESIDE


def state_of(reads: Reads) -> str | None:
    """What changes with every publication; None on another engine, whose changes are not seen at once."""
    return reads.state if isinstance(reads, CachedReads) else None


def sent(request: Request, document: Document) -> Response:
    """The document, packed for those who can unpack it, or 304 when If-None-Match names what would be sent.

    What is packed has an ETag of its own (RFC 9110, section 8.8.3.3); comparison is weak (section 13.1.2).
    """
    headers, body = dict(document.headers), document.body
    if len(body) >= _WORTH_PACKING:
        headers["Vary"] = ", ".join(filter(None, (headers.get("Vary"), "Accept-Encoding")))
        if _unpacks(request):
            body = document.packed
            headers["Content-Encoding"] = "gzip"
            headers["ETag"] = f'{headers["ETag"][:-1]}-gzip"'
    named = request.headers.get("if-none-match", "")
    known = {each.strip().removeprefix("W/") for each in named.split(",")}
    if named and {headers["ETag"], "*"} & known:
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=document.media_type)


def _unpacks(request: Request) -> bool:
    """Whether the client takes gzip (RFC 9110, section 12.5.3)."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        coding, _, quality = part.partition(";")
        if coding.strip() in ("gzip", "x-gzip"):
            return quality.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False
