"""A SPARQL 1.1 Update request taken apart into its operations; nothing of it is evaluated.

The engine reads the whole request first and every part of it again, so that a text which the lexer takes apart in
another way than the engine gives an error and never another change.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pyoxigraph import DefaultGraph, NamedNode, Quad, Store

from kg_service.errors import Malformed, Refused
from kg_service.rdf import malformed
from kg_service.sparql import guard

_VERBS = frozenset("INSERT DELETE WITH LOAD CLEAR DROP CREATE COPY MOVE ADD".split())
#: Fails when it is evaluated, so that nothing after it is.
_NEVER = "CLEAR GRAPH <urn:sse-kg:never> ;\n"
_PLACE = re.compile(r"error at (\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class Clause:
    """A word outside of braces, and what is written between it and the next such word."""

    word: str
    rest: str
    start: int


class Run:
    """A part of the request that is under the same declarations: a prologue and the operations up to the next one.

    The engine takes a prologue at the beginning only; the grammar allows one before each operation.
    """

    def __init__(self, text: str, declared: tuple[tuple[int, int], ...], start: int) -> None:
        self.text, self.declared, self.start, self.end = text, declared, start, start

    @cached_property
    def prologue(self) -> str:
        """The declarations as one text; made when it is needed, because a bad text has thousands of runs."""
        return "".join(self.text[first:last] + "\n" for first, last in self.declared)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `start` is its place in the request.

    It is not `is_certain` where the lexer finds no operation, so that the engine must have read the text otherwise.
    """

    run: Run
    clauses: list[Clause]
    start: int
    is_certain: bool

    def has(self, word: str) -> bool:
        """Whether it has a clause of this word."""
        return any(clause.word == word for clause in self.clauses)

    def rests(self, word: str) -> list[str]:
        """What is written after each clause of this word."""
        return [clause.rest for clause in self.clauses if clause.word == word]


@dataclass(frozen=True, slots=True)
class Context:
    """What an operation is evaluated in; the graphs are those of the protocol's parameters."""

    text: str
    base: str | None
    using: tuple[str, ...]
    using_named: tuple[str, ...]
    union: bool
    #: The one graph that may change, and what the default graph means, where the request is about a graph.
    only: NamedNode | DefaultGraph | None = None

    @property
    def own(self) -> NamedNode | None:
        """The named graph that stands for the default graph."""
        return self.only if isinstance(self.only, NamedNode) else None

    def unreadable(self, start: int) -> Malformed:
        """The error where lexer and engine may read the text in two ways."""
        return Malformed(
            "what begins here cannot be read with certainty; put spaces around < and > in expressions, and write the "
            "characters themselves instead of \\u escapes in IRIs",
            **guard.position(self.text, start),
        )

    def inserted(self, operation: Operation, body: str) -> list[Quad]:
        """The quads that INSERT DATA makes of a body, in the spelling that stores keep."""
        update = f"{operation.run.prologue}INSERT DATA {body}\n"
        if not _is_one_operation(update):
            raise self.unreadable(operation.start)
        empty = Store()
        try:
            empty.update(update, base_iri=self.base)
        except SyntaxError:
            raise self.unreadable(operation.start) from None
        return list(empty)

    def graph(self, operation: Operation, written: str) -> NamedNode:
        """The graph that an IRI or prefixed name stands for."""
        quads = self.inserted(operation, f"{{ <urn:g> <urn:g> {written}\n }}")
        if len(quads) == 1 and isinstance(quads[0].object, NamedNode):
            return quads[0].object
        raise self.unreadable(operation.start)


