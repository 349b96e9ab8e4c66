"""Puts a picture back where the face was.

In: the photo, a picture in the model's frame, and the way from that frame to the photo. Out: the photo at its own
resolution with the picture laid over the face, fading out towards the picture's rim. Knows nothing of models.
"""

import numpy as np
from PIL import Image

from facette.images.similarity import apply, box_corners, similarity
from facette.images.warp import warp

FADE = 0.72  # from here to the rim (1) of a rounded square the picture fades from full to nothing


def paste_face(photo: Image.Image, picture: np.ndarray, to_photo: np.ndarray) -> Image.Image:
    """The photo (RGB) with `picture` (uint8, S×S×3) laid where it was cut; all around stays as it is, to the bit.

    `to_photo`: (3, 3), from the picture's pixels to the photo's, as `Intake.to_photo` and `AlignedFace.to_photo`.
    """
    side = len(picture)
    corners = apply(to_photo, box_corners((0, 0, side, side)))
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, photo.size).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, photo.size).tolist()
    result = photo.copy()
    if right <= left or bottom <= top:
        return result
    to_picture = np.linalg.inv(to_photo) @ similarity(1, 0, left, top)  # from the photo's part to the picture
    size = (right - left, bottom - top)
    over = Image.fromarray(warp(Image.fromarray(picture), to_picture, size))
    opacity = np.round(255 * _opacity(to_picture, size, side)).astype(np.uint8)
    result.paste(over, (left, top), Image.fromarray(opacity))
    return result


def _opacity(to_picture: np.ndarray, size: tuple[int, int], side: int) -> np.ndarray:
    """(H, W), 0 to 1: full in the middle of the picture, nothing at its rim and beyond."""
    columns, rows = (np.arange(length) + 0.5 for length in size)
    places = apply(to_picture, np.stack(np.meshgrid(columns, rows), axis=-1)) / side * 2 - 1  # (H, W, 2)
    radius = (places**4).sum(axis=-1) ** 0.25
    ramp = np.clip((1 - radius) / (1 - FADE), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)
