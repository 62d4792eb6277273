"""The dataset's revision: a number in a graph of ours, that every change checks and advances in its one operation."""

from __future__ import annotations

from typing import cast

from pyoxigraph import Literal, NamedNode

from kg_service.errors import StoreError
from kg_service.store.remote.exchange import Exchange
from kg_service.store.remote.graphs import REVISION, is_visible

NUMBER = "<http://www.w3.org/1999/02/22-rdf-syntax-ns#value>"
MADE_BY = "<http://purl.org/dc/terms/identifier>"
#: Revisions whose writers are remembered: a writer must ask within so many changes whether its own was made.
REMEMBERED = 100


class Conflict(StoreError):
    """Someone else changed the graph first; nothing was written. Read again, judge again, write again."""

    title = "The graph was changed meanwhile"
    status = 409


def revision_of(exchange: Exchange) -> int:
    """The revision that the dataset says it has; 0 when it says none."""
    text = f"SELECT ?n {{ GRAPH {REVISION} {{ {REVISION} {NUMBER} ?n }} }}"
    numbers = [int(cast(Literal, row["n"]).value) for row in exchange.query(text, "SELECT").rows()]
    if len(numbers) > 1:
        raise StoreError(f"{REVISION} holds {len(numbers)} revision numbers; only one writer program may change it")
    return numbers[0] if numbers else 0


def visible_graphs(exchange: Exchange) -> list[NamedNode]:
    rows = exchange.query("SELECT DISTINCT ?g { GRAPH ?g { ?s ?p ?o } }", "SELECT").rows()
    found = (row["g"] for row in rows)
    return sorted((g for g in found if isinstance(g, NamedNode) and is_visible(g)), key=lambda g: g.value)


def guarded(revision: int, writer: str, removed: str, added: str, where: str) -> str:
    """The one operation of a change: nothing matches, and nothing happens, unless the revision is the expected one."""
    number = f"{REVISION} {NUMBER}"
    forgotten = f"<{REVISION.value}/{revision + 1 - REMEMBERED}> {MADE_BY} ?forgotten"
    return (
        f"DELETE {{ GRAPH {REVISION} {{ {number} {revision} . {forgotten} }}\n{removed} }}\n"
        f"INSERT {{ GRAPH {REVISION} {{ {number} {revision + 1} . "
        f"<{REVISION.value}/{revision + 1}> {MADE_BY} {Literal(writer)} }}\n{added} }}\n"
        f"WHERE {{ GRAPH {REVISION} {{ {number} {revision} }}\n"
        f"OPTIONAL {{ GRAPH {REVISION} {{ {forgotten} }} }}\n{where} }}"
    )


def conflict(revision: int) -> Conflict:
    return Conflict(f"the graph has left revision {revision}, which the change was made for; nothing was written")
