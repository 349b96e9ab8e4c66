"""The sum of a recipe: what each section adds to it, the bound of several draws, and what a recipe refuses."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions, nn

from facette.errors import RecipeError
from facette.model.likelihood import LocationScaleLikelihood
from facette.model.posterior import DiagonalGaussian
from facette.model.prior import StandardNormal
from facette.model.vae import VAE, VAEOutput, build_vae
from facette.objective import (
    WholeBatch,
    beta_at,
    capacity_at,
    draw_noise,
    elbo_terms,
    importance_bound,
    importance_loss,
    total_objective,
)
from facette.objective.aggregate import covariance_penalty, total_correlation
from facette.recipe import CapacitySpec, load_recipe
from facette.runtime import generator

SIGMA = 0.7


class Line(nn.Module):
    """x = a z: the one decoder whose evidence is in closed form."""

    def forward(self, z):
        return z @ torch.tensor([[1.0, -2.0]])


class Wide(nn.Module):
    """A posterior that is not the true one, so that the bound has a gap."""

    def forward(self, x):
        return torch.cat([0.3 * x[:, :1], torch.full_like(x[:, :1], -0.5)], 1)


@pytest.fixture(scope="module")
def linear():
    vae = VAE(
        encoder=Wide(),
        decoder=Line(),
        likelihood=LocationScaleLikelihood(SIGMA),
        prior=StandardNormal(1),
        posterior_scale="log-variance",
        latent=1,
    )
    x = torch.randn(50, 2, generator=generator(0))
    loading = torch.tensor([[1.0], [-2.0]])
    evidence = distributions.MultivariateNormal(torch.zeros(2), loading @ loading.T + SIGMA**2 * torch.eye(2))
    return vae, x, evidence.log_prob(x)


def weights_of(vae, x, draws: int, seed: int = 1):
    noise = torch.randn(len(x), draws, 1, generator=generator(seed))
    return elbo_terms(vae, x, vae(x, noise), importance_beta=1.0).log_weights


def test_the_importance_bound_is_the_bound_at_one_draw_and_nears_the_evidence(linear):
    vae, x, evidence = linear
    weights = weights_of(vae, x, 1)
    posterior = vae.encode(x)
    z = posterior.sample(noise=torch.randn(len(x), 1, 1, generator=generator(1))[:, 0])
    by_hand = (
        distributions.Normal(vae.decoder(z), SIGMA).log_prob(x).sum(1)
        + distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
        - distributions.Normal(posterior.mean, posterior.scale).log_prob(z).sum(1)
    )
    torch.testing.assert_close(importance_bound(weights), by_hand, rtol=1e-4, atol=1e-4)
    bounds = [importance_bound(weights_of(vae, x, k)).mean().item() for k in (1, 10, 3000)]
    assert bounds[0] < bounds[1] < bounds[2]
    assert bounds[2] == pytest.approx(evidence.mean().item(), abs=0.02)


def test_the_importance_gradient_weighs_each_draw(linear):
    """Σ w̃ ∇ log w with the normalised weights held (arXiv 1509.00519, eq. 14)."""
    vae, x, _ = linear
    weights = weights_of(vae, x, 5).detach().requires_grad_()
    (ours,) = torch.autograd.grad(importance_loss(weights), weights)
    torch.testing.assert_close(ours, -weights.softmax(1) / len(x))


def test_several_draws_have_the_mean_of_their_distortions(linear):
    vae, x, _ = linear
    noise = torch.randn(len(x), 3, 1, generator=generator(2))
    together = elbo_terms(vae, x, vae(x, noise))
    apart = [elbo_terms(vae, x, vae(x, noise[:, k])).distortion for k in range(3)]
    torch.testing.assert_close(together.distortion, torch.stack(apart).mean(0))


@pytest.fixture(scope="module")
def passed():
    torch.manual_seed(0)
    vae = build_vae(load_recipe("quick", ["model.likelihood.sigma=0.3"]))
    x = torch.rand(6, 3, 32, 32) * 2 - 1
    output = vae(x, draw_noise(6, 16, generator(0)))
    return elbo_terms(vae, x, output), WholeBatch.of(elbo_terms(vae, x, output), output)


def total_of(passed, *overrides: str, capacity: float | None = None):
    spec = load_recipe("quick", ["objective.schedule=constant", *overrides]).objective
    return total_objective(
        spec, *passed, beta=spec.beta, capacity=capacity, images=500, generator=generator(9)
    )


def test_without_sections_the_sum_is_the_bound(passed):
    terms, _ = passed
    total = total_of(passed, "objective.beta=1.0")
    assert total.loss.item() == pytest.approx(-terms.elbo.mean().item())
    assert not total.terms


def test_each_section_adds_its_term_at_its_weight(passed):
    _, whole = passed
    plain = total_of(passed).loss.item()
    correlation = total_correlation(whole.posterior, whole.z, 500, "stratified").item()
    covariance = covariance_penalty(whole.posterior, "ii", 1.0, 10.0).item()
    assert total_of(passed, "objective.total_correlation.weight=4.0").loss.item() == pytest.approx(
        plain + 4 * correlation
    )
    assert total_of(passed, "objective.dip.off_diagonal=1.0").loss.item() == pytest.approx(plain + covariance)
    mmd = total_of(passed, "objective.mmd.weight=1000.0")
    assert mmd.loss.item() == pytest.approx(plain + 1000 * mmd.terms["mmd"].item())
    assert mmd.terms["mmd"] > 0


def test_a_capacity_costs_the_distance_of_the_rate_from_it(passed):
    terms, _ = passed
    rate = terms.rate.mean().item()
    spec = CapacitySpec(nats=20.0, steps=100)
    assert [capacity_at(spec, step) for step in (0, 50, 100, 999)] == [0, 10, 20, 20]
    for capacity in (0.0, rate, rate + 5):
        loss = total_of(passed, "objective.beta=30.0", "objective.capacity.nats=20.0", capacity=capacity).loss
        expected = terms.distortion.mean().item() + 30 * abs(rate - capacity)
        assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (["objective.total_correlation.weight=-1.0"], "objective.total_correlation.weight is -1.0"),
        (
            ["objective.total_correlation.estimate=exact", "objective.total_correlation.weight=1.0"],
            "estimate",
        ),
        (["objective.mmd.kernel=cubic"], "objective.mmd.kernel is 'cubic'"),
        (["objective.dip.lambda=2.0"], "objective.dip.lambda is not a key"),
        (["objective.capacity.nats=5.0", "objective.free_bits=0.1"], "free_bits and capacity each say"),
        (["objective.importance.samples=0"], "objective.importance.samples is 0"),
        (["model.likelihood.kind=logistic"], "a logistic likelihood has no optimal sigma"),
        (["train.accumulate=100"], "train.accumulate 100 is more than train.batch"),
        (
            [
                "train.shard=true",
                "objective.total_correlation.weight=1.0",
                "objective.total_correlation.estimate=discriminator",
            ],
            "train.shard does not share out the discriminator",
        ),
    ],
)
def test_what_does_not_hold_is_refused_in_a_sentence(changes, says):
    with pytest.raises(RecipeError, match=says):
        load_recipe("quick", changes)


def test_sections_come_back_from_toml(tmp_path):
    recipe = load_recipe(
        "quick", ["objective.total_correlation.weight=4.0", "objective.mmd.weight=2.0", "train.accumulate=2"]
    )
    (tmp_path / "mine.toml").write_text(recipe.to_toml(), "utf-8")
    assert load_recipe(tmp_path / "mine.toml") == recipe
    assert math.isclose(beta_at(recipe.objective, 10**6, 10**6), recipe.objective.beta)


def test_the_whole_batch_takes_the_first_of_several_draws():
    posterior = DiagonalGaussian(torch.zeros(2, 1), torch.ones(2, 1))
    z = torch.tensor([[1.0], [2.0], [3.0], [4.0]])
    output = VAEOutput(posterior, z, z)
    terms = elbo_terms(
        VAE(
            encoder=Wide(),
            decoder=nn.Identity(),
            likelihood=LocationScaleLikelihood(1.0),
            prior=StandardNormal(1),
            posterior_scale="log-variance",
            latent=1,
        ),
        torch.zeros(2, 1),
        output,
    )
    assert WholeBatch.of(terms, output).z.flatten().tolist() == [1.0, 3.0]
