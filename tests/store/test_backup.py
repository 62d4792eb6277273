"""Backups: made while a service writes, whole or not there, and restored as what they were."""

from __future__ import annotations

import itertools
import json
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg_service.changes import Proposal, commit_all, earlier, history
from kg_service.changes.restoring import restore
from kg_service.errors import AlreadyThere, NotFound, StoreDamaged, StoreLocked
from kg_service.reports import Inbox, Report
from kg_service.shacl import load_shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, backup, generations
from kg_service.store.embedded import EmbeddedStore, snapshot
from kg_service.store.log import log_of
from tests.conftest import VILLAGE
from tests.serving import ready
from tests.test_cli import Kg

TOKEN = "token-of-the-backup-tests-0123456789abcdef"
UPDATE = "INSERT DATA {{ GRAPH <urn:g> {{ <urn:s{0}> <urn:p> {0} }} }}"


def quad(number: int, graph: str | None = "urn:g") -> Quad:
    where = NamedNode(graph) if graph else DefaultGraph()
    return Quad(NamedNode(f"urn:s{number}"), NamedNode("urn:p"), Literal(number), where)


def change(store: EmbeddedStore, added: set[Quad], removed: set[Quad] = frozenset()) -> None:  # type: ignore[assignment]
    delta = Delta(frozenset(added), frozenset(removed))
    (outcome,) = commit_all(store, [Proposal(lambda _: delta)], Gate(load_shapes([])))
    assert not isinstance(outcome, Exception), outcome


def content(root: Path) -> set[str]:
    with snapshot(root) as store:
        return {str(each) for each in store}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[set[str]]]:
    """A store of five generations, and what each held: a triple moves, and another is the default graph's own."""
    root, found = tmp_path_factory.mktemp("built") / "store", [set[str]()]
    with EmbeddedStore(root) as store:
        for added, removed in (
            ({quad(1), quad(2), quad(3, None)}, set()),
            ({quad(1, "urn:h"), quad(3, "urn:h")}, {quad(1)}),
            ({quad(4)}, {quad(2), quad(3, "urn:h")}),
            ({quad(3), quad(4, None)}, {quad(3, None)}),
            ({quad(n) for n in range(100, 110)}, {quad(4)}),
        ):
            change(store, added, removed)
            found.append({str(each) for each in store.working})
    return root, found


@pytest.fixture
def root(built: tuple[Path, list[set[str]]], tmp_path: Path) -> Path:
    shutil.copytree(built[0], tmp_path / "store")
    return tmp_path / "store"


