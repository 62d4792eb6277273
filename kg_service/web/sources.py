"""A document's text as it is read: in parts and passages, with the quoted spans marked, however they overlap.

Characters are Unicode code points, as in the offsets of quotations (Web Annotation Data Model, section 4.2.5). A span
is named as in RFC 5147: `char=841,865`.
"""

from __future__ import annotations

import heapq
import re
import textwrap
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kg_service.rdf import ONTOLOGY, PREFIXES, Literal, NamedNode, Term
from kg_service.web.names import Names, Shown
from kg_service.web.paging import paging

_DCTERMS = PREFIXES["dcterms"]

#: Characters of a part, about; it ends with a line where there is one.
PART = 6000
#: Characters of the smallest link.
_HIT = 4
#: Characters of a passage that has no line end.
_PASSAGE = 2000


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Characters from `start` to before `end`, quoted by quotations on which so many claims rest."""

    start: int
    end: int
    quotations: tuple[str, ...] = ()
    claims: int = 0

    @property
    def id(self) -> str:
        """Its name in an address, after the hash."""
        return f"char={self.start},{self.end}"


@dataclass(frozen=True, slots=True)
class Text:
    """What is known of a text: all of it, or the runs of characters that quotations tell, each with its place."""

    runs: tuple[tuple[int, str], ...]
    length: int

    @property
    def is_whole(self) -> bool:
        return len(self.runs) == 1 and self.runs[0][0] == 0 and len(self.runs[0][1]) >= self.length


@dataclass(frozen=True, slots=True)
class Segment:
    """Characters that the same spans cover: how many, the shortest of them, and the names of those that begin here."""

    text: str
    depth: int
    span: Span | None
    is_chosen: bool
    begins: tuple[str, ...]

    @property
    def is_link(self) -> bool:
        """Whether a reader can choose it; what is too small to be hit is reached by the list beside the text."""
        return self.span is not None and len(self.text.strip()) >= _HIT


@dataclass(frozen=True, slots=True)
class Passage:
    """A line of the text, with the spans that begin in it; without segments, so many characters that nobody quotes."""

    start: int
    end: int
    segments: tuple[Segment, ...]
    spans: tuple[Span, ...]
    has_chosen: bool

    @property
    def missing(self) -> int:
        return 0 if self.segments else self.end - self.start


def of_quotations(found: Iterable[tuple[int, str]], length: int) -> Text:
    """The text as far as pieces of it, each with its place, tell it; where two disagree the earlier one counts."""
    runs: list[tuple[int, str]] = []
    for start, words in sorted(found):
        if start < 0 or not words or start >= length:
            continue
        words = words[: length - start]
        before = runs[-1] if runs else (0, "")
        known = before[0] + len(before[1])
        if not runs or start > known:
            runs.append((start, words))
        elif start + len(words) > known:
            runs[-1] = (before[0], before[1] + words[known - start :])
    return Text(tuple(runs), length)


def spans(found: Iterable[tuple[int, int, str, int]]) -> list[Span]:
    """The spans in order, of rows of start, end, quotation and claims; what is empty or turned round is left out."""
    at: dict[tuple[int, int], list[tuple[str, int]]] = {}
    for start, end, quotation, claims in found:
        if 0 <= start < end:
            at.setdefault((start, end), []).append((quotation, claims))
    return [
        Span(start, end, tuple(sorted(name for name, _ in each)), sum(claims for _, claims in each))
        for (start, end), each in sorted(at.items())
    ]


def parts(text: Text) -> list[tuple[int, int]]:
    """Where the parts of a text begin and end: each some thousand characters long, and ending with a line if it can."""
    found, start = [], 0
    while text.length - start > PART * 3 // 2:
        end = start + PART
        run = next(((at, words) for at, words in text.runs if at <= end - 1 < at + len(words)), None)
        if run:
            line = run[1].rfind("\n", max(0, start + PART // 2 - run[0]), end - run[0])
            end = run[0] + line + 1 if line >= 0 else end
        found.append((start, end))
        start = end
    return [*found, (start, text.length)]


def passages(text: Text, part: tuple[int, int], known: Sequence[Span], chosen: tuple[int, int] | None) -> list[Passage]:
    """The lines of a part, and between runs what is not known, each with the spans that begin in it."""
    found: list[Passage] = []
    starts = [span.start for span in known]
    at, focus = part[0], max(chosen[0], part[0]) if chosen else -1
    before = [span for span in known if span.start < part[0]]
    for start, words in text.runs:
        first, last = max(start, part[0]), min(start + len(words), part[1])
        if first >= last:
            continue
        if first > at:
            found.append(Passage(at, first, (), (), has_chosen=at <= focus < first))
        for line, end in _lines(words[first - start : last - start], first):
            here = known[bisect_left(starts, line) : bisect_left(starts, end)]
            pieces = _segments(words[line - start : end - start], line, [*before, *here], chosen)
            before = [span for span in (*before, *here) if span.end > end]
            if here or line <= focus < end or any(piece.text.strip() for piece in pieces):
                found.append(Passage(line, end, tuple(pieces), tuple(here), has_chosen=line <= focus < end))
        at = last
    if at < part[1]:
        found.append(Passage(at, part[1], (), (), has_chosen=at <= focus < part[1]))
    return found


def _lines(words: str, start: int) -> Iterable[tuple[int, int]]:
    """Where lines begin and end; a very long one is cut after a space."""
    for match in re.finditer(r"[^\n]*\n|[^\n]+", words):
        first, last = match.span()
        while last - first > _PASSAGE:
            space = words.rfind(" ", first, first + _PASSAGE)
            cut = space + 1 if space > first else first + _PASSAGE
            yield start + first, start + cut
            first = cut
        yield start + first, start + last


def _segments(words: str, start: int, known: Sequence[Span], chosen: tuple[int, int] | None) -> list[Segment]:
    """The pieces of some words between the beginnings and ends of spans; `known` are sorted by their beginning."""
    end = start + len(words)
    crossing = [span for span in known if span.end > start]
    cuts = {start, end} | {place for span in crossing for place in (span.start, span.end) if start < place < end}
    if chosen:
        cuts |= {place for place in chosen if start < place < end}
    edges, found, following = sorted(cuts), list[Segment](), 0
    shortest: list[tuple[int, Span]] = []  # those open or ended, the shortest first
    ends: list[int] = []
    for first, last in pairwise(edges):
        begins: list[str] = []
        while following < len(crossing) and crossing[following].start <= first:
            span = crossing[following]
            following += 1
            heapq.heappush(shortest, (span.end - span.start, span))
            heapq.heappush(ends, span.end)
            if span.start == first:
                begins.append(span.id)
        while ends and ends[0] <= first:
            heapq.heappop(ends)
        while shortest and shortest[0][1].end <= first:
            heapq.heappop(shortest)
        is_chosen = chosen is not None and chosen[0] <= first and last <= chosen[1]
        inner = shortest[0][1] if shortest else None
        found.append(Segment(words[first - start : last - start], len(ends), inner, is_chosen, tuple(begins)))
    return found


def part_of(parts: Sequence[tuple[int, int]], place: int) -> int:
    """The number, from 1 on, of the part that a character is in."""
    return next((number for number, (start, end) in enumerate(parts, 1) if start <= place < end), len(parts))


# ---- The pages ----


@dataclass(frozen=True, slots=True)
class Document:
    """A document in the list."""

    name: Shown
    text: str | None
    issued: str
    languages: tuple[str, ...]
    licences: tuple[Shown, ...]
    characters: int
    quotations: int
    claims: int


def listed(rows: Iterable[Mapping[str, Any]], names: Names) -> tuple[list[Document], list[Document]]:
    """The documents whose texts are quoted, and those that are only cited, of the rows of `provenance/sources`."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        if isinstance(row["document"], NamedNode):
            found.setdefault(row["document"].value, []).append(row)
    made = [_document(iri, each, names) for iri, each in found.items()]
    made.sort(key=lambda each: each.name.text.casefold())
    return [each for each in made if each.text], [each for each in made if not each.text]


