"""Distances between clouds against closed forms, and against the definitions written out in full."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.measures.distances import KernelSums, frechet_distance


def cloud(count, dimensions=4, seed=0, scale=1.0, shift=0.0):
    return np.random.default_rng(seed).standard_normal((count, dimensions)) * scale + shift


def with_moments(mean, covariance, count=50, seed=0):
    """Points whose sample mean and sample covariance are exactly these."""
    points = cloud(count, len(mean), seed)
    points -= points.mean(axis=0)
    white = points @ np.linalg.inv(np.linalg.cholesky(np.cov(points, rowvar=False))).T
    return white @ np.linalg.cholesky(covariance).T + mean


def kernel_distance(real, generated):
    return KernelSums.of(real, generated).distance(np.ones(len(real)), np.ones(len(generated)))


# ── Fréchet ──────────────────────────────────────────────────────────────────────────────────────────────


def test_the_frechet_distance_of_diagonal_gaussians_is_that_of_means_and_standard_deviations():
    first = with_moments(np.array([1.0, -2.0, 0.0]), np.diag([4.0, 1.0, 0.25]))
    second = with_moments(np.array([0.0, -2.0, 0.5]), np.diag([1.0, 9.0, 0.25]), seed=1)
    expected = 1 + 0.25 + (2 - 1) ** 2 + (1 - 3) ** 2
    assert frechet_distance(first, second) == pytest.approx(expected)


def test_the_frechet_distance_agrees_with_scipys_matrix_root():
    from scipy.linalg import sqrtm

    mixing = np.random.default_rng(2).standard_normal((6, 6))
    first, second = cloud(80, 6) @ mixing, cloud(90, 6, seed=1, shift=0.4)
    a, b = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    gap = first.mean(0) - second.mean(0)
    expected = gap @ gap + np.trace(a + b - 2 * sqrtm(a @ b).real)
    assert frechet_distance(first, second) == pytest.approx(expected, rel=1e-8)
    assert frechet_distance(second, first) == pytest.approx(expected, rel=1e-8)


def test_a_cloud_has_no_frechet_distance_from_itself_even_with_fewer_points_than_dimensions():
    few = cloud(10, 30)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(few, few + 1) == pytest.approx(30, rel=1e-6)


# ── kernel ───────────────────────────────────────────────────────────────────────────────────────────────


def written_out(real, made):
    """The unbiased estimator of MMD² as a sum over pairs, with scikit-learn's kernel."""
    from sklearn.metrics.pairwise import polynomial_kernel

    def kernel(a, b):
        return polynomial_kernel(a, b, degree=3, gamma=1 / a.shape[1], coef0=1)

    def without_diagonal(k):
        return (k.sum() - np.trace(k)) / (len(k) * (len(k) - 1))

    cross = kernel(real, made).mean()
    return without_diagonal(kernel(real, real)) + without_diagonal(kernel(made, made)) - 2 * cross


def test_the_kernel_distance_is_the_unbiased_sum_over_pairs():
    real, made = cloud(40), cloud(30, seed=1, scale=1.3, shift=0.2)
    assert kernel_distance(real, made) == pytest.approx(written_out(real, made))


def test_the_kernel_distance_of_equal_distributions_scatters_around_nothing():
    draws = np.random.default_rng(0)
    values = [kernel_distance(*draws.standard_normal((2, 60, 4))) for _ in range(400)]
    error = np.std(values) / np.sqrt(len(values))
    assert abs(np.mean(values)) < 3 * error
    assert min(values) < 0 < max(values)
    assert kernel_distance(cloud(60), cloud(60, seed=1, shift=1.0)) > 10 * np.std(values)


def test_counting_a_point_twice_is_having_it_twice_but_for_the_pair_with_itself():
    real, made = cloud(12), cloud(9, seed=1, shift=0.3)
    counts = np.array([0, 2, *[1] * 10], float)
    doubled = np.concatenate([real[1:2], real[1:]])
    sums = KernelSums.of(real, made)
    without_itself = written_out(doubled, made)
    # Written out, the doubled point is paired with its copy; here it is not. Undo that pair by hand.
    kernel = (real[1] @ real[1] / 4 + 1) ** 3
    pairs = 12 * 11
    average = without_itself - _mean_pair(doubled) + (_mean_pair(doubled) * pairs - 2 * kernel) / (pairs - 2)
    assert sums.distance(counts, np.ones(9)) == pytest.approx(average)


def _mean_pair(points):
    kernel = (points @ points.T / points.shape[1] + 1) ** 3
    return (kernel.sum() - np.trace(kernel)) / (len(points) * (len(points) - 1))


@pytest.mark.parametrize("measure", [frechet_distance, kernel_distance])
@pytest.mark.parametrize(
    ("real", "made", "words"),
    [
        (np.zeros((5, 3)), np.zeros((5, 4)), "one space"),
        (np.zeros((1, 3)), np.zeros((5, 3)), "too few"),
        (np.full((5, 3), np.nan), np.zeros((5, 3)), "not finite"),
    ],
)
def test_clouds_that_do_not_compare_are_refused(measure, real, made, words):
    with pytest.raises(UsageError, match=words):
        measure(real, made)
