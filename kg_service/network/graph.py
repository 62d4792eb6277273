"""Rows of a projection as a network of arrays: no Python object is made per tie until one is to be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray
from scipy import sparse

from kg_service.errors import Malformed, TooLarge
from kg_service.network.projection import Projection

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

#: The weightings of a one-mode network.
WEIGHTINGS = ("count", "newman", "jaccard")
#: A one-mode network of more pairs than this is not made.
MOST_PAIRS = 30_000_000
#: Bytes that are read in one go; each such block has a dictionary of its own at first.
_BLOCK = 16 * 2**20
_DICTIONARY = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Nodes in order of their IRIs, and edges between them, each pair once, in order of tail and head.

    Of an undirected edge the tail comes first. `mode` is 0 for nodes that are sources, 1 for those that are targets
    only; in a one-mode network all are 0. `rows` are the ties behind the edges, for who must defend them.
    """

    nodes: list[str]
    mode: NDArray[np.int8]
    tails: Integers
    heads: Integers
    weights: Floats
    is_directed: bool
    projection: Projection
    rows: Rows
    #: Forms that libraries want it in, each made when it is first needed.
    forms: dict[object, Any] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        return len(self.nodes)

    @property
    def edges(self) -> int:
        return len(self.tails)

    def index(self, iri: str) -> int | None:
        """Where a node is, or the one that an entry is part of, by bisection."""
        iri = self.rows.leading.get(iri, iri)
        place = int(np.searchsorted(np.asarray(self.nodes, dtype=object), iri)) if self.nodes else 0
        return place if place < self.size and self.nodes[place] == iri else None

    def matrix(self, *, is_weighted: bool = True, is_symmetric: bool = False) -> sparse.csr_array:
        """The adjacency matrix; both directions of an undirected edge, and of each if so wished."""
        values = self.weights if is_weighted else np.ones(self.edges)
        both = sparse.coo_array((values, (self.tails, self.heads)), shape=(self.size, self.size)).tocsr()
        return both if self.is_directed and not is_symmetric else (both + both.T).tocsr()


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows that a projection gave: numbers of source and target, and the table they came from.

    `leading` names the node of an entry that is the same actor as another; in the table it stands in its place.
    """

    sources: Integers
    targets: Integers
    names: list[str]
    table: pa.Table
    leading: Mapping[str, str] = field(default_factory=dict)


def read(
    path: Path, projection: Projection, *, weighting: str = "count", leading: Mapping[str, str] | None = None
) -> Network:
    """The network in a CSV file of the projection's rows (see `selection.ties_query`); it may be empty.

    Entries that are one actor are one node: that which leads them (see `leading.leading`).
    """
    return _made(_led(_table(path), leading or {}), projection, weighting, leading or {})


def windowed(network: Network, first: str, last: str, *, weighting: str = "count") -> Network:
    """The network of those of its rows that are dated and in force at some time from one day to another."""
    table = network.rows.table
    if not {"start", "end"} <= set(table.column_names):
        return _made(table.slice(0, 0), network.projection, weighting, network.rows.leading)
    spans = zip(table["start"].to_pylist(), table["end"].to_pylist(), strict=True)
    keep = [
        bool(start or end) and (start or "")[: len(last)] <= last and (end or "9999") + "-99" >= first
        for start, end in spans
    ]
    return _made(table.filter(pa.array(keep, pa.bool_())), network.projection, weighting, network.rows.leading)


def without(network: Network, things: set[str]) -> Network:
    """The network without the rows that rest on one of these things."""
    if "evidence" not in network.rows.table.column_names:
        return network
    is_theirs = pc.is_in(
        network.rows.table["evidence"].cast(pa.string()), value_set=pa.array(sorted(things), pa.string())
    )
    return without_rows(network, is_theirs.to_numpy())


def without_rows(network: Network, gone: NDArray[np.bool_], *, weighting: str = "count") -> Network:
    """The network of the other rows."""
    return _made(network.rows.table.filter(pa.array(~gone)), network.projection, weighting, network.rows.leading)


def _made(table: pa.Table, projection: Projection, weighting: str, leading: Mapping[str, str]) -> Network:
    names, (sources, targets) = _present(*_factorised(table["source"], table["target"]))
    rows = Rows(sources, targets, names, table, leading)
    if projection.is_folded:
        return _folded(projection, rows, weighting)
    return _plain(projection, rows)


def _table(path: Path) -> pa.Table:
    """The file's columns, texts as numbers of a dictionary."""
    with path.open("rb") as file:
        columns = file.readline().decode().strip().split(",")
    types = {name: pa.float64() if name == "weight" else _DICTIONARY for name in columns}
    try:
        return pyarrow.csv.read_csv(
            pa.memory_map(str(path)),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=_BLOCK, column_names=columns, skip_rows=1
            ),
            parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, strings_can_be_null=True, null_values=[""]),
        )
    except pa.ArrowInvalid as error:
        raise Malformed(f"the rows of the projection cannot be read: {error}") from None


