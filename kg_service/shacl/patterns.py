"""The triple patterns of a SPARQL rule, each with those that certainly hold where it is matched.

Only as much of SPARQL is read as is needed to know that. What is not read, or means something else than a pattern in
a group (a sub-select, GRAPH, a negated property set), raises Unreadable, and the rule then counts as one that may look
at everything.

What is certain beside a pattern (the SPARQL 1.1 algebra, section 18.2): the patterns of its own group; of the groups
around it also, but around an OPTIONAL only those written before it, since what comes after is joined with solutions in
which it may not have matched. A variable is the same within a group and outside it only where a pattern binds it for
certain on both sides; else it gets a name of its own, so that nothing is concluded from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TypeGuard

from pyoxigraph import NamedNode

from kg_service.shacl.expressions import both
from kg_service.shacl.graph import TYPE
from kg_service.shacl.paths import Alternative, Inverse, Path, Predicate, Repeat, Sequence, sparql
from kg_service.shacl.prebinding import Token, tokens_of

THIS = "?this"


class Unreadable(Exception):
    """What in a query is not understood here."""


@dataclass(frozen=True)
class Pattern:
    """A triple or path pattern; ends are SPARQL text, and a name that begins with a question mark is a variable."""

    subject: str
    path: Path | str
    object: str

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(end for end in (self.subject, self.path, self.object) if is_variable(end))

    def renamed(self, names: Mapping[str, str]) -> Pattern:
        path = names.get(self.path, self.path) if isinstance(self.path, str) else self.path
        return Pattern(names.get(self.subject, self.subject), path, names.get(self.object, self.object))


@dataclass(frozen=True)
class Placed:
    """A pattern of a query, and others that are matched together with it in every solution that it has a part in."""

    pattern: Pattern
    beside: tuple[Pattern, ...]
    #: Must it be matched in every solution, and can matching it in more ways only give more solutions?
    is_required: bool = False


def is_variable(end: object) -> TypeGuard[str]:
    return isinstance(end, str) and end.startswith("?")


def variables_of(patterns: Iterable[Pattern]) -> frozenset[str]:
    return frozenset(variable for pattern in patterns for variable in pattern.variables)


@dataclass(frozen=True)
class Needs:
    """What a node must have itself before a query can find anything there."""

    predicates: frozenset[NamedNode]
    #: Where any predicate may do: a variable and the expression on nothing else that the predicate must pass.
    passing: tuple[str, str] | None = None


def needs_of(query: str) -> Needs:
    """What `?this` needs for the query to have a solution for it, as far as that can be told."""
    reader = _Reader(query, {}, None)
    try:
        group = reader.read()
    except Unreadable:
        return Needs(frozenset())
    if not (group.is_plain and reader.is_bare):
        return Needs(frozenset())
    own = [pattern for pattern in group.patterns if pattern.subject == THIS]
    predicates = frozenset(pattern.path.iri for pattern in own if isinstance(pattern.path, Predicate))
    passing = None
    if len(group.patterns) == len(own) == 1 and is_variable(own[0].path) and own[0].path not in (THIS, own[0].object):
        texts = [each.text for each in group.filters if each.group is None]
        used = set(_VARIABLE.findall(" ".join(texts)))
        if texts and used == {own[0].path} and not _CHANCE.search(" ".join(texts)):
            passing = own[0].path, f"COALESCE({both([f'({text})' for text in texts])}, false)"
    return Needs(predicates, passing)


_VARIABLE = re.compile(r"[?$]\w+")
_CHANCE = re.compile(r"\b(now|rand|uuid|struuid|bnode)\b", re.IGNORECASE)  # functions that answer anew each time


def has_solution(query: str) -> str | None:
    """The expression that says whether the query has a solution for the node in `?this`; None where there is none.

    Each pattern stands in an EXISTS of its own, for the reason that `inline` gives.
    """
    reader = _Reader(query, {}, None)
    try:
        group = reader.read()
    except Unreadable:
        return None
    return _expression(group, frozenset({THIS})) if reader.is_bare else None


def _expression(group: _Group, known: frozenset[str]) -> str | None:
    if not group.is_plain:
        return None
    return _nested(list(group.patterns), group.filters, known, (f"?same{number}" for number in count()))


def _nested(patterns: list[Pattern], filters: list[_Filter], known: frozenset[str], fresh: Iterator[str]) -> str | None:
    if not patterns and not filters:
        return "true"
    if not patterns:
        parts = [each.text if each.group is None else _of_group(each, known) for each in filters]
        return None if None in parts else f"COALESCE({both([f'({part})' for part in parts])}, false)"
    first = min(patterns, key=lambda each: (each.subject not in known, each.object not in known))
    if not known & {first.subject, first.object}:
        return None
    rest = [each for each in patterns if each is not first]
    inner = _nested(rest, filters, known | first.variables, fresh)
    if inner is None:
        return None
    end = first.object
    if end in (first.subject, first.path):  # the engine scans the graph for a pattern that has one variable twice
        end = next(fresh)
        inner = f"sameTerm({end}, {first.object}) && {inner}"
    path = first.path if isinstance(first.path, str) else sparql(first.path)
    return f"EXISTS {{ {first.subject} {path} {end} {'' if inner == 'true' else f'FILTER({inner})'} }}"


def _of_group(wanted: _Filter, known: frozenset[str]) -> str | None:
    assert wanted.group is not None
    text = _expression(wanted.group, known)
    return text and f"{wanted.text}{text}"


def placed_patterns(
    query: str, terms: Mapping[str, str], path: Path | None, given: Iterable[Pattern] = ()
) -> list[Placed]:
    """Every pattern of the query (prologue included), whose solutions are looked at for one `?this` at a time.

    `terms` are the texts that replace variables, `path` is what `$PATH` stands for, and `given` holds beside the whole.
    """
    reader = _Reader(query, terms, path)
    outermost = reader.read()
    outermost.patterns[:0] = given
    required = outermost if reader.is_bare and outermost.is_plain else None
    return [
        replace(_placed(group, pattern), is_required=group is required)
        for group in outermost.all()
        for pattern in group.patterns
    ]


@dataclass(eq=False)
class _Group:
    """A pair of braces; `before` counts the patterns of the group around it that are written before it."""

    kind: str = "plain"  # or optional, exists
    around: _Group | None = None
    before: int = 0
    patterns: list[Pattern] = field(default_factory=list)
    within: list[_Group] = field(default_factory=list)
    filters: list[_Filter] = field(default_factory=list)
    is_plain: bool = True  # nothing but patterns and filters

    def all(self) -> Iterable[_Group]:
        yield self
        for group in self.within:
            yield from group.all()


@dataclass(frozen=True)
class _Filter:
    """An expression as written, or a group that must exist, or must not."""

    text: str
    group: _Group | None = None


def _placed(group: _Group, pattern: Pattern) -> Placed:
    beside = [each for each in group.patterns if each is not pattern]
    fresh = (f"?own{number}" for number in count())
    while group.around is not None:
        outer = group.around
        known = outer.patterns[: group.before] if group.kind == "optional" else outer.patterns
        shared = variables_of(group.patterns if group.kind == "plain" else known) | {THIS}
        names = {own: next(fresh) for own in sorted(variables_of([pattern, *beside]) - shared)}
        pattern, beside = pattern.renamed(names), [each.renamed(names) for each in beside]
        beside += known
        group = outer
    return Placed(pattern, tuple(dict.fromkeys(beside)))


class _Reader:
    """One pass over the tokens of a query."""

    def __init__(self, query: str, terms: Mapping[str, str], path: Path | None) -> None:
        self._tokens = [token for token in tokens_of(query) if token.kind != "space"]
        self._at = 0
        self._terms = {"currentShape": "<urn:x-shacl:shape>"} | {k: v for k, v in terms.items() if k != "PATH"}
        self._path = path
        self._prefixes: dict[str, str] = {}
        #: Is the query a SELECT of variables and a group, and nothing else?
        self.is_bare = False
        self._anonymous = (f"?blank{number}" for number in count())

    def read(self) -> _Group:
        depth = 0
        while not (self._peek("{") and depth == 0):
            token = self._next()
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.is_word("PREFIX"):
                name, iri = self._next(), self._next()
                self._prefixes[name.text] = iri.text[1:-1]
            elif token.is_word("EXISTS", "BASE"):
                raise Unreadable(f"{token.text.upper()} before the first group")
        before = self._tokens[: self._at]
        group = self._group(_Group())
        self.is_bare = self._at == len(self._tokens) and not any(token.text == "(" for token in before)
        if any(token.text == "{" for token in self._tokens[self._at :]):
            raise Unreadable("a group after the first one")
        return group

    # Tokens

    def _peek(self, *texts: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].text in texts

    def _peek_word(self, *words: str) -> bool:
        return self._at < len(self._tokens) and self._tokens[self._at].is_word(*words)

    def _next(self) -> Token:
        if self._at >= len(self._tokens):
            raise Unreadable("the end where more was expected")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, *texts: str) -> bool:
        found = self._peek(*texts)
        self._at += found
        return found

    def _take_word(self, *words: str) -> bool:
        found = self._peek_word(*words)
        self._at += found
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise Unreadable(f"no {text} where one was expected")

    # Groups

    def _inner(self, kind: str, outer: _Group) -> _Group:
        inner = _Group(kind, outer, len(outer.patterns))
        outer.within.append(inner)
        return self._group(inner)

    def _group(self, group: _Group) -> _Group:
        self._expect("{")
        while not self._take("}"):
            if self._peek_word("SELECT", "GRAPH", "MINUS", "VALUES", "SERVICE", "LATERAL"):
                group.is_plain = False
                self._apart(group)
            elif self._take_word("OPTIONAL"):
                group.is_plain = False
                self._inner("optional", group)
            elif self._peek("{"):
                group.is_plain = False
                self._inner("plain", group)
                while self._take_word("UNION"):
                    self._inner("plain", group)
            elif self._take_word("FILTER"):
                self._constraint(group)
            elif self._take_word("BIND"):
                group.is_plain = False
                self._brackets(group)
            elif not self._take("."):
                self._triples(group)
        return group

    def _apart(self, group: _Group) -> None:
        """A part that is no pattern of this group; only one that reads the shapes graph can be passed over."""
        token = self._next()
        if not token.is_word("GRAPH") or self._next().text[1:] != "shapesGraph":
            raise Unreadable(token.text.upper())
        self._group(_Group())

    def _constraint(self, group: _Group) -> None:
        """What a FILTER holds: [NOT] EXISTS, a call, or an expression in brackets."""
        start, negated = self._at, self._peek_word("NOT")
        while not self._peek("("):
            if self._next().is_word("EXISTS"):
                group.filters.append(_Filter("!" if negated else "", self._inner("exists", group)))
                return
        self._brackets(group)
        group.filters.append(_Filter("".join(map(self._in_full, self._tokens[start : self._at]))))
        if any(
            token.kind == "variable" and token.text[1:] in {*self._terms, "PATH", "shapesGraph"}
            for token in self._tokens[start : self._at]
        ):
            group.is_plain = False

    def _in_full(self, token: Token) -> str:
        """The token as part of an expression that needs no prefixes; operators are tokens of one character each."""
        if token.kind in ("mark", "language"):
            return token.text
        return f" {self._iri(token) if token.kind in ('iri', 'name') else token.text}"

    def _brackets(self, group: _Group) -> None:
        """An expression in brackets, of which only the groups of EXISTS matter."""
        self._expect("(")
        depth = 1
        while depth:
            token = self._next()
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if token.is_word("EXISTS"):
                group.is_plain = False
                self._inner("exists", group)
            elif token.text in "{}":
                raise Unreadable("a brace in an expression")
            elif token.kind == "iri" and re.search("[()]", token.text):
                raise Unreadable(f"{token.text}, which may be an IRI or two comparisons")

    # Triples

    def _triples(self, group: _Group) -> None:
        if self._peek("["):
            subject = self._blank(group)
            if self._peek(".", "}"):
                return
        else:
            subject = self._end(group)
        self._verbs(subject, group)

    def _verbs(self, subject: str, group: _Group) -> None:
        while True:
            verb = self._verb()
            while True:
                group.patterns.append(Pattern(subject, verb, self._end(group)))
                if not self._take(","):
                    break
            if not self._take(";"):
                return
            while self._take(";"):
                pass
            if self._peek(".", "}", "]") or self._peek_word("OPTIONAL", "FILTER", "BIND", "GRAPH"):
                return

    def _blank(self, group: _Group) -> str:
        self._expect("[")
        variable = next(self._anonymous)
        if not self._take("]"):
            self._verbs(variable, group)
            self._expect("]")
        return variable

    def _end(self, group: _Group) -> str:
        if self._peek("["):
            return self._blank(group)
        token = self._next()
        match token.kind:
            case "variable":
                name = token.text[1:]
                return self._terms.get(name, f"?{name}")
            case "iri" | "name":
                return str(self._iri(token))
            case "string":
                return token.text + self._tag()
            case "number":
                return token.text
            case "word" if token.text.lower() in ("true", "false"):
                return token.text.lower()
            case "mark" if token.text in "+-":
                return token.text + self._next().text
        raise Unreadable(f"{token.text} as a term")

    def _tag(self) -> str:
        if self._at < len(self._tokens) and self._tokens[self._at].kind == "language":
            return self._next().text
        if self._take("^"):
            self._expect("^")
            return f"^^{self._iri(self._next())}"
        return ""

    def _iri(self, token: Token) -> NamedNode:
        try:
            if token.kind == "iri":
                return NamedNode(token.text[1:-1])
            prefix, _, local = token.text.partition(":")
            return NamedNode(self._prefixes[prefix + ":"] + re.sub(r"\\(.)", r"\1", local))
        except (KeyError, ValueError):
            raise Unreadable(f"{token.text} as an IRI") from None

    def _verb(self) -> Path | str:
        token = self._tokens[self._at]
        if token.kind == "variable" and token.text[1:] != "PATH" and token.text[1:] not in self._terms:
            return f"?{self._next().text[1:]}"
        return self._alternative()

    def _alternative(self) -> Path:
        choices = [self._sequence()]
        while self._take("|"):
            choices.append(self._sequence())
        return choices[0] if len(choices) == 1 else Alternative(tuple(choices))

    def _sequence(self) -> Path:
        steps = [self._step()]
        while self._take("/"):
            steps.append(self._step())
        return steps[0] if len(steps) == 1 else Sequence(tuple(steps))

    def _step(self) -> Path:
        if self._take("^"):
            return Inverse(self._step())
        path = self._primary()
        if self._peek("*", "+", "?"):
            return Repeat(path, self._next().text)
        return path

    def _primary(self) -> Path:
        if self._take("("):
            path = self._alternative()
            self._expect(")")
            return path
        token = self._next()
        if token.kind == "word" and token.text == "a":
            return Predicate(TYPE)
        if token.kind == "variable":
            if token.text[1:] == "PATH" and self._path is not None:
                return self._path
            term = self._terms.get(token.text[1:], "")
            if term.startswith("<"):
                return Predicate(NamedNode(term[1:-1]))
        if token.kind in ("iri", "name"):
            return Predicate(self._iri(token))
        raise Unreadable(f"{token.text} in a path")
