"""What a person decides of a pair: it is one actor, or it is not; and that taken back, so that all is as it was."""

from __future__ import annotations

from collections.abc import Callable

from kg_service.changes import Present, Proposal
from kg_service.errors import AlreadyThere, NotFound, PreconditionFailed, wrong_parameter
from kg_service.identity.candidates import DECIDED, DIFFERENT, SAME, claim_of
from kg_service.rdf import PREFIXES, RDF_TYPE, DefaultGraph, NamedNode, Quad, sse
from kg_service.store import Delta
from kg_service.store.log import ChangeLog

DECISIONS = ("accept", "reject", "undo")
#: Changes of an entry that are looked through for a decision, and the most statements of one that may be a decision.
_LOOKED_AT, _SMALL = 1_000, 100
_OBJECT = NamedNode(PREFIXES["rdf"] + "object")


def accepted(one: str, other: str, leading: str | None = None) -> Callable[[Present], Delta]:
    """The change that says that two entries are one actor.

    The one that follows leads to the one that leads: the one named, else the one that was proposed, else the second.
    AlreadyThere when the pair was rejected, or accepted with the other one leading.
    """
    _check(one, other, leading)

    def make(present: Present) -> Delta:
        _known(present, one, other)
        if _said(present, DIFFERENT, one, other):
            raise AlreadyThere(f"<{one}> and <{other}> were rejected; undo that first")
        if there := _said(present, SAME, one, other):
            if leading and NamedNode(leading) not in {quad.object for quad in there}:
                raise AlreadyThere(f"they are one actor already, and <{leading}> does not lead; undo that first")
            return Delta()
        first = leading or _proposed(present, one, other) or other
        fact = Quad(NamedNode(one if first == other else other), SAME, NamedNode(first), DECIDED)
        return Delta(frozenset([fact]))

    return make


def rejected(one: str, other: str) -> Callable[[Present], Delta]:
    """The change that says that two entries are two actors; the candidate goes, and does not come again.

    AlreadyThere when the pair was accepted.
    """
    _check(one, other, None)

    def make(present: Present) -> Delta:
        _known(present, one, other)
        if _said(present, SAME, one, other):
            raise AlreadyThere(f"<{one}> and <{other}> were accepted as one actor; undo that first")
        if _said(present, DIFFERENT, one, other):
            return Delta()
        first, second = sorted((one, other))
        claim = frozenset(filter(_is_named, present.about(claim_of(one, other))))
        return Delta(frozenset([Quad(NamedNode(first), DIFFERENT, NamedNode(second), DECIDED)]), claim)

    return make


def undone(one: str, other: str, number: int | None) -> Callable[[Present], Delta]:
    """The change that takes the decision on a pair back; `number` is that of its change, as `change_of` tells it.

    It is the exact inverse of that change. A decision that came with much else, or that no log tells of, is removed by
    itself. NotFound where nobody has decided, PreconditionFailed when somebody has decided anew meanwhile.
    """
    _check(one, other, None)

    def make(present: Present) -> Delta:
        facts = [quad for said in (SAME, DIFFERENT) for quad in _said(present, said, one, other)]
        if not facts:
            raise NotFound(f"nobody has decided whether <{one}> and <{other}> are one actor")
        if change_of(present.log, one, other) != number:
            raise PreconditionFailed(f"somebody has decided on <{one}> and <{other}> meanwhile; look again")
        patch = present.log.patch(number) if number else None
        if patch is None or not all(_is_of_pair(quad, one, other) for quad in patch.delta.added | patch.delta.removed):
            return Delta(removed=frozenset(facts))
        return patch.inverse

    return make


def change_of(log: ChangeLog, one: str, other: str) -> int | None:
    """The number of the change by which the pair was last decided on; None where the log tells of none."""
    numbers: list[int] = []
    for iri in (one, other):
        for entry in log.entries(limit=_LOOKED_AT, iri=iri):
            patch = log.patch(entry.number) if entry.added + entry.removed <= _SMALL else None
            if patch and any(_is_decision(quad, one, other) for quad in patch.delta.added):
                numbers.append(entry.number)
                break
    return max(numbers, default=None)


def _is_decision(quad: Quad, one: str, other: str) -> bool:
    ends = {getattr(quad.subject, "value", ""), getattr(quad.object, "value", "")}
    return quad.predicate in (SAME, DIFFERENT) and ends == {one, other}


def _is_of_pair(quad: Quad, one: str, other: str) -> bool:
    return _is_decision(quad, one, other) or quad.subject == claim_of(one, other)


def _check(one: str, other: str, leading: str | None) -> None:
    if one == other:
        raise wrong_parameter("other", other, "another entry than the first")
    if leading is not None and leading not in (one, other):
        raise wrong_parameter("leading", leading, "one of the two entries")


def _known(present: Present, *iris: str) -> None:
    for iri in iris:
        if not any(q.predicate == RDF_TYPE and q.object == sse("Actor") for q in present.about(NamedNode(iri))):
            raise NotFound(f"the graph knows no organisation and no government <{iri}>")


def _said(present: Present, said: NamedNode, one: str, other: str) -> list[Quad]:
    """The statements of a kind that join two entries, whichever way round."""
    return [
        quad
        for subject, value in ((one, other), (other, one))
        for quad in present.about(NamedNode(subject))
        if _is_named(quad) and quad.predicate == said and quad.object == NamedNode(value)
    ]


def _is_named(quad: Quad) -> bool:
    return not isinstance(quad.graph_name, DefaultGraph)


def _proposed(present: Present, one: str, other: str) -> str | None:
    """The entry that the candidate would have lead."""
    said = [quad.object for quad in present.about(claim_of(one, other)) if quad.predicate == _OBJECT]
    return said[0].value if said and isinstance(said[0], NamedNode) else None


def proposal(decision: str, one: str, other: str, *, leading: str | None = None, number: int | None = None) -> Proposal:
    """A decision by its name, as a change that somebody wants; for `undo` with the number that `change_of` tells."""
    if decision == "undo":
        note = f"reverts change {number}" if number else f"undoes the decision on {one} and {other}"
        return Proposal(undone(one, other, number), note=note, reverts=number)
    if decision == "reject":
        return Proposal(rejected(one, other), note=f"{one} is another actor than {other}")
    return Proposal(accepted(one, other, leading), note=f"{one} is the same actor as {other}")
