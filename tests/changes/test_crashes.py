"""Kill -9 at random moments while changes are written: what was accepted is there, what was refused is not."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pyoxigraph import Quad

from kg_service.access.tokens import Tokens
from kg_service.changes import Committed, Proposal, commit_all
from kg_service.errors import StoreDamaged, StoreLocked
from kg_service.rdf import TRIG, TURTLE, parse_bytes
from kg_service.shacl import load_shapes, validate
from kg_service.shacl.gate import Gate
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, snapshot
from tests.changes.stream import SHAPES

STREAM = Path(__file__).with_name("stream.py")
#: `KG_KILLS=200` for the long run.
KILLS = int(os.environ.get("KG_KILLS", "12"))


def killed_after(root: Path, seed: int, seconds: float) -> list[list[str]]:
    """Lets the stream run for a while, ends it with SIGKILL; the verdicts that it told, word by word."""
    with subprocess.Popen(
        [sys.executable, str(STREAM), str(root), str(seed)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n", "the stream could not open the store"
        killing = threading.Timer(seconds, process.kill)
        killing.start()
        told = [line.split() for line in process.stdout if line.endswith("\n")]
        killing.join()
        return told


def values(root: Path) -> dict[str, str]:
    """What the published generation says of each thing."""
    with snapshot(root) as store:
        found = {str(q.subject): q.object.value for q in store.quads_for_pattern(None, None, None, None)}  # type: ignore[union-attr]
        assert len(store) == 2 * len(found), "the default graph holds each triple once"
    return found


@pytest.mark.slow
def test_after_a_kill_every_accepted_change_is_there_and_no_refused_one(tmp_path: Path) -> None:
    root, chance, shapes = tmp_path / "store", random.Random(11), load_shapes(list(parse_bytes(SHAPES, TURTLE)))
    last_told = refused = 0
    for number in range(KILLS):
        told = killed_after(root, number, chance.uniform(0.0, 0.6))
        refused += sum(verdict[0] == "refused" for verdict in told)
        with EmbeddedStore(root) as store:
            entries = {entry.number: entry for entry in store.log.entries(limit=1_000_000)}
            assert sorted(entries) == list(range(1, len(entries) + 1)), "no number is missing or used twice"
            for verdict, *what in told:
                if verdict.isdigit():
                    last_told = int(verdict)
                    assert entries[last_told].note == " ".join(what)
            assert last_told <= len(entries) <= last_told + 4, "at most the changes of one generation were not told"
            assert all(entry.generation <= store.generation for entry in entries.values())
            state: set[Quad] = set()
            for patch in store.log.between(0, store.generation):
                state = state - patch.delta.removed | patch.delta.added
            assert state == set(store.quads()), "the log and the data tell the same"
            assert not validate(store.working, shapes).results
        assert all(int(value) <= 99 for value in values(root).values())
    assert refused or KILLS < 5, "nothing was refused, so nothing was shown"


def test_a_token_that_was_told_outlives_a_kill_and_its_file_is_never_half_written(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from kg_service.access.tokens import Tokens\n"
        "tokens = Tokens(Path(sys.argv[1]))\n"
        "for n in range(10**6): print(tokens.create(f'{sys.argv[2]} {n}', ['contribute'], None, None)[1], flush=True)"
    )
    told, chance = list[str](), random.Random(3)
    for number in range(6):
        command = [sys.executable, "-c", program, str(tmp_path), str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            told.append(process.stdout.readline().strip())
            killing = threading.Timer(chance.uniform(0.0, 0.2), process.kill)
            killing.start()
            told += [line.strip() for line in process.stdout if line.endswith("\n")]
            killing.join()
        tokens = Tokens(tmp_path)
        assert all(tokens.holder(text) for text in told)
        assert len(told) <= len(tokens.every()) <= len(told) + number + 1, "at most one of each process was not told"
    assert len(told) > 20


def test_two_processes_never_write_at_once(tmp_path: Path) -> None:
    root = tmp_path / "store"
    command = [sys.executable, str(STREAM), str(root), "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        with pytest.raises(StoreLocked, match="another process is writing"):
            EmbeddedStore(root)
        process.kill()
    EmbeddedStore(root).close()


def test_when_writing_fails_nothing_of_the_batch_is_there_and_the_next_one_is_served(tmp_path: Path) -> None:
    root, gate = tmp_path / "store", Gate(load_shapes(list(parse_bytes(SHAPES, TURTLE))))

    def proposal(number: int) -> Proposal:
        text = f"<urn:g> {{ <urn:s{number}> <urn:p> {number} }}".encode()
        return Proposal(lambda _: Delta(added=frozenset(parse_bytes(text, TRIG))))

    with EmbeddedStore(root) as store:
        commit_all(store, [proposal(1)], gate)
        (root / "generations" / "2").mkdir()  # where the next checkpoint cannot be written then
        outcomes = commit_all(store, [proposal(2), proposal(3)], gate)
        assert [type(outcome) for outcome in outcomes] == [StoreDamaged, StoreDamaged]
        assert (store.generation, len(list(store.quads())), store.log.last_number()) == (1, 1, 1)
        (outcome,) = commit_all(store, [proposal(4)], gate)
        assert isinstance(outcome, Committed)
        assert (outcome.generation, outcome.change) == (2, 2)
        assert sorted(q.object.value for q in store.quads()) == ["1", "4"]  # type: ignore[union-attr]
