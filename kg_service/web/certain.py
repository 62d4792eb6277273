"""What is said of a thing as its documents say it, without what was concluded.

A claim is stated or ambiguous where the words say it, derived where it follows from them, and inferred where it is a
judgement of the editors. A statement counts as concluded where it has claims and none of them rests on the words; what
has no claim at all, as names and classes, is recorded and not concluded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace

from kg_service.linked_data import Description, Property
from kg_service.linked_data.questions import OBJECT, PREDICATE, Direction
from kg_service.rdf import ENTITY, NamedNode, Term, sse

#: The certainties of what the words say, and of what was concluded from them or from elsewhere.
SAID, CONCLUDED = ("stated", "ambiguous"), ("derived", "inferred")
_CERTAINTY = sse("certainty")


@dataclass(frozen=True, slots=True)
class AsRead:
    """A description as its reader wants it, and how many of the statements of the whole one are concluded."""

    description: Description
    concluded: int


def as_read(description: Description, *, is_as_said: bool) -> AsRead:
    """The description, without the statements of the thing that were concluded for who wants what documents say.

    It goes through all the evidence: once for a page, and what the page is made of is handed on.
    """
    concluded = _concluded(description)
    outgoing = (each for each in description.properties if each.direction is Direction.OUT)
    how_many = sum((each.iri, value.term) in concluded for each in outgoing for value in each.values)
    return AsRead(_without(description, concluded) if is_as_said else description, how_many)


def _without(description: Description, concluded: set[tuple[Term, Term]]) -> Description:
    def kept(of: Property) -> Property:
        if of.direction is not Direction.OUT:
            return of
        values = tuple(value for value in of.values if (of.iri, value.term) not in concluded)
        # Of more pages than one it is not known how many there are on the others.
        return replace(of, values=values, total=of.total if of.pages > 1 else len(values))

    properties = (kept(each) for each in description.properties)
    return replace(description, properties=tuple(each for each in properties if each.total))


def _concluded(description: Description) -> set[tuple[Term, Term]]:
    """Property and value of the statements that have claims, none of which rests on the words."""
    said: dict[Term, dict[NamedNode, list[Term]]] = defaultdict(lambda: defaultdict(list))
    for quad in description.evidence:
        said[quad.subject][quad.predicate].append(quad.object)
    by: dict[tuple[Term, Term], set[str]] = defaultdict(set)
    for claim in said.values():
        certainties = {
            term.value.removeprefix(f"{ENTITY}certainty/") for term in claim[_CERTAINTY] if isinstance(term, NamedNode)
        }
        for predicate in claim[PREDICATE]:
            for value in claim[OBJECT]:
                by[predicate, value] |= certainties
    return {pair for pair, found in by.items() if found and found <= set(CONCLUDED)}
