"""Laws of mixtures as data: exact densities, repeatable draws, stores that hold together."""

import math

import numpy as np
import pytest
from scipy.stats import chi2, multivariate_normal

from facette.data.mixture import Mixture, draw_mixture, draw_store, is_mixture, open_mixture
from facette.errors import DataError, UsageError


@pytest.fixture
def mixture():
    return draw_mixture(3, 4, seed=1)


def reference(mixture, points):
    """(N, K) joint densities by scipy."""
    parts = zip(mixture.weights, mixture.means, mixture.covariances, strict=True)
    return np.stack([w * multivariate_normal(m, c).pdf(points) for w, m, c in parts], axis=1)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 7])
def test_density_and_responsibilities_are_those_of_scipy(dimensions):
    mixture = draw_mixture(dimensions, 4, seed=dimensions)
    points = mixture.sample(200, 0).points
    joint = reference(mixture, points).reshape(200, 4)
    np.testing.assert_allclose(mixture.log_density(points), np.log(joint.sum(axis=1)), rtol=1e-9)
    expected = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mixture.responsibilities(points), expected, atol=1e-9)


def test_density_is_the_same_whatever_the_chunk(mixture, monkeypatch):
    points = mixture.sample(50, 0).points
    whole = mixture.log_density(points)
    monkeypatch.setattr("facette.data.mixture.CHUNK", 7)
    np.testing.assert_array_equal(mixture.log_density(points), whole)


def test_far_points_have_finite_log_densities(mixture):
    assert np.isfinite(mixture.log_density(np.full((1, 3), 1e4))).all()


def test_samples_follow_the_mixture(mixture):
    drawn = mixture.sample(40_000, 5)
    shares = np.bincount(drawn.components, minlength=4) / len(drawn.components)
    np.testing.assert_allclose(shares, mixture.weights, atol=0.01)
    # the squared distance of a component's own points is chi-squared with D degrees of freedom
    own = mixture.mahalanobis(drawn.points)[np.arange(40_000), drawn.components]
    for quantile in (0.1, 0.5, 0.9, 0.99):
        assert abs((own**2 < chi2(3).ppf(quantile)).mean() - quantile) < 0.008


def test_entropy_of_one_component_is_closed_and_monte_carlo_agrees():
    one = draw_mixture(3, 1, seed=2)
    exact = one.entropy()
    assert exact.standard_error == 0
    assert math.isclose(exact.nats, multivariate_normal(one.means[0], one.covariances[0]).entropy())
    twice = Mixture(np.array([0.4, 0.6]), np.repeat(one.means, 2, 0), np.repeat(one.covariances, 2, 0))
    sampled = twice.entropy(samples=20_000)
    assert abs(sampled.nats - exact.nats) < 4 * sampled.standard_error
    assert 0 < sampled.standard_error < 0.02


def test_entropy_of_separate_components_adds_that_of_the_weights():
    one = draw_mixture(2, 1, seed=2)
    far = Mixture(
        np.array([0.2, 0.8]), np.stack([one.means[0], one.means[0] + 1e3]), np.repeat(one.covariances, 2, 0)
    )
    weights = -(0.2 * math.log(0.2) + 0.8 * math.log(0.8))
    sampled = far.entropy(samples=50_000)
    assert abs(sampled.nats - one.entropy().nats - weights) < 4 * sampled.standard_error


def test_a_marginal_is_the_density_with_the_rest_integrated_out(mixture):
    axis = np.linspace(-20, 20, 4001)
    line = np.stack([np.full_like(axis, 0.7), axis, np.full_like(axis, -0.4)], axis=1)
    integral = np.exp(mixture.log_density(line)).sum() * (axis[1] - axis[0])
    assert math.isclose(
        np.exp(mixture.marginal((0, 2)).log_density([[0.7, -0.4]]))[0], integral, rel_tol=1e-6
    )


def test_one_seed_is_one_mixture_and_one_draw():
    first, again, other = (draw_mixture(3, 10, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.covariances, again.covariances)
    assert not np.allclose(first.means, other.means)
    np.testing.assert_array_equal(first.sample(9, 3).points, again.sample(9, 3).points)
    assert math.isclose(first.weights.sum(), 1)
    assert (np.linalg.eigvalsh(first.covariances) > 0.19**2).all()


def test_the_shipped_source_is_the_mixture_of_the_documentation():
    store = open_mixture("synthetic-mixture", 3)
    assert (len(store), store.mixture.components) == (20_000, 10)
    assert abs(store.mixture.entropy().nats - 3.99) < 0.02
    assert open_mixture("synthetic-mixture:seed=4,count=20000", 3).fingerprint == store.fingerprint
    assert len(open_mixture("synthetic-mixture:500", 3)) == 500
    assert open_mixture("synthetic-mixture:seed=5", 3).fingerprint != store.fingerprint


def test_a_store_keeps_its_points_apart_and_in_order(mixture):
    store = draw_store(mixture, 1000, seed=3)
    parts = [store.indices(part) for part in ("train", "valid", "test")]
    assert [len(part) for part in parts] == [900, 50, 50]
    np.testing.assert_array_equal(np.concatenate(parts), store.indices())
    rows = np.array([5, 2, 990])
    batch = store.read(rows)
    assert batch.dtype == np.float32
    np.testing.assert_array_equal(batch, store.points[rows])
    assert len(store.names) == len(store) == len(store.components)
    own = store.mixture.mahalanobis(store.points)[np.arange(1000), store.components]
    assert own.max() < 6


@pytest.mark.parametrize("setting", ["sed=5", "seed=x", "seed", "seed=-1", "seed=1;count=2"])
def test_a_setting_that_no_mixture_has_is_refused_with_the_remedy(setting):
    with pytest.raises(DataError, match=r"seed, components, count"):
        open_mixture(f"synthetic-mixture:{setting}", 3)


def test_sources_that_are_mixtures_are_told_from_paths(tmp_path):
    assert is_mixture("synthetic-mixture")
    assert is_mixture("synthetic-mixture:seed=5")
    assert not is_mixture("synthetic-mixture/pictures")
    assert not is_mixture(tmp_path)
    with pytest.raises(DataError, match="no mixture"):
        open_mixture("pictures", 3)


def test_impossible_mixtures_are_refused():
    with pytest.raises(DataError, match="0 components"):
        draw_mixture(3, 0, seed=1)
    with pytest.raises(DataError, match="positive"):
        draw_mixture(3, 2, seed=1, deviations=(0.5, 0.1))
    with pytest.raises(UsageError, match="no part"):
        open_mixture("synthetic-mixture:count=10", 3).indices("training")
