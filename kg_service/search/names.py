"""How alike two names are, and two addresses on the web: what is compared wherever things are told apart."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from kg_service.search.words import distance, words

#: Said of a company's or association's form, not of who it is; folded as words are.
LEGAL_FORMS = frozenset(
    "inc incorporated ltd limited llc llp plc co corp corporation cic gmbh ggmbh ag ev eg egmbh kg sa sarl sas scop "
    "scic sl slu sll scl scoop scca sc sci sca srl spa scrl scarl asbl vzw aisbl lda ltda eireli ac sab rl cv bv nv ab "
    "oy as aps".split()
)
_LITTLE = frozenset(
    "a al and d da das de del der des di die do dos du e el en et for fur in l la las le les los of on para pour the "
    "un und une y".split()
)
_DOTTED = re.compile(r"\b(?:\w\.){2,}(?!\w)|\b(?:\w\.)+\w\b")


@lru_cache(8192)
def name_words(name: str) -> tuple[str, ...]:
    """The words of a name, dotted initials as one: “S.A.” is “sa”."""
    return tuple(word.folded for word in words(_DOTTED.sub(lambda m: m[0].replace(".", ""), name)))


def core(name: Sequence[str]) -> list[str]:
    """The words that tell who it is, without legal forms and little words; all of them when no other is left."""
    kept = [word for word in name if word not in LEGAL_FORMS and word not in _LITTLE]
    return kept or list(name)


@lru_cache(16_384)
def alike(one: str, other: str) -> float:
    """How alike two names are, from 0 to 1; 1 only when all words are the same in the same order."""
    first, second = name_words(one), name_words(other)
    if not first or not second:
        return float(bool(one.strip()) and one.strip() == other.strip())
    if first == second:
        return 1.0
    mine, theirs = core(first), core(second)
    if mine == theirs:
        return 0.97
    if sorted(mine) == sorted(theirs):
        return 0.94
    return 0.92 * max(_shared(first, second), _as_written(mine, theirs))


def _shared(first: Sequence[str], second: Sequence[str]) -> float:
    """The share of words, little ones counting little, that both have or nearly have."""
    left, found = list(second), 0.0
    for word in first:
        best = max(left, key=lambda other: _near(word, other), default="")
        near = _near(word, best) if best else 0.0
        if near:
            found += near * (_weight(word) + _weight(best))
            left.remove(best)
    return found / (sum(map(_weight, first)) + sum(map(_weight, second)))


def _weight(word: str) -> float:
    return 0.2 if word in LEGAL_FORMS or word in _LITTLE else math.sqrt(min(len(word), 9))


@lru_cache(65_536)
def _near(word: str, other: str) -> float:
    if word == other:
        return 1.0
    shorter, longer = sorted((word, other), key=len)
    if len(shorter) < 3:
        return 0.0
    share = 1 - distance(word, other, max(1, len(longer) // 3)) / len(longer)
    if share >= 0.7:
        return share
    return 0.75 if longer.startswith(shorter) else 0.0  # “coop” for “cooperativa”


def _as_written(first: Sequence[str], second: Sequence[str]) -> float:
    """How alike they are without the spaces, so that “sol edad” is near “soledad”."""
    one, other = "".join(first)[:60], "".join(second)[:60]
    longest = max(len(one), len(other))
    share = 1 - distance(one, other, max(1, longest // 4)) / longest
    return share if share >= 0.75 else 0.0


def site(address: str) -> str:
    """An address as people mean it: without scheme, www and the slash at the end."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
        return f"{host(address)}{parts.path.rstrip('/')}{'?' + parts.query if parts.query else ''}"
    except ValueError:
        return address


@lru_cache(16_384)
def host(address: str) -> str:
    """The host of an address without www; empty when there is none."""
    try:
        return (urlsplit(address if "://" in address else f"//{address}").hostname or "").removeprefix("www.")
    except ValueError:
        return ""
