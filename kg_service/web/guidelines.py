"""What the page of the self-assessment shows: a territory against each block of the guidelines, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kg_service.guidelines import Block
from kg_service.lists.selection import fold
from kg_service.rdf import ENTITY
from kg_service.web.names import Names, Shown

#: Characters of the words of an answer.
LONGEST = 500


@dataclass(frozen=True, slots=True)
class Given:
    """An answer as it was sent with the address: a number from 0 to 4, or none yet, and why."""

    value: int | None
    words: str


@dataclass(frozen=True, slots=True)
class Assessed:
    """A block with its evidence, its answer, its scores in per cent, and where the graph knows more of it."""

    slug: str
    name: Shown
    words: str
    evidence: tuple[tuple[Shown, Shown], ...]
    evidence_count: int
    evidence_percent: int
    answer: int | None
    answer_words: str
    answer_year: str
    is_kept: bool
    percent: int
    is_gap: bool
    comparable: tuple[tuple[Shown, int, str], ...]


class AssessmentPage:
    """The answer of `kg_service.guidelines.assessment` for a territory, with the answers that were sent."""

    def __init__(
        self,
        told: Mapping[str, Any],
        blocks: Sequence[Block],
        given: Mapping[str, Given],
        territory: str,
        names: Names,
    ) -> None:
        self._names, self.territory, self._given = names, names.of(territory), given
        self.slug = short(territory)
        self.percent = round(100 * told["score"])
        self.blocks = []
        for block, row in zip(blocks, told["data"], strict=True):
            answer, slug = row["own_answer"], slug_of(block)
            sent = given.get(slug, Given(None, ""))
            self.blocks.append(
                Assessed(
                    slug,
                    names.of(block.iri),
                    block.words,
                    tuple((names.of(each["iri"]), names.of(each["kind"])) for each in row["evidence"]),
                    row["evidence_count"],
                    round(100 * row["evidence_score"]),
                    answer["value"] if answer else None,
                    sent.words or (answer["words"] if answer else ""),
                    answer["year"] if answer and sent.value is None else "",
                    answer is not None and sent.value is None,
                    round(100 * row["score"]),
                    block.iri in told["gaps"],
                    tuple(
                        (names.of(each["iri"]), each["evidence_count"], self.at(territory=short(each["iri"])))
                        for each in row["comparable"]
                    ),
                )
            )
        self.gaps = [each for each in self.blocks if each.is_gap]
        self.unanswered = [each for each in self.blocks if each.answer is None]
        self.is_answered = any(each.value is not None for each in given.values())

    def at(self, **other: str) -> str:
        """The address of this assessment, with other values for some parameters; `door` is for the path."""
        door = other.pop("door", "")
        asked = {"territory": self.slug} | other
        if "territory" not in other:
            for slug, each in self._given.items():
                asked |= {slug: str(each.value)} if each.value is not None else {}
                asked |= {f"{slug}-words": each.words} if each.words else {}
        query = urlencode(asked | {"lang": self._names.catalogue.language})
        return f"{self._names.addresses.root}/guidelines{door}?{query}"


def slug_of(block: Block) -> str:
    """How a block is called in an address."""
    return block.iri.rstrip("/").rpartition("/")[2]


def short(place: str) -> str:
    """How a place is called in an address."""
    return place.removeprefix(f"{ENTITY}place/")


def territories(places: Iterable[str], evidence: Iterable[Mapping[str, str]], names: Names) -> dict[bool, list[Any]]:
    """The places by whether the graph has evidence for them, each with how it is sent, by name."""
    known = {row["place"] for row in evidence}
    found: dict[bool, list[Any]] = {True: [], False: []}
    for iri in sorted(set(places) | known, key=lambda iri: (fold(names.of(iri).text), iri)):
        found[iri in known].append((short(iri), names.of(iri)))
    return found
