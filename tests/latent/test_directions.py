"""Laws of directions, on latents whose truth is known: labels that shift a Gaussian cloud."""

from statistics import NormalDist

import numpy as np
import pytest
import torch

from facette.errors import DataError, UsageError
from facette.latent.directions import _moves, direction_tensors, fit_directions, known_directions
from facette.model.posterior import DiagonalGaussian

NAMES = ("Smiling", "High_Cheekbones", "Blond_Hair", "Noise")
SCALE = 0.05


def _world(count=4000, latent=10, seed=0):
    """Posteriors and labels: two labels that mostly go together, one alone, and one without any effect."""
    draws = np.random.default_rng(seed)
    first = draws.choice([-1, 1], count)
    second = np.where(draws.random(count) < 0.85, first, -first)
    labels = np.stack([first, second, draws.choice([-1, 1], count), draws.choice([-1, 1], count)], axis=1)
    shifts = np.zeros((4, latent))
    shifts[0, 0], shifts[1, 1], shifts[2, 2] = 0.8, 0.8, 1.0
    mixing = draws.normal(size=(latent, latent)) / 2 + np.eye(latent)
    means = (draws.normal(size=(count, latent)) + labels @ shifts) @ mixing + 1
    posterior = DiagonalGaussian(torch.tensor(means, dtype=torch.float32), torch.full((count, latent), SCALE))
    return posterior, labels.astype(np.int8)


@pytest.fixture(scope="module")
def world():
    return _world()


def _fit(world, **options):
    return fit_directions(*world, NAMES, **options)[0]


@pytest.mark.parametrize("method", ["logistic", "difference", "both"])
@pytest.mark.parametrize("orthogonal", [False, True])
def test_a_step_of_one_raises_the_score_by_one_standard_deviation(world, method, orthogonal):
    made = _fit(world, method=method, orthogonal=orthogonal)
    scores = made.scores(world[0].mean)
    np.testing.assert_allclose(scores.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(scores.std(0), 1, atol=0.01)
    moved = made.scores(world[0].mean.numpy() + made.moves[2]) - scores
    np.testing.assert_allclose(moved[:, 2], 1, rtol=1e-7)
    np.testing.assert_allclose(made.entanglement.diagonal(), 1, rtol=1e-7)
    np.testing.assert_allclose(moved.mean(0), made.entanglement[2], atol=1e-7)


def test_the_difference_of_means_is_what_it_says(world):
    posterior, labels = world
    made = _fit(world, method="difference")
    has = torch.from_numpy(labels[:, 0] > 0)
    gap = posterior.mean[has].mean(0) - posterior.mean[~has].mean(0)
    cosine = torch.nn.functional.cosine_similarity(torch.from_numpy(made.moves[0]).float(), gap, dim=0)
    assert cosine > 1 - 1e-5


def test_for_classes_that_are_gaussian_both_methods_agree(world):
    for quality in _fit(world).quality[:3]:
        assert quality.agreement > 0.99


def test_the_area_under_the_curve_is_the_one_that_theory_gives(world):
    # One latent, shifted by ±1 with unit variance: the scores of both classes lie 2 deviations apart.
    quality = _fit(world).quality[2]
    assert quality.auc == pytest.approx(NormalDist().cdf(2 / np.sqrt(2)), abs=0.015)
    assert quality.auc_other == pytest.approx(quality.auc, abs=0.01)
    assert quality.share == pytest.approx(0.5, abs=0.03)


def test_the_area_is_measured_on_pictures_the_fit_has_not_seen():
    posterior, labels = _world(count=120, latent=60)
    quality = fit_directions(posterior, labels[:, 3:], ("Noise",))[0].quality[0]
    assert 0.3 < quality.auc < 0.7  # on its own pictures such a fit would be perfect


def test_orthogonalised_moves_drag_less_along(world):
    plain, free = _fit(world), _fit(world, orthogonal=True)
    assert plain.entanglement[0, 1] > 0.4
    assert free.entanglement[0, 1] < 0.8 * plain.entanglement[0, 1]
    off = ~np.eye(4, dtype=bool)
    assert np.square(free.entanglement[off]).sum() < 0.6 * np.square(plain.entanglement[off]).sum()


def test_without_a_ridge_no_other_score_would_move():
    u = np.random.default_rng(0).standard_normal((3, 8))
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    np.testing.assert_allclose(_moves(u, 0.0) @ u.T, np.eye(3), atol=1e-12)
    assert (_moves(u, None) == u).all()
    np.testing.assert_allclose(_moves(u, 1e9), u, atol=1e-6)


def test_unknown_labels_take_no_part(world):
    posterior, labels = world
    partly = labels.copy()
    partly[::2, 0] = 0
    made = fit_directions(posterior, partly, NAMES)[0]
    assert made.quality[0].count == len(labels) // 2
    swapped = posterior.mean.clone()
    swapped[::2] = swapped[::2].flip(0)  # pictures without a label may stand in any order
    again = fit_directions(DiagonalGaussian(swapped, posterior.scale), partly, NAMES)[0]
    np.testing.assert_allclose(made.normals[0], again.normals[0], atol=1e-3, rtol=1e-3)


def test_attributes_that_hardly_anyone_has_are_left_out(world):
    posterior, labels = world
    rare = labels.copy()
    rare[:, 1] = -1
    rare[:9, 1] = 1
    made, left_out = fit_directions(posterior, rare, NAMES)
    assert left_out == ("High_Cheekbones",)
    assert made.names == ("Smiling", "Blond_Hair", "Noise")
    with pytest.raises(DataError, match="at least 10 pictures"):
        fit_directions(posterior, np.ones_like(labels), NAMES)


def test_they_survive_the_model_file(world, quick_model):
    made = fit_directions(*world, NAMES, orthogonal=True, data="a world")[0]
    tensors, figures = direction_tensors(made)
    quick_model.extras.update(tensors)
    quick_model.metrics.update(figures)
    try:
        known = known_directions(quick_model)
    finally:
        for name in tensors:
            del quick_model.extras[name]
        del quick_model.metrics["directions"]
    assert (known.names, known.quality) == (made.names, made.quality)
    assert (known.method, known.orthogonal, known.data) == ("logistic", True, "a world")
    np.testing.assert_allclose(known.entanglement, made.entanglement, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(tensors["directions.Smiling"], made.moves[0], rtol=1e-6)
    with pytest.raises(UsageError, match="knows no attributes"):
        known_directions(quick_model)


def test_names_are_found_as_people_write_them(world):
    made = _fit(world)
    assert made.place("blond hair") == made.place("Blond-Hair") == made.place("BLOND_HAIR") == 2
    with pytest.raises(UsageError, match="do you mean Smiling"):
        made.place("Smilling")
    with pytest.raises(UsageError, match="known: Smiling, High_Cheekbones"):
        made.place("Xyz")


def test_an_unknown_method_is_refused(world):
    with pytest.raises(UsageError, match="unknown method 'guess'"):
        _fit(world, method="guess")
