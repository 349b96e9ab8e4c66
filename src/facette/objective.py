"""The evidence lower bound, and the weights that a recipe may put on its terms.

Enters: a VAE and a batch. Leaves: distortion and rate per image, in nats, summed over the pixels that were seen and
over latents, so that β = 1 is the bound itself whatever the size of the picture. Schedules are pure functions of the
step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from facette.model.band import reduced, split_mask
from facette.model.vae import VAE, VAEOutput
from facette.recipe import FocusSpec, ObjectiveSpec


class FeatureNetwork(Protocol):
    """A network of who: pictures (N, 3, s, s) in [−1, 1] to features (N, F) of unit length."""

    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Elbo:
    """The two terms of the bound; `elbo` is log p(x) from below."""

    distortion: Tensor  # (N,) nats, −log p(x|z) at one draw of z
    rate: Tensor  # (N,) nats, KL(q(z|x) ‖ p(z))
    rate_per_dimension: Tensor  # (N, Z) nats, KL to the standard normal, for diagnosis and free bits
    weighted_distortion: Tensor | None = (
        None  # (N,) nats, the same with weights by place, where there are any
    )

    @property
    def elbo(self) -> Tensor:
        return -(self.distortion + self.rate)

    @property
    def weighted_elbo(self) -> Tensor:
        """The bound with its distortion weighted by place; the bound itself where nothing is weighted."""
        distortion = self.distortion if self.weighted_distortion is None else self.weighted_distortion
        return -(distortion + self.rate)


def elbo_terms(
    vae: VAE, x: Tensor, output: VAEOutput, fit_sigma: bool = False, focus: Tensor | None = None
) -> Elbo:
    """Distortion and rate of a batch that has passed through the model, over the pixels that were seen.

    x is at the input's size or at the core's, with a mask or without. `focus` (1, 1, s, s) weighs the places.
    `fit_sigma` is for training steps.
    """
    target, seen = split_mask(reduced(x, vae.side) if x.ndim == 4 else x)
    distortion = -vae.likelihood.log_prob(target, output.decoded, seen, fit_sigma)
    weighted = None
    if focus is not None:
        weight = focus if seen is None else focus * seen
        weighted = -vae.likelihood.weighted_log_prob(target, output.decoded, weight, fit_sigma)
    rate = vae.prior.rate(output.posterior, output.z)
    return Elbo(distortion, rate, output.posterior.rate_per_dimension(), weighted)


def log_likelihood(vae: VAE, x: Tensor, decoded: Tensor) -> Tensor:
    """log p(x|z) of each datum, (N,) nats, over the pixels that were seen; x at the input's size or at the core's."""
    target, seen = split_mask(reduced(x, vae.side) if x.ndim == 4 else x)
    return vae.likelihood.log_prob(target, decoded, seen)


def focus_weights(spec: FocusSpec, side: int) -> Tensor:
    """The weight of every pixel, (1, 1, side, side), with mean 1: in the ellipse `spec.weight` times that far away."""
    place = (torch.arange(side) + 0.5) / side
    (x, y), (a, b) = spec.centre, spec.half_axes
    radius = (((place - x) / a) ** 2 + ((place - y) / b)[:, None] ** 2).sqrt()  # 1 on the ellipse
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


def weighted_loss(terms: Elbo, beta: float, free_bits: float = 0.0) -> Tensor:
    """What the optimizer minimises: the batch mean of distortion + β · rate, in nats per image; the distortion is the
    weighted one where there is one.

    With free bits λ > 0, the batch mean rate of every latent dimension costs at least λ (arXiv 1606.04934,
    eq. 15), which is defined for the closed-form rate to the standard normal.
    """
    rate = terms.rate.mean()
    if free_bits > 0:
        rate = terms.rate_per_dimension.mean(0).clamp_min(free_bits).sum()
    distortion = terms.distortion if terms.weighted_distortion is None else terms.weighted_distortion
    return distortion.mean() + beta * rate


def beta_at(spec: ObjectiveSpec, step: int, steps: int) -> float:
    """The KL weight at a step of a run of `steps`.

    constant: β. linear: rises from 0 to β over warmup_steps. cyclical: does so at the start of each of `cycles`
    equal parts of the run, over half a cycle when warmup_steps is 0 (arXiv 1903.10145).
    """
    match spec.schedule:
        case "constant":
            return spec.beta
        case "linear":
            return spec.beta * _ramp(step, spec.warmup_steps)
        case "cyclical":
            cycle = max(1, steps // spec.cycles)
            return spec.beta * _ramp(step % cycle, spec.warmup_steps or cycle // 2)


def _ramp(step: int, length: int) -> float:
    return 1.0 if length <= 0 else min(1.0, step / length)


def draw_noise(count: int, latent: int, generator: torch.Generator) -> Tensor:
    """Standard normal ε (count, latent), drawn on the generator's device."""
    return torch.randn(count, latent, generator=generator, device=generator.device)
