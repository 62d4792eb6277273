"""The command line `kg`: serve, load, validate, query, network, duplicates, export, backup, restore, encode, check.

Exit codes: 0 fine, 1 problems found in the data, 2 wrong use or a store that cannot be used.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import ValidationError

from kg_service import __version__, resources
from kg_service.errors import (
    KgError,
    Malformed,
    NotFound,
    StoreLocked,
    StoreUnwritable,
    Violations,
    wrong_parameter,
)
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
_MOST_RESULTS, _MOST_PROBLEMS = 10_000, 20

Replace = Annotated[
    bool, typer.Option("--replace", help="Make each graph in the files equal to what they say, instead of adding.")
]
Language = Annotated[str, typer.Option("--lang", help="Language of the messages: en or es.")]
AsJson = Annotated[bool, typer.Option("--json", help="Write the outcome as JSON.")]


def main() -> None:
    """Runs the command line; every problem that we know becomes one sentence and an exit code."""
    try:
        app(prog_name="kg")
    except KgError as error:
        print(f"kg: {error.detail}", file=sys.stderr)
        sys.exit(error.exit_code)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        print(f"kg: {error.strerror or error}{f': {error.filename}' if error.filename else ''}", file=sys.stderr)
        sys.exit(2)


def _settings(**given: Any) -> Settings:
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if not name:  # of several settings together; their values, secrets among them, are left out
            raise Malformed(first["msg"].removeprefix("Value error, ")) from None
        raise Malformed(f"setting {name}: {first['msg']}; it is {first['input']!r}") from None


@contextmanager
def _progress() -> Iterator[Any]:
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


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _shapes(root: Path) -> Any:
    """The shapes in force for the store in `root`."""
    from kg_service.changes import rules

    return rules.in_force(root)


def _seeded(settings: Settings) -> None:
    """Makes sure that the store holds what the project ships: loads it when it is missing or has changed."""
    from kg_service.ingest import bulk
    from kg_service.store import generations

    generations.check_format(settings.store)
    with tempfile.TemporaryDirectory() as made:
        files = [*bulk.seeds(settings.data, resources.folder("ontology")), _questions(settings, Path(made))]
        if bulk.is_seeded(settings.store, files):
            return
        from kg_service.store.embedded import EmbeddedStore

        _say(f"loading {len(files)} files into {settings.store}")
        with _patiently(lambda: EmbeddedStore(settings.store)) as store, _progress() as progress:
            try:
                bulk.seed(store, files, _shapes(settings.store), progress=progress)
            except Violations as refused:
                _say(refused.report.to_text())
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


def _patiently(opened: Callable[[], Opened], seconds: float = 60) -> Opened:
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
                _say(f"waiting: {locked.detail.split(';')[0]}")
            is_waiting = True
            time.sleep(0.2)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: 8000].")] = None,
    store: StorePath = None,
) -> None:
    """Load data/ if that is not done yet, then serve the graph over HTTP until Ctrl-C."""
    settings = _settings(host=host, port=port, store=store)
    listening = _listen(settings.host, settings.port)
    if settings.is_remote:
        from kg_service.store.remote import endpoint_of

        endpoint_of(settings)  # wrong addresses are said now
    else:
        _seeded(settings)
        _must_open(settings.store)
    from kg_service.app import run
    from kg_service.web import islands
    from kg_service.web.rendering import STATIC

    if absent := islands.absent(STATIC):
        _say(f"the pages are without their interactive parts: {absent}")
    where = f"http://{settings.host}:{listening.getsockname()[1]}"
    _say(f"serving {where}/sparql, {where}/docs; Ctrl-C stops")
    os.environ.pop("KG_TOKEN", None)  # no process that we start needs it
    run(settings, listening)
    _say("stopped")


def _must_open(store: Path) -> None:
    """Raises StoreDamaged for a store that could not be read or written: better now than at the first question."""
    from kg_service.store.embedded import snapshot
    from kg_service.store.log import log_of

    with snapshot(store) as data, log_of(store, None) as log:
        next(iter(data), None)
        log.last_number()


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, or a sentence on why there is none."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(2048)
    except OSError as error:
        raise KgError(f"cannot listen on {host} port {port}: {error.strerror}; choose another with --port") from None
    return listening


@app.command()
def load(
    paths: Paths,
    store: StorePath = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Make each graph in the files equal to what they say, instead of adding."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; write nothing.")] = False,
    catalog: Annotated[
        bool,
        typer.Option("--catalog", help="PATHS is a folder of others' data: load what data/datasets describes of it."),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="With --catalog: only the data set of this name; may be repeated.")
    ] = None,
    author: Annotated[str, typer.Option(help="Who makes the change, for the log.")] = "unknown",
    note: Annotated[str | None, typer.Option(help="Why, for the log [default: the names of the files].")] = None,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Add files to the store, all or nothing: data that break the shapes are refused, with the report.

    With --catalog, each data set and vocabulary goes into a graph of its own, which then holds just what its files
    say; rows that are rejected are listed, the others go in.
    """
    from kg_service.ingest import bulk
    from kg_service.store.embedded import EmbeddedStore

    settings = _settings(store=store)
    if catalog:
        _load_datasets(settings, paths, only or [], dry_run=dry_run, author=author, language=language, as_json=as_json)
        return
    if only:
        raise wrong_parameter("--only", ", ".join(only), "it goes with --catalog")
    bulk.files_in(paths)
    if not settings.is_remote:
        _seeded(settings)
    try:
        with _progress() as progress:
            if settings.is_remote:
                files = bulk.proposed(paths, replace=replace, author=author, note=note, progress=progress)
                done = _load_remotely(settings, dataclasses.replace(files, dry_run=dry_run, language=language))
            else:
                with _patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
                    done = bulk.load(
                        opened,
                        paths,
                        _shapes(settings.store),
                        replace=replace,
                        dry_run=dry_run,
                        author=author,
                        note=note,
                        language=language,
                        progress=progress,
                    )
    except Violations as refused:
        _report(refused.report, as_json)
        raise
    if as_json:
        about = {
            "change": done.change,
            "generation": done.generation,
            "added": done.added,
            "removed": done.removed,
            "dry_run": dry_run,
        }
        print(json.dumps(about | {"report": done.report.to_dict()}, ensure_ascii=False, indent=2))
        return
    if done.report.results:
        _say(done.report.to_text())
    would = "would add" if dry_run else "added"
    print(f"{would} {done.added} and removed {done.removed} statements; generation {done.generation}")


