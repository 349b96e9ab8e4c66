"""The bounds against models whose probabilities are known exactly."""

import math

import pytest
import torch
from torch import nn

from facette.errors import UsageError
from facette.evaluation.bound import (
    active_units,
    activity,
    bits_of_levels,
    bits_per_dimension,
    dequantise,
    importance_weighted_bound,
    rate_per_unit,
)
from facette.model.likelihood import LocationScaleLikelihood
from facette.model.posterior import DiagonalGaussian
from facette.model.prior import StandardNormal
from facette.model.vae import VAE

SIGMA, DIMENSIONS, LATENT = 0.5, 5, 2


def draws(seed=0):
    return torch.Generator().manual_seed(seed)


class LinearEncoder(nn.Module):
    """The posterior of x = W z + b + σ ε: its exact mean, and its exact variances times `widened`²."""

    def __init__(self, weight, bias, widened=1.0, shifted=0.0):
        super().__init__()
        precision = torch.eye(weight.shape[1]) + weight.T @ weight / SIGMA**2
        covariance = torch.linalg.inv(precision)
        self.gain, self.bias, self.shifted = covariance @ weight.T / SIGMA**2, bias, shifted
        self.log_variance = covariance.diagonal().log() + 2 * math.log(widened)

    def forward(self, x):
        mean = (x - self.bias) @ self.gain.T + self.shifted
        return torch.cat([mean, self.log_variance.expand_as(mean)], dim=1)


class LinearDecoder(nn.Module):
    def __init__(self, weight, bias):
        super().__init__()
        self.weight, self.bias = weight, bias

    def forward(self, z):
        return z @ self.weight.T + self.bias


def linear_vae(weight, bias, **encoder):
    return VAE(
        encoder=LinearEncoder(weight, bias, **encoder),
        decoder=LinearDecoder(weight, bias),
        likelihood=LocationScaleLikelihood(SIGMA),
        prior=StandardNormal(LATENT),
        posterior_scale="log-variance",
        latent=LATENT,
    )


def exact_log_likelihood(weight, bias, x):
    covariance = weight @ weight.T + SIGMA**2 * torch.eye(DIMENSIONS)
    return torch.distributions.MultivariateNormal(bias, covariance).log_prob(x)


@pytest.fixture(scope="module")
def world():
    """W, b and 40 data drawn from the model itself."""
    weight, bias = (
        torch.randn(DIMENSIONS, LATENT, generator=draws(1)),
        torch.randn(DIMENSIONS, generator=draws(2)),
    )
    z, noise = torch.randn(40, LATENT, generator=draws(3)), torch.randn(40, DIMENSIONS, generator=draws(4))
    return weight, bias, z @ weight.T + bias + SIGMA * noise


@pytest.fixture(scope="module")
def upright(world):
    """The same with orthogonal columns in W, so that the exact posterior is diagonal."""
    weight = torch.linalg.qr(world[0]).Q * torch.tensor([1.5, 0.7])
    return weight, world[1], world[2]


def test_with_the_exact_posterior_one_sample_gives_the_exact_likelihood(upright):
    weight, bias, x = upright
    exact = exact_log_likelihood(weight, bias, x)
    bound = importance_weighted_bound(linear_vae(weight, bias), x, samples=1, generator=draws())
    torch.testing.assert_close(bound.float(), exact, atol=1e-4, rtol=1e-5)


def test_a_wrong_posterior_still_reaches_the_exact_likelihood(world):
    weight, bias, x = world
    vae = linear_vae(weight, bias, widened=1.4, shifted=0.2)
    exact = exact_log_likelihood(weight, bias, x)
    bound = importance_weighted_bound(vae, x, samples=2000, generator=draws(), at_once=4000)
    assert (bound - exact).mean().abs() < 0.01
    assert (bound - exact).abs().max() < 0.25
    assert (bound - exact).abs().mean() < 0.05


def test_five_thousand_samples_reach_the_exact_likelihood_in_bounded_memory(world):
    weight, bias, x = world
    vae = linear_vae(weight, bias, widened=1.4, shifted=0.2)
    rounds = []
    bound = importance_weighted_bound(
        vae, x, samples=5000, generator=draws(), at_once=500, advance=rounds.append
    )
    gaps = bound - exact_log_likelihood(weight, bias, x)
    assert gaps.mean().abs() < 0.05
    assert gaps.abs().mean() < 0.05
    assert sum(rounds) == 5000 * len(x)
    assert max(rounds) <= 500


