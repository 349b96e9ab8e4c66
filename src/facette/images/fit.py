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


def fit_masked(image: Image.Image, alpha: Image.Image | None, spec: ImageInput) -> np.ndarray:
    """The picture with its mask, uint8 (size, size, 4): 255 where it was seen, 0 where it is unknown.

    `alpha` (mode L, of the picture's size) tells what was seen; without it, everything was. Unknown colours do not
    run into known ones: colours are weighted by what was seen of them.
    """
    if alpha is None:
        picture = fit_picture(image, spec)
        return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    box, side = crop_box(image.size, spec), (spec.size, spec.size)
    pixels = np.dstack([np.asarray(image), np.asarray(alpha)])  # (H, W, 4)
    if image.size != side or box != (0, 0, *side):
        rgba = Image.fromarray(pixels)  # Pillow weighs the colours of RGBA by its alpha when it resizes
        pixels = np.asarray(rgba.resize(side, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)).copy()
    pixels[..., 3] = np.where(pixels[..., 3] >= 128, 255, 0)
    return pixels


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
