from __future__ import annotations

import pytest

from kg_service.languages import best_tag, best_text, place


@pytest.mark.parametrize(
    ("asked", "tags", "expected"),
    [
        (("fr",), ["en", "es", "fr"], "fr"),
        (("fr",), ["de", "en", "es"], "en"),
        (("fr",), ["de", "en-GB", "es"], "en-GB"),
        (("fr",), ["de", "", "es"], ""),
        (("fr",), ["es", "de"], "de"),  # none is better than the other: which one is no accident
        (("pt", "es"), ["en", "es"], "es"),
        (("es",), ["es-MX", "es", "es-AR"], "es"),
        (("es",), ["en", "es-MX"], "es-MX"),
        (("es-MX",), ["es-AR", "es", "ES-mx"], "ES-mx"),
        (("es-MX",), ["es-AR", "es"], "es"),
        (("es-MX",), ["en", "es-AR"], "es-AR"),
        (("e",), ["es", "en"], "en"),
        ((), ["zh-Hant", "en", ""], "en"),
    ],
)
def test_a_reader_gets_the_text_in_the_language_that_serves_best(
    asked: tuple[str, ...], tags: list[str], expected: str
) -> None:
    for order in (tags, tags[::-1]):
        assert best_tag(order, asked) == expected
    assert best_tag([], asked) is None


def test_what_has_no_language_is_what_has_an_empty_one() -> None:
    assert place(None, ("es",)) == place("", ("es",))


def test_a_text_comes_with_its_language_and_never_without_words() -> None:
    assert best_text({"fr": "", "es": "pan", "en": "bread"}, ("fr", "es")) == ("pan", "es")
    assert best_text({"": "pan"}, ("fr",)) == ("pan", None)
    assert best_text({"fr": ""}, ("fr",)) is None
