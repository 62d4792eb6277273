"""The client: one object for one service."""

from __future__ import annotations

import builtins
import uuid
from collections.abc import Iterable, Iterator
from functools import partialmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from kg_service.client import copies, networks
from kg_service.client.copies import Changes
from kg_service.client.results import Rows, Triples
from kg_service.client.transport import Transport
from kg_service.errors import Incomplete

if TYPE_CHECKING:
    import networkx

_TABLE, _TRIPLES = "application/sparql-results+json", "application/n-triples"


class Client:
    """A service at a URL; with a token, it may be written.

    Waits at most `timeout` seconds for each next part of an answer, and asks a busy service up to `retries` times more.
    """

    def __init__(self, url: str, token: str | None = None, *, timeout: float = 60.0, retries: int = 5) -> None:
        self._transport = Transport(url, token, timeout=timeout, retries=retries)

    def close(self) -> None:
        """Closes the connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def generation(self) -> int:
        """The version of the graph that is published now."""
        return int(self._transport.json("GET", "/health/ready")["generation"])

    # queries

    def select(self, query: str) -> Rows:
        """The rows of a SELECT query, as they come.

        for row in graph.select("SELECT ?name { ?thing skos:prefLabel ?name }"): ...
        """
        return Rows(self._transport.stream("POST", "/sparql", data={"query": query}, headers={"Accept": _TABLE}))

    def ask(self, query: str) -> bool:
        """The answer to an ASK query."""
        told = self._transport.json("POST", "/sparql", data={"query": query}, headers={"Accept": _TABLE})
        if not isinstance(told.get("boolean"), bool):
            raise Incomplete("the answer says neither yes nor no; is the query an ASK?")
        return bool(told["boolean"])

    def construct(self, query: str) -> Triples:
        """The triples of a CONSTRUCT or DESCRIBE query, as they come; `.to_rdflib()` and `.to_networkx()` take all."""
        return Triples(self._transport.stream("POST", "/sparql", data={"query": query}, headers={"Accept": _TRIPLES}))

    def ask_ready(self, name: str, **parameters: Any) -> Rows:
        """The rows of a ready-made question, such as `events/dialogues-in-order`, with values for its parameters."""
        sent = {key: each for key, each in parameters.items() if each is not None}
        headers = {"Accept": _TABLE}
        return Rows(self._transport.stream("GET", f"/api/queries/{quote(name)}", params=sent, headers=headers))

    def describe(self, iri: str) -> Triples:
        """What is said of a thing, by its IRI."""
        headers = {"Accept": _TRIPLES}
        return Triples(self._transport.stream("GET", "/describe", params={"iri": iri}, headers=headers))

    # lists

    def list(self, collection: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """The things of a collection, page after page; filters as /docs names them.

        for each in graph.list("organisations", theme="care", sort="label"): ...
        """
        return self._pages(f"/api/{quote(collection)}", filters)

    organisations = partialmethod(list, "organisations")
    governments = partialmethod(list, "governments")
    events = partialmethod(list, "events")
    policies = partialmethod(list, "policies")
    recommendations = partialmethod(list, "recommendations")
    alliances = partialmethod(list, "alliances")
    themes = partialmethod(list, "themes")
    sdgs = partialmethod(list, "sdgs")
    places = partialmethod(list, "places")
    documents = partialmethod(list, "documents")

    def entity(self, collection: str, slug: str) -> Any:
        """One thing of a collection, with what its claims rest on."""
        headers = {"Accept": "application/json"}
        return self._transport.json("GET", f"/api/{quote(collection)}/{quote(slug)}", headers=headers)

    def search(self, words: str, **filters: Any) -> Iterator[dict[str, Any]]:
        """What is found by words in any language, best first; each hit says why it was found."""
        return self._pages("/api/search", {"q": words} | filters)

    def _pages(self, path: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """What is on the pages, from the first to the one that names no next one."""
        headers = {"Accept": "application/json"}
        page = self._transport.json("GET", path, params=parameters, headers=headers)
        while True:
            yield from page["data"]
            following = page.get("links", {}).get("next") or page.get("next")
            if not following:
                return
            page = self._transport.json("GET", following, headers=headers)

    # networks

    def network(self, projection: str, measures: Iterable[str] = (), **filters: Any) -> networkx.Graph:
        """A network as a graph of networkx, with the measures asked for as attributes of its nodes.

        graph.network("alliances", ["pagerank", "communities"], status=["existing", "planned"], from_="2019")
        """
        return networks.graph(self._transport, projection, measures, filters)

    def measure(self, projection: str, measure: str, **parameters: Any) -> dict[str, Any]:
        """A measure of a network, with all that others need to get the same; filters are parameters too."""
        told: dict[str, Any] = networks.told(self._transport, f"{quote(projection)}/{quote(measure)}", parameters)
        return told

    # changes

    def propose(
        self,
        added: str = "",
        removed: str = "",
        *,
        format: str = "trig",
        note: str = "",
        author: str | None = None,
        dry_run: bool = False,
    ) -> dict[str, Any]:
        """Adds and removes statements, given as RDF text; Violations holds the report when the shapes refuse it.

        Sent again after a failure it is made once. With `dry_run` it is only judged.
        """
        asked: dict[str, Any] = {"note": note, "dry_run": str(dry_run).lower()} | ({"author": author} if author else {})
        body = {"added": added, "removed": removed, "format": format}
        return self._write("/api/changes", asked, body)

    def revert(self, change: int, *, author: str | None = None) -> dict[str, Any]:
        """Undoes a change by a new one."""
        return self._write(f"/api/changes/{change}/revert", {"author": author} if author else {}, None)

    def _write(self, path: str, asked: dict[str, Any], body: Any) -> dict[str, Any]:
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        told: dict[str, Any] = self._transport.json("POST", path, params=asked, json=body, headers=headers)
        return told

    def changes(self, **filters: Any) -> Iterator[dict[str, Any]]:
        """The log of changes, latest first; `entity=` an IRI for the history of one thing."""
        return self._pages("/api/changes", filters)

    # copies

    def changes_since(self, since: int | str, *, limit: int = 1000) -> Iterator[Changes]:
        """What changed after a generation, in pages of whole generations, until the present.

            for page in graph.changes_since(copy.state):
                for change in page.transactions: copy.apply(change)
                copy.state = page.state

        The IRI of a state is safer than its number: it tells a graph that was made anew from the one that you know.
        """
        return copies.changes_since(self._transport, since, limit)

    def download(self, folder: str | Path, name: str = "all.nq.gz") -> Path:
        """The latest dump in a folder, checked by its checksum; a download that was cut before is resumed."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        return copies.download(self._transport, Path(folder), name)

    def dumps(self) -> builtins.list[dict[str, Any]]:
        """The files that can be downloaded: name, graph, bytes, checksum."""
        told: builtins.list[dict[str, Any]] = self._transport.json("GET", "/dumps/")["data"]
        return told
