"""What all posteriors say together: the rate taken apart into what tells pictures apart and what misfits the prior.

Enters: posteriors of M data as arrays, and one draw of z from each. Leaves: nats. Knows no model and no data.

The mean rate is a sum of three parts, each ≥ 0 (Hoffman and Johnson 2016, "ELBO surgery"; Chen et al., arXiv
1802.04942, equation 2):

    rate = mutual information + total correlation + KL of the single latents = I(x; z) + KL(q(z) ‖ p(z))

q(z) is the mean posterior over all N data. With M of them it is estimated without bias by giving the datum that z
was drawn from the weight 1/N and the others (N − 1)/(N (M − 1)) each: stratified sampling (the same paper, S.4,
averaged over which datum stands for the rest). The mutual information of N data is never above log N: a model whose
latents tell all of them apart reaches that ceiling, and then N says more about the figure than the model does.

Legend: M data at hand of N, Z latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from facette.errors import UsageError
from facette.model.posterior import LOG_2PI, DiagonalGaussian

NUMBERS_AT_ONCE = 2**22  # of the (rows, M, Z) table of densities: 32 MB


@dataclass(frozen=True, slots=True)
class Surgery:
    """The mean rate from a standard normal, taken apart; nats per datum."""

    rate: float  # the sum of the three below, from the same draws
    mutual_information: float  # I(x; z), at most log N up to noise
    total_correlation: float  # KL(q(z) ‖ Π q(z_d)): what the latents say twice
    single_latents: float  # Σ KL(q(z_d) ‖ N(0, 1))
    ceiling: float  # log N

    @property
    def marginal_kl(self) -> float:
        """KL(q(z) ‖ p(z)): how far the latents of real data, all together, are from the standard normal."""
        return self.total_correlation + self.single_latents


def take_apart(posterior: DiagonalGaussian, z: Tensor, total: int | None = None) -> Surgery:
    """The parts of the mean rate, from one draw z (M, Z) of each of the M posteriors; `total` is N, M if not given.

    Raises UsageError for fewer than 2 data, or N below M.
    """
    count = len(z)
    total = count if total is None else total
    if count < 2 or total < count:
        raise UsageError(
            f"{count} of {total} data: the parts of the rate need at least 2, and no more than all."
        )
    mean, scale, z = posterior.mean.double(), posterior.scale.double(), z.double()
    joint, product = _aggregate(mean, scale, z, _log_weights(count, total))  # (M,), (M,)
    own = DiagonalGaussian(mean, scale).log_prob(z)
    prior = (-0.5 * z**2 - 0.5 * LOG_2PI).sum(dim=1)
    return Surgery(
        rate=float((own - prior).mean()),
        mutual_information=float((own - joint).mean()),
        total_correlation=float((joint - product).mean()),
        single_latents=float((product - prior).mean()),
        ceiling=math.log(total),
    )


def _log_weights(count: int, total: int) -> tuple[float, float]:
    """Logarithms of the weights of a draw's own posterior and of every other one."""
    return -math.log(total), math.log((total - 1) / (total * (count - 1)))


def _aggregate(
    mean: Tensor, scale: Tensor, z: Tensor, log_weights: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """log q(z) and Σ log q(z_d) of every draw: (M,) each."""
    count, latents = z.shape
    rows = max(1, NUMBERS_AT_ONCE // (count * latents))
    constant = -scale.log() - 0.5 * LOG_2PI  # (M, Z)
    joint, product = [], []
    for start in range(0, count, rows):
        part = z[start : start + rows]  # (n, Z)
        single = constant - 0.5 * ((part[:, None] - mean) / scale) ** 2  # (n, M, Z) log q(z_d | x_m)
        weights = torch.full((len(part), count), log_weights[1], dtype=torch.float64)
        places = torch.arange(len(part))
        weights[places, places + start] = log_weights[0]
        joint.append(torch.logsumexp(weights + single.sum(dim=2), dim=1))
        product.append(torch.logsumexp(weights[..., None] + single, dim=1).sum(dim=1))
    return torch.cat(joint), torch.cat(product)
