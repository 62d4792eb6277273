"""The shapes in force: those of the project, or those that an operator put in their place."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from pyoxigraph import Quad

from kg_service import resources
from kg_service.changes.commit import Proposal, again, noted
from kg_service.rdf import N_TRIPLES, parse_file, to_text
from kg_service.shacl import Report, Shapes, load_shapes
from kg_service.shacl.whole import validate_generation
from kg_service.store import Delta
from kg_service.store.embedded import EmbeddedStore, translated
from kg_service.store.patches import Patch

#: Results that a report on the whole graph shows.
_MOST = 10_000


def _own(root: Path) -> Path:
    """Where the shapes of a store are kept once they are not the project's."""
    return root / "shapes.nt"


def sources(root: Path) -> list[Path]:
    """The files of the shapes in force for the store in `root`."""
    return [_own(root)] if _own(root).is_file() else _packaged()


def _packaged() -> list[Path]:
    return sorted(resources.folder("shapes").glob("*.ttl"))


def in_force(root: Path) -> Shapes:
    """The shapes that judge changes of the store in `root`, compiled."""
    return load_shapes(sources(root))


def quads(root: Path) -> list[Quad]:
    """The shapes in force, as they were written."""
    return [quad for path in sources(root) for quad in parse_file(path)]


def state(root: Path) -> tuple[tuple[str, int], ...]:
    """What changes when other shapes come into force."""
    return tuple((str(path), path.stat().st_mtime_ns) for path in sources(root))


def adopt(
    store: EmbeddedStore, new: Sequence[Quad] | None, proposal: Proposal, *, force: bool
) -> tuple[Shapes | None, Report]:
    """Judges the whole graph by other shapes, or by the project's own (None), and puts these in force if it conforms.

    Returns the shapes if they are in force now, and the report. With `force` they are although the graph breaks them:
    from then on changes may not make it worse. A request that was made before, by its key, is not made again. Raises
    ShapesError for shapes that cannot be used.
    """
    if proposal.key and (known := store.log.with_key(proposal.key)):
        return None, again(known, proposal).report
    shapes = load_shapes(_packaged() if new is None else new)
    report = validate_generation(store.root, shapes, limit=_MOST, language=proposal.language)
    if proposal.dry_run or (report.blocks and not force):
        return None, report
    with _in_force(store.root, new):
        noted(store, replace(proposal, note=proposal.note or "other shapes are in force"), Patch(Delta()), report)
        store.publish()
    return shapes, report


@contextmanager
def _in_force(root: Path, new: Sequence[Quad] | None) -> Iterator[None]:
    """Keeps other shapes for the store in `root`; after a crash it is either the old or the new ones.

    Those before come back, which takes no space, when what is done meanwhile fails.
    """
    own = _own(root)
    before, beside = own.with_suffix(".old"), own.with_suffix(".new")
    with translated(root):
        before.unlink(missing_ok=True)
        if own.is_file():
            shutil.copy2(own, before)
        if new is None:
            own.unlink(missing_ok=True)
        else:
            with beside.open("wb") as file:
                file.write(to_text(new, N_TRIPLES))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(own)
    try:
        yield
    except BaseException:
        if before.is_file():
            before.replace(own)
        else:
            own.unlink(missing_ok=True)
        raise
    before.unlink(missing_ok=True)
