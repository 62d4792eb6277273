"""`/api/<collection>`: the things of the graph as plain lists."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from kg_service import entities, queries
from kg_service.api.clients import client_of
from kg_service.store import Query


class Meta(BaseModel):
    """What the list was made from."""

    count: int = Field(description="number of things in the list")
    generation: int = Field(description="version of the dataset that the list was read from")


class Collection(BaseModel):
    """A list of things; each has at least `iri` and `label`."""

    data: list[dict[str, Any]]
    meta: Meta


def router(questions: list[queries.Question]) -> APIRouter:
    """A route for each query in `queries/lists/`, named as its file."""
    routes = APIRouter(prefix="/api", tags=["lists"])
    for question in questions:
        folder, _, name = question.name.rpartition("/")
        if folder == "lists":
            routes.add_api_route(f"/{name}", _endpoint(question), name=name, summary=question.summary)
    return routes


def _endpoint(question: queries.Question) -> Callable[[Request, Response], Coroutine[None, None, Collection]]:
    many = entities.many(question.text)

    async def listed(request: Request, response: Response) -> Collection:
        answer = await request.app.state.readers.answer(
            Query(question.text, seconds=request.app.state.settings.query_seconds, client=client_of(request))
        )
        things = entities.collect(await answer.content(), many)
        response.headers["KG-Generation"] = str(answer.generation)
        return Collection(data=things, meta=Meta(count=len(things), generation=answer.generation))

    return listed
