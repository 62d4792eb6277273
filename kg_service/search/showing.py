"""What is shown of things that were found: names in the reader's language, the matched text in pieces, the reasons."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from kg_service.languages import best_text
from kg_service.search import Question, index, texts
from kg_service.search.words import is_cell, words

#: Characters of a text that are shown.
_SNIPPET = 240
#: The names of a node: texts by language.
Names: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Match:
    """The best match of a thing: its score, the text, how it was found, and the share of the words that it has."""

    score: float
    text: int
    kind: str
    coverage: float = 1.0


class Shown:
    """Shows things for one question: its words, and the words that may have been meant by each."""

    def __init__(
        self,
        rows: sqlite3.Connection,
        question: Question,
        asked: Sequence[str],
        meant: Mapping[str, Sequence[str]],
        classes: dict[int, Names],
        leading: Mapping[int, int],
    ) -> None:
        self._rows, self._question, self._words, self._meant, self._classes = rows, question, asked, meant, classes
        self._followers: dict[int, list[int]] = {}
        for one, other in sorted(leading.items()):
            self._followers.setdefault(other, []).append(one)

    def iris(self, things: list[int]) -> list[dict[str, Any]]:
        """The things of a page by their IRIs alone."""
        iris = dict(self._rows.execute(_IRIS, (_listed(things),)).fetchall())
        return [{"iri": iris[thing]} for thing in things]

    def hits(self, things: list[int], matches: Mapping[int, Match]) -> list[dict[str, Any]]:
        """The things of a page with the texts that they were found by."""
        matched = _listed(matches[thing].text for thing in things)
        texts_of = {row[0]: row[1:] for row in self._rows.execute(_TEXTS, (matched,)).fetchall()}
        iris = dict(self._rows.execute(_IRIS, (_listed(things),)).fetchall())
        names, types = self._names(things), dict[int, list[tuple[int, str]]]()
        for thing, number, iri in self._rows.execute(_TYPES, (_listed(things),)).fetchall():
            types.setdefault(thing, []).append((number, iri))
        self._know_classes({number for found in types.values() for number, _ in found})
        same = self._same(things)
        return [
            self._hit(iris[thing], matches[thing], texts_of, names.get(thing, {}), types.get(thing, []))
            | {"same": same.get(thing, [])}
            for thing in things
        ]

    def _same(self, things: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
        """The other entries of those things that have some, with their names."""
        found = {thing: self._followers[thing] for thing in things if thing in self._followers}
        every = [one for followers in found.values() for one in followers]
        iris, names = dict(self._rows.execute(_IRIS, (_listed(every),)).fetchall()), self._names(every)
        return {
            thing: [{"iri": iris[one], "label": self._chosen(names.get(one, {}))[0]} for one in followers]
            for thing, followers in found.items()
        }

    def _hit(
        self,
        iri: str,
        match: Match,
        texts_of: dict[int, tuple[str, str, str, str]],
        names: Names,
        types: list[tuple[int, str]],
    ) -> dict[str, Any]:
        property_, language, value, source = texts_of[match.text]
        tier, length = index.tier_and_length_of(index.bucket_of(match.text))
        pieces, found = self._snippet(value)
        field, boost = texts.TIERS[tier]
        label, label_language = self._chosen(names)
        reason = {
            "field": field,
            "property": property_,
            "language": language or None,
            "match": match.kind,
            "words": found,
            "boost": boost,
            "coverage": round(match.coverage, 3),
            "length": length,
            "source": source if tier >= texts.LEADING else None,
        }
        return {
            "iri": iri,
            "label": label,
            "language": label_language,
            "types": [{"iri": type_, "label": self._chosen(self._classes[number])[0]} for number, type_ in types],
            "score": round(100 * match.score, 2),
            "snippet": pieces,
            "reason": reason,
        }

    def _names(self, nodes: Iterable[int]) -> dict[int, Names]:
        """The names of nodes; of several in one language, the first in the alphabet."""
        found: dict[int, Names] = {}
        for node, language, value in self._rows.execute(_LABELS, (_listed(nodes), *texts.LABELS)).fetchall():
            names = found.setdefault(node, {})
            if language not in names or value < names[language]:
                names[language] = value
        return found

    def _know_classes(self, numbers: set[int]) -> None:
        new = [number for number in numbers if number not in self._classes]
        if new:
            self._classes.update({number: {} for number in new} | self._names(new))

    def _chosen(self, names: Names) -> tuple[str | None, str | None]:
        """The name in the first of the languages that there is one in, and that language."""
        return best_text(names, self._question.languages) or (None, None)

    def _snippet(self, value: str) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """The part of a text around the matches in pieces, and which words of it matched which."""
        spans: list[tuple[int, int]] = []
        found: dict[tuple[str, str], str] = {}
        for word in words(value):
            if spans and word.start > spans[0][0] + _SNIPPET:
                break  # what comes now is not shown
            for asked_for in self._words:
                kind = self._kind(word.folded, asked_for)
                if kind:
                    spans.append((word.start, word.end))
                    found.setdefault((asked_for, value[word.start : word.end]), kind)
                    break
        start, end = _window(value, spans)
        return list(_pieces(value, spans, start, end)), [
            {"asked": one, "found": other, "match": kind} for (one, other), kind in list(found.items())[:20]
        ]

    def _kind(self, word: str, asked_for: str) -> str | None:
        if word == asked_for:
            return "exact"
        if word in self._meant.get(asked_for, ()):
            return "typo"
        is_last = asked_for == self._words[-1] and not self._question.is_complete
        return "prefix" if (is_last or is_cell(asked_for)) and word.startswith(asked_for) else None

    def facets(self, things: list[int]) -> list[dict[str, Any]]:
        """How many of the things are of which class, the most first."""
        counted = self._rows.execute(_FACETS, (_listed(things),)).fetchall()
        self._know_classes({number for number, _, _ in counted})
        return [
            {"iri": iri, "label": self._chosen(self._classes[number])[0], "count": count}
            for number, iri, count in counted
        ]


def _listed(numbers: Iterable[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"


def _window(value: str, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The part of a long text that shows the first matches, cut between words."""
    if len(value) <= _SNIPPET:
        return 0, len(value)
    first = spans[0][0] if spans else 0
    start = max(0, min(first - _SNIPPET // 4, len(value) - _SNIPPET))
    end = min(len(value), start + _SNIPPET)
    if start:
        start = value.find(" ", start, max(start, first)) + 1 or start
    if end < len(value):
        cut = value.rfind(" ", max(start, *(stop for _, stop in spans if stop <= end), 0) if spans else start, end)
        end = cut if cut > start else end
    return start, end


def _pieces(value: str, spans: Iterable[tuple[int, int]], start: int, end: int) -> Iterable[dict[str, Any]]:
    if start:
        yield {"text": "… ", "is_match": False}
    at = start
    for first, last in spans:
        if first < at or last > end:
            continue
        if first > at:
            yield {"text": value[at:first], "is_match": False}
        yield {"text": value[first:last], "is_match": True}
        at = last
    if at < end:
        yield {"text": value[at:end], "is_match": False}
    if end < len(value):
        yield {"text": " …", "is_match": False}


_TEXTS = """
SELECT text.id, property.iri, text.language, text.value, source.iri FROM json_each(?) AS wanted
  JOIN text ON text.id = wanted.value JOIN node AS property ON property.id = text.property
  JOIN node AS source ON source.id = text.node
"""
_IRIS = "SELECT node.id, node.iri FROM json_each(?) AS wanted JOIN node ON node.id = wanted.value"
_TYPES = """
SELECT kind.node, node.id, node.iri FROM json_each(?) AS wanted JOIN kind ON kind.node = wanted.value
  JOIN node ON node.id = kind.type ORDER BY node.iri
"""
_LABELS = f"""
SELECT text.node, text.language, substr(text.value, 1, 500)
FROM json_each(?) AS wanted JOIN text ON text.node = wanted.value
WHERE text.property IN (SELECT id FROM node WHERE iri IN ({", ".join("?" * len(texts.LABELS))})) LIMIT 5000
"""
_FACETS = """
SELECT node.id, node.iri, count(*) FROM json_each(?) JOIN kind ON kind.node = value JOIN node ON node.id = kind.type
GROUP BY node.id ORDER BY count(*) DESC, iri LIMIT 50
"""
