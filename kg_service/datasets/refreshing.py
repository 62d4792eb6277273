"""A data set fetched again: what it says now is compared with its named graph, and only the difference is committed.

Things that say what they said keep the row that they were read from, so that a new file with one new row is a change of
that row. When each data set was last looked at stands in a file beside the store, because looking changes nothing.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from kg_service.changes import Committed, commit
from kg_service.datasets import files
from kg_service.datasets.described import Dataset
from kg_service.datasets.files import Material
from kg_service.datasets.loading import exists, settle, statements
from kg_service.errors import Malformed, Violations
from kg_service.rdf import PREFIXES, NamedNode, Quad, Term
from kg_service.shacl import Report, Shapes
from kg_service.shacl.gate import Gate
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, delta_between, snapshot
from kg_service.tables.mapping import Problem

_DERIVED = NamedNode(PREFIXES["prov"] + "wasDerivedFrom")
#: Days after which a data set is looked at again, by its schedule; others never are by themselves.
DAYS = {"daily": 1, "weekly": 7, "monthly": 30, "quarterly": 91, "yearly": 365}
#: A graph that shrinks by more than this part is not refreshed unless that is said to be right; problems that are told.
_SHRINKS, _TOLD = 0.5, 20


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What became of a data set: the change, the checksums of what was read, and the rows that could not go in."""

    name: str
    done: Committed
    checksums: tuple[str, ...]
    problems: tuple[tuple[str, Problem], ...]


def refreshed(
    store: EmbeddedStore,
    dataset: Dataset,
    folder: Path,
    shapes: Shapes,
    *,
    may_shrink: bool = False,
    dry_run: bool = False,
    author: str = "unknown",
    language: str = "en",
) -> Refreshed:
    """Makes the graph of a data set what its files in a folder say now; nothing is committed when that is the same.

    Violations, with the rows, leaves the graph as it was; Malformed does for what would take most of it away.
    """
    with snapshot(store.root) as graph:
        material = files.read(folder, dataset, graph)
        if material.absent or material.is_empty:
            raise Malformed(f"{dataset.name}: there is no {', '.join(material.absent) or 'file'}; nothing is changed")
        settle(material, partial(exists, graph))
        old = frozenset(graph.quads_for_pattern(None, None, None, dataset.graph))
    change = difference(old, set(statements(material)), dataset.graph)
    _check_size(dataset, old, change, may_shrink=may_shrink)
    checksums = (*(each.checksum for each in material.tables), *(each.checksum for each in material.vocabularies))
    note = f"refreshed {dataset.name}: {dataset.title['en']}, sha256 {', '.join(each[:16] for each in checksums)}"
    try:
        if change:
            gate = Gate(shapes)
            done = commit(store, change, gate, author=author, note=note[:500], dry_run=dry_run, language=language)
        else:
            done = Committed(store.generation, 0, 0, Report())
    except Violations as refused:
        refused.detail = f"{dataset.name} is not refreshed: {refused.detail}{_rows(material, refused.report)}"
        raise
    problems = tuple((each.name, problem) for each in material.tables for problem in each.problems)
    return Refreshed(dataset.name, done, checksums, problems)


def difference(old: Iterable[Quad], new: Iterable[Quad], home: NamedNode) -> Delta:
    """The change between two states of a graph; nothing when they differ only in which file they were read from."""
    before, after = _by_subject(old), _by_subject(new)
    wanted = {quad for quads in after.values() for quad in quads}
    for subject, quads in after.items():
        was = before.get(subject, set())
        if subject != home and _told(was) and _told(quads) == _told(was):
            wanted -= quads
            wanted |= was
    # The files that things were read from stay while any is from them.
    sources = {_source(quad.object) for quad in wanted if quad.predicate == _DERIVED}
    wanted |= {quad for subject, quads in before.items() if str(subject) in sources for quad in quads}
    change = delta_between({quad for quads in before.values() for quad in quads}, wanted)
    is_same = all(quad.predicate == _DERIVED or str(quad.subject) in sources for quad in change.added | change.removed)
    return Delta() if is_same and before else change


def _by_subject(quads: Iterable[Quad]) -> defaultdict[Term, set[Quad]]:
    found: defaultdict[Term, set[Quad]] = defaultdict(set)
    for quad in quads:
        found[quad.subject].add(quad)
    return found


def _told(quads: Iterable[Quad]) -> set[Quad]:
    return {quad for quad in quads if quad.predicate != _DERIVED}


def _source(row: Term) -> str:
    """The file that a row is of, as a term is written."""
    text = str(row)
    return text if "#" not in text else f"{text.partition('#')[0]}>"


def _check_size(dataset: Dataset, old: frozenset[Quad], change: Delta, *, may_shrink: bool) -> None:
    gone = len(_told(change.removed)) - len(_told(change.added))
    if not may_shrink and len(old) and gone > _SHRINKS * len(old):
        raise Malformed(
            f"{dataset.name}: {gone} of {len(old)} statements would go, and few come; if that is right, say --shrink"
        )


def _rows(material: Material, report: Report) -> str:
    """The rows that break the shapes, as an end of a sentence."""
    told = report.to_dict()
    lines: list[str] = []
    for table in material.tables:
        known = set(table.problems)
        table.reject(told)
        for each in table.problems:
            if each not in known:
                where = f"{table.name}, row {each.row}" + (f", column {each.column}" if each.column else "")
                lines.append(f"{where}: “{each.value}” – {each.right}")
    more = [f"and {len(lines) - _TOLD} more"] if len(lines) > _TOLD else []
    return "".join(f"\n{line}" for line in (*lines[:_TOLD], *more))


# --- when


class Looked:
    """When each data set was last looked at, in a file of a folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "refreshed.json"

    def _read(self) -> dict[str, str]:
        try:
            read = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return read if isinstance(read, dict) else {}

    def is_due(self, dataset: Dataset, now: datetime) -> bool:
        """Whether its schedule says that it is time; what was never looked at is due."""
        days = DAYS.get(dataset.schedule)
        if days is None:
            return False
        try:
            last = datetime.fromisoformat(self._read().get(dataset.name, ""))
            return now - last >= timedelta(days=days, hours=-1)  # a timer is not always on the minute
        except (ValueError, TypeError):
            return True

    def note(self, dataset: Dataset, now: datetime | None = None) -> None:
        """Remembers that it was looked at now."""
        told = self._read() | {dataset.name: (now or datetime.now(UTC)).isoformat(timespec="seconds")}
        beside = self._file.with_name(f"{self._file.name}.part")
        beside.write_text(json.dumps(told, indent=1), "utf-8")
        beside.replace(self._file)
