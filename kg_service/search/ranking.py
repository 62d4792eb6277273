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
from typing import Any, TypeAlias

from kg_service.errors import wrong_parameter
from kg_service.rdf import ONTOLOGY
from kg_service.search import DEEPEST, Question, index, texts
from kg_service.search.index import first_of, language_mark, type_mark
from kg_service.search.words import allowed_typos, asked, distance, grams, is_cell, words

#: Words of a question that count.
MOST_WORDS = 32
#: Texts that one stage reads; what is beyond is counted as "at least".
READ = 500
#: The same for texts that lead to other things, of which each may lead to many.
READ_LEADING = 150
#: Fewer things than this, and for a word that is nowhere one is looked for that may have been meant.
FEW = 5
#: What a match of each kind counts for.
KINDS = {"exact": 1.0, "prefix": 0.85, "typo": 0.7}
#: Words that a mistyped one may stand for, and those that are compared with it letter by letter.
_MEANT, _COMPARED = 8, 40
_SNIPPET = 240


@dataclass(frozen=True, slots=True)
class _Match:
    """The best match of a thing: its score, the text, how it was found, and the share of the words that it has."""

    score: float
    text: int
    kind: str
    coverage: float = 1.0


#: The names of a node: texts by language.
Names: TypeAlias = dict[str, str]


def find(rows: sqlite3.Connection, question: Question, classes: dict[int, Names] | None = None) -> dict[str, Any]:
    """The page of things that was asked for, facets, and how many there are; within one transaction of the caller.

    `classes` may be kept from one question to the next of the same state: it takes up the names of classes.
    """
    return _Search(rows, question, {} if classes is None else classes).page()


