"""How close a generative model comes to a density that is known: modes, weights, junk, and nats.

Enters: arrays of samples and log densities, and the true `Mixture`. Leaves: numbers. It knows no model.

Counting modes alone proves nothing: a model that smears its samples between the modes still finds them all.
So the modes stand beside the junk (samples far from every mode), the weights, a classifier that tries to
tell the samples from the truth, and the Kullback–Leibler divergence.

Legend: N points, D dimensions, K components.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from facette.data.mixture import Mixture
from facette.errors import UsageError

JUNK_BEYOND = 4.0  # Mahalanobis distance to every mode; 0.1 % of a 3-D Gaussian lies beyond
FOUND_FROM = 0.5  # a mode is found when it gets at least this share of the samples it should get
FEWEST = 20  # samples of either kind: with fewer the two halves of a two-sample test mean nothing


@dataclass(frozen=True, slots=True)
class ModeFigures:
    """Where samples went."""

    covered: int  # modes with at least half of their share of clean samples
    total: int  # K
    weight_distance: float  # total variation between true and sampled mode weights, in [0, 1]
    junk: float  # share of samples beyond 4 Mahalanobis units from every mode, in [0, 1]
    shares: np.ndarray  # (K,) sampled mode weights


@dataclass(frozen=True, slots=True)
class Divergence:
    """KL(truth ‖ model) in nats, with the standard error of its Monte-Carlo mean."""

    nats: float
    standard_error: float


def mode_figures(truth: Mixture, samples: np.ndarray) -> ModeFigures:
    """Modes, weights and junk of samples (N, D) against the true mixture.

    A sample's share in a mode is its true posterior responsibility, so overlapping modes do not bias the
    weights: drawn from the truth itself, the total variation is sampling noise alone (about 0.01 at 10,000
    samples, K = 10). A mode's clean samples are those within 4 Mahalanobis units of some mode.

    Raises:
        UsageError: no samples, of another dimension, or not finite.
    """
    samples = _checked(samples, truth.dimensions)
    shares = truth.responsibilities(samples)  # (N, K)
    clean = truth.mahalanobis(samples).min(axis=1) <= JUNK_BEYOND  # (N,)
    weights = shares.mean(axis=0)
    clean_weights = shares[clean].sum(axis=0) / len(samples)
    return ModeFigures(
        covered=int((clean_weights >= FOUND_FROM * truth.weights).sum()),
        total=truth.components,
        weight_distance=float(0.5 * np.abs(weights - truth.weights).sum()),
        junk=float(1 - clean.mean()),
        shares=weights,
    )


def two_sample_accuracy(
    real: np.ndarray, drawn: np.ndarray, seed: int, boundary: Literal["trees", "linear"] = "trees"
) -> float:
    """How often a classifier tells unseen real points (N, D) from drawn ones (M, D): 0.5 cannot, 1 always.

    Trained on either half of the points and tested on the other: gradient-boosted trees, or a linear boundary
    between standardised points, which is fast and enough in an embedding of many dimensions. The accuracy is
    balanced over the two kinds, and its standard error is about 1 / (2 √(N + M)). Source: Lopez-Paz and Oquab
    (arXiv 1610.06545).

    Raises:
        UsageError: fewer than 20 points of a kind, different dimensions, or values that are not finite.
    """
    real, drawn = _checked(real, real.shape[1]), _checked(drawn, real.shape[1])
    if min(len(real), len(drawn)) < FEWEST:
        raise UsageError(
            f"a two-sample test of {len(real)} and {len(drawn)} points: give at least {FEWEST} of each"
        )
    points = np.concatenate([real, drawn])  # (N + M, D)
    labels = np.concatenate([np.zeros(len(real), bool), np.ones(len(drawn), bool)])
    half = np.random.default_rng(seed).random(len(points)) < 0.5
    right = np.empty(len(points), bool)
    for train, test in ((half, ~half), (~half, half)):
        classifier = _classifier(boundary, seed).fit(points[train], labels[train])
        right[test] = classifier.predict(points[test]) == labels[test]
    return float(0.5 * (right[labels].mean() + right[~labels].mean()))


def _classifier(boundary: Literal["trees", "linear"], seed: int) -> Any:
    if boundary == "trees":
        from sklearn.ensemble import HistGradientBoostingClassifier

        return HistGradientBoostingClassifier(random_state=seed)
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))


def kullback_leibler(true_log_density: np.ndarray, model_log_density: np.ndarray) -> Divergence:
    """KL(truth ‖ model) from both log densities (N,), in nats, at the same N points drawn from the truth.

    With a lower bound on the model's log density, such as the importance-weighted one, it is an upper bound.
    """
    surplus = np.asarray(true_log_density, np.float64) - np.asarray(model_log_density, np.float64)
    if surplus.ndim != 1 or len(surplus) < 2:
        raise UsageError(f"log densities of shape {surplus.shape}: give two vectors of at least 2 values")
    return Divergence(float(surplus.mean()), float(surplus.std(ddof=1) / math.sqrt(len(surplus))))


def cluster_agreement(
    truth: Mixture, points: np.ndarray, components: np.ndarray, latents: np.ndarray, seed: int
) -> float:
    """How well clusters of latents match the components their points came from, relative to the best
    possible.

    The latents (N, Z) of points (N, D) are clustered blindly by a Gaussian mixture of K full covariances,
    and the clusters judged by `relative_agreement`.
    """
    from sklearn.mixture import GaussianMixture

    clusters = GaussianMixture(truth.components, n_init=3, random_state=seed).fit_predict(latents)
    return relative_agreement(truth, points, components, clusters)


def relative_agreement(
    truth: Mixture, points: np.ndarray, components: np.ndarray, clusters: np.ndarray
) -> float:
    """The adjusted Rand index of clusters (N,) with the true components (N,), divided by the best achievable.

    Components overlap, so that even the true posterior responsibilities of the points (N, D) do not reach
    1: what they reach is the best achievable. About 0 by chance, 1 at best.
    """
    from sklearn.metrics import adjusted_rand_score

    best = adjusted_rand_score(components, truth.responsibilities(points).argmax(axis=1))
    return float(adjusted_rand_score(components, clusters) / best)


def _checked(samples: np.ndarray, dimensions: int) -> np.ndarray:
    samples = np.asarray(samples, np.float64)
    if samples.ndim != 2 or samples.shape[1] != dimensions or not len(samples):
        raise UsageError(f"samples of shape {samples.shape} are not N × {dimensions}")
    if not np.isfinite(samples).all():
        raise UsageError("samples that are not finite cannot be compared with a density")
    return samples
