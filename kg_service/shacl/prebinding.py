"""Pre-binds the variables of SHACL-SPARQL in the text of a query (SHACL, section 5.3.2 and appendix A).

One query serves all focus nodes: the focus nodes are a sub-select that is joined into every group where `$this` must
have a value. Parameters, `$PATH`, `$currentShape` and `$shapesGraph` are replaced by their terms. What appendix A
forbids is refused. A LIMIT or OFFSET, and `$this` used only in expressions below GRAPH, mean something else for
one node than for all; such a query is marked and run for one focus node at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

#: Where the compiler's focus nodes go; replaced by a sub-select or by VALUES.
FOCUS = "\u0001focus\u0001"


class Unsupported(Exception):
    """What a query does that pre-binding does not allow, for the compiler to put a place to."""


@dataclass(frozen=True)
class Prebound:
    """A query with `FOCUS` marks; `runs_singly` when it must be run for one focus node at a time."""

    text: str
    runs_singly: bool


_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n\r]*)
    | (?P<string>\"\"\"(?:[^\\]|\\.)*?\"\"\"|'''(?:[^\\]|\\.)*?'''|"(?:[^"\\\n\r]|\\.)*"|'(?:[^'\\\n\r]|\\.)*')
    | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
    | (?P<variable>[?$]\w+)
    | (?P<name>(?:[^\W\d_](?:[\w.\-]*[\w\-])?)?:(?:(?:[\w.\-:]|%[0-9A-Fa-f]{2}|\\.)*(?:[\w\-:]|%[0-9A-Fa-f]{2}|\\.))?)
    | (?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    | (?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
    | (?P<word>[^\W\d_]\w*)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def prebind_select(query: str, terms: Mapping[str, str | None]) -> Prebound:
    """A SELECT query for all focus nodes, with `FOCUS` where a pattern that binds `?this` must go.

    `terms` are the texts that replace variables (`PATH` among them), None for a parameter without a value.
    """
    return _prebind(tokens_of(query), terms, frozenset({"this"}), is_ask=False)


def prebind_ask(query: str, terms: Mapping[str, str | None]) -> tuple[str, Prebound]:
    """The prologue of an ASK query, and its group (braces included); `FOCUS` in it must bind `?this` and `?value`."""
    tokens = tokens_of(query)
    solid = [index for index, token in enumerate(tokens) if token.kind != "space"]
    ask = next((index for index in solid if tokens[index].is_word("ASK")), None)
    if ask is None or tokens[solid[-1]].text != "}":
        raise Unsupported("an ASK validator is ASK and one group, nothing after it")
    prologue = "".join(token.text for token in tokens[:ask])
    body = [token for token in tokens[ask + 1 :] if not token.is_word("WHERE")]
    return prologue, _prebind(body, terms, frozenset({"this", "value"}), is_ask=True)


def _prebind(tokens: list[Token], terms: Mapping[str, str | None], names: frozenset[str], *, is_ask: bool) -> Prebound:
    groups = _Parse(tokens, names, names | frozenset(terms), is_ask).run()
    inject = {group.start for group in groups if _must_inject(group)}
    singly = any(token.is_word("LIMIT", "OFFSET") for token in tokens) or any(
        group.in_graph and group.start in inject for group in groups
    )
    return Prebound(_write(tokens, inject, terms), singly)


@dataclass
class Token:
    kind: str
    text: str
    place: str = "group"  # group, projection (of a SELECT) or modifier (GROUP BY … LIMIT)
    depth: int = 0  # of parentheses

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words

    @property
    def variable(self) -> str | None:
        return self.text[1:] if self.kind == "variable" else None


@dataclass
class _Select:
    is_outermost: bool
    projected: set[str] = field(default_factory=set)
    depth: int = 0
    is_past_where: bool = False


@dataclass
class _Group:
    """A pair of braces; `start` is the index of the opening one."""

    start: int
    select: _Select | None = None  # the SELECT whose WHERE this is
    is_ask: bool = False
    in_graph: bool = False
    in_exists: bool = False
    in_optional: bool = False  # a FILTER of it sees what stands before the OPTIONAL
    depth: int = 0
    bind_depth: int = 0  # the depth of parentheses that a BIND opened, 0 outside
    in_patterns: set[str] = field(default_factory=set)  # bound names in triple patterns of this very group
    in_expressions: set[str] = field(default_factory=set)


@dataclass
class _Parse:
    """One walk over the tokens: which groups there are, and where each token stands."""

    tokens: list[Token]
    names: frozenset[str]
    bound: frozenset[str]
    is_ask: bool  # the text is the group of an ASK query
    groups: list[_Group] = field(default_factory=list)
    frames: list[_Group | _Select] = field(default_factory=list)

    def run(self) -> list[_Group]:
        before, before_that = Token("mark", ""), Token("mark", "")
        for index, token in enumerate(self.tokens):
            if token.kind == "space":
                continue
            self._refuse(token, before)
            if token.text == "{":
                self._open(index, before, before_that)
            elif token.text == "}":
                self._close()
            elif token.is_word("SELECT"):
                self.frames.append(_Select(is_outermost=not self.frames and not self.is_ask))
            elif self.frames:
                self._note(token, before, self.frames[-1])
            before_that, before = before, token
        if any(isinstance(frame, _Group) for frame in self.frames) or not self.groups:
            raise Unsupported("the braces do not match")
        for group in self.groups:
            if group.select is not None:
                self._check_projection(group, group.select)
        return self.groups

    def _refuse(self, token: Token, before: Token) -> None:
        if token.is_word("MINUS", "VALUES", "SERVICE"):
            raise Unsupported(f"{token.text.upper()} cannot be used with pre-bound variables")
        if token.is_word("FROM"):
            raise Unsupported("FROM cannot be used: the data are given")
        if token.variable in self.bound and before.is_word("AS"):
            raise Unsupported(f"AS {token.text} would give a pre-bound variable another value")

    def _open(self, index: int, before: Token, before_that: Token) -> None:
        above = self.frames[-1] if self.frames else None
        outer = next((frame for frame in reversed(self.frames) if isinstance(frame, _Group)), None)
        group = _Group(
            index,
            in_graph=before_that.is_word("GRAPH") or (outer is not None and outer.in_graph),
            in_exists=before.is_word("EXISTS") or (outer is not None and outer.in_exists),
            in_optional=before.is_word("OPTIONAL"),
            is_ask=self.is_ask and not self.groups,
        )
        if isinstance(above, _Select) and not above.is_past_where and above.depth == 0:
            above.is_past_where, group.select = True, above
        self.groups.append(group)
        self.frames.append(group)

    def _close(self) -> None:
        if self.frames and isinstance(self.frames[-1], _Select):
            self.frames.pop()
        if not self.frames:
            raise Unsupported("the braces do not match")
        self.frames.pop()

    def _note(self, token: Token, before: Token, frame: _Group | _Select) -> None:
        frame.depth += {"(": 1, ")": -1}.get(token.text, 0)
        token.depth = frame.depth
        if isinstance(frame, _Select):
            token.place = "modifier" if frame.is_past_where else "projection"
            if not frame.is_past_where and frame.depth == 0 and (token.variable or token.text == "*"):
                frame.projected.add(token.variable or "*")
            return
        if token.text == "(" and before.is_word("BIND"):
            frame.bind_depth = frame.depth
        elif frame.depth < frame.bind_depth:
            frame.bind_depth = 0
        if token.variable not in self.names:
            return
        if frame.depth == 0:
            frame.in_patterns.add(token.variable or "")
        elif frame.bind_depth or not frame.in_optional:
            frame.in_expressions.add(token.variable or "")

    def _check_projection(self, group: _Group, select: _Select) -> None:
        needed = set(self.names) if select.is_outermost else self.bound - {"shapesGraph", "currentShape", "PATH"}
        if "*" in select.projected and (select.is_outermost or self.names <= group.in_patterns):
            return
        if missing := needed - select.projected:
            names = ", ".join("$" + name for name in sorted(missing))
            raise Unsupported(f"a {'query' if select.is_outermost else 'sub-select'} must select {names}")


def _must_inject(group: _Group) -> bool:
    """Does the group, evaluated by itself, need the focus nodes joined in?

    A WHERE and the group of ASK do. Within EXISTS the engine hands the values in. Elsewhere a triple pattern gives
    `$this` its values and the join outside keeps the focus nodes; only expressions without one would see nothing.
    """
    if group.select is not None or group.is_ask:
        return True
    return bool(group.in_expressions - group.in_patterns) and not group.in_exists


def _write(tokens: list[Token], inject: set[int], terms: Mapping[str, str | None]) -> str:
    written: list[str] = []
    for index, token in enumerate(_bound_as_true(tokens, terms)):
        term = terms.get(token.variable or "")
        if term is None:
            written.append(token.text)
        elif token.place == "group" or token.depth > 0:
            written.append(term)
        elif token.place == "modifier":
            written.append(f"({term})")
        if index in inject:
            written.append(f" {FOCUS} ")
    return "".join(written)


def _bound_as_true(tokens: list[Token], terms: Mapping[str, str | None]) -> list[Token]:
    """`bound($parameter)` becomes (true), since a term cannot stand there; the number of tokens stays the same."""
    solid = [index for index, token in enumerate(tokens) if token.kind != "space"]
    result = list(tokens)
    for one, two, three, four in zip(solid, solid[1:], solid[2:], solid[3:], strict=False):
        is_call = tokens[one].is_word("BOUND") and tokens[two].text == "(" and tokens[four].text == ")"
        if is_call and terms.get(tokens[three].variable or "") is not None:
            result[one] = Token("word", "(true)")
            result[two] = result[three] = result[four] = Token("space", " ")
    return result


def tokens_of(query: str) -> list[Token]:
    """The text cut into tokens, white space and comments among them; joined, they are the text again."""
    return [Token(found.lastgroup or "mark", found.group()) for found in _TOKEN.finditer(query)]
