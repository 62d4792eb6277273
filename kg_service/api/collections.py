"""`/api/<collection>`: the things of the graph as lists: filtered, counted, sorted, page by page, in many formats."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import describing
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.parameters import Parameter, chosen_format, read
from kg_service.api.writing import tags
from kg_service.beside import at_once
from kg_service.linked_data import documents, jsonld
from kg_service.lists import details, selection, written
from kg_service.lists.columns import Table, Tables, Touched
from kg_service.lists.declared import LABEL, Collection, Field
from kg_service.lists.selection import Filter, Order
from kg_service.rdf import CSV, JSON_LD, N_TRIPLES, Format, NamedNode, parse_bytes, to_text
from kg_service.settings import Settings
from kg_service.store import Answer, Query, Reads
from kg_service.store.log import OpenLog

#: JSON without more, which answers are written in when nothing else is asked for.
PLAIN = Format("json", ("application/json",), ("json",))
#: What lists are written as.
FORMATS = (PLAIN, CSV, Format("json-ld", ("application/ld+json",), ("jsonld",)), written.GEO_JSON)
#: Seconds for which columns of another engine's graph are kept: others may write there unseen.
_REMOTE_AGE = 10.0
EVIDENCE = "evidence"


def router(collections: Iterable[Collection]) -> APIRouter:
    """A route for each collection, and one more for each ending that names a format."""
    routes = APIRouter(prefix="/api")
    for collection in collections:
        declared = describing.parameters(collection, FORMATS)
        routes.add_api_route(
            f"/{collection.name}",
            _endpoint(collection, declared, None),
            name=collection.name,
            **describing.listing(collection, declared, FORMATS),
        )
        for how in FORMATS:
            path = f"/{collection.name}.{how.endings[0]}"
            described = {"parameters": [parameter.openapi() for parameter in declared]}
            routes.add_api_route(
                path, _endpoint(collection, declared, how.name), include_in_schema=False, openapi_extra=described
            )
    return routes


def _endpoint(
    collection: Collection, declared: list[Parameter], ending: str | None
) -> Callable[[Request], Awaitable[Response]]:
    async def listed(request: Request) -> Response:
        given = read(request, declared)
        how = chosen_format(request, FORMATS, ending or given["format"])
        asked = Listing.of(collection, given)
        made = await asked.answer(request, how)
        return whole(request, made.body, how, made.generation, made.links)

    return listed


@dataclass(frozen=True, slots=True)
class Made:
    """A finished answer: its bytes, the generation that it is as new as, and what it links to."""

    body: bytes
    generation: int
    links: dict[str, str]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a request asks of a collection."""

    collection: Collection
    filters: tuple[Filter, ...]
    facets: tuple[Field, ...]
    order: Order
    fields: tuple[Field, ...]
    include: tuple[str, ...]
    given: dict[str, Any]

    @classmethod
    def of(cls, collection: Collection, given: dict[str, Any]) -> Listing:
        language = given["lang"]
        order = Order.of(",".join(given["sort"]) or collection.order, collection, language)
        named = {field.filter: field for field in collection.fields if field.is_facet}
        return cls(
            collection,
            tuple(filters_of(collection, given)),
            tuple(named[name] for name in given["facets"]),
            order,
            chosen_fields(collection, given["fields"]),
            given["include"],
            given,
        )

    @property
    def question(self) -> str:
        """What a cursor belongs to: all that decides which things come in which order."""
        keys = [(field.name, turned) for field, turned in self.order.fields]
        asked = [(each.field.name, each.values, each.least, each.most) for each in self.filters]
        return repr((self.collection.name, keys, asked, *self.order.languages))

    async def answer(self, request: Request, how: Format) -> Made:
        after = None
        if self.given["cursor"] is not None:
            after = selection.decoded(self.given["cursor"], self.order, self.question)
        table = await current(request, self.collection, selection.needed(self.order, self.filters, self.facets))
        page = selection.page(table, self.filters, self.order, after, self.given["limit"])
        links = _links(request, selection.encoded(page.following, self.question) if page.following else None)
        if how.name == JSON_LD.name:
            return Made(await as_json_ld(request, page.members), table.generation, links)
        data = await objects(request, self.fields, page.members, table, (self.given["lang"],))
        if how is CSV:
            columns = [name for field in self.fields for name in _columns(field)]
            return Made(written.as_csv(data, ["iri", *columns]), table.generation, links)
        if how is written.GEO_JSON:
            return Made(await self._geo_json(request, page.members, data), table.generation, links)
        meta = {"count": len(data), "total": page.total, "generation": table.generation, "limit": self.given["limit"]}
        meta["language"] = self.given["lang"]
        told: dict[str, Any] = {"data": data, "meta": meta, "links": links}
        if self.facets:
            facets = await at_once(*(self._facet(request, table, field) for field in self.facets))
            told["facets"] = {field.filter: facet for field, facet in zip(self.facets, facets, strict=True)}
        if self.include:
            told["included"] = await included(request, self.collection, self.include, page.members, self.given["lang"])
        return Made(as_json(told), table.generation, links)

    async def _facet(self, request: Request, table: Table, field: Field) -> dict[str, Any]:
        counted, missing = selection.facet(table, field, self.filters)
        listed = counted[: self.given["facet_limit"]]
        labels: dict[str, str] = {}
        if field.is_of_things and listed:
            text = details.labels_query([value for value, _ in listed])
            labels = details.labels(details.rows(await ask(request, text)), self.given["lang"])
        values = [
            {"value": value, **({"label": labels.get(value)} if field.is_of_things else {}), "count": count}
            for value, count in listed
        ]
        return {"values": values, "missing": missing, "more": len(counted) - len(listed)}

    async def _geo_json(self, request: Request, members: list[str], data: list[dict[str, Any]]) -> bytes:
        places = next((each for each in self.collection.fields if each.include == "places"), None)
        points = await ask(request, written.points_query(members, places.path if places else None)) if members else b""
        return as_json(written.as_geojson(data, details.rows(points) if points else []))