def _load_datasets(
    settings: Settings,
    folders: list[Path],
    only: list[str],
    *,
    dry_run: bool,
    author: str,
    language: str,
    as_json: bool,
) -> None:
    """Loads the described data sets of a folder, and tells what became of each row; exit code 1 if any is rejected."""
    from kg_service.datasets import described, loading
    from kg_service.store.embedded import EmbeddedStore

    if len(folders) != 1 or not folders[0].is_dir():
        raise wrong_parameter("PATHS", " ".join(map(str, folders)), "with --catalog it is one folder")
    if settings.is_remote:
        raise Malformed("data sets are loaded into an embedded store; export their graphs and load those elsewhere")
    datasets = described.named(resources.folder("data") / "datasets", only)
    _seeded(settings)
    done: list[Any] = []
    try:
        with _patiently(lambda: EmbeddedStore(settings.store), 10) as opened, _progress() as progress:
            shapes = _shapes(settings.store)
            for each in loading.load(
                opened,
                folders[0],
                datasets,
                shapes,
                dry_run=dry_run,
                author=author,
                language=language,
                progress=progress,
            ):
                done.append(each)
                if not as_json:
                    _told_of_dataset(each, dry_run=dry_run)
    except Violations as refused:
        _report(refused.report, as_json)
        raise
    if as_json:
        print(
            json.dumps({"dry_run": dry_run, "datasets": [each.told() for each in done]}, ensure_ascii=False, indent=2)
        )
    if any(file.rejected for each in done for file in each.files):
        sys.exit(1)


def _told_of_dataset(loaded: Any, *, dry_run: bool) -> None:
    """Says what became of a data set, file by file; of many problems the first."""
    if loaded.done is None:
        print(f"{loaded.name}: not here ({', '.join(loaded.absent)})")
        return
    for file in loaded.files:
        for each in file.problems[:_MOST_PROBLEMS]:
            print(f"{file.file}, row {each.row}, column {each.column}: “{each.value}” – {each.right}")
        if len(file.problems) > _MOST_PROBLEMS:
            print(f"{file.file}: {len(file.problems) - _MOST_PROBLEMS} more problems; --json has all")
        print(f"{file.file}: {file.rows} rows, {file.taken} taken, {file.rejected} rejected")
    things = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in loaded.things.items())
    would = "would add" if dry_run else "added"
    print(
        f"{loaded.name}: {things}; {would} {loaded.done.added} and removed {loaded.done.removed} statements", flush=True
    )


