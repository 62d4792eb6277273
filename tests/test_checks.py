from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from kg_service import checks, resources


@pytest.fixture(scope="module")
def material() -> checks.Material:
    return checks.Material(**{name: resources.folder(name) for name in ("ontology", "shapes", "queries", "data")})


@pytest.mark.parametrize("check", checks.CHECKS, ids=lambda check: check.__name__)
def test_the_project_s_own_data_pass(material: checks.Material, check: Callable[[checks.Material], list[str]]) -> None:
    assert check(material) == []


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[], checks.Material]:
    """A copy of the folders in tmp_path, to be broken by the test; call it once that is done."""
    names = ("ontology", "shapes", "queries", "data")
    for name in names:
        shutil.copytree(resources.folder(name), tmp_path / name, ignore=shutil.ignore_patterns("store"))
    return lambda: checks.Material(**{name: tmp_path / name for name in names})


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_data_file_that_is_not_its_encoding_s_is_found(tmp_path: Path, copied: Callable[[], checks.Material]) -> None:
    change(tmp_path / "data" / "sse-guidelines-cocreation-session.trig", "co-creation", "cocreation")
    (problem,) = checks.encodings(copied())
    assert "sse-guidelines-cocreation-session.trig" in problem


def test_a_quotation_that_is_not_in_its_source_is_found(tmp_path: Path, copied: Callable[[], checks.Material]) -> None:
    change(tmp_path / "data" / "sources" / "004_754e843693f7189e.txt", "Zoom", "Zooms")
    assert len(checks.quotations(copied())) > 3


def test_an_undeclared_term_is_found(tmp_path: Path, copied: Callable[[], checks.Material]) -> None:
    change(tmp_path / "queries" / "events" / "dialogues-in-order.rq", "sse:inSeries", "sse:inSerie")
    assert checks.terms(copied()) == ["sse:inSerie is not declared; used in events/dialogues-in-order.rq"]


def test_data_that_break_a_check_or_a_shape_are_found(tmp_path: Path, copied: Callable[[], checks.Material]) -> None:
    (tmp_path / "data" / "more.ttl").write_text(
        "<https://w3id.org/sse-kg/id/event/x> a <https://w3id.org/sse-kg/ontology#Event> ."
    )
    material = copied()
    assert any("event/x" in problem for problem in checks.questions(material))
    assert any("event/x" in problem for problem in checks.shapes(material))


def test_a_contradiction_is_found(tmp_path: Path, copied: Callable[[], checks.Material]) -> None:
    (tmp_path / "data" / "more.ttl").write_text(
        "<https://w3id.org/sse-kg/id/organisation/gsef> a <https://w3id.org/sse-kg/ontology#Event> ."
    )
    assert checks.ontology(copied())


def test_sentences_are_what_ends_in_a_full_stop_and_each_heading_and_item() -> None:
    text = "HEADING\n\nOne sentence. Another, e.g. this “one”. “Third”!\n- an item\n1. A second\n\n***\n"
    assert [text[a:b] for a, b in checks.sentences(text)] == [
        "HEADING",
        "One sentence.",
        "Another, e.g. this “one”.",
        "“Third”!",
        "- an item",
        "1. A second",
    ]


def test_every_sentence_of_the_sources_has_a_claim_but_one_heading(material: checks.Material) -> None:
    documents = checks.coverage(material)
    assert len(documents) == 5
    bare = [words for document in documents for words in document.unclaimed]
    assert bare == ["Summary"]
