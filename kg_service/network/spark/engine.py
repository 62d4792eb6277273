"""The door to Spark: what it can be asked, and how it is started, here or on the cluster that the settings name."""

from __future__ import annotations

import importlib.util
import io
import os
import zipfile
from collections.abc import Mapping
from typing import Any

from kg_service.errors import Refused, wrong_parameter
from kg_service.network.asking import Words
from kg_service.settings import Settings
from kg_service.store.scratch import Scratch

#: The measures that it has.
KNOWN = ("degree", "strength", "pagerank", "components", "communities", "clustering", "distances")


def refuse_others(measure: str | None, parameters: Mapping[str, Any]) -> None:
    """WrongParameter for a measure, or a way of measuring, that this engine does not have; Refused without PySpark."""
    if measure not in KNOWN:
        raise wrong_parameter("engine", "spark", f"it measures {', '.join(KNOWN)}, not {measure or 'nothing'}")
    if measure == "communities" and parameters["algorithm"] != "label-propagation":
        raise wrong_parameter("algorithm", parameters["algorithm"], "with engine spark: label-propagation")
    if importlib.util.find_spec("pyspark") is None:
        raise Refused("PySpark is not installed; install sse-kg[spark], and Java 17 or newer")


def answered(settings: Settings, exported: bytes, words: Words) -> bytes:
    """The answer to a measure of a network that was exported; a cluster must see this machine's folders."""
    from kg_service.network.spark.measuring import measured

    settings.own_folder.mkdir(parents=True, exist_ok=True)
    with Scratch(settings.own_folder.absolute(), "spark-") as folder:
        with zipfile.ZipFile(io.BytesIO(exported)) as archive:
            archive.extractall(folder)
        spark = session(settings)
        try:
            return measured(spark, folder, words, has_graphframes=bool(settings.spark_jars))
        finally:
            spark.stop()


def session(settings: Settings) -> Any:
    """Spark with two partitions for each core; GraphFrames is in it where its jars are given."""
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    builder = SparkSession.builder.master(settings.spark_master).appName("sse-kg")
    told = {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.log.level": "ERROR"}
    told |= {"spark.sql.shuffle.partitions": str(settings.spark_partitions)}
    # Plans are the same in every round: to look at each stage's outcome before the next costs more than it saves.
    told |= {"spark.sql.adaptive.enabled": "false"}
    if settings.spark_jars:
        told["spark.jars"] = settings.spark_jars
    for name, value in told.items():
        builder = builder.config(name, value)
    try:
        return builder.getOrCreate()
    except (PySparkRuntimeError, OSError) as error:
        raise Refused(f"Spark could not be started ({error}); it needs Java 17 or newer") from None
