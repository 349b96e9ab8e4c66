"""p(x|z) against torch.distributions and against its own definition of the best σ."""

from __future__ import annotations

import math

import pytest
import torch
from torch import distributions

from facette.model.likelihood import BernoulliLikelihood, LocationScaleLikelihood


@pytest.fixture
def pair():
    draws = torch.Generator().manual_seed(0)
    return torch.rand(4, 3, 5, 5, generator=draws), torch.rand(4, 3, 5, 5, generator=draws)


def total(log_prob):
    return log_prob.flatten(1).sum(1)


def test_fixed_and_learned_sigma_are_normal_densities(pair):
    x, mean = pair
    for likelihood, sigma in ((LocationScaleLikelihood(0.3), 0.3), (LocationScaleLikelihood("learned"), 1.0)):
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
        LocationScaleLikelihood(0.3).log_prob(x, mean, seen), expected, rtol=1e-5, atol=1e-3
    )
    weighted = LocationScaleLikelihood(0.3).weighted_log_prob(x, mean, 2.5 * seen)
    torch.testing.assert_close(weighted, 2.5 * expected, rtol=1e-5, atol=1e-3)
    values = distributions.Bernoulli(mean, validate_args=False).log_prob(x)
    torch.testing.assert_close(BernoulliLikelihood().log_prob(x, mean, seen), total(values * seen))


def test_only_a_learned_sigma_is_a_parameter():
    counts = {
        s: len(list(LocationScaleLikelihood(s).parameters()))
        for s in (0.3, "optimal", "learned", "predicted")
    }
    assert counts == {0.3: 0, "optimal": 0, "learned": 1, "predicted": 0}


def test_the_optimal_sigma_is_the_best_one_for_the_batch(pair):
    x, mean = pair
    likelihood = LocationScaleLikelihood("optimal")
    best = likelihood.log_prob(x, mean, fit_sigma=True).sum()
    root = (x - mean).square().mean().sqrt().item()
    for factor in (0.9, 0.99, 1.01, 1.1):
        assert total(distributions.Normal(mean, root * factor).log_prob(x)).sum() < best
    assert likelihood.sigma == pytest.approx(root, rel=1e-4)  # remembered for use after training


def test_the_gradient_with_an_optimal_sigma_is_that_of_the_log_of_the_error(pair):
    """∇ of D/2 · log mse, which is what σ-VAE minimises (arXiv 2006.13202, eq. 6)."""
    x, mean = pair
    mean.requires_grad_()
    loss = -LocationScaleLikelihood("optimal").log_prob(x, mean, fit_sigma=True).mean()
    (ours,) = torch.autograd.grad(loss, mean)
    (theirs,) = torch.autograd.grad(75 / 2 * (x - mean).square().mean().log(), mean)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_evaluation_uses_the_remembered_sigma_and_moves_nothing(pair):
    x, mean = pair
    likelihood = LocationScaleLikelihood("optimal")
    for scale in (1.0, 2.0, 3.0):
        likelihood.log_prob(x * scale, mean * scale, fit_sigma=True)
    before = likelihood.sigma
    expected = total(distributions.Normal(mean, before).log_prob(x))
    torch.testing.assert_close(likelihood.log_prob(x, mean), expected, rtol=1e-4, atol=1e-3)
    assert likelihood.sigma == before


def test_a_predicted_sigma_is_one_per_value(pair):
    x, mean = pair
    log_sigma = torch.linspace(-2, 1, x.numel()).view_as(x)
    likelihood = LocationScaleLikelihood("predicted")
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
    assert torch.isfinite(LocationScaleLikelihood("optimal").log_prob(x, x.clone(), fit_sigma=True)).all()
    assert math.isfinite(LocationScaleLikelihood("optimal").sigma)


def test_a_laplace_is_torchs_and_its_optimal_scale_the_mean_error(pair):
    x, mean = pair
    fixed = LocationScaleLikelihood(0.3, family="laplace")
    expected = total(distributions.Laplace(mean, 0.3 / math.sqrt(2)).log_prob(x))
    torch.testing.assert_close(fixed.log_prob(x, mean), expected, rtol=1e-5, atol=1e-3)
    best = LocationScaleLikelihood("optimal", family="laplace")
    b = (x - mean).abs().mean().item()
    expected = total(distributions.Laplace(mean, b).log_prob(x))
    torch.testing.assert_close(best.log_prob(x, mean, fit_sigma=True), expected, rtol=1e-4, atol=1e-3)
    assert best.sigma == pytest.approx(math.sqrt(2) * b, rel=1e-4)
    decoded = torch.cat([mean, torch.full_like(mean, math.log(0.3))], 1)
    predicted = LocationScaleLikelihood("predicted", family="laplace")
    torch.testing.assert_close(predicted.log_prob(x, decoded), fixed.log_prob(x, mean), rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("sigma", [0.004, 0.1, 2.0])
@pytest.mark.parametrize("mean", [-1.3, -0.5, 0.0, 0.99])
def test_the_probabilities_of_all_levels_add_up_to_one(sigma, mean):
    likelihood = LocationScaleLikelihood(sigma, family="logistic", bounds=(-1.0, 1.0))
    levels = torch.linspace(-1, 1, 256)[:, None, None, None]
    log_p = likelihood.log_prob(levels, torch.full_like(levels, mean))
    assert torch.isfinite(log_p).all()
    assert log_p.double().exp().sum().item() == pytest.approx(1.0, abs=1e-3)


def test_a_wide_logistic_is_its_density_times_the_width_of_a_level(pair):
    _, mean = pair
    x = (torch.rand(4, 3, 5, 5, generator=torch.Generator().manual_seed(1)) * 200 + 20).round() / 255
    likelihood = LocationScaleLikelihood(0.5, family="logistic", bounds=(0.0, 1.0))
    s = 0.5 * math.sqrt(3) / math.pi
    density = distributions.TransformedDistribution(
        distributions.Uniform(torch.zeros_like(x), torch.ones_like(x)),
        [distributions.SigmoidTransform().inv, distributions.AffineTransform(mean, s)],
    ).log_prob(x)
    expected = total(density - math.log(255))
    torch.testing.assert_close(likelihood.log_prob(x, mean), expected, rtol=1e-4, atol=1e-2)


def test_far_from_its_mean_a_sharp_logistic_still_has_a_gradient():
    likelihood = LocationScaleLikelihood(0.003, family="logistic")
    mean = torch.tensor([[[[-0.9]]]], requires_grad=True)
    log_p = likelihood.log_prob(torch.tensor([[[[0.5]]]]), mean)
    (slope,) = torch.autograd.grad(log_p.sum(), mean)
    assert torch.isfinite(log_p).all()
    assert slope.item() == pytest.approx(math.pi / math.sqrt(3) / 0.003, rel=1e-3)  # 1/s in the tail


@pytest.mark.parametrize("family", ["gaussian", "laplace", "logistic"])
def test_draws_have_the_standard_deviation_of_the_likelihood(family):
    drawn = LocationScaleLikelihood(0.3, family=family).sample(
        torch.zeros(1, 1, 300, 300), torch.Generator().manual_seed(0)
    )
    assert drawn.std().item() == pytest.approx(0.3, rel=0.03)
    assert drawn.mean().item() == pytest.approx(0.0, abs=0.01)
