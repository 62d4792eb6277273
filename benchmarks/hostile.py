"""What nobody should send: requests made of good ones, spoilt by chance. The same seed gives the same requests.

A door is a way into the service; `DOORS` has a function for each that makes a request of it.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote, urlencode

import zstandard
from pyoxigraph import NamedNode, Quad, RdfFormat, parse, serialize

from kg_service import resources
from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS
from kg_service.tables import blank, mapping

OWN = "https://w3id.org/sse-kg/graph/fuzz"
_BOUNDARY = "----hostile"
_PIECES = rb"""
{ } ( ) [ ] < > . ; , ^^ @ _: ?x ?y $x * / | ! a " ' \"\"\" ''' \ # = && || <<( )>> {| |} <urn:a> <http://127.0.0.1:1/>
SELECT ASK CONSTRUCT DESCRIBE WHERE UNION OPTIONAL MINUS GRAPH SERVICE SILENT FILTER EXISTS NOT BIND VALUES LIMIT
INSERT DELETE DATA WITH USING NAMED LOAD CLEAR DROP CREATE COPY MOVE ADD TO DEFAULT ALL INTO BASE PREFIX OFFSET ORDER BY
GROUP HAVING CONCAT(?x,?x) REPLACE(?x,'a*a*a*b','') COUNT(*) REGEX(?x,'(a+)+$') UUID() <file:///etc/passwd>
-1 0 1e400 99999999999999999999 NaN INF %00 %ff %u0041 ../ ..%2f &a;&a; <!DOCTYPE&#32;r[<!ENTITY a'b'>]>
{"@context":"http://127.0.0.1:1/"} {"@id": [[ null true \u0041 \uD800 \U00110000
""".split()
_PIECES += [b"\x00", b"\xff", b"\xed\xa0\x80", b"\r\n", b"\n", b"\t", b" ", b"\xe2\x80\xae", b"\xef\xbb\xbf"]
_PIECES += [b"\xf0\x9f\x92\xa9", b"<!DOCTYPE r [<!ENTITY a 'b'>]>", f"<{OWN}>".encode()]
_UPDATES = [
    "INSERT DATA {{ GRAPH <{g}> {{ <urn:a> <urn:p> 1 , 'x'@en , [ <urn:q> ( 1 2 ) ] }} }}",
    "DELETE DATA {{ GRAPH <{g}> {{ <urn:a> <urn:p> 1 }} }}",
    "DELETE {{ GRAPH <{g}> {{ ?s ?p ?o }} }} INSERT {{ GRAPH <{g}> {{ ?o ?p ?s }} }} "
    "WHERE {{ GRAPH <{g}> {{ ?s ?p ?o FILTER(isIRI(?o)) }} }}",
    "WITH <{g}> DELETE {{ ?s ?p ?o }} WHERE {{ ?s ?p ?o }} ; CLEAR GRAPH <{g}> ; INSERT DATA {{ <urn:a> <urn:b> 2 }}",
    "COPY <urn:x> TO <{g}> ; ADD SILENT DEFAULT TO <{g}> ; MOVE <{g}> TO <urn:y>",
    "DROP ALL ; CREATE SILENT GRAPH <{g}> ; LOAD SILENT <http://127.0.0.1:1/> INTO GRAPH <{g}>",
    "PREFIX : <urn:> BASE <urn:b/> INSERT {{ GRAPH <{g}> {{ :a :p ?n }} }} WHERE {{ BIND(1 AS ?n) }} # end",
    "DELETE WHERE {{ GRAPH <{g}> {{ ?s ?p ?o }} }}",
]  # fmt: skip
_QUERIES = [
    "SELECT * { ?s ?p ?o } LIMIT 5",
    "ASK { GRAPH ?g { ?s ?p 'x'@en } }",
    "CONSTRUCT { ?s ?p [ ?p ?o ] } WHERE { ?s ?p ?o } LIMIT 9",
    "DESCRIBE <https://w3id.org/sse-kg/id/place/village>",
    "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }",
    "SELECT ?x { BIND('xxxxxxxxxxxxxxxx' AS ?a) BIND(CONCAT(?a,?a,?a,?a) AS ?b) BIND(CONCAT(?b,?b,?b,?b) AS ?x) }",
    "SELECT * { ?s (<urn:a>|!<urn:b>|^<urn:c>)*/<urn:d>+ ?o } ORDER BY DESC(?o) OFFSET 3",
    "SELECT * { { SELECT ?s (GROUP_CONCAT(?o) AS ?all) { ?s ?p ?o } GROUP BY ?s HAVING(COUNT(?o) > 1) } }",
]
_TABLES = [
    b"name,country,website\nBakery,FR,https://example.org/\nMill,GB,\n",
    b"name;type;start\n\"Caf\xc3\xa9; caf\xc3\xa9\";forum;2020-02-30\n",
    b"\xef\xbb\xbfname\tlabel\nA\tB\n",
    b'{"type":"FeatureCollection","features":[{"type":"Feature","geometry":'
    b'{"type":"Point","coordinates":[1,2]},"properties":{"name":"A"}}]}',
]  # fmt: skip
PATCH = f"H id <urn:uuid:1> .\nTX .\nA <urn:a> <urn:p> 'x' <{OWN}> .\nD <urn:a> <urn:p> 1 .\nTC .\n".encode()
HEADERS = {
    "accept": ["text/turtle", "text/html;q=0.9,*/*;q=0.1", "text/csv;a=x", "*/*;q=2", ";", "a/b;q=nan"],
    "authorization": ["Bearer x", "Bearer eyJhbGciOiJub25lIn0.e.", "Basic eDp5", f"Bearer kg_00000000_{'a' * 43}", ""],
    "if-none-match": ['"1-q0"', "*", 'W/"x", "y"', ","],
    "if-match": ['"1-q0"', "*", '"c1-turtle"', "x"],
    "x-forwarded-for": ["1.2.3.4, ::1", "unknown", "[::1]:99999", ","],
    "range": ["bytes=0-1", "bytes=-1", "bytes=9-1", "bytes=0-0,2-3,x"],
    "cookie": ["kg=x", "kg_session=a.b.c", "=;;="],
    "accept-language": ["es", "fr-CA;q=0.1,*", "xx"],
    "x-request-id": ["abcdefgh", "a\tb", "x" * 200],
    "traceparent": ["00-" + "a" * 32 + "-" + "b" * 16 + "-01", "00-0-0-0"],
    "content-encoding": ["gzip", "zstd", "identity", "br", "gzip, gzip"],
    "origin": ["http://evil.example", "null"],
    "idempotency-key": ["k1", "k" * 300],
    "prefer": ["respond-async", "wait=x"],
}  # fmt: skip


@dataclass(slots=True)
class Sent:
    """A request; `raw` instead, where it is bytes that may be none."""

    method: str = "GET"
    path: str = "/"
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes = b""
    #: Whether the session of somebody who has signed in goes with it, or the token.
    who: str = ""

    def bytes(self) -> bytes:
        if self.raw:
            return self.raw
        lines = [f"{self.method} {self.path} HTTP/1.1", "connection: close"]
        lines += [f"{name}: {value}" for name, value in ({"host": "x"} | self.headers).items()]
        lines += [f"content-length: {len(self.body)}"] if self.body or self.method in ("POST", "PUT", "PATCH") else []
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + self.body


def spoilt(chance: random.Random, good: bytes, others: Sequence[bytes] = ()) -> bytes:
    """Bytes like the good ones: some places changed, cut, doubled, nested, or taken from others."""
    data = bytearray(good)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 8))):
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.choice((1, 1, 4, 16, 64)))
        how = chance.randrange(9)
        if how == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif how == 1:
            del data[at:end]
        elif how == 2:
            data[at:at] = data[at:end] * chance.choice((1, 2, 50))
        elif how == 3:
            del data[at:]
        elif how == 4 and others:
            other = chance.choice(others)
            data[at:end] = other[chance.randrange(len(other) + 1) :][: chance.choice((8, 64, 512))]
        elif how == 5:
            data[at:at] = chance.choice(_PIECES) * chance.choice((3, 100, 5000))
        else:
            piece = b" " * chance.randrange(2) + chance.choice(_PIECES) + b" " * chance.randrange(2)
            data[at : chance.choice((at, end))] = piece
    return bytes(data[: 2**20])


@cache
def documents() -> dict[RdfFormat, bytes]:
    """A few triples in each format."""
    text = (resources.folder("data") / "names.ttl").read_bytes()
    quads = list(parse(text, RdfFormat.TURTLE))[:40]
    found = {}
    for how in GRAPH_FORMATS:
        assert how.rdf
        graph = NamedNode(OWN)
        some = (
            [Quad(q.subject, q.predicate, q.object, graph) for q in quads]
            if how.rdf.supports_datasets
            else [q.triple for q in quads]
        )
        found[how.rdf] = serialize(some, None, how.rdf) or b""
    return found


@cache
def questions() -> list[bytes]:
    """The ready-made questions, and some that are not nice."""
    ready = [path.read_bytes() for path in sorted(resources.folder("queries").rglob("*.rq"))]
    return [each.encode() for each in _QUERIES] + ready[:40]


@cache
def updates() -> list[bytes]:
    return [each.format(g=OWN).encode() for each in _UPDATES]


@cache
def tables() -> list[bytes]:
    """Tables as text, and a workbook of each template."""
    from kg_service import ontology

    terms = ontology.read(resources.folder("ontology"))
    return _TABLES + [blank.workbook(each, terms) for each in mapping.every()[:3]]


def _workbook(chance: random.Random, good: bytes) -> bytes:
    """A workbook of which one of the files within is spoilt."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as whole, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        names = whole.namelist()
        which = chance.choice(names)
        for name in names:
            made.writestr(name, spoilt(chance, whole.read(name)) if name == which else whole.read(name))
    return out.getvalue()


def _table(chance: random.Random) -> bytes:
    good = chance.choice(tables())
    if good.startswith(b"PK") and chance.random() < 0.7:
        return _workbook(chance, good)
    return spoilt(chance, good, tables())


def _document(chance: random.Random) -> tuple[dict[str, str], bytes]:
    """A document with its headers, at times packed, at times in another format than it says."""
    how = chance.choice([each for each in GRAPH_FORMATS if each.rdf])
    assert how.rdf
    body = spoilt(chance, documents()[how.rdf], list(documents().values()))
    said = how if chance.random() < 0.9 else chance.choice(GRAPH_FORMATS)
    headers = {"content-type": chance.choice(said.media_types)}
    packed = chance.randrange(10)
    if packed == 0:
        headers["content-encoding"], body = "gzip", spoilt(chance, gzip.compress(body))
    elif packed == 1:
        headers["content-encoding"], body = "zstd", spoilt(chance, zstandard.compress(body))
    return headers, body


def _more(chance: random.Random, headers: dict[str, str]) -> dict[str, str]:
    """The same headers and others."""
    for name in chance.sample(list(HEADERS), chance.choice((0, 0, 1, 2))):
        value = spoilt(chance, chance.choice(HEADERS[name]).encode()).decode("utf-8", "surrogateescape")
        headers.setdefault(name, value[:2000].translate({13: 32, 10: 32, 0: 32}))
    return headers


def _form(chance: random.Random, good: dict[str, bytes]) -> bytes:
    pairs = [(name, value) for name, value in good.items() if chance.random() < 0.95]
    return urlencode(pairs).encode() if chance.random() < 0.9 else spoilt(chance, urlencode(pairs).encode())


def _sparql(chance: random.Random) -> Sent:
    text = spoilt(chance, chance.choice(questions()), questions())
    asked: dict[str, bytes] = {"query": text}
    if chance.random() < 0.3:
        asked["format"] = chance.choice([each.name for each in (*TABLE_FORMATS, *GRAPH_FORMATS)] + ["x"]).encode()
    if chance.random() < 0.3:
        asked["timeout"] = spoilt(chance, b"0.5")
    if chance.random() < 0.2:
        asked[chance.choice(("default-graph-uri", "named-graph-uri"))] = spoilt(chance, OWN.encode())
    how = chance.randrange(3)
    if how == 0:
        return Sent("GET", f"/sparql?{_form(chance, asked).decode('latin-1')}", _more(chance, {}))
    if how == 1:
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return Sent("POST", "/sparql", _more(chance, kind), _form(chance, asked))
    return Sent("POST", "/sparql", _more(chance, {"content-type": "application/sparql-query"}), text)


def _update(chance: random.Random) -> Sent:
    text = spoilt(chance, chance.choice(updates()), updates())
    path = "/update" + chance.choice(("", "", "?dry_run=true", "?quarantine=true", "?dry_run=x", "?note=%ff"))
    if chance.random() < 0.5:
        return Sent("POST", path, _more(chance, {"content-type": "application/sparql-update"}), text, who="token")
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return Sent("POST", path, _more(chance, kind), _form(chance, {"update": text}), who="token")


def _store(chance: random.Random) -> Sent:
    headers, body = _document(chance)
    name = OWN.encode() if chance.random() < 0.8 else spoilt(chance, OWN.encode())
    where = chance.choice((f"?graph={quote(name)}",) * 6 + ("?default", "", "?graph=", f"/{quote(name)}"))
    method = chance.choice(("PUT", "POST", "POST", "PATCH", "DELETE", "GET", "HEAD"))
    if method == "PATCH":
        is_patch = chance.random() < 0.5
        headers = {"content-type": "application/rdf-patch" if is_patch else "application/sparql-update"}
        body = spoilt(chance, PATCH if is_patch else chance.choice(updates()), updates())
    return Sent(
        method,
        f"/store{where}",
        _more(chance, headers),
        b"" if method in ("GET", "HEAD", "DELETE") else body,
        who="token",
    )


def _changes(chance: random.Random) -> Sent:
    if chance.random() < 0.1:
        number = spoilt(chance, b"3").decode("latin-1")
        return Sent("POST", f"/api/changes/{quote(number)}/revert", _more(chance, {}), who="token")
    delta = {"added": f"<{OWN}> {{ <urn:a> <urn:b> 2 }}", "removed": "", "format": "trig"}
    kind, good = chance.choice(
        [
            ("application/json", json.dumps(delta).encode()),
            ("application/rdf-patch", PATCH),
            ("application/n-quads", documents()[RdfFormat.N_QUADS]),
        ]
    )
    path = "/api/changes" + chance.choice(("", "?dry_run=true", f"?graph={quote(OWN)}"))
    return Sent("POST", path, _more(chance, {"content-type": kind}), spoilt(chance, good), who="token")


def _validate(chance: random.Random) -> Sent:
    headers, body = _document(chance)
    return Sent("POST", "/api/validate" + chance.choice(("", "?lang=es", "?lang=\xff")), _more(chance, headers), body)


def _tables(chance: random.Random) -> Sent:
    """A table by the form of the page, of somebody who has signed in; the driver puts the mark in."""
    table = _table(chance)
    template = chance.choice([each.name for each in mapping.every()])
    name = chance.choice(("t.csv", "t.xlsx", "t.tsv", "t.geojson", "t", '"; x="'))
    parts = {"mark": b"MARK", "step": b"try", "template": template.encode()}
    body = b"".join(
        f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="{key}"\r\n\r\n'.encode() + value + b"\r\n"
        for key, value in parts.items()
    )
    head = f'--{_BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body += head.encode() + table + f"\r\n--{_BOUNDARY}--\r\n".encode()
    if chance.random() < 0.1:
        body = spoilt(chance, body)
    kind = {"content-type": f"multipart/form-data; boundary={_BOUNDARY}"}
    return Sent("POST", "/tables", kind, body, who="session")


_PATHS = """
/api/organisations /api/events /api/recommendations /api/alliances /api/themes /api/places /api/documents
/api/sdgs /api/search /api/networks /api/networks/alliances /api/networks/alliances/degree /api/queries
/api/changes /feed /patches /page/theme/care /data/theme/care /id/theme/care /ontology /shapes /catalog
/.well-known/void /reconcile /dumps /network /map /query /build /search /history /api/guidelines
/api/sdgs/coverage /api/duplicates /context.jsonld /api/queries/events/dialogues-in-order /health/ready
/metrics /docs /openapi.json /static/x /tables /validate
""".split()
_PARAMETERS = (
    "q=vilage limit=5 offset=1 cursor=abc sort=-label lang=es facets=kind kind=forum _profile=minimal format=csv"
    " from=2020 to=2021-13 status=planned generation=1 entity=urn:a page=2 type=x theme=care queries={} timeout=1"
).split()


def _reading(chance: random.Random) -> Sent:
    path = chance.choice(_PATHS)
    asked = "&".join(chance.sample(_PARAMETERS, chance.choice((0, 1, 2, 4))))
    address = spoilt(chance, f"{path}?{asked}".encode()) if chance.random() < 0.7 else f"{path}?{asked}".encode()
    method = chance.choice(("GET",) * 6 + ("HEAD", "OPTIONS", "BREW"))
    return Sent(method, quote(address[:20_000], safe="/?&=%:;,+*{}[]"), _more(chance, _more(chance, {})))


def _reconcile(chance: random.Random) -> Sent:
    good = {
        "q0": {"query": "village", "type": "https://schema.org/Event", "limit": 3, "properties": [{"pid": "x", "v": 1}]}
    }
    name = chance.choice(("queries", "extend"))
    return Sent(
        "POST", "/reconcile", _more(chance, {"content-type": "application/x-www-form-urlencoded"}),
        _form(chance, {name: spoilt(chance, json.dumps(good).encode())}),
    )  # fmt: skip


def _raw(chance: random.Random) -> Sent:
    """Bytes that were a request once."""
    good = chance.choice(list(DOORS.values())[:-1])(chance)
    chunked = b"POST /sparql HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\nASK {\r\n1\r\n}\r\n0\r\n\r\n"
    return Sent(raw=spoilt(chance, chunked if chance.random() < 0.2 else good.bytes()) or b"\r\n")


DOORS: dict[str, Callable[[random.Random], Sent]] = {
    "sparql": _sparql,
    "update": _update,
    "store": _store,
    "changes": _changes,
    "validate": _validate,
    "tables": _tables,
    "reading": _reading,
    "reconcile": _reconcile,
    "raw": _raw,
}
