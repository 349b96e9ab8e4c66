"""p(x|z) against torch.distributions and against its own definition of the best σ."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions

from facette.model.likelihood import BernoulliLikelihood, GaussianLikelihood


@pytest.fixture
def pair():
    draws = torch.Generator().manual_seed(0)
    return torch.rand(4, 3, 5, 5, generator=draws), torch.rand(4, 3, 5, 5, generator=draws)


def total(log_prob):
    return log_prob.flatten(1).sum(1)


def test_fixed_and_learned_sigma_are_normal_densities(pair):
    x, mean = pair
    for likelihood, sigma in ((GaussianLikelihood(0.3), 0.3), (GaussianLikelihood("learned"), 1.0)):
        assert likelihood.sigma == pytest.approx(sigma)
        expected = total(distributions.Normal(mean, sigma).log_prob(x))
        torch.testing.assert_close(likelihood.log_prob(x, mean), expected, rtol=1e-5, atol=1e-3)


def test_what_was_not_seen_drops_out_of_the_sum(pair):
    x, mean = pair
    seen = torch.ones(4, 1, 5, 5)
    seen[1, :, 2:], seen[2] = 0, 0
    density = distributions.Normal(mean, 0.3).log_prob(x)
    expected = total(density * seen)
    torch.testing.assert_close(
        GaussianLikelihood(0.3).log_prob(x, mean, seen), expected, rtol=1e-5, atol=1e-3
    )
    weighted = GaussianLikelihood(0.3).weighted_log_prob(x, mean, 2.5 * seen)
    torch.testing.assert_close(weighted, 2.5 * expected, rtol=1e-5, atol=1e-3)
    values = distributions.Bernoulli(mean, validate_args=False).log_prob(x)
    torch.testing.assert_close(BernoulliLikelihood().log_prob(x, mean, seen), total(values * seen))


def test_only_a_learned_sigma_is_a_parameter():
    counts = {
        s: len(list(GaussianLikelihood(s).parameters())) for s in (0.3, "optimal", "learned", "predicted")
    }
    assert counts == {0.3: 0, "optimal": 0, "learned": 1, "predicted": 0}


def test_the_optimal_sigma_is_the_best_one_for_the_batch(pair):
    x, mean = pair
    likelihood = GaussianLikelihood("optimal")
    best = likelihood.log_prob(x, mean, fit_sigma=True).sum()
    root = (x - mean).square().mean().sqrt().item()
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert total(distributions.Normal(mean, root * factor).log_prob(x)).sum() < best
    assert likelihood.sigma == pytest.approx(root, rel=1e-4)  # remembered for use after training


def test_the_gradient_with_an_optimal_sigma_is_that_of_the_log_of_the_error(pair):
    """∇ of D/2 · log mse, which is what σ-VAE minimises (arXiv 2006.13202, eq. 6)."""
    x, mean = pair
    mean.requires_grad_()
    loss = -GaussianLikelihood("optimal").log_prob(x, mean, fit_sigma=True).mean()
    (ours,) = torch.autograd.grad(loss, mean)
    (theirs,) = torch.autograd.grad(75 / 2 * (x - mean).square().mean().log(), mean)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_evaluation_uses_the_remembered_sigma_and_moves_nothing(pair):
    x, mean = pair
    likelihood = GaussianLikelihood("optimal")
    for scale in (1.0, 2.0, 3.0):
        likelihood.log_prob(x * scale, mean * scale, fit_sigma=True)
    before = likelihood.sigma
    expected = total(distributions.Normal(mean, before).log_prob(x))
    torch.testing.assert_close(likelihood.log_prob(x, mean), expected, rtol=1e-4, atol=1e-3)
    assert likelihood.sigma == before


def test_a_predicted_sigma_is_one_per_value(pair):
    x, mean = pair
    log_sigma = torch.linspace(-2, 1, x.numel()).view_as(x)
    likelihood = GaussianLikelihood("predicted")
    decoded = torch.cat([mean, log_sigma], 1)
    expected = total(distributions.Normal(mean, log_sigma.exp()).log_prob(x))
    torch.testing.assert_close(likelihood.log_prob(x, decoded), expected, rtol=1e-5, atol=1e-3)
    assert torch.equal(likelihood.mean(decoded), mean)
    assert likelihood.outputs_per_value == 2


def test_bernoulli_is_torchs(pair):
    x, mean = pair
    expected = total(distributions.Bernoulli(mean).log_prob((x > 0.5).float()))
    torch.testing.assert_close(
        BernoulliLikelihood().log_prob((x > 0.5).float(), mean), expected, rtol=1e-4, atol=1e-3
    )


def test_a_perfect_batch_stays_finite(pair):
    x, _ = pair
    assert torch.isfinite(GaussianLikelihood("optimal").log_prob(x, x.clone(), fit_sigma=True)).all()
    assert math.isfinite(GaussianLikelihood("optimal").sigma)
