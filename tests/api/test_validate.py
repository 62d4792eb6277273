"""Anyone may ask what the shapes say of a document; nothing is stored, and nobody is kept waiting by it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest
from pydantic import SecretStr
from pyoxigraph import NamedNode, RdfFormat, parse, serialize

from kg_service.rdf import GRAPH_FORMATS, Format
from kg_service.settings import Settings
from tests.serving import running

PREFIXES = """
@prefix : <https://w3id.org/sse-kg/id/> .
@prefix sse: <https://w3id.org/sse-kg/ontology#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix schema: <https://schema.org/> .
@prefix org: <http://www.w3.org/ns/org#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
"""
FAIR = (
    PREFIXES
    + """
<https://w3id.org/sse-kg/id/event/fair> a sse:Event ; skos:prefLabel "Fair"@en ;
  schema:startDate "2022-02-02"^^xsd:date ; schema:endDate "2021-01-01"^^xsd:date .
"""
)
TURTLE = {"content-type": "text/turtle"}


def judged(client: httpx.Client, text: str, **query: str) -> dict[str, object]:
    answer = client.post("/api/validate", content=text, headers=TURTLE, params=query)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    found: dict[str, object] = answer.json()
    return found


def shapes_of(report: dict[str, object]) -> set[tuple[str, str]]:
    results: list[dict[str, dict[str, str]]] = report["results"]  # type: ignore[assignment]
    return {
        (each["focus"]["value"].rpartition("/id/")[2], each["shape"]["value"].rpartition("#")[2]) for each in results
    }


def test_the_report_says_what_is_wrong_in_the_language_asked_for(client: httpx.Client) -> None:
    report = judged(client, FAIR)
    assert (report["conforms"], report["blocks"], report["truncated"]) == (False, True, False)
    assert ("event/fair", "Period-endAfterStart") in shapes_of(report)
    assert "The end date is before the start date" in json.dumps(report)
    (spanish,) = (
        result
        for result in judged(client, FAIR, lang="es")["results"]  # type: ignore[attr-defined]
        if result["severity"] == "Violation"
    )
    assert spanish["messages"][0]["xml:lang"] == "es"
    assert spanish["message"] == spanish["messages"][0]["value"]


@pytest.mark.parametrize("how", GRAPH_FORMATS, ids=lambda how: how.name)
def test_every_format_is_read_and_the_report_is_written_in_it(client: httpx.Client, how: Format) -> None:
    quads = list(parse(FAIR, RdfFormat.TURTLE))
    assert how.rdf
    text = serialize((quad.triple for quad in quads), None, how.rdf)
    headers = {"content-type": how.media_types[0], "accept": how.media_types[0]}
    answer = client.post("/api/validate", content=text, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == how.media_types[0]
    triples = [quad.triple for quad in parse(answer.content, how.rdf)]
    sh = "http://www.w3.org/ns/shacl#"
    assert [t.object for t in triples if t.predicate == NamedNode(sh + "focusNode")].count(
        NamedNode("https://w3id.org/sse-kg/id/event/fair")
    ) == len(judged(client, FAIR)["results"])  # type: ignore[arg-type]


def test_a_document_of_several_graphs_is_judged_as_their_merge(client: httpx.Client) -> None:
    start, end = (
        f'GRAPH <urn:{name}> {{ <https://w3id.org/sse-kg/id/event/fair> schema:{name} "{day}"^^xsd:date }}'
        for name, day in (("startDate", "2022-02-02"), ("endDate", "2021-01-01"))
    )
    kind = '<https://w3id.org/sse-kg/id/event/fair> a sse:Event ; skos:prefLabel "Fair"@en .'
    headers = {"content-type": "application/trig"}
    answer = client.post("/api/validate", content=f"{PREFIXES}{kind}{start}{end}", headers=headers)
    assert shapes_of(answer.json()) == shapes_of(judged(client, FAIR))


def test_what_the_graph_knows_counts_unless_nothing_is_to(client: httpx.Client) -> None:
    held = (
        PREFIXES
        + """
    <https://w3id.org/sse-kg/id/event/ball> a sse:Event ; skos:prefLabel "Ball"@en ;
      sse:takesPlaceIn <https://w3id.org/sse-kg/id/place/valley> ."""
    )
    together, alone = judged(client, held), judged(client, held, **{"with": "nothing"})
    assert not together["blocks"]
    assert alone["blocks"]  # what kind of thing the valley is, nobody says
    assert shapes_of(together) < shapes_of(alone)
    assert {focus for focus, _ in shapes_of(together)} == {"event/ball"}


