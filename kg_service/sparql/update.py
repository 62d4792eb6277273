"""SPARQL 1.1 Update as a change: what a request would do to a store, without doing it.

The engine parses and matches, and never updates the data. A WHERE clause is evaluated once, as a SELECT of what the
templates need, and the templates are filled in here: so a new blank node, RAND() or UUID() is the same in every part
of one solution. Templates are read by the engine as well: as INSERT DATA into an empty store, with IRIs in place of
the variables.

The store keeps no empty graphs: a graph exists while it holds a triple. Hence (sections 3.1.5, 3.2):
- CLEAR and DROP of an unknown graph succeed, as the Recommendation wants it of such stores.
- CREATE of a graph that exists is refused; CREATE of another changes nothing.
- COPY, MOVE and ADD from an unknown named graph are refused, as it allows: a misspelt source would empty the
  destination. With SILENT they do nothing.

Nothing is ever fetched: LOAD fails. With SILENT its failure is no error (section 3.1.4), and it changes nothing.

The engine reads the whole request first and every part of it again, so that a text which the lexer takes apart in
another way than the engine gives an error and never another change.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import uuid4

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, Store, Triple

from kg_service.errors import Malformed, Refused
from kg_service.rdf import malformed
from kg_service.sparql import guard
from kg_service.sparql.state import LocalState, State
from kg_service.store import Delta

_VERBS = frozenset("INSERT DELETE WITH LOAD CLEAR DROP CREATE COPY MOVE ADD".split())
#: Fails when it is evaluated, so that nothing after it is.
_NEVER = "CLEAR GRAPH <urn:sse-kg:never> ;\n"
_PLACE = re.compile(r"error at (\d+):(\d+)")


@dataclass(frozen=True, slots=True)
class _Clause:
    """A word outside of braces, and what is written between it and the next such word."""

    word: str
    rest: str
    start: int


class _Run:
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
class _Operation:
    """One operation; `start` is its place in the request.

    It is not `is_certain` where the lexer finds no operation, so that the engine must have read the text otherwise.
    """

    run: _Run
    clauses: list[_Clause]
    start: int
    is_certain: bool

    def has(self, word: str) -> bool:
        return any(clause.word == word for clause in self.clauses)

    def rests(self, word: str) -> list[str]:
        return [clause.rest for clause in self.clauses if clause.word == word]


@dataclass(frozen=True, slots=True)
class _Context:
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
        return Malformed(
            "what begins here cannot be read with certainty; put spaces around < and > in expressions, and write the "
            "characters themselves instead of \\u escapes in IRIs",
            **guard.position(self.text, start),
        )

    def inserted(self, operation: _Operation, body: str) -> list[Quad]:
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

    def graph(self, operation: _Operation, written: str) -> NamedNode:
        """The graph that an IRI or prefixed name stands for."""
        quads = self.inserted(operation, f"{{ <urn:g> <urn:g> {written}\n }}")
        if len(quads) == 1 and isinstance(quads[0].object, NamedNode):
            return quads[0].object
        raise self.unreadable(operation.start)


def to_delta(
    store: Store,
    text: str,
    *,
    base: str | None,
    union: bool,
    scratch: Callable[[], AbstractContextManager[Store]],
    using: tuple[str, ...] = (),
    using_named: tuple[str, ...] = (),
    only: NamedNode | DefaultGraph | None = None,
) -> Delta:
    """The net change that an update request makes to a store; the store itself is only read.

    `scratch` gives a private writable copy of the store, which is asked for only if needed. The rest is as for
    `delta_of`.
    """
    with ExitStack() as open_until_done:
        state = LocalState(store, lambda: open_until_done.enter_context(scratch()))
        return delta_of(state, text, base=base, union=union, using=using, using_named=using_named, only=only)


def delta_of(
    state: State,
    text: str,
    *,
    base: str | None,
    union: bool,
    using: tuple[str, ...] = (),
    using_named: tuple[str, ...] = (),
    only: NamedNode | DefaultGraph | None = None,
) -> Delta:
    """The net change that an update request makes to the data.

    Every operation sees what those before it did. All or nothing: any error is raised before anything is returned.
    Raises Malformed (with line and column) for what does not parse and for dataset clauses beside `using` or
    `using_named` (SPARQL 1.1 Protocol, section 2.2.3), Refused for LOAD without SILENT and for what the Recommendation
    lets fail. `guard.inspect` comes first: it refuses SERVICE and depth. Blank nodes that come are blank nodes in the
    change, new ones for each solution.

    With `only`, the request is about that graph: it is the default graph of patterns and templates and what DEFAULT
    means, and Refused is raised for a request that changes a quad of another one.

    With `union` the default graph holds every triple of every named graph, each once. What leaves the default graph
    leaves every named graph; CLEAR DEFAULT and the like mean the triples that no named graph holds. What follows in
    the default graph from a change of named graphs is not in the change (`GraphStore.effective` adds it), and a
    triple that stays in the default graph after its last named graph lost it is among the added.
    """
    runs, operations = _read(text)
    context = _Context(text, base, using, using_named, union, only)
    _check(runs, operations, context)
    net = last = Delta()
    held_first: dict[Quad, set[Any]] = {}  # by which graphs each triple was held before the first operation
    for operation in operations:
        if len(last):
            state = state.changed(last)
        removed, added = _evaluate(state, operation, context)
        _refuse_others(removed | added, operation, context)
        if union:
            held = state.holders({_in(None, quad) for quad in removed | added})
            _go_back(held, net, held_first)
            last = _effect(held, removed=removed, added=added)
        else:
            there = state.held(removed | added)
            last = Delta(frozenset(added - there), frozenset(removed & there - added))
        net = net.then(last)
    return _without_consequences(held_first, net) if union else net


def as_data(text: str, *, base: str | None, union: bool, only: NamedNode | DefaultGraph | None = None) -> Delta | None:
    """The change of an update that only inserts and deletes data, the same whatever the store holds.

    None for other updates, and where it does matter what a default graph of all graphs' triples holds between two
    operations. Raises as `to_delta`.
    """
    runs, operations = _read(text)
    if not operations or not all(operation.has("DATA") for operation in operations):
        return None
    context = _Context(text, base, (), (), union, only)
    _check(runs, operations, context)
    added: set[Quad] = set()
    removed: set[Quad] = set()
    for operation in operations:
        quads = _data(operation, context)
        _refuse_others(quads, operation, context)
        if operation.clauses[0].word == "INSERT":
            added, removed = added | quads, removed - quads
        elif union and len(operations) > 1 and any(map(_is_default, quads)):
            return None
        else:
            added, removed = added - quads, removed | quads
    return Delta(frozenset(added), frozenset(removed))


# --- reading the request


def _read(text: str) -> tuple[list[_Run], list[_Operation]]:
    """The request cut at the semicolons outside of braces (grammar rule 29)."""
    runs: list[_Run] = []
    operations: list[_Operation] = []
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
            runs.append(_Run(text, (*declared, (start, body)), body))
        runs[-1].end = token.start
        if words or depth != 0 or token.kind != "end":
            clauses = _clauses(text, words, token.start)
            operations.append(_Operation(runs[-1], clauses, body, is_certain=depth == 0 and bool(words)))
        words, start = [], token.start + 1
    return runs, operations


def _clauses(text: str, words: Sequence[guard.Token], end: int) -> list[_Clause]:
    clauses = []
    for word, after in zip(words, [*(w.start for w in words[1:]), end], strict=False):
        rest = text[word.start + len(word.text) : after]
        is_empty = next(guard.tokens(rest), None) is None
        clauses.append(_Clause(word.keyword, "" if is_empty else rest, word.start))
    return clauses


def _check(runs: Sequence[_Run], operations: Sequence[_Operation], context: _Context) -> None:
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


def _placed(error: SyntaxError, run: _Run, checked: str) -> SyntaxError:
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


# --- evaluating one operation


def _refuse_others(quads: set[Quad], operation: _Operation, context: _Context) -> None:
    """Refuses quads of other graphs, where the request is about one."""
    other = next((quad.graph_name for quad in quads if quad.graph_name != context.only), None)
    if context.only is not None and other is not None:
        names = [
            f"the graph {name}" if isinstance(name, NamedNode) else "the default graph"
            for name in (other, context.only)
        ]
        raise Refused(
            f"this changes {names[0]}, and the request is about {names[1]} alone",
            **guard.position(context.text, operation.start),
        )


def _evaluate(state: State, operation: _Operation, context: _Context) -> tuple[set[Quad], set[Quad]]:
    """What an operation removes, and what it then adds."""
    verb = operation.clauses[0].word
    if operation.has("DATA"):
        quads = _data(operation, context)
        return (quads, set()) if verb == "DELETE" else (set(), quads)
    if verb == "LOAD":  # SILENT, or it would have been refused
        return set(), set()
    if verb in ("CLEAR", "DROP"):
        return _cleared(state, operation, context), set()
    if verb == "CREATE":
        _create(state, operation, context)
        return set(), set()
    if verb in ("COPY", "MOVE", "ADD"):
        return _transferred(state, operation, context)
    return _modified(state, operation, context)


def _data(operation: _Operation, context: _Context) -> set[Quad]:
    """The quads of INSERT DATA and DELETE DATA."""
    quads = context.inserted(operation, operation.rests("DATA")[0])
    return {_in(context.own, quad) if _is_default(quad) else quad for quad in quads}


def _cleared(state: State, operation: _Operation, context: _Context) -> set[Quad]:
    word = operation.clauses[-1].word
    if word == "ALL":
        return state.contents(None)
    if word == "NAMED":
        return {quad for quad in state.contents(None) if not _is_default(quad)}
    return _contents(state, _graph(operation, operation.clauses, context), union=context.union)


def _create(state: State, operation: _Operation, context: _Context) -> None:
    name = _graph(operation, operation.clauses, context)
    if not operation.has("SILENT") and _exists(state, name):
        raise Refused(
            f"CREATE: the graph {name} exists already; write CREATE SILENT, or leave it out",
            **guard.position(context.text, operation.start),
        )


def _transferred(state: State, operation: _Operation, context: _Context) -> tuple[set[Quad], set[Quad]]:
    """COPY, MOVE and ADD (sections 3.2.3 to 3.2.5). What is added stays, so a graph onto itself changes nothing."""
    words = [clause.word for clause in operation.clauses]
    if "TO" not in words:  # the engine finds it in DEFAULTTO as well
        raise context.unreadable(operation.start)
    to = words.index("TO")
    source = _graph(operation, operation.clauses[:to], context)
    target = _graph(operation, operation.clauses[to:], context)
    verb = operation.clauses[0].word
    if not _exists(state, source):
        if operation.has("SILENT"):
            return set(), set()
        raise Refused(f"{verb}: there is no graph {source}", **guard.position(context.text, operation.start))
    added = {Quad(quad.subject, quad.predicate, quad.object, target) for quad in state.contents(source)}
    removed: set[Quad] = set()
    if verb != "ADD":
        removed |= _contents(state, target, union=context.union)
    if verb == "MOVE":
        removed |= _contents(state, source, union=context.union)
    return removed, added


def _graph(operation: _Operation, clauses: Sequence[_Clause], context: _Context) -> NamedNode | DefaultGraph:
    """The graph that these clauses end with: DEFAULT, GRAPH and an IRI, or a bare IRI."""
    if clauses[-1].word == "DEFAULT":
        return context.own or DefaultGraph()
    return context.graph(operation, clauses[-1].rest)


def _modified(state: State, operation: _Operation, context: _Context) -> tuple[set[Quad], set[Quad]]:
    """DELETE and INSERT with a WHERE clause (sections 3.1.3 and 4.2.3)."""
    wheres = operation.rests("WHERE")
    if len(wheres) != 1:
        raise context.unreadable(operation.start)
    where = wheres[0]
    within = next((context.graph(operation, written) for written in operation.rests("WITH")), context.own)
    marks = _Marks()
    templates: dict[str, list[Quad]] = {"DELETE": [], "INSERT": []}
    for verb, quads in templates.items():
        for written in operation.rests(verb):  # DELETE WHERE has none of its own: the pattern is the template
            quads += _template(operation, written or where, marks, within, context)
    blanks = {term for quad in templates["INSERT"] for term in _leaves(quad) if isinstance(term, BlankNode)}
    removed: set[Quad] = set()
    added: set[Quad] = set()
    for solution in _solutions(state, operation, where, marks, within, context):
        values: dict[Any, Any] = dict(zip(marks.of.values(), solution, strict=False))
        removed.update(_filled(templates["DELETE"], values))
        values.update((blank, BlankNode()) for blank in blanks)
        added.update(_filled(templates["INSERT"], values))
    return removed, added


class _Marks:
    """The IRIs that stand for the variables of one operation's templates, by the variables' names."""

    def __init__(self) -> None:
        self.secret = uuid4().hex
        self.of: dict[str, NamedNode] = {}

    def mark(self, name: str) -> NamedNode:
        return self.of.setdefault(name, NamedNode(f"urn:{self.secret}:{len(self.of)}"))


def _template(
    operation: _Operation, written: str, marks: _Marks, within: NamedNode | None, context: _Context
) -> list[Quad]:
    """The quads of a template, with marks in place of the variables, those without GRAPH in the graph of WITH."""
    parts: list[str] = []
    end = 0
    for token in guard.tokens(written):
        if token.kind == "variable":
            parts += [written[end : token.start], str(marks.mark(token.text[1:]))]
            end = token.start + len(token.text)
    quads = context.inserted(operation, "".join(parts) + written[end:])
    return [_in(within, quad) if within and _is_default(quad) else quad for quad in quads]


def _solutions(
    state: State,
    operation: _Operation,
    where: str,
    marks: _Marks,
    within: NamedNode | None,
    context: _Context,
) -> Iterator[Sequence[Any]]:
    """The values of the templates' variables in each solution of the WHERE clause, None where unbound."""
    # USING NAMED is two words, the first with nothing after it.
    default = [context.graph(operation, written).value for written in operation.rests("USING") if written]
    named = [context.graph(operation, written).value for written in operation.rests("NAMED")]
    # A variable that occurs nowhere counts the solutions when the templates have none.
    variables = " ".join(f"?{name}" for name in marks.of) or f"?v{marks.secret}"
    query = f"{operation.run.prologue}SELECT {variables} WHERE {where}\n"
    try:
        yield from state.solutions(
            query,
            base=context.base,
            default_graphs=default or context.using,
            named_graphs=named or context.using_named,
            default=within,
        )
    except SyntaxError:
        raise context.unreadable(operation.start) from None


