"""What a service tells of itself: figures, ids of requests, its log, whether it is ready, and how it stops."""

from __future__ import annotations

import io
import json
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from kg_service.api import logs
from kg_service.linked_data import judging
from kg_service.settings import Settings
from kg_service.store.remote import Endpoint
from tests.api.test_sparql import ENDLESS, ask
from tests.conftest import VILLAGE, remote_settings
from tests.serving import ready, running
from tests.test_cli import BROKEN, GOOD

TOKEN = {"authorization": "Bearer secret"}
UPDATE = {**TOKEN, "content-type": "application/sparql-update"}
TURTLE = {**TOKEN, "content-type": "text/turtle"}
Figures = dict[tuple[str, ...], float]


def figures(client: httpx.Client) -> Figures:
    """Each figure by its name and the values of its labels."""
    answer = client.get("/metrics", headers=TOKEN)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(answer.text)
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def since(client: httpx.Client, before: Figures, *names: str, more: float = 1) -> float:
    """By how much a figure has grown, once it has grown by so much: some are counted after an answer was sent."""
    until = time.monotonic() + 10
    while (grown := figures(client).get(names, 0) - before.get(names, 0)) < more and time.monotonic() < until:
        time.sleep(0.02)
    return grown


@pytest.fixture(scope="module")
def own(village: Settings, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings over a copy of the village that may be written."""
    store = tmp_path_factory.mktemp("watched") / "store"
    shutil.copytree(village.store, store, ignore=shutil.ignore_patterns("judged*"))  # others may have had it judged
    few = {"store": store, "token": SecretStr("secret"), "quick_seconds": 0.05, "log_requests": "computed"}
    return village.model_copy(update=few)


@pytest.fixture(scope="module")
def watched(own: Settings) -> Iterator[httpx.Client]:
    with running(own) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, object]]]]:
    """What is logged meanwhile, as it is written."""
    written, logger = io.StringIO(), logging.getLogger("kg_service")
    to = logging.StreamHandler(written)
    to.setFormatter(logs.Json())
    was = logs.REQUESTS.level
    logs.REQUESTS.setLevel(logging.INFO)
    logger.addHandler(to)
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logger.removeHandler(to)
    logs.REQUESTS.setLevel(was)


def test_figures_are_for_operators_unless_they_are_for_everybody(watched: httpx.Client, village: Settings) -> None:
    assert watched.get("/metrics").status_code == 401
    with running(village.model_copy(update={"metrics": "open"})) as url:
        open_one = httpx.get(f"{url}/metrics")
        assert (open_one.status_code, "kg_generation 1.0" in open_one.text) == (200, True)
        # Two services in one process do not count what the other is asked.
        assert 'route="/metrics"' not in open_one.text
    assert ("kg_requests_total", "/metrics", "4xx") in figures(watched)


def test_whatever_is_asked_the_figures_stay_few(watched: httpx.Client) -> None:
    before = figures(watched)
    for number in range(30):
        for path in (f"/no/{number}", f"/page/theme/{number}", f"/api/events/{number}", f"/store/{number}"):
            watched.get(path)
    watched.request("BREW", "/api/events")
    after = figures(watched)
    assert sum(value - before.get(name, 0) for name, value in after.items() if name[0] == "kg_requests_total") >= 121
    routes = {name[1] for name in after if name[0] == "kg_requests_total"}
    assert {"none", "/page/{path:path}", "/api/events/{slug:path}"} <= routes
    assert not [route for route in routes if re.search(r"\d", route)]
    assert since(watched, before, "kg_request_seconds_count", "/api/events/{slug:path}", more=30) == 30


def test_repeated_questions_are_counted_apart(watched: httpx.Client) -> None:
    before = figures(watched)
    for _ in range(5):
        assert ask(watched, "ASK { <urn:not> <urn:there> 1 }").status_code == 200
    assert since(watched, before, "kg_repeated_total", more=4) == 4
    assert since(watched, before, "kg_requests_total", "/sparql", "2xx") == 1
    assert since(watched, before, "kg_cache_hits_total", more=4) == 4
    assert since(watched, before, "kg_cache_misses_total") == 1
    assert figures(watched)["kg_cache_bytes",] > 0


def test_queries_that_were_ended_are_counted_by_why(watched: httpx.Client) -> None:
    before = figures(watched)
    assert ask(watched, ENDLESS, timeout="0.2").status_code == 504
    assert since(watched, before, "kg_queries_ended_total", "deadline") == 1
    with pytest.raises(httpx.ReadTimeout):
        watched.get("/sparql", params={"query": ENDLESS}, timeout=0.3)
    assert since(watched, before, "kg_queries_ended_total", "client left") == 1
    assert ask(watched, "SELECT nonsense").status_code == 400
    ended = {name[1]: n - before[name] for name, n in figures(watched).items() if name[0] == "kg_queries_ended_total"}
    assert {reason for reason, number in ended.items() if number} == {"deadline", "client left"}


def test_readers_and_what_waits_are_seen(watched: httpx.Client) -> None:
    asking = threading.Thread(target=lambda: ask(watched, ENDLESS, timeout="2"))
    asking.start()
    until = time.monotonic() + 10
    while figures(watched)["kg_queries", "heavy"] != 1:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert figures(watched)["kg_readers", "busy"] >= 1
    asking.join()
    now = figures(watched)
    assert now["kg_queries", "heavy"] == 0
    assert now["kg_readers", "idle"] >= 1
    assert now["kg_connections",] >= 1


def test_changes_are_counted_by_their_outcome_and_named_in_the_log(
    watched: httpx.Client, lines: Callable[[], list[dict[str, object]]]
) -> None:
    before = figures(watched)
    graph = {"graph": "https://w3id.org/sse-kg/graph/watched"}
    made = watched.post("/store", params=graph, content=GOOD, headers=TURTLE)
    assert made.status_code in (200, 201, 204), made.text
    assert watched.post("/store", params=graph, content=BROKEN, headers=TURTLE).status_code == 422
    assert watched.post("/store", params=graph, content=GOOD, headers=TURTLE).status_code in (200, 204)
    for outcome in ("accepted", "refused", "unchanged"):
        assert since(watched, before, "kg_changes_total", outcome) == 1, outcome
    assert since(watched, before, "kg_generation") == 1
    assert since(watched, before, "kg_gate_seconds_count", more=2) == 2
    assert since(watched, before, "kg_commit_seconds_sum", more=0.0001) > 0
    told = next(line for line in lines() if line.get("method") == "POST")
    assert told["change"] == int(made.headers["kg-change"])


def test_requests_have_ids_and_the_log_tells_no_secrets(
    watched: httpx.Client, lines: Callable[[], list[dict[str, object]]]
) -> None:
    text = "ASK { <urn:very> <urn:private> 'words' }"
    answer = watched.get("/sparql", params={"query": text}, headers={**TOKEN, "x-request-id": "of-the.client_1"})
    assert answer.headers["x-request-id"] == "of-the.client_1"
    for insane in ("short", "a" * 65, 'quote"quote', "two words here", "né-latin-1"):
        ours = watched.get("/api/events", headers=[(b"x-request-id", insane.encode("latin-1"))])
        assert re.fullmatch(r"[0-9a-f]{16}", ours.headers["x-request-id"])
    until = time.monotonic() + 10
    while len(lines()) < 6 and time.monotonic() < until:
        time.sleep(0.02)
    first = lines()[0]
    assert isinstance(first.pop("ms"), float)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(first.pop("time")))
    assert first == {
        "level": "info",
        "logger": "kg_service.requests",
        "message": "answered",
        "request": "of-the.client_1",
        "method": "GET",
        "route": "/sparql",
        "status": 200,
        "client": "token",
    }
    assert lines()[1]["client"] == "127.0.0.1"
    assert not re.search("secret|private|words", json.dumps(lines()))


def test_no_line_is_made_of_what_others_wrote() -> None:
    record = logging.LogRecord("x", logging.INFO, "", 0, "answered", (), None)
    record.about = {"client": "a\nb c", "route": "/api/{slug:path}"}
    assert logs.Text().format(record).endswith('INFO answered client="a\\nb c" route=/api/{slug:path}')
    assert "\n" not in logs.Json().format(record)


def test_what_failed_here_is_named_in_the_answer(tmp_path: Path) -> None:
    with running(Settings(store=tmp_path / "none")) as url:
        failed = httpx.get(f"{url}/health/ready", headers={"x-request-id": "look-it-up"})
        assert (failed.status_code, failed.json()["request"]) == (503, "look-it-up")
        assert "request" not in httpx.get(f"{url}/nowhere").json()


def test_ready_tells_the_last_outcome_and_judges_nothing(watched: httpx.Client, own: Settings) -> None:
    assert watched.get("/health/ready").json()["validation"] is None
    judging.judged_now(own)
    told = watched.get("/health/ready").json()
    assert told["validation"]["is_current"] is True
    assert told["validation"]["generation"] == told["generation"]
    assert told["validation"]["conforms"] is (told["validation"]["results"]["Violation"] == 0)
    assert figures(watched)["kg_validation_generation",] == told["generation"]
    adds = "INSERT DATA { GRAPH <https://w3id.org/sse-kg/graph/watched> { <urn:a> <urn:p> 1 } }"
    assert watched.post("/update", content=adds, headers=UPDATE).status_code in (200, 204)
    later = watched.get("/health/ready").json()
    assert later["generation"] == told["generation"] + 1
    assert later["validation"] == told["validation"] | {"is_current": False}


def test_a_service_on_another_engine_has_figures_too(servers: Callable[[str], Endpoint], tmp_path: Path) -> None:
    settings = remote_settings(servers("oxigraph"), tmp_path, token="secret")
    with running(settings) as url, httpx.Client(base_url=url, timeout=30) as client:
        assert ask(client, "ASK {}").status_code == 200
        made = client.post("/update", content="INSERT DATA { GRAPH <urn:g> { <urn:a> <urn:p> 1 } }", headers=UPDATE)
        assert made.status_code in (200, 204), made.text
        found = figures(client)
        assert found["kg_changes_total", "accepted"] == found["kg_commit_seconds_count",] == 1
        assert found["kg_requests_total", "/sparql", "2xx"] == 1
        assert client.post("/update", content="DROP ALL", headers=UPDATE).status_code in (200, 204)


def test_a_service_told_to_end_finishes_what_is_short_and_leaves_no_process(own: Settings, tmp_path: Path) -> None:
    shutil.copytree(own.store, tmp_path / "store")
    (tmp_path / "data").mkdir()
    shutil.copy(VILLAGE, tmp_path / "data")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    told = {"KG_STORE": str(tmp_path / "store"), "KG_DATA": str(tmp_path / "data"), "KG_QUICK_SECONDS": "0.05"}
    told |= {"KG_LOG": "json", "KG_LOG_REQUESTS": "all"}
    command = [sys.executable, "-m", "kg_service", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env=os.environ | told, stderr=subprocess.PIPE, text=True)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            ready(f"http://127.0.0.1:{port}")
            children = psutil.Process(process.pid).children(recursive=True)
            for _ in range(3):
                assert ask(client, "ASK {}").headers["x-request-id"]  # the one answered from memory as well
            answers: dict[str, httpx.Response] = {}

            def asked(name: str) -> None:
                # What the answer to the short one needs is there, and only its asker has been slow.
                body = b"SELECT * { ?s ?p ?o } LIMIT 3" if name == "short" else ENDLESS.encode()

                def slowly() -> Iterator[bytes]:
                    yield body
                    if name == "short":
                        process.send_signal(signal.SIGTERM)
                        time.sleep(0.5)
                    yield b"\n"

                kind = {"content-type": "application/sparql-query"}
                answers[name] = client.post("/sparql", content=slowly(), headers=kind)

            endless = threading.Thread(target=asked, args=("endless",))
            endless.start()
            time.sleep(0.5)
            asked("short")
            endless.join()
        _, written = process.communicate(timeout=30)
    finally:
        process.kill()
    assert answers["short"].status_code == 200
    assert (answers["endless"].status_code, answers["endless"].json()["detail"][:23]) == (
        503,
        "the service is stopping",
    )
    assert (process.returncode, "Traceback" in written) == (0, False), written
    assert not psutil.wait_procs(children, timeout=5)[1]
    logged = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert [line["status"] for line in logged if line.get("route") == "/sparql"].count(200) == 4
    assert written.rstrip().endswith("stopped")
