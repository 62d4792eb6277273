"""A change too large for memory: additions that lie in a spool, judged whole by other processes while they are written.

What comes of it is what `commit` makes of the same statements: one generation, one entry in the log, or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from kg_service.changes.commit import Committed, logged, now
from kg_service.errors import Violations
from kg_service.shacl import Progress, Report, Result, Shapes
from kg_service.shacl.report import in_order
from kg_service.shacl.whole import validate_generation
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.log import Entry, Refusal
from kg_service.store.spool import Spool


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
    if not spool.lines:
        return Committed(store.generation, 0, 0, Report())
    generation, total = store.generation, spool.lines * (2 if store.union else 1)
    try:
        with ThreadPoolExecutor(1) as beside:
            judging = beside.submit(judged, store, spool, shapes, language, wrong=wrong)
            added = store.stage_spool(spool, lambda done: progress("writing", done, total))
            progress("checking", 0, 1)
            report = judging.result()
    except BaseException:
        store.discard()
        raise
    if report.blocks or dry_run or not added:
        store.discard()
    if report.blocks:
        if not dry_run:
            store.log.refuse(Refusal(0, now(), author, note, added, 0, logged(report)))
        raise Violations("the data break the shapes; nothing was written", report)
    if dry_run or not added:
        return Committed(generation, added, 0, report)
    progress("publishing", 0, 1)
    number = store.next_number()
    entry = Entry(
        number=number,
        generation=generation + 1,
        time=now(),
        author=author,
        note=note,
        added=added,
        removed=0,
        outcome=logged(report),
    )
    store.note(entry, spool)
    store.publish()
    store.retire()
    return Committed(generation + 1, added, 0, report, number)


def judged(store: EmbeddedStore, spool: Spool, shapes: Shapes, language: str, *, wrong: Sequence[Result]) -> Report:
    """The results that the spool brings."""
    report = Report()
    if shapes.plans:
        report = validate_generation(store.root, shapes, language=language, spool=spool)
    return replace(report, results=in_order([*report.results, *wrong])) if wrong else report
