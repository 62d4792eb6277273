"""Running it: copies of the store, tokens, settings, measurements."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from kg_service import resources
from kg_service.cli.common import (
    AsJson,
    Author,
    StorePath,
    app,
    must_be_embedded,
    say,
    settings_of,
)
from kg_service.errors import Malformed, NotFound, wrong_parameter
from kg_service.settings import Settings


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of backups; each gets a folder of its own.")],
    store: StorePath = None,
    as_json: AsJson = False,
) -> None:
    """Copy the whole store while it is in use, and verify the copy; earlier ones in DIR stay."""
    from kg_service.store import backup as backups

    settings = settings_of(store=store)
    must_be_embedded(settings, "backed up")
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

    settings = settings_of(store=store)
    if verify:
        whole = backups.verified(backups.chosen(folder, generation))
        about = {"backup": str(whole.path)} | asdict(whole.manifest)
        print(json.dumps(about, indent=2) if as_json else f"{whole.path} is whole: generation {about['generation']}")
        return
    must_be_embedded(settings, "restored")
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

    return Tokens(settings_of(store=store).own_folder)


def _told_of_token(made: Any, secret: str, as_json: bool) -> None:
    """Prints a secret, this one time."""
    if as_json:
        print(json.dumps(_described_token(made) | {"token": secret}, ensure_ascii=False, indent=2))
        return
    say(f"“{made.name}” ({made.id}); keep this token well, it is not shown again:")
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

    settings = settings_of(store=store)
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
        elif value is not None and getattr(settings, f"{name}_file", None):
            origin = f"{variable}_FILE"
        found.append({"setting": variable, "value": value, "from": origin})
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for each in found:
        print(f"{each['setting']:28} {'' if each['value'] is None else each['value']}  ({each['from']})")


def _without_password(text: str) -> str:
    """An address without who shows himself in it."""
    return re.sub(r"(?<=://)[^/@\s]+@", "…@", text)
