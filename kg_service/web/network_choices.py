"""What a network can be narrowed by: the filters with their values, those in the data and those of closed lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.languages import place
from kg_service.network.selection import FILTERS
from kg_service.ontology import Ontology, in_language
from kg_service.rdf import ENTITY, ONTOLOGY, PREF_LABEL, PREFIXES, NamedNode
from kg_service.web.rendering import Catalogue

#: Most values of a filter that are listed.
MOST_CHOICES = 200
#: Filters whose values are things in the data, by their classes; those of the others are closed lists.
_CLASSES = {
    ONTOLOGY + "Place": "territory",
    ONTOLOGY + "Theme": "theme",
    ONTOLOGY + "Document": "source",
    PREFIXES["sdgo"] + "Goal": "sdg",
}
_LISTS = ("sector", "level", "status", "certainty")


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a filter, or of another choice."""

    value: str
    text: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with its values, any number of which can be chosen; cut where there are more than are listed."""

    name: str
    choices: tuple[Choice, ...]
    is_cut: bool

    @property
    def chosen(self) -> int:
        return sum(each.is_chosen for each in self.choices)


def choices_query() -> str:
    """The query for the values of the filters that are things in the data, with their names."""
    classes = " ".join(str(NamedNode(each)) for each in _CLASSES)
    return (
        f"SELECT ?class ?value ?name {{ {{ SELECT DISTINCT ?class ?value {{ VALUES ?class {{ {classes} }} "
        f"?value a ?class }} ORDER BY ?value LIMIT {5 * MOST_CHOICES} }} ?value {PREF_LABEL} ?name }}"
    )


def filters(
    asked: Mapping[str, Any],
    choosable: Iterable[tuple[str, str, str, str]],
    kinds: Iterable[str],
    *,
    ontology: Ontology,
    catalogue: Catalogue,
) -> list[Filter]:
    """Each filter that has values or is set. `choosable` are the rows of `choices_query`, `kinds` those of the ties."""
    found: dict[str, dict[str, str]] = {name: {} for name in FILTERS}
    tongues = catalogue.tongues
    for scheme in ontology.schemes:
        for concept in scheme.concepts:
            kind, _, slug = concept.iri.removeprefix(ENTITY).partition("/")
            if kind in _LISTS and slug:
                found[kind][slug] = in_language(concept.labels, *tongues) or slug
    # The name that is wanted most comes last.
    for class_iri, iri, name, _ in sorted(choosable, key=lambda row: (place(row[3], tongues), row[2]), reverse=True):
        into, value = found[_CLASSES[class_iri]], iri.rstrip("/").rpartition("/")[2]
        into[value] = f"{value}. {name}" if class_iri.endswith("Goal") else name
    names = {each.iri: each.labels for scheme in ontology.schemes for each in scheme.concepts}
    for iri in kinds:
        value = iri.rpartition("/")[2].rpartition("#")[2]
        own = in_language(names.get(iri, {}), *tongues)
        found["kinds"][value] = own or ontology.label(iri, catalogue.language) or value
    return [_listed(name, values, asked[name]) for name, values in found.items() if values or asked[name]]


def _listed(name: str, values: dict[str, str], chosen: list[str]) -> Filter:
    for each in chosen:
        values.setdefault(each, each)
    is_goal = name == "sdg"
    order = sorted(
        values, key=lambda v: (int(v) if is_goal and re.fullmatch("[0-9]{1,4}", v) else 0, values[v].casefold())
    )
    kept = [value for place, value in enumerate(order) if place < MOST_CHOICES or value in chosen]
    return Filter(name, tuple(Choice(v, values[v], v in chosen) for v in kept), len(kept) < len(order))
