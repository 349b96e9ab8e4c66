"""Terms of the aggregate posterior against closed forms, sums written out, and torch.distributions."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
import torch
from torch import distributions

from facette.model.posterior import DiagonalGaussian
from facette.objective.aggregate import (
    covariance_penalty,
    maximum_mean_discrepancy,
    total_correlation,
)
from facette.objective.discriminator import Discriminator, discriminator_loss, permuted
from facette.runtime import generator


def gaussian_aggregate(count: int, correlation: float, scale: float = 0.6):
    """Posteriors whose aggregate is a normal of unit variances with this correlation, and a draw of each."""
    draws = generator(0)
    covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]]) - scale**2 * torch.eye(2)
    means = torch.randn(count, 2, generator=draws) @ torch.linalg.cholesky(covariance).T
    posterior = DiagonalGaussian(means, torch.full((count, 2), scale))
    return posterior, posterior.sample(generator=draws)


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_the_total_correlation_of_a_normal_is_the_closed_form(correlation):
    """−½ log(1 − ρ²) of a large batch that is the whole data set."""
    posterior, z = gaussian_aggregate(1200, correlation)
    expected = -0.5 * math.log(1 - correlation**2)
    for estimate in ("weighted", "stratified"):
        ours = total_correlation(posterior, z, 1200, estimate)
        assert ours.item() == pytest.approx(expected, abs=0.05)


def test_weighted_sampling_is_the_papers_up_to_its_constant():
    """arXiv 1802.04942, appendix C.1, written out: each logarithm less log N, Z of them against one."""
    posterior, z = gaussian_aggregate(32, 0.5)
    log_q = distributions.Normal(posterior.mean[None], posterior.scale[None]).log_prob(z[:, None])
    images, batch, latents = 700, 32, 2
    joint = torch.logsumexp(log_q.sum(2), 1) - math.log(images * batch)
    single = (torch.logsumexp(log_q, 1) - math.log(images * batch)).sum(1)
    theirs = (joint - single).mean() - (latents - 1) * math.log(images)
    torch.testing.assert_close(total_correlation(posterior, z, images, "weighted"), theirs)


def test_stratified_sampling_is_unbiased_for_the_density():
    """The mean over every batch that could have been drawn is q(z) itself (arXiv 1802.04942, appendix C.2)."""
    from facette.objective.aggregate import _log_densities, _log_weights

    draws = generator(1)
    means, scales = torch.randn(5, 1, generator=draws), 0.5 + torch.rand(5, 1, generator=draws)
    z = means[:1] + 0.3
    whole = distributions.Normal(means, scales).log_prob(z).exp().mean()
    estimates = []
    for others in permutations(range(1, 5), 2):  # z is of image 0, two more are drawn beside it
        rows = [0, *others]
        batch = DiagonalGaussian(means[rows], scales[rows])
        weights = _log_weights(3, 5, "stratified", z).exp()
        assert weights.sum(1) == pytest.approx(1.0, abs=1e-6)
        estimates.append((weights[0] * _log_densities(batch, z.expand(3, 1))[0, :, 0].exp()).sum())
    torch.testing.assert_close(torch.stack(estimates).mean(), whole)


def test_the_covariance_penalty_is_the_one_written_out():
    posterior, _ = gaussian_aggregate(400, 0.5)
    by_hand = torch.cov(posterior.mean.T, correction=0)
    apart = 2 * by_hand[0, 1] ** 2
    on = (by_hand.diagonal() - 1).square().sum()
    torch.testing.assert_close(covariance_penalty(posterior, "i", 3.0, 0.0), 3 * apart)
    torch.testing.assert_close(covariance_penalty(posterior, "i", 0.0, 7.0), 7 * on)
    drawn = by_hand.diagonal() + 0.6**2
    torch.testing.assert_close(covariance_penalty(posterior, "ii", 0.0, 7.0), 7 * (drawn - 1).square().sum())
    white = DiagonalGaussian(
        torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]), torch.ones(4, 2)
    )
    assert covariance_penalty(white, "i", 10.0, 10.0) == 0


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_equal_samples_are_at_no_distance_and_others_are_apart(kernel):
    z = torch.randn(64, 3, generator=generator(2))
    assert maximum_mean_discrepancy(z, z.clone(), kernel).item() == pytest.approx(0, abs=1e-6)
    near, far = (maximum_mean_discrepancy(z + shift, z, kernel) for shift in (0.1, 1.0))
    assert 0 < near < far < 2


def test_the_discrepancy_of_two_normals_is_the_closed_form():
    """E exp(−d²/h) of normals of variance v around a distance m is (h / (h + 2v))^½ exp(−m² / (h + 2v)) a latent."""
    draws = generator(3)
    a, b = torch.randn(1500, 1, generator=draws), 2 + torch.randn(1500, 1, generator=draws)
    h = 2.0
    same, cross = math.sqrt(h / (h + 4)), math.sqrt(h / (h + 4)) * math.exp(-4 / (h + 4))
    # the variance of a difference of two draws is 2, which h counts twice
    assert maximum_mean_discrepancy(a, b).item() == pytest.approx(2 * same - 2 * cross, abs=0.02)


def test_permuted_latents_keep_their_values_and_lose_each_other():
    z = torch.arange(400.0)[:, None] + torch.tensor([[0.0, 1000.0]])
    shuffled = permuted(z, generator(4))
    assert torch.equal(shuffled.sort(0).values, z.sort(0).values)
    assert torch.corrcoef(shuffled.T)[0, 1].abs() < 0.2
    assert torch.equal(shuffled, permuted(z, generator(4)))


def test_a_discriminator_learns_the_total_correlation():
    """E log q/Πq under q of a normal with ρ = 0.8 is −½ log(1 − 0.64) = 0.51 nats (arXiv 1802.05983, eq. 3)."""
    torch.manual_seed(0)
    network = Discriminator(2, width=32, layers=2)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    factor = torch.linalg.cholesky(torch.tensor([[1.0, 0.8], [0.8, 1.0]]))
    draws = generator(5)
    for _ in range(150):
        z = torch.randn(512, 2, generator=draws) @ factor.T
        optimizer.zero_grad()
        discriminator_loss(network, z, draws).backward()
        optimizer.step()
    z = torch.randn(4000, 2, generator=draws) @ factor.T
    assert network(z).mean().item() == pytest.approx(0.511, abs=0.1)
    blind = Discriminator(2, width=4, layers=1)
    torch.nn.init.zeros_(blind.out.weight)
    torch.nn.init.zeros_(blind.out.bias)
    assert discriminator_loss(blind, z, draws).item() == pytest.approx(math.log(2), rel=1e-5)