def _filled(template: Iterable[Quad], values: dict[Any, Any]) -> Iterator[Quad]:
    """The template's quads with these values; those that are no RDF or lack a value are left out (section 3.1.3)."""
    for quad in template:
        subject = values.get(quad.subject, quad.subject)
        predicate = values.get(quad.predicate, quad.predicate)
        graph = values.get(quad.graph_name, quad.graph_name)
        if not (
            isinstance(subject, NamedNode | BlankNode)
            and isinstance(predicate, NamedNode)
            and isinstance(graph, NamedNode | DefaultGraph)
        ):
            continue
        value = _filled_object(quad.object, values)
        if value is not None:
            yield Quad(subject, predicate, value, graph)


def _filled_object(term: Any, values: dict[Any, Any]) -> Any:
    """A term with these values; None where one is missing. Triple terms nest in their objects only."""
    around: list[Triple] = []
    while isinstance(term, Triple):
        around.append(term)
        term = term.object
    value = values.get(term, term)
    for triple in reversed(around):
        subject = values.get(triple.subject, triple.subject)
        predicate = values.get(triple.predicate, triple.predicate)
        if value is None or not isinstance(subject, NamedNode | BlankNode) or not isinstance(predicate, NamedNode):
            return None
        value = Triple(subject, predicate, value)
    return value