@app.command()
def refresh(
    names: Annotated[
        list[str] | None, typer.Argument(help="Data sets that data/datasets describes.", metavar="[SOURCE]...")
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Those whose schedule says that it is time; for a timer or cron.")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--from", help="Read the files below this folder; nothing is fetched.")
    ] = None,
    shrink: Annotated[bool, typer.Option("--shrink", help="It is right that most of the graph goes away.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Fetch and check only; write nothing.")] = False,
    store: StorePath = None,
    author: Annotated[str, typer.Option(help="Who makes the change, for the log.")] = "unknown",
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Fetch sources again, and commit what changed in them; nothing when nothing did. Exit code 1 if one is refused."""
    from datetime import UTC, datetime

    from kg_service.datasets import described, refreshing

    settings = _settings(store=store)
    if bool(names) == due:
        raise wrong_parameter("SOURCE", " ".join(names or []), "names of data sets, or --due")
    if settings.is_remote:
        raise Malformed("sources are refreshed in an embedded store; export their graphs and load those elsewhere")
    datasets = described.named(settings.data / "datasets", names or [])
    looked = refreshing.Looked(settings.own_folder)
    if due:
        now = datetime.now(UTC)
        datasets = [each for each in datasets if (folder or each.is_fetched) and looked.is_due(each, now)]
    _seeded(settings)
    told: list[dict[str, Any]] = []
    for each in datasets:
        try:
            done = _refreshed(settings, each, folder, shrink=shrink, dry_run=dry_run, author=author, language=language)
        except KgError as error:  # one that fails is no reason to pass the others over
            told.append({"name": each.name, "refused": error.detail})
            if not as_json:
                print(f"{each.name}: refused: {error.detail}")
            continue
        if not dry_run:
            looked.note(each)
        about = {"change": done.done.change, "added": done.done.added, "removed": done.done.removed}
        rows = [{"file": file, **asdict(problem)} for file, problem in done.problems]
        told.append({"name": each.name} | about | {"sha256": done.checksums, "rejected": rows})
        if not as_json:
            would = "would add" if dry_run else "added"
            print(f"{each.name}: {would} {done.done.added} and removed {done.done.removed} statements", flush=True)
    if as_json:
        print(json.dumps({"dry_run": dry_run, "datasets": told}, ensure_ascii=False, indent=2))
    elif not datasets:
        print("nothing is due")
    if any("refused" in each for each in told):
        sys.exit(1)


def _refreshed(settings: Settings, dataset: Any, folder: Path | None, *, shrink: bool, **how: Any) -> Any:
    """Fetches a data set into a folder that goes again, and commits what changed."""
    from kg_service.datasets import fetching, refreshing
    from kg_service.store.elsewhere import Elsewhere
    from kg_service.store.embedded import EmbeddedStore

    with tempfile.TemporaryDirectory() as made:
        if folder is None:
            seconds = settings.query_seconds_with_token
            elsewhere = Elsewhere(settings.services, most_bytes=settings.source_bytes, seconds=seconds)
            try:
                dataset = asyncio.run(fetching.fetched(dataset, Path(made), elsewhere))
            finally:
                elsewhere.close()
        with _patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
            shapes = _shapes(settings.store)
            return refreshing.refreshed(opened, dataset, folder or Path(made), shapes, may_shrink=shrink, **how)


@app.command()
def table(
    file: Annotated[
        Path, typer.Argument(help="A table (.csv .tsv .xlsx, texts also .gz); its first row names the columns.")
    ],
    template: Annotated[
        str, typer.Option(help="organisations, memberships, alliances, events, policies, recommendations.")
    ] = "",
    mapping: Annotated[
        Path | None, typer.Option(help="A mapping of your own: a CONSTRUCT query with a variable per column.")
    ] = None,
    blank: Annotated[
        bool, typer.Option("--blank", help="Write the template's blank workbook to FILE instead.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check only; write nothing.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Write nothing when any row is rejected.")] = False,
    store: StorePath = None,
    author: Annotated[str, typer.Option(help="Who makes the change, for the log.")] = "unknown",
    note: Annotated[str | None, typer.Option(help="Why, for the log [default: the name of the file].")] = None,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Add the rows of a table to the graph: each row is judged; rejected ones are listed, the others go in."""
    from kg_service import ontology
    from kg_service.changes import commit
    from kg_service.shacl.gate import Gate
    from kg_service.store import Delta
    from kg_service.store.embedded import EmbeddedStore, snapshot
    from kg_service.tables import blank as blanks
    from kg_service.tables import importing
    from kg_service.tables import mapping as mappings

    if bool(template) == (mapping is not None):
        raise wrong_parameter("--template", template, "name a template, or a mapping of your own with --mapping")
    chosen = mappings.parsed(mapping.stem, mapping.read_text("utf-8")) if mapping else mappings.named(template)
    if blank:
        file.write_bytes(blanks.workbook(chosen, ontology.read(resources.folder("ontology"))))
        print(f"wrote {file}")
        return
    if not file.is_file():
        raise NotFound(f"{file}: there is no such file")
    settings = _settings(store=store)
    if settings.is_remote:
        raise Malformed("tables go into another engine's graph by the page /tables of a running service")
    _seeded(settings)
    with snapshot(settings.store) as graph:
        known = importing.in_store(graph, chosen)
    found = importing.read(file.name, file.read_bytes(), chosen, known)
    about = note if note is not None else f"table {file.name}, template {chosen.name}"
    with _patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
        gate = Gate(_shapes(settings.store))

        def make(delta: Delta) -> Any:
            return commit(opened, delta, gate, author=author, note=about, dry_run=dry_run, language=language)

        done = importing.rejecting(found, make, is_strict=strict)
    _told_of_table(found, done, dry_run=dry_run, as_json=as_json)
    if found.problems:
        sys.exit(1)


def _told_of_table(found: Any, done: Any, *, dry_run: bool, as_json: bool) -> None:
    """Says what became of the rows of a table."""
    taken = len(found.rows) if done else 0
    if as_json:
        about = {
            "rows": len(found.table.rows),
            "taken": taken,
            "rejected": [dataclasses.asdict(each) for each in found.problems],
            "ignored": list(found.ignored),
            "dry_run": dry_run,
            "change": done.change if done else None,
            "added": done.added if done else 0,
            "graph": found.home.value,
        }
        print(json.dumps(about, ensure_ascii=False, indent=2))
        return
    _say("; ".join(found.table.notes))
    if found.ignored:
        _say(f"columns that the template does not know, passed over: {', '.join(found.ignored)}")
    for each in found.problems:
        where = f"row {each.row}" + (f", column {each.column}" if each.column else "")
        print(f"{where}: {f'“{each.value}” – ' if each.value else ''}{each.right}")
    would = "would take" if dry_run else "took"
    print(f"{would} {taken} of {len(found.table.rows)} rows, {done.added if done else 0} statements")


def _load_remotely(settings: Settings, proposal: Any) -> Any:
    """Makes a change of the graph that an engine holds."""
    from kg_service.changes.remote import RemoteGate, commit
    from kg_service.store.remote import remote_store

    gate = RemoteGate(_shapes(settings.own_folder), most=settings.copy_triples)
    return commit(remote_store(settings), proposal, gate, settings.own_folder)


