"""`kg duplicates`: entries that may be one actor."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from kg_service.cli.common import (
    AsJson,
    Author,
    DryRun,
    Note,
    StorePath,
    app,
    log_of,
    of_reads,
    print_done,
    say,
    seeded,
    settings_of,
    written,
)
from kg_service.errors import Malformed

duplicates_app = typer.Typer(
    help="Find entries that may be one actor, propose them, and decide.", invoke_without_command=True
)
app.add_typer(duplicates_app, name="duplicates")

One = Annotated[str, typer.Argument(help="An entry: its IRI, or the end of it, such as organisation/gsef.")]
Other = Annotated[str, typer.Argument(help="The other entry.")]


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

    settings = settings_of(store=store)
    if not settings.is_remote:
        seeded(settings)
    found, actors = asyncio.run(of_reads(settings, lambda asking: candidates.undecided(asking.rows, least)))
    done = None
    if propose:
        why = note or f"{len(found)} pairs of entries that may be one actor"
        proposal = Proposal(candidates.proposed(found), author=author, note=why, dry_run=dry_run)
        done = written(settings, proposal)
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
    say(f"{len(found)} pairs" + (f", {limit} shown" if len(found) > limit else ""))
    if done:
        print_done(done, dry_run=dry_run)


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

    settings = settings_of(store=store)
    if not settings.is_remote:
        seeded(settings)
    ends = (_thing(one), _thing(other), _thing(leading) if leading else None)
    number = None
    if decision == "undo":
        with log_of(settings) as log:
            number = deciding.change_of(log, ends[0], ends[1])
    wanted = deciding.proposal(decision, ends[0], ends[1], leading=ends[2], number=number)
    wanted = dataclasses.replace(wanted, author=author, note=note or wanted.note, dry_run=dry_run)
    done = written(settings, wanted)
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
