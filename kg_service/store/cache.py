"""Finished answers kept for who asks the same of the same generation again; bounded by bytes."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from hashlib import blake2b

from kg_service.store import Answer, Query, Reads

#: Functions whose value differs from one evaluation to the next (SPARQL 1.1, section 17.4).
_VARYING = re.compile(r"\b(RAND|NOW|UUID|STRUUID|BNODE)\b", re.IGNORECASE)


@dataclass(slots=True)
class Counters:
    """How often an answer was there already, and how often not."""

    hits: int = 0
    misses: int = 0


class CachedReads:
    """Reads through a cache of whole answers; least recently used ones go first when `max_bytes` is reached.

    Answers carry a strong ETag: their generation and a digest of their bytes.
    """

    def __init__(self, reads: Reads, max_bytes: int) -> None:
        self._reads, self._max_bytes, self._bytes = reads, max_bytes, 0
        self._kept: OrderedDict[tuple[int, Query], Answer] = OrderedDict()
        self.counters = Counters()

    @property
    def generation(self) -> int:
        return self._reads.generation

    async def start(self) -> None:
        await self._reads.start()

    async def drain(self, seconds: float) -> None:
        await self._reads.drain(seconds)

    async def close(self) -> None:
        await self._reads.close()

    async def answer(self, query: Query) -> Answer:
        if not query.is_lasting:
            return await self._reads.answer(query)
        question = replace(query, seconds=0.0)
        kept = self._kept.get((self.generation, question))
        if kept is not None:
            self.counters.hits += 1
            self._kept.move_to_end((kept.generation, question))
            return kept
        self.counters.misses += 1
        answer = await self._reads.answer(query)
        if answer.whole is None:
            return answer
        digest = blake2b(answer.whole, digest_size=12).hexdigest()
        tagged = replace(answer, etag=f'"{answer.generation}-{digest}"')
        if not _VARYING.search(query.text):
            self._keep((answer.generation, question), tagged, len(answer.whole))
        return tagged

    def _keep(self, key: tuple[int, Query], answer: Answer, size: int) -> None:
        if key in self._kept or size > self._max_bytes // 8:
            return
        self._kept[key] = answer
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped.whole or b"")
