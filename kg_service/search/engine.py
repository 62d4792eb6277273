"""Another engine's graph as what an index is made of, and what the settings say about any source."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

from kg_service.rdf import NamedNode, Quad, Term
from kg_service.search import Said, texts
from kg_service.search.sources import Graph
from kg_service.settings import Settings
from kg_service.store import Need
from kg_service.store.log import ChangeLog
from kg_service.store.remote import DIALECTS, Credentials, Endpoint, endpoint_of
from kg_service.store.remote.data import RemoteData

#: Subjects whose triples are fetched from an engine in one request, and the most triples of them.
_TOGETHER, _MOST = 200, 1_000_000
#: Seconds for which an engine that tells no revision is taken to be unchanged.
UNTOLD = 600


class RemoteSource:
    """The graph of another engine.

    Its answers are of the present, whatever revision was asked about: who uses them looks at the revision before and
    after. An engine that tells no revision is taken to be another every ten minutes.
    """

    def __init__(self, endpoint: Endpoint, folder: Path, *, seconds: float) -> None:
        self._data, self._folder = RemoteData(endpoint, seconds=seconds), folder

    def published(self) -> tuple[str, int]:
        revision = self._data.generation
        return state_of_revision(self._data.endpoint.query, revision), revision

    @contextmanager
    def at(self, generation: int) -> Iterator[Graph]:
        del generation
        yield self

    def triples(self) -> Iterator[Quad]:
        return self._data.triples()

    def about(self, subjects: Iterable[str]) -> Iterator[tuple[str, Said]]:
        waiting = sorted(subjects)
        for start in range(0, len(waiting), _TOGETHER):
            batch = waiting[start : start + _TOGETHER]
            said: dict[str, list[tuple[NamedNode, Term]]] = {subject: [] for subject in batch}
            for quad in self._data.needed([Need(NamedNode(subject), None) for subject in batch], _MOST):
                if isinstance(quad.subject, NamedNode):
                    said[quad.subject.value].append((quad.predicate, quad.object))
            for subject, statements in said.items():
                yield subject, texts.said(statements)

    @contextmanager
    def log(self, generation: int) -> Iterator[ChangeLog]:
        yield self._data.log(generation, self._folder)

    @classmethod
    def described(cls, source: dict[str, Any]) -> RemoteSource:
        """The source that `description` describes."""
        login = source["credentials"]
        endpoint = Endpoint(
            source["query"],
            None,
            None,
            credentials=Credentials(*login) if login else None,
            dialect=DIALECTS[source["dialect"]],
        )
        return cls(endpoint, Path(source["folder"]), seconds=source["seconds"])


def state_of_revision(url: str, revision: int) -> str:
    """What tells an engine's state from others, as far as it is known."""
    return f"{url} {f'revision {revision}' if revision else f'untold {time.time() // UNTOLD:.0f}'}"


def description(settings: Settings) -> dict[str, Any]:
    """The source that the settings name, as plain data for the processes of the search."""
    folder = settings.own_folder.absolute()
    if not settings.is_remote:
        return {
            "folder": str(folder),
            "memory": settings.query_memory,
            "union": settings.default_graph == "union",
        }
    endpoint = endpoint_of(settings)
    login = endpoint.credentials
    # Services of several engines may share the folder for what is not the graph.
    engine = blake2b(endpoint.query.encode(), digest_size=6).hexdigest()
    return {
        "folder": str(folder / engine),
        "query": endpoint.query,
        "dialect": settings.dialect,
        "credentials": [login.scheme, login.secret, login.user] if login else None,
        "seconds": settings.query_seconds_with_token,
    }
