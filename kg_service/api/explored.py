"""What the pages for looking around share: made of one generation of the graph, and kept while it stays as it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service import queries, resources
from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.clients import client_of
from kg_service.api.finished import Finished, sent, state_of
from kg_service.beside import at_once
from kg_service.linked_data import Asking, of_one_generation
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.description import labels_of
from kg_service.queries import Question
from kg_service.rdf import Literal, NamedNode
from kg_service.web.names import Names

METHODS = ["GET", "HEAD"]
#: Things whose names one question asks for.
_TOGETHER = 500


class Reader:
    """What a page is made with: questions to one generation, and words in the language of who reads."""

    def __init__(self, request: Request, asking: Asking) -> None:
        self.asking, self._request = asking, request
        self.addresses = Addresses(public_url(request))
        self.catalogue = pages.catalogue_of(request)
        #: The queries that were asked for the page, as people may see them: title, text and address.
        self.shown: list[tuple[str, str, str]] = []

    def show(self, title: str, text: str) -> None:
        """Puts a query among those that the page shows."""
        self.shown.append((title, text, self.addresses.sparql(text)))

    async def answer(
        self, name: str, **bound: NamedNode | Literal | Sequence[NamedNode | Literal]
    ) -> list[dict[str, Any]]:
        """The rows of a ready-made question, with values for its parameters; the page shows it."""
        asked = question(name)
        text = asked.bound({key: value if isinstance(value, Sequence) else [value] for key, value in bound.items()})
        self.show(asked.summary, text)
        return await self.asking.rows(text)

    async def names(self, things: Iterable[str | NamedNode]) -> Names:
        """The names of things, in the reader's language where they have one."""
        nodes = sorted({NamedNode(each) if isinstance(each, str) else each for each in things}, key=str)
        labels: dict[str, list[Literal]] = {}
        parts = (nodes[first : first + _TOGETHER] for first in range(0, len(nodes), _TOGETHER))
        for found in await at_once(*(labels_of(self.asking, part) for part in parts)):
            labels |= {iri: [label for _, label in each] for iri, each in found.items()}
        return Names(
            labels,
            addresses=self.addresses,
            ontology=self._request.app.state.ontology,
            catalogue=self.catalogue,
        )


@lru_cache(64)
def question(name: str) -> Question:
    """A ready-made question."""
    return queries.read(resources.folder("queries"), name)


async def explored(
    request: Request,
    template: str,
    make: Callable[[Reader], Awaitable[dict[str, Any]]],
    *,
    is_embedded: bool = False,
    also: Hashable = None,
) -> Response:
    """A page whose values `make` finds in one generation; 304 for who has it.

    `also` is what the page depends on beside its address, its language and the state of the store.
    """
    finished: Finished = request.app.state.finished
    state = state_of(request.app.state.readers)
    key = (template, state, request.url.path, request.url.query, public_url(request), pages.variant_of(request), also)
    made = finished.get(key) if state else None
    if made is None:

        async def read(asking: Asking) -> dict[str, Any]:
            reader = Reader(request, asking)
            found = await make(reader)
            return {"queries": reader.shown} | found

        generation, values = await of_one_generation(
            request.app.state.readers,
            read,
            seconds=request.app.state.settings.query_seconds,
            client=client_of(request),
        )
        made = pages.document(request, template, generation=generation, is_embedded=is_embedded, **values)
        if state:
            finished.keep(key, made)
    return sent(request, made)
