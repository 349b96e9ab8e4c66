"""Where a data set lies in the latent space: middle, spread, main axes, and what each latent costs.

Enters: posteriors of a set of pictures. Leaves: a `Cloud`, the first two moments of the aggregate posterior
q(z) = mean over pictures of q(z|x), kept in the model file. Knows nothing of attributes or of decoding.

Legend: N pictures, Z latents.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facette.errors import DataError, UsageError
from facette.model.posterior import DiagonalGaussian

BATCH = 256
FEWEST = 2  # pictures; fewer have no spread
MEAN, COVARIANCE, RATE, COUNT = "cloud.mean", "cloud.covariance", "cloud.rate", "cloud.count"


@dataclass(frozen=True, slots=True)
class Cloud:
    """Moments of the aggregate posterior, in float64: small eigenvalues are divided by."""

    mean: Tensor  # (Z,)
    covariance: Tensor  # (Z, Z), with the posteriors' own variance, and so never singular
    rate: Tensor  # (Z,) nats: KL(q(z|x) ‖ N(0, I)) of each latent, averaged over the pictures
    count: int  # pictures it was measured on

    @property
    def deviation(self) -> Tensor:
        """Standard deviation of each latent over the data, (Z,)."""
        return self.covariance.diagonal().sqrt()

    def axes(self) -> tuple[Tensor, Tensor]:
        """Principal directions, widest first: their variances (Z,), and unit vectors (Z, Z), one in each row.

        Each is turned so that its largest entry is positive.
        """
        variances, vectors = torch.linalg.eigh(self.covariance)
        rows = vectors.T.flip(0)
        largest = rows.gather(1, rows.abs().argmax(dim=1, keepdim=True))
        return variances.flip(0), rows * largest.sign()

    def whitening(self) -> Tensor:
        """Lower triangular L (Z, Z) with L·Lᵀ the covariance: L⁻¹(z − mean) has unit covariance."""
        return torch.linalg.cholesky(self.covariance)


def encode_set(
    model,
    read: Callable[[np.ndarray], np.ndarray],
    indices: np.ndarray,
    progress: Callable[[int], None] | None = None,
) -> DiagonalGaussian:
    """Posteriors of the pictures that `read` gives for `indices`, in batches; N rows on the CPU."""
    means, scales = [], []
    for start in range(0, len(indices), BATCH):
        posterior = model.encode(read(indices[start : start + BATCH]))
        means.append(posterior.mean)
        scales.append(posterior.scale)
        if progress is not None:
            progress(len(posterior))
    if not means:
        raise DataError("there is nothing to encode: the chosen part of the data is empty.")
    return DiagonalGaussian(torch.cat(means), torch.cat(scales))


def measure_cloud(posterior: DiagonalGaussian) -> Cloud:
    """The cloud of N posteriors. Raises DataError for fewer than two."""
    if len(posterior) < FEWEST:
        raise DataError(f"a spread needs at least {FEWEST} pictures, there is {len(posterior)}.")
    means = posterior.mean.double()
    covariance = torch.cov(means.T, correction=0).reshape(means.shape[1], -1)
    own = posterior.scale.double().square().mean(0)  # (Z,)
    rate = posterior.rate_per_dimension().double().mean(0)  # (Z,)
    return Cloud(means.mean(0), covariance + torch.diag(own), rate, len(posterior))


def cloud_tensors(cloud: Cloud) -> dict[str, Tensor]:
    """The cloud as named tensors for a model file."""
    moments = {MEAN: cloud.mean, COVARIANCE: cloud.covariance, RATE: cloud.rate}
    return {name: tensor.float() for name, tensor in moments.items()} | {COUNT: torch.tensor(cloud.count)}


def known_cloud(model) -> Cloud:
    """The cloud in the model's file. Raises UsageError for a model that has none."""
    if MEAN not in model.extras:
        raise UsageError(
            f"{model.name!r} does not know where its data lie: run `facette attributes fit {model.name} DATA` first."
        )
    mean, covariance, rate = (model.extras[name].double() for name in (MEAN, COVARIANCE, RATE))
    return Cloud(mean, covariance, rate, int(model.extras[COUNT]))
