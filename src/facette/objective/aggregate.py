"""Terms that look at a whole batch: how far the aggregate posterior q(z) = E_x q(z|x) is from what it should be.

Enters: posteriors and draws of a batch. Leaves: one number each, a total correlation in nats, a covariance penalty, a
squared distance of kernels. The recipe gives each its price, and the sum is what is minimised. The density ratio of
FactorVAE, the one term with a network of its own, is in facette.objective.discriminator.

Legend: B images of the batch, Z latents, N images of the data set.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from facette.model.posterior import LOG_2PI, DiagonalGaussian


def total_correlation(
    posterior: DiagonalGaussian,
    z: Tensor,
    images: int,
    estimate: Literal["weighted", "stratified"] = "stratified",
) -> Tensor:
    """KL(q(z) ‖ Π q(z_j)), () nats: what the latents know of each other (arXiv 1802.04942, eq. 2 and appendix C).

    posterior (B, Z) and one draw z (B, Z) of each row; `images` is N. `weighted` takes q(z) as the mean of the batch's
    posteriors: the paper's minibatch-weighted sampling up to a constant, (Z − 1) · log N, which moves no
    weight. `stratified` weighs them so that q(z) is unbiased for draws without replacement. The logarithm of
    either is biased, least where B is large.
    """
    log_q = _log_densities(posterior, z)  # (B, B, Z): row i is a draw, column j a posterior
    weights = _log_weights(len(z), images, estimate, log_q)[:, :, None]
    joint = torch.logsumexp(weights[:, :, 0] + log_q.sum(2), 1)  # (B,) log q(z)
    single = torch.logsumexp(weights + log_q, 1)  # (B, Z) log q(z_j)
    return (joint - single.sum(1)).mean()


def _log_densities(posterior: DiagonalGaussian, z: Tensor) -> Tensor:
    """log q(z_i's latent | x_j), (B, B, Z)."""
    scale = posterior.scale[None]
    return -0.5 * ((z[:, None] - posterior.mean[None]) / scale) ** 2 - scale.log() - 0.5 * LOG_2PI


def _log_weights(batch: int, images: int, estimate: str, like: Tensor) -> Tensor:
    """Logarithm of how much posterior j counts for draw i, (B, B); each row of weights adds up to 1."""
    images = max(images, batch)
    if estimate == "weighted" or batch < 2:
        return like.new_full((batch, batch), -math.log(batch))
    others = batch - 1
    weights = like.new_full((batch, batch), 1 / others)
    rows = torch.arange(batch, device=like.device)
    weights[rows, rows] = 1 / images  # the image that z was drawn of
    weights[rows, (rows + 1) % batch] = (images - others) / (images * others)
    return weights.log()


def covariance_penalty(
    posterior: DiagonalGaussian, kind: Literal["i", "ii"], off_diagonal: float, diagonal: float
) -> Tensor:
    """λ_od Σ_{i≠j} C_ij² + λ_d Σ_i (C_ii − 1)², () (DIP-VAE, arXiv 1711.00848, eqs. 6 and 7).

    C (Z, Z) is the batch's covariance of the means (I), or of draws, Cov(μ) + E[diag σ²] (II). Its prices are in nats
    per squared unit of covariance.
    """
    centred = posterior.mean - posterior.mean.mean(0)
    covariance = centred.T @ centred / len(centred)
    if kind == "ii":
        covariance = covariance + torch.diag((posterior.scale**2).mean(0))
    own = covariance.diagonal()
    apart = (covariance**2).sum() - (own**2).sum()
    return off_diagonal * apart + diagonal * ((own - 1) ** 2).sum()


def maximum_mean_discrepancy(
    z: Tensor, prior: Tensor, kernel: Literal["rbf", "imq"] = "rbf", bandwidth: float = 1.0
) -> Tensor:
    """Squared distance of two samples in the space of a kernel, (), from 0 (the same sample) to 2.

    z (B, Z) draws of q(z), prior (M, Z) draws of p(z). With d² the squared distance of two points and
    h = 2 · Z · bandwidth², which at bandwidth 1 is the mean of d² under the standard normal: `rbf` is exp(−d² / h)
    (InfoVAE, arXiv 1706.02262), `imq` h / (h + d²), whose tails still pull far points (arXiv 1711.01558, section 4).
    Means over all pairs, a point with itself among them.
    """
    scale = 2 * z.shape[1] * bandwidth**2

    def mean_kernel(a: Tensor, b: Tensor) -> Tensor:
        squared = (a[:, None] - b[None]).square().sum(2)
        return ((-squared / scale).exp() if kernel == "rbf" else scale / (scale + squared)).mean()

    return mean_kernel(z, z) + mean_kernel(prior, prior) - 2 * mean_kernel(z, prior)
