"""How long the gate takes to judge a change, by kind of change, on a store on disk.

    python -m benchmarks.gate [--triples 1000000] [--repeat 100] [--store DIR]

The store holds a generated world (see generate.py) and the ontology; a directory that is given is kept and used again.
Each change is applied and judged as a commit does it: what is affected, the results after it and, where there are any,
those before it. Writing to the store is not counted. On a busy machine the best time and the CPU time say more than the
median and p99.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pyoxigraph import DefaultGraph, Literal, NamedNode, Quad, RdfFormat, Store

from benchmarks import generate
from kg_service.rdf import PREF_LABEL, RDF_TYPE, entity, parse_file, sse
from kg_service.shacl import load_shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta

ROOT = Path(__file__).resolve().parent.parent
ALT_LABEL = NamedNode("http://www.w3.org/2004/02/skos/core#altLabel")
ORG = "http://www.w3.org/ns/org#"


def filled(folder: Path, triples: int) -> Store:
    """The store of that many triples, made when it is not there."""
    if folder.exists() and any(folder.iterdir()):
        return Store(str(folder))
    store = Store(str(folder))
    with tempfile.NamedTemporaryFile(suffix=".nt") as file:
        generate.write(Path(file.name), triples)
        store.bulk_load(path=file.name, format=RdfFormat.N_TRIPLES)
    store.bulk_extend(
        Quad(quad.subject, quad.predicate, quad.object)
        for path in sorted((ROOT / "ontology").glob("*.ttl"))
        for quad in parse_file(path)
    )
    store.flush()
    return store


def organisation(number: int, place: NamedNode) -> Iterator[Quad]:
    """Ten statements."""
    one = entity("organisation", f"bench-{number}")
    for name in ("Actor", "Organisation"):
        yield Quad(one, RDF_TYPE, sse(name))
    for language, name in (("en", "Bench {}"), ("es", "Banco {}"), ("fr", "Banc {}")):
        yield Quad(one, PREF_LABEL, Literal(name.format(number), language=language))
    yield Quad(one, sse("organisationKind"), entity("org-kind", "cooperative"))
    yield Quad(one, sse("locatedIn"), place)
    yield Quad(one, sse("level"), entity("level", "local"))
    yield Quad(one, sse("acronym"), Literal(f"BENCH{number}"))
    yield Quad(one, sse("purpose"), Literal("Brings people together for work and care.", language="en"))


def membership(number: int, member: NamedNode, network: NamedNode) -> Iterator[Quad]:
    one = entity("membership", f"bench-{number}")
    yield Quad(one, RDF_TYPE, sse("Membership"))
    yield Quad(one, PREF_LABEL, Literal(f"Membership {number}", language="en"))
    yield Quad(one, NamedNode(ORG + "member"), member)
    yield Quad(one, NamedNode(ORG + "organization"), network)
    yield Quad(one, sse("role"), entity("role", "member"))


def literal(number: int, subject: NamedNode) -> Iterator[Quad]:
    yield Quad(
        subject, NamedNode("http://www.w3.org/2004/02/skos/core#altLabel"), Literal(f"B {number}", language="en")
    )


class Changes:
    """Changes of each kind to a world, each another."""

    def __init__(self, store: Store, seed: int = 20) -> None:
        self._store = store
        self._chance = random.Random(seed)
        self._numbers = itertools.count()
        self._organisations = self._some(sse("Organisation"))
        self._networks = self._some(sse("Network"))
        self._places = self._some(sse("Place"))

    def kinds(self) -> dict[str, Callable[[], Delta]]:
        return {
            "one literal added": self.literal,
            "one literal removed": self.literal_removed,
            "one link removed": self.link_removed,
            "a membership (5 triples)": self.membership,
            "a new organisation (10)": self.organisation,
            "an organisation removed": self.removed,
            "a batch of 100": self.batch,
        }

    def literal(self) -> Delta:
        return Delta(frozenset(literal(next(self._numbers), self._chance.choice(self._organisations))))

    def literal_removed(self) -> Delta:
        return self._less(self._chance.choice(self._organisations), lambda value: isinstance(value, Literal), 1)

    def link_removed(self) -> Delta:
        return self._less(self._chance.choice(self._organisations), lambda value: isinstance(value, NamedNode), 1)

    def membership(self) -> Delta:
        member, network = self._chance.choice(self._organisations), self._chance.choice(self._networks)
        return Delta(frozenset(membership(next(self._numbers), member, network)))

    def organisation(self) -> Delta:
        return Delta(frozenset(organisation(next(self._numbers), self._chance.choice(self._places))))

    def removed(self) -> Delta:
        return self._less(self._chance.choice(self._organisations), lambda value: True, 100)

    def batch(self) -> Delta:
        """Six organisations, six memberships and ten literals."""
        parts: list[Delta] = []
        for make, number in ((self.organisation, 6), (self.membership, 6), (self.literal, 10)):
            parts += [make() for _ in range(number)]
        return Delta(frozenset().union(*(part.added for part in parts)))

    def _less(self, subject: NamedNode, wanted: Callable[[object], bool], number: int) -> Delta:
        held = list(self._store.quads_for_pattern(subject, None, None, DefaultGraph()))
        found = [quad for quad in held if wanted(quad.object)]
        return Delta(removed=frozenset(self._chance.sample(found, min(number, len(found)))))

    def _some(self, kind: NamedNode) -> list[NamedNode]:
        held = self._store.quads_for_pattern(None, RDF_TYPE, kind, DefaultGraph())
        found = [quad.subject for quad in itertools.islice(held, 0, 50_000, 7)]
        return [node for node in found if isinstance(node, NamedNode)]


def judged(gate: Gate, store: Store, delta: Delta) -> tuple[float, float, int, bool]:
    """Milliseconds on the clock and of the CPU, how many focus nodes were judged, and whether the change is refused."""
    store.extend(delta.added)
    cpu, clock = time.process_time(), time.perf_counter()
    affected = gate.affected(store, delta, store)  # no change here makes or ends a subclass
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    for quad in delta.removed:
        store.remove(quad)
    begun_cpu, begun = time.process_time(), time.perf_counter()
    after = gate.judge(store, affected)
    clock, cpu = clock + time.perf_counter() - begun, cpu + time.process_time() - begun_cpu
    store.extend(delta.removed)
    for quad in delta.added:
        store.remove(quad)
    if after.results:
        begun_cpu, begun = time.process_time(), time.perf_counter()
        after = after.without(gate.judge(store, gate.narrowed(affected, after)))
        clock, cpu = clock + time.perf_counter() - begun, cpu + time.process_time() - begun_cpu
    return clock * 1000, cpu * 1000, len(affected.foci), after.blocks


def share(values: Iterable[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--triples", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=100, help="changes of each kind")
    arguments.add_argument("--store", type=Path, help="where the store is, or is to be made")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = filled(chosen.store or Path(folder) / "store", chosen.triples)
        shapes = load_shapes(ROOT / "shapes")
        begun = time.perf_counter()
        gate = Gate(shapes)
        print(f"{len(store):,} triples; gate made in {(time.perf_counter() - begun) * 1000:.0f} ms")
        print(f"{'milliseconds':<28}{'median':>9}{'p99':>9}{'best':>9}{'CPU':>9}{'foci':>7}{'refused':>9}")
        for name, make in Changes(store).kinds().items():
            for _ in range(3):
                judged(gate, store, make())
            clock, cpu, foci, refused = zip(*(judged(gate, store, make()) for _ in range(chosen.repeat)), strict=True)
            print(
                f"{name:<28}{statistics.median(clock):>9.2f}{share(clock, 0.99):>9.2f}{min(clock):>9.2f}"
                f"{statistics.median(cpu):>9.2f}{statistics.median(foci):>7.0f}{sum(refused):>9}"
            )
        del store


if __name__ == "__main__":
    main()
