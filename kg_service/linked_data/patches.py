"""What came after a generation, as RDF Patch: who has that generation makes the later one of it.

The dataset that the patches are about is the one of the dumps: every named graph, and in the default graph what no
named graph holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from kg_service.changes import history
from kg_service.errors import Deleted, wrong_parameter
from kg_service.store.log import ChangeLog, Entry, OpenLog
from kg_service.store.patches import rows

#: Bytes that are sent at once.
_PIECE = 2**16


@dataclass(frozen=True, slots=True)
class Step:
    """The changes that lead from one generation to a later one; `newest` is the latest generation that there is."""

    first: int
    last: int
    newest: int
    numbers: tuple[int, ...]
    #: The IRIs of the two states.
    previous: str
    id: str


def step(log: ChangeLog, first: str, last: str | None, *, limit: int) -> Step:
    """The step after a generation, at most up to another: as many changes as allowed, and always whole generations.

    Generations are given as numbers or as the IRIs of states. WrongParameter for what is none, Deleted where the log
    does not reach back so far.
    """
    since = _known(log, "from", first)
    until = log.generation if last is None else _known(log, "to", last)
    if until < since:
        raise wrong_parameter("to", last, f"it is {since} or later, as `from` is")
    if since < (oldest := log.first_generation()):
        raise Deleted(
            f"the changes before generation {oldest} are not known here; begin with a dump, or with the feed's present",
            oldest=oldest,
        )
    entries = [entry for entry in _whole_generations(log, since, limit) if entry.generation <= until]
    end = entries[-1].generation if entries else until
    numbers = tuple(entry.number for entry in entries)
    previous, id = (history.state(log, generation).value for generation in (since, end))
    return Step(since, end, until, numbers, previous, id)


def _known(log: ChangeLog, name: str, given: str) -> int:
    found = history.generation_named(log, given)
    if found is None or found > log.generation:
        allowed = f"a generation from {log.first_generation()} to {log.generation}, or the IRI of a state of this graph"
        raise wrong_parameter(name, given, allowed)
    return found


def _whole_generations(log: ChangeLog, since: int, limit: int) -> list[Entry]:
    """The changes after a generation, at most so many, but all of at least one generation."""
    entries = log.following(since, limit=limit + 1)
    if len(entries) <= limit:
        return entries
    whole = [entry for entry in entries if entry.generation < entries[-1].generation]
    if whole:
        return whole
    return [each for each in _whole_generations(log, since, 2 * limit) if each.generation == entries[0].generation]


def document(opened: OpenLog, made: Step) -> Iterator[bytes]:
    """The step as one RDF Patch document, in pieces, with a transaction for each change."""
    piece = bytearray(f"H id <{made.id}> .\nH prev <{made.previous}> .\n".encode())
    with opened(made.last) as log:
        for number in made.numbers:
            packed = log.packed(number)
            assert packed
            piece += b"TX .\n"
            for code, line in rows(packed):
                piece += code.encode() + b" " + line + b"\n"
                if len(piece) >= _PIECE:
                    yield bytes(piece)
                    piece.clear()
            piece += b"TC .\n"
    yield bytes(piece)
