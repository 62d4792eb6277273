"""What is left when processes are killed (SIGKILL) at random moments while they write.

    python -m benchmarks.crashes [--kills 60] [--commands 30]

Kills one of the processes of a service that several clients write to, over HTTP: the one that writes, another, or the
one that keeps them going; each accepted change must be there exactly once when it is started again. Then kills `kg
load`, `kg table`, `kg token create` and `kg backup` at random moments of their course: what they were to do is done
whole or not at all, data and log tell the same, and the same command works afterwards. Prints what was killed when,
and ends with 1 where something was lost, or is there by halves. (`KG_KILLS=500 ./kg test tests/changes/test_crashes.py`
kills the writer alone, some hundred times.)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil
from pyoxigraph import Quad

from benchmarks import generate
from benchmarks.engines import free_port
from benchmarks.generate import ROOT
from kg_service.store.embedded import EmbeddedStore

TOKEN = "benchmark-of-crashes-0123456789abcdef"
NOTE = "<http://www.w3.org/2004/02/skos/core#note>"
_KG = [sys.executable, "-P", "-m", "kg_service"]
_CLIENTS = 4


def environment(folder: Path) -> dict[str, str]:
    told = {"KG_STORE": str(folder / "store"), "KG_DATA": str(folder / "data"), "KG_TOKEN": TOKEN}
    return os.environ | told | {"PYTHONPATH": str(ROOT)}


def whole(root: Path) -> str | None:
    """What is wrong with a store that was left: data and log must tell the same."""
    with EmbeddedStore(root) as store:
        numbers = sorted(entry.number for entry in store.log.entries(limit=1_000_000))
        if numbers != list(range(1, len(numbers) + 1)):
            return f"numbers of changes: {numbers[:3]} … {numbers[-3:]}, {len(numbers)} in all"
        state: set[Quad] = set()
        for patch in store.log.between(0, store.generation):
            state = state - patch.delta.removed | patch.delta.added
        return None if state == set(store.quads()) else "the log and the data do not tell the same"


# A service that is written to


class Writing:
    """Clients that write one note after another, and remember what was accepted, and what they were told nothing of."""

    def __init__(self, url: str) -> None:
        self._url, self._stop = url, threading.Event()
        self.accepted, self.unknown, self.strange = set[str](), set[str](), Counter[str]()
        self._workers = [threading.Thread(target=self._write, args=(number,)) for number in range(_CLIENTS)]

    def __enter__(self) -> Writing:
        for worker in self._workers:
            worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for worker in self._workers:
            worker.join()

    def _write(self, number: int) -> None:
        client, count = httpx.Client(base_url=self._url, timeout=60), 0
        while not self._stop.is_set():
            count += 1
            text = f"{number} {count}"
            update = f'INSERT DATA {{ GRAPH <urn:notes> {{ <urn:thing> {NOTE} "{text}" }} }}'
            try:
                answer = client.post("/update", data={"update": update}, headers={"authorization": f"Bearer {TOKEN}"})
            except httpx.TransportError:
                self.unknown.add(text)
                client.close()
                client = httpx.Client(base_url=self._url, timeout=60)
                self._stop.wait(0.05)
                continue
            if answer.status_code == 200:
                self.accepted.add(text)
            elif answer.status_code == 503:
                self.unknown.add(text)
                self._stop.wait(0.05)
            else:
                self.strange[f"{answer.status_code} {answer.text[:200]}"] += 1
        client.close()


def _serving(folder: Path, port: int, processes: int) -> subprocess.Popen[bytes]:
    command = [*_KG, "serve", "--port", str(port), "--processes", str(processes)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, env=environment(folder), stderr=log, cwd=folder)
    _until(lambda: _answers(port), f"the service does not answer: {(folder / 'log').read_text()[-2000:]}")
    return process


def _answers(port: int) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=10).status_code == 200
    return False


def _until(holds: Callable[[], bool], otherwise: str) -> None:
    until = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.05)


def _processes(service: subprocess.Popen[bytes]) -> dict[str, int]:
    """The processes by what they do, as far as they run."""
    found = {"all": service.pid}
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(service.pid).children():
            for path in (str(each.laddr) for each in child.net_connections("unix")):
                if path.endswith(".http"):
                    found["the writer" if path.endswith("/0.http") else "another"] = child.pid
    return found


def service_killed(folder: Path, kills: int, chance: random.Random) -> list[str]:
    """Kills one process after the other under load; what is wrong afterwards."""
    port, killed = free_port(), Counter[str]()
    service = _serving(folder, port, 2)
    with Writing(f"http://127.0.0.1:{port}") as writing:
        for _ in range(kills):
            time.sleep(chance.uniform(0.2, 1.5))
            running = _processes(service)
            what = chance.choice([name for name in running if name != "all"] * 2 + ["all"])
            os.kill(running[what], signal.SIGKILL)
            killed[what] += 1
            if what == "all":
                service.wait()
                service = _serving(folder, port, 2)
            count = len(writing.accepted)
            _until(lambda count=count: len(writing.accepted) > count, "nothing is written any more")  # type: ignore[misc]
    service.send_signal(signal.SIGTERM)
    service.wait(60)
    told = ", ".join(f"{what} {number}" for what, number in sorted(killed.items()))
    print(f"a service, killed {kills} times ({told}): {len(writing.accepted):,} changes accepted, ", end="")
    with EmbeddedStore(folder / "store") as store:
        found = Counter(quad.object.value for quad in store.quads() if str(quad.subject) == "<urn:thing>")  # type: ignore[union-attr]
    lost, unasked = writing.accepted - set(found), set(found) - writing.accepted - writing.unknown
    print(
        f"{len(lost)} lost, {len(set(found) & writing.unknown)} of {len(writing.unknown)} made that were not confirmed"
    )
    wrong = [f"lost: {sorted(lost)[:5]}"] if lost else []
    wrong += [f"never asked for: {sorted(unasked)[:5]}"] if unasked else []
    wrong += [f"answers: {answer}" for answer in writing.strange]
    return wrong + [problem for problem in [whole(folder / "store")] if problem]


# Commands


def _rows(folder: Path) -> Path:
    file = folder / "rows.csv"
    if not file.exists():
        lines = [f"Cooperative number {n},cooperative,FR\n" for n in range(300)]
        file.write_text("name,kind,country\n" + "".join(lines), "utf-8")
    return file


def _triples(folder: Path) -> Path:
    file = folder / "world.nt"
    if not file.exists():
        file.write_text("\n".join(generate.triples(20_000)) + "\n", "utf-8")
    return file


def _changes(folder: Path) -> int:
    with EmbeddedStore(folder / "store") as store:
        return store.log.last_number()


def _tokens(folder: Path) -> int:
    path = folder / "store" / "tokens.json"
    return len(json.loads(path.read_bytes())["tokens"]) if path.exists() else 0


def _backups(folder: Path) -> int:
    """How many backups there are that can be restored, each verified by doing it."""
    count = 0
    for each in sorted((folder / "backups").glob("*")):
        target = folder / "restored"
        shutil.rmtree(target, ignore_errors=True)
        command = [*_KG, "restore", str(each), "--store", str(target)]
        done = subprocess.run(command, env=environment(folder), capture_output=True, text=True)
        if done.returncode == 0:
            assert whole(target) is None
            count += 1
    return count


#: What is killed: its arguments in a folder for the number of a run, and what grows by one when it is done.
COMMANDS: dict[str, tuple[Callable[[Path, int], list[str]], Callable[[Path], int]]] = {
    "kg load": (lambda folder, _: ["load", str(_triples(folder))], _changes),
    "kg table": (lambda folder, _: ["table", str(_rows(folder)), "--template", "organisations"], _changes),
    "kg token create": (lambda _, n: ["token", "create", f"Register {n}", "--scope", "contribute"], _tokens),
    "kg backup": (lambda folder, n: ["backup", str(folder / "backups" / str(n))], _backups),
}


def command_killed(folder: Path, name: str, times: int, chance: random.Random) -> list[str]:
    """Kills a command again and again, each time on the same store; what is wrong afterwards."""
    arguments, size = COMMANDS[name]
    first, wrong, outcomes, took = folder / "first", list[str](), Counter[str](), 0.0
    shutil.copytree(folder / "store", first)
    for number in range(times + 1):
        for path in (folder / "store", folder / "backups"):
            shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(first, folder / "store")
        (folder / "backups").mkdir()
        before, began = size(folder), time.monotonic()
        command = [*_KG, *arguments(folder, number)]
        process = subprocess.Popen(
            command, env=environment(folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        if number == 0:  # how long it takes when nobody kills it
            assert process.wait() == 0, f"{name} does not work"
            took = time.monotonic() - began
            continue
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(took * chance.uniform(0.4, 1.0))
        is_killed = process.poll() is None
        process.kill()
        process.wait()
        grown = size(folder) - before
        outcomes[f"{'killed' if is_killed else 'over'}, {'done' if grown else 'not done'}"] += 1
        if grown not in (0, 1) or (not is_killed and not grown):
            wrong.append(f"{name}: {grown} where it {'was killed' if is_killed else 'ended by itself'}")
        wrong += [f"{name}: {problem}" for problem in [whole(folder / "store")] if problem]
        again = [*_KG, *arguments(folder, times + number)]
        done = subprocess.run(again, env=environment(folder), capture_output=True, text=True)
        if done.returncode:
            wrong.append(f"{name}: afterwards it says {done.stderr[-300:]}")
    shutil.rmtree(first)
    print(f"{name}, {times} times: " + "; ".join(f"{what}: {n}" for what, n in sorted(outcomes.items())), flush=True)
    return wrong


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=60, help="of processes of a service")
    parser.add_argument("--commands", type=int, default=30, help="of each command")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance, wrong = random.Random(given.seed), list[str]()
    with tempfile.TemporaryDirectory(prefix="kg-crashes-") as name:
        folder = Path(name)
        (folder / "data").mkdir()
        (folder / "data" / "nothing.nt").write_text("")
        if given.kills:
            wrong += service_killed(folder, given.kills, chance)
        else:
            subprocess.run([*_KG, "load", str(_rows(folder).with_name("data"))], env=environment(folder), check=True)
        for command in COMMANDS if given.commands else ():
            wrong += command_killed(folder, command, given.commands, chance)
    for each in wrong:
        print("WRONG", each)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
