"""The bound and its weights, against torch.distributions and closed forms."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import distributions

from facette.model.vae import build_vae
from facette.objective import beta_at, draw_noise, elbo_terms, weighted_loss
from facette.recipe import ObjectiveSpec, load_recipe
from facette.runtime import generator


@pytest.fixture(scope="module")
def passed():
    torch.manual_seed(0)
    vae = build_vae(load_recipe("quick", ["model.likelihood.sigma=0.3"]))
    x = torch.rand(6, 3, 32, 32) * 2 - 1
    return vae, x, vae(x, draw_noise(6, 16, generator(0)))


def test_both_terms_are_sums_in_nats(passed):
    vae, x, p = passed
    terms = elbo_terms(vae, x, p)
    likelihood = distributions.Normal(p.decoded, 0.3).log_prob(x).flatten(1).sum(1)
    posterior = distributions.Normal(p.posterior.mean, p.posterior.scale)
    rate = distributions.kl_divergence(posterior, distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(terms.distortion, -likelihood, rtol=1e-5, atol=1e-2)
    torch.testing.assert_close(terms.rate, rate, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(terms.elbo, likelihood - rate, rtol=1e-5, atol=1e-2)


def test_beta_one_is_the_bound_and_beta_zero_the_distortion(passed):
    terms = elbo_terms(*passed)
    assert weighted_loss(terms, 1.0).item() == pytest.approx(-terms.elbo.mean().item())
    assert weighted_loss(terms, 0.0).item() == pytest.approx(terms.distortion.mean().item())


def test_free_bits_charge_at_least_lambda_a_dimension(passed):
    terms = elbo_terms(*passed)
    mean = terms.rate_per_dimension.mean(0)
    for free in (0.01, 0.5, 5.0):
        expected = terms.distortion.mean() + mean.clamp_min(free).sum()
        assert weighted_loss(terms, 1.0, free).item() == pytest.approx(expected.item())


def test_schedules_are_the_shapes_they_are_named_for():
    linear = ObjectiveSpec(beta=2.0, schedule="linear", warmup_steps=100)
    assert [beta_at(linear, s, 1000) for s in (0, 50, 100, 999)] == [0, 1, 2, 2]
    cyclical = ObjectiveSpec(schedule="cyclical", cycles=4)
    values = [beta_at(cyclical, s, 400) for s in range(400)]
    assert values[:100] == values[100:200] == values[300:]
    assert values[0] == 0
    assert values[50:100] == [1.0] * 50
    assert all(b > a for a, b in pairwise(values[:51]))
    assert beta_at(ObjectiveSpec(beta=0.5), 0, 10) == 0.5


def test_the_classic_loss_scaling_is_a_sigma_in_disguise():
    """mse averaged over D values + 0.00025 · KL averaged over Z latents = ELBO of σ² = 0.00025 · D / 2Z, scaled."""
    torch.manual_seed(1)
    recipe = load_recipe("celeba150")
    values, latent, weight = 67_500, 128, 0.00025
    x, mean = torch.rand(2, values), torch.rand(2, values)
    kl = torch.tensor([30.0, 90.0])
    classic = (x - mean).square().mean(1) + weight * kl / latent
    sigma = recipe.model.likelihood.sigma
    ours = (x - mean).square().sum(1) / (2 * sigma**2) + kl
    scale = weight / latent
    torch.testing.assert_close(ours * scale, classic, rtol=1e-4, atol=0)
