"""How well a map keeps who stands beside whom.

Enters: latents (N, Z), points on a map (N, 2), labels (N,). Leaves: numbers between 0 and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 15


def trustworthiness(
    latents: NDArray[Any], points: NDArray[Any], neighbours: int = NEIGHBOURS, most: int = 2000, seed: int = 0
) -> float:
    """Share of neighbours on the map that are neighbours in latent space, [0, 1], 1 is perfect, 0.5 about chance.

    Venna and Kaski 2001. `neighbours` is cut to less than half of N. Of more than `most` points, so many are drawn
    by the seed and looked at, each among all of them, so that time and memory grow with N and not with its square.
    """
    from sklearn.metrics import pairwise_distances

    count = len(latents)
    k = _fitting(neighbours, count)
    rows = np.arange(count)
    if count > most:
        rows = np.sort(np.random.default_rng(seed).choice(count, most, replace=False))
    beside = nearest(points, k, rows)  # (R, k) on the map
    penalty = 0
    for start in range(0, len(rows), 200):
        some = rows[start : start + 200]
        far = pairwise_distances(np.asarray(latents[some], np.float64), np.asarray(latents, np.float64))
        far[np.arange(len(some)), some] = np.inf
        for others in beside[start : start + 200].T:  # the first neighbour of each, the second …
            rank = 1 + (far < far[np.arange(len(some)), others][:, None]).sum(1)
            penalty += np.maximum(rank - k, 0).sum()
    return float(1 - 2 * penalty / (len(rows) * k * (2 * count - 3 * k - 1)))


def neighbour_purity(points: NDArray[Any], labels: NDArray[Any], neighbours: int = NEIGHBOURS) -> float:
    """Mean share of the k nearest that carry a point's own label, over the points of the rarer label; [0, 1].

    Chance is the rarer label's share of all points (`base_rate`). `points` may be a map or latents.
    """
    rare = _rarer(labels)
    neighbourhoods = nearest(points, _fitting(neighbours, len(points)), np.flatnonzero(rare))
    return float(rare[neighbourhoods].mean())


def nearest(
    points: NDArray[Any], neighbours: int = NEIGHBOURS, of: NDArray[Any] | None = None
) -> NDArray[np.int32]:
    """The numbers of the k nearest others, the nearest first, (N, k), or only those `of` these points, (R, k)."""
    from sklearn.neighbors import NearestNeighbors

    own = np.arange(len(points)) if of is None else np.asarray(of)
    k = min(neighbours, len(points) - 1)
    search = NearestNeighbors(n_neighbors=k + 1).fit(points)
    order = search.kneighbors(np.asarray(points)[own], return_distance=False)
    # A point is its own nearest, but for others in the same place, which may push it back or out.
    return np.array([row[row != i][:k] for row, i in zip(order, own, strict=True)], np.int32)


def base_rate(labels: NDArray[Any]) -> float:
    """The rarer label's share of all points: what `neighbour_purity` gives where labels are scattered at random."""
    return float(_rarer(labels).mean())


def _rarer(labels: NDArray[Any]) -> NDArray[np.bool_]:
    values, counts = np.unique(labels, return_counts=True)
    return np.asarray(labels) == values[counts.argmin()]


def _fitting(neighbours: int, count: int) -> int:
    return max(1, min(neighbours, (count - 1) // 2))
