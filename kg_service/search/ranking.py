"""What a question finds in an index, the best first, with the reasons.

Matches are read in order of their numbers (see `index`) up to a bound, so that no question takes long, however many
there are. They are read in stages: texts with all words as they were written; with the last word as a beginning; with
words meant though mistyped, when nothing was found, or little of words that nobody writes; things with some of the
words, when nothing was, or little of names. A match counts

    boost (what the text is to its thing) × match (exact, prefix, typo) × coverage (words found) × length

where length is 1 when the text has no other words, and falls towards 1/2 with the words that were not asked for.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kg_service.errors import wrong_parameter
from kg_service.rdf import ONTOLOGY
from kg_service.search import DEEPEST, Question, index, texts
from kg_service.search.index import first_of, language_mark, type_mark
from kg_service.search.words import allowed_typos, asked, distance, grams, is_cell, words

#: Words of a question that count.
MOST_WORDS = 32
#: Texts that one stage reads; what is beyond is counted as "at least".
READ = 600
#: The same for texts that lead to other things, of which each may lead to many.
READ_LEADING = 150
#: Fewer things than this, and for a word that is nowhere one is looked for that may have been meant.
FEW = 5
#: What a match of each kind counts for.
KINDS = {"exact": 1.0, "prefix": 0.85, "typo": 0.7}
#: Words that a mistyped one may stand for, and those that are compared with it letter by letter.
_MEANT, _COMPARED = 8, 60
_SNIPPET = 240


@dataclass(frozen=True, slots=True)
class _Match:
    """The best match of a thing: its score, the text, how it was found, and the share of the words that it has."""

    score: float
    text: int
    kind: str
    coverage: float = 1.0


def find(rows: sqlite3.Connection, question: Question) -> dict[str, Any]:
    """The page of things that was asked for, facets, and how many there are; within one transaction of the caller."""
    return _Search(rows, question).page()


class _Search:
    def __init__(self, rows: sqlite3.Connection, question: Question) -> None:
        self._rows, self._question = rows, question
        every = asked(question.text)
        self._words, self._ignored = every[:MOST_WORDS], every[MOST_WORDS:]
        self._found: dict[int, _Match] = {}
        self._is_all = True
        self._meant: dict[str, list[str]] = {}
        self._labels: dict[int, tuple[str | None, str | None]] = {}
        self._types = [self._class(iri) for iri in question.types]

    def _class(self, iri: str) -> int:
        """The number of a class that something is of; WrongParameter lists them all."""
        row = self._rows.execute(_CLASS, (iri,)).fetchone()
        if row is None:
            known = sorted(known.removeprefix(ONTOLOGY) for (known,) in self._rows.execute(_CLASSES))
            raise wrong_parameter("type", iri.removeprefix(ONTOLOGY), f"one of: {', '.join(known)}")
        return int(row[0])

    def page(self) -> dict[str, Any]:
        if self._words:
            self._look()
        ranked = sorted(self._found.items(), key=lambda each: (-each[1].score, each[1].text, each[0]))
        offset, limit = self._question.offset, self._question.limit
        chosen = ranked[offset : offset + limit]
        hits = [self._hit(thing, match) for thing, match in chosen]
        return {
            "data": hits,
            "total": len(ranked),
            "is_exact": self._is_all,
            "facets": self._facets(list(self._found)),
            "words": self._words,
            "ignored": self._ignored,
            "meant": {word: meant for word, meant in self._meant.items() if meant},
        }

    # the stages

    def _look(self) -> None:
        exact = [_quoted(word) for word in self._words]
        if not is_cell(self._words[-1]):  # one character of Chinese, say, is the beginning of what has it
            self._stage([[each] for each in exact], "exact")
        if self._is_all and (not self._question.is_complete or is_cell(self._words[-1])):
            self._stage([*([each] for each in exact[:-1]), [exact[-1] + "*"]], "prefix")
        if not self._found or (len(self._found) < FEW and not all(map(self._is_known, self._words))):
            self._stage([self._readings(word, is_last=word == self._words[-1]) for word in self._words], "typo")
        is_lacking = len(self._found) < self._question.limit if self._question.is_of_names else not self._found
        if is_lacking and len(self._words) > 1:
            self._some()

    def _is_known(self, word: str) -> bool:
        return bool(self._rows.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (_quoted(word),)).fetchone())

    def _stage(self, alternatives: Sequence[Sequence[str]], kind: str) -> None:
        """Takes in the texts with one alternative of each word, unless their things were found better."""
        if not all(alternatives):
            return
        factor, found = KINDS[kind], self._found
        for number, thing in self._matches(" AND ".join(f"({' OR '.join(each)})" for each in alternatives)):
            score = self._score(number, factor)
            known = found.get(thing)
            if known is None or known.score < score:
                found[thing] = _Match(score, number, kind)

    def _score(self, number: int, factor: float) -> float:
        """What a match in that text counts for, if it has all the words."""
        return factor * _worth(index.bucket_of(number), len(self._words))

    def _matches(self, expression: str, most: int = READ) -> list[tuple[int, int]]:
        """The texts that match and the things that they lead to, in order; not more than so many texts."""
        if languages := self._question.text_languages:
            expression = f"({expression}) AND ({' OR '.join(_quoted(language_mark(each)) for each in languages)})"
        own = expression
        if self._types:
            own = f"({expression}) AND ({' OR '.join(_quoted(type_mark(each)) for each in self._types)})"
        end = first_of(texts.AFTER_NAMES if self._question.is_of_names else texts.LEADING)
        found = self._rows.execute(_OWN, (own, end, most)).fetchall()
        if self._question.is_of_names:
            self._is_all = self._is_all and len(found) < most
            return found
        left = min(most - len(found), READ_LEADING)
        if left:
            types = json.dumps(self._types) if self._types else None
            leading = {"first": first_of(texts.LEADING), "second": first_of(texts.LEADING + 1), "most": left}
            reached = self._rows.execute(_REACHED, {"words": expression, "types": types, **leading}).fetchall()
            self._is_all = self._is_all and len({number for number, _ in reached}) < left
            found += reached
        else:
            self._is_all = False
        return found

    def _readings(self, word: str, *, is_last: bool) -> list[str]:
        """The word, as it is and as a beginning, and the words that may have been meant by it."""
        meant = self._meant[word] = meant_by(self._rows, word)
        readings = [_quoted(word), *map(_quoted, meant)]
        if is_last and not self._question.is_complete:
            readings.append(_quoted(word) + "*")
        return readings

    def _some(self) -> None:
        """Things with some of the words in any of their texts, by the rarest words."""
        readings = {word: " OR ".join(self._readings(word, is_last=False)) for word in self._words}
        counts = {word: self._count(expression) for word, expression in readings.items()}
        rare = sorted((word for word in self._words if counts[word]), key=lambda word: counts[word])[:2]
        total = sum(self._weight(counts[word]) for word in self._words)
        for word in rare:
            for number, thing in self._matches(readings[word], 60):
                if thing in self._found:
                    continue
                has = self._words_of(thing, number)
                there = [w for w in self._words if w in has or any(m in has for m in self._meant.get(w, ()))]
                coverage = sum(self._weight(counts[w]) for w in there) / total
                score = self._score(number, KINDS["typo" if word not in has else "exact"]) * coverage
                self._found[thing] = _Match(score, number, "some words", coverage)
        self._is_all = False

    def _count(self, expression: str) -> int:
        row = self._rows.execute(
            "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)", (expression, READ)
        ).fetchone()
        return int(row[0])

    @staticmethod
    def _weight(count: int) -> float:
        """A rare word tells more; one that is nowhere counts as the rarest."""
        return math.log(2 * READ / max(1, count))

    def _words_of(self, thing: int, number: int) -> set[str]:
        found = self._rows.execute("SELECT value FROM text WHERE id = ? OR node = ? LIMIT 50", (number, thing))
        return {word.folded for (value,) in found for word in words(value[:2000])}

    # what is shown

    def _hit(self, thing: int, match: _Match) -> dict[str, Any]:
        iri, property_, language, value, source = self._rows.execute(_TEXT, (thing, match.text)).fetchone()
        tier, length = index.tier_and_length_of(index.bucket_of(match.text))
        pieces, found = self._snippet(value)
        field, boost = texts.TIERS[tier]
        label, label_language = self._label(thing)
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
            "types": [
                {"iri": type_, "label": self._label(number)[0]}
                for number, type_ in self._rows.execute(_TYPES, (thing,)).fetchall()
            ],
            "score": round(100 * match.score, 2),
            "snippet": pieces,
            "reason": reason,
        }

    def _label(self, node: int) -> tuple[str | None, str | None]:
        """The name of a thing in the first of the languages that it has one in, and that language."""
        if node not in self._labels:
            self._labels[node] = self._chosen_label(node)
        return self._labels[node]

    def _chosen_label(self, node: int) -> tuple[str | None, str | None]:
        names = self._rows.execute(_LABELS, (node, *texts.LABELS)).fetchall()
        if not names:
            return None, None
        languages = (*self._question.languages, "en")

        def rank(name: tuple[str, str]) -> tuple[int, str, str]:
            fits = (n for n, each in enumerate(languages) if name[0] == each or name[0].startswith(each + "-"))
            return next(fits, len(languages)), *name

        language, label = min(names, key=rank)
        return label, language or None

    def _snippet(self, value: str) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
        """The part of a text around the matches in pieces, and which words of it matched which."""
        spans: list[tuple[int, int]] = []
        found: dict[tuple[str, str], str] = {}
        for word in words(value):
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

    def _facets(self, things: list[int]) -> list[dict[str, Any]]:
        counted = self._rows.execute(_FACETS, (json.dumps(things),)).fetchall()
        return [{"iri": iri, "label": self._label(number)[0], "count": count} for number, iri, count in counted]


def meant_by(rows: sqlite3.Connection, word: str) -> list[str]:
    """The words of the graph that may have been meant by a mistyped one, the likeliest first."""
    most = allowed_typos(word)
    if not most:
        return []
    parts = sorted(grams(word))
    shared = max(1, len(parts) - 4 * most)  # a slip, two letters swapped at worst, spoils four groups
    near = rows.execute(
        "SELECT word.word FROM (SELECT gram.word, count(*) AS shared FROM json_each(?) JOIN gram ON gram.gram = value "
        "WHERE length BETWEEN ? AND ? GROUP BY gram.word HAVING shared >= ? ORDER BY shared DESC, gram.word LIMIT ?) "
        "AS near JOIN word ON word.id = near.word",
        (json.dumps(parts), len(word) - most, len(word) + most, shared, _COMPARED),
    )
    measured = sorted((distance(word, other, most), other) for (other,) in near if other != word)
    return [other for far, other in measured if far <= most][:_MEANT]


@lru_cache(4096)
def _worth(bucket: int, asked_for: int) -> float:
    """Boost and length of the texts in a bucket, for a question of so many words."""
    tier, length = index.tier_and_length_of(bucket)
    return texts.TIERS[tier][1] * (0.5 + 0.5 * math.sqrt(min(1.0, asked_for / max(1, length))))


def _quoted(word: str) -> str:
    """A word as FTS5 takes it: words hold letters, digits and marks, never a quote."""
    return f'"{word}"'


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


_OWN = """
SELECT id, node FROM (SELECT rowid AS number FROM words WHERE words MATCH ? AND rowid < ? LIMIT ?)
JOIN text ON text.id = number
"""
#: From quotations, the things whose claims rest on them; from claims, what they are about. What leads nowhere is found
#: itself. Whether things that are reached so are of the types that were asked for, their texts cannot tell.
_REACHED = """
WITH found AS MATERIALIZED (SELECT rowid AS id FROM words WHERE words MATCH :words AND rowid >= :first LIMIT :most),
  reached AS (
    SELECT found.id, coalesce(about.thing, text.node) AS thing FROM found JOIN text ON text.id = found.id
      LEFT JOIN evidence ON evidence.quotation = text.node
      LEFT JOIN about ON about.claim = CASE WHEN found.id < :second THEN evidence.claim ELSE text.node END
    LIMIT 5 * :most)
