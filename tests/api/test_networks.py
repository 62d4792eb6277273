"""`/api/networks` and `/api/jobs`, over a real server with real processes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import networkx as nx
import psutil
import pytest
from pyoxigraph import RdfFormat, parse

from kg_service import resources
from kg_service.cli.common import patiently
from kg_service.ingest import bulk
from kg_service.network.measures import MEASURES
from kg_service.rdf import Quad, graph
from kg_service.settings import Settings
from kg_service.shacl import Shapes
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import running

SLOW = "/api/networks/actor-event/betweenness?method=exact"


def crowd(people: int) -> str:
    """Many people at many events: a network that takes a while to measure exactly."""
    sse, actor = "https://w3id.org/sse-kg/ontology#", "https://w3id.org/sse-kg/id/organisation/p"
    lines = []
    for person in range(people):
        for turn in range(3):
            event = (person * (7 + turn) + turn * 31) % (people // 2)
            tie = f"<https://w3id.org/sse-kg/id/participation/t{person}-{turn}>"
            lines.append(
                f"{tie} <{sse}participant> <{actor}{person}> ; <{sse}role> <https://w3id.org/sse-kg/id/role/invited> ; "
                f"<{sse}inEvent> <https://w3id.org/sse-kg/id/event/e{event}> ."
            )
    return "\n".join(lines)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(store=tmp_path_factory.mktemp("networks") / "store", token="secret", query_seconds=20)


@pytest.fixture(scope="module")
def server(settings: Settings, shapes: Shapes) -> Iterator[httpx.Client]:
    """A server of its own over the village and a crowd: these tests write, and end processes."""
    with EmbeddedStore(settings.store) as store:
        bulk.load(store, [resources.folder("ontology"), VILLAGE], shapes)
        quads = parse(crowd(4000), format=RdfFormat.TURTLE)
        store.apply(Delta(added=frozenset(Quad(q.subject, q.predicate, q.object, graph("crowd")) for q in quads)))
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as opened:
        yield opened


def good(response: httpx.Response) -> Any:
    """The answer, also where it became a job because the machine was busy."""
    while response.status_code == 202:
        time.sleep(0.1)
        response = httpx.get(f"{response.json()['url']}/result", timeout=60)
    assert response.status_code == 200, response.text
    return response.json()


def test_the_list_tells_networks_filters_formats_and_measures(client: httpx.Client) -> None:
    told = good(client.get("/api/networks"))
    assert {"alliances", "co-organisation", "co-participation", "co-membership", "shared-themes", "part-of"} <= {
        each["name"] for each in told["data"]
    }
    assert "territory" in told["filters"]
    assert "gexf" in told["formats"]
    betweenness = next(each for each in told["measures"] if each["name"] == "betweenness")
    assert "Freeman" in betweenness["source"]
    assert "exact" in next(each for each in betweenness["parameters"] if each["name"] == "method")["choices"]


def test_a_network_is_defended_edge_by_edge(client: httpx.Client) -> None:
    told = good(client.get("/api/networks/alliances"))
    assert {node["label"] for node in told["nodes"]} == {"Bakers’ Cooperative", "Valley Council"}
    (edge,) = told["edges"]
    (thing,) = edge["evidence"]
    assert thing["iri"].endswith("/alliance/oven")
    assert thing["certainty"] == "stated"
    assert thing["documents"] == ["https://w3id.org/sse-kg/id/document/chronicle"]
    assert told["meta"]["generation"] == 1


FREE = sorted(name for name, each in MEASURES.items() if not any(one.is_needed for one in each.parameters))


@pytest.mark.parametrize("measure", FREE)
def test_every_measure_says_what_others_need_to_get_the_same(client: httpx.Client, measure: str) -> None:
    response = client.get(f"/api/networks/actor-event/{measure}?wait=60")
    told = good(response)["meta"]
    assert {"networkit", "networkx", "numpy", "scipy", "sse-kg"} <= told["versions"].keys()
    assert told["source"]
    assert told["definition"]
    assert told["error"] or told["exact"]
    assert f"generation {told['generation']}" in told["citation"]
    assert f"/api/networks/actor-event/{measure}" in told["citation"]
    assert response.headers["KG-Generation"] == str(told["generation"])
    for parameter in MEASURES[measure].parameters:
        assert told["parameters"][parameter.name] == parameter.default


def test_names_come_in_the_language_asked_for(client: httpx.Client) -> None:
    told = good(client.get("/api/networks/alliances/degree", params={"lang": "es"}))
    assert {row["label"] for row in told["data"]} == {"Cooperativa de panaderas", "Ayuntamiento del Valle"}


def test_an_empty_network_is_an_answer(client: httpx.Client) -> None:
    for measure in ("degree", "communities", "summary"):
        told = good(client.get(f"/api/networks/alliances/{measure}", params={"at": "1999"}))
        assert told["data"] == []
        assert told["meta"]["nodes"] == 0
    assert good(client.get("/api/networks/part-of"))["nodes"] == []
    assert client.get("/api/networks/part-of", params={"format": "gexf", "wait": 60}).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/friends", 404, "co-participation"),
        ("/alliances/degre", 404, "betweenness"),
        ("/alliances?from=2020&to=2019", 422, "2020"),
        ("/alliances?level=lokal", 422, "regional"),
        ("/alliances?kinds=%3Cx%3E", 422, "IRIs"),
        ("/alliances?theme=http://x/%7B", 422, "IRIs"),
        ("/alliances?colour=red", 422, "territory"),
        ("/alliances?format=xlsx", 422, "graphml"),
        ("/alliances?lang=xx", 422, "en"),
        ("/alliances/pagerank?damping=nan", 422, "0.9999"),
        ("/alliances/pagerank?weighted=1", 422, "yes"),
        ("/alliances/communities?runs=1000000", 422, "100"),
        ("/alliances/communities?seed=-1", 422, "whole number"),
        ("/alliances/degree?damping=1", 422, "known parameters"),
        ("/alliances/degree?limit=0", 422, "1"),
    ],
)
def test_what_is_wrong_is_named_with_what_would_be_right(
    client: httpx.Client, path: str, status: int, word: str
) -> None:
    response = client.get(f"/api/networks{path}")
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert word in response.json()["detail"]


def test_the_formats_are_read_by_the_programs_that_they_are_for(client: httpx.Client) -> None:
    def text(name: str) -> str:
        response = client.get("/api/networks/alliances", params={"format": name, "wait": 60})
        assert response.status_code == 200, response.text
        return response.text

    read = nx.parse_graphml(text("graphml"))
    labels = {data["label"] for _, data in read.nodes(data=True)}
    assert labels == {"Bakers’ Cooperative", "Valley Council"}
    assert nx.parse_pajek(text("pajek")).number_of_edges() == 1
    gexf = ElementTree.fromstring(text("gexf"))
    names = {"g": "http://gexf.net/1.3", "viz": "http://gexf.net/1.3/viz"}
    assert len(gexf.findall(".//g:node", names)) == 2
    assert gexf.find(".//viz:position", names) is not None
    assert gexf.find(".//viz:color", names) is not None
    assert len(list(csv.DictReader(io.StringIO(text("csv-nodes"))))) == 2
    (edge,) = csv.DictReader(io.StringIO(text("csv-edges")))
    assert edge["certainty"] == "stated"
    assert len(json.loads(text("cytoscape"))["elements"]["edges"]) == 1
    statements = list(parse(text("json-ld"), format=RdfFormat.JSON_LD))
    assert any(str(q.predicate).endswith("wasDerivedFrom>") and "alliance/oven" in str(q.object) for q in statements)


def test_gexf_tells_the_time_of_ties(client: httpx.Client) -> None:
    text = client.get("/api/networks/actor-event", params={"format": "gexf", "wait": 60}).text
    assert '<spell start="2021-05-01" end="2021-05-02"/>' in text


def test_a_repeated_question_is_answered_from_memory_and_not_sent_again(client: httpx.Client) -> None:
    first = client.get("/api/networks/actor-event/pagerank?wait=60")
    again = client.get("/api/networks/actor-event/pagerank", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    table = client.get("/api/networks/actor-event/pagerank", params={"format": "csv", "wait": 60})
    assert table.text.splitlines()[0] == "iri,label,value"


@pytest.mark.parametrize("path", ["", "/alliances", "/alliances/degree"])
def test_a_head_request_has_the_headers_alone(client: httpx.Client, path: str) -> None:
    asked = client.get(f"/api/networks{path}", params={"wait": 60} if path else {})
    told = client.head(f"/api/networks{path}")
    assert (told.status_code, told.content) == (200, b"")
    assert told.headers["Content-Length"] == str(len(asked.content))
    assert told.headers.get("ETag") == asked.headers.get("ETag")


def test_a_network_may_have_more_rows_than_an_answer_and_fewer_than_its_own_limit(village: Settings) -> None:
    changed = village.model_copy(update={"max_rows": 1, "network_rows": 10_000})
    with running(changed) as url:
        assert good(httpx.get(f"{url}/api/networks/actor-event?wait=60", timeout=90))["edges"]
    changed = village.model_copy(update={"network_rows": 1})
    with running(changed) as url:
        refused = httpx.get(f"{url}/api/networks/actor-event?wait=60", timeout=90)
    assert refused.status_code == 413
    assert "more than 1 rows; filter it, or let KG_NETWORK_ROWS" in refused.json()["detail"]


def waited(server: httpx.Client, job: dict[str, Any], states: tuple[str, ...]) -> dict[str, Any]:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        told: dict[str, Any] = server.get(f"/api/jobs/{job['id']}").json()
        if told["state"] in states:
            return told
        time.sleep(0.05)
    raise AssertionError(f"the job is {told}")


def test_what_takes_long_becomes_a_job_with_progress_and_result(server: httpx.Client) -> None:
    path = "/api/networks/actor-event/harmonic?method=sampled&samples=400"
    response = server.get(f"{path}&wait=0")
    assert response.status_code == 202
    job = response.json()
    assert response.headers["Location"].endswith(f"/api/jobs/{job['id']}")
    assert server.get(f"{path}&wait=0").json()["id"] == job["id"], "the same question is the same job"
    told = waited(server, job, ("done", "failed"))
    assert told["state"] == "done", told
    result = good(server.get(told["result"]))
    assert result["meta"]["nodes"] > 5000
    assert good(server.get(path)) == result


def test_a_cancelled_job_ends_its_process_at_once(server: httpx.Client) -> None:
    job = server.get(f"{SLOW}&wait=0&seed=2").json()
    waited(server, job, ("running",))
    until = time.monotonic() + 120
    while not (measuring := workers()) and time.monotonic() < until:
        time.sleep(0.05)
    assert server.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert server.get(f"/api/jobs/{job['id']}").json()["state"] == "cancelled"
    assert server.get(f"/api/jobs/{job['id']}/result").status_code == 503
    while all(process.is_running() for process in measuring) and time.monotonic() < until:  # one measured this
        time.sleep(0.05)
    assert time.monotonic() < until, "the process goes on measuring"
    good(server.get("/api/networks/alliances/degree"))


def workers() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children(recursive=True) if "kg_service.network.worker" in child.cmdline()
    ]


def test_a_process_that_is_killed_fails_its_job_alone(server: httpx.Client) -> None:
    good(server.get("/api/networks/alliances/degree?limit=7"))
    job = server.get(f"{SLOW}&wait=0&seed=3").json()
    waited(server, job, ("running",))
    time.sleep(0.5)
    for process in workers():
        os.kill(process.pid, signal.SIGKILL)
    told = waited(server, job, ("failed",))
    assert told["problem"]["status"] == 413
    good(server.get("/api/networks/alliances/strength?limit=8"))


def test_one_client_cannot_have_every_place(server: httpx.Client) -> None:
    seeds = range(100, 117)
    answers = [server.get(f"{SLOW}&wait=0&seed={seed}") for seed in seeds]
    assert [answer.status_code for answer in answers] == [202] * 16 + [429]
    assert answers[-1].headers["Retry-After"]
    for answer in answers[:-1]:
        assert server.delete(f"/api/jobs/{answer.json()['id']}").status_code == 204
    good(server.get("/api/networks/alliances/degree?limit=9"))


def test_the_service_answers_queries_while_a_network_is_measured(server: httpx.Client) -> None:
    job = server.get(f"{SLOW}&wait=0&seed=4").json()
    assert server.get("/sparql", params={"query": "ASK {}"}).status_code == 200
    server.delete(f"/api/jobs/{job['id']}")


def test_an_unknown_job_is_not_found(server: httpx.Client) -> None:
    assert server.get("/api/jobs/nobody").status_code == 404
    assert server.delete("/api/jobs/nobody").status_code == 404


def test_a_change_is_seen_and_nodes_stay_where_they_were(server: httpx.Client) -> None:
    before = good(server.get("/api/networks/alliances"))
    sse, ident = "https://w3id.org/sse-kg/ontology#", "https://w3id.org/sse-kg/id/"
    update = f"""INSERT DATA {{ GRAPH <https://w3id.org/sse-kg/graph/contributions> {{
      <{ident}alliance/oven> <{sse}party> <{ident}party/oven-3> .
      <{ident}party/oven-3> a <{sse}Party> ; <{sse}role> <{ident}role/partner> ;
        <{sse}partyActor> <{ident}organisation/weavers> }} }}"""
    changed = server.post("/update", data={"update": update}, headers={"Authorization": "Bearer secret"})
    assert changed.status_code == 200, changed.text
    after = good(server.get("/api/networks/alliances"))
    assert after["meta"]["generation"] > before["meta"]["generation"]
    assert len(after["edges"]) == 3
    places = {node["id"]: (node["x"], node["y"]) for node in after["nodes"]}
    for node in before["nodes"]:
        x, y = places[node["id"]]
        assert abs(x - node["x"]) + abs(y - node["y"]) < 0.5


def test_an_earlier_generation_is_as_it_was_and_is_compared_with_the_present_one(
    server: httpx.Client, settings: Settings
) -> None:
    before = good(server.get("/api/networks/alliances/degree?wait=60"))
    name = "https://example.org/überall"
    sse, ident = "https://w3id.org/sse-kg/ontology#", "https://w3id.org/sse-kg/id/"
    update = f"""DELETE {{ GRAPH ?g {{ ?party <{sse}partyActor> <{ident}government/valley> }} }}
      INSERT {{ GRAPH ?g {{ ?party <{sse}partyActor> <{name}> }} }}
      WHERE {{ GRAPH ?g {{ ?party <{sse}partyActor> <{ident}government/valley> }} }} ;
      INSERT DATA {{ GRAPH <{ident}graph/x> {{ <{name}> a <{sse}Actor> , <{sse}Organisation> ;
        <http://www.w3.org/2004/02/skos/core#prefLabel> "Überall"@en }} }}"""
    changed = server.post("/update", data={"update": update}, headers={"Authorization": "Bearer secret"})
    assert changed.status_code == 200, changed.text
    now = good(server.get("/api/networks/alliances/degree?wait=60"))
    assert {row["iri"] for row in now["data"]} != {row["iri"] for row in before["data"]}
    first = before["meta"]["generation"]
    then = good(server.get(f"/api/networks/alliances/degree?wait=60&generation={first}"))
    assert then["data"] == before["data"]
    assert then["meta"]["generation"] == first < now["meta"]["generation"]
    told = good(server.get(f"/api/networks/alliances/comparison?wait=60&generation={first}"))
    assert told["meta"]["against"]["generation"] == now["meta"]["generation"]
    assert f"against_generation {now['meta']['generation']}" in told["meta"]["citation"]
    assert told["values"]["nodes"]["came"] == [{"iri": name, "label": "Überall"}]
    assert told["values"]["nodes"]["went"][0]["iri"] == f"{ident}government/valley"
    assert {row["change"] for row in told["data"]} == {"came", "went"}
    assert told["values"]["measures"]["density"]["before"] == pytest.approx(
        told["values"]["measures"]["density"]["after"]
    )
    back = good(server.get(f"/api/networks/alliances/comparison?wait=60&against_generation={first}"))
    assert back["values"]["nodes"]["went"][0]["iri"] == name
    for folder in settings.store.glob("scratch-*"):
        os.utime(folder, (0, 0))  # as if nobody had asked for long
    patiently(lambda: EmbeddedStore(settings.store), 10).close()
    for generation in (first, now["meta"]["generation"]):
        good(server.get(f"/api/networks/alliances/strength?wait=60&at=2001&generation={generation}"))


@pytest.mark.parametrize("generation", ["0", "99999", "-1", "x", "9" * 400, "²"])
@pytest.mark.parametrize("parameter", ["generation", "against_generation"])
def test_a_generation_that_is_not_known_is_refused(client: httpx.Client, parameter: str, generation: str) -> None:
    response = client.get("/api/networks/alliances/comparison", params={parameter: generation, "wait": 60})
    assert response.status_code == 422, response.text
    assert "allowed are now and 1 to 1" in response.json()["detail"]


def test_rows_and_positions_are_not_left_behind_in_numbers(server: httpx.Client, settings: Settings) -> None:
    for year in range(2000, 2012):
        good(server.get(f"/api/networks/alliances/degree?at={year}"))
    rows = list(Path(settings.store).rglob("scratch-rows-*/*.csv"))
    assert len(rows) < 60
