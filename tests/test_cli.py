from __future__ import annotations

import codecs
import contextlib
import fcntl
import gzip
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest
import rdflib

from kg_service import resources
from kg_service.rdf import TRIG, parse_bytes
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore
from tests.conftest import VILLAGE
from tests.serving import ready

BROKEN = """
@prefix event: <https://w3id.org/sse-kg/id/event/> .
@prefix schema: <https://schema.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix sse: <https://w3id.org/sse-kg/ontology#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
event:backwards a sse:Event ; skos:prefLabel "Backwards"@en ;
  schema:startDate "2022-02-02"^^xsd:date ; schema:endDate "2021-01-01"^^xsd:date .
"""
GOOD = BROKEN.replace("2021-01-01", "2022-02-03").replace("backwards", "forwards").replace("Backwards", "Forwards")


@dataclass(frozen=True)
class Kg:
    """The command, on a store of its own whose seed data are the village."""

    store: Path
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"KG_STORE": str(self.store), "KG_DATA": str(self.data), "COLUMNS": "200"}

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "kg_service", *map(str, arguments)]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120)
        assert "Traceback" not in done.stderr, done.stderr
        return done

    @contextlib.contextmanager
    def serving(self, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "kg_service", "serve", "--port", str(port), *arguments]
        process = subprocess.Popen(command, env=self.environment, stderr=subprocess.PIPE, text=True)
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Kg:
    """A store with the village in it; tests that write take a copy."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "data").mkdir()
    shutil.copy(VILLAGE, folder / "data")
    kg = Kg(folder / "store", folder / "data")
    assert kg("query", "ASK {}").returncode == 0
    return kg


@pytest.fixture
def kg(seeded: Kg, tmp_path: Path) -> Kg:
    shutil.copytree(seeded.store, tmp_path / "store")
    return Kg(tmp_path / "store", seeded.data)


def events(kg: Kg) -> list[str]:
    text = "SELECT ?e { ?e a <https://w3id.org/sse-kg/ontology#Event> } ORDER BY ?e"
    return kg("query", text, "--format", "csv").stdout.split()[1:]


def test_serve_loads_answers_and_stops_cleanly(kg: Kg) -> None:
    with kg.serving() as (process, url):
        ready(url)
        assert len(httpx.get(f"{url}/api/events").json()["data"]) == 1
        children = psutil.Process(process.pid).children(recursive=True)
        assert children
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in errors
    assert "stopped" in errors
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_question_takes_its_parameters_as_options(kg: Kg) -> None:
    def names(*options: str) -> list[str]:
        done = kg("query", "recommendations/containing-word", "--format", "csv", *options)
        assert done.returncode == 0, done.stderr
        return [line.split(",")[2] for line in done.stdout.splitlines()[1:]]

    assert names() == []
    assert len(names("--word", "bake")) == len(names("--word=bake")) == 1
    for wrong, told in (
        (["--wrod", "x"], "wrod"),
        (["--word"], "--theme decent-work"),
        (["--word", "a", "--word=b"], "once"),
    ):
        done = kg("query", "recommendations/containing-word", *wrong)
        assert (done.returncode, told in done.stderr) == (2, True), done.stderr
    assert "only the questions" in kg("query", "ASK {}", "--word", "x").stderr


def test_ctrl_c_during_a_running_query_leaves_no_process(kg: Kg) -> None:
    endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }"
    with kg.serving() as (process, url):
        ready(url)
        children = psutil.Process(process.pid).children(recursive=True)
        answers: list[httpx.Response] = []
        asking = threading.Thread(
            target=lambda: answers.append(httpx.get(f"{url}/sparql", params={"query": endless}, timeout=30))
        )
        asking.start()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        asking.join()
    assert (process.returncode, "Traceback" in errors) == (0, False), errors
    assert answers[0].status_code == 503
    assert "stopping" in answers[0].json()["detail"]
    assert not psutil.wait_procs(children, timeout=5)[1]


def test_a_running_service_shows_what_is_loaded_beside_it(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "good.ttl").write_text(GOOD)
    with kg.serving() as (_, url):
        ready(url)
        assert kg("load", tmp_path / "good.ttl").returncode == 0
        labels = [event["label"] for event in httpx.get(f"{url}/api/events").json()["data"]]
    assert labels == ["Fair of 2021", "Forwards"]


def test_a_port_in_use_is_one_sentence(kg: Kg) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = kg("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "--port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_loading_is_idempotent_and_reports_what_it_did(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "good.ttl").write_text(GOOD)
    first = json.loads(kg("load", tmp_path / "good.ttl", "--json").stdout)
    again = json.loads(kg("load", tmp_path / "good.ttl", "--json").stdout)
    assert (first["added"], again["added"]) == (4, 0)
    assert first["generation"] == again["generation"] == 2
    assert len(events(kg)) == 2


def test_data_that_break_the_shapes_are_refused_with_the_report(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "good.ttl").write_text(GOOD)
    (tmp_path / "broken.ttl").write_text(BROKEN)
    done = kg("load", tmp_path / "good.ttl", tmp_path / "broken.ttl", "--json")
    assert done.returncode == 1
    (result,) = [r for r in json.loads(done.stdout)["results"] if r["severity"] == "Violation"]
    assert result["focus"]["value"] == "https://w3id.org/sse-kg/id/event/backwards"
    assert {"path", "value", "shape", "message"} <= set(result)
    assert events(kg) == ["https://w3id.org/sse-kg/id/event/fair-2021"]


def test_an_inferred_claim_outside_the_inferred_graph_is_refused(kg: Kg, tmp_path: Path) -> None:
    inferred = VILLAGE.read_text().partition("claim:oven a")
    claim = inferred[1] + inferred[2].replace("certainty:stated", "certainty:inferred").replace(
        "dcterms:source document:chronicle",
        'sse:rationale "why"@en ; sse:method "reading" ; dcterms:source document:chronicle',
    )
    prefixes = "".join(line + "\n" for line in inferred[0].splitlines() if line.startswith("@prefix"))
    for graph, code in (("inferred", 0), ("other", 1)):
        text = f"{prefixes}<https://w3id.org/sse-kg/graph/{graph}> {{ {claim.replace('claim:oven', 'claim:guess')} }}"
        (tmp_path / "guess.trig").write_text(text)
        done = kg("validate", tmp_path / "guess.trig")
        assert done.returncode == code, done.stdout
    assert "belongs in the graph “inferred”" in done.stdout


def test_a_dry_run_writes_nothing(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "good.ttl").write_text(GOOD)
    assert "would add 4" in kg("load", tmp_path / "good.ttl", "--dry-run").stdout
    assert len(events(kg)) == 1


def test_replacing_makes_a_graph_equal_to_its_file(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "mine.ttl").write_text(GOOD)
    kg("load", tmp_path / "mine.ttl")
    (tmp_path / "mine.ttl").write_text(GOOD.replace("forwards", "sideways"))
    assert kg("load", tmp_path / "mine.ttl", "--replace").returncode == 0
    assert [e.rsplit("/", 1)[1] for e in events(kg)] == ["fair-2021", "sideways"]


def test_blank_nodes_become_iris_and_loading_twice_adds_nothing(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "blank.ttl").write_text("<urn:a> <urn:p> [ <urn:q> 1 ; <urn:r> [ <urn:s> 2 ] ] .")
    first = json.loads(kg("load", tmp_path / "blank.ttl", "--json").stdout)
    again = json.loads(kg("load", tmp_path / "blank.ttl", "--json").stdout)
    assert (first["added"], again["added"]) == (4, 0)
    assert kg("query", "ASK { ?s ?p ?o FILTER(ISBLANK(?s) || ISBLANK(?o)) }").stdout == "no\n"


def test_validate_exits_1_on_a_broken_file_and_0_on_a_good_one(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "broken.ttl").write_text(BROKEN)
    (tmp_path / "good.ttl").write_text(GOOD)
    done = kg("validate", tmp_path / "broken.ttl")
    assert done.returncode == 1
    assert "event/backwards" in done.stdout
    assert kg("validate", tmp_path / "good.ttl").returncode == 0
    assert json.loads(kg("validate", tmp_path / "broken.ttl", "--json").stdout)["conforms"] is False


def test_messages_come_in_spanish_too(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "broken.ttl").write_text(BROKEN)
    english, spanish = (
        kg(command, tmp_path / "broken.ttl", "--lang", code).stdout
        for command, code in (("validate", "en"), ("load", "es"))
    )
    assert "The end date is before" in english or "end" in english
    assert "fecha" in spanish


def test_validate_says_what_load_would(kg: Kg, tmp_path: Path) -> None:
    """Adding to a graph that others write to as well must not look as if it emptied that graph."""
    (tmp_path / "more.trig").write_text(
        GOOD.replace("event:forwards a", "<https://w3id.org/sse-kg/graph/village> { event:forwards a") + "}"
    )
    assert kg("validate", tmp_path / "more.trig").returncode == 0
    assert kg("validate", tmp_path / "more.trig", "--replace").returncode == 0
    assert kg("load", tmp_path / "more.trig").returncode == 0
    assert len(events(kg)) == 2


def test_validate_knows_the_shipped_data_without_a_store(seeded: Kg, tmp_path: Path) -> None:
    (tmp_path / "more.ttl").write_text(
        GOOD + "event:forwards sse:takesPlaceIn <https://w3id.org/sse-kg/id/place/valley> ."
    )
    fresh = Kg(tmp_path / "none", seeded.data)
    assert fresh("validate", tmp_path / "more.ttl").returncode == 0
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("command", ["load", "validate"])
def test_a_malformed_file_is_a_sentence_with_line_and_column(kg: Kg, tmp_path: Path, command: str) -> None:
    (tmp_path / "bad.ttl").write_text("<urn:a> <urn:b> <urn:c> .\n<urn:a> <urn:b> .\n")
    done = kg(command, tmp_path / "bad.ttl")
    assert done.returncode == 2
    assert "bad.ttl: line 2, column 17" in done.stderr
    assert len(events(kg)) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["load", "nowhere.ttl"], "there is no such file"),
        (["load", "pyproject.toml"], "its ending says no RDF format"),
        (["validate", "kg_service"], "no RDF file in this folder"),
        (["query", "nowhere"], "neither a file"),
        (["query", "SELECT * {"], "line 1"),
        (["query", "SELECT * { ?s ?p ?o }", "--format", "html"], "known: json"),
        (["query", "events/none"], "neither a file"),
        (["export", "--graph", "none"], "known: "),
        (["export", "--format", "turtle"], "one graph only"),
        (["export", "--output", "/nowhere/x.trig"], "cannot be written"),
        (["serve", "--port", "99999"], "setting port"),
        (["serve", "--port", "many"], "port"),
        (["unknown"], "No such command"),
    ],
)
def test_wrong_use_is_a_sentence_and_exit_code_2(kg: Kg, arguments: list[str], words: str) -> None:
    done = kg(*arguments)
    assert done.returncode == 2
    assert words in done.stderr


def test_a_locked_store_is_waited_for_a_while_then_one_sentence(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "good.ttl").write_text(GOOD)
    with (kg.store / "writer.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = kg("load", tmp_path / "good.ttl")
    assert done.returncode == 2
    assert "another process is writing" in done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["waiting", "kg"]


def test_two_first_starts_at_once_wait_for_each_other(seeded: Kg, tmp_path: Path) -> None:
    fresh = Kg(tmp_path / "store", seeded.data)
    with ThreadPoolExecutor() as pool:
        done = list(pool.map(lambda _: fresh("query", "ASK {}"), range(3)))
    assert [each.stdout for each in done] == ["yes\n"] * 3


def test_loading_what_is_there_already_changes_nothing(kg: Kg, tmp_path: Path) -> None:
    """Also where the store writes a value in another way than the file."""
    (tmp_path / "n.ttl").write_text("<urn:a> <urn:p> 4.0 , 1.50 , '007'^^<http://www.w3.org/2001/XMLSchema#integer> .")
    for expected in (2, 2, 2):
        done = json.loads(kg("load", "--replace", tmp_path / "n.ttl", "--json").stdout)
        assert done["generation"] == expected
    assert kg("query", "SELECT (COUNT(*) AS ?n) { <urn:a> ?p ?o }", "-f", "csv").stdout.split() == ["n", "3"]


def test_files_whose_names_hold_anything_are_read(kg: Kg, tmp_path: Path) -> None:
    for name in ("my file.ttl", "a<b>.ttl", "x%zz.ttl", "a.one.ttl", "a.two.ttl", "ñandú.ttl"):
        (tmp_path / name).write_text(f"<urn:{len(name)}> <urn:p> '{name}' .")
        assert kg("load", "--replace", tmp_path / name).returncode == 0, name
    assert kg("query", "SELECT (COUNT(*) AS ?n) { ?s <urn:p> ?o }", "-f", "csv").stdout.split() == ["n", "6"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("deep.ttl", b"<urn:a> <urn:p> " + b"(" * 3000 + b")" * 3000 + b" .", "nested deeper than 200"),
        ("deep.jsonld", b"[" * 20000 + b"]" * 20000, "nested deeper than 200"),
        ("bomb.rdf", b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>", "DOCTYPE"),
        ("remote.jsonld", b'{"@context": "http://127.0.0.1:9/x", "@id": "urn:a", "urn:p": 1}', "none is ever fetched"),
        ("cut.ttl.gz", gzip.compress(b"<urn:a> <urn:b> <urn:c> ." * 100, mtime=0)[:-20], "not a whole gzip file"),
        ("rotten.ttl.gz", gzip.compress(b"<urn:a> <urn:b> 1 .", mtime=0)[:10] + b"\xff" * 30, "not a whole gzip file"),
        ("terms.ttl", b'<urn:a> <urn:b> <<( <urn:x> <urn:p> "o" )>> .', "triple terms"),
        ("latin.ttl", "<urn:a> <urn:b> 'é' .".encode("latin-1"), "UTF-8"),
    ],
)
def test_files_that_break_parsers_are_refused_in_one_sentence(
    kg: Kg, tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = kg("validate", tmp_path / name)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert words in done.stderr


def test_a_byte_order_mark_is_passed_over(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "windows.ttl").write_bytes(codecs.BOM_UTF8 + GOOD.encode())
    assert kg("validate", tmp_path / "windows.ttl").returncode == 0


def test_a_ring_of_blank_nodes_is_read_in_no_time(kg: Kg, tmp_path: Path) -> None:
    nodes = [f"_:a{i} <urn:p> _:a{j} ." for i in range(14) for j in range(14) if i != j]
    (tmp_path / "ring.ttl").write_text("\n".join(nodes))
    assert json.loads(kg("load", tmp_path / "ring.ttl", "--json").stdout)["added"] == 14 * 13


@pytest.mark.parametrize(
    "spoil",
    ["current", "cut current", "lease", "generation", "tables", "table", "manifest", "format", "log", "restoring"],
)
def test_a_damaged_store_is_one_sentence(kg: Kg, spoil: str) -> None:
    number = (kg.store / "current").read_text().strip()
    generation = kg.store / "generations" / number
    commands = [["export"], ["query", "ASK {}"], ["load", str(VILLAGE)]]
    match spoil:
        case "current":
            (kg.store / "current").write_text("many\n")
        case "cut current":
            (kg.store / "current").write_text("")
        case "lease":
            generation.with_suffix(".lease").unlink()
            del commands[2]  # the writer does not need it
        case "generation":
            shutil.rmtree(generation)
        case "tables":
            for table in generation.glob("*.sst"):
                table.unlink()
        case "table":
            largest = max(generation.glob("*.sst"), key=lambda table: table.stat().st_size)
            text = largest.read_bytes()
            largest.unlink()  # other generations have it by another name
            largest.write_bytes(text[: len(text) // 2])
        case "manifest":
            for manifest in generation.glob("MANIFEST-*"):
                manifest.write_bytes(b"")
        case "format":
            (kg.store / "format").write_bytes(b"\xff\xfe")
        case "log":
            (kg.store / "changes.db").write_bytes(b"many" * 1000)
        case "restoring":
            (kg.store / "restoring").touch()
    if spoil in ("cut current", "table", "manifest", "log", "restoring"):
        with socket.create_server(("127.0.0.1", 0)) as free:
            commands = [["serve", "--port", str(free.getsockname()[1])]]
    for command in commands:
        done = kg(*command)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), (command, done.stderr)
        assert "kg restore" in done.stderr


def test_what_lies_in_the_working_directory_is_never_run(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "kg_service").mkdir()
    (tmp_path / "kg_service" / "__init__.py").write_text("raise SystemExit('hijacked')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "kg_service", "query", "ASK {}"],
        env=kg.environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "yes\n"


def test_a_store_of_a_newer_format_is_one_sentence(kg: Kg) -> None:
    (kg.store / "format").write_text("99\n")
    for command in (["query", "ASK {}"], ["serve"], ["load", str(VILLAGE)]):
        done = kg(*command)
        assert done.returncode == 2
        assert "newer version" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_changed_seed_file_is_loaded_again_and_nothing_else_is_touched(kg: Kg, tmp_path: Path) -> None:
    (tmp_path / "good.ttl").write_text(GOOD)
    kg("load", tmp_path / "good.ttl")
    data = tmp_path / "data"
    data.mkdir()
    (data / "village.ttl").write_text(VILLAGE.read_text().replace("event:fair-2021", "event:fair-2022"))
    assert [e.rsplit("/", 1)[1] for e in events(Kg(kg.store, data))] == ["fair-2022", "forwards"]


def test_export_can_be_loaded_into_a_new_store(kg: Kg, tmp_path: Path) -> None:
    assert kg("export", "--output", tmp_path / "all.trig").returncode == 0
    first = rdflib.Dataset().parse(tmp_path / "all.trig", format="trig")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "all.trig").write_bytes((tmp_path / "all.trig").read_bytes())
    other = Kg(tmp_path / "other", tmp_path / "empty")
    assert other("export", "--output", tmp_path / "again.trig").returncode == 0
    assert (tmp_path / "again.trig").read_bytes() == (tmp_path / "all.trig").read_bytes()
    assert len(first) > 100
    one = kg("export", "--graph", "village", "--format", "turtle").stdout
    assert len(rdflib.Graph().parse(data=one, format="turtle")) == len(rdflib.Graph().parse(VILLAGE))


def test_query_prints_a_table_and_takes_names_of_ready_made_queries(kg: Kg) -> None:
    done = kg("query", "lists/events")
    assert done.returncode == 0
    assert "Fair of 2021" in done.stdout
    assert "1 row" in done.stdout
    assert json.loads(kg("query", "lists/events", "--json").stdout)["results"]["bindings"]
    assert kg("query", "ASK {}", "--json").stdout.strip() == '{"head":{},"boolean":true}'
    described = kg("query", "DESCRIBE <https://w3id.org/sse-kg/id/event/fair-2021>").stdout
    assert len(rdflib.Graph().parse(data=described, format="turtle")) == 10


def test_help_names_every_command() -> None:
    done = subprocess.run([sys.executable, "-m", "kg_service", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    for command in ("serve", "load", "validate", "query", "export", "encode"):
        assert command in done.stdout


def test_without_files_the_store_itself_is_validated(kg: Kg) -> None:
    good = kg("validate", "--json")
    assert good.returncode == 0, good.stderr
    assert json.loads(good.stdout)["blocks"] is False
    ends = b'<urn:g> { <urn:e> a <https://w3id.org/sse-kg/ontology#Event> ; <https://schema.org/startDate> "never" }'
    with EmbeddedStore(kg.store) as store:  # which judges nothing by itself
        store.apply(Delta(added=frozenset(parse_bytes(ends, TRIG))))
    broken = kg("validate")
    assert broken.returncode == 1
    assert "urn:e" in broken.stdout


def test_a_network_is_measured_from_the_command_line(kg: Kg) -> None:
    done = kg("network", "alliances", "pagerank", "--set", "level=local", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["meta"]["measure"] == "pagerank"
    assert told["meta"]["selection"] == {"level": ["https://w3id.org/sse-kg/id/level/local"]}
    assert len(told["data"]) == told["meta"]["nodes"] == 2
    assert kg("network", "alliances", "--format", "graphml").stdout.startswith("<?xml")
    wrong = kg("network", "alliances", "degre")
    assert wrong.returncode == 2
    assert "betweenness" in wrong.stderr
    assert kg("network", "alliances", "--set", "colour=red").returncode == 2


def test_words_find_things_from_the_command_line(kg: Kg) -> None:
    done = kg("search", "tejedroas")
    assert done.returncode == 0, done.stderr
    assert "Weavers’ Network  organisation/weavers" in done.stdout
    assert "label, typo: Red de tejedoras" in done.stdout
    found = json.loads(kg("search", "bakers and council", "--type", "Alliance", "--json").stdout)
    assert [hit["iri"] for hit in found["data"]] == ["https://w3id.org/sse-kg/id/alliance/oven"]
    assert kg("search", "xylophone").returncode == 1
    assert "Nonsense" in kg("search", "bread", "--type", "Nonsense").stderr


def test_the_questions_are_in_a_graph_of_their_own(kg: Kg) -> None:
    """In the form in which SPARQL editors ask an endpoint for its examples."""
    asked = (
        "PREFIX sh: <http://www.w3.org/ns/shacl#> SELECT (COUNT(DISTINCT ?example) AS ?n) { "
        "GRAPH <https://w3id.org/sse-kg/graph/queries> { ?example a sh:SPARQLExecutable ; "
        "<http://www.w3.org/2000/01/rdf-schema#comment> ?what ; sh:select|sh:ask|sh:construct ?text } }"
    )
    known = list(resources.folder("queries").rglob("*.rq"))
    assert kg("query", asked, "-f", "csv").stdout.split() == ["n", str(len(known))]
