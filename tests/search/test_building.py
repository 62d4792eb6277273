from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg_service.errors import StoreUnwritable
from kg_service.rdf import PREF_LABEL, RDF_TYPE, entity, sse
from kg_service.search import index
from kg_service.search.building import path_of, signature
from kg_service.search.sources import EmbeddedSource
from kg_service.store import generations
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import ROOT
from tests.search.worlds import brought_up, change, contents, found, named, quad, source_of

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
EXACT = NamedNode("http://www.w3.org/ns/oa#exact")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """A store with two themes, and an index of it."""
    with EmbeddedStore(tmp_path / "store") as opened:
        change(opened, [*named("theme", "bread", "Bread"), *named("theme", "care", "Cuidados", "es")])
        brought_up(opened.root)
        yield opened


def fresh(root: Path, tmp_path: Path) -> dict[str, object]:
    """What an index holds that is made anew of the same generation."""
    beside = tmp_path / "beside"
    shutil.rmtree(beside, ignore_errors=True)
    from kg_service.search.building import bring_up

    bring_up(beside, source_of(root))
    path = path_of(beside)
    assert path
    return contents(path)


def held(root: Path) -> dict[str, object]:
    path = path_of(root)
    assert path
    return contents(path)


def edits(chance: random.Random, there: set[Quad]) -> tuple[list[Quad], list[Quad]]:
    """Some statements that come and some that go: names, classes, claims, evidence, all of few things."""
    added: list[Quad] = []
    for _ in range(chance.randrange(1, 20)):
        thing = entity("theme", f"t{chance.randrange(12)}")
        claim, quotation = entity("claim", f"c{chance.randrange(6)}"), entity("quotation", f"q{chance.randrange(6)}")
        text = " ".join(chance.choice("bread panadería solidaridad économie 連帯経済 women").split()[0:1] * 2)
        words = " ".join(chance.choices("bread panadería solidaridad économie 連帯経済 women 2021 x".split(), k=3))
        added.append(
            chance.choice(
                [
                    quad(thing, PREF_LABEL, Literal(words, language=chance.choice(["en", "es", "pt-BR"]))),
                    quad(thing, PREF_LABEL, Literal(text)),
                    quad(thing, RDF_TYPE, sse(chance.choice(["Theme", "Party", "Event", "Claim", "Quotation"]))),
                    quad(thing, sse("description"), Literal(words), entity("graph", str(chance.randrange(3)))),
                    quad(claim, NamedNode(_RDF + "subject"), thing),
                    quad(claim, RDF_TYPE, sse("Claim")),
                    quad(claim, sse("evidence"), quotation),
                    quad(quotation, EXACT, Literal(words)),
                    quad(quotation, RDF_TYPE, sse("Quotation")),
                    quad(quotation, sse("order"), Literal(chance.randrange(5))),
                ]
            )
        )
    known = sorted(there, key=str)
    return added, chance.sample(known, min(len(known), chance.randrange(12)))


def test_two_thousand_random_edits_leave_what_a_fresh_index_holds(store: EmbeddedStore, tmp_path: Path) -> None:
    chance = random.Random(20)
    source, made, done, steps = source_of(store.root), signature(store.root), 0, 0
    while done < 2_000:
        added, removed = edits(chance, set(store.quads()))
        change(store, added, removed)
        done += len(added) + len(removed)
        steps += 1
        if chance.random() < 0.7:  # several generations may come at once
            assert brought_up(store.root, source) == store.generation
        if steps % 40 == 0:
            brought_up(store.root, source)
            assert held(store.root) == fresh(store.root, tmp_path)
    brought_up(store.root, source)
    assert held(store.root) == fresh(store.root, tmp_path)
    assert signature(store.root) == made, "it was built anew instead of following the changes"


def test_an_index_follows_changes_in_its_own_transaction(store: EmbeddedStore) -> None:
    generation = change(store, named("theme", "ovens", "Ovens"), named("theme", "bread", "Bread"))
    assert found(store.root, "bread") == ["theme/bread"], "nobody has brought it up yet"
    assert brought_up(store.root) == generation
    assert found(store.root, "ovens") == ["theme/ovens"]
    assert found(store.root, "bread") == []