def _document(iri: str, rows: Sequence[Mapping[str, Any]], names: Names) -> Document:
    def all_of(name: str) -> list[Term]:
        return list(dict.fromkeys(row[name] for row in rows if name in row))

    def texts(name: str) -> list[str]:
        return [each.value for each in all_of(name) if isinstance(each, Literal)]

    def most(name: str) -> int:
        return max((int(each) for each in texts(name) if re.fullmatch(r"[0-9]{1,12}", each)), default=0)

    has_text = bool(all_of("file")) or most("quotations") > 0
    return Document(
        names.of(iri),
        names.addresses.source(iri) if has_text else None,
        ", ".join(texts("issued")),
        tuple(texts("language")),
        tuple(names.shown(each) for each in all_of("license")),
        most("characters"),
        most("quotations"),
        most("claims"),
    )


@dataclass(frozen=True, slots=True)
class Said:
    """A claim that rests on the span chosen."""

    address: str
    subject: Shown
    property: Shown
    value: Shown
    certainty: Shown | None


class SourcePage:
    """A part of a document's text with its spans, and the claims that rest on the one that is chosen."""

    def __init__(
        self,
        document: NamedNode,
        said: Mapping[str, Sequence[Term]],
        text: Text,
        parts: Sequence[tuple[int, int]],
        part: int,
        known: Sequence[Span],
        chosen: tuple[int, int] | None,
        claims: Iterable[Mapping[str, Any]],
        names: Names,
        *,
        is_cut: bool,
    ) -> None:
        self._document, self._names = document.value, names
        self.name, self.page = names.shown(document), names.addresses.page(document.value)
        self.text, self.spans, self.chosen, self.is_cut = text, len(known), chosen, is_cut
        texts = [each for each in said.get(f"{_DCTERMS}language", ()) if isinstance(each, Literal)]
        #: The language of the text, where it has just one.
        self.language = (
            texts[0].value if len(texts) == 1 and re.fullmatch(r"[A-Za-z0-9-]{2,35}", texts[0].value) else None
        )
        self.facts = [
            (names.property(property), [names.shown(value) for value in said[property]])
            for property in _FACTS
            if said.get(property)
        ]
        #: What the licence is called here, where none is stated.
        self.no_licence = None if f"{_DCTERMS}license" in said else names.property(f"{_DCTERMS}license")
        self.passages = passages(text, parts[part - 1], known, chosen)
        self.quotations = [
            names.addresses.page(iri) for span in known if (span.start, span.end) == chosen for iri in span.quotations
        ]
        self.claims = [
            Said(
                names.addresses.page(row["claim"].value),
                names.shown(row["subject"]),
                names.property(row["property"].value),
                names.shown(row["value"]),
                names.shown(row["certainty"]) if "certainty" in row else None,
            )
            for row in claims
        ]
        places = [(span.start, span.end) for span in known]
        at = places.index(chosen) if chosen in places else None
        self.before = self.at(known[at - 1]) if at else None
        self.after = self.at(known[at + 1]) if at is not None and at + 1 < len(known) else None
        self.closed = self.of_part(part)
        self.paging = paging(self.name.text, part, len(parts), self.of_part)

    def of_part(self, part: int) -> str:
        """The address of a part."""
        language = f"lang={self._names.catalogue.language}"
        return f"{self._names.addresses.source(self._document)}?{f'part={part}&' if part > 1 else ''}{language}"

    def at(self, span: Span) -> str:
        """The address of a span: the text with that span chosen."""
        path = self._names.addresses.source(self._document)
        return f"{path}?char={span.start},{span.end}&lang={self._names.catalogue.language}#{span.id}"

    def words(self, span: Span) -> str:
        """The words of a span, shortened; empty where they are not known."""
        for start, run in self.text.runs:
            if start <= span.start < start + len(run):
                return textwrap.shorten(run[span.start - start : span.end - start], _SHORT, placeholder=" …")
        return ""


#: What is told of a document beside its text.
_FACTS = (
    *(f"{_DCTERMS}{name}" for name in ("title", "issued", "language", "license", "publisher")),
    *(f"{ONTOLOGY}{name}" for name in ("author", "description", "describes", "cites", "sourceFile", "characters")),
)
#: Characters of a span in the list of spans.
_SHORT = 120
_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
