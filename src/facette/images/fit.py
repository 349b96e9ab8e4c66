"""A picture of any size to the size a recipe asks for, by geometry alone (no faces are looked for here).

Enters: a Pillow image. Leaves: uint8 or uint16, height×width×channels, as the recipe's input has them. A picture that
has exactly the size of the recipe's frame is taken as aligned, and the frame's box is cut from it; any other picture is
covered or squashed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from facette.images.colour import in_mode

if TYPE_CHECKING:
    from facette.recipe import ImageInput


def fit_picture(image: Image.Image, spec: ImageInput) -> np.ndarray:
    """Cut and resize `image` (Lanczos, antialiased) for the model; returns uint8 (height, width, channels), or uint16
    at a depth of 16 bits."""
    return stored_pixels(_cut(in_mode(image, spec.mode), spec))


def stored_pixels(image: Image.Image) -> np.ndarray:
    """The values of a picture as they are stored, (height, width, channels): uint16 where its mode is F, else uint8."""
    pixels = np.asarray(image)
    if image.mode == "F":
        pixels = np.rint(pixels).clip(0, 65535).astype(np.uint16)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]


def fit_masked(image: Image.Image, alpha: Image.Image | None, spec: ImageInput) -> np.ndarray:
    """The picture with its mask, uint8 (height, width, channels + 1): 255 where it was seen, 0 where it is unknown.

    `alpha` (mode L, of the picture's size) tells what was seen; without it, everything was. Unknown colours do not
    run into known ones: colours are weighted by what was seen of them.
    """
    if alpha is None:
        picture = fit_picture(image, spec)
        return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    pixels = np.dstack([np.asarray(in_mode(image, spec.mode)), np.asarray(alpha)])  # (H, W, channels + 1)
    # Pillow weighs colours by their alpha when it resizes.
    pixels = np.array(_cut(Image.fromarray(pixels), spec))
    pixels[..., -1] = np.where(pixels[..., -1] >= 128, 255, 0)
    return pixels


def _cut(image: Image.Image, spec: ImageInput) -> Image.Image:
    """The part that the model sees, at its size; a picture that is that already as it is."""
    box, side = crop_box(image.size, spec), spec.width_height
    if image.size == side and box == (0, 0, *side):
        return image
    return image.resize(side, Image.Resampling.LANCZOS, box=box, reducing_gap=3.0)


def crop_box(size: tuple[int, int], spec: ImageInput) -> tuple[float, float, float, float]:
    """The (left, top, right, bottom) of the part of a (width, height) picture that the model will see."""
    width, height = size
    if spec.frame is not None and size == spec.frame.size:
        return spec.frame.box
    if spec.fit == "squash":
        return (0, 0, width, height)
    high, wide = spec.shape
    across, down = min(width, height * wide / high), min(height, width * high / wide)
    left, top = (width - across) / 2, (height - down) / 2
    return (left, top, left + across, top + down)
