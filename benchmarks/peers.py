"""The service beside other SPARQL servers: the same data, the same questions, the same client, in one run.

    python -m benchmarks.peers [--triples 1000000] [--engines oxigraph,fuseki,…] [--flood] [--markdown FILE]

Ours is `kg serve` with a token, over a store that holds the project's data and benchmarks/generate.py's; the peers hold
what its default graph holds, in theirs. Fuseki is on TDB2, the oxigraph server and Virtuoso on disk as well,
rdflib-endpoint over rdflib's memory store. Measured is:

- cold: questions that were never asked before, one client, the engines in turn; medians for each kind of question;
- Zipf: 8 clients that ask 300 questions, the popular ones far more often, as real endpoints are asked;
- memory: the proportional set size of all the processes of an engine, when loaded and at the end;
- commit: from sending an update of one triple until a query finds the triple;
- flood: `ASK {}` and a fresh lookup, while as many runaway queries run as the service has readers.

Answers are compared: the run fails if ours differ from the oxigraph server's. Times hold the client's own, which is
measured against a server that does nothing. A ratio is ours divided by the peer's, so below 1 ours is better, except
for requests per second.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import math
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil
from pyoxigraph import DefaultGraph, NamedNode, Quad, RdfFormat, parse

from benchmarks import engines, generate
from benchmarks.client import TABLE, TOO_LONG, Connection, Reply, Tally, get, hammer, percentile, post_update
from benchmarks.engines import Missing, Server
from kg_service import resources
from kg_service.ingest import bulk
from kg_service.settings import Settings
from kg_service.shacl import load_shapes
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, snapshot

OURS, REFERENCE = "ours", "oxigraph"
TOKEN = "benchmark"
CLIENTS = 8
TEXTS = 300  # of the Zipf mix
#: Longest time for one question, and for all questions of one kind to one engine.
QUESTION_SECONDS, KIND_SECONDS = 30.0, 15.0
UPDATE_SECONDS = 120.0
PREFIXES = """PREFIX sse: <https://w3id.org/sse-kg/ontology#> PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX org: <http://www.w3.org/ns/org#> """
RUNAWAY = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER(?a != ?i) }"

FUSEKI_CONFIG = """
@prefix fuseki: <http://jena.apache.org/fuseki#> .
@prefix tdb2: <http://jena.apache.org/2016/tdb#> .
[] a fuseki:Server ; fuseki:services ( <#ds> ) .
<#ds> a fuseki:Service ; fuseki:name "ds" ;
  fuseki:endpoint [ fuseki:operation fuseki:query ; fuseki:name "sparql" ] ,
    [ fuseki:operation fuseki:update ; fuseki:name "update" ] ;
  fuseki:dataset [ a tdb2:DatasetTDB2 ; tdb2:location "db" ] .
"""


# ---- Questions ----


class World:
    """Questions about a world of some number of neighbourhoods; no question is asked twice."""

    def __init__(self, neighbourhoods: int, seed: int) -> None:
        self._size, self._chance = neighbourhoods, random.Random(seed)
        self._asked: set[str] = set()

    def question(self, kind: str) -> str:
        while (text := KINDS[kind](self)) in self._asked:
            pass
        self._asked.add(text)
        return text

    def number(self) -> int:
        return self._chance.randrange(self._size)

    def organisation(self) -> str:
        return generate.actor(self.number(), self._chance.randrange(generate.ORGANISATIONS))

    def one(self, kind: str) -> str:
        """Something of that kind that each neighbourhood has one of."""
        return generate.thing(kind, generate.word(self.number()))

    def country(self) -> str:
        return generate.thing("place", self._chance.choice(list(generate.COUNTRIES)).lower())

    def theme(self) -> str:
        return self._chance.choice(generate.concepts("Theme"))


