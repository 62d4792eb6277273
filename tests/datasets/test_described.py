"""Descriptions of data sets: those of the project are whole, and what is wrong with one is said in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from kg_service import resources
from kg_service.datasets import described
from kg_service.errors import KgError, NotFound

FOLDER = resources.folder("data") / "datasets"
GOOD = """license = "https://example.org/license"
citation = "Somebody. 2020."
publisher = "Somebody"
[title]
en = "Mills"
[[part]]
file = "mills/*.csv"
"""


def test_each_description_of_the_project_has_its_words_in_three_languages() -> None:
    datasets = described.every(FOLDER)
    assert {each.name for each in datasets} == {path.stem for path in FOLDER.glob("*.toml")}
    for each in datasets:
        assert {"en", "es", "fr"} <= set(each.title), each.name
        assert not each.description or {"en", "es", "fr"} <= set(each.description), each.name
        assert all(part.mapping for part in each.parts), each.name


def test_each_mapping_is_of_a_description() -> None:
    used = {part.mapping for each in described.every(FOLDER) for part in each.parts}
    assert used == set(FOLDER.glob("*.rq"))


def test_what_others_come_after_is_loaded_first() -> None:
    names = [each.name for each in described.every(FOLDER)]
    for each in described.every(FOLDER):
        assert all(names.index(before) < names.index(each.name) for before in each.after)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("license = ", "licence = "), "lacks license"),
        (("[title]", "[title"), "is no TOML"),
        (('en = "Mills"', 'de = "Mühlen"'), "en among them"),
        (("https://example.org/license", "CC BY"), "license is a web address, not 'CC BY'"),
        (("mills/*.csv", "../mills.csv"), "leads out of the folder"),
        (("mills/*.csv", "/etc/passwd"), "leads out of the folder"),
        (('"mills/*.csv"', '"mills.csv"\nmapping = "mills.rq"'), 'no mapping "mills.rq" beside'),
        (('"mills/*.csv"', '"mills.csv"\nmapping = "../mills.rq"'), "beside the description"),
        (('"mills/*.csv"', '"mills.csv"\nendpoint = "https://example.org/sparql"'), "and not both"),
        (('"mills/*.csv"', '"mills.csv"\ncolour = "red"'), "part 1: colour: known are"),
        (("[title]", 'schedule = "often"\n[title]'), 'schedule "often"; known: daily'),
        (("[title]", 'after = ["bread"]\n[title]'), 'after "bread"; known: mills'),
        (("[title]", 'after = ["mills"]\n[title]'), "each to be loaded after another"),
    ],
)
def test_what_is_wrong_in_a_description_is_told(tmp_path: Path, change: tuple[str, str], words: str) -> None:
    (tmp_path / "mills.toml").write_text(GOOD.replace(*change), "utf-8")
    with pytest.raises(KgError) as error:
        described.every(tmp_path)
    assert words in error.value.detail


def test_a_name_that_nothing_has_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "mills.toml").write_text(GOOD, "utf-8")
    assert [each.name for each in described.named(tmp_path, ["mills"])] == ["mills"]
    with pytest.raises(NotFound) as error:
        described.named(tmp_path, ["bread"])
    assert error.value.detail == 'there is no data set "bread"; known: mills'
