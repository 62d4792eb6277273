"""What a document or a page about a thing costs, beside rdflib-endpoint answering the same by SPARQL.

    python -m benchmarks.documents [--triples 1000000] [--things 100]

Both hold the same world. The things are organisations, governments and events taken at random; each is asked for once
(cold), then all again in other order (warm). rdflib-endpoint gets one CONSTRUCT for what the Turtle document holds:
the statements in both directions, the names of what they lead to, and the claims with their quotations.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import quote, urlencode, urlsplit

from benchmarks import generate, peers
from kg_service.rdf import ENTITY

_QUERY = """PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX sse: <https://w3id.org/sse-kg/ontology#>
CONSTRUCT { %(t)s ?p ?o . ?s ?q %(t)s . ?o skos:prefLabel ?on . ?s skos:prefLabel ?sn . ?c ?cp ?co . ?e ?ep ?eo }
WHERE {
  { %(t)s ?p ?o OPTIONAL { ?o skos:prefLabel ?on } } UNION { ?s ?q %(t)s OPTIONAL { ?s skos:prefLabel ?sn } }
  UNION { ?c rdf:subject %(t)s ; ?cp ?co } UNION { ?c rdf:subject %(t)s ; sse:evidence ?e . ?e ?ep ?eo } }"""


def things(neighbourhoods: int, count: int, chance: random.Random) -> list[str]:
    """IRIs in angle brackets, each once."""
    found: dict[str, None] = {}
    while len(found) < count:
        number = chance.randrange(neighbourhoods)
        kind = chance.choice(("organisation", "government", "event"))
        if kind == "organisation":
            found[generate.actor(number, chance.randrange(generate.ORGANISATIONS))] = None
        else:
            found[generate.thing(kind, generate.word(number))] = None
    return list(found)


def timed(base: str, paths: Iterable[str], accept: str) -> list[float]:
    """Milliseconds of each request, one after the other on one connection; every answer must be 200."""
    place = urlsplit(base)
    connection, took = http.client.HTTPConnection(place.netloc, timeout=120), []
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path, headers={"Accept": accept})
        answer = connection.getresponse()
        answer.read()
        took.append(1000 * (time.perf_counter() - began))
        assert answer.status == 200, (path, answer.status)
    return took


def row(title: str, took: list[float]) -> str:
    return f"| {title} | {median(took):.1f} | {quantiles(took, n=100)[98]:.1f} |"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", type=int, default=1_000_000)
    arguments.add_argument("--things", type=int, default=100)
    arguments.add_argument("--seed", type=int, default=20)
    chosen = arguments.parse_args()
    chance = random.Random(chosen.seed)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR"))))
        file = folder / "world.nt"
        lines = generate.write(file, chosen.triples, chosen.seed)
        neighbourhoods = sum("/ontology#LocalGovernment>" in line for line in file.open())
        asked = things(neighbourhoods, chosen.things, chance)
        again = chance.sample(asked, len(asked))
        running = {each.name: each for each in peers.started([peers.OURS, "rdflib-endpoint"], folder, file, stack)}

        def door(name: str) -> Callable[[str], str]:
            return lambda thing: f"/{name}/{quote(thing.strip('<>').removeprefix(ENTITY))}"

        print(f"{lines:,} triples, {len(asked)} things; milliseconds\n\n| | p50 | p99 |\n|---|---:|---:|")
        ours = running[peers.OURS].server.query
        for title, name, accept in (("Turtle", "data", "text/turtle"), ("page", "page", "text/html")):
            print(row(f"ours: {title}, cold", timed(ours, map(door(name), asked), accept)))
            print(row(f"ours: {title}, warm", timed(ours, map(door(name), again), accept)))
        if other := running.get("rdflib-endpoint"):
            texts = [f"/?{urlencode({'query': _QUERY % {'t': thing}})}" for thing in asked]
            print(row("rdflib-endpoint: the same by SPARQL", timed(other.server.query, texts, "text/turtle")))


if __name__ == "__main__":
    main()