@app.command()
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="RDF files (.ttl .trig .nt .nq .rdf .jsonld, also .gz .zst) or folders of them."),
    ] = None,
    store: StorePath = None,
    replace: Replace = False,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Check files against the shapes, together with what is already known; exit code 1 if they break them.

    What is known is the store; for files of data/ it is the other files of data/. Without files, the store itself is
    checked.
    """
    from kg_service.ingest import bulk
    from kg_service.store import generations

    settings = _settings(store=store)
    if not paths:
        _validate_store(settings, language, as_json)
        return
    files = bulk.files_in(paths)
    given = {path.resolve() for path in files}
    seeds = bulk.seeds(settings.data, resources.folder("ontology"))
    others = [path for path in seeds if path.resolve() not in given]
    is_seed = len(others) < len(seeds)
    has_store = not settings.is_remote and generations.current(settings.store) > 0
    with _progress() as progress:
        about: dict[str, Any] = {"replace": replace, "language": language, "progress": progress}
        shapes = _shapes(settings.own_folder)
        if has_store and not is_seed:
            report = bulk.tried(settings.store, files, shapes, **about)
        elif settings.is_remote and not is_seed:
            from kg_service.store.remote import remote_data

            known = remote_data(settings).contents(None, settings.copy_triples)
            report = bulk.validate(files, known, shapes, **about)
        else:
            known = (quad for path in others for quad in bulk.read(path))
            report = bulk.validate(files, known, shapes, **about)
    _report(report, as_json)
    if report.blocks:
        raise typer.Exit(1)


def _validate_store(settings: Settings, language: str, as_json: bool) -> None:
    """Validates everything that the store holds, by several processes."""
    if settings.is_remote:
        raise Malformed("name the files to check; the whole graph of another engine is checked by its own means")
    from kg_service.shacl.whole import validate_generation

    _seeded(settings)
    with _progress() as progress:
        report = validate_generation(
            settings.store, _shapes(settings.store), limit=_MOST_RESULTS, language=language, progress=progress
        )
    _report(report, as_json)
    if report.blocks:
        raise typer.Exit(1)


def _report(report: Any, as_json: bool) -> None:
    print(json.dumps(report.to_dict(), ensure_ascii=False, indent=2) if as_json else report.to_text())


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def query(
    context: typer.Context,
    text: Annotated[
        str,
        typer.Argument(help="A query file, the name of one in queries/, or SPARQL text.", metavar="FILE|TEXT"),
    ],
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="json xml csv tsv, or turtle json-ld n-triples rdf-xml trig n-quads [default: a table, or turtle].",
        ),
    ] = None,
    store: StorePath = None,
    seconds: Annotated[float | None, typer.Option(help="Longest time the query may take [default: 30].")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Ask the store a SPARQL query; one from queries/ takes its parameters, as in --theme decent-work."""
    from kg_service.rdf import GRAPH_FORMATS, TABLE_FORMATS, format_named
    from kg_service.sparql import guard
    from kg_service.store import Query
    from kg_service.store.readers import answer_once

    settings = _settings(store=store, query_seconds=seconds)
    wanted = "json" if as_json else format
    chosen = format_named(wanted, (*TABLE_FORMATS, *GRAPH_FORMATS)).name if wanted else None
    table = chosen if chosen in {f.name for f in TABLE_FORMATS} else None
    graph = chosen if chosen in {f.name for f in GRAPH_FORMATS} else None
    asked_text = _with_values(text, context.args) if context.args else _query_text(text)
    inspected = guard.inspect(asked_text, max_bytes=settings.max_query_bytes, base=settings.base)
    if not settings.is_remote:
        _seeded(settings)
    asked = Query(
        inspected.text,
        table="json" if chosen is None else table or ("json" if wanted == "json" else None),
        boolean="json" if chosen is None else table,
        graph="turtle" if chosen is None else graph or ("json-ld" if wanted == "json" else None),
        default_graphs=inspected.default_graphs,
        named_graphs=inspected.named_graphs,
        base=settings.base,
        seconds=settings.query_seconds,
    )
    if settings.is_remote:
        how, whole = asyncio.run(_answered_remotely(settings, asked))
    else:
        how, whole = asyncio.run(
            answer_once(settings.store, asked, memory=settings.query_memory, max_bytes=settings.max_answer_bytes)
        )
    if chosen is None and how == "json":
        _print_table(json.loads(whole))
    else:
        sys.stdout.buffer.write(whole if whole.endswith(b"\n") else whole + b"\n")


async def _answered_remotely(settings: Settings, asked: Any) -> tuple[str, bytes]:
    from kg_service.store.remote import RemoteReads, endpoint_of

    reads = RemoteReads(
        endpoint_of(settings), size=1, max_bytes=settings.max_answer_bytes, queue_seconds=settings.queue_seconds
    )
    try:
        answer = await reads.answer(asked)
        return answer.format, await answer.content()
    finally:
        await reads.close()


def _with_values(name: str, options: list[str]) -> str:
    """The question of that name with the values that options such as `--theme care` or `--theme=care` give."""
    from kg_service import queries
    from kg_service.api.queries import bound_text

    known = queries.names(resources.folder("queries"))
    sent, waiting = [], list(options)
    if name.removesuffix(".rq") not in known:
        raise wrong_parameter(options[0], " ".join(options[1:]), "only the questions in queries/ have parameters")
    while waiting:
        option, has_value, value = waiting.pop(0).partition("=")
        if not option.startswith("--") or not (has_value or waiting):
            raise wrong_parameter(option, value, "a name of a parameter and a value, such as --theme decent-work")
        sent.append((option.removeprefix("--"), value if has_value else waiting.pop(0)))
    return bound_text(queries.read(resources.folder("queries"), name.removesuffix(".rq")), sent)


