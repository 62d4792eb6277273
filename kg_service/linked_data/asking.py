"""Several questions to one state of the graph: what is put together of them belongs together."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, TypeVar

from kg_service.errors import Busy
from kg_service.rdf import BlankNode, Literal, NamedNode, Quad
from kg_service.store import Answer, Query, Reads

T = TypeVar("T")
#: One solution; unbound variables are not in it.
Row: TypeAlias = dict[str, Any]

_ATTEMPTS = 4


class _Moved(Exception):
    """A change was published between two questions."""


class Asking:
    """Asks questions for one client; all answers are of the generation of the first one."""

    def __init__(self, ask: Callable[[Query], Awaitable[Answer]], *, seconds: float, client: str = "") -> None:
        self._ask, self._seconds, self._client = ask, seconds, client
        #: The generation of the answers; 0 before the first.
        self.generation = 0
        self._has_begun = False

    async def rows(self, text: str) -> list[Row]:
        """The solutions of a SELECT query, with terms as values."""
        found = json.loads(await self._select(text))
        return [{name: term(value) for name, value in row.items()} for row in found["results"]["bindings"]]

    async def _select(self, text: str) -> bytes:
        return await self._answer(Query(text, seconds=self._seconds, client=self._client))

    async def ask(self, text: str) -> bool:
        """The answer to an ASK query."""
        found = json.loads(await self._answer(Query(text, seconds=self._seconds, client=self._client)))
        return bool(found["boolean"])

    async def graph(self, text: str, parse: Callable[[bytes], list[Quad]]) -> list[Quad]:
        """The triples of a CONSTRUCT query, which `parse` reads from N-Triples."""
        return parse(await self._answer(Query(text, graph="n-triples", seconds=self._seconds, client=self._client)))

    async def _answer(self, query: Query) -> bytes:
        answer = await self._ask(query)
        if self._has_begun and answer.generation != self.generation:
            await answer.leave()
            raise _Moved
        self.generation, self._has_begun = answer.generation, True
        return await answer.content()


class Unknown(Exception):
    """A question that was not asked when the answers were kept."""


class Remembered(Asking):
    """The rows that were answered before, by query; others are asked of `others`, and are among them then.

    Without others a query that is not there raises Unknown.
    """

    def __init__(self, answers: dict[str, str], others: Asking | None = None) -> None:
        self._answers, self._others = answers, others

    async def _select(self, text: str) -> bytes:
        known = self._answers.get(text)
        if known is not None:
            return known.encode()
        if self._others is None:
            raise Unknown
        answer = await self._others._select(text)
        self._answers[text] = answer.decode()
        return answer


async def of_one_generation(
    reads: Reads, make: Callable[[Asking], Awaitable[T]], *, seconds: float, client: str = ""
) -> tuple[int, T]:
    """What `make` puts together of answers of one generation, with its number.

    Where that generation cannot be kept, and a change is published meanwhile, it is made again; Busy when that happens
    again and again.
    """
    for _ in range(_ATTEMPTS):
        published = reads.generation
        with reads.still() as ask:
            asking = Asking(ask, seconds=seconds, client=client)
            try:
                made = await make(asking)
            except _Moved:
                continue
            return asking.generation or published, made  # where nothing had to be asked
    raise Busy("the graph changes faster than it can be read; try again", retry_after=1)


def term(value: dict[str, str]) -> Any:
    """A term of a SPARQL JSON result (section 3.2.2)."""
    match value["type"]:
        case "uri":
            return NamedNode(value["value"])
        case "bnode":
            return BlankNode(value["value"])
        case _ if "xml:lang" in value:
            return Literal(value["value"], language=value["xml:lang"])
        case _ if "datatype" in value:
            return Literal(value["value"], datatype=NamedNode(value["datatype"]))
        case _:
            return Literal(value["value"])
