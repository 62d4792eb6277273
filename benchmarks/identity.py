"""How well and how fast duplicates are found: precision and recall on pairs that are known, and 20,000 organisations.

    python -m benchmarks.identity [--shared FOLDER] [--size 20000]

- *corrupted*: organisations of Co-operatives UK, and copies of half of them as another source would write them: case,
  accents, legal forms, abbreviations, a typo, a word less, a place that is a little off, no registration number.
- *two years*: the same register in 2017 and in 2023, by names and places alone; its numbers tell what is right.
"""

from __future__ import annotations

import argparse
import csv
import random
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from kg_service.identity import Actor, Candidate, Point
from kg_service.identity.candidates import found

Pairs = set[frozenset[str]]
_THRESHOLDS = (0.5, 0.7, 0.9, 0.97)
_LEGAL = (" Limited", " Ltd", " CIC", " Ltd.", "")


def register(folder: Path) -> dict[str, Actor]:
    """The organisations of the 2023 register by number."""
    actors: dict[str, Actor] = {}
    with (folder / "coops-uk" / "standard.Q2-2023.postcodes.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            number = row["Identifier"]
            point = (Point(float(row["Latitude"]), float(row["Longitude"])),) if row["Latitude"] else ()
            sites = (row["Website"],) if row["Website"] else ()
            actors[number] = Actor(
                f"urn:2023:{number}",
                (row["Name"],),
                frozenset(["GB"]),
                frozenset(sites),
                frozenset([number]),
                frozenset(point),
            )
    return actors


def earlier(folder: Path) -> dict[str, tuple[str, ...]]:
    """The names that the organisations had in 2017, by number."""
    with (folder / "coops-uk" / "2017-06_open_data_organisations.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["CUK Organisation ID"]: (row["Registered Name"],) for row in csv.DictReader(file)}


def corrupted(actor: Actor, dice: random.Random) -> Actor:
    """The organisation as another source would have it."""
    name = actor.names[0]
    for change in dice.sample(_CHANGES, dice.choice((1, 1, 2, 3))):
        name = change(name, dice)
    moved = frozenset(
        Point(point.latitude + dice.gauss(0, 0.004), point.longitude + dice.gauss(0, 0.004)) for point in actor.points
    )
    return replace(
        actor,
        iri=actor.iri.replace("2023", "copy"),
        names=(name,),
        points=moved if dice.random() < 0.7 else frozenset(),
        websites=actor.websites if dice.random() < 0.5 else frozenset(),
        numbers=frozenset(),
    )


def _typo(name: str, dice: random.Random) -> str:
    if len(name) < 5:
        return name
    at = dice.randrange(1, len(name) - 2)
    swapped = name[:at] + name[at + 1] + name[at] + name[at + 2 :]
    return dice.choice((name[:at] + name[at + 1 :], name[:at] + name[at] + name[at:], swapped))


def _legal_form(name: str, dice: random.Random) -> str:
    for form in (" Limited", " Ltd", " Ltd."):
        name = name.removesuffix(form)
    return name + dice.choice(_LEGAL)


def _abbreviated(name: str, _: random.Random) -> str:
    for long, short in (
        ("Co-operative", "Coop"),
        ("Association", "Assoc."),
        ("Society", "Soc."),
        ("Community", "Comm."),
    ):
        name = name.replace(long, short)
    return name


def _shortened(name: str, dice: random.Random) -> str:
    words = name.split()
    return " ".join(words[: -dice.choice((1, 1, 2))]) if len(words) > 3 else name


def _accented(name: str, dice: random.Random) -> str:
    return "".join(dice.choice((char, accented)) if (accented := _ACCENTS.get(char)) else char for char in name)


_ACCENTS = dict(zip("aeiouAEIOUcn", "áéíóúÁÉÍÓÚçñ", strict=True))
_ABBREVIATIONS = (("Co-operative", "Coop"), ("Association", "Assoc."), ("Society", "Soc."), ("Community", "Comm."))
_CHANGES: tuple[Callable[[str, random.Random], str], ...] = (
    lambda name, _: name.upper(),
    lambda name, _: name.lower(),
    lambda name, _: name.replace("&", "and").replace(" and ", " & "),
    _typo,
    _legal_form,
    _abbreviated,
    _shortened,
    _accented,
)


def measured(actors: list[Actor]) -> tuple[float, list[Candidate]]:
    """The seconds that finding takes, and what is found that joins the two sources."""
    begun = time.perf_counter()
    candidates = [each for each in found(actors, least=min(_THRESHOLDS)) if _source(each.one) != _source(each.leading)]
    return time.perf_counter() - begun, candidates


def _source(iri: str) -> str:
    return iri.split(":")[1]


def told(what: str, actors: list[Actor], right: Pairs) -> None:
    """Prints precision and recall at several thresholds."""
    seconds, candidates = measured(actors)
    print(f"\n{what}: {len(actors)} entries, {len(right)} pairs that are one, found in {seconds:.1f} s")
    print("| likelihood at least | proposed | precision | recall |\n|---:|---:|---:|---:|")
    for least in _THRESHOLDS:
        proposed = {frozenset((each.one, each.leading)) for each in candidates if each.likelihood >= least}
        hits = len(proposed & right)
        print(f"| {least} | {len(proposed)} | {hits / max(1, len(proposed)):.3f} | {hits / len(right):.3f} |")


def many(actors: Iterable[Actor], size: int, dice: random.Random) -> list[Actor]:
    """So many organisations: those of the register and copies, with 5,000 of one name at one host among them."""
    real = list(actors)
    every = real + [replace(corrupted(dice.choice(real), dice), iri=f"urn:more:{n}") for n in range(size)]
    same = [
        Actor(f"urn:same:{n}", ("Village Hall Society",), frozenset(["GB"]), frozenset([f"https://halls.example/{n}"]))
        for n in range(5_000)
    ]
    return same + every[: size - len(same)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path(__file__).resolve().parents[2] / "shared")
    parser.add_argument("--size", type=int, default=20_000)
    asked = parser.parse_args()
    folder, dice = asked.shared / "datasets", random.Random(1)
    actors = register(folder)
    half = dice.sample(sorted(actors), len(actors) // 2)
    copies = {number: corrupted(actors[number], dice) for number in half}
    right = {frozenset((actors[number].iri, copy.iri)) for number, copy in copies.items()}
    told("corrupted", [*actors.values(), *copies.values()], right)
    old = {
        number: Actor(f"urn:2017:{number}", names, frozenset(["GB"]))
        for number, names in earlier(folder).items()
        if number in actors
    }
    new = {number: replace(actors[number], numbers=frozenset()) for number in actors}
    both = {frozenset((new[number].iri, old[number].iri)) for number in old}
    told("two years", [*new.values(), *old.values()], both)
    crowd = many(actors.values(), asked.size, dice)
    begun = time.perf_counter()
    candidates = list(found(crowd))
    seconds, memory = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n{len(crowd)} organisations, 5,000 of one name and host: {seconds:.1f} s, {len(candidates)} candidates")
    print(f"peak memory of the process: {memory:.0f} MiB")


if __name__ == "__main__":
    main()
