"""`kg serve`."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from kg_service.cli.common import (
    StorePath,
    app,
    say,
    seeded,
    settings_of,
)
from kg_service.errors import KgError
from kg_service.store import arenas


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: 8000].")] = None,
    store: StorePath = None,
    processes: Annotated[
        int | None, typer.Option(help="Processes that answer requests, one of which writes [default: 1].")
    ] = None,
) -> None:
    """Load data/ if that is not done yet, then serve the graph over HTTP until Ctrl-C."""
    arenas.share()  # before any thread has one
    settings = settings_of(host=host, port=port, store=store, processes=processes)
    for path in settings.open_secrets:
        say(f"everybody on this machine may read the secret in {path}; chmod 600 {path}")
    listening = _listen(settings.host, settings.port)
    if settings.is_remote:
        from kg_service.store.remote import endpoint_of

        endpoint_of(settings)  # wrong addresses are said now
    else:
        seeded(settings)
        _must_open(settings.store)
    from kg_service.web import islands
    from kg_service.web.rendering import STATIC

    if absent := islands.absent(STATIC):
        say(f"the pages are without their interactive parts: {absent}")
    where = f"http://{settings.host}:{listening.getsockname()[1]}"
    say(f"serving {where}/sparql, {where}/docs; Ctrl-C stops")
    for name in ("KG_TOKEN", "KG_TOKEN_FILE"):  # no process that we start needs them
        os.environ.pop(name, None)
    if settings.processes > 1:
        from kg_service import processes as several

        several.serve(settings, listening)
    else:
        from kg_service.app import run

        run(settings, listening)
    say("stopped")


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
