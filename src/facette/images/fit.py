"""A picture of any size to the square a recipe asks for, by geometry alone (no faces are looked for here).

Enters: an RGB Pillow image. Leaves: uint8, size×size×3. A picture that has exactly the size of the recipe's
frame is taken as aligned, and the frame's box is cut from it; any other picture is covered or squashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from facette.recipe import ImageInput


def fit_picture(image: Image.Image, spec: ImageInput) -> np.ndarray:
    """Cut and resize `image` (Lanczos, antialiased) for the model; returns uint8 (size, size, 3)."""
    box = crop_box(image.size, spec)
    if image.mode != "RGB":
        image = image.convert("RGB")
    if image.size == (spec.size, spec.size) and box == (0, 0, spec.size, spec.size):
        return np.asarray(image)
    side = (spec.size, spec.size)
    return np.asarray(image.resize(side, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0))


def crop_box(size: tuple[int, int], spec: ImageInput) -> tuple[float, float, float, float]:
    """The (left, top, right, bottom) of the part of a (width, height) picture that the model will see."""
    width, height = size
    if spec.frame is not None and size == spec.frame.size:
        return spec.frame.box
    if spec.fit == "squash":
        return (0, 0, width, height)
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return (left, top, left + side, top + side)
