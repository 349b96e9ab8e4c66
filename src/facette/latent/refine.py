"""A closer likeness: gradient steps on one photo's own evidence lower bound.

Enters: a loaded model and pictures. Leaves: for each a posterior that fits it better than the encoder's guess.
The encoder is asked to serve every picture at once; a few steps on the mean and the scale of q(z|x) alone close
part of what that costs (semi-amortised inference, Kim et al., arXiv 1802.02550). The network stays as it is. Where the
model's recipe weighs the likelihood by place, so does this: a face gains more than what surrounds it.

Legend: N pictures, Z latents, K draws.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from facette.errors import UsageError
from facette.model.posterior import DiagonalGaussian
from facette.model.trained import TrainedModel
from facette.model.vae import VAEOutput
from facette.objective import elbo_terms, focus_weights
from facette.progress import Advance, unheard

DRAWS = 2  # pairs ±ε for each step
JUDGES = 8  # pairs ±ε for the bound before and after; never used for a step
RATE = 0.1  # Adam's, for means in units of the encoder's σ … and the logarithm of the scale


@dataclass(frozen=True, slots=True)
class Refined:
    """Posteriors after the steps, and what they gained."""

    posterior: DiagonalGaussian  # (N, Z), on the CPU
    steps: int
    elbo_before: Tensor  # (N,) nats, with the recipe's weights by place
    elbo_after: Tensor  # (N,) nats, never below: pictures that gained nothing keep the encoder's posterior


def refine(
    model: TrainedModel,
    pictures: np.ndarray,
    steps: int,
    *,
    seed: int = 0,
    rate: float = RATE,
    progress: Advance = unheard,
) -> Refined:
    """Improves q(z|x) of every picture (uint8, N×S×S×3, or ×4 with a mask) by `steps` steps of Adam on its ELBO.

    Before and after are measured with the same draws, which no step has seen. `progress(1)` is called after every step.
    Raises UsageError for a number of
    steps below 1.
    """
    if steps < 1:
        raise UsageError(f"refining takes at least 1 step, got {steps}.")
    device = model.device
    x = model.to_model(pictures)  # (N, 3, S, S)
    first = model.encode(pictures)
    # Copies: what comes out of inference mode cannot be differentiated.
    mean, scale = first.mean.clone().to(device), first.scale.clone().to(device)
    draws = torch.Generator().manual_seed(seed)
    judges = _pairs(JUDGES, mean, draws)
    shift = torch.zeros_like(mean, requires_grad=True)
    stretch = torch.zeros_like(mean, requires_grad=True)
    optimizer = torch.optim.Adam([shift, stretch], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps, eta_min=rate / 20)

    def posterior() -> DiagonalGaussian:
        return DiagonalGaussian(mean + shift, scale * stretch.exp())

    before = _elbo(model, x, DiagonalGaussian(mean, scale), judges).detach()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = -_elbo(model, x, posterior(), _pairs(DRAWS, mean, draws)).sum()
        loss.backward()
        optimizer.step()
        schedule.step()
        progress(1)
    with torch.no_grad():
        last = posterior()
        after = _elbo(model, x, last, judges)
        better = (after > before).unsqueeze(1)  # (N, 1)
        kept = DiagonalGaussian(
            torch.where(better, last.mean, mean).cpu(), torch.where(better, last.scale, scale).cpu()
        )
        return Refined(kept, steps, before.cpu(), torch.maximum(after, before).cpu())


def _elbo(model: TrainedModel, x: Tensor, posterior: DiagonalGaussian, noise: Tensor) -> Tensor:
    """The bound of every picture, (N,) nats, averaged over the draws `noise` (K, N, Z)."""
    spec, vae = model.recipe.objective.focus, model.vae
    focus = None if spec is None else focus_weights(spec, vae.core).to(x.device)
    bounds = []
    for epsilon in noise:
        z = posterior.sample(noise=epsilon)  # (N, Z)
        output = VAEOutput(posterior, z, vae.decoder(z).float())
        bounds.append(elbo_terms(vae, x, output, focus=focus).weighted_elbo)
    return torch.stack(bounds).mean(0)


def _pairs(count: int, like: Tensor, draws: torch.Generator) -> Tensor:
    """`count` draws of ε and their opposites, (2·count, N, Z): half the variance for the same work."""
    noise = torch.randn(count, *like.shape, generator=draws).to(like.device)
    return torch.cat([noise, -noise])
