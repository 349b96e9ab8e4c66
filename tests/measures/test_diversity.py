"""Laws of the spread."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.measures.diversity import pairwise_distances, spread, vendi_score


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


# ── Vendi ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_vendi_score_counts_what_is_different():
    basis = np.eye(6)
    assert vendi_score(basis) == pytest.approx(6)
    assert vendi_score(3 * np.repeat(basis[:1], 5, axis=0)) == pytest.approx(1)
    # Two kinds, three to one: exp of the entropy of (3/4, 1/4).
    uneven = basis[[0, 0, 0, 1]]
    assert vendi_score(uneven) == pytest.approx(np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)))


@pytest.mark.parametrize("shape", [(7, 20), (20, 7)])
def test_the_vendi_score_is_that_of_the_full_similarity_matrix(shape):
    features = np.random.default_rng(1).standard_normal(shape)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / len(unit))
    values = values[values > 1e-12]
    assert vendi_score(features) == pytest.approx(np.exp(-(values * np.log(values)).sum()))


@pytest.mark.parametrize("features", [np.zeros((0, 3)), np.zeros((2, 3)), np.full((2, 2), np.nan)])
def test_points_without_a_direction_have_no_vendi_score(features):
    with pytest.raises(UsageError, match="Vendi"):
        vendi_score(features)
