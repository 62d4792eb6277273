"""What comes out: answers, networks, what is found by words, files."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from kg_service import resources
from kg_service.cli.common import (
    AsJson,
    Language,
    StorePath,
    app,
    progress_bar,
    say,
    seeded,
    settings_of,
)
from kg_service.errors import Malformed, NotFound, StoreUnwritable, wrong_parameter
from kg_service.settings import Settings


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

    settings = settings_of(store=store, query_seconds=seconds)
    wanted = "json" if as_json else format
    chosen = format_named(wanted, (*TABLE_FORMATS, *GRAPH_FORMATS)).name if wanted else None
    table = chosen if chosen in {f.name for f in TABLE_FORMATS} else None
    graph = chosen if chosen in {f.name for f in GRAPH_FORMATS} else None
    asked_text = _with_values(text, context.args) if context.args else _query_text(text)
    inspected = guard.inspect(asked_text, max_bytes=settings.max_query_bytes, base=settings.base)
    if not settings.is_remote:
        seeded(settings)
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

    settings = settings_of(store=store)
    how = "json" if as_json else format
    asked = asked_for(projection, measure, chosen or [], how, limit)  # what is wrong is said before the store is opened
    if engine not in ("embedded", "spark"):
        raise wrong_parameter("engine", engine, "allowed are embedded and spark")
    if engine == "spark":
        from kg_service.network.spark.engine import refuse_others

        refuse_others(measure, asked.parameters)
    if not settings.is_remote:
        seeded(settings)
    with progress_bar() as progress:
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

    settings = settings_of(store=store)
    if not settings.is_remote:
        seeded(settings)
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
        say("nothing was found")
        raise typer.Exit(1)


def _print_hit(hit: dict[str, Any]) -> None:
    from kg_service.rdf import ENTITY

    said = " ".join("".join(piece["text"] for piece in hit["snippet"]).split())
    name, reason = hit["label"] or hit["iri"], hit["reason"]
    print(f"{hit['score']:6.2f}  {name}  {hit['iri'].removeprefix(ENTITY)}")
    if said != name:
        how = f", {reason['match']}" if reason["match"] != "exact" else ""
        print(f"        {reason['field']}{how}: {said}")


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
    settings = settings_of(store=store)
    if settings.is_remote:
        from kg_service.store.remote import remote_data

        data = remote_data(settings)
        text = bulk.written(data.named_graphs(), data.quads, how, graph)
    else:
        seeded(settings)
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