def _leaves(quad: Quad) -> Iterator[Any]:
    """The terms of a quad, and of the triple terms in it."""
    yield quad.graph_name
    inner: Any = quad.triple
    while isinstance(inner, Triple):
        yield inner.subject
        yield inner.predicate
        inner = inner.object
    yield inner


# --- from what is removed and added to what changes


def _effect(held: dict[Quad, set[Any]], *, removed: set[Quad], added: set[Quad]) -> Delta:
    """Exactly what changes when these quads go and those then come, from the graphs that hold each triple.

    The default graph is as `delta_of` tells of `union` before, and so it is after.
    """
    gone = {quad for quad in removed - added if quad.graph_name in held[_in(None, quad)]}
    come = {quad for quad in added if quad.graph_name not in held[_in(None, quad)]}
    staying = {_in(None, quad) for quad in added}
    for triple in [quad for quad in gone if _is_default(quad)]:
        gone.update(holding for holding in _holding(held, triple) if holding not in added)
    gone -= staying
    leaving = {_in(None, quad) for quad in gone} - staying
    gone |= {triple for triple in leaving if all(holding in gone for holding in _holding(held, triple))}
    come |= {triple for triple in staying if DefaultGraph() not in held[triple]}
    return Delta(frozenset(come), frozenset(gone))


