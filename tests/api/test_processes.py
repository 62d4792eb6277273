"""Several processes in front of one store: as one service, whichever of them answers, and whichever of them ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from kg_service.api.together import Together
from kg_service.settings import Settings
from kg_service.store.fairness import Budgets
from kg_service.store.part import Part
from tests.api.test_sparql import ENDLESS
from tests.conftest import ROOT, VILLAGE
from tests.serving import ready

TOKEN = {"authorization": "Bearer open sesame of several"}
CARE = "<https://w3id.org/sse-kg/id/theme/care>"
NOTE = "<http://www.w3.org/2004/02/skos/core#note>"


class Service:
    """`kg serve --processes 2` over a store of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        command = [sys.executable, "-P", "-m", "kg_service", "serve", "--processes", "2"]
        told = {"KG_STORE": str(folder / "store"), "KG_DATA": str(folder / "data"), "KG_QUICK_SECONDS": "0.05"}
        told |= {"KG_TOKEN": "open sesame of several", "KG_LOG_REQUESTS": "computed", "PYTHONPATH": str(ROOT)}
        self.log = (folder / "log").open("a")
        self.process = subprocess.Popen(
            [*command, "--port", self.url.rpartition(":")[2]], env=os.environ | told, stderr=self.log, cwd=folder
        )
        ready(self.url)

    def pids(self) -> list[int]:
        """The processes that answer, the writer first, once all of them run."""
        until = time.monotonic() + 30
        while True:
            found = {}
            for child in psutil.Process(self.process.pid).children():
                with contextlib.suppress(psutil.Error):
                    if "kg_service.processes" in child.cmdline():
                        found[child.create_time(), child.pid] = self._takes(child)
            takers = {number: pid for (_, pid), number in found.items() if number is not None}
            if sorted(takers) == [0, 1]:
                return [takers[0], takers[1]]
            assert time.monotonic() < until, "the processes do not run"
            time.sleep(0.05)

    @staticmethod
    def _takes(child: psutil.Process) -> int | None:
        """The number of a process, which the socket that it was given tells."""
        for path in (str(each.laddr) for each in child.net_connections("unix")):
            if path.endswith(".http"):
                return int(Path(path).stem)
        return None

    @contextlib.contextmanager
    def clients(self) -> Iterator[list[httpx.Client]]:
        """A client whose connection the writer took, and one of the other process."""
        pids, found = self.pids(), dict[int, httpx.Client]()
        until = time.monotonic() + 30
        with contextlib.ExitStack() as held:
            while len(found) < 2:
                assert time.monotonic() < until, "one process takes no connections"
                client = held.enter_context(httpx.Client(base_url=self.url, timeout=30, headers=TOKEN))
                stream = client.get("/health/live").extensions["network_stream"]
                address = stream.get_extra_info("client_addr")
                for pid in pids:
                    if any(each.raddr == address for each in psutil.Process(pid).net_connections("tcp")):
                        found.setdefault(pid, client)
            yield [found[pid] for pid in pids]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()
            self.log.close()


@pytest.fixture(scope="module")
def service(village: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("several")
    shutil.copytree(village.store, folder / "store")
    (folder / "data").mkdir()
    shutil.copy(VILLAGE, folder / "data")
    started = Service(folder)
    try:
        yield started
    finally:
        started.stop()


def insert(client: httpx.Client, text: str) -> httpx.Response:
    data = {"update": f'INSERT DATA {{ GRAPH <urn:g> {{ {CARE} {NOTE} "{text}"@en }} }}'}
    return client.post("/update", data=data, headers={"idempotency-key": text})


def notes(client: httpx.Client, prefix: str) -> Counter[str]:
    query = f'SELECT ?note {{ GRAPH <urn:g> {{ {CARE} {NOTE} ?note }} FILTER STRSTARTS(?note, "{prefix}") }}'
    rows = client.post("/sparql", data={"query": query}).raise_for_status().json()["results"]["bindings"]
    return Counter(row["note"]["value"] for row in rows)


def logged(client: httpx.Client) -> int:
    return int(client.get("/api/changes", params={"limit": 1}).json()["data"][0]["number"])


def test_who_wrote_sees_it_through_every_process(service: Service) -> None:
    with service.clients() as clients:
        before = 0
        for number in range(20):
            written = insert(clients[number % 2], f"seen {number}")
            assert written.status_code == 200, written.text
            assert written.headers.get_list("x-request-id", split_commas=True) == [written.headers["x-request-id"]]
            for client in clients:
                query = {"query": f'ASK {{ {CARE} {NOTE} "seen {number}"@en }}'}
                answer = client.get("/sparql", params=query)
                assert answer.json()["boolean"] is True
                generation = int(answer.headers["kg-generation"])
                assert generation >= max(before, written.json()["generation"])
                assert answer.headers["etag"].startswith(f'"{generation}-')
                before = generation


def test_changes_through_both_at_once_are_all_there_exactly_once(service: Service) -> None:
    with service.clients() as clients:
        before = logged(clients[0])
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda n: insert(clients[n % 2], f"many {n}"), range(200)))
        assert Counter(answer.status_code for answer in answers) == {200: 200}
        assert len({answer.json()["change"] for answer in answers}) == 200
        for client in clients:
            assert notes(client, "many ") == Counter(f"many {n}" for n in range(200))
            assert logged(client) == before + 200


