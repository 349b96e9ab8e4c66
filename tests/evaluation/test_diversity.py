"""Laws of the spread."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.evaluation.diversity import pairwise_distances, spread


@pytest.fixture
def pictures():
    return np.random.default_rng(0).random((6, 8, 8, 3))


def test_the_spread_agrees_with_scipys_pairwise_distances(pictures):
    from scipy.spatial.distance import pdist

    expected = pdist(pictures.reshape(6, -1)).mean() / np.sqrt(8 * 8 * 3)
    assert spread(pictures) == pytest.approx(expected)


def test_equal_pictures_have_no_spread(pictures):
    assert spread(np.repeat(pictures[:1], 4, axis=0)) == 0


def test_two_pictures_a_constant_apart_are_that_far_apart():
    assert spread(np.stack([np.full((4, 4, 3), 0.2), np.full((4, 4, 3), 0.5)])) == pytest.approx(0.3)


def test_the_spread_scales_with_the_contrast_and_forgets_the_mean(pictures):
    assert spread(0.25 * pictures + 0.5) == pytest.approx(0.25 * spread(pictures))


def test_tiny_differences_are_not_lost():
    # Through |a|² + |b|² − 2ab in single precision this would be noise.
    near = np.full((2, 8, 8, 3), 0.7)
    near[1] += 1e-9
    assert spread(near) == pytest.approx(1e-9, rel=1e-4)


def test_distances_are_a_metric(pictures):
    distances = pairwise_distances(pictures)
    assert (np.diag(distances) == 0).all()
    np.testing.assert_allclose(distances, distances.T)
    through = (distances[:, :, None] + distances[None, :, :]).min(axis=1)
    assert (distances <= through + 1e-12).all()


def test_one_picture_has_no_spread_and_bytes_are_refused(pictures):
    with pytest.raises(UsageError, match="at least 2"):
        spread(pictures[:1])
    with pytest.raises(UsageError, match="divide uint8"):
        spread(np.zeros((2, 4, 4, 3), np.uint8))
