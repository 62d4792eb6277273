"""The program of a process that measures networks: one job at a time, at a lower priority than queries.

A job names files of rows (CSV), which are not the process's own; a network that was read is kept for the next job on
the same file. Its argument is the bytes of memory that one job may take. Answers: `P` how far it is (JSON), `H` the
head, `D` data, `E` the end, `X` a problem.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kg_service.network import export, result
from kg_service.network.graph import Network, read
from kg_service.network.measures import MEASURES
from kg_service.network.names import Names, attributes_in, names_in
from kg_service.network.outcome import Context, Kept, Outcome
from kg_service.network.projection import Projection
from kg_service.store.frames import begin, limit_memory, send, send_data, serve

#: Networks that are kept.
_KEPT = 6


class _Reading:
    """What was read from files, by their names: the last few networks, and the names and attributes of nodes."""

    def __init__(self) -> None:
        self._networks: OrderedDict[tuple[str, str, str], Network] = OrderedDict()
        self._names: tuple[list[str], Names] = ([], Names({}))
        self._attributes: tuple[str, Any] = ("", {})

    def network(self, told: dict[str, Any]) -> Network:
        path, weighting = told["file"], told["weighting"]
        key = (path, weighting, told["projection"]["name"])
        if key not in self._networks:
            while len(self._networks) >= _KEPT:
                self._networks.popitem(last=False)
            self._networks[key] = read(Path(path), _projection(told), weighting=weighting, leading=told["leading"])
        self._networks.move_to_end(key)
        return self._networks[key]

    def names(self, paths: list[str]) -> Names:
        if paths != self._names[0]:
            self._names = (paths, names_in(*map(Path, paths)))
        return self._names[1]

    def attributes(self, path: str | None, leading: Mapping[str, str]) -> Any:
        if path and path != self._attributes[0]:
            self._attributes = (path, attributes_in(Path(path), leading))
        return self._attributes[1] if path else {}


def _projection(told: dict[str, Any]) -> Projection:
    return Projection(**{**told["projection"], "modes": tuple(told["projection"]["modes"])})


def measured(job: dict[str, Any], network: Network, context: Context) -> Outcome:
    """What a measure gives for a network."""
    module, _, name = MEASURES[job["measure"]].function.partition(":")
    outcome: Outcome = getattr(importlib.import_module(module), name)(network, context)
    return outcome


def _done(job: dict[str, Any], reading: _Reading, progress: Any) -> tuple[str, bytes]:
    """The media type of the answer, and the answer."""
    progress(0.0, "reading")
    network, *others = [reading.network(told) for told in (job, *job["others"])]
    names = reading.names(job["names"])
    attributes = reading.attributes(job.get("attributes"), job["leading"])
    kept = Kept(Path(job["positions"]), str(job["generation"])) if "positions" in job else None
    context = Context(job["parameters"], attributes, progress, tuple(others), kept)
    if job["measure"]:
        return result.written(job, network, measured(job, network, context), names)
    return export.written(job, network, names, context)


def main() -> None:
    memory = int(sys.argv[1])
    if not begin():
        return
    os.nice(10)  # queries go first
    out = sys.stdout.buffer
    reading = _Reading()
    send(out, b"H", b"{}")  # ready
    told = 0.0

    def progress(part: float, what: str) -> None:
        nonlocal told
        if time.monotonic() - told > 0.2:
            told = time.monotonic()
            send(out, b"P", json.dumps({"part": round(part, 3), "what": what}).encode())

    def answer(job: dict[str, Any], _: bytes) -> None:
        gc.collect()  # what was measured before
        limit_memory(memory)
        media_type, data = _done(job, reading, progress)
        send(out, b"H", json.dumps({"media_type": media_type}).encode())
        send_data(out, b"D", data)

    lacking = "this needs more memory than one network may take; filter the network"
    serve(answer, lacking=lacking, failing="the network could not be measured")


if __name__ == "__main__":
    main()
