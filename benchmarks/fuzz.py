"""Sends a service what nobody should send, and sees that it says no, in time, and stays whole.

    python benchmarks/fuzz.py [--minutes 5] [--seed 1] [--doors sparql,store] [--pure guard,splitter] [--keep FOLDER]
    python benchmarks/fuzz.py --atheris guard --minutes 5       # led by what is run of the code; needs atheris

Half of the time goes to a real service over HTTP, in a process of its own, with its readers, half to functions that
read what others wrote in the process that serves everybody. What is held to be wrong:

- an answer of 5xx other than 503, 504 and 507, a 503 that blames the store, an error that is no problem+json;
- no answer, or none within the deadline; a line in the service's log that an error left behind;
- a service that is not ready at the end, more processes than at the beginning, readers that are still at work;
- another graph than the one that the token may change, or one that breaks the shapes where it did not before;
- of a function: another error than ours, more than five seconds of processor time; of the splitter: another change than
  the engine's.

Prints how many cases there were, their statuses, the longest time, and each fault with what repeats it; exit code 1
when there was any. Each case depends on the seed, the door and its number alone.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import http.client
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil

from benchmarks.functions import PURE
from benchmarks.hostile import DOORS, OWN, Sent, spoilt
from kg_service import resources
from kg_service.access.tokens import Tokens
from kg_service.errors import KgError
from kg_service.shacl import load_shapes, validate
from kg_service.store.embedded import snapshot

#: Seconds that a query may take, reading a table may take, a query may wait; and those after which no answer came: a
#: process that validates may take a minute to start, on a machine that has other work.
_QUERY, _TABLE, _QUEUE, _HANGS = 2.0, 10.0, 2.0, 75.0
#: Seconds within which the service must be ready, before and after.
_STARTS = 180.0
#: Seconds of processor time that a function may take.
_SLOW = 5.0
_ALLOWED = {503, 504, 507}
_OPERATOR = "operator-of-the-fuzzed-service-0123456789"


@dataclass
class Figures:
    """What was seen of one door or function."""

    name: str
    cases: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    faults: list[str] = field(default_factory=list)

    def line(self) -> str:
        told = "  ".join(f"{status}: {number}" for status, number in sorted(self.statuses.items()))
        return f"{self.name:10} {self.cases:8,}  longest {self.longest:6.2f} s  faults {len(self.faults)}  {told}"


class Service:
    """A service over a small world, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "store"
        (folder / "data").mkdir()
        shutil.copy(resources.folder("ontology").parent / "tests" / "data" / "village.ttl", folder / "data")
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.log = (folder / "log").open("w+b")
        limits = {"QUERY_SECONDS": _QUERY, "QUERY_SECONDS_WITH_TOKEN": _TABLE, "QUEUE_SECONDS": _QUEUE}
        limits |= {"QUERY_MEMORY": 512 * 2**20, "MAX_BODY_BYTES": 4 * 2**20, "TRUSTED_HOPS": 1, "CLIENT_SECONDS": 1e6}
        told = {f"KG_{name}": str(value) for name, value in limits.items()}
        told |= {"KG_STORE": str(self.store), "KG_DATA": str(folder / "data"), "KG_TOKEN": _OPERATOR, "KG_LOG": "json"}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KG_")}
        command = [sys.executable, "-m", "kg_service", "serve", "--port", str(self.port)]
        self.process = subprocess.Popen(command, env=kept | told, stderr=self.log, stdout=self.log)
        here = f"http://127.0.0.1:{self.port}"
        self.web = httpx.Client(base_url=here, headers={"origin": here}, timeout=60)
        self.mark = self.cookie = self.token = ""

    def __enter__(self) -> Service:
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        self.web.close()

    def _begin(self) -> None:
        """Waits until it is ready, remembers what is there, and signs in."""
        self._until_ready()
        self.before, self.violations = self._state()
        _, self.token = Tokens(self.store).create("fuzz", ["contribute"], [OWN], None)
        self.processes = len(psutil.Process(self.process.pid).children(recursive=True))
        self.web.post("/sign-in", data={"token": _OPERATOR, "author": "fuzz"})
        (self.mark,) = set(re.findall(r'name="mark" value="([^"]+)"', self.web.get("/tables").text))
        self.cookie = "; ".join(f"{name}={value}" for name, value in self.web.cookies.items())

    def _until_ready(self) -> None:
        until = time.monotonic() + _STARTS
        while time.monotonic() < until and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if self.web.get("/health/ready").status_code == 200:
                    return
            time.sleep(0.1)
        raise RuntimeError("the service is not ready; its log is in " + str(self.folder))

    def _state(self) -> tuple[frozenset[str], int]:
        """What is in the graphs that the token may not change, and how often the whole breaks the shapes."""
        with snapshot(self.store) as data:
            # The default graph has what all others have, so it is left out here.
            others = frozenset(str(each) for each in data if str(each.graph_name) not in ("DEFAULT", f"<{OWN}>"))
            report = validate(data, load_shapes(resources.folder("shapes")))
        return others, report.counts.get("Violation", 0)

    def ended(self) -> list[str]:
        """Ends the service; what is wrong with what it leaves."""
        faults = []
        try:
            self._until_ready()
        except RuntimeError as error:
            faults.append(str(error))
        until = time.monotonic() + _STARTS
        while (more := self._at_work()) and time.monotonic() < until:
            time.sleep(0.5)
        faults += [more] if more else []
        self.process.terminate()
        if self.process.wait(60) != 0:
            faults.append(f"the service ended with {self.process.returncode}")
        self.log.seek(0)
        log = self.log.read().decode("utf-8", "replace")
        faults += [f"the log has an error: {line[:3000]}" for line in log.splitlines() if "Traceback" in line][:20]
        others, violations = self._state()
        if others != self.before:
            faults.append(f"other graphs were changed: {sorted(others ^ self.before)[:3]}")
        if violations > self.violations:
            faults.append(f"the graph breaks the shapes {violations} times, {self.violations} before")
        return faults

    def _at_work(self) -> str:
        """What is not as it was before anything was sent; empty when all is."""
        found = self.web.get("/metrics", headers={"authorization": f"Bearer {_OPERATOR}"}).text
        figures = dict(re.findall(r"^(kg_(?:readers|queries|changes_waiting)\S*) (\S+)$", found, re.MULTILINE))
        busy = {name: value for name, value in figures.items() if re.search("busy|waiting|quick|heavy|paused", name)}
        if any(float(value) for value in busy.values()):
            return f"something is still at work: {busy}"
        processes = len(psutil.Process(self.process.pid).children(recursive=True))
        # What measures networks, judges documents and counts stays for the next one.
        return f"{processes} processes, {self.processes} before" if processes > self.processes + 10 else ""


