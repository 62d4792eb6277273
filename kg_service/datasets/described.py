"""Descriptions of other people's data sets and vocabularies: one TOML file each in `data/datasets`.

    # data/datasets/coops-uk.toml; its statements go to the named graph …/graph/coops-uk
    license = "https://opendatacommons.org/licenses/by/1-0/"
    citation = "Co-operatives UK (2023). …"     # the words with which it is to be cited
    publisher = "Co-operatives UK"
    homepage = "https://www.uk.coop/open-data"
    schedule = "quarterly"                      # how often it changes at its source: a word of FREQUENCIES, or absent
    after = ["m49"]                             # what is loaded before it, where it is loaded too

    [title]                                     # en, es and fr; [description] likewise, if there is one
    en = "Co-operatives in the United Kingdom"

    [[part]]                                    # one for each file, in the order in which they are read
    file = "datasets/coops-uk/standard.*.csv"   # below the folder that is loaded; * and ? as in a shell, last by name
    url = "https://…"                           # where this file is had afresh, if it is
    endpoint = "https://…/sparql"               # or the SPARQL endpoint that the mapping is sent to, page by page
    format = "csv"                              # by the ending of the file where it is absent; geojson, turtle, …
    mapping = "coops-uk.rq"                     # beside the description; RDF may go in without one
    title = "Organisations"                     # what this part is, for reports

    [part.values.country]                       # what cells of a column say, and how that is read; "" is nothing
    "Österreich" = "AT"

A mapping of a table is a CONSTRUCT query with a variable per column (`tables.mapping`), one of RDF a CONSTRUCT query
over the file. Where there is an `endpoint` the mapping is a CONSTRUCT query over what it holds.
What title, licence, citation and the rest say goes into the graph itself, as DCAT, so that `/catalog` tells it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kg_service.errors import Malformed, NotFound
from kg_service.rdf import PREFIXES, RDF_TYPE, Literal, NamedNode, Quad, Term, graph

_DCAT, _DCT, _FOAF = "http://www.w3.org/ns/dcat#", PREFIXES["dcterms"], PREFIXES["foaf"]
_FREQUENCY = "http://publications.europa.eu/resource/authority/frequency/"
#: Words for how often a source changes, with the code of the EU's list of frequencies.
FREQUENCIES = {
    "daily": "DAILY",
    "weekly": "WEEKLY",
    "monthly": "MONTHLY",
    "quarterly": "QUARTERLY",
    "yearly": "ANNUAL",
    "irregular": "IRREG",
    "never": "NEVER",
}
_NEEDED = ("license", "citation", "publisher", "title", "part")
_KNOWN = {*_NEEDED, "description", "homepage", "schedule", "after"}
_OF_PARTS = {"file", "url", "endpoint", "format", "mapping", "title", "values"}


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a data set: its pattern below a folder, where it is had, and the mapping that reads it."""

    file: str = ""
    url: str = ""
    endpoint: str = ""
    format: str = ""
    mapping: Path | None = None
    title: str = ""
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set as it is described; its name is that of the description's file."""

    name: str
    title: Mapping[str, str]
    description: Mapping[str, str]
    license: str
    citation: str
    publisher: str
    homepage: str
    schedule: str
    after: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def graph(self) -> NamedNode:
        """The named graph that its statements go to."""
        return graph(self.name)

    @property
    def is_fetched(self) -> bool:
        """Whether any part of it is had from elsewhere."""
        return any(part.url or part.endpoint for part in self.parts)

    def said(self) -> Iterator[Quad]:
        """What the graph says of itself: a DCAT data set with its licence and citation."""
        this = self.graph
        about: list[tuple[str, Term]] = [
            (_DCT + "license", NamedNode(self.license)),
            (_DCT + "bibliographicCitation", Literal(self.citation)),
            (_DCT + "creator", Literal(self.publisher)),
        ]
        about += [(_DCT + "title", Literal(text, language=tag)) for tag, text in self.title.items()]
        about += [(_DCT + "description", Literal(text, language=tag)) for tag, text in self.description.items()]
        if self.homepage:
            about.append((_FOAF + "page", NamedNode(self.homepage)))
        if self.schedule:
            about.append((_DCT + "accrualPeriodicity", NamedNode(_FREQUENCY + FREQUENCIES[self.schedule])))
        about += [(_DCT + "source", NamedNode(each)) for part in self.parts if (each := part.url or part.endpoint)]
        yield Quad(this, RDF_TYPE, NamedNode(_DCAT + "Dataset"), this)
        for property, value in about:
            yield Quad(this, NamedNode(property), value, this)


