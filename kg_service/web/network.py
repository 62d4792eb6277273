"""What the page about a network shows: choices, pictures, a table of the nodes, paths, and a comparison."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from kg_service.linked_data.addresses import Addresses
from kg_service.network.measures import ATTRIBUTES, MEASURES
from kg_service.network.projection import Projection
from kg_service.ontology import Ontology
from kg_service.rdf import ENTITY
from kg_service.web.names import Shown
from kg_service.web.network_choices import Choice, Filter, filters
from kg_service.web.network_picture import COLOURS, Picture, picture
from kg_service.web.network_walk import LIMIT, STEPS, Walk
from kg_service.web.rendering import Catalogue

#: What nodes may be sized by: the measures that give a number which grows with importance.
SIZES = (
    "degree", "strength", "pagerank", "eigenvector", "betweenness", "closeness", "harmonic", "core", "clustering",
    "structural-holes",
)  # fmt: skip
COLOURED = (*ATTRIBUTES, "community")
SORTS = ("value", "degree", "label", "community", "group")
#: Rows of a page of the table.
ROWS = 50
EXPORTS = ("gexf", "graphml", "pajek", "csv-nodes", "csv-edges", "cytoscape", "json-ld", "json")


@dataclass(frozen=True, slots=True)
class Row:
    """A node in the table."""

    node: Shown
    mode: str
    value: str
    degree: int
    community: int
    group: str
    #: Where a path begins, or ends, at this node.
    origin: str
    destination: str


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture with its title."""

    title: str
    picture: Picture


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a path, and what it rests on."""

    start: Shown
    end: Shown
    evidence: tuple[Shown, ...]


@dataclass(frozen=True)
class NetworkPage:
    """The page for one network as it is asked for.

    `drawn` is the network in its window; `whole` the one of all times, whose positions every picture has, so that a
    node is found at the same place in each.
    """

    asked: Mapping[str, Any]
    chosen: Projection
    projections: Sequence[str]
    drawn: Mapping[str, Any]
    whole: Mapping[str, Any]
    other: Mapping[str, Any] | None
    measured: Mapping[str, Any] | None
    compared: Mapping[str, Any] | None
    found_paths: Mapping[str, Any] | None
    choosable: Iterable[tuple[str, str, str, str]]
    addresses: Addresses
    ontology: Ontology
    catalogue: Catalogue
    #: Where the reader stands in `drawn`, which is what that lets see.
    walk: Walk
    here: Sequence[tuple[str, str]]
    data: str
    island_data: str
    sparql: str
    _values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nodes = self.drawn["nodes"]
        if self.measured is None:
            self._values.update(zip(nodes["id"], map(float, nodes["degree"]), strict=True))
        else:
            self._values.update((row["iri"], row["value"]) for row in self.measured["data"] if row["value"] is not None)

    #: Most ties that are drawn unless all are asked for, and most steps that one walks.
    most, most_steps = LIMIT, STEPS

    @property
    def nodes(self) -> int:
        return len(self.drawn["nodes"]["id"])

    @property
    def edges(self) -> int:
        return len(self.drawn["edges"]["source"])

    # -- choices ------------------------------------------------------------------------------------------------

    def choices(self, name: str) -> list[Choice]:
        """The values of a choice that has a closed list and one value, such as projection or color."""
        listed = {
            "projection": self.projections,
            "color": COLOURED,
            "size": SIZES,
            "weighting": ("count", "newman", "jaccard"),
            "undated": ("leave", "keep"),
            "conclusions": ("with", "without"),
        }[name]
        now = self.chosen.name if name == "projection" else self.asked[name]
        return [Choice(each, self.catalogue.words(f"network.{name}.{each}"), each == now) for each in listed]

    @cached_property
    def filters(self) -> list[Filter]:
        """The filters that can be set, each with its values."""
        return filters(
            self.asked, self.choosable, self.whole["kinds"], ontology=self.ontology, catalogue=self.catalogue
        )

    def parameters(self) -> list[tuple[str, str]]:
        """What is chosen, in words: who sees a picture alone is to know what it is of."""
        words = self.catalogue.words
        told = [(words("network.projection"), self.name.text), (words("network.year"), self._window("from", "to"))]
        if self.other is not None:
            told.append((words("network.year.other"), self._window("against_from", "against_to")))
        for name in ("color", "size", *(["weighting"] if self.chosen.is_folded else [])):
            told.append((words(f"network.{name}"), words(f"network.{name}.{self.asked[name]}")))
        if self.asked["conclusions"] == "without":
            told.append((words("network.conclusions"), words("network.conclusions.without")))
        if self.walk.name and not self.walk.is_missing:
            told.append((words("network.walk.from"), f"{self.walk.name.text} ({self.walk.steps})"))
        for each in self.filters:
            chosen = [choice.text for choice in each.choices if choice.is_chosen]
            told += [(words(f"network.filter.{each.name}"), ", ".join(chosen))] if chosen else []
        return [*told, (words("network.generation"), str(self.drawn["meta"]["generation"]))]

    def with_(self, **changed: str | int | None) -> str:
        """The address of this page with other parameters; None leaves one out."""
        kept = [(name, value) for name, value in self.here if name not in changed]
        kept += [(name, str(value)) for name, value in changed.items() if value is not None]
        return f"{self.addresses.root}/network{'?' if kept else ''}{urlencode(kept)}"

    # -- pictures -----------------------------------------------------------------------------------------------

    def shots(self) -> list[Shot]:
        """The picture, or that of each window when two are compared."""
        places = self._places(self.drawn) | self._places(self.whole)
        if self.other is None:
            return [Shot(self._window("from", "to"), self._picture(self.drawn, self._values, places))]
        both = [(self.drawn, ("from", "to")), (self.other, ("against_from", "against_to"))]
        degrees = [dict(zip(d["nodes"]["id"], map(float, d["nodes"]["degree"]), strict=True)) for d, _ in both]
        greatest = max((v for each in degrees for v in each.values()), default=1.0) or 1.0
        shares = [{iri: v / greatest for iri, v in each.items()} for each in degrees]
        return [
            Shot(self._window(*names), self._picture(drawn, values, places, letters=1.5))
            for (drawn, names), values in zip(both, shares, strict=True)
        ]

    def _picture(
        self,
        drawn: Mapping[str, Any],
        values: Mapping[str, float],
        places: Mapping[str, tuple[float, float]],
        letters: float = 1.0,
    ) -> Picture:
        colours = [self._colour(drawn, n) for n in range(len(drawn["nodes"]["id"]))]
        return picture(drawn, values, colours, places, letters)

    def _places(self, drawn: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        nodes = drawn["nodes"]
        return {iri: (x, y) for iri, x, y in zip(nodes["id"], nodes["x"], nodes["y"], strict=True)}

    def _window(self, first: str, last: str) -> str:
        start, end = self.asked[first], self.asked[last]
        if first == "from" and self.asked["at"]:
            start = end = self.asked["at"]
        if not start and not end:
            return self.catalogue.words("network.all-times")
        return f"{start or '…'} – {end or '…'}"

    def _colour(self, drawn: Mapping[str, Any], node: int) -> int:
        """The colour of a node: that of its group, -1 for none. Communities are numbered by size."""
        by = self.asked["color"]
        group = self._community(drawn, node) if by == "community" else self._code(drawn, by, node)
        return min(group, COLOURS - 1)

    def _community(self, drawn: Mapping[str, Any], node: int) -> int:
        """The community of a node in the network of all times, so that it keeps its colour in every window."""
        nodes = drawn["nodes"]
        return self._communities.get(nodes["id"][node], int(nodes["community"][node]))

    @cached_property
    def _communities(self) -> dict[str, int]:
        return dict(zip(self.whole["nodes"]["id"], self.whole["nodes"]["community"], strict=True))

    def _code(self, drawn: Mapping[str, Any], by: str, node: int) -> int:
        return self._places_of_groups.get(self._group(drawn, by, node), -1)

    def _group(self, drawn: Mapping[str, Any], by: str, node: int) -> str:
        grouped = drawn["groups"][by]
        code = grouped["of"][node]
        return str(grouped["names"][code]) if code >= 0 else ""

    @cached_property
    def _sizes(self) -> list[tuple[str, int]]:
        """The groups of the whole network, the largest first."""
        by = self.asked["color"]
        if by == "community":
            codes = self.whole["nodes"]["community"]
            named = [self.catalogue.words("network.community.n", number=code + 1) for code in codes]
        else:
            named = [self._group(self.whole, by, n) for n in range(len(self.whole["nodes"]["id"]))]
        counted = Counter(name for name in named if name)
        return sorted(counted.items(), key=lambda each: (-each[1], each[0]))

    @cached_property
    def _places_of_groups(self) -> dict[str, int]:
        return {name: place for place, (name, _) in enumerate(self._sizes)}

    def legend(self) -> list[tuple[int, str, int]]:
        """The colour, name and size of each group; those without one last."""
        found = [(min(n, COLOURS - 1), name, size) for n, (name, size) in enumerate(self._sizes)]
        rest = len(self.whole["nodes"]["id"]) - sum(size for _, _, size in found)
        return [*found, (-1, self.catalogue.words("network.no-group"), rest)] if rest else found

    # -- table --------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """The nodes of this page of the table, in the order asked for."""
        nodes = self.drawn["nodes"]
        order = sorted(range(self.nodes), key=self._key)
        start = (self.asked["page"] - 1) * ROWS
        return [self._row(n, nodes) for n in order[start : start + ROWS]]

    def _key(self, n: int) -> tuple[Any, ...]:
        nodes, sort = self.drawn["nodes"], self.asked["sort"]
        value = self._values.get(nodes["id"][n], -math.inf)
        first: Any = {
            "value": -value,
            "degree": -nodes["degree"][n],
            "label": 0,
            "community": self._community(self.drawn, n),
            "group": self._named_group(n),
        }[sort]
        return first, nodes["label"][n].casefold(), nodes["id"][n]

    def _named_group(self, n: int) -> str:
        by = self.asked["color"] if self.asked["color"] != "community" else "sector"
        return self._group(self.drawn, by, n)

    def _row(self, n: int, nodes: Mapping[str, Any]) -> Row:
        iri, modes = nodes["id"][n], self.drawn["modes"]
        value = self._values.get(iri)
        return Row(
            Shown(nodes["label"][n], nodes["language"][n] or None, self.addresses.page(iri), iri),
            self.catalogue.entries.get(f"network.mode.{modes[nodes['mode'][n]]}", modes[nodes["mode"][n]]),
            "" if value is None else f"{value:.3g}" if value != int(value) else f"{int(value)}",
            nodes["degree"][n],
            self._community(self.drawn, n) + 1,
            self._named_group(n),
            self.with_(origin=iri),
            self.with_(destination=iri),
        )

    @property
    def group_name(self) -> str:
        by = self.asked["color"] if self.asked["color"] != "community" else "sector"
        return self.catalogue.words(f"network.color.{by}")

    @property
    def measure(self) -> Any:
        """The measure that nodes are sized by, as it is defined."""
        return MEASURES[self.asked["size"]]

    @property
    def pages(self) -> int:
        return max(1, math.ceil(self.nodes / ROWS))

    @property
    def page(self) -> int:
        return int(self.asked["page"])

    @property
    def steps(self) -> dict[str, str]:
        """The pages around this one."""
        now, last = self.page, self.pages
        around = {"first": 1, "previous": now - 1, "next": now + 1, "last": last}
        return {name: self.with_(page=str(n)) for name, n in around.items() if 1 <= n <= last and n != now}

    @property
    def name(self) -> Shown:
        return Shown(self.catalogue.words(f"network.projection.{self.chosen.name}"))

    # -- paths, exports -----------------------------------------------------------------------------------------

    def ends(self) -> list[tuple[str, Shown, str]]:
        """The ends of the path that are chosen, and the address without each."""
        names = dict(zip(self.drawn["nodes"]["id"], self.drawn["nodes"]["label"], strict=True))
        spoken = self._spoken
        return [
            (
                end,
                Shown(
                    names.get(self.asked[end], self.asked[end]),
                    spoken.get(self.asked[end]),
                    self.addresses.page(self.asked[end]),
                ),
                self.with_(**{end: None}),
            )
            for end in ("origin", "destination")
            if self.asked[end]
        ]

    def paths(self) -> list[list[Step]]:
        """The paths that were found, each with its steps."""
        if self.found_paths is None:
            return []
        return [[self._step(step) for step in path["steps"]] for path in self.found_paths["data"]]

    def _step(self, step: Mapping[str, Any]) -> Step:
        things = [each["iri"] for each in step["evidence"] if each["iri"]]
        return Step(
            Shown(step["from_label"], self._spoken.get(step["from"]), self.addresses.page(step["from"])),
            Shown(step["to_label"], self._spoken.get(step["to"]), self.addresses.page(step["to"])),
            tuple(Shown(iri.removeprefix(ENTITY), address=self.addresses.page(iri), iri=iri) for iri in things),
        )

    @cached_property
    def _spoken(self) -> dict[str, str | None]:
        """The language of each node's name."""
        nodes = self.drawn["nodes"]
        return {iri: tag or None for iri, tag in zip(nodes["id"], nodes["language"], strict=True)}

    def exports(self) -> list[tuple[str, str]]:
        """The formats in which this network can be had, with their addresses."""
        return [(each, f"{self.data}{'&' if '?' in self.data else '?'}format={each}") for each in EXPORTS]

    def measured_csv(self) -> str:
        """The address of the values of the measure, of the same part of the network, as CSV."""
        path, _, query = self.data.partition("?")
        return f"{path}/{self.asked['size']}?{query}{'&' if query else ''}format=csv"
