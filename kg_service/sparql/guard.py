"""What is looked at in a query text before any engine sees it.

The engine's own parser recurses, so that a few kilobytes of brackets end its process, and it follows SERVICE to any
address. A lexer after the SPARQL 1.1 grammar's terminals (section 19.8) finds both without recursion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urljoin

from kg_service.errors import Malformed, Refused

#: Brackets within brackets; the engine breaks at about 3,000.
MAX_DEPTH = 100

_TERMINALS = re.compile(
    r"""
    (?P<space>   [\x20\t\r\n]+ | \#[^\r\n]* )
  | (?P<iri>     <(?:[^<>"{}|^`\\\x00-\x20]|\\u[0-9A-Fa-f]{4}|\\U[0-9A-Fa-f]{8})*> )
  | (?P<string>  \"\"\"(?:\"{0,2}(?:[^"\\]|\\.))*\"\"\"
               | '''(?:'{0,2}(?:[^'\\]|\\.))*'''
               | "(?:[^"\\\r\n]|\\.)*" | '(?:[^'\\\r\n]|\\.)*' )
  | (?P<variable>[?$]\w+ )
  | (?P<name>    (?:[^\W\d_][\w.-]*)?:(?:[\w:%-]|\\.)(?:[\w:.%-]|\\.)* | (?:[^\W\d_][\w.-]*)?: )
  | (?P<word>    [@]?[^\W\d_][\w-]* )
  | (?P<open>    [({\[] )
  | (?P<close>   [)}\]] )
  | (?P<other>   . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A terminal of the grammar: what kind, its text, and where it starts."""

    kind: str
    text: str
    start: int

    @property
    def keyword(self) -> str:
        """The word in capitals; empty for anything but a word."""
        return self.text.upper() if self.kind == "word" else ""


def tokens(text: str) -> Iterator[Token]:
    """The terminals of a SPARQL text, without white space and comments."""
    for match in _TERMINALS.finditer(text):
        if match.lastgroup != "space":
            yield Token(match.lastgroup or "other", match.group(), match.start())


@dataclass(frozen=True, slots=True)
class Inspected:
    """A query that may be evaluated, and the graphs of its FROM and FROM NAMED clauses."""

    text: str
    default_graphs: tuple[str, ...]
    named_graphs: tuple[str, ...]


def inspect(text: str, *, max_bytes: int, base: str | None = None, what: str = "query") -> Inspected:
    """Looks a query or update over; Refused for SERVICE, depth or size, Malformed for an empty text."""
    if len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise Refused(f"the {what} is longer than {max_bytes} bytes")
    found = list(tokens(text))
    if not found and what == "query":  # an update may hold no operation (grammar rule 29)
        raise Malformed("the query is empty; send SPARQL text, for example: ASK {}")
    depth = 0
    for token in found:
        depth += (token.kind == "open") - (token.kind == "close")
        if depth > MAX_DEPTH:
            raise Refused(f"brackets are nested deeper than {MAX_DEPTH} levels", **position(text, token.start))
    _refuse_service(text, found)
    default, named = _dataset(found, base)
    return Inspected(text, default, named)


_OPERANDS = {"iri", "string", "variable", "name", "word", "close"}


def _refuse_service(text: str, found: list[Token]) -> None:
    """Refuses SERVICE, and every text with that word in which the engine could see it where this lexer does not.

    The engine reads no tokens: it takes `trueSERVICE` for two words, and after an operand `<` for an operator, so that
    a quote or a `#` behind it begins something else than it does here. Such texts are rare and easily written clearer.
    """
    if "service" not in text.casefold():
        return
    inside: list[str] = []
    before = Token("other", "", 0)
    for token in found:
        is_hidden = token.kind == "iri" and before.kind in _OPERANDS and inside[-1:] == ["("]
        is_stray = token.kind == "other" and token.text in "\\'\""
        if "SERVICE" in token.keyword and not token.text.startswith("@"):
            raise Refused(
                "SERVICE is not allowed here: this endpoint does not query others", **position(text, token.start)
            )
        if is_hidden or is_stray:
            raise Refused(
                "the text says “service” and holds a “<” or a quote that can be read in two ways here; "
                "put spaces around the “<”, or write the word otherwise",
                **position(text, token.start),
            )
        if token.kind == "open":
            inside.append(token.text)
        elif token.kind == "close" and inside:
            inside.pop()
        before = token


def _dataset(found: list[Token], base: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The IRIs of the dataset clauses, which stand at depth 0 after FROM."""
    prefixes: dict[str, str] = {}
    graphs: dict[bool, list[str]] = {False: [], True: []}
    depth = 0
    for here, token in enumerate(found):
        depth += (token.kind == "open") - (token.kind == "close")
        after = found[here + 1 : here + 3]
        if token.keyword == "BASE" and after:
            base = _join(base or "", after[0].text.strip("<>"))
        elif token.keyword == "PREFIX" and len(after) == 2:
            prefixes[after[0].text.rstrip(":")] = _join(base or "", after[1].text.strip("<>"))
        elif token.keyword == "FROM" and depth == 0 and after:
            is_named = after[0].keyword == "NAMED" and len(after) == 2
            graphs[is_named].append(_resolve(after[is_named], prefixes, base))
    return tuple(dict.fromkeys(graphs[False])), tuple(dict.fromkeys(graphs[True]))


def _join(base: str, iri: str) -> str:
    try:
        return urljoin(base, iri)
    except ValueError:
        raise Malformed(f"<{iri}> is not an IRI") from None


def _resolve(token: Token, prefixes: dict[str, str], base: str | None) -> str:
    if token.kind == "iri":
        return _join(base or "", token.text[1:-1])
    prefix, _, local = token.text.partition(":")
    if prefix not in prefixes:
        raise Malformed(f"the prefix {prefix}: of a FROM clause is not declared")
    return prefixes[prefix] + re.sub(r"\\(.)", r"\1", local)


def position(text: str, offset: int) -> dict[str, int]:
    """Line and column (from 1) of an offset in a text."""
    before = text[:offset]
    return {"line": before.count("\n") + 1, "column": offset - (before.rfind("\n") + 1) + 1}
