"""Projections to the page."""

import numpy as np
import pytest

from facette.errors import DataError, MissingExtraError, UsageError
from facette.latent.project import Projection, fit_projection
from facette.measures.neighbours import base_rate, nearest, neighbour_purity, trustworthiness
from facette.plots.maps import normalised, spaced

METHODS = ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)]  # UMAP compiles itself: half a minute


@pytest.fixture(scope="module")
def clusters():
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(c, 0.1, (40, 6)) for c in (-3, 0, 3)]), np.repeat([0, 1, 2], 40)


def project(latents, method="tsne", seed=0):
    return fit_projection(latents, np.ones_like(latents), method, seed)


def test_pca_is_the_plane_of_largest_variance(clusters):
    latents, _ = clusters
    points = project(latents, "pca").points
    values = np.linalg.eigvalsh(np.cov(latents.T))[::-1]
    np.testing.assert_allclose(np.cov(points.T).diagonal(), values[:2], rtol=1e-4)
    np.testing.assert_allclose(project(latents[::-1], "pca").points[::-1], points, atol=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_clusters_stay_together(clusters, method):
    latents, labels = clusters
    points = project(latents, method).points
    assert points.shape == (120, 2)
    assert trustworthiness(latents, points) > 0.9
    assert neighbour_purity(points, labels == 1) > 0.95
    assert base_rate(labels == 1) == pytest.approx(1 / 3)


@pytest.mark.parametrize("method", METHODS)
def test_newcomers_find_their_cluster_and_nobody_moves(clusters, method, tmp_path):
    latents, labels = clusters
    fitted = project(latents[::2], method, seed=7)
    again = Projection.load(fitted.save(tmp_path / "m.npz"))
    places = again.place(latents)
    np.testing.assert_array_equal(places[::2], fitted.points)  # what is on the map lies where it lay
    middles = np.stack([fitted.points[labels[::2] == k].mean(0) for k in range(3)])
    far = np.linalg.norm(places[1::2, None] - middles[None], axis=2)
    assert (far.argmin(1) == labels[1::2]).all()
    np.testing.assert_array_equal(places[1::2], fitted.place(latents[1::2]))  # the file holds all it takes


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_a_newcomer_lies_where_it_would_lie_alone(clusters, method):
    latents, _ = clusters
    fitted = project(latents[5:], method)
    together = fitted.place(latents[:5])
    np.testing.assert_allclose(fitted.place(latents[:1])[0], together[0], atol=1e-4 * np.ptp(fitted.points))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_is_the_same_map_and_few_latents_make_one_too(clusters, method):
    latents, _ = clusters
    for count in (4, 5, 50):
        first, second = (project(latents[:count], method, seed=3).points for _ in range(2))
        assert first.shape == (count, 2)
        assert np.isfinite(first).all()
        np.testing.assert_array_equal(first, second)


def test_latents_that_say_nothing_do_not_move_points():
    rng = np.random.default_rng(0)
    means = rng.normal(size=(60, 4)) * (1, 1, 0.01, 0.01)
    means[:, 2:] += rng.normal(
        size=(60, 2)
    )  # as large as the others, but the encoder is sure of nothing there
    scales = np.tile([0.01, 0.01, 1.0, 1.0], (60, 1))
    points = fit_projection(means, scales, "pca").points
    assert trustworthiness(means[:, :2], points) > 0.999
    assert trustworthiness(means[:, 2:], points) < 0.7


def test_a_missing_library_is_a_sentence(clusters, monkeypatch):
    import sys

    for method, module in (("tsne", "openTSNE"), ("umap", "umap")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(MissingExtraError, match=r'facette\[map\]"'):
            project(clusters[0], method)


@pytest.mark.parametrize("count", [6, 40, 300])
def test_trustworthiness_is_the_one_of_the_field(count):
    from sklearn.manifold import trustworthiness as reference

    rng = np.random.default_rng(count)
    latents = rng.normal(size=(count, 9))
    points = latents[:, :2] + 0.1 * rng.normal(size=(count, 2))
    k = max(1, min(15, (count - 1) // 2))
    assert trustworthiness(latents, points) == pytest.approx(reference(latents, points, n_neighbors=k))
    assert trustworthiness(latents, points, most=count // 2) == pytest.approx(
        reference(latents, points, n_neighbors=k), abs=0.1
    )


def test_the_nearest_are_others_even_in_the_same_place():
    points = np.array([[0.0], [0.0], [0.0], [5.0], [6.0]])
    found = nearest(points, 2)
    assert found.shape == (5, 2)
    assert all(i not in row for i, row in enumerate(found))
    assert {frozenset(row) for row in found[:3].tolist()} == {frozenset(p) for p in ((0, 1), (0, 2), (1, 2))}
    np.testing.assert_array_equal(nearest(points, 2, np.array([3])), [[4, found[3, 1]]])


def test_scattered_labels_have_the_purity_of_chance(clusters):
    latents, _ = clusters
    labels = np.random.default_rng(1).random(120) < 0.25
    assert neighbour_purity(latents, labels) == pytest.approx(base_rate(labels), abs=0.08)


def test_nobody_is_his_own_neighbour():
    line = np.arange(10.0)[:, None]
    ends = (line[:, 0] == 0) | (line[:, 0] == 9)
    assert neighbour_purity(line, ends, neighbours=1) == 0


def test_a_map_comes_back_from_its_file(tmp_path, clusters):
    kept = fit_projection(
        clusters[0][: 2 * 3], np.full((6, 6), 0.5), "pca", 3, ("é.png", "b", "c", "d", "e", "f"), "quick"
    )
    again = Projection.load(kept.save(tmp_path / "m.npz"))
    assert (again.names, again.method, again.seed, again.model) == (kept.names, "pca", 3, "quick")
    for name in ("points", "latents", "unit"):
        np.testing.assert_array_equal(getattr(again, name), getattr(kept, name))
    (tmp_path / "no.npz").write_bytes(b"no map")
    (tmp_path / "empty.npz").write_bytes(b"")
    np.savez(tmp_path / "other.npz", points=np.ones((2, 2)))
    np.savez(
        tmp_path / "short.npz", **{n: getattr(kept, n) for n in kept.__slots__} | {"points": kept.points[:4]}
    )
    np.savez(tmp_path / "pickle.npz", points=np.array([object()], dtype=object))
    for name in ("no", "empty", "other", "short", "pickle", "absent"):
        with pytest.raises(DataError, match="not a saved map"):
            Projection.load(tmp_path / f"{name}.npz")


def test_what_makes_no_map_is_a_sentence(clusters):
    with pytest.raises(UsageError, match="unknown method"):
        project(np.zeros((9, 2)), "magic")
    with pytest.raises(DataError, match="at least 4"):
        project(np.zeros((3, 2)))
    with pytest.raises(DataError, match="takes latents N×6"):
        project(clusters[0], "pca").place(np.zeros((2, 5)))


def test_thumbnails_never_overlap():
    points = normalised(np.random.default_rng(0).normal(size=(500, 2)))
    assert points.min() >= 0
    assert points.max() <= 1
    chosen = points[spaced(points, 0.05)]
    gaps = np.abs(chosen[:, None] - chosen[None]).max(2) + np.eye(len(chosen))
    assert gaps.min() >= 0.05
    assert len(chosen) > 40
    assert spaced(points, 0.05, first=[7, 8])[:2] == [7, 8]
