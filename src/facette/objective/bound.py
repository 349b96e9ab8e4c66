"""The evidence lower bound, and the weights that a recipe may put on its two terms.

Enters: a VAE and a batch. Leaves: distortion and rate per image, in nats, summed over the pixels that were seen and
over latents, so that β = 1 is the bound itself whatever the size of the picture. Knows nothing of the terms that look
at the whole batch; those are in facette.objective.aggregate.

Legend: N images, K draws of z for each, Z latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from facette.model.band import reduced, split_mask
from facette.model.likelihood import LocationScaleLikelihood, Scales
from facette.model.vae import VAE, VAEOutput
from facette.recipe import FocusSpec


class FeatureNetwork(Protocol):
    """A network of who: pictures (N, 3, s, s) in [−1, 1] to features (N, F) of unit length."""

    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Elbo:
    """The two terms of the bound; `elbo` is log p(x) from below."""

    distortion: Tensor  # (N,) nats, −log p(x|z) at one draw of z, or the mean over several
    rate: Tensor  # (N,) nats, KL(q(z|x) ‖ p(z))
    rate_per_dimension: Tensor  # (N, Z) nats, KL to the standard normal, for diagnosis and free bits
    # (N,) nats, the same with weights by place, where there are any
    weighted_distortion: Tensor | None = None
    log_weights: Tensor | None = None  # (N, K) nats, log p(x|z) p(z) / q(z|x) of each draw, where asked for

    @property
    def elbo(self) -> Tensor:
        return -(self.distortion + self.rate)

    @property
    def weighted_elbo(self) -> Tensor:
        """The bound with its distortion weighted by place; the bound itself where nothing is weighted."""
        distortion = self.distortion if self.weighted_distortion is None else self.weighted_distortion
        return -(distortion + self.rate)


def elbo_terms(
    vae: VAE,
    x: Tensor,
    output: VAEOutput,
    fit_sigma: bool | Scales = False,
    focus: Tensor | None = None,
    importance_beta: float | None = None,
) -> Elbo:
    """Distortion and rate of a batch that has passed through the model, over the pixels that were seen.

    x is at the input's size or at the core's, with a mask or without. `focus` (1, 1, s, s) weighs the places.
    `fit_sigma` is for training steps: true fits an `optimal` σ to this batch, `Scales` were fitted before. With
    `importance_beta`, the log weight of each of the K draws comes too, its rate times that β (1: the bound's own).
    """
    draws = len(output.z) // len(output.posterior)
    target, seen = seen_target(vae, x)
    target, seen = target.repeat_interleave(draws, 0), _repeated(seen, draws)
    posterior = output.posterior if draws == 1 else output.posterior.repeated(draws)
    distortion = -vae.likelihood.log_prob(target, output.decoded, seen, fit_sigma)  # (N·K,)
    weighted = None
    if focus is not None:
        weight = focus if seen is None else focus * seen
        weighted = -vae.likelihood.weighted_log_prob(target, output.decoded, weight, fit_sigma)
    log_weights = None
    if importance_beta is not None:
        rate = posterior.log_prob(output.z) - vae.prior.log_prob(output.z)
        log_weights = -(distortion if weighted is None else weighted) - importance_beta * rate
        log_weights = log_weights.view(-1, draws)
    rate = vae.prior.rate(posterior, output.z)
    return Elbo(
        distortion=_mean_of_draws(distortion, draws),
        rate=_mean_of_draws(rate, draws),
        rate_per_dimension=output.posterior.rate_per_dimension(),
        weighted_distortion=None if weighted is None else _mean_of_draws(weighted, draws),
        log_weights=log_weights,
    )


@torch.no_grad()
def scale_sums(vae: VAE, x: Tensor, output: VAEOutput, focus: Tensor | None = None) -> list[Tensor]:
    """What an `optimal` σ is fitted to, (2,), and its like under weights by place where there are any, of one part of a
    batch; the sums of all parts are for the likelihood's `fit`. Empty for other likelihoods."""
    likelihood = vae.likelihood
    if not isinstance(likelihood, LocationScaleLikelihood) or likelihood.mode != "optimal":
        return []
    draws = len(output.z) // len(output.posterior)
    target, seen = seen_target(vae, x)
    target, seen = target.repeat_interleave(draws, 0), _repeated(seen, draws)
    sums = [likelihood.measured(target, output.decoded, seen)]
    if focus is not None:
        weight = focus if seen is None else focus * seen
        sums.append(likelihood.measured(target, output.decoded, weight))
    return sums


def _repeated(tensor: Tensor | None, times: int) -> Tensor | None:
    return None if tensor is None else tensor.repeat_interleave(times, 0)


def _mean_of_draws(values: Tensor, draws: int) -> Tensor:
    return values if draws == 1 else values.view(-1, draws).mean(1)


def seen_target(vae: VAE, x: Tensor) -> tuple[Tensor, Tensor | None]:
    """What the likelihood is asked about: pictures at the core's size with what was seen of them, or vectors."""
    return split_mask(reduced(x, vae.core, vae.channels), vae.channels) if x.ndim == 4 else (x, None)


def log_likelihood(vae: VAE, x: Tensor, decoded: Tensor) -> Tensor:
    """log p(x|z) of each datum, (N,) nats, over the pixels that were seen; x at the input's size or at the core's."""
    target, seen = seen_target(vae, x)
    return vae.likelihood.log_prob(target, decoded, seen)


def focus_weights(spec: FocusSpec, core: tuple[int, int]) -> Tensor:
    """The weight of every pixel of that (height, width), (1, 1, h, w), with mean 1: in the ellipse `spec.weight` times
    that far away."""
    down, across = ((torch.arange(side) + 0.5) / side for side in core)
    (x, y), (a, b) = spec.centre, spec.half_axes
    radius = (((across - x) / a) ** 2 + ((down - y) / b)[:, None] ** 2).sqrt()  # 1 on the ellipse
    weights = 1 + (spec.weight - 1) * torch.sigmoid((1 - radius) / (spec.softness / 4))
    return (weights / weights.mean())[None, None]


def identity_distance(network: FeatureNetwork, x: Tensor, drawn: Tensor, seen: Tensor | None) -> Tensor:
    """1 − cosine between the features of who is in the pictures and in what was drawn of them, (N,), 0 to 2.

    x and drawn (N, 3, s, s) in [−1, 1]. What was not seen of a picture is filled with what was drawn, so that it costs
    nothing. The gradient reaches `drawn` alone.
    """
    with torch.no_grad():
        target = network(x if seen is None else torch.where(seen > 0, x, drawn))
    return 1 - (network(drawn) * target).sum(1)


def rate_price(
    rate: Tensor,
    rate_per_dimension: Tensor,
    beta: float,
    free_bits: float = 0.0,
    capacity: float | None = None,
) -> Tensor:
    """What the rates of a whole batch cost, () nats per image: β · mean rate, unless the recipe asks for one of two.

    rate (B,), rate_per_dimension (B, Z). Free bits λ > 0: the batch mean rate of every latent dimension costs at least
    λ (arXiv 1606.04934, eq. 15), defined for the closed-form rate to the standard normal. A capacity C in nats:
    β · |mean rate − C|, where β is the paper's γ (arXiv 1804.03599, eq. 8).
    """
    if free_bits > 0:
        return beta * rate_per_dimension.mean(0).clamp_min(free_bits).sum()
    if capacity is not None:
        return beta * (rate.mean() - capacity).abs()
    return beta * rate.mean()


def weighted_loss(terms: Elbo, beta: float, free_bits: float = 0.0, capacity: float | None = None) -> Tensor:
    """The batch mean of distortion + β · rate, in nats per image; the distortion is the weighted one where there is
    one, and the rate costs what `rate_price` says."""
    distortion = terms.distortion if terms.weighted_distortion is None else terms.weighted_distortion
    return distortion.mean() + rate_price(terms.rate, terms.rate_per_dimension, beta, free_bits, capacity)


def importance_bound(log_weights: Tensor) -> Tensor:
    """log of the mean of K importance weights, (N, K) → (N,) nats: between the bound and log p(x), and the bound
    itself at K = 1 (IWAE, arXiv 1509.00519, eq. 8)."""
    return torch.logsumexp(log_weights, 1) - math.log(log_weights.shape[1])


def importance_loss(log_weights: Tensor) -> Tensor:
    """What IWAE minimises, () nats per image: minus the mean bound. Its gradient is that of the log weights, each in
    proportion to its weight (arXiv 1509.00519, eq. 14)."""
    return -importance_bound(log_weights).mean()
