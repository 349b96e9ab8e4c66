"""Whether made points lie where real ones do, and whether they reach everywhere: precision, recall, density, coverage.

Enters: two clouds of points (N, D) and (M, D) in any embedding. Leaves: one number per point, whose means are the
measures. A cloud's manifold is the union of balls around its points, each reaching to its k-th neighbour.

Legend: N real points, M made ones, D dimensions, k neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError
from facette.measures.distances import Points, check_clouds

NEIGHBOURS = 5  # Naeem et al. 2020
AT_ONCE = 512  # rows of the distance matrix at a time, so that memory grows with N + M and not with N · M


@dataclass(frozen=True, slots=True)
class Overlap:
    """One value per point; each measure is the mean of its row.

    Precision and density say how believable made points are, recall and coverage how much of the real they reach.
    Two halves of one data set: density 1, coverage 1 − Π (N − i)/(N + M − i) over i = 1…k, near 0.97 for k = 5.
    """

    precision: NDArray[np.float64]  # (M,) in {0, 1}: in some ball of a real point
    density: NDArray[np.float64]  # (M,) ≥ 0: how many of those balls, over k
    recall: NDArray[np.float64]  # (N,) in {0, 1}: in some ball of a generated point
    coverage: NDArray[np.float64]  # (N,) in {0, 1}: its ball holds a generated point


def overlap(real: Points, generated: Points, neighbours: int = NEIGHBOURS) -> Overlap:
    """Precision and recall of Kynkäänniemi et al. (arXiv 1904.06991), density and coverage of Naeem et al.
    (arXiv 2002.09797), with Euclidean balls.

    Raises UsageError for no more points than neighbours, other dimensions, or values that are not finite.
    """
    if neighbours < 1:
        raise UsageError(f"a ball reaches to its k-th neighbour with k of at least 1, got {neighbours}.")
    real, generated = check_clouds(real, generated, least=neighbours + 1)
    real_radius, made_radius = _radii(real, neighbours), _radii(generated, neighbours)  # (N,), (M,)
    balls = np.zeros(len(generated))
    recall, coverage = np.empty(len(real)), np.empty(len(real))
    for start in range(0, len(real), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        distances = _distances(real[rows], generated)  # (n, M)
        inside = distances <= real_radius[rows, None]
        balls += inside.sum(axis=0)
        coverage[rows] = inside.any(axis=1)
        recall[rows] = (distances <= made_radius).any(axis=1)
    return Overlap((balls > 0).astype(np.float64), balls / neighbours, recall, coverage)


def nearest_distances(points: Points, among: Points) -> NDArray[np.float64]:
    """Euclidean distance of each point (N, D) to the nearest of `among` (M, D): (N,), in the embedding's units."""
    points, among = check_clouds(points, among)
    parts = [_distances(points[i : i + AT_ONCE], among).min(axis=1) for i in range(0, len(points), AT_ONCE)]
    return np.concatenate(parts)


def _radii(points: NDArray, neighbours: int) -> NDArray:
    """Distance of each point to its k-th nearest other one."""
    parts = [
        np.partition(_distances(points[i : i + AT_ONCE], points), neighbours, axis=1)[:, neighbours]
        for i in range(0, len(points), AT_ONCE)
    ]
    return np.concatenate(parts)  # place 0 is the point itself


def _distances(a: NDArray, b: NDArray) -> NDArray:
    from scipy.spatial.distance import cdist

    return cdist(a, b)
