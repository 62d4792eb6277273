from __future__ import annotations

import http.client
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
import rdflib
from SPARQLWrapper import CSV, JSON, TURTLE, XML, SPARQLWrapper

from kg_service.settings import Settings
from tests.serving import running

NAMES = """
PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX sse: <https://w3id.org/sse-kg/ontology#>
SELECT ?actor ?name { ?actor a sse:Actor ; skos:prefLabel ?name . FILTER(LANG(?name) = "en") } ORDER BY ?name
"""
EXPECTED = ["Bakers’ Cooperative", "Valley Council", "Weavers’ Network"]
ENDLESS = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
ENDLESS_ROWS = "SELECT * { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"


def ask(client: httpx.Client, query: str, accept: str = "*/*", **parameters: str) -> httpx.Response:
    return client.get("/sparql", params={"query": query, **parameters}, headers={"accept": accept})


def test_select_in_every_table_format(client: httpx.Client) -> None:
    answer = ask(client, NAMES)
    assert answer.headers["content-type"] == "application/sparql-results+json"
    assert [row["name"]["value"] for row in answer.json()["results"]["bindings"]] == EXPECTED
    for accept, parse in (
        ("application/sparql-results+xml", "xml"),
        ("text/csv", "csv"),
        ("text/tab-separated-values", "tsv"),
    ):
        answer = ask(client, NAMES, accept)
        assert answer.headers["content-type"].startswith(accept)
        result = rdflib.query.Result.parse(source=io.BytesIO(answer.content), format=parse)
        assert [str(row[rdflib.Variable("name")]) for row in result.bindings] == EXPECTED


@pytest.mark.parametrize(
    ("accept", "parse"),
    [
        ("text/turtle", "turtle"),
        ("application/n-triples", "nt"),
        ("application/rdf+xml", "xml"),
        ("application/ld+json", "json-ld"),
        ("application/trig", "trig"),
    ],
)
@pytest.mark.parametrize(
    "query",
    [
        "CONSTRUCT { ?s ?p ?o } { ?s a <https://w3id.org/sse-kg/ontology#Event> ; ?p ?o }",
        "DESCRIBE <https://w3id.org/sse-kg/id/event/fair-2021>",
    ],
    ids=["construct", "describe"],
)
def test_graphs_in_every_graph_format(client: httpx.Client, accept: str, parse: str, query: str) -> None:
    answer = ask(client, query, accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(accept)
    graph = rdflib.Dataset(default_union=True) if parse == "trig" else rdflib.Graph()
    graph.parse(data=answer.content, format=parse)
    fair = rdflib.URIRef("https://w3id.org/sse-kg/id/event/fair-2021")
    assert len(set(graph.predicate_objects(fair))) == len(graph) == 10


def test_ask_answers_yes_and_no(client: httpx.Client) -> None:
    assert ask(client, "ASK {}").json()["boolean"] is True
    assert ask(client, "ASK { <urn:none> ?p ?o }").json()["boolean"] is False
    assert b"<boolean>true</boolean>" in ask(client, "ASK {}", "application/sparql-results+xml").content


def test_the_three_ways_of_asking_are_one(client: httpx.Client) -> None:
    by_get = ask(client, NAMES).content
    by_form = client.post("/sparql", data={"query": NAMES}).content
    by_body = client.post("/sparql", content=NAMES, headers={"content-type": "application/sparql-query"}).content
    assert by_get == by_form == by_body
    head = client.head("/sparql", params={"query": NAMES})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(by_get))


def test_answers_carry_the_generation_and_vary(client: httpx.Client) -> None:
    answer = ask(client, "ASK {}")
    assert answer.headers["kg-generation"] == "1"
    assert answer.headers["vary"] == "Accept"
    assert answer.headers["access-control-allow-origin"] == "*"


def test_a_client_with_the_answer_gets_304(client: httpx.Client) -> None:
    first = ask(client, NAMES)
    etag = first.headers["etag"]
    assert etag.startswith('"1-')
    assert ask(client, NAMES).content == first.content
    for sent in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = client.get("/sparql", params={"query": NAMES}, headers={"if-none-match": sent})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    changed = client.get("/sparql", params={"query": NAMES}, headers={"if-none-match": etag, "accept": "text/csv"})
    assert changed.status_code == 200
    assert changed.headers["etag"] != etag


