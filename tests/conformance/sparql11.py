"""The W3C's SPARQL 1.1 test suite: its tests, read from the manifests, and how each is run.

A test is run against a `Tested`: the service behind its HTTP doors (`Service`), or the engine alone as the control
(`Engine`). The tests of the protocols are about HTTP itself and run against the service only. `Failed` says what was
wrong with what came back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx
from pyoxigraph import (
    DefaultGraph,
    Literal,
    NamedNode,
    Quad,
    QueryResultsFormat,
    QuerySolutions,
    RdfFormat,
    Store,
    parse,
    parse_query_results,
    serialize,
)

from kg_service.rdf import RDF_TYPE
from kg_service.shacl.graph import RDFS, SUBCLASS, Graph, Term
from tests.conformance.sameness import Answer, answer, as_stored, same_answers, with_blank_nodes

BASE = "http://www.w3.org/2009/sparql/docs/tests/data-sparql11/"
MF = "http://www.w3.org/2001/sw/DataAccess/tests/test-manifest#"
QT = "http://www.w3.org/2001/sw/DataAccess/tests/test-query#"
UT = "http://www.w3.org/2009/sparql/tests/test-update#"
HT = "http://www.w3.org/2011/http#"
CNT = "http://www.w3.org/2011/content#"
SD = "http://www.w3.org/ns/sparql-service-description#"

QUERY, UPDATE = "application/sparql-query", "application/sparql-update"
_ACCEPT = {
    "srx": "application/sparql-results+xml",
    "srj": "application/sparql-results+json",
    "tsv": "text/tab-separated-values",
    "csv": "text/csv",
    "ttl": "text/turtle",
}
_TABULAR = ("srx", "srj", "tsv", "csv")
_EVERYTHING = "SELECT ?g ?s ?p ?o { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } }"


class Failed(Exception):
    """What came back is not what the test expects; says both."""


class Malformed(Failed):
    """The text was found malformed."""


class Refused(Failed):
    """The text was understood, and what it asks for refused."""


# --- the tests ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """One test: its IRI, its short name (`folder#test`), what kind it is, and the manifest that describes it."""

    iri: str
    name: str
    kind: str
    graph: Graph
    suite: Path

    def values(self, node: Term, predicate: str) -> list[Term]:
        return self.graph.objects(node, NamedNode(predicate))

    def value(self, node: Term, predicate: str) -> Term | None:
        return next(iter(self.values(node, predicate)), None)

    def text(self, node: Term, predicate: str) -> str:
        value = self.value(node, predicate)
        assert isinstance(value, Literal), f"{self.name}: no {predicate}"
        return value.value

    def members(self, node: Term, predicate: str) -> list[Term]:
        """The members of the list that is the value of the predicate; none without one."""
        head = self.value(node, predicate)
        return [] if head is None else self.graph.members(head) or []

    @property
    def node(self) -> Term:
        return NamedNode(self.iri)

    @property
    def action(self) -> Term | None:
        return self.value(self.node, MF + "action")

    @property
    def result(self) -> Term | None:
        return self.value(self.node, MF + "result")

    def data(self, node: Term, vocabulary: str) -> frozenset[Quad]:
        """The dataset that a node of the manifest describes by `data` and `graphData` of that vocabulary."""
        quads: set[Quad] = set()
        for file in self.values(node, vocabulary + "data"):
            quads |= self.quads(file, DefaultGraph())
        for described in self.values(node, vocabulary + "graphData"):
            file = self.value(described, UT + "graph") or described
            label = self.value(described, RDFS + "label")
            quads |= self.quads(file, NamedNode(label.value if isinstance(label, Literal) else _iri(file)))
        return frozenset(quads)

    def quads(self, file: Term, graph: NamedNode | DefaultGraph) -> set[Quad]:
        return {Quad(q.subject, q.predicate, q.object, graph) for q in _parsed(self.suite, _iri(file))}

    def read(self, file: Term | None) -> bytes:
        return (self.suite / _iri(file).removeprefix(BASE)).read_bytes()


def _iri(term: Term | None) -> str:
    assert isinstance(term, NamedNode), f"{term} is no IRI"
    return term.value


@cache
def _parsed(suite: Path, iri: str) -> tuple[Quad, ...]:
    """The triples of a file of the suite; read once, so that its blank nodes are the same each time."""
    how = RdfFormat.from_extension(iri.rpartition(".")[2])
    assert how is not None, f"{iri}: its ending says no RDF format"
    return tuple(parse((suite / iri.removeprefix(BASE)).read_bytes(), how, base_iri=iri))


def cases(suite: Path, manifest: str = "manifest-all.ttl") -> Iterator[Case]:
    """The tests of a manifest and of those that it includes, in their order."""
    iri = BASE + manifest
    graph = Graph(_parsed(suite, iri))
    about = NamedNode(iri)
    for head in graph.objects(about, NamedNode(MF + "include")):
        for included in graph.members(head) or []:
            yield from cases(suite, _iri(included).removeprefix(BASE))
    for head in graph.objects(about, NamedNode(MF + "entries")):
        for entry in graph.members(head) or []:
            (kind,) = graph.objects(entry, RDF_TYPE)
            name = f"{manifest.rpartition('/')[0]}#{_iri(entry).partition('#')[2]}"
            yield Case(_iri(entry), name, _iri(kind).removeprefix(MF), graph, suite)


# --- what is tested ----------------------------------------------------------------------------------------------


class Tested(Protocol):
    """What evaluates queries and updates; Malformed or Refused as it finds the text."""

    def hold(self, quads: frozenset[Quad]) -> None:
        """Holds these quads and no others."""

    def quads(self) -> frozenset[Quad]:
        """What it holds now."""

    def query(self, text: str, ending: str) -> bytes:
        """The answer, in the format with that file ending."""

    def update(self, text: str) -> None:
        """Carries an update request out."""


class Engine:
    """The engine alone, in this process: what it passes, the service must pass."""

    def __init__(self) -> None:
        self._store = Store()

    def hold(self, quads: frozenset[Quad]) -> None:
        self._store = Store()
        self._store.extend(quads)

    def quads(self) -> frozenset[Quad]:
        return frozenset(self._store)

    def query(self, text: str, ending: str) -> bytes:
        with _translated_errors():
            found: Any = self._store.query(text, base_iri=BASE)
            how = RdfFormat.TURTLE if ending == "ttl" else QueryResultsFormat.from_extension(ending)
            return bytes(found.serialize(format=how))

    def update(self, text: str) -> None:
        with _translated_errors():
            self._store.update(text, base_iri=BASE)


@contextmanager
def _translated_errors() -> Iterator[None]:
    try:
        yield
    except SyntaxError as error:
        raise Malformed(str(error)) from None
    except (OSError, RuntimeError, ValueError) as error:
        raise Refused(str(error)) from None


class Service:
    """The service behind its HTTP doors, and what it was last made to hold."""

    def __init__(self, client: httpx.Client, token: str) -> None:
        self.client = client
        self._token = {"authorization": f"Bearer {token}"}
        self._held: frozenset[Quad] | None = None

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> httpx.Response:
        """Sends a request as it is, with the token where it may write; what is held is unknown afterwards."""
        if not path.startswith("/sparql"):
            self._held = None
            headers = headers | self._token
        return self.client.request(method, path, headers=headers, content=body)

    def hold(self, quads: frozenset[Quad]) -> None:
        if quads == self._held:
            return
        self.update("CLEAR ALL" + (f" ; {_insert_data(quads)}" if quads else ""))
        self._held = quads

    def quads(self) -> frozenset[Quad]:
        table = self.query(_EVERYTHING, "srj")
        found = frozenset(map(with_blank_nodes, _quads_of_table(table)))
        self._held = found
        return found

    def query(self, text: str, ending: str) -> bytes:
        headers = {"content-type": QUERY, "accept": _ACCEPT[ending]}
        return _successful(self.send("POST", "/sparql", headers, text.encode())).content

    def update(self, text: str) -> None:
        _successful(self.send("POST", "/update", {"content-type": UPDATE}, text.encode()))


def _insert_data(quads: Iterable[Quad]) -> str:
    """The update that adds the quads: terms are spelt in SPARQL as in N-Quads."""
    by_graph: dict[Any, list[Quad]] = {}
    for quad in quads:
        by_graph.setdefault(quad.graph_name, []).append(quad)
    parts = []
    for graph, members in by_graph.items():
        lines = (serialize((q.triple for q in members), None, RdfFormat.N_TRIPLES) or b"").decode()
        parts.append(lines if isinstance(graph, DefaultGraph) else f"GRAPH {graph} {{\n{lines}}}\n")
    return f"INSERT DATA {{\n{''.join(parts)}}}"


def _quads_of_table(table: bytes) -> Iterator[Quad]:
    rows = parse_query_results(table, QueryResultsFormat.JSON)
    assert isinstance(rows, QuerySolutions)
    for row in rows:
        subject, predicate, value, graph = row["s"], row["p"], row["o"], row["g"]
        yield Quad(subject, predicate, value, graph or DefaultGraph())


def _successful(response: httpx.Response) -> httpx.Response:
    if response.is_success:
        return response
    is_problem = "problem+json" in response.headers.get("content-type", "")
    problem = str(response.json()["type"]).rpartition("/")[2] if is_problem else ""
    found = {"malformed": Malformed, "refused": Refused}.get(problem, Failed)
    raise found(f"{response.status_code} {response.text[:1000]}")


# --- queries, updates, syntax ------------------------------------------------------------------------------------


def run(case: Case, tested: Tested, *, literals_as_stored: bool = False) -> None:
    """Runs a test of the languages or the result formats; Failed unless it passes."""
    if case.kind in ("QueryEvaluationTest", "CSVResultFormatTest"):
        _evaluate_query(case, tested, literals_as_stored)
    elif case.kind == "UpdateEvaluationTest":
        _evaluate_update(case, tested, literals_as_stored)
    elif "Syntax" in case.kind:
        _parse(case, tested)
    else:
        raise AssertionError(f"{case.name}: unknown kind {case.kind}")


def dataset(case: Case) -> frozenset[Quad]:
    """What is held when the test begins."""
    action = case.action
    if action is None or isinstance(action, NamedNode):
        return frozenset()
    held = case.data(action, UT if case.kind == "UpdateEvaluationTest" else QT)
    query = case.value(action, QT + "query")
    if query and re.search(rb"\bFROM\b", case.read(query), re.IGNORECASE):  # a dataset is made of named graphs
        for file in case.values(action, QT + "data"):
            held |= case.quads(file, NamedNode(_iri(file)))
    return held


def _evaluate_query(case: Case, tested: Tested, literals_as_stored: bool) -> None:
    assert case.action
    assert case.result
    query = case.value(case.action, QT + "query")
    assert query
    text, base, ending = case.read(query).decode(), _iri(query), _iri(case.result).rpartition(".")[2]
    in_order = re.search(r"ORDER\s+BY[^}]*$", text, re.IGNORECASE) is not None
    expected = answer(case.read(case.result), ending, base=_iri(case.result), in_order=in_order)
    is_construct = re.search(r"\b(CONSTRUCT|DESCRIBE)\b", text) is not None
    asked = "srx" if ending in ("ttl", "rdf") and not is_construct else ending
    tested.hold(dataset(case))
    content = tested.query(f"BASE <{base}>\n{text}", asked)
    found = answer(content, asked, base=base, in_order=in_order)
    _compare(expected, found, literals_as_stored)


def _evaluate_update(case: Case, tested: Tested, literals_as_stored: bool) -> None:
    assert case.action
    assert case.result
    request = case.value(case.action, UT + "request")
    assert request
    tested.hold(dataset(case))
    tested.update(f"BASE <{_iri(request)}>\n{case.read(request).decode()}")
    _compare(case.data(case.result, UT), tested.quads(), literals_as_stored)


def _compare(expected: Answer, found: Answer, literals_as_stored: bool) -> None:
    if literals_as_stored:
        expected, found = as_stored(expected), as_stored(found)
    if not same_answers(expected, found):
        raise Failed(f"expected:\n{_shown(expected)}\ngot:\n{_shown(found)}")


def _shown(given: Answer) -> str:
    return str(given) if isinstance(given, bool) else "\n".join(sorted(map(str, given)))


def _parse(case: Case, tested: Tested) -> None:
    """Sends the text as it stands: a good one is not malformed, though what it asks for may be refused."""
    text, is_update = case.read(case.action).decode(), _iri(case.action).endswith(".ru")
    form = re.search(r"\b(SELECT|ASK|CONSTRUCT|DESCRIBE)\b", text, re.IGNORECASE)
    ending = "ttl" if form and form[1].upper() in ("CONSTRUCT", "DESCRIBE") else "srj"
    is_malformed = False
    try:
        if is_update:
            tested.update(text)
        else:
            tested.query(text, ending)
    except Malformed:
        if not case.kind.startswith("Negative"):
            raise
        is_malformed = True
    except Refused:
        pass
    if case.kind.startswith("Negative") and not is_malformed:
        raise Failed("taken as well-formed")


# --- the protocols -----------------------------------------------------------------------------------------------

_STATUS = {"OK": "200", "Created": "201", "NoContent": "204", "NotFound": "404"}


@dataclass
class _Place:
    """Where the requests of a protocol go in this service, and what has been learnt to put into later ones."""

    learnt: dict[str, str]
    door: str


def exchange(case: Case, service: Service) -> None:
    """Runs a test of the Protocol or the Graph Store Protocol: its requests one after the other.

    A request that every endpoint must refuse is sent to the doors of queries and of updates alike.
    """
    service.hold(case.data(case.node, UT))
    is_bad = case.name.startswith("protocol#bad_")
    for door in ("/sparql", "/update") if is_bad else ("",):
        place = _Place({}, door)
        for number, request in enumerate(case.members(case.action, HT + "requests") if case.action else (), 1):
            try:
                _exchange(case, request, service, place)
            except Failed as failed:
                raise Failed(f"request {number}{' to ' + door if door else ''}: {failed}") from None


def _exchange(case: Case, request: Term, service: Service, place: _Place) -> None:
    method, path = case.text(request, HT + "methodName"), case.text(request, HT + "absolutePath")
    headers, body = _message(case, request, place)
    for variable, learnt in place.learnt.items():
        path = path.replace(variable, quote(learnt, safe="/:"))
    if path.startswith("/gsp"):
        path = "/store" + path.removeprefix("/gsp")
    else:
        is_update = headers.get("content-type") == UPDATE or body.startswith(b"update=")
        door = place.door or ("/update" if is_update else "/sparql")
        path = door + path.removeprefix("/sparql/")
    response = service.send(method, path, headers, body if case.value(request, HT + "body") else None)
    expected = case.value(request, HT + "resp")
    assert expected
    sent = f"{method} {path} {headers} {body.decode('utf-8', 'replace')!r}"
    got = f"{response.status_code} {dict(response.headers)} {response.text[:1000]}"
    try:
        _check(case, expected, response, place)
    except Failed as failed:
        raise Failed(f"{failed}\nsent: {sent}\ngot: {got}") from None


def _message(case: Case, message: Term, place: _Place) -> tuple[dict[str, str], bytes]:
    """The headers and the body of a request or an expected response."""
    headers = {
        case.text(header, HT + "fieldName"): case.text(header, HT + "fieldValue")
        for header in case.members(message, HT + "headers")
    }
    content = case.value(message, HT + "body")
    if content is None:
        return headers, b""
    text = case.text(content, CNT + "chars")
    for variable, learnt in place.learnt.items():
        text = text.replace(variable, learnt)
    return headers, text.encode(case.text(content, CNT + "characterEncoding"))


def _check(case: Case, expected: Term, response: httpx.Response, place: _Place) -> None:
    """Failed unless the response is as the manifest says."""
    statuses = [_iri(status).partition("#")[2] for status in case.values(expected, MF + "expectedStatus")]
    patterns = [_STATUS.get(each) or each.removeprefix("StatusCode").replace("x", ".") for each in statuses]
    if not any(re.fullmatch(pattern, str(response.status_code)) for pattern in patterns):
        raise Failed(f"expected status {' or '.join(patterns)}")
    media_type = response.headers.get("content-type", "").partition(";")[0]
    for wanted in case.values(expected, MF + "expectedFormat"):
        assert isinstance(wanted, Literal)
        _check_format(wanted.value, media_type)
    for truth in case.values(expected, MF + "expectedBoolean"):
        assert isinstance(truth, Literal)
        ending = next(ending for ending, known in _ACCEPT.items() if known == media_type)
        if answer(response.content, ending, base=BASE) is not (truth.value == "true"):
            raise Failed(f"expected {truth.value}")
    for variable in case.values(expected, MF + "expectedLocation"):
        assert isinstance(variable, Literal)
        if "location" not in response.headers:
            raise Failed("expected a Location")
        place.learnt[variable.value] = response.headers["location"]
    headers, body = _message(case, expected, place)
    wanted_type = headers.get("content-type", "").partition(";")[0]
    if wanted_type and media_type != wanted_type:
        raise Failed(f"expected Content-Type {wanted_type}")
    if body:
        _compare(answer(body, "ttl", base=BASE), answer(response.content, "ttl", base=BASE), False)


def _check_format(wanted: str, media_type: str) -> None:
    """The formats of each form of answer that the tests' names list; JSON and XML for truth values."""
    known = {
        "boolean": [_ACCEPT["srx"], _ACCEPT["srj"]],
        "tabular": [_ACCEPT[ending] for ending in _TABULAR],
        "RDF": ["application/rdf+xml", "text/turtle", "application/n-triples"],
    }[wanted]
    if media_type not in known:
        raise Failed(f"expected one of {', '.join(known)}")