def test_what_the_data_bring_to_other_things_is_told_and_what_was_there_is_not(client: httpx.Client) -> None:
    other = (
        PREFIXES
        + """
    <https://w3id.org/sse-kg/id/section/charter-2> a sse:Section ; skos:prefLabel "More bread"@en ;
      sse:inPolicy <https://w3id.org/sse-kg/id/policy/charter> ; sse:order 1 ; sse:heading "MORE BREAD" ."""
    )
    foci = {focus for focus, _ in shapes_of(judged(client, other))}
    assert foci == {"section/charter-1", "section/charter-2"}  # both are the first section of the charter now
    assert foci == {focus for focus, _ in shapes_of(judged(client, other))}, "what was tried out must be taken back"


def test_blank_nodes_are_reported_as_they_were_sent(client: httpx.Client) -> None:
    text = FAIR.replace("<https://w3id.org/sse-kg/id/event/fair>", "_:fair")
    for company in ("graph", "nothing"):
        results = judged(client, text, **{"with": company})["results"]
        assert {each["focus"]["type"] for each in results} == {"bnode"}  # type: ignore[attr-defined]


def test_values_are_reported_as_they_were_written(client: httpx.Client) -> None:
    for company in ("graph", "nothing"):
        results = judged(client, FAIR.replace('"2022-02-02"^^xsd:date', "007.50"), **{"with": company})["results"]
        assert "007.50" in {each["value"]["value"] for each in results if each["value"]}  # type: ignore[attr-defined]


def test_nothing_is_stored(client: httpx.Client, village: Settings) -> None:
    def triples() -> object:
        return client.get("/sparql", params={"query": "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }"}).json()

    before = triples()
    judged(client, FAIR)
    assert triples() == before


def test_a_limit_says_that_there_is_more(client: httpx.Client) -> None:
    for company in ("graph", "nothing"):
        report = judged(client, FAIR, limit="1", **{"with": company})
        assert report["truncated"]
        assert report["counts"] == {"Violation": 1, "Warning": 0, "Info": 0}


def test_a_document_that_does_not_parse_is_a_problem_with_its_place(client: httpx.Client) -> None:
    answer = client.post("/api/validate", content=f"{PREFIXES}\n:a :b ; ;; ] .", headers=TURTLE)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.json()["line"], answer.json()["column"]) == (9, 7)


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("", {"content-type": "text/csv"}, 415),
        ("", {}, 415),
        ("", TURTLE | {"accept": "image/png"}, 406),
        ("?with=everything", TURTLE, 422),
        ("?lang=xx", TURTLE, 422),
        ("?limit=0", TURTLE, 422),
        ("?limit=many", TURTLE, 422),
    ],
)
def test_wrong_use_is_told(client: httpx.Client, query: str, headers: dict[str, str], status: int) -> None:
    answer = client.post(f"/api/validate{query}", content=FAIR.encode(), headers=headers)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status
    assert client.get("/api/validate").status_code == 405


