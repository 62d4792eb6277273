"""Which members a list shows, in which order, from where: filters, sorting, cursors, facets, on columns in memory."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import total_ordering
from hashlib import blake2b
from typing import Any

from kg_service.errors import wrong_parameter
from kg_service.languages import place
from kg_service.lists.columns import Table, Value
from kg_service.lists.declared import LABEL, Collection, Field


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a field: one of the values, or from one to another; `words` are looked for in the names."""

    field: Field
    values: tuple[Any, ...] = ()
    least: Any = None
    most: Any = None

    def test(self) -> Callable[[tuple[Value, ...]], bool]:
        """Whether values of a thing pass."""
        if self.field.is_of_things:
            wanted = {iri for text in self.values for iri in self.field.iris(text)}
            return lambda values: not wanted.isdisjoint(values)
        if self.field.kind == "date":
            return lambda values: any(self._is_date(str(value)) for value in values)
        if self.field.kind in ("integer", "boolean"):
            return lambda values: any(self._is_within(value) for value in values)
        folded = {fold(str(value)) for value in self.values}
        return lambda values: any(fold(str(value)) in folded for value in values)

    def _is_within(self, value: Any) -> bool:
        if self.values and value not in self.values:
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    def _is_date(self, value: str) -> bool:
        """A year or month stands for all its days: what overlaps the asked period is in it."""
        first, last = days(value)
        if self.values and not any(first >= days(each)[0] and last <= days(each)[1] for each in self.values):
            return False
        return (self.least is None or last >= days(self.least)[0]) and (
            self.most is None or first <= days(self.most)[1]
        )


def days(date: str) -> tuple[str, str]:
    """The first and the last day of a year, a month or a day."""
    day = date[:10]
    return day + "0000-01-01"[len(day) :], day + "0000-12-31"[len(day) :]


def fold(text: str) -> str:
    """A text as it is compared: without accents and capitals."""
    if text.isascii():
        return text.casefold()
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def best(values: Iterable[Value], *languages: str) -> tuple[str, str] | None:
    """The (language, text) that a reader of some languages, the best first, is served best with: in the first of them
    that there is one in, else in English, else any."""
    texts = [value for value in values if isinstance(value, tuple)]
    return min(texts, key=lambda text: (place(text[0], languages), *text), default=None)


# ---- Order ----


@total_ordering
@dataclass(frozen=True, slots=True)
class _Turned:
    """A key that sorts the other way round."""

    key: Any

    def __lt__(self, other: _Turned) -> bool:
        return bool(other.key < self.key)


@dataclass(frozen=True, slots=True)
class Order:
    """How members are sorted: fields with their direction, then the IRI, which makes it total; by names in the first of
    some languages that there are any in.
    """

    fields: tuple[tuple[Field, bool], ...]
    languages: tuple[str, ...]

    @classmethod
    def of(cls, text: str, collection: Collection, language: str) -> Order:
        """The order that `-start,label` names; WrongParameter for what cannot be sorted by."""
        sortable = {each.name: each for each in collection.fields if each.is_sortable}
        names = [(part.removeprefix("-"), part.startswith("-")) for part in text.split(",")]
        for name, _ in names:
            if name not in sortable:
                known = ", ".join(sortable)
                raise wrong_parameter("sort", name, f"one of: {known}; with a hyphen before it for the other direction")
        return cls(tuple((sortable[name], is_turned) for name, is_turned in dict(names).items()), (language,))

    def keys(self, table: Table) -> list[tuple[Any, ...]]:
        """The keys of all members in order; the last part of each is the member's IRI."""
        known: list[tuple[Any, ...]] | None = table.made.get(self)
        if known is None:
            columns = [(field, table.columns[field.name], is_turned) for field, is_turned in self.fields]
            known = sorted(
                (*(self._key(field, column.get(iri, ()), is_turned) for field, column, is_turned in columns), iri)
                for iri in table.members
            )
            table.made[self] = known
        return known

    def _key(self, field: Field, values: tuple[Value, ...], is_turned: bool) -> tuple[bool, Any]:
        """What has no value comes last in both directions."""
        if not values:
            return (True, "")
        if field.kind == "text":
            name = best(values, *self.languages)
            key: Any = f"{fold(name[1])}\0{name[1]}" if name else ""
        elif field.kind == "code":
            key = min(_natural(str(value)) for value in values)
        else:
            key = min(values)
        return (False, _Turned(key) if is_turned else key)


def _natural(code: str) -> str:
    """A code such as 10.a as a text that sorts by its numbers: those of one length are compared as they stand."""
    return ".".join(part.rjust(6, "0") for part in code.split("."))


def encoded(key: tuple[Any, ...], question: str) -> str:
    """A place in an order as an opaque text, for the question that it belongs to.

    It carries a checksum, not a secret: it can only name a place, which anyone may ask for.
    """
    parts = [[part[0], part[1].key if isinstance(part[1], _Turned) else part[1]] for part in key[:-1]]
    place = json.dumps([parts, key[-1]], ensure_ascii=False, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_checksum(place, question) + place).decode().rstrip("=")