KINDS: dict[str, Callable[[World], str]] = {
    "lookup": lambda w: f"SELECT ?p ?o {{ {w.organisation()} ?p ?o }}",
    "two hops": lambda w: (
        f"{PREFIXES} SELECT ?other ?name {{ ?alliance sse:party/sse:partyActor {w.organisation()} ; "
        'sse:party/sse:partyActor ?other . ?other skos:prefLabel ?name FILTER(LANG(?name) = "en") }'
    ),
    "incoming": lambda w: f"SELECT ?s ?p {{ ?s ?p {generate.actor(w.number(), 0)} }}",
    "group-by": lambda w: (
        f"{PREFIXES} SELECT ?kind (COUNT(?o) AS ?n) {{ ?o sse:theme {w.theme()} ; sse:organisationKind ?kind ; "
        f"sse:locatedIn/sse:within {w.country()} }} GROUP BY ?kind"
    ),
    "theme join": lambda w: (
        f"{PREFIXES} SELECT ?alliance ?name {{ ?alliance sse:theme {w.theme()} ; sse:party/sse:partyActor ?actor . "
        f'?actor sse:locatedIn/sse:within {w.country()} ; skos:prefLabel ?name FILTER(LANG(?name) = "es") }} '
        "ORDER BY ?name ?alliance LIMIT 50"
    ),
    "ask": lambda w: f"{PREFIXES} ASK {{ {w.organisation()} sse:theme {w.theme()} }}",
    "construct": lambda w: f"{PREFIXES} CONSTRUCT {{ ?part ?p ?o }} {{ ?part sse:inEvent {w.one('event')} ; ?p ?o }}",
    "describe": lambda w: f"DESCRIBE {w.one('policy')}",
}


def zipf_mix(world: World, seed: int) -> Iterator[str]:
    """Texts without end, the n-th most popular one asked 1/n as often as the first."""
    texts = [world.question(kind) for _, kind in zip(range(TEXTS), itertools.cycle(KINDS), strict=False)]
    chance = random.Random(seed)
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(TEXTS)))
    while True:
        yield from chance.choices(texts, cum_weights=weights, k=1000)


def answer_of(reply: Reply) -> list[str] | None:
    """What an answer says, in a form that two engines' answers can be compared in; None when it is no answer."""
    if reply.status != 200:
        return None
    if reply.media_type in (TABLE, "application/json"):
        found = json.loads(reply.body)
        rows = [found["boolean"]] if "boolean" in found else found["results"]["bindings"]
        return sorted(json.dumps(row, sort_keys=True) for row in rows)
    try:
        is_xml = "xml" in reply.media_type  # rdflib-endpoint calls RDF/XML a table of results
        form = RdfFormat.RDF_XML if is_xml else RdfFormat.from_media_type(reply.media_type) or RdfFormat.N_TRIPLES
        return sorted({str(triple) for triple in parse(reply.body, form)})
    except SyntaxError:
        return None


# ---- Engines, loaded and running ----


@dataclass(slots=True)
class Engine:
    """An engine that runs, and what was measured of it."""

    name: str
    server: Server
    load_seconds: float
    connection: Connection
    cold: dict[str, list[float]] = field(default_factory=dict)
    failed: int = 0
    differing: int = 0
    memory_at_rest: float = 0.0
    memory_after: float = 0.0
    zipf: Tally = field(default_factory=Tally)
    commits: list[float] = field(default_factory=list)
    floods: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, query: str) -> Reply:
        return self.connection.ask(get(self.server.query, query), QUESTION_SECONDS)

    def memory(self) -> float:
        """Megabytes of all its processes, what they share counted once."""
        root = psutil.Process(self.server.process)
        total = 0.0
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                total += process.memory_full_info().pss / 2**20
        return total


def load_ours(root: Path, world: Path) -> None:
    """The project's data and the world into a store, the world in parts of a size that fits in memory.

    Through the store and not `kg load`: the world is known to conform, and validating it again is another benchmark.
    """
    shapes = load_shapes(resources.folder("shapes"))
    graph = NamedNode("https://w3id.org/sse-kg/graph/world")
    with EmbeddedStore(root) as store:
        bulk.seed(store, bulk.seeds(resources.folder("data"), resources.folder("ontology")), shapes)
        quads = (Quad(q.subject, q.predicate, q.object, graph) for q in parse(path=world))
        while part := frozenset(itertools.islice(quads, 250_000)):
            store.apply(Delta(added=part))


def export(root: Path, out: Path) -> int:
    """What the store's default graph holds, as N-Triples for the others; how many triples."""
    with snapshot(root) as store:
        store.dump(str(out), RdfFormat.N_TRIPLES, from_graph=DefaultGraph())
    with out.open("rb") as lines:
        return sum(1 for _ in lines)


@contextlib.contextmanager
def ours(folder: Path, world: Path) -> Iterator[Server]:
    port = engines.free_port()
    base = f"http://127.0.0.1:{port}"
    environment = {"KG_STORE": str(folder / "store"), "KG_TOKEN": TOKEN, "PYTHONPATH": str(generate.ROOT)}
    command = [sys.executable, "-P", "-m", "kg_service", "serve", "--port", str(port)]
    with engines.running(command, folder, f"{base}/sparql", environment) as process:
        yield Server(process, f"{base}/sparql", f"{base}/update")


