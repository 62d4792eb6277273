"""The program of a judging process: has the shapes compiled, validates one document at a time, can be killed.

Its arguments are the store's directory, a folder that is its own, the files of the shapes (JSON), and the bytes of
memory that one job may take. The parent deletes the folder when the process has ended.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from pyoxigraph import BlankNode, DefaultGraph, NamedNode, Quad, Store, serialize

from kg_service.rdf import GENID, GRAPH_FORMATS, PREFIXES, format_named, parse_bytes
from kg_service.shacl import Report, Result, Shapes, load_shapes, validate
from kg_service.shacl.gate import Gate
from kg_service.store import Delta, generations
from kg_service.store.frames import begin, limit_memory, send, send_data, serve


class _Graph:
    """A private copy of a published generation, in which what was sent is tried out and taken back."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        self._generation = -1
        self._store = Store()

    def now(self) -> tuple[int, Store]:
        """The generation published now, as a store that may be written to and must be given back as it was."""
        if generations.current(self._root) != self._generation:
            self._generation, self._store = -1, Store()
            # Another folder each time: the engine refuses to open one that it may still have open, for good.
            for old in self._folder.glob("copy-*"):
                shutil.rmtree(old, ignore_errors=True)
            held = generations.hold_current(self._root)
            if held is None:
                return 0, Store()
            generation, lease = held
            with lease:
                copy = self._folder / f"copy-{uuid4().hex}"
                generations.copy_database(generations.directory(self._root, generation), copy)
            limit_memory(None)  # a store opens with threads of its own, which are not the job's
            self._store, self._generation = Store(str(copy)), generation
        return self._generation, self._store


def _with_graph(graph: Store, gate: Gate, data: frozenset[Quad], language: str) -> Report:
    """What is found at the things that the data speak of, and what the data bring elsewhere."""
    names = {term: NamedNode(GENID + uuid4().hex) for quad in data for term in quad if isinstance(term, BlankNode)}
    stored = Store()  # with literals as the store keeps them
    stored.extend(_renamed(quad, names) for quad in data)
    sent = frozenset(stored)
    added = frozenset(quad for quad in sent if quad not in graph)
    graph.extend(added)
    affected = replace(gate.affected(graph, Delta(added=sent)), sign=None)  # which may have been there before
    after = gate.judge(graph, affected, language)
    for quad in added:
        graph.remove(quad)
    subjects = {quad.subject for quad in sent}
    if any(result.focus not in subjects for result in after.results):
        brought = after.without(gate.judge(graph, gate.narrowed(affected, after), language)).results
        about = (result for result in after.results if result.focus in subjects)
        after = Report((*about, *(result for result in brought if result.focus not in subjects)))
    blank = {name: term for term, name in names.items()}
    return Report(tuple(_as_sent(result, blank) for result in after.results))


def _renamed(quad: Quad, names: dict[Any, Any]) -> Quad:
    return Quad(names.get(quad.subject, quad.subject), quad.predicate, names.get(quad.object, quad.object))


def _as_sent(result: Result, blank: dict[Any, Any]) -> Result:
    return replace(result, focus=blank.get(result.focus, result.focus), value=blank.get(result.value, result.value))


def _alone(data: Iterable[Quad], shapes: Shapes, limit: int, language: str) -> Report:
    store = Store()
    store.extend(data)
    return validate(store, shapes, limit, language)


def _document(report: Report, how: str) -> bytes:
    if how == "json":
        return json.dumps(report.to_dict(), ensure_ascii=False).encode()
    rdf = format_named(how, GRAPH_FORMATS).rdf
    assert rdf is not None
    return serialize((quad.triple for quad in report.to_quads()), None, rdf, prefixes=PREFIXES) or b""


def main() -> None:
    root, folder, memory = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[4])
    if not begin():
        return
    os.nice(10)  # queries go first
    out = sys.stdout.buffer
    shapes = load_shapes(json.loads(sys.argv[3]))
    graph, gate = _Graph(root, folder), Gate(shapes)
    send(out, b"H", b"{}")  # ready

    def answer(job: dict[str, Any], sent: bytes) -> None:
        generation, known = graph.now() if job["with_graph"] else (0, Store())
        limit_memory(memory)
        quads = parse_bytes(sent, format_named(job["format"], GRAPH_FORMATS), base=job["base"])
        data = frozenset(Quad(quad.subject, quad.predicate, quad.object, DefaultGraph()) for quad in quads)
        if job["with_graph"]:
            report = _with_graph(known, gate, data, job["language"]).first(job["limit"])
        else:
            report = _alone(data, shapes, job["limit"], job["language"])
        report = report.as_written(data)
        send(out, b"H", json.dumps({"generation": generation}).encode())
        send_data(out, b"D", _document(report, job["answer"]))

    lacking = "validating this needs more memory than one request may have"
    serve(answer, lacking=lacking, failing="the data could not be validated", with_body=True)


if __name__ == "__main__":
    main()
