"""The one pair of functions that scales pixels: there and back, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facette.images.convert import range_bounds, to_model, to_pictures, to_unit

EVERY_LEVEL = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)


@pytest.mark.parametrize(("range_", "low", "high"), [("unit", 0.0, 1.0), ("symmetric", -1.0, 1.0)])
def test_every_level_survives_and_fills_the_range(range_, low, high):
    x = to_model(EVERY_LEVEL, range_)
    assert x.shape == (1, 3, 16, 16)
    assert x.dtype == torch.float32
    assert (x.min().item(), x.max().item()) == (low, high)
    assert range_bounds(range_) == (low, high)
    assert np.array_equal(to_pictures(x, range_), EVERY_LEVEL)


def test_what_lies_outside_is_clipped_only_on_the_way_out():
    x = torch.tensor([-2.0, 0.0, 2.0]).view(1, 3, 1, 1)
    assert to_pictures(x, "symmetric").ravel().tolist() == [0, 128, 255]
    assert to_unit(x, "symmetric").ravel().tolist() == [-0.5, 0.5, 1.5]


@pytest.mark.parametrize("wrong", [np.zeros((1, 2, 2, 3), np.float32), np.zeros((2, 2, 3), np.uint8)])
def test_anything_but_a_batch_of_bytes_is_refused(wrong):
    with pytest.raises(ValueError, match="N×H×W×C"):
        to_model(wrong, "unit")


def test_the_callers_array_is_left_alone():
    pictures = EVERY_LEVEL.copy()
    to_model(pictures, "symmetric")
    assert np.array_equal(pictures, EVERY_LEVEL)


def test_read_only_and_mirrored_arrays_are_taken_as_they_are():
    frozen = EVERY_LEVEL.copy()
    frozen.setflags(write=False)
    assert torch.equal(to_model(frozen, "unit"), to_model(EVERY_LEVEL, "unit"))
    mirrored = to_model(EVERY_LEVEL[:, :, ::-1], "unit")
    assert torch.equal(mirrored, to_model(EVERY_LEVEL, "unit").flip(3))
