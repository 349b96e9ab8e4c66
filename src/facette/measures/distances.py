"""How far apart two clouds of points lie: distances between distributions, in any embedding.

Enters: two float arrays (N, D) and (M, D). Leaves: one number. Knows nothing of networks or pictures: what a number
means depends on the embedding and on N and M, which is what `protocol` keeps beside it.

Neither distance is 0 between two halves of the same real data. Read every figure beside that floor, made with the
same number of points. Legend: N real points, M made ones, D dimensions of the embedding.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facette.errors import UsageError

Points = NDArray[np.floating]
KERNEL_DEGREE = 3


def frechet_distance(real: Points, generated: Points) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½): the squared distance of two Gaussians with the clouds' moments.

    Squared units of the embedding, ≥ 0; 0 for equal moments. Source: Dowson and Landau 1982; Heusel et al.
    (arXiv 1706.08500) take it in Inception's embedding, and only then is it "FID". Biased upwards, roughly
    in proportion to 1/N, so only figures of equal counts compare.

    Raises UsageError for fewer than 2 points, other dimensions, or values that are not finite.
    """
    real, generated = check_clouds(real, generated, least=2)
    return frechet_of_moments(
        real.mean(axis=0), _covariance(real), generated.mean(axis=0), _covariance(generated)
    )


def frechet_of_moments(mean: NDArray, first: NDArray, other_mean: NDArray, second: NDArray) -> float:
    """The same, of means (D,) and covariances (D, D) of either cloud."""
    gap = mean - other_mean
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T  # Σ₁^½
    # Σ₁ Σ₂ and Σ₁^½ Σ₂ Σ₁^½ have the same eigenvalues, and the latter is symmetric.
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    return max(0.0, float(gap @ gap + np.trace(first) + np.trace(second) - 2 * shared))


class KernelSums:
    """The three kernel matrices of two clouds, so that many resamples of the kernel distance cost little.

    It is the squared maximum mean discrepancy under the kernel (x·y / D + 1)³, estimated without bias, in units of the
    kernel; its expectation is ≥ 0 and 0 exactly for equal distributions, so the floor scatters around 0 and single
    values may be negative. Source: Gretton et al. 2012, Bińkowski et al. (arXiv 1801.01401), who call it KID in
    Inception's embedding.
    """

    def __init__(self, real: NDArray, cross: NDArray, generated: NDArray):
        self._real, self._cross, self._generated = real, cross, generated

    @classmethod
    def of(cls, real: Points, generated: Points) -> KernelSums:
        """Raises UsageError for fewer than 2 points, other dimensions, or values that are not finite."""
        real, generated = check_clouds(real, generated, least=2)
        return cls(_kernel(real, real), _kernel(real, generated), _kernel(generated, generated))

    def distance(self, real: NDArray, generated: NDArray) -> float:
        """The distance when real point i counts `real[i]` times and generated point j
        `generated[j]` times."""
        cross = real @ self._cross @ generated / (real.sum() * generated.sum())
        return float(_pairs(self._real, real) + _pairs(self._generated, generated) - 2 * cross)


def check_clouds(real: Points, generated: Points, least: int = 1) -> tuple[NDArray, NDArray]:
    """Both as float64, once they are clouds of the same space. UsageError says what does not fit."""
    real, generated = np.asarray(real, np.float64), np.asarray(generated, np.float64)
    if real.ndim != 2 or generated.ndim != 2 or real.shape[1] != generated.shape[1]:
        raise UsageError(
            f"points of shapes {real.shape} and {generated.shape} do not lie in one space: give N × D."
        )
    if min(len(real), len(generated)) < least:
        raise UsageError(
            f"{len(real)} and {len(generated)} points are too few: give at least {least} of each."
        )
    if not (np.isfinite(real).all() and np.isfinite(generated).all()):
        raise UsageError("points that are not finite have no distance: look at what made them.")
    return real, generated


def _covariance(points: NDArray) -> NDArray:
    centred = points - points.mean(axis=0)
    return centred.T @ centred / (len(points) - 1)


def _kernel(a: NDArray, b: NDArray) -> NDArray:
    return (a @ b.T / a.shape[1] + 1) ** KERNEL_DEGREE


def _pairs(kernel: NDArray, counts: NDArray) -> float:
    """The mean kernel over all ordered pairs of different points; a point that counts twice is no pair."""
    pairs = counts.sum() ** 2 - (counts**2).sum()
    return float((counts @ kernel @ counts - (counts**2 * kernel.diagonal()).sum()) / pairs)
