"""How a run is doing on pictures it does not learn from.

Enters: the averaged weights and validation pictures. Leaves: the bound, unexplained variance, and which latent
units are used. Latent noise is fixed by the recipe's seed, so that two validations differ by the weights alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from facette.images.convert import to_model
from facette.model.vae import VAE
from facette.objective import draw_noise, elbo_terms
from facette.recipe import Recipe
from facette.runtime import generator
from facette.training.batches import Store

BATCH = 64
USED_ABOVE = 0.01  # nats of mean rate under which a latent unit carries nothing


@dataclass(frozen=True, slots=True)
class Validation:
    """Means over the validation pictures; nats per picture."""

    elbo: float
    distortion: float
    rate: float
    unexplained_variance: float  # MSE ÷ variance around the mean picture of the set
    used_units: int  # latent dimensions with a mean rate above 0.01 nats
    rate_per_dimension: np.ndarray  # (Z,) nats


@torch.no_grad()
def validate(vae: VAE, recipe: Recipe, store: Store, rows: np.ndarray) -> Validation:
    """Measure the weights on the given rows of the store."""
    device = next(vae.parameters()).device
    was_training = vae.training
    vae.eval()
    distortion = rate = squared = 0.0
    per_dimension = torch.zeros(recipe.model.latent, dtype=torch.float64)
    first = second = 0.0  # running sums of x and x², per value, for the variance around the mean
    draws = generator(recipe.seed, "validation")
    for start in range(0, len(rows), BATCH):
        data = store.read(rows[start : start + BATCH])
        if recipe.input.kind == "vector":
            x = torch.from_numpy(data).to(device)
        else:
            x = to_model(data, recipe.input.range, device)
        passed = vae(x, draw_noise(len(x), recipe.model.latent, draws).to(device))
        terms = elbo_terms(vae, x, passed)
        distortion += terms.distortion.double().sum().item()
        rate += terms.rate.double().sum().item()
        per_dimension += terms.rate_per_dimension.double().sum(0).cpu()
        squared += (vae.decode(passed.posterior.mean) - x).double().square().sum().item()
        first, second = first + x.double().sum(0), second + x.double().square().sum(0)
    count = len(rows)
    variance = (second - first**2 / count).sum().item()  # type: ignore[operator, union-attr]
    vae.train(was_training)
    return Validation(
        elbo=-(distortion + rate) / count,
        distortion=distortion / count,
        rate=rate / count,
        unexplained_variance=squared / max(variance, 1e-12),
        used_units=int((per_dimension / count > USED_ABOVE).sum()),
        rate_per_dimension=(per_dimension / count).numpy(),
    )
