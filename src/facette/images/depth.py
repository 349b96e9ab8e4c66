"""How many of its 16 bits a picture uses: microscopes and X-ray machines write values of 10, 12 or 14 bits as they are.

Enters: a picture's bytes, or its values. Leaves: its greatest value, and the value that is white. A folder is looked at
as a whole, so that all of its pictures share one white; of a picture alone, 12 bits are recognised and nothing else:
whatever reaches 4,095 of 65,535 at most is black to the eye. Knows nothing of folders.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

FULL = 65_535
TWELVE = 4_095
WHITES = (1_023, TWELVE, 16_383, FULL)  # of 10, 12, 14 and 16 bits
_PNG = b"\x89PNG\r\n\x1a\n"
DEPTH_AT = 24  # where a PNG's header says how deep it is
_CHANNELS = [2, 1, 0, 3]  # of OpenCV's order


def white_of(maxima: Iterable[int | None]) -> int | None:
    """The value that is white in pictures with these greatest values; None where none has 16 bits."""
    deep = [greatest for greatest in maxima if greatest is not None]
    return next((white for white in WHITES if max(deep) <= white), FULL) if deep else None


def white_alone(greatest: int) -> int:
    """The value that is white in a picture nobody knows the company of."""
    return TWELVE if greatest <= TWELVE else FULL


def is_deep_png(data: bytes) -> bool:
    """Whether these are the first bytes of a PNG of 16 bits a channel."""
    return data.startswith(_PNG) and data[DEPTH_AT : DEPTH_AT + 1] == b"\x10"


def deep_pixels(data: bytes) -> NDArray[np.uint16] | None:
    """(H, W, C) of a PNG of 16 bits, C 1 to 4 with alpha last, which Pillow would cut to 8; None for others."""
    import cv2

    if not is_deep_png(data):
        return None
    pixels: NDArray[Any] | None = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.dtype != np.uint16:
        return None
    pixels = np.atleast_3d(pixels).astype(np.uint16, copy=False)
    return pixels[:, :, _CHANNELS[: pixels.shape[2]]] if pixels.shape[2] > 2 else pixels


def white_of_pixels(pixels: NDArray[np.uint16]) -> int:
    """As `white_alone`, of pixels (H, W, C) with alpha last where C is 2 or 4."""
    return white_alone(greatest_of(pixels))


def colours_in_eight(data: bytes, white: int | None) -> tuple[Image.Image, int] | None:
    """A coloured PNG of 16 bits whose white is another than 65,535, as 8 bits, and its white.

    None for every other picture, which Pillow reads rightly.
    """
    pixels = deep_pixels(data)
    if pixels is None or pixels.shape[2] < 3:
        return None
    white = white_of_pixels(pixels) if white is None else white
    if white == FULL:
        return None
    eight = to_levels(pixels, white)
    if pixels.shape[2] == 4:
        eight[:, :, 3] = pixels[:, :, 3] >> 8
    return Image.fromarray(eight), white


def to_levels(values: NDArray[Any], white: int, most: int = 255) -> NDArray[Any]:
    """Values from 0 to white as levels from 0 to `most`, uint8 for 255 and else uint16; what is brighter is cut off.

    In bands: the large type is held of a few rows only.
    """
    levels = np.empty(values.shape, np.uint8 if most == 255 else np.uint16)
    for start in range(0, len(values), 256):
        band = values[start : start + 256].astype(np.float64)
        levels[start : start + 256] = np.round(band.clip(0, white) * (most / white))
    return levels


def greatest_of(pixels: NDArray[np.uint16]) -> int:
    """The greatest value of pixels (H, W, C), alpha left out."""
    colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    return int(pixels[:, :, :colours].max())
