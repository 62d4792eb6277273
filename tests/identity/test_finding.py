"""Which entries are likely one, and why: pure, over actors that are made here, and over a real directory."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import pytest

from kg_service.identity import Actor, Candidate, Point
from kg_service.identity.blocking import Frequencies, pairs
from kg_service.identity.candidates import found
from kg_service.identity.scoring import compared, distance

GB, MX = frozenset(["GB"]), frozenset(["MX"])


def named(*names: str, iri: str = "", **more: object) -> Actor:
    return Actor(iri or f"urn:{names[0]}", names, **more)  # type: ignore[arg-type]


def likelihood(one: Actor, other: Actor, *crowd: Actor) -> float:
    return compared(one, other, Frequencies([one, other, *crowd])).likelihood


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ewart Road Housing Co-operative Limited", "EWART ROAD HOUSING COOP LTD"),
        ("Sociedad Cooperativa Pascual S.C.L.", "Cooperativa Pascual"),
        ("Réseau des tisserandes", "Reseau des Tisserandes (RDT)"),
        ("NETZ für Selbstverwaltung und Selbstorganisation e.V.", "Netz für Selbstverwaltung & Selbstorganisation"),
        ("Argyll Fencer's Co-operative Ltd", "Argyll Fencers Cooperative"),
        ("Confederación AGROSOLIDARIA de Colombia", "Confederacion Agrosolidarai de Colombia"),
        ("RIPESS EU - Solidarity Economy Europe", "RIPESS EU"),
        ("東京生活協同組合", "東京生活協同組合"),
    ],
)
def test_other_ways_of_writing_a_name_are_taken_for_it(one: str, other: str) -> None:
    assert likelihood(named(one), named(other)) > 0.8


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Weavers Branch 1", "Weavers Branch 2"),
        ("RIPESS EU", "RIPESS NA"),
        ("Bakers Co-operative Limited", "Weavers Co-operative Limited"),
        ("Red de tejedoras", "Red de panaderas"),
        ("!!!", "???"),
        ("", ""),
    ],
)
def test_other_actors_are_not(one: str, other: str) -> None:
    assert likelihood(named(one, iri="urn:1"), named(other, iri="urn:2")) < 0.5


def test_each_feature_tells_for_or_against() -> None:
    one, other = named("Oxfield Weavers", iri="urn:1"), named("Oxfield Weavers Union", iri="urn:2")
    alone = likelihood(one, other)

    def with_both(**more: tuple[object, object]) -> float:
        mine, theirs = ({name: frozenset([values[at]]) for name, values in more.items()} for at in (0, 1))
        return likelihood(
            named("Oxfield Weavers", iri="urn:1", **mine), named("Oxfield Weavers Union", iri="urn:2", **theirs)
        )

    here, near, far = Point(51.75, -1.26), Point(51.751, -1.261), Point(19.4, -99.1)
    assert with_both(countries=("GB", "GB")) > alone > with_both(countries=("GB", "MX"))
    assert with_both(websites=("weave.example", "weave.example/en")) > alone > with_both(websites=("a.example", "b.ex"))
    assert with_both(numbers=("IP123", "IP123")) > alone > with_both(numbers=("IP123", "IP456"))
    assert with_both(points=(here, near)) > alone > with_both(points=(here, far))
    assert with_both(numbers=("IP123", "98765432")) == alone, "numbers of two registers tell nothing"
    member = named("Oxfield Weavers", iri="urn:1", within=frozenset(["urn:2"]))
    assert likelihood(member, other) < alone


def test_what_many_share_tells_nothing() -> None:
    one, other = named("Oxfield Weavers", iri="urn:1"), named("Oxfield Weavers Union", iri="urn:2")
    crowd = [named(f"Somebody {n}", numbers=frozenset(["0"]), websites=frozenset(["facebook.com"])) for n in range(9)]
    both = {"numbers": frozenset(["0"]), "websites": frozenset(["facebook.com"])}
    mine, theirs = named("Oxfield Weavers", iri="urn:1", **both), named("Oxfield Weavers Union", iri="urn:2", **both)
    assert likelihood(mine, theirs, *crowd) == likelihood(one, other, *crowd)


def test_a_common_name_tells_less_than_a_rare_one() -> None:
    halls = [named("Village Hall", iri=f"urn:{n}") for n in range(40)]
    rare = likelihood(named("Ewart Road", iri="urn:a"), named("Ewart Road", iri="urn:b"), *halls)
    assert rare > 0.9 > 0.5 > likelihood(halls[0], halls[1], *halls[2:])


def test_the_features_make_up_the_likelihood() -> None:
    candidate = compared(named("Oxfield Weavers", countries=GB), named("Oxfield Weaver", countries=GB), Frequencies([]))
    assert {each.name for each in candidate.features} == {"name", "country", "prior"}
    odds = 2 ** sum(each.bits for each in candidate.features)
    assert candidate.likelihood == pytest.approx(odds / (1 + odds))
    assert candidate == compared(
        named("Oxfield Weaver", countries=GB), named("Oxfield Weavers", countries=GB), Frequencies([])
    )


def test_the_better_known_entry_leads() -> None:
    known, bare = named("Weavers", iri="urn:b", claims=3), named("Weavers", "Tejedoras", iri="urn:a")
    assert compared(known, bare, Frequencies([known, bare])).leading == "urn:b"


def test_a_block_of_five_thousand_does_not_explode() -> None:
    crowd = [named("Village Hall Society", iri=f"urn:{n}", websites=frozenset(["halls.example"])) for n in range(5_000)]
    known = Frequencies(crowd)
    assert sum(1 for _ in pairs(crowd, known)) < 40 * len(crowd)


def test_no_pair_comes_twice_and_nobody_is_paired_with_himself() -> None:
    dice = random.Random(2)
    crowd = [named(" ".join(dice.sample("oak elm ash fir yew box".split(), 3)), iri=f"urn:{n}") for n in range(200)]
    made = list(pairs(crowd, Frequencies(crowd)))
    assert len(set(made)) == len(made)
    assert all(one < other for one, other in made)


def test_nobody_and_one_alone_make_no_pair() -> None:
    assert found([]) == []
    assert found([named("Alone")]) == []


def test_kilometres_are_measured_along_the_earth() -> None:
    assert distance(Point(48.8566, 2.3522), Point(51.5074, -0.1278)) == pytest.approx(344, abs=2)
    assert distance(Point(0, 179.9), Point(0, -179.9)) == pytest.approx(22.2, abs=0.2)


def test_ripess_lac_of_the_documents_and_of_the_directory_is_one_candidate(shared: Path) -> None:
    documents = named(
        "RIPESS LAC",
        "Intercontinental Network for the Promotion of the Social and Solidarity Economy in Latin America and the "
        "Caribbean",
        iri="urn:documents:ripess-lac",
        claims=9,
    )
    directory: dict[str, Actor] = {}
    with (shared / "datasets" / "commonweave" / "ripess_family.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            site = frozenset([row["website"].split("//")[-1]]) if row["website"] else frozenset()
            directory[row["name"]] = named(row["name"], iri=f"urn:directory:{row['name']}", websites=site)
            if body := row["description"].partition("member of: ")[2]:
                directory.setdefault(body, named(body, iri=f"urn:directory:{body}"))
    about: list[Candidate] = [
        each for each in found([documents, *directory.values()]) if documents.iri in (each.one, each.leading)
    ]
    assert [(each.one, each.leading) for each in about] == [("urn:directory:RIPESS LAC", documents.iri)]
    assert about[0].likelihood > 0.9
