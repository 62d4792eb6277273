"""A network as Parquet files, for programs that measure what one machine cannot hold."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from kg_service.network.graph import Network
from kg_service.network.names import Names
from kg_service.network.result import about, citation


def written(job: dict[str, Any], network: Network, names: Names) -> bytes:
    """A ZIP of nodes.parquet (id, iri, label, mode), edges.parquet (src, dst, weight) and about.json.

    Each pair of nodes is there once; of an undirected network `src` is the lower number. The same network is the same
    bytes.
    """
    modes = network.projection.modes
    nodes = pa.table(
        {
            "id": np.arange(network.size),
            "iri": pa.array(network.nodes, pa.string()),
            "label": pa.array([names.name(node, job["languages"]) for node in network.nodes], pa.string()),
            "mode": pa.array([modes[min(int(mode), len(modes) - 1)] for mode in network.mode], pa.string()),
        }
    )
    edges = pa.table({"src": network.tails, "dst": network.heads, "weight": network.weights})
    meta = about(job, network)
    told = json.dumps(meta | {"citation": citation(job, meta)}, ensure_ascii=False, indent=1)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (("nodes.parquet", _bytes(nodes)), ("edges.parquet", _bytes(edges)), ("about.json", told)):
            archive.writestr(zipfile.ZipInfo(name), data)  # its date is that of no day, so that bytes are the same
    return out.getvalue()


def _bytes(table: pa.Table) -> bytes:
    out = pa.BufferOutputStream()
    pa.parquet.write_table(table, out)
    found: bytes = out.getvalue().to_pybytes()
    return found
