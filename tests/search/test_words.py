from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_service.search.words import allowed_typos, asked, distance, folded, grams, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Économie sociale", ["economie", "sociale"]),
        ("e\u0301conomie", ["economie"]),
        ("Bakers’ co-operative", ["bakers", "co", "operative"]),
        ("STRASSE Straße", ["strasse"]),
        ("Łódź, Øresund, Þór", ["lodz", "oresund", "thor"]),
        ("مُنتدى الاقتصادِ", ["منتدى", "الاقتصاد"]),
        ("פוֹרוּם", ["פורום"]),
        ("सामाजिक अर्थव्यवस्था", ["सामाजिक", "अर्थव्यवस्था"]),
        ("社会連帯経済", ["社会", "会連", "連帯", "帯経", "経済"]),
        ("済", ["済"]),
        ("GSEF2021フォーラム", ["gsef2021", "フォー", "ォーラ", "ラム"]),
        ("สหกรณ์", ["สห", "หก", "กร", "รณ์"]),
        ("a\0b 👍 c_d", ["a", "b", "c", "d"]),
        ("!!! … “”", []),
        ("x" * 1000, ["x" * 64]),
    ],
)
def test_words_are_folded_in_any_script(text: str, expected: list[str]) -> None:
    assert asked(text) == expected


@given(st.text(max_size=200))
def test_every_word_stands_where_it_says_and_is_folded_for_good(text: str) -> None:
    last = 0
    for word in words(text):
        assert 0 <= word.start < word.end <= len(text)
        assert word.start >= last or word.end > last
        last = word.start
        assert word.folded
        assert '"' not in word.folded
        assert not any(c.isspace() or c in "§¶\0" for c in word.folded)
        assert len(word.folded) <= 64


@given(st.text(max_size=60))
def test_case_and_accents_do_not_count(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ("solidaridad", "solidariedad", 1),
        ("iztapalpa", "iztapalapa", 1),
        ("forum", "fourm", 1),
        ("women", "women", 0),
        ("mairie", "mercado", 3),
    ],
)
def test_distance_counts_slips(one: str, other: str, far: int) -> None:
    assert distance(one, other, 2) == distance(other, one, 2) == far


@given(st.text("abcde", min_size=4, max_size=12), st.integers(0, 11), st.sampled_from("abcdez"))
def test_a_word_with_one_slip_shares_groups_of_letters_with_itself(word: str, place: int, letter: str) -> None:
    """What `ranking.meant_by` relies on when it looks for words that were meant."""
    place %= len(word)
    slips = (
        word[:place] + word[place + 1 :],
        word[:place] + letter + word[place + 1 :],
        word[:place] + letter + word[place:],
        word[:place] + word[place : place + 2][::-1] + word[place + 2 :],
    )
    for slip in slips:
        assert distance(word, slip, 2) <= 1
        if allowed_typos(slip):
            assert len(grams(word) & grams(slip)) >= len(grams(slip)) - 4
