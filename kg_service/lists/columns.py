"""The values of a collection's fields, kept in memory: what lists are filtered, counted and sorted by.

Engines take seconds to sort ten thousand names on disk, because each comparison looks two texts up; here they are read
once, unsorted, and afterwards brought up to date by the log of changes: of a field whose values a thing's own
statements tell, only the things that a change touched are read again; a field with a longer path is read again when a
change has one of its predicates. Values are at least as new as the generation that a table names, so that doing it
twice is the same as doing it once.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kg_service.lists.declared import Collection, Field
from kg_service.rdf import RDF_TYPE, NamedNode
from kg_service.store import Query, Reads

#: A literal's language and text, or an IRI, a number, a date as written.
Value = tuple[str, str] | str | int | float | bool
Column = dict[str, tuple[Value, ...]]
#: What changed between two generations: subjects and predicates; None when it is not known, or too much.
Touched = tuple[frozenset[str], frozenset[str]] | None
#: Things that are read again one by one; more, and all are.
_MOST_TOUCHED = 2000
#: Orders and counts that are kept with a table.
_MOST_MADE = 32


class Made(dict[Any, Any]):
    """Orders and counts that questions share; begun anew when they become many, as no two may be the same."""

    def __setitem__(self, key: Any, value: Any) -> None:
        if len(self) >= _MOST_MADE:
            self.clear()
        super().__setitem__(key, value)


@dataclass(slots=True)
class Table:
    """What is kept of a collection: its members, the columns read so far, and what was made of them for others."""

    generation: int = -1
    members: dict[str, None] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    made: Made = field(default_factory=Made)
    since: float = field(default_factory=time.monotonic)

    @property
    def size(self) -> int:
        return len(self.members) * (1 + len(self.columns))


class Tables:
    """The tables of all collections; the ones asked last are kept, up to a number of values in all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._tables: OrderedDict[str, Table] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def current(
        self,
        reads: Reads,
        collection: Collection,
        fields: Iterable[Field],
        *,
        generation: int,
        touched: Callable[[int], Touched],
        seconds: float,
        age: float = float("inf"),
    ) -> Table:
        """The table with columns for the fields, as of the generation or later ones.

        `touched` tells what changed since a generation. A generation of 0 is one that nobody counts, so that all is
        read anew, as it is after `age` seconds.
        """
        async with self._locks.setdefault(collection.name, asyncio.Lock()):
            table = self._tables.get(collection.name)
            if table and (not generation or time.monotonic() - table.since > age):
                table = None
            if table is None or table.generation != generation:
                table = await self._renewed(reads, collection, table, generation, touched, seconds)
            missing = [each for each in dict.fromkeys(fields) if each.name not in table.columns]
            if missing or not table.generation:
                columns, table.members, at = await _read(reads, collection, missing, None, table.members, seconds)
                table.columns |= columns
                if table.generation < 0:
                    table.generation = min(generation, at)
            self._keep(collection.name, table)
            return table

    async def _renewed(
        self,
        reads: Reads,
        collection: Collection,
        old: Table | None,
        generation: int,
        touched: Callable[[int], Touched],
        seconds: float,
    ) -> Table:
        """A table for the generation, with what need not be read again."""
        changed = None
        if old is not None and 0 < old.generation < generation:
            changed = await asyncio.to_thread(touched, old.generation)
        if old is None or changed is None or len(changed[0]) > _MOST_TOUCHED:
            return Table()
        subjects, predicates = changed
        known = {each.name: each for each in (*collection.fields, collection.words)}
        columns = {
            name: column
            for name, column in old.columns.items()
            if known[name].is_direct or not known[name].predicates & predicates
        }
        direct = [known[name] for name in columns if known[name].is_direct and known[name].predicates & predicates]
        if not direct and RDF_TYPE.value not in predicates:
            is_same = len(columns) == len(old.columns)
            return Table(generation, old.members, columns, old.made if is_same else Made(), old.since)
        again = [known[name] for name in columns]  # a thing that is new here has values in every column
        newer, found, _ = await _read(reads, collection, again, sorted(subjects), {}, seconds)
        gone = subjects - found.keys()
        members = {iri: None for iri in old.members if iri not in gone} | found
        for each in again:
            kept = {iri: values for iri, values in columns[each.name].items() if iri not in subjects}
            columns[each.name] = kept | newer[each.name]
        return Table(generation, members, columns, since=old.since)

    def _keep(self, name: str, table: Table) -> None:
        self._tables[name] = table
        self._tables.move_to_end(name)
        while len(self._tables) > 1 and sum(each.size for each in self._tables.values()) > self._most:
            self._tables.popitem(last=False)


async def _read(
    reads: Reads,
    collection: Collection,
    fields: Sequence[Field],
    things: Sequence[str] | None,
    members: dict[str, None],
    seconds: float,
) -> tuple[dict[str, Column], dict[str, None], int]:
    """Columns, members, and the generation they were read from; of some things or, for None, of all members."""
    text = _query(collection, fields, things, with_members=not members)
    answer = await reads.answer(Query(text, seconds=seconds))
    columns, found = await asyncio.to_thread(_columns, await answer.content(), fields)
    return columns, found or members, answer.generation


def _query(collection: Collection, fields: Sequence[Field], things: Sequence[str] | None, *, with_members: bool) -> str:
    """All (member, field, value), unsorted; the field by its place from 1, the members themselves as field 0."""
    these = "" if things is None else f"VALUES ?iri {{ {' '.join(str(NamedNode(each)) for each in things)} }} "
    if len(collection.classes) == 1:
        member = f"{these}?iri {RDF_TYPE} {NamedNode(collection.classes[0])} "
    else:
        classes = " ".join(str(NamedNode(each)) for each in collection.classes)
        member = f"{these}VALUES ?class {{ {classes} }} ?iri {RDF_TYPE} ?class "
    parts = [f"{{ {member}BIND(0 AS ?f) }}"] if with_members else []
    parts += [f"{{ {member}. ?iri {each.path} ?v BIND({place} AS ?f) }}" for place, each in enumerate(fields, 1)]
    return f"SELECT ?iri ?f ?v {{ {' UNION '.join(parts)} }}"


def _columns(results: bytes, fields: Sequence[Field]) -> tuple[dict[str, Column], dict[str, None]]:
    found: list[dict[str, list[Value]]] = [{} for _ in fields]
    members: dict[str, None] = {}
    for row in json.loads(results)["results"]["bindings"]:
        iri, place = row["iri"], int(row["f"]["value"])
        if iri["type"] != "uri":
            continue
        if not place:
            members[iri["value"]] = None
            continue
        value = value_of(row["v"], fields[place - 1])
        if value is None:
            continue
        values = found[place - 1].setdefault(iri["value"], [])
        if value not in values:
            values.append(value)
    columns = {
        each.name: {iri: tuple(v) for iri, v in column.items()} for each, column in zip(fields, found, strict=True)
    }
    return columns, members


def value_of(term: dict[str, str], field: Field) -> Value | None:
    """A term of a SPARQL JSON result as a value of the field; None when it cannot be one."""
    text = term["value"]
    if field.kind == "text":
        return (term.get("xml:lang", ""), text) if term["type"] == "literal" else None
    if field.is_of_things:
        is_one = term["type"] == "uri" and (not field.is_only or text.startswith(field.begins))
        return text if is_one else None
    if field.kind == "integer":
        try:
            return int(text)
        except ValueError:
            return None
    return text in ("true", "1") if field.kind == "boolean" else text
