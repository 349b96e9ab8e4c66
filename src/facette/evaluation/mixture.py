"""A model of vectors measured against the known density of its data, and the two rows it is compared with.

Enters: a trained model and the `VectorStore` it learned from. Leaves: `DensityFigures`, for the model, for
the truth itself, and for a Gaussian mixture fitted to the same points by expectation-maximisation.

Legend: N points, D dimensions, Z latents.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from facette.data.mixture import Mixture, VectorStore
from facette.evaluation.bound import importance_weighted_bound
from facette.measures import density
from facette.model.mixture_fit import fit_gaussian_mixture
from facette.model.prior import GaussianMixturePrior
from facette.model.trained import TrainedModel
from facette.runtime import generator

SAMPLES = 10_000  # drawn from a model, for modes, junk and the two-sample test
FRESH = 5_000  # drawn from the truth, for the divergence
IMPORTANCE = 500  # importance samples a point
AT_ONCE = 2_500  # points encoded and decoded together
EM_CANDIDATES = (5, 8, 10, 12, 15)


@dataclass(frozen=True, slots=True)
class DensityFigures:
    """How close a density is to the true one."""

    divergence: density.Divergence  # KL(truth ‖ model), nats; for a VAE an upper bound
    modes: density.ModeFigures
    two_sample: float  # balanced accuracy of a classifier, 0.5 = cannot tell
    clusters: float  # adjusted Rand index of latent clusters ÷ the best achievable


def measure_model(model: TrainedModel, store: VectorStore, seed: int = 0) -> DensityFigures:
    """Measure a VAE against the mixture its data came from.

    The divergence is from the importance-weighted bound of 500 samples, hence an upper bound. `seed` draws
    the model's samples, the fresh points of the truth and the importance samples.

    Raises DataError when the model has other dimensions.
    """
    truth = store.mixture
    fresh = truth.sample(FRESH, _keyed(seed, "fresh")).points
    bound = importance_weighted_bound(
        model.vae,
        model.to_model(fresh),
        samples=IMPORTANCE,
        generator=generator(seed, "importance"),
        at_once=AT_ONCE,
    )
    drawn = draw_points(model, SAMPLES, seed)
    latents = model.encode(store.points, AT_ONCE).mean.numpy()  # (N, Z)
    divergence = density.kullback_leibler(truth.log_density(fresh), bound.cpu().numpy())
    clusters = density.cluster_agreement(truth, store.points, store.components, latents, seed)
    return _figures(truth, drawn, divergence, clusters, seed)


def measure_truth(store: VectorStore, seed: int = 0) -> DensityFigures:
    """What the truth itself scores: the noise of the measures, and the best any model can do."""
    truth = store.mixture
    drawn = truth.sample(SAMPLES, _keyed(seed, "samples")).points
    return _figures(truth, drawn, density.Divergence(0.0, 0.0), 1.0, seed)


def fit_points(store: VectorStore, seed: int = 0) -> GaussianMixturePrior:
    """A Gaussian mixture fitted by expectation-maximisation to the training points themselves.

    It is of the truth's own family and thus hard to beat; its number of components is chosen on held-out points.
    """
    points = torch.from_numpy(store.read(store.indices("train")))
    return fit_gaussian_mixture(points, candidates=EM_CANDIDATES, seed=seed, starts=3)


def measure_fitted(fitted: GaussianMixturePrior, store: VectorStore, seed: int = 0) -> DensityFigures:
    """What a mixture fitted to the points scores; its clusters are those of its own responsibilities."""
    truth = store.mixture
    fresh = truth.sample(FRESH, _keyed(seed, "fresh")).points
    with torch.no_grad():
        log_density = fitted.log_prob(torch.from_numpy(fresh).float()).numpy()
        labels = fitted.responsibilities(torch.from_numpy(store.points)).argmax(dim=1).numpy()
    drawn = fitted.sample(SAMPLES, _keyed(seed, "fitted samples")).numpy()
    divergence = density.kullback_leibler(truth.log_density(fresh), log_density)
    clusters = density.relative_agreement(truth, store.points, store.components, labels)
    return _figures(truth, drawn, divergence, clusters, seed)


def draw_points(model: TrainedModel, count: int, seed: int) -> np.ndarray:
    """`count` draws of the whole generative model: z from its prior, then x from p(x|z), (count, D)."""
    return model.draw(model.sample_latents(count, seed=seed), seed=seed, batch=AT_ONCE)


def _figures(
    truth: Mixture, drawn: np.ndarray, divergence: density.Divergence, clusters: float, seed: int
) -> DensityFigures:
    real = truth.sample(len(drawn), _keyed(seed, "real")).points
    accuracy = density.two_sample_accuracy(real, drawn, seed)
    return DensityFigures(divergence, density.mode_figures(truth, drawn), accuracy, clusters)


def _keyed(seed: int, purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, *purpose.encode()])