def read(text: str) -> tuple[list[Run], list[Operation]]:
    """The request cut at the semicolons outside of braces (grammar rule 29)."""
    runs: list[Run] = []
    operations: list[Operation] = []
    words: list[guard.Token] = []
    start = depth = 0
    for token in (*guard.tokens(text), guard.Token("end", "", len(text))):
        # Braces only: what the lexer takes for an IRI may hide other brackets, as in ?a<?b&&(?c>?d).
        depth += (token.text == "{") - (token.text == "}")
        if depth == 0 and token.keyword and (words or token.keyword in _VERBS):
            words.append(token)
        if token.kind != "end" and (depth > 0 or token.text != ";"):
            continue
        body = words[0].start if words else token.start
        if not runs or next(guard.tokens(text[start:body]), None):
            declared = runs[-1].declared if runs else ()
            runs.append(Run(text, (*declared, (start, body)), body))
        runs[-1].end = token.start
        if words or depth != 0 or token.kind != "end":
            clauses = _clauses(text, words, token.start)
            operations.append(Operation(runs[-1], clauses, body, is_certain=depth == 0 and bool(words)))
        words, start = [], token.start + 1
    return runs, operations


def _clauses(text: str, words: Sequence[guard.Token], end: int) -> list[Clause]:
    clauses = []
    for word, after in zip(words, [*(w.start for w in words[1:]), end], strict=False):
        rest = text[word.start + len(word.text) : after]
        is_empty = next(guard.tokens(rest), None) is None
        clauses.append(Clause(word.keyword, "" if is_empty else rest, word.start))
    return clauses


def check(runs: Sequence[Run], operations: Sequence[Operation], context: Context) -> None:
    """Syntax, scoping and what is not allowed, before anything is evaluated."""
    for run in runs:
        if not _is_one_operation(run.prologue):
            raise context.unreadable(run.declared[-1][0])
        checked = f"{run.prologue}{_NEVER}{context.text[run.start : run.end]}"
        try:
            Store().update(checked, base_iri=context.base)
        except SyntaxError as error:
            raise malformed(_placed(error, run, checked)) from None
        except RuntimeError:  # from _NEVER, as it must be
            continue
        raise AssertionError("the engine evaluated what it should only have parsed")
    for operation in operations:
        if not operation.is_certain:
            raise context.unreadable(operation.start)
        if operation.has("LOAD") and not operation.has("SILENT"):
            raise Refused(
                "LOAD is not allowed here: send the data itself, with INSERT DATA or the Graph Store protocol",
                **guard.position(context.text, operation.start),
            )
        clause = next((c for c in operation.clauses if c.word in ("WITH", "USING")), None)
        if clause and (context.using or context.using_named):
            raise Malformed(
                f"{clause.word} cannot be used together with using-graph-uri or using-named-graph-uri",
                **guard.position(context.text, clause.start),
            )


def _placed(error: SyntaxError, run: Run, checked: str) -> SyntaxError:
    """The engine's error about a text made for it, with its place in the request."""
    place = _PLACE.search(str(error))
    if place is None:
        return error
    offset = sum(len(line) + 1 for line in checked.split("\n")[: int(place[1]) - 1]) + int(place[2]) - 1
    origin = run.start
    for start, end in run.declared:
        if offset <= end - start:
            origin = start
            break
        offset -= end - start + 1
    else:
        offset = max(0, offset - len(_NEVER))
    where = guard.position(run.text, min(origin + offset, len(run.text)))
    return SyntaxError(str(error).replace(place[0], f"error at {where['line']}:{where['column']}"))


def _is_one_operation(update: str) -> bool:
    """Whether a text without expressions is read for certain as the engine reads it, and holds one operation.

    What would follow would be evaluated: LOAD, for example, hidden behind an IRI that the lexer does not know as one.
    """
    depth = 0
    half = None  # of the << that begins a triple term; alone it begins an unknown IRI
    for token in guard.tokens(update):
        depth += (token.text == "{") - (token.text == "}")
        if (token.text == ";" and depth == 0) or token.kind == "stray":
            return False
        if half is not None and (token.text != "<" or token.start != half + 1):
            return False
        half = token.start if token.text == "<" and half is None else None
    return half is None


def in_graph(graph: NamedNode | None, quad: Quad) -> Quad:
    """The quad's triple in a named graph, or in the default graph (None)."""
    return Quad(quad.subject, quad.predicate, quad.object, graph or DefaultGraph())
