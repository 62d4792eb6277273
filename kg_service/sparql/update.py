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
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, Store

from kg_service.errors import Refused
from kg_service.sparql import guard
from kg_service.sparql.operations import Clause, Context, Operation, check, in_graph, read
from kg_service.sparql.state import LocalState, State
from kg_service.sparql.templates import Marks, filled, leaves, template
from kg_service.store import Delta, is_default


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
    runs, operations = read(text)
    context = Context(text, base, using, using_named, union, only)
    check(runs, operations, context)
    net = last = Delta()
    held_first: dict[Quad, set[Any]] = {}  # by which graphs each triple was held before the first operation
    for operation in operations:
        if len(last):
            state = state.changed(last)
        removed, added = _evaluate(state, operation, context)
        _refuse_others(removed | added, operation, context)
        if union:
            held = state.holders({in_graph(None, quad) for quad in removed | added})
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
    runs, operations = read(text)
    if not operations or not all(operation.has("DATA") for operation in operations):
        return None
    context = Context(text, base, (), (), union, only)
    check(runs, operations, context)
    added: set[Quad] = set()
    removed: set[Quad] = set()
    for operation in operations:
        quads = _data(operation, context)
        _refuse_others(quads, operation, context)
        if operation.clauses[0].word == "INSERT":
            added, removed = added | quads, removed - quads
        elif union and len(operations) > 1 and any(map(is_default, quads)):
            return None
        else:
            added, removed = added - quads, removed | quads
    return Delta(frozenset(added), frozenset(removed))


# --- evaluating one operation


def _refuse_others(quads: set[Quad], operation: Operation, context: Context) -> None:
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


def _evaluate(state: State, operation: Operation, context: Context) -> tuple[set[Quad], set[Quad]]:
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


def _data(operation: Operation, context: Context) -> set[Quad]:
    """The quads of INSERT DATA and DELETE DATA."""
    quads = context.inserted(operation, operation.rests("DATA")[0])
    return {in_graph(context.own, quad) if is_default(quad) else quad for quad in quads}


def _cleared(state: State, operation: Operation, context: Context) -> set[Quad]:
    word = operation.clauses[-1].word
    if word == "ALL":
        return state.contents(None)
    if word == "NAMED":
        return {quad for quad in state.contents(None) if not is_default(quad)}
    return _contents(state, _graph(operation, operation.clauses, context), union=context.union)


def _create(state: State, operation: Operation, context: Context) -> None:
    name = _graph(operation, operation.clauses, context)
    if not operation.has("SILENT") and _exists(state, name):
        raise Refused(
            f"CREATE: the graph {name} exists already; write CREATE SILENT, or leave it out",
            **guard.position(context.text, operation.start),
        )


def _transferred(state: State, operation: Operation, context: Context) -> tuple[set[Quad], set[Quad]]:
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


def _graph(operation: Operation, clauses: Sequence[Clause], context: Context) -> NamedNode | DefaultGraph:
    """The graph that these clauses end with: DEFAULT, GRAPH and an IRI, or a bare IRI."""
    if clauses[-1].word == "DEFAULT":
        return context.own or DefaultGraph()
    return context.graph(operation, clauses[-1].rest)


def _modified(state: State, operation: Operation, context: Context) -> tuple[set[Quad], set[Quad]]:
    """DELETE and INSERT with a WHERE clause (sections 3.1.3 and 4.2.3)."""
    wheres = operation.rests("WHERE")
    if len(wheres) != 1:
        raise context.unreadable(operation.start)
    where = wheres[0]
    within = next((context.graph(operation, written) for written in operation.rests("WITH")), context.own)
    marks = Marks()
    templates: dict[str, list[Quad]] = {"DELETE": [], "INSERT": []}
    for verb, quads in templates.items():
        for written in operation.rests(verb):  # DELETE WHERE has none of its own: the pattern is the template
            quads += template(operation, written or where, marks, within, context)
    blanks = {term for quad in templates["INSERT"] for term in leaves(quad) if isinstance(term, BlankNode)}
    removed: set[Quad] = set()
    added: set[Quad] = set()
    for solution in _solutions(state, operation, where, marks, within, context):
        values: dict[Any, Any] = dict(zip(marks.of.values(), solution, strict=False))
        removed.update(filled(templates["DELETE"], values))
        values.update((blank, BlankNode()) for blank in blanks)
        added.update(filled(templates["INSERT"], values))
    return removed, added


def _solutions(
    state: State,
    operation: Operation,
    where: str,
    marks: Marks,
    within: NamedNode | None,
    context: Context,
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


# --- from what is removed and added to what changes


def _effect(held: dict[Quad, set[Any]], *, removed: set[Quad], added: set[Quad]) -> Delta:
    """Exactly what changes when these quads go and those then come, from the graphs that hold each triple.

    The default graph is as `delta_of` tells of `union` before, and so it is after.
    """
    gone = {quad for quad in removed - added if quad.graph_name in held[in_graph(None, quad)]}
    come = {quad for quad in added if quad.graph_name not in held[in_graph(None, quad)]}
    staying = {in_graph(None, quad) for quad in added}
    for triple in [quad for quad in gone if is_default(quad)]:
        gone.update(holding for holding in _holding(held, triple) if holding not in added)
    gone -= staying
    leaving = {in_graph(None, quad) for quad in gone} - staying
    gone |= {triple for triple in leaving if all(holding in gone for holding in _holding(held, triple))}
    come |= {triple for triple in staying if DefaultGraph() not in held[triple]}
    return Delta(frozenset(come), frozenset(gone))


def _without_consequences(held: dict[Quad, set[Any]], net: Delta) -> Delta:
    """The change without what follows from it in the default graph, and with what would wrongly follow undone."""
    arriving = {in_graph(None, quad) for quad in net.added if not is_default(quad)}
    leaving = {in_graph(None, quad) for quad in net.removed if not is_default(quad)}
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
        new.get(in_graph(None, quad), set()).discard(quad.graph_name)
    for quad in change.removed:
        new.get(in_graph(None, quad), set()).add(quad.graph_name)
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
            yield in_graph(graph, triple)
