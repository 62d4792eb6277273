"""The ways in which an actor is named, as words that can be compared: whole, in its parts, and without forms."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from kg_service.search.names import core, name_words

_HYPHEN = re.compile(r"\b(co|inter|multi)-(?=\w)", re.IGNORECASE)
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=s\b)", re.IGNORECASE)
#: “RIPESS EU - Solidarity Economy Europe”, “Red de redes … (REAS)”: each part may be all that others say.
_PARTS = re.compile(r"\s+[-–—:|/]\s+|[()\[\]]")
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
#: Forms written out, and words of this field that are written in several ways, in the languages of the data.
_SHORT = {
    **dict.fromkeys("limited limitada limitee incorporated company societe sociedad societa".split(), ""),
    **dict.fromkeys("cooperative cooperativa cooperativas cooperatives cooperativo coops".split(), "coop"),
    **dict.fromkeys("asociacion associacao associazione associacio assoc asoc assn".split(), "association"),
    **dict.fromkeys("federacion federacao federazione federacio fed".split(), "federation"),
    **dict.fromkeys("fundacion fondation fundacao fondazione fundacio stiftung".split(), "foundation"),
    **dict.fromkeys("red rede reseau rete netz netzwerk xarxa".split(), "network"),
    **dict.fromkeys("internacional internazionale internationale intl".split(), "international"),
    **dict.fromkeys("nacional nazionale nationale".split(), "national"),
    **dict.fromkeys("economia economie".split(), "economy"),
    "soc": "society",
    "hsg": "housing",
    "dev": "development",
    "comm": "community",
    "st": "saint",
}
#: Words of a name that are compared, and names of one actor.
_WORDS, _NAMES = 24, 24


@lru_cache(65_536)
def words_of(name: str) -> tuple[str, ...]:
    """The words that tell who it is, in order: folded, without legal forms, in one of several ways of writing."""
    plain = _APOSTROPHE.sub("", _HYPHEN.sub(r"\1", name.replace("&", " and ")))
    kept = [short for word in core(name_words(plain)) if (short := _SHORT.get(word, word))]
    return tuple(kept or name_words(plain))[:_WORDS]


def variants(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Each name whole, and the parts of those that have some."""
    found: dict[tuple[str, ...], None] = {}
    for name in names:
        parts = [part for part in _PARTS.split(name) if part.strip()]
        for part in (name, _BRACKETS.sub(" ", name), *(parts if len(parts) > 1 else ())):
            if words := words_of(part):
                found.setdefault(words)
    return tuple(found)[:_NAMES]