@contextlib.contextmanager
def oxigraph(folder: Path, data: Path) -> Iterator[Server]:
    run([engines.oxigraph_program(), "load", "--location", "db", "--file", str(data)], folder)
    run([engines.oxigraph_program(), "optimize", "--location", "db"], folder)
    with engines.oxigraph(folder, "--location", "db") as server:
        yield server


@contextlib.contextmanager
def fuseki(folder: Path, data: Path) -> Iterator[Server]:
    java = engines.fuseki_program("-Xmx2g", "-cp", str(engines.fuseki_jar()))
    run([*java, "tdb2.tdbloader", "--loc", "db", str(data)], folder)
    with engines.fuseki(folder, FUSEKI_CONFIG, java=["-Xmx2g"]) as server:
        yield server


@contextlib.contextmanager
def virtuoso(folder: Path, data: Path) -> Iterator[Server]:
    """Virtuoso's default graph is all its graphs; the data are in one."""
    shutil.copy(data, folder / "data.nt")
    with engines.virtuoso(folder, buffers=85_000) as server:
        script = f"ld_dir('{folder}', 'data.nt', 'urn:world'); rdf_loader_run(); checkpoint;"
        rights = 'grant SPARQL_UPDATE to "SPARQL";'
        run(["isql-vt", str(server.sql_port), "dba", "dba", f"exec={script} {rights}"], folder)
        yield Server(server.process, server.query, server.query)


@contextlib.contextmanager
def rdflib_endpoint(folder: Path, data: Path) -> Iterator[Server]:
    with engines.rdflib_endpoint(folder, data, seconds=240) as server:
        yield server


def run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"{command[0]} failed: {done.stderr[-500:]}{done.stdout[-500:]}", is_obtainable=True)


ENGINES = {OURS: ours, REFERENCE: oxigraph, "fuseki": fuseki, "rdflib-endpoint": rdflib_endpoint, "virtuoso": virtuoso}


# ---- Measurements ----


def cold(running: list[Engine], world: World, each: int, warm: int) -> None:
    """Fills in the cold times; the engines answer each question in turn, each time another one first."""
    for kind in KINDS:
        spent = dict.fromkeys((engine.name for engine in running), 0.0)
        for _ in range(warm):
            text = world.question(kind)
            for engine in running:
                if spent[engine.name] < KIND_SECONDS / 3:
                    spent[engine.name] += engine.ask(text).seconds
        for engine in running:
            spent[engine.name], engine.cold[kind] = 0.0, []
        for turn in range(each):
            text, answers = world.question(kind), dict[str, list[str] | None]()
            first = turn % len(running)
            for engine in running[first:] + running[:first]:
                if spent[engine.name] > KIND_SECONDS:
                    continue
                reply = engine.ask(text)
                spent[engine.name] += reply.seconds
                engine.cold[kind].append(reply.seconds)
                answers[engine.name] = answer_of(reply)
            _compare(running, answers, text)
        say(kind, *(f"{e.name} {statistics.median(e.cold[kind]) * 1000:.2f} ms" for e in running))


def _compare(running: list[Engine], answers: dict[str, list[str] | None], text: str) -> None:
    """Counts what failed and what is not as the reference says: ours word for word, others by their number of rows."""
    right = answers.get(REFERENCE)
    for engine in running:
        if engine.name not in answers:
            continue
        answer = answers[engine.name]
        if answer is None:
            engine.failed += 1
            if engine.failed == 1:
                say(f"{engine.name} has no answer to {text}")
        elif right is not None and (answer != right if engine.name == OURS else len(answer) != len(right)):
            engine.differing += 1
            if engine.name == OURS:
                say(f"differs from {REFERENCE}: {text}")


def zipf(engine: Engine, texts: Iterator[str], seconds: float) -> None:
    requests = {text: get(engine.server.query, text) for text in set(itertools.islice(texts, 20 * TEXTS))}
    known = (requests.get(text) or get(engine.server.query, text) for text in texts)
    hammer(engine.server.query, known, clients=CLIENTS, seconds=seconds / 2)
    engine.zipf = hammer(engine.server.query, known, clients=CLIENTS, seconds=seconds)
    tally = engine.zipf
    say(
        "zipf",
        engine.name,
        f"{tally.rate:,.0f}/s",
        f"p99 {tally.percentile(0.99) * 1000:.1f} ms",
        f"{tally.failed} failed",
    )


