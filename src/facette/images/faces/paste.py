"""Puts a picture, or a change, back where the face was.

In: the photo, a picture or a change in the model's frame, and the way from that frame to the photo. Out: the photo at
its own resolution with the picture laid over the face, or the change added to it, fading out towards the frame's rim.
Knows nothing of models.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facette.images.similarity import apply, box_corners, scale_of, similarity
from facette.images.warp import warp

FADE = 0.72  # from here to the rim (1) of a rounded square the picture fades from full to nothing
FINEST = 1024  # side of a change before it is looked at from the photo; it has no finer octaves
STRIP = 256  # rows of the photo that are changed at once, so that memory stays bounded


@dataclass(frozen=True, slots=True)
class FaceChange:
    """What is to be added where one face is."""

    values: NDArray[np.float32]  # (h, w, 3), 1 is the way from black to white
    to_photo: NDArray[np.float64]  # (3, 3), from its pixels to those of the upright photo


def add_changes(
    pixels: NDArray[Any],
    changes: Sequence[FaceChange],
    shown: Callable[[NDArray[Any], NDArray[np.float32]], NDArray[np.float32]] | None = None,
    white: int | None = None,
) -> NDArray[Any]:
    """The photo (H, W, C; uint8 or uint16, alpha untouched) with the changes added, each running out to nothing at its
    frame's border; every value outside of the frames is the photo's. Where frames overlap their weights add up to one.

    `shown` turns a change of sRGB values into one of the photo's own, given the pixels it is added to. `white`: the
    value of a white pixel, where it is not the greatest of the type.
    """
    layers = [_layer(change) for change in changes]
    result, (height, width) = pixels.copy(), pixels.shape[:2]
    corners = np.concatenate([apply(m, box_corners((0, 0, v.shape[1], v.shape[0]))) for v, m in layers])
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, (width, height)).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, (width, height)).tolist()
    for first in range(top, bottom, STRIP if right > left else height + 1):
        last = min(first + STRIP, bottom)
        part = result[first:last, left:right]
        total = np.zeros((*part.shape[:2], 4), np.float32)  # the changes and, last, the sum of their weights
        for values, to_photo in layers:
            total += _seen_from(values, to_photo, (left, first, right - left, last - first))
        added = total[:, :, :3] / np.maximum(total[:, :, 3:], 1)
        part[...] = _added(part, added.astype(np.float32, copy=False), shown, white)
    return result


def _layer(change: FaceChange) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """The change times its weight, and the weight, (H, W, 4); and the way from there to the photo."""
    high, wide = change.values.shape[:2]
    scale = np.clip(scale_of(change.to_photo), 1, max(1, FINEST / max(high, wide)))
    size = (int(wide * scale), int(high * scale))
    fine = cv2.resize(change.values, size, interpolation=cv2.INTER_CUBIC)
    weight = _opacity(np.eye(3), size, size).astype(np.float32)[:, :, None]
    smaller = np.diag([wide / size[0], high / size[1], 1.0])
    return np.concatenate([fine * weight, weight], axis=2), change.to_photo @ smaller


def _seen_from(
    values: NDArray[np.float32], to_photo: NDArray[np.float64], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """The layer at the pixels of a box (left, top, width, height) of the photo; nothing beyond its frame."""
    left, top, width, height = box
    half = similarity(1, 0, 0.5, 0.5)  # OpenCV counts from the middles of pixels
    look = np.linalg.inv(half) @ np.linalg.inv(to_photo) @ similarity(1, 0, left, top) @ half
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    placed = cv2.warpAffine(values, look[:2], (width, height), flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return placed.astype(np.float32, copy=False)


def _added(
    part: NDArray[Any],
    change: NDArray[np.float32],
    shown: Callable[[NDArray[Any], NDArray[np.float32]], NDArray[np.float32]] | None,
    white: int | None,
) -> NDArray[Any]:
    colours = part.shape[2] - (part.shape[2] in (2, 4))
    change = change if shown is None else shown(part, change)
    if colours == 1:
        change = change @ np.array([[0.299], [0.587], [0.114]], np.float32)
    most = np.float32(white or np.iinfo(part.dtype).max)
    sums = np.rint(part[:, :, :colours] + change * most)
    changed = part.copy()
    changed[:, :, :colours] = np.clip(sums, 0, most)
    return changed


def paste_face(photo: Image.Image, picture: np.ndarray, to_photo: np.ndarray) -> Image.Image:
    """The photo with `picture` (h, w, 3; uint8, as the photo is RGB) laid where it was cut; all around stays as it
    is, to the bit.

    `to_photo`: (3, 3), from the picture's pixels to the photo's, as `Intake.to_photo` and `AlignedFace.to_photo`.
    """
    own = (picture.shape[1], picture.shape[0])
    corners = apply(to_photo, box_corners((0, 0, *own)))
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, photo.size).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int), 0, photo.size).tolist()
    result = photo.copy()
    if right <= left or bottom <= top:
        return result
    to_picture = np.linalg.inv(to_photo) @ similarity(1, 0, left, top)  # from the photo's part to the picture
    size = (right - left, bottom - top)
    over = Image.fromarray(warp(Image.fromarray(picture), to_picture, size))
    opacity = np.round(255 * _opacity(to_picture, size, own)).astype(np.uint8)
    result.paste(over, (left, top), Image.fromarray(opacity))
    return result


def _opacity(to_picture: np.ndarray, size: tuple[int, int], own: tuple[int, int]) -> np.ndarray:
    """(H, W), 0 to 1: full in the middle of a picture of its `own` width and height, nothing at its rim and beyond."""
    columns, rows = (np.arange(length) + 0.5 for length in size)
    places = apply(to_picture, np.stack(np.meshgrid(columns, rows), axis=-1)) / own * 2 - 1  # (H, W, 2)
    radius = (places**4).sum(axis=-1) ** 0.25
    ramp = np.clip((1 - radius) / (1 - FADE), 0, 1)
    return ramp * ramp * (3 - 2 * ramp)
