"""What things that were found have in common is counted as a reader of facets expects it."""

from __future__ import annotations

from pyoxigraph import Literal, NamedNode

from kg_service.search.narrowing import Narrowed, wanted

SDG = "http://metadata.un.org/sdg/"


def row(thing: str, facet: str, value: str, of: str | None = None) -> dict[str, NamedNode | Literal]:
    term = NamedNode(value) if ":" in value else Literal(value)
    told: dict[str, NamedNode | Literal] = {"thing": NamedNode(thing), "facet": Literal(facet), "value": term}
    return told | ({"of": NamedNode(of)} if of else {})


ROWS = [
    row("urn:a", "theme", "urn:care"),
    row("urn:a", "country", "MX", "urn:mexico"),
    row("urn:b", "theme", "urn:care"),
    row("urn:b", "theme", "urn:food"),
    row("urn:b", "country", "CO", "urn:colombia"),
    row("urn:c", "country", "MX", "urn:mexico"),
    row("urn:c", "sdg", SDG + "8.5"),
    row("urn:c", "sdg", SDG + "8"),
    row("urn:c", "year", "2019-12-09"),
]


def counted(narrowed: Narrowed, facet: str) -> dict[str, int]:
    return {each.value: each.count for each in narrowed.tallies(facet)}


def test_a_facet_is_counted_without_its_own_choice_and_with_all_others() -> None:
    narrowed = Narrowed(["urn:c", "urn:b", "urn:a"], ROWS, {"theme": ["urn:care"], "country": []})
    assert narrowed.kept == ["urn:b", "urn:a"]
    assert counted(narrowed, "theme") == {"urn:care": 2, "urn:food": 1}
    assert counted(narrowed, "country") == {"MX": 1, "CO": 1}
    assert counted(narrowed, "sdg") == {}


def test_values_of_one_facet_add_and_facets_narrow() -> None:
    things = ["urn:a", "urn:b", "urn:c"]
    assert Narrowed(things, ROWS, {"country": ["MX", "CO"]}).kept == things
    assert Narrowed(things, ROWS, {"country": ["MX"], "theme": ["urn:care"]}).kept == ["urn:a"]
    assert Narrowed(things, ROWS, {"theme": ["urn:nothing"]}).kept == []


def test_targets_count_for_their_goal_once_and_dates_for_their_year() -> None:
    narrowed = Narrowed(["urn:c"], ROWS, {"sdg": [wanted("sdg", "8")]})
    assert narrowed.kept == ["urn:c"]
    assert counted(narrowed, "sdg") == {SDG + "8": 1}
    assert counted(narrowed, "year") == {"2019": 1}
    (mexico,) = narrowed.tallies("country")
    assert (mexico.value, mexico.thing) == ("MX", NamedNode("urn:mexico"))


def test_values_are_understood_as_people_send_them() -> None:
    assert wanted("theme", "care") == "https://w3id.org/sse-kg/id/theme/care"
    assert wanted("theme", "urn:x") == "urn:x"
    assert wanted("sdg", "08") == SDG + "8"
    for odd in ("²", "9" * 5000):
        assert wanted("sdg", odd).endswith(f"/sdg/{odd}"), "it is a name that nobody has"
    assert wanted("country", "mx") == "MX"
    assert wanted("year", "2019") == "2019"