def test_a_graph_of_the_dataset_can_be_chosen(client: httpx.Client) -> None:
    village = "https://w3id.org/sse-kg/graph/village"
    count = "SELECT (COUNT(*) AS ?n) { ?s a <https://w3id.org/sse-kg/ontology#Event> }"
    for chosen, expected in ((village, "1"), ("urn:none", "0")):
        (row,) = ask(client, count, **{"default-graph-uri": chosen}).json()["results"]["bindings"]
        assert row["n"]["value"] == expected
    text = count.replace("{", f"FROM <{village}> FROM <{village}> FROM <urn:none> {{")
    (row,) = ask(client, text).json()["results"]["bindings"]
    assert row["n"]["value"] == "1"


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("SELECT * WHERE {\n  ?s ?p }", 400, "line 2, column"),
        ("SELECT * { SERVICE <http://127.0.0.1:1/> { ?s ?p ?o } }", 400, "SERVICE is not allowed"),
        ("ASK " + "{" * 5000 + "}" * 5000, 400, "nested deeper than 100"),
        ("", 400, "empty"),
        ("SELECT (<urn:f>(1) AS ?x) {}", 400, "<urn:f> is not supported"),
        ("INSERT DATA { <urn:a> <urn:b> <urn:c> }", 400, "line 1, column 1"),
    ],
)
def test_a_wrong_query_is_a_problem_with_its_place(client: httpx.Client, query: str, status: int, words: str) -> None:
    answer = ask(client, query)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert words in problem["detail"]
    assert problem["status"] == status
    assert problem["type"].startswith("https://w3id.org/sse-kg/problem/")


def test_an_unacceptable_format_is_406_with_the_known_ones(client: httpx.Client) -> None:
    assert ask(client, NAMES, "image/png").status_code == 406
    answer = ask(client, NAMES, "text/turtle")
    assert answer.status_code == 406
    assert "application/sparql-results+json" in answer.json()["detail"]
    assert client.post("/sparql", content=b"ASK {}", headers={"content-type": "text/plain"}).status_code == 415


def test_other_methods_and_paths_are_problems(client: httpx.Client) -> None:
    answer = client.delete("/sparql")
    assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
    assert "GET" in answer.headers["allow"]
    answer = client.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_runaway_query_is_stopped_while_others_are_answered(client: httpx.Client) -> None:
    stopped: list[httpx.Response] = []
    heavy = threading.Thread(target=lambda: stopped.append(ask(client, ENDLESS, timeout="1.5")))
    heavy.start()
    time.sleep(0.1)
    while heavy.is_alive():
        started = time.monotonic()
        assert ask(client, "ASK {}").status_code == 200
        assert time.monotonic() - started < 1
        time.sleep(0.05)
    assert stopped[0].status_code == 504
    assert "longer than 1.5 s" in stopped[0].json()["detail"]


def test_a_longer_time_than_allowed_is_not_given(client: httpx.Client) -> None:
    started = time.monotonic()
    assert ask(client, ENDLESS, timeout="600").status_code == 504
    assert time.monotonic() - started < 9


ENDLESS_GRAPH = "CONSTRUCT { ?a ?e ?f } { ?a ?b ?c . ?d ?e ?f }"
TABLES = ["application/sparql-results+json", "application/sparql-results+xml", "text/csv", "text/tab-separated-values"]
GRAPHS = ["text/turtle", "application/n-triples", "application/rdf+xml", "application/ld+json", "application/trig"]
FORMATS = [(ENDLESS_ROWS, accept) for accept in TABLES] + [(ENDLESS_GRAPH, accept) for accept in GRAPHS]


@pytest.fixture(scope="module")
def strict(village: Settings) -> Iterator[httpx.Client]:
    """A client of a server that gives out 3 MB and no more."""
    limited = village.model_copy(update={"max_answer_bytes": 3 * 2**20, "query_seconds": 30.0})
    with running(limited) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield client