# --- the service description -------------------------------------------------------------------------------------


def describe(case: Case, service: Service, vocabulary: Path) -> None:
    """Runs a test of the Service Description; `vocabulary` is a file of the vocabulary itself."""
    texts = {}
    for media_type in ("text/turtle", "application/rdf+xml", "application/n-triples"):
        response = _successful(service.send("GET", "/sparql", {"accept": media_type}, None))
        if response.headers["content-type"].partition(";")[0] != media_type:
            raise Failed(f"asked for {media_type}, got {response.headers['content-type']}")
        how = RdfFormat.from_media_type(media_type)
        assert how is not None
        texts[media_type] = frozenset(parse(response.content, how, base_iri=str(response.url)))
    description = Graph(texts["text/turtle"])
    if case.name.endswith("#returns-rdf"):
        if not all(texts.values()) or not all(same_answers(texts["text/turtle"], other) for other in texts.values()):
            raise Failed("the formats differ or are empty")
    elif case.name.endswith("#has-endpoint-triple"):
        endpoint = NamedNode(str(service.client.base_url.join("/sparql")))
        if not description.subjects(NamedNode(SD + "endpoint"), endpoint):
            raise Failed(f"no sd:endpoint {endpoint}")
    elif case.name.endswith("#conforms-to-schema"):
        _conform(description, Graph(parse(vocabulary.read_bytes(), RdfFormat.N_QUADS)))
    else:
        raise AssertionError(f"{case.name}: unknown test")


