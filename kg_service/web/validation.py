"""What the page of `/validate` shows: a report beside the text that it is about, with its lines marked."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kg_service.languages import best_text
from kg_service.linked_data.addresses import Addresses
from kg_service.rdf import GRAPH_FORMATS, JSON_LD, N_QUADS, N_TRIPLES, PREFIXES, RDF_XML, TRIG, TURTLE, Format
from kg_service.rulebook import compact
from kg_service.web.names import Shown
from kg_service.web.rendering import Catalogue
from kg_service.web.spots import Spot, spots

#: The formats that a text may be said to be in.
FORMATS = (TURTLE, TRIG, N_TRIPLES, JSON_LD, RDF_XML, N_QUADS)
#: Characters of a text whose results are given lines, and of one that can be changed in the page.
_PLACED, _EDITED = 4_000_000, 300_000
#: Lines that are shown of a text whole, and around a marked one of a longer text; results that are listed.
_WHOLE, _AROUND, LISTED = 400, 3, 200
#: Characters of a line that are shown.
_WIDE = 400
_NAME = re.compile(r"<([^<>]+)>|([A-Za-z][\w-]*):([\w./-]+)")
_PLACE = re.compile(r"^line \d+(, column \d+)?: ")
_FOUR_TERMS = re.compile(r'\s*(?:<[^>]*>|_:\S+)\s+<[^>]*>\s+(?:<[^>]*>|_:\S+|"(?:[^"\\]|\\.)*"\S*)\s+(?:<|_:)')


def guessed(text: str, file: str = "") -> Format:
    """The format of a text: what the ending of its file says, else what it looks like; Turtle holds N-Triples."""
    ending = file.rpartition(".")[2].lower()
    for known in GRAPH_FORMATS:
        if file and ending in known.endings:
            return known
    start = text.lstrip("\ufeff \t\r\n")[:2000]
    if start.startswith(("<?xml", "<rdf:", "<!--")):
        return RDF_XML
    if re.match(r'\{\s*["}]|\[\s*\{\s*"', start):
        return JSON_LD
    if _FOUR_TERMS.match(start):
        return N_QUADS
    return TRIG if "{" in text else TURTLE


@dataclass(frozen=True, slots=True)
class Found:
    """One result: what is said of which thing, and the line of the text that it is about, where that is known."""

    severity: str
    message: Shown
    focus: Shown
    path: str | None
    value: str | None
    shape: Shown
    line: int | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the text; `severity` is the worst of what is found there, and `gap` lines are left out before it."""

    number: int
    text: str
    severity: str | None
    results: tuple[int, ...]
    gap: int


class Checked:
    """A text with what the shapes said of it, or with the place where it is no RDF."""

    def __init__(
        self,
        text: str,
        how: Format,
        report: Mapping[str, Any] | None,
        *,
        problem: Mapping[str, Any] | None = None,
        base: str,
        context: Mapping[str, Any],
        addresses: Addresses,
        catalogue: Catalogue,
    ) -> None:
        self.format, self.report = how, report
        #: Where it is no RDF, and why; the place is told apart from the reason.
        self.problem = problem and {**problem, "detail": _PLACE.sub("", problem["detail"])}
        results = list(report["results"])[:LISTED] if report else []
        place = _Placing(spots(text, how, base=base, context=context) if results and len(text) <= _PLACED else ())
        self.found = [
            found(each, place.line(each), addresses=addresses, language=catalogue.language) for each in results
        ]
        self.found.sort(key=lambda each: (_WEIGHT.get(each.severity, 3), each.line is None, each.line or 0))
        self.left_out = len(report["results"]) - len(results) if report else 0
        self.is_editable = len(text) <= _EDITED
        written = text.removesuffix("\n").split("\n")
        self.lines = self._lines(written)
        self.number = len(written)
        self.verdict = "broken" if problem else _verdict(report or {})

    def _lines(self, written: list[str]) -> list[Line]:
        marked: dict[int, list[int]] = defaultdict(list)
        for number, each in enumerate(self.found, 1):
            if each.line:
                marked[each.line].append(number)
        wrong = self.problem.get("line") if self.problem else None
        shown = range(1, len(written) + 1) if len(written) <= _WHOLE else _around({*marked, wrong or 1}, len(written))
        lines, last = [], 0
        for number in shown:
            worst = min((self.found[n - 1].severity for n in marked[number]), key=_weight, default=None)
            lines.append(
                Line(
                    number,
                    written[number - 1].rstrip("\r")[:_WIDE],
                    "Violation" if number == wrong else worst,
                    tuple(marked[number]),
                    number - last - 1,
                )
            )
            last = number
        return lines