def _led(table: pa.Table, leading: Mapping[str, str]) -> pa.Table:
    """The rows with the entries that lead in the place of those that follow them."""
    if not leading:
        return table
    for place, name in enumerate(table.column_names):
        if name in ("source", "target"):
            chunks = [_renamed(chunk, leading) for chunk in table[name].chunks]
            table = table.set_column(place, name, pa.chunked_array(chunks, type=_DICTIONARY))
    return table


def _renamed(column: pa.DictionaryArray, names: Mapping[str, str]) -> pa.DictionaryArray:
    """The column with other texts for some of its own."""
    new = [names.get(name, name) for name in column.dictionary.to_pylist()]
    places = {name: place for place, name in enumerate(dict.fromkeys(new))}
    codes = pa.array([places[name] for name in new], pa.int32())
    return pa.DictionaryArray.from_arrays(codes.take(column.indices), pa.array(list(places), pa.string()))


def _factorised(*columns: pa.ChunkedArray) -> tuple[list[str], list[Integers]]:
    """The texts of some columns in order, each once, and each column as numbers of them."""
    chunks = [chunk for column in columns for chunk in column.chunks]
    if not chunks:
        return [], [np.empty(0, np.int64) for _ in columns]
    together = pa.chunked_array(chunks, type=_DICTIONARY).unify_dictionaries()
    dictionary = together.chunk(0).dictionary
    order = pc.array_sort_indices(dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    codes = rank[np.concatenate([chunk.indices.to_numpy(zero_copy_only=False) for chunk in together.chunks])]
    ends = np.cumsum([len(column) for column in columns])[:-1]
    return dictionary.take(pa.array(order)).to_pylist(), np.split(codes, ends)


def _present(names: list[str], columns: list[Integers]) -> tuple[list[str], list[Integers]]:
    """Without the names that no row has any more."""
    is_there = np.zeros(len(names), bool)
    for column in columns:
        is_there[column] = True
    if is_there.all():
        return names, columns
    place = np.cumsum(is_there) - 1
    return [name for name, keep in zip(names, is_there, strict=True) if keep], [place[column] for column in columns]


def _plain(projection: Projection, rows: Rows) -> Network:
    """A network whose edges are the rows' own: its weight is that of all distinct things that tie two nodes."""
    size = len(rows.names)
    tails, heads = rows.sources, rows.targets
    weights = np.ones(len(tails))
    if "weight" in rows.table.column_names:
        weights = np.nan_to_num(rows.table["weight"].to_numpy().astype(np.float64), nan=1.0)
    if "evidence" in rows.table.column_names and len(tails):
        things = _codes(rows.table, "evidence")
        order = np.lexsort((things, heads, tails))
        tails, heads, weights, things = tails[order], heads[order], weights[order], things[order]
        is_new = np.ones(len(order), bool)  # said by two documents, it is one tie all the same
        is_new[1:] = (np.diff(tails) != 0) | (np.diff(heads) != 0) | (np.diff(things) != 0)
        tails, heads, weights = tails[is_new], heads[is_new], weights[is_new]
    mode = np.ones(size, np.int8)
    mode[rows.sources] = 0
    if not projection.is_two_mode:
        mode[:] = 0
    if not projection.is_directed:
        tails, heads = np.minimum(tails, heads), np.maximum(tails, heads)
    tails, heads, weights = _summed(size, tails, heads, weights)
    return Network(rows.names, mode, tails, heads, weights, projection.is_directed, projection, rows)


def _codes(table: pa.Table, name: str) -> Integers:
    """A column of texts as numbers, -1 where there is none."""
    chunks = [
        chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in table[name].unify_dictionaries().chunks
    ]
    return np.concatenate(chunks).astype(np.int64) if chunks else np.empty(0, np.int64)


def _summed(size: int, tails: Integers, heads: Integers, weights: Floats) -> tuple[Integers, Integers, Floats]:
    """Each pair once, in order, with the sum of its weights; nothing is tied to itself."""
    apart = tails != heads
    keys, place = np.unique(tails[apart] * size + heads[apart], return_inverse=True)
    total = np.bincount(place, weights[apart], len(keys)).astype(np.float64)
    return keys // max(size, 1), keys % max(size, 1), total


def _folded(projection: Projection, rows: Rows, weighting: str) -> Network:
    """Sources tied by the targets that they share (Newman 2001 for the weighting of that name).

    Who shares no target with anybody is a node without edges.
    """
    sources, columns = np.unique(rows.sources, return_inverse=True)
    _, places = np.unique(rows.targets, return_inverse=True)
    shape = (len(sources), int(places.max()) + 1 if len(places) else 0)
    incidence = sparse.coo_array((np.ones(len(places)), (columns, places)), shape=shape).tocsr()
    incidence.data[:] = 1.0  # said by two documents, it is one tie all the same
    sizes = np.asarray(incidence.sum(axis=0)).ravel()
    pairs = int((sizes * (sizes - 1) / 2).sum())
    if pairs > MOST_PAIRS:
        raise TooLarge(
            f"the network would have up to {pairs} ties, for some {projection.modes[1]} has {int(sizes.max())} of "
            f"{projection.modes[0]}; filter it, or use the two-mode network"
        )
    left = incidence @ sparse.diags_array(1 / np.maximum(sizes - 1, 1)) if weighting == "newman" else incidence
    shared = sparse.triu(left @ incidence.T, 1).tocoo()
    tails, heads = shared.row.astype(np.int64), shared.col.astype(np.int64)
    weights = shared.data.astype(np.float64)
    if weighting == "jaccard" and len(tails):
        degree = np.asarray(incidence.sum(axis=1)).ravel()
        weights = weights / (degree[tails] + degree[heads] - weights)
    order = np.lexsort((heads, tails))
    names = [rows.names[source] for source in sources]
    mode = np.zeros(len(names), np.int8)
    return Network(names, mode, tails[order], heads[order], weights[order], False, projection, rows)


def of_edges(
    edges: Sequence[tuple[str, str, float]],
    *,
    is_directed: bool = False,
    nodes: Sequence[str] = (),
) -> Network:
    """A network of pairs of names with weights: for tests, benchmarks and graphs from elsewhere."""
    names = sorted({name for tail, head, _ in edges for name in (tail, head)} | set(nodes))
    place = {name: index for index, name in enumerate(names)}
    tails = np.array([place[tail] for tail, _, _ in edges], np.int64)
    heads = np.array([place[head] for _, head, _ in edges], np.int64)
    weights = np.array([weight for _, _, weight in edges], np.float64)
    return of_arrays(names, tails, heads, weights, is_directed=is_directed)


def of_arrays(
    names: list[str], tails: Integers, heads: Integers, weights: Floats, *, is_directed: bool = False
) -> Network:
    """A network of arrays; ties between the same nodes become one with the sum of their weights."""
    projection = Projection("given", "A given network", ("node",), is_directed, False, "", "", "")
    rows = Rows(tails, heads, names, pa.table({}))
    if not is_directed:
        tails, heads = np.minimum(tails, heads), np.maximum(tails, heads)
    summed = _summed(len(names), tails, heads, weights)
    return Network(names, np.zeros(len(names), np.int8), *summed, is_directed, projection, rows)


def subnetwork(network: Network, keep: NDArray[np.bool_]) -> Network:
    """The network of some of the nodes and the edges between them."""
    place = np.cumsum(keep) - 1
    inside = keep[network.tails] & keep[network.heads]
    return Network(
        [name for name, is_kept in zip(network.nodes, keep, strict=True) if is_kept],
        network.mode[keep],
        place[network.tails[inside]],
        place[network.heads[inside]],
        network.weights[inside],
        network.is_directed,
        network.projection,
        network.rows,
    )


def evidence(network: Network) -> list[list[dict[str, Any]]]:
    """For each edge the things that tie its ends, each with kind, period, certainty and document where known.

    In a one-mode network these are the shared targets, with the weaker certainty of the two ties.
    """
    rows = network.rows.table.to_pylist()
    place = {(int(t), int(h)): edge for edge, (t, h) in enumerate(zip(network.tails, network.heads, strict=True))}
    number = {name: index for index, name in enumerate(network.nodes)}
    found: list[dict[str, dict[str, Any]]] = [{} for _ in range(network.edges)]
    if network.projection.is_folded:
        together: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if row["source"] in number:
                together.setdefault(row["target"], []).append(row)
        for target, tied in together.items():
            for one in tied:
                for other in tied:
                    edge = place.get((number[one["source"]], number[other["source"]]))
                    if edge is not None:
                        _add(found[edge], target, one, other)
    else:
        for row in rows:
            tail, head = number.get(row["source"], -1), number.get(row["target"], -1)
            if not network.is_directed:
                tail, head = min(tail, head), max(tail, head)
            edge = place.get((tail, head))
            if edge is not None:
                _add(found[edge], row.get("evidence") or "", row, row)
    return [list(things.values()) for things in found]


_FIRMNESS = ("stated", "derived", "ambiguous", "inferred")


def _add(things: dict[str, dict[str, Any]], iri: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    """Notes that a thing ties two nodes, by one row or two."""
    thing = things.setdefault(iri, {"iri": iri, "kind": one.get("kind")} | dict.fromkeys(("start", "end", "certainty")))
    starts = [row["start"] for row in (one, other) if row.get("start")]
    ends = [row["end"] for row in (one, other) if row.get("end")]
    thing["start"], thing["end"] = max(starts, default=None), min(ends, default=None)
    given = [row["certainty"].rpartition("/")[2] for row in (one, other) if row.get("certainty")]
    known = [name for name in given if name in _FIRMNESS]
    if known:
        weakest = max(known, key=_FIRMNESS.index)
        before = thing["certainty"]
        # Of several documents the firmest counts; of the two ties of a pair the weaker one.
        thing["certainty"] = weakest if before is None else min(before, weakest, key=_FIRMNESS.index)
    documents = thing.setdefault("documents", [])
    documents += sorted({row["document"] for row in (one, other) if row.get("document")} - set(documents))
