"""`kg load --catalog`: others' data go in with their licence, every row is accounted for, and nobody's contacts do."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pyoxigraph import Store
from typer.testing import CliRunner, Result

from kg_service import resources
from kg_service.cli import app
from kg_service.datasets import described, files
from kg_service.errors import KgError
from kg_service.rdf import GRAPH, Literal, NamedNode
from kg_service.settings import Settings
from kg_service.store.embedded import snapshot
from kg_service.tables.values import EMAIL, PHONE
from tests.conftest import ROOT
from tests.serving import running

SAMPLES = ROOT / "tests" / "data" / "shared"
ID, ONTOLOGY = "https://w3id.org/sse-kg/id/", "https://w3id.org/sse-kg/ontology#"
PREFIXES = (
    f"PREFIX sse: <{ONTOLOGY}> PREFIX prov: <http://www.w3.org/ns/prov#> PREFIX org: <http://www.w3.org/ns/org#> "
    "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX dct: <http://purl.org/dc/terms/> "
    "PREFIX schema: <https://schema.org/> PREFIX geo: <http://www.w3.org/2003/01/geo/wgs84_pos#> "
)


def run(store: Path, folder: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["load", "--catalog", str(folder), "--store", str(store), "--json", *options])


def ask(store: Path, pattern: str) -> list[tuple[str, ...]]:
    """The values of a pattern's variables, in the order in which it names them."""
    with snapshot(store) as graph:
        names = dict.fromkeys(re.findall(r"\?\w+", pattern))
        found = graph.query(f"{PREFIXES} SELECT {' '.join(names)} {{ {pattern} }}")
        return sorted(tuple(getattr(term, "value", "") for term in row) for row in found)  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the project's own data, as the command line seeds it."""
    store = tmp_path_factory.mktemp("seeded") / "store"
    done = run(store, SAMPLES, "--only", "sdg")
    assert done.exit_code == 0, done.output
    return store


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory, seeded: Path) -> tuple[Path, dict[str, Any]]:
    """A store with all samples, and what the command told of them by the names of the data sets; for reading only."""
    store = tmp_path_factory.mktemp("loaded") / "store"
    shutil.copytree(seeded, store)
    done = run(store, SAMPLES)
    assert done.exit_code == 1, done.output
    return store, {each["name"]: each for each in json.loads(done.stdout)["datasets"]}


def test_every_row_is_accounted_for(loaded: tuple[Path, dict[str, Any]]) -> None:
    _, told = loaded
    first, second = told["coops-uk"]["files"]
    assert (first["rows"], first["taken"], first["rejected"]) == (4, 2, 2)
    assert (second["rows"], second["taken"], second["rejected"]) == (2, 2, 0)
    assert told["coops-uk"]["things"] == {"organisations": 3}
    wrong = [(each["row"], each["column"], each["value"]) for each in first["problems"]]
    assert wrong == [(3, "website", "not a website"), (4, "legal_form", "Guild"), (5, "identifier", "")]
    assert "registered-society" in first["problems"][1]["right"]
    (economy,) = told["coops-uk-economy"]["files"]
    assert (economy["rows"], economy["taken"]) == (4, 2)
    assert [(each["row"], each["column"], each["value"]) for each in economy["problems"]] == [
        (4, "cuk_organisation_id", "N/a"),
        (5, "turnover", "a lot"),
    ]
    (susy,) = told["susy"]["files"]
    assert [(each["row"], each["column"]) for each in susy["problems"]] == [(2, "longitude")]
    for each in told.values():
        assert each["change"] or each["name"] == "sdg", each["name"]
        assert all(file["rows"] == file["taken"] + file["rejected"] for file in each["files"])


def test_two_files_tell_of_one_organisation(loaded: tuple[Path, dict[str, Any]]) -> None:
    store, _ = loaded
    thing = f"<{ID}organisation/coops-uk-r900001>"
    assert ask(store, f"{thing} skos:prefLabel ?name") == [("Bread Co-operative Limited",)]
    assert ask(store, f"{thing} skos:altLabel ?name") == [("Bread",), ("Bread Co-operative Society Limited",)]
    assert ask(store, f"{thing} org:identifier ?number") == [("GB-COH-01234567",), ("GB-MPR-900R",)]
    assert ask(store, f"{thing} geo:lat ?lat ; geo:long ?long") == [("51.123", "-1.654")]
    assert len(ask(store, f"{thing} prov:wasDerivedFrom ?row")) == 2
    assert ask(store, f"{thing} org:classification ?type FILTER(STRENDS(STR(?type), 'OS115'))")
    figures = ask(store, f"?f sse:figuresOf {thing} ; sse:economicYear ?year ; sse:turnover ?turnover ; sse:members ?n")
    assert [row[1:] for row in figures] == [("2017", "64885.61", "12"), ("2018", "64885.61", "12")]