@pytest.mark.parametrize("what", ["delete", "pointer", "empty", "nonsense", "format", "cut", "folder"])
def test_whatever_happens_to_its_files_it_is_there_again(store: EmbeddedStore, what: str) -> None:
    path = path_of(store.root)
    assert path
    if what == "delete":
        path.unlink()
    elif what == "pointer":
        (store.root / "search" / "current").write_bytes(b"../../\xff\0")
    elif what == "empty":
        path.write_bytes(b"")
    elif what == "nonsense":
        path.write_bytes(b"\xab" * 100_000)
    elif what == "cut":
        path.write_bytes(path.read_bytes()[:9000])
        change(store, named("theme", "ovens", "Ovens"))
    elif what == "format":
        with sqlite3.connect(path) as rows:
            rows.execute("UPDATE state SET about = replace(about, '\"format\": ', '\"format\": 9')")
    else:
        shutil.rmtree(store.root / "search")
    assert brought_up(store.root) == store.generation
    assert found(store.root, "bread") == ["theme/bread"]
    assert len(list((store.root / "search").glob("*.db"))) == 1


def test_a_store_that_was_put_back_is_indexed_anew(tmp_path: Path) -> None:
    root = tmp_path / "store"
    with EmbeddedStore(root) as first:
        change(first, named("theme", "bread", "Bread"))
    brought_up(root)
    shutil.copytree(root, tmp_path / "backup", ignore=shutil.ignore_patterns("search"))
    with EmbeddedStore(root) as later:
        for number in range(3):
            change(later, named("theme", f"new-{number}", "Novelty"))
    brought_up(root)
    assert len(found(root, "novelty")) == 3
    aside = tmp_path / "aside"
    (root / "search").rename(aside)
    shutil.rmtree(root)
    (tmp_path / "backup").rename(root)
    aside.rename(root / "search")
    assert brought_up(root) == 1
    assert found(root, "novelty") == []
    # The same numbers again, with other changes.
    with EmbeddedStore(root) as other:
        for number in range(3):
            change(other, named("theme", f"other-{number}", "Otherness"))
        brought_up(root)
        assert (len(found(root, "otherness")), found(root, "novelty")) == (3, [])


def test_changes_that_the_log_does_not_tell_are_seen(store: EmbeddedStore) -> None:
    from kg_service.store import Delta

    made = signature(store.root)
    store.apply(Delta(frozenset(named("theme", "silent", "Silence"))))
    change(store, named("theme", "loud", "Loudness"))
    brought_up(store.root)
    assert found(store.root, "silence") == ["theme/silent"]
    assert signature(store.root) != made


def test_a_change_that_is_damaged_in_the_log_is_read_in_the_graph(store: EmbeddedStore) -> None:
    number = change(store, named("theme", "water", "Water"))
    with contextlib.closing(sqlite3.connect(store.root / "changes.db", isolation_level=None)) as rows:
        rows.execute("UPDATE change SET patch = substr(patch, 1, 40) WHERE number = 2")
    assert brought_up(store.root) == number
    assert found(store.root, "water") == ["theme/water"]


