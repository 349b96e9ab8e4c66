"""Laws of measuring a model of vectors: one that is the truth scores as the truth, and a wrong one does not."""

import math

import numpy as np
import pytest
import torch

from facette.data.mixture import draw_mixture, draw_store
from facette.evaluation import mixture as laboratory
from facette.latent import sample
from facette.model.prior import GaussianMixturePrior
from facette.model.trained import TrainedModel
from facette.model.vae import build_vae
from facette.recipe import load_recipe

SIGMA = 0.05  # of posterior and likelihood: the model is the truth blurred by that much


@pytest.fixture(autouse=True)
def fewer_draws(monkeypatch):
    for name, value in (("SAMPLES", 1500), ("FRESH", 800), ("IMPORTANCE", 50), ("EM_CANDIDATES", (2, 3))):
        monkeypatch.setattr(laboratory, name, value)


@pytest.fixture
def store():
    return draw_store(draw_mixture(3, 3, seed=11), 2000, seed=0)


def straight_model(prior):
    """A VAE whose latents are the points themselves, with this prior."""
    recipe = load_recipe("mixture3d", [f"model.likelihood.sigma={SIGMA}", "model.prior.components=3"])
    vae = build_vae(recipe)
    with torch.no_grad():
        for part in (vae.encoder, vae.decoder):
            part.linear.weight.zero_()
            part.linear.bias.zero_()
            part.straight.weight.copy_(torch.eye(3))
        vae.encoder.linear.bias[3:] = 2 * math.log(SIGMA)
    vae.prior.load_state_dict(prior.state_dict())
    return TrainedModel(vae, recipe)


def prior_of(mixture, weights=None):
    weights = mixture.weights if weights is None else weights
    return GaussianMixturePrior.from_moments(
        *map(torch.tensor, (weights, mixture.means, mixture.covariances))
    )


def test_a_model_that_is_the_truth_scores_as_the_truth(store):
    figures = laboratory.measure_model(straight_model(prior_of(store.mixture)), store, seed=1)
    assert abs(figures.divergence.nats) < 0.05
    assert (figures.modes.covered, figures.modes.total) == (3, 3)
    assert figures.modes.weight_distance < 0.04
    assert figures.modes.junk < 0.01
    assert abs(figures.two_sample - 0.5) < 0.04
    assert abs(figures.clusters - 1) < 0.02


def test_a_model_with_the_wrong_weights_pays_the_divergence_of_the_weights(store):
    wrong = np.roll(store.mixture.weights, 1)
    right = laboratory.measure_model(straight_model(prior_of(store.mixture)), store, seed=1)
    figures = laboratory.measure_model(straight_model(prior_of(store.mixture, wrong)), store, seed=1)
    true = store.mixture.weights
    expected = float((true * np.log(true / wrong)).sum())  # the components hardly overlap
    assert abs(figures.divergence.nats - right.divergence.nats - expected) < 0.05
    assert abs(figures.modes.weight_distance - 0.5 * np.abs(true - wrong).sum()) < 0.04


def test_the_truth_and_the_fit_bound_what_a_model_can_reach(store):
    truth = laboratory.measure_truth(store, seed=2)
    fitted = laboratory.fit_points(store)
    figures = laboratory.measure_fitted(fitted, store, seed=2)
    assert truth.divergence.nats == 0
    assert fitted.components == 3
    assert 0 < figures.divergence.nats + 3 * figures.divergence.standard_error < 0.1
    assert figures.clusters > 0.95


def test_samples_of_points_are_draws_of_the_likelihood_and_not_its_means(store):
    model = straight_model(prior_of(store.mixture))
    drawn = sample(model, count=4000, seed=3)
    noise = drawn.pictures - model.decode(drawn.latents)
    assert abs(noise.std() - SIGMA) < 0.002
    assert abs(noise.mean()) < 0.002
    np.testing.assert_array_equal(drawn.pictures, sample(model, count=4000, seed=3).pictures)
    # another batch size is the same draw, up to the last bits of a matrix product
    np.testing.assert_allclose(drawn.pictures, laboratory.draw_points(model, 4000, seed=3), atol=1e-5)
