"""Geometry: which part of a picture a model sees."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from facette.images.fit import crop_box, fit_picture
from facette.recipe import load_recipe


def gradient(width: int, height: int) -> Image.Image:
    across = np.linspace(0, 255, width, dtype=np.uint8)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height, dtype=np.uint8)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([across, down, np.zeros_like(across)], 2))


def test_an_aligned_frame_is_cut_by_its_box():
    spec = load_recipe("faces64").input
    assert crop_box((178, 218), spec) == (17, 49, 161, 193)
    assert crop_box((218, 178), spec) == (20, 0, 198, 178)


@pytest.mark.parametrize("size", [(64, 64), (128, 128), (50, 90), (300, 120), (1, 1)])
@pytest.mark.parametrize("name", ["faces64", "celeba64-z50", "celeba150"])
def test_any_picture_becomes_the_models_square(size, name):
    spec = load_recipe(name).input
    out = fit_picture(gradient(*size), spec)
    assert out.shape == (spec.size, spec.size, 3)
    assert out.dtype == np.uint8


def test_cover_keeps_proportions_and_squash_keeps_everything():
    wide = gradient(400, 100)
    cover = fit_picture(wide, load_recipe("quick").input)
    squash = fit_picture(wide, load_recipe("celeba64-z50").input)
    assert cover[0, 0, 0] > 80  # the left three eighths are cut away
    assert squash[0, 0, 0] < 10
    assert squash[0, -1, 0] > 245


def test_a_picture_of_the_right_size_is_not_touched():
    picture = gradient(32, 32)
    assert np.array_equal(fit_picture(picture, load_recipe("quick").input), np.asarray(picture))