def test_a_request_is_handed_on_whole_with_who_asks(service: Service) -> None:
    """A large body, a refusal, an odd address, an answer without a body, a header that only processes may send."""
    with service.clients() as (_, other):
        triples = "".join(f'<urn:s{n}> <{NOTE[1:-1]}> "é {n} {"x" * 100}" .\n' for n in range(5_000))
        put = other.put("/store?graph=urn:large", content=triples.encode(), headers={"content-type": "text/turtle"})
        assert put.status_code == 201, put.text
        assert (
            other.head("/store?graph=urn:large").headers["etag"] == other.get("/store?graph=urn:large").headers["etag"]
        )
        assert insert(other, '"').status_code == 400
        assert (
            other.post("/update", data={"update": "CLEAR ALL"}, headers={"authorization": "Bearer no"}).status_code
            == 401
        )
        assert other.post("/no/such%20place?q=%C3%A9|{}").status_code == 404
        forged = {"x-kg-between": "alone http 9.9.9.9", "authorization": "Bearer no"}
        assert other.get("/metrics", headers=forged).status_code == 401
        assert other.delete("/store?graph=urn:large").status_code == 204
        named = other.post("/update", data={"update": ""}, headers={"x-request-id": "named-by-client"})
        assert named.headers["x-request-id"] == "named-by-client"
    until, lines = time.monotonic() + 10, list[str]()
    while len(lines) < 2:  # told of by the process that took it and by the writer, after the answer was sent
        assert time.monotonic() < until, lines
        lines = [line for line in (service.folder / "log").read_text().splitlines() if "named-by-client" in line]
    assert len(lines) == 2
    assert all("127.0.0.1" in line or "token" in line for line in lines)


def test_who_signs_in_is_signed_in_at_every_process(service: Service) -> None:
    with service.clients() as clients:
        here = {"origin": service.url}
        signed = clients[1].post("/sign-in", data={"token": TOKEN["authorization"][7:], "author": "Ana"}, headers=here)
        assert signed.status_code == 303, signed.text
        cookie = {"cookie": signed.headers["set-cookie"].partition(";")[0], "accept": "text/html"}
        for client in clients:
            client.cookies.clear()
            assert ">Ana<" in client.get("/contribute", headers=cookie).text
            assert ">Ana<" not in client.get("/contribute", headers={"accept": "text/html"}).text


def test_running_queries_and_figures_are_those_of_all(service: Service) -> None:
    with service.clients() as clients, httpx.Client(base_url=service.url, timeout=30) as third:
        for asker, operator in ((clients[0], clients[1]), (clients[1], clients[0])):
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(asker.post, "/sparql", data={"query": ENDLESS})
                until = time.monotonic() + 10
                while not (found := operator.get("/api/running").json()["data"]):
                    assert time.monotonic() < until
                assert [each["text"] for each in found] == [ENDLESS]
                assert operator.delete(f"/api/running/{found[0]['id']}").status_code == 204
                assert (asked.result().status_code, asked.result().json()["detail"]) == (
                    503,
                    "an operator ended the query",
                )
        assert operator.delete("/api/running/none").status_code == 404
        families = text_string_to_metric_families(third.get("/metrics", headers=TOKEN).text)
        found = {(s.name, s.labels.get("process")): s.value for f in families for s in f.samples}
        assert {process for _, process in found} == {"0", "1"}
        assert found["kg_generation", "0"] == found["kg_generation", "1"]


def test_a_job_is_known_to_every_process(service: Service) -> None:
    with service.clients() as clients:
        clients[1].get("/api/networks/alliances/betweenness", params={"wait": 0})
        jobs = [client.get("/api/jobs").json()["data"] for client in clients]
        assert [job["id"] for job in jobs[0]] == [job["id"] for job in jobs[1]] != []


def test_a_process_that_is_killed_is_started_again_and_the_other_goes_on(service: Service) -> None:
    writer, other = service.pids()
    with service.clients() as clients:
        os.kill(other, signal.SIGKILL)
        assert insert(clients[0], "while one is gone").status_code == 200
        assert httpx.get(f"{service.url}/health/live").status_code == 200, "the one that is left takes new connections"
    again = service.pids()
    assert (again[0], again[1] != other) == (writer, True)
    with service.clients() as clients:
        assert notes(clients[1], "while one") == Counter(["while one is gone"])


