"""What is looked at in a query text before any engine sees it.

The engine's own parser recurses, so that a few kilobytes of brackets end its process, and it follows SERVICE to any
address. A lexer after the SPARQL 1.1 grammar's terminals (section 19.8) finds both without recursion, in time that
grows with the text and no faster.

The engine reads no tokens, so that the two can differ: it takes `trueSERVICE` and `SERVICEe:x` for two words, and after
an operand `<` for an operator, so that a quote or a `#` behind it begins something else than it does here. Where they
could, the worse of the two readings counts: such texts are rare and easily written clearer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple
from urllib.parse import urljoin

from kg_service.errors import Malformed, Refused

#: Brackets within brackets; the engine breaks at about 3,000.
MAX_DEPTH = 100

_LETTERS = (
    r"A-Za-z\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02FF\u0370-\u037D\u037F-\u1FFF\u200C\u200D\u2070-\u218F\u2C00-\u2FEF"
    r"\u3001-\uD7FF\uF900-\uFDCF\uFDF0-\uFFFD\U00010000-\U000EFFFF"
)
_AFTER = rf"{_LETTERS}_0-9\u00B7\u0300-\u036F\u203F\u2040"
# Possessive, and what fails consumes what it looked at, or a text could make the lexer read it again and again.
_TERMINALS = re.compile(
    rf"""
    (?P<space>   [\x20\t\r\n]++ | \#[^\r\n]*+ )
  | (?P<variable>[?$][{_LETTERS}_0-9][{_AFTER}]*+ )
  | (?P<name>    (?:[{_LETTERS}][{_AFTER}.-]*+)?+:
                 (?:(?:[{_LETTERS}_0-9:%]|\\.)(?:[{_AFTER}:.%-]|\\.)*+)?+ )
  | (?P<dotted>  [{_LETTERS}][{_AFTER}-]*+\.[{_AFTER}.-]*+ )
  | (?P<word>    @?[{_LETTERS}][{_AFTER}-]*+ )
  | (?P<iri>     <(?:[^<>"{{}}|^`\\\x00-\x20]|\\u[0-9A-Fa-f]{{4}}|\\U[0-9A-Fa-f]{{8}})*+> )
  | (?P<open>    [({{\[] )
  | (?P<close>   [)}}\]] )
  | (?P<string>  \"\"\"(?:\"{{0,2}}(?:[^"\\]|\\.))*+\"\"\"
               | '''(?:'{{0,2}}(?:[^'\\]|\\.))*+'''
               | "(?:[^"\\\r\n]|\\.)*+" | '(?:[^'\\\r\n]|\\.)*+' )
  | (?P<number>  [0-9]++(?:\.[0-9]++)*+ )
  | (?P<other>   [.,=!&|*/+^~-]++ | [;<>?] | _(?=:) )
  | (?P<stray>   \\.? | . )
    """,
    re.VERBOSE | re.DOTALL,
)
#: What words with dots between them are made of, where they are not the prefix of a name.
_PIECES = re.compile(rf"(?P<word>[{_LETTERS}][{_AFTER}-]*+)|(?P<number>[0-9]++)|(?P<other>.)", re.DOTALL)
_NOTHING = re.compile(r"(?:[\x20\t\r\n]|\#[^\r\n]*+)*+")
_ESCAPE = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")


class Token(NamedTuple):
    """A terminal of the grammar: what kind, its text, and where it starts.

    A `stray` begins nothing that SPARQL knows, as a backslash or a quote without an end.
    """

    kind: str
    text: str
    start: int

    @property
    def keyword(self) -> str:
        """The word in capitals; empty for anything but a word."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def tokens(text: str) -> Iterator[Token]:
    """The terminals of a SPARQL text, without white space and comments."""
    for match in _TERMINALS.finditer(text):
        kind = match.lastgroup or "other"
        if kind == "dotted":
            for piece in _PIECES.finditer(text, match.start(), match.end()):
                yield Token(piece.lastgroup or "other", piece.group(), piece.start())
        elif kind != "space":
            yield Token(kind, match.group(), match.start())


