"""A search narrowed down by what the graph says of the things: the index is asked for all, the graph which of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from starlette.requests import Request

from kg_service.api.clients import client_of
from kg_service.beside import at_once
from kg_service.linked_data import Asking, of_one_generation
from kg_service.linked_data.description import labels_of
from kg_service.rdf import Literal
from kg_service.search import DEEPEST, Question
from kg_service.search.door import Found
from kg_service.search.narrowing import Chosen, Narrowed, Tally, query

#: Values of a facet that are told.
MOST = 20


@dataclass(frozen=True, slots=True)
class Facets:
    """Values with their counts by facet, and the names of what they are called after, by IRI.

    They are of the things that can be paged through; where more were found, counts are of the best of them.
    """

    tallies: dict[str, list[Tally]] = field(default_factory=dict)
    labels: dict[str, list[Literal]] = field(default_factory=dict)


async def searched(
    request: Request,
    question: Question,
    chosen: Chosen,
    facets: Sequence[str],
    *,
    whole: Collection[str] = (),
    patience: float | None = None,
) -> tuple[Found, Facets]:
    """The page of what was found that has what was chosen, and the facets; those that are `whole` with every value.

    `patience` are the seconds that each question waits for an index of the published generation.
    """
    search, client = request.app.state.search, client_of(request)
    asked = [*facets, *(facet for facet, values in chosen.items() if values and facet not in facets)]
    if not asked:
        return await search.find(question, client, patience=patience), Facets()
    every = await search.find(replace(question, is_list=True, offset=0, limit=DEEPEST), client, patience=patience)
    things = [each["iri"] for each in every.found["data"]]

    async def read(asking: Asking) -> tuple[Narrowed, Facets]:
        told = await at_once(*(asking.rows(query(things, facet)) for facet in asked if things))
        rows = [row for each in told for row in each]
        narrowed = Narrowed(things, rows, chosen)
        counted = {facet: narrowed.tallies(facet) for facet in facets}
        tallies = {f: each if f in whole else _shown(each, chosen.get(f, ())) for f, each in counted.items()}
        called = {tally.thing for each in tallies.values() for tally in each if tally.thing}
        labels = await labels_of(asking, called)
        return narrowed, Facets(tallies, {iri: [label for _, label in some] for iri, some in labels.items()})

    _, (narrowed, told) = await of_one_generation(
        request.app.state.readers,
        read,
        seconds=request.app.state.settings.query_seconds,
        client=client,
    )
    only = tuple(narrowed.kept) if any(chosen.values()) else None
    page = await search.find(replace(question, only=only), client, patience=patience)
    is_exact = page.found["is_exact"] and every.found["is_exact"] and every.found["total"] <= DEEPEST
    return replace(page, found=page.found | {"is_exact": is_exact or (only is None and page.found["is_exact"])}), told


def _shown(tallies: list[Tally], chosen: Sequence[str]) -> list[Tally]:
    """The most frequent values, and those that were chosen."""
    return [each for place, each in enumerate(tallies) if place < MOST or each.value in chosen]
