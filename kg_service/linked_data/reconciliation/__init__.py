"""Other people's names for things matched with ours: the Reconciliation Service API, versions 0.2 and 1.0-draft.

`reading` turns the queries of both versions into `Wanted`; `matching` finds candidates by the search and by the graph,
and `scoring` says how well each fits, feature by feature; `writing` has the answers and manifests of both versions;
`vocabulary` knows classes and properties by name; `extension` fetches values for things that were matched.
https://reconciliation-api.github.io/specs/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: Queries in one batch, candidates for each, and things in one data extension query.
BATCH, CANDIDATES, EXTENDED = 50, 50, 500

Quantifier = Literal["any", "all", "none"]
#: How a value may be compared; the first is meant when none is said.
QUALIFIERS = {"Similar": "similar", "ExactMatch": "the same", "WildcardMatch": "a pattern with *"}


@dataclass(frozen=True, slots=True)
class Given:
    """A value to be compared with: its words, and the IRI of the thing that it was matched with before."""

    text: str
    iri: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What the values of a property should be; `property` is an IRI, or a name that nobody knows."""

    property: str
    values: tuple[Given, ...]
    is_required: bool = False
    quantifier: Quantifier = "any"
    qualifier: str = "Similar"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One reconciliation query: a name or an IRI or neither, classes (IRIs), conditions."""

    name: str = ""
    iri: str = ""
    types: tuple[str, ...] = ()
    needs_all_types: bool = False
    conditions: tuple[Condition, ...] = ()
    limit: int = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a candidate: names by kind, classes, texts by language, and values by property.

    Of a value that is a thing the names are given too, by its IRI.
    """

    names: tuple[tuple[str, str, str], ...] = ()  # (property, language, text)
    types: frozenset[str] = frozenset()
    texts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, tuple[Given, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A thing that may be meant; `features` are the values from 0 to 1 that its score is made of."""

    iri: str
    name: str
    language: str
    description: str
    types: tuple[tuple[str, str], ...]
    score: float
    is_match: bool
    features: Mapping[str, float]
