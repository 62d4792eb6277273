"""Candidates for queries: found by the search and the graph, scored, the best first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from kg_service.beside import at_once
from kg_service.errors import WrongParameter
from kg_service.languages import best_text
from kg_service.linked_data.asking import Asking
from kg_service.linked_data.reconciliation import Candidate, Facts, Wanted, facts, scoring
from kg_service.linked_data.reconciliation.vocabulary import TOGETHER, Vocabulary, is_iri, is_property
from kg_service.rdf import ONTOLOGY, SHAPE, NamedNode
from kg_service.search import LONGEST_QUESTION, Question
from kg_service.search.door import Found
from kg_service.search.names import core, name_words

#: Asks the search.
Find: TypeAlias = Callable[[Question], Awaitable[Found]]
#: Things that are looked at for each candidate that is asked for, and at least.
_FOR_EACH, _LEAST = 2, 25
#: Things that are found by what they are connected with.
_HOLDING = 50


async def matched(
    wanted: Sequence[Wanted], find: Find, asking: Asking, vocabulary: Vocabulary, languages: tuple[str, ...]
) -> list[list[Candidate]]:
    """The candidates of each query."""
    named = await at_once(*(_near(each, find, vocabulary) for each in wanted))
    near = [[*found, *await _holding(each, asking)] for each, found in zip(wanted, named, strict=True)]
    properties = {condition.property for each in wanted for condition in each.conditions}
    known = await facts.facts_of(asking, {iri for found in near for iri in found}, properties)

    def ranked() -> list[list[Candidate]]:
        return [
            _ranked(each, {iri: known[iri] for iri in found if iri in known}, vocabulary, languages)
            for each, found in zip(wanted, near, strict=True)
        ]

    return await asyncio.to_thread(ranked)  # the arithmetic of a large batch takes longer than others should wait


async def _near(wanted: Wanted, find: Find, vocabulary: Vocabulary) -> list[str]:
    """The IRIs of what may be meant, by its words."""
    found = [wanted.iri] if wanted.iri and is_iri(wanted.iri) else []
    if wanted.iri and (not wanted.name or "://" in wanted.name):
        return found
    if wanted.name:
        asked_for = [wanted.name]
    else:  # without a name, what the values say may be in one: an acronym, say
        asked_for = [value.text for condition in wanted.conditions for value in condition.values if value.text]
    types = tuple(below for each in wanted.types for below in vocabulary.below(each))
    for text in asked_for[:3]:
        words = " ".join(core(name_words(text)))[:LONGEST_QUESTION] or text
        more = max(_LEAST, _FOR_EACH * wanted.limit)
        if types:
            found += await _found(find, words, types, more)
        if not types or not found:
            found += await _found(find, words, (), more)
    return found


async def _found(find: Find, text: str, types: tuple[str, ...], limit: int) -> list[str]:
    known = list(types)
    while True:
        question = Question(text, tuple(known), limit=limit, is_complete=True, is_of_names=True)
        try:
            answer = await find(question)
        except WrongParameter as error:  # nothing is of that class
            known = [each for each in known if each.rpartition("#")[2] != error.more["value"].rpartition("#")[2]]
            if not known:
                return []
            continue
        return [hit["iri"] for hit in answer.found["data"] if is_thing(hit["iri"])]


def is_thing(iri: str) -> bool:
    """Whether it is a thing that others may mean, and not a term of ours."""
    return not iri.startswith((ONTOLOGY, ONTOLOGY.rstrip("#"), SHAPE))


async def _holding(wanted: Wanted, asking: Asking) -> list[str]:
    """Without a name or IRI: the things that have a value that was asked for."""
    found: list[str] = []
    if not wanted.name and not wanted.iri:
        for condition in wanted.conditions:
            for value in condition.values:
                for property_ in TOGETHER.get(condition.property, (condition.property,)):
                    if value.iri and is_iri(value.iri) and is_property(property_):
                        rows = await asking.rows(facts.holding(property_, NamedNode(value.iri), _HOLDING))
                        found += [row["thing"].value for row in rows if isinstance(row["thing"], NamedNode)]
    return found


def _ranked(
    wanted: Wanted, known: dict[str, Facts], vocabulary: Vocabulary, languages: tuple[str, ...]
) -> list[Candidate]:
    scored: list[tuple[float, str, dict[str, float]]] = []
    for iri, about in known.items():
        above = Facts(about.names, _with_types_asked(wanted, about.types, vocabulary), about.texts, about.values)
        found = scoring.features(wanted, iri, above)
        score = scoring.score(wanted, found)
        if score > 0 and scoring.fulfils(wanted, found):
            scored.append((score, iri, found))
    scored.sort(key=lambda each: (-each[0], each[1]))
    lead = scored[0][0] - (scored[1][0] if len(scored) > 1 else 0.0) if scored else 0.0
    return [
        _candidate(
            iri,
            known[iri],
            score,
            found,
            vocabulary,
            languages,
            is_match=place == 0 and score >= scoring.CERTAIN and lead >= scoring.LEAD and found.get("type", 1.0) == 1.0,
        )
        for place, (score, iri, found) in enumerate(scored[: wanted.limit])
    ]


def _with_types_asked(wanted: Wanted, types: frozenset[str], vocabulary: Vocabulary) -> frozenset[str]:
    """The classes of a thing, and those asked for that are above one of them."""
    return types | {each for each in wanted.types if not types.isdisjoint(vocabulary.below(each))}


def _candidate(
    iri: str,
    about: Facts,
    score: float,
    found: dict[str, float],
    vocabulary: Vocabulary,
    languages: tuple[str, ...],
    *,
    is_match: bool,
) -> Candidate:
    name, language = scoring.chosen_name(about, languages)
    return Candidate(
        iri,
        name or iri,
        language,
        described(about, vocabulary, languages),
        types_of(about, vocabulary, languages),
        score,
        is_match,
        found,
    )


def types_of(about: Facts, vocabulary: Vocabulary, languages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The classes of the ontology that a thing is of, with their names; others without."""
    found = []
    for iri in sorted(about.types):
        named = vocabulary.type_named(iri, languages)
        found.append((iri, named.name if named else ""))
    return tuple(sorted(found, key=lambda each: not each[1]))


def described(about: Facts, vocabulary: Vocabulary, languages: tuple[str, ...]) -> str:
    """A sentence that tells a thing from its namesakes: its text, else its classes and other names."""
    if found := best_text(about.texts, languages):
        text, _ = found
        return text if len(text) <= 200 else text[:199].rsplit(" ", 1)[0] + " …"
    name, _ = scoring.chosen_name(about, languages)
    others = dict.fromkeys(text for _, _, text in about.names if text != name)
    classes = [label for _, label in types_of(about, vocabulary, languages) if label]
    return "; ".join([*classes, *list(others)[:3]])
