"""Laws of the density measures: the truth scores as the truth, and every failure shows in its own number."""

import numpy as np
import pytest

from facette.data.mixture import Mixture, draw_mixture
from facette.errors import UsageError
from facette.measures.density import cluster_agreement, kullback_leibler, mode_figures, two_sample_accuracy


@pytest.fixture(scope="module")
def truth():
    return draw_mixture(3, 10, seed=4)


def without(truth, component):
    keep = np.arange(truth.components) != component
    weights = truth.weights[keep] / truth.weights[keep].sum()
    return Mixture(weights, truth.means[keep], truth.covariances[keep])


def test_the_truth_itself_scores_as_the_truth(truth):
    figures = mode_figures(truth, truth.sample(10_000, 1).points)
    assert (figures.covered, figures.total) == (10, 10)
    assert figures.weight_distance < 0.02
    assert figures.junk < 0.003
    assert abs(figures.shares.sum() - 1) < 1e-9


def test_a_missing_mode_is_missed_and_costs_its_weight(truth):
    lost = int(truth.weights.argmax())
    figures = mode_figures(truth, without(truth, lost).sample(10_000, 1).points)
    assert figures.covered == 9
    assert abs(figures.weight_distance - truth.weights[lost]) < 0.02


def test_junk_is_the_share_of_samples_far_from_every_mode(truth):
    good = truth.sample(3000, 1).points
    good = good[truth.mahalanobis(good).min(axis=1) <= 4]
    samples = np.concatenate([good, np.full((len(good), 3), 50.0)])
    assert mode_figures(truth, samples).junk == 0.5


def test_a_mode_with_junk_alone_is_not_found(truth):
    """All ten nearest modes are hit, but from too far: nothing is found."""
    away = truth.means + 30 * np.sign(truth.means)
    assert mode_figures(truth, np.repeat(away, 20, 0)).covered == 0


def test_the_classifier_is_blind_between_equals_and_sees_a_shift(truth):
    real, same = truth.sample(2000, 1).points, truth.sample(2000, 2).points
    assert abs(two_sample_accuracy(real, same, seed=0) - 0.5) < 0.03
    assert two_sample_accuracy(real, same + 1.0, seed=0) > 0.7
    # balanced: a kind that is five times as frequent wins nothing by itself
    assert abs(two_sample_accuracy(real, same[:400], seed=0) - 0.5) < 0.03


def test_kl_is_zero_with_oneself_and_that_of_the_shift_of_a_gaussian(truth):
    points = truth.sample(100, 3).points
    itself = kullback_leibler(truth.log_density(points), truth.log_density(points))
    assert (itself.nats, itself.standard_error) == (0.0, 0.0)
    one = Mixture(np.ones(1), np.zeros((1, 2)), np.eye(2)[None])
    moved = Mixture(np.ones(1), np.array([[1.0, 0.5]]), np.eye(2)[None])
    drawn = one.sample(20_000, 0).points
    found = kullback_leibler(one.log_density(drawn), moved.log_density(drawn))
    assert abs(found.nats - 0.5 * (1 + 0.25)) < 4 * found.standard_error
    assert 0 < found.standard_error < 0.01


def test_clusters_of_the_points_themselves_reach_the_best_and_noise_reaches_nothing(truth):
    drawn = truth.sample(3000, 1)
    turned = drawn.points @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert cluster_agreement(truth, drawn.points, drawn.components, turned, seed=0) > 0.97
    noise = np.random.default_rng(0).normal(size=(3000, 3))
    assert abs(cluster_agreement(truth, drawn.points, drawn.components, noise, seed=0)) < 0.05


def test_what_cannot_be_measured_is_refused(truth):
    with pytest.raises(UsageError, match="not N × 3"):
        mode_figures(truth, np.zeros((5, 2)))
    with pytest.raises(UsageError, match="finite"):
        mode_figures(truth, np.full((5, 3), np.nan))
    with pytest.raises(UsageError, match="at least 20"):
        two_sample_accuracy(np.zeros((5, 3)), np.zeros((50, 3)), seed=0)
    with pytest.raises(UsageError, match="at least 2"):
        kullback_leibler(np.zeros(1), np.zeros(1))


def test_a_linear_boundary_tells_gaussians_apart_as_often_as_the_best_one():
    """Two unit Gaussians d apart: no classifier is right more often than Φ(d / 2)."""
    from scipy.stats import norm

    generator = np.random.default_rng(0)
    real, drawn = generator.standard_normal((2, 4000, 5))
    for gap in (0.0, 1.0, 2.5):
        shift = gap * np.array([0.6, 0, 0.8, 0, 0])
        right = two_sample_accuracy(real, drawn + shift, seed=0, boundary="linear")
        assert right == pytest.approx(norm.cdf(gap / 2), abs=0.025)
