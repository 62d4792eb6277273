"""Traces: what a request goes through is sent as spans to a collector, where one is named; else nothing is loaded."""

from __future__ import annotations

import http.server
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pydantic import SecretStr

from kg_service.settings import Settings
from kg_service.store.remote import Endpoint
from tests.api.test_sparql import ENDLESS, ask
from tests.conftest import ROOT, remote_settings
from tests.serving import running
from tests.test_cli import BROKEN, GOOD

TURTLE = {"authorization": "Bearer secret", "content-type": "text/turtle"}
GRAPH = {"graph": "https://w3id.org/sse-kg/graph/traced"}


@dataclass
class Told:
    """A span as a collector hears of it."""

    name: str
    id: str
    parent: str
    trace: str
    began: int
    ended: int
    is_failed: bool
    about: dict[str, Any]
    service: str


@dataclass
class Collector:
    """What was sent to a collector, and a service that sends to it."""

    url: str
    spans: list[Told] = field(default_factory=list)

    def request(self, name: str) -> Told:
        """The span of the request with that id."""
        (found,) = [each for each in self.spans if each.about.get("kg.request") == name]
        return found

    def within(self, span: Told) -> dict[str, Told]:
        """The spans within one, by their names."""
        return {each.name: each for each in self.spans if each.parent == span.id and each.trace == span.trace}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that speaks OTLP over HTTP, on a port of its own."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            collector.spans += spans(sent)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def spans(sent: ExportTraceServiceRequest) -> Iterator[Told]:
    for resource in sent.resource_spans:
        service = next(each.value.string_value for each in resource.resource.attributes if each.key == "service.name")
        for each in (span for scope in resource.scope_spans for span in scope.spans):
            about = {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in each.attributes}
            ids = each.span_id.hex(), each.parent_span_id.hex(), each.trace_id.hex()
            times = each.start_time_unix_nano, each.end_time_unix_nano
            yield Told(each.name, *ids, *times, each.status.code == 2, about, service)


