"""What holds: files and the store by the shapes, encodings, the project’s own data."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kg_service import resources
from kg_service.cli.common import (
    MOST_RESULTS,
    AsJson,
    Language,
    Replace,
    StorePath,
    app,
    print_report,
    progress_bar,
    say,
    seeded,
    settings_of,
    shapes_of,
)
from kg_service.errors import Malformed
from kg_service.settings import Settings


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

    settings = settings_of(store=store)
    if not paths:
        _validate_store(settings, language, as_json)
        return
    files = bulk.files_in(paths)
    given = {path.resolve() for path in files}
    seeds = bulk.seeds(settings.data, resources.folder("ontology"))
    others = [path for path in seeds if path.resolve() not in given]
    is_seed = len(others) < len(seeds)
    has_store = not settings.is_remote and generations.current(settings.store) > 0
    with progress_bar() as progress:
        about: dict[str, Any] = {"replace": replace, "language": language, "progress": progress}
        shapes = shapes_of(settings.own_folder)
        if has_store and not is_seed:
            report = bulk.tried(settings.store, files, shapes, **about)
        elif settings.is_remote and not is_seed:
            from kg_service.store.remote import remote_data

            known = remote_data(settings).contents(None, settings.copy_triples)
            report = bulk.validate(files, known, shapes, **about)
        else:
            known = (quad for path in others for quad in bulk.read(path))
            report = bulk.validate(files, known, shapes, **about)
    print_report(report, as_json)
    if report.blocks:
        raise typer.Exit(1)


def _validate_store(settings: Settings, language: str, as_json: bool) -> None:
    """Validates everything that the store holds, by several processes."""
    if settings.is_remote:
        raise Malformed("name the files to check; the whole graph of another engine is checked by its own means")
    from kg_service.shacl.whole import validate_generation

    seeded(settings)
    with progress_bar() as progress:
        report = validate_generation(
            settings.store, shapes_of(settings.store), limit=MOST_RESULTS, language=language, progress=progress
        )
    print_report(report, as_json)
    if report.blocks:
        raise typer.Exit(1)


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
        say(f"{target.name}: {'up to date' if is_same else 'not up to date' if check else 'written'}")
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
