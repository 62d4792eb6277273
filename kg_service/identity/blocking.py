"""Which pairs of actors are worth a comparison: those that share a rare key, never all of them.

A key is a word of a name, its beginning, a name without spaces, a website's host, or a registration number. Who shares
a key that few have is compared with all of them; of a key that many have, only neighbours in the order of their names
are, so that a block of 5,000 costs what its members cost and not their pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from kg_service.identity import Actor, Point
from kg_service.search.names import host

#: Members of a block that are all compared with each other; in a larger one, each with so many that follow it.
_SMALL, _WINDOW = 12, 4
#: The rarest words of a name that are keys.
_WORDS = 3
#: Letters of a word's beginning and of a word that is worth a beginning.
_BEGIN = 5


class Frequencies:
    """How many actors use a word, a whole name, a host, a number, a point: what is rare tells more."""

    def __init__(self, actors: Sequence[Actor]) -> None:
        self.actors = max(len(actors), 1)
        self.words: defaultdict[str, int] = defaultdict(int)
        self.names: defaultdict[tuple[str, ...], int] = defaultdict(int)
        self.hosts: defaultdict[str, int] = defaultdict(int)
        self.numbers: defaultdict[str, int] = defaultdict(int)
        self.points: defaultdict[Point, int] = defaultdict(int)
        for actor in actors:
            for word in {word for name in actor.variants for word in name}:
                self.words[word] += 1
            for name in actor.variants:
                self.names[name] += 1
            for site in {host(address) for address in actor.websites}:
                self.hosts[site] += 1
            for number in actor.numbers:
                self.numbers[number] += 1
            for point in actor.points:
                self.points[point] += 1


def pairs(actors: Sequence[Actor], known: Frequencies) -> Iterator[tuple[int, int]]:
    """Pairs of places in the list, the smaller first, each once."""
    blocks: defaultdict[str, list[int]] = defaultdict(list)
    for place, actor in enumerate(actors):
        for key in _keys(actor, known):
            blocks[key].append(place)
    every = range(len(actors))
    orders = [sorted(every, key=lambda place: key(actors[place])) for key in (_as_written, _turned)]
    seen: set[int] = set()
    for block in (*blocks.values(), *orders):
        for one, other in _within(block, actors):
            first, second = min(one, other), max(one, other)
            if (code := first * len(actors) + second) not in seen:
                seen.add(code)
                yield first, second


def _keys(actor: Actor, known: Frequencies) -> set[str]:
    keys = {f"number {number}" for number in actor.numbers}
    keys |= {f"host {site}" for address in actor.websites if (site := host(address))}
    for name in actor.variants:
        keys.add("name " + "".join(name))
        rarest = sorted(set(name), key=lambda word: (known.words[word], word))[:_WORDS]
        keys |= {f"word {word}" for word in rarest}
        keys |= {f"begin {word[:_BEGIN]}" for word in rarest[:2] if len(word) > _BEGIN}
    return keys


def _within(block: Sequence[int], actors: Sequence[Actor]) -> Iterator[tuple[int, int]]:
    """All pairs of a small block; of a large one those of neighbours, by name."""
    if len(block) <= _SMALL:
        for at, one in enumerate(block):
            for other in block[at + 1 :]:
                yield one, other
        return
    ordered = block if len(block) == len(actors) else sorted(block, key=lambda place: _as_written(actors[place]))
    for at, one in enumerate(ordered):
        for other in ordered[at + 1 : at + 1 + _WINDOW]:
            yield one, other


def _as_written(actor: Actor) -> str:
    return "".join(actor.variants[0]) if actor.variants else ""


def _turned(actor: Actor) -> str:
    return _as_written(actor)[::-1]
