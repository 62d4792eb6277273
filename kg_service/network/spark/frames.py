"""The measures as joins and sums of Spark DataFrames: all of them run wherever PySpark does.

Nodes have a column `id`, ties `src`, `dst` and `weight`, each pair once. Answers have `id` and `value`. What is
repeated until it settles is cut off from its history each time, so that plans stay short.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as fn

#: Times that something is repeated at most.
_MOST = 200
#: Rounds of label propagation at most.
_ROUNDS = 16
#: Steps of PageRank between two looks at whether it has settled.
_AT_ONCE = 8
#: PageRank has settled when all that a step moves is less than this share of the whole.
TOLERANCE = 1e-7


def both_ways(ties: DataFrame) -> DataFrame:
    """Each tie in both directions; two of opposite directions are one with both weights."""
    turned = ties.select(fn.col("dst").alias("src"), fn.col("src").alias("dst"), "weight")
    return ties.unionByName(turned).groupBy("src", "dst").agg(fn.sum("weight").alias("weight")).localCheckpoint()


def counted(nodes: DataFrame, ties: DataFrame, end: str, what: Column) -> DataFrame:
    """For each node the sum of something over the ties that begin or end there."""
    sums = ties.groupBy(fn.col(end).alias("id")).agg(fn.sum(what).alias("value"))
    return nodes.select("id").join(sums, "id", "left").fillna(0, ["value"])


def pagerank(nodes: DataFrame, ties: DataFrame, damping: float) -> DataFrame:
    """The share of a walker's time; what is lost at nodes without a way out is given to all alike by the last step.

    That a walk which ends there begins anew anywhere, and that the ranks without it are made to sum to 1, is the same.
    """
    total = ties.groupBy("src").agg(fn.sum("weight").alias("total"))
    shares = ties.join(total, "src").select("src", "dst", (damping * fn.col("weight") / fn.col("total")).alias("share"))
    shares = shares.localCheckpoint()
    begin = nodes.select("id", fn.lit(1 - damping).alias("value")).localCheckpoint()

    def step(ranks: DataFrame) -> DataFrame:
        came = ranks.join(shares, ranks["id"] == shares["src"])
        parts = came.select(fn.col("dst").alias("id"), (fn.col("value") * fn.col("share")).alias("value")).union(begin)
        return parts.groupBy("id").agg(fn.sum("value").alias("value"))

    ranks = begin
    for _ in range(_MOST // _AT_ONCE):
        for _ in range(_AT_ONCE - 1):
            ranks = step(ranks)
        before = ranks.localCheckpoint()
        ranks = step(before).localCheckpoint()
        both = ranks.join(before.withColumnRenamed("value", "before"), "id")
        moved = both.agg(fn.sum(fn.abs(fn.col("value") - fn.col("before"))), fn.sum("value")).head()
        if moved is None or not moved[1] or moved[0] < TOLERANCE * moved[1]:
            break
    return shared_out(ranks)


def shared_out(ranks: DataFrame) -> DataFrame:
    """Values as shares of their sum."""
    found = ranks.agg(fn.sum("value")).head()
    return ranks.select("id", (fn.col("value") / fn.lit(found[0] if found and found[0] else 1.0)).alias("value"))


def components(nodes: DataFrame, both: DataFrame) -> DataFrame:
    """For each node the least id of its component: what neighbours know is taken over, and what that one knows."""
    labels = nodes.select("id", fn.col("id").alias("value")).localCheckpoint()
    for _ in range(_MOST):
        heard = labels.join(both, labels["id"] == both["src"]).groupBy(fn.col("dst").alias("id"))
        least = labels.join(heard.agg(fn.min("value").alias("heard")), "id", "left")
        near = least.select(
            "id", fn.col("value").alias("before"), fn.least("value", fn.coalesce("heard", "value")).alias("near")
        )
        known = labels.select(fn.col("id").alias("near"), fn.col("value").alias("far"))
        after = (
            near.join(known, "near").select("id", "before", fn.least("near", "far").alias("value")).localCheckpoint()
        )
        labels = after.select("id", "value")
        if after.where("value < before").isEmpty():
            break
    return labels


def label_propagation(nodes: DataFrame, both: DataFrame, seed: int) -> DataFrame:
    """For each node the label that weighs most among its neighbours, when that is so of all, or after some rounds.

    In a round every second node, by chance, looks around: where all do at once, two sides may swap labels for ever.
    """
    labels = nodes.select("id", fn.col("id").alias("value")).localCheckpoint()
    best = Window.partitionBy("id").orderBy(fn.desc("weight"), fn.desc("is_own"), "heard")
    for number in range(_ROUNDS):
        own = labels.withColumnRenamed("value", "own")
        around = labels.join(both, labels["id"] == both["src"]).groupBy(
            fn.col("dst").alias("id"), fn.col("value").alias("heard")
        )
        votes = around.agg(fn.sum("weight").alias("weight")).join(own, "id")
        first = votes.withColumn("is_own", fn.col("heard") == fn.col("own")).withColumn(
            "place", fn.row_number().over(best)
        )
        wanted = own.join(first.where("place = 1").select("id", "heard"), "id", "left")
        is_turn = fn.pmod(fn.xxhash64("id", fn.lit(seed), fn.lit(number)), fn.lit(2)) == 0
        after = wanted.select(
            "id",
            fn.when(is_turn, fn.coalesce("heard", "own")).otherwise(fn.col("own")).alias("value"),
            (fn.coalesce("heard", "own") != fn.col("own")).alias("is_restless"),
        ).localCheckpoint()
        labels = after.select("id", "value")
        if after.where("is_restless").isEmpty():
            break
    return labels


def distances(nodes: DataFrame, ties: DataFrame, origin: int) -> DataFrame:
    """For each node that can be reached from one the least number of steps; the others have no value."""
    found = nodes.where(fn.col("id") == origin).select("id", fn.lit(0).alias("value")).localCheckpoint()
    edge, steps = found, 0
    while not edge.isEmpty():
        steps += 1
        beyond = ties.join(edge, ties["src"] == edge["id"]).select(fn.col("dst").alias("id")).distinct()
        edge = beyond.join(found, "id", "left_anti").select("id", fn.lit(steps).alias("value")).localCheckpoint()
        found = found.union(edge).localCheckpoint()
    return nodes.select("id").join(found, "id", "left")


def triangles(nodes: DataFrame, both: DataFrame) -> DataFrame:
    """For each node the number of triangles that it is a corner of.

    A tie is looked at from its end of fewer ties, so that no node of very many has all their pairs looked at.
    """
    degree = both.groupBy(fn.col("src").alias("id")).agg(fn.count("*").alias("degree"))
    one = both.join(degree.toDF("src", "d1"), "src").join(degree.toDF("dst", "d2"), "dst")
    is_up = (fn.col("d1") < fn.col("d2")) | ((fn.col("d1") == fn.col("d2")) & (fn.col("src") < fn.col("dst")))
    up = one.where(is_up).select("src", "dst").localCheckpoint()
    wedge = up.toDF("a", "b").join(up.toDF("a", "c"), "a").where("b < c")
    ends = up.select(fn.least("src", "dst").alias("b"), fn.greatest("src", "dst").alias("c"))
    corners = wedge.join(ends, ["b", "c"]).select(fn.explode(fn.array("a", "b", "c")).alias("src"))
    return counted(nodes, corners, "src", fn.lit(1))
