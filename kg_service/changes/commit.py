"""From proposals to a published generation: each is judged by the shapes, each gets its own verdict and log entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Protocol
from uuid import uuid4

from pyoxigraph import BlankNode, DefaultGraph, Literal, NamedNode, Quad, Store

from kg_service.changes.tally import Tally
from kg_service.errors import InsufficientScope, KeyReused, KgError, StoreError, Violations
from kg_service.rdf import GENID, SHAPE, entity, graph, sse
from kg_service.shacl import Progress, Report, Result, Shapes, no_progress, validate
from kg_service.shacl.gate import Gate
from kg_service.shacl.paths import Predicate
from kg_service.shacl.report import in_order
from kg_service.shacl.shapes import VIOLATION
from kg_service.store import Delta, is_default
from kg_service.store.embedded import BULK, EmbeddedStore, in_default_graph
from kg_service.store.log import ChangeLog, Entry, Refusal
from kg_service.store.patches import Patch
from kg_service.tracing import NOTHING, Span

#: Judging around one changed triple costs as much as judging so many triples of a whole graph.
_WHOLE = 40
#: Changes up to this size are never worth a look at the size of the graph.
_FEW = 100
#: Results of a report that the log keeps.
_LOGGED = 100


class Present(Protocol):
    """The graph as it is when the turn of a change comes, and its log."""

    @property
    def generation(self) -> int: ...

    @property
    def has_staged(self) -> bool: ...

    @property
    def log(self) -> ChangeLog: ...

    def graph(self, name: NamedNode | DefaultGraph) -> Iterator[Quad]: ...

    def about(self, subject: NamedNode) -> Iterator[Quad]: ...

    def last_about(self, iri: str) -> int: ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that someone wants.

    `make` gives the change of the graph as it is when its turn comes, and may raise: a precondition, for example.
    A `key` names the request, so that sending it again makes nothing new; `request` tells it from another request.
    """

    make: Callable[[Present], Delta]
    author: str = "unknown"
    note: str = ""
    key: str | None = None
    request: str | None = None
    reverts: int | None = None
    dry_run: bool = False
    quarantine: bool = False
    language: str = "en"
    #: The IRIs of the graphs that its author may change; None for all.
    graphs: frozenset[str] | None = None
    #: Within which judging it is told of in a trace.
    within: Span = NOTHING

    def must_keep_to(self, delta: Delta) -> None:
        """Raises InsufficientScope when what is to be changed, as the log would tell it, is in another graph."""
        if self.graphs is None:
            return
        for quad in (*delta.added, *delta.removed):
            name = quad.graph_name
            if not isinstance(name, NamedNode) or name.value not in self.graphs:
                where = f"the graph {name}" if isinstance(name, NamedNode) else "the default graph"
                raise InsufficientScope(f"this token may not change {where}", scope="contribute")


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a change: its number in the log (None when nothing changed, or for a dry run), the generation
    that readers see it at, its size, and what the shapes said of it."""

    generation: int
    added: int
    removed: int
    report: Report
    change: int | None = None


def commit(
    store: EmbeddedStore,
    delta: Delta,
    gate: Gate,
    *,
    author: str = "unknown",
    note: str = "",
    dry_run: bool = False,
    language: str = "en",
) -> Committed:
    """Writes the change if the graph conforms with it; raises Violations, and writes nothing, if it does not.

    Only what the change makes worse counts: results that the graph had before are no reason to refuse it. Warnings
    and informational results are in the report and refuse nothing.
    """
    proposal = Proposal(lambda _: delta, author=author, note=note, dry_run=dry_run, language=language)
    (outcome,) = commit_all(store, [proposal], gate)
    store.retire()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def commit_all(
    store: EmbeddedStore, proposals: Sequence[Proposal], gate: Gate, tally: Tally | None = None
) -> list[Committed | Exception]:
    """Judges the proposals one after the other, each on top of those accepted before it, and publishes them as one
    generation.

    Each gets a verdict of its own: what was committed, or the error. When publishing fails, it fails for all. The
    generations that nobody needs any more stay until `EmbeddedStore.retire`. The tally is told how long judging took.
    """
    tally = tally or Tally()
    outcomes: list[Committed | Exception] = []
    try:
        for proposal in proposals:
            try:
                outcomes.append(_attempt(store, proposal, gate, tally))
            except Exception as error:  # whatever is wrong with one proposal is no reason to refuse the others
                outcomes.append(error)
    except BaseException:
        store.discard()
        raise
    if store.is_broken:
        store.discard()
        return [_unwritten() if isinstance(each, Committed) else each for each in outcomes]
    if not any(isinstance(each, Committed) and each.generation > store.generation for each in outcomes):
        return outcomes
    generation = store.generation
    try:
        store.publish()
    except KgError as error:
        return [error if isinstance(each, Committed) and each.generation > generation else each for each in outcomes]
    return outcomes


def _attempt(store: EmbeddedStore, proposal: Proposal, gate: Gate, tally: Tally) -> Committed:
    """Stages a proposal that conforms; what it returns is true once the generation that it names is published."""
    if store.is_broken:
        raise _unwritten()
    if proposal.key and (known := store.with_key(proposal.key)):
        return again(known, proposal)
    change, patch = store.planned(skolemised(proposal.make(store)))
    if not change and store.generation:
        return Committed(store.generation, 0, 0, Report())
    proposal.must_keep_to(patch.delta)
    added, removed = len(patch.delta.added), len(patch.delta.removed)
    try:
        with proposal.within.inner("gate"), tally.gate.measured():
            report = _judged(store, change, gate, proposal.language)
    except BaseException:
        _unstage(store, change)
        raise
    if report.blocks or proposal.dry_run:
        _unstage(store, change)
    if report.blocks:
        raise _refused(store, proposal, patch, report)
    if proposal.dry_run:
        return Committed(store.generation, added, removed, report)
    number = noted(store, proposal, patch, report)
    return Committed(store.generation + 1, added, removed, report, number)


def _unwritten() -> StoreError:
    return StoreError("another change could not be written, and this one was not either; send it again")


def noted(store: EmbeddedStore, proposal: Proposal, patch: Patch, report: Report) -> int:
    """Puts a staged change into the log of the next generation; its number."""
    entry = entry_of(proposal, patch, report, number=store.next_number(), generation=store.generation + 1)
    store.note(entry, patch)
    return entry.number


def entry_of(proposal: Proposal, patch: Patch, report: Report, *, number: int, generation: int) -> Entry:
    """What the log says of a change that is made."""
    return Entry(
        number=number,
        generation=generation,
        time=now(),
        author=proposal.author,
        note=proposal.note,
        added=len(patch.delta.added),
        removed=len(patch.delta.removed),
        outcome=logged(report),
        reverts=proposal.reverts,
        key=proposal.key,
        request=proposal.request,
    )


def again(known: Entry, proposal: Proposal) -> Committed:
    """The answer to a request that was made before."""
    if known.request != proposal.request:
        raise KeyReused(f'the idempotency key "{known.key}" was used for another request, change {known.number}')
    return Committed(known.generation, known.added, known.removed, Report(), known.number)


def _judged(store: EmbeddedStore, change: Delta, gate: Gate, language: str) -> Report:
    """Stages an effective change; the results that it brings."""
    wrong = tuple(misplaced(change, language))
    if is_most_of_it(store, len(change)):
        report = _judged_whole(store, change, gate, language)
    else:
        report = _judged_around(store, change, gate, language)
    return replace(report, results=in_order([*report.results, *wrong])) if wrong else report


def is_most_of_it(store: EmbeddedStore, size: int) -> bool:
    """Whether judging the whole graph costs less than judging around each of so many changed triples."""
    most = _WHOLE * size
    return size > _FEW and next(islice(store.triples(), most, None), None) is None


def _judged_around(store: EmbeddedStore, change: Delta, gate: Gate, language: str) -> Report:
    """Judges what the change can reach: found while the database holds both what was and what will be."""
    store.stage(Delta(added=change.added))
    affected = gate.affected(store.working, change, store.classes)
    store.stage(Delta(removed=change.removed))
    after = gate.judge(store.working, affected, language)
    if not after.results:
        return after
    store.stage(change.inverse)
    before = gate.judge(store.working, gate.narrowed(affected, after), language)
    store.stage(change)
    return after.without(before)


def _judged_whole(store: EmbeddedStore, change: Delta, gate: Gate, language: str) -> Report:
    """Judges the whole graph in memory, while the change is written to the disk."""
    merged = Delta(*(frozenset(filter(is_default, part)) for part in (change.added, change.removed)))
    before, after = _worlds(store.triples(), merged)
    with ThreadPoolExecutor(1) as beside:
        staging = beside.submit(store.stage, change)
        report = _compared(before, after, gate.shapes, language)
        staging.result()
    return report


def _unstage(store: EmbeddedStore, change: Delta) -> None:
    """Takes back a change of which all or part may be staged."""
    if len(change) >= BULK and not store.has_staged:
        store.discard()
    else:
        store.stage(change.inverse)


def _refused(store: EmbeddedStore, proposal: Proposal, patch: Patch, report: Report) -> Violations:
    """Logs a refusal, keeps the change in quarantine if that is wished, and tells of it."""
    error = Violations("the data break the shapes; nothing was written", report)
    if proposal.dry_run:
        return error
    refusal = refusal_of(proposal, patch, report)
    store.log.refuse(refusal)
    if proposal.quarantine:
        error.more["quarantine"] = store.log.quarantine(refusal, patch)
    return error


def refusal_of(proposal: Proposal, patch: Patch, report: Report) -> Refusal:
    """What is remembered of a change that is refused."""
    size = (len(patch.delta.added), len(patch.delta.removed))
    return Refusal(0, now(), proposal.author, proposal.note, *size, logged(report))


def logged(report: Report) -> dict[str, Any]:
    """A report as the log keeps it: the counts of all results, and the first of them."""
    shown = replace(report, results=report.results[:_LOGGED])
    return shown.to_dict() | {"counts": report.counts, "truncated": len(report.results) > _LOGGED}


def now() -> str:
    """The time, as the log has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def skolemised(delta: Delta) -> Delta:
    """The change with a fresh IRI for each blank node that it adds (RDF 1.1, section 3.5); none is ever stored."""
    if not any(map(_has_blank_node, delta.added)):
        return delta
    named: dict[BlankNode, NamedNode] = {}

    def term(value: Any) -> Any:
        if not isinstance(value, BlankNode):
            return value
        return named.setdefault(value, NamedNode(GENID + uuid4().hex))

    added = (Quad(term(q.subject), q.predicate, term(q.object), term(q.graph_name)) for q in delta.added)
    return Delta(frozenset(added), delta.removed)