def test_members_of_ripess_lac_belong_to_that_of_the_documents(loaded: tuple[Path, dict[str, Any]]) -> None:
    store, told = loaded
    found = ask(store, f"?m org:organization <{ID}organisation/ripess-lac> ; sse:printedAs ?printed ; org:member ?who")
    assert [row[1:] for row in found] == [("member of: RIPESS LAC", f"{ID}organisation/socioeco-472-9001")]
    assert ask(store, f"<{ID}organisation/ripess-eu> ^org:organization/org:member/skos:prefLabel ?name") == [
        ("Réseau des collines",)
    ]
    member = f"<{ID}organisation/socioeco-472-9001>"
    assert ask(store, f"{member} skos:prefLabel ?n ; sse:acronym ?a ; sse:level ?l ; schema:foundingDate ?f") == [
        ("Red de los Valles", "REDVAL", f"{ID}level/national", "2004")
    ]
    assert told["ripess-family"]["files"][0]["problems"][0]["column"] == "lat"
    assert ask(store, "?m org:organization ?o . ?o skos:prefLabel 'New Economy Coalition'@en")


def test_nobodys_contacts_are_in_the_graph(loaded: tuple[Path, dict[str, Any]]) -> None:
    store, told = loaded
    with snapshot(store) as graph:
        for name in told:
            texts = [
                quad.object.value
                for quad in graph.quads_for_pattern(None, None, None, NamedNode(GRAPH + name))
                if isinstance(quad.object, Literal) and quad.object.datatype.value.endswith(("String", "string"))
            ]
            assert texts
            for text in texts:
                assert not EMAIL.search(text), text
                assert not PHONE.search(text), text
                assert "Secret" not in text, text
                assert "Geheime" not in text, text


def test_vocabularies_are_tied_to_ours_and_have_no_empty_labels(loaded: tuple[Path, dict[str, Any]]) -> None:
    store, _ = loaded
    spain = "<http://metadata.un.org/sdg/codes/geoArea/724>"
    assert ask(store, f"?place skos:exactMatch {spain}") == [(f"{ID}place/spain",)]
    assert ask(store, f"<{ID}place/austria> sse:countryCode ?code ; sse:within/sse:within ?larger") == [
        ("AT", f"{ID}place/europe")
    ]
    assert len(ask(store, f"<{ID}place/europe> skos:prefLabel ?name FILTER(LANG(?name) = 'en')")) == 1
    housing = "<http://purl.org/essglobal/standard/activities-ica/ICA210>"
    assert ask(store, f"{housing} skos:prefLabel ?name") == [("Housing",), ("Vivienda",)]
    assert ask(store, f"{housing} skos:closeMatch ?ours") == [(f"{ID}sector/housing",)]
    assert ask(store, "<http://metadata.un.org/sdg/C080301> skos:broader ?target ; skos:notation ?code") == [
        ("http://metadata.un.org/sdg/8.3", "8.3.1")
    ]
    assert ask(store, "<http://metadata.un.org/sdg/8> skos:definition ?text") == [("Promote growth for all",)]


