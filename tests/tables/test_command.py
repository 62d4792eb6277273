"""`kg table`: the rows that are well go in with their provenance, each of the others is told; or nothing, if asked."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kg_service.cli import app
from kg_service.errors import KgError
from kg_service.store.embedded import snapshot
from kg_service.tables.values import tongue
from tests.conftest import VILLAGE

ID = "https://w3id.org/sse-kg/id/"
ROWS = """name;name_es;kind;country;website;extra
Gardeners’ Guild ñ;Gremio;association;México;www.example.org;x
Broken kind;;shop;MX;;
Bakers’ Cooperative;;cooperative;FR;;
;;network;FR;;
"""


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the village as data, and a store that was seeded with it."""
    folder = tmp_path_factory.mktemp("seeded")
    (folder / "data").mkdir()
    shutil.copy(VILLAGE, folder / "data")
    (folder / "first.csv").write_text("name\nFirst\n", "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KG_DATA", str(folder / "data"))
        arguments = ["table", str(folder / "first.csv"), "--template", "events", "--store", str(folder / "store")]
        done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def root(tmp_path: Path, seeded: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of one's own that holds the village."""
    shutil.copytree(seeded / "store", tmp_path / "store")
    monkeypatch.setenv("KG_DATA", str(seeded / "data"))
    return tmp_path / "store"


def run(root: Path, text: str, *options: str, template: str = "organisations") -> Result:
    file = root.parent / "rows.csv"
    file.write_text(text, "utf-8")
    return CliRunner().invoke(
        app, ["table", str(file), "--store", str(root), "--template", template, "--json", *options]
    )


def count(root: Path, pattern: str) -> int:
    prefixes = "PREFIX sse: <https://w3id.org/sse-kg/ontology#> PREFIX prov: <http://www.w3.org/ns/prov#> "
    with snapshot(root) as store:
        return len(list(store.query(f"{prefixes} SELECT * {{ {pattern} }}")))  # type: ignore[arg-type]


def test_the_rows_that_are_well_go_in_with_their_provenance(root: Path) -> None:
    done = run(root, ROWS)
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["rows"], told["taken"], told["ignored"]) == (4, 2, ["extra"])
    assert [(each["row"], each["column"], each["value"]) for each in told["rejected"]] == [
        (3, "kind", "shop"),
        (5, "name", ""),
    ]
    assert "cooperative" in told["rejected"][0]["right"]
    checksum = hashlib.sha256(ROWS.encode()).hexdigest()
    row = f"<{ID}table/{checksum[:16]}#row=2>"
    assert count(root, f"<{ID}organisation/gardeners-guild-n> prov:wasDerivedFrom {row}") == 1
    assert count(root, f'<{ID}table/{checksum[:16]}> <https://schema.org/sha256> "{checksum}"') == 1
    assert count(root, f"GRAPH <{told['graph']}> {{ ?s ?p ?o }}") == told["added"]
    again = json.loads(run(root, ROWS).stdout)
    assert again["added"] == 0


def test_nothing_goes_in_when_that_is_asked(root: Path) -> None:
    assert run(root, ROWS, "--strict").exit_code == 1
    assert json.loads(run(root, ROWS, "--dry-run").stdout)["added"] > 0
    assert count(root, f"<{ID}organisation/gardeners-guild-n> ?p ?o") == 0


def test_a_row_that_breaks_the_shapes_is_told_by_column(root: Path) -> None:
    text = "name,start,end\nGood fair,2021-05-01,2021-05-02\nBackward fair,2021-05-02,2021-05-01\n"
    done = run(root, text, template="events")
    told = json.loads(done.stdout)
    assert told["taken"] == 1
    (wrong,) = told["rejected"]
    assert (wrong["row"], wrong["column"], wrong["value"]) == (3, "end", "2021-05-01")
    assert "before the start" in wrong["right"]
    assert count(root, f"<{ID}event/backward-fair> ?p ?o") == 0


