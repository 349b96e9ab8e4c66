"""q(z|x): a diagonal Gaussian over the latents.

A latent whose σ is 0 is known, as a condition is: it costs no rate and has no density.

Enters: the encoder's raw output (N, 2Z). Leaves: mean, scale, samples, and rates in nats.
Shapes: N images, Z latents.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

# exp(±10) in the variance: beyond it float32 sums lose the rate; reported by the doctor when reached.
LOG_VARIANCE_LIMIT = 10.0
LOG_2PI = math.log(2 * math.pi)


@dataclass(frozen=True, slots=True)
class DiagonalGaussian:
    """N(mean, diag(scale²)), one row per image."""

    mean: Tensor  # (N, Z)
    scale: Tensor  # (N, Z), the standard deviation σ > 0

    @classmethod
    def from_raw(cls, raw: Tensor, kind: Literal["log-variance", "softplus"]) -> DiagonalGaussian:
        """Split the encoder's (N, 2Z) into mean and scale. `softplus`: σ² = softplus(raw / 2)."""
        mean, rest = raw.float().chunk(2, dim=1)  # (N, Z) each
        if kind == "softplus":
            return cls(mean, F.softplus(rest / 2).clamp_min(math.exp(-2 * LOG_VARIANCE_LIMIT)).sqrt())
        return cls(mean, (rest.clamp(-LOG_VARIANCE_LIMIT, LOG_VARIANCE_LIMIT) / 2).exp())

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def log_variance(self) -> Tensor:
        return 2 * self.scale.log()

    def sample(self, generator: torch.Generator | None = None, noise: Tensor | None = None) -> Tensor:
        """z = μ + σ·ε, (N, Z). Give either the generator that draws ε or ε itself."""
        if noise is None:
            noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype)
        return self.mean + self.scale * noise.to(self.mean.device)

    def rate_per_dimension(self) -> Tensor:
        """KL(q ‖ N(0, I)) of every latent dimension, (N, Z), in nats."""
        known = self.scale == 0
        mean, scale = self.mean.masked_fill(known, 0), self.scale.masked_fill(known, 1)
        return 0.5 * (mean**2 + scale**2 - 1) - scale.log()

    def kl_standard_normal(self) -> Tensor:
        """KL(q ‖ N(0, I)), (N,), in nats."""
        return self.rate_per_dimension().sum(1)

    def log_prob(self, z: Tensor) -> Tensor:
        """log q(z|x), (N,), in nats."""
        known = self.scale == 0
        scale = self.scale.masked_fill(known, 1)
        density = -0.5 * ((z - self.mean) / scale) ** 2 - scale.log() - 0.5 * LOG_2PI
        return density.masked_fill(known, 0).sum(1)

    def inferred(self) -> DiagonalGaussian:
        """Without the latents that are known for every image."""
        unsure = (self.scale > 0).any(0)
        return self if bool(unsure.all()) else DiagonalGaussian(self.mean[:, unsure], self.scale[:, unsure])

    def first(self, count: int) -> DiagonalGaussian:
        """Of the first so many latents."""
        return DiagonalGaussian(self.mean[:, :count], self.scale[:, :count])

    def repeated(self, times: int) -> DiagonalGaussian:
        """Every row `times` times in turn: the posterior of that many draws of each datum."""
        return DiagonalGaussian(self.mean.repeat_interleave(times, 0), self.scale.repeat_interleave(times, 0))

    def __getitem__(self, index: slice | Tensor) -> DiagonalGaussian:
        return DiagonalGaussian(self.mean[index], self.scale[index])
