"""Networks measured by Spark on a cluster of two workers are what the embedded engine finds.

Skipped where PySpark or Java is not there, unless KG_TEST_SPARK=required; with GraphFrames' jar in KG_SPARK_JARS its
measures are tested as well.
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from kg_service.errors import WrongParameter
from kg_service.network import parquet
from kg_service.network.asking import Words, asked_for
from kg_service.network.graph import Network, of_edges
from kg_service.network.names import Names
from kg_service.network.outcome import Context
from kg_service.network.result import written
from kg_service.network.spark import engine
from kg_service.network.worker import measured
from kg_service.settings import Settings

#: What the packages are missing for, or nothing.
LACKS = [name for name in ("pyspark",) if importlib.util.find_spec(name) is None] + (
    [] if shutil.which("java") or os.environ.get("JAVA_HOME") else ["Java"]
)
JARS = os.environ.get("KG_SPARK_JARS", "")
#: How far a value may be from the embedded engine's, as a share of it.
CLOSE = 1e-5

needs_spark = pytest.mark.skipif(
    bool(LACKS) and os.environ.get("KG_TEST_SPARK") != "required", reason=f"not installed: {', '.join(LACKS)}"
)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A driver here, two workers of a core each, each in a process of its own."""
    given = {"spark_master": "local-cluster[2,1,1024]", "spark_partitions": 2, "spark_jars": JARS}
    started = engine.session(Settings.model_validate(given | {"store": tmp_path_factory.mktemp("spark") / "store"}))
    until = time.monotonic() + 120
    while (there := started.sparkContext._jsc.sc().getExecutorMemoryStatus().size()) < 3 and time.monotonic() < until:
        time.sleep(0.2)
    assert there == 3, "the driver and two workers"
    yield started
    started.stop()


def village(is_directed: bool = False) -> Network:
    """Les Misérables with their weights and, apart from them, a pair, a lonely node and a triangle; not all ASCII."""
    edges = [(f"x:{a}", f"x:{b}", float(w)) for a, b, w in nx.les_miserables_graph().edges(data="weight")]
    edges += [("x:日", "x:é", 0.5), ("x:1", "x:2", 1.0), ("x:2", "x:3", 1.0), ("x:3", "x:1", 1.0), ("x:3", "x:2", 2.0)]
    return of_edges(edges, is_directed=is_directed, nodes=["x:alone"])


def exported(network: Network, folder: Path) -> Path:
    job = {"generation": 7, "selection": {}, "weighting": "count", "languages": ["en"], "parameters": {}, "url": "u"}
    with zipfile.ZipFile(io.BytesIO(parquet.written(job, network, Names({})))) as archive:
        archive.extractall(folder)
    return folder


def asked(measure: str, **given: str) -> Words:
    return asked_for("alliances", measure, [f"{name}={value}" for name, value in given.items()], "json", 10_000)


def both(spark: Any, network: Network, folder: Path, words: Words) -> tuple[dict[str, Any], dict[str, Any]]:
    """What Spark finds, and what the embedded engine does."""
    from kg_service.network.spark.measuring import measured as found

    told = json.loads(found(spark, exported(network, folder), words, has_graphframes=bool(JARS)))
    assert words.measure
    outcome = measured({"measure": words.measure.name}, network, Context(dict(words.parameters)))
    job = {"generation": 7, "selection": {}, "weighting": "count", "languages": ["en"], "url": "u", "format": "json"}
    job |= {"measure": words.measure.name, "parameters": dict(words.parameters), "limit": 10_000}
    return told, json.loads(written(job, network, outcome, Names({}))[1])


