"""Validating a published generation in processes of its own gives what validating in memory gives."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Store, parse

from kg_service import resources
from kg_service.errors import KgError, TooLarge
from kg_service.ingest import bulk
from kg_service.shacl import Report, Shapes, validate, whole
from kg_service.shacl.whole import validate_generation
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, snapshot
from tests.conftest import VILLAGE

#: Breaks rules of several kinds: a count, a datatype, a class, an order of dates, a name given twice, a spelling.
BROKEN = """
PREFIX sse: <https://w3id.org/sse-kg/ontology#> PREFIX schema: <https://schema.org/>
PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX xsd: <http://www.w3.org/2001/XMLSchema#>
BASE <https://w3id.org/sse-kg/id/>
<event/fair> a sse:Event ; skos:prefLabel "Fair"@en , "The fair"@en ;
  schema:startDate "2022-02-02"^^xsd:date ; schema:endDate "2021-01-01"^^xsd:date ; sse:takesPlaceIn <place/nowhere> .
<organisation/lost> a sse:Organization ; skos:prefLabel "Lost" ; schema:url "no address\\twith \\"marks\\"" .
"""


def stored(root: Path, more: Iterable[Quad] = ()) -> Path:
    """A store that holds the ontology and the village, and more that no gate has seen."""
    quads = {quad for path in (*bulk.files_in([resources.folder("ontology")]), VILLAGE) for quad in bulk.read(path)}
    with EmbeddedStore(root) as store:
        store.apply(Delta(added=frozenset(quads | set(more))))
    return root


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Path:
    graph = NamedNode("urn:broken")
    more = [Quad(q.subject, q.predicate, q.object, graph) for q in parse(BROKEN, RdfFormat.TURTLE)]
    return stored(tmp_path_factory.mktemp("broken") / "store", more)


def in_memory(root: Path, shapes: Shapes, limit: int | None = None) -> Report:
    with snapshot(root) as store:
        copy = Store()
        copy.extend(store.quads_for_pattern(None, None, None, DefaultGraph()))
    return validate(copy, shapes, limit)


@pytest.fixture(params=["copied", "on disk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Whether the graph is copied into memory, or is too large for that."""
    if request.param == "on disk":
        monkeypatch.setattr(whole, "MOST_COPIED", 0)
    return str(request.param)


@pytest.mark.usefixtures("way")
def test_the_report_is_that_of_validation_in_memory(broken: Path, shapes: Shapes) -> None:
    told: list[tuple[str, int, int]] = []
    report = validate_generation(broken, shapes, progress=lambda *step: told.append(step))
    assert report == in_memory(broken, shapes)
    assert report.blocks
    assert told[-1] == ("checking", len(shapes), len(shapes))


@pytest.mark.usefixtures("way")
def test_a_limit_shows_violations_first_and_says_that_there_is_more(broken: Path, shapes: Shapes) -> None:
    everything = in_memory(broken, shapes)
    violations = everything.counts["Violation"]
    few = validate_generation(broken, shapes, limit=violations - 1)
    assert few.truncated
    assert few.counts == {"Violation": violations - 1, "Warning": 0, "Info": 0}
    exactly = validate_generation(broken, shapes, limit=len(everything.results), processes=3)
    assert exactly == everything
    assert not exactly.truncated


def test_a_store_without_a_generation_conforms(tmp_path: Path, shapes: Shapes) -> None:
    assert validate_generation(tmp_path, shapes).conforms


def test_too_little_memory_is_an_error_and_no_report(broken: Path, shapes: Shapes) -> None:
    with pytest.raises(TooLarge):
        validate_generation(broken, shapes, memory=2**20)


@pytest.mark.usefixtures("way")
def test_a_database_that_cannot_be_read_is_an_error_and_no_report(tmp_path: Path, shapes: Shapes) -> None:
    root = stored(tmp_path / "store", [Quad(NamedNode("urn:a"), NamedNode("urn:p"), Literal("a"), NamedNode("urn:g"))])
    for table in (root / "generations").rglob("*.sst"):
        table.unlink()
    with pytest.raises(KgError):
        validate_generation(root, shapes)


@pytest.mark.usefixtures("way")
def test_nothing_is_left_running_when_the_caller_gives_up(broken: Path, shapes: Shapes) -> None:
    class GivenUp(Exception):
        pass

    def give_up(what: str, done: int, total: int) -> None:
        assert running(broken)
        raise GivenUp

    with pytest.raises(GivenUp):
        validate_generation(broken, shapes, progress=give_up)
    until = time.monotonic() + 20
    while running(broken):
        assert time.monotonic() < until
        time.sleep(0.05)


def running(root: Path) -> list[str]:
    """The processes, forks included, that were started for that store."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(root).encode() in words and b"kg_service.shacl.whole" in words:
            found.append(process.name)
    return found
