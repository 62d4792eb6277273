"""What was counted of a publication, kept beside the store: a service that starts again need not count it again.

    <folder>/figures/<name>.json     the publication, its generation, and the answers that the figures were made of

Answers are kept, not figures: a version that counts otherwise asks other questions, and finds no answer to them here.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kg_service.linked_data.asking import Asking, Remembered, Unknown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers by query; `published` tells the publication that they are of from all others."""

    published: str
    generation: int
    rows: dict[str, str]


def read(path: Path, published: str) -> Answers | None:
    """The answers that are kept, if they are of that publication."""
    try:
        found = json.loads(path.read_bytes())
        kept = Answers(found["published"], int(found["generation"]), dict(found["rows"]))
    except (OSError, ValueError, KeyError, TypeError):  # what cannot be read is counted again
        return None
    return kept if kept.published == published else None


def write(path: Path, answers: Answers) -> None:
    """Keeps answers; where nothing can be written they are counted again the next time."""
    said = {"published": answers.published, "generation": answers.generation, "rows": answers.rows}
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(said), encoding="utf-8")
        beside.replace(path)


async def counted(kept: Answers, count: Callable[[Asking], Awaitable[T]]) -> tuple[int, T] | None:
    """The figures with their generation; None where something else is asked now."""
    try:
        return kept.generation, await count(Remembered(kept.rows))
    except (Unknown, ValueError, KeyError, TypeError):
        return None
