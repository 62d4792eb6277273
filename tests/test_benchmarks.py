"""The world that the benchmarks ask about is what they say it is."""

from __future__ import annotations

import itertools
from collections import Counter

from pyoxigraph import RdfFormat, Store, parse

from benchmarks import generate
from kg_service import resources
from kg_service.shacl import load_shapes, validate


def test_the_generated_world_breaks_no_shape() -> None:
    store = Store()
    store.extend(parse("\n".join(generate.triples(30_000)), RdfFormat.N_TRIPLES))
    report = validate(store, load_shapes(resources.folder("shapes")))
    assert not report.blocks, report.to_text()
    assert sum(report.counts.values()) < 100


def test_the_same_seed_gives_the_same_world_without_repetitions() -> None:
    world = list(generate.triples(30_000, seed=5))
    assert world == list(generate.triples(30_000, seed=5))
    assert world != list(generate.triples(30_000, seed=6))
    assert len(world) == len(set(world))
    assert 30_000 <= len(world) < 31_000


def test_a_small_world_is_the_beginning_of_a_large_one() -> None:
    small = list(generate.triples(20_000))
    assert small == list(itertools.islice(generate.triples(40_000), len(small)))


def test_a_few_networks_and_themes_are_hubs() -> None:
    links = [line.split(" ") for line in generate.triples(100_000) if "/theme/" in line or "#organization>" in line]
    for predicate in (generate.term("sse:theme"), generate.term("org:organization")):
        found = Counter(link[2] for link in links if link[1] == predicate)
        middle = sorted(found.values())[len(found) // 2]
        assert found.most_common(1)[0][1] > 5 * middle
