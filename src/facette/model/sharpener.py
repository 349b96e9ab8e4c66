"""The second stage: draws over a decoded mean what a mean cannot show, hair, teeth, the edge of an eyelid.

Enters: the decoder's mean (N, C, H, W) in the recipe's range, and the latents (N, Z) it was decoded from. Leaves:
sharp pictures of the same shape and range. No noise goes in: the same latents give the same picture, so a
variation changes what z changes and nothing else. Knows nothing of how it is trained (facette.training.second_stage).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from facette.model.blocks import activation, begin_at_zero, norm

CELL = 8  # pixels: the coarsest of the three resolutions sees cells of this side


class Sharpener(nn.Module):
    """A U-net of residual blocks at a half, a quarter and an eighth of the side; what it returns is added.

    With `full_width` 0 every enlargement draws each cell of 2×2 on its own. Otherwise enlarging is bilinear, and two
    convolutions of that many channels at the picture's own resolution draw the last octave: without chequers of the
    cell's size (distill.pub/2016/deconv-checkerboard).

    Latents enter as one scale and shift per channel (FiLM, arXiv 1709.07871), after being brought to unit root mean
    square, so that latents far out, such as those of a large diversity factor, cannot drive it astray.
    """

    def __init__(
        self,
        *,
        latent: int,
        widths: tuple[int, int, int],
        condition: int,
        range: Literal["unit", "symmetric"],
        channels: int = 3,
        full_width: int = 0,
    ):
        super().__init__()
        fine, middle, coarse = widths
        self.range: Literal["unit", "symmetric"] = range
        self.condition = nn.Linear(latent, condition)
        self.stem = nn.Conv2d(channels * 4, fine, 3, padding=1)
        self.down1 = _Conditioned(fine, condition)
        self.shrink1 = nn.Conv2d(fine, middle, 2, 2)
        self.down2 = _Conditioned(middle, condition)
        self.shrink2 = nn.Conv2d(middle, coarse, 2, 2)
        self.bottom = nn.ModuleList([_Conditioned(coarse, condition) for _ in (1, 2)])
        self.grow2 = _doubled(coarse, middle, smooth=full_width > 0)
        self.up2 = _Conditioned(middle, condition)
        self.grow1 = _doubled(middle, fine, smooth=full_width > 0)
        self.up1 = nn.ModuleList([_Conditioned(fine, condition) for _ in (1, 2)])
        self.head = nn.Conv2d(fine, full_width or channels * 4, 3, padding=1)
        self.finish = nn.Sequential(norm("group", fine), activation("silu"))
        self.full = _AtFull(full_width, channels) if full_width else None
        begin_at_zero(self.full.last if self.full is not None else self.head)

    def forward(self, mean: Tensor, z: Tensor) -> Tensor:
        """Sharp pictures (N, C, H, W) in the recipe's range, kept inside it."""
        unit = self.range == "unit"
        x = mean * 2 - 1 if unit else mean
        high, wide = x.shape[-2:]
        down, across = -high % CELL, -wide % CELL
        framed = F.pad(x, (0, across, 0, down), mode="replicate") if down or across else x
        drawn = (x + self._added(framed, z)[..., :high, :wide]).clamp(-1, 1)
        return (drawn + 1) / 2 if unit else drawn

    def _added(self, x: Tensor, z: Tensor) -> Tensor:
        length = z.square().mean(dim=1, keepdim=True).sqrt()
        c = F.silu(self.condition(z / (length + 1e-3)))  # (N, condition)
        fine = self.down1(self.stem(F.pixel_unshuffle(x, 2)), c)
        middle = self.down2(self.shrink1(fine), c)
        h = self.shrink2(middle)
        for block in self.bottom:
            h = block(h, c)
        h = self.up2(self.grow2(h) + middle, c)
        h = self.grow1(h) + fine
        for block in self.up1:
            h = block(h, c)
        h = self.head(self.finish(h))
        return F.pixel_shuffle(h, 2) if self.full is None else self.full(h, x)


class _AtFull(nn.Module):
    """The end of a sharpener at the picture's own resolution."""

    def __init__(self, width: int, channels: int):
        super().__init__()
        self.mix = nn.Conv2d(width + channels, width, 3, padding=1)
        self.last = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        enlarged = F.interpolate(F.silu(h), scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.last(F.silu(self.mix(torch.cat([enlarged, x], dim=1))))


class _Conditioned(nn.Module):
    """A residual block whose second norm is scaled and shifted by the condition; it starts as the identity."""

    def __init__(self, channels: int, condition: int):
        super().__init__()
        self.norm1, self.norm2 = norm("group", channels), norm("group", channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.film = nn.Linear(condition, 2 * channels)
        for layer in (self.conv2, self.film):
            begin_at_zero(layer)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        scale, shift = self.film(c)[..., None, None].chunk(2, dim=1)
        h = self.norm2(self.conv1(F.silu(self.norm1(x)))) * (1 + scale) + shift
        return x + self.conv2(F.silu(h))


def _doubled(inputs: int, outputs: int, *, smooth: bool) -> nn.Module:
    if smooth:
        return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2.0, mode="bilinear"))
    return nn.Sequential(nn.Conv2d(inputs, 4 * outputs, 1), nn.PixelShuffle(2))


def to_symmetric(x: Tensor, range: Literal["unit", "symmetric"]) -> Tensor:
    """Values of the recipe's range to [−1, 1]."""
    return x * 2 - 1 if range == "unit" else x
