"""What the page of a claim tells beside what is said of it: where it is from, and since when it is here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from kg_service.api.changes import from_log
from kg_service.errors import KgError
from kg_service.linked_data import Asking, Description
from kg_service.linked_data.description import labels_of
from kg_service.rdf import ONTOLOGY, Literal, NamedNode
from kg_service.store.log import ChangeLog, Entry
from kg_service.web import origin
from kg_service.web.names import Names
from kg_service.web.origin import Origin

_CLAIM = f"{ONTOLOGY}Claim"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a claim; its names come with the words of the page."""

    rows: tuple[dict[str, Any], ...]
    labels: dict[str, list[Literal]]
    change: Entry | None

    def told(self, words: dict[str, Any]) -> Origin:
        """The same in the reader's words."""
        return Origin(origin.documents(self.rows, Names(self.labels, **words)), self.change)


async def found(request: Request, asking: Asking, description: Description) -> Found | None:
    """Where a claim is from; None for what is no claim."""
    if not any(each.value == _CLAIM for each in description.types):
        return None
    rows = await asking.rows(origin.query(description.iri))
    things = {term for row in rows for term in row.values() if isinstance(term, NamedNode)}
    labels = await labels_of(asking, sorted(things, key=str)) if things else {}
    told = {iri: [label for _, label in names] for iri, names in labels.items()}
    return Found(tuple(rows), told, await _change(request, description.iri.value))


async def _change(request: Request, claim: str) -> Entry | None:
    if not request.app.state.settings.is_writable:  # who writes there keeps no log that we know
        return None

    def first(log: ChangeLog) -> Entry | None:
        numbers = log.touching([claim], after=0)
        return log.entry(numbers[0]) if numbers else None

    try:
        return await from_log(request, first)
    except KgError:  # the rest of the page stands without it
        return None
