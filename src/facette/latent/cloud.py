"""Where a data set lies in the latent space: middle, spread, main axes, and what each latent costs.

Enters: posteriors of a set of pictures, or a model file that knows of such a set. Leaves: a `Cloud`, the first two
moments of the aggregate posterior q(z) = mean over pictures of q(z|x), kept in the model file. Knows nothing of
attributes or of decoding. Measuring takes torch, for the posteriors are its tensors; what is known takes none.

Legend: N pictures, Z latents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facette.errors import DataError, UsageError
from facette.model.interface import DrawingModel
from facette.progress import Advance, unheard

if TYPE_CHECKING:
    from facette.model.posterior import DiagonalGaussian

BATCH = 256
FEWEST = 2  # pictures; fewer have no spread
MEAN, COVARIANCE, RATE, COUNT = "cloud.mean", "cloud.covariance", "cloud.rate", "cloud.count"

Doubles = NDArray[np.floating[Any]]  # float64


@dataclass(frozen=True, slots=True)
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

    def length(self, step: Doubles) -> float:
        """Of a step (Z,), in standard deviations of the data along it: its Mahalanobis length."""
        return float(np.linalg.norm(np.linalg.solve(self.whitening(), step)))


def encode_set(
    model: Any,
    read: Callable[[np.ndarray], np.ndarray],
    indices: np.ndarray,
    progress: Advance = unheard,
) -> DiagonalGaussian:
    """Posteriors of the pictures that `read` gives for `indices`, in batches; N rows on the CPU. `model` is one of
    torch's (`TrainedModel`)."""
    import torch

    from facette.model.posterior import DiagonalGaussian

    means, scales = [], []
    for start in range(0, len(indices), BATCH):
        posterior = model.encode(read(indices[start : start + BATCH]))
        means.append(posterior.mean)
        scales.append(posterior.scale)
        progress(len(posterior))
    if not means:
        raise DataError("there is nothing to encode: the chosen part of the data is empty.")
    return DiagonalGaussian(torch.cat(means), torch.cat(scales))


def measure_cloud(posterior: DiagonalGaussian) -> Cloud:
    """The cloud of N posteriors. Raises DataError for fewer than two."""
    if len(posterior) < FEWEST:
        raise DataError(f"a spread needs at least {FEWEST} pictures, there is {len(posterior)}.")
    means = np.asarray(posterior.mean, np.float64)
    covariance = np.cov(means.T, ddof=0).reshape(means.shape[1], -1)
    own = np.square(np.asarray(posterior.scale, np.float64)).mean(axis=0)  # (Z,)
    rate = np.asarray(posterior.rate_per_dimension(), np.float64).mean(axis=0)  # (Z,)
    return Cloud(means.mean(axis=0), covariance + np.diag(own), rate, len(posterior))


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
            f"{model.name!r} does not know where its data lie: run `facette attributes fit {model.name} DATA` first."
        )
    mean, covariance, rate = (np.asarray(model.extras[n], np.float64) for n in (MEAN, COVARIANCE, RATE))
    return Cloud(mean, covariance, rate, int(model.extras[COUNT]))