@pytest.mark.parametrize(("query", "accept"), FORMATS)
@pytest.mark.parametrize("why", ["deadline", "bytes"])
def test_an_answer_cut_short_is_never_well_formed(
    client: httpx.Client, strict: httpx.Client, query: str, accept: str, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    parameters = {"query": query} | ({"timeout": "1"} if why == "deadline" else {})
    asked = client if why == "deadline" else strict
    with asked.stream("GET", "/sparql", params=parameters, headers={"accept": accept}) as answer:
        if answer.status_code == 504:  # a machine at work may not get as far as the first byte
            return
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(accept)
        assert "content-length" not in answer.headers
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            answer.read()
    assert ask(client, "ASK {}").status_code == 200
    assert [each.levelname for each in caplog.records if "cut short" in each.getMessage()] == ["WARNING"]
    assert not any(each.exc_info for each in caplog.records)


@pytest.mark.parametrize("accept", TABLES)
def test_too_many_rows_are_a_problem_before_the_first_byte(village: Settings, accept: str) -> None:
    with running(village.model_copy(update={"max_rows": 50})) as url, httpx.Client(base_url=url, timeout=30) as client:
        answer = ask(client, "SELECT * { ?s ?p ?o }", accept)
        assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
        assert "more than 50 rows" in answer.json()["detail"]
        assert ask(client, "SELECT * { ?s ?p ?o } LIMIT 50", accept).status_code == 200


@pytest.mark.parametrize(
    ("query", "accept", "other"),
    [
        ("CONSTRUCT { <a:s> <http://e/1> 1 } {}", "application/rdf+xml", "text/turtle"),
        ('CONSTRUCT { <a:s> <a:p> "\\u0001" } {}', "application/rdf+xml", "text/turtle"),
        ('SELECT ("\\u0001" AS ?x) {}', "application/sparql-results+xml", "text/csv"),
    ],
)
def test_what_xml_cannot_say_is_not_sent_as_broken_xml(
    client: httpx.Client, query: str, accept: str, other: str
) -> None:
    answer = ask(client, query, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (406, "application/problem+json")
    assert "XML cannot say this" in answer.json()["detail"]
    assert ask(client, query, other).status_code == 200


def exchanged(client: httpx.Client, request: str) -> tuple[str, dict[str, str], bytes]:
    """Status line, headers and body of what a server sends on a connection until it closes it."""
    address = urlsplit(str(client.base_url))
    with socket.create_connection((address.hostname or "", address.port or 0)) as opened:
        opened.sendall(request.encode())
        received = b""
        while part := opened.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    return status, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


def test_a_client_without_chunks_gets_the_length_of_a_long_answer_or_a_problem(strict: httpx.Client) -> None:
    long = "SELECT * { ?a ?b ?c . ?d ?e ?f } LIMIT 8000"
    path = "/sparql?" + urlencode({"query": long})
    status, headers, body = exchanged(strict, f"GET {path} HTTP/1.0\r\nAccept: text/csv\r\n\r\n")
    assert "200" in status
    assert len(body) > 2**20
    assert headers["content-length"] == str(len(body))
    assert body == ask(strict, long, "text/csv").content
    path = "/sparql?" + urlencode({"query": ENDLESS_ROWS})
    status, headers, body = exchanged(strict, f"GET {path} HTTP/1.0\r\nAccept: text/csv\r\n\r\n")
    assert "413" in status
    assert headers["content-type"] == "application/problem+json"


def test_head_of_a_long_answer_is_its_headers_alone(strict: httpx.Client) -> None:
    answer = strict.head("/sparql", params={"query": ENDLESS_ROWS})
    assert (answer.status_code, answer.content) == (200, b"")
    assert "content-length" not in answer.headers
    assert answer.headers["etag"]


def test_a_streamed_answer_has_an_etag_that_is_known_before_it_runs(strict: httpx.Client) -> None:
    with strict.stream("GET", "/sparql", params={"query": ENDLESS_ROWS}) as answer:
        etag = answer.headers["etag"]
    began = time.monotonic()
    again = strict.get("/sparql", params={"query": ENDLESS_ROWS}, headers={"if-none-match": etag})
    assert (again.status_code, again.headers["etag"]) == (304, etag)
    assert "kg-query" not in again.headers
    assert time.monotonic() - began < 1
    varying = ENDLESS_ROWS.replace("*", "(RAND() AS ?x) ?a ?b ?c ?d")
    with strict.stream("GET", "/sparql", params={"query": varying}) as answer:
        assert answer.status_code == 200
        assert "etag" not in answer.headers


def test_a_repeated_question_gets_the_same_answer_whatever_way_it_came(client: httpx.Client) -> None:
    text = NAMES + "# again and again"
    ways: list[dict[str, Any]] = [
        {"method": "GET", "params": {"query": text}},
        {"method": "GET", "params": {"query": text}, "headers": {"accept": "text/csv"}},
        {"method": "POST", "data": {"query": text}},
        {"method": "POST", "content": text, "headers": {"content-type": "application/sparql-query"}},
        {"method": "HEAD", "params": {"query": text}},
    ]
    first = [client.request(url="/sparql", **way) for way in ways]
    for _ in range(3):
        for way, before in zip(ways, first, strict=True):
            again = client.request(url="/sparql", **way)
            assert (again.status_code, again.content) == (before.status_code, before.content)
            dropped = {"date", "kg-query", "x-request-id"}  # these name the request
            assert {k: v for k, v in again.headers.items() if k not in dropped} == {
                k: v for k, v in before.headers.items() if k not in dropped
            }
    assert first[0].content == first[2].content == first[3].content != first[1].content
    etag = first[0].headers["etag"]
    assert client.get("/sparql", params={"query": text}, headers={"if-none-match": etag}).status_code == 304


@pytest.mark.parametrize(
    "text",
    [
        "ASK " + "{" * 3000 + "}" * 3000,
        "SELECT * { ?s " + "(" * 4000 + "<urn:p>" + ")" * 4000 + " ?o }",
        "SELECT (STRLEN(?x40) AS ?n) { BIND('aaaaaaaaaaaaaaaa' AS ?x0)"
        + "".join(f" BIND(CONCAT(?x{i},?x{i}) AS ?x{i + 1})" for i in range(40))
        + " }",
        "SELECT * { ?s " + "!" * 9000 + "<urn:p> ?o }",
        "SELECT (" + "-" * 9000 + "1 AS ?x) {}",
    ],
    ids=["braces", "brackets", "doubling", "negations", "signs"],
)
def test_a_text_that_would_end_the_engine_is_refused_and_the_service_lives(client: httpx.Client, text: str) -> None:
    answer = client.post("/sparql", data={"query": text, "timeout": "3"})
    assert 400 <= answer.status_code <= 504
    assert answer.headers["content-type"] == "application/problem+json"
    assert ask(client, "ASK {}").status_code == 200


def test_clients_that_vanish_do_no_harm(client: httpx.Client) -> None:
    address = urlsplit(str(client.base_url))
    for _ in range(6):
        connection = http.client.HTTPConnection(address.hostname or "", address.port)
        connection.request("GET", "/sparql?" + urlencode({"query": ENDLESS_ROWS}))
        response = connection.getresponse()
        response.read(1000)
        connection.close()
    assert ask(client, "ASK {}").status_code == 200


def test_a_query_whose_client_gave_up_is_ended(client: httpx.Client) -> None:
    for _ in range(4):  # more than there are readers: each must be free again at once
        with pytest.raises(httpx.ReadTimeout):
            client.get("/sparql", params={"query": ENDLESS}, timeout=0.2)
    started = time.monotonic()
    assert ask(client, "ASK {}").status_code == 200
    assert time.monotonic() - started < 1


def test_clients_that_do_not_read_hold_no_reader_past_the_deadline(client: httpx.Client) -> None:
    address = urlsplit(str(client.base_url))
    stuck = []
    for _ in range(3):
        opened = socket.create_connection((address.hostname or "", address.port or 0))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        path = "/sparql?" + urlencode({"query": ENDLESS_ROWS, "timeout": "1"})
        opened.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        stuck.append(opened)
    time.sleep(3.5)
    started = time.monotonic()
    assert ask(client, "SELECT (3 AS ?x) {}").status_code == 200
    assert time.monotonic() - started < 1
    for opened in stuck:
        opened.close()


@pytest.mark.parametrize(
    "query", ["SELECT * FROM <http://[> {}", "SELECT * FROM zz:a {}", "SELECT * FROM <http://e/\\u0020> {}"]
)
def test_a_graph_that_is_no_iri_is_a_malformed_query(client: httpx.Client, query: str) -> None:
    assert ask(client, query).status_code == 400


def test_the_service_description_names_what_is_there(client: httpx.Client) -> None:
    graph = rdflib.Graph().parse(data=client.get("/sparql").content, format="turtle")
    sd = rdflib.Namespace("http://www.w3.org/ns/sparql-service-description#")
    (service,) = graph.subjects(rdflib.RDF.type, sd.Service)
    assert str(graph.value(service, sd.endpoint)) == f"{client.base_url}/sparql".replace("//sparql", "/sparql")
    assert (service, sd.supportedLanguage, sd.SPARQL11Query) in graph
    assert len(set(graph.objects(service, sd.resultFormat))) == 10
    assert (
        client.get("/sparql", headers={"accept": "application/ld+json"}).headers["content-type"]
        == "application/ld+json"
    )


def converted(wrapper: SPARQLWrapper) -> Any:
    return wrapper.query().convert()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_sparqlwrapper_reads_every_kind_of_answer(client: httpx.Client, method: str) -> None:
    wrapper = SPARQLWrapper(f"{client.base_url}/sparql".replace("//sparql", "/sparql"))
    wrapper.setMethod(method)
    wrapper.setQuery(NAMES)
    wrapper.setReturnFormat(JSON)
    rows = converted(wrapper)["results"]["bindings"]
    assert [row["name"]["value"] for row in rows] == EXPECTED
    wrapper.setReturnFormat(XML)
    assert len(converted(wrapper).getElementsByTagName("result")) == 3
    wrapper.setReturnFormat(CSV)
    assert converted(wrapper).count(b"\r\n") == 4
    wrapper.setQuery("DESCRIBE <https://w3id.org/sse-kg/id/event/fair-2021>")
    wrapper.setReturnFormat(TURTLE)
    assert b"Fair of 2021" in converted(wrapper)


def test_many_clients_at_once_get_their_own_answers(client: httpx.Client) -> None:
    wrong: list[str] = []

    def work(number: int) -> None:
        for turn in range(20):
            value = number * 1000 + turn
            answer = ask(client, f"SELECT ({value} AS ?n) {{}}")
            if json.loads(answer.content)["results"]["bindings"][0]["n"]["value"] != str(value):
                wrong.append(answer.text)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
