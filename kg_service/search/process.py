"""The processes of the search: they answer questions of an index, or bring it up to the published generation.

Started as a module it is the nursery (see `store.children`); its arguments are the folder of the index and whether an
engine must be asked for the graph, which needs a socket. Children do one job after the other, and can be killed at any
moment.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import sqlite3
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kg_service.errors import KgError, StoreDamaged, StoreError
from kg_service.search import Question, building, index, ranking
from kg_service.search.index import Unusable
from kg_service.search.showing import Names
from kg_service.search.sources import described
from kg_service.store.children import birth
from kg_service.store.frames import begin, begin_with_sockets, end_with_parent, receive, refuse, send


class _Searcher:
    """Answers questions of the index in use, whichever that is at the time."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._signature = folder, ""
        self._rows: sqlite3.Connection | None = None
        self._state = ""
        self._classes: dict[int, Names] = {}

    def answer(self, job: dict[str, Any]) -> dict[str, Any]:
        """What was found, with the generation that it was found in; without an index that can be used, why."""
        try:
            rows = self._opened()
            with index.translated():
                rows.execute("BEGIN")
                try:
                    state = index.state_of(rows)
                    if job["published"] not in (None, state.published):
                        return {"generation": state.generation, "is_behind": True}
                    if self._state != state.published:
                        self._state, self._classes = state.published, {}
                    found = ranking.find(rows, Question(**job["question"]), self._classes)
                    return {"generation": state.generation, "found": found}
                finally:
                    rows.execute("ROLLBACK")
        except Unusable as error:
            unusable = self._signature or building.signature(self._folder)
            self._close()
            return {"generation": None, "why": str(error), "unusable": unusable}

    def _opened(self) -> sqlite3.Connection:
        signature = building.signature(self._folder)
        if self._rows is None or signature != self._signature:
            self._close()
            path, self._signature = building.path_of(self._folder), signature
            if path is None:
                raise Unusable("there is none")
            self._rows, self._state = index.connect(path), ""
        return self._rows

    def _close(self) -> None:
        if self._rows is not None:
            with contextlib.suppress(sqlite3.Error):
                self._rows.close()
        self._rows = None


def find_here(about: dict[str, Any], question: Question) -> tuple[int, dict[str, Any]]:
    """The generation published now and what is found in it, by this process alone, however long the index takes."""
    folder, source, unusable = Path(about["folder"]), described(about), None
    for _ in range(2):
        building.bring_up(folder, source, unusable=unusable)
        answer = _Searcher(folder).answer({"published": None, "question": asdict(question)})
        if "found" in answer:
            return answer["generation"], answer["found"]
        unusable = answer["unusable"]
    raise StoreDamaged(f"the search index in {folder / 'search'} cannot be read: {answer['why']}")


def main() -> None:
    folder, is_remote = Path(sys.argv[1]), sys.argv[2] == "remote"
    if not (begin_with_sockets() if is_remote else begin()):
        return
    gc.freeze()  # so that children share these pages for good
    nursery = birth()
    if nursery is None:
        return
    end_with_parent()
    if os.getppid() == nursery:
        _serve(folder)


def _serve(folder: Path) -> None:
    out = sys.stdout.buffer
    searcher, source = _Searcher(folder), None
    while frame := receive(sys.stdin.buffer):
        job = json.loads(frame[1])
        try:
            if "question" in job:
                send(out, b"A", json.dumps(searcher.answer(job)).encode())
                continue
            if source is None:
                os.nice(job["nice"])
                source = described(job["source"])
            generation = building.bring_up(folder, source, unusable=job["unusable"])
            send(out, b"A", json.dumps({"generation": generation}).encode())
        except KgError as error:
            refuse(out, error)
        except Exception as error:  # whatever else goes wrong must reach who asked, not end the process in silence
            refuse(out, StoreError(f"the search failed: {error!r}"))


if __name__ == "__main__":
    main()
