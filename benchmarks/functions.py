"""Functions that read what others wrote in the process that serves everybody, or in one beside it, as `fuzz.py` calls
them: whatever they are given they may say no, but by our own errors alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from pyoxigraph import Literal, NamedNode, Quad, Store

from benchmarks.hostile import HEADERS, OWN, PATCH, questions, tables, updates
from kg_service.api import clients, edge
from kg_service.errors import KgError
from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS
from kg_service.sparql import guard, patch, protocol
from kg_service.sparql.update import to_delta
from kg_service.tables import reading


def _guard(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for what in ("query", "update"):
        for may_federate in (False, True):
            guard.inspect(text, max_bytes=2**20, base="urn:b/", what=what, may_federate=may_federate)


def _protocol(data: bytes) -> None:
    query, _, rest = data.partition(b"\n")
    kind, _, body = rest.partition(b"\n")
    headers = {"content-type": kind.decode("latin-1"), "accept": kind.decode("latin-1")}
    for method in ("GET", "POST"):
        with suppress(KgError):
            protocol.asked(method, query, headers, body)
    protocol.asked_update(query, headers, body)


def _header(data: bytes) -> None:
    text = data.decode("latin-1")
    for formats in (TABLE_FORMATS, GRAPH_FORMATS):
        protocol.negotiate(text, formats)
    clients.bearer(text)
    for name in ("x-forwarded-for", "forwarded"):
        headers = [(name.encode(), data), (b"x-forwarded-proto", data)]
        scope = {"type": "http", "client": ("127.0.0.1", 1), "scheme": "http", "headers": headers}
        edge.through_proxies(scope, 1, name)
        assert scope["scheme"] in ("http", "https")


def _splitter(data: bytes) -> None:
    """The change that an update makes is the one that the engine makes, where both accept it."""
    # What is long takes time by the square of its prologues, in a process that is ended at its deadline.
    text = data[:_LONGEST].decode("utf-8", "replace")
    guard.inspect(text, max_bytes=2**20, base="urn:b/", what="update")
    store = Store()
    store.extend(_BEFORE)

    @contextmanager
    def scratch() -> Iterator[Store]:
        copy = Store()
        copy.extend(store)
        yield copy

    delta = to_delta(store, text, base="urn:b/", union=False, scratch=scratch)
    if _UNSURE.search(text):  # may give something else each time, or ask others
        return
    expected = Store()
    expected.extend(store)
    try:
        expected.update(text, base_iri="urn:b/")
    except (SyntaxError, OSError, RuntimeError) as error:
        if "exist" in str(error):  # of graphs without triples, which are none for us
            return
        raise AssertionError(f"the engine refuses what the splitter accepts: {error}") from error
    found = (set(store) - delta.removed) | delta.added
    assert {str(each) for each in found} == {str(each) for each in expected}


_BEFORE = [
    Quad(NamedNode(f"urn:{s}"), NamedNode("urn:p"), Literal(s), NamedNode(OWN) if s < "c" else NamedNode("urn:x"))
    for s in "abcd"
] + [Quad(NamedNode("urn:a"), NamedNode("urn:b"), NamedNode("urn:c"))]
_LONGEST = 10_000
_UNSURE = re.compile(r"\[|_:|\(|rand|now|uuid|bnode|load|limit|offset|group", re.IGNORECASE)


def _read_table(data: bytes) -> None:
    for name in ("t.csv", "t.xlsx", "t.geojson"):
        with suppress(KgError):
            reading.read(name, data, ("name", "country"))


_FORM = b"application/x-www-form-urlencoded"
_REQUESTS = [
    b"query=ASK+%7B%7D&timeout=1&format=csv\n" + _FORM + b"\nupdate=CLEAR+ALL&using-graph-uri=urn:a",
    b"default-graph-uri=urn:a&named-graph-uri=urn:b\napplication/sparql-query\nASK { ?s ?p 'caf\xc3\xa9' }",
    b"using-graph-uri=urn:a\napplication/sparql-update\nCLEAR ALL",
]
#: With what is good for each of them.
PURE: dict[str, tuple[Callable[[bytes], object], Callable[[], Sequence[bytes]]]] = {
    "guard": (_guard, lambda: questions() + updates()),
    "protocol": (_protocol, lambda: _REQUESTS),
    "header": (_header, lambda: [value.encode() for values in HEADERS.values() for value in values]),
    "splitter": (_splitter, updates),
    "patch": (patch.parsed, lambda: [PATCH]),
    "table": (_read_table, tables),
}
