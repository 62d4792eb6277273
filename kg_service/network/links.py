"""Who might ally: pairs without a tie, scored by what they share, with reasons, and how good such guesses were.

How good: some ties are hidden, pairs are scored by the others, and it is counted how often a hidden tie stands before
a pair that has none (AUC), and how many of the first k are hidden ties (precision at k).

What two share by the very things that tie them is no evidence and is left out. Still, a text may speak of an alliance
and of what its parties share in one sentence: the AUC of each score is told, so that one sees what carries the guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from kg_service.network.centrality import undirected
from kg_service.network.graph import Floats, Integers, Network, of_arrays, without, without_rows
from kg_service.network.outcome import Context, Outcome

#: Pairs at a distance of two that are scored; of more, those whose ends have fewest ties are left out.
_MOST_PAIRS = 5_000_000
#: Hidden ties are compared with this many pairs without one.
_COMPARED = 20_000

_Score = Callable[[sparse.csr_array, Integers, Integers], Floats]


def _neighbours(matrix: sparse.csr_array, one: Integers, other: Integers, worth: Floats) -> Floats:
    """The sum of what each common neighbour is worth."""
    weighted = (matrix @ sparse.diags_array(worth)).tocsr()
    return np.asarray(weighted[one].multiply(matrix[other]).sum(axis=1)).ravel()


def _degrees(matrix: sparse.csr_array) -> Floats:
    return np.asarray(matrix.sum(axis=1)).ravel()


def _common(matrix: sparse.csr_array, one: Integers, other: Integers) -> Floats:
    return _neighbours(matrix, one, other, np.ones(matrix.shape[0]))


def _adamic_adar(matrix: sparse.csr_array, one: Integers, other: Integers) -> Floats:
    return _neighbours(matrix, one, other, 1 / np.log(np.maximum(_degrees(matrix), 2)))


def _resource(matrix: sparse.csr_array, one: Integers, other: Integers) -> Floats:
    return _neighbours(matrix, one, other, 1 / np.maximum(_degrees(matrix), 1))


def _preferential(matrix: sparse.csr_array, one: Integers, other: Integers) -> Floats:
    degree = _degrees(matrix)
    return degree[one] * degree[other]


SCORES: dict[str, _Score] = {
    "common-neighbours": _common,
    "adamic-adar": _adamic_adar,
    "resource-allocation": _resource,
    "preferential-attachment": _preferential,
}


def candidates(network: Network, context: Context) -> Outcome:
    """The pairs most likely to be tied next, with the value of every score and the reasons in words.

    The other networks of the context (actors by theme, place, recommendation) add what the two share there.
    """
    given = context.parameters
    ties = undirected(network)
    matrix = _matrix(ties)
    others = tuple(without(other, own_things(network)) for other in context.others)
    shared = [_shared(ties, other) for other in others]
    one, other = _pairs(matrix, shared)
    context.progress(0.3, "scoring")
    values = {name: score(matrix, one, other) for name, score in SCORES.items()}
    for kind, incidence, _ in shared:
        values[kind] = _together(incidence, one, other)
    # What is shared elsewhere counts as much as a common neighbour, scaled to the same greatest value.
    chosen = _scaled(values[given["score"]])
    total = chosen + sum((_scaled(values[kind]) for kind, _, _ in shared), np.zeros(len(one)))
    order = np.lexsort((other, one, -total))[: given["count"]]
    rows = tuple(
        _row(ties, matrix, shared, int(one[place]), int(other[place]), float(total[place]), values, int(place))
        for place in order
    )
    context.progress(0.6, "evaluating")
    quality = evaluation(network, others, given["score"], given["hidden"], given["seed"], given["count"])
    return Outcome({}, {"evaluation": quality, "pairs_scored": len(one)}, rows, engine="scipy")


def _matrix(ties: Network) -> sparse.csr_array:
    return (ties.matrix(is_weighted=False) > 0).astype(np.float64).tocsr()


def _scaled(values: Floats) -> Floats:
    return values / (values.max(initial=0) or 1.0)


def _shared(ties: Network, other: Network) -> tuple[str, sparse.csr_array, list[str]]:
    """By node of `ties`, what it has in another network: `shared themes`, say."""
    number = {iri: place for place, iri in enumerate(ties.nodes)}
    place = np.array([number.get(iri, -1) for iri in other.nodes], np.int64)
    is_source = other.mode == 0
    tails, heads = np.where(is_source[other.tails], [other.tails, other.heads], [other.heads, other.tails])
    kept = place[tails] >= 0 if len(tails) else np.zeros(0, bool)
    shape = (ties.size, max(other.size, 1))
    matrix = sparse.coo_array((np.ones(int(kept.sum())), (place[tails[kept]], heads[kept])), shape=shape).tocsr()
    return f"shared {other.projection.modes[1]}s", matrix, other.nodes


def _together(incidence: sparse.csr_array, one: Integers, other: Integers) -> Floats:
    """How many things two share, each the less the more nodes have it."""
    worth = 1 / np.log(np.maximum(np.asarray(incidence.sum(axis=0)).ravel(), 1) + 1)
    return np.asarray(
        (incidence @ sparse.diags_array(worth)).tocsr()[one].multiply(incidence[other]).sum(axis=1)
    ).ravel()


def _pairs(
    matrix: sparse.csr_array, shared: list[tuple[str, sparse.csr_array, list[str]]]
) -> tuple[Integers, Integers]:
    """The pairs without a tie that have a neighbour, or anything else, in common."""
    near = _product(matrix)
    for _, incidence, _ in shared:
        near = near + _product(incidence)
    near = sparse.triu(near, 1).tocoo()
    one, other = near.row.astype(np.int64), near.col.astype(np.int64)
    tied = np.asarray(matrix[one, other]).ravel() > 0 if len(one) else np.zeros(0, bool)
    return one[~tied], other[~tied]


def _product(matrix: sparse.csr_array) -> sparse.csr_array:
    """The pairs of rows that have a column in common; columns that very many rows have say little and are left out."""
    sizes = np.diff(matrix.tocsc().indptr)
    order = np.argsort(sizes, kind="stable")
    pairs = np.cumsum(sizes[order].astype(np.float64) ** 2)
    kept = np.zeros(len(sizes))
    kept[order[pairs <= 2 * _MOST_PAIRS]] = 1
    return ((matrix @ sparse.diags_array(kept)) @ matrix.T).tocsr()


def _row(
    ties: Network,
    matrix: sparse.csr_array,
    shared: list[tuple[str, sparse.csr_array, list[str]]],
    one: int,
    other: int,
    score: float,
    values: dict[str, Floats],
    place: int,
) -> dict[str, Any]:
    """A pair with its scores and what speaks for it: the things themselves, to be told in words."""
    common = np.intersect1d(matrix[[one]].indices, matrix[[other]].indices)
    reasons = [{"kind": "common partners", "things": [ties.nodes[node] for node in common]}] if len(common) else []
    for kind, incidence, names in shared:
        things = np.intersect1d(incidence[[one]].indices, incidence[[other]].indices)
        if len(things):
            reasons.append({"kind": kind, "things": [names[thing] for thing in things]})
    scores = {name: float(column[place]) for name, column in values.items()}
    return {"source": ties.nodes[one], "target": ties.nodes[other], "score": score, "reasons": reasons} | scores


def own_things(network: Network) -> set[str]:
    """The things by which the network's nodes are tied: what they have by these they share for that reason alone."""
    table = network.rows.table
    name = "target" if network.projection.is_folded else "evidence"
    return set(table[name].unique().to_pylist()) if name in table.column_names else set()


