"""What fields for things offer: the things of their classes by name, and those that a few letters may mean."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from starlette.requests import Request

from kg_service.api.clients import client_of
from kg_service.beside import at_once
from kg_service.errors import KgError
from kg_service.linked_data import Asking, of_one_generation
from kg_service.rdf import PREF_LABEL, PREFIXES, RDF_TYPE, Literal, NamedNode
from kg_service.web.fields import Field, choice
from kg_service.web.names import best

T = TypeVar("T")
#: Things that one list offers; things that some letters may mean.
OFFERED, MEANT = 1_000, 20
_NAMES = f"{PREF_LABEL}|{NamedNode(PREFIXES['skos'] + 'altLabel')}|{NamedNode(PREFIXES['sse'] + 'acronym')}"

#: What lists offer, by the classes of the fields that have them.
Lists = dict[tuple[str, ...], list[str]]


async def lists(
    request: Request, fields: Iterable[Field], tongues: Sequence[str], *, also: Iterable[NamedNode] = ()
) -> Lists:
    """The things of each field's classes, and of some more classes, by name; nothing where that takes too long."""
    try:
        return await _asked(request, lambda asking: offered(asking, fields, tongues, also=also))
    except KgError:  # the graph may change too fast as well
        return {}


async def offered(
    asking: Asking, fields: Iterable[Field], tongues: Sequence[str], *, also: Iterable[NamedNode] = ()
) -> Lists:
    """The same among other questions."""
    wanted = {each.classes for each in fields if each.kind == "thing" and each.classes}
    wanted |= {(each.value,) for each in also}

    async def of(classes: tuple[str, ...]) -> list[str]:
        text = (
            f"SELECT ?thing ?label {{ {{ SELECT DISTINCT ?thing {{ {_of(classes)} }} LIMIT {OFFERED} }} "
            f"?thing {PREF_LABEL} ?label }}"
        )
        return [choice(name.value, iri) for name, iri in await _named(asking, text, tongues)]

    listed = sorted(wanted)
    try:
        return dict(zip(listed, await at_once(*map(of, listed)), strict=True))
    except KgError:  # the fields take addresses all the same
        return {}


async def meant(asking: Asking, classes: Iterable[str], words: str, tongues: Sequence[str]) -> list[tuple[str, str]]:
    """Name and IRI of the things of some classes that words may mean: those of that very name, else others."""
    of = _of_any(classes)
    found = await _called(asking, of, words, tongues) or await _containing(asking, of, words, tongues)
    return [(name.value, iri) for name, iri in found]


async def named(
    request: Request, classes: Iterable[str], words: str, tongues: Sequence[str], *, seconds: float
) -> list[tuple[Literal, str]]:
    """Name and IRI of things of some classes whose names hold words as they stand; those of that very name first.

    QueryStopped where that takes longer than so many seconds.
    """
    of = _of_any(classes)

    async def find(asking: Asking) -> list[tuple[Literal, str]]:
        called, containing = await at_once(*(ask(asking, of, words, tongues) for ask in (_called, _containing)))
        return list(dict.fromkeys([*called, *containing]))

    return await _asked(request, find, seconds=seconds)


async def _called(asking: Asking, of: str, words: str, tongues: Sequence[str]) -> list[tuple[Literal, str]]:
    return await _named(asking, _naming(of, f"LCASE(STR(?any)) = LCASE({Literal(words)})"), tongues)


async def _containing(asking: Asking, of: str, words: str, tongues: Sequence[str]) -> list[tuple[Literal, str]]:
    return await _named(asking, _naming(of, f"CONTAINS(LCASE(STR(?any)), LCASE({Literal(words)}))"), tongues)


def _naming(of: str, test: str) -> str:
    """The query for the names of a few things, one of whose names passes a test."""
    return (
        f"SELECT ?thing ?label {{ {{ SELECT DISTINCT ?thing {{ {of} ?thing {_NAMES} ?any FILTER({test}) }} "
        f"ORDER BY ?thing LIMIT {MEANT} }} ?thing {PREF_LABEL} ?label }}"
    )


async def _asked(request: Request, find: Callable[[Asking], Awaitable[T]], *, seconds: float = math.inf) -> T:
    _, found = await of_one_generation(
        request.app.state.readers,
        find,
        seconds=min(seconds, request.app.state.settings.query_seconds),
        client=client_of(request),
    )
    return found


def _of(classes: Iterable[str]) -> str:
    listed = " ".join(str(NamedNode(each)) for each in classes)
    return f"VALUES ?class {{ {listed} }} ?thing {RDF_TYPE} ?class ."


def _of_any(classes: Iterable[str]) -> str:
    """A pattern for the things of some classes, or for those of any where none is given."""
    listed = list(classes)
    return _of(listed) if listed else f"?thing {_NAMES} ?any ."


async def _named(asking: Asking, text: str, tongues: Sequence[str]) -> list[tuple[Literal, str]]:
    """The things of a query by their names for a reader of some languages, in order."""
    labels: dict[str, list[Literal]] = defaultdict(list)
    for row in await asking.rows(text):
        if isinstance(row["label"], Literal):
            labels[row["thing"].value].append(row["label"])
    chosen = {iri: best(each, *tongues) for iri, each in labels.items()}
    return sorted(((name, iri) for iri, name in chosen.items() if name), key=lambda each: (each[0].value, each[1]))
