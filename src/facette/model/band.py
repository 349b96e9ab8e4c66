"""What the core of a model sees of a picture: its lower octaves, and which of its pixels are known.

Enters: pictures (N, C, H, W) in the recipe's range, or (N, C + 1, H, W) whose last channel is their mask, 1 where a
pixel was seen and 0 where it is unknown. Leaves: the same at the core's size, unknown pixels set to 0; and pictures
brought back to the input's size. Knows nothing of networks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_SEEN = 0.5  # share of a reduced pixel's area that must have been seen for it to count as seen


def split_mask(x: Tensor, channels: int) -> tuple[Tensor, Tensor | None]:
    """Pictures (N, C, H, W) of so many channels and their masks (N, 1, H, W) of 0 and 1; None where all was seen."""
    if x.ndim != 4 or x.shape[1] == channels:
        return x, None
    return x[:, :channels], (x[:, channels:] > LEAST_SEEN).to(x.dtype)


def with_mask(x: Tensor, seen: Tensor | None = None) -> Tensor:
    """Pictures (N, C, H, W) and their masks as (N, C + 1, H, W); unknown pixels are 0. Without a mask, all was seen."""
    if seen is None:
        return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    return torch.cat([x * seen, seen], dim=1)


def reduced(x: Tensor, core: tuple[int, int], channels: int) -> Tensor:
    """Pictures of so many channels, masked or not, at the core's (height, width): each pixel the mean of what was seen
    of its area."""
    picture, seen = split_mask(x, channels)
    if x.shape[-1] == core[1]:
        return x if seen is None else with_mask(picture, seen)
    cell = x.shape[-1] // core[1]
    if seen is None:
        return F.avg_pool2d(picture, cell)
    share = F.avg_pool2d(seen, cell)
    known = (share >= LEAST_SEEN).to(x.dtype)
    return with_mask(F.avg_pool2d(picture * seen, cell) / share.clamp_min(1e-6), known)


def enlarged(x: Tensor, shape: tuple[int, int]) -> Tensor:
    """What a core draws (N, C, h, w), at the input's (height, width) (bicubic)."""
    if x.shape[-1] == shape[1]:
        return x
    return F.interpolate(x, shape, mode="bicubic", align_corners=False)
