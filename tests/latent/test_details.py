"""The sum that keeps a photo's details: x' = x + up(D(z') − D(μ))."""

from __future__ import annotations

import numpy as np
import pytest

from facette.latent.details import add_change, enlarged, mix_changes, spread_inwards, to_bytes


@pytest.fixture
def draws():
    return np.random.default_rng(0)


def smooth(draws, side: int) -> np.ndarray:
    """A picture as a mean draws it: (side, side, 3), a little beyond black and white."""
    coarse = draws.uniform(-0.05, 1.05, (4, 4, 3)).astype(np.float32)
    return enlarged(coarse, (side, side))


def test_no_change_gives_the_photo_back_to_the_bit(draws):
    photo = draws.integers(0, 256, (40, 56, 3), dtype=np.uint8)
    mean = smooth(draws, 16)
    assert (to_bytes(add_change(photo / np.float32(255), mean, mean)) == photo).all()


def test_where_the_photo_is_the_drawing_the_result_is_the_new_drawing(draws):
    before, after = smooth(draws, 16), smooth(draws, 16)
    np.testing.assert_allclose(add_change(before, before, after), after, atol=1e-6)


def test_a_change_to_and_fro_is_none(draws):
    photo = draws.uniform(0.2, 0.8, (32, 32, 3)).astype(np.float32)
    before = photo[::2, ::2] * 0.9 + 0.05
    after = before + 0.02
    there = add_change(photo, before, after)
    np.testing.assert_allclose(add_change(there, after, before), photo, atol=1e-4)


def test_what_is_added_is_the_change_and_nothing_of_the_photo(draws):
    """Two photos of one drawing differ after the change by what they differed by before."""
    first, second = (draws.uniform(0, 1, (48, 48, 3)).astype(np.float32) for _ in range(2))
    before, after = smooth(draws, 16), smooth(draws, 16)
    changed = [add_change(photo, before, after) for photo in (first, second)]
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


def test_a_photo_of_any_size_is_changed_alike(draws):
    """The larger photo's result, reduced, is the smaller one's."""
    large = enlarged(draws.uniform(0.2, 0.8, (64, 64, 3)).astype(np.float32), (256, 256))
    small = large.reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    before, after = smooth(draws, 64), smooth(draws, 64)
    results = [add_change(photo, before, after) for photo in (small, large)]
    reduced = results[1].reshape(64, 4, 64, 4, 3).mean(axis=(1, 3))
    assert np.abs(reduced - results[0]).mean() < 1 / 255


def test_between_two_photos_none_is_exposed_twice(draws):
    """At the ends each photo is itself to the bit; in the middle no detail of either is left; a photo that leads keeps
    some of its own."""
    photos = draws.uniform(0.2, 0.8, (2, 64, 64, 3)).astype(np.float32)
    before = np.full((2, 64, 64, 3), 0.5, np.float32)
    drawn = before[0]

    def between(share: float) -> np.ndarray:
        return mix_changes(photos, before, before[0], np.array([1 - share, share]), drawn=drawn)

    assert (between(0) == photos[0]).all()
    assert (between(1) == photos[1]).all()
    details = [photo - photo.mean() for photo in photos]
    alike = [
        [np.corrcoef((between(t) - drawn).ravel(), d.ravel())[0, 1] for d in details] for t in (0.1, 0.5)
    ]
    assert alike[0][0] > 0.9
    assert abs(alike[0][1]) < 0.1
    assert max(map(abs, alike[1])) < 0.3


def test_without_a_second_stage_details_cross_over_by_their_shares(draws):
    photos = draws.uniform(0.2, 0.8, (2, 32, 32, 3)).astype(np.float32)
    before = np.stack([smooth(draws, 16), smooth(draws, 16)])
    after = smooth(draws, 16)
    mixed = mix_changes(photos, before, after, np.array([0.25, 0.75]))
    parts = [add_change(photo, mean, after) for photo, mean in zip(photos, before, strict=True)]
    np.testing.assert_allclose(mixed, 0.25 * parts[0] + 0.75 * parts[1], atol=1e-5)