def filters_of(collection: Collection, given: dict[str, Any]) -> Iterable[Filter]:
    """The conditions that values of parameters set."""
    if given["q"] is not None:
        yield Filter(collection.words, (given["q"],))
    for field in collection.fields:
        name = field.filter
        if not name:
            continue
        values, least, most = given[name], given.get(f"{name}_from"), given.get(f"{name}_to")
        if values or least is not None or most is not None:
            yield Filter(field, values, least, most)


def chosen_fields(collection: Collection, names: tuple[str, ...]) -> tuple[Field, ...]:
    """The fields of those names in the order of their declaration; without names, all that are not hidden."""
    return tuple(field for field in collection.fields if (field.name in names if names else not field.is_hidden))


def _columns(field: Field) -> list[str]:
    return ["label", "language"] if field == LABEL else [field.name]


async def current(request: Request, collection: Collection, fields: Iterable[Field]) -> Table:
    """The collection's table at the generation published now, with columns for the fields."""
    settings: Settings = request.app.state.settings
    reads: Reads = request.app.state.readers
    tables: Tables = request.app.state.tables
    opened: OpenLog = request.app.state.log
    generation = reads.generation
    if settings.is_remote:
        generation = (await reads.answer(Query("ASK {}", seconds=settings.query_seconds))).generation

    def touched(first: int) -> Touched:
        """The subjects and predicates of what changed since a generation; None where no log tells."""
        if not settings.is_writable:
            return None
        with opened(generation) as log:
            if not log.first_generation() <= first:
                return None
            changed = [
                q for patch in log.between(first, generation) for q in (*patch.delta.added, *patch.delta.removed)
            ]
        return (
            frozenset(subject.value for q in changed if hasattr(subject := q.subject, "value")),
            frozenset(q.predicate.value for q in changed),
        )

    return await tables.current(
        reads,
        collection,
        fields,
        generation=generation,
        touched=touched,
        seconds=settings.query_seconds,
        age=_REMOTE_AGE if settings.is_remote else float("inf"),
    )


async def answered(request: Request, text: str, **how: Any) -> Answer:
    """The answer to a query of ours, which counts on the budget of the client who asks."""
    reads: Reads = request.app.state.readers
    seconds = request.app.state.settings.query_seconds
    return await reads.answer(Query(text, seconds=seconds, client=client_of(request), **how))


async def ask(request: Request, text: str) -> bytes:
    return await (await answered(request, text)).content()


async def objects(
    request: Request, fields: tuple[Field, ...], things: list[str], table: Table | None, languages: Sequence[str]
) -> list[dict[str, Any]]:
    """Things as JSON objects in the words of some languages; what no column of the table holds is asked for."""
    if not things:
        return []
    missing = details.asked(fields, table)
    found = details.rows(await ask(request, details.query(things, missing))) if missing else []
    return details.objects(things, fields, table, found, languages)


async def included(
    request: Request, collection: Collection, names: tuple[str, ...], things: list[str], language: str
) -> list[dict[str, Any]]:
    """What things are linked to, in full and each once, and the claims on them."""
    made: list[dict[str, Any]] = []
    if not things:
        return made
    targets: dict[str, None] = {}
    linking = (collection.includable[name] for name in names if name != EVIDENCE)
    for found in await at_once(*(ask(request, details.targets_query(things, field)) for field in linking)):
        targets |= {row["v"]["value"]: None for row in details.rows(found) if row["v"]["type"] == "uri"}
    if targets:
        listed = list(targets)[: details.MOST_INCLUDED]
        made = details.full(listed, details.rows(await ask(request, details.full_query(listed))), language)
    if EVIDENCE in names:
        made += details.claims(details.rows(await ask(request, details.claims_query(things))))
    return made


async def as_json_ld(request: Request, things: list[str]) -> bytes:
    """All that is said of things, as JSON-LD with the project's context."""
    if not things:
        return b'{"@graph": []}'
    text = f"CONSTRUCT {{ ?iri ?p ?o }} WHERE {{ {details.values('iri', things)} ?iri ?p ?o }}"
    written = await (await answered(request, text, graph=N_TRIPLES.name)).content()
    quads = list(parse_bytes(written, N_TRIPLES))
    return jsonld.write(quads, documents.context(), NamedNode(things[0])) or to_text(quads, JSON_LD)


def _links(request: Request, cursor: str | None) -> dict[str, str]:
    here = public_url(request) + request.url.path
    query = request.url.remove_query_params("cursor").query
    first = f"{here}?{query}" if query else here
    links = {"self": f"{here}?{request.url.query}" if request.url.query else here, "first": first}
    return links | ({"next": f"{first}{'&' if query else '?'}cursor={cursor}"} if cursor else {})


def as_json(told: Any) -> bytes:
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def whole(request: Request, body: bytes, how: Format, generation: int, links: dict[str, str]) -> Response:
    """A finished answer with its strong ETag, or 304 for who has it; the Link header is for formats without links."""
    tag = f'"{generation}-{blake2b(body + how.name.encode(), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Vary": "Accept", "KG-Generation": str(generation)}
    headers["Link"] = ", ".join(f'<{address}>; rel="{name}"' for name, address in links.items() if name != "self")
    if {tag, "*"} & tags(request, "if-none-match"):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=how.media_type)
