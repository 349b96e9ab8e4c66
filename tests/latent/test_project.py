"""Projections to the page."""

import numpy as np
import pytest

from facette.errors import DataError, UsageError
from facette.evaluation.neighbours import base_rate, neighbour_purity, trustworthiness
from facette.latent.project import Projection, project_latents
from facette.plots.maps import normalised, spaced


@pytest.fixture(scope="module")
def clusters():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(c, 0.1, (40, 6)) for c in (-3, 0, 3)]), np.repeat([0, 1, 2], 40)


def test_pca_is_the_plane_of_largest_variance(clusters):
    latents, _ = clusters
    points = project_latents(latents, "pca")
    values = np.linalg.eigvalsh(np.cov(latents.T))[::-1]
    np.testing.assert_allclose(np.cov(points.T).diagonal(), values[:2], rtol=1e-4)
    np.testing.assert_allclose(project_latents(latents[::-1], "pca")[::-1], points, atol=1e-4)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_clusters_stay_together(clusters, method):
    latents, labels = clusters
    points = project_latents(latents, method)
    assert points.shape == (120, 2)
    assert trustworthiness(latents, points) > 0.9
    assert neighbour_purity(points, labels == 1) > 0.95
    assert base_rate(labels == 1) == pytest.approx(1 / 3)


def test_scattered_labels_have_the_purity_of_chance(clusters):
    latents, _ = clusters
    labels = np.random.default_rng(1).random(120) < 0.25
    assert neighbour_purity(latents, labels) == pytest.approx(base_rate(labels), abs=0.08)


def test_nobody_is_his_own_neighbour():
    line = np.arange(10.0)[:, None]
    ends = (line[:, 0] == 0) | (line[:, 0] == 9)
    assert neighbour_purity(line, ends, neighbours=1) == 0


def test_a_map_comes_back_from_its_file(tmp_path):
    kept = Projection(np.ones((2, 2), np.float32), ("é.png", "b.png"), "pca", 3, "quick")
    again = Projection.load(kept.save(tmp_path / "m.npz"))
    assert (again.names, again.method, again.seed, again.model) == (kept.names, "pca", 3, "quick")
    (tmp_path / "no.npz").write_bytes(b"no map")
    with pytest.raises(DataError, match="not a saved map"):
        Projection.load(tmp_path / "no.npz")


def test_what_makes_no_map_is_a_sentence():
    with pytest.raises(UsageError, match="unknown method"):
        project_latents(np.zeros((9, 2)), "magic")
    with pytest.raises(DataError, match="at least 4"):
        project_latents(np.zeros((3, 2)))


def test_thumbnails_never_overlap():
    points = normalised(np.random.default_rng(0).normal(size=(500, 2)))
    assert points.min() >= 0
    assert points.max() <= 1
    chosen = points[spaced(points, 0.05)]
    gaps = np.abs(chosen[:, None] - chosen[None]).max(2) + np.eye(len(chosen))
    assert gaps.min() >= 0.05
    assert len(chosen) > 40
