"""The words of the pages: each language has all of them, and each is used."""

from __future__ import annotations

import re
import string

import pytest

from kg_service.web.rendering import FOLDER, LANGUAGES, Catalogue, href, in_language
from tests.conftest import ROOT

CATALOGUES = {language: Catalogue(language) for language in LANGUAGES}
TEMPLATES = sorted((FOLDER / "templates").glob("*.html"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_lacks_words(language: str) -> None:
    words = CATALOGUES[language].entries
    assert set(words) == set(CATALOGUES["en"].entries)
    assert all(text.strip() for text in words.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_take_the_same_values_in_every_language(language: str) -> None:
    def fields(text: str) -> set[str | None]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    english = CATALOGUES["en"].entries
    wrong = {key for key, text in CATALOGUES[language].entries.items() if fields(text) != fields(english[key])}
    assert not wrong


def test_the_templates_use_words_that_are_there() -> None:
    known = set(CATALOGUES["en"].entries) | {key.rpartition(".")[0] for key in CATALOGUES["en"].entries}
    used = {
        key for path in TEMPLATES for key in re.findall(r"""\bt\(\s*["']([^"']+)["'] *[,)]""", path.read_text("utf-8"))
    }
    assert used
    assert used <= known


def test_no_words_are_left_over() -> None:
    texts = "".join(path.read_text("utf-8") for path in (*TEMPLATES, *(ROOT / "kg_service").rglob("*.py")))
    left = set()
    for key in CATALOGUES["en"].entries:
        stem = re.sub(r"\.(one|other)$", "", key)
        parts = stem.split(".")
        beginnings = {stem, *(".".join(parts[:n]) + "." for n in range(1, len(parts)))}
        if not any(f'"{each}' in texts or f"'{each}" in texts for each in beginnings):
            left.add(key)
    assert not left


@pytest.mark.parametrize(
    ("language", "n", "words"),
    [
        ("en", 0, "0 sources"),
        ("en", 1, "1 source"),
        ("fr", 0, "0 source"),
        ("es", 12345, "12\u202f345 fuentes"),
        ("en", 12345, "12,345 sources"),
    ],
)
def test_numbers_choose_their_form(language: str, n: int, words: str) -> None:
    assert CATALOGUES[language].words("sources", n) == words


@pytest.mark.parametrize(
    ("iri", "is_linked"),
    [
        ("https://example.org/a", True),
        ("http://example.org/", True),
        ("mailto:a@example.org", True),
        ("HTTPS://EXAMPLE.ORG", True),
        ("javascript:alert(1)", False),
        ("JavaScript:alert(1)", False),
        ("\tjavascript:alert(1)", False),
        ("data:text/html,<script>1</script>", False),
        ("vbscript:x", False),
        ("file:///etc/passwd", False),
        ("//example.org", False),
        ("urn:x", False),
        ("http://[", False),
        ("", False),
    ],
)
def test_only_addresses_of_the_web_are_linked(iri: str, is_linked: bool) -> None:
    assert href(iri) == (iri if is_linked else None)


@pytest.mark.parametrize(
    ("address", "other"),
    [
        ("http://x/page/a", "http://x/page/a?lang=fr"),
        ("http://x/a?lang=en", "http://x/a?lang=fr"),
        ("http://x/a?b=1&lang=en&c=%26", "http://x/a?b=1&c=%26&lang=fr"),
    ],
)
def test_a_page_has_an_address_in_each_language(address: str, other: str) -> None:
    assert in_language(address, "fr") == other


def test_words_that_are_counted_are_there_however_many() -> None:
    english = CATALOGUES["en"].entries
    wrong, counted = set(), 0
    for path in TEMPLATES:
        text = path.read_text("utf-8")
        for key, values in re.findall(r"""\bt\(\s*["']([^"']+)["']\s*,((?:[^()]|\([^()]*\))*)\)""", text):
            if re.search(r"(?:^|,)\s*n=", values):
                counted += 1
                if key not in english and not {f"{key}.one", f"{key}.other"} <= set(english):
                    wrong.add((path.name, key))
            elif key not in english:
                wrong.add((path.name, key))
    assert counted > 50
    assert not wrong


def test_a_cut_is_told_in_words() -> None:
    for catalogue in CATALOGUES.values():
        assert catalogue.number(1200) in catalogue.words("explore.cut", n=1200)
        assert "200" in catalogue.words("network.filter.cut", most=200)