def _without_consequences(held: dict[Quad, set[Any]], net: Delta) -> Delta:
    """The change without what follows from it in the default graph, and with what would wrongly follow undone."""
    arriving = {_in(None, quad) for quad in net.added if not _is_default(quad)}
    leaving = {_in(None, quad) for quad in net.removed if not _is_default(quad)}
    left_alone = {
        triple
        for triple in leaving - net.removed - arriving
        if all(holding in net.removed for holding in _holding(held, triple))
    }
    return Delta(added=(net.added - arriving) | left_alone, removed=net.removed - leaving)


def _go_back(held: dict[Quad, set[Any]], change: Delta, first: dict[Quad, set[Any]]) -> None:
    """Adds to `first` the graphs that held the triples before a change, from those that hold them after it."""
    new = {triple: set(graphs) for triple, graphs in held.items() if triple not in first}
    for quad in change.added:
        new.get(_in(None, quad), set()).discard(quad.graph_name)
    for quad in change.removed:
        new.get(_in(None, quad), set()).add(quad.graph_name)
    first |= new


def _exists(state: State, graph: Any) -> bool:
    """Whether there is such a graph: the default graph always, a named one while it holds a triple."""
    return isinstance(graph, DefaultGraph) or state.exists(graph)


def _contents(state: State, graph: NamedNode | DefaultGraph, *, union: bool) -> set[Quad]:
    """What a graph holds of its own."""
    quads = state.contents(graph)
    if union and isinstance(graph, DefaultGraph):
        held = state.holders(quads)
        return {quad for quad in quads if next(_holding(held, quad), None) is None}
    return quads


def _holding(held: dict[Quad, set[Any]], triple: Quad) -> Iterator[Quad]:
    """The quads of named graphs that hold a triple."""
    for graph in held[triple]:
        if not isinstance(graph, DefaultGraph):
            yield _in(graph, triple)


def _is_default(quad: Quad) -> bool:
    return isinstance(quad.graph_name, DefaultGraph)


def _in(graph: NamedNode | None, quad: Quad) -> Quad:
    """The quad's triple in a named graph, or in the default graph (None)."""
    return Quad(quad.subject, quad.predicate, quad.object, graph or DefaultGraph())