class _Search:
    def __init__(self, rows: sqlite3.Connection, question: Question, classes: dict[int, Names]) -> None:
        self._rows, self._question, self._classes = rows, question, classes
        every = asked(question.text)
        self._words, self._ignored = every[:MOST_WORDS], every[MOST_WORDS:]
        self._found: dict[int, _Match] = {}
        self._is_all = True
        self._meant: dict[str, list[str]] = {}
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
        ranked = sorted((-match.score, match.text, thing) for thing, match in self._found.items())
        offset, limit = self._question.offset, self._question.limit
        chosen = [thing for _, _, thing in ranked[offset : offset + limit]]
        return {
            "data": self._hits(chosen),
            "total": len(ranked),
            "is_exact": self._is_all,
            "facets": self._facets(list(self._found)),
            "words": self._words,
            "ignored": self._ignored,
            "meant": {word: meant for word, meant in self._meant.items() if meant},
        }

    # the stages

    def _look(self) -> None:
        asked_for, last = self._words, self._words[-1]
        exact = [_quoted(word) for word in asked_for]
        if not is_cell(last):  # one character of Chinese, say, is the beginning of what has it
            self._stage([[each] for each in exact], "exact")
        if self._is_all and (not self._question.is_complete or is_cell(last)):
            self._stage([*([each] for each in exact[:-1]), [exact[-1] + "*"]], "prefix")
        if len(self._found) < FEW:
            doubtful = [word for word in asked_for if not self._is_known(word)]
            if not self._found and not doubtful:
                doubtful = asked_for
            if doubtful:
                self._stage([self._readings(word, is_doubtful=word in doubtful) for word in asked_for], "typo")
        is_lacking = len(self._found) < self._question.limit if self._question.is_of_names else not self._found
        if is_lacking and len(asked_for) > 1:
            self._some()

    def _is_known(self, word: str) -> bool:
        return bool(self._rows.execute("SELECT 1 FROM words WHERE words MATCH ? LIMIT 1", (_quoted(word),)).fetchone())

    def _stage(self, alternatives: Sequence[Sequence[str]], kind: str) -> None:
        """Takes in the texts with one alternative of each word, unless their things were found better."""
        factor, found, bucket, score = KINDS[kind], self._found, -1, 0.0
        for number, thing in self._matches(" AND ".join(f"({' OR '.join(each)})" for each in alternatives)):
            if index.bucket_of(number) != bucket:  # they come in order
                bucket = index.bucket_of(number)
                score = factor * _worth(bucket, len(self._words))
            known = found.get(thing)
            if known is None or known.score < score:
                found[thing] = _Match(score, number, kind)

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

    def _readings(self, word: str, *, is_doubtful: bool) -> list[str]:
        """The word, as it is and as a beginning, and the words that may have been meant by a doubtful one."""
        readings = [_quoted(word)]
        if is_doubtful:
            meant = self._meant[word] = meant_by(self._rows, word)
            readings += map(_quoted, meant)
        if word == self._words[-1] and not self._question.is_complete:
            readings.append(_quoted(word) + "*")
        return readings

    def _some(self) -> None:
        """Things with some of the words in any of their texts, by the rarest words."""
        readings = {word: " OR ".join(map(_quoted, [word, *self._meant.get(word, ())])) for word in self._words}
        counts = {word: self._count(expression) for word, expression in readings.items()}
        rare = sorted((word for word in self._words if counts[word]), key=lambda word: counts[word])[:2]
        total = sum(self._weight(counts[word]) for word in self._words)
        for word in rare:
            for number, thing in self._matches(readings[word], 40):
                if thing in self._found:
                    continue
                has = self._words_of(thing, number)
                there = [w for w in self._words if w in has or any(m in has for m in self._meant.get(w, ()))]
                coverage = sum(self._weight(counts[w]) for w in there) / total
                kind = KINDS["exact" if word in has else "typo"]
                score = kind * coverage * _worth(index.bucket_of(number), len(self._words))
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
        """The words of the text that was found and of some others of its thing, which are names for the most part."""
        found = self._rows.execute(
            "SELECT value FROM text WHERE id = ? UNION ALL SELECT value FROM (SELECT value FROM text WHERE node = ? "
            "ORDER BY id LIMIT 12)",
            (number, thing),
        ).fetchall()
        return {word.folded for (value,) in found for word in words(value[:400])}

    # what is shown

    def _hits(self, things: list[int]) -> list[dict[str, Any]]:
        texts_of = {
            row[0]: row[1:] for row in self._rows.execute(_TEXTS, (_listed(self._found[t].text for t in things),))
        }
        iris = dict(self._rows.execute(_IRIS, (_listed(things),)).fetchall())
        names, types = self._names(things), dict[int, list[tuple[int, str]]]()
        for thing, number, iri in self._rows.execute(_TYPES, (_listed(things),)).fetchall():
            types.setdefault(thing, []).append((number, iri))
        self._know_classes({number for found in types.values() for number, _ in found})
        return [
            self._hit(iris[thing], self._found[thing], texts_of, names.get(thing, {}), types.get(thing, []))
            for thing in things
        ]

    def _hit(
        self,
        iri: str,
        match: _Match,
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
        for wanted in (*self._question.languages, "en"):
            if wanted in names:
                return names[wanted], wanted
            for language in names:
                if language.startswith(f"{wanted}-"):
                    return names[language], language
        any_language = min(names, default=None)
        return (None, None) if any_language is None else (names[any_language], any_language or None)

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
        counted = self._rows.execute(_FACETS, (_listed(things),)).fetchall()
        self._know_classes({number for number, _, _ in counted})
        return [
            {"iri": iri, "label": self._chosen(self._classes[number])[0], "count": count}
            for number, iri, count in counted
        ]


def _listed(numbers: Iterable[int]) -> str:
    return f"[{','.join(map(str, numbers))}]"


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
_TEXTS = """
SELECT text.id, property.iri, text.language, text.value, source.iri FROM json_each(?) AS wanted
  JOIN text ON text.id = wanted.value JOIN node AS property ON property.id = text.property
  JOIN node AS source ON source.id = text.node
"""
_IRIS = "SELECT node.id, node.iri FROM json_each(?) AS wanted JOIN node ON node.id = wanted.value"
_CLASS = "SELECT id FROM node WHERE iri = ? AND EXISTS (SELECT 1 FROM kind WHERE type = node.id)"
_CLASSES = "SELECT DISTINCT iri FROM kind JOIN node ON node.id = kind.type"
_TYPES = """
SELECT kind.node, node.id, node.iri FROM json_each(?) AS wanted JOIN kind ON kind.node = wanted.value
  JOIN node ON node.id = kind.type ORDER BY node.iri
"""
_LABELS = f"""
SELECT text.node, text.language, text.value FROM json_each(?) AS wanted JOIN text ON text.node = wanted.value
WHERE text.property IN (SELECT id FROM node WHERE iri IN ({", ".join("?" * len(texts.LABELS))})) LIMIT 5000
"""
_FACETS = """
SELECT node.id, node.iri, count(*) FROM json_each(?) JOIN kind ON kind.node = value JOIN node ON node.id = kind.type
GROUP BY node.id ORDER BY count(*) DESC, iri LIMIT 50
"""
assert READ >= DEEPEST