HOSTILE = {
    "nested Turtle": ("text/turtle", "<urn:a> <urn:p> " + "[ <urn:p> " * 20_000 + "1" + "]" * 20_000 + " ."),
    "nested JSON-LD": ("application/ld+json", '{"urn:p":' * 20_000 + "1" + "}" * 20_000),
    "entities": (
        "application/rdf+xml",
        '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><r>&b;</r>',
    ),
    "a context elsewhere": ("application/ld+json", '{"@context": "http://127.0.0.1:9/context", "@id": "urn:a"}'),
    "a triple term": ("text/turtle", "<urn:a> <urn:p> <<( <urn:a> <urn:b> <urn:c> )>> ."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_and_the_service_lives(client: httpx.Client, name: str) -> None:
    media_type, text = HOSTILE[name]
    answer = client.post("/api/validate", content=text, headers={"content-type": media_type})
    assert 400 <= answer.status_code < 500
    assert "detail" in answer.json()
    assert judged(client, FAIR)["blocks"]


def large(events: int) -> str:
    """Many events that are each broken in several ways."""
    one = "<https://w3id.org/sse-kg/id/event/e{}> a sse:Event ; schema:startDate 1 ; schema:endDate 2 .\n"
    return PREFIXES + "".join(map(one.format, range(events)))


def of_its_own(tmp_path: Path, **more: object) -> Settings:
    return Settings(store=tmp_path / "store", **more)  # type: ignore[arg-type]


def test_documents_are_judged_by_the_shapes_in_force(tmp_path: Path) -> None:
    settings = of_its_own(tmp_path, token=SecretStr("open sesame"))
    rule = """
    @prefix sh: <http://www.w3.org/ns/shacl#> .
    <urn:rule> a sh:NodeShape ; sh:targetSubjectsOf <urn:p> ; sh:property <urn:rule-q> .
    <urn:rule-q> sh:path <urn:q> ; sh:minCount 1 ; sh:message "A q is missing."@en ."""
    with running(settings) as url:

        def found() -> list[str]:
            text = "<urn:a> <urn:p> 1 ."
            answer = httpx.post(f"{url}/api/validate?with=nothing", content=text, headers=TURTLE, timeout=60)
            return [result["message"] for result in answer.json()["results"]]

        assert found() == []
        headers = TURTLE | {"authorization": "Bearer open sesame"}
        answer = httpx.post(f"{url}/shapes", content=rule, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text
        assert found() == ["A q is missing."]


def test_documents_are_judged_with_the_graph_as_it_is_now_whatever_was_judged_before(tmp_path: Path) -> None:
    settings = of_its_own(tmp_path, token=SecretStr("open sesame"), judges=1)
    headers = {"authorization": "Bearer open sesame", "content-type": "application/sparql-update"}
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        generations = []
        for number in range(3):
            change = f"INSERT DATA {{ GRAPH <urn:g> {{ <urn:a> <urn:p> {number} }} }}"
            assert client.post("/update", content=change, headers=headers).status_code == 200
            for text, status in (("<urn:a> <urn:p> 1 .", 200), ("<urn:a <", 400), ("<urn:a> <urn:p> 2 .", 200)):
                judged = client.post("/api/validate", content=text, headers=TURTLE)
                assert judged.status_code == status, judged.text
            generations.append(int(judged.headers["kg-generation"]))
        assert generations == [1, 2, 3]


def test_too_much_is_refused_by_size_time_and_memory(tmp_path: Path) -> None:
    with running(of_its_own(tmp_path, max_document_bytes=1000)) as url:
        answer = httpx.post(f"{url}/api/validate", content=FAIR + "#" * 1000, headers=TURTLE)
        assert answer.status_code == 413
    with running(of_its_own(tmp_path, query_seconds=0.02)) as url:
        many = "".join(f"<urn:{n}> <urn:p> {n} .\n" for n in range(20_000))
        answer = httpx.post(f"{url}/api/validate", content=many, headers=TURTLE, timeout=60)
        assert (answer.status_code, answer.json()["seconds"]) == (504, 0.02)
    with running(of_its_own(tmp_path, query_memory=64 * 2**20)) as url:
        text = f"<urn:a> <urn:p> {', '.join(map(str, range(2_000_000)))} ."
        answer = httpx.post(f"{url}/api/validate?with=nothing", content=text, headers=TURTLE, timeout=60)
        assert answer.status_code == 413
        assert httpx.post(f"{url}/api/validate", content=FAIR, headers=TURTLE, timeout=60).status_code == 200
    assert not list((tmp_path / "store").glob("scratch-*")), "what was tried out is left over"


def test_who_leaves_is_not_worked_for(tmp_path: Path) -> None:
    with running(of_its_own(tmp_path)) as url:
        assert httpx.post(f"{url}/api/validate?with=nothing", content="", headers=TURTLE, timeout=60).status_code == 200
        (working,) = processes(tmp_path)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{url}/api/validate?with=nothing", content=large(80_000), headers=TURTLE, timeout=1)
        until = time.monotonic() + 20
        while working in processes(tmp_path):
            assert time.monotonic() < until, "the process goes on"
            time.sleep(0.05)


def processes(root: Path) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if b"kg_service.shacl.judge" in command and str(root).encode() in command:
            found.append(process.name)
    return found


def test_a_flood_is_told_to_come_later_and_queries_go_on(tmp_path: Path) -> None:
    settings = of_its_own(tmp_path, judges=1, queue_seconds=1)
    with running(settings) as url, ThreadPoolExecutor(16) as clients:
        text = large(1000)

        def send(_: int) -> httpx.Response:
            return httpx.post(f"{url}/api/validate?with=nothing", content=text, headers=TURTLE, timeout=120)

        sent = [clients.submit(send, number) for number in range(16)]
        while not all(each.done() for each in sent):
            assert httpx.get(f"{url}/health/live", timeout=60).status_code == 200
        answers = [each.result() for each in sent]
        assert {answer.status_code for answer in answers} == {200, 503}
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
        assert len(processes(tmp_path)) <= 1


def test_several_at_once_get_each_their_own_report(client: httpx.Client) -> None:
    together = Barrier(6)

    def report_of(text: str) -> dict[str, object]:
        """However long it takes: who is told that a busy machine had no time comes again, and finds it further."""
        together.wait()
        for _ in range(60):
            answer = client.post("/api/validate", content=text, headers=TURTLE, timeout=None)
            if answer.status_code not in (503, 504):
                break
            time.sleep(int(answer.headers.get("retry-after", "0")))
        assert answer.status_code == 200, answer.text
        found: dict[str, object] = answer.json()
        return found

    with ThreadPoolExecutor(6) as clients:
        texts = [FAIR.replace("event/fair", f"event/fair-{number}") for number in range(6)]
        for number, report in enumerate(clients.map(report_of, texts)):
            assert {focus for focus, _ in shapes_of(report)} == {f"event/fair-{number}"}
