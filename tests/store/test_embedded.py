from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, Store

from kg_service.changes import Committed, Proposal, commit_all
from kg_service.errors import StoreDamaged, StoreError, StoreLocked, StoreNewer, StoreUnwritable
from kg_service.shacl import Shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, embedded, generations
from kg_service.store.embedded import BULK, EmbeddedStore, delta_between, snapshot
from kg_service.store.scratch import Scratch


def quad(subject: str, value: int, graph: str) -> Quad:
    return Quad(NamedNode(f"urn:{subject}"), NamedNode("urn:p"), Literal(value), NamedNode(f"urn:{graph}"))


def adding(*quads: Quad) -> Delta:
    return Delta(added=frozenset(quads))


def removing(*quads: Quad) -> Delta:
    return Delta(removed=frozenset(quads))


def triples(store: EmbeddedStore) -> list[int]:
    return sorted(int(q.object.value) for q in store.triples() if isinstance(q.object, Literal))


def test_a_change_is_a_new_generation_that_a_snapshot_sees(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        assert store.generation == 0
        assert store.apply(adding(quad("a", 1, "g"))) == 1
        with snapshot(tmp_path / "s") as before:
            assert store.apply(adding(quad("a", 2, "g"))) == 2
            assert len(before) == 2, "an open snapshot must not change: one quad, and its triple in the default graph"
        with snapshot(tmp_path / "s") as after:
            assert len(after) == 4


def test_the_default_graph_holds_each_triple_of_every_graph_once(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h"), quad("a", 2, "h")))
        assert triples(store) == [1, 2]


def test_a_triple_leaves_the_default_graph_with_the_last_graph_that_holds_it(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h")))
        store.apply(removing(quad("a", 1, "g")))
        assert triples(store) == [1]
        store.apply(removing(quad("a", 1, "h")))
        assert triples(store) == []


def test_removing_from_two_graphs_at_once_removes_the_triple(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h")))
        store.apply(removing(quad("a", 1, "g"), quad("a", 1, "h")))
        assert triples(store) == []
        assert not list(store.quads())


def test_moving_a_triple_between_graphs_keeps_it_in_the_default_graph(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g")))
        store.apply(delta_between([quad("a", 1, "g")], [quad("a", 1, "h")]))
        assert triples(store) == [1]


def default(subject: str, value: int) -> Quad:
    return Quad(NamedNode(f"urn:{subject}"), NamedNode("urn:p"), Literal(value))


def test_what_leaves_the_default_graph_leaves_every_named_graph(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g"), quad("a", 1, "h"), quad("a", 2, "h"), default("a", 3)))
        assert triples(store) == [1, 2, 3]
        store.apply(removing(default("a", 1), default("a", 3)))
        assert triples(store) == [2]
        assert list(store.quads()) == [quad("a", 2, "h")]


def test_a_plain_dataset_keeps_its_default_graph_apart(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s", union=False) as store:
        store.apply(adding(quad("a", 1, "g"), default("a", 2)))
        assert triples(store) == [2]
        store.apply(removing(default("a", 1), default("a", 2)))
        assert triples(store) == []
        assert list(store.quads()) == [quad("a", 1, "g")]


def test_the_default_graph_is_the_union_after_any_changes(tmp_path: Path) -> None:
    chance = random.Random(7)
    with EmbeddedStore(tmp_path / "s") as store:
        for _ in range(40):
            some = [
                quad("a", chance.randrange(6), chance.choice("ghk"))
                if chance.random() < 0.8
                else default("a", chance.randrange(6))
                for _ in range(8)
            ]
            store.apply(Delta(added=frozenset(some[:5]), removed=frozenset(some[5:])))
            held = {int(q.object.value) for q in store.quads() if isinstance(q.object, Literal)}
            assert held <= set(triples(store))
            assert len(set(triples(store))) == len(triples(store))
            gone = {i for i in range(6) if default("a", i) in some[5:]}
            kept = {int(q.object.value) for q in some[:5] if isinstance(q.object, Literal)}
            assert not (gone - kept) & set(triples(store))


def test_removing_an_unknown_triple_changes_nothing(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g")))
        assert store.apply(removing(quad("a", 9, "g"))) == 1
        assert store.apply(adding(quad("a", 1, "g"))) == 1


def test_a_reopened_store_holds_what_was_published(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g")))
    with EmbeddedStore(tmp_path / "s") as store:
        assert triples(store) == [1]
        assert store.apply(adding(quad("a", 2, "g"))) == 2


def test_an_unfinished_change_is_rolled_back_at_the_next_start(tmp_path: Path) -> None:
    root = tmp_path / "s"
    with EmbeddedStore(root) as store:
        store.apply(adding(quad("a", 1, "g")))
    working = Store(str(next((root / "working").iterdir())))
    working.extend([quad("a", 2, "g"), Quad(NamedNode("urn:a"), NamedNode("urn:p"), Literal(2), DefaultGraph())])
    working.flush()
    working.backup(str(root / "generations" / "2"))
    del working
    with EmbeddedStore(root) as store:
        assert store.generation == 1
        assert triples(store) == [1]
        assert store.apply(adding(quad("a", 3, "g"))) == 2
        assert triples(store) == [1, 3]


def test_a_writer_that_goes_on_for_long_opens_its_database_anew_and_loses_nothing(tmp_path: Path) -> None:
    """What the engine keeps of files that are gone is let go; benchmarks/soak.py measures it."""
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 0, "g")))
        first = store.working
        count = next(
            number
            for number in range(1, 200)
            if store.apply(adding(quad("a", number, "g"))) and store.working is not first
        )
        assert triples(store) == list(range(count + 1))
        assert store.apply(adding(quad("a", count + 1, "g"))) == count + 2 == store.generation
        assert store.apply(removing(quad("a", 0, "g"))) == count + 3
    with snapshot(tmp_path / "s") as published:
        assert len(published) == 2 * (count + 1)


def test_what_cannot_be_tidied_up_is_published_nonetheless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "s"
    monkeypatch.setattr(embedded, "_ANEW", 1)
    with EmbeddedStore(root) as store:
        assert store.apply(adding(quad("a", 1, "g"))) == 1
        (root / "generations" / "1.lease").unlink()
        (root / "generations" / "1.lease").mkdir()  # it cannot be held, so the generation not be deleted
        assert store.apply(adding(quad("a", 2, "g"))) == 2
        (root / "generations" / "1.lease").rmdir()
        store.stage(store.effective(adding(quad("a", 3, "g"))))
        store.publish()
        missing = root / "generations" / "3" / "missing"
        missing.symlink_to("nowhere")  # the working database cannot be made anew of it
        store.retire()
        assert triples(store) == [1, 2, 3]
        assert len(list((root / "working").iterdir())) == 1
        missing.unlink()
        assert store.apply(adding(quad("a", 4, "g"))) == 4
        assert triples(store) == [1, 2, 3, 4]
        assert [path.name for path in (root / "generations").iterdir() if path.is_dir()] == ["4"]


def test_an_error_after_readers_see_a_change_leaves_it_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, opened = tmp_path / "s", os.open

    def refusing(path: object, flags: int, *more: int, **how: int) -> int:
        if path == root:
            raise OSError(errno.EMFILE, "Too many open files")
        return opened(path, flags, *more, **how)  # type: ignore[arg-type]

    proposal = Proposal(lambda _: adding(quad("a", 1, "g")))
    with EmbeddedStore(root) as store:
        with monkeypatch.context() as patch:
            patch.setattr(os, "open", refusing)
            (outcome,) = commit_all(store, [proposal], Gate(Shapes((), ())))
        assert isinstance(outcome, StoreError)
        assert (store.generation, triples(store)) == (1, [1])
        assert [entry.generation for entry in store.log.entries(limit=9)] == [1], "the log is never behind the data"
        (outcome,) = commit_all(store, [Proposal(lambda _: adding(quad("a", 2, "g")))], Gate(Shapes((), ())))
        assert isinstance(outcome, Committed)
        assert (outcome.generation, outcome.change) == (2, 2)


def test_a_store_is_opened_again_while_somebody_still_knows_what_was_read_of_it(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s") as store:
        store.apply(adding(quad("a", 1, "g")))
        reading = store.triples()
    with EmbeddedStore(tmp_path / "s") as store:
        assert triples(store) == [1]
    del reading


def test_a_folder_that_is_in_use_for_long_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "s"
    EmbeddedStore(root).close()
    in_use = Scratch(root, "rows-")
    (left_over := root / "scratch-of-a-killed-process").mkdir()
    for path in (in_use.path, left_over):
        os.utime(path, (0, 0))
    EmbeddedStore(root).close()
    assert in_use.path.is_dir()
    assert not left_over.exists()
    in_use.close()
    assert not list(root.glob("scratch-*"))


def test_a_wish_to_write_of_the_future_is_none(tmp_path: Path) -> None:
    """The clock was put back: nobody waits until it is that time again."""
    generations.want(tmp_path)
    assert generations.is_wanted(tmp_path)
    ahead = (tmp_path / "wanted").stat().st_mtime + 3600
    os.utime(tmp_path / "wanted", (ahead, ahead))
    assert not generations.is_wanted(tmp_path)


def test_a_change_that_cannot_be_published_leaves_nothing_behind(tmp_path: Path) -> None:
    root = tmp_path / "s"
    with EmbeddedStore(root) as store:
        store.apply(adding(quad("a", 1, "g")))
        (root / "generations" / "2").mkdir()  # the checkpoint cannot be made
        with pytest.raises(StoreError):
            store.apply(adding(quad("a", 2, "g")))
        assert (store.generation, triples(store)) == (1, [1])
        assert store.apply(adding(quad("a", 3, "g"))) == 2
        assert triples(store) == [1, 3]


def test_a_damaged_working_database_is_made_anew(tmp_path: Path) -> None:
    root = tmp_path / "s"
    with EmbeddedStore(root) as store:
        store.apply(adding(quad("a", 1, "g")))
    for path in next((root / "working").iterdir()).iterdir():
        path.unlink()
    with EmbeddedStore(root) as store:
        assert triples(store) == [1]
        assert store.apply(adding(quad("a", 2, "g"))) == 2
        assert triples(store) == [1, 2]


def test_a_damaged_generation_says_what_to_do(tmp_path: Path) -> None:
    root = tmp_path / "s"
    with EmbeddedStore(root) as store:
        store.apply(adding(quad("a", 1, "g")))
    for path in (root / "generations" / "1").glob("*.sst"):
        path.unlink()
    with pytest.raises(StoreDamaged, match="restore a backup"), snapshot(root) as opened:
        list(opened)
    shutil.rmtree(root / "generations" / "1")
    with pytest.raises(StoreDamaged, match="restore a backup"), snapshot(root):
        pass


def test_values_that_the_store_writes_in_another_way_are_the_same_values(tmp_path: Path) -> None:
    padded = Literal("007", datatype=NamedNode("http://www.w3.org/2001/XMLSchema#integer"))
    written = Quad(NamedNode("urn:a"), NamedNode("urn:p"), padded, NamedNode("urn:g"))
    with EmbeddedStore(tmp_path / "s") as store:
        assert store.apply(adding(written)) == 1
        assert store.apply(delta_between(store.quads(), [written])) == 1
        assert triples(store) == [7]
        store.apply(removing(written))
        assert triples(store) == []


WRITER = """
import sys
from pathlib import Path
from pyoxigraph import Literal, NamedNode, Quad
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
with EmbeddedStore(Path(sys.argv[1])) as store:
    for n in range(store.generation * 50, 1_000_000, 50):
        made = {Quad(NamedNode("urn:a"), NamedNode("urn:p"), Literal(i), NamedNode("urn:g")) for i in range(n, n + 50)}
        print(store.apply(Delta(added=frozenset(made))), flush=True)
"""


def test_a_writer_killed_at_any_moment_loses_nothing_confirmed_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    root, confirmed = tmp_path / "s", 0
    for kill_after in range(1, 9):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout
        for _ in range(kill_after % 4 + 1):
            confirmed = int(writer.stdout.readline())
        writer.kill()
        writer.wait()
        for line in writer.stdout:
            confirmed = int(line)
        writer.stdout.close()
        with EmbeddedStore(root) as store:
            assert store.generation in (confirmed, confirmed + 1)
            assert triples(store) == list(range(store.generation * 50))
            assert len(list(store.quads())) == store.generation * 50


def test_two_writers_at_once_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "s"), pytest.raises(StoreLocked, match="another process is writing"):
        EmbeddedStore(tmp_path / "s")


def test_a_store_of_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "format").write_text("99\n")
    for _ in range(2):  # twice: the first refusal must not keep the lock
        with pytest.raises(StoreNewer, match="newer version"):
            EmbeddedStore(tmp_path / "s")


def test_a_file_in_the_place_of_the_store_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("not a store")
    with pytest.raises(StoreUnwritable, match="cannot be written"):
        EmbeddedStore(tmp_path / "s")


def test_a_directory_without_permission_is_one_sentence() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o555)
        with as_nobody(), pytest.raises(StoreUnwritable, match="permissions"):
            EmbeddedStore(Path(folder) / "s")
        Path(folder).chmod(0o755)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write anywhere, so that root has to become someone else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_damaged_current_says_what_to_do(tmp_path: Path) -> None:
    root = tmp_path / "s"
    with EmbeddedStore(root) as store:
        store.apply(adding(quad("a", 1, "g")))
    (root / "current").write_text("7\n")
    with pytest.raises(StoreDamaged, match="restore a backup"):
        EmbeddedStore(root)


def test_a_generation_that_is_read_is_kept_and_deleted_afterwards(tmp_path: Path) -> None:
    root = tmp_path / "s"
    with EmbeddedStore(root) as store:
        store.apply(adding(quad("a", 1, "g")))
        with snapshot(root):
            store.apply(adding(quad("a", 2, "g")))
            assert generations.directory(root, 1).is_dir()
        store.apply(adding(quad("a", 3, "g")))
        assert not generations.directory(root, 1).exists()
        assert not generations.directory(root, 2).exists()
        with pytest.raises(StoreError):
            generations.hold(root, 1)


def test_a_store_loaded_in_parts_has_its_tables_in_order(tmp_path: Path) -> None:
    counts = []
    with EmbeddedStore(tmp_path) as store:
        for part in range(2):
            subjects = (NamedNode(f"http://x.test/{n}") for n in range(part, 2 * BULK, 2))
            store.stage(Delta(added=frozenset(Quad(s, NamedNode("urn:p"), s, NamedNode("urn:g")) for s in subjects)))
            counts.append(len(list((tmp_path / "working").glob("*/*.sst"))))
        store.publish()
        assert len(store.working) == 2 * BULK
    assert counts[1] < 1.5 * counts[0]  # left alone they would be twice as many
