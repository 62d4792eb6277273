"""A result as JSON or CSV, with all that others need to get the same numbers."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from kg_service import __version__
from kg_service.network.graph import Network
from kg_service.network.measures import MEASURES, Measure
from kg_service.network.names import Names
from kg_service.network.outcome import Outcome

_LIBRARIES = ("networkit", "networkx", "numpy", "scipy", "pyarrow")
#: Significant digits that are written: more than engines agree on are noise.
DIGITS = 12


def written(job: dict[str, Any], network: Network, outcome: Outcome, names: Names) -> tuple[str, bytes]:
    """The media type, and the result written that way."""
    if job["format"] == "csv":
        return "text/csv", _csv(_rows(job, network, outcome, names))
    measure = MEASURES[job["measure"]]
    limit = job["limit"]
    count = network.size if outcome.columns else len(outcome.rows or ())
    also = None
    if outcome.rows is not None and outcome.columns:  # a number for each node, and rows besides
        also = [_plain(_named(dict(row), names, job["languages"])) for row in outcome.rows[:limit]]
    document = {
        "data": _rows(job, network, outcome, names, limit),
        **({"rows": also} if also is not None else {}),
        "values": _labelled(_plain(dict(outcome.values)), names, job["languages"]),
        "meta": _meta(job, network, outcome, measure) | {"count": count, "truncated": count > limit},
    }
    return "application/json", json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


def _rows(
    job: dict[str, Any], network: Network, outcome: Outcome, names: Names, limit: int | None = None
) -> list[dict[str, Any]]:
    """One row per node, greatest value first; else the rows of the outcome; the first ones where there is a limit."""
    if not outcome.columns:
        return [_plain(_named(dict(row), names, job["languages"])) for row in (outcome.rows or ())[:limit]]
    value = outcome.columns["value"].astype(np.float64)
    sign = 1 if job["measure"] in ("communities", "components", "distances") else -1
    ranked = np.nan_to_num(sign * value, nan=math.inf)  # what has no value comes last
    order = np.lexsort((np.arange(network.size), ranked))[:limit]
    columns = {name: [_number(entry) for entry in column[order].tolist()] for name, column in outcome.columns.items()}
    found = []
    for place, node in enumerate(order):
        iri = network.nodes[node]
        row = {"iri": iri, "label": names.name(iri, job["languages"])}
        found.append(row | {name: column[place] for name, column in columns.items()})
    return found


def _named(row: dict[str, Any], names: Names, languages: Sequence[str]) -> dict[str, Any]:
    """A row with names beside its IRIs."""
    for key in ("source", "target", "from", "to"):
        if isinstance(row.get(key), str) and ":" in row[key]:
            row[f"{key}_label"] = names.name(row[key], languages)
    if "reasons" in row:
        row["reasons"] = [_reason(reason, names, languages) for reason in row["reasons"]]
    if "nodes" in row and isinstance(row["nodes"], list):
        row["labels"] = [names.name(node, languages) for node in row["nodes"]]
    if "steps" in row:
        row["steps"] = [_named(dict(step), names, languages) for step in row["steps"]]
    return row


def _labelled(value: Any, names: Names, languages: Sequence[str]) -> Any:
    """A value with names beside the IRIs in it."""
    if isinstance(value, list):
        return [_labelled(entry, names, languages) for entry in value]
    if not isinstance(value, dict):
        return value
    told = {key: _labelled(entry, names, languages) for key, entry in value.items()}
    return {"iri": value["iri"], "label": names.name(value["iri"], languages)} | told if "iri" in value else told


#: Things that a reason names; of more it says how many they are.
_NAMED = 5


def _reason(reason: dict[str, Any], names: Names, languages: Sequence[str]) -> dict[str, Any]:
    """A reason in words, beside the things that it speaks of."""
    things = reason["things"]
    told = ", ".join(names.name(thing, languages) for thing in things[:_NAMED])
    more = f" and {len(things) - _NAMED} more" if len(things) > _NAMED else ""
    kind = reason["kind"] if len(things) > 1 else reason["kind"].removesuffix("s")
    return {"words": f"{len(things)} {kind}: {told}{more}"} | reason


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        return _number(value.item())
    return _number(value) if isinstance(value, float) else value


def _number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _csv(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO(newline="")
    heads = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(out, heads or ["iri"])
    writer.writeheader()
    writer.writerows(
        {name: json.dumps(value) if isinstance(value, (list, dict)) else value for name, value in row.items()}
        for row in rows
    )
    return out.getvalue().encode()


def versions() -> dict[str, str]:
    """The versions of what computes."""
    return {"sse-kg": __version__} | {name: version(name) for name in _LIBRARIES}


def about(job: dict[str, Any], network: Network) -> dict[str, Any]:
    """What every answer says of the network it was made from."""
    return {
        "generation": job["generation"],
        "projection": network.projection.name,
        "summary": network.projection.summary,
        "selection": job["selection"],
        "weighting": job["weighting"] if network.projection.is_folded else None,
        "directed": network.is_directed,
        "nodes": network.size,
        "edges": network.edges,
        "versions": versions(),
    }


def _meta(job: dict[str, Any], network: Network, outcome: Outcome, measure: Measure) -> dict[str, Any]:
    about_it = about(job, network) | {
        "measure": measure.name,
        "definition": measure.definition,
        "source": measure.source,
        "parameters": job["parameters"],
        **({"against": job["against"]} if "against" in job else {}),
        "engine": outcome.engine,
        "exact": outcome.is_exact,
        "error": outcome.error,
    }
    return about_it | {"citation": citation(job, about_it)}


def citation(job: dict[str, Any], meta: dict[str, Any]) -> str:
    """A sentence that says what was computed from what, for a reference list."""
    libraries = meta["versions"]
    what = f"{meta['measure']} of the network “{meta['projection']}”" if "measure" in meta else meta["projection"]
    selected = {name: value for name, value in job["selection"].items() if value is not None}
    chosen = [f"{name} {', '.join(map(str, v)) if isinstance(v, list) else v}" for name, v in selected.items()]
    parameters = dict(job["parameters"] or {})
    if "against" in job:
        parameters["against_generation"] = job["against"]["generation"]  # by its number, whatever it was asked for as
    chosen += [f"{name} {value}" for name, value in parameters.items()]
    engine = meta.get("engine", "numpy")
    by = f" and {engine} {libraries[engine]}" if engine in libraries else ""
    told = f" ({'; '.join(chosen)})" if chosen else ""
    return (
        f"SSE knowledge graph, generation {meta['generation']}: {what}{told}. "
        f"Computed with sse-kg {libraries['sse-kg']}{by}. {job['url']}"
        + (f" Method: {meta['source']}." if "source" in meta else "")
    )
