"""The one place where pixel values change scale.

Outside, pictures are uint8 or uint16, N×H×W×C: grey, RGB, or RGB and alpha. Inside, they are float32, N×C×H×W, in the
range the recipe names: `unit` is [0, 1], `symmetric` is [−1, 1]. A mask may travel behind the channels: 255 outside and
1 inside where a pixel was seen, 0 where it is unknown. Knows nothing of files, sizes or models. Both ways are written
for tensors and for arrays, with the same result to the bit; arrays need no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Range = Literal["unit", "symmetric"]
SEEN = 128  # of a mask's 0 to 255: from here on a pixel counts as seen
CHECK = 8  # pixels on the side of a square of the checkerboard that stands for nothing
CHECKERS = (255, 208)  # its two greys


def to_model(
    pictures: np.ndarray | Tensor,
    range_: Range,
    device: torch.device | str | None = None,
    channels: int = 3,
) -> Tensor:
    """uint8 or uint16 (N, H, W, C) to float32 (N, C, H, W), channels-last in memory, in the given range; what comes
    behind the `channels` is a mask."""
    import torch

    if isinstance(pictures, np.ndarray) and not (pictures.flags.writeable and pictures.flags.c_contiguous):
        pictures = pictures.copy()  # torch can neither share read-only memory nor walk it backwards
    values = torch.as_tensor(pictures)
    if values.dtype not in (torch.uint8, torch.uint16) or values.ndim != 4:
        raise ValueError(
            f"pictures must be uint8 or uint16 N×H×W×C, not {values.dtype} of shape {tuple(values.shape)}"
        )
    white = 65535 if values.dtype == torch.uint16 else 255
    values = values.to(device, non_blocking=True).permute(0, 3, 1, 2).float()
    seen = values[:, channels:] >= SEEN
    scaled = values.div_(white) if range_ == "unit" else values.div_(white / 2).sub_(1)
    scaled[:, channels:] = seen
    return scaled


def to_pictures(values: Tensor, range_: Range, depth: int = 8) -> np.ndarray:
    """float (N, C, H, W) in the given range to uint8 (N, H, W, C), or uint16 where `depth` is 16: clipped, rounded to
    nearest."""
    import torch

    unit = to_unit(values.detach().float(), range_)
    kind = torch.uint16 if depth == 16 else torch.uint8
    levels = unit.clamp(0, 1).mul(2**depth - 1).round()
    return levels.to(kind).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_model_array(pictures: np.ndarray, range_: Range, channels: int = 3) -> np.ndarray:
    """`to_model` for arrays: uint8 or uint16 (N, H, W, C) to contiguous float32 (N, C, H, W)."""
    if pictures.dtype not in (np.uint8, np.uint16) or pictures.ndim != 4:
        raise ValueError(
            f"pictures must be uint8 or uint16 N×H×W×C, not {pictures.dtype} of shape {pictures.shape}"
        )
    white = np.float32(np.iinfo(pictures.dtype).max)
    values = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)).astype(np.float32)
    scaled = values / white if range_ == "unit" else values / (white / 2) - np.float32(1)
    scaled[:, channels:] = values[:, channels:] >= SEEN
    return scaled


def to_pictures_array(values: np.ndarray, range_: Range, depth: int = 8) -> np.ndarray:
    """`to_pictures` for arrays: float32 (N, C, H, W) to uint8 or uint16 (N, H, W, C)."""
    unit = values if range_ == "unit" else (values + np.float32(1)) / np.float32(2)
    levels = np.rint(np.clip(unit, 0, 1) * np.float32(2**depth - 1))
    return np.ascontiguousarray(levels.astype(np.uint16 if depth == 16 else np.uint8).transpose(0, 2, 3, 1))


def picture_image(picture: np.ndarray) -> Image.Image:
    """A picture (H, W, C) of any form as Pillow writes it: its own channels and depth."""
    return Image.fromarray(np.ascontiguousarray(picture[:, :, 0] if picture.shape[2] == 1 else picture))


def as_unit(pictures: np.ndarray, kind: Any = np.float64) -> np.ndarray:
    """Stored values, uint8 or uint16, as numbers in [0, 1]."""
    return pictures.astype(kind) / kind(np.iinfo(pictures.dtype).max)


def as_rgb(pictures: np.ndarray, checkered: bool = False) -> np.ndarray:
    """Pictures of any form (…, H, W, C) as people and judges see them: uint8 RGB (…, H, W, 3).

    Grey is repeated, 16 bits are rounded to 8, and transparent parts are laid on white, or `checkered` on a
    checkerboard, so that they are seen as such.
    """
    if pictures.dtype == np.uint16:
        pictures = np.rint(pictures / np.float32(257)).astype(np.uint8)
    if pictures.shape[-1] == 3:
        return pictures
    if pictures.shape[-1] == 1:
        return np.repeat(pictures, 3, axis=-1)
    alpha = pictures[..., 3:].astype(np.float32) / np.float32(255)
    paper = checkerboard(*pictures.shape[-3:-1]) if checkered else np.float32(255)
    return np.rint(pictures[..., :3] * alpha + paper * (1 - alpha)).astype(np.uint8)


def checkerboard(height: int, width: int) -> np.ndarray:
    """float32 (H, W, 1): light and darker squares."""
    rows, columns = np.arange(height) // CHECK, np.arange(width) // CHECK
    return np.array(CHECKERS, np.float32)[(rows[:, None] + columns) % 2][..., None]


def to_unit(values: Any, range_: Range) -> Any:
    """Values of the given range, rescaled to [0, 1] without clipping."""
    return values if range_ == "unit" else (values + 1) / 2


def range_bounds(range_: Range) -> tuple[float, float]:
    """The values of a black and of a white pixel: (0, 1) for unit, (−1, 1) for symmetric."""
    return (0.0, 1.0) if range_ == "unit" else (-1.0, 1.0)
