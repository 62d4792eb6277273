"""Full text over everything that the graph says in words: what is asked, what is found, and what an index knows.

The words stand in an SQLite database beside the store (`index`), which is made of a generation (`building`), follows
the log of changes, and names in its own transactions the generation that it holds. Questions are answered by processes
(`process`) behind one door (`door`), in the order that `ranking` gives.
"""

from __future__ import annotations

from dataclasses import dataclass

#: Characters of the longest question.
LONGEST_QUESTION = 1_000
#: Things that one page may hold, and those that can be paged through.
LARGEST_PAGE, DEEPEST = 100, 400


@dataclass(frozen=True, slots=True)
class Question:
    """What is searched for: words in any language, in things of some types (IRIs), in texts of some languages.

    `languages` are those in which names are shown, the best first. `is_complete` says that the last word is not one
    that is still being typed. With `is_of_names` only names count, things with some of the words as well,
    and just the IRIs of things are told; with `is_list` just the IRIs too. Of the things found `only` these count.
    """

    text: str
    types: tuple[str, ...] = ()
    text_languages: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    offset: int = 0
    limit: int = 20
    is_complete: bool = False
    is_of_names: bool = False
    is_list: bool = False
    only: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """What an index keeps of one subject: its texts (property, language, value), its classes, for a claim what it is
    about and which quotations it rests on, and for an entry those that lead it, because they are the same actor.
    """

    texts: frozenset[tuple[str, str, str]] = frozenset()
    types: frozenset[str] = frozenset()
    about: frozenset[str] = frozenset()
    evidence: frozenset[str] = frozenset()
    same: frozenset[str] = frozenset()
