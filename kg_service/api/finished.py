"""Finished documents: how they are sent, and kept for who asks again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from kg_service.store import Reads
from kg_service.store.cache import CachedReads

#: Roughly what a document takes in memory beside its bytes.
_BESIDE = 4000


@dataclass(frozen=True, slots=True)
class Document:
    """A body with its headers, ETag among them, and its media type."""

    body: bytes
    headers: dict[str, str]
    media_type: str


class Finished:
    """Documents by what was asked for, state of the store included; the least recently used go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes, self._bytes = max_bytes, 0
        self._kept: OrderedDict[Hashable, Document] = OrderedDict()

    def get(self, key: Hashable) -> Document | None:
        found = self._kept.get(key)
        if found:
            self._kept.move_to_end(key)
        return found

    def keep(self, key: Hashable, document: Document) -> None:
        size = len(document.body) + _BESIDE
        if key in self._kept or size > self._max_bytes // 8:
            return
        self._kept[key] = document
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped.body) + _BESIDE


def state_of(reads: Reads) -> str | None:
    """What changes with every publication; None on another engine, whose changes are not seen at once."""
    return reads.state if isinstance(reads, CachedReads) else None


def sent(request: Request, document: Document) -> Response:
    """The document, or 304 when If-None-Match names it (RFC 9110, section 13.1.2; comparison is weak)."""
    named = request.headers.get("if-none-match", "")
    known = {each.strip().removeprefix("W/") for each in named.split(",")}
    if named and {document.headers.get("ETag"), "*"} & known:
        return Response(status_code=304, headers=document.headers)
    return Response(document.body, headers=document.headers, media_type=document.media_type)
