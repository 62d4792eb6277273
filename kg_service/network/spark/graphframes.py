"""The measures that GraphFrames has, by its own implementations; what they are given and give is as in `frames`.

Its labels and counts need nodes that some tie touches and ids that are numbers, which ours are.
"""

from __future__ import annotations

from graphframes import GraphFrame
from pyspark.sql import DataFrame
from pyspark.sql import functions as fn
from pyspark.storagelevel import StorageLevel

from kg_service.network.spark import frames

_KEPT = StorageLevel.MEMORY_AND_DISK_DESER


def pagerank(nodes: DataFrame, ties: DataFrame, damping: float) -> DataFrame:
    """Weights are passed over, for it knows none; it stops when no value changes by more than the tolerance."""
    ranked = GraphFrame(nodes, ties).pageRank(resetProbability=1 - damping, tol=frames.TOLERANCE).vertices
    return frames.shared_out(ranked.select("id", fn.col("pagerank").alias("value")))


def components(nodes: DataFrame, both: DataFrame) -> DataFrame:
    found = GraphFrame(nodes, both).connectedComponents(
        use_local_checkpoints=True, broadcastThreshold=-1, max_iter=2**31 - 2
    )
    return found.select("id", fn.col("component").alias("value"))


def label_propagation(nodes: DataFrame, both: DataFrame, seed: int) -> DataFrame:
    """Weights are passed over, and all nodes look around at once; the seed changes nothing."""
    found = GraphFrame(nodes, both).labelPropagation(maxIter=20, use_local_checkpoints=True)
    return found.select("id", fn.col("label").alias("value"))


def distances(nodes: DataFrame, ties: DataFrame, origin: int) -> DataFrame:
    """It counts the steps to a node; ties are turned round, so that they are the steps from it."""
    turned = ties.select(fn.col("dst").alias("src"), fn.col("src").alias("dst"))
    found = GraphFrame(nodes, turned).shortestPaths([origin], use_local_checkpoints=True)
    return found.select("id", fn.element_at("distances", fn.lit(origin)).alias("value"))


def triangles(nodes: DataFrame, both: DataFrame) -> DataFrame:
    found = GraphFrame(nodes, both).triangleCount(_KEPT)
    return (
        nodes.select("id").join(found.select("id", fn.col("count").alias("value")), "id", "left").fillna(0, ["value"])
    )
