"""Thousands of small pictures packed into a few large ones, so that a page holds them as a few files.

Enters: pictures (N, H, W, C) and where they lie on the map. Leaves: an `Atlas`: WebP sheets, and the slot of every
picture on them. Neighbours on the map share a sheet, so that a look at one place decodes few of them.

Legend: N pictures, S side of a picture, s side of a thumbnail.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from facette.images.convert import as_rgb

SHEET = 1024  # pixels across
QUALITY = 78
# Up to so many pictures, thumbnails of this side: a page of any number of them stays one that can be sent.
SIDES = ((4_000, 64), (10_000, 48))
SMALLEST = 32
PAPER = (255, 255, 255)  # beside pictures that are no squares


@dataclass(frozen=True, slots=True)
class Atlas:
    """Sheets of `columns` × `rows` thumbnails, filled row by row; the last one is cut where it ends."""

    side: int
    columns: int
    rows: int
    slots: NDArray[np.int32]  # (N,) the place of every picture, counted over all sheets
    sheets: tuple[bytes, ...]  # WebP


def atlas_side(count: int, size: int) -> int:
    """Side of the thumbnails of `count` pictures of `size` pixels."""
    return min(size, next((side for most, side in SIDES if count <= most), SMALLEST))


def slots_by_place(points: NDArray[np.float32]) -> NDArray[np.int32]:
    """A slot for each of (N, 2) points so that near points get near slots: strips of the map, up and down in turn."""
    strips = max(1, round((len(points) / 64) ** 0.5))
    low, high = points.min(0), points.max(0)
    across, along = ((points - low) / np.maximum(high - low, 1e-12)).T
    strip = np.minimum((across * strips).astype(int), strips - 1)
    order = np.lexsort((np.where(strip % 2, -along, along), strip))
    slots = np.empty(len(points), np.int32)
    slots[order] = np.arange(len(points))
    return slots


def pack_atlas(pictures: NDArray[np.uint8], slots: NDArray[np.int32]) -> Atlas:
    """The pictures at their slots, made smaller where there are many."""
    pictures = as_rgb(pictures, checkered=True)
    side = atlas_side(len(pictures), max(pictures.shape[1:3]))
    columns = rows = SHEET // side
    order = np.argsort(slots)
    each = columns * rows
    sheets = [
        _sheet(pictures[order[start : start + each]], side, columns) for start in range(0, len(order), each)
    ]
    return Atlas(side, columns, rows, slots, tuple(sheets))


def _sheet(pictures: NDArray[np.uint8], side: int, columns: int) -> bytes:
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * side, rows * side))
    for place, picture in enumerate(pictures):
        image = Image.fromarray(picture)
        if image.size != (side, side):
            image = ImageOps.pad(image, (side, side), Image.Resampling.LANCZOS, PAPER)
        sheet.paste(image, (place % columns * side, place // columns * side))
    buffer = BytesIO()
    sheet.save(buffer, "WEBP", quality=QUALITY, method=4)
    return buffer.getvalue()
