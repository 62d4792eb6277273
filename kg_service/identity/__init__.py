"""Which entries may be the same actor: found, explained, proposed, and decided by a person.

reading.py     what is compared: names, countries, websites, registration numbers, places
naming.py     names as words that can be compared
blocking.py    which pairs are worth a comparison; never all of them
scoring.py     what speaks for and against a pair, feature by feature, in bits
candidates.py  the likely pairs as claims of the graph, and their list
deciding.py    accepted, rejected, undone

A candidate is a claim in the graph `inferred` whose statement is not made: nothing is merged by it. To accept it is to
state `sse:sameActorAs`, from the entry that follows to the one that leads; to reject it is to state
`owl:differentFrom`, and the pair is not proposed again. Both entries keep their addresses and all that is said of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from kg_service.identity.naming import variants


@dataclass(frozen=True, slots=True)
class Point:
    """A place on the earth, in degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Actor:
    """What is compared of an entry. `claims` tells how many statements of it rest on evidence."""

    iri: str
    names: tuple[str, ...] = ()
    countries: frozenset[str] = frozenset()
    websites: frozenset[str] = frozenset()
    numbers: frozenset[str] = frozenset()
    points: frozenset[Point] = frozenset()
    within: frozenset[str] = frozenset()
    claims: int = 0

    @property
    def weight(self) -> tuple[int, int, int]:
        """How well it is known: who weighs more leads."""
        known = len(self.names) + len(self.countries) + len(self.websites) + len(self.numbers) + len(self.points)
        return self.claims, known, -len(self.iri)

    @cached_property
    def variants(self) -> tuple[tuple[str, ...], ...]:
        """The ways in which it is named, as words that can be compared."""
        return variants(self.names)


@dataclass(frozen=True, slots=True)
class Feature:
    """What one feature says: how alike the two are by it, from 0 to 1, and the bits that it adds or takes."""

    name: str
    alike: float
    bits: float


@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair that may be one actor: the entry that would follow, the one that would lead, and why."""

    one: str
    leading: str
    features: tuple[Feature, ...]

    @property
    def likelihood(self) -> float:
        """How likely they are one, from 0 to 1: all bits together, as odds."""
        return 1 / (1 + 2.0 ** -sum(feature.bits for feature in self.features))
