"""Pictures of 16 bits whose values have fewer are as bright as they were meant, alone and in a folder."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from facette.images.depth import white_of
from facette.images.greatest import greatest_value
from facette.images.open import open_image
from facette.images.whole import open_whole

GREY = np.add.outer(np.arange(48), np.arange(64)).astype(np.uint16) * 2  # 0 to 220


def deep(path: Path, white: int, channels: int = 1) -> Path:
    """The same picture in values up to `white` of 16 bits, written by OpenCV or, as TIFF, by Pillow."""
    values = np.rint(GREY * (white / 255)).astype(np.uint16)
    if path.suffix == ".tif":
        Image.fromarray(values).save(path)
    else:
        pixels = values if channels == 1 else np.dstack([values] * 3)
        if channels == 4:
            pixels = np.dstack([pixels, np.full_like(values, 65_535)])
        assert cv2.imwrite(str(path), pixels)
    return path


@pytest.mark.parametrize(
    ("name", "channels"), [("a.png", 1), ("a.png", 3), ("a.png", 4), ("a.tif", 1)], ids=str
)
@pytest.mark.parametrize("white", [4_095, 65_535])
def test_twelve_bits_are_recognised_in_one_picture(tmp_path, name, channels, white):
    opened = open_image(deep(tmp_path / name, white, channels))
    # Pillow cuts colours of 16 bits to 8, the rest is rounded.
    assert np.abs(np.asarray(opened.image)[..., 0].astype(int) - GREY).max() <= (
        white == 65_535 and channels > 1
    )
    assert any("white is 4,095 of 65,535" in note for note in opened.notes) == (white == 4_095)
    assert greatest_value(tmp_path / name) == round(220 * white / 255)


def test_a_known_white_counts_and_what_is_brighter_is_cut_off(tmp_path):
    path = deep(tmp_path / "a.png", 4_095)
    assert np.asarray(open_image(path, white=1_023).image).max() == 255
    assert np.asarray(open_image(path, white=65_535).image).max() == 14


@pytest.mark.parametrize(
    ("maxima", "white"),
    [
        ([None, None], None),
        ([900, None], 1_023),
        ([4_095, 20], 4_095),
        ([16_000], 16_383),
        ([4_000, 60_000], 65_535),
    ],
)
def test_the_brightest_of_a_folder_says_what_is_white(maxima, white):
    assert white_of(maxima) == white


def test_other_files_have_no_depth(tmp_path):
    Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(GREY.astype(np.uint8)).save(tmp_path / "a.tif")
    (tmp_path / "torn.png").write_bytes(deep(tmp_path / "b.png", 4_095).read_bytes()[:60])
    for name in ("a.png", "a.tif", "torn.png", "nothing.png"):
        assert greatest_value(tmp_path / name) is None


def test_a_change_of_a_twelve_bit_photo_has_its_scale(tmp_path):
    from facette.images.faces.paste import FaceChange, add_changes

    whole = open_whole(deep(tmp_path / "a.png", 4_095))
    change = FaceChange(np.full((16, 16, 3), 0.1, np.float32), np.diag([3.0, 3.0, 1.0]))
    changed = add_changes(whole.pixels, [change], white=whole.white)
    assert (changed[24, 24].astype(int) - whole.pixels[24, 24]).item() == pytest.approx(409.5, abs=1)
