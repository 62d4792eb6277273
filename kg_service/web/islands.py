"""The parts of pages that need a script, as `hatch_build.py` built them: which files each is made of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Where they are built to, below the static files.
FOLDER = "islands"


@dataclass(frozen=True, slots=True)
class Island:
    """The script of an island and its style sheets, below the folder; their names change with what is in them."""

    script: str
    styles: tuple[str, ...]


def built(static: Path) -> dict[str, Island]:
    """The islands by name; none where they were left out, and then pages are pages all the same."""
    try:
        manifest: dict[str, dict[str, Any]] = json.loads((static / FOLDER / "manifest.json").read_text())
    except FileNotFoundError:
        return {}
    return {
        str(each["name"]): Island(str(each["file"]), tuple(dict.fromkeys(_styles(manifest, key))))
        for key, each in manifest.items()
        if each.get("isEntry")
    }


def _styles(manifest: dict[str, dict[str, Any]], key: str) -> list[str]:
    """The style sheets of a file and of all that it imports at once."""
    imported = [style for other in manifest[key].get("imports", ()) for style in _styles(manifest, other)]
    return [*imported, *manifest[key].get("css", ())]


def absent(static: Path) -> str | None:
    """Why there are no islands, in a line; None where there are."""
    folder = static / FOLDER
    if (folder / "manifest.json").is_file():
        return None
    why = folder / "absent"
    return why.read_text() if why.is_file() else "they were not built; install the project anew"
