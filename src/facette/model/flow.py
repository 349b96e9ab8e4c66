"""A prior that bends: a standard normal pushed through invertible layers, learned together with the model.

Enters: latents z (N, Z). Leaves: log densities in nats and samples, as every prior of `prior.py`; what inverts the
layers to draw is `draws.uncouple`. The layers are couplings with rational-quadratic splines (neural spline flows, arXiv
1906.04032), a fixed rotation before each. It does not know where latents come from.

Legend: N latent vectors, Z latents, T transformed latents of a layer, B bins of a spline.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from facette.model.blocks import begin_at_zero
from facette.model.draws import BOUND, FLAT, SMALLEST, FlowDraws
from facette.model.prior import Prior, arrays_of, normal_values, standard_normal_log_prob


class FlowPrior(Prior):
    """The density of z = f⁻¹(u), u ~ N(0, I), with f a chain of spline couplings; N(0, I) itself at first.

    Args:
        latent: Z ≥ 2 (a coupling needs something to look at).
        layers: couplings, each followed in turn by one that transforms the other half.
        width: of the two hidden layers of each coupling's network.
        bins: B, pieces of each spline.
        seed: of the fixed rotations between the layers.
    """

    turns: Tensor  # (layers, Z, Z) orthogonal

    def __init__(
        self, latent: int, *, layers: int = 6, width: int = 64, bins: int = 8, seed: int = 0
    ) -> None:
        super().__init__()
        self.latent = latent
        self.couplings = nn.ModuleList(SplineCoupling(latent, width, bins) for _ in range(layers))
        self.log_scale = nn.Parameter(torch.zeros(latent))  # (Z,) brings z to the splines' interval
        self.shift = nn.Parameter(torch.zeros(latent))
        generator = torch.Generator().manual_seed(seed)
        turns = torch.linalg.qr(normal_values(layers, latent, latent, generator=generator)).Q
        self.register_buffer("turns", turns)

    def log_prob(self, z: Tensor) -> Tensor:
        u = (z - self.shift) * torch.exp(-self.log_scale)  # (N, Z)
        log_volume = -self.log_scale.sum().expand(len(z))
        for turn, coupling in zip(self.turns, self.couplings, strict=True):
            u, gained = coupling(u @ turn)
            log_volume = log_volume + gained
        return standard_normal_log_prob(u) + log_volume

    def draws(self) -> FlowDraws:
        return FlowDraws.of_state(arrays_of(self), self.latent)


class SplineCoupling(nn.Module):
    """Transforms the second part of a vector by splines whose knots a network reads off the first part."""

    def __init__(self, latent: int, width: int, bins: int) -> None:
        super().__init__()
        self.kept, self.bins = latent // 2, bins
        self.moved = latent - self.kept  # T
        last = nn.Linear(width, self.moved * (3 * bins - 1))
        begin_at_zero(last)  # starts as the identity
        self.network = nn.Sequential(
            nn.Linear(self.kept, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(), last
        )

    def forward(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Transformed vectors (N, Z) and the log volume gained (N,)."""
        kept, moved = u[:, : self.kept], u[:, self.kept :]
        moved, log_slope = self._knots(kept).transform(moved)
        return torch.cat([kept, moved], dim=1), log_slope.sum(dim=1)

    def _knots(self, kept: Tensor) -> Knots:
        raw = self.network(kept).view(len(kept), self.moved, 3 * self.bins - 1)
        widths, heights, slopes = raw.split([self.bins, self.bins, self.bins - 1], dim=2)
        return Knots.from_raw(widths, heights, slopes)


@dataclass(frozen=True, slots=True)
class Knots:
    """Monotone rational-quadratic splines on [−BOUND, BOUND] (arXiv 1906.04032, section 3.1)."""

    x: Tensor  # (N, T, B + 1) rising
    y: Tensor  # (N, T, B + 1) rising
    slope: Tensor  # (N, T, B + 1) positive, one at both ends

    @classmethod
    def from_raw(cls, widths: Tensor, heights: Tensor, slopes: Tensor) -> Knots:
        """Knots from unconstrained numbers: widths and heights (N, T, B), inner slopes (N, T, B − 1)."""
        inner = F.softplus(slopes + FLAT) + SMALLEST
        return cls(_edges(widths), _edges(heights), F.pad(inner, (1, 1), value=1.0))

    def transform(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Spline values and log slopes at u (N, T), each (N, T)."""
        inside = u.abs() < BOUND
        left, width, bottom, height, low, high = self._bin(self.x, u)
        share = ((u - left) / width).clamp(0, 1)  # ξ
        rest = share * (1 - share)
        mean = height / width
        below = mean + (low + high - 2 * mean) * rest
        value = bottom + height * (mean * share.square() + low * rest) / below
        rise = high * share.square() + 2 * mean * rest + low * (1 - share).square()
        log_slope = 2 * mean.log() + rise.log() - 2 * below.log()
        return torch.where(inside, value, u), torch.where(inside, log_slope, torch.zeros_like(u))

    def _bin(self, edges: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Of the bin that holds `value`: its left and width, bottom and height, slopes at both ends."""
        last = edges.shape[2] - 2
        index = (value[..., None] >= edges[..., 1:-1]).sum(dim=2, keepdim=True).clamp(max=last)  # (N, T, 1)

        def at(knots: Tensor, step: int = 0) -> Tensor:
            return knots.gather(2, index + step).squeeze(2)

        left, bottom = at(self.x), at(self.y)
        return left, at(self.x, 1) - left, bottom, at(self.y, 1) - bottom, at(self.slope), at(self.slope, 1)


def _edges(raw: Tensor) -> Tensor:
    """Rising edges from −BOUND to BOUND, (N, T, B + 1), from unconstrained bin sizes (N, T, B)."""
    share = SMALLEST + (1 - SMALLEST * raw.shape[2]) * raw.softmax(dim=2)
    inner = 2 * BOUND * share.cumsum(dim=2)[..., :-1] - BOUND
    return F.pad(F.pad(inner, (1, 0), value=-BOUND), (0, 1), value=BOUND)
