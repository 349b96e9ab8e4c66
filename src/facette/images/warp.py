"""Looks at a picture through an affine map, without aliasing at any scale.

In: a picture and a matrix from the wanted picture's pixels to its own. Out: the wanted picture as an array. What
lies beyond the picture repeats its edge. Coordinates are continuous, as in `similarity`.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.form import Size, height_width
from facette.images.fit import stored_pixels
from facette.images.similarity import apply, box_corners


def warp(image: Image.Image, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(height, width, channels), or (height, width) for a grey picture; float32 for mode F, else uint8.

    `image`: mode RGB, RGBA, L or F. `matrix`: (3, 3), from the wanted picture to `image`. `size`: wanted width, height.

    Large reductions are averaged over whole pixels first; then one bicubic look at no coarser than the picture's own
    grid, and one Lanczos reduction. The memory needed depends on `size`, not on the picture's.
    """
    largest, smallest = np.linalg.svd(matrix[:2, :2], compute_uv=False)
    reduction = max(1, int(smallest / 2))
    region, corner = _region(image, apply(matrix, box_corners((0, 0, *size))), reduction)
    to_region = np.diag([1 / reduction, 1 / reduction, 1.0]) @ matrix
    to_region[:2, 2] -= corner
    finer = min(8, max(1, math.ceil(largest / reduction - 0.01)))
    look = to_region @ np.diag([1 / finer, 1 / finer, 1.0])
    seen = region.transform(
        (size[0] * finer, size[1] * finer),
        Image.Transform.AFFINE,
        tuple(look[:2].ravel()),
        resample=Image.Resampling.BICUBIC,
    )
    return np.asarray(seen if finer == 1 else seen.resize(size, Image.Resampling.LANCZOS))


def look_again(
    photo: Image.Image, to_photo: np.ndarray, shape: tuple[int, int], wished: tuple[int, int]
) -> np.ndarray:
    """What a picture of (height, width) `shape` shows, taken from the photo again in another: (*wished, channels), of
    values as they are stored.

    `to_photo` (3, 3) leads from that picture's pixels to the photo's.
    """
    scale = np.diag([shape[1] / wished[1], shape[0] / wished[0], 1.0])
    seen = warp(photo, to_photo @ scale, (wished[1], wished[0]))
    return stored_pixels(Image.fromarray(seen)) if seen.dtype != np.uint8 or seen.ndim == 2 else seen


def at_side(pictures: NDArray[Any], size: Size) -> NDArray[Any]:
    """Pictures (P, H, W, C) at another size: averaged where it is smaller, bicubic where it is larger."""
    high, wide = height_width(size)
    if pictures.shape[1:3] == (high, wide):
        return pictures
    import cv2

    way = cv2.INTER_AREA if pictures.shape[1] > high else cv2.INTER_CUBIC
    resized = [cv2.resize(picture, (wide, high), interpolation=way) for picture in pictures]
    return np.stack(resized).reshape(len(pictures), high, wide, -1)  # OpenCV drops a channel of one


def share_outside(image_size: tuple[int, int], matrix: np.ndarray, size: tuple[int, int]) -> float:
    """Which part (0 to 1) of the wanted picture lies beyond the picture it is taken from."""
    steps = [(np.arange(64) + 0.5) / 64 * side for side in size]
    points = apply(matrix, np.stack(np.meshgrid(*steps), axis=-1))  # (64, 64, 2)
    inside = ((points >= 0) & (points <= np.array(image_size))).all(axis=-1)
    return float(1 - inside.mean())


def _region(image: Image.Image, corners: np.ndarray, reduction: int) -> tuple[Image.Image, np.ndarray]:
    """The part of the picture that the corners span, reduced, with its edge repeated where it ends.

    Also returns the place of its left top corner in the reduced picture.
    """
    margin = 3  # what bicubic interpolation reaches for, and rounding
    low = np.floor(corners.min(axis=0) / reduction).astype(int) - margin  # in reduced pixels
    high = np.ceil(corners.max(axis=0) / reduction).astype(int) + margin
    reduced_size = [-(-side // reduction) for side in image.size]
    first = np.clip(low, 0, np.array(reduced_size) - 1)
    last = np.clip(high, first + 1, reduced_size)
    left, top = (first * reduction).tolist()
    right, bottom = np.minimum(last * reduction, image.size).tolist()
    part = image.crop((left, top, right, bottom))
    part = part.reduce(reduction) if reduction > 1 else part
    before, after = first - low, high - last
    if (before > 0).any() or (after > 0).any():
        # Where the wanted square lies wholly beside the picture, its nearest edge is all there is to repeat.
        before, after = np.maximum(before, 0), np.maximum(after, 0)
        around = [(before[1], after[1]), (before[0], after[0]), (0, 0)]
        pixels = np.asarray(part)
        part = Image.fromarray(np.pad(pixels, around[: pixels.ndim], mode="edge"))
    return part, first - before
