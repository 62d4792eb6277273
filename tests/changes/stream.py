"""A process that commits a stream of changes until it is killed, telling each verdict once it is given.

python stream.py STORE SEED
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.changes import Committed, Present, Proposal, commit_all
from kg_service.rdf import TURTLE, parse_bytes
from kg_service.shacl import load_shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore

SHAPES = b"""
@prefix sh: <http://www.w3.org/ns/shacl#> .
<urn:shape> sh:targetSubjectsOf <urn:p> ; sh:property [ sh:path <urn:p> ; sh:maxInclusive 99 ; sh:maxCount 1 ] .
"""


def proposal(chance: random.Random) -> tuple[str, Proposal]:
    """A change of one thing, told as `thing value`; values above 99 break the shapes."""
    thing, value = chance.randrange(50), chance.randrange(120)

    def make(store: Present) -> Delta:
        subject, home = NamedNode(f"urn:s{thing}"), NamedNode("urn:g")
        old = frozenset(quad for quad in store.about(subject) if quad.graph_name == home)
        new = frozenset({Quad(subject, NamedNode("urn:p"), Literal(value), home)})
        return Delta(new - old, old - new)

    return f"{thing} {value}", Proposal(make, note=f"{thing} {value}")


def main() -> None:
    root, chance = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    gate = Gate(load_shapes(list(parse_bytes(SHAPES, TURTLE))))
    with EmbeddedStore(root) as store:
        print("ready", flush=True)
        while True:
            told, proposals = zip(*(proposal(chance) for _ in range(chance.choice((1, 1, 4)))), strict=True)
            for what, outcome in zip(told, commit_all(store, proposals, gate), strict=True):
                verdict = outcome.change or "same" if isinstance(outcome, Committed) else "refused"
                print(verdict, what, flush=True)
            store.retire()


if __name__ == "__main__":
    main()
