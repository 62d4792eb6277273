"""`/`: where people arrive. Machines are led to the catalog of the data sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import State
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.discovery import Counting
from kg_service.api.parameters import chosen_format, read
from kg_service.beside import at_once
from kg_service.errors import StoreError
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.figures import Figures
from kg_service.linked_data.gaps import Gaps
from kg_service.linked_data.profiles import HTML
from kg_service.lists.declared import Collection
from kg_service.queries import Question
from kg_service.rdf import GRAPH_FORMATS
from kg_service.store import Reads
from kg_service.store.log import OpenLog
from kg_service.web.home import HomePage

METHODS = ["GET", "HEAD"]
#: Seconds that the service waits for figures when it begins.
_AT_FIRST = 60.0


class Home:
    """The page with what there is, what can be asked, and what is missing."""

    def __init__(self, questions: Sequence[Question], collections: Sequence[Collection]) -> None:
        self._questions, self._collections = questions, collections

    async def shown(self, request: Request) -> Response:
        """The page for those who prefer HTML; else 303 to the catalog, which is written in every RDF format.

        Figures are those counted last where the present ones take longer to count, and missing where there are none.
        """
        how = chosen_format(request, (*GRAPH_FORMATS, HTML))
        read(request, pages.LANGUAGES)
        if how is not HTML:
            return RedirectResponse(f"{public_url(request)}/catalog", 303, headers={"Vary": "Accept"})
        state = request.app.state
        figures, gaps, lately = await _figures(state)

        def values() -> dict[str, Any]:
            return {
                "home": HomePage(
                    figures,
                    gaps,
                    questions=self._questions,
                    collections=self._collections,
                    addresses=Addresses(public_url(request)),
                    ontology=state.ontology,
                    catalogue=pages.catalogue_of(request),
                    changed=_changed(request, figures[0]) if figures else None,
                    lately=lately[1] if lately else {},
                )
            }

        if not (figures and gaps and figures[0] and gaps[0]):  # what no generation names is not kept
            return pages.page(request, "home.html", **values())
        return await pages.long_page(
            request, "home.html", generation=figures[0], state=(gaps[0], lately and lately[0]), values=values
        )


def _changed(request: Request, generation: int) -> str | None:
    """When the last change was made that a generation holds; None where nobody keeps a log."""
    if not request.app.state.settings.is_writable:
        return None
    opened: OpenLog = request.app.state.log
    try:
        with opened(generation or None) as log:
            return next((entry.time for entry in log.entries(limit=1)), None)
    except StoreError:  # the rest of the page stands without it
        return None


async def prepared(app: FastAPI) -> None:
    """Has the figures counted before the first reader comes, who else would wait for them."""
    await _figures(app.state, patience=_AT_FIRST)


async def _figures(
    state: State, *, patience: float | None = None
) -> tuple[tuple[int, Figures] | None, tuple[int, Gaps] | None, tuple[int, dict[str, str]] | None]:
    reads: Reads = state.readers
    counting: Counting[Figures] = state.counting
    of_gaps: Counting[Gaps] = state.gaps
    lately: Counting[dict[str, str]] = state.lately
    return await at_once(
        counting.soon(reads, patience=patience),
        of_gaps.soon(reads, patience=patience),
        lately.soon(reads, patience=patience),
    )
