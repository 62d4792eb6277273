"""The words of a text as they are compared: without case and accents, in any script, with the place where they stand.

Scripts that put no spaces between words (Chinese, Japanese, Thai, Khmer …) are cut into pairs of neighbours, the last
character alone, so that any part of such a text can be found.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

#: Longer words are compared by their beginning.
LONGEST = 64
#: What belongs to a word though `\w` does not say so: marks over and beside letters, joiners.
_MARKS = (
    "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963"
    "\u0966-\u0dff\u0e31-\u0e3a\u0e47-\u0e4e\u0eb1-\u0ebc\u0ec8-\u0ecd\u0f18-\u0fbc\u102b-\u109f\u17b4-\u17d3"
    "\u1dc0-\u1dff\u200c\u200d\u20d0-\u20f0\u302a-\u302f\u3099\u309a\ufe20-\ufe2f"
)
_WORD = re.compile(rf"(?:[^\W_][{_MARKS}]*)+")
#: Characters of scripts without spaces, and what follows each of them in one cell.
_CELL = re.compile(
    "[\u0e00-\u0eff\u0f40-\u0fbc\u1000-\u109f\u1780-\u17d3\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    rf"\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff][{_MARKS}\u30fc]*"
)
_DIGIT = re.compile(r"\d")
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ŀ": "l"})
#: What begins a token that is no word (see `index`).
_MARKED = "§¶"
#: Combining marks of a lower class change a letter's sound (virama, nukta, dakuten) and stay.
_FOLDED_FROM = 10


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is compared, and the part of the text that it stands for."""

    folded: str
    start: int
    end: int


@lru_cache(16_384)
def folded(text: str) -> str:
    """A word without case and accents: “Économie” and “economie” are one."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(c for c in parts if not unicodedata.combining(c) >= _FOLDED_FROM and c not in "\u200c\u200d")
    return unicodedata.normalize("NFC", kept).translate(_LETTERS)[:LONGEST]


def words(text: str) -> Iterator[Word]:
    """The words of a text in order."""
    for found in _WORD.finditer(text):
        if found[0].isascii():
            yield Word(found[0].lower()[:LONGEST], *found.span())
            continue
        yield from _cut(text, *found.span())


def _cut(text: str, start: int, end: int) -> Iterator[Word]:
    """A run of letters, cut where its script has no spaces."""
    cells: list[tuple[int, int]] = []
    while start < end:
        cell = _CELL.match(text, start, end)
        if cell:
            cells.append(cell.span())
            start = cell.end()
            continue
        yield from _pairs(text, cells)
        cells.clear()
        following = _CELL.search(text, start, end)
        stop = following.start() if following else end
        if word := _kept(text[start:stop]):
            yield Word(word, start, stop)
        start = stop
    yield from _pairs(text, cells)


def _pairs(text: str, cells: list[tuple[int, int]]) -> Iterator[Word]:
    for number, (start, _) in enumerate(cells):
        end = cells[min(number + 1, len(cells) - 1)][1]
        if word := _kept(text[start:end]):
            yield Word(word, start, end)


def _kept(text: str) -> str:
    """A word folded; what decomposes into signs as well (such as “½”) loses them."""
    word = folded(text)
    return word if word.isalnum() else "".join(c for c in word if c.isalnum() or unicodedata.category(c)[0] == "M")


def is_cell(word: str) -> bool:
    """Whether the word is one character of a script without spaces, so that it is the beginning of pairs."""
    cell = _CELL.match(word)
    return cell is not None and cell.end() == len(word)


def asked(text: str) -> list[str]:
    """The words of a question, each once, in order; a run of a script without spaces only as its pairs."""
    found = list(words(text))
    ends = {word.end for word in found if not is_cell(word.folded)}
    return list(dict.fromkeys(w.folded for w in found if not (is_cell(w.folded) and w.end in ends)))


def grams(word: str) -> set[str]:
    """The groups of three neighbouring letters of a word, its beginning and end marked."""
    marked = f"^^{word}$$"
    return {marked[i : i + 3] for i in range(len(marked) - 2)}


def allowed_typos(word: str) -> int:
    """How many slips of a finger a word may have and still be meant."""
    if len(word) < 4 or _DIGIT.search(word) or _CELL.match(word) or word[0] in _MARKED:
        return 0
    return 1 if len(word) < 8 else 2


def distance(one: str, other: str, most: int) -> int:
    """Letters to add, drop, change or swap with a neighbour between two words; `most + 1` for more than `most`."""
    if one == other:
        return 0
    if abs(len(one) - len(other)) > most:
        return most + 1
    width, far = len(other), most + 1
    before: list[int] = []
    last = list(range(width + 1))
    for i, a in enumerate(one, 1):
        # Cells further from the diagonal than `most` cannot be on the way.
        first, end = max(1, i - most), min(width, i + most)
        row = [far] * (width + 1)
        row[0] = i
        least = i if first == 1 else far
        for j in range(first, end + 1):
            b = other[j - 1]
            if a == b:
                cost = last[j - 1]
            else:
                cost = last[j - 1]
                if last[j] < cost:
                    cost = last[j]
                if row[j - 1] < cost:
                    cost = row[j - 1]
                cost += 1
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b and before[j - 2] + 1 < cost:
                cost = before[j - 2] + 1
            row[j] = cost
            if cost < least:
                least = cost
        if least > most:
            return far
        before, last = last, row
    return min(last[-1], far)
