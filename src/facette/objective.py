"""The evidence lower bound, and the weights that a recipe may put on its two terms.

Enters: a VAE and a batch. Leaves: distortion and rate per image, in nats, summed over pixels and latents, so that
β = 1 is the bound itself whatever the size of the picture. Schedules are pure functions of the step.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from facette.model.vae import VAE, Pass
from facette.recipe import ObjectiveSpec


@dataclass(frozen=True, slots=True)
class Elbo:
    """The two terms of the bound; `elbo` is log p(x) from below."""

    distortion: Tensor  # (N,) nats, −log p(x|z) at one draw of z
    rate: Tensor  # (N,) nats, KL(q(z|x) ‖ p(z))
    rate_per_dimension: Tensor  # (N, Z) nats, KL to the standard normal, for diagnosis and free bits

    @property
    def elbo(self) -> Tensor:
        return -(self.distortion + self.rate)


def elbo_terms(vae: VAE, x: Tensor, passed: Pass, fit_sigma: bool = False) -> Elbo:
    """Distortion and rate of a batch that has passed through the model. `fit_sigma` is for training steps."""
    distortion = -vae.likelihood.log_prob(x, passed.decoded, fit_sigma=fit_sigma)
    rate = vae.prior.rate(passed.posterior, passed.z)
    return Elbo(distortion, rate, passed.posterior.rate_per_dimension())


def weighted_loss(terms: Elbo, beta: float, free_bits: float = 0.0) -> Tensor:
    """What the optimizer minimises: the batch mean of distortion + β · rate, in nats per image.

    With free bits λ > 0, the batch mean rate of every latent dimension costs at least λ (arXiv 1606.04934,
    eq. 15), which is defined for the closed-form rate to the standard normal.
    """
    rate = terms.rate.mean()
    if free_bits > 0:
        rate = terms.rate_per_dimension.mean(0).clamp_min(free_bits).sum()
    return terms.distortion.mean() + beta * rate


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
