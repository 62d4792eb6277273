"""REST beside SPARQL: things and lists as our JSON, and the same facts asked of rdflib-endpoint by SPARQL.

    python -m benchmarks.rest [--triples 1000000] [--requests 200] [--without-peer] [--markdown FILE]

Ours is `kg serve` over a store that holds the project's data and benchmarks/generate.py's; the peer holds what its
default graph holds, in rdflib's memory store. No question is asked twice, so that no answer comes from a cache of
answers. The first question of each kind, for which columns are read, is told apart; so is a list right after a commit.
A ratio is ours divided by the peer's: below 0.5 ours is at least twice as fast.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from benchmarks import engines, generate, peers
from benchmarks.client import Connection, Reply, get, percentile, post_update
from benchmarks.engines import Missing, Server

PREFIXES = """PREFIX sse: <https://w3id.org/sse-kg/ontology#> PREFIX skos: <http://www.w3.org/2004/02/skos/core#>
PREFIX rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> PREFIX oa: <http://www.w3.org/ns/oa#> """
PAGE = 20
#: Longest time that one kind of question may take at the peer.
KIND_SECONDS = 30.0
#: Longest time for which rdflib may read the data.
LOAD_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One question in both forms: a path of ours, and SPARQL."""

    path: str
    sparql: str


@dataclass(slots=True)
class Times:
    """Seconds of each answer; the first of ours stands apart."""

    first: float = 0.0
    ours: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)


def thing(chance: random.Random, size: int) -> Asked:
    """An alliance with all that is said of it, and the quotations behind it."""
    name = f"{generate.word(chance.randrange(size))}-{1 + chance.randrange(2)}"
    iri = generate.thing("alliance", name)
    return Asked(
        f"/api/alliances/{name}",
        f"{PREFIXES} SELECT * {{ {iri} ?p ?o OPTIONAL {{ ?c rdf:subject {iri} ; rdf:predicate ?p ; rdf:object ?o ; "
        "sse:certainty ?certainty ; sse:evidence ?q . ?q oa:exact ?exact ; oa:start ?start ; oa:end ?end ; "
        "sse:quotedFrom ?document } }",
    )


def listing(where: str, parameters: str, chance: random.Random, offsets: int) -> Asked:
    """A page of organisations by name, somewhere in the order, with kind, acronym and themes."""
    return Asked(
        f"/api/organisations?limit={PAGE}{parameters}",
        f"{PREFIXES} SELECT ?iri ?label ?kind ?acronym ?theme {{ {{ SELECT ?iri ?label {{ ?iri a sse:Organisation ; "
        f'skos:prefLabel ?label {where} FILTER(LANG(?label) = "en") }} ORDER BY ?label ?iri LIMIT {PAGE} '
        f"OFFSET {chance.randrange(offsets)} }} OPTIONAL {{ ?iri sse:organisationKind ?kind }} "
        "OPTIONAL { ?iri sse:acronym ?acronym } OPTIONAL { ?iri sse:theme ?theme } }",
    )


def page(chance: random.Random, size: int) -> Asked:
    return listing("", "", chance, 8 * size - PAGE)


def filtered(chance: random.Random, size: int) -> Asked:
    """A page of those that have a theme and a kind, found by a word of their name."""
    theme = chance.choice(generate.concepts("Theme"))
    kind = chance.choice(list(generate.KINDS))
    word = generate.word(chance.randrange(size))[:3]
    slug = theme.rsplit("/", 1)[1][:-1]
    return listing(
        f"; sse:theme {theme} ; sse:organisationKind {generate.thing('org-kind', kind)} "
        f'FILTER(CONTAINS(LCASE(?label), "{word}"))',
        f"&theme={slug}&kind={kind}&q={word}",
        chance,
        1,
    )


def facets(chance: random.Random, size: int) -> Asked:
    """How many of those with a kind, in a town, have which theme."""
    kind = chance.choice(list(generate.KINDS))
    word = generate.word(chance.randrange(size))[:3]
    return Asked(
        f"/api/organisations?limit=1&facets=theme&kind={kind}&q={word}",
        f"{PREFIXES} SELECT ?theme (COUNT(DISTINCT ?iri) AS ?n) {{ ?iri a sse:Organisation ; sse:theme ?theme ; "
        f"sse:organisationKind {generate.thing('org-kind', kind)} ; skos:prefLabel ?label "
        f'FILTER(CONTAINS(LCASE(?label), "{word}")) }} GROUP BY ?theme ORDER BY DESC(?n)',
    )


KINDS: dict[str, Callable[[random.Random, int], Asked]] = {
    "thing with evidence": thing,
    "page of a list": page,
    "filtered page": filtered,
    "facets": facets,
}


class Rest:
    """A client of our service: walks pages by their links."""

    def __init__(self, server: Server) -> None:
        where = urlsplit(server.query)
        self._host, self._update = where.netloc, server.update
        self._connection = Connection(server.query)

    def get(self, path: str) -> Reply:
        line = f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\nAccept: application/json\r\n\r\n"
        reply = self._connection.ask(line.encode(), 120)
        assert reply.status == 200, f"{path}: {reply.status} {reply.body[:300]!r}"
        return reply

    def walk(self, path: str) -> Iterator[float]:
        """The seconds of each page of a list, one after the other, from the beginning again at its end."""
        following = path
        while True:
            reply = self.get(following)
            yield reply.seconds
            after = json.loads(reply.body)["links"].get("next")
            following = after[after.index("/api/") :] if after else path

    def commit(self, number: int) -> None:
        text = f'{generate.actor(number, 1)} <http://www.w3.org/2004/02/skos/core#altLabel> "Benchmark {number}"@en'
        reply = self._connection.ask(post_update(self._update, f"INSERT DATA {{ {text} }}", peers.TOKEN), 60)
        assert reply.status == 200, reply.body


def measure(ours: Rest, peer: Server | None, size: int, requests: int) -> dict[str, Times]:
    found: dict[str, Times] = {}
    for kind, question in KINDS.items():
        chance, times = random.Random(7), found.setdefault(kind, Times())
        times.first = ours.get(question(chance, size).path).seconds
        if kind == "page of a list":
            times.ours = list(itertools.islice(ours.walk(page(chance, size).path), requests))
        else:
            times.ours = [ours.get(question(chance, size).path).seconds for _ in range(requests)]
        if peer:
            connection, until = Connection(peer.query), time.monotonic() + KIND_SECONDS
            while len(times.peer) < requests and time.monotonic() < until:
                reply = connection.ask(get(peer.query, question(chance, size).sparql), 120)
                assert reply.status == 200, reply.body[:500]
                times.peer.append(reply.seconds)
        peers.say(kind, *(f"{seconds * 1000:.2f} ms" for seconds in (times.first, statistics.median(times.ours))))
    after = found["page right after a commit"] = Times()
    for number in range(max(5, requests // 10)):
        ours.commit(number)
        after.ours.append(ours.get(f"/api/organisations?limit={PAGE}&q={quote(generate.word(number))}").seconds)
    return found


def table(found: dict[str, Times]) -> str:
    rows = [
        "|  | first | p50 | p99 | rdflib-endpoint p50 | p99 | p50 ÷ |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    for kind, times in found.items():
        own, other = _told(times.ours), _told(times.peer) if times.peer else ["–", "–"]
        ratio = f"{statistics.median(times.ours) / statistics.median(times.peer):.3f}" if times.peer else "–"
        first = f"{times.first * 1000:.1f} ms" if times.first else "–"
        rows.append(f"| {kind} | {first} | {' | '.join([*own, *other, ratio])} |")
    return "\n".join(rows)


def _told(seconds: list[float]) -> list[str]:
    return [f"{value * 1000:.1f} ms" for value in (statistics.median(seconds), percentile(seconds, 0.99))]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", type=int, default=1_000_000)
    arguments.add_argument("--requests", type=int, default=200)
    arguments.add_argument("--without-peer", action="store_true")
    arguments.add_argument("--markdown", type=Path)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as made, contextlib.ExitStack() as stack:
        folder = Path(made)
        generate.write(folder / "world.nt", chosen.triples)
        text = (folder / "world.nt").read_text(encoding="utf-8")
        size = text.count("<https://w3id.org/sse-kg/ontology#describes>")
        del text
        peers.load_ours(folder / "store", folder / "world.nt")
        peers.say(f"{chosen.triples:,} triples, {8 * size:,} organisations")
        peer = None
        if not chosen.without_peer:
            peers.export(folder / "store", folder / "all.nt")
            (folder / "peer").mkdir()
            try:
                peer = stack.enter_context(
                    engines.rdflib_endpoint(folder / "peer", folder / "all.nt", seconds=LOAD_SECONDS)
                )
            except Missing as missing:
                peers.say(f"without rdflib-endpoint: {missing}")
        server = stack.enter_context(peers.ours(folder, folder / "world.nt"))
        report = table(measure(Rest(server), peer, size, chosen.requests))
    print(report)
    if chosen.markdown:
        chosen.markdown.write_text(report + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
