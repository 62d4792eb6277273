"""What the shapes say of the whole published graph, by named graph: found out apart from the service, and kept.

A change is judged when it comes, by what it can reach; this is the outcome for all that is there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pyoxigraph import BlankNode, NamedNode, Store

from kg_service.changes import rules
from kg_service.errors import NotFound
from kg_service.linked_data import apart
from kg_service.settings import Settings
from kg_service.shacl import Result
from kg_service.shacl.report import severity_name
from kg_service.shacl.whole import validate_generation
from kg_service.store import generations

#: Results that are counted by graph; of more, the violations come first.
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """The results by severity (`Violation`, `Warning`, `Info`), of all and by the graph that describes what they are
    about; `is_cut` when there are more than were counted.
    """

    generation: int
    shapes: str
    counts: dict[str, int]
    graphs: dict[str, dict[str, int]]
    is_cut: bool


def shapes_now(settings: Settings) -> str:
    """What changes when other shapes come into force."""
    return repr(rules.state(settings.own_folder))


def kept(settings: Settings) -> Outcome | None:
    """The last outcome, of whichever generation; None where there is none."""
    try:
        return Outcome(**json.loads(_path(settings).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


async def make(settings: Settings) -> None:
    """Judges the present generation, apart from the service, and keeps the outcome."""
    await apart.run("kg_service.linked_data.judging", settings)


def judged_now(settings: Settings) -> None:
    """Judges the present generation here, and keeps the outcome."""
    held = generations.hold_current(settings.store)
    if held is None:
        raise NotFound("no data are loaded yet; there is nothing to judge")
    generation, lease = held
    with lease:
        shapes = shapes_now(settings)
        report = validate_generation(
            settings.store,
            rules.in_force(settings.own_folder),
            generation=generation,
            limit=_MOST,
            processes=1,
            memory=settings.query_memory,
        )
        store = Store.read_only(str(generations.directory(settings.store, generation)))
        graphs = _by_graph(store, report.results)
    _keep(_path(settings), Outcome(generation, shapes, report.counts, graphs, report.truncated))


def _by_graph(store: Store, results: Iterable[Result]) -> dict[str, dict[str, int]]:
    """How many results of each severity are about what a graph describes."""
    found: dict[str, Counter[str]] = {}
    for result in results:
        focus = result.focus
        if not isinstance(focus, NamedNode | BlankNode):
            continue
        homes = {quad.graph_name for quad in store.quads_for_pattern(focus, None, None)}
        for home in homes:
            if isinstance(home, NamedNode):
                found.setdefault(home.value, Counter())[severity_name(result.severity)] += 1
    return {graph: dict(counts) for graph, counts in sorted(found.items())}


def _path(settings: Settings) -> Path:
    return settings.own_folder / "judged.json"


def _keep(path: Path, outcome: Outcome) -> None:
    beside = path.with_suffix(".new")
    beside.write_text(json.dumps(asdict(outcome)), "utf-8")
    beside.replace(path)


if __name__ == "__main__":
    apart.main(judged_now)
