"""The questions in `queries/`: one SPARQL text per file, with a summary, runnable as it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kg_service.errors import Malformed, NotFound

_HEADER = re.compile(r"^#\s*(?P<key>[a-z]+):\s*(?P<value>.*\S)\s*$")


@dataclass(frozen=True, slots=True)
class Question:
    """A ready-made query: `name` is folder and file without ending, such as `events/dialogues-in-order`.

    `entity` is what the IRIs of the things in a list begin with.
    """

    name: str
    summary: str
    text: str
    entity: str = ""


def read(folder: Path, name: str) -> Question:
    """The question of that name; NotFound lists those of its folder, or the folders."""
    known = names(folder)
    if name not in known:
        inside = [other for other in known if other.split("/")[0] == name.split("/")[0]]
        raise NotFound(f'unknown query "{name}"; known: {", ".join(inside or known)}')
    path = folder / f"{name}.rq"
    text = path.read_text(encoding="utf-8")
    heads = (match for line in text.splitlines() if (match := _HEADER.match(line)))
    header = {match["key"]: match["value"] for match in heads}
    if "summary" not in header:
        raise Malformed(f"{path}: its first lines lack “# summary: …”")
    return Question(name, header["summary"], text, header.get("entity", ""))


def names(folder: Path) -> list[str]:
    """The names of all questions, in order."""
    return sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.rq"))


def every(folder: Path) -> list[Question]:
    """All questions, in order of name."""
    return [read(folder, name) for name in names(folder)]