@app.command()
def network(
    projection: Annotated[str, typer.Argument(help="Name of a network, such as alliances.", metavar="PROJECTION")],
    measure: Annotated[
        str | None,
        typer.Argument(help="What to measure [default: nothing; the network is written].", metavar="MEASURE"),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option("--set", "-s", help="A filter or parameter as NAME=VALUE: level=local, from=2019, seed=7."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="json csv; of a network also graphml gexf pajek csv-nodes csv-edges cytoscape json-ld parquet.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option(help="Most rows of a measure; CSV has all.", min=1)] = 20,
    engine: Annotated[
        str, typer.Option("--engine", "-e", help="embedded, or spark: Apache Spark, on the cluster KG_SPARK_MASTER.")
    ] = "embedded",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Write a network of the graph, or a measure of it with all that others need to get the same numbers."""
    from kg_service.network.asking import asked_for, asked_of_spark

    settings = _settings(store=store)
    how = "json" if as_json else format
    asked = asked_for(projection, measure, chosen or [], how, limit)  # what is wrong is said before the store is opened
    if engine not in ("embedded", "spark"):
        raise wrong_parameter("engine", engine, "allowed are embedded and spark")
    if engine == "spark":
        from kg_service.network.spark.engine import refuse_others

        refuse_others(measure, asked.parameters)
    if not settings.is_remote:
        _seeded(settings)
    with _progress() as progress:
        wanted = asked_of_spark(asked) if engine == "spark" else asked
        data = asyncio.run(_measured(settings, wanted, progress))
    if engine == "spark":
        from kg_service.network.spark.engine import answered

        data = answered(settings, data, asked)
    if how is None and measure:
        _print_measure(json.loads(data))
    else:
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")


async def _measured(settings: Settings, asked: Any, progress: Any) -> bytes:
    """The answer to what is asked of a network, by a process that ends with it."""
    from kg_service.network.asking import answered
    from kg_service.store.readers import Limits, Readers
    from kg_service.store.remote import RemoteReads, endpoint_of

    reads: Any
    if settings.is_remote:
        reads = RemoteReads(endpoint_of(settings), max_bytes=2**40, queue_seconds=settings.queue_seconds)
    else:
        limits = Limits(readers=1, memory=settings.network_memory, max_bytes=2**40, max_rows=2**40)
        reads = Readers(settings.store, limits)
    await reads.start()
    try:
        return await answered(settings, reads, asked, progress)
    finally:
        await reads.close()


def _print_measure(answer: dict[str, Any]) -> None:
    """A measure as tables for people, with where it comes from."""
    from rich.console import Console
    from rich.table import Table

    console = Console() if sys.stdout.isatty() else Console(width=200)
    rows, meta = answer["data"], answer["meta"]
    if rows:
        names = [name for name in rows[0] if name != "iri" and f"{name}_label" not in rows[0]]
        table = Table(*names, show_lines=False)
        for row in rows:
            table.add_row(*(_shown(row.get(name)) for name in names))
        console.print(table, markup=False)
    for name, value in answer["values"].items():
        print(f"{name}: {_shown(value)}")
    if meta["error"]:
        print(meta["error"])
    print(meta["citation"])


def _shown(value: Any) -> str:
    from rich.markup import escape

    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list) and all(isinstance(one, dict) and "words" in one for one in value):
        return escape("; ".join(one["words"] for one in value))
    if isinstance(value, (dict, list)):
        return escape(json.dumps(value, ensure_ascii=False))
    return "" if value is None else escape(str(value))


def _query_text(text: str) -> str:
    named = resources.folder("queries") / f"{text.removesuffix('.rq')}.rq"
    for path in (Path(text), named):
        try:
            if path.is_file():
                return path.read_text(encoding="utf-8")
        except OSError:  # SPARQL text is longer than a file name may be
            break
        except UnicodeDecodeError:
            raise Malformed(f"{path} is not UTF-8 text") from None
    if " " not in text.strip() and "{" not in text:
        raise NotFound(f'"{text}" is neither a file, nor the name of a query in queries/, nor SPARQL')
    return text


def _print_table(answer: dict[str, Any]) -> None:
    if "boolean" in answer:
        print("yes" if answer["boolean"] else "no")
        return
    from rich.console import Console
    from rich.table import Table

    names, rows = answer["head"]["vars"], answer["results"]["bindings"]
    table = Table(*names, show_lines=False)
    for row in rows:
        table.add_row(*(_short(row[name]) if name in row else "" for name in names))
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table, markup=False) if rows else print("no rows")
    if rows:
        print(f"{len(rows)} row{'s' * (len(rows) != 1)}")


def _short(term: dict[str, str]) -> str:
    from rich.markup import escape

    from kg_service.rdf import ENTITY, PREFIXES

    value = term["value"]
    if term["type"] == "uri":
        if value.startswith(ENTITY):
            return escape(value.removeprefix(ENTITY))
        for prefix, iri in PREFIXES.items():
            if value.startswith(iri):
                return escape(f"{prefix}:{value.removeprefix(iri)}")
    return escape(value)


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words in any language; mistyped ones are forgiven.")],
    kind: Annotated[
        list[str] | None, typer.Option("--type", help="Only things of this class, such as Event; may be repeated.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Things to show.")] = 10,
    store: StorePath = None,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Find things by words: their names, their texts, and the quotations that they rest on; exit code 1 for none."""
    from kg_service.rdf import ONTOLOGY
    from kg_service.search import Question
    from kg_service.search.engine import description
    from kg_service.search.process import find_here

    settings = _settings(store=store)
    if not settings.is_remote:
        _seeded(settings)
    types = tuple(name if ":" in name else ONTOLOGY + name for name in kind or ())
    question = Question(text, types, languages=(language,), limit=limit, is_complete=True)
    generation, found = find_here(description(settings), question)
    hits = found["data"]
    if as_json:
        print(json.dumps({"generation": generation, **found}, ensure_ascii=False, indent=2))
    else:
        for hit in hits:
            _print_hit(hit)
    if not hits:
        _say("nothing was found")
        raise typer.Exit(1)


def _print_hit(hit: dict[str, Any]) -> None:
    from kg_service.rdf import ENTITY

    said = " ".join("".join(piece["text"] for piece in hit["snippet"]).split())
    name, reason = hit["label"] or hit["iri"], hit["reason"]
    print(f"{hit['score']:6.2f}  {name}  {hit['iri'].removeprefix(ENTITY)}")
    if said != name:
        how = f", {reason['match']}" if reason["match"] != "exact" else ""
        print(f"        {reason['field']}{how}: {said}")


duplicates_app = typer.Typer(
    help="Find entries that may be one actor, propose them, and decide.", invoke_without_command=True
)
app.add_typer(duplicates_app, name="duplicates")
One = Annotated[str, typer.Argument(help="An entry: its IRI, or the end of it, such as organisation/gsef.")]
Other = Annotated[str, typer.Argument(help="The other entry.")]
Author = Annotated[str, typer.Option(help="Who makes the change, for the log.")]
Note = Annotated[str | None, typer.Option(help="Why, for the log.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check only; write nothing.")]


@duplicates_app.callback()
def duplicates(
    context: typer.Context,
    least: Annotated[float, typer.Option(min=0, max=1, help="Only pairs that are as likely as that.")] = 0.8,
    limit: Annotated[int, typer.Option(min=1, help="Pairs to show; JSON has all.")] = 20,
    propose: Annotated[
        bool, typer.Option("--propose", help="Write the pairs into the graph as candidates, for people to decide on.")
    ] = False,
    dry_run: DryRun = False,
    store: StorePath = None,
    author: Author = "unknown",
    note: Note = None,
    as_json: AsJson = False,
) -> None:
    """Find entries that may be one actor, with what speaks for and against; `accept`, `reject` and `undo` decide."""
    if context.invoked_subcommand:
        return
    from kg_service.changes import Proposal
    from kg_service.identity import candidates

    settings = _settings(store=store)
    if not settings.is_remote:
        _seeded(settings)
    found, actors = asyncio.run(_of_reads(settings, lambda asking: candidates.undecided(asking.rows, least)))
    done = None
    if propose:
        why = note or f"{len(found)} pairs of entries that may be one actor"
        proposal = Proposal(candidates.proposed(found), author=author, note=why, dry_run=dry_run)
        done = _write(settings, proposal)
    if as_json:
        pairs = [asdict(each) | {"likelihood": round(each.likelihood, 3)} for each in found]
        made = {"change": done.change, "added": done.added, "removed": done.removed} if done else None
        print(json.dumps({"pairs": pairs, "proposed": made, "dry_run": dry_run}, ensure_ascii=False, indent=2))
        return
    for each in found[:limit]:
        told = ", ".join(f"{feature.name} {feature.bits:+.1f}" for feature in each.features)
        print(f"{min(each.likelihood, 0.999):.3f}  {told}")
        for iri in (each.one, each.leading):
            print(f"       {next(iter(actors[iri].names), '–')}  {_slug(iri)}")
    _say(f"{len(found)} pairs" + (f", {limit} shown" if len(found) > limit else ""))
    if done:
        would = "would add" if dry_run else "added"
        print(f"{would} {done.added} and removed {done.removed} statements; generation {done.generation}")


@duplicates_app.command("accept")
def duplicates_accept(
    one: One,
    other: Other,
    leading: Annotated[str | None, typer.Option(help="The entry that leads [default: as proposed, or OTHER].")] = None,
    dry_run: DryRun = False,
    store: StorePath = None,
    author: Author = "unknown",
    note: Note = None,
) -> None:
    """Say that two entries are one actor; both stay, and one leads."""
    _decide("accept", one, other, leading, dry_run=dry_run, store=store, author=author, note=note)


@duplicates_app.command("reject")
def duplicates_reject(
    one: One,
    other: Other,
    dry_run: DryRun = False,
    store: StorePath = None,
    author: Author = "unknown",
    note: Note = None,
) -> None:
    """Say that two entries are two actors; they are not proposed again."""
    _decide("reject", one, other, None, dry_run=dry_run, store=store, author=author, note=note)


@duplicates_app.command("undo")
def duplicates_undo(
    one: One,
    other: Other,
    dry_run: DryRun = False,
    store: StorePath = None,
    author: Author = "unknown",
    note: Note = None,
) -> None:
    """Take the last decision on two entries back, so that all is as it was."""
    _decide("undo", one, other, None, dry_run=dry_run, store=store, author=author, note=note)


def _decide(
    decision: str,
    one: str,
    other: str,
    leading: str | None,
    *,
    dry_run: bool,
    store: Path | None,
    author: str,
    note: str | None,
) -> None:
    from kg_service.identity import deciding

    settings = _settings(store=store)
    if not settings.is_remote:
        _seeded(settings)
    ends = (_thing(one), _thing(other), _thing(leading) if leading else None)
    number = None
    if decision == "undo":
        with _log(settings) as log:
            number = deciding.change_of(log, ends[0], ends[1])
    wanted = deciding.proposal(decision, ends[0], ends[1], leading=ends[2], number=number)
    wanted = dataclasses.replace(wanted, author=author, note=note or wanted.note, dry_run=dry_run)
    done = _write(settings, wanted)
    would = "would be made" if dry_run else "made"
    change = f"change {done.change}" if done.change else "no change" if not done.added + done.removed else "a change"
    print(f"{change} {would}: {done.added} statements added, {done.removed} removed; generation {done.generation}")


def _thing(text: str) -> str:
    """The IRI that was typed, or that whose end was."""
    from kg_service.rdf import ENTITY, NamedNode

    try:
        return NamedNode(text if ":" in text else ENTITY + text).value
    except ValueError:
        raise Malformed(f'"{text}" is no IRI, and no end of one such as organisation/gsef') from None


def _slug(iri: str) -> str:
    from kg_service.rdf import ENTITY

    return iri.removeprefix(ENTITY)


def _log(settings: Settings) -> Any:
    """The log of the graph as it is now, opened for reading."""
    from kg_service.store.log import log_of
    from kg_service.store.remote import remote_log

    return remote_log(settings, None) if settings.is_remote else log_of(settings.store, None)


def _write(settings: Settings, proposal: Any) -> Any:
    """Makes a change of the graph, wherever it is; a refusal is reported."""
    from kg_service.changes import commit_all
    from kg_service.shacl.gate import Gate
    from kg_service.store.embedded import EmbeddedStore

    try:
        if settings.is_remote:
            return _load_remotely(settings, proposal)
        with _patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
            (outcome,) = commit_all(opened, [proposal], Gate(_shapes(settings.store)))
            opened.retire()
        if isinstance(outcome, Exception):
            raise outcome
        return outcome
    except Violations as refused:
        _report(refused.report, False)
        raise


async def _of_reads(settings: Settings, make: Callable[[Any], Any]) -> Any:
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


@app.command()
def export(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write [default: standard output].")
    ] = None,
    format: Annotated[
        str,
        typer.Option("--format", "-f", help="trig n-quads, or for one graph: turtle n-triples rdf-xml json-ld."),
    ] = "trig",
    graph: Annotated[str | None, typer.Option(help="Only this graph: its IRI, or its name under …/graph/.")] = None,
    store: StorePath = None,
) -> None:
    """Write the whole graph, or one of its graphs, in a fixed order."""
    from kg_service.ingest import bulk
    from kg_service.rdf import GRAPH_FORMATS, format_named

    how = format_named(format, GRAPH_FORMATS)
    settings = _settings(store=store)
    if settings.is_remote:
        from kg_service.store.remote import remote_data

        data = remote_data(settings)
        text = bulk.written(data.named_graphs(), data.quads, how, graph)
    else:
        _seeded(settings)
        text = bulk.export(settings.store, how, graph)
    if output is None:
        sys.stdout.buffer.write(text)
        return
    try:
        beside = output.with_name(output.name + ".part")
        beside.write_bytes(text)
        beside.replace(output)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no file name"
        raise StoreUnwritable(f"{output} cannot be written: {why}") from None


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of backups; each gets a folder of its own.")],
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole store while it is in use, and verify the copy; earlier ones in DIR stay."""
    from kg_service.store import backup as backups

    settings = _settings(store=store)
    _must_be_embedded(settings, "backed up")
    made = backups.make(settings.store, folder)
    about = made.manifest
    if as_json:
        print(json.dumps({"backup": str(made.path)} | asdict(about), indent=2))
        return
    print(f"{made.path}: generation {about.generation}, {about.quads} quads, {about.triples} triples; verified")


@app.command()
def restore(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A backup, or the folder of backups: the last one is taken.")
    ],
    generation: Annotated[
        int | None, typer.Option(min=1, help="Go back to this generation: later changes are undone.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of the store that is there.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only say whether the backup is whole.")] = False,
    store: StorePath = None,
    author: Author = "unknown",
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the store, once it is verified; the service must be stopped."""
    from kg_service.changes import restoring
    from kg_service.store import backup as backups

    settings = _settings(store=store)
    if verify:
        whole = backups.verified(backups.chosen(folder, generation))
        about = {"backup": str(whole.path)} | asdict(whole.manifest)
        print(json.dumps(about, indent=2) if as_json else f"{whole.path} is whole: generation {about['generation']}")
        return
    _must_be_embedded(settings, "restored")
    done = restoring.restore(
        folder,
        settings.store,
        union=settings.default_graph == "union",
        generation=generation,
        replace=replace,
        author=author,
    )
    if as_json:
        print(json.dumps(asdict(done) | {"backup": str(done.backup)}, indent=2))
        return
    print(
        f"generation {done.restored} of {done.backup} is in {settings.store}, as generation {done.generation}: "
        f"{done.quads} quads, {done.triples} triples"
    )


def _must_be_embedded(settings: Settings, what: str) -> None:
    if settings.is_remote:
        raise Malformed(
            f"the graph is kept by another engine, and is {what} by that engine's own means; "
            f"what lies in {settings.own_folder} is copied as files"
        )


@app.command()
def encode(
    paths: Annotated[list[Path] | None, typer.Argument(help="Encodings [default: all of data/encodings].")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit code 1 if a data file is not up to date.")
    ] = False,
) -> None:
    """Make data files of encodings: find each quotation in its source, compute its offsets, write its claims."""
    from kg_service import evidence

    data = resources.folder("data")
    files = paths or sorted((data / "encodings").glob("*.trig"))
    ontology = sorted(resources.folder("ontology").glob("*.ttl"))
    stale = False
    for path in files:
        text = evidence.encoded(path, sources=data / "sources", ontology=ontology)
        target = data / path.name
        is_same = target.is_file() and target.read_bytes() == text
        stale |= not is_same
        if not check and not is_same:
            target.write_bytes(text)
        _say(f"{target.name}: {'up to date' if is_same else 'not up to date' if check else 'written'}")
    if check and stale:
        raise typer.Exit(1)


@app.command()
def check(
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Print how much of each document has become claims, as a table.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the project's own data (quotations, terms, shapes and more); exit code 1 if one fails."""
    from kg_service import checks

    folders = {name: resources.folder(name) for name in ("ontology", "shapes", "queries", "data")}
    material = checks.Material(**folders)
    if coverage:
        _print_coverage(checks.coverage(material), as_json)
        return
    problems: dict[str, list[str]] = {}
    for run in checks.CHECKS:
        found = problems[run.__name__] = run(material)
        if not as_json:
            print(
                f"{'ok' if not found else 'NO':3} {run.__name__:11} {(run.__doc__ or '').splitlines()[0]}", flush=True
            )
            for problem in found:
                print(f"      {problem}")
    if as_json:
        print(json.dumps(problems, ensure_ascii=False, indent=2))
    if any(problems.values()):
        raise typer.Exit(1)


def _print_coverage(documents: list[Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(document) for document in documents], ensure_ascii=False, indent=2))
        return
    kinds = ("stated", "derived", "ambiguous", "inferred")
    print("| document | sentences | with a claim | " + " | ".join(kinds) + " | claims |")
    print("|---|" + "---:|" * 7)
    for document in documents:
        counts = [document.claims.get(kind, 0) for kind in kinds]
        numbers = [document.sentences, document.claimed, *counts, sum(counts)]
        print(f"| {document.document} | " + " | ".join(map(str, numbers)) + " |")
    for document in documents:
        for words in document.unclaimed:
            print(f"no claim: {document.document}: {words}")


token = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make, list, rotate and revoke the tokens that writing and operating over HTTP needs.",
)
app.add_typer(token, name="token")
Which = Annotated[str, typer.Argument(help="Name or id of the token.")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _seconds(written: str) -> float:
    """A span of time such as 90d, 12h, 30m or 45s, in seconds."""
    number, unit = written[:-1], written[-1:]
    if not (number.isascii() and number.isdigit() and unit in _UNITS and len(number) < 7):
        raise wrong_parameter("time", written, "a span such as 90d, 12h, 30m or 45s")
    return int(number) * _UNITS[unit]


def _tokens(store: Path | None) -> Any:
    from kg_service.access.tokens import Tokens

    return Tokens(_settings(store=store).own_folder)


def _told_of_token(made: Any, secret: str, as_json: bool) -> None:
    """Prints a secret, this one time."""
    if as_json:
        print(json.dumps(_described_token(made) | {"token": secret}, ensure_ascii=False, indent=2))
        return
    _say(f"“{made.name}” ({made.id}); keep this token well, it is not shown again:")
    print(secret)


def _described_token(token: Any) -> dict[str, Any]:
    """What may be told of a token: no hash."""

    def day(moment: float | None) -> str | None:
        return None if moment is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))

    return {
        "id": token.id,
        "name": token.name,
        "state": token.state(time.time()),
        "scopes": list(token.scopes),
        "graphs": None if token.graphs is None else list(token.graphs),
        "created": day(token.created),
        "expires": day(token.expires),
        "revoked": day(token.revoked),
    }


