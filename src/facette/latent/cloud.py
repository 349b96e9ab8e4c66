"""Where a data set lies in the latent space: middle, spread, main axes, and what each latent costs.

Enters: posteriors of a set of pictures, or a model file that knows of such a set. Leaves: a `Cloud`, the first two
moments of the aggregate posterior q(z) = mean over pictures of q(z|x), kept in the model file. Knows nothing of
attributes or of decoding.

Legend: N pictures, Z latents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from facette.errors import DataError, UsageError
from facette.model.interface import DrawingModel, PosteriorMoments
from facette.progress import Advance, unheard

BATCH = 256
FEWEST = 2  # pictures; fewer have no spread
MEAN, COVARIANCE, RATE, COUNT = "cloud.mean", "cloud.covariance", "cloud.rate", "cloud.count"

Doubles = NDArray[np.floating[Any]]  # float64


@dataclass(frozen=True)
class Cloud:
    """Moments of the aggregate posterior, in float64: small eigenvalues are divided by."""

    mean: Doubles  # (Z,)
    covariance: Doubles  # (Z, Z), with the posteriors' own variance, and so never singular
    rate: Doubles  # (Z,) nats: KL(q(z|x) ‖ N(0, I)) of each latent, averaged over the pictures
    count: int  # pictures it was measured on

    @property
    def deviation(self) -> Doubles:
        """Standard deviation of each latent over the data, (Z,)."""
        return np.sqrt(self.covariance.diagonal())

    def axes(self) -> tuple[Doubles, Doubles]:
        """Principal directions, widest first: their variances (Z,), and unit vectors (Z, Z), one in each row.

        Each is turned so that its largest entry is positive.
        """
        variances, vectors = np.linalg.eigh(self.covariance)
        rows = vectors.T[::-1]
        largest = np.take_along_axis(rows, np.abs(rows).argmax(axis=1, keepdims=True), axis=1)
        return variances[::-1], rows * np.sign(largest)

    def whitening(self) -> Doubles:
        """Lower triangular L (Z, Z) with L·Lᵀ the covariance: L⁻¹(z − mean) has unit covariance."""
        return np.linalg.cholesky(self.covariance)

    @cached_property
    def _to_unit(self) -> Doubles:
        """L⁻¹ (Z, Z): every step of an edit is measured with it, and taking a matrix apart is what costs."""
        return np.linalg.inv(self.whitening())

    def length(self, step: Doubles) -> float:
        """Of a step (Z,), in standard deviations of the data along it: its Mahalanobis length."""
        return float(np.linalg.norm(self._to_unit @ step))


def encode_set(
    model: DrawingModel,
    read: Callable[[np.ndarray], np.ndarray],
    indices: np.ndarray,
    progress: Advance = unheard,
) -> Any:
    """Posteriors of the pictures that `read` gives for `indices`, in batches; N rows on the CPU, of the kind that the
    model gives (`DiagonalGaussian` or `OnnxPosterior`)."""
    means, scales, posterior = [], [], None
    for start in range(0, len(indices), BATCH):
        posterior = model.encode(read(indices[start : start + BATCH]))
        means.append(posterior.mean)
        scales.append(posterior.scale)
        progress(len(posterior))
    if posterior is None:
        raise DataError("there is nothing to encode: the chosen part of the data is empty.")
    if isinstance(posterior.mean, np.ndarray):
        join: Callable[[list[Any]], Any] = np.concatenate
    else:
        from torch import cat as join
    return cast(Any, type(posterior))(join(means), join(scales))


def measure_cloud(posterior: PosteriorMoments) -> Cloud:
    """The cloud of N posteriors. Raises DataError for fewer than two."""
    means, scales = (np.asarray(moment, np.float64) for moment in (posterior.mean, posterior.scale))  # (N, Z)
    if len(means) < FEWEST:
        raise DataError(f"a spread needs at least {FEWEST} pictures, there is {len(means)}.")
    covariance = np.cov(means.T, ddof=0).reshape(means.shape[1], -1)
    own = np.square(scales).mean(axis=0)  # (Z,)
    rate = (0.5 * (means**2 + scales**2 - 1) - np.log(scales)).mean(axis=0)  # (Z,)
    return Cloud(means.mean(axis=0), covariance + np.diag(own), rate, len(means))


def cloud_tensors(cloud: Cloud) -> dict[str, NDArray[Any]]:
    """The cloud as named arrays for a model file."""
    moments = {MEAN: cloud.mean, COVARIANCE: cloud.covariance, RATE: cloud.rate}
    return {name: moment.astype(np.float32) for name, moment in moments.items()} | {
        COUNT: np.array(cloud.count, np.int64)
    }


def known_cloud(model: DrawingModel) -> Cloud:
    """The cloud in the model's file. Raises UsageError for a model that has none."""
    if MEAN not in model.extras:
        raise UsageError(
            f"{model.name!r} does not know where its data lie: run `facette attributes fit MODEL DATA` first."
        )
    mean, covariance, rate = (np.asarray(model.extras[n], np.float64) for n in (MEAN, COVARIANCE, RATE))
    return Cloud(mean, covariance, rate, int(model.extras[COUNT]))