def _conform(description: Graph, schema: Graph) -> None:
    """Each term is in the vocabulary, and no node lacks a class that a property's domain or range asks for.

    A format or feature that others describe needs no class here.
    """

    def types(node: Term) -> set[Term]:
        named = description.objects(node, RDF_TYPE) + schema.objects(node, RDF_TYPE)
        return {wider for kind in named for wider in schema.closure(kind, SUBCLASS)}

    if not description.subjects(RDF_TYPE, NamedNode(SD + "Service")):
        raise Failed("nothing is an sd:Service")
    for triple in description:
        for term in (triple.predicate, triple.object):
            if isinstance(term, NamedNode) and term.value.startswith(SD) and not schema.predicates(term):
                raise Failed(f"{term} is not in the vocabulary")
        ends = [(triple.subject, "domain"), (triple.object, "range")]
        for end, side in ends if triple.predicate.value.startswith(SD) else ():
            wanted = schema.objects(triple.predicate, NamedNode(RDFS + side))
            is_ours = bool(description.predicates(end)) or _is_term(end)
            if is_ours and not types(end) >= set(wanted):
                raise Failed(f"{end} is not the {side} of {triple.predicate}, {wanted}")


def _is_term(node: Term) -> bool:
    return isinstance(node, NamedNode) and node.value.startswith(SD)