@pytest.mark.parametrize(
    ("template", "text", "pattern"),
    [
        (
            "memberships",
            "member,organisation,start\nBakers’ Cooperative,organisation/weavers,2019\n",
            "?m a sse:Membership",
        ),
        (
            "alliances",
            "name,status,parties\nMill,existing,Bakers’ cooperative; Valley Council\n",
            f"<{ID}alliance/mill> sse:party/sse:partyActor ?actor",
        ),
        (
            "policies",
            "name,kind,issued\nDecree of bread,resolution,May 2021\n",
            f"<{ID}policy/decree-of-bread> a sse:Policy",
        ),
        ("recommendations", "name,text,section,number,order\nShare,Share it.,Bread for all,2,2\n", "?r sse:number 2"),
    ],
)
def test_every_template_makes_what_it_says(root: Path, template: str, text: str, pattern: str) -> None:
    done = run(root, text, template=template)
    assert done.exit_code == 0, done.stdout
    assert count(root, pattern) == (2 if template == "alliances" else 1)


def test_of_two_columns_of_one_property_the_one_that_is_wrong_is_told(root: Path) -> None:
    nowhere = ID + "place/nowhere"
    told = json.loads(run(root, f"name,country,place\nTwo places,MX,{nowhere}\n").stdout)
    assert [(each["column"], each["value"]) for each in told["rejected"]] == [("place", nowhere)]


def test_a_header_without_rows_is_said_so(root: Path) -> None:
    done = run(root, "name,kind\n")
    assert isinstance(done.exception, KgError)
    assert "no rows below its header" in done.exception.detail


def test_a_missing_column_and_an_unknown_template_are_named(root: Path) -> None:
    for options, text, words in (
        ((), "title;kind\nx;network\n", "the header lacks name"),
        (("--template", "people"), "name\nx\n", "known: organisations, memberships"),
    ):
        done = run(root, text, *options)
        assert isinstance(done.exception, KgError)
        assert words in done.exception.detail


def test_a_mapping_of_ones_own(root: Path, tmp_path: Path) -> None:
    own = tmp_path / "themes.rq"
    own.write_text(
        "# column: title text key | The theme. |\n"
        "PREFIX skos: <http://www.w3.org/2004/02/skos/core#> PREFIX sse: <https://w3id.org/sse-kg/ontology#>\n"
        "CONSTRUCT { ?t a sse:Theme, skos:Concept ; skos:prefLabel ?l ;\n"
        "skos:inScheme <https://w3id.org/sse-kg/id/scheme/themes> }\n"
        f'WHERE {{ BIND(IRI(CONCAT("{ID}theme/", ?title_slug)) AS ?t) BIND(STRLANG(?title, "en") AS ?l) }}\n'
    )
    file = tmp_path / "themes.csv"
    file.write_text("Title\nFlour\n")
    done = CliRunner().invoke(app, ["table", str(file), "--store", str(root), "--mapping", str(own)])
    assert done.exit_code == 0, done.output
    assert count(root, f"<{ID}theme/flour> a sse:Theme") == 1


def test_names_in_any_script_have_an_address_of_their_own(root: Path) -> None:
    rows = """name;language;kind;country
사회적경제 네트워크;ko;network;KR
グローバル 市民;ja;network;JP
Кооператив ABC;ru;cooperative;KZ
Союз ABC;ru;cooperative;KZ
تعاونية النساء;ar;cooperative;TN
Spółdzielnia Łódź;pl;cooperative;PL
"""
    done = json.loads(run(root, rows).stdout)
    assert (done["taken"], done["rejected"]) == (6, [])
    for slug in (
        "sahoejeoggyeongje-neteuwokeu",
        "gurobaru-shimin",
        "kooperativ-abc",
        "soyuz-abc",
        "twnyh-lns",
        "spoldzielnia-lodz",
    ):
        assert count(root, f"<{ID}organisation/{slug}> a sse:Organisation") == 1, slug


def test_a_text_in_another_script_is_in_the_language_that_is_written_most_in_it() -> None:
    texts = {"사회적경제": "ko", "国際 市民の会": "ja", "合作社": "zh", "تعاونية": "ar", "تعاونی زنان گیلان": "fa"}
    texts |= {"Кооператив": "ru", "Спілка громадян": "uk", "Ένωση": "el", "Føroya": "en", "für die Menschen": "de"}
    assert {text: tongue(text) for text in texts} == texts
