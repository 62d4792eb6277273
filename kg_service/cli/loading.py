"""What goes in: files, data sets, sources that are fetched again, tables."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kg_service import resources
from kg_service.cli.common import (
    MOST_PROBLEMS,
    AsJson,
    Author,
    DryRun,
    Language,
    Paths,
    Replace,
    StorePath,
    app,
    load_remotely,
    patiently,
    print_done,
    print_report,
    progress_bar,
    say,
    seeded,
    settings_of,
    shapes_of,
)
from kg_service.errors import KgError, Malformed, NotFound, TooLarge, Violations, wrong_parameter
from kg_service.settings import Settings


@app.command()
def load(
    paths: Paths,
    store: StorePath = None,
    replace: Replace = False,
    dry_run: DryRun = False,
    catalog: Annotated[
        bool,
        typer.Option("--catalog", help="PATHS is a folder of others' data: load what data/datasets describes of it."),
    ] = False,
    only: Annotated[
        list[str] | None, typer.Option(help="With --catalog: only the data set of this name; may be repeated.")
    ] = None,
    author: Author = "unknown",
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

    settings = settings_of(store=store)
    if catalog:
        _load_datasets(settings, paths, only or [], dry_run=dry_run, author=author, language=language, as_json=as_json)
        return
    if only:
        raise wrong_parameter("--only", ", ".join(only), "it goes with --catalog")
    bulk.files_in(paths)
    if not settings.is_remote:
        seeded(settings)
    try:
        with progress_bar() as progress:
            if settings.is_remote:
                files = bulk.proposed(paths, replace=replace, author=author, note=note, progress=progress)
                done = load_remotely(settings, dataclasses.replace(files, dry_run=dry_run, language=language))
            else:
                with patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
                    done = bulk.load(
                        opened,
                        paths,
                        shapes_of(settings.store),
                        replace=replace,
                        dry_run=dry_run,
                        author=author,
                        note=note,
                        language=language,
                        progress=progress,
                    )
    except Violations as refused:
        print_report(refused.report, as_json)
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
        say(done.report.to_text())
    print_done(done, dry_run=dry_run)


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
    seeded(settings)
    done: list[Any] = []
    try:
        with patiently(lambda: EmbeddedStore(settings.store), 10) as opened, progress_bar() as progress:
            shapes = shapes_of(settings.store)
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
        print_report(refused.report, as_json)
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
        for each in file.problems[:MOST_PROBLEMS]:
            print(f"{file.file}, row {each.row}, column {each.column}: “{each.value}” – {each.right}")
        if len(file.problems) > MOST_PROBLEMS:
            print(f"{file.file}: {len(file.problems) - MOST_PROBLEMS} more problems; --json has all")
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
    author: Author = "unknown",
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Fetch sources again, and commit what changed in them; nothing when nothing did. Exit code 1 if one is refused."""
    from datetime import UTC, datetime

    from kg_service.datasets import described, refreshing

    settings = settings_of(store=store)
    if bool(names) == due:
        raise wrong_parameter("SOURCE", " ".join(names or []), "names of data sets, or --due")
    if settings.is_remote:
        raise Malformed("sources are refreshed in an embedded store; export their graphs and load those elsewhere")
    datasets = described.named(settings.data / "datasets", names or [])
    looked = refreshing.Looked(settings.own_folder)
    if due:
        now = datetime.now(UTC)
        datasets = [each for each in datasets if (folder or each.is_fetched) and looked.is_due(each, now)]
    seeded(settings)
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
        with patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
            shapes = shapes_of(settings.store)
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
    dry_run: DryRun = False,
    strict: Annotated[bool, typer.Option("--strict", help="Write nothing when any row is rejected.")] = False,
    store: StorePath = None,
    author: Author = "unknown",
    note: Annotated[str | None, typer.Option(help="Why, for the log [default: the name of the file].")] = None,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Add the rows of a table to the graph: each row is judged; rejected ones are listed, the others go in."""
    from kg_service import ontology
    from kg_service.ingest import bulk
    from kg_service.store.embedded import EmbeddedStore, snapshot
    from kg_service.tables import blank as blanks
    from kg_service.tables import importing
    from kg_service.tables import mapping as mappings
    from kg_service.tables.rows import MOST_BYTES

    if bool(template) == (mapping is not None):
        raise wrong_parameter("--template", template, "name a template, or a mapping of your own with --mapping")
    chosen = mappings.parsed(mapping.stem, mapping.read_text("utf-8")) if mapping else mappings.named(template)
    if blank:
        file.write_bytes(blanks.workbook(chosen, ontology.read(resources.folder("ontology"))))
        print(f"wrote {file}")
        return
    if not file.is_file():
        raise NotFound(f"{file}: there is no such file")
    if (size := file.stat().st_size) > MOST_BYTES:
        raise TooLarge(f"{file}: {size // 2**20} MB; at most {MOST_BYTES // 2**20} MB are read")
    settings = settings_of(store=store)
    if settings.is_remote:
        raise Malformed("tables go into another engine's graph by the page /tables of a running service")
    seeded(settings)
    with snapshot(settings.store) as graph:
        known = importing.in_store(graph, chosen)
    found = importing.some(importing.read(file.name, file.read_bytes(), chosen, known))
    about = note if note is not None else f"table {file.name}, template {chosen.name}"
    with patiently(lambda: EmbeddedStore(settings.store), 10) as opened:
        shapes = shapes_of(settings.store)

        def make(rows: importing.Import) -> Any:
            how: dict[str, Any] = {"author": author, "note": about, "dry_run": dry_run, "language": language}
            return bulk.load_statements(opened, rows.quads(), shapes, replace=False, name="table", **how)

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
    say("; ".join(found.table.notes))
    if found.ignored:
        say(f"columns that the template does not know, passed over: {', '.join(found.ignored)}")
    for each in found.problems:
        where = f"row {each.row}" + (f", column {each.column}" if each.column else "")
        print(f"{where}: {f'“{each.value}” – ' if each.value else ''}{each.right}")
    would = "would take" if dry_run else "took"
    print(f"{would} {taken} of {len(found.table.rows)} rows, {done.added if done else 0} statements")
