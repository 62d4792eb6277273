"""The load of `benchmarks/soak.py`: what visitors, writers and those who break things do, each kind by itself.

Each kind is a function that does one thing once and tells what came of it: a status, or a word where there is none.
"""

from __future__ import annotations

import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

import httpx

ID, NOTE = "https://w3id.org/sse-kg/id/theme/", "http://www.w3.org/2004/02/skos/core#note"
GRAPH = "urn:soak"
_PREFIXES = "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX sse: <https://w3id.org/sse-kg/ontology#> "
_HOT = [
    _PREFIXES + f"SELECT ?s ?l {{ ?s a sse:{kind} ; skos:prefLabel ?l }} ORDER BY ?s LIMIT {size}"
    for kind in ("Theme", "Recommendation", "Event", "Network", "Alliance")
    for size in (5, 20, 100)
]
_PAGES = [
    *(
        "/",
        "/recommendations",
        "/policies",
        "/alliances",
        "/themes",
        "/timeline",
        "/map",
        "/sdg",
        "/history",
        "/sources",
    ),
    *(
        "/api/events",
        "/api/themes?limit=20",
        "/api/recommendations?facets=population&theme=care",
        "/catalog",
        "/ontology",
    ),
    *("/api/sdgs/coverage", "/api/guidelines", "/api/changes?limit=5", "/feed", "/openapi.json", "/health/ready"),
    *("/api/networks/alliances/degree?wait=5", "/page/theme/care", "/data/theme/care", "/id/theme/care", "/query"),
]
_WORDS = [
    "care",
    "women",
    "iztapalpa",
    "cooperativa",
    "économie",
    "housing",
    "public procurement",
    "seoul 2019",
    "ñandú",
]
_RUNAWAY = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i FILTER (?c > ?f && ?f > ?i) }"
_BROKEN: list[tuple[str, str, bytes, str]] = [
    ("POST", "/sparql", b"SELECT * { ?s ?p", "application/sparql-query"),
    ("POST", "/sparql", b"{" * 5_000, "application/sparql-query"),
    ("POST", "/update", b"INSERT DATA { <a> <b> ", "application/sparql-update"),
    ("POST", "/update", b"\xff\xfe\x00", "application/sparql-update"),
    ("POST", "/api/changes", b'{"added": [1, {"s": ' + b"[" * 3_000, "application/json"),
    ("POST", "/api/changes", b"A <a> <b> .\nTC .", "application/rdf-patch"),
    ("PUT", f"/store?graph={GRAPH}-broken", b"<a> <b> <c", "text/turtle"),
    ("PUT", f"/store?graph={GRAPH}-broken", b'{"@context": ' + b"[" * 5_000, "application/ld+json"),
    ("POST", "/api/validate", b"@prefix : <x> . :a :b [ [ [", "text/turtle"),
    ("POST", "/reconcile", b"queries=%7B%22q%22%3A", "application/x-www-form-urlencoded"),
    ("PATCH", "/api/themes/care", b"null", "application/json"),
    ("GET", "/api/events?limit=-1&sort=%00", b"", "text/plain"),
]


