"""Finished answers kept for who asks the same of the same generation again; bounded by bytes."""

from __future__ import annotations

import contextlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

from kg_service.errors import KgError
from kg_service.store import Answer, Query, Running
from kg_service.store.readers import Readers

#: Functions whose value differs from one evaluation to the next (SPARQL 1.1, section 17.4).
_VARYING = re.compile(r"\b(rand|now|uuid|struuid|bnode)\b")
_SIGNS = ("rand", "now", "uuid", "bnode")  # a text without them is passed over at once
#: Blank nodes of a template get new names each time (section 16.2); the words may stand elsewhere too.
_TEMPLATE, _RENAMED = re.compile(r"\bconstruct\b"), re.compile(r"\[|_:|\(\s*[^?\s)]")


@dataclass(slots=True)
class Counters:
    """How often an answer was there already, and how often not; hits that were answers to the same request as before,
    word for word."""

    hits: int = 0
    misses: int = 0
    repeated: int = 0


class CachedReads:
    """Reads through a cache of whole answers; least recently used ones go first when `max_bytes` is reached.

    Answers carry a strong ETag: their generation and a digest of the state of the store and of the question. Where
    the same question may have another answer, the digest is that of the answer, and a streamed one has none.
    """

    def __init__(self, reads: Readers, max_bytes: int) -> None:
        self._reads, self._max_bytes, self._bytes = reads, max_bytes, 0
        self._kept: OrderedDict[tuple[str, Query], Answer] = OrderedDict()
        self.counters = Counters()

    @property
    def size(self) -> tuple[int, int]:
        """The answers that are kept, and their bytes."""
        return len(self._kept), self._bytes

    @property
    def readers(self) -> Readers:
        """Who answers what is not here."""
        return self._reads

    @property
    def generation(self) -> int:
        return self._reads.generation

    @property
    def state(self) -> str:
        """What changes with every publication."""
        return self._reads.state

    async def start(self) -> None:
        await self._reads.start()

    def running(self) -> list[Running]:
        return self._reads.running()

    def end(self, query_id: str, reason: KgError) -> bool:
        return self._reads.end(query_id, reason)

    async def drain(self, seconds: float) -> None:
        await self._reads.drain(seconds)

    async def close(self) -> None:
        await self._reads.close()

    def kept(self, query: Query) -> Answer | None:
        """The finished answer on the generation published now, if it is here."""
        return self._kept_at(self._reads.state, query)

    def _kept_at(self, state: str, query: Query) -> Answer | None:
        key = (state, query)
        answer = self._kept.get(key)
        if answer is not None:
            self.counters.hits += 1
            self._kept.move_to_end(key)
        return answer

    def etag(self, query: Query) -> str | None:
        """The ETag of the answer that the query would get now, where it can be known before."""
        return None if _varies(query.text) or _renames(query.text) else _tag_of(query, *self._reads.published)

    @contextlib.contextmanager
    def still(self) -> Iterator[Callable[[Query], Awaitable[Answer]]]:
        with self._reads.held() as (state, generation):
            yield lambda query: self._answer_of(query, state, generation)

    async def answer(self, query: Query) -> Answer:
        return await self._answer_of(query, *self._reads.published)

    async def _answer_of(self, query: Query, state: str, generation: int) -> Answer:
        if not query.is_lasting:
            return await self._reads.answer(query, generation)
        kept = self._kept_at(state, query)
        if kept is not None:
            return kept
        self.counters.misses += 1
        answer = await self._reads.answer(query, generation)
        is_varying, is_of_that_state = _varies(query.text), answer.generation == generation
        if is_of_that_state and not is_varying and not _renames(query.text):
            etag: str | None = _tag_of(query, state, generation)
        else:
            etag = None if answer.whole is None else _tag(answer.generation, "a", answer.whole)
        tagged = Answer(answer.generation, answer.format, answer.whole, etag, answer.parts)
        if answer.whole is not None and is_of_that_state and not is_varying:
            self._keep((state, query), tagged, len(answer.whole))
        return tagged

    def _keep(self, key: tuple[str, Query], answer: Answer, size: int) -> None:
        if key in self._kept or size > self._max_bytes // 8:
            return
        self._kept[key] = answer
        self._bytes += size + _size_of(key)
        while self._bytes > self._max_bytes:
            old, dropped = self._kept.popitem(last=False)
            self._bytes -= len(dropped.whole or b"") + _size_of(old)


def _varies(text: str) -> bool:
    """Whether the same query of the same data may have another answer the next time."""
    folded = text.casefold()
    return any(sign in folded for sign in _SIGNS) and _VARYING.search(folded) is not None


def _renames(text: str) -> bool:
    """Whether the answer may hold blank nodes that are new each time."""
    folded = text.casefold()
    template = _TEMPLATE.search(folded) if "construct" in folded else None
    return template is not None and _RENAMED.search(folded, template.end()) is not None


def _size_of(key: tuple[str, Query]) -> int:
    """Roughly what a question takes in memory beside its answer."""
    return 1000 + 2 * len(key[1].text)


def _tag_of(query: Query, state: str, generation: int) -> str:
    asked = (query.text, query.table, query.boolean, query.graph, query.default_graphs, query.named_graphs)
    return _tag(generation, "q", repr((state, query.base, *asked)).encode("utf-8", "surrogatepass"))


def _tag(generation: int, kind: str, of: bytes) -> str:
    return f'"{generation}-{kind}{blake2b(of, digest_size=12).hexdigest()}"'