def found(result: Mapping[str, Any], line: int | None, *, addresses: Addresses, language: str) -> Found:
    """A result, which is as plain data, in the reader's language."""
    focus, value = result["focus"], result["value"]
    return Found(
        result["severity"],
        _message(result, language),
        Shown(compact(focus["value"]), address=addresses.page(focus["value"]), iri=focus["value"])
        if focus["type"] == "uri"
        else Shown(focus["value"] if focus["type"] != "bnode" else "[ ]"),
        result["path"],
        None if value is None else compact(value["value"]) if value["type"] == "uri" else value["value"][:_WIDE],
        Shown(compact(result["shape"]["value"]), address=addresses.page(result["shape"]["value"])),
        line,
    )


def _message(result: Mapping[str, Any], language: str) -> Shown:
    """The message in the reader's language, else in English, else any."""
    texts = {each.get("xml:lang", ""): each["value"] for each in result["messages"]}
    found = best_text(texts, (language,))
    return Shown(*found) if found else Shown(result["message"])


_WEIGHT = {"Violation": 0, "Warning": 1, "Info": 2}


def _weight(severity: str) -> int:
    return _WEIGHT.get(severity, 3)


def _verdict(report: Mapping[str, Any]) -> str:
    """What the report comes to: conforms, breaks the shapes, or has only notes."""
    if report.get("blocks"):
        return "breaks"
    return "conforms" if report.get("conforms") else "notes"


def _around(numbers: Iterable[int], last: int) -> list[int]:
    """The lines around these, in order; of many marks the first ones."""
    found: set[int] = set()
    for number in sorted(numbers):
        found |= set(range(max(1, number - _AROUND), min(last, number + _AROUND) + 1))
        if len(found) > _WHOLE:
            break
    return sorted(found)


class _Placing:
    """The lines of results among the statements of a text."""

    def __init__(self, statements: Iterable[Spot]) -> None:
        self._of: dict[str, list[Spot]] = defaultdict(list)
        self._at: dict[str, int] = {}
        for spot in statements:
            self._of[spot.subject].append(spot)
            self._at.setdefault(spot.object, spot.line)
        self._blank = [spot for subject, each in self._of.items() if subject.startswith("_:") for spot in each]

    def line(self, result: Mapping[str, Any]) -> int | None:
        """The line of the value that is wrong, else of the property, else of the thing; None where it is not there."""
        focus, value = result["focus"], (result["value"] or {}).get("value")
        properties = {iri or PREFIXES.get(prefix, f"{prefix}:") + local for iri, prefix, local in _names(result)}
        if focus["type"] == "bnode":
            same = [each for each in self._blank if each.property in properties and value in (None, each.object)]
            if value is not None:
                return same[0].line if same else None
            lacking = {each.subject: each.begins for each in self._blank} if properties else {}
            for each in same:
                lacking.pop(each.subject, None)
            return next(iter(lacking.values())) if len(lacking) == 1 else None
        here = self._of.get(focus["value"], [])
        by_property = [each for each in here if each.property in properties]
        for found in (
            [each for each in by_property if each.object == value],
            by_property,
            [each for each in here if value is not None and each.object == value],
        ):
            if found:
                return found[0].line
        return here[0].begins if here else self._at.get(focus["value"])


def _names(result: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """The properties in a path as it is written."""
    return _NAME.findall(result["path"] or "")