def assert_close(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        expected = other[name]
        assert value == (pytest.approx(expected, rel=CLOSE) if isinstance(expected, float) else expected), name


CASES = [
    ("degree", {}, True),
    ("pagerank", {"damping": "0.5"}, False),
    ("pagerank", {"damping": "0.5", "weighted": "no"}, True),
    ("components", {}, True),
    ("clustering", {}, False),
    ("distances", {"origin": "x:1"}, True),
]
if not JARS:  # GraphFrames knows no weights: without its jar this would be the same again
    del CASES[2]


@needs_spark
@pytest.mark.parametrize(("measure", "given", "is_directed"), CASES)
def test_spark_finds_what_the_embedded_engine_finds(
    spark: Any, tmp_path: Path, measure: str, given: dict[str, str], is_directed: bool
) -> None:
    told, expected = both(spark, village(is_directed), tmp_path, asked(measure, **given))
    by_node = {row["iri"]: row for row in expected["data"]}
    assert len(told["data"]) == len(by_node) == 83
    for row in told["data"]:
        assert_close(row, by_node[row["iri"]])
    common = told["values"].keys() & expected["values"].keys()
    assert_close({name: told["values"][name] for name in common}, {name: expected["values"][name] for name in common})
    is_own = measure == "degree" or (measure == "pagerank" and "weighted" not in given)
    assert told["meta"]["engine"] == ("spark" if is_own or not JARS else "graphframes")
    assert "Apache Spark" in told["meta"]["citation"]


@needs_spark
def test_label_propagation_finds_groups_as_good_as_the_embedded_ones(spark: Any, tmp_path: Path) -> None:
    network = village()
    told, expected = both(spark, network, tmp_path, asked("communities", algorithm="label-propagation"))
    label = {row["iri"]: row["value"] for row in told["data"]}
    groups: dict[int, set[str]] = {}
    for node, group in label.items():
        groups.setdefault(group, set()).add(node)
    graph = nx.Graph()
    graph.add_nodes_from(network.nodes)
    ends = zip(network.tails, network.heads, network.weights, strict=True)
    graph.add_weighted_edges_from((network.nodes[tail], network.nodes[head], weight) for tail, head, weight in ends)
    assert nx.community.modularity(graph, groups.values()) == pytest.approx(told["values"]["modularity"])
    assert told["values"]["modularity"] > 0.9 * expected["values"]["modularity"]
    assert told["values"]["sizes"] == sorted(map(len, groups.values()), reverse=True)
    assert all(nx.is_connected(graph.subgraph(group)) for group in groups.values())


@needs_spark
def test_an_empty_network_is_an_answer(spark: Any, tmp_path: Path) -> None:
    told, expected = both(spark, of_edges([]), tmp_path, asked("clustering"))
    assert told["data"] == expected["data"] == []


@needs_spark
@pytest.mark.skipif(not JARS, reason="KG_SPARK_JARS does not name GraphFrames' jar")
def test_graphframes_finds_groups_where_its_jar_is(spark: Any, tmp_path: Path) -> None:
    told, _ = both(spark, village(), tmp_path, asked("communities", algorithm="label-propagation", weighted="no"))
    assert told["meta"]["engine"] == "graphframes"
    assert "graphframes-py" in told["meta"]["versions"]
    assert sum(told["values"]["sizes"]) == 83


def test_what_spark_does_not_measure_is_refused_with_what_it_does() -> None:
    with pytest.raises(WrongParameter, match="pagerank"):
        engine.refuse_others("betweenness", {})
    with pytest.raises(WrongParameter, match="label-propagation"):
        engine.refuse_others("communities", {"algorithm": "leiden"})
    with pytest.raises(WrongParameter, match="pagerank"):
        engine.refuse_others(None, {})


def test_parquet_holds_the_network(tmp_path: Path) -> None:
    import pyarrow.parquet

    network = village(is_directed=True)
    folder = exported(network, tmp_path)
    nodes, edges = (pyarrow.parquet.read_table(folder / f"{name}.parquet") for name in ("nodes", "edges"))
    assert nodes["iri"].to_pylist() == network.nodes
    assert edges.num_rows == network.edges
    assert edges["weight"].to_pylist() == network.weights.tolist()
    assert json.loads((folder / "about.json").read_text())["directed"] is True
    job = {"generation": 7, "selection": {}, "weighting": "count", "languages": ["en"], "parameters": {}, "url": "u"}
    assert parquet.written(job, network, Names({})) == parquet.written(job, network, Names({}))
