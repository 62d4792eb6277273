"""The program that reads tables: one file, by one template, in bounds of memory; it can be killed.

Its argument is the bytes of memory that it may take. It is told the template, and what cells may name; it answers with
the problems and the rows, each as N-Triples.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import astuple
from typing import Any

from kg_service import ontology, resources
from kg_service.store.frames import begin, limit_memory, send_data, serve
from kg_service.tables import importing, mapping
from kg_service.tables.importing import Import
from kg_service.tables.mapping import Problem, Template
from kg_service.tables.rows import Row, Said, Table
from kg_service.tables.values import Known


def known_of(told: dict[str, Any]) -> Known:
    """What cells may name, from plain data: things as [type, IRI, name], places as pairs of code and IRI."""
    known = Known(ontology.read(resources.folder("ontology")), places=dict(told["places"]))
    for type, iri, name in told["things"]:
        known.tell(type, iri, name)
    return known


def told(found: Import) -> bytes:
    """What was read, so that `heard` understands it."""
    about = {
        "checksum": found.checksum,
        "columns": found.table.columns,
        "notes": found.table.notes,
        "cells": [[row.number, row.cells] for row in found.table.rows],
        "problems": [astuple(each) for each in found.problems],
        "rows": [[number, text.decode()] for number, text in found.rows.texts.items()],
    }
    return json.dumps(about).encode()


def heard(name: str, template: Template, text: bytes) -> Import:
    """What such a process told of a file."""
    said = json.loads(text)
    rows = tuple(Row(number, tuple(cells)) for number, cells in said["cells"])
    found = Import(name, said["checksum"], template, Table(tuple(said["columns"]), rows, tuple(said["notes"])))
    found.problems = [Problem(*each) for each in said["problems"]]
    found.rows = Said({number: text.encode() for number, text in said["rows"]})
    return found


def main() -> None:
    memory = int(sys.argv[1])
    if not begin():
        return
    os.nice(10)
    limit_memory(memory)

    def answer(job: dict[str, Any], content: bytes) -> None:
        template, known = mapping.named(job["template"]), known_of(job["known"])
        found = importing.some(importing.read(job["name"], content, template, known, job["language"]))
        send_data(sys.stdout.buffer, b"D", told(found))

    lacking = "reading this table needs more memory than one may have"
    serve(answer, lacking=lacking, failing="the table could not be read", with_body=True)


if __name__ == "__main__":
    main()