def test_changes_outlive_the_process_that_writes(service: Service) -> None:
    accepted: set[str] = set()
    unknown: set[str] = set()
    stop = threading.Event()

    def write(client: httpx.Client, name: int) -> None:
        number = 0
        while not stop.is_set():
            text = f"killed {name} {number}"
            number += 1
            try:
                answer = insert(client, text)
            except httpx.TransportError:  # of one that the writer itself had taken
                unknown.add(text)
                continue
            if answer.status_code == 200:
                accepted.add(text)
            else:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) > 0
                unknown.add(text)

    with service.clients() as (_, other):
        before = logged(other)
        with ThreadPoolExecutor(4) as pool:
            writing = [pool.submit(write, other, name) for name in range(4)]
            for _ in range(2):
                time.sleep(0.4)
                os.kill(service.pids()[0], signal.SIGKILL)
                service.pids()
                count, until = len(accepted), time.monotonic() + 30
                while len(accepted) < count + 4:
                    assert time.monotonic() < until, "nothing is written after the writer was started again"
                    time.sleep(0.05)
            stop.set()
            for each in writing:
                each.result()
        for text in sorted(unknown):  # with the same key it is made once, whether it was made already or not
            assert insert(other, text).status_code == 200
        assert notes(other, "killed ") == Counter(accepted | unknown)
        assert logged(other) == before + len(accepted | unknown)
        assert other.get("/health/ready").json()["writing"] == "ready"


def test_a_writer_that_does_not_answer_is_told_by_ready(service: Service) -> None:
    with service.clients() as (_, other):
        writer = service.pids()[0]
        os.kill(writer, signal.SIGSTOP)
        try:
            answer = other.get("/health/ready")
            assert (answer.status_code, answer.json()["writing"]) == (200, "away")
        finally:
            os.kill(writer, signal.SIGCONT)
        assert other.get("/health/ready").json()["writing"] == "ready"


def test_told_to_end_they_lose_no_change_and_leave_no_process(service: Service) -> None:
    accepted: set[str] = set()
    strange: list[str] = []

    def write(client: httpx.Client, name: int) -> None:
        for number in range(10_000):
            try:
                answer = insert(client, f"ending {name} {number}")
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                accepted.add(f"ending {name} {number}")
            elif answer.status_code != 503:
                strange.append(answer.text)

    with service.clients() as clients, ThreadPoolExecutor(4) as pool:
        children = psutil.Process(service.process.pid).children(recursive=True)
        writing = [pool.submit(write, clients[name % 2], name) for name in range(4)]
        until = time.monotonic() + 30
        while len(accepted) < 20:
            assert time.monotonic() < until
            time.sleep(0.02)
        code = service.stop()
        for each in writing:
            each.result()
    assert (code, strange) == (0, [])
    assert not psutil.wait_procs(children, timeout=5)[1]
    log = (service.folder / "log").read_text()
    assert "Traceback" not in log, log
    started = Service(service.folder)
    service.process, service.url, service.log = started.process, started.url, started.log
    with started.clients() as clients:
        found = notes(clients[1], "ending ")
        assert accepted <= set(found)
        assert set(found.values()) == {1}


def test_what_a_client_used_at_one_process_counts_at_the_other(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def told() -> tuple[float, float]:
        folder = Path(os.path.realpath(tmp_path_factory.mktemp("n")))
        budgets, parts = [Budgets(60), Budgets(60)], [Part(number, 2, folder) for number in range(2)]
        with contextlib.ExitStack() as held:
            both = []
            for part, budget in zip(parts, budgets, strict=True):
                notes = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
                notes.bind(str(part.notes(part.number)))
                both.append(Together(part, notes))
                both[-1].share("requests", budget)
                both[-1].start()
            for number in range(1500):
                budgets[0].pay(f"client {number}", 61, time.monotonic())
            until = time.monotonic() + 10
            while not budgets[1].wait("client 1499", 0, time.monotonic()):
                assert time.monotonic() < until
                await asyncio.sleep(0.05)
            await asyncio.sleep(1.2)  # what was told is not told back
            waits = [budget.wait("client 1499", 0, time.monotonic()) for budget in budgets]
            for each in both:
                await each.close()
        return waits[0], waits[1]

    one, other = asyncio.run(told())
    assert 0 <= other - one + 0.001 < 1.5 or 0 <= one - other + 0.001 < 1.5


def test_shares_keep_to_what_was_set() -> None:
    shares = Settings(processes=3, readers=4, connections=4096, client_seconds=None).shared_out()
    assert (shares.readers, shares.connections, shares.client_seconds) == (1, 1365, 240)
    assert Settings(processes=8, readers=2).shared_out().readers == 1