def test_loading_again_changes_what_changed_there_alone(loaded: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    store, folder = tmp_path / "store", tmp_path / "shared"
    shutil.copytree(loaded[0], store)
    shutil.copytree(SAMPLES, folder)
    told = json.loads(run(store, folder, "--only", "m49", "--only", "ripess-family", "--only", "ica-directory").stdout)
    assert [(each["added"], each["removed"]) for each in told["datasets"]] == [(0, 0)] * 3
    file = folder / "datasets" / "commonweave" / "ica_directory.csv"
    file.write_text(file.read_text("utf-8").replace("Lakeside", "Seaside"), "utf-8")
    (each,) = json.loads(run(store, folder, "--only", "ica-directory").stdout)["datasets"]
    address = f"<{ID}organisation/ica-9001> schema:address ?place"
    assert ask(store, address) == [("Seaside",)]
    assert each["added"] == each["removed"]


def test_what_is_not_here_is_passed_over_and_a_trial_writes_nothing(seeded: Path, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    shutil.copytree(SAMPLES / "datasets" / "ess-france", folder / "datasets" / "ess-france")
    store = tmp_path / "store"
    shutil.copytree(seeded, store)
    done = run(store, folder, "--only", "susy", "--only", "ess-france", "--dry-run")
    assert done.exit_code == 0, done.output
    (france, susy) = json.loads(done.stdout)["datasets"]
    assert france["things"] == {"organisations": 2, "places": 1}
    assert (susy["change"], susy["absent"]) == (None, ["datasets/susy/*.geojson"])
    assert ask(store, f"<{ID}organisation/fr-900000001> ?p ?o") == []
    done = run(store, tmp_path / "store")
    assert isinstance(done.exception, KgError)
    assert "none of the files that are described is in this folder" in done.exception.detail


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "susy.geojson: line 1, column 2: the file is no JSON"),
        (b'{"type": "Topology"}', "the file is no GeoJSON"),
        (b'{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": 3}]}', "feature 1: its geometry"),
        (b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"a": NaN}}]}', "no number"),
        (b'{"type": "FeatureCollection", "features": ' + b"[" * 100_000, "the file is no JSON that is read here"),
        (b'{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "x"}}]}', "lacks id"),
        (b"\xef\xbb\xbf\xff", "the encoding is broken"),
        (b'"' + b"a" * (201 * 2**20), "201 MB; at most 200 MB are read"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_told(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "datasets" / "susy" / "susy.geojson"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    (dataset,) = described.named(resources.folder("data") / "datasets", ["susy"])
    with pytest.raises(KgError) as error:
        files.read(tmp_path, dataset, Store())
    assert words in error.value.detail


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Identifier;Name\nR1;x\n", "needs"),
        ("Name,Country ID\nx,GB\n", "the header lacks identifier"),
        ('Identifier,Name\n"R1,x\n', "row 2: a quotation mark is not closed"),
        ("", "the file is empty"),
    ],
)
def test_nothing_is_written_of_a_table_that_is_none(seeded: Path, tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "datasets" / "coops-uk" / "standard.Q1-2020.csv"
    file.parent.mkdir(parents=True)
    file.write_text(text, "utf-8")
    (dataset,) = described.named(resources.folder("data") / "datasets", ["coops-uk"])
    with snapshot(seeded) as graph:
        if words == "needs":  # a semicolon parts columns as well as a comma does
            assert len(files.read(tmp_path, dataset, graph).tables[0].rows) == 1
            return
        with pytest.raises(KgError) as error:
            files.read(tmp_path, dataset, graph)
    assert words in error.value.detail


def test_one_bad_file_leaves_nothing_behind(seeded: Path, tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path / "shared")
    (tmp_path / "shared" / "datasets" / "coops-uk" / "2019-06_open_data_organisations.csv").write_text("a,b\n1,2\n")
    done = run(seeded, tmp_path / "shared", "--only", "coops-uk")
    assert isinstance(done.exception, KgError)
    assert "2019-06_open_data_organisations.csv: the header lacks cuk_organisation_id" in done.exception.detail
    assert ask(seeded, f"GRAPH <{GRAPH}coops-uk> {{ ?s ?p ?o }}") == []


@pytest.fixture(scope="module")
def client(loaded: tuple[Path, dict[str, Any]]) -> Iterator[httpx.Client]:
    with running(Settings(store=loaded[0])) as url, httpx.Client(base_url=url, timeout=60) as opened:
        yield opened


def test_the_catalog_tells_licence_and_citation_of_each(client: httpx.Client) -> None:
    text = client.get("/catalog", headers={"Accept": "application/n-triples"}).text
    graph = f"<{GRAPH}coops-uk>"
    licenses = [line for line in text.splitlines() if line.startswith(f"{graph} <http://purl.org/dc/terms/license>")]
    assert licenses == [f"{graph} <http://purl.org/dc/terms/license> <http://opendatacommons.org/licenses/by/1-0/> ."]
    assert f"{graph} <http://purl.org/dc/terms/bibliographicCitation>" in text
    assert f'{graph} <http://purl.org/dc/terms/title> "Cooperativas del Reino Unido"@es' in text


def test_they_are_found_and_in_the_networks(client: httpx.Client) -> None:
    until = time.monotonic() + 120
    while (answer := client.get("/api/search", params={"q": "Garten für alle"})).status_code == 503:
        assert time.monotonic() < until
        time.sleep(0.2)
    found = answer.json()["data"]
    assert found[0]["iri"] == f"{ID}organisation/susy-9a01"
    while (answer := client.get("/api/networks/member-body", params={"format": "json"})).status_code == 202:
        assert time.monotonic() < until
        time.sleep(0.2)
    assert f"{ID}organisation/socioeco-472-9001" in answer.text
    assert client.get("/page/organisation/coops-uk-r900001").status_code == 200