def commits(engine: Engine, world: World, count: int) -> None:
    """Fills in the times until a triple that was sent is found by a query; stops early when they are long."""
    connection = Connection(engine.server.update)
    graph = "GRAPH <urn:world> {}" if engine.name == "virtuoso" else "{}"
    token = TOKEN if engine.name == OURS else None
    for number in range(count):
        triple = f'{world.organisation()} <http://www.w3.org/2004/02/skos/core#altLabel> "Benchmark {number}"@en'
        inserted = "INSERT DATA { " + graph.replace("{}", "{ " + triple + " }" if "GRAPH" in graph else triple) + " }"
        began = time.perf_counter()
        reply = connection.ask(post_update(engine.server.update, inserted, token), UPDATE_SECONDS)
        if reply.status not in (200, 204):
            say("commit", engine.name, f"status {reply.status}", reply.body[:300].decode(errors="replace"))
            if reply.status == TOO_LONG:
                engine.commits.append(math.inf)
            break
        while not _is_true(engine.ask(f"ASK {{ {triple} }}")):
            if time.perf_counter() > began + UPDATE_SECONDS:
                break
        engine.commits.append(time.perf_counter() - began)
        if sum(engine.commits) > UPDATE_SECONDS:
            break
    connection.close()
    say("commit", engine.name, f"{median(engine.commits) * 1000:.1f} ms over {len(engine.commits)}")


def _is_true(reply: Reply) -> bool:
    return reply.status == 200 and b"true" in reply.body.lower()


def flood(engine: Engine, world: World, runaways: int, seconds: float) -> None:
    """Fills in how long light questions take while runaway queries run; the runaways are asked again when they end."""
    heavy = [Connection(engine.server.query) for _ in range(runaways)]
    for number, connection in enumerate(heavy):
        connection.send(get(engine.server.query, f"{RUNAWAY} # {number}"))
    time.sleep(1)
    taken: dict[str, list[float]] = {"ASK {}": [], "lookup": []}
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for name, query in (("ASK {}", "ASK {}"), ("lookup", world.question("lookup"))):
            reply = engine.connection.ask(get(engine.server.query, query), 10)
            taken[name].append(reply.seconds if reply.status == 200 else math.inf)
        time.sleep(0.02)
    for connection in heavy:
        connection.close()
    engine.floods = taken
    say(
        "flood",
        engine.name,
        *(f"{n} p50 {percentile(t, 0.5) * 1000:.1f} p99 {percentile(t, 0.99) * 1000:.1f} ms" for n, t in taken.items()),
    )


def client_cost(folder: Path) -> dict[str, float]:
    """Microseconds that one request takes against a server that does nothing: alone, and of 8 clients."""
    port = engines.free_port()
    (folder / "nothing").mkdir()
    base = f"http://127.0.0.1:{port}/"
    program = str(Path(__file__).with_name("client.py"))
    with engines.running([sys.executable, program, str(port)], folder / "nothing", base):
        request = get(base, "SELECT * {}")
        alone = hammer(base, itertools.repeat(request), clients=1, seconds=1)
        together = hammer(base, itertools.repeat(request), clients=CLIENTS, seconds=1)
    return {"alone": 1e6 / alone.rate, "together": 1e6 / together.rate}


# ---- What is said of them ----


def median(values: list[float]) -> float:
    return statistics.median(values) if values else math.nan


def mean_ratio(one: Engine, other: Engine) -> float:
    """The geometric mean over the kinds of the ratios of the medians."""
    ratios = [median(one.cold[kind]) / median(other.cold[kind]) for kind in KINDS]
    return math.exp(statistics.fmean(math.log(ratio) for ratio in ratios))


def table(running: list[Engine], head: str) -> str:
    """Markdown: ours in plain figures, the others as ratios of ours to theirs."""
    us, *others = running
    rows = [_row(f"cold, {kind}", [median(e.cold[kind]) * 1000 for e in running], "ms") for kind in KINDS]
    rows.append(["**cold, geometric mean**", "", *(f"**{mean_ratio(us, other):.2f}**" for other in others)])
    mix = f"Zipf, {CLIENTS} clients"
    rows.append(_row(f"{mix}, requests", [e.zipf.rate for e in running], "/s"))
    for share in (0.5, 0.99):
        rows.append(_row(f"{mix}, p{share * 100:.0f}", [e.zipf.percentile(share) * 1000 for e in running], "ms"))
    rows.append(_row("memory at rest", [e.memory_at_rest for e in running], "MB"))
    rows.append(_row("memory after", [e.memory_after for e in running], "MB"))
    rows.append(_row("commit of one triple, median", [median(e.commits) * 1000 for e in running], "ms"))
    for light in us.floods:
        flooded = [percentile(e.floods[light], 0.99) * 1000 for e in running]
        rows.append(_row(f"`{light}` under a flood, p99", flooded, "ms"))
    lines = [["", "ours", *(f"ours ÷ {other.name}" for other in others)], ["---", *["--:"] * len(running)], *rows]
    return f"{head}\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _row(title: str, figures: list[float], unit: str) -> list[str]:
    ours, *theirs = figures
    return [title, f"{_figure(ours)} {unit}", *(_figure(ours / each if each else math.nan) for each in theirs)]


