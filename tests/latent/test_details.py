"""The sum that keeps a photo's details: x' = x + up(D(z') − D(μ))."""

from __future__ import annotations

import numpy as np
import pytest

from facette.errors import UsageError
from facette.latent.details import SPACE, add_change, enlarged, spread_inwards, to_bytes

SPACES = ("gamma", "ratio", "linear")


@pytest.fixture
def draws():
    return np.random.default_rng(0)


def smooth(draws, side: int) -> np.ndarray:
    """A picture as a mean draws it: (side, side, 3), a little beyond black and white."""
    coarse = draws.uniform(-0.05, 1.05, (4, 4, 3)).astype(np.float32)
    return enlarged(coarse, (side, side))


@pytest.mark.parametrize("space", SPACES)
def test_no_change_gives_the_photo_back_to_the_bit(draws, space):
    photo = draws.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    drawn = smooth(draws, 16)
    assert (to_bytes(add_change(photo / np.float32(255), drawn, drawn, space=space)) == photo).all()


def test_where_the_photo_is_the_drawing_the_result_is_the_new_drawing(draws):
    before, after = smooth(draws, 16), smooth(draws, 16)
    np.testing.assert_allclose(add_change(before, before, after), after, atol=1e-6)


@pytest.mark.parametrize("space", SPACES)
def test_a_change_to_and_fro_is_none(draws, space):
    photo = draws.uniform(0.2, 0.8, (32, 32, 3)).astype(np.float32)
    before = photo[::2, ::2] * 0.9 + 0.05
    after = before + 0.02
    there = add_change(photo, before, after, space=space)
    np.testing.assert_allclose(add_change(there, after, before, space=space), photo, atol=1e-4)


def test_what_is_added_is_the_change_and_nothing_of_the_photo(draws):
    """Two photos of one drawing differ after the change by what they differed by before."""
    first, second = (draws.uniform(0, 1, (48, 48, 3)).astype(np.float32) for _ in range(2))
    before, after = smooth(draws, 16), smooth(draws, 16)
    changed = [add_change(photo, before, after, space=SPACE) for photo in (first, second)]
    np.testing.assert_allclose(changed[0] - changed[1], first - second, atol=1e-6)


def test_values_are_clipped_once_at_the_end():
    """A drawing beyond white takes away what it added, so nothing is lost on the way."""
    photo = np.full((8, 8, 3), 0.9, np.float32)
    before, after = np.full((8, 8, 3), 1.1, np.float32), np.full((8, 8, 3), 1.2, np.float32)
    np.testing.assert_allclose(add_change(photo, before, after), 1.0, atol=1e-6)


def test_grey_stays_grey(draws):
    photo, before, after = (
        np.repeat(draws.uniform(0, 1, (16, 16, 1)), 3, axis=2).astype(np.float32) for _ in range(3)
    )
    changed = add_change(photo, before, after)
    assert (changed == changed[..., :1]).all()


def test_what_the_photo_does_not_show_is_drawn_by_the_model_and_meets_the_rest(draws):
    photo = draws.uniform(0.4, 0.6, (64, 64, 3)).astype(np.float32)
    before, after = smooth(draws, 16), smooth(draws, 16)
    unseen = np.zeros((64, 64), bool)
    unseen[:, :20] = True
    changed = add_change(photo, before, after, unseen)
    assert (changed[~unseen] == add_change(photo, before, after)[~unseen]).all()
    other = photo.copy()
    other[unseen] = 0  # what stood there before does not matter
    assert (add_change(other, before, after, unseen) == changed).all()
    shifted = add_change(photo + np.float32(0.25), before, after, unseen)  # a photo in brighter light
    np.testing.assert_allclose((shifted - changed)[unseen], 0.25, atol=1e-3)
    whole = add_change(before_at(before, 64), before, after, unseen)  # a photo that is its own drawing
    np.testing.assert_allclose(whole, enlarged(after, (64, 64)), atol=1e-4)


def before_at(values: np.ndarray, side: int) -> np.ndarray:
    return enlarged(values, (side, side))


def test_a_rim_is_spread_without_going_beyond_its_values(draws):
    values = draws.uniform(2, 3, (37, 50, 3)).astype(np.float32)
    known = np.zeros((37, 50), bool)
    known[5:9, 30:44] = True
    filled = spread_inwards(values, known)
    assert (filled[known] == values[known]).all()
    assert filled.min() >= values[known].min() - 1e-4
    assert filled.max() <= values[known].max() + 1e-4


def test_an_unknown_space_is_refused():
    grey = np.zeros((4, 4, 3), np.float32)
    with pytest.raises(UsageError, match="unknown space 'lab'"):
        add_change(grey, grey, grey, space="lab")
