"""The program of the process that makes dumps: from a published generation, or from a copy of an engine's graph."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from pyoxigraph import Store

from kg_service.changes import history
from kg_service.errors import Busy, NotFound
from kg_service.linked_data import apart, dumps
from kg_service.settings import Settings
from kg_service.store import generations, scratch
from kg_service.store.log import ChangeLog, log_of
from kg_service.store.remote import endpoint_of, remote_log
from kg_service.store.remote.data import RemoteData

#: Seconds that another engine may take to give one graph.
_PATIENCE = 600.0
#: How often a copy is begun anew because the engine's graph changed meanwhile.
_TRIES = 3
_CHUNK = 50_000


def folder(settings: Settings) -> Path:
    """Where the dumps of a service are."""
    return settings.own_folder / "dumps"


async def make(settings: Settings) -> None:
    """Makes the dumps of the present generation, apart from the service."""
    await apart.run("kg_service.linked_data.dumping", settings)


def made_now(settings: Settings) -> None:
    """Makes the dumps of the present generation here."""
    with _source(settings) as (store, generation, log):
        last = log.entries(limit=1)
        dumps.make(
            folder(settings),
            store,
            generation=generation,
            state=history.state(log, generation).value,
            issued=last[0].time if last and last[0].generation == generation else None,
            union=settings.default_graph == "union",
        )


@contextmanager
def _source(settings: Settings) -> Iterator[tuple[Store, int, ChangeLog]]:
    """A store with the data of a generation, held for as long as it is read, and the log up to it."""
    if settings.is_remote:
        scratch.sweep(_made(settings.own_folder))  # a copy takes much space, and this process is ended at any time
        with scratch.Scratch(settings.own_folder, "copy-") as beside:
            generation = _copied(RemoteData(endpoint_of(settings), seconds=_PATIENCE), beside / "copy")
            with remote_log(settings, generation) as log:
                yield Store.read_only(str(beside / "copy")), generation, log
        return
    held = generations.hold_current(settings.store)
    if held is None:
        raise NotFound("no data are loaded yet; there is nothing to dump")
    generation, lease = held
    with lease, log_of(settings.store, generation) as log:
        yield Store.read_only(str(generations.directory(settings.store, generation))), generation, log


def _made(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def _copied(data: RemoteData, target: Path) -> int:
    """Copies all of an engine's graph as it is at one generation."""
    for attempt in range(_TRIES):
        before = data.generation
        store = Store(str(target.with_name(f"copy-{attempt}")))
        quads = (quad for part in (data.quads(), data.triples()) for quad in part)
        while chunk := list(islice(quads, _CHUNK)):
            store.bulk_extend(chunk)
        if data.generation == before:
            store.backup(str(target))
            return before
    raise Busy("the engine's graph changes faster than it can be copied; try again later", retry_after=60)


if __name__ == "__main__":
    apart.main(made_now)
