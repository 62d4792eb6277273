"""The named graphs as the page of sources tells of them: what each holds, since when, and on what terms."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kg_service.languages import best_text
from kg_service.rdf import ENTITY, GRAPH, PREFIXES, Literal, Term
from kg_service.web.names import Names, Shown

_DCTERMS = PREFIXES["dcterms"]
_PAGE = "http://xmlns.com/foaf/0.1/page"


@dataclass(frozen=True, slots=True)
class HeldGraph:
    """A named graph: the document that it was made of, its statements, when it was first and last changed, and how
    many problems (None where that is not known) and hints the shapes find with what it describes. One that holds
    other people's data says how they are called, licensed and cited, and where they are from.
    """

    name: Shown
    document: str
    statements: int
    times: tuple[str, str] | None
    problems: int | None
    hints: int
    title: Shown | None
    licences: tuple[Shown, ...]
    citation: str
    home: str


def graphs(
    sizes: Mapping[str, int],
    times: Mapping[str, tuple[str, str]],
    problems: Mapping[str, Mapping[str, int]] | None,
    datasets: Iterable[Mapping[str, Any]],
    names: Names,
) -> list[HeldGraph]:
    """The named graphs, as the page tells of them; `datasets` are the rows of `figures.DATASETS`."""
    made, said = [], defaultdict[str, list[tuple[str, Term]]](list)
    for row in datasets:
        said[row["graph"].value].append((row["property"].value, row["value"]))
    for iri, size in sizes.items():
        found = Counter(problems.get(iri, {})) if problems is not None else None
        wrong = None if found is None else found["Violation"] + found["Warning"]
        document = f"{ENTITY}document/{iri.removeprefix(GRAPH)}"
        hints = found["Info"] if found else 0
        about = _dataset(iri, said.get(iri, []), names)
        made.append(HeldGraph(names.of(iri), document, size, times.get(iri), wrong, hints, *about))
    return made


def _dataset(
    iri: str, said: Sequence[tuple[str, Term]], names: Names
) -> tuple[Shown | None, tuple[Shown, ...], str, str]:
    """What a data set is called in the reader's language, its licences, how it is cited, and its page."""

    def values(name: str) -> list[Any]:
        return [value for property, value in said if property == name]

    titles = {each.language or "": each.value for each in values(f"{_DCTERMS}title") if isinstance(each, Literal)}
    found = best_text(titles, names.catalogue.tongues)
    title = Shown(*found, names.addresses.page(iri), iri) if found else None
    licences = tuple(names.shown(each) for each in values(f"{_DCTERMS}license"))
    citation = next((each.value for each in values(f"{_DCTERMS}bibliographicCitation")), "")
    return title, licences, citation, next((each.value for each in values(_PAGE)), "")
