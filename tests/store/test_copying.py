"""The copy in memory is the default graph of what is published, whether it is told by the log or looked up."""

from __future__ import annotations

import multiprocessing
import random
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg_service.changes import commit
from kg_service.errors import StoreDamaged, StoreError
from kg_service.shacl import Shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, copying, generations
from kg_service.store.embedded import EmbeddedStore, snapshot
from kg_service.store.log import log_of

#: Objects whose text could be taken for that of a graph, or is changed by the store.
VALUES: list[NamedNode | Literal] = [
    NamedNode("urn:o"),
    Literal("a <urn:g> ."),
    Literal("ends with <urn:g>"),
    Literal("<urn:g> .\n<urn:s> <urn:p> <urn:o> ."),
    Literal('a "quoted" <b> \\'),
    Literal("x y", language="en"),
    Literal("x y <z>", datatype=NamedNode("urn:type")),
    Literal("007", datatype=NamedNode("http://www.w3.org/2001/XMLSchema#integer")),
    Literal("ünï\u2028códe"),
]
NONE = Shapes((), ())
GRAPHS: list[NamedNode | DefaultGraph] = [NamedNode("urn:g"), NamedNode("urn:h"), DefaultGraph()]


def some(chance: random.Random) -> frozenset[Quad]:
    def one() -> Quad:
        subject, predicate = (NamedNode(f"urn:{kind}{chance.randrange(3)}") for kind in "sp")
        return Quad(subject, predicate, chance.choice(VALUES), chance.choice(GRAPHS))

    return frozenset(one() for _ in range(chance.randrange(12)))


def copy(root: Path, generation: int | None) -> set[Quad] | None:
    """The copy made of the log, if it is of use; without a generation, that of what is published."""
    made = copying.copied(root, 2) if generation is None else copying._from_log(root, generation)
    return None if made is None else set(made)


Copy = Callable[[Path, int | None], set[Quad] | None]


@pytest.fixture(scope="module")
def apart() -> Iterator[Copy]:
    """`copy` in a process that has opened no database, which copying, who forks, asks for."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield lambda root, generation: pool.submit(copy, root, generation).result()


def there(root: Path) -> set[Quad]:
    with snapshot(root) as store:
        return set(store.quads_for_pattern(None, None, None, DefaultGraph()))


@pytest.mark.parametrize("union", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_any_history_leads_to_what_is_there(tmp_path: Path, apart: Copy, union: bool, seed: int) -> None:
    chance, gate, from_log = random.Random(seed), Gate(NONE), 0
    with EmbeddedStore(tmp_path, union=union) as store:
        for _ in range(6):
            removed = some(chance) if chance.random() < 0.4 else frozenset()
            commit(store, Delta(added=some(chance), removed=removed), gate)
            wanted = there(tmp_path)
            assert apart(tmp_path, None) == wanted
            told = apart(tmp_path, store.generation)
            from_log += told is not None
            assert told is None or told == wanted
    assert from_log or not union, "the log was of use at least once"


def test_what_the_log_does_not_tell_is_looked_up(tmp_path: Path, apart: Copy) -> None:
    with EmbeddedStore(tmp_path) as store:
        commit(store, Delta(added=frozenset(some(random.Random(1)))), Gate(NONE))
        store.apply(Delta(added=frozenset({Quad(NamedNode("urn:s"), NamedNode("urn:apart"), Literal("not logged"))})))
        assert apart(tmp_path, store.generation) is None
        assert apart(tmp_path, None) == there(tmp_path)


def test_a_log_that_tells_of_much_more_than_there_is_is_not_followed(tmp_path: Path, apart: Copy) -> None:
    gone = frozenset(Quad(NamedNode(f"urn:s{n}"), NamedNode("urn:p"), Literal("x"), GRAPHS[0]) for n in range(20))
    with EmbeddedStore(tmp_path) as store:
        commit(store, Delta(added=gone | {Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal("y"))}), Gate(NONE))
        commit(store, Delta(removed=gone), Gate(NONE))
        assert apart(tmp_path, store.generation) is None
        assert len(apart(tmp_path, None) or ()) == 1


def test_a_store_without_a_log_and_one_without_anything(tmp_path: Path, apart: Copy) -> None:
    assert apart(tmp_path / "none", None) == set()
    with EmbeddedStore(tmp_path / "store") as store:
        commit(store, Delta(added=some(random.Random(2))), Gate(NONE))
    for path in (tmp_path / "store").glob("changes.db*"):
        path.unlink()
    assert apart(tmp_path / "store", None) == there(tmp_path / "store")


def test_a_damaged_log_is_no_reason_why_the_graph_cannot_be_read(tmp_path: Path, apart: Copy) -> None:
    with EmbeddedStore(tmp_path) as store:
        for number in (1, 2):
            commit(store, Delta(added=frozenset(some(random.Random(number)))), Gate(NONE))
    with closing(sqlite3.connect(tmp_path / "changes.db", isolation_level=None)) as rows:
        for damage in (
            "patch = CAST(substr(patch, 1, 30) || x'ffff' || substr(patch, 33) AS BLOB)",
            "patch = substr(patch, 1, 40)",
            "patch = x''",
            "outcome = '{'",
            "note = CAST(x'ff' AS TEXT)",
        ):
            rows.execute(f"UPDATE change SET {damage} WHERE number = 1")
            with pytest.raises(StoreDamaged, match="restore a backup"), log_of(tmp_path, None) as log:
                log.patch(1)
    assert apart(tmp_path, None) == there(tmp_path)


def test_a_database_that_cannot_be_read_to_its_end_is_an_error(tmp_path: Path, apart: Copy) -> None:
    with EmbeddedStore(tmp_path) as store:
        store.apply(Delta(added=some(random.Random(3))))
        for path in generations.directory(tmp_path, store.generation).glob("CURRENT"):
            path.write_text("nothing\n")
    with pytest.raises(StoreError, match="could not be read"):
        apart(tmp_path, None)
