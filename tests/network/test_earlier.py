"""Earlier generations without a service around them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.changes import commit
from kg_service.network.earlier import Earlier
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, Query
from kg_service.store.embedded import EmbeddedStore


def test_who_waits_for_one_gets_it_however_many_are_asked_for(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path)
    with EmbeddedStore(tmp_path) as store:
        for number in range(1, 7):
            quad = Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal(number), NamedNode("urn:g"))
            commit(store, Delta(frozenset({quad})), Gate(Shapes((), ())))

    async def work() -> None:
        earlier = Earlier(settings)

        async def count(generation: int) -> int:
            reads = await earlier.reads(generation)
            answer = await reads.answer(Query("SELECT ?o { ?s ?p ?o }", table="csv"))
            return (await answer.content()).count(b"\n") - 1

        assert await asyncio.gather(*map(count, range(1, 6))) == [1, 2, 3, 4, 5]
        assert await count(1) == 1
        assert len(list(tmp_path.glob("scratch-*"))) <= 4
        await earlier.close()
        assert not list(tmp_path.glob("scratch-*"))

    asyncio.run(work())
