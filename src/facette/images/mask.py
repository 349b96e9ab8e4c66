"""Which pixels of a picture were seen, and which lie beyond its photo.

In: a photo, its transparency, and the map from the picture's pixels to the photo's. Out: masks, True where seen. A
photo ends at its border, where it is transparent, and where black fills corners that an earlier rotation left behind.
Coordinates are continuous, as in `similarity`.
"""

import cv2
import numpy as np
from PIL import Image

from facette.images.colour import in_mode
from facette.images.similarity import apply

BLACK = 8  # of 255: compression leaves black corners no brighter
STRAIGHT = 0.9  # share of its convex hull that a corner cut by straight lines fills; dark hair fills less
LEAST_AREA = 0.002  # of the photo
BORDER = 2  # pixels beside a black corner that compression has darkened
SEARCHED = 512  # pixels on the longer side of the copy in which corners are looked for


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
        inside &= np.asarray(alpha)[y, x] >= 128
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
