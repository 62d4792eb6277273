"""What speaks for two actors being one, and what against, in bits: each doubles the odds, or halves them.

    name      as alike as the closest of their names; the rarer their shared words, the more it tells
    country   the same one, or another
    website   the same address or host; a host that many have tells nothing
    number    a registration number that both have; different numbers of one kind speak against it
    place     how far apart they are
    part      one is said to be part or a member of the other
    prior     two that were picked by chance are not the same

Weighing features so goes back to Fellegi and Sunter, A Theory for Record Linkage (1969).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from kg_service.identity import Actor, Candidate, Feature, Point
from kg_service.identity.blocking import Frequencies
from kg_service.search.names import alike, host, site

#: Odds to begin with, in bits, and the most that names alone can tell.
PRIOR, _NAME = -4.0, 9.0
#: From this on names are taken for one, and down to this they speak for nothing.
_SAME, _LIKE = 0.94, 0.7
#: Names that share fewer of their neighbouring letters are not looked at more closely: that takes the most time.
_COMMON = 0.55
#: Graphs are taken to hold so many actors at least: in a small one every word is rare.
_LEAST = 1_000
#: Actors that may share a host, or a point, before it tells nothing.
_SHARED = 3
_DIGITS = re.compile(r"\d+")


def compared(one: Actor, other: Actor, known: Frequencies) -> Candidate:
    """All that is to be said of a pair; the better known of the two leads."""
    follows, leads = sorted((one, other), key=lambda actor: (actor.weight, actor.iri))
    named = (
        _name(one, other, known),
        _country(one, other),
        _website(one, other, known),
        _number(one, other, known),
        _place(one, other, known),
        _part(one, other),
        Feature("prior", 0.0, PRIOR),
    )
    features = tuple(
        Feature(each.name, round(each.alike, 3), round(each.bits, 1)) for each in named if each and round(each.bits, 1)
    )
    return Candidate(follows.iri, leads.iri, features)


def _name(one: Actor, other: Actor, known: Frequencies) -> Feature | None:
    best, bits = -1.0, 0.0
    for mine in one.variants:
        for theirs in other.variants:
            near = 1.0 if mine == theirs else _near(mine, theirs)
            told = _told(near, mine, theirs, known)
            if (told, near) > (bits, best) or best < 0:
                best, bits = near, told
    return Feature("name", best, bits) if best >= 0 else None


def _near(mine: tuple[str, ...], theirs: tuple[str, ...]) -> float:
    if _digits(mine) != _digits(theirs):  # “Branch 1” is not “Branch 2”
        return 0.0
    ones, others = _couples(mine), _couples(theirs)
    common = 2 * len(ones & others) / max(1, len(ones) + len(others))
    if common < _COMMON:
        return common
    return alike(" ".join(mine), " ".join(theirs))


@lru_cache(65_536)
def _couples(name: tuple[str, ...]) -> frozenset[str]:
    """The neighbouring letters of a name."""
    text = "".join(name)
    return frozenset(text[at : at + 2] for at in range(len(text) - 1)) or frozenset([text])


@lru_cache(65_536)
def _digits(name: tuple[str, ...]) -> list[str]:
    return sorted(number for word in name for number in _DIGITS.findall(word))


def _told(near: float, mine: tuple[str, ...], theirs: tuple[str, ...], known: Frequencies) -> float:
    """The bits of two names that are so alike: as many as their shared words are rare."""
    strength = min(1.0, (near - _LIKE) / (_SAME - _LIKE))
    if strength < 0:
        return max(-6.0, 10 * (near - _LIKE))
    shared = sorted((_rarity(word, known) for word in set(mine) & set(theirs)), reverse=True)
    rare = sum(bits / 2**place for place, bits in enumerate(shared[:4])) if shared else _NAME * near
    namesakes = max(known.names[mine], known.names[theirs]) - 1
    return strength * max(0.0, min(_NAME, rare) - math.log2(max(1, namesakes)))


def _rarity(word: str, known: Frequencies) -> float:
    return max(0.0, math.log2(max(known.actors, _LEAST) / max(2, known.words[word])) - 1)


def _country(one: Actor, other: Actor) -> Feature | None:
    if not one.countries or not other.countries:
        return None
    is_same = not one.countries.isdisjoint(other.countries)
    return Feature("country", float(is_same), 1.0 if is_same else -4.0)


def _website(one: Actor, other: Actor, known: Frequencies) -> Feature | None:
    if not one.websites or not other.websites:
        return None
    hosts = {host(each) for each in one.websites} & {host(each) for each in other.websites} - {""}
    if not hosts:
        return Feature("website", 0.0, -1.0)
    if any(known.hosts[each] <= _SHARED for each in hosts):
        return Feature("website", 1.0, 5.0)
    same = {site(each) for each in one.websites} & {site(each) for each in other.websites}
    return Feature("website", 1.0, 3.0) if any("/" in each for each in same) else None


def _number(one: Actor, other: Actor, known: Frequencies) -> Feature | None:
    if not one.numbers or not other.numbers:
        return None
    if shared := one.numbers & other.numbers:  # what many have is no number of theirs: “0”, “unknown”
        return Feature("number", 1.0, 9.0) if any(known.numbers[each] <= _SHARED for each in shared) else None
    kinds = {_kind(number) for number in one.numbers} & {_kind(number) for number in other.numbers}
    return Feature("number", 0.0, -6.0) if kinds else None


def _kind(number: str) -> str:
    """What tells registers apart: “IP12345R” is of another than “08123456”."""
    return _DIGITS.sub("0", number)


def _place(one: Actor, other: Actor, known: Frequencies) -> Feature | None:
    far = min((distance(mine, theirs) for mine in one.points for theirs in other.points), default=None)
    if far is None:
        return None
    if any(known.points[point] > _SHARED for point in one.points & other.points):  # the middle of a town, or a country
        return Feature("place", 1.0, 0.5)
    for most, bits in ((0.5, 4.0), (5.0, 2.0), (30.0, 0.5), (100.0, -1.0)):
        if far <= most:
            return Feature("place", 1 - far / 100, bits)
    return Feature("place", 0.0, -3.0)


def distance(one: Point, other: Point) -> float:
    """Kilometres between two points, along a great circle."""
    north, south = math.radians(one.latitude), math.radians(other.latitude)
    across = math.radians(other.longitude - one.longitude)
    half = math.sin((south - north) / 2) ** 2 + math.cos(north) * math.cos(south) * math.sin(across / 2) ** 2
    return 12_742.0 * math.asin(math.sqrt(min(1.0, half)))


def _part(one: Actor, other: Actor) -> Feature | None:
    is_part = other.iri in one.within or one.iri in other.within
    return Feature("part", 0.0, -6.0) if is_part else None


def likely(pairs: Iterable[tuple[Actor, Actor]], known: Frequencies, least: float) -> Iterator[Candidate]:
    """The pairs that are as likely as that at least."""
    for one, other in pairs:
        candidate = compared(one, other, known)
        if candidate.likelihood >= least:
            yield candidate