SELECT DISTINCT id, thing FROM reached WHERE :types IS NULL
  OR EXISTS (SELECT 1 FROM kind WHERE kind.node = thing AND kind.type IN (SELECT value FROM json_each(:types)))
"""
_TEXT = """
SELECT thing.iri, property.iri, text.language, text.value, source.iri
FROM text JOIN node AS thing ON thing.id = ? JOIN node AS property ON property.id = text.property
  JOIN node AS source ON source.id = text.node
WHERE text.id = ?
"""
_CLASS = "SELECT id FROM node WHERE iri = ? AND EXISTS (SELECT 1 FROM kind WHERE type = node.id)"
_CLASSES = "SELECT DISTINCT iri FROM kind JOIN node ON node.id = kind.type"
_TYPES = "SELECT node.id, node.iri FROM kind JOIN node ON node.id = kind.type WHERE kind.node = ? ORDER BY iri"
_LABELS = f"""
SELECT language, value FROM text WHERE node = ? AND property IN (
  SELECT id FROM node WHERE iri IN ({", ".join("?" * len(texts.LABELS))})) LIMIT 100
"""
_FACETS = """
SELECT node.id, node.iri, count(*) FROM json_each(?) JOIN kind ON kind.node = value JOIN node ON node.id = kind.type
GROUP BY node.id ORDER BY count(*) DESC, iri LIMIT 50
"""
assert READ >= DEEPEST
