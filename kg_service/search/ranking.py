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
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from kg_service.errors import wrong_parameter
from kg_service.leading import leading
from kg_service.rdf import ONTOLOGY
from kg_service.search import DEEPEST, Question, index, texts
from kg_service.search.index import first_of, language_mark, type_mark
from kg_service.search.showing import Match, Names, Shown
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
        self._found: dict[int, Match] = {}
        self._is_all = True
        self._meant: dict[str, list[str]] = {}
        self._types = [self._class(iri) for iri in question.types]
        #: Entries that are one actor are one thing: that which leads them.
        self._leading = leading(rows.execute("SELECT one, leading FROM same").fetchall())

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
        if self._question.only is not None:
            wanted = self._rows.execute(_NODES, (json.dumps(self._question.only),))
            only = {self._leading.get(number, number) for (number,) in wanted}
            self._found = {thing: match for thing, match in self._found.items() if thing in only}
        ranked = sorted((-match.score, match.text, thing) for thing, match in self._found.items())
        offset, limit = self._question.offset, self._question.limit
        chosen = [thing for _, _, thing in ranked[offset : offset + limit]]
        shown = Shown(self._rows, self._question, self._words, self._meant, self._classes, self._leading)
        # Who compares names or things himself needs no more than where they lead.
        is_brief = self._question.is_of_names or self._question.is_list
        return {
            "data": shown.iris(chosen) if is_brief else shown.hits(chosen, self._found),
            "total": len(ranked),
            "is_exact": self._is_all,
            "facets": [] if is_brief else shown.facets(list(self._found)),
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
            thing = self._leading.get(thing, thing)
            known = found.get(thing)
            if known is None or known.score < score:
                found[thing] = Match(score, number, kind)

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
            for number, own in self._matches(readings[word], 40):
                thing = self._leading.get(own, own)
                if thing in self._found:
                    continue
                if self._question.is_of_names:
                    share = self._weight(counts[word]) / total
                    score = share * _worth(index.bucket_of(number), len(self._words))
                    self._found[thing] = Match(score, number, "some words", share)
                    continue
                has = self._words_of(own, number)
                there = [w for w in self._words if w in has or any(m in has for m in self._meant.get(w, ()))]
                coverage = sum(self._weight(counts[w]) for w in there) / total
                kind = KINDS["exact" if word in has else "typo"]
                score = kind * coverage * _worth(index.bucket_of(number), len(self._words))
                self._found[thing] = Match(score, number, "some words", coverage)
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
_CLASS = "SELECT id FROM node WHERE iri = ? AND EXISTS (SELECT 1 FROM kind WHERE type = node.id)"
_NODES = "SELECT node.id FROM json_each(?) JOIN node ON node.iri = value"
_CLASSES = "SELECT DISTINCT iri FROM kind JOIN node ON node.id = kind.type"
assert READ >= DEEPEST
