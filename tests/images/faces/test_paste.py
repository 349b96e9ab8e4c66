"""A face back in its photo."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facette.images.faces.align import intake
from facette.images.faces.paste import paste_face
from facette.recipe import load_recipe

SPEC = load_recipe("faces64").input
EYES = ((250.0, 180.0), (330.0, 215.0))


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    y, x = np.mgrid[0:420, 0:560] + 0.5
    channels = [128 + 90 * np.sin(x / 41), 128 + 90 * np.sin(y / 37), 128 + 90 * np.sin((x + y) / 59)]
    return Image.fromarray(np.stack(channels, axis=-1).round().astype(np.uint8))


def test_what_was_cut_and_put_back_leaves_the_photo_as_it_was(photo):
    large = SPEC.model_copy(update={"size": 256})
    aligned = intake(photo, large, eyes=EYES)
    back = paste_face(photo, aligned.picture, aligned.to_photo)
    assert back.size == photo.size
    assert np.abs(np.asarray(back).astype(int) - np.asarray(photo)).max() <= 3


def test_only_the_face_changes_and_its_middle_wholly(photo):
    aligned = intake(photo, SPEC, eyes=EYES)
    red = np.zeros((64, 64, 3), np.uint8) + np.array([255, 0, 0], np.uint8)
    before, after = np.asarray(photo), np.asarray(paste_face(photo, red, aligned.to_photo))
    changed = (before != after).any(axis=-1)
    inside = Image.new("L", photo.size)
    from PIL import ImageDraw

    ImageDraw.Draw(inside).polygon([tuple(corner) for corner in aligned.report.corners], fill=1)
    inside = np.asarray(inside) > 0
    assert not (changed & ~inside).any()
    assert changed.sum() > 0.8 * inside.sum()
    middle = np.mean(aligned.report.corners, axis=0).astype(int)
    assert (after[middle[1], middle[0]] == (255, 0, 0)).all()
    # No seam: from one pixel to the next the paste never jumps by more than a soft edge may.
    opacity = (after.astype(float) - before)[..., 0] / np.maximum(255.0 - before[..., 0], 1)
    assert np.abs(np.diff(np.where(before[..., 0] < 200, opacity, np.nan), axis=1)).max(
        initial=0, where=~np.isnan(np.diff(np.where(before[..., 0] < 200, opacity, np.nan), axis=1))
    ) < 0.1  # fmt: skip
    assert np.asarray(photo) is not after


def test_a_face_at_the_edge_of_the_photo_is_cut_off_there(photo):
    aligned = intake(photo, SPEC, eyes=((4.0, 5.0), (60.0, 8.0)))
    assert paste_face(photo, aligned.picture, aligned.to_photo).size == photo.size


def test_a_centre_crop_goes_back_too(photo):
    taken = intake(photo, load_recipe("quick").input.model_copy(update={"size": 256}))
    back = np.asarray(paste_face(photo, taken.picture, taken.to_photo)).astype(int)
    assert np.abs(back - np.asarray(photo)).max() <= 4
