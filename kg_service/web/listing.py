"""What the page of a list shows: things as cards with what they are tied to, and facets that narrow them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kg_service.lists.declared import Collection, Field
from kg_service.web.names import Names, Shown
from kg_service.web.paging import paging
from kg_service.web.rendering import CONTENT

#: Things on a page.
SIZE = 25


@dataclass(frozen=True, slots=True)
class Tie:
    """What a thing is tied to by a relation, with a note such as a status, a role or a date, and the claim behind."""

    relation: str
    thing: Shown | None
    note: Shown | None = None
    claim: str | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A thing with the values of its fields by name, and its ties by what they tell."""

    name: Shown
    fields: Mapping[str, tuple[Shown, ...]]
    ties: Mapping[str, Mapping[str, tuple[Tie, ...]]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a facet: how many have it, and where it is chosen, or chosen no more."""

    name: Shown
    n: int
    address: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of a field, the most frequent first, and how many have none."""

    name: str
    choices: tuple[Choice, ...]
    missing: int
    more: int

    @property
    def has_chosen(self) -> bool:
        return any(each.is_chosen for each in self.choices)


class ListPage:
    """One page of a collection, as it is asked for by `given`: the values of its parameters that were sent."""

    def __init__(
        self, collection: Collection, given: Mapping[str, Any], *, total: int, generation: int, names: Names
    ) -> None:
        self.collection, self._given, self._names = collection, given, names
        self.total, self.generation = total, generation
        self.q, self.sort = given.get("q") or "", ",".join(given.get("sort") or ())
        self.page, self.pages = given["page"], max(1, -(-total // SIZE))
        self.paging = paging(collection.name, self.page, self.pages, self.at)
        self.first = (self.page - 1) * SIZE + 1
        #: What a form must send beside its own fields.
        self.hidden = [(name, value) for name, value in self._pairs() if name not in ("q", "sort")]
        self.is_narrowed = bool(self.q or self.hidden)
        self.whole = f"{names.addresses.root}/{collection.name}?lang={names.catalogue.language}"

    def at(self, page: int = 1, other: Mapping[str, tuple[str, ...]] | None = None) -> str:
        """The address of another page of this list, with other values for some parameters."""
        pairs = self._pairs(other) + ([("page", str(page))] if page > 1 else [])
        query = urlencode([*pairs, ("lang", self._names.catalogue.language)])
        return f"{self._names.addresses.root}/{self.collection.name}?{query}"

    def data(self, ending: str) -> str:
        """The same list from the API."""
        query = urlencode(self._pairs())
        return f"{self._names.addresses.root}/api/{self.collection.name}{ending}{'?' if query else ''}{query}"

    def _pairs(self, other: Mapping[str, tuple[str, ...]] | None = None) -> list[tuple[str, str]]:
        asked = {**self._given, **(other or {})}
        pairs = []
        for name, value in asked.items():
            if name in ("page", "lang", CONTENT):
                continue
            pairs += [(name, str(each)) for each in (value if isinstance(value, tuple) else (value,)) if each]
        return pairs

    def card(
        self, thing: Mapping[str, Any], texts: Mapping[str, tuple[str, str]], ties: Mapping[str, Iterable[Tie]]
    ) -> Card:
        """A thing of a page, with its texts (language and words, by field), and its ties by what they tell."""
        said = {field: (Shown(words, language or None),) for field, (language, words) in texts.items()}
        return Card(
            self._names.of(thing["iri"]),
            {field.name: self._values(field, thing.get(field.name)) for field in self.collection.fields} | said,
            {what: _by_relation(each) for what, each in ties.items()},
        )

    def _values(self, field: Field, value: Any) -> tuple[Shown, ...]:
        values = value if isinstance(value, list) else [] if value is None else [value]
        if field.is_of_things:
            return tuple(self._names.of(each) for each in values)
        return tuple(Shown(str(each)) for each in values)

    def facet(self, field: Field, counted: Sequence[tuple[Any, int]], missing: int, most: int) -> Facet:
        """The values of a field with their numbers: those that are chosen, then the most frequent ones."""
        name = str(field.filter)
        chosen = tuple(self._given.get(name) or ())
        meant = {iri for each in chosen for iri in (field.iris(each) if field.is_of_things else (each,))}
        first = [each for each in counted if str(each[0]) in meant]
        listed = [*first, *(each for each in counted[:most] if each not in first)]
        return Facet(
            name,
            tuple(self._choice(field, value, n, chosen, str(value) in meant) for value, n in listed),
            missing,
            len(counted) - len(listed),
        )

    def _choice(self, field: Field, value: Any, n: int, chosen: tuple[str, ...], is_chosen: bool) -> Choice:
        sent = field.short(str(value)) if field.is_of_things else str(value)
        if is_chosen:
            left = tuple(
                each for each in chosen if str(value) not in (field.iris(each) if field.is_of_things else (each,))
            )
        else:
            left = (*chosen, sent)
        name = self._names.of(str(value)) if field.is_of_things else Shown(str(value))
        return Choice(name, n, self.at(other={str(field.filter): left}), is_chosen)


def _by_relation(ties: Iterable[Tie]) -> dict[str, tuple[Tie, ...]]:
    found: dict[str, list[Tie]] = {}
    for tie in ties:
        if tie not in found.setdefault(tie.relation, []):
            found[tie.relation].append(tie)
    return {relation: tuple(each) for relation, each in found.items()}