def test_a_large_change_is_taken_in_beside(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    from kg_service.search import building

    monkeypatch.setattr(building, "MANY", 10)
    made = signature(store.root)
    change(store, [each for n in range(50) for each in named("theme", f"n{n}", f"Name {n}")])
    brought_up(store.root)
    assert signature(store.root) != made
    assert len(found(store.root, "name", limit=100)) == 50


def test_graphs_of_their_own_are_searched_all(tmp_path: Path) -> None:
    """Where the default graph is one of its own, a text may be in it, in a named graph, or in several."""
    root = tmp_path / "store"
    source = EmbeddedSource(root, union=False, memory=None)
    with EmbeddedStore(root, union=False) as store:
        rye, own = named("theme", "rye", "Rye"), named("theme", "own", "Ownership")
        twice = [Quad(q.subject, q.predicate, q.object, entity("graph", "other")) for q in rye]
        change(store, [*rye, *twice, *(Quad(q.subject, q.predicate, q.object, DefaultGraph()) for q in own)])
        brought_up(root, source)
        assert (found(root, "rye"), found(root, "ownership")) == (["theme/rye"], ["theme/own"])
        for gone in (rye, twice):
            assert found(root, "rye") == ["theme/rye"]
            change(store, removed=gone)
            brought_up(root, source)
        assert found(root, "rye") == []


def test_a_text_of_any_length_is_found_by_its_beginning(store: EmbeddedStore) -> None:
    long = "zweistein " + "word " * 200_000
    change(store, [quad(entity("theme", "long"), sse("description"), Literal(long))])
    brought_up(store.root)
    assert found(store.root, "zweistein") == ["theme/long"]


def test_an_empty_store_has_an_empty_index(tmp_path: Path) -> None:
    assert brought_up(tmp_path / "nothing") == 0
    assert found(tmp_path / "nothing", "bread") == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "search").write_text("in the way")
    with pytest.raises(StoreUnwritable, match="search"):
        brought_up(tmp_path)


PROGRAM = """
import sys
from pathlib import Path
from kg_service.search.building import bring_up
from kg_service.search.sources import EmbeddedSource
root = Path(sys.argv[1])
print("begun", flush=True)
bring_up(root, EmbeddedSource(root, union=True, memory=None), unusable=sys.argv[2])
"""


def building_process(root: Path, unusable: str = "") -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(root), unusable], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"begun\n"
    return process


@pytest.mark.parametrize("is_anew", [True, False])
def test_killed_at_any_moment_it_is_whole_the_next_time(tmp_path: Path, is_anew: bool) -> None:
    root, chance = tmp_path / "store", random.Random(7)
    with EmbeddedStore(root) as store:
        change(store, [each for n in range(3_000) for each in named("theme", f"n{n}", f"Name {n} of many")])
        brought_up(root)
        for round_ in range(8):
            change(store, [each for n in range(800) for each in named("theme", f"r{round_}-{n}", f"Round {round_}")])
            process = building_process(root, signature(root) if is_anew else "")
            time.sleep(chance.random() * 0.5)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            path = path_of(root)
            assert path
            with sqlite3.connect(path) as rows:
                rows.row_factory = None
                state = index.state_of(rows)
                assert rows.execute("SELECT count(*) FROM text").fetchone()[0] == 3_000 + 800 * (state.generation - 1)
        brought_up(root)
        assert held(root) == fresh(root, tmp_path)
        assert not list((root / "search").glob("*building*"))


def test_several_processes_bring_one_index_up(store: EmbeddedStore, tmp_path: Path) -> None:
    for number in range(4):
        change(store, named("theme", f"n{number}", "Novelty"))
        processes = [building_process(store.root, signature(store.root) if number % 2 else "") for _ in range(3)]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        assert held(store.root) == fresh(store.root, tmp_path)
        assert len(list((store.root / "search").glob("*.db"))) == 1


def test_an_index_names_the_generation_that_it_holds_while_it_is_read(store: EmbeddedStore) -> None:
    """Readers beside a writer see one state: as many names as the generation that they read has."""
    root = store.root

    def read(_: int) -> None:
        until = time.monotonic() + 3
        while time.monotonic() < until:
            path = path_of(root)
            assert path
            rows = index.connect(path)
            rows.execute("BEGIN")
            generation = index.state_of(rows).generation
            count = rows.execute("SELECT count(*) FROM words WHERE words MATCH '\"novelty\"'").fetchone()[0]
            rows.close()
            assert count == generation - 1

    with ThreadPoolExecutor(3) as threads:
        reading = [threads.submit(read, number) for number in range(3)]
        source = source_of(root)
        while not all(each.done() for each in reading):
            change(store, named("theme", f"n{store.generation}", "Novelty"))
            brought_up(root, source)
        for each in reading:
            each.result()
    assert generations.current(root) > 2
