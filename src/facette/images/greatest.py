"""The greatest value of a picture file of 16 bits, by which a folder is known to be one of fewer.

Enters: a path or bytes. Leaves: a number, or None where the picture has no 16 bits or cannot be read. Knows nothing of
what is white.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from facette.errors import ImageError
from facette.images.depth import deep_pixels, greatest_of, is_deep_png
from facette.images.dicom import MARKED, is_dicom
from facette.images.open import header_within_limits, is_bounded, read_picture
from facette.images.reader import read_apart

_TIFF = (b"II*\0", b"MM\0*")


def greatest_value(picture: Path | bytes) -> int | None:
    """The greatest value of a picture of 16 bits a channel; None for any other, and for one that cannot be read."""
    try:
        if not _may_be_deep(picture):
            return None
        name, data = read_picture(picture)
        return decode_greatest(data, name) if is_bounded(data) else read_apart("depth", data, name)
    except ImageError:
        return None


def decode_greatest(data: bytes, name: str) -> int | None:
    """`greatest_value` of bytes, in this process and however long it takes."""
    try:
        with header_within_limits(data, name) as image:
            if is_deep_png(data):
                pixels = deep_pixels(data)
                return None if pixels is None else greatest_of(pixels)
            return int(np.asarray(image).max()) if image.mode.startswith("I;16") else None
    except ImageError:
        raise
    except Exception as error:  # decoders fail in every way there is on hostile bytes, as `open_image` knows
        raise ImageError(f"{name} is damaged and cannot be decoded: {error}.") from error


def _may_be_deep(picture: Path | bytes) -> bool:
    if isinstance(picture, bytes):
        first = picture[:MARKED]
    else:
        try:
            with picture.open("rb") as file:
                first = file.read(MARKED)
        except OSError:
            return False
    return is_deep_png(first) or first[:4] in _TIFF or is_dicom(first)