@dataclass(frozen=True, slots=True)
class Inspected:
    """A query that may be evaluated, and the graphs of its FROM and FROM NAMED clauses."""

    text: str
    default_graphs: tuple[str, ...]
    named_graphs: tuple[str, ...]


def inspect(
    text: str, *, max_bytes: int, base: str | None = None, what: str = "query", may_federate: bool = False
) -> Inspected:
    """Looks a query or update over; Refused for depth, size or SERVICE, Malformed for an empty text.

    With `may_federate`, SERVICE clauses are left to `federation`, which finds every one that the engine would: texts
    that the two could read differently are refused as ever.
    """
    if len(text if text.isascii() else text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise Refused(f"the {what} is longer than {max_bytes} bytes")
    if what == "query" and _NOTHING.fullmatch(text):  # an update may hold no operation (grammar rule 29)
        raise Malformed("the query is empty; send SPARQL text, for example: ASK {}")
    folded = text.casefold()
    if "\\u" in folded:
        _refuse_spelling(text)
    mentions_service = "service" in folded
    if mentions_service or _brackets(text) > MAX_DEPTH:  # else there is nothing to be found
        _refuse(text, mentions_service=mentions_service, may_federate=may_federate)
    default, named = _dataset(text, base) if what == "query" and "from" in folded else ((), ())
    return Inspected(text, default, named)


def _brackets(text: str) -> int:
    return text.count("{") + text.count("(") + text.count("[")


def _refuse_spelling(text: str) -> None:
    """Refuses escapes that spell SERVICE, or could end a string before it, for whom reads them first.

    Section 19.2 allows it: some engines replace \\u escapes before they parse, ours only in strings and IRIs.
    """
    spelt = [match for match in _ESCAPE.finditer(text) if _code(match) < 128]
    if spelt and "service" in _unescaped(text).casefold():
        raise Refused(
            "the text says “service” and writes an ASCII character as a \\u escape; write the character itself",
            **position(text, spelt[0].start()),
        )


def _refuse(text: str, *, mentions_service: bool, may_federate: bool) -> None:
    """Refuses SERVICE and depth, and every text where the engine could see either and this lexer does not."""
    inside: list[str] = []
    before: re.Match[str] | None = None
    for token in _TERMINALS.finditer(text):  # not `tokens`: a text may hold a million
        kind = token.lastgroup
        if kind == "space":
            continue
        if kind == "open":
            inside.append(token[0])
            if len(inside) > MAX_DEPTH:
                raise Refused(f"brackets are nested deeper than {MAX_DEPTH} levels", **position(text, token.start()))
            if token[0] == "{" and before and before.lastgroup == "name" and "SERVICE" in _prefix(before[0]):
                raise _no_service(text, before.start(), may_federate)  # SERVICEe:x {
        elif kind == "close":
            del inside[-1:]
        elif kind == "stray" or (kind == "iri" and _may_hide(token, before, inside)):
            if mentions_service or len(inside) + _brackets(text[token.start() :]) > MAX_DEPTH:
                raise Refused(
                    "here is a character that begins nothing, a quote without an end, or a “<” that can be read in two "
                    "ways, in a text with many brackets or the word “service”; put spaces around a “<” that means "
                    "“less”, and write IRIs from their scheme on",
                    **position(text, token.start()),
                )
            return  # what comes is not deep enough, and is no SERVICE
        elif mentions_service and kind in ("word", "dotted") and _says_service(token[0], may_federate):
            raise _no_service(text, token.start(), may_federate)
        before = token


def _prefix(name: str) -> str:
    return name.partition(":")[0].upper()


def _says_service(word: str, may_federate: bool) -> bool:
    """Whether the engine can find SERVICE in a word; the word itself is allowed to who may federate."""
    return "SERVICE" in word.upper() and word[0] != "@" and not (may_federate and len(word) == len("SERVICE"))


_HIDING = re.compile(r"['#()\[\]]")
_SURELY_IRI = re.compile(r"<[A-Za-z][A-Za-z0-9+.-]*://")
#: What an operand, and no operator, must follow.
_BEFORE_OPERANDS = ",=&|!+-*/^<"


def _may_hide(token: re.Match[str], before: re.Match[str] | None, inside: list[str]) -> bool:
    """Whether an IRI may be an operator and more behind it: after an operand in parentheses, or the half of a `<<`.

    It hides nothing unless it holds what begins or ends something; and no expression goes on as in `< http://`.
    """
    if before is None or not _HIDING.search(token[0]) or _SURELY_IRI.match(token[0]):
        return False
    if before[0] == "<" and before.end() == token.start():
        return True
    is_operand_next = before.lastgroup == "open" or (before.lastgroup == "other" and before[0][-1] in _BEFORE_OPERANDS)
    return inside[-1:] == ["("] and not is_operand_next


def _no_service(text: str, start: int, may_federate: bool) -> Refused:
    what = "is not allowed here: this endpoint does not query others"
    return Refused(f"SERVICE {'must be a word of its own' if may_federate else what}", **position(text, start))


@dataclass
class Prologue:
    """The declarations that a text begins with; what they say of names further on."""

    base: str
    prefixes: dict[str, str]

    def declare(self, keyword: str, after: Sequence[Token]) -> None:
        """Takes a BASE or PREFIX declaration, of which `after` are the tokens behind the word."""
        if keyword == "BASE" and after:
            self.base = self.iri(after[0])
        elif keyword == "PREFIX" and len(after) > 1:
            self.prefixes[after[0].text.rstrip(":")] = self.iri(after[1])

    def iri(self, token: Token) -> str:
        """The IRI that a token stands for; Malformed for an undeclared prefix."""
        if token.kind != "name":
            return _join(self.base, _unescaped(token.text.strip("<>")))
        prefix, _, local = token.text.partition(":")
        if prefix not in self.prefixes:
            raise Malformed(f"the prefix {prefix}: is not declared")
        return self.prefixes[prefix] + re.sub(r"\\(.)", r"\1", local)


def _dataset(text: str, base: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The IRIs of the dataset clauses, which stand after FROM, before the WHERE clause and outside of brackets."""
    prologue = Prologue(base or "", {})
    graphs: dict[bool, list[str]] = {False: [], True: []}
    depth, groups = 0, 1
    coming = tokens(text)
    for token in coming:
        depth += (token.kind == "open") - (token.kind == "close")
        groups += token.keyword == "CONSTRUCT"  # its template stands before them
        groups -= token.text == "{" and depth == 1
        if groups == 0:
            break
        if depth or token.keyword not in ("BASE", "PREFIX", "FROM"):
            continue
        after = list(islice(coming, 1))
        if token.keyword == "PREFIX" or (after and after[0].keyword == "NAMED"):
            after += islice(coming, 1)
        prologue.declare(token.keyword, after)
        if token.keyword == "FROM" and after:
            graphs[len(after) == 2].append(prologue.iri(after[-1]))
    return tuple(dict.fromkeys(graphs[False])), tuple(dict.fromkeys(graphs[True]))


def _join(base: str, iri: str) -> str:
    try:
        return urljoin(base, iri)
    except ValueError:
        raise Malformed(f"<{iri}> is not an IRI") from None


def _code(escape: re.Match[str]) -> int:
    return int(escape[1] or escape[2], 16)


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda escape: chr(_code(escape)) if _code(escape) <= 0x10FFFF else escape[0], text)


def position(text: str, offset: int) -> dict[str, int]:
    """Line and column (from 1) of an offset in a text."""
    before = text[:offset]
    return {"line": before.count("\n") + 1, "column": offset - (before.rfind("\n") + 1) + 1}
