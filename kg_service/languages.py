"""Which of several texts a reader of some languages is served best with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

#: The language of last resort.
ENGLISH = "en"


def place(tag: str | None, languages: Sequence[str]) -> tuple[int, int]:
    """Where what is in a language stands among some languages, the best first: the smaller, the better.

    English comes after them, then what has no language, then all others. A language as it is spoken somewhere (es-MX)
    comes right after the language itself, and so does, for who asked for it as it is spoken in one place, how it is
    spoken elsewhere. Tags are those of RFC 5646, in any case.
    """
    whole = (tag or "").lower()
    main = whole.partition("-")[0]
    order = dict.fromkeys(each.lower() for each in (*languages, ENGLISH))
    for number, each in enumerate(order):
        if whole == each:
            return number, 0
        if main == each.partition("-")[0]:
            return number, 1 if main in (whole, each) else 2
    return len(order), 1 if whole else 0


def best_tag(tags: Iterable[str], languages: Sequence[str]) -> str | None:
    """The language, of those that a thing has texts in, that a reader of some languages is served best with; None where
    there are no texts. What has no language is what has an empty one.
    """
    return min(tags, key=lambda tag: (place(tag, languages), tag), default=None)


def best_text(texts: Mapping[str, str], languages: Sequence[str]) -> tuple[str, str | None] | None:
    """The text that such a reader is served best with, of some by language, and its language if it has one; None where
    all are empty.
    """
    tag = best_tag((tag for tag, text in texts.items() if text), languages)
    return None if tag is None else (texts[tag], tag or None)
