"""Networks as networkx graphs, and measures of them; what takes long is waited for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from kg_service.client.transport import Transport

if TYPE_CHECKING:
    import networkx

#: Seconds between two looks at a job.
_PAUSE = 0.5


def told(transport: Transport, path: str, parameters: Mapping[str, Any]) -> Any:
    """The answer to a question about a network, when its job is done; names like `from_` lose the stroke."""
    sent = {name.rstrip("_"): _written(value) for name, value in parameters.items() if value is not None}
    response = transport.whole("GET", f"/api/networks/{path}", params=sent)
    while response.status_code == 202:
        time.sleep(_PAUSE)
        job = response.json()
        response = transport.whole("GET", f"/api/jobs/{job['id']}/result")
    return response.json()


def _written(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return list(value)


def graph(transport: Transport, projection: str, measures: Iterable[str], filters: Mapping[str, Any]) -> networkx.Graph:
    """The network as a graph of networkx, its nodes by IRI, each with label, position and the measures asked for."""
    import networkx

    whole = told(transport, quote(projection), filters)
    made = networkx.DiGraph() if whole["meta"]["directed"] else networkx.Graph()
    made.graph.update(whole["meta"])
    for node in whole["nodes"]:
        made.add_node(node.pop("id"), **node)
    for edge in whole["edges"]:
        made.add_edge(edge.pop("source"), edge.pop("target"), **edge)
    for measure in measures:
        path = f"{quote(projection)}/{quote(measure)}"
        found = told(transport, path, {**filters, "limit": max(1, made.number_of_nodes())})
        for row in found["data"]:
            made.nodes[row["iri"]][measure] = row["value"]
    return made
