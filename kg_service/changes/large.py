"""A change too large for memory: it lies in a spool, and is judged while it is written.

What comes of it is what `commit` makes of the same statements: one generation, one entry in the log, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import chain

from pyoxigraph import DefaultGraph, RdfFormat, Store, parse

from kg_service.changes.commit import Committed, is_most_of_it, logged, now
from kg_service.errors import Violations
from kg_service.rdf import RDF_TYPE, RDFS_SUBCLASS
from kg_service.shacl import Progress, Report, Result, Shapes, whole
from kg_service.shacl.gate import Gate
from kg_service.shacl.report import in_order
from kg_service.shacl.whole import validate_generation
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, snapshot
from kg_service.store.log import Entry, Refusal
from kg_service.store.spool import Spool
from kg_service.unpacking import reading


def commit_spool(
    store: EmbeddedStore,
    spool: Spool,
    shapes: Shapes,
    *,
    wrong: Sequence[Result] = (),
    author: str,
    note: str,
    dry_run: bool,
    language: str,
    progress: Progress,
) -> Committed:
    """Writes what is in the spool if the graph conforms with it; raises Violations, and writes nothing, if not.

    `wrong` are results that were found when it was read. The store must have nothing staged.
    """
    if not spool.lines and not spool.removed:
        return Committed(store.generation, 0, 0, Report())
    generation, removed = store.generation, spool.removed
    judged = _judged_whole if is_most_of_it(store, spool.lines + removed) else _judged_around
    try:
        added, report = judged(store, spool, shapes, language, progress)
        if wrong:
            report = replace(report, results=in_order([*report.results, *wrong]))
    except BaseException:
        store.discard()
        raise
    has_changed = bool(added or removed)
    if report.blocks or dry_run or not has_changed:
        store.discard()
    if report.blocks:
        if not dry_run:
            store.log.refuse(Refusal(0, now(), author, note, added, removed, logged(report)))
        raise Violations("the data break the shapes; nothing was written", report)
    if dry_run or not has_changed:
        return Committed(generation, added, removed, report)
    progress("publishing", 0, 1)
    number = store.next_number()
    entry = Entry(
        number=number,
        generation=generation + 1,
        time=now(),
        author=author,
        note=note,
        added=added,
        removed=removed,
        outcome=logged(report),
    )
    store.note(entry, spool)
    store.publish()
    store.retire()
    return Committed(generation + 1, added, removed, report, number)


def _staged(store: EmbeddedStore, spool: Spool, progress: Progress) -> int:
    """Stages what the spool adds, and tells of it; what then takes its time is the judging."""
    total = spool.lines * (2 if store.union else 1)
    added = store.stage_spool(spool, lambda done: progress("writing", done, total))
    progress("judging", 0, 1)
    return added


def _judged_whole(
    store: EmbeddedStore, spool: Spool, shapes: Shapes, language: str, progress: Progress
) -> tuple[int, Report]:
    """Stages the spool, and has the whole graph judged; what it adds, and the results that it brings.

    Judged is a copy in memory, by other processes meanwhile, or what is staged, where that is too large to be copied.
    """
    judge = partial(validate_generation, store.root, shapes, language=language)
    with ThreadPoolExecutor(1) as beside:
        is_copied = store.all_triples() + spool.lines <= whole.MOST_COPIED
        judging = beside.submit(judge, change=spool) if shapes.plans and is_copied else None
        added = _staged(store, spool, progress)
        store.stage_gone(spool)
        if judging:
            return added, judging.result()
    if not shapes.plans:
        return added, Report()
    with store.staged_copy() as database:
        return added, judge(change=database)


def _judged_around(
    store: EmbeddedStore, spool: Spool, shapes: Shapes, language: str, progress: Progress
) -> tuple[int, Report]:
    """The same of a change that is little beside the graph: what its triples can reach is judged, where they lie."""
    gate = Gate(shapes)
    with snapshot(store.root) as was:
        coming = parse(reading(spool.triples()), RdfFormat.N_TRIPLES, lenient=True)
        change = Delta(frozenset(quad for quad in coming if quad not in was), frozenset(spool.unheld()))
        if is_most_of_it(store, _reclassified(was, change)):
            return _judged_whole(store, spool, shapes, language, progress)
        added = _staged(store, spool, progress)
        affected = gate.affected(store.working, change, store.classes)
        store.stage_gone(spool)
        after = gate.judge(store.working, affected, language)
        if not after.results:
            return added, after
        suspects = replace(gate.narrowed(affected, after), sign=None, nodes=None)
        return added, after.without(gate.judge(was, suspects, language))


def _reclassified(was: Store, change: Delta) -> int:
    """How many things are of classes that get or lose a superclass: an ontology may come after what it tells of."""
    changed = {q.subject for q in chain(change.added, change.removed) if q.predicate == RDFS_SUBCLASS}
    return sum(1 for each in changed for _ in was.quads_for_pattern(None, RDF_TYPE, each, DefaultGraph()))