def asked(service: Service, sent: Sent) -> tuple[int, str, bytes]:
    """The status, media type and body of the answer; status 0 where the connection was closed without one."""
    if sent.who == "token":
        sent.headers.setdefault("authorization", f"Bearer {service.token}")
    elif sent.who == "session":
        here = f"127.0.0.1:{service.port}"
        sent.headers |= {"cookie": service.cookie, "origin": f"http://{here}", "host": here}
        sent.body = sent.body.replace(b"MARK", service.mark.encode(), 1)
    with socket.create_connection(("127.0.0.1", service.port), timeout=_HANGS) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(sent.bytes())
        if sent.raw:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection, method=sent.method)
        try:
            answer.begin()
            return answer.status, answer.headers.get("content-type", ""), answer.read()
        except (http.client.HTTPException, ConnectionError):
            return 0, "", b""


def wrong(sent: Sent, status: int, media_type: str, body: bytes) -> str:
    """What is wrong with an answer; empty when nothing is."""
    if status == 0:
        return "" if sent.raw else "no answer"
    if status >= 500 and status not in _ALLOWED:
        return f"status {status}: {body[:600]!r}"
    if status < 400 or sent.method == "HEAD" or sent.raw or "html" in media_type:
        return ""
    if not media_type.startswith("application/problem+json"):
        return (
            ""
            if "/reconcile" in sent.path or media_type.startswith("text/")
            else f"{status} is no problem: {media_type}"
        )
    problem = json.loads(body)
    is_told = problem["status"] == status and problem["title"] and isinstance(problem["detail"], str)
    if not is_told or problem["type"].endswith(("/store-error", "/store-damaged")):
        return f"a strange problem: {body[:600]!r}"
    return ""


