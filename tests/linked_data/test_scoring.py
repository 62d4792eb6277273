from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kg_service.linked_data.reconciliation import Condition, Facts, Given, Wanted
from kg_service.linked_data.reconciliation.scoring import condition_feature, features, score
from kg_service.search.names import alike

LABEL, ACRONYM = "http://www.w3.org/2004/02/skos/core#prefLabel", "https://w3id.org/sse-kg/ontology#acronym"
SPAIN, FRANCE = Given("Spain", "urn:spain"), Given("France", "urn:france")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Cooperativa de Panaderas", "cooperativa de panaderas"),
        ("Économie solidaire", "ECONOMIE SOLIDAIRE"),
        ("Bakers S.A.", "Bakers SA"),
    ],
)
def test_case_accents_and_dots_do_not_count(one: str, other: str) -> None:
    assert alike(one, other) == 1.0


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (("Bakers", "Bakers"), ("Bakers", "Bakers Ltd")),
        (("Bakers Ltd", "Bakers S.L."), ("Bakers Union", "Bakers")),
        (("Red de tejedoras", "Red tejedoras"), ("Red de tejedoras", "Red de panaderas")),
        (("Iztapalapa", "Iztapalpa"), ("Iztapalapa", "Xochimilco")),
        (("Coop panaderas", "Cooperativa panaderas"), ("Coop panaderas", "Asociación panaderas")),
        (("Sol edad", "Soledad"), ("Sol edad", "Mar edad")),
        (("Valley Council", "Council of the Valley"), ("Valley Council", "Valley Bakers")),
    ],
)
def test_what_people_would_take_for_one_is_more_alike(better: tuple[str, str], worse: tuple[str, str]) -> None:
    assert alike(*better) > alike(*worse)


@given(st.text(max_size=40), st.text(max_size=40))
def test_likeness_is_between_0_and_1_and_1_for_the_same(one: str, other: str) -> None:
    assert 0.0 <= alike(one, other) <= 1.0
    if one.strip():
        assert alike(one, one) == 1.0


def scored(facts: Facts, *conditions: Condition, name: str = "Bakers", types: tuple[str, ...] = ()) -> float:
    wanted = Wanted(name, types=types, conditions=conditions)
    return score(wanted, features(wanted, "urn:it", facts))


def test_the_score_grows_with_what_is_known_to_fit() -> None:
    here = Condition("country", (Given("Spain"),))
    named = ((LABEL, "en", "Bakers"),)
    same, other = Facts(named, values={"country": (SPAIN,)}), Facts(named, values={"country": (FRANCE,)})
    unknown, near = Facts(named), Facts(((LABEL, "en", "The Bakers Union"),), values={"country": (SPAIN,)})
    assert 100 > scored(same, here) > scored(unknown, here) > scored(near, here) > scored(other, here) > 0
    assert scored(same, here) == 95.0
    typed = Facts(named, frozenset({"urn:Organisation"}), values={"country": (SPAIN,)})
    assert scored(typed, here, types=("urn:Organisation",)) == 100.0
    assert scored(typed, here, types=("urn:Place",)) < scored(same, here)


def test_a_label_counts_more_than_an_acronym() -> None:
    assert scored(Facts(((LABEL, "", "GSEF"),)), name="GSEF") > scored(Facts(((ACRONYM, "", "GSEF"),)), name="GSEF")


@pytest.mark.parametrize(
    ("given", "value", "qualifier", "expected"),
    [
        (Given("", "urn:spain"), SPAIN, "Similar", 1.0),
        (Given("", "urn:france"), SPAIN, "Similar", 0.0),
        (Given("spain"), SPAIN, "Similar", 1.0),
        (Given("Peru"), SPAIN, "Similar", 0.0),
        (Given("Spa*"), SPAIN, "Similar", 1.0),
        (Given("Spa*"), SPAIN, "WildcardMatch", 1.0),
        (Given("*rance"), SPAIN, "WildcardMatch", 0.0),
        (Given("Spain "), SPAIN, "ExactMatch", 1.0),
        (Given("Spai"), SPAIN, "ExactMatch", 0.0),
        (Given("2019"), Given("2019-04-01"), "Similar", 1.0),
        (Given("201"), Given("2019"), "Similar", 0.0),
        (Given("www.bakers.org"), Given("https://bakers.org/"), "Similar", 1.0),
        (Given("https://bakers.org/a"), Given("https://bakers.org/b"), "Similar", 0.0),
        (Given("http://[::1"), Given("https://bakers.org/b"), "Similar", 0.0),
    ],
)
def test_values_are_compared_by_what_they_are(given: Given, value: Given, qualifier: str, expected: float) -> None:
    assert condition_feature(Condition("p", (given,), qualifier=qualifier), [value]) == expected


def test_quantifiers() -> None:
    both = (Given("Spain"), Given("Peru"))
    assert condition_feature(Condition("p", both), [SPAIN]) == 1
    assert condition_feature(Condition("p", both, quantifier="all"), [SPAIN]) == 0
    assert condition_feature(Condition("p", both, quantifier="none"), [SPAIN]) == 0
    assert condition_feature(Condition("p", (Given("Peru"),), quantifier="none"), [SPAIN]) == 1
    assert condition_feature(Condition("p", both), []) is None
