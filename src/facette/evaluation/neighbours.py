"""How well a map keeps who stands beside whom.

Enters: latents (N, Z), points on a map (N, 2), labels (N,). Leaves: numbers between 0 and 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NEIGHBOURS = 15


def trustworthiness(latents: NDArray[Any], points: NDArray[Any], neighbours: int = NEIGHBOURS) -> float:
    """Share of neighbours on the map that are neighbours in latent space, [0, 1], 1 is perfect, 0.5 about chance.

    Venna and Kaski 2001, as scikit-learn computes it. `neighbours` is cut to less than half of N.
    """
    from sklearn.manifold import trustworthiness as measure

    return float(measure(latents, points, n_neighbors=_fitting(neighbours, len(latents))))


def neighbour_purity(points: NDArray[Any], labels: NDArray[Any], neighbours: int = NEIGHBOURS) -> float:
    """Mean share of the k nearest that carry a point's own label, over the points of the rarer label; [0, 1].

    Chance is the rarer label's share of all points (`base_rate`). `points` may be a map or latents.
    """
    from sklearn.neighbors import NearestNeighbors

    rare = _rarer(labels)
    k = _fitting(neighbours, len(points))
    found = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points[rare], return_distance=False)
    own = np.flatnonzero(rare)[:, None]
    nearest = np.array([row[row != i][:k] for row, i in zip(found, own, strict=True)])
    return float(rare[nearest].mean())


def base_rate(labels: NDArray[Any]) -> float:
    """The rarer label's share of all points: what `neighbour_purity` gives where labels are scattered at random."""
    return float(_rarer(labels).mean())


def _rarer(labels: NDArray[Any]) -> NDArray[np.bool_]:
    values, counts = np.unique(labels, return_counts=True)
    return np.asarray(labels) == values[counts.argmin()]


def _fitting(neighbours: int, count: int) -> int:
    return max(1, min(neighbours, (count - 1) // 2))