def decoded(cursor: str, order: Order, question: str) -> tuple[Any, ...]:
    """The place that a cursor names; WrongParameter unless it was made here for the same question."""
    try:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", cursor):
            raise ValueError
        data = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        if _checksum(data[8:], question) != data[:8]:
            raise ValueError
        parts, iri = json.loads(data[8:])
        pairs = list(zip(parts, order.fields, strict=True))
        for (is_missing, key), (field, _) in pairs:  # what is compared must be of one type
            is_text = is_missing or field.kind not in ("integer", "boolean")
            if not isinstance(key, str if is_text else int):
                raise TypeError
        return (
            *((bool(m), _Turned(key) if is_turned and not m else key) for (m, key), (_, is_turned) in pairs),
            str(iri),
        )
    except (ValueError, TypeError, RecursionError):
        allowed = "a cursor from the links of a list with the same filters, sort and lang; leave it out to begin anew"
        raise wrong_parameter("cursor", cursor[:80], allowed) from None


def _checksum(place: bytes, question: str) -> bytes:
    return blake2b(place, digest_size=8, key=blake2b(question.encode(), digest_size=32).digest()).digest()


# ---- The page, and the facets ----


@dataclass(frozen=True, slots=True)
class Page:
    """Members from somewhere in the order on; `following` is the place of the last one, if there are more."""

    members: list[str]
    total: int
    following: tuple[Any, ...] | None


def passing(table: Table, filters: Sequence[Filter]) -> set[str] | None:
    """The members that pass all filters; None without filters: all."""
    found: set[str] | None = None
    for each in sorted(filters, key=lambda each: each.field.kind == "text"):  # what costs most looks at the fewest
        if each.field.kind == "text":
            found = _named(table, each, table.members if found is None else found)
            continue
        test, column = each.test(), table.columns[each.field.name]
        among = table.members if found is None else found
        found = {iri for iri in among if iri in column and test(column[iri])}
    return found


def _named(table: Table, words: Filter, among: Iterable[str]) -> set[str]:
    """Those of whose names one holds all the words."""
    folded: dict[str, str] | None = table.made.get(words.field)
    if folded is None:
        column = table.columns[words.field.name]
        folded = table.made[words.field] = {
            iri: "\n".join({fold(value[1]) for value in values if isinstance(value, tuple)})
            for iri, values in column.items()
        }
    first, *others = fold(str(words.values[0])).split() or [""]
    found = {iri for iri in among if first in folded.get(iri, "")}
    if not others:
        return found
    return {
        iri
        for iri in found
        if any(first in name and all(word in name for word in others) for name in folded[iri].split("\n"))
    }


def page(table: Table, filters: Sequence[Filter], order: Order, after: tuple[Any, ...] | None, limit: int) -> Page:
    """The first `limit` members after a place in the order, of those that pass the filters."""
    chosen, keys = passing(table, filters), order.keys(table)
    start = bisect_right(keys, after) if after is not None else 0
    taken: list[tuple[Any, ...]] = []
    for number in range(start, len(keys)):
        if chosen is None or keys[number][-1] in chosen:
            if len(taken) == limit:
                return Page([key[-1] for key in taken], _total(table, chosen), taken[-1])
            taken.append(keys[number])
    return Page([key[-1] for key in taken], _total(table, chosen), None)


def _total(table: Table, chosen: set[str] | None) -> int:
    return len(table.members if chosen is None else chosen)


def facet(table: Table, of: Field, filters: Sequence[Filter]) -> tuple[list[tuple[Any, int]], int]:
    """How many members have which value, and how many have none; all filters hold but those on the field itself.

    The most frequent values come first. Dates count by their years.
    """
    asked = (of, *(each for each in filters if each.field != of))
    known: tuple[list[tuple[Any, int]], int] | None = table.made.get(asked)
    if known is None:
        known = table.made[asked] = _counted(table, of, asked[1:])
    return known


def _counted(table: Table, of: Field, filters: Sequence[Any]) -> tuple[list[tuple[Any, int]], int]:
    chosen = passing(table, filters)
    column = table.columns[of.name]
    counted: Counter[Any] = Counter()
    missing = 0
    for iri in table.members if chosen is None else chosen:
        values = column.get(iri)
        if not values:
            missing += 1
        elif of.kind == "date":
            counted.update({str(value)[:4] for value in values})
        else:
            counted.update(values)
    return sorted(counted.items(), key=lambda item: (-item[1], str(item[0]))), missing


def needed(order: Order, filters: Iterable[Filter], facets: Iterable[Field]) -> list[Field]:
    """The fields whose columns a question needs."""
    return [*(each for each, _ in order.fields), *(each.field for each in filters), *facets] or [LABEL]