def _figure(value: float) -> str:
    if math.isinf(value) or math.isnan(value):
        return "–" if math.isnan(value) else "∞"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def say(*words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {', '.join(words)}", file=sys.stderr, flush=True)


def started(names: list[str], folder: Path, world: Path, stack: contextlib.ExitStack) -> list[Engine]:
    """The engines, loaded and running; one that cannot be had is left out, and why is said."""
    began = time.perf_counter()
    (folder / OURS).mkdir()
    load_ours(folder / OURS / "store", world)
    ours_took = time.perf_counter() - began
    data = folder / "default-graph.nt"
    count = export(folder / OURS / "store", data)
    say(f"{count:,} triples; ours loaded in {ours_took:.0f} s")
    running = []
    for name in names:
        (folder / name).mkdir(exist_ok=True)
        began = time.perf_counter()
        try:
            server = stack.enter_context(ENGINES[name](folder / name, data))
        except (Missing, AssertionError) as error:
            say(f"{name} left out: {error}")
            continue
        took = ours_took if name == OURS else time.perf_counter() - began
        running.append(Engine(name, server, took, Connection(server.query)))
        say(f"{name} loaded and started, {took:.0f} s")
    return running


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", type=int, default=1_000_000)
    arguments.add_argument(
        "--engines", default=",".join(ENGINES), help="which, divided by commas; ours is always there"
    )
    arguments.add_argument(
        "--seconds", type=float, default=8, help="of the Zipf mix for each engine, and of each flood"
    )
    arguments.add_argument("--cold", type=int, default=50, help="cold questions of each kind")
    arguments.add_argument("--commits", type=int, default=20)
    arguments.add_argument("--flood", action="store_true", help="also while runaway queries run")
    arguments.add_argument("--seed", type=int, default=20)
    arguments.add_argument("--markdown", type=Path)
    arguments.add_argument("--json", type=Path)
    chosen = arguments.parse_args()
    names = [OURS, *(name for name in chosen.engines.split(",") if name != OURS)]
    if unknown := set(names) - set(ENGINES):
        arguments.error(f"unknown engine {', '.join(sorted(unknown))}; known: {', '.join(ENGINES)}")

    with contextlib.ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="kg-peers-", dir=os.environ.get("TMPDIR")))
        )
        file = folder / "world.nt"
        lines = generate.write(file, chosen.triples, chosen.seed)
        neighbourhoods = sum("/ontology#LocalGovernment>" in line for line in file.open())
        world = World(neighbourhoods, chosen.seed)
        cost = client_cost(folder)
        running = started(names, folder, file, stack)
        for engine in running:
            engine.ask("ASK {}")
            engine.memory_at_rest = engine.memory()
        cold(running, world, chosen.cold, warm=chosen.cold // 2)
        for engine in running:
            zipf(engine, zipf_mix(World(neighbourhoods, chosen.seed + 1), chosen.seed), chosen.seconds)
        for engine in running:
            engine.memory_after = engine.memory()
            if chosen.flood:
                flood(engine, world, Settings().readers, chosen.seconds)
        for engine in reversed(running):  # ours last
            commits(engine, world, chosen.commits)

    head = f"{lines:,} generated triples; the client itself takes {cost['alone']:.0f} µs of each request "
    head += f"({cost['together']:.0f} µs with {CLIENTS} clients)."
    print(text := table(running, head))
    for engine in running[1:]:
        if engine.failed or engine.differing:
            print(f"{engine.name}: {engine.failed} questions failed, {engine.differing} answers of another size")
    if chosen.markdown:
        chosen.markdown.write_text(text)
    if chosen.json:
        kept = (
            "name",
            "load_seconds",
            "cold",
            "memory_at_rest",
            "memory_after",
            "commits",
            "floods",
            "failed",
            "differing",
        )
        raw = [{key: getattr(engine, key) for key in kept} | {"zipf": asdict(engine.zipf)} for engine in running]
        chosen.json.write_text(json.dumps({"triples": lines, "client_microseconds": cost, "engines": raw}, indent=1))
    if running[0].failed or running[0].differing:
        raise SystemExit(f"ours: {running[0].failed} questions failed, {running[0].differing} answers differ")


if __name__ == "__main__":
    main()
