"""What the page of duplicates shows: pairs of entries side by side, with what speaks for and against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kg_service.identity import Actor, Feature
from kg_service.identity.candidates import Pair
from kg_service.web.names import Names, Shown

#: Values of a feature that are shown of an entry.
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One feature: what each entry has, and the bits that it adds or takes, where the claim tells them."""

    name: str
    one: tuple[str, ...]
    leading: tuple[str, ...]
    bits: float | None


@dataclass(frozen=True, slots=True)
class Beside:
    """A pair as it is shown."""

    pair: Pair
    one: Shown
    leading: Shown
    rows: tuple[Row, ...]

    @property
    def percent(self) -> int | None:
        """The likelihood in full percents; nothing that is inferred is certain."""
        return None if self.pair.likelihood is None else min(99, round(100 * self.pair.likelihood))


def beside(pairs: Sequence[Pair], known: Mapping[str, Actor], names: Names) -> list[Beside]:
    """The pairs in order, each with what is compared of both."""
    return [
        Beside(pair, names.of(pair.one), names.of(pair.leading), _rows(pair, known[pair.one], known[pair.leading]))
        for pair in pairs
    ]


def _rows(pair: Pair, one: Actor, leading: Actor) -> tuple[Row, ...]:
    told = {feature.name: feature for feature in pair.features}
    rows = (
        Row(name, mine, theirs, _bits(told.get(name)))
        for name, mine, theirs in (
            ("name", one.names, leading.names),
            ("country", tuple(sorted(one.countries)), tuple(sorted(leading.countries))),
            ("website", tuple(sorted(one.websites)), tuple(sorted(leading.websites))),
            ("number", tuple(sorted(one.numbers)), tuple(sorted(leading.numbers))),
            ("place", _points(one), _points(leading)),
            ("part", (), ()),
            ("prior", (), ()),
        )
    )
    return tuple(
        Row(row.name, row.one[:_SHOWN], row.leading[:_SHOWN], row.bits)
        for row in rows
        if row.one or row.leading or row.bits is not None
    )


def _points(actor: Actor) -> tuple[str, ...]:
    return tuple(f"{point.latitude:.3f}, {point.longitude:.3f}" for point in sorted(actor.points, key=str))


def _bits(feature: Feature | None) -> float | None:
    return feature.bits if feature else None
