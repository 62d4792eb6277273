"""Where the project's own files are: beside the package in a checkout, inside it in an installed wheel."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def folder(name: str) -> Path:
    """The folder `ontology`, `shapes`, `queries` or `data`, wherever this installation keeps it."""
    inside = PACKAGE / "resources" / name
    return inside if inside.is_dir() else PACKAGE.parent / name
