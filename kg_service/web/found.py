"""What the page of a search shows: things in words, the text that matched, and why each stands where it does."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from kg_service.linked_data.addresses import Addresses
from kg_service.ontology import Ontology
from kg_service.rdf import ONTOLOGY, PREF_LABEL, NamedNode
from kg_service.rulebook import compact
from kg_service.web.names import Shown
from kg_service.web.rendering import CONTENT, LANGUAGES, Catalogue

#: Things on a page, and how they may be shown.
SIZE = 20
VIEWS = ("list", "table", "map")


@dataclass(frozen=True, slots=True)
class Source:
    """The document that a quotation or a claim is from: its name, and the language of its words."""

    document: Shown
    language: str | None


@dataclass(frozen=True, slots=True)
class Hit:
    """A thing that was found. `pieces` are its text in parts, each with whether it matched; `quoted` leads to the
    quotation or claim that the text stands in, where it is not the thing's own.
    """

    name: Shown
    types: tuple[str, ...]
    pieces: tuple[tuple[str, bool], ...]
    text_language: str | None
    field: str
    property: str | None
    language: Shown | None
    match: str
    quoted: str | None
    document: Shown | None
    #: The other entries of the same actor.
    same: tuple[Shown, ...] = ()


@dataclass(frozen=True, slots=True)
class Facet:
    """A class, or another value, with the number of things found of it, and where only those are shown: of one that
    is chosen, where all are again.
    """

    name: Shown
    n: int
    address: str
    is_chosen: bool
    #: What is sent for it, and the list of what has it.
    code: str = ""
    listed: str = ""


class Results:
    """One page of what was found, in the reader's language; `sources` are known by the IRI of quotation or claim."""

    def __init__(
        self,
        found: Mapping[str, Any],
        sources: Mapping[str, Source],
        *,
        q: str,
        type: str | None,
        class_iri: str | None,
        chosen: Mapping[str, Sequence[str]],
        facets: Iterable[tuple[str, Iterable[tuple[Shown, str, int]]]],
        view: str,
        page: int,
        last_page: int,
        addresses: Addresses,
        ontology: Ontology,
        catalogue: Catalogue,
    ) -> None:
        self._q, self._type, self._chosen, self._sources, self._view = q, type, chosen, sources, view
        self._addresses, self._ontology, self._catalogue = addresses, ontology, catalogue
        self.total, self.is_exact = found["total"], found["is_exact"]
        self.first = (page - 1) * SIZE + 1
        self.hits = [self._hit(each) for each in found["data"]]
        self.facets = [
            Facet(
                Shown(self._class(each["iri"], each["label"])),
                each["count"],
                self._at({"type": _short(each["iri"])}),
                each["iri"] == class_iri,
            )
            for each in found["facets"]
            if self._word(each["iri"]) or each["label"] or each["iri"] == class_iri  # others say nothing to people
        ]
        self.every_type = self._at({"type": None})
        #: By the name of each facet its values, the most frequent first.
        self.narrowings = {
            name: [
                Facet(
                    shown,
                    count,
                    self._at({name: _toggled(chosen[name], value)}),
                    value in chosen[name],
                    value,
                    self._at({name: [value], "view": VIEWS[0]}),
                )
                for shown, value, count in values
            ]
            for name, values in facets
        }
        #: The same in each view, and which of them this is.
        self.views = [(each, self._at({"view": each}, page=page), each == view) for each in VIEWS]
        self.is_narrowed = any(chosen.values())
        self.every_one = self._at(dict.fromkeys(chosen))
        self.ignored = found["ignored"]
        #: Words that may have been meant, by the word that was typed.
        self.meant = {word: others for word, others in found["meant"].items() if others}
        # What `pager` in terms.html shows.
        self.name, self.page = Shown(q), page
        self.pages = max(1, min(-(-self.total // SIZE), last_page))
        steps = {"first": 1, "previous": page - 1, "next": page + 1, "last": self.pages}
        wanted = {"first", "previous"} if page > 1 else set()
        wanted |= {"next", "last"} if page < self.pages else set()
        self.steps = {name: self._at(page=number) for name, number in steps.items() if name in wanted}

    def _at(self, other: Mapping[str, str | Sequence[str] | None] | None = None, *, page: int = 1) -> str:
        """The address of another page of this search."""
        asked = (
            {"q": self._q, "type": self._type, "view": self._view, **self._chosen}
            | dict(other or {})
            | {"lang": self._catalogue.language, CONTENT: self._catalogue.content}
        )
        sent = {n: text for n, text in asked.items() if text and (n, text) != ("view", VIEWS[0])} | (
            {"page": str(page)} if page > 1 else {}
        )
        return f"{self._addresses.root}/search?{urlencode(sent, doseq=True)}"

    def countries(self) -> str:
        """How many of the best are in which country, and where those are listed, as the map takes them."""
        told = {
            each.code: {"n": each.n, "text": f"{each.name.text}: {each.n}", "href": each.listed}
            for each in self.narrowings.get("country", ())
        }
        return json.dumps(told, ensure_ascii=False)

    def _hit(self, hit: Mapping[str, Any]) -> Hit:
        reason = hit["reason"]
        source = self._sources.get(reason["source"] or "")
        language = reason["language"] or (source.language if source else None)
        property = reason["property"]
        return Hit(
            Shown(hit["label"] or compact(hit["iri"]), hit["language"], self._addresses.page(hit["iri"]), hit["iri"]),
            tuple(self._class(each["iri"], each["label"]) for each in hit["types"]),
            tuple((each["text"], each["is_match"]) for each in hit["snippet"]),
            language,
            reason["field"].replace(" ", "-"),
            self._property(property) if reason["field"] == "text" and property != PREF_LABEL.value else None,
            self._language(language) if language else None,
            reason["match"].replace(" ", "-"),
            self._addresses.page(reason["source"]) if reason["source"] else None,
            source.document if source else None,
            tuple(
                Shown(each["label"] or compact(each["iri"]), None, self._addresses.page(each["iri"]), each["iri"])
                for each in hit["same"]
            ),
        )

    def _class(self, iri: str, label: str | None) -> str:
        """A class in the reader's words where we have them, else as the graph calls it."""
        return self._word(iri) or label or compact(iri)

    def _property(self, iri: str) -> str:
        return self._word(iri) or compact(iri)

    def _word(self, iri: str) -> str | None:
        known = self._ontology.label(iri, self._catalogue.language)
        return known or self._catalogue.entries.get(f"term.{compact(iri)}")

    def _language(self, code: str) -> Shown:
        """A language by its own name where the pages have it, else by its tag."""
        bare = code.partition("-")[0].lower()
        return Shown(self._catalogue.words(f"language.{bare}"), bare) if bare in LANGUAGES else Shown(code)


def things_query(iris: Iterable[str]) -> str:
    """The query for the names and classes of things: something to go on from where a search has led."""
    label, values = NamedNode(PREF_LABEL.value), " ".join(str(NamedNode(iri)) for iri in iris)
    return f"SELECT ?thing ?name ?class {{\n  VALUES ?thing {{ {values} }}\n  ?thing a ?class ; {label} ?name\n}}"


def _toggled(values: Sequence[str], value: str) -> list[str]:
    return [each for each in values if each != value] if value in values else [*values, value]


def _short(iri: str) -> str:
    """A class as it is sent."""
    return iri.removeprefix(ONTOLOGY)
