"""Precision, recall, density and coverage against their definitions and their expectations; memorised samples."""

import numpy as np
import pytest

from facette.errors import UsageError
from facette.measures.manifold import nearest_distances, overlap
from facette.measures.memory import memorisation


def cloud(count, dimensions=3, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dimensions))


def means(found):
    return tuple(float(row.mean()) for row in (found.precision, found.recall, found.density, found.coverage))


def written_out(real, made, k):
    """The definitions, point by point."""

    def radius(points, i):
        return np.sort(np.linalg.norm(points - points[i], axis=1))[k]

    def gap(i, j):
        return np.linalg.norm(real[i] - made[j])

    n, m = range(len(real)), range(len(made))
    precision = np.mean([any(gap(i, j) <= radius(real, i) for i in n) for j in m])
    recall = np.mean([any(gap(i, j) <= radius(made, j) for j in m) for i in n])
    density = np.mean([sum(gap(i, j) <= radius(real, i) for i in n) / k for j in m])
    coverage = np.mean([any(gap(i, j) <= radius(real, i) for j in m) for i in n])
    return precision, recall, density, coverage


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_measures_are_their_definitions(k):
    real, made = cloud(40), 1.5 * cloud(30, seed=1) + 0.5
    assert means(overlap(real, made, k)) == pytest.approx(written_out(real, made, k))


def test_many_points_take_the_rows_in_parts(monkeypatch):
    real, made = cloud(70), cloud(50, seed=1)
    whole = means(overlap(real, made))
    nearest = nearest_distances(real, made)
    monkeypatch.setattr("facette.measures.manifold.AT_ONCE", 16)
    assert means(overlap(real, made)) == whole
    assert (nearest_distances(real, made) == nearest).all()


def test_equal_distributions_reach_the_expectations_of_the_paper():
    """arXiv 2002.09797, section 3.3: coverage 1 − Π (N − i)/(N + M − i), density 1."""
    n, m, k = 200, 200, 5
    found = [means(overlap(cloud(n, seed=2 * i), cloud(m, seed=2 * i + 1), k)) for i in range(20)]
    _, _, density, coverage = np.mean(found, axis=0)
    expected = 1 - np.prod([(n - i) / (n + m - i) for i in range(1, k + 1)])
    assert coverage == pytest.approx(expected, abs=0.005)
    assert density == pytest.approx(1, abs=0.05)


def test_a_lost_half_costs_recall_and_coverage_and_stray_points_cost_precision_and_density():
    real = np.concatenate([cloud(150), cloud(150, seed=1) + 20])
    one_mode = cloud(300, seed=2)
    precision, recall, density, coverage = means(overlap(real, one_mode))
    assert precision > 0.9
    assert density > 0.9
    assert recall == pytest.approx(0.5, abs=0.05)
    assert coverage == pytest.approx(0.5, abs=0.05)
    strays = np.concatenate([cloud(150, seed=3), cloud(150, seed=4) - 20])
    precision, _, density, _ = means(overlap(cloud(300, seed=5), strays))
    assert precision == pytest.approx(0.5, abs=0.05)
    assert density < 0.6


def test_too_few_points_for_a_ball_are_refused():
    with pytest.raises(UsageError, match="at least 6"):
        overlap(cloud(5), cloud(9))
    with pytest.raises(UsageError, match="k of at least 1"):
        overlap(cloud(5), cloud(9), 0)


# ── memorised samples ────────────────────────────────────────────────────────────────────────────────────


def test_nearest_distances_agree_with_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    points, among = cloud(30), cloud(80, seed=1)
    expected = NearestNeighbors(n_neighbors=1).fit(among).kneighbors(points)[0][:, 0]
    np.testing.assert_allclose(nearest_distances(points, among), expected)


def test_free_samples_are_at_the_floor_and_copies_are_found():
    training, held_out = cloud(400, 8), cloud(400, 8, seed=1)
    free = memorisation(cloud(400, 8, seed=2), training, held_out)
    assert free.share < 0.03
    assert free.ratio == pytest.approx(1, abs=0.1)
    assert (free.held_out < free.threshold).mean() == pytest.approx(0.01)
    copies = training[:100] + 0.01 * cloud(100, 8, seed=3)
    mixed = memorisation(np.concatenate([cloud(100, 8, seed=4), copies]), training, held_out)
    assert mixed.share == pytest.approx(0.5, abs=0.02)


def test_a_threshold_needs_held_out_pictures_that_are_held_out():
    training = cloud(200)
    with pytest.raises(UsageError, match="at least 100"):
        memorisation(cloud(10), training, cloud(99))
    with pytest.raises(UsageError, match="themselves training pictures"):
        memorisation(cloud(10), training, training[:150])
