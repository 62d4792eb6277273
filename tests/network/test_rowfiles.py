"""What networks are made of: files of rows, and earlier generations, without a service around them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pyoxigraph import Literal, NamedNode, Quad

from kg_service.changes import commit
from kg_service.errors import Malformed
from kg_service.network.earlier import Earlier
from kg_service.network.rowfiles import RowFiles
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, Query
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.readers import Limits, Readers


def quad(number: int, subject: str) -> Quad:
    return Quad(NamedNode(subject), NamedNode("urn:p"), Literal(number), NamedNode("urn:g"))


def test_who_waits_for_one_gets_it_however_many_are_asked_for(tmp_path: Path) -> None:
    settings = Settings(store=tmp_path)
    with EmbeddedStore(tmp_path) as store:
        for number in range(1, 7):
            commit(store, Delta(frozenset({quad(number, "urn:s")})), Gate(Shapes((), ())))

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


def test_a_file_that_was_given_out_stays_while_it_may_be_wanted(tmp_path: Path) -> None:
    """A job waits for several files; what is published meanwhile must not take the first ones away."""

    async def work() -> None:
        readers = Readers(tmp_path / "store", Limits(readers=1, memory=2**29))
        await readers.start()
        with EmbeddedStore(tmp_path / "store") as store:
            for seconds, is_there in ((60.0, True), (0.0, False)):
                files = RowFiles(tmp_path, readers, 1000, Earlier(Settings(store=tmp_path / "store")), seconds)
                store.apply(Delta(frozenset({quad(1, f"urn:first-{seconds}")})))
                first, generation = await files.file(Query("SELECT ?s { ?s ?p ?o }", table="csv"))
                with pytest.raises(Malformed):
                    await files.file(Query("SELECT nothing", table="csv"))
                store.apply(Delta(frozenset({quad(2, f"urn:second-{seconds}")})))
                second, later = await files.file(Query("SELECT ?p { ?s ?p ?o }", table="csv"))
                assert (later, second.exists(), first.exists()) == (generation + 1, True, is_there)
                assert len(files._files) == 1 + is_there, "what failed is not remembered for ever"
                assert len(list(tmp_path.glob("scratch-rows-*/*"))) == 1 + is_there
                await files.close()
        await readers.close()

    asyncio.run(work())
