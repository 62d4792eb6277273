"""`/query`: ask the graph in SPARQL, on a page: the text, its answer, and where it is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from kg_service.api import pages
from kg_service.api.addresses import public_url
from kg_service.api.asking import looked_over
from kg_service.api.clients import client_of
from kg_service.api.parameters import Parameter, chosen_format, values
from kg_service.errors import KgError, Malformed, wrong_parameter
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.profiles import HTML
from kg_service.queries import Question, paged
from kg_service.rdf import JSON, TURTLE
from kg_service.settings import Settings
from kg_service.sparql.protocol import Asked
from kg_service.web.query import FIRST, MOST_CHARACTERS, MOST_ROWS, VIEWS, QueryPage, table

METHODS = ["GET", "HEAD"]
PARAMETERS = (
    Parameter(name="view", description="How the answer is shown first.", allowed=VIEWS, default="table"),
    Parameter(name="example", description="A ready-made question to begin with."),
    *pages.LANGUAGES,
)


class QueryEditor:
    """The page over the questions of `queries/`."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = {each.name: each for each in questions}

    async def shown(self, request: Request) -> Response:
        """The page; a query in the address, or a ready-made question, is asked at once.

        What is wrong with a query is told on the page (4xx, 504).
        """
        chosen_format(request, (HTML,))
        pairs = [pair for pair in request.query_params.multi_items() if pair[1].strip()]
        texts = [text.replace("\r\n", "\n") for name, text in pairs if name == "query"]
        if len(texts) > 1:
            raise wrong_parameter("query", texts[1][:80], "it may be sent once")
        asked = values([pair for pair in pairs if pair[0] != "query"], PARAMETERS)
        named = self._questions.get(asked["example"]) if asked["example"] else None
        if asked["example"] and named is None:
            raise wrong_parameter("example", asked["example"], "the questions are listed at /api/queries")
        text = texts[0] if texts else named.text if named else FIRST
        answer: dict[str, Any] = {}
        generation, status = 0, 200
        if texts or named:
            try:
                generation, answer = await _answered(request, text)
            except KgError as error:
                answer, status = {"problem": error}, error.status
        words = pages.catalogue_of(request).beginning("query.js.", time="timeline.js.")
        made = QueryPage(text, list(self._questions.values()), Addresses(public_url(request)), **answer)
        about = {"editor": made, "view": asked["view"], "views": VIEWS, "words": words}
        return pages.page(request, "query.html", generation=generation, status=status, **about)


async def _answered(request: Request, text: str) -> tuple[int, dict[str, Any]]:
    """The generation, and the first rows of the answer, or the beginning of the RDF."""
    settings: Settings = request.app.state.settings
    asked = Asked(text, (), (), table=JSON.name, boolean=JSON.name, graph=TURTLE.name, seconds=None)
    query = looked_over(asked, settings, may_federate=request.app.state.federation.is_on)
    query = query.asked_by(client_of(request), settings.query_seconds)
    query = await request.app.state.federation.filled(query)
    try:
        first = replace(query, text=paged(query.text, MOST_ROWS + 1, 0)) if _is_of_rows(query.text) else query
        answer = await request.app.state.readers.answer(first)
    except Malformed:  # the text is wrong, or ends with what no limit can follow; and its own lines are to be told
        answer = await request.app.state.readers.answer(query)
    content = await answer.content()
    if answer.format == TURTLE.name:
        graph = content.decode("utf-8", "replace")
        return answer.generation, {"graph": graph if len(graph) <= MOST_CHARACTERS else f"{graph[:MOST_CHARACTERS]} …"}
    found = table(content, Addresses(public_url(request)))
    return answer.generation, {"boolean": found} if isinstance(found, bool) else {"table": found}


def _is_of_rows(text: str) -> bool:
    return Question("", "", text).form == "SELECT"