@token.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="Whose it is: the author in the log of changes.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help="validate, contribute or operate; each covers those before it [default: contribute]."),
    ] = None,
    graph: Annotated[
        list[str] | None,
        typer.Option(help="A graph that it may change, by IRI or name under …/graph/; again for more [default: all]."),
    ] = None,
    expires: Annotated[str, typer.Option(help="When it ends: 90d, 12h, 30m, or never.")] = "365d",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, this one time; a running service takes it at once."""
    from kg_service.rdf import NamedNode
    from kg_service.rdf import graph as graph_named

    try:
        graphs = [NamedNode(each).value if ":" in each else graph_named(each).value for each in graph or ()]
    except ValueError as error:
        raise Malformed(f"--graph is an IRI or a short name: {error}") from None
    until = None if expires == "never" else time.time() + _seconds(expires)
    made, secret = _tokens(store).create(name, scope or ["contribute"], graphs or None, until)
    _told_of_token(made, secret, as_json)


@token.command("list")
def list_tokens(store: StorePath = None, as_json: AsJson = False) -> None:
    """List the tokens, the revoked ones too; no secret is kept, so none is shown."""
    found = [_described_token(each) for each in _tokens(store).every().values()]
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for each in found:
        graphs = "all graphs" if each["graphs"] is None else ", ".join(each["graphs"])
        ends = each["expires"] or "never"
        print(f"{each['id']}  {each['state']:7}  {','.join(each['scopes'])} on {graphs}  until {ends}  {each['name']}")


@token.command("rotate")
def rotate_token(
    which: Which,
    overlap: Annotated[str, typer.Option(help="How long the old secret still counts, such as 1h.")] = "0s",
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Give a token another secret and print it, this one time; sessions on pages end."""
    made, secret = _tokens(store).rotate(which, _seconds(overlap))
    _told_of_token(made, secret, as_json)


