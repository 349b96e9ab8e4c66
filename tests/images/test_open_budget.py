"""How long a picture may take is known before it is decoded."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from facette.errors import ImageError
from facette.images.open import MAX_SCANS, open_image


def progressive(side: int) -> bytes:
    draws = np.random.default_rng(0)
    buffer = io.BytesIO()
    Image.fromarray(draws.integers(0, 256, (side, side, 3), dtype=np.uint8)).save(
        buffer, "JPEG", progressive=True
    )
    return buffer.getvalue()


def with_scans(data: bytes, count: int) -> bytes:
    """The picture with passes that add nothing: the first pass's header and a few bytes, again and again."""
    at = data.index(b"\xff\xda")
    length = int.from_bytes(data[at + 2 : at + 4], "big")
    scan = data[at : at + 2 + length] + b"\x00\x00"
    return data[:-2] + scan * count + b"\xff\xd9"


@pytest.mark.parametrize("count", [MAX_SCANS, 2500])
def test_a_jpeg_of_endless_passes_is_refused_at_once(count):
    data = with_scans(progressive(256), count)
    with pytest.raises(ImageError, match=r"passes over 256 × 256 pixels"):
        open_image(data)


def test_the_hostile_case_is_refused(shared):
    path = shared / "cases" / "hostile" / "jpg_progressive_2500.jpg"
    if not path.is_file():
        pytest.skip(f"there is no {path}")
    with pytest.raises(ImageError, match="absurdly long"):
        open_image(path)


def test_what_editors_write_is_opened():
    assert open_image(progressive(256)).image.size == (256, 256)
    assert open_image(with_scans(progressive(64), 20)).image.size == (64, 64)
