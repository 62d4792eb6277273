"""What Spark finds of a network, as the embedded engine writes it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

from pyspark.sql import functions as fn

from kg_service.errors import wrong_parameter
from kg_service.network.asking import Words
from kg_service.network.result import DIGITS
from kg_service.network.spark import frames


@dataclass(frozen=True, slots=True)
class Measured:
    """What Spark found: rows with id and columns, figures of the whole, who computed it, and how exact it is."""

    rows: Any
    values: dict[str, Any]
    engine: str
    error: str | None = None


def measured(spark: Any, folder: Path, words: Words, *, has_graphframes: bool) -> bytes:
    """The answer, as the embedded engine writes it, for the network whose Parquet files are in a folder."""
    about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
    nodes, ties = (spark.read.parquet(str(folder / f"{name}.parquet")) for name in ("nodes", "edges"))
    assert words.measure
    parameters, measure = dict(words.parameters), words.measure.name
    if "origin" in parameters:
        found = nodes.where(nodes["iri"] == parameters["origin"]).head()
        if found is None:
            raise wrong_parameter("origin", parameters["origin"], "it must be the IRI of a node of the network")
        parameters["place"] = found["id"]
    ids, ties = nodes.select("id").localCheckpoint(), ties.localCheckpoint()
    kit = _kit(measure, parameters, has_graphframes)
    outcome = _MEASURES[measure](kit, ids, ties, about["directed"], parameters)
    return _written(nodes, outcome, about, words)


def _kit(measure: str, parameters: Mapping[str, Any], has_graphframes: bool) -> ModuleType:
    if not has_graphframes or measure in ("degree", "strength") or parameters.get("weighted"):
        return frames  # GraphFrames passes weights over
    from kg_service.network.spark import graphframes  # needs its package, and its jar in Spark

    return graphframes


def _name(kit: ModuleType) -> str:
    return "graphframes" if kit.__name__.endswith("graphframes") else "spark"


def _degree(kit: Any, ids: Any, ties: Any, is_directed: bool, given: Mapping[str, Any]) -> Measured:
    return _summed(ids, ties, is_directed, fn.lit(1))


def _strength(kit: Any, ids: Any, ties: Any, is_directed: bool, given: Mapping[str, Any]) -> Measured:
    return _summed(ids, ties, is_directed, fn.col("weight"))


def _summed(ids: Any, ties: Any, is_directed: bool, what: Any) -> Measured:
    out = frames.counted(ids, ties, "src", what).withColumnRenamed("value", "out")
    both = out.join(frames.counted(ids, ties, "dst", what).withColumnRenamed("value", "in"), "id")
    rows = both.withColumn("value", both["out"] + both["in"])
    return Measured(rows if is_directed else rows.select("id", "value"), {}, "spark")


def _pagerank(kit: Any, ids: Any, ties: Any, is_directed: bool, given: Mapping[str, Any]) -> Measured:
    ways = ties if is_directed else frames.both_ways(ties)
    if not given["weighted"]:
        ways = _unweighted(ways)
    error = f"repeated until a step moves less than {frames.TOLERANCE:g} of the whole"
    return Measured(kit.pagerank(ids, ways, given["damping"]), {}, _name(kit), error)


def _unweighted(ties: Any) -> Any:
    return ties.select("src", "dst", fn.lit(1.0).alias("weight"))


def _components(kit: Any, ids: Any, ties: Any, is_directed: bool, given: Mapping[str, Any]) -> Measured:
    rows, sizes = _numbered(kit.components(ids, frames.both_ways(ties)))
    values = {"components": len(sizes), "largest": sizes[0] if sizes else 0, "sizes": sizes[:50]}
    return Measured(rows, values, _name(kit))


def _numbered(labels: Any) -> tuple[Any, list[int]]:
    """Groups numbered by size, then by their first member; and their sizes."""
    groups = labels.groupBy("value").agg(fn.count("*").alias("size"), fn.min("id").alias("first"))
    listed = sorted((-row["size"], row["first"], row["value"]) for row in groups.collect())
    session = labels.sparkSession
    numbers = session.createDataFrame([(old, new) for new, (_, _, old) in enumerate(listed)], "value long, number long")
    rows = labels.join(numbers, "value").select("id", fn.col("number").alias("value"))
    return rows.localCheckpoint(), [-size for size, _, _ in listed]


def _communities(kit: Any, ids: Any, ties: Any, is_directed: bool, given: Mapping[str, Any]) -> Measured:
    both = frames.both_ways(ties)
    if not given["weighted"]:
        both = _unweighted(both)
    rows, sizes = _numbered(kit.label_propagation(ids, both, given["seed"]))
    ends = both.join(rows.toDF("src", "one"), "src").join(rows.toDF("dst", "other"), "dst")
    total = (both.agg(fn.sum("weight")).head() or [0])[0] or 0.0
    inside = (ends.where("one = other").agg(fn.sum("weight")).head() or [0])[0] or 0.0
    strength = ends.groupBy("one").agg(fn.sum("weight").alias("strength"))
    squares = (strength.agg(fn.sum(fn.col("strength") * fn.col("strength"))).head() or [0])[0] or 0.0
    modularity = inside / total - squares / total**2 if total else 0.0
    values = {"communities": len(sizes), "sizes": sizes[:100], "modularity": modularity}
    return Measured(rows, values, _name(kit), "a heuristic: a partition of higher modularity may exist")


def _clustering(kit: Any, ids: Any, ties: Any, is_directed: bool, given: Mapping[str, Any]) -> Measured:
    both = _unweighted(frames.both_ways(ties))
    corners = kit.triangles(ids, both).withColumnRenamed("value", "triangles")
    found = corners.join(frames.counted(ids, both, "src", fn.lit(1)).withColumnRenamed("value", "degree"), "id")
    pairs = fn.col("degree") * (fn.col("degree") - 1) / 2
    share = fn.when(pairs > 0, fn.col("triangles") / pairs).otherwise(0.0)
    rows = found.select(
        "id", share.alias("value"), fn.col("triangles").cast("long"), pairs.alias("pairs")
    ).localCheckpoint()
    mean, closed, possible = rows.agg(fn.avg("value"), fn.sum("triangles"), fn.sum("pairs")).head()
    values = {
        "mean": mean or 0.0,
        "transitivity": closed / possible if possible else 0.0,
        "triangles": (closed or 0) // 3,
    }
    return Measured(rows.drop("pairs"), values, _name(kit))


def _distances(kit: Any, ids: Any, ties: Any, is_directed: bool, given: Mapping[str, Any]) -> Measured:
    ways = ties if is_directed else frames.both_ways(ties)
    rows = kit.distances(ids, ways, given["place"]).localCheckpoint()
    reached, farthest, total = rows.agg(fn.count("value"), fn.max("value"), fn.sum("value")).head()
    others = reached - 1
    values = {"reached": others, "farthest": farthest, "mean": total / others if others else None}
    return Measured(rows, values, _name(kit))


_MEASURES: dict[str, Callable[[Any, Any, Any, bool, Mapping[str, Any]], Measured]] = {
    "degree": _degree,
    "strength": _strength,
    "pagerank": _pagerank,
    "components": _components,
    "communities": _communities,
    "clustering": _clustering,
    "distances": _distances,
}


def _written(nodes: Any, outcome: Measured, about: dict[str, Any], words: Words) -> bytes:
    measure = words.measure
    assert measure

    count = nodes.count()
    order = fn.asc_nulls_last if measure.name in ("communities", "components", "distances") else fn.desc_nulls_last
    rows = nodes.join(outcome.rows, "id").orderBy(order("value"), "id").drop("id", "mode")
    limit = count if words.format == "csv" else words.limit
    listed = [{name: _number(value) for name, value in row.asDict().items()} for row in rows.limit(limit).collect()]
    if words.format == "csv":
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, rows.columns)
        writer.writeheader()
        writer.writerows(listed)
        return out.getvalue().encode()
    libraries = ("pyspark", "graphframes-py") if outcome.engine == "graphframes" else ("pyspark",)
    meta = about | {
        "versions": about["versions"] | {name: version(name) for name in libraries},
        "measure": measure.name,
        "definition": measure.definition,
        "source": measure.source,
        "parameters": words.parameters,
        "engine": outcome.engine,
        "master": nodes.sparkSession.sparkContext.master,
        "exact": outcome.error is None,
        "error": outcome.error,
        "count": count,
        "truncated": count > limit,
    }
    selected = {name: ", ".join(v) if isinstance(v, list) else v for name, v in about["selection"].items()}
    chosen = "; ".join(f"{name} {value}" for name, value in (selected | dict(words.parameters)).items())
    what = f"{measure.name} of the network “{about['projection']}”{f' ({chosen})' if chosen else ''}"
    by = f"Computed with sse-kg {about['versions']['sse-kg']} and Apache Spark {version('pyspark')}."
    where = f"{words.url} with --engine spark"
    meta["citation"] = (
        f"SSE knowledge graph, generation {about['generation']}: {what}. {by} {where}. Method: {measure.source}."
    )
    values = {name: _number(value) for name, value in outcome.values.items()}
    return json.dumps({"data": listed, "values": values, "meta": meta}, ensure_ascii=False, allow_nan=False).encode()


def _number(value: Any) -> Any:
    return float(f"{value:.{DIGITS}g}") if isinstance(value, float) else value