@token.command("revoke")
def revoke_token(which: Which, store: StorePath = None) -> None:
    """End a token and its sessions, at once and for good."""
    print(f"revoked “{_tokens(store).revoke(which).name}”")


@app.command()
def bench(
    triples: Annotated[
        list[int] | None, typer.Option("--triples", help="Sizes, each once [default: 100000 1000000 10000000].")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="A folder for data and stores, which stay there.")] = None,
    picture: Annotated[Path | None, typer.Option(help="Where to draw the curves, as SVG.")] = None,
) -> None:
    """Measure loading, changes, questions, validation, search and networks at several sizes of the graph."""
    checkout = resources.folder("ontology").parent
    if not (checkout / "benchmarks" / "growth.py").is_file():
        raise NotFound("the benchmarks come with the source of the project, not with the package; run ./kg bench there")
    command = [sys.executable, "-m", "benchmarks.growth"]
    if triples:
        command += ["--triples", *map(str, triples)]
    for name, path in (("--keep", keep), ("--picture", picture)):
        command += [name, str(path.resolve())] if path else []
    raise typer.Exit(subprocess.run(command, cwd=checkout).returncode)


@app.command("settings")
def show_settings(store: StorePath = None, as_json: AsJson = False) -> None:
    """Print what is set, and from where: the environment, .env, or the default. Secrets are not shown."""
    from dotenv import dotenv_values
    from pydantic import SecretStr

    settings = _settings(store=store)
    written = {name.upper() for name in dotenv_values(".env")}
    found = []
    for name in Settings.model_fields:
        variable, value = f"KG_{name.upper()}", getattr(settings, name)
        if isinstance(value, SecretStr):
            value = "(secret)"
        elif isinstance(value, tuple):
            value = ", ".join(map(_without_password, value))
        elif value is not None:
            value = _without_password(str(value))
        origin = "environment" if variable in {each.upper() for each in os.environ} else "default"
        if origin == "default" and variable in written:
            origin = ".env"
        if name == "store" and store is not None:
            origin = "--store"
        found.append({"setting": variable, "value": value, "from": origin})
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for each in found:
        print(f"{each['setting']:28} {'' if each['value'] is None else each['value']}  ({each['from']})")


def _without_password(text: str) -> str:
    """An address without who shows himself in it."""
    return re.sub(r"(?<=://)[^/@\s]+@", "…@", text)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"kg {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None: ...


__all__ = ["app", "main"]