def _has_blank_node(quad: Quad) -> bool:
    return any(isinstance(term, BlankNode) for term in (quad.subject, quad.object, quad.graph_name))


def judge(
    triples: Iterable[Quad],
    delta: Delta,
    shapes: Shapes,
    language: str = "en",
    progress: Progress = no_progress,
) -> Report:
    """The results that a change brings to a graph of these triples, validated whole as it would be.

    Of each message the text in `language` comes first.
    """
    report = _compared(*_worlds(triples, delta), shapes, language, progress)
    return replace(report, results=in_order([*report.results, *misplaced(delta, language)]))


def _worlds(triples: Iterable[Quad], delta: Delta) -> tuple[Store, Store]:
    """The merged graph before and after a change, in memory."""
    before, after = Store(), Store()
    before.bulk_extend(triples)
    gone = set(filter(is_default, delta.removed))
    after.bulk_extend(quad for quad in before if quad not in gone)
    after.bulk_extend(map(in_default_graph, delta.added))
    return before, after


def _compared(before: Store, after: Store, shapes: Shapes, language: str, progress: Progress = no_progress) -> Report:
    """The results that one graph has and the other had not."""
    report = validate(after, shapes, language=language, progress=progress)
    if report.results and len(before):
        report = report.without(validate(before, shapes, progress=progress))
    return report


_CERTAINTY, _INFERRED = sse("certainty"), entity("certainty", "inferred")
_WRONG_GRAPH = (
    Literal("An inferred claim belongs in the graph “inferred”, and no other claim does. Move it.", language="en"),
    Literal("Una afirmación inferida va en el grafo «inferred», y ninguna otra. Cámbiela de grafo.", language="es"),
)


def misplaced(delta: Delta, language: str) -> Iterator[Result]:
    """Claims in the wrong graph: the one rule on graphs, where shapes see the whole graph merged."""
    for quad in delta.added:
        if quad.predicate != _CERTAINTY or is_default(quad):
            continue
        if (quad.object == _INFERRED) != (quad.graph_name == graph("inferred")):
            yield Result(
                focus=quad.subject,
                path=Predicate(_CERTAINTY),
                value=quad.object,
                component=NamedNode(SHAPE + "GraphConstraintComponent"),
                shape=NamedNode(SHAPE + "Claim-graph"),
                severity=VIOLATION,
                messages=tuple(sorted(_WRONG_GRAPH, key=lambda text: text.language != language)),
            )
