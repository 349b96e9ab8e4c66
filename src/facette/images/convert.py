"""The one place where pixel values change scale.

Outside, pictures are uint8, N×H×W×3, RGB. Inside, they are float32, N×3×H×W, in the range the recipe names:
`unit` is [0, 1], `symmetric` is [−1, 1]. A mask may travel as a fourth channel: 255 outside and 1 inside where a pixel
was seen, 0 where it is unknown. Knows nothing of files, sizes or models. Both ways are written for tensors and for
arrays, with the same result to the bit; arrays need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Range = Literal["unit", "symmetric"]
SEEN = 128  # of a mask's 0 to 255: from here on a pixel counts as seen


def to_model(
    pictures: np.ndarray | Tensor, range_: Range, device: torch.device | str | None = None
) -> Tensor:
    """uint8 (N, H, W, 3) to float32 (N, 3, H, W), channels-last in memory, in the given range; with masks,
    (N, H, W, 4) to (N, 4, H, W)."""
    import torch

    if isinstance(pictures, np.ndarray) and not (pictures.flags.writeable and pictures.flags.c_contiguous):
        pictures = pictures.copy()  # torch can neither share read-only memory nor walk it backwards
    values = torch.as_tensor(pictures)
    if values.dtype != torch.uint8 or values.ndim != 4:
        raise ValueError(f"pictures must be uint8 N×H×W×3, not {values.dtype} of shape {tuple(values.shape)}")
    values = values.to(device, non_blocking=True).permute(0, 3, 1, 2).float()
    seen = values[:, 3:] >= SEEN
    scaled = values.div_(255) if range_ == "unit" else values.div_(127.5).sub_(1)
    scaled[:, 3:] = seen
    return scaled


def to_pictures(values: Tensor, range_: Range) -> np.ndarray:
    """float (N, 3, H, W) in the given range to uint8 (N, H, W, 3): clipped, rounded to nearest."""
    import torch

    unit = to_unit(values.detach().float(), range_)
    return unit.clamp(0, 1).mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_model_array(pictures: np.ndarray, range_: Range) -> np.ndarray:
    """`to_model` for arrays: uint8 (N, H, W, 3) to contiguous float32 (N, 3, H, W); with masks, 4 channels."""
    if pictures.dtype != np.uint8 or pictures.ndim != 4:
        raise ValueError(f"pictures must be uint8 N×H×W×3, not {pictures.dtype} of shape {pictures.shape}")
    values = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).astype(np.float32)
    scaled = values / np.float32(255) if range_ == "unit" else values / np.float32(127.5) - np.float32(1)
    scaled[:, 3:] = values[:, 3:] >= SEEN
    return scaled


def to_pictures_array(values: np.ndarray, range_: Range) -> np.ndarray:
    """`to_pictures` for arrays: float32 (N, 3, H, W) to uint8 (N, H, W, 3)."""
    unit = values if range_ == "unit" else (values + np.float32(1)) / np.float32(2)
    scaled = np.rint(np.clip(unit, 0, 1) * np.float32(255)).astype(np.uint8)
    return np.ascontiguousarray(scaled.transpose(0, 2, 3, 1))


def to_unit(values: Any, range_: Range) -> Any:
    """Values of the given range, rescaled to [0, 1] without clipping."""
    return values if range_ == "unit" else (values + 1) / 2


def range_bounds(range_: Range) -> tuple[float, float]:
    """The values of a black and of a white pixel: (0, 1) for unit, (−1, 1) for symmetric."""
    return (0.0, 1.0) if range_ == "unit" else (-1.0, 1.0)