def test_a_backup_is_what_the_store_was_and_says_so(root: Path, tmp_path: Path) -> None:
    (root / "tokens.json").write_text("{}")
    (root / "tokens.json").chmod(0o640)
    (root / "search").mkdir()
    made = backup.make(root, tmp_path / "backups")
    again = backup.make(root, tmp_path / "backups")
    assert made.path != again.path
    assert sorted(path.name for path in (tmp_path / "backups").iterdir()) == sorted([made.path.name, again.path.name])
    assert content(made.path) == content(root)
    assert (made.manifest.generation, made.manifest.changes) == (5, 5)
    assert made.manifest.quads + made.manifest.triples == len(content(root))
    assert (made.path / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert not (made.path / "search").exists()
    assert backup.verified(made.path).manifest == made.manifest, "reading it has not changed it"


@pytest.mark.parametrize("file", ["changes.db", "current", "manifest.json", "format"])
@pytest.mark.parametrize("how", ["cut", "gone", "other"])
def test_a_backup_that_is_not_whole_is_never_restored(root: Path, tmp_path: Path, file: str, how: str) -> None:
    made = backup.make(root, tmp_path / "backups")
    path = made.path / file
    before = path.read_bytes()
    match how:
        case "cut":
            path.write_bytes(before[:-2])
        case "gone":
            path.unlink()
        case "other":
            path.write_bytes(before[: len(before) // 2] + b"\x00" + before[len(before) // 2 + 1 :])
    with pytest.raises((StoreDamaged, NotFound)):
        restore(made.path, tmp_path / "other", union=True, author="me")
    assert not (tmp_path / "other").exists()


def test_a_table_file_that_lost_a_bit_is_found(root: Path, tmp_path: Path) -> None:
    made = backup.make(root, tmp_path / "backups")
    table = next(made.path.glob("generations/5/*.sst"))
    text = bytearray(table.read_bytes())
    text[len(text) // 2] ^= 1
    table.unlink()
    table.write_bytes(text)
    with pytest.raises(StoreDamaged, match="is not what it was"):
        backup.verified(made.path)


def test_restored_elsewhere_it_goes_on_as_another_history(root: Path, tmp_path: Path) -> None:
    backup.make(root, tmp_path / "backups")
    other = tmp_path / "other"
    done = restore(tmp_path / "backups", other, union=True, author="me")
    assert (done.restored, done.generation, done.undone) == (5, 6, 0)
    assert content(other) == content(root)
    assert sorted(path.name for path in other.iterdir()) == [
        "changes.db",
        "current",
        "format",
        "generations",
        "writer.lock",
    ]
    with EmbeddedStore(other) as store:
        change(store, {quad(7)})
        assert store.generation == 7
    with log_of(root, None) as one, log_of(other, None) as two:
        assert history.lineage(one) != history.lineage(two), "both may have a generation 6"
        assert [entry.number for entry in two.entries(limit=10)] == [7, 6, 5, 4, 3, 2, 1]
        assert "restored the backup of generation 5" in two.entries(limit=10)[1].note


@pytest.mark.parametrize("generation", [1, 2, 3, 4])
def test_an_earlier_generation_comes_back_and_the_log_still_tells_all(
    root: Path, built: tuple[Path, list[set[str]]], tmp_path: Path, generation: int
) -> None:
    backup.make(root, tmp_path / "backups")
    done = restore(tmp_path / "backups", root, union=True, generation=generation, replace=True, author="me")
    assert (done.generation, done.undone) == (6, 5 - generation)
    assert content(root) == built[1][generation]
    with log_of(root, None) as log, log_of(built[0], None) as before:
        assert history.lineage(log) == history.lineage(before), "nothing was lost, so it is the same history"
        assert [entry.reverts for entry in log.entries(limit=5 - generation)] == list(range(generation + 1, 6))
    earlier.make(root, 5, tmp_path / "again", union=True)
    assert content(tmp_path / "again") == built[1][5], "and the way back is open"


def test_numbers_go_on_above_what_is_replaced_and_what_is_lost_has_no_contents(root: Path, tmp_path: Path) -> None:
    backup.make(root, tmp_path / "backups")
    with EmbeddedStore(root) as store:
        for number in range(20, 24):
            change(store, {quad(number)})
        whose = history.lineage(store.log)
    done = restore(tmp_path / "backups", root, union=True, replace=True, author="me")
    assert done.generation == 10, "after 9 generations"
    with log_of(root, None) as log:
        assert log.last_number() == 10
        assert history.lineage(log) != whose
        assert history.generation_named(log, f"https://w3id.org/sse-kg/id/generation/7-{whose}") is None
        for generation in (6, 9):
            with pytest.raises(NotFound, match="lost"):
                log.following(generation, limit=1)
        with pytest.raises(NotFound, match="lost"):
            history.difference(log, 7, 10)
        assert [entry.generation for entry in log.following(5, limit=9)] == [10]
    assert not list(root.glob("replaced-*")) + list(root.glob("scratch-*"))
    for lost in ("current", "changes.db"):
        (root / lost).write_bytes(b"\x00many")
    done = restore(tmp_path / "backups", root, union=True, replace=True, author="me")
    assert done.generation == 11, "although the store was damaged"


def test_what_is_there_is_replaced_on_demand_only_and_never_under_a_process(root: Path, tmp_path: Path) -> None:
    backup.make(root, tmp_path / "backups")
    with pytest.raises(AlreadyThere, match="--replace"):
        restore(tmp_path / "backups", root, union=True, author="me")
    with EmbeddedStore(root), pytest.raises(StoreLocked, match="stop it first"):
        restore(tmp_path / "backups", root, union=True, replace=True, author="me")
    with snapshot(root), pytest.raises(StoreLocked, match="stop it first"):
        restore(tmp_path / "backups", root, union=True, replace=True, author="me")
    for folder in (root / "backups", root):
        with pytest.raises(AlreadyThere, match="belong elsewhere"):
            backup.make(root, folder)
    with pytest.raises(NotFound, match="no backup of generation 9"):
        restore(tmp_path / "backups", tmp_path / "other", union=True, generation=9, author="me")
    with pytest.raises(NotFound, match="no store"):
        backup.make(tmp_path / "nothing", tmp_path / "backups")
    assert generations.current(root) == 5


def test_a_token_that_was_revoked_stays_so(root: Path, tmp_path: Path) -> None:
    (root / "tokens.json").write_text("then")
    backup.make(root, tmp_path / "backups")
    (root / "tokens.json").write_text("now")
    restore(tmp_path / "backups", root, union=True, replace=True, author="me")
    assert (root / "tokens.json").read_text() == "now"
    restore(tmp_path / "backups", tmp_path / "other", union=True, author="me")
    assert (tmp_path / "other" / "tokens.json").read_text() == "then"


def test_what_readers_reported_is_in_the_copy_and_outlives_its_return(root: Path, tmp_path: Path) -> None:
    def report(words: str) -> Report:
        return Report(generation=5, language="en", kind="wrong", about="urn:a", words=words)

    inbox = Inbox(root, 10)
    inbox.put(report("then"))
    (root / "reports.db").chmod(0o600)
    made = backup.make(root, tmp_path / "backups")
    assert stat.S_IMODE((made.path / "reports.db").stat().st_mode) == 0o600
    inbox.put(report("since"))
    restore(tmp_path / "backups", root, union=True, replace=True, author="me")
    assert [kept.report.words for kept in Inbox(root, 10).every()] == ["then", "since"]
    restore(tmp_path / "backups", tmp_path / "other", union=True, author="me")
    assert [kept.report.words for kept in Inbox(tmp_path / "other", 10).every()] == ["then"]


def test_a_large_change_is_undone_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kg_service.changes.earlier._TOGETHER", 7)
    root = tmp_path / "store"
    with EmbeddedStore(root) as store:
        change(store, {quad(n) for n in range(50)} | {quad(60, None)})
        before = {str(each) for each in store.working}
        change(store, {quad(n, "urn:h") for n in range(30)} | {quad(60, "urn:h")}, {quad(n) for n in range(10, 50)})
    backup.make(root, tmp_path / "backups")
    restore(tmp_path / "backups", root, union=True, generation=1, replace=True, author="me")
    assert content(root) == before


# A service, and processes that are killed


@pytest.fixture
def kg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kg:
    (tmp_path / "data").mkdir()
    shutil.copy(VILLAGE, tmp_path / "data")
    monkeypatch.setenv("KG_TOKEN", TOKEN)
    return Kg(tmp_path / "store", tmp_path / "data")


def started(kg: Kg, *arguments: str | Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kg_service", *map(str, arguments)]
    return subprocess.Popen(command, env=kg.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def told_by(kg: Kg, *arguments: str | Path) -> Any:
    done = kg(*arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_service_is_backed_up_while_it_writes_and_restored_elsewhere(kg: Kg, tmp_path: Path) -> None:
    stopped, told = threading.Event(), list[int]()
    headers = {"Authorization": f"Bearer {TOKEN}"}

    def write(url: str) -> None:
        with httpx.Client(base_url=url, headers=headers, timeout=60) as client:
            for number in itertools.count():
                if stopped.is_set():
                    return
                answer = client.post("/update", data={"update": UPDATE.format(number)})
                assert answer.is_success, answer.text
                told.append(number)

    with kg.serving() as (_, url):
        ready(url)
        writing = threading.Thread(target=write, args=(url,))
        writing.start()
        try:
            while not told:
                time.sleep(0.01)
            before, made, after = len(told), told_by(kg, "backup", tmp_path / "backups"), len(told) + 1
        finally:
            stopped.set()
            writing.join()
        assert after > before + 1, "nothing was written meanwhile, so nothing was shown"
        refused = kg("restore", tmp_path / "backups", "--replace")
        assert (refused.returncode, "stop it first" in refused.stderr) == (2, True), refused.stderr
        triples = httpx.get(f"{url}/health/ready").json()["triples"]
    other = Kg(tmp_path / "other", kg.data)
    done = told_by(other, "restore", tmp_path / "backups", "--author", "me")
    assert (done["generation"], done["quads"]) == (made["generation"] + 1, made["quads"])
    held = content(other.store)
    values = [number for number in told if str(quad(number)) in held]
    assert values == list(range(len(values))), "all up to one, and none after it"
    assert before <= len(values) <= after
    with log_of(other.store, made["generation"]) as log:
        assert log.entries(limit=1)[0].generation == made["generation"], "the log reaches as far as the data"
    with other.serving() as (_, url):
        assert ready(url).json()["triples"] == triples - len(told) + len(values)
        assert httpx.post(f"{url}/update", data={"update": UPDATE.format(-1)}, headers=headers).is_success


def test_a_killed_backup_leaves_nothing_that_looks_like_one(kg: Kg, root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    for wait in (0.0, 0.02):
        with started(kg, "backup", folder) as process:
            while process.poll() is None and not list(folder.glob(".part-*")):
                time.sleep(0.001)
            time.sleep(wait)
            process.kill()
        for path in folder.iterdir():
            if not path.name.startswith(".part-"):
                backup.verified(path)
    if not [path for path in folder.iterdir() if not path.name.startswith(".part-")]:
        with pytest.raises(NotFound, match="no backup"):
            backup.chosen(folder, None)
    backup.make(root, folder)
    assert not list(folder.glob(".part-*")), "the next one cleans up"


KILLED = """
import os, signal, sys
from pathlib import Path
from kg_service.changes.restoring import restore

left, rename = int(sys.argv[3]), Path.rename

def dying(path, target):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return rename(path, target)

Path.rename = dying
restore(Path(sys.argv[1]), Path(sys.argv[2]), union=True, replace=True, author="me")
"""


def test_a_restore_that_is_killed_can_be_done_again(root: Path, tmp_path: Path) -> None:
    """The process dies before the n-th file is put in its place; in between nobody takes for a store what is none."""
    (root / "tokens.json").write_text("then")
    made = backup.make(root, tmp_path / "backups")
    (root / "tokens.json").write_text("now")
    with EmbeddedStore(root) as store:
        change(store, {quad(50)})
    before, last = content(root), 6
    for step in (0, 3, 7):
        command = [sys.executable, "-c", KILLED, str(made.path), str(root), str(step)]
        code = subprocess.run(command, capture_output=True, timeout=60).returncode
        assert code == -signal.SIGKILL
        with pytest.raises(StoreDamaged, match="run `kg restore` with --replace again"):
            EmbeddedStore(root)
    assert content(made.path) != before
    done = restore(made.path, root, union=True, replace=True, author="me")
    assert done.generation > last, "the numbers of what was moved aside count"
    assert content(root) == content(made.path)
    assert (root / "tokens.json").read_text() == "now", "a token that was revoked since was moved aside"
    assert not list(root.glob("replaced-*")) + list(root.glob("scratch-*"))
    EmbeddedStore(root).close()


def test_a_reader_that_comes_at_the_last_moment_keeps_the_store_as_it_is(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, before, touch = backup.make(root, tmp_path / "backups"), content(root), Path.touch
    leases: list[Any] = []

    def with_a_reader(path: Path, *more: Any, **how: Any) -> None:
        touch(path, *more, **how)
        if path.name == "restoring":
            leases.append(generations.hold(root, 5))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "touch", with_a_reader)
        with pytest.raises(StoreLocked, match="nothing was changed"):
            restore(made.path, root, union=True, replace=True, author="me")
    leases.pop().close()
    assert content(root) == before
    assert not list(root.glob("replaced-*")) + list(root.glob("scratch-*"))
    with EmbeddedStore(root) as store:
        change(store, {quad(60)})


def test_a_restore_that_is_killed_before_it_is_whole_has_changed_nothing(kg: Kg, root: Path, tmp_path: Path) -> None:
    made, before = backup.make(root, tmp_path / "backups"), content(root)
    with started(kg, "restore", made.path, "--replace") as process:
        while process.poll() is None and not list(root.glob("scratch-restore-*")):
            time.sleep(0.001)
        process.kill()
    if not generations.restoring(root).exists():
        assert content(root) == before
    restore(made.path, root, union=True, replace=True, author="me")
    assert content(root) == before


def test_another_engine_is_backed_up_by_its_own_means(kg: Kg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KG_QUERY_URL", "KG_UPDATE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/sparql")
    for command in ("backup", "restore"):
        done = kg(command, tmp_path / "backups", "--store", "sparql")
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert "by that engine's own means" in done.stderr
