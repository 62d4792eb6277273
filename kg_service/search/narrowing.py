"""What things that were found have in common, and which have some of it: themes, goals, countries, years, documents,
their languages, certainties.

The index knows words and classes. The rest is asked of the graph, of so many things as can be paged through at most.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kg_service.rdf import ENTITY, PREFIXES, Literal, NamedNode, sse

#: The facets, in the order in which they are shown.
FACETS = ("theme", "sdg", "country", "year", "document", "language", "certainty")
#: What was chosen: values by facet; a thing is kept that has one of each facet's.
Chosen: TypeAlias = Mapping[str, Sequence[str]]

_GOAL = re.compile(r"(http://metadata\.un\.org/sdg/\d{1,2})(\.[0-9a-z]{1,2})?")
_RDF, _SCHEMA, _DCTERMS = PREFIXES["rdf"], PREFIXES["schema"], PREFIXES["dcterms"]
_PATTERNS = {
    "theme": f"?thing {sse('theme')} ?value",
    "sdg": f"?thing {sse('contributesTo')} ?value",
    # The places of countries by themselves: they are few, and are not looked for anew from each thing.
    "country": f"?thing {sse('activeIn')}|{sse('locatedIn')}|{sse('takesPlaceIn')} ?place . "
    f"{{ SELECT ?place ?of ?value {{ ?of {sse('countryCode')} ?value . ?place {sse('within')}* ?of }} }}",
    "year": f"?thing <{_SCHEMA}startDate>|<{_DCTERMS}issued> ?value",
    "document": f"?claim <{_RDF}subject> ?thing ; <{_DCTERMS}source> ?value",
    "language": f"?claim <{_RDF}subject> ?thing ; <{_DCTERMS}source>/<{_DCTERMS}language> ?value",
    "certainty": f"?claim <{_RDF}subject> ?thing ; {sse('certainty')} ?value",
}


@dataclass(frozen=True, slots=True)
class Tally:
    """A value of a facet with the number of things that have it; `thing` is what it is called after."""

    value: str
    thing: NamedNode | None
    count: int


def query(things: Iterable[str], facet: str) -> str:
    """What the things have of a facet: ?thing, ?facet, ?value, and for a country the place ?of that has the code.

    Of one facet, because of several at once engines find what everything has before they look at the things.
    """
    listed = " ".join(str(NamedNode(thing)) for thing in things)
    found = f'{_PATTERNS[facet]} BIND("{facet}" AS ?facet)'
    return f"SELECT DISTINCT ?thing ?facet ?value ?of {{ VALUES ?thing {{ {listed} }} {found} }}"


def wanted(facet: str, text: str) -> str:
    """A value as somebody may send it, as the one that it means: `care` is a theme's IRI, `8` a goal's."""
    if facet == "sdg" and re.fullmatch("[0-9]{1,4}", text):
        return f"{PREFIXES['sdg']}{int(text)}"
    if facet == "country":
        return text.upper()
    return text if facet in ("year", "language") or ":" in text else f"{ENTITY}{facet}/{text}"


class Narrowed:
    """Things that were found, by what they have; `rows` are the answer to `query`."""

    def __init__(self, things: Sequence[str], rows: Iterable[Mapping[str, Any]], chosen: Chosen) -> None:
        self._things = things
        self._chosen = {facet: frozenset(values) for facet, values in chosen.items() if values}
        self._having: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._called: dict[tuple[str, str], NamedNode] = {}
        for row in rows:
            facet, value = row["facet"].value, _value(row["facet"].value, row["value"])
            if value is not None:
                self._having[facet][value].add(row["thing"].value)
                of = row.get("of") or (NamedNode(value) if ":" in value else None)
                if isinstance(of, NamedNode):
                    self._called.setdefault((facet, value), of)

    @property
    def kept(self) -> list[str]:
        """The things that have what was chosen, in the order in which they were found."""
        return self._with(self._chosen)

    def tallies(self, facet: str) -> list[Tally]:
        """The values of a facet among the things that have what was chosen of the other facets, the most first."""
        others = {name: values for name, values in self._chosen.items() if name != facet}
        kept = set(self._with(others))
        counted = ((value, len(things & kept)) for value, things in self._having[facet].items())
        found = [Tally(value, self._called.get((facet, value)), count) for value, count in counted if count]
        return sorted(found, key=lambda each: (-each.count, each.value))

    def _with(self, chosen: Mapping[str, frozenset[str]]) -> list[str]:
        sets = [set[str]().union(*(self._having[facet][value] for value in values)) for facet, values in chosen.items()]
        return [thing for thing in self._things if all(thing in each for each in sets)]


def _value(facet: str, term: Any) -> str | None:
    """The value of a facet that a term stands for: of a target its goal, of a date its year."""
    if facet == "sdg":
        goal = _GOAL.fullmatch(term.value)
        return goal[1] if goal else None
    if facet == "year":
        year = re.match(r"\d{4}", term.value)
        return year[0] if year else None
    if facet in ("country", "language"):
        return term.value if isinstance(term, Literal) else None
    return term.value if isinstance(term, NamedNode) else None
