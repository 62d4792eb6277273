"""What fields for things offer: the things of their classes by name, and those that a few letters may mean."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from starlette.requests import Request

from kg_service.api.clients import client_of
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


async def lists(request: Request, fields: Iterable[Field], language: str, *, also: Iterable[NamedNode] = ()) -> Lists:
    """The things of each field's classes, and of some more classes, by name; nothing where that takes too long."""
    wanted = {each.classes for each in fields if each.kind == "thing" and each.classes}
    wanted |= {(each.value,) for each in also}

    async def find(asking: Asking) -> Lists:
        found = {}
        for classes in sorted(wanted):
            text = (
                f"SELECT ?thing ?label {{ {{ SELECT DISTINCT ?thing {{ {_of(classes)} }} LIMIT {OFFERED} }} "
                f"?thing {PREF_LABEL} ?label }}"
            )
            found[classes] = [choice(name, iri) for name, iri in await _named(asking, text, language)]
        return found

    try:
        return await _asked(request, find)
    except KgError:  # the fields take addresses all the same
        return {}


async def meant(request: Request, field: Field, words: str, language: str) -> list[tuple[str, str]]:
    """Name and IRI of the things of a field's classes that words may mean: those of that very name, else others."""
    folded = Literal(words)

    async def find(asking: Asking) -> list[tuple[str, str]]:
        of = _of(field.classes) if field.classes else f"?thing {_NAMES} ?any ."
        for test in (f"LCASE(STR(?any)) = LCASE({folded})", f"CONTAINS(LCASE(STR(?any)), LCASE({folded}))"):
            text = (
                f"SELECT ?thing ?label {{ {{ SELECT DISTINCT ?thing {{ {of} ?thing {_NAMES} ?any FILTER({test}) }} "
                f"ORDER BY ?thing LIMIT {MEANT} }} ?thing {PREF_LABEL} ?label }}"
            )
            if found := await _named(asking, text, language):
                return found
        return []

    return await _asked(request, find)


async def _asked(request: Request, find: Callable[[Asking], Awaitable[T]]) -> T:
    _, found = await of_one_generation(
        request.app.state.readers,
        find,
        seconds=request.app.state.settings.query_seconds,
        client=client_of(request),
    )
    return found


def _of(classes: Iterable[str]) -> str:
    listed = " ".join(str(NamedNode(each)) for each in classes)
    return f"VALUES ?class {{ {listed} }} ?thing {RDF_TYPE} ?class ."


async def _named(asking: Asking, text: str, language: str) -> list[tuple[str, str]]:
    """The things of a query by their names in a language, in order."""
    labels: dict[str, list[Literal]] = defaultdict(list)
    for row in await asking.rows(text):
        if isinstance(row["label"], Literal):
            labels[row["thing"].value].append(row["label"])
    chosen = {iri: best(each, language) for iri, each in labels.items()}
    return sorted((name.value, iri) for iri, name in chosen.items() if name)
