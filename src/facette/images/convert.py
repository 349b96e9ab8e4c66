"""The one place where pixel values change scale.

Outside, pictures are uint8, N×H×W×3, RGB. Inside, they are float32, N×3×H×W, in the range the recipe names:
`unit` is [0, 1], `symmetric` is [−1, 1]. Knows nothing of files, sizes or models.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor

Range = Literal["unit", "symmetric"]


def to_model(
    pictures: np.ndarray | Tensor, range_: Range, device: torch.device | str | None = None
) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W), channels-last in memory, in the given range."""
    if isinstance(pictures, np.ndarray) and not (pictures.flags.writeable and pictures.flags.c_contiguous):
        pictures = pictures.copy()  # torch can neither share read-only memory nor walk it backwards
    values = torch.as_tensor(pictures)
    if values.dtype != torch.uint8 or values.ndim != 4:
        raise ValueError(f"pictures must be uint8 N×H×W×3, not {values.dtype} of shape {tuple(values.shape)}")
    values = values.to(device, non_blocking=True).permute(0, 3, 1, 2).float()
    return values.div_(255) if range_ == "unit" else values.div_(127.5).sub_(1)


def to_pictures(values: Tensor, range_: Range) -> np.ndarray:
    """float (N, 3, H, W) in the given range to uint8 (N, H, W, 3): clipped, rounded to nearest."""
    unit = to_unit(values.detach().float(), range_)
    return unit.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_unit(values: Tensor, range_: Range) -> Tensor:
    """Values of the given range, rescaled to [0, 1] without clipping."""
    return values if range_ == "unit" else (values + 1) / 2


def range_bounds(range_: Range) -> tuple[float, float]:
    """The values of a black and of a white pixel: (0, 1) for unit, (−1, 1) for symmetric."""
    return (0.0, 1.0) if range_ == "unit" else (-1.0, 1.0)
