"""Which pixels of a picture were seen, and which lie beyond its photo.

In: a photo, its transparency, and the map from the picture's pixels to the photo's. Out: masks, True where seen. A
photo ends at its border, where it is transparent, and where black fills corners that an earlier rotation left behind.
What somebody wishes hidden becomes transparent. Coordinates are continuous, as in `similarity`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
from PIL import Image

from facette.errors import UsageError
from facette.images.colour import in_mode
from facette.images.open import OpenedImage
from facette.images.similarity import apply

BLACK = 8  # of 255: compression leaves black corners no brighter
STRAIGHT = 0.9  # share of its convex hull that a corner cut by straight lines fills; dark hair fills less
LEAST_AREA = 0.002  # of the photo
# pixels beside black corners, darkened by compression, and beside clear parts, coloured by resampling
BORDER = 2
SEARCHED = 512  # pixels on the longer side of the copy in which corners are looked for

Box: TypeAlias = tuple[float, float, float, float]  # left, top, width, height, in pixels of the upright photo


def hide_boxes(photo: Image.Image | OpenedImage, boxes: Sequence[Box]) -> OpenedImage:
    """The photo with everything inside the boxes transparent: a hand, a watermark, sunglasses. Its colours stay, so
    that a face is found as before. Boxes are in pixels of the file, also where it was reduced while decoding.

    Raises UsageError for a box that is no rectangle or that lies beside the photo.
    """
    opened = photo if isinstance(photo, OpenedImage) else OpenedImage(photo, (), photo.size)
    image, full = opened.image, opened.original_size
    seen = np.full(image.size[::-1], 255, np.uint8) if opened.alpha is None else np.array(opened.alpha)
    for box in boxes:
        left, top, wide, high = box
        if not all(map(math.isfinite, box)) or wide <= 0 or high <= 0:
            raise UsageError(f"a hidden box is x, y, width and height with an area, got {_spoken(box)}.")
        if left >= full[0] or top >= full[1] or left + wide <= 0 or top + high <= 0:
            raise UsageError(f"the box {_spoken(box)} lies beside the photo of {full[0]} × {full[1]} pixels.")
        share = (image.width / full[0], image.height / full[1])
        x0, y0 = (max(0, math.floor(start * s)) for start, s in zip((left, top), share, strict=True))
        x1, y1 = (math.ceil(end * s) for end, s in zip((left + wide, top + high), share, strict=True))
        seen[y0:y1, x0:x1] = 0
    return replace(opened, alpha=Image.fromarray(seen))


def with_mask(picture: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
    """uint8 (H, W, C + 1): a picture with its mask, 255 where it was seen (H, W), and 0 where it is unknown; None: all
    of it was seen."""
    known = np.ones(picture.shape[:2], bool) if seen is None else seen
    return np.dstack([picture, np.where(known, 255, 0).astype(np.uint8)])


def _spoken(box: Box) -> str:
    return ", ".join(f"{number:g}" for number in box)


def seen_pixels(
    photo: Image.Image, alpha: Image.Image | None, to_photo: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    """(height, width) bool, of that shape: whether each pixel of a picture shows a part of its photo.

    `alpha` (mode L, of the photo's size) is 0 where the photo is transparent; None: nowhere. `to_photo` (3, 3) leads
    from the picture's pixels to the photo's.
    """
    down, across = (np.arange(side) + 0.5 for side in shape)
    points = apply(to_photo, np.stack(np.meshgrid(across, down), axis=-1))  # (height, width, 2)
    size = np.array(photo.size)
    inside: np.ndarray = np.all((points >= 0) & (points <= size), axis=-1)
    unknown = black_corners(photo)
    if alpha is None and not unknown.any():
        return inside
    place = np.clip(points, 0, size - 1e-6)
    if alpha is not None:
        x, y = np.moveaxis(place.astype(int), -1, 0)
        clear = (np.asarray(alpha)[y, x] < 128).astype(np.uint8)
        if not np.allclose(to_photo[:2, :2], np.eye(2)):  # resampling carries colours over a mask's edge
            clear = cv2.dilate(clear, np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8))
        inside &= clear == 0
    x, y = np.moveaxis((place * (np.array(unknown.shape[::-1]) / size)).astype(int), -1, 0)
    return inside & ~unknown[y, x]


def black_corners(photo: Image.Image) -> np.ndarray:
    """(h, w) bool over a copy of the photo of at most SEARCHED pixels: black regions at its border with straight edges,
    as a rotated or shifted photo leaves them. Dark hair and dark backgrounds are no such regions."""
    share = min(1.0, SEARCHED / max(photo.size))
    size = (max(1, round(photo.width * share)), max(1, round(photo.height * share)))
    photo = in_mode(photo, "RGB")
    small = np.asarray(photo if photo.size == size else photo.resize(size, Image.Resampling.BOX))
    black = cv2.inRange(small, (0, 0, 0), (BLACK, BLACK, BLACK)) // 255
    _, regions, stats, _ = cv2.connectedComponentsWithStats(black, connectivity=4)
    unknown = np.zeros(black.shape, np.uint8)
    border = {*regions[0].tolist(), *regions[-1].tolist(), *regions[:, 0].tolist(), *regions[:, -1].tolist()}
    for region in sorted(border - {0}):
        area = int(stats[region, cv2.CC_STAT_AREA])
        if area < LEAST_AREA * black.size:
            continue
        part = (regions == region).astype(np.uint8)
        outline = np.concatenate(cv2.findContours(part, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0])
        hull = cv2.fillConvexPoly(np.zeros_like(part), cv2.convexHull(outline), 1)
        if area >= STRAIGHT * hull.sum():
            unknown |= part
    if not unknown.any():
        return unknown.astype(bool)
    return cv2.dilate(unknown, np.ones((2 * BORDER + 1, 2 * BORDER + 1), np.uint8)).astype(bool)
