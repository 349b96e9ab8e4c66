"""The one sum that a run minimises, term by term, in nats per image.

Enters: what a VAE computed of (a part of) a batch, and the recipe's section [objective]. Leaves: the loss, and each
term that was asked for, unweighted, under its name. A term is here when its section stands in the recipe.

Most terms are means over images. Those of the aggregate posterior, and a rate with free bits or a capacity, need the
whole batch: they are given `WholeBatch`, which may hold more rows than the part that is computed.

Legend: N images of the part, B of the whole batch, Z latents.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from facette.model.posterior import DiagonalGaussian
from facette.model.vae import VAEOutput
from facette.objective.aggregate import (
    covariance_penalty,
    maximum_mean_discrepancy,
    total_correlation,
)
from facette.objective.bound import Elbo, importance_loss, rate_price
from facette.objective.discriminator import Discriminator
from facette.objective.schedule import draw_noise
from facette.recipe import ObjectiveSpec


@dataclass(frozen=True, slots=True)
class WholeBatch:
    """The aggregate posterior as a batch shows it."""

    posterior: DiagonalGaussian  # (B, Z)
    z: Tensor  # (B, Z), one draw of each row
    rate: Tensor  # (B,) nats

    @classmethod
    def of(cls, terms: Elbo, output: VAEOutput) -> WholeBatch:
        """Of what was computed at once; of several draws the first."""
        draws = len(output.z) // len(output.posterior)
        return cls(output.posterior, output.z[::draws], terms.rate)


@dataclass(frozen=True, slots=True)
class Total:
    """The sum, and what it is made of."""

    local: Tensor  # () nats per image: what images cost one by one, times the part's share of the batch
    joint: Tensor  # () nats per image: what the whole batch costs
    terms: dict[str, Tensor] = field(default_factory=dict)  # () each, without their weights

    @property
    def loss(self) -> Tensor:
        """() nats per image."""
        return self.local + self.joint


def total_objective(
    spec: ObjectiveSpec,
    terms: Elbo,
    whole: WholeBatch,
    *,
    beta: float,
    capacity: float | None,
    images: int,
    share: float = 1.0,
    discriminator: Discriminator | None = None,
    generator: torch.Generator | None = None,
) -> Total:
    """Distortion + price of the rate + every further term at its weight.

    `images` is the size of the data set, `generator` draws the prior's side of the discrepancy. `share` is that of the
    part in the whole batch, 1 where the batch is computed at once; the local costs of parts add up.
    """
    named: dict[str, Tensor] = {}
    if terms.log_weights is not None:
        # the rate is in the weights
        local, joint = importance_loss(terms.log_weights), terms.rate.new_zeros(())
    else:
        distortion = terms.distortion if terms.weighted_distortion is None else terms.weighted_distortion
        per_dimension = whole.posterior.rate_per_dimension()
        local, joint = (
            distortion.mean(),
            rate_price(whole.rate, per_dimension, beta, spec.free_bits, capacity),
        )
    if (term := spec.total_correlation) is not None:
        if term.estimate == "discriminator":
            assert discriminator is not None
            named["total_correlation"] = discriminator(whole.z).mean()
        else:
            named["total_correlation"] = total_correlation(whole.posterior, whole.z, images, term.estimate)
        joint = joint + term.weight * named["total_correlation"]
    if (term := spec.dip) is not None:
        named["dip"] = covariance_penalty(whole.posterior, term.kind, term.off_diagonal, term.diagonal)
        joint = joint + named["dip"]
    if (term := spec.mmd) is not None:
        assert generator is not None
        prior = draw_noise(len(whole.z), whole.z.shape[1], generator).to(whole.z)
        named["mmd"] = maximum_mean_discrepancy(whole.z, prior, term.kernel, term.bandwidth)
        joint = joint + term.weight * named["mmd"]
    return Total(share * local, joint, named)
