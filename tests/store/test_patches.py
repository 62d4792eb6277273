"""What the log says of a change leads from the dataset before it to the one after it, whatever the change."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad

from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, in_default_graph
from kg_service.store.patches import Patch, rows
from kg_service.store.remote import Endpoint, RemoteStore
from tests.store import engines

GRAPHS: list[DefaultGraph | NamedNode] = [DefaultGraph(), NamedNode("urn:g"), NamedNode("urn:h")]


def some_quads(choice: random.Random) -> frozenset[Quad]:
    """Few triples in few graphs, so that most changes meet what others left."""
    return frozenset(
        Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal(choice.randint(1, 2)), choice.choice(GRAPHS))
        for _ in range(choice.randint(0, 3))
    )


def dataset(store: EmbeddedStore | RemoteStore) -> frozenset[Quad]:
    """Every named graph, and of the default graph what no named graph holds."""
    named = set(store.quads())
    held = {in_default_graph(quad) for quad in named}
    return frozenset(named | {triple for triple in store.triples() if triple not in held})


def check(before: frozenset[Quad], patch: Patch, after: frozenset[Quad]) -> None:
    gone = patch.delta.removed | patch.kept
    assert gone <= before
    assert not patch.delta.added & before
    assert (before - gone) | patch.delta.added == after


def test_of_the_embedded_store(tmp_path: Path) -> None:
    choice = random.Random(1)
    with EmbeddedStore(tmp_path / "store") as store:
        for _ in range(1500):
            before = dataset(store)
            change, patch = store.planned(Delta(some_quads(choice), some_quads(choice)))
            store.stage(change)
            check(before, patch, dataset(store))


@pytest.mark.parametrize("engine", ["oxigraph", "fuseki"])
def test_of_another_engine(servers: Callable[[str], Endpoint], engine: str) -> None:
    choice, endpoint = random.Random(2), servers(engine)
    engines.empty(endpoint)
    with RemoteStore(endpoint) as store:
        for _ in range(60):
            before = dataset(store)
            change = store.effective(Delta(some_quads(choice), some_quads(choice)))
            store.apply(change)
            check(before, change.patch, dataset(store))


def test_a_patch_is_read_back_in_rows_with_what_goes_first() -> None:
    def quad(value: str, graph: str | None = "urn:g") -> Quad:
        where = NamedNode(graph) if graph else DefaultGraph()
        return Quad(NamedNode("urn:s"), NamedNode("urn:p"), Literal(value), where)

    many = frozenset(quad(f"ü\n{number}" * 50) for number in range(3000))
    patch = Patch(Delta(many, frozenset({quad("gone")})), frozenset({quad("kept", None)}))
    told = list(rows(patch.packed()))
    assert [code for code, _ in told[:3]] == ["D", "D", "A"]
    assert {line.decode() for _, line in told[:2]} == {f"{quad('gone')} .", f"{quad('kept', None)} ."}
    assert {line.decode() for code, line in told if code == "A"} == {f"{q} ." for q in many}
    assert list(rows(Patch(Delta()).packed())) == []
