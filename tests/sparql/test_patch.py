from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad

from kg_service.errors import Busy, KgError, Malformed, Refused, TooLarge
from kg_service.sparql.patch import Patch, parsed, written
from kg_service.sparql.sandbox import Sandbox
from kg_service.store import Delta

S, P, G = (NamedNode(f"http://e/{name}") for name in "spg")


def delta(*rows: str) -> Delta:
    return parsed("\n".join(rows).encode()).delta


def quad(value: str, graph: NamedNode | None = None) -> Quad:
    return Quad(S, P, Literal(value), graph or DefaultGraph())


def test_a_patch_is_its_header_and_its_change() -> None:
    text = """\ufeff# a comment
H id <uuid:0686c69d-8f89-4496-acb5-744f0157a8db> .
H prev <uuid:3ee0eca0-6d5f-4b4d-85db-f69ab1167eb1> .
H note "free words" .
TX .
PA "rdf" "http://www.w3.org/1999/02/22-rdf-syntax-ns#" .
PA "" <http://e/> .
PD "owl" .
A <http://e/s> <http://e/p> "one # . A" <http://e/g> . # a comment

D <http://e/s> <http://e/p> "two"@EN.
A<http://e/s>
"""
    with pytest.raises(Malformed) as caught:
        parsed(text.encode())
    assert (caught.value.more["line"], "three or four terms" in caught.value.detail) == (12, False)
    found = parsed(text.replace("A<http://e/s>\n", "TC .\n").replace("\n", "\r\n").encode())
    assert found.id == "uuid:0686c69d-8f89-4496-acb5-744f0157a8db"
    assert found.previous == "uuid:3ee0eca0-6d5f-4b4d-85db-f69ab1167eb1"
    assert found.delta.added == {quad("one # . A", G)}
    assert found.delta.removed == {Quad(S, P, Literal("two", language="en"))}


def test_rows_hold_in_order() -> None:
    add, remove = 'A <http://e/s> <http://e/p> "x" .', 'D <http://e/s> <http://e/p> "x" .'
    assert delta(add, remove) == Delta(removed=frozenset([quad("x")]))
    assert delta(remove, add) == Delta(added=frozenset([quad("x")]))
    assert delta("TX .", add, "TC .", "TX .", remove, "TC .") == delta(add, remove)
    assert delta() == delta("TX .", "TC .") == Delta()


def test_a_blank_node_is_one_in_the_document_and_new_to_the_store() -> None:
    found = delta("A <_:x> <http://e/p> _:y.", "TX .", "A _:y <http://e/p> <_:x> .", "TC .").added
    assert len({term for quad in found for term in (quad.subject, quad.object)}) == 2
    assert delta("A _:x <http://e/p> 'x' .".replace("'", '"'), 'D <_:x> <http://e/p> "x" .') == Delta()
    again = delta("A _:x <http://e/p> _:y .").added
    assert {q.subject for q in again}.isdisjoint({q.subject for q in found})
    with pytest.raises(Refused, match="line 1: a blank node is a new one"):
        delta('D _:x <http://e/p> "x" .')


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("TX .\nA <http://e/s> <http://e/p> .\nTC .", 2, "A takes three or four terms"),
        ("A <http://e/s> <http://e/p> <http://e/o>", 1, "ends with a dot"),
        ("A e:s e:p e:o .", 1, "without prefixes"),
        ("A <s> <http://e/p> <http://e/o> .", 1, "IRI"),
        ('\n\nD <http://e/s> "p" <http://e/o> .', 3, "line 3"),
        ("A <http://e/s> <http://e/p> <http://e/o> <http://e/g> <http://e/x> .", 1, "three or four"),
        ("A <http://e/s> <http://e/p> <http://e/o> . A <http://e/s> <http://e/p> <http://e/o> .", 1, "three or four"),
        ('A <http://e/s> <http://e/p> "a\nb" .', 1, "three or four"),
        ('A <http://e/s> <http://e/p> "a\\qb" .', 1, "line 1"),
        ("A << <http://e/s> <http://e/p> <http://e/o> >> <http://e/p> <http://e/o> .", 1, "three or four"),
        ("X <http://e/s> .", 1, "a row begins with"),
        ("TX", 1, "ends with a dot"),
        ("TX .\nTX .", 2, "open since line 1"),
        ("TC .", 1, "no transaction is open"),
        ("TX .\nA <http://e/s> <http://e/p> <http://e/o> .\n", 1, "was the patch cut"),
        ("PA rdf .\n", 1, "PA takes a name"),
        ("# \n<http://e/s> <http://e/p> <http://e/o> .", 2, "a row begins with"),
    ],
)
def test_what_is_no_patch_is_told_with_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(Malformed) as caught:
        parsed(text.encode())
    assert caught.value.more["line"] == line
    assert words in caught.value.detail


