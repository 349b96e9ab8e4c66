"""What a model says about the probability of data: bounds on log p(x), and which latent units carry them.

Enters: a VAE and data `(N, …)` in the model's own range. Leaves: nats per datum, or bits per dimension.
Knows nothing of files or pictures.

Legend: N data, Z latents, D dimensions of one datum, K importance samples.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from facette.errors import UsageError
from facette.model.posterior import DiagonalGaussian
from facette.model.vae import VAE
from facette.objective import log_likelihood
from facette.progress import Advance, unheard
from facette.runtime import wide

ACTIVE_ABOVE = 0.01  # variance of a unit's posterior mean over the data; Burda et al. 2015 (arXiv 1509.00519)
WHITE = 255  # the largest value of an 8-bit picture


@torch.no_grad()
def importance_weighted_bound(
    vae: VAE,
    x: Tensor,
    *,
    samples: int,
    generator: torch.Generator,
    at_once: int = 256,
    advance: Advance = unheard,
) -> Tensor:
    """log of the mean of K importance weights p(x|z) p(z) / q(z|x): between the elbo and log p(x), tight as K grows.

    Returns (N,) nats. Source: Burda et al. 2015 (arXiv 1509.00519). Never more than `at_once` data are decoded at
    the same time, so memory does not grow with K. With `samples=1` this is the sampled elbo. `advance` is told after
    every round how many of the N · K were decoded.
    """
    if samples < 1 or at_once < 1:
        raise UsageError(f"the bound needs at least one sample at a time, got {samples} and {at_once}.")
    parts = x.split(at_once)
    return torch.cat([_weighted(vae, part, samples, generator, at_once, advance) for part in parts])


def _weighted(
    vae: VAE,
    x: Tensor,
    samples: int,
    generator: torch.Generator,
    at_once: int,
    advance: Advance,
) -> Tensor:
    posterior = vae.encode(x)
    total = torch.full((len(x),), -math.inf, dtype=torch.float64)  # log of the sum of weights so far
    for count in _rounds(samples, at_once // len(x)):
        z = torch.stack([posterior.sample(generator=generator) for _ in range(count)])  # (k, N, Z)
        log_posterior = torch.stack([posterior.log_prob(draw) for draw in z])  # (k, N)
        flat = z.flatten(0, 1)  # (k·N, Z)
        seen = x.repeat(count, *[1] * (x.ndim - 1))  # (k·N, …)
        prior = vae.prior.log_prob(flat[:, : vae.latent])
        log_joint = log_likelihood(vae, seen, vae.decoder(flat).float()) + prior
        log_weights = wide(log_joint).view(count, len(x)).cpu() - wide(log_posterior).cpu()
        total = torch.logaddexp(total, torch.logsumexp(log_weights, dim=0))
        advance(len(flat))
    return total - math.log(samples)


def _rounds(samples: int, size: int) -> Iterator[int]:
    """How many samples to draw in each round so that they add up to all of them."""
    for start in range(0, samples, size):
        yield min(size, samples - start)


def dequantise(x: Tensor, low: float, high: float, generator: torch.Generator, white: int = WHITE) -> Tensor:
    """Spread each value evenly over its own bin: x + (u − ½)·(high − low)/white, u uniform in [0, 1); `white`
    is the largest value, 255 of 8 bits.

    The bins are centred on the values, so the outermost reach half a step outside of [low, high].
    Source: Theis et al. 2016 (arXiv 1511.01844), section 3.1.
    """
    noise = torch.rand(x.shape, generator=generator, device=generator.device).to(x.device)  # shaped as x
    return x + (noise - 0.5) * ((high - low) / white)


def bits_per_dimension(
    log_density: Tensor, dimensions: int | Tensor, low: float, high: float, white: int = WHITE
) -> Tensor:
    """Bits needed for each value of a picture, from a log-density (nats) of its dequantised values; `dimensions`: how
    many values there are, of all pictures or of each (N,).

    A picture y of levels 0…white, 255 of 8 bits, enters the model as x = low + (high − low)·y/white, so one level is
    the width w = (high − low)/white of x, and a density of x is 1/w times one of y. With uniform dequantisation
    log P(y) ≥ E_u[log p_x(x + (u − ½)w)] + D·log w, hence

        bits per dimension = −log p_x / (D·ln 2) − log2 w.

    A lower bound on the density gives an upper bound on the bits; 8 is what storing plain bytes costs.
    """
    width = (high - low) / white
    return -log_density / (dimensions * math.log(2)) - math.log2(width)


def bits_of_levels(log_probability: Tensor, dimensions: int | Tensor) -> Tensor:
    """Bits needed for each value of an 8-bit picture, from a log-probability (nats) of its levels; 8 is what storing
    plain bytes costs."""
    return -log_probability / (dimensions * math.log(2))


def rate_per_unit(posterior: DiagonalGaussian) -> Tensor:
    """Mean KL of each latent unit from a standard normal over the data: (Z,) nats."""
    return posterior.rate_per_dimension().mean(dim=0)


def activity(means: Tensor) -> Tensor:
    """Variance of each unit's posterior mean over the data, Cov_x(E[z]): (N, Z) → (Z,)."""
    if len(means) < 2:
        raise UsageError(
            f"active units are counted over at least 2 data, there is {len(means)}: evaluate more."
        )
    return means.var(dim=0)


def active_units(means: Tensor, above: float = ACTIVE_ABOVE) -> int:
    """How many latent units react to the data: those of activity above 0.01 (Burda et al. 2015)."""
    return int((activity(means) > above).sum())
