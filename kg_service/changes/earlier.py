"""The graph as it was at an earlier generation: the present one without what the log says came since.

Started as a module it is the program of a process that makes it as a store of its own: a job names the store, the
generation and the folder of the new store; its argument is the bytes of memory that this may take.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

from kg_service.errors import NotFound, StoreDamaged
from kg_service.store import generations
from kg_service.store.embedded import EmbeddedStore
from kg_service.store.frames import begin, limit_memory, serve
from kg_service.store.log import ChangeLog, log_of
from kg_service.store.patches import Patch, undoing

#: Statements that are put back, or taken away, together.
_TOGETHER = 50_000
_ALL = 2**62


def reached(log: ChangeLog) -> range:
    """The generations that can be made: those from which the log leads to the present one."""
    return range(max(1, log.first_generation()), log.generation + 1)


def undo(store: EmbeddedStore, stored: bytes) -> tuple[int, int, set[str]]:
    """Stages what undoes the last change that is in effect, some statements at a time.

    How many statements of the log's that adds and removes, and the IRIs of what it is about.
    """
    added, removed, touched = 0, 0, set[str]()
    for part in undoing(stored, _TOGETHER):
        store.stage(store.effective(part))
        added, removed = added + len(part.added), removed + len(part.removed)
        touched |= Patch(part).touched
    return added, removed, touched


def make(root: Path, generation: int, target: Path, *, union: bool) -> None:
    """Makes a store in `target` whose published generation is that one; table files are shared with the present one.

    Raises NotFound for a generation that the log does not reach.
    """
    held = generations.hold_current(root)
    if held is None:
        raise StoreDamaged(f"nothing is published in {root} any more; restore a backup with `kg restore`")
    now, lease = held
    with lease:
        with log_of(root, now) as log:
            known = reached(log)
            if generation not in known:
                raise NotFound(f"there is no generation {generation}; known: {known.start} to {known.stop - 1}")
        copy = generations.directory(target, generation)
        copy.parent.mkdir(parents=True)
        generations.copy_database(generations.directory(root, now), copy)
    generations.publish(target, generation)
    with EmbeddedStore(target, union=union) as store, log_of(root, now) as log:
        for entry in reversed(log.following(generation, limit=_ALL)):
            undo(store, log.packed(entry.number) or b"")
        number = store.publish()
    shutil.rmtree(copy)
    generations.directory(target, number).rename(copy)
    generations.publish(target, generation)


def main() -> None:
    memory = int(sys.argv[1])
    if not begin():
        return

    def answer(job: dict[str, Any], _: bytes) -> None:
        limit_memory(memory)
        make(Path(job["root"]), job["generation"], Path(job["target"]), union=job["union"])

    lacking = "so much has changed since that this generation cannot be made any more"
    serve(answer, lacking=lacking, failing="the earlier generation could not be made")


if __name__ == "__main__":
    main()
