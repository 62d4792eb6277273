"""The command line `kg`: serve, load, validate, query, network, duplicates, export, backup, restore, encode, check.

Exit codes: 0 fine, 1 problems found in the data, 2 wrong use or a store that cannot be used.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from kg_service import __version__

# In the order in which the help lists their commands.
from kg_service.cli import serving  # isort: split

from kg_service.cli import loading  # isort: split

from kg_service.cli import judging  # isort: split

from kg_service.cli import asking  # isort: split

from kg_service.cli import duplicates  # isort: split

from kg_service.cli import operating  # isort: split

from kg_service.cli import reports  # isort: split

from kg_service.cli.common import app
from kg_service.errors import KgError


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


__all__ = ["app", "asking", "duplicates", "judging", "loading", "main", "operating", "reports", "serving"]
