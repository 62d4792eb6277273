"""The W3C SPARQL 1.1 test suite against a running service: the languages, the result formats and the protocols.

What the engine passes alone, the service must pass. `exceptions.toml` lists the rest. An EARL report is written to
the path in KG_EARL, else into pytest's temporary folder.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from pyoxigraph import BlankNode, Literal, NamedNode, Quad, RdfFormat, parse

from kg_service.settings import Settings
from tests.conformance.earl import PROJECT, Report
from tests.conformance.sameness import answer, as_stored, same_answers
from tests.conformance.sparql11 import (
    Case,
    Engine,
    Failed,
    Service,
    cases,
    dataset,
    describe,
    exchange,
    run,
)
from tests.serving import running

SHARED = Path(os.environ.get("KG_SHARED") or Path(__file__).parents[2].parent / "shared")
SUITE = SHARED / "suites" / "sparql11"
TOKEN = "open sesame"
EXCEPTIONS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("exceptions.toml").read_text())
OVER_HTTP = {"ProtocolTest", "GraphStoreProtocolTest", "ServiceDescriptionTest"}


def _order(case: Case) -> tuple[str, list[str], str]:
    """By data, the same in every process: blank nodes are named anew in each."""
    return case.kind, sorted(re.sub(r"_:\w+", "_:b", str(quad)) for quad in dataset(case)), case.name


#: Tests with the same data after each other, so that they are loaded once.
CASES = sorted(cases(SUITE), key=_order) if SUITE.is_dir() else []
IN = [case for case in CASES if case.name.partition("#")[0] not in EXCEPTIONS["out"]]
needs_suite = pytest.mark.skipif(not CASES, reason=f"the W3C suite is not at {SUITE}; set KG_SHARED")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """What comes of the tests; written as EARL at the end."""
    report = Report()
    for case in CASES:
        folder = case.name.partition("#")[0]
        report.add(case.iri, "untested", EXCEPTIONS["out"].get(folder, "Not run this time."))
    yield report
    report.write(Path(os.environ.get("KG_EARL") or tmp_path_factory.mktemp("earl") / "sparql11.ttl"))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A running service whose default graph is its own, as the suite takes it to be."""
    settings = Settings(
        store=tmp_path_factory.mktemp("sparql11") / "store", token=SecretStr(TOKEN), default_graph="own"
    )
    with running(settings) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield Service(client, TOKEN)


def _failure(case: Case, service: Service) -> Failed | None:
    try:
        if case.kind == "ServiceDescriptionTest":
            describe(case, service, SHARED / "reference" / "vocabularies" / "sd.nq")
        elif case.kind in OVER_HTTP:
            exchange(case, service)
        else:
            run(case, service)
    except Failed as failed:
        return failed
    return None


def _engine_fails(case: Case) -> bool:
    try:
        run(case, Engine())
    except Failed:
        return True
    return False


@needs_suite
def test_the_suite_is_whole() -> None:
    folders = Counter(case.name.partition("#")[0] for case in CASES)
    assert len(CASES) == 625
    assert (folders["protocol"], folders["graph-store-protocol"], folders["service-description"]) == (34, 13, 3)


@needs_suite
def test_every_exception_is_a_test_of_the_suite() -> None:
    assert set(EXCEPTIONS["out"]) <= {case.name.partition("#")[0] for case in CASES}
    listed = [name for section in ("engine", "literals") for name in EXCEPTIONS[section]]
    assert len(listed) == len(set(listed))
    assert set(listed) <= {case.name for case in IN}


@needs_suite
@pytest.mark.slow
@pytest.mark.parametrize("case", IN, ids=lambda case: case.name)
def test_the_service_passes(case: Case, service: Service, report: Report) -> None:
    failure = _failure(case, service)
    section = next((name for name in ("engine", "literals") if case.name in EXCEPTIONS[name]), None)
    if section is None:
        report.add(case.iri, "failed" if failure else "passed", "")
        alone = "" if case.kind in OVER_HTTP or not failure else f" (the engine alone fails: {_engine_fails(case)})"
        assert failure is None, f"{failure}{alone}"
        return
    report.add(case.iri, "failed", EXCEPTIONS[section][case.name])
    assert failure is not None, "listed as an exception, but it passes"
    if section == "engine":
        assert _engine_fails(case), f"the engine passes it: {failure}"
    else:
        run(case, service, literals_as_stored=True)


def _rows(*rows: str, variables: str = "?a\t?b", in_order: bool = False) -> bool | frozenset[Quad]:
    content = "\n".join([variables, *rows, ""]).encode()
    return answer(content, "tsv", base="urn:base", in_order=in_order)


def test_tables_are_the_same_but_for_names_of_blank_nodes_and_order() -> None:
    table = _rows("_:x\t_:y", "_:y\t1")
    assert same_answers(table, _rows("_:q\t1", "_:p\t_:q"))
    assert not same_answers(table, _rows("_:p\t_:q", "_:p\t1"))
    assert not same_answers(table, _rows("_:x\t_:y", "_:y\t1", "_:y\t1"))
    assert not same_answers(table, _rows("_:x\t_:y", "_:y\t1", variables="?a\t?c"))
    assert not same_answers(_rows("1\t2", "3\t4", in_order=True), _rows("3\t4", "1\t2", in_order=True))
    assert not same_answers(True, False)
    assert not same_answers(_rows("4.0\t1"), _rows("4\t1"))
    assert same_answers(
        as_stored(_rows("4.0\t1")), as_stored(_rows('"4"^^<http://www.w3.org/2001/XMLSchema#decimal>\t1'))
    )


def test_skolem_iris_are_the_blank_nodes_that_they_stand_for() -> None:
    genid = "https://w3id.org/sse-kg/.well-known/genid/"
    assert same_answers(_rows("_:x\t_:x"), _rows(f"<{genid}1>\t<{genid}1>"))
    assert not same_answers(_rows("_:x\t_:x"), _rows(f"<{genid}1>\t<{genid}2>"))


def test_the_report_is_earl(tmp_path: Path) -> None:
    report = Report()
    report.add("urn:test:1", "passed")
    report.add("urn:test:2", "failed", "It is listed.")
    report.write(tmp_path / "earl.ttl")
    quads = list(parse((tmp_path / "earl.ttl").read_bytes(), RdfFormat.TURTLE))
    earl = "http://www.w3.org/ns/earl#"
    said = {(q.subject, q.predicate.value.removeprefix(earl)): q.object for q in quads}
    for test, outcome in (("urn:test:1", "passed"), ("urn:test:2", "failed")):
        (assertion,) = [q.subject for q in quads if q.object == NamedNode(test)]
        result = said[assertion, "result"]
        assert isinstance(result, BlankNode)
        assert said[result, "outcome"] == NamedNode(earl + outcome)
        assert said[assertion, "subject"] == PROJECT
    assert Literal("It is listed.", language="en") in said.values()
