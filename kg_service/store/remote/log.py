"""The log of an engine's graph: every change is written as RDF in a graph of ours, by the update that makes it.

Refused changes and the quarantine are no part of the graph; they stay with the service that refused them, in SQLite.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pyoxigraph import Literal, NamedNode, Quad

from kg_service.store.log import Entry, Log, Refusal, check_size
from kg_service.store.patches import Patch
from kg_service.store.remote.graphs import LOG

#: Characters of a patch in one literal.
_PIECE = 50_000
#: What an entry says in plain literals; each is a property of that name below.
_TEXTS = ("time", "author", "note", "outcome", "key", "request")
_NUMBERS = ("number", "generation", "added", "removed", "reverts")

Rows = Callable[[str], Iterator[Any]]


def _named(name: str) -> NamedNode:
    return NamedNode(f"{LOG.value}#{name}")


def _node(number: int) -> NamedNode:
    return NamedNode(f"{LOG.value}/{number}")


def as_quads(entry: Entry, patch: Patch) -> Iterator[Quad]:
    """An entry and its patch as they are written, for good."""

    def said() -> Iterator[tuple[str, Literal | NamedNode]]:
        for name in _NUMBERS:
            if (value := getattr(entry, name)) is not None:
                yield name, Literal(value)
        for name in _TEXTS:
            value = getattr(entry, name)
            if value:
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                yield name, Literal(text)
        for iri in sorted(patch.touched):
            yield "touched", _touched(iri)
        packed = base64.b64encode(patch.packed()).decode()
        for piece, start in enumerate(range(0, len(packed), _PIECE)):
            yield f"patch-{piece}", Literal(packed[start : start + _PIECE])

    for name, value in said():
        yield Quad(_node(entry.number), _named(name), value, LOG)


def last(number: int) -> Quad:
    """What says which number the last change has."""
    return Quad(LOG, _named("last"), Literal(number), LOG)


#: A pattern for the number of the last change, `?last`.
LAST = f"{LOG} {_named('last')} ?last"


class RemoteLog:
    """The log up to a generation, asked of the engine each time."""

    def __init__(self, rows: Rows, generation: int, refused: Path) -> None:
        self._rows, self.generation, self._refused = rows, generation, refused

    @property
    def history(self) -> int:
        """Always the same: another engine is backed up and restored by its own means."""
        return 0

    def _asked(self, what: str, pattern: str, ending: str = "") -> Iterator[Any]:
        there = f"?entry {_named('generation')} ?generation . FILTER(?generation <= {self.generation})"
        return self._rows(f"SELECT {what} {{ GRAPH {LOG} {{ {pattern} {there} }} }} {ending}")

    def _number(self, what: str, pattern: str) -> int:
        """The greatest or least of numbers, 0 without any."""
        for row in self._asked(f"({what} AS ?found)", pattern):
            if row["found"] is not None:
                return int(row["found"].value)
        return 0

    def last_number(self) -> int:
        return self._number("MAX(?number)", f"?entry {_named('number')} ?number .")

    def entry(self, number: int) -> Entry | None:
        return next(iter(self._entries(f"?entry {_named('number')} {number} .", 1)), None)

    def with_key(self, key: str) -> Entry | None:
        return next(iter(self._entries(f"?entry {_named('key')} {Literal(key)} .", 1)), None)

    def entries(
        self, *, below: int | None = None, limit: int, iri: str | None = None, author: str | None = None
    ) -> list[Entry]:
        pattern = f"FILTER(?number < {below}) " if below is not None else ""
        if iri is not None:
            pattern += f"?entry {_named('touched')} {_touched(iri)} . "
        if author is not None:
            pattern += f"?entry {_named('author')} {Literal(author)} . "
        return self._entries(pattern, limit)

    def following(self, generation: int, *, limit: int) -> list[Entry]:
        """The changes that came after a generation, first ones first."""
        return self._entries(f"FILTER(?generation > {generation}) ", limit, order="?number")

    def touching(self, iris: Collection[str], *, after: int) -> list[int]:
        """The numbers of the changes after one that are about any of these subjects or graphs, in order."""
        values = " ".join(str(_touched(iri)) for iri in iris)
        chosen = self._asked(
            "DISTINCT ?number",
            f"VALUES ?touched {{ {values} }} ?entry {_named('touched')} ?touched ; {_named('number')} ?number . "
            f"FILTER(?number > {after})",
            "ORDER BY ?number",
        )
        return [int(row["number"].value) for row in chosen]

    def begins(self, number: int, start: str) -> bool:
        """Whether a change is about a subject or a graph whose IRI begins so."""
        pattern = f"{_node(number)} {_named('touched')} ?touched . FILTER(STRSTARTS(STR(?touched), {Literal(start)}))"
        return any(True for _ in self._rows(f"SELECT ?touched {{ GRAPH {LOG} {{ {pattern} }} }} LIMIT 1"))

    def _entries(self, pattern: str, limit: int, *, order: str = "DESC(?number)") -> list[Entry]:
        """Entries in that order: their numbers, then what is said of them but for the patch."""
        chosen = self._asked(
            "DISTINCT ?number",
            f"{pattern} ?entry {_named('number')} ?number .",
            f"ORDER BY {order} LIMIT {limit}",
        )
        numbers = [int(row["number"].value) for row in chosen]
        if not numbers:
            return []
        values = " ".join(f"({_node(number)} {_named(name)})" for number in numbers for name in (*_NUMBERS, *_TEXTS))
        found: dict[str, dict[str, str]] = {}
        for row in self._rows(f"SELECT ?e ?p ?o {{ VALUES (?e ?p) {{ {values} }} GRAPH {LOG} {{ ?e ?p ?o }} }}"):
            name = row["p"].value.removeprefix(f"{LOG.value}#")
            found.setdefault(row["e"].value, {})[name] = row["o"].value
        return [_entry(found[_node(number).value]) for number in numbers]

    def patch(self, number: int) -> Patch | None:
        entry = self.entry(number)
        if entry is None:
            return None
        check_size(entry)
        return Patch.unpacked(self.packed(number) or b"")

    def packed(self, number: int) -> bytes | None:
        """A change as it is stored; see `patches.rows`."""
        prefix = _named("patch-").value
        starts = f"FILTER(STRSTARTS(STR(?p), {Literal(prefix)}))"
        pieces = {
            int(row["p"].value.removeprefix(prefix)): row["o"].value
            for row in self._rows(f"SELECT ?p ?o {{ GRAPH {LOG} {{ {_node(number)} ?p ?o {starts} }} }}")
        }
        if not pieces:
            return None
        return base64.b64decode("".join(pieces[piece] for piece in range(len(pieces))))

    def between(self, first: int, last: int) -> Iterator[Patch]:
        chosen = self._asked(
            "?number",
            f"?entry {_named('number')} ?number . FILTER(?generation > {first} && ?generation <= {last})",
            "ORDER BY ?number",
        )
        for number in [int(row["number"].value) for row in chosen]:
            patch = self.patch(number)
            assert patch
            yield patch

    def first_generation(self) -> int:
        return (self._number("MIN(?generation)", "") or self.generation + 1) - 1

    def last_about(self, iri: str) -> int:
        pattern = f"?entry {_named('touched')} {_touched(iri)} ; {_named('number')} ?number ."
        return self._number("MAX(?number)", pattern)

    # what was refused

    @contextmanager
    def _here(self) -> Iterator[Log]:
        self._refused.mkdir(parents=True, exist_ok=True)
        with closing(Log(self._refused, generation=0, is_writer=True)) as log:
            yield log

    def refuse(self, refusal: Refusal) -> None:
        """Remembers a refused change."""
        with self._here() as log:
            log.refuse(refusal)

    def quarantine(self, refusal: Refusal, patch: Patch) -> int:
        """Keeps a change that does not conform, apart from the data; returns its number in quarantine."""
        with self._here() as log:
            return log.quarantine(refusal, patch)

    def refusals(self, *, below: int | None = None, limit: int) -> list[Refusal]:
        with self._here() as log:
            return log.refusals(below=below, limit=limit)

    def quarantined(self, *, below: int | None = None, limit: int) -> list[Refusal]:
        with self._here() as log:
            return log.quarantined(below=below, limit=limit)

    def in_quarantine(self, number: int) -> tuple[Refusal, Patch] | None:
        with self._here() as log:
            return log.in_quarantine(number)

    def release(self, number: int) -> bool:
        with self._here() as log:
            return log.release(number)


def _touched(iri: str) -> NamedNode:
    return NamedNode(iri) if iri else _named("default-graph")


def _entry(said: dict[str, str]) -> Entry:
    return Entry(
        number=int(said["number"]),
        generation=int(said["generation"]),
        time=said["time"],
        author=said.get("author", ""),
        note=said.get("note", ""),
        added=int(said["added"]),
        removed=int(said["removed"]),
        outcome=json.loads(said["outcome"]),
        reverts=int(said["reverts"]) if "reverts" in said else None,
        key=said.get("key"),
        request=said.get("request"),
    )
