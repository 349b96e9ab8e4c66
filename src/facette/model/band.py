"""What the core of a model sees of a picture: its lower octaves, and which of its pixels are known.

Enters: pictures (N, 3, S, S) in the recipe's range, or (N, 4, S, S) whose fourth channel is their mask, 1 where a
pixel was seen and 0 where it is unknown. Leaves: the same at the core's side, unknown pixels set to 0; and pictures
brought back to the input's size. Knows nothing of networks.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST_SEEN = 0.5  # share of a reduced pixel's area that must have been seen for it to count as seen


def split_mask(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Pictures (N, 3, S, S) and their masks (N, 1, S, S) of 0 and 1; None where all was seen."""
    return (x[:, :3], (x[:, 3:] > LEAST_SEEN).to(x.dtype)) if x.ndim == 4 and x.shape[1] == 4 else (x, None)


def with_mask(x: Tensor, seen: Tensor | None = None) -> Tensor:
    """Pictures (N, 3, S, S) and their masks as (N, 4, S, S); unknown pixels are 0. Without a mask, all was seen."""
    if seen is None:
        return torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    return torch.cat([x * seen, seen], dim=1)


def reduced(x: Tensor, side: int) -> Tensor:
    """Pictures, masked or not, at the core's side: each pixel the mean of what was seen of its area."""
    picture, seen = split_mask(x)
    if x.shape[-1] == side:
        return x if seen is None else with_mask(picture, seen)
    cell = x.shape[-1] // side
    if seen is None:
        return F.avg_pool2d(picture, cell)
    share = F.avg_pool2d(seen, cell)
    known = (share >= LEAST_SEEN).to(x.dtype)
    return with_mask(F.avg_pool2d(picture * seen, cell) / share.clamp_min(1e-6), known)


def enlarged(x: Tensor, size: int) -> Tensor:
    """What a core draws (N, 3, s, s), at the input's size (bicubic)."""
    if x.shape[-1] == size:
        return x
    return F.interpolate(x, (size, size), mode="bicubic", align_corners=False)
