"""A whole photo is changed where it is meant to be, and nowhere else."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image, ImageCms

from facette.images.faces.paste import FaceChange, add_changes
from facette.images.open import open_image
from facette.images.similarity import similarity
from facette.images.whole import open_whole

PLACE = similarity(1.6, 0.5, 70, 40)  # from a frame of 64 pixels into the photo, leaning


@pytest.fixture
def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(60, 190, (220, 260, 3), dtype=np.uint8)


@pytest.fixture
def change() -> FaceChange:
    return FaceChange(np.full((64, 64, 3), 0.2, np.float32), PLACE)


def inside(shape: tuple[int, int], matrix: np.ndarray, side: int = 64) -> np.ndarray:
    """Pixels whose middle lies in the frame."""
    columns, rows = np.meshgrid(np.arange(shape[1]) + 0.5, np.arange(shape[0]) + 0.5)
    back = np.linalg.inv(matrix)
    x, y = (back[i, 0] * columns + back[i, 1] * rows + back[i, 2] for i in (0, 1))
    return (x > -1) & (x < side + 1) & (y > -1) & (y < side + 1)


def test_every_value_outside_of_the_frame_is_the_photos(pixels, change):
    changed = add_changes(pixels, [change])
    outside = ~inside(pixels.shape[:2], PLACE)
    assert (changed[outside] == pixels[outside]).all()
    assert 0.1 < outside.mean() < 0.9


def test_the_change_is_whole_in_the_middle_and_runs_out_without_a_step(pixels, change):
    gained = add_changes(pixels, [change]).astype(int) - pixels
    x, y = (PLACE @ np.array([32, 32, 1]))[:2].astype(int)
    assert (gained[y, x] == 51).all()
    flat = add_changes(np.full_like(pixels, 100), [change]).astype(int)
    for axis in (0, 1):
        assert np.abs(np.diff(flat, axis=axis)).max() <= 6  # of 51: no seam


def test_no_change_changes_nothing(pixels):
    still = FaceChange(np.zeros((64, 64, 3), np.float32), PLACE)
    assert (add_changes(pixels, [still]) == pixels).all()


def test_where_frames_overlap_their_weights_add_up_to_one(change):
    grey = np.full((220, 260, 3), 100, np.uint8)
    once, twice = add_changes(grey, [change]), add_changes(grey, [change, change])
    assert twice.max() == once.max() == 151
    assert (twice >= once).all()


def test_a_frame_beyond_the_photo_is_cut(pixels, change):
    moved = FaceChange(change.values, similarity(2, 0, 200, -30))
    changed = add_changes(pixels, [moved])
    assert changed.shape == pixels.shape
    assert (changed != pixels).any()
    away = FaceChange(change.values, similarity(2, 0, 4000, 4000))
    assert (add_changes(pixels, [away]) == pixels).all()


def test_grey_alpha_and_sixteen_bits_stay_what_they_are(change):
    draws = np.random.default_rng(1)
    grey = draws.integers(60, 190, (220, 260, 1), dtype=np.uint8)
    assert add_changes(grey, [change]).shape == grey.shape
    deep = draws.integers(20_000, 40_000, (220, 260, 4), dtype=np.uint16)
    changed = add_changes(deep, [change])
    assert changed.dtype == np.uint16
    assert (changed[:, :, 3] == deep[:, :, 3]).all()
    assert (changed[:, :, :3].astype(int) - deep[:, :, :3]).max() == round(0.2 * 65535)


def jpeg(pixels: np.ndarray, folder) -> tuple:
    """A photo as a camera writes it: on its side, with a thumbnail, a place and a profile."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Camera"
    exif.get_ifd(0x8825)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = folder / "photo.jpg"
    with_thumbnail = thumbnailed(exif.tobytes(), pixels)
    Image.fromarray(pixels).save(path, quality=95, exif=with_thumbnail, icc_profile=profile, dpi=(300, 300))
    return path, profile


def thumbnailed(exif: bytes, pixels: np.ndarray) -> bytes:
    """EXIF data with a second part that holds a small JPEG, as cameras write it; Pillow reads such and writes none."""
    small = io.BytesIO()
    Image.fromarray(pixels).resize((32, 24)).save(small, "JPEG")
    data = bytearray(exif.removeprefix(b"Exif\0\0"))
    order = "<" if data[:2] == b"II" else ">"
    (first,) = struct.unpack_from(order + "L", data, 4)
    (count,) = struct.unpack_from(order + "H", data, first)
    struct.pack_into(order + "L", data, first + 2 + 12 * count, len(data))  # where the second part begins
    start = len(data) + 2 + 2 * 12 + 4
    entries = [(0x0201, start), (0x0202, len(small.getvalue()))]
    data += struct.pack(order + "H", 2)
    for tag, value in entries:
        data += struct.pack(order + "HHLL", tag, 4, 1, value)
    return b"Exif\0\0" + bytes(data) + bytes(4) + small.getvalue()


def test_a_jpeg_keeps_its_metadata_but_for_the_thumbnail(pixels, tmp_path):
    path, profile = jpeg(pixels, tmp_path)
    whole = open_whole(path)
    assert (whole.pixels == np.asarray(open_image(path).image)).all()
    written = whole.save(whole.pixels, tmp_path / "new.jpg", {"synthetic": True})
    with Image.open(path) as old, Image.open(written) as new:
        assert new.size == old.size
        assert new.info["icc_profile"] == profile
        assert new.info["dpi"] == old.info["dpi"]
        assert b'"synthetic": true' in new.info["comment"]
        assert old.getexif().get_ifd(ExifTags.IFD.IFD1)[0x0202] > 0
        exif = new.getexif()
        assert (exif[0x0112], exif[0x010F], exif.get_ifd(0x8825)[1]) == (6, "Camera", "N")
        assert not exif.get_ifd(ExifTags.IFD.IFD1)
    assert np.abs(np.asarray(open_image(written).image, int) - whole.pixels).mean() < 4


def test_a_png_of_sixteen_bits_comes_back_to_the_bit(tmp_path):
    deep = np.random.default_rng(2).integers(0, 65536, (40, 50, 3), dtype=np.uint16)
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), deep[:, :, ::-1])
    whole = open_whole(path)
    assert (whole.pixels == deep).all()
    written = whole.save(whole.pixels, tmp_path / "again.png", {"made": "test"})
    assert (open_whole(written).pixels == deep).all()
    with Image.open(written) as image:
        assert image.text["facette"] == '{"made": "test"}'


def test_what_cannot_be_kept_is_read_as_srgb(tmp_path):
    path = tmp_path / "palette.gif"
    Image.fromarray(np.zeros((20, 20, 3), np.uint8) + 90).quantize(8).save(path)
    whole = open_whole(path)
    assert (whole.form, whole.pixels.shape) == ("PNG", (20, 20, 3))