@pytest.fixture(scope="module")
def traced(village: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """What a collector hears of a service that was asked, and that has ended."""
    store = tmp_path_factory.mktemp("traced") / "store"
    shutil.copytree(village.store, store)
    own = village.model_copy(update={"store": store, "token": SecretStr("secret"), "quick_seconds": 0.05})
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        with running(own) as url, httpx.Client(base_url=url, timeout=30) as client:
            asked(client)
        yield collector


def asked(client: httpx.Client) -> None:
    """One request of each kind, with an id by which it is found."""

    def named(name: str, **more: str) -> dict[str, str]:
        return {"x-request-id": name, **more}

    caller = f"00-{'a' * 31}1-{'b' * 15}2-01"
    query = "SELECT * { ?s ?p 'private words' }"
    client.get("/sparql", params={"query": query}, headers=named("a-question", traceparent=caller))
    client.get("/sparql", params={"query": query}, headers=named("repeated"))
    unsampled = named("unsampled", traceparent=caller[:-1] + "0")
    client.get("/sparql", params={"query": "ASK { ?s ?p 3 }"}, headers=unsampled)
    nonsense = named("nonsense", traceparent="00-zz")
    client.get("/sparql", params={"query": "ASK { ?s ?p 4 }"}, headers=nonsense)
    client.get("/sparql", params={"query": ENDLESS, "timeout": "0.3"}, headers=named("endless-"))
    client.post("/store", params=GRAPH, content=GOOD, headers=TURTLE | named("a-change"))
    client.post("/store", params=GRAPH, content=BROKEN, headers=TURTLE | named("a-refusal"))
    network = client.get("/api/networks/alliances/degree", headers=named("a-network"))
    assert network.status_code in (200, 202), network.text
    until = time.monotonic() + 60
    while network.status_code == 202 and time.monotonic() < until:
        time.sleep(0.1)
        network = client.get("/api/networks/alliances/degree")


def test_a_question_is_told_within_the_span_of_who_asked(traced: Collector) -> None:
    request = traced.request("a-question")
    assert (request.trace, request.parent) == ("a" * 31 + "1", "b" * 15 + "2")
    assert (request.name, request.service, request.is_failed) == ("GET /sparql", "sse-kg", False)
    assert request.about["http.route"] == "/sparql"
    assert request.about["http.response.status_code"] == 200
    within = traced.within(request)
    assert set(within) == {"queue", "engine"}
    assert request.began <= within["queue"].began <= within["queue"].ended <= within["engine"].ended <= request.ended
    assert re.fullmatch("[0-9a-f]{16}", within["engine"].about["kg.query"])


def test_what_is_answered_from_memory_or_not_sampled_is_not_told(traced: Collector) -> None:
    assert not [each for each in traced.spans if each.about.get("kg.request") in ("repeated", "unsampled")]
    assert traced.request("nonsense").parent == ""  # it begins a trace of its own


def test_a_query_that_was_ended_is_a_failure(traced: Collector) -> None:
    request = traced.request("endless-")
    assert (request.is_failed, request.about["http.response.status_code"]) == (True, 504)
    engine = traced.within(request)["engine"]
    assert (engine.is_failed, engine.about["error.type"]) == (True, "TooSlow")
    assert engine.about["kg.cpu_seconds"] > 0


def test_a_change_is_told_with_its_wait_its_commit_and_its_gate(traced: Collector) -> None:
    request = traced.request("a-change")
    within = traced.within(request)
    assert {"queue", "commit"} <= set(within)
    commit = within["commit"]
    assert commit.about["kg.change"] == request.about["kg.change"]
    assert commit.about["kg.generation"] > 1
    gate = traced.within(commit)["gate"]
    assert commit.began <= gate.began <= gate.ended <= commit.ended
    refused = traced.request("a-refusal")
    assert (refused.is_failed, refused.about["http.response.status_code"]) == (False, 422)
    failed = traced.within(refused)["commit"]
    assert (failed.is_failed, failed.about["error.type"]) == (False, "Violations")


def test_a_network_is_told_with_its_job_and_what_that_asks(traced: Collector) -> None:
    job = traced.within(traced.request("a-network"))["job"]
    assert job.about["kg.job.state"] == "done"
    assert "engine" in traced.within(job)


def test_no_span_holds_a_secret_a_query_or_an_address(traced: Collector) -> None:
    told = " ".join(str(each) for each in traced.spans)
    assert len(traced.spans) > 15
    assert not re.search("secret|private|SELECT|127.0.0.1|graph/traced", told)


def test_an_engine_is_told_which_span_its_work_belongs_to(
    servers: Callable[[str], Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = servers("oxigraph")
    with collecting() as collector, between(endpoint.query) as (url, heard):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "another")
        settings = remote_settings(endpoint, tmp_path).model_copy(update={"query_url": url})
        with running(settings) as service, httpx.Client(base_url=service, timeout=30) as client:
            assert client.get("/sparql?query=ASK+{}", headers={"x-request-id": "far-away"}).status_code == 200
        request = collector.request("far-away")
        engine = collector.within(request)["engine"]
        assert engine.service == "another"
        assert [each for each in heard if each and each.startswith(f"00-{request.trace}-{engine.id}-")]


@contextmanager
def between(url: str) -> Iterator[tuple[str, list[str | None]]]:
    """An address that hands requests on to that one, and which traceparent they had."""
    heard: list[str | None] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(self.headers["traceparent"])
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept = {name: self.headers[name] for name in ("Content-Type", "Accept")}
            answer = httpx.post(url, content=body, headers=kept)
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/query", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_collector_that_is_away_holds_nothing_up(village: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    with running(village) as url, httpx.Client(base_url=url) as client:
        assert ask(client, "ASK { ?s ?p 5 }").status_code == 200
    # and `running` has seen that the service ends in time


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "off"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}, "off"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "none"}, "off"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_EXPORTER": "zipkin"}, "not known here"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "ABSENT": "opentelemetry.sdk"}, "sse-kg[otel]"),
    ],
)
def test_nothing_is_loaded_where_no_spans_are_wished_or_can_be_sent(variables: dict[str, str], says: str) -> None:
    program = """if True:
        import importlib.util, os, sys
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name: None if name == os.environ.get("ABSENT") else find(name)
        from kg_service import tracing
        made = tracing.traces()
        assert type(made) is tracing.Traces and made.request([]) is tracing.NOTHING is tracing.current()
        with tracing.current().inner("x") as span:
            assert span is tracing.NOTHING and span.headers() == {}
        assert not [name for name in sys.modules if name.startswith("opentelemetry")]
        print("off")
    """
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout) == (0, "off\n"), done.stderr
    assert says in done.stdout + done.stderr