@dataclass(slots=True)
class World:
    """The service under load, and what it has accepted: `added` notes, and the last value of each counter."""

    url: str
    token: str
    stop: threading.Event = field(default_factory=threading.Event)
    told: Counter[tuple[str, str]] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)
    added: set[str] = field(default_factory=set)
    changes: set[int] = field(default_factory=set)
    values: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def count(self, kind: str, outcome: str) -> None:
        with self.lock:
            self.told[kind, outcome] += 1

    @property
    def login(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


#: Does one thing of its kind; a client of its own and its own chance.
Kind = Callable[[World, httpx.Client, random.Random], str]


def hot(world: World, client: httpx.Client, chance: random.Random) -> str:
    return _status(client.post("/sparql", data={"query": chance.choice(_HOT)}))


def cold(world: World, client: httpx.Client, chance: random.Random) -> str:
    text = _PREFIXES + f"SELECT * {{ ?s skos:prefLabel ?l FILTER (STRLEN(?l) > {chance.randrange(10**6)}) }} LIMIT 50"
    return _status(client.get("/sparql", params={"query": text}))


def page(world: World, client: httpx.Client, chance: random.Random) -> str:
    path = chance.choice(_PAGES)
    answer = client.get(path, headers={"accept": "text/html, */*;q=0.5"} if "/api/" not in path else {})
    return _status(answer)


def search(world: World, client: httpx.Client, chance: random.Random) -> str:
    word = f"{chance.choice(_WORDS)} {chance.choice(['', 'a', 'co', 'x'])}".strip()
    return _status(client.get("/api/search", params={"q": word}))


def write(world: World, client: httpx.Client, chance: random.Random) -> str:
    """One note more; what was accepted must be there for ever."""
    text = f"note {chance.getrandbits(64):x}"
    update = f'INSERT DATA {{ GRAPH <{GRAPH}> {{ <{ID}care> <{NOTE}> "{text}" }} }}'
    answer = client.post("/update", data={"update": update}, headers=world.login)
    if answer.status_code == 200:
        with world.lock:
            world.added.add(text)
            world.changes.add(answer.json()["change"])
    return _status(answer)


def replace(world: World, client: httpx.Client, chance: random.Random) -> str:
    """A value of its own is counted up: whoever writes it sees no other's, and loses none."""
    name = f"urn:soak:value:{threading.get_ident()}"
    known = world.values.get(name, 0)
    update = (
        f"DELETE {{ GRAPH <{GRAPH}> {{ <{name}> <{NOTE}> ?n }} }} "
        f"INSERT {{ GRAPH <{GRAPH}> {{ <{name}> <{NOTE}> ?more }} }} "
        f"WHERE {{ OPTIONAL {{ GRAPH <{GRAPH}> {{ <{name}> <{NOTE}> ?n }} }} BIND(COALESCE(?n, 0) + 1 AS ?more) }}"
    )
    answer = client.post("/update", data={"update": update}, headers=world.login)
    if answer.status_code == 200:
        with world.lock:
            world.values[name] = known + 1
            world.changes.add(answer.json()["change"])
    return _status(answer)


def refused(world: World, client: httpx.Client, chance: random.Random) -> str:
    """Data that break the shapes: an end before its beginning."""
    date, schema = "http://www.w3.org/2001/XMLSchema#date", "https://schema.org/"
    body = (
        f"<{ID[:-6]}event/soak-{chance.getrandbits(32)}> a <https://w3id.org/sse-kg/ontology#Event> ; "
        f'<{schema}startDate> "2022-02-02"^^<{date}> ; <{schema}endDate> "2021-01-01"^^<{date}> .'
    )
    about = world.login | {"content-type": "text/turtle"}
    return _status(client.post(f"/store?graph={GRAPH}-refused", content=body, headers=about))


def dry_run(world: World, client: httpx.Client, chance: random.Random) -> str:
    update = f'INSERT DATA {{ GRAPH <{GRAPH}> {{ <{ID}care> <{NOTE}> "tried {chance.random()}" }} }}'
    return _status(client.post("/update?dry_run=true", data={"update": update}, headers=world.login))


def upload(world: World, client: httpx.Client, chance: random.Random) -> str:
    """A graph of 3,000 statements, replaced again and again."""
    seed = chance.randrange(100)
    body = "".join(f'<urn:soak:row:{n}> <{NOTE}> "row {n} {(n + seed) % 7} ü" .\n' for n in range(3_000))
    about = world.login | {"content-type": "text/turtle"}
    return _status(client.put(f"/store?graph={GRAPH}-uploaded", content=body.encode(), headers=about))


def validate(world: World, client: httpx.Client, chance: random.Random) -> str:
    body = f'<{ID}soak> a <https://w3id.org/sse-kg/ontology#Theme> ; <{NOTE}> "{chance.random()}" .'
    return _status(client.post("/api/validate", content=body, headers={"content-type": "text/turtle"}))


def runaway(world: World, client: httpx.Client, chance: random.Random) -> str:
    return _status(client.post("/sparql", data={"query": f"{_RUNAWAY} # {chance.random()}"}, timeout=120))


def broken(world: World, client: httpx.Client, chance: random.Random) -> str:
    method, path, body, kind = chance.choice(_BROKEN)
    headers = world.login | {"content-type": kind}
    return _status(client.request(method, path, content=body, headers=headers))


def vanished(world: World, client: httpx.Client, chance: random.Random) -> str:
    """Asks for something long, or sends half a body, and is gone."""
    asked = quote(f"SELECT * {{ ?s ?p ?o }} # {chance.random()}")
    whole = f"GET /sparql?query={asked} HTTP/1.1\r\nHost: x\r\n\r\n"
    half = (
        f"POST /update HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.token}\r\nContent-Length: 5000\r\n\r\nINSERT"
    )
    with _socket(world) as gone:
        gone.sendall(chance.choice([whole, half]).encode())
        if chance.random() < 0.5:
            gone.recv(chance.choice([1, 1000, 100_000]))
    return "left"


def slow(world: World, client: httpx.Client, chance: random.Random) -> str:
    """Sends a head byte by byte, or takes a large answer in drops, until it is shown the door or has had enough."""
    with _socket(world) as opened:
        opened.settimeout(30)
        try:
            if chance.random() < 0.5:
                for byte in b"GET /sparql?query=ASK%7B%7D HTTP/1.1\r\nHost: somewhere.example.org\r\nX: ":
                    opened.sendall(bytes([byte]))
                    if world.stop.wait(0.3):
                        break
                return "sent slowly"
            asked = quote("SELECT * { ?s ?p ?o . ?o ?q ?r } LIMIT 200000")
            opened.sendall(f"GET /sparql?query={asked} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            for _ in range(40):
                if not opened.recv(2_000) or world.stop.wait(0.3):
                    break
            return "taken slowly"
        except OSError:
            return "shown the door"


def _socket(world: World) -> socket.socket:
    where = urlsplit(world.url)
    return socket.create_connection((where.hostname, where.port or 80), 30)


def _status(answer: httpx.Response) -> str:
    return str(answer.status_code)


#: Each kind with how many do it at the same time, and the seconds that one of them rests in between.
KINDS: dict[str, tuple[Kind, int, float]] = {
    "hot query": (hot, 2, 0.03),
    "cold query": (cold, 2, 0.3),
    "page": (page, 2, 0.5),
    "search": (search, 1, 0.5),
    "write": (write, 2, 0.6),
    "replace": (replace, 2, 0.8),
    "refused write": (refused, 1, 2.0),
    "trial": (dry_run, 1, 1.0),
    "upload": (upload, 1, 8.0),
    "validation": (validate, 1, 3.0),
    "runaway query": (runaway, 2, 10.0),
    "broken request": (broken, 1, 0.5),
    "vanished client": (vanished, 1, 0.7),
    "slow client": (slow, 2, 1.0),
}


def begin(world: World, seed: int) -> list[threading.Thread]:
    """Begins all of it; it ends soon after `world.stop` is set."""
    workers = [
        threading.Thread(
            target=_repeat, args=(world, name, work, rest, seed + 100 * place + number), name=name, daemon=True
        )
        for place, (name, (work, count, rest)) in enumerate(KINDS.items())
        for number in range(count)
    ]
    for worker in workers:
        worker.start()
    return workers


def _repeat(world: World, name: str, work: Kind, rest: float, seed: int) -> None:
    chance = random.Random(seed)
    # Given up before the service does, so that none is closed just when it is used.
    kept = httpx.Limits(keepalive_expiry=3.0)
    with httpx.Client(base_url=world.url, timeout=60, limits=kept) as client:
        while not world.stop.wait(rest * chance.uniform(0.5, 1.5)):
            began = time.time()
            try:
                outcome = work(world, client, chance)
            except (httpx.TransportError, OSError) as error:
                outcome = type(error).__name__
                if name not in ("vanished client", "slow client"):
                    world.failures.append(f"{time.strftime('%X')} {name}: {error!r} after {time.time() - began:.1f} s")
            world.count(name, outcome)
            if outcome.startswith("5") and outcome not in ("503", "504", "507"):
                world.failures.append(f"{time.strftime('%X')} {name}: {outcome}")