def test_the_bound_tightens_with_more_samples(world):
    weight, bias, x = world
    vae = linear_vae(weight, bias, widened=2.5, shifted=0.5)
    exact = exact_log_likelihood(weight, bias, x).mean()
    gaps = [
        (exact - importance_weighted_bound(vae, x, samples=k, generator=draws(7)).mean()).item()
        for k in (1, 8, 200)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > -0.05
    assert gaps[0] > 1 > 0.1 > gaps[2]


def test_the_elbo_misses_the_likelihood_by_the_divergence_of_the_posterior(upright):
    weight, bias, x = upright
    vae = linear_vae(weight, bias, widened=1.5)
    many = x.repeat(500, 1)
    elbo = importance_weighted_bound(vae, many, samples=1, generator=draws()).mean()
    # KL of two Gaussians of equal mean, the one 1.5 times as wide, in each of two units
    divergence = LATENT * (0.5 * (1.5**2 - 1) - math.log(1.5))
    assert elbo.item() == pytest.approx(
        exact_log_likelihood(weight, bias, x).mean().item() - divergence, abs=0.02
    )


def test_never_more_are_decoded_at_once_than_allowed(world, monkeypatch):
    weight, bias, x = world
    vae = linear_vae(weight, bias, widened=1.2)
    sizes = []
    forward = vae.decoder.forward
    monkeypatch.setattr(vae.decoder, "forward", lambda z: (sizes.append(len(z)), forward(z))[1])
    importance_weighted_bound(vae, x, samples=37, generator=draws(), at_once=100)
    assert max(sizes) <= 100
    assert sum(sizes) == 37 * len(x)
    sizes.clear()
    importance_weighted_bound(vae, x, samples=3, generator=draws(), at_once=7)
    assert max(sizes) <= 7
    assert sum(sizes) == 3 * len(x)


def test_bounds_are_repeated_by_their_seed(world):
    weight, bias, x = world
    vae = linear_vae(weight, bias, widened=1.3)
    one, again, other = (importance_weighted_bound(vae, x, samples=5, generator=draws(s)) for s in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


@pytest.mark.parametrize("wrong", [{"samples": 0}, {"samples": 5, "at_once": 0}])
def test_a_bound_without_samples_is_refused(world, wrong):
    weight, bias, x = world
    with pytest.raises(UsageError, match="at least one sample"):
        importance_weighted_bound(linear_vae(weight, bias), x, generator=draws(), **wrong)


# ── bits ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0)])
def test_all_levels_being_equally_likely_costs_eight_bits(low, high):
    width = (high - low) * 256 / 255  # 256 bins centred on the values reach half a step outside
    log_density = torch.tensor([-12 * math.log(width)])
    torch.testing.assert_close(bits_per_dimension(log_density, 12, low, high), torch.tensor([8.0]))


def test_bits_do_not_depend_on_the_range():
    unit = torch.tensor([-700.0, 35.0])
    symmetric = unit - 48 * math.log(2)  # the same density, spread over twice the width
    torch.testing.assert_close(bits_per_dimension(unit, 48, 0, 1), bits_per_dimension(symmetric, 48, -1, 1))


def test_dequantised_bits_approach_the_exact_mass_of_the_bins():
    """A Gaussian far wider than a level: the bound exceeds the exact cost by the bending inside a bin alone."""
    levels = torch.arange(256.0).repeat(200)
    x = (levels / 255).double()
    normal = torch.distributions.Normal(torch.tensor(0.45).double(), torch.tensor(0.1).double())
    step = 1 / 255
    mass = normal.cdf(x + step / 2) - normal.cdf(x - step / 2)
    weights = mass / mass.sum()
    exact = -(weights * mass.log2()).sum()
    spread_out = dequantise(x, 0.0, 1.0, draws())
    bits = bits_per_dimension(normal.log_prob(spread_out), 1, 0.0, 1.0)
    assert (weights * bits).sum().item() == pytest.approx(exact.item(), abs=2e-3)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0)])
def test_dequantised_values_fill_their_own_bin(low, high):
    x = torch.full((20_000,), low)
    step = (high - low) / 255
    moved = (dequantise(x, low, high, draws()) - x) / step
    assert moved.min() >= -0.5
    assert moved.max() <= 0.5
    assert moved.mean().abs() < 0.01
    assert moved.std().item() == pytest.approx(1 / math.sqrt(12), abs=0.01)


# ── units ────────────────────────────────────────────────────────────────────────────────────────────────


def test_active_units_are_those_that_move_with_the_data():
    means = torch.randn(500, 6, generator=draws()) * torch.tensor([1.0, 0.5, 0.2, 0.05, 0.0, 0.0]) + 3
    assert active_units(means) == 3
    torch.testing.assert_close(activity(means), means.var(dim=0))


def test_the_rate_of_each_unit_is_its_divergence_from_a_standard_normal():
    posterior = DiagonalGaussian(
        torch.randn(30, 4, generator=draws()), torch.rand(30, 4, generator=draws(1)) + 0.1
    )
    expected = torch.distributions.kl_divergence(
        torch.distributions.Normal(posterior.mean, posterior.scale), torch.distributions.Normal(0.0, 1.0)
    ).mean(dim=0)
    torch.testing.assert_close(rate_per_unit(posterior), expected)


def test_one_datum_has_no_activity():
    with pytest.raises(UsageError, match="at least 2"):
        active_units(torch.zeros(1, 3))


def test_levels_that_are_equally_likely_cost_eight_bits():
    torch.testing.assert_close(bits_of_levels(torch.tensor([-12 * math.log(256)]), 12), torch.tensor([8.0]))