def over_http(service: Service, names: Sequence[str], seed: int, until: float, most: int) -> list[Figures]:
    """Asks each door in turn, two at the same time, until that moment or so often."""
    found = {name: Figures(name) for name in names}
    numbers, lock = iter(range(most)), threading.Lock()

    def work() -> None:
        while time.monotonic() < until:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            for name in names:
                one(found[name], name, number)

    def one(figures: Figures, name: str, number: int) -> None:
        sent = DOORS[name](random.Random(f"{seed} {name} {number}"))
        began = time.monotonic()
        try:
            status, media_type, body = asked(service, sent)
            fault = wrong(sent, status, media_type, body)
        except TimeoutError:
            status, fault = -1, f"no answer within {_HANGS:g} s"
        except OSError as error:
            status, fault = -2, f"no connection: {error}"
        with lock:
            figures.cases += 1
            figures.statuses[str(status) if status > 0 else {0: "closed", -1: "hangs", -2: "away"}[status]] += 1
            figures.longest = max(figures.longest, time.monotonic() - began)
            if fault:
                figures.faults.append(f"{fault}; case {seed} {name} {number}: {sent.bytes()[:400]!r}")
                print(f"FAULT {figures.faults[-1][:300]}", file=sys.stderr, flush=True)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    return list(found.values())


def in_process(name: str, seed: int, until: float, most: int) -> Figures:
    """Calls a function until that moment or so often."""
    function, makes = PURE[name]
    good, figures = makes(), Figures(name)
    while time.monotonic() < until and figures.cases < most:
        chance = random.Random(f"{seed} {name} {figures.cases}")
        data = spoilt(chance, chance.choice(good), good)
        faulthandler.dump_traceback_later(300, exit=True)  # whatever does not come back is told with its place
        began, outcome = time.process_time(), "taken"
        try:
            function(data)
        except KgError:
            outcome = "refused"
        except Exception as error:
            outcome = "failed"
            figures.faults.append(f"{error!r:.600}; case {seed} {name} {figures.cases}: {data[:400]!r}")
        seconds = time.process_time() - began
        faulthandler.cancel_dump_traceback_later()
        if seconds > _SLOW:
            figures.faults.append(f"took {seconds:.1f} s; case {seed} {name} {figures.cases}: {data[:400]!r}")
        figures.cases += 1
        figures.statuses[outcome] += 1
        figures.longest = max(figures.longest, seconds)
    return figures


def led(name: str, seconds: int, seed: int) -> None:
    """Has atheris look for what a function does not stand; ends the process."""
    import atheris

    function, makes = PURE[name]
    atheris.instrument_all()

    def once(data: bytes) -> None:
        with contextlib.suppress(KgError):
            function(data)

    with TemporaryDirectory() as folder:
        for number, good in enumerate(makes()):
            (Path(folder) / str(number)).write_bytes(good)
        told = [sys.argv[0], f"-max_total_time={seconds}", f"-seed={seed}", "-max_len=4096", "-timeout=60", folder]
        atheris.Setup(told, once)
        atheris.Fuzz()


@contextlib.contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep:
        keep.mkdir(parents=True)
        yield keep
        return
    with TemporaryDirectory() as made:
        yield Path(made)


def run(doors: Sequence[str], pure: Sequence[str], *, seconds: float, seed: int, most: int, keep: Path | None) -> Any:
    """The figures of each door and function, and what is wrong with what the service left."""
    found, faults = [], list[str]()
    share = seconds / ((1 if doors else 0) + (1 if pure else 0) or 1)
    for name in pure:
        found.append(in_process(name, seed, time.monotonic() + share / len(pure), most))
    if doors:
        with _folder(keep) as folder, Service(folder) as service:
            found += over_http(service, doors, seed, time.monotonic() + share, most)
            faults = service.ended()
    return found, faults


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--cases", type=int, default=10**9, help="most cases of each door or function")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--doors", default=",".join(DOORS), help="some of: " + ", ".join(DOORS))
    parser.add_argument("--pure", default=",".join(PURE), help="some of: " + ", ".join(PURE))
    parser.add_argument("--keep", type=Path, help="a new folder for the store and the log of the service")
    parser.add_argument("--atheris", choices=list(PURE), help="look at this function alone, led by its code")
    told = parser.parse_args()
    if told.atheris:
        led(told.atheris, int(60 * told.minutes), told.seed)
    doors, pure = ([each for each in names.split(",") if each] for names in (told.doors, told.pure))
    seconds = 60 * told.minutes
    found, faults = run(doors, pure, seconds=seconds, seed=told.seed, most=told.cases, keep=told.keep)
    for each in found:
        print(each.line())
    for fault in [fault for each in found for fault in each.faults[:20]] + faults:
        print(f"\nFAULT {fault}")
    print(f"\n{sum(each.cases for each in found):,} cases, {sum(len(e.faults) for e in found) + len(faults)} faults")
    sys.exit(1 if faults or any(each.faults for each in found) else 0)


if __name__ == "__main__":
    main()