def test_a_transaction_that_is_given_up_refuses_the_whole() -> None:
    with pytest.raises(Refused, match="line 6"):
        delta("TX .", "A <urn:a> <urn:b> <urn:c> .", "TC .", "TX .", "A <urn:a> <urn:b> <urn:d> .", "TA .")
    with pytest.raises(Malformed, match="line 2: the patch is not UTF-8"):
        parsed(b"TX .\n\xff")


TERMS = st.one_of(
    st.sampled_from([S, P, G]),
    st.builds(Literal, st.text(st.characters(exclude_categories=["Cs"]))),
    st.builds(lambda value: Literal(value, language="en-gb"), st.text(st.characters(exclude_categories=["Cs"]))),
    st.builds(lambda value: Literal(value, datatype=P), st.text(st.characters(exclude_categories=["Cs"]))),
)
QUADS = st.builds(Quad, st.sampled_from([S, P]), st.just(P), TERMS, st.sampled_from([G, DefaultGraph()]))


@settings(max_examples=200, deadline=None)
@given(st.frozensets(QUADS), st.frozensets(QUADS))
def test_what_is_written_is_read_again(added: frozenset[Quad], removed: frozenset[Quad]) -> None:
    patch = Patch(Delta(added, removed - added), "urn:1", "urn:0")
    assert parsed(written(patch)) == patch
    assert written(parsed(written(patch))) == written(patch)


def test_blank_nodes_are_written_with_their_labels() -> None:
    patch = Patch(Delta(added=frozenset([Quad(BlankNode("x"), P, BlankNode("x"), G)])))
    assert written(patch) == b"TX .\nA _:x <http://e/p> _:x <http://e/g> .\nTC .\n"


def test_a_long_line_and_many_rows_take_their_length() -> None:
    for piece in ('"', "<", "_:a", "\\", '"\\', ". ", "A ", "<a>", "_:a.", "#", "^^<a>", '""'):
        for before in ("A ", "A <urn:a> <urn:b> ", "PA ", "H x ", ""):
            begun = time.process_time()
            with contextlib.suppress(KgError):
                parsed((before + piece * (200_000 // len(piece))).encode())
            assert time.process_time() - begun < 2, (before, piece)
    rows = "".join(f'A <http://e/{n}> <http://e/p> "{n}" .\n' for n in range(20_000))
    assert len(parsed(rows.encode()).delta) == 20_000


def test_a_patch_is_read_in_the_sandbox(tmp_path: Path) -> None:
    async def check() -> None:
        sandbox = Sandbox(tmp_path, memory=2**29, seconds=20, max_bytes=1000)
        text = b'TX .\nA _:x <http://e/p> "1" <http://e/g> .\nD <http://e/s> <http://e/p> "2" .\nTC .\n'
        found = await sandbox.patched(text)
        assert [q.graph_name for q in found.added] == [G]
        assert found.removed == {quad("2")}
        with pytest.raises(Malformed, match="line 1"):
            await sandbox.patched(b"A .")
        with pytest.raises(TooLarge):
            await sandbox.patched(text * 20)
        await sandbox.close()

    asyncio.run(check())


def test_many_jobs_at_once_share_a_few_processes_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    async def check() -> None:
        others = set(psutil.Process().children())  # of services that other tests still use
        sandbox = Sandbox(tmp_path, memory=2**29, seconds=20, max_bytes=1000)
        texts = [f'A <http://e/s> <http://e/p> "{number}" .\n'.encode() for number in range(30)]
        found = await asyncio.gather(*(sandbox.patched(text) for text in texts))
        assert [delta.added for delta in found] == [{quad(str(number))} for number in range(30)]
        ours = set(psutil.Process().children()) - others
        started = [each for each in ours if "kg_service.sparql.sandbox" in each.cmdline()]
        assert 1 <= len(started) <= 4
        for process in started:
            process.kill()
        psutil.wait_procs(started)
        await asyncio.sleep(0.1)
        assert (await sandbox.patched(texts[7])).added == {quad("7")}
        await sandbox.close()

    asyncio.run(check())


def test_a_job_that_gets_no_turn_in_time_is_refused(tmp_path: Path) -> None:
    async def check() -> None:
        others = set(psutil.Process().children())
        sandbox = Sandbox(tmp_path, memory=2**29, seconds=60, max_bytes=1000, queue_seconds=0.1)
        texts = [f'A <http://e/s> <http://e/p> "{number}" .\n'.encode() for number in range(5)]
        await sandbox.start()
        (process,) = set(psutil.Process().children()) - others
        process.suspend()  # so that its job has no end
        try:
            first = asyncio.create_task(sandbox.patched(texts[0]))
            await asyncio.sleep(0)
            longer = [asyncio.create_task(sandbox.patched(text)) for text in texts[1:4]]
            with pytest.raises(Busy, match="no turn"):
                await asyncio.gather(*(sandbox.patched(texts[4]) for _ in range(200)))
        finally:
            process.resume()
        assert len((await first).added) == 1
        await asyncio.gather(*longer)
        assert len((await sandbox.patched(texts[4])).added) == 1  # every turn was given back
        await sandbox.close()

    asyncio.run(check())
