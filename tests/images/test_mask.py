"""What of a picture was seen: what lies in the photo, where it is neither transparent nor a black corner."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from facette.errors import UsageError
from facette.images.faces.align import intake
from facette.images.mask import black_corners, hide_boxes, seen_pixels
from facette.images.open import open_image
from facette.images.similarity import box_to_picture
from facette.recipe import load_recipe


def photo(side: int = 120) -> Image.Image:
    ramp = np.linspace(40, 220, side)
    return Image.fromarray(np.stack([ramp + 0 * ramp[:, None]] * 3, axis=-1).astype(np.uint8))


def test_what_lies_beyond_the_photo_is_unknown():
    seen = seen_pixels(photo(), None, box_to_picture((-60, 0, 60, 120), (64, 64)), (64, 64))
    assert not seen[:, :32].any()
    assert seen[:, 32:].all()


def test_transparent_parts_are_unknown():
    alpha = Image.fromarray(np.where(np.arange(120)[:, None] < 60, 0, 255).astype(np.uint8).repeat(120, 1))
    seen = seen_pixels(photo(), alpha, box_to_picture((0, 0, 120, 120), (64, 64)), (64, 64))
    assert not seen[:34].any()  # and two pixels beside them, into which resampling carries their colours
    assert seen[34:].all()
    same = seen_pixels(photo(), alpha, np.eye(3), (120, 120))
    assert not same[:60].any()
    assert same[60:].all()


def test_black_corners_of_a_rotated_photo_are_unknown_and_dark_hair_is_not():
    turned = photo().rotate(12, expand=False, fillcolor=(0, 0, 0))
    unknown = black_corners(turned)
    truth = np.asarray(Image.new("L", (120, 120), 255).rotate(12, fillcolor=0)) == 0
    assert unknown[truth].mean() > 0.97
    assert unknown[~truth].mean() < 0.1  # a narrow seam beside them
    y, x = np.mgrid[:120, :120]
    hair = np.asarray(photo()).copy()
    hair[(np.hypot(x - 60, y - 75) > 48) & (y < 70)] = 3  # a dark cap around a face
    assert not black_corners(Image.fromarray(hair)).any()


def test_an_aligned_face_hands_its_mask_on():
    spec = load_recipe("faces128").input
    assert spec.kind == "image"
    taken = intake(photo(), spec, eyes=((36, 40), (84, 40)))
    assert taken.seen is not None
    assert 0.3 < taken.seen.mean() < 0.8
    assert taken.masked.shape == (128, 128, 4)
    whole = intake(photo(144), spec, align="never")
    assert whole.seen is None
    assert (whole.masked[..., 3] == 255).all()


def test_a_transparent_picture_in_the_frame_keeps_its_mask():
    spec = load_recipe("faces128").input
    assert spec.kind == "image"
    pixels = np.full((128, 128, 4), 90, np.uint8)
    pixels[:, :64, 3], pixels[:, 64:, 3] = 0, 255
    taken = intake(open_image(Image.fromarray(pixels)), spec)
    assert taken.seen is not None
    assert not taken.seen[:, :64].any()
    assert taken.seen[:, 64:].all()


def test_a_hidden_box_is_transparent_and_keeps_its_colours():
    opened = hide_boxes(photo(), [(30, 40, 20, 10), (-5, 100, 10, 500)])
    assert opened.alpha is not None
    hidden = np.asarray(opened.alpha) == 0
    expected = np.zeros((120, 120), bool)
    expected[40:50, 30:50] = expected[100:, :5] = True
    assert (hidden == expected).all()
    assert (np.asarray(opened.image) == np.asarray(photo())).all()


def test_a_box_means_pixels_of_the_file_however_it_was_decoded():
    reduced = replace(open_image(photo(120)), original_size=(480, 240))
    alpha = hide_boxes(reduced, [(240, 60, 120, 40)]).alpha
    assert alpha is not None
    assert Image.fromarray(255 - np.asarray(alpha)).getbbox() == (60, 30, 90, 50)


def test_what_was_transparent_before_stays_so():
    pixels = np.full((20, 20, 4), 90, np.uint8)
    pixels[:5, :, 3] = 0
    alpha = hide_boxes(open_image(Image.fromarray(pixels)), [(0, 15, 20, 5)]).alpha
    assert alpha is not None
    assert ((np.asarray(alpha) == 0).all(axis=1) == [*[True] * 5, *[False] * 10, *[True] * 5]).all()


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 5), (0, 0, 5, -1), (float("nan"), 0, 5, 5), (120, 0, 5, 5), (0, -9, 5, 5)]
)
def test_a_box_that_hides_nothing_is_refused(box):
    with pytest.raises(UsageError, match=r"area|beside the photo"):
        hide_boxes(photo(), [box])
