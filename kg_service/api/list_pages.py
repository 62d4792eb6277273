"""`/policies`, `/recommendations`, `/alliances`: lists for people, over what `/api/<collection>` filters and counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import describing, pages
from kg_service.api.collections import FORMATS, Listing, current, objects
from kg_service.api.explored import Reader, explored
from kg_service.api.parameters import Parameter, values
from kg_service.beside import at_once
from kg_service.lists import selection
from kg_service.lists.declared import Collection, Field
from kg_service.rdf import Literal, NamedNode
from kg_service.web.listing import SIZE, ListPage, Tie

_PAGE = Parameter(name="page", description="The page.", kind="integer", least=1, most=100_000, default=1)
#: Values of a facet that are shown at all.
_MOST = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """A question about the things of a page: what its rows tell, and which columns hold what."""

    what: str
    question: str
    thing: str
    relation: str | None = "relation"
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A list as a page: its facets in order, and what is asked about the things that it shows."""

    collection: str
    facets: tuple[str, ...]
    asked: tuple[Asked, ...]
    about: str


LISTS = (
    Listed(
        "recommendations",
        ("policy", "theme", "goal", "addressee", "population", "practice", "level", "sector"),
        (
            Asked("origins", "recommendations/origins", "source", note="date"),
            Asked("taken-up", "recommendations/taken-up", "thing", note="status"),
        ),
        "recommendation",
    ),
    Listed(
        "policies",
        ("kind", "status", "theme", "adopted_by", "level", "population", "issued"),
        (Asked("taken-up", "instruments/taken-up", "thing", note="status"),),
        "policy",
    ),
    Listed(
        "alliances",
        ("kind", "status", "party", "level", "sector", "region", "theme", "goal", "start"),
        (Asked("parties", "alliances/parties-of", "actor", relation=None, note="role"),),
        "alliance",
    ),
)


class Door:
    """The page of one list."""

    def __init__(self, listed: Listed, collection: Collection) -> None:
        self._listed, self._collection = listed, collection
        every = {each.name: each for each in describing.parameters(collection, FORMATS)}
        names = [parameter.name for field in collection.fields if field.filter for parameter in _of(field, every)]
        self._parameters = (every["q"], *(every[name] for name in names), every["sort"], _PAGE, *pages.LANGUAGES)
        by_filter = {str(field.filter): field for field in collection.fields if field.is_facet}
        self._facets = tuple(by_filter[name] for name in listed.facets)

    async def shown(self, request: Request) -> Response:
        """A page of the list, narrowed by what is asked for."""
        # A form sends empty fields too.
        sent = [each for each in request.query_params.multi_items() if each[1] or each[0] not in ("q", "sort")]
        given = values(sent, self._parameters)
        tongues = pages.catalogue_of(request).tongues
        asked = Listing.of(
            self._collection,
            given | {"lang": tongues[0], "facets": (), "fields": (), "include": (), "limit": SIZE, "cursor": None},
        )

        order = replace(asked.order, languages=tongues)

        async def make(reader: Reader) -> dict[str, Any]:
            texts = [field for field in self._collection.fields if field.kind == "text" and field.name != "label"]
            needs = [*selection.needed(order, asked.filters, self._facets), *texts]
            table = await current(request, self._collection, needs)
            found = selection.page(table, asked.filters, order, None, SIZE * given["page"])
            members = found.members[SIZE * (given["page"] - 1) :]
            fields = tuple(field for field in self._collection.fields if not field.is_hidden)
            things, told = await at_once(
                objects(request, fields, members, table, tongues),
                at_once(*(self._rows(reader, each, members) for each in self._listed.asked)),
            )
            rows = {each.what: found for each, found in zip(self._listed.asked, told, strict=True)}
            facets = [(field, *selection.facet(table, field, asked.filters)) for field in self._facets]
            iris = set(_iris(fields, things)) | {term for each in rows.values() for term in _named(each)}
            iris |= {str(value) for field, counted, _ in facets if field.is_of_things for value, _ in counted[:_MOST]}
            iris |= _chosen(self._facets, given)
            names = await reader.names(sorted(iris))
            page = ListPage(self._collection, given, total=found.total, generation=table.generation, names=names)
            return {
                "list": page,
                "cards": [
                    page.card(
                        thing,
                        {
                            field.name: chosen
                            for field in texts
                            if (chosen := selection.best(table.columns[field.name].get(thing["iri"], ()), *tongues))
                        },
                        {
                            each.what: [
                                _tie(each, row, names)
                                for row in rows[each.what]
                                if row[self._listed.about].value == thing["iri"]
                            ]
                            for each in self._listed.asked
                        },
                    )
                    for thing in things
                ],
                "facets": [page.facet(field, counted, missing, _MOST) for field, counted, missing in facets],
                "sorts": [field.name for field in self._collection.fields if field.is_sortable],
            }

        return await explored(request, "list.html", make)

    async def _rows(self, reader: Reader, asked: Asked, members: list[str]) -> list[dict[str, Any]]:
        if not members:
            return []
        return await reader.answer(asked.question, **{self._listed.about: [NamedNode(each) for each in members]})


def _of(field: Field, every: Mapping[str, Parameter]) -> Iterable[Parameter]:
    """The parameters that filter by a field."""
    return (every[name] for name in (str(field.filter), f"{field.filter}_from", f"{field.filter}_to") if name in every)


def _iris(fields: Iterable[Field], things: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for thing in things:
        yield thing["iri"]
        for field in fields:
            value = thing.get(field.name)
            if field.is_of_things and value is not None:
                yield from value if isinstance(value, list) else [value]


def _named(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return (term.value for row in rows for term in row.values() if isinstance(term, NamedNode))


def _chosen(facets: Iterable[Field], given: Mapping[str, Any]) -> set[str]:
    return {
        iri for field in facets if field.is_of_things for text in given[str(field.filter)] for iri in field.iris(text)
    }


def _tie(asked: Asked, row: Mapping[str, Any], names: Any) -> Tie:
    thing, note = row.get(asked.thing), row.get(asked.note or "")
    relation = row[asked.relation].value if asked.relation else ""
    return Tie(
        names.property(relation).text if relation else "",
        names.shown(thing) if isinstance(thing, NamedNode | Literal) else None,
        names.shown(note) if note is not None else None,
        names.addresses.page(row["claim"].value) if "claim" in row else None,
    )


def doors(collections: Iterable[Collection]) -> dict[str, Door]:
    """The pages by their paths."""
    known = {each.name: each for each in collections}
    return {f"/{listed.collection}": Door(listed, known[listed.collection]) for listed in LISTS}