def every(folder: Path) -> list[Dataset]:
    """All descriptions in a folder, each after those that it names in `after`; Malformed for what is wrong in one."""
    found = {path.stem: parsed(path) for path in sorted(folder.glob("*.toml"))}
    ordered: dict[str, Dataset] = {}

    def add(dataset: Dataset, waiting: tuple[str, ...]) -> None:
        if dataset.name in waiting:
            raise Malformed(f"the descriptions {', '.join(waiting)} are each to be loaded after another of them")
        for name in dataset.after:
            if name not in found:
                raise Malformed(f'{dataset.name}.toml: after "{name}"; known: {", ".join(found)}')
            add(found[name], (*waiting, dataset.name))
        ordered.setdefault(dataset.name, dataset)

    for each in found.values():
        add(each, ())
    return list(ordered.values())


def named(folder: Path, names: Iterable[str]) -> list[Dataset]:
    """The descriptions of those names, in the order of loading; all where no name is given."""
    datasets, wanted = every(folder), list(names)
    known = [each.name for each in datasets]
    for name in wanted:
        if name not in known:
            raise NotFound(f'there is no data set "{name}"; known: {", ".join(sorted(known)) or "none"}')
    return [each for each in datasets if not wanted or each.name in wanted]


def parsed(path: Path) -> Dataset:
    """The description in a file; Malformed says what is wrong with it."""
    try:
        text = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"{path.name} is no TOML: {error}") from None
    if lacking := [each for each in _NEEDED if not text.get(each)]:
        raise Malformed(f"{path.name} lacks {', '.join(lacking)}")
    if unknown := sorted(set(text) - _KNOWN):
        raise Malformed(f"{path.name}: {', '.join(unknown)}: known are {', '.join(sorted(_KNOWN))}")
    schedule = str(text.get("schedule", ""))
    if schedule and schedule not in FREQUENCIES:
        raise Malformed(f'{path.name}: schedule "{schedule}"; known: {", ".join(FREQUENCIES)}')
    return Dataset(
        name=path.stem,
        title=_texts(path, "title", text["title"]),
        description=_texts(path, "description", text.get("description", {})),
        license=_address(path, "license", text["license"]),
        citation=str(text["citation"]),
        publisher=str(text["publisher"]),
        homepage=_address(path, "homepage", text["homepage"]) if text.get("homepage") else "",
        schedule=schedule,
        after=tuple(map(str, text.get("after", ()))),
        parts=tuple(_part(path, number, each) for number, each in enumerate(text["part"], 1)),
    )


def _texts(path: Path, name: str, given: Any) -> dict[str, str]:
    if not isinstance(given, dict) or (given and "en" not in given):
        raise Malformed(f"{path.name}: {name} is a table of languages, en among them")
    return {str(tag): str(text) for tag, text in given.items()}


def _address(path: Path, name: str, given: Any) -> str:
    try:
        if not str(given).startswith(("https://", "http://")):
            raise ValueError
        return NamedNode(str(given)).value
    except ValueError:
        raise Malformed(f"{path.name}: {name} is a web address, not {given!r}") from None


def _part(path: Path, number: int, given: Any) -> Part:
    where = f"{path.name}, part {number}"
    if unknown := sorted(set(given) - _OF_PARTS):
        raise Malformed(f"{where}: {', '.join(unknown)}: known are {', '.join(sorted(_OF_PARTS))}")
    if bool(given.get("file")) == bool(given.get("endpoint")):
        raise Malformed(f"{where} needs a file or an endpoint, and not both")
    pattern = str(given.get("file", ""))
    if pattern.startswith("/") or ".." in pattern.split("/"):
        raise Malformed(f'{where}: file "{pattern}" leads out of the folder')
    mapping = path.parent / str(given["mapping"]) if given.get("mapping") else None
    if mapping is not None and (mapping.parent != path.parent or not mapping.is_file()):
        raise Malformed(f'{where}: there is no mapping "{given["mapping"]}" beside the description')
    for name in ("url", "endpoint"):
        if given.get(name):
            _address(path, name, given[name])
    values = {
        str(column): {str(text): str(read) for text, read in table.items()}
        for column, table in given.get("values", {}).items()
    }
    texts = {name: str(given.get(name, "")) for name in ("file", "url", "endpoint", "format", "title")}
    return Part(**texts, mapping=mapping, values=values)
