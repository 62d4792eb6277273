"""The things of the graph as lists: the answer of a query file, one object per thing."""

from __future__ import annotations

import json
import re
from typing import Any

_MANY = re.compile(r"^#\s*many:\s*(?P<names>.+)$", re.MULTILINE)


def many(text: str) -> frozenset[str]:
    """The variables of which a thing may have many values: those of the query file's `# many:` line."""
    found = _MANY.search(text)
    return frozenset(found["names"].replace(",", " ").split()) if found else frozenset()


def collect(results: bytes, many: frozenset[str]) -> list[dict[str, Any]]:
    """One object per `?iri` of a SPARQL JSON result, in order of first appearance.

    Rows about the same thing are merged: variables in `many` become lists of their distinct values, the others keep
    their first value. IRIs and dates are strings, numbers are numbers, what is unbound is null or an empty list.
    """
    answer = json.loads(results)
    variables = answer["head"]["vars"]
    things: dict[str, dict[str, Any]] = {}
    for row in answer["results"]["bindings"]:
        thing = things.setdefault(row["iri"]["value"], {name: [] if name in many else None for name in variables})
        for name in variables:
            if name not in row:
                continue
            value = _plain(row[name])
            if name not in many:
                thing[name] = value if thing[name] is None else thing[name]
            elif value not in thing[name]:
                thing[name].append(value)
    return list(things.values())


def _plain(term: dict[str, str]) -> str | int | float | bool:
    datatype = term.get("datatype", "").rpartition("#")[2]
    if datatype == "boolean":
        return term["value"] in ("true", "1")
    if datatype == "integer":
        return int(term["value"])
    return float(term["value"]) if datatype in ("decimal", "double") else term["value"]
