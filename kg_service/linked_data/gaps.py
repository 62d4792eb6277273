"""What the graph lacks and how certain it is, in numbers: answers to ready-made questions, added up.

They are added up here, not in the questions, because who follows the link to a question wants to see which they are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from kg_service import queries, resources
from kg_service.linked_data.asking import Asking, Row

#: The questions that are asked.
NAMES, ADDRESSEES, CONTRADICTIONS, CERTAINTIES = (
    "quality/names-missing",
    "quality/recommendations-without-addressee",
    "quality/contradictions",
    "provenance/claims-per-document",
)


@dataclass(frozen=True, slots=True)
class Gaps:
    """Things without a name in Spanish or French by language, recommendations that address nobody, contradictions
    that the texts hold, and claims by the IRI of their certainty.
    """

    names: dict[str, int]
    without_addressee: int
    contradictions: int
    certainties: dict[str, int]


async def counted(asking: Asking) -> Gaps:
    """The gaps of one generation."""
    names, addressees, contradictions, claims = [
        await _rows(asking, name) for name in (NAMES, ADDRESSEES, CONTRADICTIONS, CERTAINTIES)
    ]
    return Gaps(
        names={"es": 0, "fr": 0} | _sums(names, "language", "things"),
        without_addressee=sum(int(row["recommendations"].value) for row in addressees),
        contradictions=len({row["issue"] for row in contradictions}),
        certainties=_sums(claims, "certainty", "claims"),
    )


async def _rows(asking: Asking, name: str) -> list[Row]:
    return await asking.rows(queries.read(resources.folder("queries"), name).text)


def _sums(rows: list[Row], key: str, number: str) -> dict[str, int]:
    """Numbers added up by the value of a column."""
    found: Counter[str] = Counter()
    for row in rows:
        if key in row:  # an aggregate over nothing may be one row without values
            found[row[key].value] += int(row[number].value)
    return dict(found)