def evaluation(
    network: Network, others: tuple[Network, ...], score: str, hidden: float, seed: int, count: int
) -> dict[str, Any]:
    """How well hidden ties are found: AUC of each score and of all together, and precision at k.

    In a one-mode network whole things (alliances, say) are hidden, so that no rest of one gives the others away. None
    where there are too few ties to hide any.
    """
    random = np.random.default_rng(seed)
    left, out = _hidden(network, hidden, random)
    told: dict[str, Any] = {"hidden_ties": len(out), "score": score, "auc": None, "k": None, "precision_at_k": None}
    if not len(out):
        return told
    ties = undirected(left)
    matrix = _matrix(ties)
    shared = [_shared(ties, other) for other in others]

    def parts(one: Integers, other: Integers) -> dict[str, Floats]:
        found = {score: SCORES[score](matrix, one, other)}
        return found | {kind: _together(incidence, one, other) for kind, incidence, _ in shared}

    one, other = random.integers(0, network.size, (2, _COMPARED))
    full = _matrix(undirected(network))
    apart = (one != other) & (np.asarray(full[one, other]).ravel() == 0)
    pairs = np.unique(np.stack([np.minimum(one, other), np.maximum(one, other)])[:, apart], axis=1)
    found = parts(np.concatenate([network.tails[out], pairs[0]]), np.concatenate([network.heads[out], pairs[1]]))
    total = np.sum([_scaled(part) for part in found.values()], axis=0)
    told["auc"] = _auc(total[: len(out)], total[len(out) :])
    told["auc_of_each"] = {name: _auc(part[: len(out)], part[len(out) :]) for name, part in found.items()}
    told["compared_with"] = pairs.shape[1]
    # Precision is that of the list itself: among all pairs that have anything in common.
    one, other = _pairs(matrix, shared)
    ranks = np.sum([_scaled(part) for part in parts(one, other).values()], axis=0) if len(one) else np.zeros(0)
    first = np.lexsort((other, one, -ranks))[: min(count, len(out))]
    keys = np.minimum(network.tails[out], network.heads[out]) * network.size
    keys = keys + np.maximum(network.tails[out], network.heads[out])
    is_hidden = np.isin(one[first] * network.size + other[first], keys)
    told["k"], told["precision_at_k"] = len(first), float(is_hidden.mean()) if len(first) else None
    return told


def _auc(yes: Floats, no: Floats) -> float | None:
    """How probably one of the first is greater than one of the second, equal ones counting half."""
    if not len(yes) or not len(no):
        return None
    ranked = np.sort(no)
    before = np.searchsorted(ranked, yes, "left") + np.searchsorted(ranked, yes, "right")
    return float(before.mean() / 2 / len(no))


def _hidden(network: Network, share: float, random: np.random.Generator) -> tuple[Network, Integers]:
    """The network without some ties, with the same nodes, and which ties these are."""
    if network.projection.is_folded:
        codes = np.unique(network.rows.targets)
        gone = random.permutation(codes)[: round(share * len(codes))]
        rest = without_rows(network, np.isin(network.rows.targets, gone))
        place = {iri: index for index, iri in enumerate(network.nodes)}
        at = np.array([place[iri] for iri in rest.nodes], np.int64)
        keys = at[rest.tails] * network.size + at[rest.heads]
        is_left = np.isin(network.tails * network.size + network.heads, keys)
    else:
        is_left = np.ones(network.edges, bool)
        is_left[random.permutation(network.edges)[: round(share * network.edges)]] = False
    ends = (network.tails[is_left], network.heads[is_left], network.weights[is_left])
    left = of_arrays(network.nodes, *ends, is_directed=network.is_directed)
    return left, np.flatnonzero(~is_left)
