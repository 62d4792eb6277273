"""What the first page shows: how much there is of what, what can be asked, and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from kg_service.linked_data import gaps
from kg_service.linked_data.addresses import Addresses
from kg_service.linked_data.figures import CLASSES, Figures
from kg_service.linked_data.gaps import Gaps
from kg_service.lists.declared import Collection
from kg_service.ontology import Ontology
from kg_service.queries import Question
from kg_service.rdf import ONTOLOGY, Literal
from kg_service.rulebook import compact
from kg_service.web.names import Shown, best
from kg_service.web.rendering import Catalogue

#: The lists in the order in which they are shown; others come after them.
_LISTS = (
    *("recommendations", "organisations", "governments", "events", "alliances"),
    *("policies", "themes", "places", "sdgs", "documents"),
)
#: Questions that show what the graph can tell.
ASKED = (
    *("alliances/multi-sector", "alliances/north-south", "actors/in-several-documents"),
    *("recommendations/calling-for-instruments", "events/dialogues-in-order", "themes/in-most-documents"),
    *("themes/goals-covered", "populations/by-recommendations", "statistics/claims-and-goals"),
    *("guidelines/coverage", "provenance/most-quoted"),
)


@dataclass(frozen=True, slots=True)
class Counted:
    """A class of things: what it is called, how many there are, and where they are listed for whom.

    `n` is None while nothing is counted; there is a page only where there are things. `changed` is when one of them was
    changed last, as ISO 8601, where that is known.
    """

    name: str
    n: int | None
    page: str | None
    data: str
    changed: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    """A ready-made question in the reader's words, where its answer is, and the page on which it can be asked."""

    summary: str
    address: str
    page: str


@dataclass(frozen=True, slots=True)
class Share:
    """The claims of one certainty, and their part of all."""

    certainty: Shown
    n: int
    percent: str


class HomePage:
    """The page in a language. `figures` and `of_gaps` come with their generation; None where they are not counted."""

    def __init__(
        self,
        figures: tuple[int, Figures] | None,
        of_gaps: tuple[int, Gaps] | None,
        *,
        questions: Sequence[Question],
        collections: Sequence[Collection],
        addresses: Addresses,
        ontology: Ontology,
        catalogue: Catalogue,
        changed: str | None = None,
        lately: Mapping[str, str] | None = None,
    ) -> None:
        #: When the graph was changed last.
        self.changed = changed
        self._addresses, self._ontology, self._catalogue = addresses, ontology, catalogue
        self.generation = figures[0] if figures else None
        self._figures, self._lately = figures[1] if figures else None, lately or {}
        #: Told when the figures are counted as well: “of how many” is part of what they say.
        self.gaps_generation = of_gaps[0] if of_gaps and figures else None
        self.gaps = of_gaps[1] if of_gaps and figures else None
        self.triples = self._figures.triples if self._figures else None
        self._numbers = {each.iri.value: each.entities for each in self._figures.classes} if self._figures else {}
        places = {name: place for place, name in enumerate(_LISTS)}
        listed = sorted(collections, key=lambda each: places.get(each.name, len(places)))
        self.counts = [self._counted(iri, each) for each in listed for iri in each.classes]
        self.asked = [self._asked(name) for name in ASKED]
        self.all_asked = len(questions)
        #: Where the gaps are listed one by one.
        self.names, self.addressees = self._question(gaps.NAMES), self._question(gaps.ADDRESSEES)
        self.contradictions, self.claims = self._question(gaps.CONTRADICTIONS), self._question(gaps.CERTAINTIES)
        self.recommendations = self._numbers.get(f"{ONTOLOGY}Recommendation", 0)
        self.certainties = self._shares(self.gaps.certainties) if self.gaps else []
        #: What is counted as a query: text and address.
        self.sparql = CLASSES, addresses.sparql(CLASSES)

    def _counted(self, iri: str, listed: Collection) -> Counted:
        name = self._catalogue.entries.get(f"home.class.{compact(iri)}")
        n = self._numbers.get(iri, 0) if self._figures else None
        return Counted(
            name or self._ontology.label(iri, self._catalogue.language) or compact(iri),
            n,
            self._addresses.instances(iri) if n else None,
            f"{self._addresses.root}/api/{listed.name}",
            self._lately.get(iri),
        )

    def _asked(self, name: str) -> Asked:
        words = self._catalogue.words(f"home.ask.{name}")
        return Asked(words, self._question(name), f"{self._addresses.root}/query?example={quote(name)}")

    def _concept(self, iri: str, labels: Mapping[str, str]) -> Shown:
        chosen = best((Literal(text, language=tag) for tag, text in labels.items() if tag), *self._catalogue.tongues)
        name, language = (chosen.value, chosen.language) if chosen else (compact(iri), None)
        return Shown(name, language, self._addresses.page(iri), iri)

    def _question(self, name: str) -> str:
        return f"{self._addresses.root}/api/queries/{name}"

    def _shares(self, certainties: dict[str, int]) -> list[Share]:
        """The most frequent first."""
        whole = sum(certainties.values())
        names = {each.iri: each.labels for scheme in self._ontology.schemes for each in scheme.concepts}
        return [
            Share(
                self._concept(iri, names.get(iri, {})),
                n,
                self._catalogue.number(round(100 * n / whole)) if 200 * n >= whole else "<\u202f1",
            )
            for iri, n in sorted(certainties.items(), key=lambda each: (-each[1], each[0]))
        ]
