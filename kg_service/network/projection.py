"""The projections in `queries/network/`: each file is a query whose rows are the ties of a network.

A row says ?source, ?target, ?weight, ?kind, ?start, ?end, ?evidence (the thing that ties them), ?certainty and
?document. The file's first lines say the rest: `# modes: actor, event` (one word when both ends are of the same mode),
`# directed: yes`, `# one-mode: co-participation` (the name of the network in which sources that share a target are
tied), and `# kinds: role` (of which type the kinds are). What follows a line `# details` only tells more of a tie: it
adds none and takes none away, and is left out where a network is but measured. `# once: yes` promises that without it
no thing ties the same two nodes twice, so that ties can be counted without being told apart. A new file is a new
projection.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kg_service import queries
from kg_service.errors import Malformed, NotFound

#: The folder in `queries/`.
FOLDER = "network"
#: The columns that a query may give, in the order in which they are asked for.
COLUMNS = ("source", "target", "weight", "kind", "start", "end", "evidence", "certainty", "document")

_HEADER = re.compile(r"^#\s*(?P<key>[a-z-]+):\s*(?P<value>.*\S)\s*$", re.MULTILINE)
_DETAILS = "\n  # details\n"
_EQUAL = "(1 AS ?weight)"  # no tie is heavier than another
_SELECT = re.compile(r"^SELECT\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Projection:
    """A way to see the graph as a network.

    `modes` are what its nodes are: two for a two-mode network, whose ties go between the modes. `is_folded` says that
    it is the one-mode network of a two-mode query: sources are tied by the targets that they share.
    """

    name: str
    summary: str
    modes: tuple[str, ...]
    is_directed: bool
    is_folded: bool
    kinds: str
    prologue: str
    select: str
    is_once: bool = False

    @property
    def bare(self) -> str:
        """The query without its details."""
        body, is_marked, _ = self.select.partition(_DETAILS)
        return f"{body}\n}}" if is_marked else self.select

    @property
    def is_two_mode(self) -> bool:
        """Whether its ties go between two kinds of nodes."""
        return len(self.modes) == 2 and not self.is_folded


def every(folder: Path) -> dict[str, Projection]:
    """All projections by name, in order of name; `folder` is that of all queries."""
    found: dict[str, Projection] = {}
    for name in queries.names(folder):
        if name.startswith(f"{FOLDER}/"):
            for projection in _read(queries.read(folder, name)):
                if projection.name in found:
                    raise Malformed(f"queries/{name}.rq: there are two projections “{projection.name}”")
                found[projection.name] = projection
    return dict(sorted(found.items()))


def named(name: str, among: dict[str, Projection]) -> Projection:
    """The projection of that name; NotFound lists the known ones."""
    if name not in among:
        raise NotFound(f'unknown network "{name}"; known: {", ".join(among)}')
    return among[name]


def _read(question: queries.Question) -> list[Projection]:
    """The projections that a file makes: itself, and its one-mode network where it names one."""
    header = {match["key"]: match["value"] for match in _HEADER.finditer(question.text)}
    modes = tuple(part.strip() for part in header.get("modes", "").split(",") if part.strip())
    start = _SELECT.search(question.text)
    where = f"queries/{question.name}.rq"
    if not 1 <= len(modes) <= 2 or header.get("directed") not in ("yes", "no"):
        raise Malformed(f"{where}: its first lines lack “# modes: …” (one or two words) or “# directed: yes” or “no”")
    if start is None:
        raise Malformed(f"{where}: no line begins with SELECT")
    prologue, select = question.text[: start.start()], question.text[start.start() :]
    own = Projection(
        question.name.removeprefix(f"{FOLDER}/"),
        question.summary,
        modes,
        header["directed"] == "yes",
        False,
        header.get("kinds", ""),
        "\n".join(line for line in prologue.splitlines() if not line.startswith("#")),
        select.rpartition("ORDER BY")[0] or select,  # arrays are put in order later, and faster
        header.get("once") == "yes",
    )
    if "one-mode" not in header:
        return [own]
    if len(modes) != 2 or own.is_directed:
        raise Malformed(f"{where}: only an undirected two-mode query has a one-mode network")
    first, second = modes
    folded = Projection(
        header["one-mode"],
        f"Each {first} tied to each other by the same {second}. {question.summary}",
        modes,
        False,
        True,
        own.kinds,
        own.prologue,
        own.select,
        own.is_once,
    )
    return [own, folded]


def bare_columns(projection: Projection, *, has_evidence: bool = False) -> tuple[str, ...]:
    """The columns without which a network cannot be measured; the others are for showing its ties.

    They are as few as can be: on disk, the engine takes longer to look up a term than for all else that it does.
    """
    told = ["source", "target"]
    if not projection.is_folded:
        told += ["weight"] * (_EQUAL not in projection.select)
        told += ["evidence"] * (has_evidence or not projection.is_once)
    elif has_evidence:
        told.append("evidence")
    return tuple(told)
