"""What the commands share: options, settings, progress, and the store that they work on."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from kg_service import resources
from kg_service.errors import Malformed, StoreLocked, Violations
from kg_service.settings import Settings

Opened = TypeVar("Opened")


app = typer.Typer(
    name="kg",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Knowledge graph of the social and solidarity economy: load, check, query and serve it.",
    epilog="Examples: kg serve · kg query queries/events/dialogues-in-order.rq · kg validate my-data.ttl",
)


Paths = Annotated[
    list[Path],
    typer.Argument(help="RDF files (.ttl .trig .nt .nq .rdf .jsonld, also .gz .zst) or folders of them."),
]
StorePath = Annotated[
    Path | None, typer.Option("--store", help="Directory of the embedded store [default: data/store].")
]
#: Results that are listed of a whole store, and problems of one file.
MOST_RESULTS, MOST_PROBLEMS = 10_000, 20
Replace = Annotated[
    bool, typer.Option("--replace", help="Make each graph in the files equal to what they say, instead of adding.")
]
Language = Annotated[str, typer.Option("--lang", help="Language of the messages: en or es.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write the outcome as JSON.")]


def settings_of(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if not name:  # of several settings together; their values, secrets among them, are left out
            raise Malformed(first["msg"].removeprefix("Value error, ")) from None
        raise Malformed(f"setting {name}: {first['msg']}; it is {first['input']!r}") from None


@contextmanager
def progress_bar() -> Iterator[Any]:
    """A progress bar on a terminal, silence elsewhere."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    texts = [TextColumn(f"{{task.{what}}}") for what in ("description", "fields[rate]")]
    columns = texts[0], BarColumn(), TaskProgressColumn(), texts[1], TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, last = bar.add_task("", total=None, rate=""), ""

        def tell(what: str, done: int, total: int) -> None:
            nonlocal last
            if what != last:  # what was reckoned of the step before is not true of this one
                last = what
                bar.reset(task)
            speed = bar.tasks[task].speed
            rate = f"{speed:,.0f}/s" if speed else ""
            bar.update(task, description=what, completed=done, total=total, rate=rate)

        yield tell


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def shapes_of(root: Path) -> Any:
    """The shapes in force for the store in `root`."""
    from kg_service.changes import rules

    return rules.in_force(root)


def seeded(settings: Settings) -> None:
    """Makes sure that the store holds what the project ships: loads it when it is missing or has changed."""
    from kg_service.ingest import bulk
    from kg_service.store import generations

    generations.check_format(settings.store)
    with tempfile.TemporaryDirectory() as made:
        files = [*bulk.seeds(settings.data, resources.folder("ontology")), _questions(settings, Path(made))]
        if bulk.is_seeded(settings.store, files):
            return
        from kg_service.store.embedded import EmbeddedStore

        say(f"loading {len(files)} files into {settings.store}")
        with patiently(lambda: EmbeddedStore(settings.store)) as store, progress_bar() as progress:
            try:
                bulk.seed(store, files, shapes_of(settings.store), progress=progress)
            except Violations as refused:
                say(refused.report.to_text())
                raise


def _questions(settings: Settings, folder: Path) -> Path:
    """The ready-made questions as a file of the graph that SPARQL editors read examples from.

    It is the same on every start, unless the questions or the public address change.
    """
    from kg_service import queries
    from kg_service.linked_data import examples
    from kg_service.rdf import TRIG, to_text

    file = folder / "queries.trig"
    address = f"{settings.public_url or settings.base.rstrip('/')}/sparql"
    file.write_bytes(to_text(examples.described(queries.every(resources.folder("queries")), address), TRIG))
    return file


def patiently(opened: Callable[[], Opened], seconds: float = 60) -> Opened:
    """What `opened` gives, waiting while another process, most likely of the same kind, is writing the store."""
    until = time.monotonic() + seconds
    is_waiting = False
    while True:
        try:
            return opened()
        except StoreLocked as locked:
            if time.monotonic() > until:
                raise
            if not is_waiting:
                say(f"waiting: {locked.detail.split(';')[0]}")
            is_waiting = True
            time.sleep(0.2)


def load_remotely(settings: Settings, proposal: Any) -> Any:
    """Makes a change of the graph that an engine holds."""
    from kg_service.changes.remote import RemoteGate, commit
    from kg_service.store.remote import remote_store

    gate = RemoteGate(shapes_of(settings.own_folder), most=settings.copy_triples)
    return commit(remote_store(settings), proposal, gate, settings.own_folder)


def print_report(report: Any, as_json: bool) -> None:
    print(json.dumps(report.to_dict(), ensure_ascii=False, indent=2) if as_json else report.to_text())


def print_done(done: Any, *, dry_run: bool) -> None:
    would = "would add" if dry_run else "added"
    print(f"{would} {done.added} and removed {done.removed} statements; generation {done.generation}")


Author = Annotated[str, typer.Option(help="Who makes the change, for the log.")]
Note = Annotated[str | None, typer.Option(help="Why, for the log.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check only; write nothing.")]


def log_of(settings: Settings) -> Any:
    """The log of the graph as it is now, opened for reading."""
    from kg_service.store.log import log_of
    from kg_service.store.remote import remote_log

    return remote_log(settings, None) if settings.is_remote else log_of(settings.store, None)


def written(settings: Settings, proposal: Any) -> Any:
    """Makes a change of the graph, wherever it is; a refusal is reported."""
    from kg_service.changes import commit_all
    from kg_service.shacl.gate import Gate
    from kg_service.store.embedded import EmbeddedStore

    try:
        if settings.is_remote:
            return load_remotely(settings, proposal)
        with patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
            (outcome,) = commit_all(opened, [proposal], Gate(shapes_of(settings.store)))
            opened.retire()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    except Violations as refused:
        print_report(refused.report, False)
        raise


async def of_reads(settings: Settings, make: Callable[[Any], Any]) -> Any:
    """What `make` puts together of questions to one generation, by readers that end with it."""
    from kg_service.linked_data import of_one_generation
    from kg_service.store.readers import Limits, Readers
    from kg_service.store.remote import RemoteReads, endpoint_of

    reads: Any
    if settings.is_remote:
        reads = RemoteReads(endpoint_of(settings), max_bytes=2**40, queue_seconds=settings.queue_seconds)
    else:
        limits = Limits(readers=1, memory=settings.query_memory, max_bytes=2**40, max_rows=2**40)
        reads = Readers(settings.store, limits)
    await reads.start()
    try:
        _, made = await of_one_generation(reads, make, seconds=settings.query_seconds_with_token)
        return made
    finally:
        await reads.close()


def must_be_embedded(settings: Settings, what: str) -> None:
    if settings.is_remote:
        raise Malformed(
            f"the graph is kept by another engine, and is {what} by that engine's own means; "
            f"what lies in {settings.own_folder} is copied as files"
        )
